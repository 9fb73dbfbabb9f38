"""Answers: what our record of a study decides about statements of its paper.

A paper's `answers.py` reads the records of its studies at scale paper in a step of its own and leaves a JSON file with, for
each study, the record that it read and what each statement turned out to be. The audit only reads that file, and trusts it
as long as the plan still asks for that record and the record has not changed since.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from algorithms.cell import load_plan
from algorithms.header import HEADER, contents, read_header
from algorithms.records import StudyRecord, find_study
from algorithms.specification import Strict
from analysis.audit import evidence
from analysis.audit.cells import SCALE
from analysis.claims import Words

FILE = "answers.json"
"""How the file is named that the audit is given, in a folder named as the paper."""


class Answer(Strict):
    """Whether a statement holds in the record; None where the record looks at nothing that the statement is about."""

    holds: bool | None
    statement: Words
    found: Words


class Answered(Strict):
    """What one study's record decides: the record's hash (its path), a hash of its tables, and statements by name."""

    record: Words
    contents: Words
    statements: dict[str, Answer]


Answers = dict[str, Answered]
"""By study."""
Decide = Callable[[StudyRecord], Mapping[str, Answer]]
_FILE = TypeAdapter(Answers)


def read_answers(path: Path) -> Answers:
    """The answers in a JSON file, by study. Raises SpecificationError."""
    return evidence.read(path, _FILE)


def write_answers(answers: Answers, path: Path) -> None:
    """Write the answers to `path` as JSON."""
    evidence.write(answers, path, _FILE)


def decided(folder: Path, results: Path, decide: Mapping[str, Decide]) -> Answers:
    """What the recorded studies of the paper in `folder` decide; studies without a record are left out.

    Raises RecordError for a damaged record.
    """
    plan = load_plan(folder)
    records = results / SCALE / folder.name / "records"
    answers: Answers = {}
    for name in plan.planned_studies(SCALE):
        record = find_study(plan.study(SCALE, name), records) if name in decide else None
        if record is not None:
            statements = dict(decide[name](record))
            answers[name] = Answered(
                record=record.meta["hash"], contents=contents(record.meta), statements=statements
            )
    return answers


def outdated(folder: Path, results: Path, answers: Answers) -> dict[str, str]:
    """Why answers are not trusted any more, by study. Raises RecordError for a damaged record."""
    if not answers:
        return {}
    plan = load_plan(folder)
    told: dict[str, str] = {}
    for name, answered in answers.items():
        planned = plan.study(SCALE, name) if name in plan.planned_studies(SCALE) else None
        if planned is None or planned.hash != answered.record:
            asked = "none" if planned is None else planned.hash
            told[name] = f"stale: from record {answered.record}, the plan asks for {asked}"
            continue
        record = results / SCALE / folder.name / "records" / planned.path
        if not (record / HEADER).is_file():
            told[name] = f"stale: record {answered.record} is not there any more"
        elif contents(read_header(record, "study")) != answered.contents:
            told[name] = f"stale: record {answered.record} has other contents now"
    return told


def command_line(
    decide: Mapping[str, Decide], description: str, argv: Sequence[str] | None = None
) -> int:
    """Decide every statement of a paper's recorded studies and write them to --output."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--paper", type=Path, required=True, help="the paper's folder")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where records lie")
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args(argv)
    write_answers(decided(options.paper, options.results, decide), options.output)
    return 0
