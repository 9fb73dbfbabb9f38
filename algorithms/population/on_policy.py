"""Populations that learn from rollouts of their own: PPO's family.

Shapes: P members, D parameters of one member, B batch, N transitions of a rollout.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from algorithms.cell import Shard
from algorithms.methods.ppo import Batch, Diagnostics, Hyperparameters
from algorithms.population.base import Population
from algorithms.population.learners import (
    Learners,
    Weights,
    adam_step,
    bias_corrections,
    clip_by_norm,
)
from algorithms.replay import Replay
from algorithms.settings import PPO, on_policy
from envs.registry import Discrete


class OnPolicy(Population):
    """Members that improve one loss on minibatches of their last rollout."""

    def __init__(self, shard: Shard, device: torch.device, compiled: bool) -> None:
        super().__init__(shard, device, compiled)
        self.settings: PPO = on_policy(shard.cell.settings)
        self._act = self.wrap(self._sample)
        self._look = self.wrap(vmap(self._assess_one))
        self._update = self.wrap(self._update_all)

    def warm_up(self, replay: Replay | None) -> None:
        """Compile every function for the shapes of this shard; there is no `replay`."""
        settings, world, members = self.settings, self.cell.world, len(self.shard.members)
        learners = self.learners()
        discrete = isinstance(world.action, Discrete)

        def blank(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(members, *shape, dtype=dtype, device=self.device)

        def actions(count: int) -> Tensor:
            size = world.action.size
            return blank(count, dtype=torch.int64) if discrete else blank(count, size)

        copies, n = settings.environments, settings.batch_size
        seen = blank(n, world.observation_size)
        hyper = self.scheduled(0)
        noise = blank(copies, world.action.size)
        self.sample(learners, seen[:, :copies].contiguous(), noise, hyper)
        self.assess(learners, seen, actions(n), hyper)
        rollout = Batch(seen, actions(n), blank(n), blank(n), blank(n), blank(n))
        rows = blank(settings.minibatch_size, dtype=torch.int64).unsqueeze(0)
        self.update(learners, rollout, rows, hyper)

    def sample(
        self, learners: Learners, observation: Tensor, noise: Tensor, hyper: Hyperparameters
    ) -> Tensor:
        """Actions [P, …] for observations [P, …, O] and noise; a member that no longer learns acts 0."""
        action: Tensor = self._act(learners.theta, learners.alive, observation, noise, hyper)
        return action

    def assess(
        self, learners: Learners, observation: Tensor, action: Tensor, hyper: Hyperparameters
    ) -> tuple[Tensor, Tensor]:
        """Log-probability of `action` and value of `observation`: [P, N] each."""
        log_prob, value = self._look(learners.theta, observation, action, hyper)
        return log_prob, value

    def values(self, learners: Learners, observation: Tensor) -> Tensor:
        """V(observation): [P, N]."""

        def one(flat: Tensor, seen: Tensor) -> Tensor:
            value: Tensor = self.family.critic(self.layout.unflatten(flat), seen, self.settings)
            return value

        return vmap(one)(learners.theta, observation)

    def update(
        self, learners: Learners, rollout: Batch, minibatches: Tensor, hyper: Hyperparameters
    ) -> Diagnostics:
        """One gradient step for each row of `minibatches` [updates, P, B], indices into `rollout` [P, N].

        A member whose loss or gradient is not finite keeps its last parameters and stops learning.
        Returns the mean of each diagnostic over the updates, [P].
        """
        corrections = bias_corrections(learners.updates, len(minibatches), learners.theta)
        sums: Diagnostics = {}
        for index, correction in zip(minibatches, corrections, strict=True):
            weights, learners.alive, diagnostics = self._update(
                learners.weights, learners.alive, rollout, index, hyper, correction
            )
            learners.theta, learners.first_moment, learners.second_moment = weights
            sums = {
                name: sums[name] + value if sums else value for name, value in diagnostics.items()
            }
        learners.updates += len(minibatches)
        return {name: total / len(minibatches) for name, total in sums.items()}

    def _sample(
        self,
        theta: Tensor,
        alive: Tensor,
        observation: Tensor,
        noise: Tensor,
        hyper: Hyperparameters,
    ) -> Tensor:
        def one(flat: Tensor, seen: Tensor, own_noise: Tensor, own: Hyperparameters) -> Tensor:
            policy = self.family.act(self.layout.unflatten(flat), seen, own, self.settings)
            action: Tensor = policy.sample(own_noise)
            return action

        action = vmap(one)(theta, observation, noise, hyper)
        learning = alive.view(-1, *(1,) * (action.dim() - 1))
        return torch.where(learning, action, torch.zeros_like(action))

    def _assess_one(
        self, flat: Tensor, observation: Tensor, action: Tensor, hyper: Hyperparameters
    ) -> tuple[Tensor, Tensor]:
        parameters = self.layout.unflatten(flat)
        policy = self.family.act(parameters, observation, hyper, self.settings)
        return policy.log_prob(action), self.family.critic(parameters, observation, self.settings)

    def _update_all(
        self,
        before: Weights,
        alive: Tensor,
        rollout: Batch,
        index: Tensor,
        hyper: Hyperparameters,
        correction: Tensor,
    ) -> tuple[Weights, Tensor, Diagnostics]:
        def member_loss(
            flat: Tensor, own_rollout: Batch, rows: Tensor, own: Hyperparameters
        ) -> tuple[Tensor, Diagnostics]:
            batch = Batch(*(column[rows] for column in own_rollout))
            result: tuple[Tensor, Diagnostics] = self.family.loss(
                self.layout.unflatten(flat), batch, own, self.settings
            )
            return result

        gradient_of = vmap(grad_and_value(member_loss, has_aux=True))
        gradient, (loss, diagnostics) = gradient_of(before.theta, rollout, index, hyper)
        gradient, norm = clip_by_norm(gradient, hyper["max_grad_norm"])
        alive = alive & loss.isfinite() & norm.isfinite()
        rate = hyper["learning_rate"].unsqueeze(-1)
        after = adam_step(before, gradient, rate, correction, hyper["adam_epsilon"])
        return after.kept(alive, before), alive, diagnostics | {"gradient_norm": norm}
