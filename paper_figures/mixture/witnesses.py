"""Numeric witnesses for the theorems, equations and the numerical study of "Mixture policies".

Each function decides one statement from numbers that it computes; the constant or form under test is an
argument with the paper's choice as its default, so that a test can put another in its place. Run as a step:
`python -m paper_figures.mixture.witnesses --output FILE` (1.5 s; `OPENBLAS_NUM_THREADS=1` helps on a busy machine).

Shapes: B grid points or quadrature nodes, N components; parameters of a mixture are [3, N]: means, log standard
deviations, weight logits. Rewards of the bandit of Appendix C are at most 1 (see `bimodal_bandit.bandit_scale`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from scipy import integrate, optimize, special

from analysis.audit.witness import Witness, command_line
from paper_figures.mixture import gaussian_mixtures
from paper_figures.mixture.bimodal_bandit import (
    ALPHAS,
    SPREAD,
    bandit_scale,
    expected_rewards,
    needed_alpha,
    reward,
    reward_slope,
    two_bumps,
)
from paper_figures.mixture.gaussian_mixtures import Array, gaussian_entropy, normal
from paper_figures.mixture.stationary import STATIONARY_OUTCOMES, maximise

Critic = Callable[[Array], Array]

PEAK_READING = "the normalised reward has the largest value 1"
CLOSE = 1e-6

# ∫ f(a) da over the real line as Σ f(GRID) · STEPS: a = ½ sinh(t), dense where rewards are, out to ±136.
_T = np.linspace(-6.3, 6.3, 401)
GRID: Array = 0.5 * np.sinh(_T)
STEPS: Array = 0.5 * np.cosh(_T) * (_T[1] - _T[0])

# E f(ε) for a standard normal ε as Σ WEIGHTS · f(NODES): the trapezium rule, exact to rounding for smooth f. Gauss–Hermite
# converges slowly on the logarithm of a mixture.
NODES: Array = np.linspace(-9.0, 9.0, 361)
WEIGHTS: Array = np.exp(-0.5 * NODES**2) / math.sqrt(2 * math.pi) * (NODES[1] - NODES[0])


# The Gaussian policies of the bandit of Appendix C, in closed form


@cache
def gaussian_branches() -> tuple[tuple[Array, Array, Array], ...]:
    """Every Gaussian with ∂J/∂μ = 0, as curves (mean, variance, needed α); the mirrored half is left out.

    ∂J/∂μ = 0 reads μ = tanh(μ / v): μ = 0 for every v = SPREAD² + σ², and one positive root where v < 1.
    """
    middle = np.linspace(SPREAD**2, 40.0, 40_001)[1:]
    # The positive root as a curve in u = μ / v: v = tanh(u) / u and μ = tanh(u).
    u = np.linspace(1e-3, 4.5, 20_001)
    mode = np.tanh(u) / u
    inside = mode > SPREAD**2
    u, mode = u[inside], mode[inside]
    zeros = np.zeros_like(middle)
    return (
        (zeros, middle, needed_alpha(zeros, middle)),
        (np.tanh(u), mode, needed_alpha(np.tanh(u), mode)),
    )


@dataclass(frozen=True)
class Point:
    """A stationary point of a Gaussian policy: J, mean, standard deviation, expected reward."""

    objective: float
    mean: float
    std: float
    reward: float


def gaussian_points(alpha: float) -> list[Point]:
    """Every stationary point of the Gaussian policy with mean ≥ 0 at α, best J first."""
    points = []
    for means, variances, needed in gaussian_branches():
        crossings = np.flatnonzero(np.diff(np.sign(needed - alpha)))
        for i in crossings:
            share = (alpha - needed[i]) / (needed[i + 1] - needed[i])
            mean = float(means[i] + share * (means[i + 1] - means[i]))
            variance = float(variances[i] + share * (variances[i + 1] - variances[i]))
            std = math.sqrt(variance - SPREAD**2)
            expected = bandit_scale() * float(two_bumps(mean, std**2))
            points.append(
                Point(expected + alpha * float(gaussian_entropy(std)), mean, std, expected)
            )
    return sorted(points, key=lambda point: -point.objective)


def gaussian_limit() -> float:
    """The largest α at which the Gaussian policy has a stationary point, for rewards up to 1."""
    return max(float(needed.max()) for _, _, needed in gaussian_branches())


# Mixtures of Gaussians


@cache
def grid_reward() -> Array:
    """The bandit's reward on GRID: [B]."""
    return reward(GRID)


def softmax(logits: Array) -> Array:
    """Weights from logits [N]."""
    return np.asarray(special.softmax(logits))


def parts(params: Array, action: Array) -> tuple[Array, Array, Array]:
    """Weights [N], standardised actions [N, B] and component densities [N, B] of a mixture."""
    means, log_std, logits = params
    std = np.exp(log_std)[:, None]
    z = (action[None] - means[:, None]) / std
    return softmax(logits), z, normal(z, 1.0) / std


def log_density(params: Array, action: Array) -> Array:
    """log π of a mixture at actions [B]."""
    means, log_std, logits = params
    return gaussian_mixtures.log_density(special.log_softmax(logits), means, log_std, action)


def objective(params: Array, alpha: float, critic: Critic = reward) -> float:
    """J = E[Q(a) − α log π(a)] of a mixture (Eq. 3, Eq. 8), by the trapezium rule on GRID."""
    log_prob = log_density(params, GRID)
    return float(STEPS @ (np.exp(log_prob) * (critic(GRID) - alpha * log_prob)))


def gradient(params: Array, alpha: float) -> Array:
    """∇J of a mixture on the bandit [3, N], by quadrature of (r − α log π − α) ∇π."""
    weights, z, densities = parts(params, GRID)
    log_prob = log_density(params, GRID)
    inner = STEPS * (grid_reward() - alpha * log_prob - alpha)
    by_component = densities @ inner
    return np.stack(
        [
            weights * ((densities * z) @ inner) * np.exp(-params[1]),
            weights * ((densities * (z**2 - 1)) @ inner),
            weights * (by_component - weights @ by_component),
        ]
    )


def numeric_gradient(function: Callable[[Array], float], at: Array, step: float = 1e-5) -> Array:
    """Central differences of `function` in every entry of `at`."""
    slopes = np.empty_like(at)
    for index in np.ndindex(at.shape):
        change = np.zeros_like(at)
        change[index] = step
        slopes[index] = (function(at + change) - function(at - change)) / (2 * step)
    return slopes


def two_modes(mean: float, log_std: float) -> Array:
    """Two equal components at ±mean."""
    return np.array([[-mean, mean], [log_std, log_std], [0.0, 0.0]])


@cache
def symmetric_branch() -> tuple[tuple[float, float, float], ...]:
    """Stationary mixtures of two equal components at ±m, as (α, m, log σ), followed from small σ on.

    Mirror symmetry makes a stationary point among the symmetric mixtures one among all (Palais).
    """
    points = []
    guess = np.array([0.999, 0.04])
    for log_std in np.linspace(-2.2, -0.2, 41):
        found = optimize.root(_symmetric_slopes, guess, args=(float(log_std),), tol=1e-12)
        guess = found.x
        points.append((float(guess[1]), float(guess[0]), float(log_std)))
    return tuple(points)


