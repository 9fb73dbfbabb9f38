"""From records to tables: the score and the learning curve of every planned member of an experiment.

A member that diverged, failed or is missing is a row like any other, with its status and no score. Runs
trained elsewhere join as further arms from a csv file with the columns of `IMPORTED_COLUMNS`: one row a
training return of one seed at one environment step.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from algorithms.cell import Cell, HyperparameterValue, Plan, Score, Shard, require_scale
from algorithms.choice import require_choice
from algorithms.header import EVALUATION, HEADER, RecordError, require_hash
from algorithms.records import STEP, Record, binned, read_record
from algorithms.settings import METHODS
from algorithms.specification import SpecificationError
from analysis.attempts import attempt
from envs.registry import ENVIRONMENTS

STATUSES = ("done", "diverged", "failed", "missing")
IMPORTED_COLUMNS = ("method", "environment", "seed", "step", "return")
TAIL = 0.1
"""A training return is the mean over this last fraction of a run: steps > (1 − 0.1) × the last one. It is
also an imported run's score, because a csv holds no policy that could be evaluated after training; where an experiment
scores by the area under the learning curve, it is that of training returns over as many steps as ours."""

SCORES = {
    "environment": "object",
    "method": "object",
    "seed": "int64",
    "setting": "object",
    "steps": "int64",
    "score": "float64",
    "training_return": "float64",
    "auc": "float64",
    "training_auc": "float64",
    "training_score": "float64",
    "episode_std": "float64",
    "episodes": "int64",
    "status": "object",
    "diverged_at": "float64",
    "imported": "bool",
}
CURVES = {
    "environment": "object",
    "method": "object",
    "seed": "int64",
    "setting": "object",
    "step": "int64",
    "return_mean": "float64",
    "episodes": "int64",
    "imported": "bool",
}


DIAGNOSED = {
    "environment": "object",
    "method": "object",
    "seed": "int64",
    "setting": "object",
    "step": "int64",
}


EVALUATED = {
    **DIAGNOSED,
    "return_mean": "float64",
    "length_mean": "float64",
    "episodes": "int64",
}


class Tables(NamedTuple):
    """What an experiment's records say, one table each."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    diagnostics: pd.DataFrame


def require_experiment(plan: Plan, scale: str, experiment: str, folder: Path) -> None:
    """Raise SpecificationError unless `scale` of the paper in `folder` includes `experiment`."""
    require_scale(plan, scale, folder)
    if experiment not in plan.planned(scale):
        raise SpecificationError(
            f"{folder / 'experiments.yaml'}: experiment {experiment!r} is not planned at scale "
            f"{scale!r}; allowed: {', '.join(plan.planned(scale))}"
        )


def load_experiment(
    plan: Plan,
    scale: str,
    experiment: str,
    records: Path,
    scratch: Path,
    imported: pd.DataFrame,
) -> Tables:
    """Scores, curves and diagnostics of an experiment, in the order of its plan, imported arms last.

    Columns are those of `SCORES`, `CURVES` and `DIAGNOSED`, the last followed by every diagnostic that some
    method has, NaN where a method has it not; imported runs have none. `setting` is the levels of the experiment's
    factors and the values of its grid that tell members of a method apart. `score` is what the experiment says, usually the mean return of a member's evaluation
    episodes, `episode_std` their standard deviation (ddof = 1); an imported run's are taken over the
    returns that `TAIL` selects. `auc` is of the evaluations during training where there are any, `training_auc` of training returns, and
    `training_score` what an imported run's score is compared with. `steps` is a member's step budget, or an imported run's last step.
    `imported` comes from `read_imported`; rows of environments that the experiment lacks are left aside. Raises RecordError for a
    damaged record, and SpecificationError as `check_imported` does.
    """
    check_imported(plan, scale, experiment, imported)
    scores, curves, diagnosed = [], [], []
    for shard in plan.shards(scale, experiment):
        record = find_record(shard, records)
        scores.append(member_scores(shard, record, scratch))
        if record is not None:
            curves.append(_told_apart(record.curve, shard).assign(imported=False))
            diagnosed.append(_told_apart(record.diagnostics, shard).drop(columns="member"))
    cells = {cell.environment: cell for cell in plan.cells(scale, experiment)}
    here = imported[imported["environment"].isin(list(cells))]
    for (environment, method, seed), run in here.groupby(["environment", "method", "seed"]):
        who = {"environment": environment, "method": method, "seed": seed, "setting": "{}"}
        scores.append(_imported_score(run, who, cells[environment]))
        curves.append(_imported_curve(run, who, cells[environment]))
    measured = dict.fromkeys(name for part in diagnosed for name in part if name not in DIAGNOSED)
    columns = DIAGNOSED | dict.fromkeys(measured, "float64")
    diagnostics = [part.reindex(columns=list(columns)) for part in diagnosed]
    measured_by = plan.experiments[experiment].score
    return Tables(
        scored_by(_table(scores, SCORES), measured_by),
        _table(curves, CURVES),
        _table(diagnostics, columns),
    )


