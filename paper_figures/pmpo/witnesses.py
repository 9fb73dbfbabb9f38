"""PMPO's equations, decided by numbers: small categorical problems enumerated, Gaussians in closed form.

Equations, sections and appendices are those of arXiv 2410.04166. An identity is checked on random problems; a
statement "up to terms independent of θ" is checked by comparing several policies on the same problem.

Shape key: see equations.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import optimize, special

from analysis.audit.witness import Witness, command_line
from paper_figures.pmpo.equations import (
    TEMPERATURE,
    Array,
    accepted_among_four,
    accepted_among_two,
    beta_threshold,
    beta_threshold_binary,
    coefficients,
    complement_gap,
    condition,
    evidence_bound,
    exact_chain,
    gaussian_objective,
    gaussian_threshold,
    hard_labels,
    joint,
    kl,
    largest_standard_error,
    log_normaliser,
    mean,
    mean_of_accepted,
    objective_8,
    objective_10,
    problems,
    regularised,
    schwefel_sine,
    schwefel_sum,
    scores,
    softmax_bias,
    softmax_step,
    sphere,
    squared_difference_of_extremes,
    token_kl_estimates,
    token_probabilities,
)

TOLERANCE = 1e-9
DEFAULT_BETA = {"accept and reject": (0.5, 0.5), "accept": (1.0, 0.0), "reject": (0.0, 2.0)}
"""(α, β) of Section 5, by what is learned from."""

TABLE_1 = {
    "BC": 24.0,
    "Accept+BC": 26.0,
    "Accept": 27.0,
    "Reject+BC": 77.0,
    "Accept+Reject+BC": 93.0,
}
"""Average rewards as printed."""
EPISODES = 100
SIGNIFICANT = float(special.ndtri(0.975))
"""Standard errors beyond which a difference is significant at 5 %, two-sided, for so many episodes."""


# ---- outcomes


def identity(said: str, **gaps: Any) -> Witness:
    """A witness that holds where every gap is 0 up to floating-point arithmetic."""
    numbers = {name: float(np.max(np.abs(gap))) for name, gap in gaps.items()}
    return decide(all(value < TOLERANCE for value in numbers.values()), said, numbers)


def decide(
    holds: bool, said: str, numbers: dict[str, float], reading: str | None = None
) -> Witness:
    """A witness that holds, under `reading` where one is given, or fails."""
    outcome: Literal["holds", "holds under a reading", "fails"] = "fails"
    if holds:
        outcome = "holds under a reading" if reading else "holds"
    return Witness(
        outcome=outcome, said=said, numbers=dict(numbers), reading=reading if holds else None
    )


def varies(values: Array) -> float:
    """How far values (T, …) that should not depend on the policy do, over the T policies."""
    return float(np.ptp(values, axis=0).max())


# ---- Section 3.1


def eq_2_evidence_bound() -> Witness:
    """Eq. 2: log p_π(S|x) is the evidence lower bound plus a KL, for every q."""
    given = problems()
    policy = given.policies[0]
    left = np.log(mean(policy, given.preferred))
    distance = kl(given.proposal, condition(policy, given.preferred))
    right = evidence_bound(policy, given.preferred, given.proposal) + distance
    return identity(
        "Both sides agree on 50 random problems of five responses, each with a random q.",
        largest_gap=left - right,
        largest_violation_of_the_bound=np.minimum(distance, 0),
    )


def eq_3_e_step() -> Witness:
    """Eq. 3: the KL of the E-step is smallest at Bayes' posterior, which Z_x normalises."""
    given = problems()
    posterior = given.reference * given.preferred / given.success[:, None]
    row = 0

    def loss(logits: Array) -> float:
        proposal = special.softmax(logits)
        return -float(evidence_bound(given.reference[row], given.preferred[row], proposal))

    found = special.softmax(optimize.minimize(loss, np.zeros(posterior.shape[-1])).x)
    distance = float(np.abs(found - posterior[row]).max())
    error = float(np.abs(posterior.sum(-1) - 1).max())
    return decide(
        distance < 1e-4 and error < TOLERANCE,
        "Maximising the bound over q, which is minimising the KL, a numerical optimiser arrives at the reference reweighted "
        "by p(S|y, x); with Z_x it sums to 1 on 50 problems.",
        {"distance_of_optimiser": distance, "largest_gap_of_sum_to_1": error},
    )


def eq_4_m_step() -> Witness:
    """Eq. 4: with the E-step's q the bound is E_q[log π_θ] up to a constant in θ."""
    given = problems()
    bound = evidence_bound(given.policies, given.preferred, given.accepted)
    likelihood = mean(given.accepted, np.log(given.policies))
    return identity(
        "The bound minus E_q[log π_θ] is the same for four policies on each of 50 problems.",
        variation_of_k_over_policies=varies(bound - likelihood),
    )


def eq_5_weighted_likelihood() -> Witness:
    """Eq. 5: the same objective as an expectation over π_ref with weights p(S|y, x) / Z_x."""
    given = problems()
    weighted = given.preferred / given.success[:, None] * np.log(given.policies)
    return identity(
        "The weighted expectation over π_ref equals E_q[log π_θ] for four policies on 50 problems.",
        largest_gap=mean(given.reference, weighted) - mean(given.accepted, np.log(given.policies)),
    )


def eq_5_softmax_weights() -> Witness:
    """Section 3.1: a softmax of f over the M responses stands in for p(S|y, x) / Z_x in Eq. 5."""
    biases = {samples: abs(softmax_bias(samples)) for samples in (1, 2, 4, 8)}
    values = list(biases.values())
    falling = all(later < earlier for earlier, later in itertools.pairwise(values))
    return decide(
        falling and values[-1] < 0.2 * values[0],
        "Three responses, every sample enumerated: self-normalised weights are biased for finite M (as the text's ≈ "
        "says), and the bias falls about as 1/M.",
        {f"bias_at_m_{samples}": bias for samples, bias in biases.items()},
    )