def _symmetric_slopes(unknown: Array, log_std: float) -> Array:
    slopes = gradient(two_modes(float(unknown[0]), log_std), float(unknown[1]))
    return np.array([slopes[0, 1], slopes[1, 1]])


@cache
def bimodal_point(alpha: float) -> Array | None:
    """The best symmetric two-mode stationary point at α as parameters [3, 2]; None beyond the branch's fold."""
    branch = np.array(symmetric_branch())
    rising = branch[: int(branch[:, 0].argmax()) + 1]
    if not rising[0, 0] <= alpha <= rising[-1, 0]:
        return None
    start = [np.interp(alpha, rising[:, 0], rising[:, i]) for i in (1, 2)]

    def slopes(unknown: Array) -> Array:
        slope = gradient(two_modes(float(unknown[0]), float(unknown[1])), alpha)
        return np.array([slope[0, 1], slope[1, 1]])

    found = optimize.root(slopes, start, tol=1e-12)
    return two_modes(float(found.x[0]), float(found.x[1])) if found.success else None


def expected_reward(params: Array) -> float:
    """E[r] of a mixture on the bandit, in closed form."""
    return float(softmax(params[2]) @ expected_rewards(params[0], np.exp(2 * params[1])))


def modes(params: Array) -> int:
    """How many modes the density of a mixture of two has."""
    return gaussian_mixtures.modes(softmax(params[2]), params[0], np.exp(params[1]))


