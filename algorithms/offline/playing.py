"""Whole episodes in copies of an environment, side by side, by one policy or many controllers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.offline.data import Episode
from envs.pool import Floats, Indices, Pool
from envs.registry import Continuous, Environment

Act = Callable[[Floats, Indices], Floats]
"""(observations [K, O], which episodes these are of [K]) → actions [K, A] in the environment's units."""


def play(world: Environment, act: Act, seeds: Sequence[int], each: int = 1) -> list[Episode]:
    """`each` episodes of a copy for each of `seeds`, episode i in copy i mod C; actions are clipped to the bounds.

    Copies wait for one another before the next, so the order of episodes does not depend on their length.
    """
    pool = Pool(world, seeds)
    start, episodes = pool.reset(), list[Episode]()
    for _ in range(each):
        played, start = _side_by_side(pool, act, start, len(episodes))
        episodes += played
    return episodes


def _side_by_side(pool: Pool, act: Act, start: Floats, first: int) -> tuple[list[Episode], Floats]:
    """An episode of each copy, the first of which is the `first`; and the first observations of the next."""
    space, copies = pool.environment.action, pool.size
    assert isinstance(space, Continuous)
    now, following = start.copy(), start.copy()
    seen, moves = [start], []
    playing, length = np.arange(copies, dtype=np.int32), np.zeros(copies, dtype=np.int64)
    while len(playing):
        action = act(now[playing], playing + first).clip(space.low, space.high)
        step = pool.step(action, playing)
        now[playing] = step.successor
        length[playing] += 1
        told = (action, step.reward, step.terminated, step.truncated & ~step.terminated)
        moves.append([_spread(values, playing, copies) for values in told])
        seen.append(now.copy())
        following[playing[step.ended]] = step.fresh
        playing = np.delete(playing, step.ended)
    observations = np.stack(seen)
    columns = [np.stack(column) for column in zip(*moves, strict=True)]
    return [
        Episode(observations[: n + 1, copy], *(column[:n, copy] for column in columns))
        for copy, n in enumerate(length)
    ], following


def _spread(values: NDArray[Any], playing: Indices, copies: int) -> NDArray[Any]:
    """A row for each of all copies: `values` [K, …] of those that play, 0 of the others."""
    rows = np.zeros((copies, *values.shape[1:]), values.dtype)
    rows[playing] = values
    return rows
