"""Reading and verifying `record.json`. Loads neither torch nor pandas, so the Snakefile may check records.

A record exists if and only if its `record.json` does; it holds the checksum of every other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from algorithms.identity import content_hash
from algorithms.specification import SpecificationError

FORMAT = 1
HEADER = "record.json"
CURVE, EVALUATION, DIAGNOSTICS = "curve.parquet", "evaluation.parquet", "diagnostics.parquet"
EVALUATIONS = "evaluations.parquet"
WEIGHTS, SNAPSHOTS = "weights.safetensors", "snapshots.safetensors"
TABLE_ENDING = ".parquet"
Subject = Literal["shard", "study"]
"""Whose record it is, and the key of its content: a shard's training left it, or a study."""
_KINDS: dict[Subject, dict[str, type]] = {
    "shard": {"hash": str, "shard": dict, "members": list, "files": dict, "provenance": dict},
    "study": {"hash": str, "study": dict, "files": dict, "provenance": dict},
}


class RecordError(SpecificationError):
    """A record file is missing, damaged, foreign, or would be overwritten."""


class DamagedError(RecordError):
    """A file is there and does not hold what was written."""


def read_header(folder: Path, subject: Subject = "shard") -> dict[str, Any]:
    """The contents of `record.json`, its hash and the checksum of every file of the record verified.

    Raises RecordError naming the file that is missing, damaged or not of this project.
    """
    path = folder / HEADER
    require_no_link(folder.parent, folder, path)
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path}: not valid JSON (truncated?): {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise RecordError(f"{path}: not a record of format {FORMAT}; delete it to train it again")
    for key, kind in _KINDS[subject].items():
        if not isinstance(header.get(key), kind):
            raise RecordError(f"{path}: key {key!r} is missing or no JSON {kind.__name__}")
    actual = content_hash(header[subject])
    if header["hash"] != actual:
        raise RecordError(f"{path}: hash: {header['hash']!r} does not match its content ({actual})")
    if header.get("checksum") != header_checksum(header):
        raise RecordError(f"{path}: edited or damaged (its own checksum differs)")
    _require_files(header, subject, path)
    for name, checksum in header["files"].items():
        require_no_link(folder / name)
        if not (folder / name).is_file() or sha256(folder / name) != checksum:
            raise RecordError(f"{folder / name}: missing or damaged (checksum differs)")
    return header


def _require_files(header: dict[str, Any], subject: Subject, path: Path) -> None:
    """Raise RecordError unless the header lists what a record of its kind consists of."""
    if subject == "study":
        names = header["files"]
        if not names or any(Path(x).name != x or not x.endswith(TABLE_ENDING) for x in names):
            raise RecordError(f"{path}: files: must be tables, *{TABLE_ENDING}, at least one")
        return
    asked = {
        EVALUATIONS: has_evaluations(header),
        WEIGHTS: has_weights(header),
        SNAPSHOTS: has_snapshots(header),
    }
    expected = (CURVE, EVALUATION, DIAGNOSTICS, *(name for name, kept in asked.items() if kept))
    if sorted(header["files"]) != sorted(expected):
        raise RecordError(f"{path}: files: must be {', '.join(expected)}")


def require_no_link(*paths: Path) -> None:
    """Raise RecordError for a symbolic link: a record holds its own files, and nothing outside it is read as part of it."""
    for path in paths:
        if path.is_symlink():
            raise RecordError(f"{path}: is a symbolic link; allowed: a file or folder of its own")


def has_weights(header: Mapping[str, Any]) -> bool:
    """Whether the record of `header` keeps its members' weights; a sweep's does not."""
    return bool(header["shard"].get("weights", True))


def has_evaluations(header: Mapping[str, Any]) -> bool:
    """Whether the members of the record of `header` were evaluated during training."""
    return header["shard"].get("evaluation_every") is not None


def has_snapshots(header: Mapping[str, Any]) -> bool:
    """Whether the record of `header` keeps parameters from during training."""
    return bool(header["shard"].get("snapshots", 0))


def require_hash(header: dict[str, Any], expected: str, path: Path) -> None:
    """Raise RecordError unless the header at `path` is that of the shard, or the study, `expected`."""
    if header["hash"] != expected:
        subject = "shard" if "shard" in header else "study"
        raise RecordError(
            f"{path}: hash: {header['hash']!r} is another {subject}'s; expected {expected!r}"
        )


def contents(header: Mapping[str, Any]) -> str:
    """Hash of a record's files: equal for runs that ended with the same bits, whenever and wherever they ran."""
    return content_hash(dict(header["files"]))


def header_checksum(header: dict[str, Any]) -> str:
    """Hash of everything in a header but the checksum itself."""
    return content_hash({key: value for key, value in header.items() if key != "checksum"})


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
