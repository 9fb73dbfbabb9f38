"""Mixture policies against torch.distributions, scipy, quadrature and numbers by hand."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor
from torch.func import grad, vmap

from algorithms.estimator_rules import Base, EstimatorName, Weights, check_estimator
from algorithms.policies import Head, Mixture, Noise, log_tanh_jacobian
from benchmarks.estimators import fresh_noise

BASES = get_args(Base)
LEVEL = 0.001
"""Level of each statistical test here; seeds are fixed."""


def agree(actual: Tensor, expected: Tensor, tolerance: float = 1e-11) -> None:
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def some(base: Base, seed: int, *shape: int, squashed: bool = True, floor: float = 0.0) -> Mixture:
    """A policy with `shape` = (…, N, A)."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=shape[:-1]))
    location = torch.from_numpy(rng.normal(size=shape))
    scale = torch.from_numpy(np.exp(rng.uniform(-1.5, 0.5, shape)))
    return Mixture(torch.log_softmax(logits, -1), location, scale, base, squashed, floor)


def noise_for(policy: Mixture, seed: int, *leading: int) -> Noise:
    components, actions = policy.location.shape[-2:]
    head = Head(components, actions, (-20, 2), policy.base)
    rng = np.random.default_rng(seed)
    return fresh_noise(head, rng, *leading)


def theirs(policy: Mixture) -> Any:
    d = torch.distributions
    kind = d.Normal if policy.base == "normal" else d.Cauchy
    component: Any = kind(policy.location, policy.scale)
    if policy.squashed:
        component = d.TransformedDistribution(component, [d.TanhTransform()])
    weights = d.Categorical(logits=policy.log_weights)
    return d.MixtureSameFamily(weights, d.Independent(component, 1), validate_args=False)


@pytest.mark.parametrize("squashed", [True, False])
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("shape", [(3, 1), (7, 4, 3), (2, 5, 1, 2)])
def test_log_densities_agree_with_torch_distributions(
    base: Base, squashed: bool, shape: tuple[int, ...]
) -> None:
    policy = some(base, 0, *shape, squashed=squashed)
    action = policy.sample(noise_for(policy, 1, *shape[:-2]))
    value = action.value.clamp(-1 + 1e-9, 1 - 1e-9) if squashed else action.value
    agree(policy.log_prob_of(value), theirs(policy).log_prob(value))
    moderate = action.unsquashed.abs().amax(-1) < 4
    assert moderate.any()
    agree(policy.log_prob(action)[moderate], theirs(policy).log_prob(value)[moderate], 1e-9)
    assert policy.log_prob(action).shape == shape[:-2]


@pytest.mark.parametrize("base", BASES)
def test_the_density_integrates_to_one(base: Base) -> None:
    """Over a by du: the Jacobian comes from numpy, so one that is missing or wrong would show."""
    policy = some(base, 2, 3, 1)

    def density(u: float) -> float:
        at = policy.location.new_tensor([u])
        log_prob = float(policy._log_density(at, torch.zeros_like(at)))
        return math.exp(log_prob - 2 * (np.logaddexp(u, -u) - math.log(2)))

    total = sum(
        integrate.quad(density, *ends, limit=500, epsabs=1e-9)[0]
        for ends in [(-np.inf, -10), (-10, 0), (0, 10), (10, np.inf)]
    )
    assert total == pytest.approx(1, abs=1e-7)


