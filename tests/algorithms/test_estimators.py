"""Gradient estimators against the exact gradient of Ĵ on a bandit with one action dimension.

Expectations are taken twice: by quadrature over the noise, to rounding, and from samples with intervals. Forms that
are wrong in one place are put to the same tests, to show what these would notice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.func import grad, vmap

from algorithms.estimator_rules import Base, EstimatorName
from algorithms.estimators import (
    ESTIMATORS,
    Blend,
    Draw,
    Estimate,
    Estimator,
    Objective,
    baseline,
    half,
    likelihood,
    reparameterized,
    straight_through,
)
from algorithms.policies import Head, Mixture, Noise, log_tanh_jacobian, standard_log_density
from benchmarks.estimators import (
    ALPHA,
    COMPONENTS,
    POLICY,
    critic,
    estimates,
    exact_gradient,
    exact_objective,
    fresh_noise,
    mixture,
    moments,
)

BASES = get_args(Base)
CONFIDENCE = 0.999
"""Of all intervals of one test together (Bonferroni)."""
SAMPLES, BASELINE = 600_000, 3
OBJECTIVE = Objective(critic, ALPHA)
Shape = Callable[[Tensor], Mixture]


def agree(actual: Tensor, expected: Tensor, tolerance: float = 1e-7) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


def per_sample(
    form: Estimator, shape: Shape, objective: Objective = OBJECTIVE
) -> Callable[[Tensor, Noise, Noise], Tensor]:
    """Estimates [B, 3, N] for parameters [B, 3, N] and noise."""

    def gradients(parameters: Tensor, noise: Noise, baseline: Noise) -> Tensor:
        leaf = parameters.clone().requires_grad_()
        estimate = form(shape(leaf), Draw(noise, baseline), objective)
        found = torch.autograd.grad(estimate.surrogate.sum(), leaf, allow_unused=True)[0]
        return torch.zeros_like(leaf) if found is None else found

    return gradients


def standard_nodes(base: Base) -> tuple[Tensor, Tensor]:
    """Nodes and weights of an expectation over the standard noise of that base: [E]."""
    if base == "normal":
        t = torch.linspace(-10, 10, 2001, dtype=torch.float64)
        return t, (-0.5 * t.square()).exp() / math.sqrt(2 * math.pi) * (t[1] - t[0])
    t = torch.linspace(-40, 40, 4001, dtype=torch.float64)
    return t.sinh(), (t[1] - t[0]) / (math.pi * t.cosh())


def expectation(
    form: Estimator, parameters: Tensor, base: Base, shape: Shape, objective: Objective = OBJECTIVE
) -> Tensor:
    """E of an estimator in which the Gumbel noise only chooses the component: [3, N]."""
    nodes, weights = standard_nodes(base)
    components = parameters.shape[-1]
    shares = shape(parameters).log_weights.exp()
    head = Head(components, 1, (-20, 2), base)
    one = fresh_noise(head, np.random.default_rng(5), BASELINE, 1)
    total = torch.zeros_like(parameters)
    for k in range(components):
        choice = torch.zeros(len(nodes), components, dtype=torch.float64)
        choice[:, k] = 100.0
        expanded = parameters.expand(len(nodes), *parameters.shape)
        noise = Noise(choice, nodes.unsqueeze(-1))
        slopes = per_sample(form, shape, objective)(expanded, noise, one)
        total = total + shares[k] * (weights[:, None, None] * slopes).sum(0)
    return total


def shaped(base: Base) -> Shape:
    return lambda parameters: mixture(parameters, base)


def uniform(base: Base) -> Shape:
    def shape(parameters: Tensor) -> Mixture:
        made = mixture(parameters, base)
        return replace(made, log_weights=torch.full_like(made.log_weights, -math.log(COMPONENTS)))

    return shape


# Forms that are wrong in one place


def minus(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """Eq. 9 as it is printed."""
    whole, path = half(policy, draw, objective), reparameterized(policy, draw, objective)
    return whole._replace(surrogate=whole.surrogate - 2 * path.surrogate)


def no_score(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """The path alone, although the weights are learned."""
    return reparameterized(policy, draw, objective)


def no_path_in_log_prob(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """log π sees the action as a constant."""
    action = policy.sample(draw.action)
    log_prob = policy.log_prob(action.detach())
    target = objective.q(action.value) - objective.alpha * log_prob
    score = policy.log_weight(action) * target.detach()
    return Estimate(score + target, target, log_prob)


def own_baseline(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """The sampled action is its own baseline."""
    return half(policy, Draw(draw.action, Noise(*(n[None] for n in draw.action))), objective)


class _WithoutJacobian(Mixture):
    def _log_density(self, origin: Tensor, offset: Tensor) -> Tensor:
        return super()._log_density(origin, offset) + log_tanh_jacobian(origin + offset).sum(-1)


def one_component(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """log π is that of the drawn component, not of the mixture."""
    action = policy.sample(draw.action)
    scale = (action.component.unsqueeze(-1) * policy.scale).sum(-2)
    base = standard_log_density(policy.base, action.offset / scale) - scale.log()
    log_prob = (base - log_tanh_jacobian(action.unsquashed)).sum(-1)
    target = objective.q(action.value) - objective.alpha * log_prob
    score = policy.log_weight(action) * target.detach()
    return Estimate(score + target, target, log_prob)


def _as(kind: type[Mixture], form: Estimator) -> Estimator:
    def changed(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
        return form(kind(**vars(policy)), draw, objective)

    return changed


def no_entropy_weight(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """The score is weighted with Q − V_b alone."""
    return likelihood(policy, draw, objective._replace(alpha=0.0))


WRONG: dict[str, Estimator] = {
    "Eq. 9 with its minus": minus,
    "half without its score": no_score,
    "half without the action's path in log π": no_path_in_log_prob,
    "half with its own action as baseline": own_baseline,
    "half without the Jacobian": _as(_WithoutJacobian, half),
    "half with one component's density": one_component,
    "likelihood without the Jacobian": _as(_WithoutJacobian, likelihood),
    "likelihood without α log π": no_entropy_weight,
}


# The exact gradient itself


@pytest.mark.parametrize("base", BASES)
def test_the_exact_gradient_is_that_of_its_objective(base: Base) -> None:
    step = 1e-5
    for i, k in np.ndindex(3, COMPONENTS):
        change = torch.zeros_like(POLICY)
        change[i, k] = step
        rise = exact_objective(POLICY + change, base) - exact_objective(POLICY - change, base)
        assert float(exact_gradient(POLICY, base)[i, k]) == pytest.approx(
            float(rise) / (2 * step), abs=1e-8
        )


# Expectations by quadrature


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("form", [likelihood, half])
def test_unbiased_by_quadrature(base: Base, form: Estimator) -> None:
    agree(expectation(form, POLICY, base, shaped(base)), exact_gradient(POLICY, base))


@pytest.mark.parametrize("base", BASES)
def test_reparameterized_is_unbiased_for_fixed_weights(base: Base) -> None:
    parameters = POLICY.clone()
    parameters[0] = 0.0
    truth = exact_gradient(parameters, base)
    found = expectation(reparameterized, parameters, base, uniform(base))
    agree(found[1:], truth[1:])
    assert found[0].abs().max() == 0
    other = expectation(likelihood, parameters, base, uniform(base))
    agree(other[1:], truth[1:])


@pytest.mark.parametrize("base", BASES)
def test_every_estimator_is_unbiased_for_one_component(base: Base) -> None:
    parameters = POLICY[:, 1:2]
    truth = exact_gradient(parameters, base)
    assert truth[1:].abs().min() > 0.01
    for form in ESTIMATORS.values():
        agree(expectation(form, parameters, base, shaped(base)), truth)


@pytest.mark.parametrize("wrong", WRONG)
def test_quadrature_notices_what_is_wrong(wrong: str) -> None:
    found = expectation(WRONG[wrong], POLICY, "normal", shaped("normal"))
    assert (found - exact_gradient(POLICY)).abs().max() > 0.01


def test_log_prob_at_a_fixed_action_has_no_expected_slope() -> None:
    """Leaving out −α ∇_θ log π at fixed actions is no mistake in expectation: no test of means can notice."""

    def frozen(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
        action = policy.sample(draw.action)
        target = objective.q(action.value) - objective.alpha * policy.detach().log_prob(action)
        score = policy.log_weight(action) * target.detach()
        return Estimate(score + target, target, target)

    agree(expectation(frozen, POLICY, "normal", shaped("normal")), exact_gradient(POLICY))


# Expectations by sampling


@cache
def sampled(form: Estimator, base: Base, samples: int) -> tuple[Tensor, Tensor]:
    """Mean and standard error of the estimates: [3, N] each."""
    chunks = estimates(POLICY, per_sample(form, shaped(base)), base, samples, BASELINE, 1)
    mean, variance, n = moments(chunks)
    return mean, (variance / n).sqrt()


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("form", [likelihood, half])
def test_unbiased_by_sampling(base: Base, form: Estimator) -> None:
    """Every parameter's interval covers the truth; a bias of 0.02 in any would be found with 99.9 %."""
    mean, error = sampled(form, base, SAMPLES)
    quantile = stats.norm.ppf(1 - (1 - CONFIDENCE) / 2 / mean.numel())
    assert ((mean - exact_gradient(POLICY, base)).abs() <= quantile * error).all()
    assert (quantile + stats.norm.ppf(0.999)) * float(error.max()) < 0.02


