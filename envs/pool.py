"""A batch of copies of one environment, stepped together, reset as soon as they end.

The interface is numpy: observations [N, O] float64, rewards [N] float64, flags [N] bool; N copies, O numbers
in an observation. EnvPool resets an ended copy on its *next* step, ignoring that step's action; a pool
takes that step at once for just the copies that ended, so that every row it returns is a real transition.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.registry import Continuous, Environment

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Step:
    """What one step of the copies `index` returned, row by row.

    `successor` is the observation that the transition led to; `ended` lists the rows whose episode is
    over and `fresh` holds the first observations of their next episodes.
    """

    successor: Floats
    reward: Floats
    terminated: Flags
    truncated: Flags
    ended: NDArray[np.intp]
    fresh: Floats

    def next_observation(self) -> Floats:
        """What to act on next: the successor, or the fresh observation where the episode is over."""
        if not self.ended.size:
            return self.successor
        following = self.successor.copy()
        following[self.ended] = self.fresh
        return following


class Simulator(Protocol):
    """What a backend offers: raw observations, and a step that resets an ended copy instead."""

    def reset(self) -> NDArray[Any]:
        """First observations of all copies."""

    def step(
        self, action: NDArray[Any], index: Indices
    ) -> tuple[NDArray[Any], NDArray[Any], Flags, Flags]:
        """Observation, reward, terminated, truncated of the copies `index`."""


class Pool:
    """N copies of `environment`, copy i seeded by `seeds[i]` alone."""

    def __init__(self, environment: Environment, seeds: Sequence[int], threads: int = 1) -> None:
        self.environment = environment
        self.size = len(seeds)
        self._all = np.arange(self.size, dtype=np.int32)
        self._simulator: Simulator = _simulator(environment, seeds, threads)

    def reset(self) -> Floats:
        """First observations of all copies, [N, O]."""
        return self._encode(self._simulator.reset())

    def step(self, action: NDArray[Any], index: Indices | None = None) -> Step:
        """Step the copies `index` (all by default) with `action` [len(index), A] or [len(index)].

        Continuous actions are clipped to the environment's bounds first.
        """
        index = self._all if index is None else index
        space = self.environment.action
        if isinstance(space, Continuous):
            action = action.clip(space.low, space.high)
        raw, reward, terminated, truncated = self._simulator.step(action, index)
        ended = np.flatnonzero(terminated | truncated)
        successor = self._encode(raw)
        fresh = successor[:0]
        if ended.size:
            fresh = self._encode(self._simulator.step(action[ended], index[ended])[0])
        return Step(successor, reward.astype(np.float64), terminated, truncated, ended, fresh)

    def _encode(self, raw: NDArray[Any]) -> Floats:
        if self.environment.one_hot:
            raw = np.eye(self.environment.observation_size)[raw]
        encoded: Floats = raw.astype(np.float64)
        return encoded


def _simulator(environment: Environment, seeds: Sequence[int], threads: int) -> Simulator:
    """What steps the copies, in the wrappers that the registry's entry asks for."""
    if environment.backend == "native":
        return _native(environment, seeds)
    simulator = _EnvPool(environment, seeds, threads)
    if environment.shift is None:
        return simulator
    return _Shifted(simulator, environment.shift, environment.horizon, len(seeds))


def _native(environment: Environment, seeds: Sequence[int]) -> Simulator:
    """One of our own. Imported here: they load torch, which readers of this module may do without."""
    from envs.native import NATIVE

    return NATIVE[environment.name](seeds)


class _EnvPool:
    """EnvPool behind the Simulator protocol. Its partial step returns just the copies asked for."""

    def __init__(self, environment: Environment, seeds: Sequence[int], threads: int) -> None:
        import envpool  # here: the registry and its readers must not load a simulator

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self._pool = envpool.make_gymnasium(
                environment.simulator or environment.name,
                num_envs=len(seeds),
                seed=list(seeds),
                num_threads=min(threads, len(seeds)),
                max_episode_steps=environment.horizon,
                **dict(environment.options),
            )
            self._space = self._pool.action_space
            # EnvPool makes this space when it is first asked for, and gymnasium warns of its bounds' dtype.
            _ = self._pool.observation_space
        self._environment = environment

    def reset(self) -> NDArray[Any]:
        return self._flat(self._pool.reset()[0])

    def step(
        self, action: NDArray[Any], index: Indices
    ) -> tuple[NDArray[Any], NDArray[Any], Flags, Flags]:
        if self._environment.rescaled:
            action = self._to_simulator(action)
        observation, reward, terminated, truncated, _ = self._pool.step(
            action.astype(self._space.dtype), index
        )
        return self._flat(observation), reward, terminated, truncated

    def _to_simulator(self, action: NDArray[Any]) -> NDArray[Any]:
        """Actions in the registry's bounds, mapped linearly onto the simulator's own of each dimension."""
        space = self._environment.action
        assert isinstance(space, Continuous)
        share = (action - space.low) / (space.high - space.low)
        mapped: NDArray[Any] = self._space.low + share * (self._space.high - self._space.low)
        return mapped

    def _flat(self, observation: Any) -> NDArray[Any]:
        """One row a copy: the parts of an observation that the registry names, side by side."""
        if not self._environment.observed:
            whole: NDArray[Any] = observation
            return whole
        parts = [observation[name] for name in self._environment.observed]
        return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


class _Shifted:
    """A simulator of N copies with `shift` added to every reward, in which nothing terminates before `horizon` steps.

    Where the simulator terminates, its last observation repeats, paying `shift` a step, until the horizon cuts the episode:
    the absorbing state of the mixture paper's Appendix E.5.
    """

    def __init__(self, simulator: Simulator, shift: float, horizon: int, copies: int) -> None:
        self._simulator, self._shift, self._horizon = simulator, shift, horizon
        self._length = np.zeros(copies, dtype=np.int64)
        self._absorbed = np.zeros(copies, dtype=np.bool_)
        self._seen: NDArray[Any] = np.empty(0)

    def reset(self) -> NDArray[Any]:
        self._seen = self._simulator.reset().copy()
        self._length[:], self._absorbed[:] = 0, False
        return self._seen.copy()

    def step(
        self, action: NDArray[Any], index: Indices
    ) -> tuple[NDArray[Any], NDArray[Any], Flags, Flags]:
        fresh = self._length[index] == self._horizon  # their episode is over: this step resets them
        moving = fresh | ~self._absorbed[index]
        reward, moved = np.full(len(index), self._shift), index[moving]
        if len(moved):
            observation, paid, terminated, _ = self._simulator.step(action[moving], moved)
            self._seen[moved] = observation
            self._absorbed[moved] = terminated
            reward[moving] += paid
        reward[fresh] = 0.0
        self._length[index] = np.where(fresh, 0, self._length[index] + 1)
        truncated: Flags = self._length[index] == self._horizon
        return self._seen[index], reward, np.zeros(len(index), dtype=np.bool_), truncated