def find_record(shard: Shard, records: Path) -> Record | None:
    """The record of `shard`, verified, or None where it has none yet.

    Raises RecordError if what lies at its path is damaged or belongs to another shard.
    """
    folder = records / shard.name
    if not (folder / HEADER).exists():
        return None
    record = read_record(folder)
    require_hash(dict(record.meta), shard.hash, folder / HEADER)
    require_choice(dict(record.meta), shard, records, folder / HEADER)
    return record


def load_evaluations(plan: Plan, scale: str, experiment: str, records: Path) -> pd.DataFrame:
    """Every evaluation during training of an experiment's members that have a record, in the order of its plan.

    Columns are those of `EVALUATED`; none where the protocol has no such evaluations. Raises RecordError for a damaged record.
    """
    rows = []
    for shard in plan.shards(scale, experiment):
        record = find_record(shard, records)
        if record is not None and record.evaluations is not None:
            rows.append(_told_apart(record.evaluations, shard))
    return _table(rows, EVALUATED)


def snapshots(record: Record) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Environment steps [K] at which parameters were kept, the start and the end among them, and each by name, [K, P, …].

    Raises RecordError for a record without snapshots.
    """
    arrays = record.snapshots()
    steps = arrays.pop(STEP)
    return steps, arrays


def member_scores(shard: Shard, record: Record | None, scratch: Path) -> pd.DataFrame:
    """One row of the scores table for each member of `shard`, whatever became of it.

    A shard without a record has failed if scratch says so, and is missing otherwise, in training too. Raises RecordError if a member that is done has no finite evaluation.
    """
    failed = record is None and attempt(scratch, shard.hash).state == "failed"
    rows: list[dict[str, Any]] = [
        {
            "environment": shard.cell.environment,
            "method": shard.cell.method,
            "seed": member.seed,
            "setting": setting_text(shard.settings_of(member)),
            "steps": shard.cell.steps,
            "score": math.nan,
            "training_return": math.nan,
            "auc": math.nan,
            "training_auc": math.nan,
            "training_score": math.nan,
            "episode_std": math.nan,
            "episodes": 0,
            "status": "failed" if failed else "missing",
            "diverged_at": math.nan,
            "imported": False,
        }
        for member in shard.members
    ]
    if record is not None:
        rows = [{**row, **end} for row, end in zip(rows, _ends(record), strict=True)]
    return _table([pd.DataFrame(rows)], SCORES)


def setting_text(setting: Mapping[str, HyperparameterValue]) -> str:
    """What tells a member from others of its method, as JSON with sorted keys."""
    return json.dumps(dict(setting), sort_keys=True)


def _ends(record: Record) -> Iterator[dict[str, Any]]:
    """What became of each member of a record, as columns of the scores table."""
    evaluation, curve, during = record.evaluation, record.curve, record.evaluations
    for index, member in enumerate(record.meta["members"]):
        if member["status"] == "diverged":
            yield {"status": "diverged", "diverged_at": float(member["diverged_at"])}
            continue
        returns = evaluation.loc[evaluation["member"] == index, "return"].to_numpy()
        if not len(returns) or not np.isfinite(returns).all():
            raise RecordError(
                f"{record.folder / EVALUATION}: return: member {index} is done but its returns "
                "are absent or not finite; delete the record to train it again"
            )
        own = curve[curve["member"] == index]
        area = _area(own, record.meta["shard"]["steps"], record.meta["shard"]["curve_rows"])
        yield {
            "status": "done",
            "score": float(np.mean(returns)),
            "training_return": _training_return(own, record),
            "auc": area
            if during is None
            else float(during.loc[during["member"] == index, "return_mean"].mean()),
            "training_auc": area,
            "episode_std": _spread(returns),
            "episodes": len(returns),
        }


def _training_return(curve: pd.DataFrame, record: Record) -> float:
    """Mean return of the training episodes in the last `TAIL` of a member's steps; NaN without one.

    Bins of its `curve` that reach into that part count in full, each by its episodes.
    """
    shard = record.meta["shard"]
    # By a bin's number: its edge is rounded to a whole step, which may lie beyond the boundary.
    number = np.rint(curve["step"] * shard["curve_rows"] / shard["steps"])
    tail = curve[number > (1 - TAIL) * shard["curve_rows"]]
    if tail.empty:
        return math.nan
    return float(np.average(tail["return_mean"], weights=tail["episodes"]))


def _area(curve: pd.DataFrame, steps: int, rows: int) -> float:
    """The area under a member's learning curve of `rows` bins, divided by its `steps`: the mean over bins; NaN without an episode.

    A bin in which no episode ended has what lies between its neighbours.
    """
    if curve.empty:
        return math.nan
    number = np.rint(curve["step"] * rows / steps)
    return float(np.interp(np.arange(1, rows + 1), number, curve["return_mean"]).mean())


def scored_by(scores: pd.DataFrame, score: Score) -> pd.DataFrame:
    """The scores table with the members' `score` of that kind, and `training_score`: the same of training returns alone."""
    own, training = {
        "evaluation": ("score", "training_return"),
        "last_tenth": ("training_return", "training_return"),
        "auc": ("auc", "training_auc"),
    }[score]
    return scores.assign(score=scores[own], training_score=scores[training])


