"""What tests of methods that learn from replay are given: batches, uniform numbers and experience, from seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from algorithms.methods.off_policy import Transitions
from algorithms.population import Learners, OffPolicy
from algorithms.replay import Replay
from envs.registry import Environment

BATCH = 12


def some_batch(world: Environment, seed: int) -> Transitions:
    """BATCH transitions, about half of which nothing follows."""
    rng = np.random.default_rng(seed)
    size, actions = world.observation_size, world.action.size
    columns = (
        rng.normal(size=(BATCH, size)),
        rng.uniform(-1, 1, (BATCH, actions)),
        rng.normal(size=BATCH),
        rng.normal(size=(BATCH, size)),
        0.97 * rng.integers(0, 2, BATCH),
    )
    return Transitions(*(torch.from_numpy(column) for column in columns))


def numbers(seed: int, count: int = 4000) -> Tensor:
    """Uniform numbers."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(size=count))


def some_terminate(rng: np.random.Generator) -> float:
    """One transition of five terminates."""
    return rng.random() < 0.2


def experience(
    population: OffPolicy,
    dtype: torch.dtype,
    ending: Callable[[np.random.Generator], float] = some_terminate,
) -> Replay:
    """Forty transitions with one action dimension that depend on each member's seed alone; `ending` draws what follows."""
    replay, size = population.replay(), population.cell.world.observation_size
    for step in range(40):
        columns = []
        for member in population.shard.members:
            rng = np.random.default_rng((member.seed, step))
            seen = rng.normal(size=(2, size)).astype(np.float32)
            own = (seen[0], rng.uniform(-1, 1, 1), rng.normal(), seen[1], ending(rng))
            columns.append([torch.as_tensor(x, dtype=torch.float32) for x in own])
        replay.add(*(torch.stack(column) for column in zip(*columns, strict=True)))
    replay.data = replay.data.to(dtype)
    return replay


def as_type(learners: Learners, dtype: torch.dtype) -> Learners:
    """The learners with their numbers in another precision, in place."""
    for name in ("theta", "first_moment", "second_moment", "target"):
        setattr(learners, name, getattr(learners, name).to(dtype))
    return learners