@pytest.mark.parametrize("wrong", WRONG)
def test_sampling_notices_what_is_wrong(wrong: str) -> None:
    mean, error = sampled(WRONG[wrong], "normal", SAMPLES // 3)
    quantile = stats.norm.ppf(1 - (1 - CONFIDENCE) / 2 / mean.numel())
    assert ((mean - exact_gradient(POLICY)).abs() > quantile * error).any()


# One component and baselines


@pytest.mark.parametrize("base", BASES)
def test_with_one_component_all_paths_are_reparameterized_to_the_bit(base: Base) -> None:
    parameters = POLICY[:, :1].expand(50, 3, 1)
    rng = np.random.default_rng(2)
    head = Head(1, 1, (-20, 2), base)
    noise = fresh_noise(head, rng, 50)
    more = fresh_noise(head, rng, 4, 50)
    expected = per_sample(reparameterized, shaped(base))(parameters, noise, more)
    for name in ("half", "gumbel"):
        found = per_sample(ESTIMATORS[name], shaped(base))(parameters, noise, more)
        assert torch.equal(found, expected)


def batch(size: int = 4, seed: int = 3, actions: int = 2) -> tuple[Head, Tensor, Draw]:
    head, rng = Head(3, actions, (-5, 2)), np.random.default_rng(seed)
    raw = torch.from_numpy(rng.normal(size=(size, head.outputs)))
    noise = fresh_noise(head, rng, size)
    return head, raw, Draw(noise, fresh_noise(head, rng, 30, size))


def bowl(action: Tensor) -> Tensor:
    return -(action - 0.4).square().sum(-1) + torch.sin(3 * action).sum(-1)


def test_the_baseline_is_the_mean_of_q_over_its_own_actions() -> None:
    head, raw, draw = batch()
    policy = head.policy(raw.requires_grad_())
    plain = policy.detach()
    found = baseline(policy, draw.baseline, bowl)
    expected = [
        np.mean(
            [
                float(bowl(plain.sample(Noise(*(n[m] for n in draw.baseline))).value[b]))
                for m in range(30)
            ]
        )
        for b in range(4)
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    assert not found.requires_grad


def test_the_score_is_weighted_with_q_less_baseline_less_entropy() -> None:
    """Algorithm 1: (Q − V_b − α log π) ∇ log π, written out for each sample."""
    head, raw, draw = batch()
    raw.requires_grad_()
    policy = head.policy(raw)
    estimate = likelihood(policy, draw, Objective(bowl, 0.3))
    found = torch.autograd.grad(estimate.surrogate.sum(), raw, retain_graph=True)[0]
    action = policy.sample(draw.action).detach()
    weight = bowl(action.value) - baseline(policy, draw.baseline, bowl) - 0.3 * estimate.log_prob
    scores = [
        torch.autograd.grad(policy.log_prob(action)[b], raw, retain_graph=True)[0][b]
        for b in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(scores) * weight.detach()[:, None])
    assert not estimate.q.requires_grad
    assert not estimate.log_prob.requires_grad


def test_baselines_change_only_the_score() -> None:
    head, raw, draw = batch()
    other = draw._replace(baseline=Noise(*(n[:5] for n in draw.baseline)))

    def slope(form: Estimator, draw: Draw) -> Tensor:
        return grad(lambda r: form(head.policy(r), draw, Objective(bowl, 0.3)).surrogate.sum())(raw)

    for name, form in ESTIMATORS.items():
        change = (slope(form, draw) - slope(form, other)).abs()
        assert (float(change.max()) > 1e-3) == (name in ("likelihood", "half"))
    # In `half` the score is that of the weights' logits: the last three outputs.
    change = (slope(half, draw) - slope(half, other)).abs()
    assert float(change[:, :-3].max()) < 1e-12


def test_the_reported_q_and_log_prob_are_those_of_the_sample() -> None:
    head, raw, draw = batch()
    policy = head.policy(raw)
    action = policy.sample(draw.action)
    for form in ESTIMATORS.values():
        estimate = form(policy, draw, Objective(bowl, 0.3))
        torch.testing.assert_close(estimate.q, bowl(action.value), rtol=1e-14, atol=0)
        torch.testing.assert_close(
            estimate.log_prob, policy.log_prob(action), rtol=1e-13, atol=1e-13
        )


# Gumbel


@pytest.mark.parametrize("blend", get_args(Blend))
@pytest.mark.parametrize("base", BASES)
def test_gumbel_acts_as_sampled_and_moves_components_as_half_does(base: Base, blend: Blend) -> None:
    parameters = POLICY.expand(200, 3, 3)
    rng, head = np.random.default_rng(4), Head(3, 1, (-20, 2), base)
    noise, more = (fresh_noise(head, rng, *n, 200) for n in ((), (2,)))
    policy = mixture(parameters, base)
    action, plain = straight_through(policy, noise, 1.0, blend), policy.sample(noise)
    agree(action.value, plain.value, 0)
    agree(action.unsquashed, plain.unsquashed, 0)
    objective = OBJECTIVE._replace(blend=blend)
    found = per_sample(ESTIMATORS["gumbel"], shaped(base), objective)(parameters, noise, more)
    expected = per_sample(half, shaped(base))(parameters, noise, more)
    agree(found[:, 1:], expected[:, 1:], 1e-10)
    assert (found[:, 0] - expected[:, 0]).abs().max() > 0.1


@pytest.mark.parametrize("blend", get_args(Blend))
def test_gumbel_follows_equation_10_as_it_is_written(blend: Blend) -> None:
    """Against Σ_k z_k f_k with z = one-hot + y − constant, log π from tanh⁻¹ of it, in autograd's own words."""
    parameters = POLICY.expand(300, 3, 3).clone().requires_grad_()
    head = Head(3, 1, (-20, 2))
    noise = fresh_noise(head, np.random.default_rng(6), 300)
    policy = mixture(parameters)
    y = torch.softmax((policy.log_weights + noise.component) / 0.7, -1)
    z = torch.nn.functional.one_hot(y.argmax(-1), 3) + y - y.detach()
    each = policy.location[..., 0] + policy.scale[..., 0] * noise.base
    if blend == "action":
        action = (z * each.tanh()).sum(-1, keepdim=True)
        u = action.atanh()
    else:
        u = (z * each).sum(-1, keepdim=True)
        action = u.tanh()
    target = critic(action) - ALPHA * policy._log_density(u, torch.zeros_like(u))
    expected = torch.autograd.grad(target.sum(), parameters)[0]
    objective = Objective(critic, ALPHA, 0.7, blend)
    found = per_sample(ESTIMATORS["gumbel"], shaped("normal"), objective)(
        parameters.detach(), noise, noise
    )
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-8)


def test_gumbel_stays_finite_where_actions_are_saturated() -> None:
    raw = torch.tensor([[60.0, -50.0, 9.0, 0.0, 1.0, 1.0, 0.1, 0.2, 0.3]])
    head = Head(3, 1, (-5, 2))
    for blend in get_args(Blend):
        for k in range(3):
            choice = torch.zeros(1, 3)
            choice[:, k] = 3.0
            noise = Noise(choice, torch.ones(1, 1))

            def loss(raw: Tensor, noise: Noise = noise, blend: Blend = blend) -> Tensor:
                objective = Objective(critic, ALPHA, 1.0, blend)
                return ESTIMATORS["gumbel"](
                    head.policy(raw), Draw(noise, noise), objective
                ).surrogate.sum()

            assert grad(loss)(raw).isfinite().all()


PAIR = torch.tensor([[0.3, -0.3], [-0.8, 0.7], [-0.9, -0.6]], dtype=torch.float64)


def gap_nodes(gap: float, temperature: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Nodes and weights over x = g₁ − g₂, a logistic variable, on either side of where the argmax changes."""
    t, w = np.polynomial.legendre.leggauss(40)
    near = min(8 * temperature, 8.0)
    for sign in (-1, 1):
        for low, high in ((0, near / 4), (near / 4, near), (near, near + 40)):
            distance = torch.from_numpy((low + high) / 2 + (high - low) / 2 * t)
            x = -gap + sign * distance
            yield x, torch.from_numpy((high - low) / 2 * w) * x.sigmoid() * (-x).sigmoid()


def gumbel_moments(
    temperature: float, objective: Objective = OBJECTIVE, squashed: bool = True
) -> tuple[Tensor, Tensor]:
    """Mean and variance of the Gumbel estimator for PAIR by quadrature over ε and g₁ − g₂: [3, 2] each."""
    gap = float(PAIR[0, 0] - PAIR[0, 1])
    pairs = list(gap_nodes(gap, temperature))
    x, x_weights = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    e = torch.linspace(-8, 8, 161, dtype=torch.float64)
    e_weights = (-0.5 * e.square()).exp() / math.sqrt(2 * math.pi) * (e[1] - e[0])
    grid = torch.cartesian_prod(x, e)
    weights = torch.outer(x_weights, e_weights).flatten()[:, None, None]
    noise = Noise(torch.stack((grid[:, 0], torch.zeros(len(grid))), -1), grid[:, 1:])

    def shape(parameters: Tensor) -> Mixture:
        return replace(mixture(parameters), squashed=squashed)

    slopes = per_sample(ESTIMATORS["gumbel"], shape, objective._replace(temperature=temperature))(
        PAIR.expand(len(grid), 3, 2), noise, noise
    )
    mean = (weights * slopes).sum(0)
    return mean, (weights * slopes.square()).sum(0) - mean.square()


def trapezium(objective: Objective) -> float:
    """What τ → 0 leaves of the Gumbel estimator in the first logit, unsquashed blend.

    In F = Q − α log π as a function of u, the score estimator has w₁ w₂ E[F(u₁) − F(u₂)]; a straight-through sample
    sees slopes at the two ends only: w₁ w₂ E[½ (F'(u₁) + F'(u₂)) (u₁ − u₂)], and what log π's logits add, which is 0.
    """
    nodes, weights = standard_nodes("normal")
    policy = mixture(PAIR)
    each = policy.component_values(nodes.unsqueeze(-1))

    def target(u: Tensor) -> Tensor:
        log_prob = policy._log_density(u, torch.zeros_like(u))
        return objective.q(u.tanh()) - objective.alpha * log_prob

    slopes = [grad(lambda u: target(u).sum())(each[:, k]) for k in (0, 1)]
    mean = 0.5 * (slopes[0] + slopes[1]) * (each[:, 0] - each[:, 1])
    share = policy.log_weights.exp().prod()
    return float(share * (weights * mean[:, 0]).sum())


def test_the_gumbel_bias_does_not_vanish_with_the_temperature() -> None:
    """The text has it unbiased nowhere; as τ → 0 its mean goes to a trapezium rule, not to the gradient."""
    truth = float(exact_gradient(PAIR)[0, 0])
    limit = trapezium(OBJECTIVE)
    assert abs(limit - truth) > 0.02
    at = {t: float(gumbel_moments(t)[0][0, 0]) for t in (0.1, 0.05)}
    # The remainder falls as τ; what is left at 0 is the limit and not the truth.
    assert 1.7 < (at[0.1] - limit) / (at[0.05] - limit) < 2.3
    assert 2 * at[0.05] - at[0.1] == pytest.approx(limit, abs=2e-3)


def test_the_gumbel_bias_vanishes_where_the_trapezium_rule_is_exact() -> None:
    """A quadratic Q of unbounded actions and no entropy: unbiased as τ → 0, biased at τ = 1."""
    objective = Objective(lambda a: (0.7 * a - 0.5 * a.square()).squeeze(-1), 0.0)
    log_weights, location, log_scale = PAIR[0].log_softmax(-1), PAIR[1], PAIR[2]
    value = 0.7 * location - 0.5 * (location.square() + (2 * log_scale).exp())
    truth = float(log_weights.exp().prod() * (value[0] - value[1]))
    biases = {
        t: float(gumbel_moments(t, objective, squashed=False)[0][0, 0]) - truth
        for t in (1.0, 0.1, 0.05)
    }
    assert abs(biases[1.0]) > 0.02
    assert 1.7 < biases[0.1] / biases[0.05] < 2.3
    assert abs(2 * biases[0.05] - biases[0.1]) < 2e-3


def test_the_gumbel_variance_falls_with_the_temperature() -> None:
    """Section 4.2, for the logits; in locations and scales the temperature does nothing."""
    moments = [gumbel_moments(t) for t in (0.1, 0.5, 1.0, 2.0)]
    variances = [float(variance[0, 0]) for _, variance in moments]
    assert all(a > 1.5 * b for a, b in pairwise(variances))
    for mean, _ in moments:
        agree(mean[1:], exact_gradient(PAIR)[1:], 2e-3)


def test_the_gumbel_bias_is_found_by_sampling() -> None:
    """τ = 1, three components: some logit's interval excludes the truth, and no location's or scale's does."""
    mean, error = sampled(ESTIMATORS["gumbel"], "normal", SAMPLES // 3)
    quantile = stats.norm.ppf(1 - (1 - CONFIDENCE) / 2 / mean.numel())
    far = (mean - exact_gradient(POLICY)).abs() > quantile * error
    assert far[0].any()
    assert not far[1:].any()


# As a population uses them


def losses(name: EstimatorName) -> Callable[..., Any]:
    head = batch()[0]

    def loss(raw: Tensor, draw: Draw, alpha: Tensor) -> Tensor:
        return -ESTIMATORS[name](head.policy(raw), draw, Objective(bowl, alpha)).surrogate.mean()

    return loss


def members(count: int = 3) -> tuple[Tensor, Draw, Tensor]:
    each = [batch(seed=seed)[1:] for seed in range(count)]
    stack = torch.stack
    raw = stack([r for r, _ in each])
    actions, baselines = (
        Noise(*(stack(parts) for parts in zip(*noises, strict=True)))
        for noises in zip(*(draw for _, draw in each), strict=True)
    )
    return raw, Draw(actions, baselines), torch.tensor([0.1, 0.3, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_vmap_gives_the_numbers_of_a_loop(name: EstimatorName) -> None:
    raw, draw, alpha = members()
    stacked = vmap(grad(losses(name)))(raw, draw, alpha)
    for i in range(3):
        own = batch(seed=i)[2]
        agree(stacked[i], grad(losses(name))(raw[i], own, alpha[i]), 1e-12)
    assert float(stacked.abs().max()) > 0.01


@pytest.mark.parametrize(
    ("name", "backend"),
    [("likelihood", "aot_eager"), ("gumbel", "aot_eager"), ("half", "inductor")],
)
def test_compiled_gives_the_numbers_of_eager(name: EstimatorName, backend: str) -> None:
    """In one graph each; `half` holds `reparameterized`, and a score and a baseline as `likelihood` has."""
    update = vmap(grad(losses(name)))
    compiled = torch.compile(update, fullgraph=True, backend=backend)(*members())
    torch.testing.assert_close(compiled, update(*members()), rtol=1e-9, atol=1e-12)
