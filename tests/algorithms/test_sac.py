"""SAC's three losses against torch.distributions, written out again in float64 for given random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch import distributions as d

from algorithms.estimator_rules import EstimatorName
from algorithms.keys import Draws
from algorithms.methods import sac
from algorithms.methods.off_policy import Transitions
from algorithms.networks import Parameters
from algorithms.settings import METHODS, SAC, resolve
from envs.registry import ENVIRONMENTS, Environment
from tests.algorithms.replayed import BATCH, numbers, some_batch

CHEETAH, PENDULUM = ENVIRONMENTS["HalfCheetah-v4"], ENVIRONMENTS["Pendulum"]
SMALL: dict[str, Any] = {"hidden": (8, 6), "baseline_actions": 4, "batch_size": BATCH}
POLICIES: dict[str, dict[str, Any]] = {
    "base": {},
    "mixture": {"components": 3, "estimator": "half"},
    "uniform": {"components": 3, "weights": "uniform"},
}


def settings_of(**overrides: Any) -> SAC:
    return SAC(**{**SMALL, **overrides})


def hyperparameters(settings: SAC, **others: float) -> dict[str, Tensor]:
    return {
        name: torch.tensor(others.get(name, getattr(settings, name)), dtype=torch.float64)
        for name in settings.per_member()
    }


def agent(settings: SAC, world: Environment, seed: int) -> tuple[Parameters, Parameters]:
    """Parameters in float64 with biases that matter, and slow copies that lag behind."""
    rng = np.random.default_rng(seed)
    parameters = {
        name: 0.6 * value.double() + torch.from_numpy(rng.normal(0, 0.1, tuple(value.shape)))
        for name, value in sac.init(settings, world, rng).items()
    }
    slow = {
        name: value + torch.from_numpy(rng.normal(0, 0.2, tuple(value.shape)))
        for name, value in parameters.items()
        if name.startswith("critic.")
    }
    return parameters, slow


# The same again, for one agent, without anything of ours


@dataclass
class Uniforms:
    """Consumed in order: Gumbel noise where there is a choice, then normal noise by Box and Muller."""

    left: Tensor

    def take(self, count: int) -> Tensor:
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def noise(self, *lead: int, components: int, actions: int) -> tuple[Tensor, Tensor]:
        rows = math.prod(lead)
        gumbel = torch.zeros(*lead, 1, dtype=torch.float64)
        if components > 1:
            gumbel = -(-self.take(rows * components).log()).log().view(*lead, components)
        half = -(-rows * actions // 2)
        radius, angle = self.take(half), self.take(half)
        length = (-2 * radius.log()).sqrt()
        turn = 2 * math.pi * angle
        both = torch.cat((length * turn.cos(), length * turn.sin()))
        return gumbel, both[: rows * actions].view(*lead, actions)


def network(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    for layer in range(3):
        weight, bias = (parameters[f"{name}.{layer}.{kind}"] for kind in ("weight", "bias"))
        x = x @ weight.T + bias
        x = torch.maximum(x, torch.zeros_like(x)) if layer < 2 else x
    return x


def q_values(parameters: Parameters, seen: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
    x = torch.cat((seen.expand(*action.shape[:-1], seen.shape[-1]), action), -1)
    first, second = (network(parameters, f"critic.{i}", x)[..., 0] for i in ("first", "second"))
    return first, second


class Policy:
    """A squashed Gaussian mixture of torch.distributions, with a head as Appendix D.1 describes."""

    def __init__(self, parameters: Parameters, seen: Tensor, settings: SAC, actions: int) -> None:
        raw, n = network(parameters, "actor", seen), settings.components
        shape = (len(seen), n, actions)
        self.location = raw[:, : n * actions].reshape(shape)
        log_std = raw[:, n * actions : 2 * n * actions].reshape(shape)
        self.scale = torch.clamp(log_std, *settings.log_std_range).exp()
        logits = raw[:, 2 * n * actions :]
        fixed = logits.shape[1] == 0
        self.choice = d.Categorical(logits=torch.zeros(len(seen), n).double() if fixed else logits)
        squashed: Any = d.TransformedDistribution(
            d.Normal(self.location, self.scale), [d.TanhTransform()]
        )
        self.mixture: Any = d.MixtureSameFamily(
            self.choice, d.Independent(squashed, 1), validate_args=False
        )

    def sample(self, noise: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Actions, and which component each comes from."""
        gumbel, normal = noise
        which = (self.choice.logits + gumbel).argmax(-1)
        index = which[..., None, None].expand(*which.shape, 1, normal.shape[-1])
        shape = (*which.shape, *self.location.shape[-2:])
        location = self.location.expand(shape).gather(-2, index)[..., 0, :]
        scale = self.scale.expand(shape).gather(-2, index)[..., 0, :]
        return torch.tanh(location + scale * normal), which


