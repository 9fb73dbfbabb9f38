"""PMPO's equations as pure functions, on random problems with few responses.

Equations, sections and appendices are those of arXiv 2410.04166. Distributions lie on the last axis.

Shape key: T policies, B problems (states x), K responses y.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, special

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Problems:
    """Random problems: `reference` and `proposal` (B, K), `policies` (T, B, K), `preferred` = p(S|y, x) (B, K)."""

    reference: Array
    proposal: Array
    policies: Array
    preferred: Array

    @cached_property
    def success(self) -> Array:
        """Z_x = p(S|x) under the reference (B,)."""
        return mean(self.reference, self.preferred)

    @cached_property
    def accepted(self) -> Array:
        """The distribution of responses labelled 1, π_ref(y|x) p(S|y, x) / Z_x (B, K)."""
        return condition(self.reference, self.preferred)

    @cached_property
    def rejected(self) -> Array:
        """The distribution of responses labelled 0 (B, K)."""
        return condition(self.reference, 1 - self.preferred)


def problems(batch: int = 50, responses: int = 5, policies: int = 4, seed: int = 0) -> Problems:
    """Problems with full support and preferences strictly between 0 and 1."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Array:
        return np.asarray(special.softmax(rng.normal(size=shape), axis=-1))

    size = (batch, responses)
    return Problems(
        draw(*size), draw(*size), draw(policies, *size), rng.uniform(0.05, 0.95, size=size)
    )


# ---- pure functions: one equation each


def mean(distribution: Array, values: Array) -> Array:
    """E[values] under a distribution on the last axis; where its weight is 0 the value does not count."""
    return np.asarray(np.where(distribution > 0, distribution * values, 0.0).sum(-1))


def kl(first: Array, second: Array) -> Array:
    """KL(first ‖ second) in nats, over the last axis."""
    return np.asarray(special.rel_entr(first, second).sum(-1))


def condition(distribution: Array, likelihood: Array) -> Array:
    """Bayes' rule (Eq. 3): the distribution reweighted by a likelihood and normalised."""
    joint = distribution * likelihood
    return np.asarray(joint / joint.sum(-1, keepdims=True))


def evidence_bound(policy: Array, preferred: Array, proposal: Array) -> Array:
    """J(π; q, x) = E_q[log π p(S|y, x) / q] of Eq. 2."""
    return mean(proposal, np.log(policy * preferred / proposal))


def objective_8(policy: Array, reference: Array, preferred: Array) -> Array:
    """Eq. 8 without its constant K: dis-preference with weight 1/Z_x, and KL with coefficient 1/Z_x."""
    success = mean(reference, preferred)
    negative = mean(reference, -(1 - preferred) * np.log(policy))
    return np.asarray((negative - kl(reference, policy)) / success)


def objective_10(
    policy: Array, reference: Array, accepted: Array, rejected: Array, alpha: float, beta: Any
) -> Array:
    """Eq. 10, whose expectations are averages over accepted and over rejected responses."""
    positive = mean(accepted, np.log(policy))
    negative = mean(rejected, np.log(policy))
    return np.asarray(alpha * positive - (1 - alpha) * negative - beta * kl(reference, policy))


def coefficients(
    reference: Array, accepted: Array, rejected: Array, alpha: float, beta: float
) -> Array:
    """c of Eq. 10 written as Σ_y c_y log π(y|x) + const, for a policy free in every response."""
    return np.asarray(alpha * accepted - (1 - alpha) * rejected + beta * reference)


def beta_threshold(reference: Array, accepted: Array, rejected: Array, alpha: float) -> Array:
    """The smallest β for which Eq. 10 is bounded above in a policy free in every response.

    Eq. 10 is Σ_y c_y log π(y|x) plus a constant. Where some c_y < 0 it grows without bound as π(y|x) → 0; where all
    c_y ≥ 0 it is at most the constant. So β must reach the largest ((1 − α) r_y − α a_y) / π_ref(y|x).
    """
    return np.asarray((((1 - alpha) * rejected - alpha * accepted) / reference).max(-1))


