"""Runs small enough for tests: probe environments with a cheap PPO configuration."""

from __future__ import annotations

from typing import Any

import pytest

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.settings import METHODS
from envs.registry import ENVIRONMENTS

CHEAP: dict[str, Any] = {
    "environments": 1,
    "rollout_steps": 64,
    "minibatches": 2,
    "epochs": 4,
    "hidden": (16, 16),
    "normalize_observations": False,
    "normalize_rewards": False,
}
PROBES = ("ProbeTarget-v0", "ProbeSign-v0")
ARMS = [
    pytest.param(method, probe, id=f"{method}-{probe}")
    for method, entry in METHODS.items()
    for probe in PROBES
    if ENVIRONMENTS[probe].action_kind in entry.action_kinds
]


def small_shard(
    method: str = "ppo",
    environment: str = "ProbeTarget-v0",
    seeds: tuple[int, ...] = (0, 1),
    steps: int = 640,
    segments: int = 5,
    weights: bool = True,
    **overrides: Any,
) -> Shard:
    """A shard that trains in about a second."""
    protocol = Protocol(segments, evaluation_episodes=20, curve_rows=10, weights=weights)
    cell = make_cell(method, environment, {**CHEAP, **overrides}, steps, protocol)
    return Shard(cell, tuple(Member(seed=seed) for seed in seeds))
