"""Lock-step interaction of a population that learns from replay: after every step, or every few, one update.

Shapes: P members, each with one environment; O observation, A action.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algorithms.checkpoint import TrainingState
from algorithms.episodes import Running, training_seeds
from algorithms.methods.ppo import Diagnostics
from algorithms.population import OffPolicy
from algorithms.replay import CUT, GOES_ON, TERMINATED
from envs.pool import Pool


class OffPolicyLoop:
    """The environments of one segment, and learning from all transitions since training began."""

    def __init__(
        self, population: OffPolicy, state: TrainingState, segment: int, threads: int
    ) -> None:
        if state.replay is None:
            raise ValueError("the state of a population that learns from replay must have one")
        self.population, self.learners, self.replay = population, state.learners, state.replay
        self.settings = population.settings
        self.pool = Pool(population.cell.world, training_seeds(population.shard, segment), threads)
        self._running = Running(state.episodes, len(population.shard.members), 1)
        self._seen = self._tensor(self.pool.reset())

    def iterate(self, iteration: int) -> Diagnostics:
        """The steps of one iteration; the mean of each diagnostic [P], NaN before the first update."""
        steps = self.settings.iteration_steps
        hyper = self.population.scheduled(iteration)
        found = []
        for step in range(iteration * steps, (iteration + 1) * steps):
            action = self.population.explore(self.learners, self._seen, step, hyper)
            self._advance(action, step)
            due = (step + 1) % self.settings.update_period == 0
            if due and self.replay.count >= self.settings.first_update:
                found.append(self.population.update(self.learners, self.replay, hyper))
        if not found:
            nothing = torch.full((len(self._seen),), torch.nan)
            return dict.fromkeys(self.population.diagnostics, nothing)
        return {name: torch.stack([d[name] for d in found]).mean(0) for name in found[0]}

    def cut_episodes(self) -> NDArray[np.int64]:
        """Cut the episodes that are under way, as a segment's end does, and count them for each member: [P]."""
        self.replay.cut()
        return self._running.cut()

    def _advance(self, action: Tensor, step: int) -> None:
        """One step of every environment, into the replay."""
        taken = self.pool.step(self.population.to_world(action).cpu().numpy())
        successor = self._tensor(taken.successor)
        # A transition that terminates may reach the time limit as well.
        ending = np.where(taken.terminated, TERMINATED, np.where(taken.truncated, CUT, GOES_ON))
        reward = self._tensor(taken.reward)
        self.replay.add(self._seen, action, reward, successor, self._tensor(ending))
        self._seen = self._tensor(taken.next_observation()) if taken.ended.size else successor
        self._running.add(taken, step + 1)

    def _tensor(self, values: NDArray[np.float64] | NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(values).to(self.population.device, torch.float32)