def eq_6_filtering() -> Witness:
    """Eq. 6: E over D of s log π against E over D_a of log π."""
    given = problems()
    over_all = mean(given.reference, given.preferred * np.log(given.policies))
    over_accepted = mean(given.accepted, np.log(given.policies))
    ratio = over_all / over_accepted
    scaled = float(np.abs(ratio - given.success).max())
    return decide(
        scaled < TOLERANCE,
        "As averages the two sides differ by the share of accepted samples, Z_x, which does not depend on θ. The right "
        "side estimates Eq. 5; the left side estimates Z_x times it, so it weighs states by their share.",
        {
            "largest_gap_of_the_ratio_from_z": scaled,
            "smallest_ratio": float(ratio.min()),
            "largest_ratio": float(ratio.max()),
        },
        "up to the factor Z_x, one for each state (or both expectations as sums)",
    )


def em_improvement() -> Witness:
    """Sections 3.1 and G: one iteration improves on π_ref, and the iteration converges."""
    given = problems()
    gain = mean(given.accepted, given.preferred) - given.success
    variance = mean(given.reference, given.preferred**2) - given.success**2
    policy, values = given.reference, [given.success]
    for _ in range(200):
        policy = condition(policy, given.preferred)
        values.append(mean(policy, given.preferred))
    steps = np.diff(values, axis=0)
    return decide(
        bool(
            np.allclose(gain, variance / given.success)
            and (gain > 0).all()
            and (steps > -TOLERANCE).all()
        ),
        "With an exact M-step the gain of an iteration is Var(p(S|y, x)) / Z_x under π_ref, so p(S|x) never falls; it "
        "is bounded by 1, hence converges (to the best response in the support).",
        {
            "largest_gap_from_variance_over_z": float(
                np.abs(gain - variance / given.success).max()
            ),
            "smallest_first_gain": float(gain.min()),
            "largest_distance_from_best_after_200": float(
                (given.preferred.max(-1) - values[-1]).max()
            ),
        },
    )


# ---- Section 3.2


def eq_7_complement() -> Witness:
    """Eq. 7: the E-step's q in terms of dis-preference."""
    given = problems()
    rejected = 1 - given.preferred
    return identity(
        "Follows from p(S|y, x) = 1 − p(S'|y, x).",
        largest_gap=condition(given.reference, 1 - rejected) - given.accepted,
    )


def eq_8_rearrangement() -> Witness:
    """Eq. 8: the bound of Eq. 4 with the q of Eq. 7, up to a constant in θ."""
    given = problems()
    bound = evidence_bound(given.policies, given.preferred, given.accepted)
    other = objective_8(given.policies, given.reference, given.preferred)
    entropy = mean(given.reference, np.log(given.reference)) / given.success
    likelihood = mean(given.accepted, np.log(given.policies))
    return identity(
        "Both forms differ by the same amount for four policies on each of 50 problems; the KL's coefficient is 1/Z_x, "
        "and against E_q[log π_θ] the constant is minus the entropy of π_ref over Z_x.",
        variation_of_k_over_policies=varies(bound - other),
        gap_of_the_constant=likelihood - other - entropy,
    )


def eq_9_absorbs_z() -> Witness:
    """Eq. 9 against Eq. 8: which β, and which factor, make an average over D_r estimate Eq. 8."""
    given = problems()
    failure = 1 - given.success
    exact = objective_8(given.policies, given.reference, given.preferred)

    def gap(beta: Array) -> float:
        estimate = objective_10(
            given.policies, given.reference, given.accepted, given.rejected, 0.0, beta
        )
        return float(np.abs(failure / given.success * estimate - exact).max())

    fitting = gap(1 / failure)
    return decide(
        fitting < TOLERANCE,
        "Eq. 8 equals (1 − Z_x)/Z_x times Eq. 9 with β = 1/(1 − Z_x): the average over D_r has divided by "
        "p(S'|x) = 1 − Z_x, so it is this that β absorbs, and not 1/Z_x. It is above 1 and differs between states; "
        "for labels split in half it is 2, the paper's β for learning from rejection alone.",
        {
            "largest_gap_at_beta_1_over_1_minus_z": fitting,
            "largest_gap_at_beta_1_over_z": gap(1 / given.success),
            "beta_at_z_one_half": 2.0,
        },
        "β = 1/(1 − Z_x), and a positive factor (1 − Z_x)/Z_x that weighs states differently",
    )


def eq_9_maximiser() -> Witness:
    """Section 3.2: Eq. 9 as "modifying the reference distribution such that the negative examples are removed"."""
    given = problems()
    failure = (1 - given.success)[:, None]
    best = given.reference * (1 / failure - given.rejected / given.reference)
    best = best / best.sum(-1, keepdims=True)

    def value(policy: Array) -> Array:
        return objective_10(
            policy, given.reference, given.accepted, given.rejected, 0.0, 1 / failure[:, 0]
        )

    worse = value(best) - value(given.policies)
    certain = np.array([1.0, 1.0, 0.0])
    third = np.full(3, 1 / 3)
    removed = coefficients(third, third, condition(third, 1 - certain), 0.0, 1 / (1 - 2 / 3))
    return decide(
        bool(np.allclose(best, given.accepted) and (worse > 0).all() and abs(removed[2]) < 1e-12),
        "For a policy free in every response Eq. 9 is maximal at π ∝ β π_ref − r. With β = 1/(1 − Z_x) that is the "
        "E-step's q, which gives a response that is always rejected the probability 0; a larger β leaves some of it.",
        {
            "largest_gap_from_the_posterior": float(np.abs(best - given.accepted).max()),
            "smallest_advantage_over_other_policies": float(worse.min()),
            "weight_left_to_a_response_always_rejected": float(removed[2]),
        },
    )


