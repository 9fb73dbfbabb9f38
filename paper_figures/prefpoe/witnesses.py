"""PrefPoE's theorems and equations, decided by numbers.

Every witness is a pure function that takes no arguments: examples small enough to follow by hand, and seeded
searches over random problems. Equation numbers are the paper's (arXiv 2511.08241). Shapes: K choices, N problems,
A action dimensions.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import entr, logsumexp, softmax, xlogy

from analysis.audit.witness import Witness, command_line

Floats = NDArray[np.float64]
Numbers = dict[str, float | str]
Trace = Callable[[Floats, Floats, Floats], Floats]
Outcome = Literal["holds", "holds under a reading", "fails"]

# The geometric midpoints of Table A.1, rounded: β₁, α, and λ_pref.
BETA, ALPHA, FUSION_WEIGHT = 0.2, 0.2, 0.4
# Three actions, equally often in the data, with advantages of mean zero as batch normalisation leaves them.
ADVANTAGE = np.array([1.0, 0.0, -1.0])
UNIFORM = np.full(3, 1 / 3)
_SEED = 2511
_SAME = 1e-5  # total variation below which two distributions count as one
_ROUNDING = 1e-9  # relative error that inverting a matrix may leave
_TABLE_A_1 = {"fusion weight": (0.2, 0.8), "weight of the preference loss": (0.005, 0.2)}


# Theorem 1: preferences over K choices


def boltzmann(advantage: Floats, ratio: float) -> Floats:
    """Eq. 3, 8, 17: probabilities ∝ exp(`ratio` · advantage) over the last axis, ratio = β₁/α."""
    probabilities: Floats = softmax(ratio * advantage, axis=-1)
    return probabilities


def entropy(policy: Floats) -> Floats:
    """−Σ p log p in nats over the last axis."""
    total: Floats = entr(policy).sum(-1)
    return total


def loss_as_written(
    policy: Floats, advantage: Floats, data: Floats = UNIFORM, sign: int = -1
) -> float:
    """Eq. 2 over K choices: −β₁ E_data[A log π] + sign · α H(π); sign +1 is Eq. 16."""
    weighted = xlogy(data * advantage, policy).sum()
    return float(-BETA * weighted + sign * ALPHA * entropy(policy))


def loss_of_proof(policy: Floats, advantage: Floats, sign: int = -1) -> float:
    """Eq. 21, negated: −β₁ E_π[A] + sign · α H(π)."""
    return float(-BETA * (policy @ advantage) + sign * ALPHA * entropy(policy))


def loss_on_policy(policy: Floats, advantage: Floats) -> float:
    """Eq. 2 where the expectation is over π_pref's own actions: −β₁ E_π[A log π] − α H(π)."""
    return loss_as_written(policy, advantage, policy)


def minimiser(loss: Callable[[Floats], float], choices: int) -> Floats:
    """The policy over `choices` that minimises `loss`: BFGS on its logits from the uniform policy."""
    found = minimize(lambda logits: loss(softmax(logits)), np.zeros(choices), tol=1e-12)
    policy: Floats = softmax(found.x)
    return policy


def vanishing(choices: int, action: int, probability: float) -> Floats:
    """The policy that gives `action` this probability and shares the rest equally."""
    policy = np.full(choices, (1 - probability) / (choices - 1))
    policy[action] = probability
    return policy


def tail_slope(loss: Callable[[Floats], float], choices: int) -> float:
    """How fast `loss` falls, per nat of −log p, as some action's probability goes from 1e-200 to 1e-300.

    The loss of the written form is −β₁ q A log p and bounded terms, so a positive slope, −β₁ q A, stays for ever: there
    is no lower bound. Returns the largest slope of any action.
    """
    nats = 100 * math.log(10)
    return max(
        (loss(vanishing(choices, action, 1e-200)) - loss(vanishing(choices, action, 1e-300))) / nats
        for action in range(choices)
    )


def unbounded_problems(negative: bool, count: int = 300) -> int:
    """Of `count` random problems (Eq. 2), how many fall for ever; with some or no `negative` advantages."""
    rng = np.random.default_rng(_SEED)
    found = 0
    for _ in range(count):
        choices = int(rng.integers(2, 7))
        advantage = rng.standard_normal(choices)
        advantage -= advantage.mean() if negative else advantage.min()
        data = rng.dirichlet(np.ones(choices))

        def loss(policy: Floats, advantage: Floats = advantage, data: Floats = data) -> float:
            return loss_as_written(policy, advantage, data)

        found += tail_slope(loss, choices) > _ROUNDING
    return found


