"""A shard in batches of members, one after the other, where memory does not hold it at once: what all leave, put together again.

Members learn alone whatever is stacked beside them, up to rounding: batches are provenance, never identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from algorithms.cell import Shard
from algorithms.records import STEP

Arrays = Mapping[str, NDArray[Any]]
SUMS = ("wall_seconds", "training_seconds", "compile_seconds")
"""What the provenance of batches adds up to."""
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "bad_alloc",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""How torch says so on a CPU, and CUDA's libraries on a GPU, in errors that have no type of their own."""


@dataclass(frozen=True)
class Outcome:
    """What members trained together leave behind: an entry, rows of tables and arrays of each, and how it ran."""

    members: list[dict[str, Any]]
    tables: Mapping[str, pd.DataFrame]
    weights: Arrays | None
    snapshots: Arrays | None
    provenance: Mapping[str, Any]


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory was refused, on a CPU or a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def cut(shard: Shard, count: int) -> list[Shard]:
    """The members in `count` batches that differ by at most one member, as shards of the same cell."""
    each, more = divmod(len(shard.members), count)
    ends = [each * number + min(number, more) for number in range(count + 1)]
    return [replace(shard, members=shard.members[a:b]) for a, b in pairwise(ends)]


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of the members of all `outcomes`, in their order."""
    first = outcomes[0]
    offsets = np.cumsum([0, *(len(one.members) for one in outcomes)])
    tables = {
        name: pd.concat(
            [
                one.tables[name].assign(member=(one.tables[name]["member"] + k).astype(np.int32))
                for one, k in zip(outcomes, offsets, strict=False)
            ],
            ignore_index=True,
        )
        for name in first.tables
    }
    steps = {} if first.snapshots is None else {STEP: first.snapshots[STEP]}
    kept = _stacked([one.snapshots for one in outcomes], axis=1)
    return Outcome(
        [member for one in outcomes for member in one.members],
        tables,
        _stacked([one.weights for one in outcomes], axis=0),
        None if kept is None else {**kept, **steps},
        _together([one.provenance for one in outcomes]),
    )


def _stacked(parts: Sequence[Arrays | None], axis: int) -> dict[str, NDArray[Any]] | None:
    """Arrays by name, those of all parts behind one another on the member axis; None where there are none."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    names = [name for name in there[0] if name != STEP]
    return {name: np.concatenate([part[name] for part in there], axis=axis) for name in names}


def _together(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The provenance of members that were trained one batch after the other."""
    steps = sum(part["steps_per_second"] * part["training_seconds"] for part in parts)
    sums = {name: round(sum(part[name] for part in parts), 3) for name in SUMS}
    return {
        **parts[-1],
        **sums,
        "started": parts[0]["started"],
        "resumed": max(part["resumed"] for part in parts),
        "steps_per_second": round(steps / sums["training_seconds"], 1),
        "batches": len(parts),
    }
