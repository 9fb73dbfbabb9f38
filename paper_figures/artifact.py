"""What every artifact module needs: its command line, the files it reads, and how its values are written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa

from algorithms.cell import Plan, require_scale
from algorithms.records import StudyRecord, atomic_path, find_study
from algorithms.specification import SpecificationError
from algorithms.study import Settings, check_settings
from analysis.claims import Claim, load_claims, reported
from analysis.paper import Paper, load_paper
from analysis.statistics import write_parquet


@dataclass(frozen=True)
class Request:
    """One artifact at one scale: whose it is, where experiments and records lie, and the stem of its files."""

    name: str
    folder: Path
    scale: str
    experiments: Path
    records: Path
    output: Path
    paper: Paper
    plan: Plan

    @property
    def title(self) -> str:
        """The artifact's title in paper.yaml."""
        return self.paper.artifacts[self.name].title

    @property
    def experiment(self) -> str:
        """The chief experiment that the artifact shows. Raises SpecificationError where it shows none."""
        shown = self.paper.artifacts[self.name].experiments
        if not shown:
            raise SpecificationError(
                f"{self.folder / 'paper.yaml'}: artifacts.{self.name}.experiments: names none; "
                f"{self.name} reads records, allowed: {', '.join(self.plan.experiments)}"
            )
        return shown[0]

    @property
    def seeds(self) -> int:
        """Members planned for each cell of the chief experiment."""
        return len(self.plan.scale_of(self.scale, self.experiment).seeds)

    @property
    def steps(self) -> dict[str, int]:
        """Environments that the scale includes, with their steps a member."""
        return dict(self.plan.experiments[self.experiment].steps[self.scale])

    @property
    def scale_words(self) -> str:
        """The scale with its note; every scale but `paper` says that it is no replication."""
        note = self.plan.scales[self.scale].note
        said = self.scale == "paper" or "not a replication" in note
        return f"Scale {self.scale} ({note}{'' if said else '; not a replication'})"

    def reported(self, place: str) -> pd.DataFrame:
        """What the paper prints at `place` (see analysis.claims.reported)."""
        return reported(load_claims(self.folder), place)

    @cached_property
    def claims(self) -> dict[str, Claim]:
        """What the paper claims, by id."""
        return {claim.id: claim for claim in load_claims(self.folder)}

    def study_settings(self, name: str, model: type[Settings]) -> Settings:
        """What a study is told at this scale, as the `model` in its paper's studies.py reads it."""
        settings = self.plan.studies[name].settings[self.scale]
        return check_settings(settings, model, self.folder, self.scale, name)

    def read_study(self, name: str) -> StudyRecord | None:
        """The record of a study; None where there is none yet. Raises RecordError for a damaged one."""
        return find_study(self.plan.study(self.scale, name), self.records)

    def read(self, table: str, experiment: str | None = None) -> pd.DataFrame:
        """A table of an experiment, the chief one's where none is named. Raises SpecificationError.

        `scores`, `curves`, `diagnostics`, `statistics` or `contrasts`.
        """
        path = self.experiments / (experiment or self.experiment) / f"{table}.parquet"
        try:
            return pd.read_parquet(path)
        except (OSError, pa.ArrowException) as error:
            raise SpecificationError(
                f"{path}: cannot be read; analysis.statistics writes it: {error}"
            ) from error


def draw(name: str, render: Callable[[Request], None], argv: Sequence[str] | None) -> int:
    """Run `render` on what the command line asks for; 2 where that cannot be."""
    try:
        render(_request(name, argv))
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def write_values(values: pd.DataFrame, stem: Path) -> None:
    """Write `stem`.parquet."""
    write_parquet(values, stem.with_suffix(".parquet"))


def write_csv(rows: pd.DataFrame, stem: Path) -> None:
    """Write `stem`.csv: full precision, empty where a value is not defined."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(stem.with_suffix(".csv")) as path:
        rows.to_csv(path, index=False, lineterminator="\n")


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _request(name: str, argv: Sequence[str] | None) -> Request:
    parser = argparse.ArgumentParser(
        description=f"Draw {name} from the statistics of its experiment."
    )
    parser.add_argument("--paper", type=Path, required=True, help="the paper's folder")
    parser.add_argument("--scale", required=True)
    parser.add_argument(
        "--experiments", type=Path, required=True, help="folder with one folder an experiment"
    )
    parser.add_argument(
        "--records",
        type=Path,
        help="folder of the records of studies; default: beside --experiments",
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="path of the files to write, without ending"
    )
    options = parser.parse_args(argv)
    paper, plan = load_paper(options.paper)
    require_scale(plan, options.scale, options.paper)
    records = options.records or options.experiments.parent / "records"
    places = (options.experiments, records, options.output)
    request = Request(name, options.paper, options.scale, *places, paper, plan)
    for experiment in paper.artifacts[name].experiments:
        if options.scale not in plan.experiments[experiment].steps:
            raise SpecificationError(
                f"{options.paper / 'experiments.yaml'}: experiments.{experiment}.steps: scale "
                f"{options.scale!r} leaves it out; {name} cannot be drawn"
            )
    for study in paper.artifacts[name].studies:
        if options.scale not in plan.studies[study].settings:
            raise SpecificationError(
                f"{options.paper / 'experiments.yaml'}: studies.{study}.settings: scale "
                f"{options.scale!r} leaves it out; {name} cannot be drawn"
            )
    return request
