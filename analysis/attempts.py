"""What scratch tells of a shard that has no record: that it trains, that it failed and why, or nothing.

Whether it trains is decided by its lock alone: neither file times nor process numbers say so after a crash, on another machine
or with another clock. Importing this module loads neither torch, pandas nor rich.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from algorithms.scratch import FAILURE, LOG, PROGRESS, is_held, lock_of
from algorithms.specification import printable

LONGEST = 200
TAIL = 4096
TOLD = {
    "shard": str,
    "step": int,
    "steps": int,
    "steps_per_second": int | float,
    "phase": str,
}
"""What a progress file must hold, each of its kind."""


class Attempt(NamedTuple):
    """What became of a shard's training so far, in words, and its log; "missing" where it was never tried or was stopped."""

    state: Literal["running", "failed", "missing"]
    said: str = ""
    log: str = ""


def attempt(scratch: Path, shard_hash: str) -> Attempt:
    """The attempt at the shard with that hash whose folder lies below `scratch`; it has no record."""
    folder = scratch / shard_hash
    log = (folder / LOG).as_posix() if _is_file_here(folder / LOG) else ""
    progress = read_object(folder / PROGRESS)
    far = _how_far(progress) if progress is not None and complete(progress) else ""
    if is_held(lock_of(scratch, shard_hash)):
        return Attempt("running", far or "starting", log)
    failure = read_object(folder / FAILURE)
    if failure is not None:
        return Attempt("failed", _line(str(failure.get("error"))), log)
    if progress is None:
        return Attempt("missing")
    # Whoever stops in order takes the file away: this one was killed, or its machine went down.
    last = _last_line(Path(log)) if log else ""
    killed = f"killed{f' while {far}' if far else ''}"
    return Attempt("failed", f"{killed}; last line: {last}" if last else killed, log)


def _how_far(progress: dict[str, Any]) -> str:
    percent = 100 * progress["step"] // progress["steps"]
    return _line(f"{progress['phase']}, {percent} % of {progress['steps']:,} steps")


def _last_line(log: Path) -> str:
    """The last line of a log that is not empty."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL))
        lines = file.read().decode(errors="replace").split("\n")
        return next((_line(line) for line in reversed(lines) if line.strip()), "")
    return ""


def _is_file_here(path: Path) -> bool:
    """Whether it is a file of the shard's folder: a link, of either, may be a stranger's and lead anywhere."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def _line(text: str) -> str:
    """`text` as one line that a terminal may print, cut where it is long."""
    words = printable(" ".join(text.split()))
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}…"


def read_all(scratch: Path, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every readable `scratch/*/name` that holds a JSON object; whatever else lies there is passed over."""
    for path in sorted(scratch.glob(f"*/{name}")):
        told = read_object(path)
        if told is not None:
            yield path, told


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is none."""
    if not _is_file_here(path):
        return None
    with suppress(OSError, ValueError, RecursionError):
        told = json.loads(path.read_text(encoding="utf-8"))
        return told if isinstance(told, dict) else None
    return None


def complete(told: dict[str, Any]) -> bool:
    """Whether a progress file holds all that is shown of it, each of its kind."""
    if not all(isinstance(told.get(key), kind) for key, kind in TOLD.items()):
        return False
    return math.isfinite(told["steps_per_second"]) and told["steps"] > 0
