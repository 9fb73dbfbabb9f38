"""What is trained and what is not: one line a cell, and every record that no plan asks for any more.

Command line: print the ledger of a scale and write it to `<results>/<scale>/ledger.csv`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from rich.console import Console
from rich.table import Table

from algorithms.cell import Plan, Shard, load_plan, require_scale
from algorithms.header import RecordError
from algorithms.records import atomic_path, read_record, read_study
from algorithms.specification import SpecificationError
from algorithms.study import FOLDER as STUDIES
from analysis.load import STATUSES, find_record, member_scores

STALE_COLUMNS = ("paper", "environment", "method", "record", "why")
COUNTS = ("planned", *STATUSES, "stale")
HOURS = ("wall_hours", "core_hours")
SUMMED = ("planned", *STATUSES, "steps", "training_seconds", *HOURS)


class Ledger(NamedTuple):
    """`cells`: one row for each paper, experiment, environment and method, then one total. `papers`: one row a paper. `stale`: one row a record.

    Cells have columns paper, experiment, environment, method, planned, done, diverged, failed, missing
    (members), stale (records), steps_per_second (environment steps of all members of a shard while it
    trains; NaN before any record), wall_hours and core_hours (wall time × threads). Experiments may share
    cells: the total counts a shard once, and so do `papers`, which have paper and the columns from planned
    on. Stale records have columns paper, environment, method, record (path below the paper's records)
    and why.
    """

    cells: pd.DataFrame
    papers: pd.DataFrame
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
        scratch = results / "scratch"
        outdated = stale_records(plan, scale, records).assign(paper=folder.name)
        shards = {
            digest: _shard_row(shard, records, scratch)
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
    return Ledger(
        pd.DataFrame(rows, columns=[*total, *numbers]),
        pd.DataFrame(papers, columns=["paper", *numbers]),
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
    record = find_record(shard, records)
    status = member_scores(shard, record, scratch)["status"]
    row = {"planned": len(status), **{name: sum(status == name) for name in STATUSES}}
    if record is None:
        return {**row, "steps": 0, "training_seconds": 0.0, **dict.fromkeys(HOURS, 0.0)}
    provenance = record.meta["provenance"]
    cell = shard.cell
    hours = provenance["wall_seconds"] / 3600
    return {
        **row,
        "steps": cell.iterations * cell.settings.iteration_steps * len(shard.members),
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
        **{name: int(total[name]) for name in ("planned", *STATUSES)},
        "steps_per_second": total["steps"] / seconds if seconds else float("nan"),
        **{name: float(total[name]) for name in HOURS},
    }


def stale_records(plan: Plan, scale: str, records: Path) -> pd.DataFrame:
    """Records below `records` that no shard or study of the plan names, each with what differs from the plan.

    Columns environment, method, record, why; the first two are empty for a study. The planned shard of the same
    environment and method with the fewest differences is the one compared.
    """
    planned = plan.all_shards(scale)
    names = {shard.name for shard in planned.values()}
    names |= {plan.study(scale, name).path for name in plan.planned_studies(scale)}
    rows = []
    for path in sorted(records.glob("*/*/record.json")):
        name = path.parent.relative_to(records).as_posix()
        if name in names:
            continue
        if name.startswith(f"{STUDIES}/"):
            rows.append(("", "", name, _why_study_stale(path.parent, plan, scale)))
            continue
        try:
            content = read_record(path.parent).meta["shard"]
        except RecordError as error:
            rows.append(("", "", name, f"cannot be read: {error}"))
            continue
        environment, method = str(content["environment"]), str(content["method"])
        rows.append((environment, method, name, _why_stale(content, name, planned)))
    return pd.DataFrame(rows, columns=["environment", "method", "record", "why"])


def _why_stale(content: dict[str, Any], name: str, planned: dict[str, Shard]) -> str:
    rivals = [
        differences(content, shard.content())
        for shard in planned.values()
        if (shard.cell.environment, shard.cell.method)
        == (content["environment"], content["method"])
    ]
    if not rivals:
        return "this scale plans no such method on this environment"
    nearest = min(rivals, key=len)
    return "; ".join(nearest) or "lies at a path that is not its own"


def _why_study_stale(folder: Path, plan: Plan, scale: str) -> str:
    try:
        content = read_study(folder).meta["study"]
    except RecordError as error:
        return f"cannot be read: {error}"
    if content["name"] not in plan.planned_studies(scale):
        return "this scale plans no such study"
    asked = plan.study(scale, content["name"]).content()
    changed = _changes(_leaves(content), _leaves(asked))
    return "; ".join(changed) or "lies at a path that is not its own"


def _leaves(content: dict[str, Any]) -> dict[str, Any]:
    """Nested content as one level: "methods.ppo.version"."""
    leaves: dict[str, Any] = {}
    for key, value in content.items():
        below = _leaves(value) if isinstance(value, dict) else {}
        leaves |= {f"{key}.{name}": leaf for name, leaf in below.items()} or {key: value}
    return leaves


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between a record's content and a planned shard's, one phrase each."""
    return _changes(_flat(old), _flat(new))


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [
        f"{key}: {before.get(key, 'absent')}, planned {after.get(key, 'absent')}"
        for key in dict.fromkeys([*after, *before])
        if before.get(key, "absent") != after.get(key, "absent")
    ]


def _flat(content: dict[str, Any]) -> dict[str, Any]:
    """Content with settings one level up, and members as their seeds and what is swept."""
    plain = {key: value for key, value in content.items() if key not in ("settings", "members")}
    settings = {f"settings.{key}": value for key, value in content["settings"].items()}
    members = content["members"]
    swept = {"swept": [member["setting"] for member in members]}
    return {
        **plain,
        **settings,
        "seeds": list(dict.fromkeys(member["seed"] for member in members)),
        **(swept if any(swept["swept"]) else {}),
    }


def print_ledger(entries: Ledger, console: Console) -> None:
    """Print the ledger: a table in a terminal, aligned plain text of full width elsewhere.

    Core-hours are left to the csv and the report: 80 columns have no room for them.
    """
    cells = entries.cells.drop(columns="core_hours")
    cells["steps_per_second"] = [_rounded(value, 0) for value in cells["steps_per_second"]]
    cells["wall_hours"] = [_rounded(value, 2) for value in cells["wall_hours"]]
    cells = cells.rename(columns={"steps_per_second": "steps/s", "wall_hours": "hours"})
    if console.is_terminal:
        for (paper, experiment), part in cells.groupby(["paper", "experiment"], sort=False):
            console.print(f"\n{paper} {experiment}".rstrip(), style="bold", highlight=False)
            _print_table(
                part.drop(columns=["paper", "experiment"]), ("environment", "method"), console
            )
    else:
        _print_table(cells, (), console)
    if len(entries.stale):
        console.print("\nStale records: the plan asks for something else now", highlight=False)
        _print_table(entries.stale, STALE_COLUMNS, console)


def _rounded(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:,.{digits}f}"


def _print_table(table: pd.DataFrame, words: Sequence[str], console: Console) -> None:
    """Columns in `words` are text and fold where the terminal is narrow; the others are numbers."""
    if not console.is_terminal:
        console.file.write(table.to_string(index=False) + "\n")
        return
    grid = Table(box=None, pad_edge=False)
    for name in table.columns:
        if name in words:
            grid.add_column(name, overflow="fold")
        else:
            grid.add_column(name, justify="right", no_wrap=True)
    for row in table.astype(str).itertuples(index=False):
        grid.add_row(*row)
    console.print(grid)


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


def main(argv: Sequence[str] | None = None) -> int:
    """Print the ledger of a scale and write ledger.csv; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.ledger", description=main.__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, help="folders of papers")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--results", type=Path, required=True, help="root of the results")
    arguments = parser.parse_args(argv)
    try:
        entries = ledger(arguments.papers, arguments.scale, arguments.results)
        write_ledger(entries, arguments.results / arguments.scale)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_ledger(entries, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
