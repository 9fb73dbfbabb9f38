"""Bandits with many peaks: Section 5.3 of the mixture-policies paper.

A member's seed draws the bandit itself, so that member i of every method and setting meets the same one, in training
and evaluation and after an interruption. A pull pays at once and nothing ends; an episode is `horizon` pulls. The
one observation is 1. N copies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PEAKS = 30
REACH = 3.0
"""Actions and means lie in [−REACH, REACH]."""
_STREAM = 0xBA4D17
_GRID = 20_001


class Problem(NamedTuple):
    """One bandit: r(a) = `scale` · Σ_i N(a; mean_i, std_i), the largest reward on [−3, 3] being 1."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    scale: float


@cache
def draw(seed: int) -> Problem:
    """The bandit of a seed, drawn once a process: means from U[−3, 3] and standard deviations from U[0.1, 1], 30 each."""
    generator = np.random.default_rng(np.random.SeedSequence((seed, _STREAM)))
    mean = generator.uniform(-REACH, REACH, PEAKS)
    std = generator.uniform(0.1, 1.0, PEAKS)
    grid = torch.linspace(-REACH, REACH, _GRID, dtype=torch.float64)
    one = torch.tensor(1.0, dtype=torch.float64)
    largest = reward(torch.from_numpy(mean), torch.from_numpy(std), one, grid).max()
    return Problem(mean, std, 1 / float(largest))


def reward(mean: Tensor, std: Tensor, scale: Tensor, action: Tensor) -> Tensor:
    """r at actions [...] of the bandit with `mean` and `std` [K] and `scale` []: [...]."""
    z = (action.unsqueeze(-1) - mean) / std
    heights = scale / (std * math.sqrt(2 * math.pi))
    paid: Tensor = ((-0.5 * z.square()).exp() * heights).sum(-1)
    return paid


class MultimodalBandit:
    """Copies of the bandits that `seeds` draw, behind the pool's Simulator protocol."""

    def __init__(self, horizon: int, seeds: Sequence[int]) -> None:
        problems = [draw(seed) for seed in seeds]
        self._mean = torch.from_numpy(np.stack([p.mean for p in problems]))
        self._std = torch.from_numpy(np.stack([p.std for p in problems]))
        self._scale = torch.tensor([p.scale for p in problems], dtype=torch.float64)
        self._horizon = horizon
        self._elapsed = np.full(len(seeds), horizon)

    def reset(self) -> NDArray[np.float64]:
        """Start a new episode in every copy."""
        self._elapsed[:] = 0
        return np.ones((len(self._elapsed), 1))

    def step(
        self, action: NDArray[Any], index: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Observation, reward, terminated, truncated; a step after an episode's last only begins the next."""
        over = self._elapsed[index] >= self._horizon
        pulled = torch.from_numpy(action[:, 0].astype(np.float64))
        which = torch.from_numpy(index.astype(np.int64))
        paid = torch.vmap(reward)(self._mean[which], self._std[which], self._scale[which], pulled)
        self._elapsed[index] = np.where(over, 0, self._elapsed[index] + 1)
        truncated = ~over & (self._elapsed[index] >= self._horizon)
        nothing = np.zeros(len(index), dtype=bool)
        return np.ones((len(index), 1)), np.where(over, 0.0, paid.numpy()), nothing, truncated
