"""The one evaluation protocol, during training and after it: deterministic policy, frozen observation statistics, fixed
episodes a copy.

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
from algorithms.checkpoint import TrainingState
from algorithms.normalize import Normalizer
from algorithms.population import Learners, Population
from algorithms.seeding import Purpose, environment_seeds, world_seeds
from envs.pool import Pool

EVALUATED = {
    "member": np.int32,
    "step": np.int64,
    "return_mean": np.float64,
    "length_mean": np.float64,
    "episodes": np.int32,
}
"""Columns of a row of `TrainingState.evaluations`."""


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
    played = _played(shard, population, learners, normalizer, 0, threads)
    return _table(played, [member.seed for member in shard.members])


def evaluate_while_learning(
    shard: Shard, population: Population, state: TrainingState, iteration: int, threads: int
) -> None:
    """Book an evaluation of every member that still learns, where one is due at the end of `iteration`.

    The k-th is due once k × `evaluation_every` steps are made. It draws nothing that training draws, from environments that
    come from (member seed, k), so training is the same with it and without. Hyperparameters are those that schedules end with.
    """
    every, steps = shard.cell.protocol.evaluation_every, shard.cell.settings.iteration_steps
    now = (iteration + 1) * steps
    if every is None or now // every == (now - steps) // every:
        return
    played = _played(shard, population, state.learners, state.normalizer, now // every, threads)
    who, _, totals, lengths = map(np.array, zip(*played, strict=True)) if played else ((),) * 4
    episodes = np.bincount(who, minlength=len(shard.members))
    for member in np.flatnonzero(episodes):
        own = who == member
        means = float(totals[own].mean()), float(lengths[own].mean())
        state.evaluations.append((int(member), now, *means, int(episodes[member])))


def evaluations(shard: Shard, booked: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    """Rows that `evaluate_while_learning` booked, with columns member, seed, step, return_mean, length_mean, episodes."""
    table = pd.DataFrame(booked, columns=list(EVALUATED)).astype(EVALUATED)
    seeds = np.array([member.seed for member in shard.members], dtype=np.int64)
    table.insert(1, "seed", seeds[table["member"]])
    return table.sort_values(["member", "step"], kind="stable", ignore_index=True)


def _played(
    shard: Shard,
    population: Population,
    learners: Learners,
    normalizer: Normalizer,
    index: int,
    threads: int,
) -> list[Episode]:
    """The protocol's episodes of every member that still learns, in the environments of evaluation `index`."""
    quota, purpose = shares(shard.cell.protocol.evaluation_episodes), Purpose.EVALUATION_ENVIRONMENT
    seeds = [
        world_seeds(shard.cell.world, m.seed, purpose, index, len(quota)) for m in shard.members
    ]
    return play(population, learners, normalizer, seeds, quota, threads)


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
