"""The setting that a sweep chose, for those who rerun it: a small file beside the sweep's records.

It lies at `records/choices/<hash of the sweep's shards>.json`, is written once, and every record trained from it
keeps its checksum.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from algorithms.cell import Cell, Shard
from algorithms.header import HEADER, RecordError, contents, read_header, require_no_link, sha256
from algorithms.specification import SpecificationError, Strict, read_yaml


class Candidate(Strict):
    """One setting of a sweep: the mean score of its members, absent where some have none, and how many have one."""

    setting: dict[str, float]
    mean: float | None
    n: int


class Choice(Strict):
    """The setting chosen, by which rule, and from which; `records` are hashes of what the sweep's records hold."""

    sweep: str
    records: dict[str, str]
    experiment: str
    environment: str
    method: str
    rule: str
    setting: dict[str, float]
    candidates: tuple[Candidate, ...]


def choice_path(records: Path, cell: Cell) -> Path:
    """Where the choice that `cell` is a rerun of lies below a records folder."""
    if cell.best_of is None:
        raise ValueError(
            f"{cell.method} on {cell.environment} is no rerun of a sweep's best setting"
        )
    return records / "choices" / f"{cell.best_of.hash}.json"


def with_choice(shard: Shard, records: Path) -> Shard:
    """`shard` with what its sweep chose; itself where it is no rerun. Raises SpecificationError."""
    if shard.cell.best_of is None:
        return shard
    return replace(shard, chosen=read_choice(records, shard.cell).setting)


def read_choice(records: Path, cell: Cell) -> Choice:
    """What the sweep of `cell`, a rerun, chose. Raises SpecificationError."""
    path = choice_path(records, cell)
    require_no_link(path.parent, path)
    if not path.is_file():
        raise SpecificationError(
            f"{path}: missing; analysis.choice writes it once the sweep is trained that "
            f"{cell.method} on {cell.environment} reruns the best of"
        )
    choice = read_yaml(path, Choice)
    if choice.sweep != path.stem or (choice.method, choice.environment) != (
        cell.method,
        cell.environment,
    ):
        raise SpecificationError(
            f"{path}: chosen by sweep {choice.sweep} for {choice.method} on {choice.environment}; "
            f"allowed: {path.stem} for {cell.method} on {cell.environment}"
        )
    return choice


def provenance_of(shard: Shard, records: Path) -> dict[str, Any]:
    """What a record says of the choice that it was trained from; nothing where it is no rerun."""
    if shard.cell.best_of is None:
        return {}
    return {
        "choice": {
            "setting": dict(shard.chosen),
            "checksum": sha256(choice_path(records, shard.cell)),
        }
    }


def require_choice(header: dict[str, Any], shard: Shard, records: Path, path: Path) -> None:
    """Raise RecordError where the record at `path` was trained from another choice than the one there is.

    Also where the sweep's records are not those any more that the choice was made from.
    """
    if shard.cell.best_of is None:
        return
    choice = read_choice(records, shard.cell)
    for swept in shard.cell.best_of.shards:
        folder = records / swept.name
        known = choice.records[swept.hash]
        if (folder / HEADER).exists() and contents(read_header(folder)) != known:
            raise RecordError(
                f"{folder}: has other contents since {choice_path(records, shard.cell)} was chosen from it; delete "
                "that file and what was trained from it to choose again"
            )
    now = provenance_of(replace(shard, chosen=choice.setting), records)["choice"]
    recorded = header["provenance"].get("choice")
    if now != recorded:
        raise RecordError(
            f"{path}: choice: trained with {recorded}, but the sweep now says {now}; "
            "delete the record to train it again"
        )
