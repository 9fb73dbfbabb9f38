"""PrefPoE's loss by hand and against its equations written out with torch.distributions and autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, Normal, kl_divergence

from algorithms import distributions
from algorithms.distributions import DiagonalGaussian
from algorithms.methods import ppo, prefpoe
from algorithms.methods.ppo import Batch
from algorithms.networks import Parameters
from algorithms.settings import METHODS, PPO, PrefPoE, resolve
from envs.registry import ENVIRONMENTS, Discrete, Environment

CHEETAH, LAKE = ENVIRONMENTS["HalfCheetah-v4"], ENVIRONMENTS["FrozenLake-v1"]


def settings_of(method: str, **overrides: Any) -> PrefPoE:
    settings = resolve(method, overrides)
    assert isinstance(settings, PrefPoE)
    return settings


def hyperparameters(settings: PPO) -> dict[str, Tensor]:
    return {
        name: torch.tensor(getattr(settings, name), dtype=torch.float64)
        for name in settings.per_member()
    }


def some_parameters(settings: PrefPoE, world: Environment, seed: int) -> Parameters:
    """Initial parameters, shaken so that every one of them matters; leaves of autograd in float64."""
    rng = np.random.default_rng(seed)
    return {
        name: (
            value.double() + torch.from_numpy(rng.normal(0, 0.1, tuple(value.shape)))
        ).requires_grad_()
        for name, value in prefpoe.init(settings, world, rng).items()
    }


def some_batch(world: Environment, seed: int, size: int = 48) -> Batch:
    rng = np.random.default_rng(seed)
    if isinstance(world.action, Discrete):
        action, middle = torch.from_numpy(rng.integers(world.action.size, size=size)), -1.4
    else:
        action, middle = torch.from_numpy(rng.normal(0, 0.5, (size, world.action.size))), -5.0
    seen = torch.from_numpy(rng.normal(size=(size, world.observation_size)))
    rest = [torch.from_numpy(rng.normal(where, 1.0, size)) for where in (middle, 0.5, 0, 0)]
    return Batch(seen, action, *rest)


def written_out(
    parameters: Parameters, batch: Batch, settings: PrefPoE, world: Environment
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 1–7 and CleanRL's PPO on π_fused, with torch.distributions; σ clamped as the release does."""
    p, s = parameters, settings
    main: Any
    preference: Any
    fused: Any
    hidden = batch.observation
    for layer in ("actor.0", "actor.1"):
        hidden = torch.tanh(hidden @ p[f"{layer}.weight"].T + p[f"{layer}.bias"])

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    if s.backbone == "shared":
        value = linear(hidden, "value.0")[:, 0]
    else:
        deep = torch.tanh(linear(torch.tanh(linear(batch.observation, "critic.0")), "critic.1"))
        value = linear(deep, "critic.2")[:, 0]
    if isinstance(world.action, Discrete):
        main = Categorical(logits=linear(hidden, "policy.logits.0"))
        preference = Categorical(logits=linear(hidden, "preference.logits.0"))
        choices: dict[str, Any] = {
            "product": lambda: Categorical(probs=main.probs * preference.probs**s.fusion_weight),
            "average": lambda: Categorical(probs=(main.probs + preference.probs) / 2),
            "none": lambda: main,
        }
        fused = choices[s.fusion]()
    else:
        low, high = s.std_range or (0.0, math.inf)
        moments = []
        for name in ("policy", "preference"):
            mean = linear(hidden, f"{name}.mean.0")
            mean = mean.tanh() if s.mean == "tanh" else mean
            if s.std == "parameter":
                log_std = p[f"{name}.log_std"].expand_as(mean)
            else:
                log_std = linear(hidden, f"{name}.log_std.0")
            std = log_std.exp()
            moments.append((mean, std.clamp(low, high) if name == "preference" else std))
        (m1, s1), (m2, s2) = moments
        lambda_1 = 1 / (s1**2 + s.precision_epsilon)
        lambda_2 = s.fusion_weight / (s2**2 + s.precision_epsilon)
        product_std = (1 / (lambda_1 + lambda_2)).sqrt().clamp(low, high)
        m, std = {
            "product": ((lambda_1 * m1 + lambda_2 * m2) / (lambda_1 + lambda_2), product_std),
            "average": ((m1 + m2) / 2, (s1 + s2) / 2),
            "none": (m1, s1),
        }[s.fusion]
        main, preference, fused = (
            Independent(Normal(*pair), 1) for pair in ((m1, s1), (m2, s2), (m, std))
        )
    advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std() + 1e-8)
    ratio = (fused.log_prob(batch.action) - batch.log_prob).exp()
    clipped = ratio.clamp(1 - s.clip, 1 + s.clip)
    policy_loss = torch.max(-advantage * ratio, -advantage * clipped).mean()
    near = batch.value + (value - batch.value).clamp(-s.clip, s.clip)
    errors = torch.max((value - batch.target) ** 2, (near - batch.target) ** 2)
    loss_ppo = policy_loss + s.value_coefficient * 0.5 * errors.mean()
    entropy = preference.entropy().mean()
    loss_pref = -s.beta_1 * (advantage * preference.log_prob(batch.action)).mean()
    loss_pref = loss_pref + s.entropy_sign * s.alpha * entropy
    loss_cons = kl_divergence(fused, preference).mean()
    total = loss_ppo + s.preference_coefficient * loss_pref + s.consistency_coefficient * loss_cons
    log_probs = preference.log_prob(batch.action)
    correlation = torch.corrcoef(torch.stack((batch.advantage, log_probs)))[0, 1]
    return total, {
        "policy_loss": policy_loss,
        "preference_loss": loss_pref,
        "consistency_loss": loss_cons,
        "entropy": fused.entropy().mean(),
        "main_entropy": main.entropy().mean(),
        "preference_entropy": entropy,
        "advantage_correlation": correlation,
    }