@cache
def search(alpha: float, starts: int, seed: int = 0) -> tuple[tuple[float, int, float], ...]:
    """The search of Appendix C from fewer random starts than the study `numerical_study`, whose record has them all.

    (J, modes, E[r]) of every run that ends at a stationary point, best first.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(starts):
        start = np.concatenate([rng.uniform(-2, 2, 2), rng.uniform(-3, 0, 2), rng.uniform(0, 1, 1)])
        end = maximise(start, alpha)
        if end.outcome in STATIONARY_OUTCOMES:
            bimodal = end.prominence > gaussian_mixtures.BIMODAL
            found.append((end.objective, 2 if bimodal else 1, end.expected_reward))
    return tuple(sorted(found, reverse=True))


# Section 3: propositions


def proposition_3_1(alphas: Sequence[float] = (0.1, 0.2, 0.3)) -> Witness:
    """Proposition 3.1: J of the mixture's best stationary point is at least that of the base policy's."""
    numbers: dict[str, float | str] = {}
    holds = True
    for alpha in alphas:
        base = gaussian_points(alpha)[0]
        copied = np.array([[base.mean] * 2, [math.log(base.std)] * 2, [0.3, -0.4]])
        mixture = bimodal_point(alpha)
        best = max(objective(p, alpha) for p in (copied, mixture) if p is not None)
        # The copies are stationary (Proposition 3.4) and equal the base; the best of the mixture is at least that.
        residual = float(np.abs(gradient(copied, alpha)).max())
        holds &= residual < CLOSE and best >= base.objective - CLOSE
        numbers |= {
            f"J base, α = {alpha:g}": base.objective,
            f"J mixture, α = {alpha:g}": best,
            f"largest gradient at the copied base, α = {alpha:g}": residual,
        }
    return Witness(
        outcome="holds" if holds else "fails",
        said=(
            "The base policy's best stationary point, copied into every component, is a stationary point of the mixture "
            "with the same J (Proposition 3.4), so the mixture's best cannot be lower; on the bandit of Appendix C it is "
            "higher (beyond bandits: with weights that do not depend on the state)."
        ),
        numbers=numbers,
    )


def proposition_3_1_proof(alpha: float = 0.3, widths: Sequence[float] = (1e2, 1e4, 1e8)) -> Witness:
    """Appendix B.1: does a larger policy class order the best stationary points, as the proof of 3.1 argues?

    It orders suprema over all policies. Where J keeps growing with σ, these are infinite and no stationary points.
    """
    values = [
        bandit_scale() * float(two_bumps(0.0, s**2)) + alpha * float(gaussian_entropy(s))
        for s in widths
    ]
    best = gaussian_points(alpha)[0].objective
    unbounded = bool(np.all(np.diff([best, *values]) > 0))
    numbers: dict[str, float | str] = {
        f"J of the best Gaussian stationary point, α = {alpha:g}": best
    }
    numbers |= {
        f"J of a Gaussian with σ = {s:g}, α = {alpha:g}": value
        for s, value in zip(widths, values, strict=True)
    }
    return Witness(
        outcome="holds under a reading" if unbounded else "holds",
        said=(
            "A larger policy class orders the suprema over all policies. On the real line J of a Gaussian grows with "
            "log σ beyond its best stationary point, so both suprema are infinite and the argument alone does not order "
            "stationary points; Proposition 3.4, whose copies are stationary, does."
            if unbounded
            else "J is bounded by its best stationary point here, so suprema and stationary points agree."
        ),
        numbers=numbers,
        reading="completed by Proposition 3.4" if unbounded else None,
    )


def proposition_3_2(entropy: float = 1.0) -> Witness:
    """Proposition 3.2: under an entropy constraint the mixture's optimal expected reward is at least the base's."""
    floor = math.exp(entropy - float(gaussian_entropy(1.0)))
    mean, std = np.meshgrid(np.linspace(0, 2, 201), floor + np.linspace(0, 4, 201))
    values = bandit_scale() * two_bumps(mean, std**2)
    base = float(values.max())
    best = np.unravel_index(int(values.argmax()), values.shape)
    copied = np.array([[mean[best]] * 2, [math.log(std[best])] * 2, [0.5, -0.2]])
    numbers: dict[str, float | str] = {
        "H": entropy,
        "optimal E[r] of the base": base,
        "E[r] of the base's optimum copied into both components": expected_reward(copied),
    }
    reached = []
    for share in (0.1, 0.01, 0.001):
        narrow = float(gaussian_entropy(share))
        wide = (entropy - (1 - share) * narrow) / share
        # An entropy of a mixture is at least the weighted mean of its components' (concavity), here exactly H.
        value = (1 - share) * bandit_scale() * float(two_bumps(1.0, share**2))
        reached.append(value)
        numbers[f"E[r] at least, weight {share:g} on a component of entropy {wide:.4g}"] = value
    holds = expected_reward(copied) >= base - CLOSE and max(reached) >= base
    unattained = reached == sorted(reached) and 0.995 < reached[-1] < 1
    return Witness(
        outcome="fails" if not holds else "holds under a reading" if unattained else "holds",
        said=(
            "The base's optimum copied into every component is feasible and earns the same, so the mixture's optimal value is "
            "at least the base's. On the real line with unbounded σ the mixture's optimum θ′ does not exist: a vanishing weight "
            "on an ever wider component supplies any entropy H while the rest sits on the peak, so E[r] comes as near to "
            "r_max = 1 as one likes and never reaches it."
        ),
        numbers=numbers,
        reading="optimal values are suprema, or σ is bounded, so that θ′ exists" if holds else None,
    )


TIGHT = 4 * math.exp(-0.5) / math.sqrt(2 * math.pi)
"""E|b² − 1| of a standard normal b, 4 φ(1): ∫_{|b|>1} (b² − 1) φ = 2 φ(1), and as much from within."""


def proposition_3_3(constant: float = 1.5) -> Witness:
    """Proposition 3.3: no stationary point of the Gaussian policy for α > constant · r_max.

    The worst reward is r_max where b² < 1 and −r_max beyond (b = (a − μ)/σ), 0 far out so that it is integrable.
    """
    centre = 2 * (special.ndtr(1.0) - special.ndtr(-1.0)) - (special.ndtr(8.0) - special.ndtr(-8.0))

    def expected(std: float) -> float:
        inner = special.ndtr(1 / std) - special.ndtr(-1 / std)
        return float(2 * inner - (special.ndtr(8 / std) - special.ndtr(-8 / std)))

    slope = (expected(1 + 1e-5) - expected(1 - 1e-5)) / 2e-5
    largest = -slope
    numbers: dict[str, float | str] = {
        "constant": constant,
        "E|b² − 1|": TIGHT,
        "α/r_max at which the worst reward has a stationary point (μ = 0, σ = 1)": largest,
        "E[r] there, in r_max": float(centre),
    }
    for alpha in (constant, 0.5 * (constant + TIGHT)):
        numbers[f"σ ∂J/∂σ of the worst reward, α = {alpha:.4g} r_max"] = alpha - largest
    return Witness(
        outcome="holds" if constant >= TIGHT - CLOSE else "fails",
        said=(
            "σ ∂J/∂σ = α + E[r(σb + μ)(b² − 1)] ≥ α − r_max E|b² − 1|, and E|b² − 1| = 4 φ(1) = 0.968. A constant of "
            f"{constant:g} is {'safe' if constant >= TIGHT - CLOSE else 'too small'}; the smallest one is 0.968, "
            "attained by a reward of r_max within one σ and −r_max beyond, whose mean is stationary by symmetry."
        ),
        numbers=numbers,
    )


def proposition_3_3_proof(divisor: float = 2.0) -> Witness:
    """The displayed integrand of the proof, b²/divisor − 1, against numerical differentiation of E[r]."""
    mean, std = 0.4, 0.8

    def expected(spread: float) -> float:
        return bandit_scale() * float(two_bumps(mean, spread**2))

    truth = std * (expected(std + 1e-5) - expected(std - 1e-5)) / 2e-5

    def displayed(d: float) -> float:
        return float(WEIGHTS @ (reward(std * NODES + mean) * (NODES**2 / d - 1)))

    constant_reward = float(WEIGHTS @ (NODES**2 / divisor - 1))
    agrees = abs(displayed(divisor) - truth) < CLOSE and abs(constant_reward) < CLOSE
    return Witness(
        outcome="holds" if agrees else "fails",
        said=(
            f"The last line of the derivation integrates r against b²/{divisor:g} − 1. Numerical differentiation agrees with "
            "b² − 1, the form of the line before it with b = (a − μ)/σ. For a constant reward the derivative must be 0. "
            "The step to 3/2 uses E[b²/2 + 1]; the same step from b² − 1 would give 2, while E|b² − 1| = 0.968 makes 3/2 safe."
        ),
        numbers={
            "σ ∂E[r]/∂σ, numerical": truth,
            "as displayed": displayed(divisor),
            "with b² − 1": displayed(1.0),
            "constant reward 1, as displayed (must be 0)": constant_reward,
            "E[b²/2 + 1]": float(WEIGHTS @ (NODES**2 / 2 + 1)),
            "E[b² + 1]": float(WEIGHTS @ (NODES**2 + 1)),
        },
    )


def proposition_3_4(alpha: float = 0.25, shift: float = 0.0) -> Witness:
    """Proposition 3.4: a stationary base policy in every component is stationary, whatever the weights.

    `shift` moves one component away, for a check that the gradient then does not vanish.
    """
    numbers: dict[str, float | str] = {}
    largest = 0.0
    for base in gaussian_points(alpha):
        for logits in ((0.0, 0.0, 0.0), (2.0, -1.0, 0.3)):
            params = np.array([[base.mean] * 3, [math.log(base.std)] * 3, logits])
            params[0, 0] += shift
            slopes = numeric_gradient(lambda p: objective(p, alpha), params)
            name = f"μ = {base.mean:.3f}, σ = {base.std:.3f}, weights {np.round(softmax(params[2]), 3).tolist()}"
            numbers[f"largest |∂J|, {name}"] = float(np.abs(slopes).max())
            largest = max(largest, float(np.abs(slopes).max()))
    return Witness(
        outcome="holds" if largest < 1e-5 else "fails",
        said=(
            f"Numerical derivatives of J for three copies of each Gaussian stationary point of the bandit at α = {alpha:g}, "
            "with equal and unequal weights: all vanish to the accuracy of the differences. Analytically, the gradient in "
            "component k is w_k times the base's, and that in the weights is a constant times ∇ Σ w = 0."
        ),
        numbers=numbers,
    )


def remark_3_5() -> Witness:
    """Remark 3.5: the smallest α without stationary points is no smaller for the mixture, and can be larger."""
    base = gaussian_limit()
    mixture = max(alpha for alpha, _, _ in symmetric_branch())
    return Witness(
        outcome="holds" if mixture >= base else "fails",
        said=(
            "Proposition 3.4 gives the mixture a stationary point at every α at which the base has one, so the infimum of the "
            "others is no smaller. On the bandit of Appendix C (largest reward 1) the Gaussian's stationary points end at the "
            "first α below, those of two equal symmetric components at the second: the inequality is strict there."
        ),
        numbers={
            "last α, Gaussian": base,
            "last α, symmetric two-component mixture (a lower bound for all mixtures)": mixture,
        },
    )


# Section 3.3, Figures 1 and 7: the numerical study


def _scales(low: float, high: float) -> list[float]:
    """The entropy scales of Appendix C in (low, high]."""
    return [a for a in sorted(ALPHAS[0] + ALPHAS[1]) if low < a <= high]


def _read(holds: bool, said: str, numbers: Mapping[str, float | str]) -> Witness:
    """An outcome that rests on how the reward is normalised, with the other normalisation's critical α."""
    density = 0.5 / bandit_scale()
    numbers = {
        **numbers,
        "Gaussian's last α, largest reward 1": gaussian_limit(),
        "Gaussian's last α, reward a density (½ of the sum)": gaussian_limit() * density,
    }
    return Witness(
        outcome="holds under a reading" if holds else "fails",
        said=said,
        numbers=numbers,
        reading=PEAK_READING if holds else None,
    )


def figure_1_gaussian(last: float = 0.3, first: float = 0.325) -> Witness:
    """The Gaussian policy has stationary points up to α = last and none from α = first (3.3, Appendix C)."""
    exist = {alpha: len(gaussian_points(alpha)) for alpha in (*_scales(0, last), first, 0.35, 0.4)}
    holds = all(n > 0 for a, n in exist.items() if a <= last) and gaussian_limit() < first
    return _read(
        holds,
        "All stationary points of the Gaussian policy lie on two curves (μ = 0, and μ = tanh(μ/v)) along which the needed α is "
        "a closed form; they end at the α below. Numbers of stationary points with μ ≥ 0, minima and saddles included.",
        {f"stationary points, α = {a:g}": float(n) for a, n in exist.items()},
    )


