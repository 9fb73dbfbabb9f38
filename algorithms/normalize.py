"""Running normalisation of observations and rewards, one set of statistics for each copy of an environment.

Follows gymnasium's NormalizeObservation and NormalizeReward wrappers, which CleanRL puts around each
environment, in float64. N copies, O numbers in an observation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EPSILON = 1e-8
CLIP = 10.0
_INITIAL_COUNT = 1e-4


@dataclass
class RunningMoments:
    """Mean and variance of a stream, updated one sample a copy at a time; arrays [N, …]."""

    mean: Floats
    variance: Floats
    count: Floats

    @classmethod
    def zeros(cls, shape: tuple[int, ...]) -> RunningMoments:
        """Mean 0, variance 1, and gymnasium's initial count of 1e-4."""
        count = np.full((shape[0],) + (1,) * (len(shape) - 1), _INITIAL_COUNT)
        return cls(np.zeros(shape), np.ones(shape), count)

    def update(self, sample: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> None:
        """Add one sample to each copy in `rows` (Chan et al. 1979 with a batch of one)."""
        count = self.count[rows]
        total = count + 1
        delta = sample - self.mean[rows]
        self.mean[rows] += delta / total
        self.variance[rows] = (self.variance[rows] + delta**2 / total) * (count / total)
        self.count[rows] = total


@dataclass
class Normalizer:
    """Normalises what a learner sees and is paid. `scale_*` false leaves observations or rewards alone."""

    gamma: Floats
    scale_observations: bool
    scale_rewards: bool
    observations: RunningMoments
    returns: RunningMoments
    discounted: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.new_segment()

    @classmethod
    def create(
        cls, gamma: Floats, observation_size: int, scale_observations: bool, scale_rewards: bool
    ) -> Normalizer:
        """Fresh statistics for len(gamma) copies."""
        copies = len(gamma)
        return cls(
            gamma,
            scale_observations,
            scale_rewards,
            RunningMoments.zeros((copies, observation_size)),
            RunningMoments.zeros((copies,)),
        )

    def new_segment(self) -> None:
        """Forget the running discounted reward: the environments are new."""
        self.discounted = np.zeros_like(self.gamma)

    def observe(self, observation: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """Add observations [N, O] of the copies `rows` to the statistics and normalise them."""
        if not self.scale_observations:
            return observation
        self.observations.update(observation, rows)
        return self.apply(observation, rows)

    def apply(self, observation: Floats, rows: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """Normalise with the statistics as they stand, clipped to ±10."""
        if not self.scale_observations:
            return observation
        moments = self.observations
        scaled = (observation - moments.mean[rows]) / np.sqrt(moments.variance[rows] + EPSILON)
        clipped: Floats = scaled.clip(-CLIP, CLIP)
        return clipped

    def reward(self, reward: Floats, terminated: NDArray[np.bool_]) -> Floats:
        """Divide rewards [N] by the running deviation of the discounted reward, clipped to ±10."""
        if not self.scale_rewards:
            return reward
        self.discounted = self.discounted * self.gamma * ~terminated + reward
        self.returns.update(self.discounted)
        scaled: Floats = (reward / np.sqrt(self.returns.variance + EPSILON)).clip(-CLIP, CLIP)
        return scaled

    def state(self) -> dict[str, Floats]:
        """The statistics by name, for a checkpoint."""
        return {
            f"{name}.{part}": getattr(moments, part)
            for name, moments in (("observations", self.observations), ("returns", self.returns))
            for part in ("mean", "variance", "count")
        }

    def restore(self, state: dict[str, Floats]) -> None:
        """Take over what `state` returned."""
        self.observations = RunningMoments(
            *(state[f"observations.{part}"].copy() for part in ("mean", "variance", "count"))
        )
        self.returns = RunningMoments(
            *(state[f"returns.{part}"].copy() for part in ("mean", "variance", "count"))
        )
