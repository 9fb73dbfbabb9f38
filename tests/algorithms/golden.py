"""The first updates of every method, kept as numbers: behaviour that changes must raise a `version`.

After raising one in `algorithms/settings.py`, store the new numbers: python -m tests.algorithms.golden
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from algorithms.evaluate import evaluate
from algorithms.settings import METHODS, Replayed
from algorithms.train import Resources, begin_segment, prepare
from tests.algorithms.small_runs import ARMS, small_shard

PATH = Path(__file__).with_name("golden.json")
Run = tuple[str, str, dict[str, Any]]
# Every method on what it serves, and every setting that no method has by itself.
RUNS: list[Run] = [(str(arm.values[0]), str(arm.values[1]), {}) for arm in ARMS] + [
    ("prefpoe", "ProbeTarget-v0", overrides)
    for overrides in (
        {"detach_fused": True, "consistency_coefficient": 1.0},
        {"detach_encoder": True, "preference_coefficient": 1.0},
        {"advantage_normalization": "batch"},
        {"advantage_noise": 1.0},
        {"fusion_schedule": "rising"},
        {"fusion_schedule": "falling"},
    )
]


def named(run: Run) -> str:
    """The key of a run in the stored numbers."""
    method, environment, overrides = run
    settings = "".join(f" {name}={value}" for name, value in overrides.items())
    return f"{method}@{environment}{settings}"


def mini_run(method: str, environment: str, overrides: dict[str, Any]) -> dict[str, float]:
    """Two iterations of two members: each diagnostic's mean, what the parameters are and did, and the returns."""
    torch.set_num_threads(1)
    replayed = isinstance(METHODS[method].settings, Replayed)
    settings: dict[str, Any] = overrides if replayed else {"rollout_steps": 128, **overrides}
    shard = small_shard(method, environment, (0, 1), steps=256, **settings)
    state, population = prepare(shard, Path("no-scratch"), Resources(mode="eager"))
    loop = begin_segment(population, state, 0, threads=1)
    numbers: dict[str, float] = {}
    for iteration in range(2):
        means = loop.iterate(iteration)
        numbers |= {f"{name}_{iteration}": float(mean.mean()) for name, mean in means.items()}
    theta = state.learners.theta.double()
    moved = theta - population.learners().theta.double()
    numbers = {name: value for name, value in numbers.items() if math.isfinite(value)}
    numbers["parameters"] = float(theta.abs().sum())
    numbers["moved"] = float(moved.abs().sum())
    numbers["returns"] = sum(state.episodes.episode_return)
    played = evaluate(shard, population, state.learners, state.normalizer)
    numbers["evaluated"] = float(played["return"].sum())
    return numbers


def main() -> None:
    """Store the numbers of every method as it is now."""
    stored = {
        named(run): {"version": METHODS[run[0]].version, "numbers": mini_run(*run)} for run in RUNS
    }
    PATH.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