def figure_1_diverges(alpha: float = 0.4) -> Witness:
    """At α = 0.4 the Gaussian's standard deviation always diverges: ∂J/∂σ > 0 at every mean and σ."""
    mean, variance = np.meshgrid(
        np.linspace(-4, 4, 401), SPREAD**2 + np.geomspace(1e-4, 400.0, 600)
    )
    largest = float(needed_alpha(mean, variance).max())
    return _read(
        alpha > largest,
        "σ ∂J/∂σ = α − (needed α); where α exceeds the largest needed α over all means and deviations, σ grows from "
        "every start, without bound. Largest value on a grid of means in [−4, 4] and σ in [0.01, 20].",
        {"α": alpha, "largest needed α over all (μ, σ)": largest},
    )


def figure_1_middle(low: float = 0.2, high: float = 0.22) -> Witness:
    """The best Gaussian sits on one reward mode up to α = low and between them from high to 0.3 (3.3, Appendix C)."""
    tops = {alpha: gaussian_points(alpha)[0] for alpha in _scales(0, 0.3)}
    holds = all(
        (p.mean > 0.9) if a <= low else (p.mean < 0.1 if a >= high else True)
        for a, p in tops.items()
    )

    def lead(alpha: float) -> float:
        points = gaussian_points(alpha)
        return max(p.objective for p in points if p.mean > 0.5) - max(
            p.objective for p in points if p.mean < 0.5
        )

    crossing = float(optimize.brentq(lead, 0.15, 0.25, xtol=1e-6))
    return _read(
        holds,
        "Mean of the Gaussian stationary point with the largest J at the entropy scales of Appendix C, from all of its "
        "stationary points, and the α at which the mode and the middle have equal J.",
        {f"mean, α = {a:g}": p.mean for a, p in tops.items()}
        | {"α at which the middle overtakes the mode": crossing},
    )


def figure_1_mixture(alphas: Sequence[float] | None = None) -> Witness:
    """The GM policy has stationary points with two modes for α in (0.3, 0.45] (3.3)."""
    alphas = _scales(0.3, 0.45) if alphas is None else alphas
    numbers: dict[str, float | str] = {}
    holds = True
    for alpha in alphas:
        point = bimodal_point(alpha)
        holds &= point is not None and float(np.abs(gradient(point, alpha)).max()) < CLOSE
        numbers[f"E[r], α = {alpha:g}"] = "none" if point is None else expected_reward(point)
    numbers["last α of the symmetric two-mode branch"] = max(a for a, _, _ in symmetric_branch())
    return _read(
        holds,
        "Symmetric two-component stationary points, solved to a gradient below 1e-6 and therefore stationary in every "
        "parameter; E[r] is what they earn out of 1.",
        numbers,
    )


def figure_1_mixture_limit(alpha: float = 0.5) -> Witness:
    """Appendix C: no convergent result for the GM policy when α > 0.5; the text implies some at 0.5."""
    last = max(a for a, _, _ in symmetric_branch())
    return Witness(
        outcome="undecided",
        said=(
            "The symmetric two-mode branch ends at the α below, under a largest reward of 1; nothing proves that no other "
            "mixture is stationary beyond it. α = 0.5 and 0.6 lie past the end of this branch; Section 3.3 names 0.45 as the "
            'last α with stationary points, while "α > 0.5" would include 0.5. A search from few starts is no proof either way.'
        ),
        numbers={
            "last α of the symmetric two-mode branch": last,
            f"runs that converge out of 2, α = {alpha:g}": float(len(search(alpha, 2))),
        },
    )


def figure_1_dominates(starts: int = 4) -> Witness:
    """The GM policy's optimal stationary point has the larger expected reward for α in (0.2, 0.45] (3.3)."""
    numbers: dict[str, float | str] = {}
    holds = True
    for alpha in _scales(0.2, 0.45):
        point = bimodal_point(alpha)
        base = gaussian_points(alpha)
        gaussian = base[0].reward if base else 0.0
        holds &= point is not None and expected_reward(point) > gaussian
        numbers[f"E[r] mixture, Gaussian, α = {alpha:g}"] = (
            f"{'none' if point is None else format(expected_reward(point), '.4f')}, {gaussian:.4f}"
        )
    point = bimodal_point(0.3)
    if point is not None:
        runs = search(0.3, starts)
        name = f"J found by {starts} random starts above the symmetric point's, α = 0.3"
        if runs:
            beyond = runs[0][0] - objective(point, 0.3)
            holds &= beyond < CLOSE
            numbers[name] = beyond
        else:
            holds = False
            numbers[name] = "none converged"
    return _read(
        holds,
        "The optimal Gaussian is the best of all its stationary points (0 where it has none, as the figure draws it); the "
        "optimal mixture is the symmetric two-mode point, above which a search from a few random starts at α = 0.3 finds nothing. "
        "As in the paper, the mixture's optimum is the best that is found.",
        numbers,
    )


def figure_1_bimodal(starts: int = 5) -> Witness:
    """All stationary GM policies found after α = 0.3 are bimodal, and bimodality rises with α (3.3)."""
    numbers: dict[str, float | str] = {}
    for alpha in (0.1, 0.35):
        runs = search(alpha, starts)
        two = sum(count >= 2 for _, count, _ in runs)
        numbers[f"bimodal of converged of {starts} starts, α = {alpha:g}"] = f"{two} of {len(runs)}"
    return Witness(
        outcome="undecided",
        said=(
            "The statement is about what 100 random starts find; a search from a few starts shows its direction and proves "
            "nothing. What is certain: from α = 0.325 on the Gaussian has no stationary point (largest reward 1), so no "
            "mixture of equal components has one either."
        ),
        numbers=numbers,
    )


def figure_7_types() -> Witness:
    """Both policies often have several types of stationary points; the best GM always has two modes (Appendix C)."""
    numbers: dict[str, float | str] = {}
    holds = True
    for alpha in (0.05, 0.1, 0.26, 0.3):
        base = gaussian_points(alpha)
        kinds = {round(p.mean, 1) for p in base}
        numbers[f"means of Gaussian stationary points, α = {alpha:g}"] = str(sorted(kinds))
        point = bimodal_point(alpha)
        if point is None:
            holds = False
            continue
        ahead = objective(point, alpha) - base[0].objective
        holds &= len(kinds) > 1 and modes(point) == 2 and ahead > 0
        numbers[f"J two-mode mixture − J best Gaussian, α = {alpha:g}"] = ahead
    return _read(
        holds,
        "The Gaussian has stationary points on a mode (and its mirror image) and in the middle; the two-mode mixture has "
        "exactly two maxima and a larger J than every mixture that equals a Gaussian.",
        numbers,
    )


def entropy_scale_counts(first: int = 7, second: int = 8) -> Witness:
    """Appendix C lists "seven" entropy scales and "another eight"."""
    counts = [len(set(series)) for series in ALPHAS]
    distinct = len(set(ALPHAS[0] + ALPHAS[1]))
    return Witness(
        outcome="holds" if counts == [first, second] and distinct == first + second else "fails",
        said="The values listed in the two braces, counted; none stands in both.",
        numbers={
            "first series": float(counts[0]),
            "second": float(counts[1]),
            "distinct": float(distinct),
        },
    )


# Section 2 and Theorem 4.3: a two-state process with a continuous action


