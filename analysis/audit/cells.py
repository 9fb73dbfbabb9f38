"""Our own runs as the audit sees them: the members' scores of a cell at one scale, by what their experiment says they are scored by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from algorithms.cell import HyperparameterValue, Plan, Shard, load_plan
from analysis.audit.checks.replication import Sample

if TYPE_CHECKING:
    import pandas as pd

SCALE = "paper"
"""The only scale that answers a claim: the published protocol."""
SHOWN = "reduced"
"""A scale that is recorded too; what its runs say is shown and never counts."""


@dataclass(frozen=True)
class Runs:
    """The members of a cell: what tells their settings apart [S], their seeds [n], and scores [S, n], NaN where one has none.

    `cell` is "environment / method", for messages; `missing` counts members whose shard has no record, and `diverged` [S, n]
    tells the members that have none because they diverged.
    """

    cell: str
    experiment: str
    settings: tuple[Mapping[str, HyperparameterValue], ...]
    seeds: tuple[int, ...]
    scores: NDArray[np.float64]
    diverged: NDArray[np.bool_]
    missing: int = 0

    def at(self, setting: Mapping[str, float]) -> Runs:
        """The members at the points of a grid that have the values of `setting`; all of them if it is empty."""
        rows = [
            index
            for index, own in enumerate(self.settings)
            if all(own.get(name) == value for name, value in setting.items())
        ]
        return replace(
            self,
            settings=tuple(self.settings[index] for index in rows),
            scores=self.scores[rows],
            diverged=self.diverged[rows],
        )

    def losing(self, score: float) -> Runs:
        """The same members, of which those that diverged have `score`."""
        return replace(self, scores=np.where(self.diverged, score, self.scores))

    @property
    def complete(self) -> NDArray[np.float64] | str:
        """The scores [n] of a cell with one setting, or why they answer nothing: more settings, or members without a score."""
        if len(self.settings) > 1:
            return f"{self.cell}: {self.experiment} has {len(self.settings)} settings of it; a claim is about one"
        ended = int((~np.isnan(self.scores)).sum())
        if ended < self.scores.size or ended < 2:
            return f"{self.cell}: {ended} of {self.scores.size} members ended with a score"
        only: NDArray[np.float64] = self.scores[0]
        return only

    @property
    def sample(self) -> Sample | str:
        """The summary of `complete`."""
        scores = self.complete
        return scores if isinstance(scores, str) else Sample.of(scores)


Cells = Callable[[str, str, str], Runs | str]
"""Our own runs by experiment, environment and method, or why there are none."""


def unrecorded(experiment: str, environment: str, method: str) -> str:
    """For claims of a paper without experiments of ours."""
    return f"{environment} / {method}: no experiment of ours answers it"


def recorded(folder: Path, results: Path, scale: str = SCALE) -> Cells:
    """The recorded cells of the paper in `folder` at `scale`, read when first asked for. Raises RecordError for damage."""
    if not (folder / "experiments.yaml").is_file():
        return unrecorded
    plan = load_plan(folder)
    records = results / scale / folder.name / "records"

    @cache
    def planned(experiment: str) -> list[Shard]:
        return plan.shards(scale, experiment)

    @cache
    def cells(experiment: str, environment: str, method: str) -> Runs | str:
        cell = f"{environment} / {method}"
        if scale not in plan.scales or experiment not in plan.planned(scale):
            return f"{cell}: {experiment} is not planned at scale {scale}"
        shards = [
            shard
            for shard in planned(experiment)
            if (shard.cell.environment, shard.cell.method) == (environment, method)
        ]
        there = [(records / shard.name / "record.json").exists() for shard in shards]
        if not any(there):
            return f"{cell}: not recorded at scale {scale}"
        missing = sum(len(s.members) for s, found in zip(shards, there, strict=True) if not found)
        table = _scores(plan, experiment, shards, records, results / "scratch")
        return _runs(cell, experiment, shards, table, missing)

    return cells


def _scores(
    plan: Plan, experiment: str, shards: list[Shard], records: Path, scratch: Path
) -> list[pd.DataFrame]:
    """The scores tables of the shards, with the score that their experiment names."""
    # Here: it loads pandas, which an audit without records does without.
    from analysis.load import find_record, member_scores, scored_by

    score = plan.experiments[experiment].score
    return [
        scored_by(member_scores(shard, find_record(shard, records), scratch), score)
        for shard in shards
    ]


def _runs(
    cell: str, experiment: str, shards: list[Shard], tables: list[pd.DataFrame], missing: int
) -> Runs:
    """The members of all shards by setting and seed, both in the order of the plan."""
    found: dict[tuple[tuple[str, HyperparameterValue], ...], dict[int, tuple[float, bool]]] = {}
    for shard, table in zip(shards, tables, strict=True):
        ends = zip(table["score"], table["status"] == "diverged", strict=True)
        for member, end in zip(shard.members, ends, strict=True):
            setting = tuple(shard.settings_of(member).items())
            found.setdefault(setting, {})[member.seed] = end
    seeds = tuple(dict.fromkeys(seed for members in found.values() for seed in members))
    scores, diverged = (
        np.array(
            [[own.get(seed, (np.nan, False))[part] for seed in seeds] for own in found.values()]
        )
        for part in range(2)
    )
    return Runs(cell, experiment, tuple(map(dict, found)), seeds, scores, diverged, missing)