def gaussian_loss(mean: float, std: float) -> float:
    """Eq. 2 for N(mean, std²) and two actions in the data: a = 1 with A = 1, a = −1 with A = −1.

    The weighted log-likelihoods differ by 2·mean/std², so the loss is −β₁·mean/std² − α(½ log 2πe + log std).
    """
    half_log = 0.5 * math.log(2 * math.pi * math.e)
    log_probs = [-0.5 * ((action - mean) / std) ** 2 - math.log(std) for action in (1, -1)]
    return -BETA * (log_probs[0] - log_probs[1]) / 2 - ALPHA * (half_log + math.log(std))


def theorem_1_bounded() -> Witness:
    """Theorem 1: does the loss of Eq. 2 have a minimum at all?"""

    def written(policy: Floats) -> float:
        return loss_as_written(policy, ADVANTAGE)

    def proof(policy: Floats) -> float:
        return loss_of_proof(policy, ADVANTAGE)

    def own_actions(policy: Floats) -> float:
        return loss_on_policy(policy, ADVANTAGE)

    trials = 300
    falling, lifted = unbounded_problems(True, trials), unbounded_problems(False, trials)
    slopes = tail_slope(written, 3), tail_slope(own_actions, 3)
    numbers: Numbers = {
        f"Eq. 2, A = (1, 0, −1), π = ((1 − p)/2, (1 − p)/2, p), p = 1e-{k}": written(
            vanishing(3, 2, 10.0**-k)
        )
        for k in (1, 10, 100, 300)
    }
    numbers |= {
        "Eq. 2: fall per nat of −log p": slopes[0],
        "Eq. 2 over π_pref's own actions: fall per nat of −log p": slopes[1],
        "Eq. 21: minimum": proof(minimiser(proof, 3)),
        "Eq. 21: −α log Z": -ALPHA * float(logsumexp(BETA * ADVANTAGE / ALPHA)),
        f"random problems of {trials} without lower bound, advantages of mean 0": falling,
        f"random problems of {trials} without lower bound, no negative advantage": lifted,
        "Gaussian, A = ±1 at a = ±1, mean 0, σ 1": gaussian_loss(0, 1),
        "Gaussian, mean 0, σ 2": gaussian_loss(0, 2),
        "Gaussian, mean 0, σ 1e6": gaussian_loss(0, 1e6),
        "Gaussian, mean 1000, σ 1": gaussian_loss(1000, 1),
    }
    return _decided(
        slopes[0] <= 0 and falling == 0,
        slopes[1] <= _ROUNDING,
        "As written, Eq. 2 falls without bound: an action with a negative advantage contributes "
        "β₁ q |A| log π(a), which goes to −∞ as π(a) → 0, while the entropy stays bounded. "
        "Advantages of mean zero always include a negative one; without any, every problem tried "
        "is bounded below. A Gaussian policy adds α·log σ, so its loss falls as σ → ∞ too (and, "
        "with σ fixed, as the mean moves away). Over π_pref's own actions p log p vanishes, and the "
        "loss is bounded. The objective of the proof, Eq. 21, is another one and has a minimum, "
        "−α log Z.",
        numbers,
        "the expectation is over π_pref's own actions, not those of the data, and the set of actions "
        "is finite or bounded",
    )


def theorem_1_minimiser() -> Witness:
    """Theorem 1, Eq. 8: is the Boltzmann distribution the minimiser?"""
    lifted = ADVANTAGE - ADVANTAGE.min()
    target = boltzmann(ADVANTAGE, BETA / ALPHA)
    skewed = np.array([0.2, 0.3, 0.5])
    written = minimiser(lambda policy: loss_as_written(policy, lifted), 3)
    elsewhere = minimiser(lambda policy: loss_as_written(policy, lifted, skewed), 3)
    proof = minimiser(lambda policy: loss_of_proof(policy, ADVANTAGE), 3)
    own_actions = minimiser(lambda policy: loss_on_policy(policy, ADVANTAGE), 3)
    gradients = [score_gradient(target, ADVANTAGE, data) for data in (UNIFORM, target)]
    halves = boltzmann_mass(10.0) / boltzmann_mass(5.0)
    return _decided(
        _distance(written, target) < _SAME and _distance(elsewhere, target) < _SAME,
        _distance(own_actions, target) < _SAME,
        "With A = (1, 0, −1) Eq. 2 has no minimiser; with the same advantages lifted to (2, 1, "
        "0), which leaves the Boltzmann distribution as it is, its minimiser is another "
        "distribution, and changes with how often the data hold each action. Over π_pref's own actions "
        "its minimiser gives the best action the least probability. The Boltzmann distribution "
        "minimises the objective of the proof, Eq. 21, which weighs A by π and not by log π; Eq. 2 "
        "is stationary there if its actions come from π_pref and only log π is differentiated. Z "
        "is infinite for bounded A on all of ℝ.",
        {
            "Boltzmann distribution": _vector(target),
            "minimiser of Eq. 21": _vector(proof),
            "minimiser of Eq. 2 over π_pref's own actions": _vector(own_actions),
            "minimiser of Eq. 2, A = (2, 1, 0), data uniform": _vector(written),
            "minimiser of Eq. 2, A = (2, 1, 0), data (0.2, 0.3, 0.5)": _vector(elsewhere),
            "distance of Eq. 21's minimiser from Boltzmann": _distance(proof, target),
            "distance of Eq. 2's minimiser from Boltzmann": _distance(written, target),
            "distance between Eq. 2's two minimisers": _distance(written, elsewhere),
            "gradient of Eq. 2 at Boltzmann, actions from uniform data": gradients[0],
            "gradient of Eq. 2 at Boltzmann, actions from π_pref": gradients[1],
            "Z over [−10, 10] / Z over [−5, 5], A = cos(2πa)": halves,
        },
        "the expectation is over π_pref's own actions, not those of the data",
    )


