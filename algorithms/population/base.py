"""Members stacked on a leading axis: what every kind of learning shares.

This package is the only home of vmap and torch.compile. Shapes: P members, D parameters of one member, O
observation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from algorithms.cell import Shard
from algorithms.methods import FAMILIES
from algorithms.methods.ppo import Hyperparameters
from algorithms.networks import Parameters
from algorithms.population.compiling import compiled as compile_function
from algorithms.population.compiling import unguarded
from algorithms.population.learners import Layout, Learners
from algorithms.replay import Replay
from algorithms.seeding import Purpose, stream
from envs.native import bandits


class Population(ABC):
    """The members of a shard as one learner."""

    def __init__(self, shard: Shard, device: torch.device, compiled: bool) -> None:
        self.shard, self.device, self.compiled = shard, device, compiled
        self.cell = shard.cell
        self.settings = shard.cell.settings
        self.family = FAMILIES[self.settings.family]
        fresh = [
            self.family.init(
                self.settings.model_copy(update={**shard.chosen, **member.setting}),
                self.cell.world,
                stream(member.seed, Purpose.INITIALISATION),
            )
            | self._world(member.seed)
            for member in shard.members
        ]
        self.layout = Layout(fresh[0])
        self._initial = torch.stack([self.layout.flatten(parameters) for parameters in fresh])
        self.hyper = self._hyperparameters()

    def _world(self, seed: int) -> Parameters:
        """What a member's seed draws of its environment, as parameters "world.…" that nothing moves."""
        if not self.cell.world.drawn_by_member:
            return {}
        drawn = bandits.draw(seed)._asdict()
        return {f"world.{name}": torch.as_tensor(x).float() for name, x in drawn.items()}

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, compiled where this population is."""
        return compile_function(function) if self.compiled else function

    def learners(self) -> Learners:
        """Fresh learners, each as its seed and setting alone decide."""
        theta = self._initial.clone().to(self.device)
        alive = torch.ones(len(theta), dtype=torch.bool, device=self.device)
        zeros = torch.zeros_like(theta)
        return Learners(theta, zeros, zeros.clone(), alive, self.targets(theta))

    def targets(self, theta: Tensor) -> Tensor:
        """What slowly follows `theta` [P, D], as it stands at first: [P, T]."""
        return theta[:, :0]

    @abstractmethod
    def warm_up(self, replay: Replay | None) -> None:
        """Compile every function for the shapes of this shard; what they return is thrown away.

        `replay` is the one that will be learned from, where there is one: it is read, and stays as it is.
        """

    def warmed_up(self) -> AbstractContextManager[None]:
        """Where members are trained: after `warm_up`, nothing that is compiled has to be checked again."""
        return unguarded() if self.compiled else nullcontext()

    def _hyperparameters(self) -> Hyperparameters:
        """Per-member hyperparameters as tensors [P]."""
        chosen = self.shard.chosen
        columns = {
            name: [
                member.setting.get(name, chosen.get(name, getattr(self.settings, name)))
                for member in self.shard.members
            ]
            for name in self.settings.per_member()
        }
        return {
            name: torch.tensor(column, dtype=torch.float32, device=self.device)
            for name, column in columns.items()
        }

    def scheduled(self, iteration: int) -> Hyperparameters:
        """Hyperparameters [P] of one iteration, on the linear schedules that the settings name.

        Iteration `cell.iterations` is what the schedules end with: what the final policy acts by.
        """
        passed = iteration / self.cell.iterations
        factors = self.settings.schedules(passed)
        return self.hyper | {name: self.hyper[name] * factor for name, factor in factors.items()}

    def mode(self, learners: Learners, observation: Tensor) -> Tensor:
        """Most likely actions [P, …] of the final policies for observations [P, …, O]."""

        def one(flat: Tensor, seen: Tensor, hyper: Hyperparameters) -> Tensor:
            parameters = self.layout.unflatten(flat)
            mode: Tensor = self.family.act(parameters, seen, hyper, self.settings).mode()
            return mode

        return vmap(one)(learners.theta, observation, self.scheduled(self.cell.iterations))
