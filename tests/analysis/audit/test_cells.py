"""Our runs as the audit sees them: one setting a sample, every planned member in its place, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from algorithms.cell import load_plan
from analysis.audit.cells import Runs, recorded
from analysis.audit.checks.replication import Sample
from analysis.audit.replicated import sample_of
from analysis.claims import Claim

EXPERIMENTS = """\
scales:
  paper: {note: a test, seeds: [3, 1], members_per_shard: 2, segments: 1, evaluation_episodes: 1, curve_rows: 4,
    weights: false}
experiments:
  plain:
    title: One setting
    baseline: ppo
    methods: [ppo]
    steps: {paper: {ProbeTarget-v0: 2048}}
  swept:
    title: Two cells of one method, and a grid
    baseline: ppo
    methods: [ppo]
    factors: {mean: [linear, tanh]}
    grid: {clip: [0.1, 0.2]}
    steps: {paper: {ProbeTarget-v0: 2048}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "toy"
    place.mkdir()
    (place / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    return place


@pytest.fixture
def records(results: Path) -> Path:
    return results / "paper" / "toy" / "records"


def cell(experiment: str, **more: str) -> Claim:
    return Claim.model_validate(
        {"id": "a", "kind": "mean", "place": "Table 1", "quote": "1", "value": "1", "experiment": experiment,
         "environment": "ProbeTarget-v0", "method": "ppo", **more}
    )  # fmt: skip


def test_settings_are_never_pooled_and_nothing_is_dropped(
    folder: Path, results: Path, write: Callable[..., Path]
) -> None:
    assert sample_of(cell("plain"), recorded(folder, results)) == (
        "ProbeTarget-v0 / ppo: not recorded at scale paper"
    )
    first, *others = load_plan(folder).shards("paper", "swept")
    write(first, [(1.0,), None])
    runs = recorded(folder, results)("swept", "ProbeTarget-v0", "ppo")
    assert isinstance(runs, Runs)
    assert runs.settings == tuple(
        {"mean": mean, "clip": clip} for mean in ("linear", "tanh") for clip in (0.1, 0.2)
    )
    assert (runs.seeds, runs.missing) == ((3, 1), 2 * len(others))
    np.testing.assert_equal(runs.scores, [[1.0, np.nan], *([[np.nan] * 2] * 3)])
    told = sample_of(cell("swept"), recorded(folder, results))
    assert told == "ProbeTarget-v0 / ppo: swept has 4 settings of it; a claim is about one"


def test_a_sample_needs_every_member(
    folder: Path, results: Path, write: Callable[..., Path]
) -> None:
    (shard,) = load_plan(folder).shards("paper", "plain")
    path = write(shard, [(1.0,), None])
    told = sample_of(cell("plain"), recorded(folder, results))
    assert told == "ProbeTarget-v0 / ppo: 1 of 2 members ended with a score"
    (path / "record.json").unlink()
    write(shard, [(1.0,), (3.0,)])
    assert sample_of(cell("plain"), recorded(folder, results)) == Sample(2.0, 2**0.5, 2)
    early = sample_of(cell("plain", phase="early"), recorded(folder, results))
    assert early == "ProbeTarget-v0 / ppo: phases of training are not compared"


def test_a_scale_that_is_not_planned_says_so(folder: Path, results: Path) -> None:
    told = recorded(folder, results, "reduced")("plain", "ProbeTarget-v0", "ppo")
    assert told == "ProbeTarget-v0 / ppo: plain is not planned at scale reduced"