@dataclass(frozen=True)
class Process:
    """Two states, one continuous action; mixtures [2 states, 3, N] as policies."""

    gamma: float = 0.9
    alpha: float = 0.3
    start: tuple[float, float] = (0.7, 0.3)

    def reward(self, state: int, action: Array) -> Array:
        """r(s, a), smooth and bounded by 1."""
        return np.asarray(np.sin((1.3, -0.7)[state] * action + 0.4 * state))

    def reward_slope(self, state: int, action: Array) -> Array:
        """∂r/∂a."""
        k = (1.3, -0.7)[state]
        return np.asarray(k * np.cos(k * action + 0.4 * state))

    def transition(self, state: int, action: Array) -> Array:
        """p(· | s, a): [2, B]."""
        up = special.expit((0.9, -0.6)[state] * action + (0.2, -0.1)[state])
        return np.stack([1 - up, up])

    def transition_slope(self, state: int, action: Array) -> Array:
        """∂p(· | s, a)/∂a: [2, B]."""
        down, up = self.transition(state, action)
        slope = (0.9, -0.6)[state] * down * up
        return np.stack([-slope, slope])

    def summary(self, policy: Array) -> tuple[Array, Array, Array]:
        """Mean reward [2], entropy [2] and transition matrix [2, 2] under a policy, on GRID."""
        rewards, entropies, moves = [], [], []
        for state in (0, 1):
            log_prob = log_density(policy[state], GRID)
            mass = STEPS * np.exp(log_prob)
            rewards.append(mass @ self.reward(state, GRID))
            entropies.append(-mass @ log_prob)
            moves.append(self.transition(state, GRID) @ mass)
        return np.array(rewards), np.array(entropies), np.array(moves)

    def values(self, policy: Array) -> Array:
        """V(s) = E[Q] + α H, from the Bellman equation: [2]."""
        rewards, entropies, moves = self.summary(policy)
        system = np.eye(2) - self.gamma * moves
        return np.asarray(np.linalg.solve(system, rewards + self.alpha * entropies), dtype=float)

    def objective(self, policy: Array) -> float:
        """J of Eq. 2, from the values of the start states."""
        return float(np.array(self.start) @ self.values(policy))

    def occupancy(self, policy: Array) -> Array:
        """The discounted occupancy Σ γ^t P(S_t = s): [2], sums to 1/(1 − γ)."""
        moves = self.summary(policy)[2]
        system = np.eye(2) - self.gamma * moves.T
        return np.asarray(np.linalg.solve(system, np.array(self.start)), dtype=float)


POLICY: Array = np.array(
    [
        [[-0.6, 0.9], [-0.4, -0.8], [0.3, -0.2]],
        [[0.2, -1.1], [-0.9, -0.1], [-0.5, 0.4]],
    ]
)
"""A policy of two components in each of the two states of `Process`."""


def printed_q(process: Process, policy: Array, state: int, action: Array, factor: float) -> Array:
    """Q by the sum printed after Eq. 2, Σ γ^t (r_t + factor · α · H(S_{t+1})), term by term: [B]."""
    rewards, entropies, moves = process.summary(policy)
    law = process.transition(state, action)
    total = process.reward(state, action) + process.alpha * factor * (entropies @ law)
    for t in range(1, 400):
        following = moves.T @ law
        total = total + process.gamma**t * (
            rewards @ law + process.alpha * factor * (entropies @ following)
        )
        law = following
    return np.asarray(total)


def soft_q_definition(factor: float | None = None) -> Witness:
    """The soft action value as printed after Eq. 2 against its Bellman equation; `factor` stands before αH."""
    process = Process()
    factor = process.gamma if factor is None else factor
    actions = np.array([-1.5, 0.0, 0.8])
    values = [
        float(
            STEPS
            @ (
                np.exp(log_density(POLICY[s], GRID))
                * (
                    printed_q(process, POLICY, s, GRID, factor)
                    - process.alpha * log_density(POLICY[s], GRID)
                )
            )
        )
        for s in (0, 1)
    ]
    gaps = []
    for state in (0, 1):
        left = printed_q(process, POLICY, state, actions, factor)
        right = process.reward(state, actions) + process.gamma * (
            np.array(values) @ process.transition(state, actions)
        )
        gaps.append(float(np.abs(left - right).max()))
    return Witness(
        outcome="holds" if max(gaps) < CLOSE else "fails",
        said=(
            "Q(s, a) = r + γ E[V(s′)] with V = E[Q − α log π], in a process of two states: the printed sum, conditioned on "
            "S_0 = s and A_0 = a, satisfies it with αγH(S_{t+1}), because γ^t · γ discounts the entropy of the next state; the entropy of "
            "the first state is left out, as it should be."
        ),
        numbers={
            "γ": process.gamma,
            "factor before αH": factor,
            "largest gap to the Bellman equation": max(gaps),
        },
    )


def eq_2_identity(entropy_term: float = 1.0) -> Witness:
    """Eq. 2: the discounted sum of r + αH equals E[Q − α log π] over start states; `entropy_term` scales the latter."""
    process = Process()
    rewards, entropies, moves = process.summary(POLICY)
    law, left = np.array(process.start), 0.0
    for t in range(400):
        left += process.gamma**t * float(law @ (rewards + process.alpha * entropies))
        law = law @ moves
    right = 0.0
    for state in (0, 1):
        log_prob = log_density(POLICY[state], GRID)
        q = printed_q(process, POLICY, state, GRID, process.gamma)
        inner = STEPS @ (np.exp(log_prob) * (q - entropy_term * process.alpha * log_prob))
        right += process.start[state] * float(inner)
    return Witness(
        outcome="holds" if abs(left - right) < CLOSE else "fails",
        said="Both sides of Eq. 2 in a process of two states, the left by summing 400 steps, Q by its printed definition.",
        numbers={"left": left, "right": right},
    )


def transition_index(lag: int = 2) -> Witness:
    """Section 2 draws S_{t+1} from p(· | S_{t−1}, A_{t−1}), two steps back; `lag` 1 is the Markov process."""
    process = Process()
    given, one_step = (_discounted_sum(process, steps) for steps in (lag, 1))
    bellman = process.objective(POLICY)
    agrees, saved = (abs(total - bellman) < CLOSE for total in (given, one_step))
    return Witness(
        outcome="holds" if agrees else "holds under a reading" if saved else "fails",
        said=(
            "With the printed index S_1 would need an S_{−1}; with S_1 drawn like S_0, J differs from what the Bellman equation of "
            "Eq. 2 gives. With S_t ~ p(· | S_{t−1}, A_{t−1}) the two agree."
        ),
        numbers={
            "J with the index as given": given,
            "J with S_{t+1} ~ p(· | S_t, A_t)": one_step,
            "J by the Bellman equation": bellman,
        },
        reading=None
        if agrees or not saved
        else "S_{t+1} is drawn from p(· | S_t, A_t); the index is a slip of print or text recognition",
    )


def _discounted_sum(process: Process, lag: int) -> float:
    """Σ γ^t E[r + αH] when a state's law follows from that `lag` steps before; the first `lag` are start states."""
    rewards, entropies, moves = process.summary(POLICY)
    laws = [np.array(process.start)] * lag
    for _ in range(400):
        laws.append(laws[len(laws) - lag] @ moves)
    per_step = np.array(laws) @ (rewards + process.alpha * entropies)
    return float(np.sum(process.gamma ** np.arange(len(laws)) * per_step))


# Estimators, in expectation


