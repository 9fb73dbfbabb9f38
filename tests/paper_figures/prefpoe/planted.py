"""Records of PrefPoE's experiments at scale paper with chosen scores, through the project's own writers and readers."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis.statistics
from algorithms.cell import Member, Shard, load_plan
from algorithms.records import write_record

PAPER = Path(__file__).parents[3] / "paper_figures" / "prefpoe"
SCALE = "paper"
SEEDS = (0, 10, 42, 77, 123)
MISSING, FAILED, DIVERGED = "missing", "failed", "diverged"
"""What may become of a member instead of a score. A shard is missing or failed as a whole."""
Setting = Mapping[str, Any]
Outcome = float | str
Score = Callable[[str, Setting, int], Outcome]
State = Callable[[str, Setting, int], Mapping[str, float]]


def write_experiments(
    folder: Path, names: Sequence[str], score: Score, state: State | None = None
) -> Path:
    """Experiments `names` below `folder`, as analysis.statistics writes them from records of their shards.

    `score` gives a member's score by method, setting and seed, or what became of it; `state` its diagnostics in
    the last bin, in the one before they are zero.
    """
    plan = load_plan(PAPER)
    for shard in {s.hash: s for name in names for s in plan.shards(SCALE, name)}.values():
        outcomes = [score(shard.cell.method, shard.settings_of(m), m.seed) for m in shard.members]
        if set(outcomes) == {FAILED}:
            failure = folder / "scratch" / shard.hash / "failure.json"
            failure.parent.mkdir(parents=True)
            failure.write_text("{}", encoding="utf-8")
        elif set(outcomes) != {MISSING}:
            write(folder / "records", shard, outcomes, state)
    shared = ["--paper", str(PAPER), "--scale", SCALE]
    places = ["--records", str(folder / "records"), "--scratch", str(folder / "scratch")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis.statistics, "BOOTSTRAP_RESAMPLES", 10)
        for name in names:
            output = ["--output", str(folder / "experiments" / name)]
            options = [*shared, "--experiment", name, *places, *output]
            assert analysis.statistics.main(options) == 0
    return folder / "experiments"


def write(records: Path, shard: Shard, outcomes: Sequence[Outcome], state: State | None) -> None:
    """The record of a shard with two evaluation episodes a member, whose mean is its score."""
    steps, ends, evaluation, curve, diagnosed = shard.cell.steps, [], [], [], []
    for index, (member, outcome) in enumerate(zip(shard.members, outcomes, strict=True)):
        who = {"member": np.int32(index), "seed": member.seed}
        ends.append(_end(member, outcome, steps))
        told = state(shard.cell.method, shard.settings_of(member), member.seed) if state else {}
        for fraction, known in ((0.9, dict.fromkeys(told, 0.0)), (1.0, told)):
            diagnosed.append({**who, "step": round(fraction * steps), **known})
        if outcome == DIVERGED:
            continue
        for episode, distance in enumerate((-1.0, 1.0)):
            returned = {"return": float(outcome) + distance, "length": 1000}
            evaluation.append({**who, "episode": episode, **returned})
        curve.append({**who, "step": steps, "return_mean": float(outcome), "length_mean": 1e3})
    columns = ["member", "seed", "episode", "return", "length"]
    curves = ["member", "seed", "step", "return_mean", "length_mean"]
    tables = {
        "curve.parquet": pd.DataFrame(curve, columns=curves).assign(episodes=np.int32(2)),
        "evaluation.parquet": pd.DataFrame(evaluation, columns=columns),
        "diagnostics.parquet": pd.DataFrame(diagnosed),
    }
    weights = {"theta": np.zeros(1, np.float32)} if shard.cell.protocol.weights else None
    provenance = {"training_seconds": 1.0, "wall_seconds": 1.0, "steps_per_second": 1.0}
    write_record(records / shard.name, shard, ends, tables, weights, provenance)


def _end(member: Member, outcome: Outcome, steps: int) -> dict[str, Any]:
    lost = outcome == DIVERGED
    return {
        **member.model_dump(mode="json"),
        "status": "diverged" if lost else "done",
        "diverged_at": steps // 2 if lost else None,
        "episodes": 2,
        "episodes_cut": 0,
    }


def draw(name: str, experiments: Path, folder: Path | None = None) -> Path:
    """Draw artifact `name` from an experiments folder; returns the stem of its files."""
    stem = (folder or experiments.parent) / f"{name.partition('_')[0]}s" / name
    options = ["--paper", PAPER, "--scale", SCALE, "--experiments", experiments, "--output", stem]
    module = importlib.import_module(f"paper_figures.prefpoe.{name}")
    assert module.main([str(option) for option in options]) == 0
    return stem


def noise(seed: int, *about: Any) -> float:
    """A reproducible standard normal number for a member."""
    words = [ord(letter) for letter in "|".join(map(str, about))]
    return float(np.random.default_rng([seed, *words]).standard_normal())


def nothing(method: str, setting: Setting, seed: int) -> Outcome:
    """No member is trained yet."""
    return MISSING