# ---- Section 3.3


def shared_maximiser() -> Witness:
    """Section 3.3: Eq. 6 and Eq. 9 "both optimize the same quantity"."""
    given = problems()

    def gap(beta: Array) -> float:
        weights = beta[:, None] * given.reference - given.rejected
        weights = np.maximum(weights, 0)
        best = weights / weights.sum(-1, keepdims=True)
        return float(np.abs(best - given.accepted).max())

    fitting = 1 / (1 - given.success)
    return decide(
        gap(fitting) < TOLERANCE,
        "Eq. 6 is maximal at the E-step's q. Eq. 9 is maximal there too where β = 1/(1 − Z_x); at another β its "
        "maximiser lies elsewhere, nearer to π_ref the larger β is.",
        {
            "largest_gap_at_beta_1_over_1_minus_z": gap(fitting),
            "largest_gap_at_twice_that_beta": gap(2 * fitting),
        },
        "β = 1/(1 − Z_x) in each state",
    )


def eq_10_special_cases() -> Witness:
    """Eq. 10: α = 1 and β = 0 give Eq. 6, α = 0 gives Eq. 9, and in all there are three log-likelihood terms."""
    given = problems()
    policies, reference = given.policies, given.reference
    accepted, rejected = given.accepted, given.rejected
    only_accepted = objective_10(policies, reference, accepted, rejected, 1.0, 0.0)
    only_rejected = objective_10(policies, reference, accepted, rejected, 0.0, 2.0)
    likelihoods = (
        0.3 * mean(accepted, np.log(policies))
        - 0.7 * mean(rejected, np.log(policies))
        + 1.5 * mean(reference, np.log(policies))
    )
    mixed = objective_10(policies, reference, accepted, rejected, 0.3, 1.5)
    negative = -mean(rejected, np.log(policies)) - 2.0 * kl(reference, policies)
    return identity(
        "The KL term is β E_ref[log π_θ] plus a constant, hence a third log-likelihood. It is not scaled by 1 − α, so "
        "with α = 1 it stays unless β = 0.",
        gap_of_accept_only=only_accepted - mean(accepted, np.log(policies)),
        gap_of_reject_only=only_rejected - negative,
        variation_of_the_constant=varies(mixed - likelihoods),
    )


# ---- β > 1 − α


def unbounded_gain(c: Array) -> float:
    """Σ c log π at a policy that all but removes the response of the lowest c, minus its value at a milder one."""
    worst = int(np.argmin(c))

    def value(small: float) -> float:
        policy = np.full(c.shape, (1 - small) / (len(c) - 1))
        policy[worst] = small
        return float(c @ np.log(policy))

    return value(1e-300) - value(1e-3)


def beta_reject_only() -> Witness:
    """Section 5.4: with α = 0, β > 1 − α = 1 is necessary for a stable objective."""
    given = problems()
    least = beta_threshold(given.reference, given.accepted, given.rejected, 0.0)
    sampled = problems(batch=200, seed=1)
    finite = beta_threshold(sampled.reference, sampled.proposal, sampled.policies[0], 0.0)
    row = 0
    arguments = (given.reference[row], given.accepted[row], given.rejected[row], 0.0)
    below = unbounded_gain(coefficients(*arguments, float(least[row]) - 0.01))
    above = unbounded_gain(coefficients(*arguments, float(least[row]) + 0.01))
    no_kl = unbounded_gain(coefficients(*arguments, 0.0))
    return decide(
        bool((least > 1).all() and (finite > 1).all() and below > 0 > above and no_kl > 0),
        "For a free categorical policy Eq. 10 with α = 0 is bounded above exactly for β ≥ max r_y / π_ref(y|x). Both "
        "are distributions, so this is at least 1, and above 1 unless rejection is independent of the response: β > 1 is "
        "necessary, for expectations and for finite samples alike. It is not sufficient: a response that is always "
        "rejected needs 1/(1 − Z_x), 2 for labels split in half, and a rare response among few rejected samples more.",
        {
            "smallest_threshold_in_expectation": float(least.min()),
            "largest_threshold_in_expectation": float(least.max()),
            "smallest_threshold_for_arbitrary_rejected_samples": float(finite.min()),
            "threshold_always_rejected_at_z_one_half": 2.0,
            "gain_towards_the_edge_below_threshold": below,
            "gain_towards_the_edge_above_threshold": above,
            "gain_towards_the_edge_at_beta_0": no_kl,
        },
    )


def beta_mixed() -> Witness:
    """Section 5.4 for any α: is β > 1 − α what boundedness of Eq. 10 needs?"""
    given = problems()
    alphas = (0.0, 0.25, 0.5, 0.75)
    overlapping = [
        beta_threshold(given.reference, given.accepted, given.rejected, a) - (1 - a) for a in alphas
    ]
    certain = [float(beta_threshold(*hard_labels(), a)) - (1 - a) for a in alphas]
    weighted = [float((beta_threshold_binary(given.preferred, a) - (1 - a)).max()) for a in alphas]
    always_rejected = np.array([0.0, 1.0])
    limit = max(abs(float(beta_threshold_binary(always_rejected, a)) - (1 - a)) for a in alphas)
    return decide(
        max(weighted) < 0 and limit < TOLERANCE and min(certain) >= 0,
        "With expectations over all of D and binary weights (the middle of Eq. 6; Z_x times Eq. 8), Eq. 10 is bounded "
        "for β ≥ max p(S'|y, x) − α: β ≥ 1 − α always suffices, and is needed where a response is always rejected. With "
        "averages over D_a and D_r, as Eq. 10 is written, it is necessary where no response is both accepted and "
        "rejected (there the bound is (1 − α)/(1 − Z_x), so it does not suffice), and neither in general.",
        {
            "binary_weights_largest_threshold_minus_bound": max(weighted),
            "binary_weights_gap_at_a_response_always_rejected": limit,
            "averages_fixed_labels_smallest_threshold_minus_bound": min(certain),
            "averages_fixed_labels_threshold_at_alpha_one_half": certain[2] + 0.5,
            "averages_overlapping_labels_smallest_threshold_minus_bound": float(
                np.min(overlapping)
            ),
            "averages_overlapping_labels_largest_threshold_minus_bound": float(np.max(overlapping)),
        },
        "expectations over all labelled samples with binary weights, instead of averages over D_a and D_r",
    )