def accepted_among_four(quantile: Array) -> Array:
    """The chance that a response at this quantile of f under π_ref is among the best two of four."""
    return np.asarray(special.bdtr(1, 3, 1 - np.asarray(quantile)))


def accepted_among_two(quantile: Array) -> Array:
    """The chance that a response at this quantile of f under π_ref is the better of two."""
    return np.asarray(quantile, dtype=np.float64)


def mean_of_accepted(rule: Callable[[Array], Array]) -> float:
    """The mean action of accepted samples in units of σ_ref: one dimension, Gaussian π_ref, f increasing."""

    def density(action: float) -> float:
        chance = float(rule(np.asarray(special.ndtr(action))))
        return float(2 * action * chance * np.exp(-(action**2) / 2) / np.sqrt(2 * np.pi))

    return float(integrate.quad(density, -10, 10)[0])


def gaussian_objective(
    mean_action: float, sigma: float, alpha: float, beta: float, shift: float
) -> float:
    """Eq. 10 without constants: policy N(mean_action, sigma²), reference N(0, 1), second moments of both sets 1.

    Accepted samples have mean `shift`, rejected ones −`shift`: any labels from ranking by an f that increases in
    the action, and that are symmetric, give moments of this form.
    """
    weight = beta - (1 - 2 * alpha)
    square = (
        alpha * (1 - 2 * mean_action * shift + mean_action**2)
        - (1 - alpha) * (1 + 2 * mean_action * shift + mean_action**2)
        + beta * (1 + mean_action**2)
    )
    return float(-weight * np.log(sigma) - square / (2 * sigma**2))


def gaussian_threshold(alpha: float, shift: float) -> float:
    """The β above which `gaussian_objective` is bounded: 1 − 2α + shift.

    With w = β − (1 − 2α) the objective is −w log σ − (w (μ − shift/w)² + w − shift²/w) / 2σ²: bounded above exactly
    for w > 0 and w > shift²/w.
    """
    return 1 - 2 * alpha + shift


def beta_threshold_binary(preferred: Array, alpha: float) -> Array:
    """The same where Eq. 10 takes expectations over all labelled samples, with the labels as weights 0 and 1.

    That is the middle of Eq. 6, and Z_x times Eq. 8: c_y = π_ref(y|x) (α p(S|y, x) − (1 − α) p(S'|y, x) + β).
    """
    return np.asarray(((1 - alpha) * (1 - preferred) - alpha * preferred).max(-1))


def softmax_bias(samples: int, temperature: float = 1.0) -> float:
    """How far E[Σ_j w_j log π(y_j)], w a softmax of f over M samples, is from Eq. 5; exact, by enumeration."""
    reference, policy = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    scores = np.array([0.0, 0.5, 1.0])
    draws = np.array(list(itertools.product(range(3), repeat=samples)))
    chances = reference[draws].prod(-1)
    weights = special.softmax(scores[draws] / temperature, axis=-1)
    estimate = chances @ (weights * np.log(policy)[draws]).sum(-1)
    exact = mean(condition(reference, np.exp(scores / temperature)), np.log(policy))
    return float(estimate - exact)


# ---- labels that do not overlap, and Appendices B to I


def hard_labels() -> tuple[Array, Array, Array]:
    """(π_ref, accepted, rejected) of four equally likely responses, of which the better two are always accepted."""
    reference = np.full(4, 0.25)
    certain = np.array([0.0, 0.0, 1.0, 1.0])
    return reference, condition(reference, certain), condition(reference, 1 - certain)


def token_probabilities(rng: np.random.Generator, tokens: int, length: int) -> list[Array]:
    """A random autoregressive policy: π(·|y_{1:i}) for i = 0 … L − 1, arrays of shape (tokens,) * (i + 1)."""
    return [
        special.softmax(rng.normal(size=(tokens,) * (position + 1)), axis=-1)
        for position in range(length)
    ]


