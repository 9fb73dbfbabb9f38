"""Soft actor-critic (Haarnoja et al. 2018) with any policy of `policies.py` and any estimator of its gradient.

As Algorithm 1 of the mixture paper: critics, then the actor against the critics that result, then the slow copies.
Shapes: B transitions, O observation, A action dimensions, N components, M baseline actions. Equation numbers are the
mixture paper's.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from algorithms.estimator_rules import has_baseline, learns_weights
from algorithms.estimators import ESTIMATORS, Draw, Objective
from algorithms.keys import Draws
from algorithms.methods.off_policy import Block, Transitions
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.networks import Parameters, init_relu_mlp, mlp
from algorithms.policies import Head, Mixture, Noise
from algorithms.settings import SAC
from envs.native import bandits
from envs.registry import Environment

_CRITICS = ("critic.first", "critic.second")


def init(settings: SAC, world: Environment, rng: np.random.Generator) -> Parameters:
    """Fresh parameters: "critic" (two networks) unless it is exact, "actor" and, where α is learned, "temperature"."""
    parameters: Parameters = {}
    for name in _CRITICS if settings.critic == "learned" else ():
        sizes = (world.observation_size + world.action.size, *settings.hidden, 1)
        parameters |= init_relu_mlp(rng, name, sizes)
    outputs = head(settings, world.action.size).outputs
    parameters |= init_relu_mlp(rng, "actor", (world.observation_size, *settings.hidden, outputs))
    if settings.automatic_alpha:
        parameters["temperature.log_alpha"] = torch.tensor(settings.alpha).log()
    return parameters


def act(
    parameters: Parameters, observation: Tensor, hyper: Hyperparameters, settings: SAC
) -> Mixture:
    """π(· | s) for observations [B, O]."""
    layers = len(settings.hidden) + 1
    raw = mlp(parameters, "actor", observation, layers, torch.relu)
    return head(settings, _actions(parameters, settings)).policy(raw)


def explore(policy: Mixture, draws: Draws) -> Tensor:
    """A sampled action: [B, A]."""
    return policy.sample(noise(draws, policy)).value


def blocks(settings: SAC, world: Environment) -> dict[str, Block]:
    """What an update moves, in this order."""
    moved: dict[str, Block] = {}
    if settings.critic == "learned":
        moved["critic"] = Block(
            critic_loss, {"critic": lambda hyper: hyper["critic_learning_rate"]}
        )
    moved["actor"] = Block(
        actor_loss,
        {"actor": lambda hyper: hyper["actor_step_ratio"] * hyper["critic_learning_rate"]},
    )
    if settings.automatic_alpha:
        moved["temperature"] = Block(
            temperature_loss, {"temperature": lambda hyper: hyper["alpha_learning_rate"]}
        )
    return moved


def followed(settings: SAC) -> tuple[str, ...]:
    """Blocks that slow copies follow."""
    return ("critic",) if settings.critic == "learned" else ()


def critic_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: SAC,
) -> tuple[Tensor, Diagnostics]:
    """½ Σ_i E[(Q_i(s, a) − r − γ (min_j Q̄_j(s', a') − α log π(a' | s')))²], a' from π; no value after termination."""
    policy = act(parameters, batch.successor, hyper, settings).detach()
    action = policy.sample(noise(draws, policy))
    alpha = entropy_scale(parameters, hyper, settings).detach()
    following = value(slow, batch.successor, action.value, settings)
    soft = following - alpha * policy.log_prob(action)
    target = batch.reward + batch.discount * soft
    errors = values(parameters, batch.observation, batch.action, settings) - target.detach()
    loss = 0.5 * errors.square().mean(-1).sum()
    return loss, {"critic_loss": loss.detach()}


def actor_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: SAC,
) -> tuple[Tensor, Diagnostics]:
    """−Ĵ (Eq. 3) by the estimator that the settings name."""
    policy = act(parameters, batch.observation, hyper, settings)
    alpha = entropy_scale(parameters, hyper, settings).detach()

    def q(action: Tensor) -> Tensor:
        seen = batch.observation.expand(*action.shape[:-1], -1)
        return value(parameters, seen, action, settings)

    others = settings.baseline_actions if has_baseline(settings.estimator) else 0
    draw = Draw(noise(draws, policy), noise(draws, policy, others))
    estimate = ESTIMATORS[settings.estimator](
        policy, draw, Objective(q, alpha, hyper["gumbel_temperature"])
    )
    return -estimate.surrogate.mean(), {
        "value": estimate.q.mean(),
        "log_prob": estimate.log_prob.mean(),
        "alpha": alpha.clone(),
    }


def temperature_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: SAC,
) -> tuple[Tensor, Diagnostics]:
    """−log α · E[log π(a | s) + H̄] with H̄ = −A (Haarnoja et al. 2018, "Algorithms and applications")."""
    policy = act(parameters, batch.observation, hyper, settings).detach()
    excess = policy.log_prob(policy.sample(noise(draws, policy))) - policy.location.shape[-1]
    return -parameters["temperature.log_alpha"] * excess.mean(), {}


def entropy_scale(parameters: Parameters, hyper: Hyperparameters, settings: SAC) -> Tensor:
    """α, learned or given."""
    if settings.automatic_alpha:
        return parameters["temperature.log_alpha"].exp()
    return hyper["alpha"]


def values(parameters: Parameters, observation: Tensor, action: Tensor, settings: SAC) -> Tensor:
    """Q_1 and Q_2 of [B, O] and [B, A]: [2, B]."""
    x = torch.cat((observation, action), dim=-1)
    layers = len(settings.hidden) + 1
    both = [mlp(parameters, name, x, layers, torch.relu).squeeze(-1) for name in _CRITICS]
    return torch.stack(both)


def value(parameters: Parameters, observation: Tensor, action: Tensor, settings: SAC) -> Tensor:
    """The smaller of both critics, or the exact reward of a bandit: [B]."""
    if settings.critic == "exact":
        mean, std, scale = (parameters[f"world.{name}"] for name in bandits.Problem._fields)
        return bandits.reward(mean, std, scale, bandits.REACH * action.squeeze(-1))
    return values(parameters, observation, action, settings).amin(0)


def head(settings: SAC, actions: int) -> Head:
    """How the actor's output becomes a policy."""
    return Head(
        settings.components,
        actions,
        settings.log_std_range,
        settings.base,
        settings.squashed,
        settings.weights,
        settings.jacobian_floor,
    )


def noise(draws: Draws, policy: Mixture, *leading: int) -> Noise:
    """Fresh noise for `policy`, with more leading dimensions if asked for; none to choose among one component."""
    batch, (components, actions) = policy.location.shape[:-2], policy.location.shape[-2:]
    like = policy.location.dtype
    standard = draws.normal if policy.base == "normal" else draws.cauchy
    component = (
        draws.gumbel(*leading, *batch, components)
        if components > 1
        else policy.location.new_zeros(*leading, *batch, 1)
    )
    return Noise(component.to(like), standard(*leading, *batch, actions).to(like))


def _actions(parameters: Parameters, settings: SAC) -> int:
    """Action dimensions, from the width of the actor's output."""
    outputs = len(parameters[f"actor.{len(settings.hidden)}.bias"])
    logits = settings.components * learns_weights(settings.components, settings.weights)
    return (outputs - logits) // (2 * settings.components)