def beta_grows_with_rejection() -> Witness:
    """Appendix A: the lower α, the more β should be."""
    given = problems()
    alphas = np.linspace(0, 1, 11)
    least = np.array(
        [beta_threshold(given.reference, given.accepted, given.rejected, a) for a in alphas]
    )
    return decide(
        bool((np.diff(least, axis=0) < 0).all()),
        "The smallest β that bounds Eq. 10 falls strictly with α on each of 50 problems: its slope is "
        "−(r_y + a_y)/π_ref(y|x) at the response that decides.",
        {
            "largest_step": float(np.diff(least, axis=0).max()),
            "mean_threshold_at_alpha_0": float(least[0].mean()),
            "mean_threshold_at_alpha_one_half": float(least[5].mean()),
            "mean_threshold_at_alpha_1": float(least[-1].mean()),
        },
    )


def beta_accept_only() -> Witness:
    """Sections 5.2 and 5.4: with α = 1 any β ≥ 0 is stable."""
    given = problems()
    least = beta_threshold(given.reference, given.accepted, given.rejected, 1.0)
    shift = mean_of_accepted(accepted_among_four)
    return decide(
        bool((least <= 0).all() and gaussian_threshold(1.0, shift) < 0),
        "With α = 1 every coefficient of Eq. 10 is non-negative at β = 0 already. A Gaussian with free σ is bounded in "
        "expectation too; fitted to a single accepted sample it is not (σ → 0), which β > 0 prevents.",
        {
            "largest_threshold_in_expectation": float(least.max()),
            "gaussian_threshold_best_two_of_four": gaussian_threshold(1.0, shift),
        },
    )


def gaussian_edge_gain(alpha: float, beta: float, shift: float) -> float:
    """How much Eq. 10 grows for a Gaussian at its best mean as σ falls from 1e-2 to 1e-4."""
    best = shift / (beta - (1 - 2 * alpha))
    narrow, wide = (gaussian_objective(best, sigma, alpha, beta, shift) for sigma in (1e-4, 1e-2))
    return narrow - wide


def beta_in_text() -> Witness:
    """Section 5.2: "> 1.0" for rejection alone "aligns with our theoretical derivations" (β > 1 − α, 5.4)."""
    reject, both = 1 - DEFAULT_BETA["reject"][0], 1 - DEFAULT_BETA["accept and reject"][0]
    shift = mean_of_accepted(accepted_among_four)
    gaussian = {alpha: gaussian_threshold(alpha, shift) for alpha in (0.0, 0.5)}
    below, above = (gaussian_edge_gain(0.0, gaussian[0.0] + step, shift) for step in (-0.01, 0.01))
    return decide(
        reject == 1.0 and both == 0.5 and gaussian[0.0] > 1.0 and below > 0 > above,
        "1 − α is 1.0 for rejection alone and 0.5 for both signals: exactly the two values that Section 5.2 gives. They "
        "are necessary, not always sufficient: a Gaussian of one dimension whose σ is free, labels from the best and the "
        "worst two of four under a monotone f, needs in expectation β > 1 − 2α + 0.663, of the sweep's values 2.0 for "
        "rejection alone and 1.0 for both.",
        {
            "bound_reject_only": reject,
            "bound_accept_and_reject": both,
            "gaussian_threshold_reject_only": gaussian[0.0],
            "gaussian_threshold_accept_and_reject": gaussian[0.5],
            "gaussian_gain_as_sigma_falls_below_threshold": below,
            "gaussian_gain_as_sigma_falls_above_threshold": above,
        },
    )


def beta_defaults() -> Witness:
    """Section 5: do the β used "for all the experiments" satisfy β > 1 − α (5.4)?"""
    room = {name: beta - (1 - alpha) for name, (alpha, beta) in DEFAULT_BETA.items()}
    strict = {name: value > 0 for name, value in room.items() if name != "accept"}
    return decide(
        all(value >= 0 for value in room.values()),
        "β − (1 − α) is 1.0 for rejection alone, 0 for acceptance alone (which needs no β), and 0 for both signals: "
        "β = 0.5 lies on the bound, while the text asks for more than 1 − α (5.4) and for more than 0.5 (5.2). "
        "Boundedness allows the bound itself under binary weights; with averages over D_a and D_r, best and worst two "
        "of four, a free categorical policy needs 1.0.",
        {
            **{f"room_{name.replace(' ', '_')}": value for name, value in room.items()},
            "strictly_above": float(sum(strict.values())),
            "of_the_two_with_rejection": float(len(strict)),
            "categorical_threshold_averages_accept_and_reject": float(
                beta_threshold(*hard_labels(), 0.5)
            ),
        },
        None
        if all(strict.values())
        else "β ≥ 1 − α instead of β > 1 − α, and the expectations over all of D with binary weights",
    )


# ---- Appendix B


