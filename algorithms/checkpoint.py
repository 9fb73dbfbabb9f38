"""The state of a shard between two segments, on disk: replaced atomically, resumed to the same bits.

The state before the last one stays beside it. Should the last one turn out to be damaged, training goes on from the one
before, to the same bits.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from algorithms import sealed
from algorithms.episodes import Episodes
from algorithms.header import DamagedError, RecordError
from algorithms.normalize import Normalizer
from algorithms.population import Learners
from algorithms.records import atomic_path
from algorithms.replay import FILE as REPLAY
from algorithms.replay import Replay
from algorithms.scratch import FAILURE
from algorithms.snapshots import FILES as SNAPSHOTS

CHECKPOINT, PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"
_BATCH = "batch-"
_LEARNERS = ("theta", "first_moment", "second_moment", "alive", "target")


@dataclass
class TrainingState:
    """All that one segment hands to the next. Arrays are [P] unless said otherwise; P members.

    `diagnostics` holds, for every iteration so far, one value a member for each name in
    `diagnostic_names`: [iterations, P, names]. `evaluations` holds a row for each evaluation of a member during training:
    member, step, mean return, mean length, episodes. `diverged_at` is −1 where a member still learns.
    """

    learners: Learners
    normalizer: Normalizer
    episodes: Episodes
    cut: NDArray[np.int64]
    diverged_at: NDArray[np.int64]
    replay: Replay | None = None
    diagnostic_names: tuple[str, ...] = ()
    diagnostics: list[NDArray[np.float64]] = field(default_factory=list)
    evaluations: list[tuple[float, ...]] = field(default_factory=list)
    segment: int = 0
    training_seconds: float = 0.0
    compile_seconds: float = 0.0
    resumed: int = 0
    mode: str = "eager"
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    earlier_seconds: float = 0.0
    _clock: float = field(default_factory=time.perf_counter)

    @property
    def wall_seconds(self) -> float:
        """Time that all sessions of this run took together, up to their last checkpoints."""
        return self.earlier_seconds + time.perf_counter() - self._clock


def save(state: TrainingState, folder: Path, shard_hash: str) -> None:
    """Replace the checkpoint in `folder`, and the one before it by what it replaces.

    Raises RecordError where it cannot be written; what was there serves as before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        "cut": state.cut,
        "diverged_at": state.diverged_at,
        "diagnostics": np.array(state.diagnostics),
        "episodes.member": np.array(state.episodes.member, dtype=np.int64),
        "episodes.step": np.array(state.episodes.step, dtype=np.int64),
        "episodes.return": np.array(state.episodes.episode_return, dtype=np.float64),
        "episodes.length": np.array(state.episodes.length, dtype=np.int64),
    } | {f"normalizer.{name}": array for name, array in state.normalizer.state().items()}
    if state.evaluations:
        arrays["evaluations"] = np.array(state.evaluations)
    tensors = {name: torch.from_numpy(array).contiguous() for name, array in arrays.items()}
    for name in _LEARNERS:
        tensors[f"learners.{name}"] = getattr(state.learners, name).cpu().contiguous()
    scalars = {
        "hash": shard_hash,
        "updates": state.learners.updates,
        "diagnostic_names": state.diagnostic_names,
        "segment": state.segment,
        "training_seconds": state.training_seconds,
        "compile_seconds": state.compile_seconds,
        "resumed": state.resumed,
        "started": state.started,
        "wall_seconds": state.wall_seconds,
        "replay": None if state.replay is None else state.replay.commit(folder),
    }
    last = folder / CHECKPOINT
    with atomic_path(last) as path:
        sealed.write(path, tensors, scalars)
        if last.exists():
            last.replace(folder / PREVIOUS)


def restore(state: TrainingState, folder: Path, shard_hash: str) -> bool:
    """Take over the checkpoint in `folder`, or the one before it where the last one is damaged; say whether there was one.

    What is damaged goes once the one before it serves. Raises RecordError if all that there is is damaged, cannot be read, or
    belongs to another shard; then nothing is deleted.
    """
    there = [folder / name for name in (CHECKPOINT, PREVIOUS) if (folder / name).exists()]
    damaged: list[Path] = []
    for path in there:
        try:
            tensors, told = sealed.read(path)
            if told["hash"] != shard_hash:
                raise RecordError(f"{path}: belongs to shard {told['hash']}, not {shard_hash}")
            _take_over(state, folder, tensors, told)
        except (DamagedError, KeyError) as error:
            reason = f"{path}: lacks {error}" if isinstance(error, KeyError) else str(error)
            if path == there[-1]:
                raise RecordError(f"{reason}; delete {folder} to start over") from error
            print(f"{reason}: going on from {there[-1].name}", file=sys.stderr)
            damaged.append(path)
        else:
            # Else the next checkpoint would put them in the place of the one that serves.
            for other in damaged:
                other.unlink()
            return True
    return False


def _take_over(
    state: TrainingState, folder: Path, tensors: dict[str, torch.Tensor], scalars: dict[str, Any]
) -> None:
    device = state.learners.theta.device
    learners = {name: tensors[f"learners.{name}"].to(device) for name in _LEARNERS}
    state.learners = Learners(**learners, updates=scalars["updates"])
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    prefix = "normalizer."
    state.normalizer.restore(
        {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    )
    state.episodes.member = arrays["episodes.member"].tolist()
    state.episodes.step = arrays["episodes.step"].tolist()
    state.episodes.episode_return = arrays["episodes.return"].tolist()
    state.episodes.length = arrays["episodes.length"].tolist()
    if state.replay is not None:
        state.replay.restore(folder, scalars["replay"])
    state.cut, state.diverged_at = arrays["cut"].copy(), arrays["diverged_at"].copy()
    state.diagnostics = list(arrays["diagnostics"])
    rows = arrays["evaluations"].tolist() if "evaluations" in arrays else []
    state.evaluations = [tuple(row) for row in rows]
    state.diagnostic_names = tuple(scalars["diagnostic_names"])
    state.segment = scalars["segment"]
    state.training_seconds = scalars["training_seconds"]
    state.compile_seconds = scalars["compile_seconds"]
    state.resumed = scalars["resumed"] + 1
    state.started = scalars["started"]
    state.earlier_seconds = scalars["wall_seconds"]


def places(folder: Path, batches: int) -> list[Path]:
    """Where each batch of a shard's members has its checkpoint: `folder` itself where one batch is all."""
    if batches == 1:
        return [folder]
    return [folder / f"{_BATCH}{number}-of-{batches}" for number in range(1, batches + 1)]


def batches_begun(folder: Path) -> int:
    """In how many batches the shard is being trained, 0 where no checkpoint is there yet."""
    begun = [0]
    for first in (folder, *folder.glob(f"{_BATCH}1-of-*")):
        if any((first / name).exists() for name in (CHECKPOINT, PREVIOUS)):
            begun.append(1 if first == folder else int(first.name.rpartition("-")[2]))
    return max(begun)


def forget(folder: Path) -> None:
    """Remove what only an unfinished shard needs; logs stay."""
    for batch in folder.glob(f"{_BATCH}*"):
        forget(batch)
    named = (CHECKPOINT, PREVIOUS, REPLAY, FAILURE)
    for path in (*(folder / name for name in named), *folder.glob(SNAPSHOTS), *folder.glob(".*")):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty: there is a log
        folder.rmdir()