def score_gradient(policy: Floats, advantage: Floats, data: Floats) -> float:
    """Norm of the gradient of Eq. 2 with respect to the logits of `policy`, actions drawn from `data`."""
    weighted = data * advantage
    likelihood = weighted - policy * weighted.sum()
    log_policy = np.log(policy)
    spread = -policy * (log_policy - policy @ log_policy)
    return float(np.linalg.norm(-BETA * likelihood - ALPHA * spread))


def boltzmann_mass(half_width: float, points: int = 10_001) -> float:
    """Z = ∫ exp(β₁ A(a)/α) da over [−half_width, half_width] for the bounded advantage A(a) = cos(2πa)."""
    action = np.linspace(-half_width, half_width, points)
    return float(np.trapezoid(np.exp(BETA / ALPHA * np.cos(2 * np.pi * action)), action))


def entropy_sign() -> Witness:
    """Eq. 2 has −αH, Eq. 16 +αH, and the text between them calls the objective unchanged."""
    target = boltzmann(ADVANTAGE, BETA / ALPHA)
    greedy = np.array([1.0, 0.0, 0.0])
    losses = {
        f"Eq. 21's objective with {name}αH at the {policy}": loss_of_proof(where, ADVANTAGE, sign)
        for name, sign in (("−", -1), ("+", 1))
        for policy, where in (
            ("Boltzmann distribution", target),
            ("uniform policy", UNIFORM),
            ("greedy policy", greedy),
        )
    }
    difference = loss_as_written(UNIFORM, ADVANTAGE, sign=1) - loss_as_written(UNIFORM, ADVANTAGE)
    plus = best_on_simplex(lambda policy: loss_of_proof(policy, ADVANTAGE, 1))
    minus = best_on_simplex(lambda policy: loss_of_proof(policy, ADVANTAGE, -1))
    return _decided(
        abs(difference) < _ROUNDING,
        None,
        "The two losses differ by 2αH, which is 0 only for a policy without randomness, and Eq. "
        "16 defines H with its usual sign. The Boltzmann distribution of Eq. 17 belongs to −αH "
        "(Eq. 2, 11, 19 and Algorithm A.1); with +αH the same objective is least at the policy "
        "that always takes the action with the largest advantage.",
        {
            "Eq. 16 − Eq. 2 at the uniform policy": difference,
            "2α log 3": 2 * ALPHA * math.log(3),
            "minimiser with −αH on a grid of the simplex": _vector(minus),
            "minimiser with +αH on a grid of the simplex": _vector(plus),
            "Boltzmann distribution": _vector(target),
            **losses,
        },
    )


def best_on_simplex(loss: Callable[[Floats], float], parts: int = 100) -> Floats:
    """The point with the smallest loss on a grid of the three-choice simplex with steps of 1/parts."""
    grid = [
        np.array([i, j, parts - i - j]) / parts
        for i in range(parts + 1)
        for j in range(parts + 1 - i)
    ]
    return min(grid, key=loss)


def discrete_boltzmann() -> Witness:
    """Eq. 17: does the softmax of β₁A/α follow from Eq. 16 as written?"""
    target = boltzmann(ADVANTAGE, BETA / ALPHA)

    def written(policy: Floats) -> float:
        return loss_as_written(policy, ADVANTAGE, sign=1)

    slope = tail_slope(written, 3)
    lifted = ADVANTAGE - ADVANTAGE.min()
    bounded = best_on_simplex(lambda policy: loss_as_written(policy, lifted, sign=1))
    own_actions = minimiser(lambda policy: loss_on_policy(policy, ADVANTAGE), 3)
    corrected = minimiser(lambda policy: loss_of_proof(policy, ADVANTAGE), 3)
    plus = best_on_simplex(lambda policy: loss_of_proof(policy, ADVANTAGE, 1))
    return _decided(
        slope <= 0 and _distance(bounded, target) < 0.01,
        _distance(own_actions, target) < _SAME,
        "As written, Eq. 16 falls without bound where an advantage is negative; with the "
        "advantages lifted to (2, 1, 0) its minimiser is another distribution, and with Eq. 21's "
        "expectation the sign +αH leads to the greedy policy. With the sign of Eq. 2 and "
        "π_pref's own actions the minimiser is another distribution too; Eq. 17 minimises the "
        "objective of the proof (Eq. 21).",
        {
            "Eq. 16, A = (1, 0, −1): fall per nat of −log p": slope,
            "minimiser of Eq. 16, A = (2, 1, 0), on a grid": _vector(bounded),
            "minimiser of Eq. 2 over π_pref's own actions": _vector(own_actions),
            "minimiser of Eq. 21 with +αH, on a grid": _vector(plus),
            "minimiser of Eq. 21 with −αH": _vector(corrected),
            "Eq. 17": _vector(target),
            "distance of Eq. 21's minimiser with −αH from Eq. 17": _distance(corrected, target),
        },
        "αH has the sign of Eq. 2 (the objective is said to remain unchanged), and the expectation is "
        "over π_pref's own actions",
    )


