"""Proximal policy optimisation (Schulman et al. 2017), in CleanRL's form, for one agent.

Shapes: B transitions of a minibatch (any leading dimensions), O observation, A action dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from algorithms.distributions import Categorical, DiagonalGaussian, Distribution, Expert
from algorithms.networks import TRUNK_GAIN, Parameters, init_mlp, mlp
from algorithms.settings import PPO
from envs.registry import Discrete, Environment

HEAD_GAIN, VALUE_GAIN = 0.01, 1.0
Hyperparameters = dict[str, Tensor]
Diagnostics = dict[str, Tensor]


class Batch(NamedTuple):
    """Transitions as the updates see them; [B, …] each."""

    observation: Tensor
    action: Tensor
    log_prob: Tensor
    advantage: Tensor
    target: Tensor
    value: Tensor


def init(settings: PPO, world: Environment, rng: np.random.Generator) -> Parameters:
    """Fresh parameters: encoder "actor", head "policy", and "critic" or, on a shared encoder, "value"."""
    parameters = init_mlp(rng, "actor", (world.observation_size, *settings.hidden), TRUNK_GAIN)
    parameters |= init_head(rng, "policy", settings, world)
    if not isinstance(world.action, Discrete):
        parameters["policy.log_std"] = torch.full((world.action.size,), settings.initial_log_std)
    return parameters | init_value(rng, settings, world)


def act(
    parameters: Parameters, observation: Tensor, hyper: Hyperparameters, settings: PPO
) -> Distribution:
    """The distribution that rollouts sample, ratios compare and evaluation takes the mode of."""
    return head(parameters, "policy", encode(parameters, observation, settings), settings)


def loss(
    parameters: Parameters, batch: Batch, hyper: Hyperparameters, settings: PPO
) -> tuple[Tensor, Diagnostics]:
    """L_PPO: clipped surrogate + value loss − entropy bonus."""
    policy = act(parameters, batch.observation, hyper, settings)
    value = critic(parameters, batch.observation, settings)
    return ppo_loss(policy, value, batch, hyper, settings)


def ppo_loss(
    policy: Distribution,
    value: Tensor,
    batch: Batch,
    hyper: Hyperparameters,
    settings: PPO,
) -> tuple[Tensor, Diagnostics]:
    """L_PPO of `policy` and `value` [B] on a minibatch (Schulman et al. 2017, Eq. 7 and 9)."""
    advantage = normalized_advantage(batch, settings)
    log_ratio = policy.log_prob(batch.action) - batch.log_prob
    ratio = log_ratio.exp()
    clip = hyper["clip"]
    clipped = torch.minimum(torch.maximum(ratio, 1 - clip), 1 + clip)
    policy_loss = -torch.minimum(ratio * advantage, clipped * advantage).mean()
    error = (value - batch.target).square()
    if settings.clip_value_loss:
        moved = torch.minimum(torch.maximum(value - batch.value, -clip), clip)
        error = torch.maximum(error, (batch.value + moved - batch.target).square())
    value_loss = 0.5 * error.mean()
    entropy = policy.entropy().mean()
    total = (
        policy_loss
        + hyper["value_coefficient"] * value_loss
        - hyper["entropy_coefficient"] * entropy
    )
    return total, {
        "policy_loss": policy_loss,
        "value_loss": value_loss,
        "entropy": entropy,
        "approx_kl": (ratio - 1 - log_ratio).mean(),
        "clip_fraction": ((ratio - 1).abs() > clip).to(ratio.dtype).mean(),
    }


def normalized_advantage(batch: Batch, settings: PPO) -> Tensor:
    """A_norm of a minibatch [B]; a whole batch is normalised before it is cut into minibatches."""
    if settings.advantage_normalization == "batch":
        return batch.advantage
    return normalized(batch.advantage)


def normalized(advantage: Tensor) -> Tensor:
    """CleanRL's (A − mean) / (std + 1e-8), std with n − 1."""
    return (advantage - advantage.mean()) / (advantage.std() + 1e-8)


def init_head(rng: np.random.Generator, name: str, settings: PPO, world: Environment) -> Parameters:
    """One linear layer for the means, or for the logits of a discrete action."""
    layer = "logits" if isinstance(world.action, Discrete) else "mean"
    sizes = (settings.hidden[-1], world.action.size)
    return init_mlp(rng, f"{name}.{layer}", sizes, HEAD_GAIN)


def init_value(rng: np.random.Generator, settings: PPO, world: Environment) -> Parameters:
    """A network of its own, or one linear layer on the shared encoder."""
    if settings.backbone == "shared":
        return init_mlp(rng, "value", (settings.hidden[-1], 1), VALUE_GAIN)
    return init_mlp(rng, "critic", (world.observation_size, *settings.hidden, 1), VALUE_GAIN)


def encode(parameters: Parameters, observation: Tensor, settings: PPO) -> Tensor:
    """f_enc(s): [B, O] → [B, hidden]."""
    return torch.tanh(mlp(parameters, "actor", observation, len(settings.hidden)))


def head(parameters: Parameters, name: str, features: Tensor, settings: PPO) -> Expert:
    """The distribution of head `name`; its parameters say which kind it is."""
    if f"{name}.logits.0.weight" in parameters:
        return Categorical.from_logits(mlp(parameters, f"{name}.logits", features, 1))
    mean = mlp(parameters, f"{name}.mean", features, 1)
    mean = torch.tanh(mean) if settings.mean == "tanh" else mean
    if f"{name}.log_std" in parameters:
        log_std = parameters[f"{name}.log_std"].expand_as(mean)
    else:
        log_std = mlp(parameters, f"{name}.log_std", features, 1)
    return DiagonalGaussian(mean, log_std.exp())


def critic(parameters: Parameters, observation: Tensor, settings: PPO) -> Tensor:
    """V(s): [B, O] → [B]."""
    if settings.backbone == "shared":
        return mlp(parameters, "value", encode(parameters, observation, settings), 1).squeeze(-1)
    return mlp(parameters, "critic", observation, len(settings.hidden) + 1).squeeze(-1)
