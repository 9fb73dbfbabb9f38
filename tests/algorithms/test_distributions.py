"""Gaussians, categoricals and their fusion against torch.distributions, scipy and numbers by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from algorithms.distributions import Categorical, DiagonalGaussian, Discretised, Distribution


def tensor(*values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def agree(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def some_gaussian(seed: int, *shape: int) -> DiagonalGaussian:
    rng = np.random.default_rng(seed)
    std = np.exp(rng.uniform(-1.5, 1.0, shape))
    return DiagonalGaussian(torch.from_numpy(rng.normal(size=shape)), torch.from_numpy(std))


def some_categorical(seed: int, *shape: int) -> Categorical:
    return Categorical.from_logits(torch.from_numpy(np.random.default_rng(seed).normal(size=shape)))


def independent(policy: DiagonalGaussian) -> Any:
    return torch.distributions.Independent(torch.distributions.Normal(policy.mean, policy.std), 1)


@pytest.mark.parametrize("shape", [(3,), (7, 3), (2, 5, 1)])
def test_gaussian_agrees_with_torch_distributions(shape: tuple[int, ...]) -> None:
    policy, other = some_gaussian(0, *shape), some_gaussian(1, *shape)
    action = torch.from_numpy(np.random.default_rng(2).normal(size=shape))
    agree(policy.log_prob(action), independent(policy).log_prob(action))
    agree(policy.entropy(), independent(policy).entropy())
    expected = torch.distributions.kl_divergence(independent(policy), independent(other))
    agree(policy.kl(other), expected)
    assert policy.log_prob(action).shape == policy.entropy().shape == shape[:-1]


def test_gaussian_agrees_with_scipy() -> None:
    policy, action = some_gaussian(3, 4), np.array([0.3, -2.0, 1.0, 0.1])
    reference = stats.multivariate_normal(policy.mean.numpy(), np.diag(policy.std.numpy() ** 2))
    assert float(policy.log_prob(torch.from_numpy(action))) == pytest.approx(
        reference.logpdf(action), rel=1e-12
    )
    assert float(policy.entropy()) == pytest.approx(reference.entropy(), rel=1e-12)


def test_gaussian_by_hand() -> None:
    """N(1, 2²) and N(0, 1): KL = −ln 2 + (4 + 1)/2 − ½."""
    wide, unit = DiagonalGaussian(tensor(1), tensor(2)), DiagonalGaussian(tensor(0), tensor(1))
    assert float(wide.kl(unit)) == pytest.approx(2 - math.log(2))
    assert float(unit.kl(wide)) == pytest.approx(math.log(2) + 2 / 8 - 0.5)
    assert float(unit.log_prob(tensor(0))) == pytest.approx(-0.9189385332046727)
    assert float(unit.entropy()) == pytest.approx(1.4189385332046727)
    assert wide.sample(tensor(-1.5)).tolist() == [-2.0]
    assert wide.mode().tolist() == [1.0]


@pytest.mark.parametrize("shape", [(3,), (7, 4), (2, 5, 2)])
def test_categorical_agrees_with_torch_distributions(shape: tuple[int, ...]) -> None:
    policy, other = some_categorical(0, *shape), some_categorical(1, *shape)
    theirs: Any = torch.distributions.Categorical(logits=policy.log_probs)
    action = torch.from_numpy(np.random.default_rng(2).integers(shape[-1], size=shape[:-1]))
    agree(policy.log_prob(action), theirs.log_prob(action))
    agree(policy.entropy(), theirs.entropy())
    expected = torch.distributions.kl_divergence(
        theirs, torch.distributions.Categorical(logits=other.log_probs)
    )
    agree(policy.kl(other), expected)
    torch.testing.assert_close(policy.mode(), theirs.probs.argmax(-1))
    assert policy.log_prob(action).shape == policy.entropy().shape == shape[:-1]


def test_categorical_agrees_with_scipy() -> None:
    policy, other = some_categorical(4, 5), some_categorical(5, 5)
    p, q = policy.log_probs.exp().numpy(), other.log_probs.exp().numpy()
    assert p.sum() == pytest.approx(1, rel=1e-12)
    assert float(policy.entropy()) == pytest.approx(stats.entropy(p), rel=1e-12)
    assert float(policy.kl(other)) == pytest.approx(stats.entropy(p, q), rel=1e-12)


def test_gumbel_max_draws_with_the_right_frequencies() -> None:
    """100,000 draws, χ² with 3 degrees of freedom: 1 in 1,000 fails by chance."""
    chances = np.array([0.5, 0.3, 0.15, 0.05])
    noise = torch.from_numpy(np.random.default_rng(6).gumbel(size=(100_000, 4)))
    choice = Categorical(torch.from_numpy(np.log(chances)).expand(100_000, 4)).sample(noise)
    counts = np.bincount(choice.numpy(), minlength=4)
    assert stats.chisquare(counts, 100_000 * chances).pvalue > 1e-3


def test_a_categorical_values_several_samples_of_each_state() -> None:
    policy = some_categorical(30, 6, 5)
    samples = torch.from_numpy(np.random.default_rng(31).integers(5, size=(4, 6)))
    theirs: Any = torch.distributions.Categorical(logits=policy.log_probs)
    agree(policy.log_prob(samples), theirs.log_prob(samples))


# Bins


def some_discretised(seed: int, *shape: int) -> Discretised:
    return Discretised.from_logits(torch.from_numpy(np.random.default_rng(seed).normal(size=shape)))


def bins_of(policy: Discretised) -> Any:
    choices = torch.distributions.Categorical(logits=policy.log_probs)
    return torch.distributions.Independent(choices, 1)


@pytest.mark.parametrize("bins", [2, 5, 21])
@pytest.mark.parametrize("shape", [(3,), (7, 2), (2, 5, 1)])
def test_discretised_agrees_with_torch_distributions(shape: tuple[int, ...], bins: int) -> None:
    """Three samples of each state; an action is the value of its bin."""
    policy, other = some_discretised(12, *shape, bins), some_discretised(13, *shape, bins)
    choice = torch.from_numpy(np.random.default_rng(14).integers(bins, size=(3, *shape)))
    value = torch.linspace(-1, 1, bins, dtype=torch.float64)
    agree(policy.log_prob(value[choice]), bins_of(policy).log_prob(choice))
    agree(policy.entropy(), bins_of(policy).entropy())
    apart = torch.distributions.kl_divergence(bins_of(policy).base_dist, bins_of(other).base_dist)
    agree(policy.kl_by_dimension(other), apart)
    agree(policy.kl(other), apart.sum(-1))
    agree(policy.mode(), value[bins_of(policy).base_dist.probs.argmax(-1)])
    assert policy.log_prob(value[choice]).shape == (3, *shape[:-1])
    assert policy.entropy().shape == policy.kl(other).shape == shape[:-1]
    noise = torch.from_numpy(np.random.default_rng(15).gumbel(size=(3, *shape, bins)))
    agree(policy.sample(noise), value[(policy.log_probs + noise).argmax(-1)])


def test_an_action_counts_as_the_nearest_bin_and_a_far_one_as_the_end() -> None:
    """Five bins: −1, −½, 0, ½, 1, with probabilities 1/15 to 5/15."""
    policy = Discretised(tensor(*np.log(np.arange(1, 6) / 15)).unsqueeze(0))
    chances = {-7.0: 1, -1.0: 1, -0.76: 1, -0.74: 2, -0.3: 2, -0.2: 3, 0.24: 3, 0.26: 4, 9.0: 5}
    for action, expected in chances.items():
        assert float(policy.log_prob(tensor(action)).exp()) == pytest.approx(expected / 15)
    assert policy.mode().tolist() == [1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bins", [2, 3, 21, 51])
def test_a_sampled_value_lies_in_its_own_bin(bins: int, dtype: torch.dtype) -> None:
    policy = Discretised.from_logits(torch.linspace(-2, 2, bins, dtype=dtype).unsqueeze(0))
    noise = torch.full((bins, 1, bins), -torch.inf, dtype=dtype)
    noise[torch.arange(bins), 0, torch.arange(bins)] = 0.0
    torch.testing.assert_close(policy.log_prob(policy.sample(noise)), policy.log_probs[0])


def test_bins_are_drawn_with_the_right_frequencies() -> None:
    """50,000 draws of two independent dimensions, χ² with 24 degrees of freedom over all pairs: 1 in 1,000 fails by chance."""
    policy = some_discretised(16, 2, 5)
    noise = torch.from_numpy(np.random.default_rng(17).gumbel(size=(50_000, 2, 5)))
    drawn = ((policy.sample(noise) + 1) * 2).round().long()
    counts = np.bincount((5 * drawn[:, 0] + drawn[:, 1]).numpy(), minlength=25)
    chances = policy.log_probs.exp()
    expected = 50_000 * (chances[0, :, None] * chances[1]).flatten().numpy()
    assert stats.chisquare(counts, expected).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["gaussian", "categorical", "discretised"])
def test_divergences_against_monte_carlo(kind: str) -> None:
    """Four states, 100,000 samples each, five standard errors; of 12 comparisons, 1 in 140,000 fails by chance."""
    rng, count = np.random.default_rng(18), 100_000
    first: Distribution
    second: Distribution
    if kind == "gaussian":
        first, second = some_gaussian(19, 4, 3), some_gaussian(20, 4, 3)
        noise = rng.normal(size=(count, 4, 3))
    elif kind == "categorical":
        first, second = some_categorical(21, 4, 6), some_categorical(22, 4, 6)
        noise = rng.gumbel(size=(count, 4, 6))
    else:
        first, second = some_discretised(23, 4, 2, 6), some_discretised(24, 4, 2, 6)
        noise = rng.gumbel(size=(count, 4, 2, 6))
    samples = first.sample(torch.from_numpy(noise))
    ratio = first.log_prob(samples) - second.log_prob(samples)
    error = ratio.std(0) / math.sqrt(count)
    assert error.max() < 0.1
    assert ((ratio.mean(0) - first.kl(second)).abs() < 5 * error).all()
    assert (first.kl(second) > 20 * error).all()


def test_divergences_of_each_dimension_are_those_of_gaussians_of_one() -> None:
    first, second = some_gaussian(25, 7, 3), some_gaussian(26, 7, 3)
    apart = first.kl_by_dimension(second)
    assert apart.shape == (7, 3)
    for axis in range(3):
        one, other = (
            DiagonalGaussian(x.mean[:, axis : axis + 1], x.std[:, axis : axis + 1])
            for x in (first, second)
        )
        agree(
            apart[:, axis], torch.distributions.kl_divergence(independent(one), independent(other))
        )
    agree(first.kl(second), apart.sum(-1))


@pytest.mark.parametrize("kind", ["gaussian", "discretised"])
def test_a_constant_has_no_gradient(kind: str) -> None:
    raw = torch.ones(2, 3).double().requires_grad_()
    policy = (
        DiagonalGaussian(raw, raw.exp()) if kind == "gaussian" else Discretised.from_logits(raw)
    )
    assert policy.entropy().requires_grad
    assert not policy.detach().entropy().requires_grad


# Fusion


@pytest.mark.parametrize("weight", [0.2, 0.4, 1.0, 3.0])
def test_gaussian_product_is_the_normalised_product_of_densities(weight: float) -> None:
    """Eq. 5 against π_θ · π_pref^λ normalised by the trapezoid rule, for each of three dimensions."""
    main, other = some_gaussian(7, 3), some_gaussian(8, 3)
    fused = main.product(other, tensor(weight))
    grid = np.linspace(-25, 25, 200_001)
    for axis in range(3):
        first, second = (
            stats.norm(float(policy.mean[axis]), float(policy.std[axis])).logpdf(grid)
            for policy in (main, other)
        )
        density = np.exp(first + weight * second)
        density /= np.trapezoid(density, grid)
        mean = np.trapezoid(grid * density, grid)
        variance = np.trapezoid((grid - mean) ** 2 * density, grid)
        assert float(fused.mean[axis]) == pytest.approx(mean, abs=1e-9)
        assert float(fused.std[axis]) == pytest.approx(math.sqrt(variance), rel=1e-9)
        expected = stats.norm(float(fused.mean[axis]), float(fused.std[axis])).pdf(grid)
        np.testing.assert_allclose(density, expected, rtol=0, atol=1e-9)


def test_gaussian_product_by_hand() -> None:
    """Eq. 39: unit variances and λ = 0.5 give σ = 1/√1.5 ≈ 0.816. Below, precisions 1/4 + 3 · 1 = 13/4."""
    unit = DiagonalGaussian(tensor(0), tensor(1))
    assert round(float(unit.product(unit, tensor(0.5)).std), 3) == 0.816
    fused = DiagonalGaussian(tensor(2), tensor(2)).product(
        DiagonalGaussian(tensor(-1), tensor(1)), tensor(3)
    )
    assert float(fused.std) ** 2 == pytest.approx(4 / 13)
    assert float(fused.mean) == pytest.approx(4 / 13 * (0.25 * 2 - 3))


def test_epsilon_widens_both_experts() -> None:
    """ε = 1 on two unit variances: precisions ½ and ½ · λ; λ = 1 gives variance 1 and the middle mean."""
    first, second = (DiagonalGaussian(tensor(mean), tensor(1)) for mean in (0, 4))
    fused = first.product(second, tensor(1), epsilon=1.0)
    assert (float(fused.std), float(fused.mean)) == (1.0, 2.0)
    small = first.product(second, tensor(1), epsilon=1e-8)
    assert float(small.std) ** 2 == pytest.approx((1 + 1e-8) / 2, rel=1e-14)


axis = st.tuples(st.floats(-3, 3), st.floats(1e-3, 10), st.floats(-3, 3), st.floats(1e-3, 10))


@settings(deadline=None, derandomize=True)
@given(st.lists(axis, min_size=1, max_size=8), st.floats(1e-2, 10))
def test_fused_trace_obeys_theorem_2(
    axes: list[tuple[float, float, float, float]], weight: float
) -> None:
    """tr Σ_fused ≤ min(tr Σ_θ, λ⁻¹ tr Σ_pref), and each fused mean lies between the experts' means."""
    mean, std, other_mean, other_std = (tensor(*column) for column in zip(*axes, strict=True))
    main, other = DiagonalGaussian(mean, std), DiagonalGaussian(other_mean, other_std)
    fused = main.product(other, tensor(weight)[0])
    trace = float(fused.std.square().sum())
    assert trace > 0
    assert trace <= float(std.square().sum()) * (1 + 1e-12)
    assert trace <= float(other_std.square().sum()) / weight * (1 + 1e-12)
    slack = 1e-12
    assert (fused.mean >= torch.minimum(mean, other_mean) - slack).all()
    assert (fused.mean <= torch.maximum(mean, other_mean) + slack).all()