def test_the_density_of_bare_actions_integrates_to_one() -> None:
    policy = some("normal", 2, 3, 1)

    def density(a: float) -> float:
        return math.exp(float(policy.log_prob_of(policy.location.new_tensor([a]))))

    points = [-0.999, -0.9, 0.0, 0.9, 0.999]
    assert integrate.quad(density, -1, 1, points=points, limit=500)[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [0.0, 0.3, 5.0, 20.0, 300.0, 1e4, 1e8])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_jacobian_is_right_far_out(dtype: torch.dtype, size: float, sign: int) -> None:
    u = torch.tensor(sign * size, dtype=dtype)
    expected = -2 * (np.logaddexp(size, -size) - math.log(2))
    tolerance = 10 * torch.finfo(dtype).eps
    assert float(log_tanh_jacobian(u)) == pytest.approx(expected, rel=tolerance, abs=tolerance)
    slope = float(grad(log_tanh_jacobian)(u))
    assert slope == pytest.approx(-2 * math.tanh(sign * size), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize("base", BASES)
def test_log_densities_and_slopes_are_finite_far_out(base: Base) -> None:
    policy = some(base, 3, 4, 2)
    single = [part.float() for part in (policy.log_weights, policy.location, policy.scale)]
    policy = Mixture(*single, base)

    def log_prob(location: Tensor, scale: Tensor, standard: Tensor) -> Tensor:
        moved = Mixture(policy.log_weights, location, scale, base)
        return moved.log_prob(moved.sample(Noise(torch.zeros(4), standard)))

    for size in (20.0, 1e3, 1e6):
        standard = torch.tensor([size, -size])
        slopes = grad(log_prob, (0, 1, 2))(policy.location, policy.scale, standard)
        assert all(slope.isfinite().all() for slope in slopes)
        assert log_prob(policy.location, policy.scale, standard).isfinite()


def test_the_drawn_component_is_exact_where_its_scale_is_below_rounding() -> None:
    """N(0.7, e⁻²⁰) in float32: log π = log φ(ε) + 20 + log cosh² u; its slope in log σ is −1, as z stays ε."""
    log_std = torch.full((1, 1), -20.0)
    location, draw = torch.full((1, 1), 0.7), Noise(torch.zeros(1), torch.tensor([1.3]))

    def policy(location: Tensor, log_std: Tensor) -> Mixture:
        return Mixture(torch.zeros(1), location, log_std.exp())

    def log_prob(location: Tensor, log_std: Tensor) -> Tensor:
        made = policy(location, log_std)
        return made.log_prob(made.sample(draw))

    expected = stats.norm.logpdf(1.3) + 20 + 2 * math.log(math.cosh(0.7))
    assert float(log_prob(location, log_std)) == pytest.approx(expected, rel=1e-6)
    assert float(grad(log_prob, 1)(location, log_std)) == pytest.approx(-1, abs=1e-6)
    # From the rounded sum alone the same density is far off: what the separate offset is for.
    made = policy(location, log_std)
    action = made.sample(draw)
    rounded = action._replace(origin=action.unsquashed, offset=torch.zeros(1))
    assert abs(float(made.log_prob(rounded)) - expected) > 0.5


@pytest.mark.parametrize("base", BASES)
def test_a_mixture_of_one_is_the_base_policy(base: Base) -> None:
    policy = some(base, 4, 6, 1, 2)
    noise = noise_for(policy, 5, 6)

    def mixed(location: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        made = Mixture(policy.log_weights, location.unsqueeze(-2), scale.unsqueeze(-2), base)
        action = made.sample(noise)
        return action.value, made.log_prob(action)

    def plain(location: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        offset = scale * noise.base
        z = ((location - location) + offset) / scale
        log_prob = (
            -0.5 * z.square() - 0.5 * math.log(2 * math.pi)
            if base == "normal"
            else -torch.log1p(z.square()) - math.log(math.pi)
        )
        u = location + offset
        return u.tanh(), (log_prob - scale.log()).sum(-1) - log_tanh_jacobian(u).sum(-1)

    found = []
    for form in (mixed, plain):
        leaves = [t.squeeze(-2).clone().requires_grad_() for t in (policy.location, policy.scale)]
        value, log_prob = form(*leaves)
        slopes = torch.autograd.grad((value.sum(-1) * 0.3 + log_prob).sum(), leaves)
        found.append((value, log_prob, *slopes))
    (value, log_prob, *slopes), (*plain_values, in_location, in_scale) = found
    assert torch.equal(value, plain_values[0])
    assert torch.equal(log_prob, plain_values[1])
    # Sums of the same terms in another order.
    agree(slopes[0], in_location, 1e-14)
    agree(slopes[1], in_scale, 1e-14)


@pytest.mark.parametrize("base", BASES)
def test_equal_components_are_one(base: Base) -> None:
    one = some(base, 6, 5, 1, 2)
    copies = (one.location.expand(5, 4, 2), one.scale.expand(5, 4, 2))
    many = Mixture(some(base, 7, 5, 4, 2).log_weights, *copies, base)
    noise = noise_for(many, 8, 5)
    action = many.sample(noise)
    alone = one.sample(Noise(noise.component[:, :1], noise.base))
    agree(action.value, alone.value)
    agree(many.log_prob(action), one.log_prob(alone))


@pytest.mark.parametrize("base", BASES)
def test_samples_follow_the_density(base: Base) -> None:
    policy, n = some(base, 9, 3, 1), 50_000
    action = policy.sample(noise_for(policy, 10, n))
    weights = policy.log_weights.exp().numpy()
    counts = action.component.sum(0).numpy()
    assert stats.chisquare(counts, n * weights).pvalue > LEVEL
    kind = stats.norm if base == "normal" else stats.cauchy

    def distribution(u: Any) -> Any:
        parts = kind.cdf(np.asarray(u)[..., None], policy.location[:, 0], policy.scale[:, 0])
        return parts @ weights

    assert stats.kstest(action.unsquashed[:, 0].numpy(), distribution).pvalue > LEVEL
    # Component and noise are independent, so each component's samples follow its own law.
    for k in range(3):
        own = action.unsquashed[action.component[:, k] == 1, 0].numpy()
        law = kind(float(policy.location[k, 0]), float(policy.scale[k, 0]))
        assert stats.kstest(own, law.cdf).pvalue > LEVEL
    agree(action.value, action.unsquashed.tanh())


def test_what_the_sample_says_of_its_component() -> None:
    policy = some("normal", 11, 3, 2)
    g = torch.tensor([-40.0, 60.0, 0.0], dtype=torch.float64)
    action = policy.sample(Noise(g, torch.tensor([0.5, -1.0], dtype=torch.float64)))
    assert action.component.tolist() == [0, 1, 0]
    agree(policy.log_weight(action), policy.log_weights[1])
    expected = policy.location[1] + policy.scale[1] * torch.tensor([0.5, -1.0])
    agree(action.unsquashed, expected)
    agree(policy.component_values(torch.tensor([0.5, -1.0]))[1], expected)


def test_more_noise_than_states() -> None:
    """[M, B, …] noise for a policy of B states is M samples of each."""
    policy = some("normal", 12, 4, 3, 2)
    noise = noise_for(policy, 13, 6, 4)
    action = policy.sample(noise)
    assert action.value.shape == (6, 4, 2)
    single = policy.sample(Noise(noise.component[2], noise.base[2]))
    assert torch.equal(action.value[2], single.value)
    agree(policy.log_prob(action)[2], policy.log_prob(single))


def test_the_mode_is_the_heaviest_component_and_the_first_of_equals() -> None:
    location = torch.tensor([[0.3, 2.0], [-1.0, 0.0]])
    scale = torch.ones(2, 2)
    for weights, heaviest in (((0.2, 0.8), 1), ((0.8, 0.2), 0), ((0.5, 0.5), 0)):
        policy = Mixture(torch.tensor(weights).log(), location, scale)
        assert torch.equal(policy.mode(), location[heaviest].tanh())
        flat = Mixture(torch.tensor(weights).log(), location, scale, squashed=False)
        assert torch.equal(flat.mode(), location[heaviest])


@pytest.mark.parametrize("base", BASES)
def test_vmap_and_compile_give_the_numbers_of_a_loop(base: Base) -> None:
    head = Head(3, 2, (-5, 2), base)
    raw = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 6, head.outputs)))
    noise = fresh_noise(head, np.random.default_rng(1), 4, 6)

    def one(raw: Tensor, noise: Noise) -> tuple[Tensor, ...]:
        policy = head.policy(raw)
        action = policy.sample(noise)
        return (
            *action,
            policy.log_prob(action),
            policy.log_weight(action),
            policy.mode(),
            policy.log_prob_of(0.9 * action.value),
        )

    stacked = vmap(one)(raw, noise)
    compiled = torch.compile(vmap(one), fullgraph=True, backend="aot_eager")(raw, noise)
    loop = [one(raw[i], Noise(noise.component[i], noise.base[i])) for i in range(4)]
    for i, parts in enumerate(zip(*loop, strict=True)):
        agree(stacked[i], torch.stack(parts))
        agree(compiled[i], torch.stack(parts))


