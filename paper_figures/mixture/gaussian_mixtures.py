"""Mixtures of Gaussians on the real line: density, differential entropy, modes.

Shapes: N components, B actions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REACH, PANEL_NODES = 9, 16
_OFFSETS: Array = np.arange(-REACH, REACH + 1.0)
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(PANEL_NODES)
_FINE: Array = np.linspace(-REACH, REACH, 100 * 2 * REACH + 1)
BIMODAL = 1e-3
"""A density has two modes where the lower one rises above the valley between them by more than this part of the higher."""


def normal(x: Array | float, variance: Array | float) -> Array:
    """The density of N(0, variance) at x."""
    return np.asarray(np.exp(-np.square(x) / (2 * variance)) / np.sqrt(2 * math.pi * variance))


def gaussian_entropy(std: Array | float) -> Array:
    """The differential entropy of a Gaussian, in nats."""
    return np.asarray(0.5 * math.log(2 * math.pi * math.e) + np.log(std))


def log_density(log_weights: Array, means: Array, log_stds: Array, action: Array) -> Array:
    """log π of a mixture, parameters [N], at actions [B]; a weight may be 0, its logarithm −∞."""
    z = (action - means[:, None]) * np.exp(-log_stds)[:, None]
    terms = (log_weights - log_stds - 0.5 * math.log(2 * math.pi))[:, None] - 0.5 * z**2
    largest = terms.max(axis=0)
    return np.asarray(largest + np.log(np.exp(terms - largest).sum(axis=0)))


def panels(means: Array, stds: Array) -> tuple[Array, Array]:
    """Nodes and weights, [B] each, of ∫ f(a) da for a mixture's f = π log π and its derivatives.

    Gauss–Legendre between all points μ_k + j σ_k, j = −REACH … REACH, so that a narrow component within a wide one
    has its own panels. Where a density ends, it is below e^(−REACH²/2) of its largest value.
    """
    edges = np.sort((means[:, None] + stds[:, None] * _OFFSETS).ravel())
    half = 0.5 * np.diff(edges)
    nodes = (edges[:-1] + half)[:, None] + half[:, None] * _NODES
    return nodes.ravel(), (half[:, None] * _NODE_WEIGHTS).ravel()


def entropy(weights: Array, means: Array, log_stds: Array) -> float:
    """The differential entropy of a mixture in nats: in closed form for one component, else by `panels`."""
    if len(weights) == 1:
        return float(gaussian_entropy(np.exp(log_stds[0])))
    nodes, steps = panels(means, np.exp(log_stds))
    with np.errstate(divide="ignore"):
        log_prob = log_density(np.log(weights), means, log_stds, nodes)
    return -float(steps @ (np.exp(log_prob) * log_prob))


def entropy_slopes(weights: Array, means: Array, log_stds: Array) -> tuple[Array, Array, Array]:
    """Derivatives −∫ ∂π (log π + 1) da of `entropy` in each mean, log standard deviation and weight: [N] each.

    Weights count as independent of one another; what they have in common cancels where they sum to 1.
    """
    stds = np.exp(log_stds)
    if len(weights) == 1:
        one = float(gaussian_entropy(stds[0]))
        return np.zeros(1), np.ones(1), np.array([one - 1.0])
    nodes, steps = panels(means, stds)
    z = (nodes - means[:, None]) / stds[:, None]
    densities = normal(z, 1.0) / stds[:, None]
    with np.errstate(divide="ignore"):
        log_prob = log_density(np.log(weights), means, log_stds, nodes)
    inner = -steps * (log_prob + 1)
    in_means = weights / stds * ((densities * z) @ inner)
    return in_means, weights * ((densities * (z**2 - 1)) @ inner), densities @ inner


def prominence(weights: Array, means: Array, stds: Array) -> float:
    """How far the lower of two modes rises above the valley between them, in parts of the higher; 0 for one mode.

    Of more than two modes the deepest valley counts. The density is looked at every hundredth of each component's
    standard deviation.
    """
    actions = np.sort((means[:, None] + stds[:, None] * _FINE).ravel())
    with np.errstate(divide="ignore"):
        log_prob = log_density(np.log(weights), means, np.log(stds), actions)
    density = np.exp(log_prob - log_prob.max())
    left = np.maximum.accumulate(density)
    right = np.maximum.accumulate(density[::-1])[::-1]
    return float((np.minimum(left, right) - density).max())


def modes(weights: Array, means: Array, stds: Array) -> int:
    """1 or, where `prominence` exceeds BIMODAL, 2."""
    return 2 if prominence(weights, means, stds) > BIMODAL else 1
