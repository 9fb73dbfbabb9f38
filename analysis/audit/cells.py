"""Our own runs as the audit sees them: the members' scores of a cell, at scale `paper` and no other."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from algorithms.cell import load_plan
from analysis.audit.checks.replication import Sample
from analysis.audit.replicated import Cells
from analysis.claims import Claim

SCALE = "paper"
"""The only scale that answers a claim: the published protocol."""


def unrecorded(claim: Claim) -> Sample | str:
    """For claims that no experiment of ours answers."""
    return f"{claim.environment} / {claim.method}: no experiment of ours answers it"


def recorded(folder: Path, results: Path) -> Cells:
    """The recorded cells of the paper in `folder`, read when first asked for. Raises RecordError for damage."""
    if not (folder / "experiments.yaml").is_file():
        return unrecorded
    plan = load_plan(folder)
    records = results / SCALE / folder.name / "records"

    @cache
    def sample(experiment: str, environment: str, method: str) -> Sample | str:
        cell = f"{environment} / {method}"
        if SCALE not in plan.scales or experiment not in plan.planned(SCALE):
            return f"{cell}: {experiment} is not planned at scale {SCALE}"
        shards = [
            shard
            for shard in plan.shards(SCALE, experiment)
            if (shard.cell.environment, shard.cell.method) == (environment, method)
        ]
        settings = {
            tuple(shard.settings_of(member).items()) for shard in shards for member in shard.members
        }
        if len(settings) > 1:
            return f"{cell}: {experiment} has {len(settings)} settings of it; a claim is about one"
        planned = sum(len(shard.members) for shard in shards)
        if not all((records / shard.name / "record.json").exists() for shard in shards):
            return f"{cell}: not recorded at scale {SCALE}"
        # Here: it loads pandas and torch's records, which an audit without records does without.
        from analysis.load import find_record, member_scores

        scores = [
            score
            for shard in shards
            for score in member_scores(shard, find_record(shard, records), results / "scratch")[
                "score"
            ].dropna()
        ]
        if len(scores) < planned or planned < 2:
            return f"{cell}: {len(scores)} of {planned} members ended with a score"
        import numpy as np

        return Sample.of(np.array(scores))

    def cells(claim: Claim) -> Sample | str:
        if claim.phase is not None:
            return f"{claim.environment} / {claim.method}: phases of training are not compared"
        if claim.experiment is None or claim.environment is None or claim.method is None:
            return unrecorded(claim)
        return sample(claim.experiment, claim.environment, claim.method)

    return cells