def token_kl_gaps(length: int) -> tuple[float, float]:
    """(mean of Eq. 17 over sequences from π_ref minus the exact KL, the estimate's standard deviation)."""
    rng = np.random.default_rng(length)
    reference, policy = (token_probabilities(rng, 3, length) for _ in range(2))
    chances = joint(reference)
    exact = float(special.rel_entr(chances, joint(policy)).sum())
    estimates = token_kl_estimates(reference, policy)
    expected = float((chances * estimates).sum())
    spread = float(np.sqrt((chances * (estimates - expected) ** 2).sum()))
    return expected - exact, spread


def token_kl() -> Witness:
    """Eq. 11 to 17: exact token KLs along one sequence from π_ref estimate the KL of sequences without bias."""
    gaps = {length: token_kl_gaps(length) for length in (2, 3, 4)}
    largest = max(abs(gap) for gap, _ in gaps.values())
    return decide(
        largest < TOLERANCE,
        "Vocabulary of three tokens, every sequence enumerated: the mean of Eq. 16 (two tokens) and Eq. 17 over "
        "sequences from π_ref is the exact KL. The sequence does not depend on θ, so the gradient has no bias either.",
        {
            "largest_bias": largest,
            "standard_deviation_of_one_estimate_two_tokens": gaps[2][1],
            "standard_deviation_of_one_estimate_four_tokens": gaps[4][1],
        },
    )


def token_kl_chain() -> Witness:
    """Eq. 12 to 15: the KL of a two-token sequence is that of the first token plus the expected second one."""
    rng = np.random.default_rng(0)
    reference, policy = (token_probabilities(rng, 4, 2) for _ in range(2))
    exact = special.rel_entr(joint(reference), joint(policy)).sum()
    first = kl(reference[0], policy[0])
    second = mean(reference[0], kl(reference[1], policy[1]))
    return identity(
        "Sixteen sequences of two tokens, enumerated.", largest_gap=exact - first - second
    )


# ---- Appendix C: η is the distribution to start from (here `reference`), τ = TEMPERATURE


def c_1_argmaximum() -> Witness:
    """Appendix C.1: δ* is the one maximiser of the regularised expectation."""
    given, values = problems(), scores()
    best = softmax_step(values, given.reference)
    advantage = regularised(best, values, given.reference) - regularised(
        given.policies, values, given.reference
    )

    def loss(logits: Array) -> float:
        return -float(regularised(special.softmax(logits), values[0], given.reference[0]))

    found = special.softmax(optimize.minimize(loss, np.zeros(best.shape[-1])).x)
    distance = float(np.abs(found - best[0]).max())
    return decide(
        bool((advantage > 0).all() and distance < 1e-4),
        "δ* beats every other distribution tried on 50 problems, and a numerical optimiser that does not know it "
        "arrives at it; the objective is strictly concave, so there is no other.",
        {"smallest_advantage": float(advantage.min()), "distance_of_optimiser": distance},
    )


def c_1_equations() -> Witness:
    """Eq. 18 to 20: the gap to the maximum is τ KL(δ ‖ δ*), and the maximum is τ log-sum-exp."""
    given, values = problems(), scores()
    best = softmax_step(values, given.reference)
    highest = log_normaliser(values, given.reference)
    reached = regularised(given.policies, values, given.reference)
    return identity(
        "Eq. 18 on 200 distributions, Eq. 19 on 50 problems; Eq. 20 follows as a KL is never negative, and at δ = η it is "
        "Jensen's inequality of Appendix C.2.",
        eq_18=kl(given.policies, best) + (reached - highest) / TEMPERATURE,
        eq_19=regularised(best, values, given.reference) - highest,
        eq_20_violation=np.minimum(highest - reached, 0),
        jensen_violation=np.minimum(highest - mean(given.reference, values), 0),
    )


def c_2_improvement() -> Witness:
    """Appendix C.2: E_δ*[f] > E_η[f] unless δ* = η."""
    given, values = problems(), scores()
    best = softmax_step(values, given.reference)
    gain = mean(best, values) - mean(given.reference, values)
    both = TEMPERATURE * (kl(best, given.reference) + kl(given.reference, best))
    support = np.array([0.4, 0.6, 0.0])
    level = np.array([1.0, 1.0, 5.0])
    unchanged = float(np.abs(softmax_step(level, support) - support).max())
    return decide(
        bool((gain > 0).all() and np.allclose(gain, both) and unchanged < TOLERANCE),
        "The gain is τ (KL(δ* ‖ η) + KL(η ‖ δ*)), more than the proof needs. Both vanish together: exactly where f is "
        "constant on η's support (Jensen's equality), and then δ* = η, however large f is outside the support.",
        {
            "smallest_gain": float(gain.min()),
            "largest_gap_from_both_kl": float(np.abs(gain - both).max()),
            "change_where_f_is_constant_on_the_support": unchanged,
        },
    )


def c_monotone_chain() -> Witness:
    """Appendix C: the chain improves strictly "until there is K such that δ_{K+1} = δ_K"."""
    values = exact_chain(200)
    rising = sum(later > earlier for earlier, later in itertools.pairwise(values))
    return decide(
        rising == 200,
        "δ_k is proportional to η exp(k f / τ) and keeps η's support, so δ_{K+1} = δ_K needs f constant on it: then K = 0. "
        "For any other f the chain improves for ever, here in each of 200 steps of exact fractions, and converges to the "
        "best elements of the support only in the limit.",
        {
            "strict_steps_of_200": float(rising),
            "distance_to_1_after_200_steps": float(1 - values[-1]),
        },
        "K = ∞ where f is not constant on the support (or: until there is such a K, if there is one)",
    )