def eq_12_equivalent() -> Witness:
    """Eq. 12: is min Eq. 11 the same as max E[log π (β₁ A − α)]?"""
    first, second = np.array([0.5, 0.3, 0.2]), np.array([0.8, 0.15, 0.05])
    skewed = np.array([0.05, 0.15, 0.8])
    values = {
        (name, policy): objective(where, skewed)
        for name, objective in (("Eq. 11", _negated_eq_11), ("Eq. 12", _eq_12))
        for policy, where in (("first", first), ("second", second))
    }
    gap = [values["Eq. 11", policy] - values["Eq. 12", policy] for policy in ("first", "second")]
    own = max(abs(_negated_eq_11(where, where) - _eq_12(where, where)) for where in (first, second))
    best = minimiser(lambda policy: -_eq_12(policy, policy), 3)
    return _decided(
        abs(gap[0] - gap[1]) < _ROUNDING,
        own < _ROUNDING,
        "Eq. 12 takes −E[log π_pref] over the data's actions for the entropy, which is the "
        "cross-entropy of the data and π_pref. The two objectives agree where the actions come "
        "from π_pref itself; over other data they differ by α(H(π_pref) + E_data[log π_pref]), "
        "which is no constant. Even with π_pref's own actions Eq. 12's maximiser is not Eq. 13, "
        "so no one reading gives both.",
        {
            "−(Eq. 11) for π = (0.5, 0.3, 0.2), data (0.05, 0.15, 0.8)": values["Eq. 11", "first"],
            "Eq. 12 for π = (0.5, 0.3, 0.2)": values["Eq. 12", "first"],
            "−(Eq. 11) for π = (0.8, 0.15, 0.05)": values["Eq. 11", "second"],
            "Eq. 12 for π = (0.8, 0.15, 0.05)": values["Eq. 12", "second"],
            "difference for the first policy": gap[0],
            "difference for the second policy": gap[1],
            "largest difference, actions from π_pref itself": own,
            "maximiser of Eq. 12, actions from π_pref itself": _vector(best),
            "Eq. 13": _vector(boltzmann(ADVANTAGE, BETA / ALPHA)),
        },
        "the expectation's actions are drawn from π_pref itself, while the method draws them from "
        "π_fused",
    )


def _negated_eq_11(policy: Floats, data: Floats) -> float:
    return -loss_as_written(policy, ADVANTAGE, data)


def _eq_12(policy: Floats, data: Floats) -> float:
    return float((xlogy(data, policy) * (BETA * ADVANTAGE - ALPHA)).sum())


# Expected advantages


def advantage_gains(ratio: float, count: int = 2000) -> Floats:
    """E_Boltzmann[A] − E_uniform[A] in `count` random problems whose uniform mean is zero: [N]."""
    rng = np.random.default_rng(_SEED)
    gains = np.empty(count)
    for index in range(count):
        advantage = rng.standard_normal(int(rng.integers(2, 9))) * rng.uniform(0.1, 3)
        advantage -= advantage.mean()
        gains[index] = boltzmann(advantage, ratio) @ advantage
    return gains


def eq_31_expected_advantage() -> Witness:
    """Eq. 31: E_pref[A] ≥ E_uniform[A] = 0."""
    ratios = (0.1 / 0.4, BETA / ALPHA, 0.4 / 0.1)
    smallest = min(float(advantage_gains(ratio).min()) for ratio in ratios)
    constant = float(boltzmann(np.zeros(3), BETA / ALPHA) @ np.zeros(3))
    data = np.array([0.8, 0.1, 0.1])
    centred = ADVANTAGE - data @ ADVANTAGE
    return _decided(
        smallest >= 0,
        None,
        "E[A] under the Boltzmann distribution rises with β₁/α at the rate Var[A], so it is at "
        "least the uniform mean, and equal only where A is the same for every action. The '= 0' "
        "is the equation's own hypothesis. Batch normalisation gives mean zero over the data "
        "instead: then the uniform mean need not be 0, and the preference policy's can be "
        "negative, while the first inequality still holds.",
        {
            "problems tried": float(2000 * len(ratios)),
            "smallest E_pref[A] − E_uniform[A]": smallest,
            "A = (1, 0, −1), β₁/α = 1: E_pref[A]": float(boltzmann(ADVANTAGE, 1.0) @ ADVANTAGE),
            "A constant: E_pref[A] − E_uniform[A]": constant,
            "A of mean 0 over data (0.8, 0.1, 0.1): E_uniform[A]": float(centred.mean()),
            "A of mean 0 over data (0.8, 0.1, 0.1): E_pref[A]": float(
                boltzmann(centred, BETA / ALPHA) @ centred
            ),
        },
    )


