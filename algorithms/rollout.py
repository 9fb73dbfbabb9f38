"""Lock-step collection of experience by all members of a population.

Shapes: P members, E environments a member, T steps, N = T·E transitions, O observation, A action.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algorithms.cell import Shard
from algorithms.checkpoint import TrainingState
from algorithms.episodes import Episodes, Running, training_seeds
from algorithms.methods.ppo import Batch, Diagnostics, Hyperparameters, normalized
from algorithms.normalize import Normalizer
from algorithms.population import Learners, OnPolicy, Population
from algorithms.returns import generalized_advantages
from algorithms.seeding import Purpose, stream
from algorithms.settings import on_policy
from envs.pool import Pool, Step
from envs.registry import Discrete


class Transitions(NamedTuple):
    """A rollout as it was collected: [T, P, E, …] each."""

    action: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor
    observation: Tensor
    successor: Tensor


class Collector:
    """The environments of one segment and what is running in them.

    Copy p·E + e belongs to member p. Its seed comes from (member seed, segment), so a segment is the same
    whether or not training was interrupted before it.
    """

    def __init__(
        self, shard: Shard, segment: int, normalizer: Normalizer, episodes: Episodes, threads: int
    ) -> None:
        self.settings = on_policy(shard.cell.settings)
        self.members, self.copies = len(shard.members), self.settings.environments
        self.shard, self.normalizer = shard, normalizer
        self.pool = Pool(shard.cell.world, training_seeds(shard, segment), threads)
        self.normalizer.new_segment()
        self.observation = self.normalizer.observe(self.pool.reset())
        self.running = Running(episodes, self.members, self.copies)

    def cut_episodes(self) -> NDArray[np.int64]:
        """Episodes of each member that are running now and that a segment boundary would cut: [P]."""
        return self.running.cut()

    def collect(self, population: OnPolicy, learners: Learners, iteration: int) -> Batch:
        """One rollout of every member with advantages and value targets: Batch of [P, N, …]."""
        settings, size = self.settings, self.shard.cell.world.observation_size
        lead = (settings.rollout_steps, self.members, self.copies)
        hyper = population.scheduled(iteration)
        noise = torch.from_numpy(self._noise(iteration)).to(population.device)
        seen, reached = torch.empty(*lead, size), torch.empty(*lead, size)
        reward = torch.empty(lead)
        terminated, ended = torch.zeros(lead, dtype=torch.bool), torch.zeros(lead, dtype=torch.bool)
        flat = [_rows(x) for x in (seen, reached, reward, terminated, ended)]
        actions: list[Tensor] = []
        for t in range(settings.rollout_steps):
            flat[0][t] = self.observation
            action = population.sample(learners, seen[t].to(population.device), noise[t], hyper)
            actions.append(action)
            step = self.pool.step(action.flatten(0, 1).cpu().numpy())
            flat[1][t] = self.observation = self.normalizer.observe(step.successor)
            flat[2][t] = self.normalizer.reward(step.reward, step.terminated)
            flat[3][t] = step.terminated
            flat[4][t, step.ended] = True
            self.running.add(step, (iteration * settings.rollout_steps + t + 1) * self.copies)
            self._begin_next(step)
        moved = (x.to(population.device) for x in (reward, terminated, ended, seen, reached))
        rollout = Transitions(torch.stack(actions), *moved)
        batch = self._batch(population, learners, rollout, hyper)
        used = batch._replace(advantage=self._as_used(batch.advantage, hyper, iteration))
        # What updates are compiled for lies in memory as it is indexed; vmap leaves it otherwise.
        return Batch(*(column.contiguous() for column in used))

    def _begin_next(self, step: Step) -> None:
        """See the first observations of the episodes that follow those that `step` ended."""
        if step.ended.size:
            self.observation = self.observation.copy()
            self.observation[step.ended] = self.normalizer.observe(step.fresh, step.ended)

    def _noise(self, iteration: int) -> NDArray[np.float32]:
        """Action noise [T, P, E, A]: standard normal, or standard Gumbel for discrete actions."""
        space = self.shard.cell.world.action
        shape = (self.settings.rollout_steps, self.copies, space.size)
        columns = []
        for member in self.shard.members:
            generator = stream(member.seed, Purpose.ACTION_NOISE, iteration)
            if isinstance(space, Discrete):
                columns.append(generator.gumbel(size=shape).astype(np.float32))
            else:
                columns.append(generator.standard_normal(shape, dtype=np.float32))
        return np.stack(columns, axis=1)

    def _batch(
        self,
        population: OnPolicy,
        learners: Learners,
        rollout: Transitions,
        hyper: Hyperparameters,
    ) -> Batch:
        """Advantages (GAE) and value targets of a rollout."""
        seen, done = _per_member(rollout.observation), _per_member(rollout.action)
        log_prob, value = population.assess(learners, seen, done, hyper)
        next_value = population.values(learners, _per_member(rollout.successor))
        shape = (self.members, self.settings.rollout_steps, self.copies)
        stops = rollout.terminated if self.settings.bootstrap_truncation else rollout.ended
        advantage = torch.vmap(generalized_advantages)(
            rollout.reward.movedim(1, 0),
            value.view(shape),
            next_value.view(shape),
            (~stops).movedim(1, 0).to(value.dtype),
            (~rollout.ended).movedim(1, 0).to(value.dtype),
            hyper["gamma"],
            hyper["gae_lambda"],
        ).reshape(value.shape)
        return Batch(seen, done, log_prob, advantage, advantage + value, value)

    def _as_used(self, advantage: Tensor, hyper: Hyperparameters, iteration: int) -> Tensor:
        """Advantages [P, N] as the losses see them: corrupted and normalised as the settings ask."""
        level = hyper["advantage_noise"]
        if bool((level > 0).any()):
            noise = np.stack(
                [
                    stream(member.seed, Purpose.ADVANTAGE_NOISE, iteration).standard_normal(
                        advantage.shape[1], dtype=np.float32
                    )
                    for member in self.shard.members
                ]
            )
            scale = (level * advantage.std(dim=1)).unsqueeze(-1)
            advantage = advantage + scale * torch.from_numpy(noise).to(advantage)
        if self.settings.advantage_normalization == "batch":
            return torch.vmap(normalized)(advantage)
        return advantage


class OnPolicyLoop:
    """The environments of one segment, and learning from each rollout in them."""

    def __init__(
        self, population: OnPolicy, state: TrainingState, segment: int, threads: int
    ) -> None:
        self.population, self.learners = population, state.learners
        self.collector = Collector(
            population.shard, segment, state.normalizer, state.episodes, threads
        )

    def iterate(self, iteration: int) -> Diagnostics:
        """A rollout and the updates that use it; the mean of each diagnostic, [P]."""
        population = self.population
        rollout = self.collector.collect(population, self.learners, iteration)
        rows = minibatches(population.shard, iteration).to(population.device)
        return population.update(self.learners, rollout, rows, population.scheduled(iteration))

    def cut_episodes(self) -> NDArray[np.int64]:
        """Episodes of each member that are under way and that a segment boundary would cut: [P]."""
        return self.collector.cut_episodes()


def fresh_normalizer(population: Population) -> Normalizer:
    """Running statistics that have seen nothing, one set for each environment of each member."""
    settings = population.settings
    return Normalizer.create(
        population.hyper["gamma"].double().cpu().numpy().repeat(settings.copies),
        population.cell.world.observation_size,
        *settings.normalizes,
    )


def minibatches(shard: Shard, iteration: int) -> Tensor:
    """Which transitions each update of the iteration sees: [updates, P, B], a new shuffle every epoch."""
    settings = on_policy(shard.cell.settings)
    columns = []
    for member in shard.members:
        generator = stream(member.seed, Purpose.MINIBATCHES, iteration)
        order = [generator.permutation(settings.batch_size) for _ in range(settings.epochs)]
        columns.append(np.stack(order).reshape(-1, settings.minibatch_size))
    return torch.from_numpy(np.stack(columns, axis=1))


def _rows(x: Tensor) -> NDArray[Any]:
    """`x` [T, P, E, …] as an array [T, P·E, …] that shares its memory.

    The memory is torch's, hence aligned alike in every run, on which matrix products depend bitwise.
    """
    rows: NDArray[Any] = x.flatten(1, 2).numpy()
    return rows


def _per_member(x: Tensor) -> Tensor:
    """[T, P, E, …] → [P, T·E, …], contiguous."""
    return x.movedim(1, 0).flatten(1, 2).contiguous()