def joint(policy: list[Array]) -> Array:
    """π(y_1 … y_L) by Eq. 11's factorisation, an array with one axis for each token."""
    result = policy[0]
    for conditional in policy[1:]:
        result = result[..., None] * conditional
    return result


def token_kl_estimates(reference: list[Array], policy: list[Array]) -> Array:
    """Eq. 17 for every sampled sequence: exact token KLs summed along its prefixes, one axis for each of L tokens."""
    length = len(reference)
    total: Array = np.zeros((1,) * length)
    for position, (first, second) in enumerate(zip(reference, policy, strict=True)):
        token = kl(first, second)  # one axis for each token before this position
        total = total + token.reshape(token.shape + (1,) * (length - position))
    return np.broadcast_to(total, joint(reference).shape)


TEMPERATURE = 0.7


def scores() -> Array:
    """f(s) for each of the problems (B, K)."""
    return np.random.default_rng(2).normal(size=problems().reference.shape)


def regularised(distribution: Array, values: Array, reference: Array) -> Array:
    """L_τ(δ) = E_δ[f] − τ KL(δ ‖ η)."""
    return np.asarray(mean(distribution, values) - TEMPERATURE * kl(distribution, reference))


def log_normaliser(values: Array, reference: Array) -> Array:
    """τ log Σ_s η(s) exp(f(s) / τ)."""
    return np.asarray(TEMPERATURE * special.logsumexp(values / TEMPERATURE, b=reference, axis=-1))


def softmax_step(values: Array, reference: Array) -> Array:
    """δ* of Appendix C: η reweighted by exp(f / τ)."""
    return condition(reference, np.exp(values / TEMPERATURE))


def exact_chain(steps: int) -> list[Fraction]:
    """E_{δ_k}[f] for k = 0 … steps in exact arithmetic: η = (1/2, 1/2), f = (0, 1), exp(1/τ) = 2."""
    chances = [Fraction(1, 2), Fraction(1, 2)]
    values = [chances[1]]
    for _ in range(steps):
        weights = [chances[0], 2 * chances[1]]
        chances = [weight / sum(weights) for weight in weights]
        values.append(chances[1])
    return values


def squared_difference_of_extremes(values: Array, chances: Array, draws: int) -> float:
    """E[(X_best − X_worst)²] of `draws` draws, elements ranked by their index; exact, by enumeration."""
    picks = np.array(list(itertools.product(range(len(values)), repeat=draws)))
    probability = chances[picks].prod(-1)
    return float(probability @ (values[picks.max(-1)] - values[picks.min(-1)]) ** 2)


def complement_gap(q_values: Array) -> float:
    """How well c₁ exp(Q) + c₀ exp(−Q) = 1 can hold at all of Q: the largest error at the least-squares c."""
    basis = np.stack([np.exp(q_values), np.exp(-q_values)], axis=-1)
    solution = np.linalg.lstsq(basis, np.ones(len(q_values)), rcond=None)[0]
    return float(np.abs(basis @ solution - 1).max())


# ---- Section 5


def largest_standard_error(first: float, second: float, episodes: int) -> float:
    """The largest standard error of a difference of two means of rewards in [0, 100].

    No n values in [0, 100] with mean m have a sample variance above n m (100 − m) / (n − 1) (Bhatia and Davis, 2000);
    values of 0 and 100 alone, a success rate in percent, attain it.
    """
    return float(np.sqrt(sum(m * (100 - m) for m in (first, second)) / (episodes - 1)))


def schwefel_sum(point: Array) -> float:
    """Schwefel's double sum Σ_i (Σ_{j ≤ i} x_j)²."""
    return float((np.cumsum(point) ** 2).sum())


def schwefel_sine(point: Array) -> float:
    """Schwefel's 418.9829 n − Σ x sin √|x|, on [−500, 500]."""
    return float(418.9829 * len(point) - (point * np.sin(np.sqrt(np.abs(point)))).sum())


def sphere(point: Array) -> float:
    """Σ x²."""
    return float((point**2).sum())