def fused_expected_advantage() -> Witness:
    """Section 4, 3): E_fused[A] > E_uniform[A] for π_fused ∝ π_θ · π_pref^λ."""
    rng = np.random.default_rng(_SEED)
    advantage = rng.standard_normal((4000, 4))
    main = rng.dirichlet(np.ones(4), 4000)
    fused = product(main, boltzmann(advantage, BETA / ALPHA), FUSION_WEIGHT)
    gained = (fused * advantage).sum(-1)
    over_uniform = gained - advantage.mean(-1)
    over_main = gained - (main * advantage).sum(-1)
    policy = np.array([0.05, 0.15, 0.8])
    example = product(policy, boltzmann(ADVANTAGE, BETA / ALPHA), FUSION_WEIGHT)
    return _decided(
        bool((over_uniform > 0).all()),
        bool((over_main > 0).all()),
        "The product with the main policy can favour a bad action more than the preference expert "
        "disfavours it, so the fused policy's expected advantage can lie below the uniform "
        "policy's. It lies above the main policy's own in every problem tried.",
        {
            "π_θ = (0.05, 0.15, 0.8), A = (1, 0, −1): E_fused[A]": float(example @ ADVANTAGE),
            "π_θ = (0.05, 0.15, 0.8), A = (1, 0, −1): E_main[A]": float(policy @ ADVANTAGE),
            "uniform policy, A = (1, 0, −1): E_uniform[A]": 0.0,
            "share of 4000 problems with E_fused[A] ≤ E_uniform[A]": float(
                (over_uniform <= 0).mean()
            ),
            "share of 4000 problems with E_fused[A] ≤ E_main[A]": float((over_main <= 0).mean()),
        },
        "the comparison is with the main policy π_θ, or π_θ is itself uniform",
    )


def product(main: Floats, preference: Floats, weight: float) -> Floats:
    """Eq. 7: the fused categorical policy over the last axis."""
    fused: Floats = softmax(np.log(main) + weight * np.log(preference), axis=-1)
    return fused


def discrete_variance_reduction() -> Witness:
    """Appendix D.1: the discrete fusion is said to inherit the continuous case's variance reduction."""
    rng = np.random.default_rng(_SEED)
    main, preference = rng.dirichlet(np.ones(4), (2, 4000))
    added = entropy(product(main, preference, FUSION_WEIGHT)) - entropy(main)
    ranked = entropy(product(np.sort(main), np.sort(preference), FUSION_WEIGHT)) - entropy(main)
    pair = np.array([0.9, 0.1])
    opposed = product(pair, pair[::-1], FUSION_WEIGHT)
    return _decided(
        bool((added < 0).all()),
        bool((ranked < 0).all()),
        "Gaussian precisions add whatever the means are; probabilities do not. Where categorical "
        "experts disagree the product is less certain than the main policy, where they rank the "
        "actions alike it is more certain.",
        {
            "H(π_θ), π_θ = (0.9, 0.1)": float(entropy(pair)),
            "H(π_fused), π_pref = (0.1, 0.9), λ = 0.4": float(entropy(opposed)),
            "share of 4000 random pairs with H(π_fused) ≥ H(π_θ)": float((added >= 0).mean()),
            "the same share where both rank the actions alike": float((ranked >= 0).mean()),
        },
        "the two experts rank the actions alike",
    )


# Theorem 2: products of Gaussians


@dataclass(frozen=True)
class Search:
    """What a search over random pairs of covariances found. `worst` is the largest tr Σ_fused / bound − 1."""

    tried: int
    violations: int
    worst: float


def covariances(rng: np.random.Generator, count: int, size: int, diagonal: bool) -> Floats:
    """Random positive definite matrices [count, size, size], eigenvalues log-uniform in [0.01, 100]."""
    values = np.exp(rng.uniform(math.log(0.01), math.log(100), (count, size)))
    if diagonal:
        return values[:, :, None] * np.eye(size)
    basis = np.linalg.qr(rng.standard_normal((count, size, size)))[0]
    matrices: Floats = (basis * values[:, None, :]) @ basis.transpose(0, 2, 1)
    return matrices


