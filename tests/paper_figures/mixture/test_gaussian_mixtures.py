"""Entropy, its derivatives and modes of mixtures, against scipy, closed forms and textbook facts."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from paper_figures.mixture import gaussian_mixtures as g

MIXTURES = {
    "alike": ([0.5, 0.5], [-1.0, 1.0], [-0.9, -0.9]),
    "overlapping": ([0.3, 0.7], [0.0, 0.4], [-0.3, 0.2]),
    "narrow within wide": ([0.2, 0.8], [0.5, -1.0], [-5.0, 3.0]),
    "far apart": ([0.6, 0.4], [-40.0, 60.0], [-2.0, 1.0]),
    "a light component": ([1e-6, 1 - 1e-6], [2.0, -1.0], [-1.0, -1.5]),
    "tiny": ([0.5, 0.5], [1.0, 1.001], [-8.0, -7.0]),
}


def arrays(name: str) -> tuple[g.Array, g.Array, g.Array]:
    weights, means, log_stds = map(np.array, MIXTURES[name])
    return weights, means, log_stds


def reference_entropy(weights: g.Array, means: g.Array, log_stds: g.Array) -> float:
    """By adaptive quadrature of scipy's own densities, between every few standard deviations."""
    stds = np.exp(log_stds)

    def integrand(action: float) -> float:
        density = float(weights @ stats.norm.pdf(action, means, stds))
        return -density * math.log(density) if density > 0 else 0.0

    cuts = np.unique((means[:, None] + stds[:, None] * np.arange(-12, 13, 1.5)).ravel())
    return sum(integrate.quad(integrand, *e, epsabs=1e-13, epsrel=1e-12)[0] for e in pairwise(cuts))


@pytest.mark.parametrize("name", MIXTURES)
def test_entropy_agrees_with_adaptive_quadrature(name: str) -> None:
    assert g.entropy(*arrays(name)) == pytest.approx(reference_entropy(*arrays(name)), abs=1e-11)


def test_entropy_agrees_with_adaptive_quadrature_wherever_the_search_may_go() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        weight = rng.uniform() ** 3
        point = (np.array([weight, 1 - weight]), rng.uniform(-3, 3, 2), rng.uniform(-5, 3, 2))
        assert g.entropy(*point) == pytest.approx(reference_entropy(*point), abs=1e-11)


def test_entropy_in_closed_form() -> None:
    one = 0.5 * math.log(2 * math.pi * math.e)
    pair = np.array([0.5, 0.5])
    assert g.entropy(np.ones(1), np.zeros(1), np.array([0.7])) == pytest.approx(one + 0.7)
    # Components that do not overlap: H(weights) + Σ w H_k. Components that are the same: one of them.
    apart = g.entropy(np.array([0.25, 0.75]), np.array([-50.0, 50.0]), np.array([0.0, 1.0]))
    assert apart == pytest.approx(one + 0.75 - 0.25 * math.log(0.25) - 0.75 * math.log(0.75))
    assert g.entropy(pair, np.ones(2), np.full(2, -1.3)) == pytest.approx(one - 1.3, abs=1e-12)
    gone = g.entropy(np.array([0.0, 1.0]), np.array([9.0, 0.0]), np.array([2.0, -1.3]))
    assert gone == pytest.approx(one - 1.3, abs=1e-12)


@pytest.mark.parametrize("name", ["alike", "overlapping", "far apart"])
def test_slopes_are_the_derivatives(name: str) -> None:
    point = arrays(name)
    slopes = g.entropy_slopes(*point)
    for which in (1, 2):
        for k in (0, 1):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [part.copy() for part in point]
                moved[which][k] += step
                ends.append(reference_entropy(*moved))
            assert slopes[which - 1][k] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)
    shift = np.array([1e-5, -1e-5])
    ends = [reference_entropy(point[0] + s * shift, *point[1:]) for s in (1, -1)]
    assert slopes[2][0] - slopes[2][1] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-6)


def test_log_density_by_hand_and_without_a_component() -> None:
    # Halfway between two components at ±1 with σ = 1: both are exp(−1/2)/√(2π).
    point = (np.log([0.3, 0.7]), np.array([-1.0, 1.0]), np.zeros(2))
    expected = -0.5 - 0.5 * math.log(2 * math.pi)
    assert g.log_density(*point, np.zeros(1))[0] == pytest.approx(expected)
    alone = (np.array([-np.inf, 0.0]), np.array([5.0, 0.0]), np.zeros(2))
    far = g.log_density(*alone, np.array([60.0]))[0]
    assert far == pytest.approx(-1800 - 0.5 * math.log(2 * math.pi))


@pytest.mark.parametrize(
    ("weights", "means", "stds", "count"),
    [
        # Two alike have two modes if and only if they are more than 2σ apart.
        ((0.5, 0.5), (-0.99, 0.99), (1.0, 1.0), 1),
        ((0.5, 0.5), (-1.2, 1.2), (1.0, 1.0), 2),
        ((0.5, 0.5), (0.3, 0.3), (0.2, 1.0), 1),
        ((0.0, 1.0), (-3.0, 3.0), (0.3, 0.3), 1),
        ((0.02, 0.98), (-3.0, 3.0), (0.3, 0.3), 2),
        # The wide one rises by less than a thousandth of the narrow one's height.
        ((0.5, 0.5), (3.0, -3.0), (0.001, 5.0), 1),
        ((1.0,), (0.4,), (2.0,), 1),
    ],
)
def test_modes(
    weights: tuple[float, ...], means: tuple[float, ...], stds: tuple[float, ...], count: int
) -> None:
    given = tuple(np.array(part) for part in (weights, means, stds))
    assert g.modes(*given) == count


def test_prominence_by_hand() -> None:
    """Far apart the lower mode rises from 0: its height is 0.3/0.2 over 0.7/0.1 of the higher."""
    found = g.prominence(np.array([0.7, 0.3]), np.array([-5.0, 5.0]), np.array([0.1, 0.2]))
    assert found == pytest.approx((0.3 / 0.2) / (0.7 / 0.1), rel=1e-9)
    assert g.prominence(np.ones(1), np.zeros(1), np.ones(1)) == 0