def c_fit() -> Witness:
    """Appendix C: fitting q_θ to δ_{k+1} by KL is minimising −E_{q_μ}[exp(f / τ) log q_θ]."""
    given, values = problems(), scores()
    likelihood = np.exp(values / TEMPERATURE)
    target = condition(given.reference, likelihood)
    normaliser = mean(given.reference, likelihood)
    divergence = kl(target, given.policies)
    cross_entropy = -mean(target, np.log(given.policies))
    weighted = -mean(given.reference, likelihood * np.log(given.policies))
    return identity(
        "The KL and the cross-entropy differ by a constant in θ; the re-weighting formula gives the cross-entropy as an "
        "expectation over q_μ; dropping the normaliser scales it by a positive constant for each state.",
        variation_of_the_entropy_term=varies(divergence - cross_entropy),
        gap_of_reweighting=weighted / normaliser - cross_entropy,
    )


# ---- Appendix E


def ipo_variance() -> Witness:
    """Appendix E: in expectation IPO's regulariser is twice the variance of the log-ratio, PMPO's its mean."""
    given = problems()
    reference, policy = given.reference[0], given.policies[0, 0]
    ratio = np.log(policy / reference)
    variance = float(mean(reference, ratio**2) - mean(reference, ratio) ** 2)
    pair = float(reference @ (ratio[:, None] - ratio) ** 2 @ reference)
    ranked = squared_difference_of_extremes(ratio, reference, 2)
    return identity(
        "For two independent draws the mean squared difference is twice the variance, and it stays so when the two are "
        "ranked, because a square ignores the order; a variance ignores the ratio's sign; KL is the mean of the inverse "
        "log-ratio.",
        gap_of_two_draws=pair - 2 * variance,
        gap_of_two_ranked_draws=ranked - 2 * variance,
        gap_of_signs=variance - (mean(reference, (-ratio) ** 2) - mean(reference, -ratio) ** 2),
        gap_of_kl=kl(reference, policy) - mean(reference, np.log(reference / policy)),
    )


def ipo_unbiased() -> Witness:
    """Appendix E: the squared difference of an accepted and a rejected sample is unbiased for twice the variance."""
    given = problems()
    reference, policy = given.reference[0], given.policies[0, 0]
    ratio = np.log(policy / reference)
    variance = float(mean(reference, ratio**2) - mean(reference, ratio) ** 2)
    two, four = (squared_difference_of_extremes(ratio, reference, n) for n in (2, 4))
    separate = float(given.accepted[0] @ (ratio[:, None] - ratio) ** 2 @ given.rejected[0])
    return decide(
        abs(two - 2 * variance) < TOLERANCE,
        "It holds for two draws from π_ref of which the better is accepted. It does not for the best and the worst of "
        "four, nor for independent samples of D_a and of D_r, which follow other distributions than π_ref.",
        {
            "twice_the_variance": 2 * variance,
            "better_and_worse_of_two": two,
            "best_and_worst_of_four": four,
            "independent_accepted_and_rejected": separate,
        },
        "the pair is two draws from π_ref, ranked",
    )


def policy_terms() -> Witness:
    """Appendix E: the policy-optimisation terms of IPO and PMPO (α = 1/2) are the same up to a constant factor."""
    given = problems()
    accepted, rejected = np.log(given.policies[..., 0]), np.log(given.policies[..., 1])
    ipo = -accepted + rejected
    one_hot = np.eye(given.reference.shape[-1])
    pmpo = -objective_10(given.policies, given.reference, one_hot[0], one_hot[1], 0.5, 0.0)
    return identity("P_IPO is twice P_PMPO.", largest_gap=ipo - 2 * pmpo)


def pmpo_loss() -> Witness:
    """Appendix E: the PMPO loss for α = 1/2 is minus Eq. 10 with one accepted and one rejected response."""
    given = problems()
    one_hot = np.eye(given.reference.shape[-1])
    beta = 0.8
    written = (
        -0.5 * np.log(given.policies[..., 0])
        + 0.5 * np.log(given.policies[..., 1])
        + beta * kl(given.reference, given.policies)
    )
    eq_10 = objective_10(given.policies, given.reference, one_hot[0], one_hot[1], 0.5, beta)
    return identity("Both on 200 policies.", largest_gap=written + eq_10)


def ipo_loss_form() -> Witness:
    """Appendix E: its IPO loss against (h − 1/(2β))², the published form, h the difference of log-ratios."""
    given = problems()
    beta = 0.3
    ratio = np.log(given.policies / given.reference)
    difference = ratio[..., 0] - ratio[..., 1]
    written = (
        -np.log(given.policies[..., 0]) + np.log(given.policies[..., 1]) + beta * difference**2
    )
    published = beta * (difference - 1 / (2 * beta)) ** 2
    return identity(
        "β (h − 1/(2β))² expands to β h² − h + 1/(4β), and h is the difference of log π_θ plus a constant of π_ref.",
        variation_of_the_constant=varies(written - published),
    )


# ---- Appendices F to I


def appendix_f_event() -> Witness:
    """Appendix F: dis-preference "q(I = 1 | …) ∝ exp(−Q/η)", beside preference "q(I = 1 | …) ∝ exp(Q/η)"."""

    def gap(q_values: Array) -> float:
        """How far the two printed proportionalities are apart for one event, after normalising over actions."""
        return float(np.abs(special.softmax(q_values) - special.softmax(-q_values)).max())

    q_values = np.array([0.0, 1.0])
    disliked = 1 - special.softmax(q_values)
    corrected = float(np.abs(disliked / disliked.sum() - special.softmax(-q_values)).max())
    return decide(
        corrected < TOLERANCE < gap(q_values),
        "One probability cannot be proportional to exp(Q/η) and to exp(−Q/η) unless Q is constant. The bullet's heading "
        "names q(I = 0 | …); with that event both hold, here for two actions.",
        {
            "largest_gap_as_printed": gap(q_values),
            "largest_gap_as_printed_where_q_is_constant": gap(np.zeros(2)),
            "largest_gap_with_the_event_i_0": corrected,
        },
        "the event of the second bullet is I = 0, as its heading says",
    )