def fuse(main: Floats, preference: Floats, weight: Floats | float) -> Floats:
    """Eq. 5: Σ_fused = (Σ_θ⁻¹ + λ Σ_pref⁻¹)⁻¹ of [N, A, A] matrices; `weight` [N] or a number."""
    scaled = np.asarray(weight)[..., None, None]
    return np.linalg.inv(np.linalg.inv(main) + scaled * np.linalg.inv(preference))


def trace(matrix: Floats) -> Floats:
    """Traces of [N, A, A] matrices: [N]."""
    total: Floats = np.trace(matrix, axis1=-2, axis2=-1)
    return total


def plain_bound(main: Floats, preference: Floats, weight: Floats) -> Floats:
    """min(tr Σ_θ, tr Σ_pref), as after Eq. 5 and in Eq. 38: [N]."""
    return np.minimum(trace(main), trace(preference))


def weighted_bound(main: Floats, preference: Floats, weight: Floats) -> Floats:
    """min(tr Σ_θ, λ⁻¹ tr Σ_pref), as in Theorem 2: [N]."""
    return np.minimum(trace(main), trace(preference) / weight)


def search(bound: Trace, weights: tuple[float, float], diagonal: bool, count: int = 1000) -> Search:
    """Compare tr Σ_fused with `bound` for `count` random pairs in each of one, two and six dimensions.

    λ is uniform between the two `weights`; an excess below the rounding of a matrix inverse is none.
    """
    rng = np.random.default_rng(_SEED)
    excess = []
    for size in (1, 2, 6):
        main, preference = (covariances(rng, count, size, diagonal) for _ in range(2))
        weight = rng.uniform(*weights, count)
        traces = trace(fuse(main, preference, weight))
        excess.append(traces / bound(main, preference, weight) - 1)
    found = np.concatenate(excess)
    return Search(len(found), int((found > _ROUNDING).sum()), float(found.max()))


def theorem_2_positive_definite() -> Witness:
    """Theorem 2, 1): Σ_fused is positive definite."""
    rng = np.random.default_rng(_SEED)
    smallest, tried = math.inf, 0
    for size in (1, 2, 6):
        main, preference = (covariances(rng, 1000, size, False) for _ in range(2))
        fused = fuse(main, preference, rng.uniform(0.01, 3, 1000))
        smallest = min(smallest, float(np.linalg.eigvalsh(fused).min()))
        tried += 1000
    below = float(fuse(np.eye(1)[None], np.eye(1)[None], -2.0)[0, 0, 0])
    return _decided(
        smallest > 0,
        None,
        "A sum of positive definite matrices with positive weights is positive definite, and so "
        "is its inverse.",
        {
            "pairs tried, λ in (0.01, 3)": float(tried),
            "smallest eigenvalue of Σ_fused": smallest,
            "outside the theorem, λ = −2, σ² = 1 and 1: Σ_fused": below,
        },
    )


def _trace_numbers(bound: Trace) -> tuple[Numbers, dict[str, Search]]:
    found = {
        f"{name}, {kind} covariances": search(bound, weights, kind == "diagonal")
        for name, weights in (("λ in (0, 1)", (0.001, 0.999)), ("λ in [1, 3]", (1.0, 3.0)))
        for kind in ("diagonal", "full")
    }
    numbers: Numbers = {}
    for name, result in found.items():
        numbers[f"{name}: pairs tried"] = float(result.tried)
        numbers[f"{name}: pairs above the bound"] = float(result.violations)
        numbers[f"{name}: largest tr Σ_fused / bound − 1"] = result.worst
    return numbers, found


def _smallest_example() -> Numbers:
    """σ_θ² = 4, σ_pref² = 1, λ = 0.5: 1 / (1/4 + 1/2) = 4/3, above min(4, 1) = 1."""
    one = np.ones((1, 1, 1))
    return {
        "σ_θ² = 4, σ_pref² = 1, λ = 0.5: σ_fused²": float(fuse(4 * one, one, 0.5)[0, 0, 0]),
        "σ_θ² = 4, σ_pref² = 1, λ = 0.5: min(σ_θ², σ_pref²)": 1.0,
        "σ_θ² = 4, σ_pref² = 1, λ = 0.5: λ⁻¹ σ_pref²": 2.0,
    }


