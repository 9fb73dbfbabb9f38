"""A small paper and real records of it, filled with chosen returns instead of trained ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algorithms.cell import Plan, Shard, load_plan
from algorithms.records import write_record

EXPERIMENTS = """\
scales:
  smoke:
    note: a test
    seeds: [0, 10, 42]
    members_per_shard: 3
    segments: 2
    evaluation_episodes: 2
    curve_rows: 4
experiments:
  first:
    title: Two environments
    baseline: ppo
    methods: [ppo, prefpoe, linear_fusion]
    steps:
      smoke: {ProbeTarget-v0: 4096, ProbeSign-v0: 8192}
  second:
    title: Shares a cell with the first
    baseline: ppo
    methods: [ppo, ppo_matched]
    steps:
      smoke: {ProbeTarget-v0: 4096}
"""
SWEPT = (
    EXPERIMENTS.partition("experiments:")[0]
    + """\
experiments:
  swept:
    title: Two factors' levels, each with a grid; shards of four and two members
    baseline: ppo
    methods: [ppo, prefpoe]
    factors: {mean: [linear, tanh]}
    grid: {clip: [0.1, 0.2]}
    steps:
      smoke: {ProbeTarget-v0: 4096}
    amendments:
      smoke: {members_per_shard: 4, weights: false}
"""
)
PROVENANCE = {
    "training_seconds": 2.0,
    "wall_seconds": 36.0,
    "steps_per_second": 6144.0,
    "threads": 2,
}
UNDIAGNOSED = pd.DataFrame({"member": [], "seed": [], "step": []})
Episodes = Sequence[float] | None
Write = Callable[..., Path]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A paper's folder."""
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    return folder


@pytest.fixture
def plan(paper: Path) -> Plan:
    return load_plan(paper)


@pytest.fixture
def swept_paper(tmp_path: Path) -> Path:
    """The folder of a paper whose only experiment has a factor and a grid."""
    folder = tmp_path / "swept"
    folder.mkdir()
    (folder / "experiments.yaml").write_text(SWEPT, encoding="utf-8")
    return folder


@pytest.fixture
def swept(swept_paper: Path) -> Plan:
    return load_plan(swept_paper)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def records(results: Path) -> Path:
    return results / "smoke" / "toy" / "records"


@pytest.fixture
def scratch(results: Path) -> Path:
    return results / "scratch"


@pytest.fixture
def write(records: Path) -> Write:
    """A function that writes the record of a shard: for each member its returns, None if it diverged.

    Diagnostics are those given, else there are none.
    """

    def record(
        shard: Shard, members: Sequence[Episodes], diagnostics: pd.DataFrame = UNDIAGNOSED
    ) -> Path:
        ends, evaluation, curve = [], [], []
        for index, (member, returns) in enumerate(zip(shard.members, members, strict=True)):
            who = {"member": np.int32(index), "seed": member.seed}
            lost = None if returns is not None else 2048
            ends.append(
                {
                    **member.model_dump(mode="json"),
                    "status": "done" if lost is None else "diverged",
                    "diverged_at": lost,
                    "episodes": 2,
                    "episodes_cut": 0,
                }
            )
            for episode, value in enumerate(returns or ()):
                evaluation.append({**who, "episode": episode, "return": value, "length": 5})
            step = shard.cell.steps // 4
            curve.append({**who, "step": step, "return_mean": 1.5, "length_mean": 5.0})
        columns = ["member", "seed", "episode", "return", "length"]
        tables = {
            "curve.parquet": pd.DataFrame(curve).assign(episodes=np.int32(7)),
            "evaluation.parquet": pd.DataFrame(evaluation, columns=columns),
            "diagnostics.parquet": diagnostics,
        }
        weights = {"theta": np.zeros(1, np.float32)} if shard.cell.protocol.weights else None
        write_record(records / shard.name, shard, ends, tables, weights, PROVENANCE)
        return records / shard.name

    return record


@pytest.fixture
def find(plan: Plan) -> Callable[..., Shard]:
    """A function that finds the shard of a cell."""

    def shard(method: str, environment: str = "ProbeTarget-v0", experiment: str = "first") -> Shard:
        (found,) = (
            shard
            for shard in plan.shards("smoke", experiment)
            if (shard.cell.method, shard.cell.environment) == (method, environment)
        )
        return found

    return shard
