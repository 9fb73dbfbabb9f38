"""Arithmetic of the paper's own numbers, against cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.audit.checks.consistency import (
    Arm,
    Reading,
    average,
    between,
    compare,
    cv,
    difference,
    half_width,
    improvement,
    judge,
    multiple,
    ratio,
    same,
    same_spread,
    total,
)
from analysis.reported import Range, parse


def r(text: str) -> Range:
    return parse(text).range


def arm(text: str, n: int | None = None) -> Arm:
    printed = parse(text)
    return Arm(printed.range, printed.spread_range, n)


def verdict(text: str, readings: list[Reading]) -> tuple[str, str | None]:
    found = judge(parse(text), readings)
    return found.verdict, found.reading


AGREES = ("consistent", None)
CONTRADICTS = ("inconsistent", None)


def under(reading: str) -> tuple[str, str]:
    return ("consistent under a reading", reading)


@pytest.mark.parametrize(
    ("printed", "new", "old", "expected"),
    [
        # 4099 / 1276 = 3.21238; 148.5 to 147.5 leaves the third row between 46.0 and 47.4 %.
        ("+321%", "5375", "1276", AGREES),
        ("+321.3%", "5375", "1276", AGREES),
        ("+320%", "5375", "1276", CONTRADICTS),
        ("+47%", "217", "148", AGREES),
        ("50%", "-1", "-2", AGREES),
        ("421%", "5375", "1276", under("new as a percentage of old")),
        ("76%", "5375", "1276", under("relative to the new value")),
        ("+12%", "1", "0", AGREES),
    ],
)
def test_improvement(printed: str, new: str, old: str, expected: tuple[str, str | None]) -> None:
    assert verdict(printed, improvement([r(new)], [r(old)], ["x"])) == expected


def test_average_of_several_improvements() -> None:
    """Three environments: 13.9, −17.6 and 20.0 %; mean 5.5, median 13.9; sums 4777 / 4092 = 16.7 %."""
    new, old = [r("1454"), r("122"), r("3201")], [r("1276"), r("148"), r("2668")]
    names = ["HalfCheetah", "LunarLander", "Ant"]
    readings = improvement(new, old, names)
    assert verdict("5%", readings) == AGREES
    assert verdict("+17%", readings) == under("ratio of means")
    assert verdict("+14%", readings) == under("median of ratios")
    assert verdict("-18%", readings) == under("LunarLander alone")
    assert verdict("-12%", readings) == CONTRADICTS


def test_coefficient_of_variation() -> None:
    assert verdict("10.8%", cv(arm("5375±581", 5))) == AGREES
    # 10.81 % · √(4/5) = 9.668 %; · √5 = 24.17 %.
    assert verdict("9.67%", cv(arm("5375±581", 5)))[0] == "consistent under a reading"
    assert verdict("24.2%", cv(arm("5375±581", 5))) == under(
        "one spread is a standard deviation, the other a standard error"
    )
    assert verdict("13.4%", cv(arm("5375±581", 5))) == CONTRADICTS
    assert verdict("9.67%", cv(arm("5375±581"))) == CONTRADICTS
    with pytest.raises(ValueError, match="needs a spread"):
        cv(arm("5375"))


def test_confidence_interval_against_scipy() -> None:
    """Ten values: scipy's t interval of mean 5576.0 and std 408.18 is 5576 ± 292.0."""
    low, high = stats.t.interval(0.95, 9, loc=5576.0, scale=408.18 / math.sqrt(10))
    assert high - low == pytest.approx(2 * 291.99, abs=0.1)
    ten = arm("5576.0±408.18", 10)
    assert verdict("292", half_width(ten, 95.0)) == AGREES
    assert verdict("253", half_width(ten, 95.0)) == under("normal quantile")
    assert verdict("408", half_width(ten, 95.0)) == under("mean ± one spread")
    assert verdict("500", half_width(ten, 95.0)) == CONTRADICTS
    with pytest.raises(ValueError, match="n of at least 2"):
        half_width(arm("5±1", 1), 95.0)


def test_spreads_reported_twice() -> None:
    """60 · √(5/4) = 67.08 is 67 within rounding; 791 · √(5/4) = 884.4 is not 878."""
    assert verdict("67", same_spread(r("60"), 5)) == under(
        "one spread divides by n, the other by n − 1"
    )
    assert verdict("878", same_spread(r("791"), 5)) == CONTRADICTS
    assert verdict("581", same_spread(r("581"), 5)) == AGREES


def test_numbers_reported_twice() -> None:
    assert verdict("+321%", same(parse("+321%"), parse("321.3"))) == AGREES
    assert verdict("0.108", same(parse("0.108"), parse("10.8%"))) == under(
        "fraction and percentage"
    )
    assert verdict("13.4%", same(parse("13.4%"), parse("10.8%"))) == CONTRADICTS
    assert verdict("~1.0", same(parse("~1.0"), parse("0.9"))) == AGREES


def test_sums_differences_ratios_and_averages() -> None:
    assert verdict("19", total([r("7"), r("12")])) == AGREES
    assert verdict("20", total([r("8"), r("13")])) == AGREES
    assert verdict("25", total([r("7"), r("12")])) == CONTRADICTS
    assert verdict("1308.6", difference(r("6262.36"), r("4953.77"))) == AGREES
    assert verdict("1308.6", difference(r("4953.77"), r("6262.36"))) == under("sign dropped")
    assert verdict("4×", ratio(r("5375"), r("1276"))) == AGREES
    assert verdict("3.2", ratio(r("5375"), r("1276"))) == under("increase only")
    assert verdict("2h13m30s", multiple(r("801s"), 10)) == AGREES
    assert verdict("1h40m30s", multiple(r("627s"), 10)) == CONTRADICTS
    assert verdict("2.0", average([r("1.0"), r("2.0"), r("3.0")])) == AGREES
    assert verdict("2.0", average([r("1.0"), r("2.0"), r("9.0")])) == under("median")
    assert verdict("1.3", average([r("1.375")])) == under("digits cut, not rounded")
    assert verdict("-1.3", average([r("-1.375")])) == under("digits cut, not rounded")


def test_a_divisor_that_may_be_zero_decides_nothing() -> None:
    assert verdict("7", ratio(r("1"), r("0"))) == AGREES


def test_orders() -> None:
    assert between(r("1"), r("2"), r("3"))
    assert not between(None, r("5"), r("3"))
    assert not between(r("4"), r("2"), None)
    assert compare("above", r("5"), r("4"))
    assert not compare("above", r("3"), r("5"))
    assert compare("at least", r("5"), r("5"))
    assert compare("below", r("3"), r("5"))
    assert not compare("at most", r("7"), r("5"))


def test_the_arithmetic_can_be_followed() -> None:
    said = judge(parse("10.8%"), cv(arm("5375±581", 5))).arithmetic
    assert said == "100 · 581 / 5375 = [10.799, 10.8196]; printed 10.8% stands for [10.75, 10.85]"
    tried = judge(parse("13.4%"), cv(arm("5375±581", 5))).tried
    assert tried[0] == "as described"
    assert tried[-1] == "digits cut, not rounded"
    assert len(tried) == 6


def test_quantiles_against_numpy() -> None:
    """A computed half-width, not a remembered one: 1,000 normal samples of 4 are covered about 95 % of the time."""
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(1000):
        x = generator.normal(size=4)
        exact = Range.exactly
        half = half_width(Arm(exact(x.mean()), exact(x.std(ddof=1)), 4), 95.0)[0].value.high
        hits += abs(x.mean()) <= half
    assert 930 <= hits <= 970  # ± 2.9 standard errors of a binomial with p = 0.95