def trace_bound_eq_5() -> Witness:
    """After Eq. 5: tr Σ_fused ≤ min(tr Σ_θ, tr Σ_pref) with λ in (0, 1)."""
    numbers, found = _trace_numbers(plain_bound)
    rng = np.random.default_rng(_SEED)
    main, preference = (covariances(rng, 3000, 1, True) for _ in range(2))
    weight = rng.uniform(0.001, 0.999, 3000)
    violated = trace(fuse(main, preference, weight)) > plain_bound(main, preference, weight)
    narrower = trace(preference) < (1 - weight) * trace(main)
    disagreeing = float((violated != narrower).sum())
    return _decided(
        not any(result.violations for name, result in found.items() if "(0, 1)" in name),
        None,
        "tr Σ_fused ≤ tr Σ_θ always holds; tr Σ_fused ≤ tr Σ_pref needs λ ≥ 1. In one dimension "
        "it is violated exactly where σ_pref² < (1 − λ) σ_θ². The text restricts λ to (0, 1); Eq. "
        "4, which has no λ, is the case λ = 1, where no pair violates the bound.",
        _smallest_example()
        | {"one dimension: pairs where that condition and the violation disagree": disagreeing}
        | numbers,
    )


def trace_bound_theorem_2() -> Witness:
    """Theorem 2, 2) and Eq. 10: tr Σ_fused ≤ min(tr Σ_θ, λ⁻¹ tr Σ_pref)."""
    numbers, found = _trace_numbers(weighted_bound)
    return _decided(
        not any(result.violations for result in found.values()),
        None,
        "(P + Q)⁻¹ ⪯ P⁻¹ and ⪯ Q⁻¹ with P = Σ_θ⁻¹ and Q = λ Σ_pref⁻¹, and the trace is monotone. "
        "No pair of covariances violates the bound for any λ > 0 tried.",
        _smallest_example() | numbers,
    )


def trace_bound_eq_38() -> Witness:
    """Eq. 38: tr Σ_fused < min(tr Σ_1, tr Σ_2) for any positive fusion weight."""
    numbers, found = _trace_numbers(plain_bound)
    return _decided(
        not any(result.violations for result in found.values()),
        None,
        "Eq. 38 is said to hold for any positive fusion weight. Adding λ Σ_2⁻¹ raises the "
        "precision over Σ_1⁻¹, which gives the first half, but over Σ_2⁻¹ only where λ ≥ 1; a "
        "narrow second expert with λ < 1 leaves the product wider than that expert. For λ in [1, "
        "3] no pair violates it.",
        _smallest_example() | numbers,
    )


def eq_39_fused_variance() -> Witness:
    """Eq. 39 and the next line: σ_fused = 1/√1.5 ≈ 0.816."""
    one = np.ones((1, 1, 1))
    variance = float(fuse(one, one, 0.5)[0, 0, 0])
    std = math.sqrt(variance)
    return _decided(
        round(std, 3) == 0.816 and math.isclose(1 / variance, 1.5),
        None,
        "1 + 0.5 · 1 = 1.5, and its inverse square root rounds to 0.816.",
        {"1/σ_fused²": 1 / variance, "σ_fused": std, "relative to σ = 1": std - 1},
    )


def eq_40_entropy() -> Witness:
    """Eq. 40: H(π_fused) < H(π_main)."""
    rng = np.random.default_rng(_SEED)
    drops = []
    for size in (1, 2, 6):
        main, preference = (covariances(rng, 1000, size, False) for _ in range(2))
        fused = fuse(main, preference, rng.uniform(0.001, 3, 1000))
        drops.append((np.linalg.slogdet(main)[1] - np.linalg.slogdet(fused)[1]) / 2)
    smallest = float(np.concatenate(drops).min())
    one = np.ones((1, 1, 1))
    example = -0.5 * math.log(float(fuse(one, one, 0.5)[0, 0, 0]))
    return _decided(
        smallest > 0,
        None,
        "Adding a positive definite matrix to the precision raises its determinant, so the "
        "Gaussian entropy falls strictly for every λ > 0.",
        {
            "pairs tried, λ in (0.001, 3)": 3000.0,
            "smallest H(π_main) − H(π_fused), nats": smallest,
            "σ² = 1 and 1, λ = 0.5: H(π_main) − H(π_fused) = ½ log 1.5": example,
        },
    )


def _variance_ratio(preference_variance: Floats, weight: float) -> Floats:
    """σ_fused² for σ_θ² = 1 and each σ_pref²: [N]."""
    fused: Floats = 1 / (1 + weight / preference_variance)
    return fused


def approaching_reduces(weight: float, smaller: bool) -> bool:
    """Whether σ_fused² falls as σ_pref² approaches σ_θ² = 1 from 100 and from 0.01.

    It is taken relative to the main policy's variance, or to the `smaller` of the two.
    """
    falls = []
    for start in (100.0, 0.01):
        preference = np.geomspace(start, 1, 200)
        reference = np.minimum(preference, 1) if smaller else np.ones(200)
        falls.append((np.diff(_variance_ratio(preference, weight) / reference) < 0).all())
    return all(falls)


