"""Witnesses: numbers that decide a theorem, an identity, or a property of a released artefact.

A paper's `witnesses.py` computes them in a step of its own and leaves a JSON file; the audit only reads that file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from algorithms.specification import Strict
from analysis.audit import evidence
from analysis.claims import Words


class Witness(Strict):
    """What was computed about one statement, and what it decides.

    `said` gives the argument in a sentence or two, `numbers` the values that decide it, `reading` names the
    interpretation under which the statement holds (outcome "holds under a reading").
    """

    outcome: Literal["holds", "holds under a reading", "fails", "undecided", "skipped"]
    said: Words
    numbers: dict[str, float | str] = Field(default_factory=dict)
    reading: Words | None = None


Witnesses = dict[str, Witness]
_FILE = TypeAdapter(Witnesses)


def read_witnesses(path: Path) -> Witnesses:
    """The witnesses in a JSON file, by name. Raises SpecificationError."""
    return evidence.read(path, _FILE)


def write_witnesses(witnesses: Witnesses, path: Path) -> None:
    """Write the witnesses to `path` as JSON."""
    evidence.write(witnesses, path, _FILE)


def command_line(
    witnesses: Mapping[str, Callable[[], Witness]],
    description: str,
    argv: Sequence[str] | None = None,
) -> int:
    """Compute every witness of a paper and write them to --output."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    options = parser.parse_args(argv)
    write_witnesses({name: compute() for name, compute in witnesses.items()}, options.output)
    return 0