def test_categorical_product_by_hand() -> None:
    """Eq. 7: p = (½, ¼, ¼), q = (¼, ½, ¼). λ = 1: (2, 2, 1)/5. λ = 2: (½·¹⁄₁₆, ¼·¼, ¼·¹⁄₁₆) = (2, 4, 1)/7."""
    p, q = (Categorical(tensor(*c).log()) for c in ((0.5, 0.25, 0.25), (0.25, 0.5, 0.25)))
    for weight, expected in ((1, (0.4, 0.4, 0.2)), (2, (2 / 7, 4 / 7, 1 / 7))):
        fused = p.product(q, tensor(weight))
        agree(fused.log_probs.exp(), tensor(*expected))


@pytest.mark.parametrize("weight", [0.4, 1.0, 2.5])
def test_categorical_product_by_brute_force(weight: float) -> None:
    p, q = some_categorical(9, 6, 5), some_categorical(10, 6, 5)
    raw = p.log_probs.exp().numpy() * q.log_probs.exp().numpy() ** weight
    fused = p.product(q, tensor(weight)).log_probs.exp().numpy()
    np.testing.assert_allclose(fused, raw / raw.sum(-1, keepdims=True), rtol=1e-12)


def test_averages_by_hand() -> None:
    gaussian = DiagonalGaussian(tensor(1, 0), tensor(0.5, 2)).average(
        DiagonalGaussian(tensor(3, -1), tensor(1.5, 1))
    )
    assert gaussian.mean.tolist() == [2.0, -0.5]
    assert gaussian.std.tolist() == [1.0, 1.5]
    p, q = (Categorical(tensor(*c).log()) for c in ((0.7, 0.2, 0.1), (0.1, 0.2, 0.7)))
    agree(p.average(q).log_probs.exp(), tensor(0.4, 0.2, 0.4))