def test_agreement_of_two_experts_by_hand() -> None:
    """σ² = 1 and 0.25 in both dimensions, λ = 0.4: precisions 1 and 1.6, so the fused variance is 1 / 2.6."""
    main = DiagonalGaussian(torch.tensor([[3.0, 4.0]]), torch.ones(1, 2))
    preference = DiagonalGaussian(torch.zeros(1, 2), torch.full((1, 2), 0.5))
    weight = torch.tensor(0.4)
    fused = main.product(preference, weight)
    seen = prefpoe._agreement(main, preference, fused, {"fusion_weight": weight})
    by_hand = {
        "main_trace": 2.0,
        "preference_trace": 0.5,
        "fused_trace": 2 / 2.6,
        "preference_share": 1.6 / 2.6,
        "main_mean_norm": 5.0,
        "fused_mean_norm": 5 / 2.6,
        "main_difference": 5 * 1.6 / 2.6,
        "preference_difference": 5 / 2.6,
        "trace_excess": 2 / 2.6 - 0.5,
    }
    assert {name: float(value) for name, value in seen.items()} == pytest.approx(by_hand)


ARMS = [
    pytest.param(method, world, id=f"{method}-{world.name}")
    for method, entry in METHODS.items()
    for world in (CHEETAH, LAKE)
    if isinstance(entry.settings, PrefPoE) and world.action_kind in entry.action_kinds
]


@pytest.mark.parametrize(("method", "world"), ARMS)
def test_loss_and_gradient_are_the_equations(method: str, world: Environment) -> None:
    settings = settings_of(method)
    parameters, batch = some_parameters(settings, world, 1), some_batch(world, 2)
    expected, terms = written_out(parameters, batch, settings, world)
    total, diagnostics = prefpoe.loss(parameters, batch, hyperparameters(settings), settings)
    torch.testing.assert_close(total, expected, rtol=1e-11, atol=1e-12)
    for name, value in terms.items():
        torch.testing.assert_close(diagnostics[name], value, rtol=1e-10, atol=1e-12)
    leaves = list(parameters.values())
    ours = torch.autograd.grad(total, leaves, allow_unused=True)
    theirs = torch.autograd.grad(expected, leaves, allow_unused=True)
    for name, mine, reference in zip(parameters, ours, theirs, strict=True):
        assert mine is not None, name
        assert reference is not None, name
        torch.testing.assert_close(mine, reference, rtol=1e-8, atol=1e-13, msg=name)


