"""(member seed, purpose, index) → an independent random stream.

Every random number of the project is drawn from here. A stream depends on its member alone, never on
which other members train beside it, so a member of a population sees the noise that it would see alone.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from envs.registry import Environment


class Purpose(IntEnum):
    """What a stream is for. The numbers are part of every result: never renumber them."""

    INITIALISATION = 0
    ACTION_NOISE = 1
    MINIBATCHES = 2
    TRAINING_ENVIRONMENT = 3
    EVALUATION_ENVIRONMENT = 4
    ADVANTAGE_NOISE = 5
    UPDATES = 6
    STARTING_POINTS = 7


def stream(seed: int, purpose: Purpose, index: int = 0) -> np.random.Generator:
    """The generator of one member, purpose and index (an iteration, a segment or an episode)."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, purpose, index)))


def world_seeds(
    world: Environment, seed: int, purpose: Purpose, index: int, count: int
) -> list[int]:
    """Seeds of `count` copies of `world` for one member: its own where that draws the environment itself."""
    if world.drawn_by_member:
        return [seed] * count
    return environment_seeds(seed, purpose, index, count)


def environment_seeds(seed: int, purpose: Purpose, index: int, count: int) -> list[int]:
    """`count` seeds for simulators, in [0, 2³¹): EnvPool takes C++ ints."""
    return [word & 0x7FFFFFFF for word in words(seed, purpose, index, count)]


def words(seed: int, purpose: Purpose, index: int, count: int) -> list[int]:
    """`count` words of 32 random bits."""
    state = _sequence(seed, purpose, index).generate_state(count, np.uint32)
    return [int(word) for word in state]


def _sequence(seed: int, purpose: Purpose, index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((seed, int(purpose), index))
