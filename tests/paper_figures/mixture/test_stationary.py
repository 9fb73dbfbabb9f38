"""The search for stationary points, against scipy's quadrature, independent gradients and points known in closed form."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from paper_figures.mixture import stationary as s
from paper_figures.mixture import witnesses as w
from paper_figures.mixture.bimodal_bandit import bandit_scale, reward

GAUSSIANS = ([0.3, -0.4], [-1.0, -2.0], [1.7, 1.5])
MIXTURES = (
    [-0.9, 1.1, -1.0, -0.5, 0.4],
    [0.2, 0.1, -2.5, 1.0, 0.9],
    [-1.5, 1.0, -0.3, -1.0, 0.02],
)


def by_quadrature(parameters: np.ndarray, alpha: float) -> float:
    """J with nothing but the definition: ∫ π (r − α log π) over pieces of the line."""
    weights, means, log_stds = s.components(parameters)
    stds = np.exp(log_stds)

    def integrand(action: float) -> float:
        density = float(weights @ stats.norm.pdf(action, means, stds))
        earned = float(reward(np.array(action)))
        return density * (earned - alpha * math.log(density)) if density > 0 else 0.0

    cuts = np.unique((means[:, None] + stds[:, None] * np.arange(-12, 13, 2)).ravel())
    cuts = np.unique([*cuts, *np.arange(-3, 3.5, 0.5)])
    return sum(integrate.quad(integrand, *e, epsabs=1e-13, epsrel=1e-12)[0] for e in pairwise(cuts))


@pytest.mark.parametrize("parameters", [*GAUSSIANS, *MIXTURES])
def test_objective_and_gradient_agree_with_quadrature(parameters: list[float]) -> None:
    at = np.array(parameters)
    assert s.objective(at, 0.3) == pytest.approx(by_quadrature(at, 0.3), abs=1e-10)
    slopes = s.gradient(at, 0.3)
    for k, step in enumerate(1e-5 * np.eye(len(at))):
        rise = by_quadrature(at + step, 0.3) - by_quadrature(at - step, 0.3)
        assert slopes[k] == pytest.approx(rise / 2e-5, abs=1e-6)


def test_a_gaussian_by_hand() -> None:
    """μ = 0, σ² = 3/4: E[r] is twice the blurred bump, variance 1, at distance 1; H is ½ ln(2πe · 3/4)."""
    at = np.array([0.0, 0.5 * math.log(0.75)])
    earned = 2 * bandit_scale() * math.exp(-0.5) / math.sqrt(2 * math.pi)
    assert s.expected_reward(at) == pytest.approx(earned)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.75)
    assert s.objective(at, 0.2) == pytest.approx(earned + 0.2 * entropy)
    # With v = 1, ∂E[r]/∂log σ ∝ (1/v² − 1/v) = 0, so ∂J/∂log σ = α.
    np.testing.assert_allclose(s.gradient(at, 0.2), [0.0, 0.2], atol=1e-15)


def test_what_bounds_leave_of_a_gradient() -> None:
    inside = np.array([0.0, 0.0, -1.0, -1.0, 0.5])
    slopes = np.array([0.1, -0.2, 0.3, -0.4, 0.05])
    np.testing.assert_allclose(s.projected(inside, slopes), slopes)
    edge = np.array([0.0, 0.0, 3.0, 3.0, 1.0])
    np.testing.assert_allclose(s.projected(edge, slopes), [0.1, -0.2, 0.0, -0.4, 0.0])
    np.testing.assert_allclose(s.projected(edge, -slopes), [-0.1, 0.2, -0.3, 0.0, -0.05])
    assert s.bounds(2) == [(None, None), (None, 3.0)]


@pytest.mark.parametrize(
    ("parameters", "gradient", "success", "outcome"),
    [
        ([0.0, 0.5], 1e-4, True, "interior"),
        ([0.0, 0.5], 2e-3, True, "not converged"),
        ([0.0, 0.5], 1e-4, False, "not converged"),
        ([0.0, 3.0], 0.0, True, "diverged"),
        ([np.nan, 0.5], 0.0, True, "not converged"),
        ([-1.0, 1.0, -1.0, -1.0, 0.5], 1e-4, True, "interior"),
        ([-1.0, 1.0, -1.0, 3.0, 0.5], 1e-4, True, "diverged"),
        ([-1.0, 1.0, -1.0, 3.0, 0.0], 1e-4, True, "diverged"),
        ([-1.0, 1.0, -1.0, 3.0, 1.0], 1e-4, True, "one component"),
        ([-1.0, 1.0, -1.0, -1.0, 0.0], 1e-4, True, "one component"),
        ([-1.0, 1.0, -1.0, -1.0, 0.0], 1e-2, True, "not converged"),
    ],
)
def test_outcomes(parameters: list[float], gradient: float, success: bool, outcome: str) -> None:
    assert s.outcome_of(np.array(parameters), gradient, success) == outcome


@pytest.mark.parametrize(("start", "mean"), [([0.05, 0.2], 0.0), ([1.6, -1.0], 0.99)])
def test_a_gaussian_ends_at_a_point_known_in_closed_form(start: list[float], mean: float) -> None:
    end = s.maximise(start, 0.25)
    assert end.outcome == "interior"
    known = [p for p in w.gaussian_points(0.25) if abs(p.mean - abs(end.parameters[0])) < 1e-3]
    gaps = [abs(p.objective - end.objective) for p in known]
    assert min(gaps) < 1e-6
    assert end.parameters[0] == pytest.approx(mean, abs=0.02)
    assert end.objective == pytest.approx(end.expected_reward + 0.25 * end.entropy, abs=1e-12)
    assert end.prominence == 0


def test_a_gaussian_diverges_where_none_is_stationary() -> None:
    for start in ([-1.0, -2.0], [0.0, -0.5], [2.0, 0.0]):
        end = s.maximise(start, 0.4)
        assert end.outcome == "diverged"
        assert end.parameters[1] == s.LOG_STD_BOUND


def test_a_mixture_ends_at_the_symmetric_point() -> None:
    end = s.maximise([-0.7, 1.2, -1.5, -0.8, 0.4], 0.3)
    known = w.bimodal_point(0.3)
    assert known is not None
    assert end.outcome == "interior"
    assert end.objective == pytest.approx(w.objective(known, 0.3), abs=1e-8)
    assert end.expected_reward == pytest.approx(w.expected_reward(known), abs=1e-4)
    np.testing.assert_allclose(np.sort(end.parameters[:2]), np.sort(known[0]), atol=1e-3)
    assert end.parameters[4] == pytest.approx(0.5, abs=1e-3)
    assert end.projected_gradient <= s.STATIONARY
    assert end.prominence > 0.5


def test_a_mixture_of_two_alike_is_the_gaussian() -> None:
    one, two = [0.4, -0.7], [0.4, 0.4, -0.7, -0.7, 0.3]
    assert s.objective(np.array(two), 0.2) == pytest.approx(s.objective(np.array(one), 0.2))
    shared = s.gradient(np.array(two), 0.2)
    mean, log_std = s.gradient(np.array(one), 0.2)
    np.testing.assert_allclose(
        shared, [0.3 * mean, 0.7 * mean, 0.3 * log_std, 0.7 * log_std, 0], atol=1e-12
    )