def test_average_of_impossible_choices_stays_finite() -> None:
    """Probabilities of e^−1000 underflow; their logarithms do not."""
    p = Categorical.from_logits(tensor(0.0, -1000.0, -1000.0))
    q = Categorical.from_logits(tensor(-1000.0, 0.0, -1000.0))
    expected = tensor(-math.log(2), -math.log(2), -1000.0)
    torch.testing.assert_close(p.average(q).log_probs, expected)


def test_clamp_std() -> None:
    policy = DiagonalGaussian(tensor(5, 6, 7), tensor(1e-5, 0.7, 9))
    clamped = policy.clamp_std((1e-3, 2.0))
    assert clamped.std.tolist() == [1e-3, 0.7, 2.0]
    assert clamped.mean.tolist() == [5.0, 6.0, 7.0]
    assert policy.clamp_std(None) is policy
    choice = some_categorical(11, 3)
    assert choice.clamp_std((1e-3, 2.0)) is choice


def test_policies_over_other_actions_are_refused() -> None:
    """A reference with one dimension is not broadcast over the policy's three."""
    one, three = (DiagonalGaussian(torch.zeros(4, n), torch.ones(4, n)) for n in (1, 3))
    with pytest.raises(ValueError, match=r"shapes \(1,\) and \(3,\); allowed: the same"):
        one.kl(three)
    few, many = (Discretised.from_logits(torch.zeros(4, n, 5)) for n in (1, 3))
    with pytest.raises(ValueError, match=r"shapes \(1, 5\) and \(3, 5\)"):
        few.kl(many)
