"""Number formatting by hand-worked cases; one look per method."""

from __future__ import annotations

import math

import pytest

from algorithms.settings import METHODS
from paper_figures import style


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (1275.6, 67.2, "1276 ± 67"),
        (59.04, 4.41, "59.0 ± 4.4"),
        (0.6012, 0.4899, "0.60 ± 0.49"),
        (-3.2, 120.0, "−3 ± 120"),
        (500.0, 0.0, "500 ± 0"),
        (864.2, math.nan, "864"),
        (math.nan, math.nan, "—"),
        (-0.04, 1.2, "0.0 ± 1.2"),
    ],
)
def test_a_mean_has_the_digits_its_spread_deserves(mean: float, std: float, text: str) -> None:
    assert style.mean_and_std(mean, std) == text


def test_probabilities_and_percentages() -> None:
    assert style.probability(0.0004) == "<0.001"
    assert style.probability(0.0471) == "0.047"
    assert style.exact_probability(0.0625) == "0.0625"
    assert style.percent(236.71, signed=True) == "+236.7%"
    assert style.percent(-12.04, signed=True) == "−12.0%"
    assert style.percent(math.nan) == "—"
    assert style.interval(0.8, 0.44, 1.0, 2) == "0.80 [0.44, 1.00]"
    assert style.interval(0.8, math.nan, math.nan, 2) == "0.80"


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (30.04, -9.2, 81.3, "+30% [−9, +81]"),
        (321.34, 317.9, 324.8, "+321.3% [+317.9, +324.8]"),
        (0.04, -0.01, 0.06, "0.0% [0.0, +0.1]"),
        (30.04, -math.inf, math.inf, "+30% [unbounded]"),
        (30.04, math.nan, math.nan, "+30%"),
        (math.nan, math.nan, math.nan, "—"),
    ],
)
def test_an_improvement_has_the_digits_its_interval_deserves(
    value: float, low: float, high: float, text: str
) -> None:
    assert style.percent_interval(value, low, high) == text


def test_every_method_has_its_own_look_in_every_figure() -> None:
    assert set(style.METHODS) >= set(METHODS)
    for paper in style.PAPERS:
        assert len(set(paper.values())) == len(paper)
    looks = style.line_styles(["one (imported)", "ppo", "another (imported)"])
    assert looks["ppo"] == style.METHODS["ppo"]
    assert len(set(looks.values())) == 3


def test_lines_break_outside_parentheses_only() -> None:
    assert style.wrapped("PoE without advantage (β₁ = 0)", 25) == "PoE without advantage\n(β₁ = 0)"