def density_slopes(params: Array, action: Array) -> tuple[Array, Array]:
    """∂ log π/∂a [B] and ∂ log π/∂params at fixed actions [3, N, B]."""
    weights, z, densities = parts(params, action)
    share = weights[:, None] * densities / (weights @ densities)
    std = np.exp(params[1])[:, None]
    in_action = -(share * z / std).sum(axis=0)
    return in_action, np.stack([share * z / std, share * (z**2 - 1), share - weights[:, None]])


def half_parts(
    params: Array, alpha: float, critic: Critic, critic_slope: Critic
) -> tuple[Array, Array, Array]:
    """E over k and ε of the three parts of Proposition 4.5, each [3, N]: score, path, and what log π's own θ adds.

    score: ∇ log w_k (Q − α log π). path: ∇f ∇_a (Q − α log π). own: −α ∇_θ log π(a) at fixed a.
    """
    weights = softmax(params[2])
    score, path, own = (np.zeros_like(params) for _ in range(3))
    for k, weight in enumerate(weights):
        std = math.exp(params[1, k])
        action = params[0, k] + std * NODES
        in_action, in_params = density_slopes(params, action)
        target = critic(action) - alpha * log_density(params, action)
        score[2] += weight * (np.eye(len(weights))[k] - weights) * (WEIGHTS @ target)
        slope = critic_slope(action) - alpha * in_action
        path[0, k] += weight * (WEIGHTS @ slope)
        path[1, k] += weight * (WEIGHTS @ (slope * std * NODES))
        own += -alpha * weight * (in_params @ WEIGHTS)
    return score, path, own


MIXTURE: Array = np.array([[-0.7, 0.9, 0.1], [-0.5, -0.2, 0.1], [0.4, -0.3, 0.1]])
"""A mixture of three components at which the estimators of Section 4 are held against derivatives of J."""


def _differences(estimate: Array, truth: Array) -> dict[str, float | str]:
    names = ("means", "log-stds", "weights")
    return {
        f"largest difference, {n}": float(np.abs(e - t).max())
        for n, e, t in zip(names, estimate, truth, strict=True)
    }


def proposition_4_5(sign: float = 1.0, alpha: float = 0.2) -> Witness:
    """Proposition 4.5 (B.4): its expectation is ∇Ĵ. `sign` stands before the second term; Eq. 9 prints a minus."""
    truth = numeric_gradient(lambda p: objective(p, alpha), MIXTURE)
    score, path, own = half_parts(MIXTURE, alpha, reward, reward_slope)
    estimate = score + sign * (path + own)
    agrees = bool(np.abs(estimate - truth).max() < CLOSE)
    return Witness(
        outcome="holds" if agrees else "fails",
        said=(
            "Expectation of the printed estimator over all three components (enumerated) and ε (quadrature) against numerical "
            "derivatives of Ĵ for a non-concave critic. The part −α ∇_θ log π at fixed actions has expectation 0."
        ),
        numbers=_differences(estimate, truth)
        | {
            "largest |∂Ĵ|": float(np.abs(truth).max()),
            "largest |E ∇_θ log π|·α": float(np.abs(own).max()),
        },
    )


def eq_9_sign(sign: float = -1.0, alpha: float = 0.2) -> Witness:
    """Eq. 9 subtracts the second term that Proposition 4.5 adds: which one has the gradient as its expectation?"""
    truth = numeric_gradient(lambda p: objective(p, alpha), MIXTURE)
    score, path, own = half_parts(MIXTURE, alpha, reward, reward_slope)
    printed, added = score + sign * (path + own), score + path + own
    agrees = bool(np.abs(printed - truth).max() < CLOSE)
    whole = bool(np.abs(printed + truth).max() < CLOSE)
    return Witness(
        outcome="holds" if agrees else "fails",
        said=(
            "Eq. 9 as printed has the gradient's negative in means and log-stds, the gradient itself in the weights: it is neither "
            "∇Ĵ nor, read as the gradient of a loss, −∇Ĵ. With a plus, as Proposition 4.5 has it, the expectation is ∇Ĵ. "
            "The sign may be a slip of print or of text recognition."
            if not agrees and not whole
            else "The expectation of the estimator agrees with ±∇Ĵ."
        ),
        numbers={
            "∂Ĵ/∂μ₁, numerical": float(truth[0, 0]),
            "Eq. 9 as printed": float(printed[0, 0]),
            "with a plus": float(added[0, 0]),
            "∂Ĵ/∂(logit 1), numerical": float(truth[2, 0]),
            "logit 1, Eq. 9 as printed": float(printed[2, 0]),
            "logit 1, with a plus": float(added[2, 0]),
        },
    )


def theorem_4_3(alpha: float = 0.3, q_alpha: float | None = None) -> Witness:
    """Theorem 4.3 (B.3; B.1 with α = 0) in a process of two states, every parameter of the policy.

    `q_alpha` is the entropy scale inside Q, the objective's α unless given.
    """
    process = Process(alpha=alpha)
    values = Process(alpha=alpha if q_alpha is None else q_alpha).values(POLICY)
    occupancy = process.occupancy(POLICY)
    estimate = np.zeros_like(POLICY)
    for state in (0, 1):

        def critic(a: Array, s: int = state) -> Array:
            return process.reward(s, a) + process.gamma * values @ process.transition(s, a)

        def slope(a: Array, s: int = state) -> Array:
            return np.asarray(
                process.reward_slope(s, a) + process.gamma * values @ process.transition_slope(s, a)
            )

        score, path, _ = half_parts(POLICY[state], alpha, critic, slope)
        estimate[state] = occupancy[state] * (score + path)
    truth = numeric_gradient(process.objective, POLICY)
    gap = float(np.abs(estimate - truth).max())
    return Witness(
        outcome="holds" if gap < CLOSE else "fails",
        said=(
            "The expectation of Theorem 4.3 (states by discounted occupancy, components enumerated, ε by quadrature, Q the soft "
            "action value) against numerical derivatives of J in all twelve parameters. The actions are unbounded here, so "
            "Assumption 4.1 (A compact) is not needed for the identity to hold; the Gaussian policies of the paper do not meet it."
        ),
        numbers={
            "α": alpha,
            "largest difference": gap,
            "largest |∂J|": float(np.abs(truth).max()),
            "total occupancy (1/(1 − γ) = 10)": float(occupancy.sum()),
        },
    )


def theorem_b_1() -> Witness:
    """Theorem B.1, the half-reparameterisation theorem without entropy: Theorem 4.3 with α = 0."""
    return theorem_4_3(alpha=0.0)


