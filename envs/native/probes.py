"""Probe environments: small enough that the best policy and its score are known.

Both show a sign s = ±1, drawn anew at each of five steps, and how far the episode is. N copies.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEPS = 5


class _Probe(ABC):
    """Five steps with a new random sign each; a step after the last resets, as EnvPool does."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [np.random.default_rng(seed) for seed in seeds]
        self._sign = np.zeros(len(seeds))
        self._elapsed = np.zeros(len(seeds), dtype=np.int64)
        self._total = np.zeros(len(seeds))

    def reset(self) -> NDArray[np.float64]:
        everyone = np.arange(len(self._generators), dtype=np.int32)
        self._restart(everyone)
        return self._observe(everyone)

    def step(
        self, action: NDArray[Any], index: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        over = self._elapsed[index] == STEPS
        going = index[~over]
        reward = np.zeros(len(index))
        self._elapsed[going] += 1
        reward[~over] = self._reward(action[~over], going)
        self._draw(going)
        self._restart(index[over])
        terminated = ~over & (self._elapsed[index] == STEPS)
        return self._observe(index), reward, terminated, np.zeros(len(index), dtype=bool)

    @abstractmethod
    def _reward(self, action: NDArray[Any], index: NDArray[np.int32]) -> NDArray[np.float64]:
        """What the copies `index`, whose step is counted already, are paid for `action`."""

    def _observe(self, index: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.stack((self._sign[index], self._elapsed[index] / STEPS), axis=-1)

    def _draw(self, index: NDArray[np.int32]) -> None:
        for copy in index:
            self._sign[copy] = 1.0 if self._generators[copy].random() < 0.5 else -1.0

    def _restart(self, index: NDArray[np.int32]) -> None:
        self._elapsed[index] = 0
        self._total[index] = 0
        self._draw(index)


class ProbeTarget(_Probe):
    """Reward −(a − s/2)² at once: the best action is half the sign, the best return 0."""

    def _reward(self, action: NDArray[Any], index: NDArray[np.int32]) -> NDArray[np.float64]:
        error = action[:, 0] - self._sign[index] / 2
        return np.asarray(-(error**2), dtype=np.float64)


class ProbeSign(_Probe):
    """Choice 1 names s = 1, choice 0 names s = −1; the right answers are paid together at the end."""

    def _reward(self, action: NDArray[Any], index: NDArray[np.int32]) -> NDArray[np.float64]:
        self._total[index] += (action == 1) == (self._sign[index] > 0)
        return np.where(self._elapsed[index] == STEPS, self._total[index], 0.0)
