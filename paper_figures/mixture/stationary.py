"""The search of Appendix C: SciPy's optimiser for bounded variables on J = E[r] + α H, from one start to one end.

A policy is a vector of free parameters. Gaussian [2]: mean, log standard deviation. Mixture of two [5]: both means, both
log standard deviations, the first component's weight. The optimiser estimates gradients itself, by finite differences,
as it does unless told otherwise; those here in closed form and by quadrature only judge where it ended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize

from paper_figures.mixture.bimodal_bandit import (
    SPREAD,
    expected_reward_slope,
    expected_rewards,
    needed_alpha,
)
from paper_figures.mixture.gaussian_mixtures import Array, entropy, entropy_slopes, prominence

LOG_STD_BOUND = 3.0
"""The upper bound of log standard deviations (Appendix C); there is none below."""
STATIONARY = 1e-3
"""The largest entry that the projected gradient of a stationary point may have; rewards are at most 1."""
AT_BOUND = 1e-6
"""A log standard deviation this near to its bound lies at it."""
Outcome = Literal["interior", "one component", "diverged", "not converged"]
STATIONARY_OUTCOMES: tuple[Outcome, ...] = ("interior", "one component")
OUTCOMES: tuple[Outcome, ...] = (*STATIONARY_OUTCOMES, "diverged", "not converged")
"""How a trial ends. `interior`: ∇J = 0 with no parameter at a bound. `one component`: the weight is at 0 or 1, and ∇J = 0
in what is left, a Gaussian; Proposition 3.4 has the same density as an interior point, with both components alike.
`diverged`: a log standard deviation that the density depends on is at its bound. `not converged`: all else."""


@dataclass(frozen=True)
class End:
    """Where a trial ended, and what holds there.

    `parameters` are the policy's vector; gradients are the largest absolute entries of ∇J and of the projected ∇J;
    `message` and `status` are the optimiser's.
    """

    parameters: Array
    objective: float
    expected_reward: float
    entropy: float
    gradient: float
    projected_gradient: float
    outcome: Outcome
    prominence: float
    success: bool
    status: int
    message: str
    iterations: int
    evaluations: int


def components(parameters: Array) -> tuple[Array, Array, Array]:
    """Weights, means and log standard deviations, [N] each, of a policy's vector."""
    if len(parameters) == 2:
        return np.ones(1), parameters[:1], parameters[1:]
    weight = parameters[4]
    return np.array([weight, 1 - weight]), parameters[:2], parameters[2:4]


def bounds(size: int) -> list[tuple[float | None, float | None]]:
    """The bounds of a policy's vector of that size (Appendix C)."""
    count = (size + 1) // 3
    free: list[tuple[float | None, float | None]] = [(None, None)] * count
    return free + [(None, LOG_STD_BOUND)] * count + [(0.0, 1.0)] * (count - 1)


def expected_reward(parameters: Array) -> float:
    """E[r], in closed form."""
    weights, means, log_stds = components(parameters)
    return float(weights @ expected_rewards(means, np.exp(2 * log_stds)))


def objective(parameters: Array, alpha: float) -> float:
    """J = E[r] + α H (Eq. 8)."""
    return expected_reward(parameters) + alpha * entropy(*components(parameters))


def gradient(parameters: Array, alpha: float) -> Array:
    """∇J in a policy's vector."""
    weights, means, log_stds = components(parameters)
    variances = np.exp(2 * log_stds)
    in_means, in_log_stds, in_weights = (
        alpha * s for s in entropy_slopes(weights, means, log_stds)
    )
    in_means = in_means + weights * expected_reward_slope(means, variances)
    in_log_stds = in_log_stds - weights * needed_alpha(means, SPREAD**2 + variances)
    in_weights = in_weights + expected_rewards(means, variances)
    return np.concatenate([in_means, in_log_stds, in_weights[:-1] - in_weights[1:]])


def projected(parameters: Array, slopes: Array) -> Array:
    """The step along `slopes` that the bounds leave: zero exactly where no step within them ascends."""
    limits = bounds(len(parameters))
    low = [-math.inf if below is None else below for below, _ in limits]
    high = [math.inf if above is None else above for _, above in limits]
    return np.asarray(np.clip(parameters + slopes, low, high) - parameters)


def outcome_of(parameters: Array, projected_gradient: float, success: bool) -> Outcome:
    """Which of OUTCOMES a trial has that ended at `parameters`."""
    weights, _, log_stds = components(parameters)
    if not np.isfinite(parameters).all():
        return "not converged"
    if (log_stds[weights > 0] >= LOG_STD_BOUND - AT_BOUND).any():
        return "diverged"
    if not (success and projected_gradient <= STATIONARY):
        return "not converged"
    return "interior" if len(weights) == 1 or (weights > 0).all() else "one component"


def maximise(start: Array | Sequence[float], alpha: float) -> End:
    """One trial of Appendix C: from `start` to where the optimiser stops."""
    # A step of its line search may leave what floats can express; its value is then not finite, and refused.
    with np.errstate(all="ignore"):
        run = optimize.minimize(
            lambda parameters: -objective(parameters, alpha),
            np.asarray(start, dtype=np.float64),
            bounds=bounds(len(start)),
        )
        at = np.asarray(run.x, dtype=np.float64)
        weights, means, log_stds = components(at)
        slopes = gradient(at, alpha)
        left = float(np.abs(projected(at, slopes)).max())
        return End(
            parameters=at,
            objective=objective(at, alpha),
            expected_reward=expected_reward(at),
            entropy=entropy(weights, means, log_stds),
            gradient=float(np.abs(slopes).max()),
            projected_gradient=left,
            outcome=outcome_of(at, left, bool(run.success)),
            prominence=prominence(weights, means, np.exp(log_stds)),
            success=bool(run.success),
            status=int(run.status),
            message=str(run.message),
            iterations=int(run.nit),
            evaluations=int(run.nfev),
        )
