"""Benchmark functions to be minimised (Section 5.1 of the PMPO paper): a pull pays −f, an episode is ten pulls.

Points lie in a box [−L, L]^A; every function's least value is 0. The one observation is 1. Shapes: A dimensions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from envs.native.batch import Dynamics
from envs.registry import ENVIRONMENTS, Continuous

Function = Callable[[Tensor], Tensor]
"""f at points [..., A]: [...]."""


def sphere(x: Tensor) -> Tensor:
    """Σ x²."""
    return x.square().sum(-1)


def rosenbrock(x: Tensor) -> Tensor:
    """Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)²; least at (1, …, 1)."""
    here, following = x[..., :-1], x[..., 1:]
    valley = 100 * (following - here.square()).square() + (1 - here).square()
    return valley.sum(-1)


def schwefel_sum(x: Tensor) -> Tensor:
    """Schwefel's double sum, Σ_i (Σ_{j ≤ i} x_j)²."""
    return x.cumsum(-1).square().sum(-1)


def schwefel_sine(x: Tensor) -> Tensor:
    """Schwefel's Σ 418.9829 − x sin √|x|; least, up to 2e-5 a dimension, at (420.97, …, 420.97)."""
    return (418.9829 - x * x.abs().sqrt().sin()).sum(-1)


FUNCTIONS: dict[str, Function] = {
    f"{name}{size}": function
    for name, function in {
        "Sphere": sphere,
        "Rosenbrock": rosenbrock,
        "SchwefelSum": schwefel_sum,
        "SchwefelSine": schwefel_sine,
    }.items()
    for size in (2, 10)
}
"""By the environment that pays it."""


class Minimisation(Dynamics):
    """Pulls of the function of one environment, N copies on the last axis; nothing moves."""

    observation_low, observation_high = (1.0,), (1.0,)
    draws = 0

    def __init__(self, environment: str) -> None:
        self._function = FUNCTIONS[environment]
        space = ENVIRONMENTS[environment].action
        assert isinstance(space, Continuous)
        self.action_low, self.action_high = space.low, space.high

    def initial(self, uniforms: Tensor) -> Tensor:
        """Ones, [1, N]."""
        return torch.ones(1, uniforms.shape[-1], dtype=uniforms.dtype, device=uniforms.device)

    def move(self, state: Tensor, action: Tensor) -> Tensor:
        """Where it was."""
        return state

    def reward(self, state: Tensor, action: Tensor, successor: Tensor, over: Tensor) -> Tensor:
        """−f, [N]."""
        # Contiguous, or the order of a sum would depend on how many copies there are.
        return -self._function(action.T.contiguous())
