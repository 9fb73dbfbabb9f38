"""PMPO's witnesses against hand-worked numbers, brute force and scipy; each can fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from algorithms.specification import read_yaml
from analysis.audit.specification import read_skips, read_specification
from analysis.audit.witness import read_witnesses
from analysis.claims import load_claims
from analysis.paper import Paper
from paper_figures.pmpo import equations, witnesses

FOLDER = Path(__file__).parents[3] / "paper_figures" / "pmpo"

# Two responses, π_ref = (1/2, 1/2), p(S|y) = (1/4, 3/4): Z = 1/2, accepted (1/4, 3/4), rejected (3/4, 1/4).
HALF = np.array([0.5, 0.5])
PREFERRED = np.array([0.25, 0.75])
POLICY = np.array([0.2, 0.8])


def test_equations_of_section_3_by_hand() -> None:
    log_2, log_8 = np.log(0.2), np.log(0.8)
    accepted = equations.condition(HALF, PREFERRED)
    rejected = equations.condition(HALF, 1 - PREFERRED)
    assert accepted == pytest.approx([0.25, 0.75])
    assert rejected == pytest.approx([0.75, 0.25])
    divergence = 0.5 * np.log(0.5 / 0.2) + 0.5 * np.log(0.5 / 0.8)
    assert equations.kl(HALF, POLICY) == pytest.approx(stats.entropy(HALF, POLICY))
    # E_{π_ref}[−p(S'|y) log π] / Z − KL / Z with Z = 1/2
    by_hand = -(0.5 * 0.75 * log_2 + 0.5 * 0.25 * log_8) * 2 - divergence * 2
    assert equations.objective_8(POLICY, HALF, PREFERRED) == pytest.approx(by_hand)
    # α = 1/4, β = 2
    by_hand = (
        0.25 * (0.25 * log_2 + 0.75 * log_8) - 0.75 * (0.75 * log_2 + 0.25 * log_8) - 2 * divergence
    )
    found = equations.objective_10(POLICY, HALF, accepted, rejected, 0.25, 2.0)
    assert found == pytest.approx(by_hand)
    bound = equations.evidence_bound(POLICY, PREFERRED, HALF)
    assert bound == pytest.approx(0.5 * np.log(0.2 * 0.25 / 0.5) + 0.5 * np.log(0.8 * 0.75 / 0.5))


@pytest.mark.parametrize(
    ("alpha", "threshold"),
    # y = 1: ((1 − α)·3/4 − α/4) / (1/2); y = 2: ((1 − α)/4 − α·3/4) / (1/2)
    [(0.0, 1.5), (0.25, 1.0), (0.5, 0.5), (1.0, -0.5)],
)
def test_threshold_of_beta_by_hand(alpha: float, threshold: float) -> None:
    accepted, rejected = PREFERRED, PREFERRED[::-1]
    assert equations.beta_threshold(HALF, accepted, rejected, alpha) == pytest.approx(threshold)
    # Binary weights: max of (1 − α)·3/4 − α/4 and (1 − α)/4 − α·3/4, half of it as π_ref = Z.
    assert equations.beta_threshold_binary(PREFERRED, alpha) == pytest.approx(0.75 - alpha)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_threshold_of_beta_is_where_an_optimiser_runs_away(alpha: float) -> None:
    """Eq. 10 over the logits of two responses, by scipy: a finite maximum above the threshold, none below."""
    threshold = 1.5 - 2 * alpha

    def best(beta: float) -> tuple[float, float]:
        def loss(logit: Any) -> float:
            policy = np.exp(-np.logaddexp(0, np.array([-logit, logit])))
            policy = np.maximum(policy, 1e-300)
            found = equations.objective_10(policy, HALF, PREFERRED, PREFERRED[::-1], alpha, beta)
            return -float(found)

        found = optimize.minimize_scalar(loss, bounds=(-600, 600), method="bounded")
        return abs(float(found.x)), -float(found.fun)

    assert best(threshold + 0.1)[0] < 10
    assert best(threshold - 0.1)[0] > 500


def test_thresholds_of_the_paper_s_settings() -> None:
    """Labels split in half without overlap: 2.0 for rejection alone and 1.0 for both, where 0.5 is used."""
    reference, accepted, rejected = equations.hard_labels()
    assert reference.sum() == accepted.sum() == rejected.sum() == 1
    assert equations.beta_threshold(reference, accepted, rejected, 0.0) == pytest.approx(2.0)
    assert equations.beta_threshold(reference, accepted, rejected, 0.5) == pytest.approx(1.0)


def test_mean_of_accepted_by_order_statistics() -> None:
    """Published means of normal order statistics: 0.5642 of two; 1.0294 and 0.2970 of four (David and Nagaraja)."""
    assert equations.mean_of_accepted(equations.accepted_among_two) == pytest.approx(
        0.5642, abs=5e-5
    )
    assert equations.mean_of_accepted(equations.accepted_among_four) == pytest.approx(
        (1.0294 + 0.2970) / 2, abs=5e-5
    )


def test_accepted_among_four_by_polynomial() -> None:
    """At most one of three others is better: u³ + 3u²(1 − u) = u²(3 − 2u)."""
    for quantile in (0.0, 0.25, 0.5, 1.0):
        expected = quantile**2 * (3 - 2 * quantile)
        assert equations.accepted_among_four(np.asarray(quantile)) == pytest.approx(expected)


def test_gaussian_objective_is_equation_10() -> None:
    """Quadrature over the reference against the closed form, up to a constant in θ."""
    actions = np.linspace(-9, 9, 20_001)
    reference = stats.norm.pdf(actions)
    chance = equations.accepted_among_four(stats.norm.cdf(actions))
    shift = equations.mean_of_accepted(equations.accepted_among_four)

    def by_quadrature(mean: float, sigma: float, alpha: float, beta: float) -> float:
        weights = 2 * reference * (alpha * chance - (1 - alpha) * (1 - chance)) + beta * reference
        values = weights * stats.norm.logpdf(actions, mean, sigma)
        return float(np.trapezoid(values, actions))

    points = [(0.3, 0.7), (-1.0, 0.2), (0.0, 1.5)]
    for alpha, beta in ((0.0, 2.0), (0.5, 0.5)):
        gaps = [
            by_quadrature(*point, alpha, beta)
            - equations.gaussian_objective(*point, alpha, beta, shift)
            for point in points
        ]
        assert np.ptp(gaps) < 1e-6


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_gaussian_threshold_parts_bounded_from_unbounded(alpha: float) -> None:
    shift = 0.6632
    threshold = equations.gaussian_threshold(alpha, shift)
    assert threshold == pytest.approx(1 - 2 * alpha + 0.6632)
    assert witnesses.gaussian_edge_gain(alpha, threshold - 0.01, shift) > 0
    assert witnesses.gaussian_edge_gain(alpha, threshold + 0.01, shift) < 0


def test_token_kl_by_brute_force() -> None:
    """Two tokens of two: sequence probabilities written out."""
    first, second = np.array([0.6, 0.4]), np.array([[0.1, 0.9], [0.5, 0.5]])
    other, another = np.array([0.3, 0.7]), np.array([[0.2, 0.8], [0.9, 0.1]])
    exact = sum(
        first[i] * second[i, j] * np.log(first[i] * second[i, j] / (other[i] * another[i, j]))
        for i, j in itertools.product(range(2), repeat=2)
    )
    estimates = equations.token_kl_estimates([first, second], [other, another])
    chances = equations.joint([first, second])
    assert chances == pytest.approx(np.array([[0.06, 0.54], [0.2, 0.2]]))
    assert (chances * estimates).sum() == pytest.approx(exact)
    # Sequences from π_θ instead of π_ref give another mean: the check can tell.
    assert (equations.joint([other, another]) * estimates).sum() != pytest.approx(exact, rel=1e-3)


def test_exact_chain_by_hand() -> None:
    """Weights 1 and 2 from (1/2, 1/2): 1/2, 2/3, 4/5, 8/9."""
    expected = [Fraction(1, 2), Fraction(2, 3), Fraction(4, 5), Fraction(8, 9)]
    assert equations.exact_chain(3) == expected


def test_softmax_step_by_hand() -> None:
    """exp(f/τ) = 3 for the second element: (1/2, 1/2) becomes (1/4, 3/4), and the maximum is τ log 2."""
    values = np.array([0.0, equations.TEMPERATURE * np.log(3)])
    assert equations.softmax_step(values, HALF) == pytest.approx([0.25, 0.75])
    expected = equations.TEMPERATURE * np.log(2)
    assert equations.log_normaliser(values, HALF) == pytest.approx(expected)


def test_softmax_bias_by_hand() -> None:
    """One sample has weight 1 whatever f is: E_{π_ref}[log π] against the exact reweighted mean."""
    reference, log_policy = np.array([0.5, 0.3, 0.2]), np.log([0.2, 0.3, 0.5])
    weights = reference * np.exp([0.0, 0.5, 1.0])
    exact = weights @ log_policy / weights.sum()
    assert equations.softmax_bias(1) == pytest.approx(reference @ log_policy - exact)


def test_squared_differences_by_hand() -> None:
    """0 and 2 with chance 1/2: two draws differ half of the time, four 14/16 of it, by 2."""
    values = np.array([0.0, 2.0])
    assert equations.squared_difference_of_extremes(values, HALF, 2) == pytest.approx(2.0)
    assert equations.squared_difference_of_extremes(values, HALF, 4) == pytest.approx(4 * 14 / 16)


def test_two_boltzmann_models_agree_for_two_values_only() -> None:
    assert equations.complement_gap(np.array([-0.3, 1.1])) < 1e-12
    assert equations.complement_gap(np.array([0.0, 0.0, 1.0])) < 1e-12
    assert equations.complement_gap(np.array([0.0, 1.0, 2.0])) > 0.01


def test_largest_standard_error_is_attained_by_a_rate() -> None:
    outcomes = [np.repeat([0.0, 100.0], [100 - k, k]) for k in (27, 24)]
    errors = [stats.sem(values) for values in outcomes]
    assert equations.largest_standard_error(27, 24, 100) == pytest.approx(np.hypot(*errors))


def test_functions_by_hand() -> None:
    point = np.array([1.0, -3.0, 2.0])
    assert equations.schwefel_sum(point) == 1 + 4 + 0
    assert equations.sphere(point) == 14
    assert equations.schwefel_sine(np.full(2, 420.968746)) == pytest.approx(0, abs=1e-4)
    assert equations.schwefel_sine(np.zeros(2)) == pytest.approx(837.9658)


EXPECTED_READINGS = {
    "eq_6_filtering", "eq_9_absorbs_z", "shared_maximiser", "beta_mixed", "beta_defaults", "c_monotone_chain",
    "ipo_unbiased", "appendix_f_event", "two_boltzmann_models", "appendix_g_identity", "appendix_i_pairs",
    "table_1_similar", "table_1_improved",
}  # fmt: skip


def test_main_writes_every_witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pmpo" / "witnesses.json"
    monkeypatch.setattr("sys.argv", ["witnesses", "--output", str(path)])
    assert witnesses.main() == 0
    found = read_witnesses(path)
    assert set(found) == set(witnesses.WITNESSES)
    under_reading = {name for name, one in found.items() if one.outcome == "holds under a reading"}
    assert under_reading == EXPECTED_READINGS
    assert all(found[name].reading for name in under_reading)
    assert {one.outcome for one in found.values()} == {"holds", "holds under a reading"}


def wrong_kl(first: Any, second: Any) -> Any:
    """The divergence the other way round."""
    return equations.kl(second, first)


def wrong_objective_8(policy: Any, reference: Any, preferred: Any) -> Any:
    """Eq. 8 with KL coefficient 1 instead of 1/Z."""
    success = equations.mean(reference, preferred)
    return equations.objective_8(policy, reference, preferred) + (1 / success - 1) * equations.kl(
        reference, policy
    )


def wrong_objective_10(*arguments: Any) -> Any:
    """Eq. 10 with KL scaled by 1 − α."""
    *rest, alpha, beta = arguments
    return equations.objective_10(*rest, alpha, (1 - alpha) * beta + 0.1)


def one_less(threshold: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: threshold(*arguments) - 1


SABOTAGE: list[tuple[str, str, Callable[..., Any]]] = [
    *[(name, "kl", wrong_kl) for name in (
        "eq_2_evidence_bound", "eq_10_special_cases", "token_kl_chain", "c_1_equations", "c_fit", "ipo_variance",
        "pmpo_loss", "evidence_identity", "appendix_g_identity", "appendix_g_reinforcement_learning",
        "appendix_g_m_step", "appendix_h_substitution", "appendix_i_objective",
    )],
    ("eq_7_complement", "condition", lambda p, v: equations.condition(p, v**2)),
    ("em_improvement", "condition", lambda p, v: equations.condition(p, 1 / v)),
    ("eq_3_e_step", "evidence_bound", lambda p, v, q: equations.evidence_bound(p, v**2, q)),
    ("eq_8_rearrangement", "objective_8", wrong_objective_8),
    ("eq_9_absorbs_z", "objective_8", wrong_objective_8),
    ("eq_9_maximiser", "objective_10", lambda *a: -equations.objective_10(*a)),
    ("eq_10_special_cases", "objective_10", wrong_objective_10),
    ("policy_terms", "objective_10", wrong_objective_10),
    ("eq_4_m_step", "evidence_bound", lambda policy, preferred, q: equations.kl(policy, q)),
    ("eq_5_weighted_likelihood", "mean", lambda p, v: equations.mean(p, v) + p[..., 0]),
    ("eq_6_filtering", "mean", lambda p, v: equations.mean(p, v) + p[..., 0]),
    ("eq_5_softmax_weights", "softmax_bias", lambda samples: 0.1),
    ("beta_reject_only", "beta_threshold", one_less(equations.beta_threshold)),
    ("beta_grows_with_rejection", "beta_threshold", lambda r, a, b, alpha: np.full(len(r), alpha)),
    ("beta_accept_only", "beta_threshold", lambda *a: -equations.beta_threshold(*a)),
    ("beta_mixed", "beta_threshold_binary", lambda p, alpha: np.asarray(2.0)),
    ("beta_in_text", "gaussian_threshold", lambda alpha, shift: 2 - 2 * alpha + shift),
    ("token_kl", "token_kl_estimates", lambda r, p: 1.1 * equations.token_kl_estimates(r, p)),
    ("c_1_argmaximum", "softmax_step", lambda v, r: equations.softmax_step(2 * v, r)),
    ("c_2_improvement", "softmax_step", lambda v, r: equations.softmax_step(-v, r)),
    ("c_monotone_chain", "exact_chain", lambda steps: [Fraction(k, k + 1) if k < 9 else Fraction(1) for k in range(steps + 1)]),
    ("ipo_unbiased", "squared_difference_of_extremes", lambda v, c, n: 1.0),
    ("ipo_variance", "squared_difference_of_extremes", lambda v, c, n: 1.0),
    ("two_boltzmann_models", "complement_gap", lambda q: 0.0),
    ("appendix_i_pairs", "accepted_among_two", equations.accepted_among_four),
    ("table_1_similar", "largest_standard_error", lambda *a: 1.0),
    ("table_1_improved", "largest_standard_error", lambda *a: 50.0),
    ("functions_optimum", "schwefel_sine", lambda x: equations.schwefel_sine(x) + 1),
    ("functions_optimum", "sphere", lambda x: -equations.sphere(x)),
    ("shared_maximiser", "problems", lambda: _relabelled()),
    ("ipo_loss_form", "varies", lambda values: 1.0),
    ("appendix_f_event", "special", None),
]  # fmt: skip


def _relabelled() -> equations.Problems:
    """Problems whose reference is not the one that the labelled responses came from."""
    given = equations.problems()
    wrong = equations.problems(seed=3)
    for name in ("success", "accepted", "rejected"):
        given.__dict__[name] = getattr(wrong, name)
    return given


class _Uniform:
    """scipy.special whose softmax ignores its argument."""

    @staticmethod
    def softmax(values: Any) -> Any:
        return np.full(len(values), 1 / len(values))


@pytest.mark.parametrize(("name", "function", "broken"), SABOTAGE)
def test_a_witness_fails_where_an_equation_is_wrong(
    name: str, function: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert witnesses.WITNESSES[name]().outcome != "fails"
    monkeypatch.setattr(witnesses, function, _Uniform if broken is None else broken)
    assert witnesses.WITNESSES[name]().outcome == "fails"


def test_defaults_that_violate_the_bound_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**witnesses.DEFAULT_BETA, "accept and reject": (0.5, 0.4)}
    monkeypatch.setattr(witnesses, "DEFAULT_BETA", changed)
    assert witnesses.beta_defaults().outcome == "fails"
    changed["accept and reject"] = (0.5, 0.6)
    assert witnesses.beta_defaults().outcome == "holds"


def test_every_witness_has_been_broken() -> None:
    assert {name for name, _, _ in SABOTAGE} | {"beta_defaults"} == set(witnesses.WITNESSES)


def test_claims_name_the_witnesses_that_there_are() -> None:
    named = {claim.witness for claim in load_claims(FOLDER) if claim.witness}
    assert named == set(witnesses.WITNESSES)


def test_table_1_is_the_claims_table() -> None:
    printed = {
        claim.method: float(claim.reported.value)
        for claim in load_claims(FOLDER)
        if claim.place == "Table 1" and claim.kind == "mean"
    }
    assert printed == witnesses.TABLE_1
    assert {claim.n for claim in load_claims(FOLDER) if claim.kind == "mean"} == {
        witnesses.EPISODES
    }


def test_the_other_files_can_be_read() -> None:
    assert read_yaml(FOLDER / "paper.yaml", Paper).short == "PMPO"
    silent = [entry.item for entry in read_specification(FOLDER) if entry.stated is None]
    assert {"Learning rate", "Environment steps", "Seeds"} <= set(silent)
    assert all(skip.quotes for skip in read_skips(FOLDER))