@pytest.mark.parametrize("high", [0.3, 0.35])
def test_clamps_hold_on_the_preference_and_on_the_fused_policy_alone(high: float) -> None:
    """σ starts at e⁻¹ ≈ 0.368 in both heads: the preference is cut to `high`, the main head is not."""
    settings = settings_of("prefpoe_released", std_range=(0.29, high))
    parameters, batch = some_parameters(settings, CHEETAH, 3), some_batch(CHEETAH, 4)
    parameters = {name: value.detach() for name, value in parameters.items()}
    main, preference = prefpoe.experts(parameters, batch.observation, settings)
    fused = prefpoe.act(parameters, batch.observation, hyperparameters(settings), settings)
    assert isinstance(main, distributions.DiagonalGaussian)
    assert isinstance(preference, distributions.DiagonalGaussian)
    assert isinstance(fused, distributions.DiagonalGaussian)
    assert float(main.std.max()) > high
    assert float(preference.std.max()) == pytest.approx(high)
    assert float(fused.std.min()) == pytest.approx(0.29)  # without the clamp about 0.25
    expected, _ = written_out(parameters, batch, settings, CHEETAH)
    total, _ = prefpoe.loss(parameters, batch, hyperparameters(settings), settings)
    torch.testing.assert_close(total, expected, rtol=1e-11, atol=1e-12)


def unit_preference() -> tuple[distributions.DiagonalGaussian, Batch]:
    """Actions 0 and 2 under N(0, 1), normalised advantages ±1/√2."""
    action = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    zero = torch.zeros(2, dtype=torch.float64)
    advantage = torch.tensor([8.0, 4.0], dtype=torch.float64)
    policy = distributions.DiagonalGaussian(torch.zeros_like(action), torch.ones_like(action))
    return policy, Batch(action, action, zero, advantage, zero, zero)


@pytest.mark.parametrize(
    ("method", "sign", "expected"),
    [("prefpoe", -1, -0.4252091), ("prefpoe_eq16", 1, 0.1423663)],
)
def test_preference_loss_by_hand(method: str, sign: int, expected: float) -> None:
    """Log-densities differ by 2: −β₁ · ½ · 2/√2 = −0.1414214 with β₁ = 0.2; α H = 0.2 · 1.4189385.

    Eq. 2 has −αH, Eq. 16 +αH.
    """
    policy, batch = unit_preference()
    settings = settings_of(method)
    ours = prefpoe.advantage_guided(policy, batch, hyperparameters(settings), settings)
    assert float(ours) == pytest.approx(expected, abs=1e-7)
    theirs: Any = Normal(0.0, 1.0)
    advantage = torch.tensor([1.0, -1.0]) / math.sqrt(2)
    by_torch = -0.2 * (advantage * theirs.log_prob(torch.tensor([0.0, 2.0]))).mean()
    by_torch = by_torch + sign * 0.2 * theirs.entropy()
    assert float(ours) == pytest.approx(float(by_torch), abs=1e-6)


def test_preference_loss_of_a_normalised_batch_by_hand() -> None:
    """Log-densities −0.9189385 and −2.9189385 with advantages 8 and 4 as they are: mean −9.5136315."""
    policy, batch = unit_preference()
    settings = settings_of("prefpoe", advantage_normalization="batch")
    ours = prefpoe.advantage_guided(policy, batch, hyperparameters(settings), settings)
    assert float(ours) == pytest.approx(0.2 * 9.5136315 - 0.2 * 1.4189385, abs=1e-6)


def test_discrete_preference_loss_by_hand() -> None:
    """p = (½, ¼, ¼), actions 0 and 1: ln ½ − ln ¼ = ln 2, so −0.2 · ln 2/(2√2) − 0.2 · 1.5 ln 2."""
    chances = torch.tensor([[0.5, 0.25, 0.25]] * 2, dtype=torch.float64)
    _, batch = unit_preference()
    batch = batch._replace(action=torch.tensor([0, 1]))
    policy = distributions.Categorical(chances.log())
    settings = settings_of("prefpoe")
    ours = prefpoe.advantage_guided(policy, batch, hyperparameters(settings), settings)
    expected = -0.2 * math.log(2) / (2 * math.sqrt(2)) - 0.2 * 1.5 * math.log(2)
    assert float(ours) == pytest.approx(expected, rel=1e-8)