def test_the_floor_bounds_what_the_jacobian_adds() -> None:
    exact, floored = some("cauchy", 14, 3, 1), some("cauchy", 14, 3, 1, floor=1e-6)
    near, far = torch.tensor([0.5]).double(), torch.tensor([40.0]).double()
    zero = torch.zeros_like(near)
    slope = 1 - math.tanh(0.5) ** 2
    gap = exact._log_density(near, zero) - floored._log_density(near, zero)
    assert float(gap) == pytest.approx(math.log((slope + 1e-6) / slope), rel=1e-6)
    flat = some("cauchy", 14, 3, 1, squashed=False)._log_density(far, zero)
    assert float(floored._log_density(far, zero) - flat) == pytest.approx(-math.log(1e-6))


def test_the_squashed_cauchy_has_no_finite_entropy() -> None:
    """∫ π log π over |u| < R grows by 4σ/π · ln 10 for every factor 10 in R; with a floor it settles."""
    scale = 0.5
    growth = []
    for floor in (0.0, 1e-6):
        shape = (torch.zeros(1), torch.zeros(1, 1), torch.full((1, 1), scale))
        policy = Mixture(*(part.double() for part in shape), "cauchy", jacobian_floor=floor)

        def integrand(t: float, policy: Mixture = policy) -> float:
            u = torch.tensor([math.sinh(t)], dtype=torch.float64)
            density = stats.cauchy.pdf(math.sinh(t), scale=scale) * math.cosh(t)
            return float(density * policy._log_density(u, torch.zeros_like(u)))

        ends = [math.asinh(r) for r in (1e4, 1e5)]
        growth.append(2 * integrate.quad(integrand, *ends)[0])
    assert growth[0] == pytest.approx(4 * scale / math.pi * math.log(10), rel=0.01)
    assert abs(growth[1]) < 1e-3


