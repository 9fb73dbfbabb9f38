"""What is trained and what is not: one line a cell, every shard in training or failed, every record that no plan asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from algorithms.cell import Plan, Shard, load_plan, require_scale
from algorithms.header import RecordError
from algorithms.records import atomic_path
from analysis.attempts import attempt
from analysis.load import STATUSES, find_record
from analysis.stale import stale_records

STALE_COLUMNS = ("paper", "environment", "method", "record", "why")
ATTEMPT_COLUMNS = ("paper", "environment", "method", "shard", "state", "said", "log")
STATES = ("running", *STATUSES)
COUNTS = ("planned", *STATES, "stale")
HOURS = ("wall_hours", "core_hours")
SUMMED = ("planned", *STATES, "steps", "training_seconds", *HOURS)


class Ledger(NamedTuple):
    """`cells`: one row for each paper, experiment, environment and method, then one total. `papers`: one row a paper.

    Cells have columns paper, experiment, environment, method, planned, running, done, diverged, failed, missing
    (members), stale (records), steps_per_second (environment steps of all members of a shard while it
    trains; NaN before any record), wall_hours and core_hours (wall time × threads). Experiments may share
    cells: the total counts a shard once, and so do `papers`, which have paper and the columns from planned
    on. `attempts`, one row a shard that is running or has failed, have paper, environment, method, shard (its hash), state,
    said (how far it is, or the last error) and log. `stale`, one row a record, has paper, environment, method, record
    (path below the paper's records) and why.
    """

    cells: pd.DataFrame
    papers: pd.DataFrame
    attempts: pd.DataFrame
    stale: pd.DataFrame


def ledger(folders: Sequence[Path], scale: str, results: Path) -> Ledger:
    """The ledger of the papers in `folders` at `scale`.

    Raises SpecificationError for a broken plan and RecordError for a damaged record of it.
    """
    rows: list[dict[str, Any]] = []
    unique: list[dict[str, Any]] = []
    papers: list[dict[str, Any]] = []
    stale: list[pd.DataFrame] = []
    for folder in folders:
        plan = load_plan(folder)
        require_scale(plan, scale, folder)
        records = results / scale / folder.name / "records"
        outdated = stale_records(plan, scale, records).assign(paper=folder.name)
        shards = {
            digest: _shard_row(shard, records, results / "scratch") | {"paper": folder.name}
            for digest, shard in plan.all_shards(scale).items()
        }
        for experiment in plan.planned(scale):
            rows += _experiment_rows(plan, scale, experiment, folder.name, shards, outdated)
        unique += shards.values()
        papers.append({"paper": folder.name, **_sum(shards.values()), "stale": len(outdated)})
        stale.append(outdated[list(STALE_COLUMNS)])
    removed = pd.concat(stale, ignore_index=True)
    total = {"paper": "total", "experiment": "", "environment": "", "method": ""}
    rows.append({**total, **_sum(unique), "stale": len(removed)})
    numbers = [*COUNTS, "steps_per_second", *HOURS]
    tried = [row for row in unique if row["state"] in ("running", "failed")]
    return Ledger(
        pd.DataFrame(rows, columns=[*total, *numbers]),
        pd.DataFrame(papers, columns=["paper", *numbers]),
        pd.DataFrame(tried, columns=list(ATTEMPT_COLUMNS)),
        removed,
    )


def _experiment_rows(
    plan: Plan,
    scale: str,
    experiment: str,
    paper: str,
    shards: dict[str, dict[str, Any]],
    outdated: pd.DataFrame,
) -> list[dict[str, Any]]:
    """One row for each environment and method, whatever its settings, in the order of the plan."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for shard in plan.shards(scale, experiment):
        key = (shard.cell.environment, shard.cell.method)
        cells.setdefault(key, []).append(shards[shard.hash])
    return [
        {
            "paper": paper,
            "experiment": experiment,
            "environment": environment,
            "method": method,
            **_sum(parts),
            "stale": sum((outdated["environment"] == environment) & (outdated["method"] == method)),
        }
        for (environment, method), parts in cells.items()
    ]


def _shard_row(shard: Shard, records: Path, scratch: Path) -> dict[str, Any]:
    """A shard's members by state, what its training took, and what is told of an attempt without a record."""
    cell, members = shard.cell, len(shard.members)
    row = {
        "environment": cell.environment,
        "method": cell.method,
        "shard": shard.hash,
        "planned": members,
        **dict.fromkeys((*STATES, "steps"), 0),
        **dict.fromkeys(("training_seconds", *HOURS), 0.0),
    }
    record = find_record(shard, records)
    if record is None:
        tried = attempt(scratch, shard.hash)
        return {**row, tried.state: members, **tried._asdict()}
    provenance = record.meta["provenance"]
    hours = provenance["wall_seconds"] / 3600
    return {
        **row,
        **Counter(member["status"] for member in record.meta["members"]),
        "state": "recorded",
        "steps": cell.iterations * cell.settings.iteration_steps * members,
        "training_seconds": provenance["training_seconds"],
        "wall_hours": hours,
        "core_hours": hours * provenance["threads"],
    }


def _sum(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Counts, throughput and wall time of several shards together."""
    table = pd.DataFrame(list(parts), columns=SUMMED)
    total = table.sum()
    seconds = total["training_seconds"]
    return {
        **{name: int(total[name]) for name in ("planned", *STATES)},
        "steps_per_second": total["steps"] / seconds if seconds else float("nan"),
        **{name: float(total[name]) for name in HOURS},
    }


def write_ledger(entries: Ledger, folder: Path) -> None:
    """Write the cells to `folder`/ledger.csv. Raises RecordError if it cannot be written."""
    make_folder(folder)
    with atomic_path(folder / "ledger.csv") as temporary:
        entries.cells.to_csv(temporary, index=False)


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it. Raises RecordError naming it if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{folder}: cannot be written: {error}") from error