def _told_apart(rows: pd.DataFrame, shard: Shard) -> pd.DataFrame:
    """Rows of a record with the columns that tell its members from those of other records."""
    settings = [setting_text(shard.settings_of(member)) for member in shard.members]
    return rows.assign(
        environment=shard.cell.environment,
        method=shard.cell.method,
        setting=[settings[index] for index in rows["member"]],
    )


def _table(parts: Sequence[pd.DataFrame], columns: dict[str, str]) -> pd.DataFrame:
    filled = [part[list(columns)] for part in parts if len(part)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
    return pd.concat(filled, ignore_index=True).astype(columns)


def _spread(returns: np.ndarray) -> float:
    return float(np.std(returns, ddof=1)) if len(returns) > 1 else math.nan


# Runs trained elsewhere


def read_imported(paths: Sequence[Path]) -> pd.DataFrame:
    """The runs in csv files, all of them checked; columns `IMPORTED_COLUMNS`.

    Raises SpecificationError naming the file, the line, the column, the value and what is allowed.
    """
    seen: dict[tuple[str, str, int, int], str] = {}
    rows = []
    for path in paths:
        for line, row in _csv_rows(path):
            key = (row["method"], row["environment"], row["seed"], row["step"])
            place = f"{path}: line {line}"
            if key in seen:
                raise SpecificationError(
                    f"{place}: method, environment, seed, step = {key} stands twice "
                    f"(first in {seen[key]}); allowed: once"
                )
            seen[key] = place
            rows.append(row)
    kinds = dict(
        zip(IMPORTED_COLUMNS, ("object", "object", "int64", "int64", "float64"), strict=True)
    )
    return pd.DataFrame(rows, columns=list(IMPORTED_COLUMNS)).astype(kinds)


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            if sorted(header) != sorted(IMPORTED_COLUMNS):
                raise SpecificationError(
                    f"{path}: line 1: columns are {', '.join(header) or 'absent'}; "
                    f"allowed: exactly {', '.join(IMPORTED_COLUMNS)}"
                )
            for fields in reader:
                if fields:
                    yield (
                        reader.line_num,
                        _csv_row(fields, header, f"{path}: line {reader.line_num}"),
                    )
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SpecificationError(f"{path}: not a csv file in UTF-8: {error}") from error


def _csv_row(fields: list[str], header: list[str], place: str) -> dict[str, Any]:
    if len(fields) != len(header):
        raise SpecificationError(f"{place}: {len(fields)} fields; allowed: {len(header)}")
    text = dict(zip(header, fields, strict=True))
    method, environment = text["method"], text["environment"]
    if not method.strip() or not method.isprintable():
        _refuse(place, "method", method, "a name, of characters that print")
    if method in METHODS:
        _refuse(place, "method", method, f"a name that is none of ours ({', '.join(METHODS)})")
    if environment not in ENVIRONMENTS:
        _refuse(place, "environment", environment, ", ".join(ENVIRONMENTS))
    return {
        "method": method,
        "environment": environment,
        "seed": _whole(text["seed"], place, "seed"),
        "step": _whole(text["step"], place, "step"),
        "return": _finite(text["return"], place),
    }


def _whole(text: str, place: str, column: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        _refuse(place, column, text, "a whole number, 0 or more")
    return int(text)


def _finite(text: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        _refuse(place, "return", text, "a finite number")
    return number


def _refuse(place: str, column: str, value: str, allowed: str) -> None:
    raise SpecificationError(f"{place}: {column}: {value!r}; allowed: {allowed}")


def check_imported(plan: Plan, scale: str, experiment: str, imported: pd.DataFrame) -> None:
    """Raise SpecificationError for an imported run whose area under the curve would be of fewer steps than ours.

    Experiments that score otherwise take runs of any length.
    """
    if plan.experiments[experiment].score != "auc" or imported.empty:
        return
    for cell in {cell.environment: cell for cell in plan.cells(scale, experiment)}.values():
        here = imported[imported["environment"] == cell.environment]
        for (method, seed), run in here.groupby(["method", "seed"]):
            within = run.loc[run["step"] <= cell.steps, "step"]
            if within.empty or within.max() <= (1 - TAIL) * cell.steps:
                raise SpecificationError(
                    f"imported: {method} on {cell.environment}, seed {seed}: step: the last return within {cell.steps:,} steps is at "
                    f"{within.max() if len(within) else 'none'}; experiment {experiment!r} compares areas under the learning curve "
                    f"over {cell.steps:,} steps; allowed: runs that reach their last tenth (config paper=… leaves a paper out)"
                )


def _imported_area(run: pd.DataFrame, cell: Cell) -> float:
    """The area under an imported run's learning curve, binned as our curves are, up to our last step."""
    rows = cell.protocol.curve_rows
    return _area(_binned(run[run["step"] <= cell.steps], cell.steps, rows), cell.steps, rows)


def _imported_score(run: pd.DataFrame, who: dict[str, Any], cell: Cell) -> pd.DataFrame:
    last = int(run["step"].max())
    tail = run.loc[(run["step"] > (1 - TAIL) * last) | (run["step"] == last), "return"].to_numpy()
    area = _imported_area(run, cell)
    row = {
        **who,
        "steps": last,
        "score": float(np.mean(tail)),
        "training_return": float(np.mean(tail)),
        "auc": area,
        "training_auc": area,
        "training_score": math.nan,
        "episode_std": _spread(tail),
        "episodes": len(tail),
        "status": "done",
        "diverged_at": math.nan,
        "imported": True,
    }
    return pd.DataFrame([row])


def _imported_curve(run: pd.DataFrame, who: dict[str, Any], cell: Cell) -> pd.DataFrame:
    """A run's returns averaged over intervals as long as those of our curves; it may be longer."""
    lengths = max(1, math.ceil(run["step"].max() / cell.steps))
    curve = _binned(run, cell.steps * lengths, cell.protocol.curve_rows * lengths)
    return curve.assign(**who, imported=True)


def _binned(run: pd.DataFrame, steps: int, rows: int) -> pd.DataFrame:
    """The mean return of each of `rows` equal intervals of an imported run that has one."""
    returns = run[["step", "seed"]].assign(member=0, return_mean=run["return"])
    return binned(returns, steps, rows, ("return_mean",), count="episodes")
