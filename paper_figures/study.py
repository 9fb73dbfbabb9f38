"""What every study module needs: its command line, the records that it reads, and how its own is written."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from algorithms.cell import Plan, Shard, load_plan, require_scale
from algorithms.choice import with_choice
from algorithms.header import contents
from algorithms.records import CODE, Record, environment_provenance, find_study, write_study
from algorithms.scratch import exclusive
from algorithms.specification import SpecificationError
from algorithms.study import Settings, Study, check_settings
from algorithms.threads import limit_threads
from analysis.load import find_record


class Read(NamedTuple):
    """A shard that a study reads, and its record."""

    shard: Shard
    record: Record


Run = Callable[[Study, Settings, Sequence[Read]], Mapping[str, pd.DataFrame]]
"""A study's function: what it is, its settings and the records that it reads become tables, by name."""


def main(
    name: str, model: type[Settings], run: Run[Settings], argv: Sequence[str] | None = None
) -> int:
    """Make the record of a study unless it is there; 2 where what is asked for cannot be."""
    parser = argparse.ArgumentParser(description=f"Make the record of the study {name}.")
    parser.add_argument("--paper", type=Path, required=True, help="the paper's folder")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--records", type=Path, required=True, help="the paper's records folder")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for the lock")
    options = parser.parse_args(argv)
    try:
        plan = planned(options.paper, options.scale, name)
        study = plan.study(options.scale, name)
        settings = check_settings(study.settings, model, options.paper, options.scale, name)
        options.scratch.mkdir(parents=True, exist_ok=True)
        # As with training: who comes second waits and finds the record there, which counts as success.
        lock = options.scratch / f"{study.hash}.lock"
        with exclusive(lock):
            folder = options.records / study.path
            if find_study(study, options.records) is None:
                shards = plan.study_shards(options.scale, name)
                _write(folder, study, settings, run, [_read(s, options.records) for s in shards])
                print(f"recorded {folder}")
            else:
                print(f"already recorded: {folder}")
        lock.unlink(missing_ok=True)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def planned(paper: Path, scale: str, name: str) -> Plan:
    """The plan of the paper in folder `paper`. Raises SpecificationError unless `scale` includes the study."""
    plan = load_plan(paper)
    require_scale(plan, scale, paper)
    if name not in plan.planned_studies(scale):
        raise SpecificationError(
            f"{paper / 'experiments.yaml'}: study {name!r} is not planned at scale {scale!r}; "
            f"allowed: {', '.join(plan.planned_studies(scale)) or 'none'}"
        )
    return plan


def _read(shard: Shard, records: Path) -> Read:
    record = find_record(shard, records)
    if record is None:
        raise SpecificationError(
            f"{records / shard.name}: no record; the study reads it, train it first"
        )
    return Read(with_choice(shard, records), record)


def _write(
    folder: Path, study: Study, settings: Settings, run: Run[Settings], read: Sequence[Read]
) -> None:
    """Run the study in one thread and write its record."""
    limit_threads(1)
    started, clock, load = datetime.now(UTC), time.perf_counter(), os.getloadavg()
    tables = run(study, settings, read)
    how = {
        "started": started.isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - clock, 3),
        "load_average": [round(value, 2) for value in load],
        "device": "cpu",
        "threads": 1,
        "read": {shard.name: contents(record.meta) for shard, record in read},
        **environment_provenance((*CODE, "analysis", "paper_figures")),
    }
    write_study(folder, study, tables, how)
