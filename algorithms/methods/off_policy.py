"""What a method that learns from replay is made of, for one agent. Shapes: B transitions, O observation, A action."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from algorithms.keys import Draws
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.networks import Parameters


class Transitions(NamedTuple):
    """What replay gives: observation [B, O], action [B, A] in the policy's units, reward [B], successor [B, O] and
    terminated [B], 1 where no value follows.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    successor: Tensor
    terminated: Tensor

    @classmethod
    def of(cls, rows: Tensor, observations: int, actions: int) -> Transitions:
        """From rows [B, 2·O + A + 2] as a replay stores them."""
        parts = torch.split(rows, [observations, actions, 1, observations, 1], dim=-1)
        return cls(parts[0], parts[1], parts[2].squeeze(-1), parts[3], parts[4].squeeze(-1))


Loss = Callable[
    [Parameters, Parameters, Transitions, Draws, Hyperparameters, Any],
    tuple[Tensor, Diagnostics],
]
"""(parameters, slow copies, batch, random numbers, hyperparameters, settings) → loss and diagnostics."""


class Block(NamedTuple):
    """Parameters "{name}.…" that one optimiser moves: their loss, and the step size [P] among hyperparameters."""

    loss: Loss
    learning_rate: Callable[[Hyperparameters], Tensor]