def test_the_two_signs_differ_by_twice_alpha_entropy() -> None:
    parameters, batch = some_parameters(settings_of("prefpoe"), CHEETAH, 5), some_batch(CHEETAH, 6)
    losses = []
    for method in ("prefpoe", "prefpoe_eq16"):
        settings = settings_of(method)
        losses.append(prefpoe.loss(parameters, batch, hyperparameters(settings), settings))
    (first, diagnostics), (second, _) = losses
    gap = 0.032 * 2 * 0.2 * float(diagnostics["preference_entropy"].detach())
    assert float((second - first).detach()) == pytest.approx(gap, rel=1e-9)
    assert gap > 0.01


def test_consistency_points_from_the_fused_policy_to_the_preference() -> None:
    """KL(π_fused ‖ π_pref) of Eq. 6, not the other way; the two differ here."""
    settings = settings_of("prefpoe")
    parameters, batch = some_parameters(settings, CHEETAH, 7), some_batch(CHEETAH, 8)
    parameters = {name: value.detach() for name, value in parameters.items()}
    hyper = hyperparameters(settings)
    _, preference = prefpoe.experts(parameters, batch.observation, settings)
    fused = prefpoe.act(parameters, batch.observation, hyper, settings)
    assert isinstance(preference, distributions.DiagonalGaussian)
    assert isinstance(fused, distributions.DiagonalGaussian)
    pair = [Independent(Normal(d.mean, d.std), 1) for d in (fused, preference)]
    forward, backward = (float(kl_divergence(*p).mean()) for p in (pair, pair[::-1]))
    _, diagnostics = prefpoe.loss(parameters, batch, hyper, settings)
    assert float(diagnostics["consistency_loss"]) == pytest.approx(forward, rel=1e-10)
    assert abs(forward - backward) > 0.05 * forward


# Which gradients flow


HEADS = [
    pytest.param("prefpoe", CHEETAH, id="state-dependent std"),
    pytest.param("prefpoe_released", CHEETAH, id="released"),
    pytest.param("linear_fusion", CHEETAH, id="average"),
    pytest.param("prefpoe", LAKE, id="discrete"),
]


def gradient_of_term(
    coefficient: str, parameters: Parameters, batch: Batch, settings: PrefPoE
) -> dict[str, Tensor]:
    """What the term with that coefficient adds to the gradient, taken as the population takes it."""

    def total(leaves: Parameters, hyper: dict[str, Tensor]) -> Tensor:
        return prefpoe.loss(leaves, batch, hyper, settings)[0]

    hyper = hyperparameters(settings)
    leaves = {name: value.detach() for name, value in parameters.items()}
    whole = torch.func.grad(total)(leaves, hyper)
    rest = torch.func.grad(total)(leaves, hyper | {coefficient: torch.zeros_like(hyper["clip"])})
    return {name: whole[name] - rest[name] for name in whole}


def reached(gradient: dict[str, Tensor], part: str) -> set[bool]:
    """Whether the gradient is other than zero in the parameters whose name begins with `part`."""
    found = {bool(value.any()) for name, value in gradient.items() if name.startswith(part)}
    assert found
    return found


@pytest.mark.parametrize(("method", "world"), HEADS)
def test_a_detached_fused_policy_takes_no_gradient_of_consistency(
    method: str, world: Environment
) -> None:
    free, detached = settings_of(method), settings_of(method, detach_fused=True)
    parameters, batch = some_parameters(free, world, 21), some_batch(world, 22)
    flowing = gradient_of_term("consistency_coefficient", parameters, batch, free)
    cut = gradient_of_term("consistency_coefficient", parameters, batch, detached)
    # "policy" covers the mean or logits of the main head and its log-std, a vector or a layer.
    assert (reached(flowing, "policy"), reached(cut, "policy")) == ({True}, {False})
    for part in ("actor", "preference"):
        assert reached(flowing, part) == reached(cut, part) == {True}


