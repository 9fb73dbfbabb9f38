"""The mixture paper's witnesses against independent numbers, and that each check can come out the other way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from analysis.audit.witness import read_witnesses
from analysis.claims import load_claims
from paper_figures.mixture import witnesses as w

FOLDER = Path(w.__file__).parent


def quadrature(function, low=-30.0, high=30.0):
    return integrate.quad(function, low, high, epsabs=1e-12, limit=400, points=[-1.0, 0.0, 1.0])[0]


def torch_reward(action):
    bumps = [torch.distributions.Normal(c, 0.5).log_prob(action).exp() for c in (-1.0, 1.0)]
    return w.bandit_scale() * sum(bumps)


def torch_mixture(params):
    means, log_std, logits = params
    return torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits),
        torch.distributions.Normal(means, log_std.exp()),
    )


class TestBandit:
    def test_largest_reward_is_one(self):
        values = w.reward(np.linspace(-3, 3, 60_001))
        assert values.max() == pytest.approx(1, abs=1e-8)

    def test_slope_is_the_derivative(self):
        at = np.array([-1.2, 0.1, 0.8])
        differences = (w.reward(at + 1e-6) - w.reward(at - 1e-6)) / 2e-6
        np.testing.assert_allclose(w.reward_slope(at), differences, atol=1e-8)

    def test_needed_alpha_by_hand_and_by_quadrature(self):
        # μ = 0, v = 3: 2 c (v − 1/4)(v − 1)/v² N(1; 0, v), N(1; 0, 3) = exp(−1/6)/√(6π).
        by_hand = 2 * w.bandit_scale() * 2.75 * 2 / 9 * math.exp(-1 / 6) / math.sqrt(6 * math.pi)
        assert float(w.needed_alpha(0.0, 3.0)) == pytest.approx(by_hand)

        def expected(std):
            return quadrature(lambda a: float(w.reward(np.array(a))) * stats.norm.pdf(a, 0.6, std))

        slope = (expected(0.9001) - expected(0.8999)) / 2e-4
        assert float(w.needed_alpha(0.6, 0.25 + 0.81)) == pytest.approx(-0.9 * slope, abs=1e-6)

    def test_gaussian_points_are_stationary_and_complete(self):
        points = w.gaussian_points(0.25)
        for point in points:
            params = np.array([[point.mean], [math.log(point.std)], [0.0]])
            slopes = w.numeric_gradient(lambda p: w.objective(p, 0.25), params)
            assert np.abs(slopes).max() < 1e-6
            assert w.objective(params, 0.25) == pytest.approx(point.objective, abs=1e-6)
        # A grid over (μ, σ): every cell in which both derivatives change sign holds one of the points.
        mean, std = np.meshgrid(np.linspace(0.005, 1.6, 160), np.geomspace(0.15, 6, 160))
        expected = w.bandit_scale() * w.two_bumps(mean, std**2)
        value = expected + 0.25 * w.gaussian_entropy(std)
        best = max(p.objective for p in points)
        inner = value[1:-1, 1:-1]
        peaks = [
            inner >= value[1 + i : 159 + i, 1 + j : 159 + j] for i in (-1, 0, 1) for j in (-1, 0, 1)
        ]
        tops = inner[np.logical_and.reduce(peaks)]
        assert all(min(abs(top - p.objective) for p in points) < 1e-3 for top in tops)
        assert best > 0.9

    def test_objective_of_one_gaussian(self):
        params = np.array([[0.3], [-0.2], [0.0]])
        std = math.exp(-0.2)
        expected = quadrature(lambda a: float(w.reward(np.array(a))) * stats.norm.pdf(a, 0.3, std))
        assert w.objective(params, 0.7) == pytest.approx(
            expected + 0.7 * stats.norm.entropy(0.3, std), abs=1e-9
        )

    def test_log_density_and_gradient_agree_with_torch(self):
        params = torch.tensor(w.MIXTURE, requires_grad=True)
        grid = torch.tensor(w.GRID)
        log_prob = torch_mixture(params).log_prob(grid)
        np.testing.assert_allclose(w.log_density(w.MIXTURE, w.GRID), log_prob.detach(), atol=1e-9)
        value = (
            torch.tensor(w.STEPS) * log_prob.exp() * (torch_reward(grid) - 0.3 * log_prob)
        ).sum()
        (slopes,) = torch.autograd.grad(value, params)
        np.testing.assert_allclose(w.gradient(w.MIXTURE, 0.3), slopes, atol=1e-9)

    def test_two_mode_point_is_found_by_the_search_too(self):
        point = w.bimodal_point(0.35)
        assert point is not None
        slopes = w.numeric_gradient(lambda p: w.objective(p, 0.35), point)
        assert np.abs(slopes).max() < 1e-6
        assert w.modes(point) == 2
        best, count, expected = w.search(0.35, 5)[0]
        assert count == 2
        assert best == pytest.approx(w.objective(point, 0.35), abs=1e-6)
        assert expected == pytest.approx(w.expected_reward(point), abs=1e-3)

    def test_two_mode_point_ends(self):
        assert w.bimodal_point(0.47) is not None
        assert w.bimodal_point(0.49) is None


class TestPropositions:
    def test_tight_constant(self):
        value = integrate.quad(
            lambda b: abs(b * b - 1) * stats.norm.pdf(b), -12, 12, points=[-1, 1], limit=200
        )[0]
        assert value == pytest.approx(w.TIGHT, abs=1e-9)

    def test_3_3(self):
        assert w.proposition_3_3().outcome == "holds"
        assert w.proposition_3_3(0.97).outcome == "holds"
        assert w.proposition_3_3(0.96).outcome == "fails"

    def test_3_3_proof(self):
        assert w.proposition_3_3_proof().outcome == "fails"
        assert w.proposition_3_3_proof(divisor=1.0).outcome == "holds"
        # E[b²/2 − 1] = −1/2.
        numbers = w.proposition_3_3_proof().numbers
        assert numbers["constant reward 1, as displayed (must be 0)"] == pytest.approx(-0.5)

    def test_3_4(self):
        assert w.proposition_3_4().outcome == "holds"
        assert w.proposition_3_4(shift=0.3).outcome == "fails"

    def test_3_1(self, monkeypatch):
        assert w.proposition_3_1().outcome == "holds"
        monkeypatch.setattr(w, "gaussian_points", lambda alpha: [w.Point(9.0, 0.0, 1.0, 9.0)])
        assert w.proposition_3_1().outcome == "fails"

    def test_3_2(self, monkeypatch):
        witness = w.proposition_3_2()
        assert witness.outcome == "holds under a reading"
        # The base's optimum by brute force: the narrowest allowed Gaussian, σ = exp(1 − ½ log 2πe).
        std = math.exp(1 - stats.norm.entropy())
        means = np.linspace(0, 1.5, 3001)
        best = w.bandit_scale() * max(float(w.two_bumps(m, std**2)) for m in means)
        assert witness.numbers["optimal E[r] of the base"] == pytest.approx(best, abs=1e-4)
        monkeypatch.setattr(w, "expected_reward", lambda params: 0.0)
        assert w.proposition_3_2().outcome == "fails"

    def test_remark_3_5(self, monkeypatch):
        assert w.remark_3_5().outcome == "holds"
        monkeypatch.setattr(w, "gaussian_limit", lambda: 0.9)
        assert w.remark_3_5().outcome == "fails"


class TestNumericalStudy:
    def test_gaussian(self):
        assert w.figure_1_gaussian().outcome == "holds under a reading"
        assert w.figure_1_gaussian(first=0.305).outcome == "fails"
        assert w.gaussian_points(0.31)
        assert not w.gaussian_points(0.311)

    def test_diverges(self):
        assert w.figure_1_diverges().outcome == "holds under a reading"
        assert w.figure_1_diverges(alpha=0.3).outcome == "fails"

    def test_middle(self):
        assert w.figure_1_middle().outcome == "holds under a reading"
        assert w.figure_1_middle(low=0.24).outcome == "fails"

    def test_mixture(self):
        assert w.figure_1_mixture().outcome == "holds under a reading"
        assert w.figure_1_mixture([0.5]).outcome == "fails"

    def test_dominates(self, monkeypatch):
        assert w.figure_1_dominates().outcome == "holds under a reading"
        monkeypatch.setattr(w, "gaussian_points", lambda alpha: [w.Point(1.0, 0.0, 1.0, 0.95)])
        assert w.figure_1_dominates().outcome == "fails"

    def test_types(self, monkeypatch):
        assert w.figure_7_types().outcome == "holds under a reading"
        monkeypatch.setattr(w, "bimodal_point", lambda alpha: w.two_modes(0.1, 0.0))
        assert w.figure_7_types().outcome == "fails"

    def test_counts(self):
        assert w.entropy_scale_counts().outcome == "holds"
        assert w.entropy_scale_counts(first=6).outcome == "fails"


class TestProcess:
    def test_values_against_iteration(self):
        process = w.Process()
        rewards, entropies, moves = process.summary(w.POLICY)
        values = np.zeros(2)
        for _ in range(500):
            values = rewards + process.alpha * entropies + process.gamma * moves @ values
        np.testing.assert_allclose(process.values(w.POLICY), values)
        np.testing.assert_allclose(moves.sum(axis=1), 1, atol=1e-10)

    def test_summary_against_quadrature(self):
        process = w.Process()
        means, log_std, logits = w.POLICY[1]
        weights = np.exp(logits) / np.exp(logits).sum()

        def density(a):
            return float(weights @ stats.norm.pdf(a, means, np.exp(log_std)))

        rewards, entropies, _ = process.summary(w.POLICY)
        expected = quadrature(lambda a: density(a) * math.sin(-0.7 * a + 0.4), -12, 12)
        entropy = -quadrature(lambda a: density(a) * math.log(density(a)), -12, 12)
        assert rewards[1] == pytest.approx(expected, abs=1e-8)
        assert entropies[1] == pytest.approx(entropy, abs=1e-8)

    def test_slopes(self):
        process, at = w.Process(), np.array([-0.4, 1.1])
        for state in (0, 1):
            up = process.transition(state, at + 1e-6) - process.transition(state, at - 1e-6)
            np.testing.assert_allclose(process.transition_slope(state, at), up / 2e-6, atol=1e-8)
            gain = process.reward(state, at + 1e-6) - process.reward(state, at - 1e-6)
            np.testing.assert_allclose(process.reward_slope(state, at), gain / 2e-6, atol=1e-8)

    def test_soft_q(self):
        assert w.soft_q_definition().outcome == "holds"
        assert w.soft_q_definition(factor=1.0).outcome == "fails"

    def test_eq_2(self):
        assert w.eq_2_identity().outcome == "holds"
        assert w.eq_2_identity(entropy_term=0.0).outcome == "fails"

    def test_transition_index(self):
        assert w.transition_index().outcome == "holds under a reading"
        assert w.transition_index(lag=1).outcome == "holds"

    def test_theorem_4_3(self):
        assert w.theorem_4_3().outcome == "holds"
        assert w.theorem_4_3(q_alpha=0.0).outcome == "fails"
        assert w.theorem_b_1().outcome == "holds"


class TestEstimators:
    def test_expectation_against_torch(self):
        """The whole estimator is the gradient of Σ_k w_k E_ε[Q(f_k) − α log π(f_k)], which torch differentiates."""
        params = torch.tensor(w.MIXTURE, requires_grad=True)
        means, log_std, logits = params
        noise, mass = np.polynomial.hermite_e.hermegauss(120)
        action = means[:, None] + log_std.exp()[:, None] * torch.tensor(noise)
        inner = torch_reward(action) - 0.2 * torch_mixture(params).log_prob(action)
        expected = inner @ torch.tensor(mass / math.sqrt(2 * math.pi))
        (slopes,) = torch.autograd.grad((torch.softmax(logits, 0) * expected).sum(), params)
        parts = w.half_parts(w.MIXTURE, 0.2, w.reward, w.reward_slope)
        np.testing.assert_allclose(sum(parts), slopes, atol=1e-5)

    def test_proposition_4_5_and_eq_9(self):
        assert w.proposition_4_5().outcome == "holds"
        assert w.proposition_4_5(sign=-1.0).outcome == "fails"
        assert w.eq_9_sign().outcome == "fails"
        assert w.eq_9_sign(sign=1.0).outcome == "holds"

    def test_eq_4_eq_5(self):
        assert w.eq_4_eq_5().outcome == "holds"
        assert w.eq_4_eq_5(score_sign=-1.0).outcome == "fails"

    def test_algorithm_1(self, monkeypatch):
        assert w.algorithm_1_update().outcome == "holds under a reading"
        real = w.half_parts

        def scaled(factor):
            return lambda *given: tuple(factor * part for part in real(*given))

        monkeypatch.setattr(w, "half_parts", scaled(-1.0))
        assert w.algorithm_1_update().outcome == "holds"
        monkeypatch.setattr(w, "half_parts", scaled(2.0))
        assert w.algorithm_1_update().outcome == "fails"

    def test_eq_7(self):
        witness = w.eq_7_jacobian()
        assert witness.outcome == "holds under a reading"
        # ∫ N(atanh a) da = E[1 − tanh² u].
        expected = stats.norm(0.3, 0.8).expect(lambda u: 1 - np.tanh(u) ** 2)
        assert witness.numbers["∫ as printed da"] == pytest.approx(expected, abs=1e-6)
        assert w.eq_7_jacobian(jacobian=True).outcome == "holds"

    def test_squashed_modes(self):
        # log π = −u²/2σ² + 2 log cosh u + const: its curvature at 0 is 2 − 1/σ².
        assert w.squashed_unimodal((0.5, 0.70)).outcome == "holds"
        assert w.squashed_unimodal((0.72,)).outcome == "holds under a reading"

    def test_actor_outputs(self):
        assert w.mixture_actor_outputs().outcome == "holds"
        assert w.mixture_actor_outputs(dimensions=6).outcome == "holds under a reading"
        assert w.mixture_actor_outputs(stated=14).outcome == "fails"


class TestGumbel:
    def test_soft_sample_by_hand(self):
        logits, noise = np.log([0.5, 0.5]), np.array([0.0, math.log(3)])
        np.testing.assert_allclose(w.soft_sample(logits, noise, 1.0, True), [0.25, 0.75])
        np.testing.assert_allclose(w.soft_sample(logits, noise, 0.5, True), [0.1, 0.9])
        np.testing.assert_allclose(w.soft_sample(logits, noise, 0.5, False), [0.25, 0.75])

    def test_exponent(self):
        assert w.gumbel_exponent().outcome == "holds under a reading"
        assert w.gumbel_exponent(inside=True).outcome == "holds"

    def test_max(self, monkeypatch):
        assert w.gumbel_max().outcome == "holds"
        assert w.gumbel_max(0.8).numbers["probability"] == pytest.approx(0.8)
        monkeypatch.setattr(w, "soft_sample", lambda *given: np.zeros(2))
        assert w.gumbel_max().outcome == "fails"

    @pytest.mark.parametrize("temperature", [0.5, 1.0])
    def test_slopes_against_straight_through_samples(self, temperature):
        generator = torch.Generator().manual_seed(0)
        count = 200_000
        logits = torch.tensor(w.PAIR[2]).expand(count, 2).clone().requires_grad_()
        means, log_std = torch.tensor(w.PAIR[:2])
        uniform = torch.rand(count, 2, dtype=torch.float64, generator=generator)
        gumbel = -torch.log(-torch.log(uniform))
        scores = torch.log_softmax(logits, 1) + gumbel
        soft = torch.softmax(scores / temperature, 1)
        hard = torch.nn.functional.one_hot(scores.argmax(1), 2).double()
        noise = torch.randn(count, 2, dtype=torch.float64, generator=generator)
        action = ((hard + soft - soft.detach()) * (means + log_std.exp() * noise)).sum(1)
        components = torch.distributions.Normal(means, log_std.exp()).log_prob(action[:, None])
        log_prob = torch.logsumexp(torch.log_softmax(logits, 1) + components, 1)
        (slopes,) = torch.autograd.grad((torch_reward(action) - 0.2 * log_prob).sum(), logits)
        first = slopes[:, 0]
        mean, variance = w.gumbel_weight_slopes(0.2, temperature)
        assert mean == pytest.approx(float(first.mean()), abs=5 * math.sqrt(variance / count))
        assert variance == pytest.approx(float(first.var()), rel=0.05)

    def test_bias(self, monkeypatch):
        witness = w.gumbel_bias()
        assert witness.outcome == "holds"
        truth = float(witness.numbers["∂Ĵ/∂(logit 1)"])
        monkeypatch.setattr(w, "gumbel_weight_slopes", lambda alpha, temperature: (truth, 1.0))
        assert w.gumbel_bias().outcome == "fails"

    def test_temperature(self):
        assert w.gumbel_temperature().outcome == "holds"
        assert w.gumbel_temperature(temperatures=(10, 1)).outcome == "fails"


def test_every_witness_is_written_and_named_by_a_claim(tmp_path):
    output = tmp_path / "witnesses.json"
    assert w.main(["--output", str(output)]) == 0
    written = read_witnesses(output)
    named = {claim.witness for claim in load_claims(FOLDER) if claim.witness}
    assert set(written) == set(w.WITNESSES) == named
    for witness in written.values():
        assert witness.numbers
        assert all(math.isfinite(n) for n in witness.numbers.values() if isinstance(n, float))
        assert (witness.reading is not None) == (witness.outcome == "holds under a reading")


def test_the_argument_by_a_larger_class_needs_completing_where_j_is_unbounded():
    """J(σ) → α(½ log 2πe + log σ): from σ = 1e4 to 1e8 it grows by α · log 1e4."""
    told = w.proposition_3_1_proof()
    assert (told.outcome, told.reading) == ("holds under a reading", "completed by Proposition 3.4")
    wide = [told.numbers[f"J of a Gaussian with σ = {s:g}, α = 0.3"] for s in (1e4, 1e8)]
    assert wide[1] - wide[0] == pytest.approx(0.3 * np.log(1e4), abs=1e-3)
    assert w.proposition_3_1_proof(widths=(1e-4,)).outcome == "holds"


def test_projected_times_are_ten_runs():
    claims = {claim.id: claim for claim in load_claims(FOLDER)}
    projected = [claim for name, claim in claims.items() if "_projected." in name]
    assert len(projected) == 6
    for claim in projected:
        assert (claim.factor, claim.role("arm")) == (10, (claim.id.replace("_projected", ""),))
