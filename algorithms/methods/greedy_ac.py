"""GreedyAC (Neumann et al. 2022) with Gaussian mixture policies, as in Appendix E.6 of the mixture paper.

The critic, then both policies against it: of N actions that the proposal π̃ samples, the ⌈ρN⌉ best by Q are made more
likely under the actor and, with a bonus for entropy, under the proposal, which therefore narrows more slowly. Actions
are clipped to [−1, 1], in which the critic sees them; locations lie within. Shapes: B transitions, O observation,
A action dimensions, N sampled and K kept actions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from algorithms.keys import Draws
from algorithms.methods.off_policy import Block, Transitions
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.methods.sac import noise
from algorithms.networks import Parameters, init_relu_mlp, mlp
from algorithms.policies import Action, Head, Mixture
from algorithms.settings import GreedyAC
from envs.registry import Environment

_ACTOR, _PROPOSAL = "policies.actor", "policies.proposal"


def init(settings: GreedyAC, world: Environment, rng: np.random.Generator) -> Parameters:
    """Fresh parameters: "critic", and "policies" of which the proposal starts as a copy of the actor."""
    size, actions = world.observation_size, world.action.size
    parameters = init_relu_mlp(rng, "critic", (size + actions, *settings.hidden, 1))
    outputs = head(settings, actions).outputs
    actor = init_relu_mlp(rng, _ACTOR, (size, *settings.hidden, outputs))
    proposal = {name.replace(_ACTOR, _PROPOSAL): x.clone() for name, x in actor.items()}
    return parameters | actor | proposal


def act(
    parameters: Parameters, observation: Tensor, hyper: Hyperparameters, settings: GreedyAC
) -> Mixture:
    """The actor π(· | s) for observations [B, O]."""
    return _policy(parameters, _ACTOR, observation, settings)


def explore(policy: Mixture, draws: Draws) -> Tensor:
    """A sampled action, clipped: [B, A]."""
    return clipped(policy.sample(noise(draws, policy)).value)


def blocks(settings: GreedyAC, world: Environment) -> dict[str, Block]:
    """What an update moves, in this order. The policies share the sampled actions and a step size."""
    return {
        "critic": Block(critic_loss, {"critic": lambda hyper: hyper["critic_learning_rate"]}),
        "policies": Block(
            policies_loss,
            {"policies": lambda hyper: hyper["actor_step_ratio"] * hyper["critic_learning_rate"]},
        ),
    }


def followed(settings: GreedyAC) -> tuple[str, ...]:
    """Blocks that slow copies follow."""
    return ("critic",)


def critic_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: GreedyAC,
) -> tuple[Tensor, Diagnostics]:
    """E[(Q(s, a) − r − γ Q̄(s', a'))²], a' from the actor: values without entropy; none after termination."""
    action = explore(act(parameters, batch.successor, hyper, settings).detach(), draws)
    following = value(slow, batch.successor, action, settings)
    target = batch.reward + batch.discount * following
    errors = value(parameters, batch.observation, batch.action, settings) - target.detach()
    loss = errors.square().mean()
    return loss, {"critic_loss": loss.detach()}


def policies_loss(
    parameters: Parameters,
    slow: Parameters,
    batch: Transitions,
    draws: Draws,
    hyper: Hyperparameters,
    settings: GreedyAC,
) -> tuple[Tensor, Diagnostics]:
    """−E[mean log π(a*) + mean log π̃(a*) + α Ĥ(π̃)] over the kept actions a*; the policies have no parameter in common."""
    actor = act(parameters, batch.observation, hyper, settings)
    proposal = _policy(parameters, _PROPOSAL, batch.observation, settings)
    sampled = proposal.detach().sample(noise(draws, proposal, settings.proposal_actions))
    action = clipped(sampled.value)
    seen = batch.observation.expand(*action.shape[:-1], -1)
    q = value(parameters, seen, action, settings).detach()
    best, values = greatest(q, action, settings.kept_actions)
    log_prob = actor.log_prob_of(best).mean()
    bonus = entropy_surrogate(proposal, sampled, settings).mean()
    loss = -(log_prob + proposal.log_prob_of(best).mean() + hyper["alpha"] * bonus)
    return loss, {
        "value": values.mean(),
        "log_prob": log_prob.detach(),
        "proposal_entropy": -proposal.detach().log_prob(sampled).mean(),
    }


def greatest(q: Tensor, action: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` actions [count, B, A] of [N, B, A] with the largest `q` [N, B], best first, and their values."""
    values, place = q.topk(count, dim=0)
    index = place.unsqueeze(-1).expand(*place.shape, action.shape[-1])
    return action.gather(0, index), values


def entropy_surrogate(proposal: Mixture, sampled: Action, settings: GreedyAC) -> Tensor:
    """Numbers whose mean's gradient stands for that of the proposal's entropy, from its samples [N, B].

    "intended": −log π̃(a) ∇ log π̃(a) at the actions before clipping, which is unbiased. "released": −∇ log π̃(a) at the
    first action after clipping, as in the authors' code, where the factor log π̃(a) is lost. Without clipping its mean is 0;
    with it, −∇ log π̃ widens what is wide already (paper.yaml of the mixture paper).
    """
    if settings.entropy_gradient == "released":
        return -proposal.log_prob_of(clipped(sampled.value[0]))
    log_prob = proposal.log_prob(sampled)
    return -log_prob.detach() * log_prob


def value(
    parameters: Parameters, observation: Tensor, action: Tensor, settings: GreedyAC
) -> Tensor:
    """Q of [B, O] and [B, A]: [B]."""
    x = torch.cat((observation, action), dim=-1)
    return mlp(parameters, "critic", x, len(settings.hidden) + 1, torch.relu).squeeze(-1)


def clipped(action: Tensor) -> Tensor:
    """The nearest action within bounds: shape as given."""
    return action.clamp(-1, 1)


def head(settings: GreedyAC, actions: int) -> Head:
    """How a policy network's output becomes a Gaussian mixture."""
    return Head(settings.components, actions, settings.log_std_range, squashed=False)


def _policy(parameters: Parameters, name: str, observation: Tensor, settings: GreedyAC) -> Mixture:
    layers = len(settings.hidden) + 1
    raw = mlp(parameters, name, observation, layers, torch.relu)
    # Outputs are N (2A + 1) numbers, or 2A for one component, whose weight is not learned.
    components = settings.components
    actions = (raw.shape[-1] // components - (components > 1)) // 2
    return head(settings, actions).policy(raw)
