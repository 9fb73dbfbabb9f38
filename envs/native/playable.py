"""Our batched environments for any library that speaks gymnasium: one copy each, registered as "rl_replica/NAME".

gymnasium.make("envs.native.playable:rl_replica/Pendulum") imports this module, which registers them all. An episode is
the same, to the bit, as that of a `Pool` copy with the same seed; `Batch` truncates at the horizon, so no TimeLimit is added.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from envs.native import DYNAMICS
from envs.native.batch import Batch
from envs.registry import ENVIRONMENTS

NAMESPACE = "rl_replica"
_ONLY = np.arange(1)

Floats = NDArray[np.float64]


class Playable(gymnasium.Env[Floats, NDArray[Any]]):
    """One copy of `name` of DYNAMICS: observations float64 [O]; actions [A], clipped to their bounds."""

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own declaration)

    def __init__(self, name: str) -> None:
        self._dynamics, self._horizon = DYNAMICS[name], ENVIRONMENTS[name].horizon
        low, high = self._dynamics.observation_low, self._dynamics.observation_high
        self.observation_space = gymnasium.spaces.Box(
            np.array(low), np.array(high), dtype=np.float64
        )
        bounds = self._dynamics.action_low, self._dynamics.action_high
        size = ENVIRONMENTS[name].action.size
        self.action_space = gymnasium.spaces.Box(*bounds, shape=(size,), dtype=np.float32)
        self._batch: Batch | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """A new episode; with `seed` the first of the sequence that a copy with this seed plays."""
        super().reset(seed=seed)
        self._batch = Batch(self._dynamics, self._horizon, [self.np_random])
        return self._batch.reset()[0], {}

    def step(self, action: NDArray[Any]) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """One step; ResetNeeded after the last of an episode."""
        if self._batch is None:
            raise gymnasium.error.ResetNeeded("call reset() before the first step of an episode")
        observation, reward, terminated, truncated = self._batch.step(np.array([action]), _ONLY)
        if terminated[0] or truncated[0]:
            self._batch = None
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}


for _name in DYNAMICS:
    gymnasium.register(
        id=f"{NAMESPACE}/{_name}", entry_point=f"{__name__}:Playable", kwargs={"name": _name}
    )
