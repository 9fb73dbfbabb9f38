"""PrefPoE's theory: every number against a value worked out by hand or by another routine of scipy."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import LinearConstraint, approx_fprime, minimize
from scipy.special import softmax

from analysis.audit.witness import read_witnesses
from paper_figures.prefpoe import witnesses
from paper_figures.prefpoe.witnesses import (
    ADVANTAGE,
    ALPHA,
    BETA,
    UNIFORM,
    WITNESSES,
    Floats,
    advantage_gains,
    approaching_reduces,
    best_on_simplex,
    boltzmann,
    covariances,
    entropy,
    fuse,
    gaussian_loss,
    loss_as_written,
    loss_of_proof,
    minimiser,
    plain_bound,
    product,
    score_gradient,
    search,
    tail_slope,
    trace,
    unbounded_problems,
    vanishing,
    weighted_bound,
)

LIFTED = np.array([2.0, 1.0, 0.0])
ONE = np.ones((1, 1, 1))


# Theorem 1


def test_boltzmann_of_three_advantages() -> None:
    weights = np.array([math.e, 1, 1 / math.e])
    np.testing.assert_allclose(boltzmann(ADVANTAGE, 1.0), weights / 4.086161269630487)
    assert boltzmann(ADVANTAGE, 0.0) == pytest.approx(UNIFORM)


def test_eq_2_and_eq_21_at_the_uniform_policy() -> None:
    # The advantages sum to 0, so only the entropy, log 3, is left.
    assert loss_as_written(UNIFORM, ADVANTAGE) == pytest.approx(-0.2 * math.log(3))
    assert loss_as_written(UNIFORM, ADVANTAGE, sign=1) == pytest.approx(0.2 * math.log(3))
    assert loss_of_proof(UNIFORM, ADVANTAGE) == pytest.approx(-0.2 * math.log(3))
    assert loss_of_proof(np.array([1.0, 0.0, 0.0]), ADVANTAGE) == pytest.approx(-0.2)


def test_eq_2_along_the_vanishing_policies_by_hand() -> None:
    small = 1e-10
    rest = (1 - small) / 2
    entropy_by_hand = -2 * rest * math.log(rest) - small * math.log(small)
    expected = -0.2 / 3 * (math.log(rest) - math.log(small)) - 0.2 * entropy_by_hand
    assert loss_as_written(vanishing(3, 2, small), ADVANTAGE) == pytest.approx(expected)


def test_only_a_negative_advantage_makes_eq_2_fall_for_ever() -> None:
    def written(policy: Floats) -> float:
        return loss_as_written(policy, ADVANTAGE)

    def lifted(policy: Floats) -> float:
        return loss_as_written(policy, LIFTED)

    assert tail_slope(written, 3) == pytest.approx(BETA / 3)  # β₁ q |A|, q = 1/3
    assert tail_slope(lifted, 3) == pytest.approx(0, abs=1e-12)
    assert tail_slope(lambda policy: loss_of_proof(policy, ADVANTAGE), 3) <= 1e-12
    assert unbounded_problems(True, 50) == 50
    assert unbounded_problems(False, 50) == 0


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (0.5, 2.0), (-3.0, 0.7)])
def test_gaussian_loss_is_what_scipy_says(mean: float, std: float) -> None:
    policy = stats.norm(mean, std)
    weighted = (policy.logpdf(1) - policy.logpdf(-1)) / 2
    expected = -BETA * weighted - ALPHA * policy.entropy()
    assert gaussian_loss(mean, std) == pytest.approx(expected)
    closed = -BETA * mean / std**2 - ALPHA * (0.5 * math.log(2 * math.pi * math.e) + math.log(std))
    assert gaussian_loss(mean, std) == pytest.approx(closed)


def test_minimiser_agrees_with_a_constrained_solver_and_the_stationarity_condition() -> None:
    found = minimiser(lambda policy: loss_as_written(policy, LIFTED), 3)
    # −β q A / p + α (1 + log p) is the same for every action at a minimum on the simplex.
    multipliers = -BETA / 3 * LIFTED / found + ALPHA * (1 + np.log(found))
    np.testing.assert_allclose(multipliers, multipliers[0], atol=1e-6)
    other = minimize(
        lambda policy: loss_as_written(policy, LIFTED),
        UNIFORM,
        bounds=[(1e-9, 1)] * 3,
        constraints=LinearConstraint(np.ones(3), 1, 1),
        tol=1e-12,
    )
    np.testing.assert_allclose(found, other.x, atol=1e-4)


def test_minimum_of_eq_21_is_minus_alpha_log_z() -> None:
    found = minimiser(lambda policy: loss_of_proof(policy, ADVANTAGE), 3)
    np.testing.assert_allclose(found, boltzmann(ADVANTAGE, BETA / ALPHA), atol=1e-6)
    expected = -0.2 * math.log(math.e + 1 + 1 / math.e)
    assert loss_of_proof(found, ADVANTAGE) == pytest.approx(expected)
    grid = best_on_simplex(lambda policy: loss_of_proof(policy, ADVANTAGE))
    np.testing.assert_allclose(grid, found, atol=0.01)


@pytest.mark.parametrize("data", [UNIFORM, np.array([0.2, 0.3, 0.5])])
def test_score_gradient_is_the_derivative_of_eq_2(data: Floats) -> None:
    logits = np.array([0.3, -0.2, 0.5])
    numeric = approx_fprime(logits, lambda x: loss_as_written(softmax(x), ADVANTAGE, data), 1e-7)
    analytic = score_gradient(softmax(logits), ADVANTAGE, data)
    assert analytic == pytest.approx(float(np.linalg.norm(numeric)), rel=1e-5)


def test_with_its_own_actions_eq_2_is_stationary_at_the_boltzmann_distribution_only() -> None:
    target = boltzmann(ADVANTAGE, BETA / ALPHA)
    assert score_gradient(target, ADVANTAGE, target) < 1e-15
    assert score_gradient(UNIFORM, ADVANTAGE, UNIFORM) > 0.01


def test_partition_function_grows_with_the_set_of_actions() -> None:
    # One period of exp(cos 2πa) is the modified Bessel function I₀(1) = 1.2660658777520084.
    assert witnesses.boltzmann_mass(5.0) == pytest.approx(10 * 1.2660658777520084)
    assert witnesses.boltzmann_mass(10.0) == pytest.approx(20 * 1.2660658777520084)


def test_the_other_sign_of_the_entropy_leads_to_the_greedy_policy() -> None:
    numbers = WITNESSES["entropy_sign"]().numbers
    assert numbers["minimiser with +αH on a grid of the simplex"] == "(1.0000, 0.0000, 0.0000)"
    assert numbers["Eq. 16 − Eq. 2 at the uniform policy"] == pytest.approx(0.4 * math.log(3))


def test_eq_12_differs_from_eq_11_by_entropy_against_cross_entropy() -> None:
    numbers = WITNESSES["eq_12_equivalent"]().numbers
    data = np.array([0.05, 0.15, 0.8])
    for name, policy in (("first", [0.5, 0.3, 0.2]), ("second", [0.8, 0.15, 0.05])):
        cross = float(-data @ np.log(policy))
        expected = 0.2 * (stats.entropy(policy) - cross)
        assert numbers[f"difference for the {name} policy"] == pytest.approx(expected)
    # 0.2 (−p₂ log p₂) + 0.4 (−p₃ log p₃) peaks at p₂ = p₃ = 1/e; the first action takes the rest.
    expected_best = "(0.2642, 0.3679, 0.3679)"
    assert numbers["maximiser of Eq. 12, actions from π_pref itself"] == expected_best


# Expected advantages and categorical products


def test_boltzmann_never_loses_advantage_and_its_inverse_always_does() -> None:
    assert advantage_gains(1.0, 200).min() >= 0
    assert advantage_gains(-1.0, 200).max() <= 0
    np.testing.assert_allclose(advantage_gains(0.0, 20), 0, atol=1e-12)


def test_expected_advantages_by_hand() -> None:
    numbers = WITNESSES["eq_31_expected_advantage"]().numbers
    expected = (math.e - 1 / math.e) / (math.e + 1 + 1 / math.e)
    assert numbers["A = (1, 0, −1), β₁/α = 1: E_pref[A]"] == pytest.approx(expected)
    # The data's mean of (1, 0, −1) is 0.7, which centring takes off every advantage.
    uniform = numbers["A of mean 0 over data (0.8, 0.1, 0.1): E_uniform[A]"]
    assert uniform == pytest.approx(-0.7)
    shifted = numbers["A of mean 0 over data (0.8, 0.1, 0.1): E_pref[A]"]
    assert shifted == pytest.approx(expected - 0.7)
    weights = np.array([0.05 * math.exp(0.4), 0.15, 0.8 * math.exp(-0.4)])
    fused = WITNESSES["fused_expected_advantage"]().numbers[
        "π_θ = (0.05, 0.15, 0.8), A = (1, 0, −1): E_fused[A]"
    ]
    assert fused == pytest.approx((weights[0] - weights[2]) / weights.sum())


def test_product_of_categorical_experts_that_disagree() -> None:
    fused = product(np.array([0.9, 0.1]), np.array([0.1, 0.9]), 0.4)
    assert fused[0] == pytest.approx(9**0.6 / (1 + 9**0.6))
    assert entropy(fused) == pytest.approx(stats.entropy(fused))
    assert entropy(fused) > entropy(np.array([0.9, 0.1]))


# Theorem 2


def test_fusing_diagonal_covariances_adds_precisions() -> None:
    main, preference = np.diag([4.0, 1.0])[None], np.diag([1.0, 0.5])[None]
    expected = np.diag([1 / (0.25 + 0.5), 1 / (1 + 1)])
    np.testing.assert_allclose(fuse(main, preference, 0.5)[0], expected)
    assert trace(fuse(main, preference, 0.5)) == pytest.approx([4 / 3 + 1 / 2])


def test_bounds_of_one_pair() -> None:
    weight = np.array([0.5])
    assert plain_bound(4 * ONE, ONE, weight) == pytest.approx([1.0])
    assert weighted_bound(4 * ONE, ONE, weight) == pytest.approx([2.0])
    assert trace(fuse(4 * ONE, ONE, weight)) == pytest.approx([4 / 3])


@pytest.mark.parametrize("diagonal", [True, False])
def test_random_covariances_have_the_eigenvalues_that_they_promise(diagonal: bool) -> None:
    found = covariances(np.random.default_rng(0), 50, 3, diagonal)
    np.testing.assert_allclose(found, found.transpose(0, 2, 1), atol=1e-12)
    values = np.linalg.eigvalsh(found)
    assert values.min() > 0.0099
    assert values.max() < 100.01


@pytest.mark.parametrize("diagonal", [True, False])
def test_the_search_finds_a_violation_exactly_where_there_can_be_one(diagonal: bool) -> None:
    assert search(plain_bound, (0.001, 0.999), diagonal, 200).violations > 0
    assert search(plain_bound, (1.0, 3.0), diagonal, 200).violations == 0
    assert search(weighted_bound, (0.001, 3.0), diagonal, 200).violations == 0

    def too_low(main: Floats, preference: Floats, weight: Floats) -> Floats:
        return weighted_bound(main, preference, weight) / 2

    found = search(too_low, (0.5, 0.5), diagonal, 200)
    assert found.tried == 600
    assert 0 < found.violations < 600
    assert found.worst > 0


def test_outcomes_follow_from_what_the_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("trace_bound_eq_5", "trace_bound_theorem_2", "trace_bound_eq_38")
    assert [WITNESSES[name]().outcome for name in names] == ["fails", "holds", "fails"]
    monkeypatch.setattr(witnesses, "fuse", lambda main, preference, weight: 0.001 * ONE)
    assert [WITNESSES[name]().outcome for name in names] == ["holds", "holds", "holds"]
    monkeypatch.setattr(witnesses, "fuse", lambda main, preference, weight: 2 * main)
    assert [WITNESSES[name]().outcome for name in names] == ["fails", "fails", "fails"]
    assert WITNESSES["eq_40_entropy"]().outcome == "fails"
    assert WITNESSES["eq_39_fused_variance"]().outcome == "fails"
    monkeypatch.setattr(witnesses, "fuse", lambda main, preference, weight: -main)
    assert WITNESSES["theorem_2_positive_definite"]().outcome == "fails"


def test_entropy_of_two_unit_gaussians_falls_by_half_log_three_halves() -> None:
    numbers = WITNESSES["eq_40_entropy"]().numbers
    drop = stats.norm(0, 1).entropy() - stats.norm(0, 1.5**-0.5).entropy()
    name = "σ² = 1 and 1, λ = 0.5: H(π_main) − H(π_fused) = ½ log 1.5"
    assert numbers[name] == pytest.approx(drop)


@pytest.mark.parametrize("weight", [0.2, 1.0, 2.5])
def test_similar_variances_reduce_against_the_smaller_one_only(weight: float) -> None:
    # σ² = 1 / (1 + λ/v): from v = 1/4 to 1 it rises, but σ² / v = 1 / (v + λ) falls.
    assert not approaching_reduces(weight, smaller=False)
    assert approaching_reduces(weight, smaller=True)


# All of them


OUTCOMES = {
    "theorem_1_bounded": "holds under a reading",
    "theorem_1_minimiser": "fails",
    "entropy_sign": "fails",
    "discrete_boltzmann": "fails",
    "eq_12_equivalent": "holds under a reading",
    "eq_31_expected_advantage": "holds",
    "fused_expected_advantage": "holds under a reading",
    "discrete_variance_reduction": "holds under a reading",
    "theorem_2_positive_definite": "holds",
    "trace_bound_eq_5": "fails",
    "trace_bound_theorem_2": "holds",
    "trace_bound_eq_38": "fails",
    "eq_39_fused_variance": "holds",
    "eq_40_entropy": "holds",
    "variance_reduction_monotone": "holds under a reading",
    "lambda_roles": "holds under a reading",
}


def test_the_command_writes_every_witness_without_torch(tmp_path: Path) -> None:
    output = tmp_path / "folder" / "witnesses.json"
    code = (
        "import sys; from paper_figures.prefpoe.witnesses import main; "
        "code = main(sys.argv[1:]); print('torch' in sys.modules); sys.exit(code)"
    )
    command = (sys.executable, "-c", code, "--output", str(output))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    found = read_witnesses(output)
    assert {name: witness.outcome for name, witness in found.items()} == OUTCOMES
    for witness in found.values():
        assert (witness.reading is not None) == (witness.outcome == "holds under a reading")
        assert witness.numbers