@pytest.mark.parametrize(("method", "world"), HEADS)
def test_consistency_to_a_constant_pulls_the_preference_as_by_hand(
    method: str, world: Environment
) -> None:
    """∂KL/∂μ = (μ − μ_fused)/σ², ∂KL/∂ ln σ = 1 − (σ_fused² + (μ_fused − μ)²)/σ²; for logits, p − p_fused.

    μ = tanh(·) adds the factor 1 − μ². Without detaching, π_fused moves with the preference as well.
    """
    settings = settings_of(method, detach_fused=True)
    parameters, batch = some_parameters(settings, world, 23), some_batch(world, 24)
    hyper = hyperparameters(settings)
    with torch.no_grad():
        _, preference = prefpoe.experts(parameters, batch.observation, settings)
        fused = prefpoe.act(parameters, batch.observation, hyper, settings)
    if isinstance(world.action, Discrete):
        assert isinstance(preference, distributions.Categorical)
        assert isinstance(fused, distributions.Categorical)
        expected = {"preference.logits.0.bias": preference.log_probs.exp() - fused.log_probs.exp()}
    else:
        assert isinstance(preference, distributions.DiagonalGaussian)
        assert isinstance(fused, distributions.DiagonalGaussian)
        gap, variance = preference.mean - fused.mean, preference.std**2
        slope = 1 - preference.mean**2 if settings.mean == "tanh" else 1
        log_std = "log_std" if settings.std == "parameter" else "log_std.0.bias"
        expected = {
            "preference.mean.0.bias": slope * gap / variance,
            f"preference.{log_std}": 1 - (fused.std**2 + gap**2) / variance,
        }
    ours = gradient_of_term("consistency_coefficient", parameters, batch, settings)
    moving = settings_of(method)
    other = gradient_of_term("consistency_coefficient", parameters, batch, moving)
    weight = settings.consistency_coefficient
    for name, slopes in expected.items():
        torch.testing.assert_close(ours[name], weight * slopes.mean(0), rtol=1e-8, atol=1e-13)
        assert not torch.allclose(other[name], ours[name], rtol=1e-2)