def variance_reduction_monotone() -> Witness:
    """After Eq. 38: the reduction grows with λ, and as the two distributions become more similar."""
    rng = np.random.default_rng(_SEED)
    main, preference = (covariances(rng, 3000, 4, False) for _ in range(2))
    low, high = np.sort(rng.uniform(0.01, 3, (2, 3000)), axis=0)
    rising = trace(fuse(main, preference, high)) / trace(fuse(main, preference, low)) - 1
    grows = float(rising.max()) <= _ROUNDING
    against_main, against_smaller = (
        all(approaching_reduces(weight, smaller) for weight in (0.2, 0.5, 0.8, 1.0))
        for smaller in (False, True)
    )
    return _decided(
        grows and against_main,
        grows and against_smaller,
        "More weight always reduces the variance further. Similarity does not in general: the "
        "fused covariance does not depend on the means at all, and as a preference narrower than "
        "the main policy approaches it (σ_pref² from 0.25 to 1, σ_θ² = 1, λ = 0.5), σ_fused² "
        "rises from 1/3 to 2/3. Measured against the smaller of the two variances, the reduction "
        "in one dimension does grow as the variances approach each other, from either side.",
        {
            "pairs tried with two weights each": 3000.0,
            "largest rise of tr Σ_fused with λ, relative": float(rising.max()),
            "σ_θ² = 1, σ_pref² = 4, λ = 0.5: σ_fused²": float(_variance_ratio(np.array(4.0), 0.5)),
            "σ_θ² = 1, σ_pref² = 1, λ = 0.5: σ_fused²": float(_variance_ratio(np.array(1.0), 0.5)),
            "σ_θ² = 1, σ_pref² = 0.25, λ = 0.5: σ_fused²": float(
                _variance_ratio(np.array(0.25), 0.5)
            ),
            "σ_pref² = 0.25: σ_fused² / smaller variance": float(
                _variance_ratio(np.array(0.25), 0.5) / 0.25
            ),
        },
        "similar means similar variances (the means play no part), and the reduction is measured "
        "against the smaller of the two, in one dimension",
    )


def lambda_roles() -> Witness:
    """λ_pref is the fusion weight of Eq. 5 and the weight of L_pref in Algorithm A.1, line 15."""
    fusion, loss = _TABLE_A_1.values()
    low, high = max(fusion[0], loss[0]), min(fusion[1], loss[1])
    middles = [math.sqrt(first * second) for first, second in (fusion, loss)]
    return _decided(
        loss[0] <= fusion[0] and fusion[1] <= loss[1],
        low <= high,
        "Table A.1 gives the fusion weight 0.2 to 0.8 and the weight of the preference loss 0.005 "
        "to 0.2. The ranges meet in one value, 0.2; everywhere else the symbol stands for two "
        "quantities, which Eq. 6 calls λ_pref and w_pref.",
        {
            "smallest value in both ranges": low,
            "largest value in both ranges": high,
            "geometric midpoint of the fusion weight": middles[0],
            "geometric midpoint of the loss weight": middles[1],
        },
        "λ_pref in Algorithm A.1, line 15 is Eq. 6's w_pref; one value can be both only at 0.2",
    )


def _decided(
    holds: bool, saved: bool | None, said: str, numbers: Numbers, reading: str | None = None
) -> Witness:
    """A witness whose outcome follows from two tests: the statement as written, and under `reading`."""
    outcome: Outcome = "holds" if holds else "holds under a reading" if saved else "fails"
    used = reading if outcome == "holds under a reading" else None
    return Witness(outcome=outcome, said=said, numbers=numbers, reading=used)


def _distance(first: Floats, second: Floats) -> float:
    """Total variation between two distributions over K choices."""
    return float(np.abs(first - second).sum() / 2)


def _vector(policy: Floats) -> str:
    return "(" + ", ".join(f"{p:.4f}" for p in policy) + ")"


WITNESSES: dict[str, Callable[[], Witness]] = {
    "theorem_1_bounded": theorem_1_bounded,
    "theorem_1_minimiser": theorem_1_minimiser,
    "entropy_sign": entropy_sign,
    "discrete_boltzmann": discrete_boltzmann,
    "eq_12_equivalent": eq_12_equivalent,
    "eq_31_expected_advantage": eq_31_expected_advantage,
    "fused_expected_advantage": fused_expected_advantage,
    "discrete_variance_reduction": discrete_variance_reduction,
    "theorem_2_positive_definite": theorem_2_positive_definite,
    "trace_bound_eq_5": trace_bound_eq_5,
    "trace_bound_theorem_2": trace_bound_theorem_2,
    "trace_bound_eq_38": trace_bound_eq_38,
    "eq_39_fused_variance": eq_39_fused_variance,
    "eq_40_entropy": eq_40_entropy,
    "variance_reduction_monotone": variance_reduction_monotone,
    "lambda_roles": lambda_roles,
}


def main(argv: list[str] | None = None) -> int:
    """Command line: `python -m paper_figures.prefpoe.witnesses --output witnesses.json`."""
    return command_line(WITNESSES, "Decide PrefPoE's theorems and equations by numbers.", argv)


if __name__ == "__main__":
    sys.exit(main())