def two_boltzmann_models() -> Witness:
    """Appendices F, H and I: p(I = 1) ∝ exp(Q/η), p(I = 0) ∝ exp(−Q/η) and p(I = 1) = 1 − p(I = 0) together."""
    two, four = complement_gap(np.array([0.0, 1.0])), complement_gap(np.arange(4.0) / 3)
    preferred = condition(np.full(4, 0.25), np.exp(np.arange(4.0) / 3))
    by_q = condition(np.full(4, 0.25), np.exp(-np.arange(4.0) / 3))
    by_complement = condition(np.full(4, 0.25), 1 - preferred)
    return decide(
        two < TOLERANCE < four,
        "c₁ u + c₀/u = 1 has at most two solutions u = exp(Q/η), so the three hold together for two values of Q a state "
        "(there p(I = 1) is the logistic model of Bradley and Terry) and not for three or more. With four actions t of "
        "Appendix I differs from the complement of q.",
        {
            "largest_error_two_actions": two,
            "largest_error_four_actions": four,
            "largest_gap_of_t_four_actions": float(np.abs(by_q - by_complement).max()),
        },
        "two values of Q in each state, such as the two actions of Appendix I",
    )


def appendix_g_identity() -> Witness:
    """Appendix G: log p_θ(I = 1) as an average over states of a bound plus a KL."""
    given = problems()
    policy = given.policies[0]
    states = np.full(len(policy), 1 / len(policy))
    bound = evidence_bound(policy, given.preferred, given.proposal)
    distance = kl(given.proposal, condition(policy, given.preferred))
    right = float(states @ (bound + distance))
    chances = mean(policy, given.preferred)
    objective, average = float(np.log(states @ chances)), float(states @ np.log(chances))
    return decide(
        abs(right - average) < TOLERANCE and objective > average,
        "The right side is the average over states of log p(I = 1|x), which by Jensen's inequality is below "
        "log ∫ μ(x) p(I = 1|x), the objective of Appendices F and G, unless p(I = 1|x) is the same in every state. It "
        "remains a lower bound of it.",
        {
            "log_of_the_average": objective,
            "average_of_the_log": average,
            "right_side": right,
        },
        "log p_θ(I = 1) is the average over states of log p_θ(I = 1|x), as in Section 3.1",
    )


def evidence_identity() -> Witness:
    """Appendix G: log p(X) = ∫ q(Z) log p(X, Z)/q(Z) + KL(q(Z) ‖ p(Z|X))."""
    given = problems()
    together = given.reference * given.preferred
    right = mean(given.proposal, np.log(together / given.proposal)) + kl(
        given.proposal, given.accepted
    )
    return identity("On 50 joint distributions.", largest_gap=np.log(together.sum(-1)) - right)


def appendix_g_reinforcement_learning() -> Witness:
    """Appendix G: with p(I = 1) ∝ exp(Q/η) the E-step's KL is, up to sign and constants, KL-regularised RL."""
    given, values = problems(), scores()
    posterior = softmax_step(values, given.reference)
    objective = regularised(given.policies, values, given.reference)
    return identity(
        "−η KL(q ‖ posterior) and E_q[Q] − η KL(q ‖ π_ref) differ by a constant in q.",
        variation_over_q=varies(objective + TEMPERATURE * kl(given.policies, posterior)),
    )


def appendix_g_m_step() -> Witness:
    """Appendix G.2: the M-step is minimising KL(q ‖ π_θ), a weighted maximum likelihood."""
    given = problems()
    bound = evidence_bound(given.policies, given.preferred, given.accepted)
    divergence = kl(given.accepted, given.policies)
    weights = given.preferred / given.success[:, None]
    likelihood = mean(given.reference, weights * np.log(given.policies))
    return identity(
        "The bound, −KL(q ‖ π_θ) and the weighted log-likelihood differ by constants in θ.",
        bound_against_kl=varies(bound + divergence),
        likelihood_against_kl=varies(likelihood + divergence),
    )


def appendix_h_substitution() -> Witness:
    """Appendix H: KL(q ‖ π_θ) with q in terms of dis-preference, and the update rule that follows."""
    given = problems()
    z = given.success
    log_policy = np.log(given.policies)
    substituted = (
        -mean(given.reference, log_policy)
        + mean(given.reference, (1 - given.preferred) * log_policy)
    ) / z
    beta = 1 / (1 - z)
    rule = -kl(given.rejected, given.policies) + beta * kl(given.reference, given.policies)
    return identity(
        "The substitution equals KL(q ‖ π_θ) up to a constant in θ. The final rule equals it up to a constant and the "
        "factor (1 − Z)/Z, with β = 1/(1 − Z) and π_ref(y|x) for the printed π_ref(x|y).",
        substitution=varies(substituted - kl(given.accepted, given.policies)),
        final_rule=varies((1 - z) / z * rule - substituted),
    )


def appendix_i_objective() -> Witness:
    """Appendix I: α log q_θ(I = 1) + (1 − α) log(1 − q_θ(I = 0)), and the update rule from it."""
    given = problems()
    chances = mean(given.policies, given.preferred)
    complement = 1 - mean(given.policies, 1 - given.preferred)
    combined = 0.3 * np.log(chances) + 0.7 * np.log(complement)
    alpha, beta = 0.3, 1.2
    rule = (
        alpha * kl(given.accepted, given.policies)
        + beta * kl(given.reference, given.policies)
        - (1 - alpha) * kl(given.rejected, given.policies)
    )
    eq_10 = objective_10(
        given.policies, given.reference, given.accepted, given.rejected, alpha, beta
    )
    return identity(
        "As 1 − q(I = 0) = q(I = 1), the objective is log q_θ(I = 1) whatever α is. The update rule is minus Eq. 10 up "
        "to a constant in θ.",
        gap_of_objectives=combined - np.log(chances),
        rule_against_eq_10=varies(rule + eq_10),
    )


