"""What a shard leaves behind: learning curve, evaluation, diagnostics, weights and provenance; or a study: tables.

A record is a folder. `record.json` is written last and holds the checksum of every other file, so a record
exists if and only if `record.json` does, and a damaged one is noticed when it is read. A record is never
overwritten: writing to a path that holds one raises RecordError.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from algorithms.cell import Shard
from algorithms.header import (
    CURVE,
    DIAGNOSTICS,
    EVALUATION,
    EVALUATIONS,
    FORMAT,
    HEADER,
    SNAPSHOTS,
    TABLE_ENDING,
    WEIGHTS,
    RecordError,
    contents,
    has_evaluations,
    has_snapshots,
    has_weights,
    header_checksum,
    read_header,
    require_hash,
    sha256,
)
from algorithms.study import Study

REPORTED_PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "envpool",
    "mujoco",
    "gymnasium",
    "pandas",
    "pyarrow",
)
OPTIONAL_PACKAGES = ("transformers",)
"""Reported where they are installed."""
CODE = ("algorithms", "envs")
"""The folders whose code trains members."""
STEP = "step"
"""What snapshots call the times at which they were taken; parameters have a full stop in their names."""


@dataclass(frozen=True)
class Record:
    """A record on disk; its tables are read when asked for."""

    folder: Path
    meta: Mapping[str, Any]

    @property
    def curve(self) -> pd.DataFrame:
        """Mean return of the training episodes that ended in each bin of steps."""
        return self._table(CURVE)

    @property
    def evaluation(self) -> pd.DataFrame:
        """Return and length of every evaluation episode."""
        return self._table(EVALUATION)

    @property
    def evaluations(self) -> pd.DataFrame | None:
        """Mean return and length of each evaluation during training, a row a member; None where there was none."""
        return self._table(EVALUATIONS) if has_evaluations(self.meta) else None

    @property
    def diagnostics(self) -> pd.DataFrame:
        """Losses, entropies and divergences of the updates, averaged in each bin of steps."""
        return self._table(DIAGNOSTICS)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every parameter, the member axis first, and the observation statistics that go with them."""
        if not has_weights(self.meta):
            raise RecordError(f"{self.folder}: was written without weights")
        return self._arrays(WEIGHTS)

    def snapshots(self) -> dict[str, NDArray[Any]]:
        """Every parameter [K, P, …] at K times during training, and those as "step" [K]. Raises RecordError."""
        if not has_snapshots(self.meta):
            raise RecordError(f"{self.folder}: was written without snapshots")
        return self._arrays(SNAPSHOTS)

    def _arrays(self, name: str) -> dict[str, NDArray[Any]]:
        try:
            return dict(load_file(self.folder / name))
        except (OSError, SafetensorError) as error:
            raise RecordError(f"{self.folder / name}: cannot be read: {error}") from error

    def _table(self, name: str) -> pd.DataFrame:
        return _read_table(self.folder / name)


@dataclass(frozen=True)
class StudyRecord:
    """A study's record on disk; its tables are read when asked for."""

    folder: Path
    meta: Mapping[str, Any]

    def table(self, name: str) -> pd.DataFrame:
        """The table that the study's function called `name`."""
        return _read_table(self.folder / f"{name}{TABLE_ENDING}")


def _read_table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowException) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from error


def read_record(folder: Path) -> Record:
    """The record in `folder`, verified by `read_header`. Raises RecordError."""
    return Record(folder, read_header(folder))


def read_study(folder: Path) -> StudyRecord:
    """The study's record in `folder`, verified by `read_header`. Raises RecordError."""
    return StudyRecord(folder, read_header(folder, "study"))


def find_study(study: Study, records: Path) -> StudyRecord | None:
    """The record of `study` below a records folder, verified, or None where it has none yet.

    Raises RecordError, also where a record that the study read has been trained again since.
    """
    folder = records / study.path
    if not (folder / HEADER).exists():
        return None
    record = read_study(folder)
    require_hash(dict(record.meta), study.hash, folder / HEADER)
    for name, known in record.meta["provenance"].get("read", {}).items():
        now = records / name
        if (now / HEADER).exists() and contents(read_header(now)) != known:
            raise RecordError(
                f"{folder}: made from a record of {name} that has other contents now; delete the study's record "
                "to make it again"
            )
    return record


