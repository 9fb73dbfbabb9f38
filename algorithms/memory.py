"""How much memory a shard takes, from its specification alone. No torch: the Snakefile plans jobs by it."""

from __future__ import annotations

from collections.abc import Callable

from algorithms.cell import Shard
from algorithms.settings import Replayed
from algorithms.specification import SpecificationError

DEVICE_BASE = 2_000_000_000
"""Bytes of a GPU's memory that a shard takes besides its replay: CUDA's context, libraries, networks, batches. An allowance."""
BASE = 1_000_000_000
"""Bytes that a shard takes without a replay: torch, networks, environments and what compiles them; 0.7e9 to 0.8e9 were seen."""


def row_size(observations: int, actions: int) -> int:
    """Numbers of one transition: both observations, the action, reward and what follows."""
    return 2 * observations + actions + 2


def replay_shape(shard: Shard) -> tuple[int, int, int]:
    """Members, transitions of each and numbers of one, all 0 for a method that learns from no replay."""
    cell, settings = shard.cell, shard.cell.settings
    if not isinstance(settings, Replayed):
        return 0, 0, 0
    capacity = min(settings.buffer_size, cell.steps)
    return (
        len(shard.members),
        capacity,
        row_size(cell.world.observation_size, cell.world.action.size),
    )


def needed(shard: Shard, batches: int = 1) -> int:
    """Bytes that training the shard's members takes, so many batches of them one after the other: `BASE` and a replay of float32."""
    return BASE + replay_bytes(shard, batches)


def device_needed(shard: Shard, batches: int = 1) -> int:
    """Bytes of a GPU's memory that this takes there: `DEVICE_BASE` and a replay of float32."""
    return DEVICE_BASE + replay_bytes(shard, batches)


def replay_bytes(shard: Shard, batches: int = 1) -> int:
    """Bytes of the largest batch's replay in memory, and at most on disk besides checkpoints."""
    members, capacity, numbers = replay_shape(shard)
    return 4 * -(-members // batches) * capacity * numbers


def batches_within(room: int, shard: Shard, needs: Callable[[Shard, int], int]) -> int:
    """The least number of batches of which none `needs` more than `room` bytes; one a member where one needs more by itself.

    A shard without a replay is left whole: it is taken to need `BASE`, however many members it has.
    """
    members = len(shard.members)
    if not replay_bytes(shard):
        return 1
    fitting = (count for count in range(1, members) if needs(shard, count) <= room)
    return next(fitting, members)


class NotEnoughMemoryError(SpecificationError, MemoryError):
    """Memory is refused by arithmetic, before anything is taken."""


def require_memory(members: int, capacity: int, numbers: int, available: int) -> None:
    """Raise NotEnoughMemoryError, with the arithmetic, unless a replay fits into `available` bytes."""
    wanted = 4 * members * capacity * numbers
    if wanted > available:
        raise NotEnoughMemoryError(
            f"replay of {members:,} members × {capacity:,} transitions × {numbers} numbers × 4 bytes = "
            f"{wanted / 1e9:.1f} GB, and {available / 1e9:.1f} GB of memory are available; lower buffer_size"
        )
