"""Parameters of all members at ends of segments, one file each in scratch until the record holds them together.

Shapes: K times, P members, D parameters of one member.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from algorithms import sealed
from algorithms.cell import Shard
from algorithms.header import RecordError
from algorithms.population import Population
from algorithms.records import STEP, atomic_path

FILES = "snapshot-*.safetensors"


def parameters(population: Population, theta: Tensor) -> dict[str, NDArray[Any]]:
    """Every parameter of `theta` [P, D] by its name, the member axis first."""
    stacked = torch.vmap(population.layout.unflatten)(theta.cpu())
    return {name: tensor.contiguous().numpy() for name, tensor in stacked.items()}


def take(population: Population, theta: Tensor, scratch: Path, boundary: int) -> None:
    """Keep `theta` [P, D] as it stands after `boundary` segments, where the protocol asks for it."""
    if boundary not in population.cell.snapshot_boundaries:
        return
    scratch.mkdir(parents=True, exist_ok=True)
    kept = {name: torch.from_numpy(x) for name, x in parameters(population, theta).items()}
    with atomic_path(_path(scratch, boundary)) as path:
        sealed.write(path, kept, {"boundary": boundary})


def gather(shard: Shard, scratch: Path) -> dict[str, NDArray[Any]] | None:
    """All that `take` kept, [K, P, …] by name, and "step" [K], the environment steps of a member; None without any.

    Raises RecordError where a file is missing or damaged.
    """
    cell = shard.cell
    if not cell.snapshot_boundaries:
        return None
    kept = [_read(_path(scratch, boundary)) for boundary in cell.snapshot_boundaries]
    ends = [
        min(boundary * cell.segment_iterations, cell.iterations)
        for boundary in cell.snapshot_boundaries
    ]
    steps = np.array(ends, dtype=np.int64) * cell.settings.iteration_steps
    return {STEP: steps} | {name: np.stack([one[name] for one in kept]) for name in kept[0]}


def _path(scratch: Path, boundary: int) -> Path:
    return scratch / FILES.replace("*", str(boundary))


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        tensors, _ = sealed.read(path)
    except RecordError as error:
        raise RecordError(f"{error}; delete {path.parent} to start over") from error
    return {name: tensor.numpy() for name, tensor in tensors.items()}