def appendix_i_pairs() -> Witness:
    """Appendix I: "we simply sample 2 actions", where Section 5 samples four and accepts two."""
    quantiles = np.linspace(0, 1, 1001)
    two, four = accepted_among_two(quantiles), accepted_among_four(quantiles)
    shifts = [mean_of_accepted(rule) for rule in (accepted_among_two, accepted_among_four)]
    same_share = abs(two.mean() - four.mean()) < 1e-3
    return decide(
        bool(same_share and np.abs(two - four).max() > 0.01),
        "Both rules accept half of the samples, but they are two different preference distributions: a response at "
        "quantile u of f is accepted with chance u among two and u²(3 − 2u) among four, which tells good from bad more "
        "sharply.",
        {
            "largest_difference_of_chances": float(np.abs(two - four).max()),
            "mean_accepted_action_two": shifts[0],
            "mean_accepted_action_four": shifts[1],
        },
        'Appendix I describes "the simplest case", not the set-up of the experiments',
    )


# ---- Table 1


def table_1_similar() -> Witness:
    """Section 5.3: Accept (27) and Accept+BC (26) are no better than BC (24)."""
    sizes: dict[str, float] = {}
    for name in ("Accept", "Accept+BC"):
        gap = TABLE_1[name] - TABLE_1["BC"]
        error = largest_standard_error(TABLE_1[name], TABLE_1["BC"], EPISODES)
        sizes[f"standard_errors_{name.lower().replace('+', '_')}"] = gap / error
    spread = (TABLE_1["Accept"] - TABLE_1["BC"]) / SIGNIFICANT * np.sqrt(EPISODES / 2)
    return decide(
        max(sizes.values()) < SIGNIFICANT,
        "No spread is printed. If the reward is a success rate in percent, differences of 2 and 3 are within half a "
        "standard error of 100 episodes. For another reward they would be beyond sampling error only if the standard "
        "deviation over episodes is small enough.",
        {**sizes, "standard_deviation_below_which_3_is_significant": float(spread)},
        "the reward is a success rate in percent",
    )


def table_1_improved() -> Witness:
    """Section 5.3: Reject+BC (77) improves significantly on BC (24), and all three losses (93) on that."""
    sizes: dict[str, float] = {}
    for name, other in (("Reject+BC", "BC"), ("Accept+Reject+BC", "Reject+BC")):
        high, low = TABLE_1[name] - 0.5, TABLE_1[other] + 0.5
        label = name.lower().replace("+", "_")
        sizes[f"smallest_standard_errors_{label}"] = (high - low) / largest_standard_error(
            high, low, EPISODES
        )
    return decide(
        min(sizes.values()) > SIGNIFICANT,
        "No spread is printed. However the rewards of 100 episodes are spread over [0, 100], and however the means were "
        "rounded, both differences are more than three standard errors of evaluation. It is the error of evaluating one "
        "trained policy each: how much training runs differ is not reported.",
        sizes,
        "rewards lie between 0 and 100",
    )


# ---- Section 5.1


def functions_optimum() -> Witness:
    """Section 5.1: Rosenbrock, Sphere and Schwefel have an optimum value of zero."""
    dimension = 10
    grid = np.linspace(-500, 500, 100_001)
    start = grid[np.argmax(grid * np.sin(np.sqrt(np.abs(grid))))]
    sine = optimize.minimize(
        lambda x: schwefel_sine(np.full(dimension, x[0])), np.array([start]), method="Nelder-Mead"
    )
    inner = np.random.default_rng(0).uniform(-2, 2, size=(200, dimension))
    values = {
        "sphere_at_0": sphere(np.zeros(dimension)),
        "rosenbrock_at_1": float(optimize.rosen(np.ones(dimension))),
        "schwefel_double_sum_at_0": schwefel_sum(np.zeros(dimension)),
        "schwefel_sine_minimum": float(sine.fun),
    }
    lowest = min(min(float(optimize.rosen(x)), schwefel_sum(x), sphere(x)) for x in inner)
    return decide(
        all(abs(value) < 1e-3 for value in values.values()) and lowest > 0,
        "Ten dimensions. Sums of squares reach 0 at one point and nowhere less. Schwefel's function is given in two forms "
        "in the literature; the sine form is a minimum of 0 on [−500, 500] up to the four digits of its constant.",
        {**values, "lowest_of_200_other_points": lowest},
    )


WITNESSES: dict[str, Callable[[], Witness]] = {
    compute.__name__: compute
    for compute in (
        eq_2_evidence_bound, eq_3_e_step, eq_4_m_step, eq_5_weighted_likelihood, eq_5_softmax_weights,
        eq_6_filtering, em_improvement, eq_7_complement, eq_8_rearrangement, eq_9_absorbs_z,
        eq_9_maximiser, shared_maximiser, eq_10_special_cases, beta_reject_only, beta_mixed,
        beta_grows_with_rejection, beta_accept_only, beta_in_text, beta_defaults, token_kl_chain, token_kl,
        c_1_argmaximum, c_1_equations, c_2_improvement, c_monotone_chain, c_fit, ipo_variance,
        ipo_unbiased, policy_terms, pmpo_loss, ipo_loss_form, appendix_f_event, two_boltzmann_models,
        appendix_g_identity, evidence_identity, appendix_g_reinforcement_learning, appendix_g_m_step,
        appendix_h_substitution, appendix_i_objective, appendix_i_pairs, table_1_similar, table_1_improved, functions_optimum,
    )
}  # fmt: skip


def main() -> int:
    """Write every witness of PMPO to --output."""
    return command_line(WITNESSES, "Witnesses of PMPO's equations and statements.")


if __name__ == "__main__":
    raise SystemExit(main())