def eq_4_eq_5(score_sign: float = 1.0, alpha: float = 0.2) -> Witness:
    """Eq. 4 (likelihood ratio) and Eq. 5 (reparameterised) both have ∇Ĵ as expectation, and a baseline keeps it."""
    params = MIXTURE[:, :1].copy()
    truth = numeric_gradient(lambda p: objective(p, alpha), MIXTURE)
    single = numeric_gradient(lambda p: objective(p, alpha), params)
    ratio = {0.0: np.zeros_like(MIXTURE), 1.7: np.zeros_like(MIXTURE)}
    for k, weight in enumerate(softmax(MIXTURE[2])):
        action = MIXTURE[0, k] + math.exp(MIXTURE[1, k]) * NODES
        _, in_params = density_slopes(MIXTURE, action)
        target = reward(action) - alpha * log_density(MIXTURE, action)
        for baseline in ratio:
            ratio[baseline] += score_sign * weight * (in_params @ (WEIGHTS * (target - baseline)))
    _, path, own = half_parts(params, alpha, reward, reward_slope)
    gaps = {
        "largest difference, Eq. 4": float(np.abs(ratio[0.0] - truth).max()),
        "largest difference, Eq. 4 with a baseline of 1.7": float(np.abs(ratio[1.7] - truth).max()),
        "largest difference, Eq. 5": float(np.abs(path + own - single).max()),
    }
    return Witness(
        outcome="holds" if max(gaps.values()) < CLOSE else "fails",
        said=(
            "Expectations by quadrature against numerical derivatives of Ĵ: Eq. 4 for a mixture of three, Eq. 5 for one Gaussian. "
            "The missing −α ∇ log π in Eq. 4 has expectation 0, and so has a baseline that does not depend on the action."
        ),
        numbers=dict(gaps),
    )


def algorithm_1_update(alpha: float = 0.2) -> Witness:
    """Algorithm 1's reparameterised actor step: is θ + step · (…) an ascent on Ĵ, as its likelihood step is?"""
    params = MIXTURE[:, :1].copy()
    truth = numeric_gradient(lambda p: objective(p, alpha), params)
    _, path, own = half_parts(params, alpha, reward, reward_slope)
    printed = -own - path
    if np.abs(printed - truth).max() < CLOSE:
        outcome, reading = "holds", None
    elif np.abs(printed + truth).max() < CLOSE:
        outcome, reading = (
            "holds under a reading",
            "the step is taken against the bracket, which is the gradient of the loss −Ĵ as in SAC",
        )
    else:
        outcome, reading = "fails", None
    return Witness.model_validate(
        {
            "outcome": outcome,
            "said": (
                "The bracket α ∇_θ log π − (∇Q − α ∇ log π) ∇f has expectation −∇Ĵ for one Gaussian, and is added to θ; the likelihood "
                "step below it adds an estimate of +∇Ĵ. This line of the text is badly recognised, so the print may differ."
            ),
            "numbers": {
                "∂Ĵ/∂μ": float(truth[0, 0]),
                "bracket, ∂μ": float(printed[0, 0]),
                "∂Ĵ/∂log σ": float(truth[1, 0]),
                "bracket, ∂log σ": float(printed[1, 0]),
            },
            "reading": reading,
        }
    )


def eq_7_jacobian(mean: float = 0.3, std: float = 0.8, jacobian: bool = False) -> Witness:
    """Eq. 7: does the density of the squashed Gaussian integrate to 1 over actions in (−1, 1)?"""

    def density(action: float, corrected: bool) -> float:
        value = float(normal(math.atanh(action) - mean, std**2))
        return value / (1 - action**2) if corrected else value

    # quad never evaluates the ends, where atanh is infinite.
    printed = float(integrate.quad(density, -1, 1, args=(jacobian,), epsabs=1e-10)[0])
    corrected = float(integrate.quad(density, -1, 1, args=(True,), epsabs=1e-10)[0])
    in_u = float(integrate.quad(lambda u: float(normal(u - mean, std**2)), -np.inf, np.inf)[0])
    if abs(printed - 1) < CLOSE:
        return Witness(outcome="holds", said="It integrates to 1.", numbers={"∫ π(a) da": printed})
    return Witness(
        outcome="holds under a reading" if abs(in_u - 1) < CLOSE else "fails",
        said=(
            f"For μ = {mean:g} and σ = {std:g} the printed expression does not integrate to 1 over (−1, 1); with the Jacobian "
            "1/(1 − a²) of tanh it does. It is the density of tanh⁻¹(a), and log π in Eq. 3 needs the Jacobian."
        ),
        numbers={
            "∫ as printed da": printed,
            "∫ with 1/(1 − a²) da": corrected,
            "∫ over u = tanh⁻¹(a)": in_u,
        },
        reading="the density is that of u = tanh⁻¹(a), with respect to u and not to a",
    )


def squashed_unimodal(stds: Sequence[float] = (0.5, 0.7, 0.8, 1.5)) -> Witness:
    """The base policy, a squashed Gaussian, is called unimodal; counts the modes of its density over actions."""
    actions = np.tanh(np.linspace(-6, 6, 4001))
    counts = []
    for std in stds:
        log_prob = -(np.arctanh(actions) ** 2) / (2 * std**2) - np.log1p(-(actions**2))
        inner = log_prob[1:-1]
        counts.append(int(((inner > log_prob[:-2]) & (inner >= log_prob[2:])).sum()))
    return Witness(
        outcome="holds" if max(counts) == 1 else "holds under a reading",
        said=(
            "At mean 0 the density of tanh(N(0, σ²)) has one mode for σ² ≤ 1/2 and two beyond, which move to the bounds as σ grows; so a "
            "base policy with large σ can keep probability at both ends of the action interval."
        ),
        numbers={
            f"modes, σ = {std:g}": float(count) for std, count in zip(stds, counts, strict=True)
        },
        reading=None if max(counts) == 1 else "unimodal before tanh, or with σ² ≤ 1/2",
    )


# Section 4.2: the Gumbel-softmax


def soft_sample(logits: Array, noise: Array, temperature: float, inside: bool) -> Array:
    """The printed quotient of Section 4.2 with τ inside the exponent or, as printed, outside: [N]."""
    power = (logits + noise) / temperature if inside else logits + noise
    scale = 1.0 if inside else 1 / temperature
    terms = np.exp(power) * scale
    return np.asarray(terms / terms.sum())


def gumbel_exponent(inside: bool = False) -> Witness:
    """Section 4.2 prints exp(log π + g)/τ: does τ change the sample?"""
    logits, noise = np.log([0.5, 0.3, 0.2]), np.array([0.1, 0.9, -0.4])
    numbers: dict[str, float | str] = {}
    for temperature in (0.1, 1.0, 10.0):
        for name, form in (("given", inside), ("exp((log π + g)/τ)", True)):
            sample = soft_sample(logits, noise, temperature, form)
            numbers[f"{name}, τ = {temperature:g}"] = str(np.round(sample, 4).tolist())
    low, high = (soft_sample(logits, noise, t, inside) for t in (0.1, 10.0))
    acts = float(np.abs(low - high).max()) > CLOSE
    one_hot = float(soft_sample(logits, noise, 0.01, True).max()) > 1 - CLOSE
    return Witness(
        outcome="holds" if acts else "holds under a reading" if one_hot else "fails",
        said=(
            "A factor 1/τ outside the exponential cancels between numerator and denominator, so the sample would not depend "
            "on τ. Inside, exp((log π + g)/τ) goes to one-hot for small τ and to uniform for large τ, as the text says."
        ),
        numbers=numbers,
        reading=None if acts else "the exponential is of the quotient, exp((log π + g)/τ)",
    )


