"""Random numbers as pure functions of a key: SplitMix64 (Steele et al. 2014) by counter.

Where noise is needed at every update, a generator for each member would have to be advanced from Python. A key is an
int64 scalar tensor instead: it can be batched, compiled and kept on a device, and a member draws the same numbers alone
and in a population. Word i of a key is what SplitMix64 seeded with the key returns i-th. Eight integer operations a
word matter: a compiler unrolls them. Everything here is for one key; vmap is the caller's. All floats are float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from algorithms import seeding
from algorithms.seeding import Purpose

_GAMMA, _FIRST, _SECOND = (
    word - 2**64 for word in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_USES, _PLACES = 8, 2**24


def member_key(seed: int, purpose: Purpose) -> Tensor:
    """The key of one member and purpose: an int64 scalar."""
    high, low = seeding.words(seed, purpose, 0, 2)
    return torch.tensor(((high << 32) | low) - 2**63)


def splitmix(key: Tensor, counter: Tensor) -> Tensor:
    """64 random bits for each int64 `counter`: shape as given. Integers wrap around."""
    z = key + (counter + 1) * _GAMMA
    z = (z ^ _shifted(z, 30)) * _FIRST
    z = (z ^ _shifted(z, 27)) * _SECOND
    return z ^ _shifted(z, 31)


def words(key: Tensor, number: Tensor, use: int, count: int) -> Tensor:
    """[count] words of 32 random bits, as int64, for a `number` (a step or an update) and a use.

    `number` is an int64 scalar below 2³⁶, `use` below 8, `count` at most 2²⁵: no two overlap.
    """
    place = torch.arange(-(-count // 2), device=key.device)
    both = splitmix(key, (number * _USES + use) * _PLACES + place)
    return torch.cat((_shifted(both, 32), both & 0xFFFFFFFF))[:count]


def uniforms(key: Tensor, number: Tensor, use: int, count: int) -> Tensor:
    """U(0, 1), never 0 or 1: [count] odd multiples of 2⁻²⁴. Arguments as for `words`."""
    upper = words(key, number, use, count) >> 9
    return (upper.to(torch.float32) + 0.5) * 2.0**-23


def integers(key: Tensor, number: Tensor, use: int, high: Tensor, count: int) -> Tensor:
    """Uniform on 0 … high − 1: [count] int64; `high` is an integer tensor below 2³¹, the bias at most high / 2³²."""
    drawn: Tensor = (words(key, number, use, count) * high) >> 32
    return drawn


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


def _shifted(word: Tensor, by: int) -> Tensor:
    """`word` shifted right without its sign, which the mask takes away."""
    kept: Tensor = (word >> by) & (2 ** (64 - by) - 1)
    return kept