def write_record(
    folder: Path,
    shard: Shard,
    members: list[dict[str, Any]],
    tables: Mapping[str, pd.DataFrame],
    weights: Mapping[str, NDArray[Any]] | None,
    provenance: Mapping[str, Any],
    snapshots: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a record into `folder`, `record.json` last; without `weights` or `snapshots` where they are None.

    `tables` is keyed by file name. Raises RecordError if `folder` holds a record already.
    """
    content = {"hash": shard.hash, "shard": shard.content(), "members": members}
    given = {WEIGHTS: weights, SNAPSHOTS: snapshots}
    arrays = {name: kept for name, kept in given.items() if kept is not None}
    _write(folder, content, tables, arrays, provenance)


def write_study(
    folder: Path, study: Study, tables: Mapping[str, pd.DataFrame], provenance: Mapping[str, Any]
) -> None:
    """Write a study's record into `folder`, `record.json` last; `tables` is keyed by their names.

    Raises RecordError if `folder` holds a record already.
    """
    files = {f"{name}{TABLE_ENDING}": table for name, table in tables.items()}
    _write(folder, {"hash": study.hash, "study": study.content()}, files, {}, provenance)


def _write(
    folder: Path,
    content: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    arrays: Mapping[str, Mapping[str, NDArray[Any]]],
    provenance: Mapping[str, Any],
) -> None:
    refuse_to_overwrite(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*"):  # by an attempt that was killed while it wrote
            left.unlink()
    except OSError as error:
        raise RecordError(f"{folder}: cannot be written: {error}") from error
    for name, table in tables.items():
        with atomic_path(folder / name) as path:
            pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)
    for name, kept in arrays.items():
        with atomic_path(folder / name) as path:
            save_file(dict(kept), path)
    meta = {
        "format": FORMAT,
        **content,
        "files": {name: sha256(folder / name) for name in (*tables, *arrays)},
        "provenance": dict(provenance),
    }
    write_json(folder / HEADER, {**meta, "checksum": header_checksum(meta)})


def refuse_to_overwrite(folder: Path) -> None:
    """Raise RecordError if `folder` already holds a record."""
    if (folder / HEADER).exists():
        raise RecordError(f"{folder}: holds a record already; it is never overwritten")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it, synced to disk, when the block ends well.

    Raises RecordError naming `path` if it cannot be written, because the disk is full, say.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.touch()
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)  # safetensors writes for the owner alone
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise RecordError(f"{path}: cannot be written: {error}") from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def binned(
    rows: pd.DataFrame, steps: int, bins: int, means: tuple[str, ...], count: str | None = None
) -> pd.DataFrame:
    """Average `means` of `rows` over `bins` equal intervals of [0, steps] for each member.

    `rows` has columns member, seed, step and `means`. A bin is named by its right edge; `count` adds a
    column with the number of rows in it. Bins without a row are left out.
    """
    edge = np.ceil(rows["step"].to_numpy() * bins / steps).clip(1, bins)
    step = np.round(edge * steps / bins).astype(np.int64)
    grouped = rows.assign(step=step).groupby(["member", "seed", "step"], sort=True)
    table = grouped[list(means)].mean()
    if count is not None:
        table[count] = grouped.size().astype(np.int32)
    return table.reset_index()


def peak_memory_mb() -> float:
    """The largest resident size that this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@cache
def environment_provenance(code: Sequence[str] = CODE) -> dict[str, Any]:
    """Machine, library versions and commit: kept beside a result, never part of its identity.

    `dirty` says whether the folders `code` had changes that are not committed.
    """
    changes = _git("status", "--porcelain", "--", *code)
    return {
        "machine": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": installed_versions(),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
    }


def installed_versions() -> dict[str, str]:
    """The version of every library that provenance names."""
    versions = {name: metadata.version(name) for name in REPORTED_PACKAGES}
    for name in OPTIONAL_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", *arguments),
            cwd=Path(__file__).parent.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
