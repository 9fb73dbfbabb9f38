"""What learning changes, as flat matrices, and the optimiser on them.

A member's parameters are one row, so gradients, clipping and Adam of all members are a handful of operations.
Shapes: P members, D parameters of one member.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from algorithms.networks import Parameters

ADAM_BETAS = (0.9, 0.999)


class Layout:
    """How one member's parameters lie in a flat vector of D numbers."""

    def __init__(self, example: Parameters) -> None:
        self.names = tuple(example)
        self.shapes = tuple(tuple(tensor.shape) for tensor in example.values())
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def flatten(self, parameters: Parameters) -> Tensor:
        """[D] from a parameter dictionary."""
        return torch.cat([parameters[name].reshape(-1) for name in self.names])

    def unflatten(self, flat: Tensor) -> Parameters:
        """The parameter dictionary of [D]."""
        parts = torch.split(flat, self.sizes)
        return {
            name: part.view(shape)
            for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
        }

    def columns(self, *groups: str) -> slice:
        """Where the parameters "{group}.…" of these groups lie; they must follow each other."""
        ends = np.cumsum([0, *self.sizes])
        within = [i for i, name in enumerate(self.names) if name.partition(".")[0] in groups]
        if within != list(range(within[0], within[-1] + 1)):
            raise ValueError(f"parameters of {groups} do not follow each other: {self.names}")
        return slice(int(ends[within[0]]), int(ends[within[-1] + 1]))

    def part(self, *groups: str) -> Layout:
        """The layout of the parameters "{group}.…" of these groups alone."""
        own = {n: torch.empty(shape) for n, shape in zip(self.names, self.shapes, strict=True)}
        return Layout({n: x for n, x in own.items() if n.partition(".")[0] in groups})


class Weights(NamedTuple):
    """Parameters and Adam's moments of all members, or some of their columns: [P, D] each."""

    theta: Tensor
    first_moment: Tensor
    second_moment: Tensor

    def columns(self, which: slice) -> Weights:
        """Those columns of each."""
        return Weights(*(x[:, which] for x in self))

    def kept(self, alive: Tensor, before: Weights) -> Weights:
        """These where a member is `alive` [P], those of `before` elsewhere."""
        pairs = zip(self, before, strict=True)
        return Weights(*(torch.where(alive.unsqueeze(-1), new, old) for new, old in pairs))


@dataclass
class Learners:
    """What learning changes: parameters and Adam's moments [P, D], and which members still learn [P].

    `target` holds the slowly moving copies of the parameters that a method keeps, [P, T]; T may be 0.
    """

    theta: Tensor
    first_moment: Tensor
    second_moment: Tensor
    alive: Tensor
    target: Tensor
    updates: int = 0

    @property
    def weights(self) -> Weights:
        """What Adam moves."""
        return Weights(self.theta, self.first_moment, self.second_moment)


def adam_step(
    before: Weights,
    gradient: Tensor,
    learning_rate: Tensor,
    correction: Tensor,
    epsilon: Tensor,
) -> Weights:
    """New parameters and moments of Adam (Kingma & Ba 2015); `learning_rate` is [P, 1], or [P, D] where columns differ.

    `correction` holds 1 − β₁ᵗ and 1 − β₂ᵗ, computed in float64 by `bias_corrections`.
    """
    first = before.first_moment.lerp(gradient, 1 - ADAM_BETAS[0])
    second = before.second_moment * ADAM_BETAS[1] + (1 - ADAM_BETAS[1]) * gradient.square()
    denominator = second.sqrt() / correction[1].sqrt() + epsilon.unsqueeze(-1)
    step = learning_rate / correction[0]
    return Weights(before.theta - step * first / denominator, first, second)


def bias_corrections(first: int, count: int, like: Tensor) -> Tensor:
    """[count, 2]: 1 − β₁ᵗ and 1 − β₂ᵗ for t = first + 1 …, in the dtype and device of `like`."""
    t = torch.arange(first + 1, first + count + 1, dtype=torch.float64)
    columns = [1 - torch.tensor(beta, dtype=torch.float64) ** t for beta in ADAM_BETAS]
    return torch.stack(columns, dim=1).to(like)


def clip_by_norm(gradient: Tensor, max_norm: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each member's gradient [P, D] down to its `max_norm` [P]; also the norms before [P].

    As torch.nn.utils.clip_grad_norm_ does for one model.
    """
    norm = gradient.norm(dim=1)
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return gradient * scale.unsqueeze(-1), norm
