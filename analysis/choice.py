"""Choose a sweep's best setting, so that it can be rerun with fresh seeds: python -m analysis.choice."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from algorithms.cell import Cell, load_plan, require_scale
from algorithms.choice import Candidate, Choice, choice_path, read_choice
from algorithms.header import RecordError, contents
from algorithms.records import write_json
from algorithms.scratch import exclusive
from algorithms.specification import SpecificationError
from analysis.load import find_record, member_scores, scored_by
from analysis.statistics import mean

RULE = "largest mean score ({score}) over the seeds of a setting, all of which must have ended with a score"


def choose(cell: Cell, records: Path, scratch: Path) -> Choice:
    """The best setting of the sweep that `cell` is a rerun of; the first of equals.

    Raises RecordError where a shard of the sweep has no record, or no setting may be chosen.
    """
    if cell.best_of is None:
        raise ValueError(
            f"{cell.method} on {cell.environment} is no rerun of a sweep's best setting"
        )
    scores: dict[tuple[tuple[str, float], ...], list[float]] = {}
    checksums = {}
    sweep = cell.best_of
    for shard in sweep.shards:
        record = find_record(shard, records)
        if record is None:
            raise RecordError(f"{records / shard.name}: not trained yet; the sweep needs all of it")
        checksums[shard.hash] = contents(record.meta)
        found = scored_by(member_scores(shard, record, scratch), sweep.score)
        for member, score in zip(shard.members, found["score"], strict=True):
            scores.setdefault(tuple(member.setting.items()), []).append(float(score))
    candidates = tuple(_candidate(dict(setting), found) for setting, found in scores.items())
    best = max(candidates, key=_rank)
    if best.mean is None:
        raise RecordError(
            f"{records}: every setting of {sweep.experiment} has members without a score"
        )
    return Choice(
        sweep=sweep.hash,
        records=checksums,
        experiment=sweep.experiment,
        environment=cell.environment,
        method=cell.method,
        rule=RULE.format(score=sweep.score),
        setting=best.setting,
        candidates=candidates,
    )


def _candidate(setting: dict[str, float], found: list[float]) -> Candidate:
    scored = [score for score in found if not math.isnan(score)]
    complete = len(scored) == len(found)
    return Candidate(
        setting=setting, mean=mean(np.array(scored)) if complete else None, n=len(scored)
    )


def _rank(candidate: Candidate) -> float:
    return -math.inf if candidate.mean is None else candidate.mean


def main(argv: Sequence[str] | None = None) -> int:
    """Write the choice that reruns of a sweep are trained from; 2 where it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m analysis.choice", description=main.__doc__)
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--sweep", required=True, help="hash of the sweep's shards")
    parser.add_argument("--records", type=Path, required=True, help="folder of the records")
    parser.add_argument("--scratch", type=Path, required=True, help="folder of checkpoints")
    options = parser.parse_args(argv)
    try:
        plan = load_plan(options.paper)
        require_scale(plan, options.scale, options.paper)
        cell = plan.rerun_of(options.scale, options.sweep)
        path = choice_path(options.records, cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        # As with training: who comes second waits and finds the file there, which counts as success.
        lock = path.with_suffix(".lock")
        with exclusive(lock):
            if path.exists():
                read_choice(options.records, cell)
                print(f"already chosen: {path}")
            else:
                choice = choose(cell, options.records, options.scratch)
                write_json(path, choice.model_dump(mode="json"))
        lock.unlink(missing_ok=True)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
