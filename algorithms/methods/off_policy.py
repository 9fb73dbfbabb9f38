"""What a method that learns from replay is made of, for one agent. Shapes: B transitions, O observation, A action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from algorithms.keys import Draws
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.networks import Parameters
from algorithms.replay import GOES_ON, TERMINATED


class Transitions(NamedTuple):
    """What replay gives: observation [B, O], action [B, A] in the policy's units, reward [B], successor [B, O] and
    discount [B], what the value of the successor counts: 0 where none follows.

    Over several steps the reward is the discounted sum of theirs, up to the end of the episode.
    """

    observation: Tensor
    action: Tensor
    reward: Tensor
    successor: Tensor
    discount: Tensor

    @classmethod
    def of(cls, rows: Tensor, observations: int, actions: int, gamma: Tensor) -> Transitions:
        """From rows [B, n, 2·O + A + 2] of n steps each, as a replay stores them, and γ."""
        parts = torch.split(rows, [observations, actions, 1, observations, 1], dim=-1)
        observation, action, reward, successor, ending = parts
        paid, terminated = reward.squeeze(-1), (ending.squeeze(-1) == TERMINATED).to(rows.dtype)
        total, following, discount = paid[:, 0], successor[:, 0], gamma * (1 - terminated[:, 0])
        going = ending[:, 0, 0] == GOES_ON
        for step in range(1, rows.shape[1]):
            total = torch.where(going, total + discount * paid[:, step], total)
            following = torch.where(going.unsqueeze(-1), successor[:, step], following)
            further = discount * gamma * (1 - terminated[:, step])
            discount = torch.where(going, further, discount)
            going = going & (ending[:, step, 0] == GOES_ON)
        return cls(observation[:, 0], action[:, 0], total, following, discount)


Loss = Callable[
    [Parameters, Parameters, Transitions, Draws, Hyperparameters, Any],
    tuple[Tensor, Diagnostics],
]
"""(parameters, slow copies, batch, random numbers, hyperparameters, settings) → loss and diagnostics."""


class Block(NamedTuple):
    """Parameters that one step moves: their loss, and by the name of each group "{group}.…" its step size [P].

    No step takes the parameters of a group below the value that `least` has for it.
    """

    loss: Loss
    learning_rates: Mapping[str, Callable[[Hyperparameters], Tensor]]
    least: Mapping[str, float] = MappingProxyType({})
