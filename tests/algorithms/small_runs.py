"""Runs small enough for tests: probe environments with cheap configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.settings import METHODS, Replayed
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
CHEAP_REPLAYED: dict[str, Any] = {
    "hidden": (16, 16),
    "batch_size": 16,
    "initial_steps": 120,
    "update_after": 170,
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
    evaluation_every: int | None = None,
    snapshots: int = 0,
    **overrides: Any,
) -> Shard:
    """A shard that trains in about a second."""
    protocol = Protocol(segments, 20, 10, weights, evaluation_every, snapshots)
    replayed = isinstance(METHODS[method].settings, Replayed)
    cheap = CHEAP_REPLAYED if replayed else CHEAP
    cell = make_cell(method, environment, {**cheap, **overrides}, steps, protocol)
    return Shard(cell, tuple(Member(seed=seed) for seed in seeds))


def values(record: Path) -> dict[str, bytes]:
    """Everything in a record but its provenance."""
    meta = json.loads((record / "record.json").read_text())
    del meta["provenance"], meta["checksum"]
    files = {path.name: path.read_bytes() for path in record.iterdir() if path.suffix != ".json"}
    return {**files, "meta": json.dumps(meta, sort_keys=True).encode()}
