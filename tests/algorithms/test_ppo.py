"""PPO's loss by hand and against CleanRL's published formulas written out with torch.nn and autograd."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Normal

from algorithms.distributions import Categorical, DiagonalGaussian
from algorithms.methods import ppo
from algorithms.methods.ppo import Batch
from algorithms.networks import Parameters
from algorithms.settings import METHODS, PPO, resolve
from envs.registry import ENVIRONMENTS, Discrete, Environment

CHEETAH, LAKE = ENVIRONMENTS["HalfCheetah-v4"], ENVIRONMENTS["FrozenLake-v1"]


def hyperparameters(settings: PPO) -> dict[str, Tensor]:
    return {
        name: torch.tensor(getattr(settings, name), dtype=torch.float64)
        for name in settings.per_member()
    }


def shaken(parameters: Parameters, seed: int, scale: float = 0.3) -> Parameters:
    """The same in float64, away from the initial zeros so that every parameter matters."""
    rng = np.random.default_rng(seed)
    return {
        name: value.double() + torch.from_numpy(rng.normal(0, scale, tuple(value.shape)))
        for name, value in parameters.items()
    }


def some_batch(world: Environment, seed: int, size: int = 64) -> Batch:
    """Old log-probabilities and values scatter widely enough to reach both sides of every clip."""
    rng = np.random.default_rng(seed)
    discrete = isinstance(world.action, Discrete)
    action = (
        torch.from_numpy(rng.integers(world.action.size, size=size))
        if discrete
        else torch.from_numpy(rng.normal(0, 1, (size, world.action.size)))
    )
    old = rng.normal(-1.4 if discrete else -9, 0.5, size)
    seen = rng.normal(size=(size, world.observation_size))
    columns = (rng.normal(1, 2, size), rng.normal(size=size), rng.normal(size=size))
    rest = [torch.from_numpy(column) for column in columns]
    return Batch(torch.from_numpy(seen), action, torch.from_numpy(old), *rest)


class Agent(nn.Module):
    """CleanRL's agent: separate tanh networks of two layers, a free log-std or logits."""

    def __init__(self, world: Environment, width: int = 64) -> None:
        super().__init__()
        size, actions = world.observation_size, world.action.size

        def network(outputs: int) -> nn.Sequential:
            hidden = [nn.Linear(size, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()]
            return nn.Sequential(*hidden, nn.Linear(width, outputs))

        self.critic, self.actor = network(1), network(actions)
        self.discrete = isinstance(world.action, Discrete)
        if not self.discrete:
            self.actor_logstd = nn.Parameter(torch.zeros(1, actions))

    def load(self, parameters: Parameters) -> None:
        """Take over our parameters by where they belong."""
        layer = "policy.logits.0" if self.discrete else "policy.mean.0"
        pairs = list(zip(("actor.0", "actor.1", layer), (0, 2, 4), strict=True))
        with torch.no_grad():
            for name, place in pairs:
                self.copy(self.actor[place], parameters, name)
            for index, place in enumerate((0, 2, 4)):
                self.copy(self.critic[place], parameters, f"critic.{index}")
            if not self.discrete:
                self.actor_logstd.copy_(parameters["policy.log_std"])

    @staticmethod
    def copy(module: nn.Module, parameters: Parameters, name: str) -> None:
        module.get_parameter("weight").copy_(parameters[f"{name}.weight"])
        module.get_parameter("bias").copy_(parameters[f"{name}.bias"])

    def gradient(self, name: str) -> Tensor:
        """The gradient of the parameter that we call `name`."""
        if name == "policy.log_std":
            assert self.actor_logstd.grad is not None
            return self.actor_logstd.grad[0]
        *layer, kind = name.split(".")
        network = self.critic if layer[0] == "critic" else self.actor
        place = 4 if layer[0] == "policy" else 2 * int(layer[1])
        gradient = network[place].get_parameter(kind).grad
        assert gradient is not None
        return gradient


def cleanrl(agent: Agent, batch: Batch, settings: PPO) -> tuple[Tensor, dict[str, Tensor]]:
    """The update of CleanRL's ppo_continuous_action.py and ppo.py, its names kept."""
    newvalue = agent.critic(batch.observation).view(-1)
    out = agent.actor(batch.observation)
    probs: Any
    if agent.discrete:
        probs = TorchCategorical(logits=out)
        newlogprob, entropy = probs.log_prob(batch.action), probs.entropy()
    else:
        probs = Normal(out, torch.exp(agent.actor_logstd.expand_as(out)))
        newlogprob, entropy = probs.log_prob(batch.action).sum(1), probs.entropy().sum(1)
    logratio = newlogprob - batch.log_prob
    ratio = logratio.exp()
    approx_kl = ((ratio - 1) - logratio).mean()
    clipfrac = ((ratio - 1.0).abs() > settings.clip).double().mean()
    mb_advantages = batch.advantage
    mb_advantages = (mb_advantages - mb_advantages.mean()) / (mb_advantages.std() + 1e-8)
    pg_loss1 = -mb_advantages * ratio
    pg_loss2 = -mb_advantages * torch.clamp(ratio, 1 - settings.clip, 1 + settings.clip)
    pg_loss = torch.max(pg_loss1, pg_loss2).mean()
    v_loss_unclipped = (newvalue - batch.target) ** 2
    if settings.clip_value_loss:
        v_clipped = batch.value + torch.clamp(newvalue - batch.value, -settings.clip, settings.clip)
        v_loss = 0.5 * torch.max(v_loss_unclipped, (v_clipped - batch.target) ** 2).mean()
    else:
        v_loss = 0.5 * v_loss_unclipped.mean()
    entropy_loss = entropy.mean()
    loss = pg_loss - settings.entropy_coefficient * entropy_loss
    loss = loss + v_loss * settings.value_coefficient
    return loss, {
        "policy_loss": pg_loss,
        "value_loss": v_loss,
        "entropy": entropy_loss,
        "approx_kl": approx_kl,
        "clip_fraction": clipfrac,
    }


@pytest.mark.parametrize("world", [CHEETAH, LAKE], ids=lambda world: world.name)
@pytest.mark.parametrize(
    "overrides",
    [{}, {"clip_value_loss": False}, {"entropy_coefficient": 0.01, "clip": 0.1}],
    ids=["defaults", "plain value loss", "entropy bonus"],
)
def test_loss_and_gradient_are_cleanrls(world: Environment, overrides: dict[str, Any]) -> None:
    settings = resolve("ppo", overrides)
    parameters = shaken(ppo.init(settings, world, np.random.default_rng(0)), 1, 0.1)
    batch = some_batch(world, 2)
    agent = Agent(world).double()
    agent.load(parameters)
    expected, published = cleanrl(agent, batch, settings)
    expected.backward()  # type: ignore[no-untyped-call]
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    total, diagnostics = ppo.loss(leaves, batch, hyperparameters(settings), settings)
    torch.testing.assert_close(total, expected, rtol=1e-12, atol=1e-12)
    assert diagnostics.keys() == published.keys()
    for name, value in published.items():
        torch.testing.assert_close(diagnostics[name], value, rtol=1e-11, atol=1e-12)
    assert 0.05 < float(diagnostics["clip_fraction"]) < 0.95
    gradients = torch.autograd.grad(total, list(leaves.values()))
    for name, gradient in zip(leaves, gradients, strict=True):
        torch.testing.assert_close(gradient, agent.gradient(name), rtol=1e-9, atol=1e-13)
        assert gradient.any()


def tiny_batch() -> tuple[DiagonalGaussian, Batch]:
    """Two transitions of N(0, 1) whose ratios are 1.5 and 0.5 and whose normalised advantages are ±1/√2."""

    def column(*values: float) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    action = column(0.3, -1.2).unsqueeze(-1)
    policy = DiagonalGaussian(torch.zeros_like(action), torch.ones_like(action))
    normal = -0.5 * action[:, 0] ** 2 - 0.5 * math.log(2 * math.pi)
    old = normal - torch.log(column(1.5, 0.5))
    columns = (column(5, 3), column(1, 2), column(0.5, 3.5))
    return policy, Batch(torch.zeros(2, 1), action, old, *columns)


def test_loss_by_hand() -> None:
    """Objectives min(1.5, 1.2)/√2 and min(−0.5, −0.8)/√2: loss −0.2/√2. Values 1, 3 from 0.5, 3.5 move to
    0.7, 3.3; against targets 1, 2 the larger errors are 0.3² and 1.3²: ½ · 1.78/2. KL: −½ ln(1.5 · 0.5)."""
    policy, batch = tiny_batch()
    settings = resolve("ppo", {"entropy_coefficient": 0.01})
    value = torch.tensor([1.0, 3.0], dtype=torch.float64)
    total, parts = ppo.ppo_loss(policy, value, batch, hyperparameters(settings), settings)
    expected = {
        "policy_loss": -0.2 / math.sqrt(2),
        "value_loss": 0.445,
        "entropy": 1.4189385332046727,
        "approx_kl": -0.5 * math.log(0.75),
        "clip_fraction": 1.0,
    }
    for name, number in expected.items():
        assert float(parts[name]) == pytest.approx(number, rel=1e-7), name
    assert float(total) == pytest.approx(-0.2 / math.sqrt(2) + 0.2225 - 0.014189385, rel=1e-6)
    plain = resolve("ppo", {"clip_value_loss": False})
    _, parts = ppo.ppo_loss(policy, value, batch, hyperparameters(plain), plain)
    assert float(parts["value_loss"]) == pytest.approx(0.25)


def test_a_whole_batchs_advantages_are_used_as_they_are() -> None:
    """Advantages 5 and 3, ratios 1.5 and 0.5: min(7.5, 6) and min(1.5, 2.4), of which −3.75 is the loss."""
    policy, batch = tiny_batch()
    settings = resolve("ppo", {"advantage_normalization": "batch"})
    value = torch.tensor([1.0, 3.0], dtype=torch.float64)
    _, parts = ppo.ppo_loss(policy, value, batch, hyperparameters(settings), settings)
    assert float(parts["policy_loss"]) == pytest.approx(-3.75, rel=1e-12)
    assert float(parts["value_loss"]) == pytest.approx(0.445)


def test_normalised_advantages_divide_by_n_minus_1() -> None:
    """(1, 2, 3, 6): mean 3, sum of squares 14, deviation √(14/3)."""
    advantage = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    expected = [x / math.sqrt(14 / 3) for x in (-2, -1, 0, 3)]
    assert ppo.normalized(advantage).tolist() == pytest.approx(expected, rel=1e-7)


def count(parameters: Parameters) -> int:
    return sum(value.numel() for value in parameters.values())


def test_parameter_counts() -> None:
    """HalfCheetah: twice 17·64 + 64 + 64·64 + 64 = 5,312, a head of 390, log-std 6, a value of 65."""
    rng = np.random.default_rng(0)
    assert count(ppo.init(PPO(), CHEETAH, rng)) == 2 * 5312 + 390 + 6 + 65 == 11_085
    assert count(ppo.init(METHODS["ppo_matched"].settings, CHEETAH, rng)) == 5312 + 396 + 65
    lake = 16 * 64 + 64 + 64 * 64 + 64
    assert count(ppo.init(PPO(), LAKE, rng)) == 2 * lake + 64 * 4 + 4 + 65


def test_initial_entropy_of_ppo_is_8_51() -> None:
    """facts.md 8: six dimensions of N(0, 1), 6 · 1.4189."""
    parameters = ppo.init(PPO(), CHEETAH, np.random.default_rng(1))
    policy = ppo.act(parameters, torch.ones(5, 17), {}, PPO())
    torch.testing.assert_close(policy.entropy(), torch.full((5,), 8.5136), rtol=0, atol=1e-4)


def test_gains_at_the_start() -> None:
    """The policy's head is nearly silent (gain 0.01), the value's is not (gain 1), the trunk has √2."""
    parameters = ppo.init(PPO(), CHEETAH, np.random.default_rng(2))
    for name, gain in (
        ("actor.0", math.sqrt(2)),
        ("actor.1", math.sqrt(2)),
        ("policy.mean.0", 0.01),
        ("critic.0", math.sqrt(2)),
        ("critic.1", math.sqrt(2)),
        ("critic.2", 1.0),
    ):
        norm = torch.linalg.matrix_norm(parameters[f"{name}.weight"], ord=2)
        assert float(norm) == pytest.approx(gain, rel=1e-5), name


def test_a_tanh_mean_stays_within_1_and_a_linear_one_does_not() -> None:
    parameters = ppo.init(PPO(), CHEETAH, np.random.default_rng(3))
    parameters["policy.mean.0.bias"] = torch.full((6,), 3.0)
    seen = torch.zeros(2, 17)
    squashed = ppo.act(parameters, seen, {}, PPO(mean="tanh")).mode()
    torch.testing.assert_close(squashed, torch.full((2, 6), math.tanh(3.0)))
    assert ppo.act(parameters, seen, {}, PPO()).mode().tolist() == [[3.0] * 6] * 2


def test_a_shared_critic_is_a_linear_layer_on_the_actors_encoder() -> None:
    settings = METHODS["ppo_matched"].settings
    parameters = shaken(ppo.init(settings, CHEETAH, np.random.default_rng(4)), 5)
    seen = some_batch(CHEETAH, 6, 8).observation
    hidden = seen
    for index in range(2):
        weight, bias = (parameters[f"actor.{index}.{kind}"] for kind in ("weight", "bias"))
        hidden = torch.tanh(hidden @ weight.T + bias)
    expected = hidden @ parameters["value.0.weight"][0] + parameters["value.0.bias"]
    torch.testing.assert_close(ppo.critic(parameters, seen, settings), expected)
    assert not any(name.startswith("critic") for name in parameters)


def test_the_kind_of_policy_follows_the_action_space() -> None:
    for world, kind in ((CHEETAH, DiagonalGaussian), (LAKE, Categorical)):
        parameters = ppo.init(PPO(), world, np.random.default_rng(7))
        seen = torch.zeros(3, world.observation_size)
        policy = ppo.act(parameters, seen, {}, PPO())
        assert isinstance(policy, kind)
        assert policy.entropy().shape == (3,)
        assert ("policy.log_std" in parameters) == (kind is DiagonalGaussian)
