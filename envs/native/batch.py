"""Batched dynamics in torch behind the pool's Simulator protocol: resets, horizon, seeds and numpy, once.

N copies, S numbers in a state, O in an observation, A in an action, U uniform draws for a first state. Inside,
copies are the *last* axis: every component is then contiguous at every N, and only so does torch compute, say, its sine
by the same code alone as in a batch; a strided column takes another path, whose last bit may differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Dynamics(ABC):
    """One deterministic environment as pure functions of tensors, N copies on the last axis.

    A variant overrides `reward`. Nothing here keeps state, counts steps or draws random numbers.
    """

    action_low: float
    action_high: float
    observation_low: ClassVar[tuple[float, ...]]
    observation_high: ClassVar[tuple[float, ...]]
    draws: ClassVar[int]

    def step(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Successor [S, N], reward [N], terminated [N] of `action` [A, N] (clipped first) in `state` [S, N]."""
        action = action.clamp(self.action_low, self.action_high)
        successor = self.move(state, action)
        terminated = self.terminated(successor)
        return successor, self.reward(state, action, successor, terminated), terminated

    @abstractmethod
    def initial(self, uniforms: Tensor) -> Tensor:
        """First states [S, N] from `uniforms` [U, N] in [0, 1)."""

    @abstractmethod
    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """Where `action` [A, N], within its bounds, leads from `state` [S, N]."""

    @abstractmethod
    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """What the transition pays, [N]; `over` [N] says where it terminates the episode."""

    def terminated(self, state: Tensor) -> Tensor:
        """Where `state` [S, N] ends an episode: nowhere, unless overridden."""
        return torch.zeros_like(state[0], dtype=torch.bool)

    def observe(self, state: Tensor) -> Tensor:
        """Observations [O, N]: the state itself, unless overridden."""
        return state


class Batch:
    """N copies of `dynamics`, stepped together; copy i draws its first states from `generators[i]` alone.

    An episode that reaches `horizon` steps without terminating is truncated. A step after an episode's
    last resets that copy, ignoring the action, with reward 0, as EnvPool does.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        horizon: int,
        generators: Sequence[np.random.Generator],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self._dynamics, self._horizon, self._generators = dynamics, horizon, list(generators)
        self._device, self._dtype = device, dtype
        copies = len(self._generators)
        self._everyone = np.arange(copies)
        self._state = dynamics.initial(self._tensor(np.zeros((copies, dynamics.draws))))
        self._elapsed = np.zeros(copies, dtype=np.int64)
        self._over = np.ones(copies, dtype=np.bool_)

    @torch.inference_mode()
    def reset(self) -> Floats:
        """Start a new episode in every copy; observations [N, O]."""
        return self._restart(self._everyone)

    @torch.inference_mode()
    def step(
        self, action: NDArray[Any], index: NDArray[Any]
    ) -> tuple[Floats, Floats, Flags, Flags]:
        """Observation, reward, terminated, truncated of the copies `index`, given `action` [len(index), A]."""
        over = self._over[index]
        if not over.any():
            return self._advance(action, index)
        fresh = self._restart(index[over])
        nothing = np.zeros(len(index), dtype=np.bool_)
        observation, reward = np.empty((len(index), fresh.shape[1])), np.zeros(len(index))
        terminated, truncated = nothing, nothing.copy()
        observation[over] = fresh
        if not over.all():
            going = ~over
            observation[going], reward[going], terminated[going], truncated[going] = self._advance(
                action[going], index[going]
            )
        return observation, reward, terminated, truncated

    def _advance(
        self, action: NDArray[Any], index: NDArray[Any]
    ) -> tuple[Floats, Floats, Flags, Flags]:
        whole = np.array_equal(index, self._everyone)
        state = self._state if whole else self._state.index_select(1, self._place(index))
        successor, reward, ended = self._dynamics.step(state, self._tensor(action))
        if whole:
            self._state = successor
        else:
            self._state.index_copy_(1, self._place(index), successor)
        self._elapsed[index] += 1
        terminated: Flags = ended.cpu().numpy()
        truncated = ~terminated & (self._elapsed[index] >= self._horizon)
        self._over[index] = terminated | truncated
        return self._observe(successor), _array(reward), terminated, truncated

    def _restart(self, index: NDArray[Any]) -> Floats:
        first = self._first(index)
        self._state.index_copy_(1, self._place(index), first)
        self._elapsed[index] = 0
        self._over[index] = False
        return self._observe(first)

    def _first(self, index: NDArray[Any]) -> Tensor:
        uniforms = np.empty((len(index), self._dynamics.draws))
        if self._dynamics.draws:
            for row, copy in enumerate(index):
                self._generators[copy].random(out=uniforms[row])
        return self._dynamics.initial(self._tensor(uniforms))

    def _observe(self, state: Tensor) -> Floats:
        """[N, O], in memory of its own: what a caller holds must not change with the state."""
        return _array(self._dynamics.observe(state).T.clone(memory_format=torch.contiguous_format))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        """`array` [N, K] as [K, N]."""
        return torch.from_numpy(array).to(self._device, self._dtype).T.contiguous()

    def _place(self, index: NDArray[Any]) -> Tensor:
        return torch.from_numpy(index).to(self._device, torch.int64)


def _array(tensor: Tensor) -> Floats:
    """The same memory where `tensor` is float64 and on the CPU, a copy otherwise."""
    array: Floats = tensor.to("cpu", torch.float64).numpy()
    return array
