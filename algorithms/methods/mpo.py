"""MPO (Abdolmaleki et al. 2018), and policies that learn from preferences in the same place: PMPO, DPO, IPO.

At the successors of a batch the reference policy proposes actions, which the slow critic values. Their mean value is what the
critic learns from, and the policy improves on the reference by them, all in one step, as in acme's learner (`paper.yaml`
of the PMPO paper says where we depart from it). What happens then to (policy, reference, samples, labels) is `improvement.py`'s.

Shapes: B transitions, O observation, A action dimensions, M proposed actions, K bins. Equation numbers are the PMPO paper's.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from algorithms.distributions import DiagonalGaussian, Discretised
from algorithms.improvement import IMPROVEMENTS, LABELS
from algorithms.keys import Draws
from algorithms.methods.off_policy import Block, Transitions
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.networks import Parameters, init_layer_norm_mlp, layer_norm_mlp
from algorithms.settings import MPO
from envs.native.functions import FUNCTIONS
from envs.registry import Continuous, Environment

Policy = DiagonalGaussian | Discretised

_OUTPUT_SCALE, _LEAST_STD = 1e-4, 1e-6
_LEAST_DUAL, _LEAST_RAW_DUAL = 1e-8, -18.0
_INITIAL_DUALS = {
    "gaussian": {"temperature": 10.0, "penalty": 10.0, "mean": 10.0, "std": 1000.0},
    "discretised": {"temperature": 3.0, "policy": 3.0},
}
"""Before softplus, as acme starts them; those of a KL there are one for each dimension."""
_ONE_FOR_ALL = ("temperature", "penalty")


def init(settings: MPO, world: Environment, rng: np.random.Generator) -> Parameters:
    """Fresh parameters: "critic" unless it is exact, "policy", and MPO's "duals"."""
    seen, actions = world.observation_size, world.action.size
    parameters: Parameters = {}
    if settings.critic == "learned":
        sizes = (seen + actions, *settings.hidden, 1)
        parameters |= init_layer_norm_mlp(rng, "critic", sizes, _OUTPUT_SCALE)
    outputs = 2 * actions if settings.policy == "gaussian" else actions * settings.bins
    if settings.hidden:
        sizes = (seen, *settings.hidden, outputs)
        parameters |= init_layer_norm_mlp(rng, "policy", sizes, _OUTPUT_SCALE)
    else:
        free = torch.zeros(outputs)
        if settings.policy == "gaussian":
            free[:actions] = torch.from_numpy(rng.uniform(-1, 1, actions))
        parameters["policy.free"] = free
    if settings.improvement == "mpo":
        parameters |= _init_duals(settings, actions)
    return parameters


def _init_duals(settings: MPO, actions: int) -> Parameters:
    """Before softplus: temperatures, and for each dimension one of each KL that is bounded."""
    return {
        f"duals.{name}": torch.full((1 if name in _ONE_FOR_ALL else actions,), initial)
        for name, initial in _INITIAL_DUALS[settings.policy].items()
    }


def act(
    parameters: Parameters, observation: Tensor, hyper: Hyperparameters, settings: MPO
) -> Policy:
    """π(· | s) for observations [B, O]."""
    if settings.hidden:
        raw = layer_norm_mlp(parameters, "policy", observation, len(settings.hidden) + 1)
    else:
        free = parameters["policy.free"]
        raw = free.expand(*observation.shape[:-1], len(free))
    if settings.policy == "discretised":
        return Discretised.from_logits(raw.reshape(*raw.shape[:-1], -1, settings.bins))
    mean, spread = raw.chunk(2, -1)
    std = softplus(spread) * (settings.initial_std / math.log(2)) + _LEAST_STD
    return DiagonalGaussian(mean, std)


def explore(policy: Policy, draws: Draws) -> Tensor:
    """A sampled action, clipped: [B, A]."""
    return policy.sample(noise(draws, policy)).clamp(-1, 1)


def noise(draws: Draws, policy: Policy, *leading: int) -> Tensor:
    """Fresh noise for `policy`, with more leading dimensions if asked for."""
    if isinstance(policy, Discretised):
        return draws.gumbel(*leading, *policy.log_probs.shape).to(policy.log_probs.dtype)
    return draws.normal(*leading, *policy.mean.shape).to(policy.mean.dtype)


def blocks(settings: MPO, world: Environment) -> dict[str, Block]:
    """What an update moves: everything at once, MPO's duals with a step size of their own."""
    rates = {"policy": lambda hyper: hyper["learning_rate"]}
    if settings.critic == "learned":
        rates["critic"] = lambda hyper: hyper["learning_rate"]
    if settings.improvement == "mpo":
        rates["duals"] = lambda hyper: hyper["dual_learning_rate"]
    return {"agent": Block(partial(loss, world=world), rates, {"duals": _LEAST_RAW_DUAL})}


def followed(settings: MPO) -> tuple[str, ...]:
    """Blocks that slow copies follow; the slow policy is the reference."""
    return ("critic", "policy") if settings.critic == "learned" else ("policy",)


def loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: MPO,
    world: Environment,
) -> tuple[Tensor, Diagnostics]:
    """Of the critic, of the policy and of MPO's duals together; they have no gradient in common."""
    reference = act(slow, batch.successor, hyper, settings)
    samples = reference.sample(noise(draws, reference, settings.actions_per_state))
    q = value(slow, batch.successor, samples, settings, world)
    policy = act(parameters, batch.successor, hyper, settings)
    found = {
        "value": q.mean(),
        "entropy": policy.entropy().mean().detach(),
        "kl": reference.kl(policy).mean().detach(),  # type: ignore[arg-type]
    }
    if settings.improvement == "mpo":
        total, temperature = mpo(parameters, policy, reference, samples, q, settings)
        found["temperature"] = temperature
    elif settings.improvement == "none":
        total = q.new_zeros(())
    else:
        improve = IMPROVEMENTS[settings.improvement]
        labels = LABELS[settings.labels](q)
        total = improve(policy, reference, samples, labels, hyper["alpha"], hyper["beta"])
    if settings.critic == "exact" or settings.improvement == "none":
        return total, found  # nothing to learn, or nothing that would learn from it
    target = batch.reward + batch.discount * q.mean(0)
    errors = value(parameters, batch.observation, batch.action, settings, world) - target
    critic_loss = 0.5 * errors.square().mean()
    return total + critic_loss, found | {"critic_loss": critic_loss.detach()}


def value(
    parameters: Parameters, observation: Tensor, action: Tensor, settings: MPO, world: Environment
) -> Tensor:
    """Q of [B, O] and [..., B, A], actions clipped first: [..., B]. An exact one is what a function pays."""
    action = action.clamp(-1, 1)
    if settings.critic == "exact":
        assert isinstance(world.action, Continuous)
        return -FUNCTIONS[world.name](world.action.scaled(action))
    x = torch.cat((observation.expand(*action.shape[:-1], -1), action), dim=-1)
    return layer_norm_mlp(parameters, "critic", x, len(settings.hidden) + 1).squeeze(-1)


class Part(NamedTuple):
    """What one of MPO's trust regions holds: a policy that learns only so much, the bound on its KL, and its dual's name."""

    name: str
    policy: Policy
    bound: float


def mpo(
    parameters: Parameters,
    policy: Policy,
    reference: Policy,
    samples: Tensor,
    q: Tensor,
    settings: MPO,
) -> tuple[Tensor, Tensor]:
    """MPO's loss, duals included, for samples [M, B, A] of the reference and their values `q` [M, B]; and η.

    The weights are a softmax of Q/η, to which one of minus the distance from the bounds is added (Abdolmaleki et al. 2020). The
    policy is fitted to them in parts that have their own trust regions (`decoupled`).
    """
    weights, total, temperature = reweighted(
        parameters, "temperature", q, settings.temperature_bound
    )
    if settings.policy == "gaussian":
        outside = -(samples - samples.clamp(-1, 1)).norm(dim=-1)
        more, dual_loss, _ = reweighted(parameters, "penalty", outside, settings.penalty_bound)
        weights, total = weights + more, total + dual_loss
    for name, part, bound in decoupled(policy, reference, settings):
        total = total - (weights * part.log_prob(samples)).sum(0).mean()
        kl = reference.kl_by_dimension(part).mean(0)  # type: ignore[arg-type]
        dual = positive(parameters[f"duals.{name}"])
        total = total + (dual.detach() * kl).sum() + (dual * (bound - kl.detach())).sum()
    return total, temperature.detach()


def reweighted(
    parameters: Parameters, name: str, scores: Tensor, bound: float
) -> tuple[Tensor, Tensor, Tensor]:
    """softmax(f/η) over the samples of each state, [M, B]; the loss η (ε + E_s[log mean exp(f/η)]) of η; and η."""
    temperature = positive(parameters[f"duals.{name}"]).squeeze(-1)
    weights = torch.softmax(scores / temperature.detach(), 0)
    log_mean = torch.logsumexp(scores / temperature, 0) - math.log(len(scores))
    return weights, temperature * (bound + log_mean.mean()), temperature


def decoupled(policy: Policy, reference: Policy, settings: MPO) -> tuple[Part, ...]:
    """The parts of a policy that MPO bounds one by one: mean and scale of a Gaussian, a discretised one as it is."""
    if isinstance(policy, Discretised):
        return (Part("policy", policy, settings.policy_bound),)
    assert isinstance(reference, DiagonalGaussian)
    mean = DiagonalGaussian(policy.mean, reference.std)
    std = DiagonalGaussian(reference.mean, policy.std)
    return Part("mean", mean, settings.mean_bound), Part("std", std, settings.std_bound)


def positive(dual: Tensor) -> Tensor:
    """A dual variable from what is learnt: softplus, never 0."""
    return softplus(dual) + _LEAST_DUAL