def gumbel_max(weight: float = 0.3) -> Witness:
    """The Gumbel-max trick for two components: argmax of log w + g is a sample of w, and of the softmax too."""
    gap = math.log(weight / (1 - weight))
    # g₁ − g₂ is logistic, so P(log w₁ + g₁ > log w₂ + g₂) is a one-dimensional integral.
    share = integrate.quad(lambda x: special.expit(x) * special.expit(-x), -gap, 60)[0]
    noise = np.random.default_rng(0).gumbel(size=(1000, 2))
    logits = np.log([weight, 1 - weight])
    same = all(
        soft_sample(logits, g, t, True).argmax() == (logits + g).argmax()
        for g in noise[:200]
        for t in (0.5, 2.0)
    )
    return Witness(
        outcome="holds" if abs(share - weight) < CLOSE and same else "fails",
        said="Probability of the first component by integrating the logistic law of g₁ − g₂; both argmax forms agree on 200 draws.",
        numbers={"weight": weight, "probability": float(share)},
    )


PAIR: Array = np.array([[-0.8, 0.7], [-0.5, -0.3], [0.3, -0.3]])
"""Two components for the Gumbel estimator."""


def _slope_moment(gap: float, temperature: float, order: int, first: bool) -> float:
    """E[(∂y₁/∂logit₁)^order 1{the first, or the second, component wins}] over x = g₁ − g₂, a logistic variable."""

    def inner(x: float) -> float:
        y = float(special.expit((gap + x) / temperature))
        slope = y * (1 - y) / temperature
        return float(slope**order * special.expit(x) * special.expit(-x))

    sign = 1 if first else -1
    cuts = (-gap, -gap + 5 * sign * temperature, -gap + sign * (60 + 5 * temperature))
    return sum(sign * float(integrate.quad(inner, low, high)[0]) for low, high in pairwise(cuts))


def gumbel_weight_slopes(alpha: float, temperature: float) -> tuple[float, float]:
    """Mean and variance of the Gumbel estimator's derivative in the first logit of PAIR (Eq. 10, 11).

    Through the straight-through sample: ∇_a (Q − α log π)(A) · (f₁ − f₂) · ∂y₁/∂logit, where A = f₁ if the first
    component wins. Quadrature over ε₁, ε₂ and the logistic difference of the two Gumbel draws.
    """
    actions = [PAIR[0, k] + math.exp(PAIR[1, k]) * NODES for k in (0, 1)]
    pull = [reward_slope(a) - alpha * density_slopes(PAIR, a)[0] for a in actions]
    apart = actions[0][:, None] - actions[1][None]
    weights = WEIGHTS[:, None] * WEIGHTS[None]
    gap = float(PAIR[2, 0] - PAIR[2, 1])
    mean = second = 0.0
    own = [-alpha * density_slopes(PAIR, a)[1][2, 0] for a in actions]
    for first in (True, False):
        through = pull[0][:, None] * apart if first else pull[1][None] * apart
        extra = own[0][:, None] + 0 * apart if first else own[1][None] + 0 * apart

        one, two = (_slope_moment(gap, temperature, order, first) for order in (1, 2))
        zero = float(special.expit(gap if first else -gap))
        mean += one * float((weights * through).sum()) + zero * float((weights * extra).sum())
        second += (
            two * float((weights * through**2).sum())
            + 2 * one * float((weights * through * extra).sum())
            + zero * float((weights * extra**2).sum())
        )
    return mean, second - mean**2


def gumbel_bias(alpha: float = 0.2, temperature: float = 1.0) -> Witness:
    """The Gumbel reparameterisation "results in a biased reparameterization" (Section 4)."""
    truth = float(numeric_gradient(lambda p: objective(p, alpha), PAIR)[2, 0])
    mean, _ = gumbel_weight_slopes(alpha, temperature)
    return Witness(
        outcome="holds" if abs(mean - truth) > 1e-4 else "fails",
        said=(
            f"Expectation of the estimator of Eq. 11 in a weight logit (τ = {temperature:g}, two components, non-concave critic) by "
            "quadrature against the numerical derivative of Ĵ: they differ. In means and log-stds the straight-through sample "
            "is one-hot, so those derivatives are those of Proposition 4.5."
        ),
        numbers={"∂Ĵ/∂(logit 1)": truth, "expectation of the estimator": mean},
    )


def gumbel_temperature(alpha: float = 0.2, temperatures: Sequence[float] = (0.1, 1, 10)) -> Witness:
    """Section 4.2: the gradient's variance in the weights grows as τ goes to 0 and falls as τ grows."""
    variances = [gumbel_weight_slopes(alpha, t)[1] for t in temperatures]
    falls = all(a > b for a, b in pairwise(variances))
    return Witness(
        outcome="holds" if falls else "fails",
        said="Variance of the Gumbel estimator in a weight logit, by quadrature, with τ inside the exponent.",
        numbers={f"variance, τ = {t:g}": v for t, v in zip(temperatures, variances, strict=True)},
    )


def mixture_actor_outputs(components: int = 5, stated: int = 15, dimensions: int = 1) -> Witness:
    """Appendix D: the actor's last layer has 15 outputs for five components (2 for one Gaussian)."""

    def outputs(action_dimensions: int) -> int:
        return 2 * components * action_dimensions + components

    return Witness(
        outcome="holds"
        if outputs(dimensions) == stated
        else "holds under a reading"
        if outputs(1) == stated
        else "fails",
        said=(
            "Five means, five deviations and five weights make 15 in one action dimension, as in classic control. With d "
            "dimensions and one index for the whole action there are N(2d + 1) outputs, which the text does not spell out."
        ),
        numbers={f"outputs, {d} action dimensions": float(outputs(d)) for d in (1, 6, 17)},
        reading="one action dimension"
        if outputs(dimensions) != stated and outputs(1) == stated
        else None,
    )


WITNESSES: dict[str, Callable[[], Witness]] = {
    "transition_index": transition_index,
    "eq_2_identity": eq_2_identity,
    "soft_q_definition": soft_q_definition,
    "eq_4_eq_5": eq_4_eq_5,
    "eq_7_jacobian": eq_7_jacobian,
    "squashed_unimodal": squashed_unimodal,
    "proposition_3_1": proposition_3_1,
    "proposition_3_1_proof": proposition_3_1_proof,
    "proposition_3_2": proposition_3_2,
    "proposition_3_3": proposition_3_3,
    "proposition_3_3_proof": proposition_3_3_proof,
    "proposition_3_4": proposition_3_4,
    "remark_3_5": remark_3_5,
    "figure_1_gaussian": figure_1_gaussian,
    "figure_1_diverges": figure_1_diverges,
    "figure_1_middle": figure_1_middle,
    "figure_1_mixture": figure_1_mixture,
    "figure_1_mixture_limit": figure_1_mixture_limit,
    "figure_1_dominates": figure_1_dominates,
    "figure_1_bimodal": figure_1_bimodal,
    "figure_7_types": figure_7_types,
    "entropy_scale_counts": entropy_scale_counts,
    "theorem_b_1": theorem_b_1,
    "theorem_4_3": theorem_4_3,
    "proposition_4_5": proposition_4_5,
    "eq_9_sign": eq_9_sign,
    "gumbel_exponent": gumbel_exponent,
    "gumbel_max": gumbel_max,
    "gumbel_bias": gumbel_bias,
    "gumbel_temperature": gumbel_temperature,
    "algorithm_1_update": algorithm_1_update,
    "mixture_actor_outputs": mixture_actor_outputs,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Compute every witness of this paper and write them to --output."""
    return command_line(WITNESSES, "Witnesses of the mixture-policies paper.", argv)


if __name__ == "__main__":
    sys.exit(main())
