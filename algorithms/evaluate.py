"""The one evaluation protocol: deterministic policy, frozen observation statistics, fixed episodes a copy.

Each member plays in up to `EVALUATION_COPIES` environments at once, and every environment plays its own share of the
episodes to the end, so that short episodes are not preferred. P members, C copies a member, K copies that still
play, O observation, A action dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from algorithms.cell import EVALUATION_COPIES, Shard
from algorithms.normalize import Normalizer
from algorithms.population import Learners, Population
from algorithms.seeding import Purpose, environment_seeds, world_seeds
from envs.pool import Pool


class Episode(NamedTuple):
    """An episode of copy `copy` of a member: its return and its length in steps."""

    member: int
    copy: int
    total: float
    length: int


class Moment(NamedTuple):
    """One step: normalised observations `seen` [P, C, O], and of the copies `playing` [K], p·C + c each, actions
    [K, …] as the policy gives them, before the pool clips them, and rewards [K].
    """

    seen: Tensor
    playing: NDArray[np.intp]
    action: NDArray[Any]
    reward: NDArray[np.float64]


def evaluate(
    shard: Shard,
    population: Population,
    learners: Learners,
    normalizer: Normalizer,
    threads: int = 1,
) -> pd.DataFrame:
    """Episodes of every member that still learns: columns member, seed, episode, return, length."""
    quota = shares(shard.cell.protocol.evaluation_episodes)
    world = shard.cell.world
    purpose = Purpose.EVALUATION_ENVIRONMENT
    seeds = [world_seeds(world, m.seed, purpose, 0, len(quota)) for m in shard.members]
    played = play(population, learners, normalizer, seeds, quota, threads)
    return _table(played, [member.seed for member in shard.members])


def shares(episodes: int) -> list[int]:
    """How many of `episodes` each of the copies plays; there are up to `EVALUATION_COPIES`."""
    copies = min(EVALUATION_COPIES, episodes)
    return [episodes // copies + (copy < episodes % copies) for copy in range(copies)]


def evaluation_seeds(seed: int, copies: int) -> list[int]:
    """The seeds of the environments in which the member with `seed` is evaluated, unless it draws them itself."""
    return environment_seeds(seed, Purpose.EVALUATION_ENVIRONMENT, 0, copies)


def play(
    population: Population,
    learners: Learners,
    normalizer: Normalizer,
    seeds: Sequence[Sequence[int]],
    quota: Sequence[int],
    threads: int = 1,
    watch: Callable[[Moment], None] | None = None,
) -> list[Episode]:
    """Episodes of every member that still learns, in the order in which they ended; `watch` sees every step.

    Copy c of member p plays `quota`[c] episodes in an environment with seed `seeds`[p][c]. The observation
    statistics of a member's first training environment are used as they stand.
    """
    members, copies = len(seeds), len(quota)
    owner = np.repeat(np.arange(members), copies)
    frozen = owner * population.settings.copies
    pool = Pool(population.cell.world, [seed for own in seeds for seed in own], threads)
    left = np.tile(np.array(quota), members) * learners.alive.cpu().numpy()[owner]
    observation = pool.reset()
    total, length = np.zeros(pool.size), np.zeros(pool.size, dtype=np.int64)
    played: list[Episode] = []
    while left.any():
        seen = torch.from_numpy(normalizer.apply(observation, frozen)).float()
        seen = seen.to(population.device).view(members, copies, -1)
        action = population.mode(learners, seen).flatten(0, 1).cpu().numpy()
        playing = np.flatnonzero(left)
        step = pool.step(action[playing], playing.astype(np.int32))
        if watch is not None:
            watch(Moment(seen, playing, action[playing], step.reward))
        total[playing] += step.reward
        length[playing] += 1
        observation[playing] = step.next_observation()
        for copy in playing[step.ended]:
            who = (int(owner[copy]), int(copy % copies))
            played.append(Episode(*who, float(total[copy]), int(length[copy])))
            total[copy], length[copy] = 0.0, 0
            left[copy] -= 1
    return played


def _table(played: Sequence[Episode], seeds: list[int]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(episode.member, episode.total, episode.length) for episode in played],
        columns=["member", "return", "length"],
    )
    table = table.sort_values("member", kind="stable", ignore_index=True)
    member = table["member"].astype(np.int32)
    table.insert(1, "seed", np.array(seeds, dtype=np.int64)[member])
    table.insert(2, "episode", table.groupby("member").cumcount().astype(np.int64))
    table["member"] = member
    return table.astype({"return": np.float64, "length": np.int64})