def their_critic_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    uniforms: Tensor,
    alpha: Tensor,
    settings: SAC,
) -> Tensor:
    actions = batch.action.shape[1]
    with torch.no_grad():
        policy = Policy(parameters, batch.successor, settings, actions)
        noise = Uniforms(uniforms).noise(BATCH, components=settings.components, actions=actions)
        action, _ = policy.sample(noise)
        entropy_bonus = -alpha * policy.mixture.log_prob(action)
        following = torch.min(*q_values(slow, batch.successor, action)) + entropy_bonus
        target = batch.reward + batch.discount * following
    both = q_values(parameters, batch.observation, batch.action)
    return sum(((q - target) ** 2).mean() / 2 for q in both)  # type: ignore[return-value]


def their_actor_loss(
    parameters: Parameters, batch: Transitions, uniforms: Tensor, alpha: Tensor, settings: SAC
) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, mean Q and mean log π at the sampled actions."""
    n, actions, seen = settings.components, batch.action.shape[1], batch.observation
    source, policy = Uniforms(uniforms), Policy(parameters, batch.observation, settings, actions)
    action, which = policy.sample(source.noise(BATCH, components=n, actions=actions))
    baseline = torch.zeros(BATCH)
    if settings.estimator != "reparameterized":
        rest = source.noise(settings.baseline_actions, BATCH, components=n, actions=actions)
        baseline = torch.min(*q_values(parameters, seen, policy.sample(rest)[0])).mean(0).detach()
    if settings.estimator == "likelihood":
        action = action.detach()
    q, log_prob = torch.min(*q_values(parameters, seen, action)), policy.mixture.log_prob(action)
    advantage = (q - baseline - alpha * log_prob).detach()
    path = q - alpha * log_prob
    surrogate = {
        "likelihood": log_prob * advantage,
        "reparameterized": path,
        "half": policy.choice.log_prob(which) * advantage + path,
    }[settings.estimator]
    return -surrogate.mean(), q.mean(), log_prob.mean()


def their_temperature_loss(
    parameters: Parameters, batch: Transitions, uniforms: Tensor, settings: SAC
) -> Tensor:
    actions = batch.action.shape[1]
    with torch.no_grad():
        policy = Policy(parameters, batch.observation, settings, actions)
        noise = Uniforms(uniforms).noise(BATCH, components=settings.components, actions=actions)
        entropy = -policy.mixture.log_prob(policy.sample(noise)[0])
    target_entropy = -actions
    return parameters["temperature.log_alpha"] * (entropy - target_entropy).mean()


def leaves(parameters: Parameters) -> Parameters:
    return {name: value.clone().requires_grad_() for name, value in parameters.items()}


def gradients(loss: Tensor, parameters: Parameters) -> Parameters:
    """Of every parameter; zeros where the loss does not depend on it."""
    found = torch.autograd.grad(
        loss, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(parameters, found, strict=True))


def agree(ours: Parameters, theirs: Parameters) -> None:
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], rtol=1e-7, atol=1e-11, msg=name)


@pytest.mark.parametrize("world", [CHEETAH, PENDULUM], ids=lambda world: world.name)
@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_critics_loss(policy: str, automatic: bool, world: Environment) -> None:
    settings = settings_of(**POLICIES[policy], automatic_alpha=automatic, alpha=0.3)
    parameters, slow = agent(settings, world, 1)
    batch, hyper = some_batch(world, 2), hyperparameters(settings)
    own, reference = leaves(parameters), leaves(parameters)
    loss, diagnostics = sac.critic_loss(own, slow, batch, Draws(numbers(3)), hyper, settings)
    alpha = parameters["temperature.log_alpha"].exp() if automatic else hyper["alpha"]
    expected = their_critic_loss(reference, slow, batch, numbers(3), alpha, settings)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0)
    assert diagnostics["critic_loss"] == loss.detach()
    found = gradients(loss, own)
    agree(found, gradients(expected, reference))
    for name, gradient in found.items():
        assert gradient.any() == name.startswith("critic."), name


ACTORS: list[tuple[str, EstimatorName]] = [
    ("base", "reparameterized"),
    ("base", "likelihood"),
    ("mixture", "half"),
    ("mixture", "likelihood"),
    ("uniform", "reparameterized"),
    ("uniform", "likelihood"),
]


@pytest.mark.parametrize("world", [CHEETAH, PENDULUM], ids=lambda world: world.name)
@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize(("policy", "estimator"), ACTORS)
def test_the_actors_loss(
    policy: str, estimator: EstimatorName, automatic: bool, world: Environment
) -> None:
    fixed = {"automatic_alpha": automatic, "alpha": 0.3}
    settings = settings_of(**{**POLICIES[policy], "estimator": estimator, **fixed})
    parameters, slow = agent(settings, world, 4)
    batch, hyper = some_batch(world, 5), hyperparameters(settings)
    own, reference = leaves(parameters), leaves(parameters)
    loss, diagnostics = sac.actor_loss(own, slow, batch, Draws(numbers(6)), hyper, settings)
    alpha = parameters["temperature.log_alpha"].exp() if automatic else hyper["alpha"]
    expected, q, log_prob = their_actor_loss(reference, batch, numbers(6), alpha, settings)
    for mine, theirs in (
        (loss, expected),
        (diagnostics["value"], q),
        (diagnostics["log_prob"], log_prob),
        (diagnostics["alpha"], alpha),
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-11)
        assert mine is loss or not mine.requires_grad
    moved = {name for name in own if name.startswith("actor.")}
    found, theirs_found = gradients(loss, own), gradients(expected, reference)
    agree({name: found[name] for name in moved}, theirs_found)
    assert all(found[name].any() for name in moved)
    if automatic:
        assert not found["temperature.log_alpha"].any()


@pytest.mark.parametrize("world", [CHEETAH, PENDULUM], ids=lambda world: world.name)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_temperatures_loss(policy: str, world: Environment) -> None:
    settings = settings_of(**POLICIES[policy])
    parameters, slow = agent(settings, world, 7)
    batch, hyper = some_batch(world, 8), hyperparameters(settings)
    own, reference = leaves(parameters), leaves(parameters)
    loss, _ = sac.temperature_loss(own, slow, batch, Draws(numbers(9)), hyper, settings)
    expected = their_temperature_loss(reference, batch, numbers(9), settings)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-13)
    found = gradients(loss, own)
    agree(found, gradients(expected, reference))
    assert [name for name in found if found[name].any()] == ["temperature.log_alpha"]


@pytest.mark.parametrize(
    ("log_std", "raised"), [(-8.0, True), (math.log(0.3), False), (-2.5, True)]
)
def test_alpha_rises_where_the_entropy_is_below_its_target(log_std: float, raised: bool) -> None:
    """Pendulum, target −1: around 0, entropies are −6.6, 0.1 and −1.08."""
    settings = settings_of()
    parameters, slow = agent(settings, PENDULUM, 10)
    parameters["actor.2.weight"] *= 0
    parameters["actor.2.bias"] = torch.tensor([0.0, log_std], dtype=torch.float64)
    own, batch = leaves(parameters), some_batch(PENDULUM, 11)
    # Noise in opposite pairs with mean square 1, so that the batch's entropy is the policy's.
    angles = torch.arange(BATCH // 2, dtype=torch.float64) / (BATCH // 2)
    uniforms = torch.cat((torch.full_like(angles, math.exp(-1)), angles))
    draws = Draws(uniforms)
    loss, _ = sac.temperature_loss(own, slow, batch, draws, hyperparameters(settings), settings)
    assert draws.taken == BATCH
    slope = float(gradients(loss, own)["temperature.log_alpha"])
    entropy = 0.5 * math.log(2 * math.pi * math.e) + log_std
    assert slope == pytest.approx(entropy + 1, abs=0.15)
    assert (slope < 0) == raised


def test_a_fixed_alpha_is_the_members_and_has_no_block() -> None:
    fixed, learned = settings_of(automatic_alpha=False, alpha=0.7), settings_of(alpha=0.7)
    assert list(sac.blocks(fixed, PENDULUM)) == ["critic", "actor"]
    assert list(sac.blocks(learned, PENDULUM)) == ["critic", "actor", "temperature"]
    hyper = hyperparameters(fixed, alpha=0.05)
    parameters, _ = agent(fixed, PENDULUM, 12)
    assert not any(name.startswith("temperature") for name in parameters)
    assert float(sac.entropy_scale(parameters, hyper, fixed)) == 0.05
    fresh = sac.init(learned, PENDULUM, np.random.default_rng(0))
    assert float(sac.entropy_scale(fresh, hyper, learned)) == pytest.approx(0.7)


def test_step_sizes() -> None:
    settings = settings_of()
    rates = {"critic_learning_rate": 0.01, "actor_step_ratio": 0.3, "alpha_learning_rate": 0.5}
    hyper = hyperparameters(settings, **rates)
    blocks = sac.blocks(settings, PENDULUM).values()
    found = {name: float(of(hyper)) for b in blocks for name, of in b.learning_rates.items()}
    assert found == pytest.approx({"critic": 0.01, "actor": 0.003, "temperature": 0.5})


@pytest.mark.parametrize("terminated", [True, False])
def test_no_value_follows_a_termination(terminated: bool) -> None:
    """Where it does not terminate, time limits included, the target has what the slow critics say of the successor."""
    settings = settings_of(gamma=0.9, automatic_alpha=False, alpha=1e-9)
    parameters, slow = agent(settings, PENDULUM, 13)
    discount = torch.full((BATCH,), 0.0 if terminated else 0.9, dtype=torch.float64)
    batch = some_batch(PENDULUM, 14)._replace(discount=discount)
    both = torch.stack(q_values(parameters, batch.observation, batch.action))
    for name in slow:
        slow[name] = torch.zeros_like(slow[name])
    slow["critic.first.2.bias"], slow["critic.second.2.bias"] = (
        torch.tensor([x], dtype=torch.float64) for x in (5.0, 7.0)
    )
    hyper = hyperparameters(settings)
    loss, _ = sac.critic_loss(parameters, slow, batch, Draws(numbers(15)), hyper, settings)
    target = batch.reward + (0 if terminated else 0.9 * 5.0)
    expected = ((both - target) ** 2).mean(1).sum() / 2
    torch.testing.assert_close(loss, expected, rtol=1e-7, atol=0)


# Policies and networks


@pytest.mark.parametrize("components", [1, 3])
def test_log_std_is_clamped_and_has_no_gradient_beyond(components: int) -> None:
    settings = settings_of(components=components, weights="uniform")
    parameters, _ = agent(settings, PENDULUM, 16)
    parameters["actor.2.weight"] *= 0
    seen = some_batch(PENDULUM, 17).observation
    for raw, limit in ((-30.0, -20.0), (30.0, 2.0), (0.5, 0.5)):
        parameters["actor.2.bias"] = torch.full((2 * components,), raw, dtype=torch.float64)
        own = leaves(parameters)
        scale = sac.act(own, seen, {}, settings).scale
        torch.testing.assert_close(scale, torch.full_like(scale, math.exp(limit)))
        slope = gradients(scale.sum(), own)["actor.2.bias"][components:]
        assert slope.any() == (raw == limit)


def test_fresh_weights_are_xaviers_and_biases_0() -> None:
    """U(−b, b), b = √2 √(6 / (inputs + outputs)); Kolmogorov and Smirnov at level 10⁻⁴ for each of eight layers."""
    parameters = sac.init(SAC(components=5, weights="uniform"), CHEETAH, np.random.default_rng(18))
    for name, value in parameters.items():
        if name.endswith("bias"):
            assert not value.any(), name
        elif name.endswith("weight"):
            bound = math.sqrt(2) * math.sqrt(6 / sum(value.shape))
            assert float(value.abs().max()) <= bound * (1 + 1e-6), name
            law = stats.uniform(-bound, 2 * bound)
            assert stats.kstest(value.double().flatten().numpy(), law.cdf).pvalue > 1e-4, name
    assert not torch.equal(
        parameters["critic.first.0.weight"], parameters["critic.second.0.weight"]
    )


def count(parameters: Parameters, prefix: str = "") -> int:
    return sum(value.numel() for name, value in parameters.items() if name.startswith(prefix))


@pytest.mark.parametrize(
    ("method", "world", "outputs"),
    [
        ("rep_squashed", CHEETAH, 12),
        ("like_sgm", CHEETAH, 65),
        ("uniform_rep_sgm", CHEETAH, 60),
        ("half_rep_sgm", PENDULUM, 15),
        ("uniform_rep_sgm", PENDULUM, 10),
        ("rep_cauchy", PENDULUM, 2),
    ],
)
def test_parameter_counts(method: str, world: Environment, outputs: int) -> None:
    """Five components in one dimension have 15 outputs: Appendix D.1. HalfCheetah: 17 → 256 → 256 → outputs."""
    settings = METHODS[method].settings
    assert isinstance(settings, SAC)
    parameters = sac.init(settings, world, np.random.default_rng(0))
    middle = 256 * 256 + 256
    size = world.observation_size
    assert count(parameters, "actor") == (size + 1) * 256 + middle + 257 * outputs
    assert count(parameters, "critic") == 2 * ((size + world.action.size + 1) * 256 + middle + 257)
    assert count(parameters) == count(parameters, "actor") + count(parameters, "critic") + 1
    policy = sac.act(parameters, torch.zeros(3, size), {}, settings)
    assert policy.location.shape == (3, settings.components, world.action.size)


def test_halfcheetahs_parameters_by_hand() -> None:
    """Actor 17·256 + 256 + 65,792 + 257·12; each critic 23·256 + 256 + 65,792 + 257; one temperature."""
    parameters = sac.init(SAC(), CHEETAH, np.random.default_rng(0))
    assert count(parameters) == 73_484 + 2 * 72_193 + 1 == 217_871


# One component


@pytest.mark.parametrize(
    ("mixture", "changes", "base"),
    [
        ("like_sgm", {}, "like_squashed"),
        ("uniform_rep_sgm", {"weights": "learned"}, "rep_squashed"),
        ("half_rep_sgm", {"estimator": "reparameterized"}, "rep_squashed"),
        ("gumbel_rep_cm", {"estimator": "reparameterized"}, "rep_cauchy"),
    ],
)
def test_a_mixture_of_one_is_the_base_policy_in_settings(
    mixture: str, changes: dict[str, Any], base: str
) -> None:
    assert resolve(mixture, {"components": 1, **changes}) == METHODS[base].settings
    if "estimator" in changes:
        with pytest.raises(ValueError, match="needs several components with learned weights"):
            resolve(mixture, {"components": 1})


@pytest.mark.parametrize("estimator", ["reparameterized", "likelihood"])
def test_a_mixture_of_one_learns_as_the_base_policy(estimator: EstimatorName) -> None:
    base = settings_of(estimator=estimator)
    one = settings_of(estimator=estimator, components=1, weights="uniform")
    parameters, slow = agent(base, CHEETAH, 19)
    batch, found = some_batch(CHEETAH, 20), []
    for settings in (base, one):
        own, hyper = leaves(parameters), hyperparameters(settings)
        for loss in (sac.critic_loss, sac.actor_loss, sac.temperature_loss):
            total, _ = loss(own, slow, batch, Draws(numbers(21)), hyper, settings)
            found.append(gradients(total, own))
    for mine, other in zip(found[:3], found[3:], strict=True):
        assert all(torch.equal(mine[name], other[name]) for name in mine)
        assert any(value.any() for value in mine.values())


@pytest.mark.parametrize("estimator", ["reparameterized", "likelihood"])
def test_equal_components_learn_together_as_the_base_policy(estimator: EstimatorName) -> None:
    """Three copies of one component: their head's gradients add up to the base's, all others are the base's."""
    base = settings_of(estimator=estimator)
    three = settings_of(estimator=estimator, components=3, weights="uniform")
    parameters, slow = agent(base, CHEETAH, 22)
    copied = dict(parameters)
    for kind in ("weight", "bias"):
        rows = parameters[f"actor.2.{kind}"]
        copied[f"actor.2.{kind}"] = torch.cat((*[rows[:6]] * 3, *[rows[6:]] * 3))
    batch, normal, gumbel = some_batch(CHEETAH, 23), numbers(24), numbers(25)
    base_own, three_own = leaves(parameters), leaves(copied)
    hyper = hyperparameters(base)
    first, then = BATCH * 6, 4 * BATCH * 6
    choosing = torch.cat(
        (gumbel[: BATCH * 3], normal[:first], gumbel[: 4 * BATCH * 3], normal[first : first + then])
    )
    one, _ = sac.actor_loss(base_own, slow, batch, Draws(normal), hyper, base)
    many, _ = sac.actor_loss(three_own, slow, batch, Draws(choosing), hyper, three)
    torch.testing.assert_close(one, many, rtol=1e-9, atol=0)
    mine, theirs = gradients(one, base_own), gradients(many, three_own)
    for kind in ("weight", "bias"):
        parts = theirs[f"actor.2.{kind}"].unflatten(0, (2, 3, 6))
        theirs[f"actor.2.{kind}"] = parts.sum(1).flatten(0, 1)
    for name in mine:
        if name.startswith("actor."):
            torch.testing.assert_close(theirs[name], mine[name], rtol=1e-8, atol=1e-12)
            assert mine[name].any()
