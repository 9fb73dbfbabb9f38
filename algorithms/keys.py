"""Random numbers as pure functions of a key: threefry 2×32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers").

Where noise is needed at every update, a generator for each member would have to be advanced from Python. A key is a
tensor [2] of int32 instead: it can be batched, compiled and kept on a device, and a member draws the same numbers alone
and in a population. Everything here is for one key; vmap is the caller's. All floats are float32.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from algorithms import seeding
from algorithms.seeding import Purpose

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def member_key(seed: int, purpose: Purpose) -> Tensor:
    """The key [2] of one member and purpose."""
    return torch.from_numpy(
        np.array(seeding.words(seed, purpose, 0, 2), dtype=np.uint32).view(np.int32)
    )


def threefry(key: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Two words of 32 random bits for each counter (first, second), int32 of any one shape; `key` [2]."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    x, y = first + schedule[0], second + schedule[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = _rotated(y, rotation) ^ x
        x = x + schedule[(group + 1) % 3]
        y = y + schedule[(group + 2) % 3] + (group + 1)
    return x, y


def uniforms(key: Tensor, number: Tensor, use: int, count: int) -> Tensor:
    """U(0, 1), never 0 or 1: [count] odd multiples of 2⁻²⁴ for a key [2], a `number` (a step or an update) and a use.

    `number` is an int32 scalar, `use` below 32, `count` at most 2²⁷.
    """
    return _unit(words(key, number, use, count))


def integers(key: Tensor, number: Tensor, use: int, high: Tensor, count: int) -> Tensor:
    """Uniform on 0 … high − 1: [count] int64; `high` is an integer tensor below 2³¹, the bias at most high / 2³²."""
    word = words(key, number, use, count).to(torch.int64) & 0xFFFFFFFF
    return (word * high) >> 32


def words(key: Tensor, number: Tensor, use: int, count: int) -> Tensor:
    """[count] words of 32 random bits."""
    first = use << 26
    last = first + -(-count // 2)
    counter = torch.arange(first, last, dtype=torch.int32, device=key.device)
    return torch.cat(threefry(key, number.expand_as(counter), counter))[:count]


class Draws:
    """Hands out random numbers made from `uniforms` [K] in order, as a generator does.

    Without `uniforms` it hands out halves, and `taken` says how many of them were asked for.
    """

    def __init__(self, uniforms: Tensor | None) -> None:
        self._uniforms, self.taken = uniforms, 0

    def uniform(self, *shape: int) -> Tensor:
        """U(0, 1), never 0 or 1."""
        first, self.taken = self.taken, self.taken + math.prod(shape)
        if self._uniforms is None:
            return torch.full(shape, 0.5)
        return self._uniforms[first : self.taken].view(shape)

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1) by Box and Muller's transform; |x| < 5.8."""
        count = math.prod(shape)
        first, second = self.uniform(2, -(-count // 2))
        radius, angle = (-2 * first.log()).sqrt(), 2 * math.pi * second
        return torch.cat((radius * angle.cos(), radius * angle.sin()))[:count].view(shape)

    def gumbel(self, *shape: int) -> Tensor:
        """Standard Gumbel."""
        return -(-self.uniform(*shape).log()).log()

    def cauchy(self, *shape: int) -> Tensor:
        """Standard Cauchy."""
        return (math.pi * (self.uniform(*shape) - 0.5)).tan()


def _unit(word: Tensor) -> Tensor:
    """The upper 23 bits of each word as (k + ½) / 2²³."""
    return (((word >> 9) & 0x7FFFFF).to(torch.float32) + 0.5) * 2.0**-23


def _rotated(word: Tensor, by: int) -> Tensor:
    """`word` rotated left; int32 shifts right with its sign, which the mask takes away."""
    return (word << by) | ((word >> (32 - by)) & ((1 << by) - 1))