@pytest.mark.parametrize(
    ("components", "actions", "weights", "outputs"),
    [(5, 1, "learned", 15), (5, 6, "learned", 65), (5, 6, "uniform", 60), (1, 6, "learned", 12)],
)
def test_how_many_outputs(components: int, actions: int, weights: Weights, outputs: int) -> None:
    assert Head(components, actions, (-20, 2), weights=weights).outputs == outputs


def test_how_the_output_is_read() -> None:
    raw = torch.tensor([[0.1, 0.2, 0.3, 0.4, -30.0, -1.0, 0.5, 9.0, 0.0, math.log(3)]])
    policy = Head(2, 2, (-20, 2)).policy(raw)
    agree(policy.location, torch.tensor([[[0.1, 0.2], [0.3, 0.4]]]))
    agree(policy.scale.log(), torch.tensor([[[-20.0, -1.0], [0.5, 2.0]]]), 1e-6)
    agree(policy.log_weights.exp(), torch.tensor([[0.25, 0.75]]), 1e-6)
    uniform = Head(2, 2, (-20, 2), weights="uniform").policy(raw[:, :8])
    agree(uniform.log_weights.exp(), torch.tensor([[0.5, 0.5]]), 1e-6)
    greedy = Head(2, 2, (-20, 2), squashed=False).policy(raw)
    agree(greedy.location, policy.location.tanh())
    assert not greedy.squashed
    one = Head(1, 2, (-20, 2), "cauchy", jacobian_floor=1e-6).policy(raw[:, :4])
    assert one.log_weights.tolist() == [[0.0]]
    assert (one.base, one.jacobian_floor) == ("cauchy", 1e-6)


def test_an_unsquashed_sample_may_leave_the_bounds() -> None:
    policy = Head(1, 1, (-1, 1), squashed=False).policy(torch.tensor([[0.0, 0.0]]))
    action = policy.sample(Noise(torch.zeros(1, 1), torch.tensor([[3.0]])))
    assert action.value.tolist() == [[3.0]]
    assert float(policy.log_prob(action)) == pytest.approx(stats.norm.logpdf(3.0), rel=1e-6)


@pytest.mark.parametrize(
    ("estimator", "components", "weights", "fine"),
    [
        ("likelihood", 1, "learned", True),
        ("likelihood", 5, "uniform", True),
        ("reparameterized", 1, "learned", True),
        ("reparameterized", 5, "uniform", True),
        ("reparameterized", 5, "learned", False),
        ("half", 5, "learned", True),
        ("half", 1, "learned", False),
        ("half", 5, "uniform", False),
        ("gumbel", 5, "learned", True),
        ("gumbel", 1, "uniform", False),
        ("likelihood", 0, "learned", False),
    ],
)
def test_which_estimator_serves_which_policy(
    estimator: EstimatorName, components: int, weights: Weights, fine: bool
) -> None:
    if fine:
        check_estimator(estimator, components, weights)
        return
    with pytest.raises(ValueError, match=r"^(estimator: '|components: 0)") as error:
        check_estimator(estimator, components, weights)
    assert "\n" not in str(error.value)
