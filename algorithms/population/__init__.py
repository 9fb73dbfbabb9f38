"""Populations: the members of a shard, trained in lock-step. The only home of vmap and torch.compile."""

import torch

from algorithms.cell import Shard
from algorithms.population.base import Population
from algorithms.population.compiling import compiler_missing, costs_of, should_compile
from algorithms.population.learners import Learners
from algorithms.population.off_policy import OffPolicy
from algorithms.population.on_policy import OnPolicy
from algorithms.settings import PPO

__all__ = [
    "Learners",
    "OffPolicy",
    "OnPolicy",
    "Population",
    "compiler_missing",
    "costs_of",
    "make_population",
    "should_compile",
]


def make_population(shard: Shard, device: torch.device, compiled: bool) -> Population:
    """The population of the kind that the shard's settings ask for."""
    kind = OnPolicy if isinstance(shard.cell.settings, PPO) else OffPolicy
    return kind(shard, device, compiled)
