"""The bimodal bandit of Section 3.3 and Appendix C: its reward, and what Gaussian policies earn, in closed form."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import optimize

from paper_figures.mixture.gaussian_mixtures import Array, normal

CENTRES = (-1.0, 1.0)
"""Means of the two Gaussians whose sum is the reward of the bandit (Appendix C)."""
SPREAD = 0.5
"""Their standard deviation (Appendix C)."""
ALPHAS = (
    (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    (0.22, 0.24, 0.26, 0.28, 0.325, 0.35, 0.375, 0.45),
)
"""The entropy scales of Appendix C: first series, then the additional ones."""


def two_bumps(action: Array | float, variance: Array | float = 0.0) -> Array:
    """The sum of the two densities, blurred by a Gaussian policy of that variance; not yet normalised."""
    spread = SPREAD**2 + np.asarray(variance)
    bumps = [normal(np.asarray(action) - centre, spread) for centre in CENTRES]
    return np.asarray(np.sum(bumps, axis=0))


@cache
def bandit_scale() -> float:
    """What the sum of the two densities is multiplied with so that its largest value is 1."""
    found = optimize.minimize_scalar(
        lambda a: -float(two_bumps(a)),
        bounds=(0.5, 1.5),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return -1 / float(found.fun)


def reward(action: Array) -> Array:
    """The reward of the bandit, largest value 1. Shape as given."""
    return bandit_scale() * two_bumps(action)


def reward_slope(action: Array) -> Array:
    """The derivative of `reward`."""
    return expected_reward_slope(action, 0.0)


def expected_rewards(mean: Array | float, variance: Array | float) -> Array:
    """E[r] under N(mean, variance)."""
    return bandit_scale() * two_bumps(mean, variance)


def expected_reward_slope(mean: Array | float, variance: Array | float) -> Array:
    """∂E[r]/∂mean under N(mean, variance)."""
    spread = SPREAD**2 + np.asarray(variance)
    bumps = [
        (c - np.asarray(mean)) / spread * normal(np.asarray(mean) - c, spread) for c in CENTRES
    ]
    return np.asarray(bandit_scale() * np.sum(bumps, axis=0))


def needed_alpha(mean: Array | float, variance: Array | float) -> Array:
    """−σ ∂E[r]/∂σ of a Gaussian policy: the α at which ∂J/∂σ = 0 there (Eq. 12 and 13), for rewards up to 1.

    `variance` is SPREAD² + σ², the variance of the blurred bumps.
    """
    variance = np.asarray(variance)
    parts = [
        normal(np.asarray(mean) - c, variance)
        * (np.square(np.asarray(mean) - c) / variance**2 - 1 / variance)
        for c in CENTRES
    ]
    return np.asarray(-bandit_scale() * (variance - SPREAD**2) * np.sum(parts, axis=0))