@pytest.mark.parametrize(("method", "world"), HEADS)
def test_a_detached_encoder_takes_no_gradient_of_the_preference_loss(
    method: str, world: Environment
) -> None:
    free, detached = settings_of(method), settings_of(method, detach_encoder=True)
    parameters, batch = some_parameters(free, world, 25), some_batch(world, 26)
    flowing = gradient_of_term("preference_coefficient", parameters, batch, free)
    cut = gradient_of_term("preference_coefficient", parameters, batch, detached)
    assert (reached(flowing, "actor"), reached(cut, "actor")) == ({True}, {False})
    assert reached(flowing, "preference") == {True}
    for name, value in flowing.items():
        if name.startswith("preference"):
            torch.testing.assert_close(cut[name], value, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("detach", [False, True])
def test_the_preference_loss_pulls_its_mean_as_by_hand(detach: bool) -> None:
    """w_pref · −β₁ E[A_norm (a − μ)/σ²]; the entropy does not depend on μ."""
    settings = settings_of("prefpoe", detach_encoder=detach)
    parameters, batch = some_parameters(settings, CHEETAH, 27), some_batch(CHEETAH, 28)
    with torch.no_grad():
        _, preference = prefpoe.experts(parameters, batch.observation, settings)
    assert isinstance(preference, distributions.DiagonalGaussian)
    advantage = batch.advantage - batch.advantage.mean()
    advantage = (advantage / (advantage.std() + 1e-8)).unsqueeze(-1)
    pull = (advantage * (batch.action - preference.mean) / preference.std**2).mean(0)
    ours = gradient_of_term("preference_coefficient", parameters, batch, settings)
    expected = -settings.preference_coefficient * settings.beta_1 * pull
    torch.testing.assert_close(ours["preference.mean.0.bias"], expected, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize(("method", "world"), HEADS)
def test_detaching_leaves_every_value_as_it_is(method: str, world: Environment) -> None:
    free = settings_of(method)
    parameters, batch = some_parameters(free, world, 29), some_batch(world, 30)
    total, diagnostics = prefpoe.loss(parameters, batch, hyperparameters(free), free)
    for overrides in ({"detach_fused": True}, {"detach_encoder": True}):
        settings = settings_of(method, **overrides)
        other, others = prefpoe.loss(parameters, batch, hyperparameters(settings), settings)
        torch.testing.assert_close(other, total, rtol=1e-13, atol=0)
        assert others.keys() == diagnostics.keys()
        for name, value in diagnostics.items():
            torch.testing.assert_close(others[name], value, rtol=1e-13, atol=0)


# The arms, as facts.md defines them


def test_parameter_counts_of_the_released_artefact() -> None:
    """facts.md 6: 6,169 = encoder 5,312 + two heads of 390 + 6 + a value of 65; the preference is 396."""
    parameters = prefpoe.init(settings_of("prefpoe_released"), CHEETAH, np.random.default_rng(0))
    sizes = {name: value.numel() for name, value in parameters.items()}
    assert sum(sizes.values()) == 6_169
    assert sum(n for name, n in sizes.items() if name.startswith("preference")) == 396


def test_parameter_counts_of_the_equations() -> None:
    """Encoder 5,312, critic 5,312 + 65, two heads of a mean and a log-std with 390 each."""
    parameters = prefpoe.init(settings_of("prefpoe"), CHEETAH, np.random.default_rng(0))
    assert sum(value.numel() for value in parameters.values()) == 2 * 5312 + 65 + 4 * 390


def test_initial_entropies_of_the_released_artefact() -> None:
    """facts.md 8: 2.51 nats a head, 0.43 fused (σ = e⁻¹ and e⁻¹/√2 in six dimensions)."""
    settings = settings_of("prefpoe_released")
    parameters = prefpoe.init(settings, CHEETAH, np.random.default_rng(1))
    hyper = {name: value.float() for name, value in hyperparameters(settings).items()}
    seen = torch.randn(4, 17, generator=torch.Generator().manual_seed(0))
    for head in prefpoe.experts(parameters, seen, settings):
        assert [round(float(x), 2) for x in head.entropy()] == [2.51] * 4
    fused = prefpoe.act(parameters, seen, hyper, settings)
    assert [round(float(x), 2) for x in fused.entropy()] == [0.43] * 4


def test_log_std_heads_of_the_equations_start_at_zero_and_depend_on_the_state() -> None:
    settings = settings_of("prefpoe")
    parameters = prefpoe.init(settings, CHEETAH, np.random.default_rng(2))
    seen = torch.randn(4, 17, generator=torch.Generator().manual_seed(0))
    for head in prefpoe.experts(parameters, seen, settings):
        assert isinstance(head, distributions.DiagonalGaussian)
        torch.testing.assert_close(head.std, torch.ones(4, 6), rtol=0, atol=0.1)
        assert not torch.equal(head.std[0], head.std[1])


def test_preference_network_acts_without_the_preference_but_learns_with_it() -> None:
    settings = settings_of("preference_network")
    parameters, batch = some_parameters(settings, CHEETAH, 9), some_batch(CHEETAH, 10)
    hyper = hyperparameters(settings)
    acting = prefpoe.act(parameters, batch.observation, hyper, settings)
    main = ppo.head(
        parameters, "policy", ppo.encode(parameters, batch.observation, settings), settings
    )
    assert isinstance(acting, distributions.DiagonalGaussian)
    assert isinstance(main, distributions.DiagonalGaussian)
    assert torch.equal(acting.mean, main.mean)
    assert torch.equal(acting.std, main.std)
    gradients = []
    for weight in (settings.preference_coefficient, 0.0):
        own = hyper | {"preference_coefficient": torch.tensor(weight, dtype=torch.float64)}
        total, _ = prefpoe.loss(parameters, batch, own, settings)
        names = [
            "actor.0.weight",
            "actor.1.weight",
            "preference.mean.0.weight",
            "policy.mean.0.bias",
        ]
        gradients.append(torch.autograd.grad(total, [parameters[name] for name in names]))
    (first, second, head, policy), (first_0, second_0, head_0, policy_0) = gradients
    assert float((first - first_0).norm()) > 1e-4
    assert float((second - second_0).norm()) > 1e-4
    assert head.any()
    assert not head_0.any()
    assert torch.equal(policy, policy_0)


def test_product_acts_with_both_experts() -> None:
    settings = settings_of("prefpoe")
    parameters, batch = some_parameters(settings, CHEETAH, 11), some_batch(CHEETAH, 12)
    hyper = hyperparameters(settings)
    before = prefpoe.act(parameters, batch.observation, hyper, settings).mode()
    for name in ("policy", "preference"):
        moved = parameters | {f"{name}.mean.0.bias": parameters[f"{name}.mean.0.bias"] + 1}
        after = prefpoe.act(moved, batch.observation, hyper, settings).mode()
        assert (after > before).all()


def test_ppo_matched_is_the_released_architecture_without_the_preference_head() -> None:
    matched, released = METHODS["ppo_matched"].settings, METHODS["prefpoe_released"].settings
    assert isinstance(released, PrefPoE)
    ours = ppo.init(matched, CHEETAH, np.random.default_rng(0))
    theirs = prefpoe.init(released, CHEETAH, np.random.default_rng(0))
    shapes = {name: value.shape for name, value in theirs.items()}
    kept = {name: shape for name, shape in shapes.items() if not name.startswith("preference")}
    assert {name: value.shape for name, value in ours.items()} == kept
    for name in PPO.model_fields:
        assert getattr(matched, name) == getattr(released, name), name


CLEANRL = {
    "learning_rate": 3e-4,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip": 0.2,
    "value_coefficient": 0.5,
    "entropy_coefficient": 0.0,
    "max_grad_norm": 0.5,
    "adam_epsilon": 1e-5,
    "environments": 1,
    "rollout_steps": 2048,
    "minibatches": 32,
    "epochs": 10,
    "hidden": (64, 64),
    "backbone": "separate",
    "mean": "linear",
    "initial_log_std": 0.0,
    "anneal_learning_rate": True,
    "anneal_clip": False,
    "clip_value_loss": True,
    "bootstrap_truncation": False,
    "normalize_observations": True,
    "normalize_rewards": True,
}
EQUATIONS = CLEANRL | {
    "beta_1": 0.2,
    "alpha": 0.2,
    "fusion_weight": 0.4,
    "consistency_coefficient": 0.063,
    "preference_coefficient": 0.032,
    "fusion": "product",
    "std": "head",
    "std_range": None,
    "precision_epsilon": 0.0,
    "entropy_sign": -1,
}
# What came later, at defaults under which nothing that was there before changes.
LATER: dict[type[PPO], dict[str, Any]] = {
    PPO: {"advantage_normalization": "minibatch", "advantage_noise": 0.0},
    PrefPoE: {"advantage_normalization": "minibatch", "advantage_noise": 0.0}
    | {"detach_fused": False, "detach_encoder": False, "fusion_schedule": "constant"},
}
# facts.md, "Definitions to use where the paper is silent", and facts 1–5, 8 and 16.
DEFINITIONS: dict[str, dict[str, Any]] = {
    "ppo": CLEANRL,
    "ppo_adaptive_clip": CLEANRL | {"anneal_clip": True},
    "ppo_matched": CLEANRL | {"backbone": "shared", "mean": "tanh", "initial_log_std": -1.0},
    "ppo_cleanrl_discrete": CLEANRL
    | {"environments": 4, "rollout_steps": 128, "minibatches": 4, "epochs": 4}
    | {"learning_rate": 2.5e-4, "entropy_coefficient": 0.01}
    | {"normalize_observations": False, "normalize_rewards": False},
    "linear_fusion": EQUATIONS | {"fusion": "average"},
    "preference_network": EQUATIONS | {"fusion": "none", "consistency_coefficient": 0.0},
    "preference_network_clamped": EQUATIONS
    | {"fusion": "none", "consistency_coefficient": 0.0, "std_range": (1e-3, 2.0)},
    "ppo_state_std": EQUATIONS
    | {"fusion": "none", "consistency_coefficient": 0.0, "preference_coefficient": 0.0},
    "poe_no_advantage": EQUATIONS | {"beta_1": 0.0},
    "poe_no_preference_loss": EQUATIONS | {"preference_coefficient": 0.0},
    "prefpoe": EQUATIONS,
    "prefpoe_eq16": EQUATIONS | {"entropy_sign": 1},
    "prefpoe_released": EQUATIONS
    | {"fusion_weight": 1.0, "std": "parameter", "initial_log_std": -1.0, "mean": "tanh"}
    | {"std_range": (1e-3, 2.0), "precision_epsilon": 1e-8, "backbone": "shared"},
}


@pytest.mark.parametrize("method", list(DEFINITIONS))
def test_settings_of_each_arm_are_as_defined(method: str) -> None:
    settings = METHODS[method].settings
    assert settings.model_dump() == DEFINITIONS[method] | LATER[type(settings)]
    assert settings.content().keys() == DEFINITIONS[method].keys()


def test_arms_that_need_a_mean_serve_continuous_actions_only() -> None:
    for method in DEFINITIONS:
        one = {"ppo_matched": "continuous", "prefpoe_released": "continuous"}
        one["ppo_cleanrl_discrete"] = "discrete"
        expected = (one[method],) if method in one else ("continuous", "discrete")
        assert METHODS[method].action_kinds == expected, method
