"""What a shard is said to take is what its replay takes, and what a machine has is shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import torch
import yte

from algorithms.batches import cut
from algorithms.cell import Member, load_plan
from algorithms.memory import BASE, needed, replay_shape
from algorithms.population import OffPolicy
from tests.algorithms.small_runs import small_shard

ROOT = Path(__file__).parents[2]


def test_eight_humanoids_take_the_arithmetic() -> None:
    """8 · 10⁶ · (2 · 376 + 17 + 2) numbers of 4 bytes are 24.672 GB; 640 Pendulums of 10⁵ steps with 9 numbers 2.304 GB."""
    plan = load_plan(ROOT / "paper_figures" / "mixture")
    (humanoid, *_) = (
        shard for shard in plan.shards("paper", "mujoco") if shard.cell.environment == "Humanoid-v4"
    )
    assert needed(humanoid) - BASE == 8 * 1_000_000 * 771 * 4 == 24_672_000_000
    (pendulum, *_) = plan.shards("paper", "classic_sweep")
    assert needed(pendulum) - BASE == 640 * 100_000 * 9 * 4 == 2_304_000_000


def test_batches_differ_by_at_most_one_member_and_keep_their_order() -> None:
    plan = load_plan(ROOT / "paper_figures" / "mixture")
    (shard, *_) = plan.shards("paper", "mujoco")
    parts = [cut(replace(shard, members=shard.members[:7]), count) for count in (1, 2, 3, 7)]
    assert [[len(one.members) for one in part] for part in parts] == [
        [7],
        [4, 3],
        [3, 2, 2],
        [1] * 7,
    ]
    assert all(sum((one.members for one in part), ()) == shard.members[:7] for part in parts)


def test_it_is_what_the_replay_takes() -> None:
    shard = replace(
        small_shard("rep_squashed", "Pendulum", hidden=(4,), buffer_size=50),
        members=tuple(Member(seed=seed) for seed in range(3)),
    )
    replay = OffPolicy(shard, torch.device("cpu"), compiled=False).replay()
    assert replay.data.shape == replay_shape(shard)
    assert needed(shard) - BASE == replay.data.nbytes


def test_on_policy_methods_take_no_replay() -> None:
    assert needed(small_shard("ppo", "ProbeTarget-v0")) == BASE


def test_the_profile_limits_jobs_to_four_fifths_of_the_machine() -> None:
    text = (ROOT / "profiles" / "default" / "config.yaml").read_text(encoding="utf-8")
    (limit,) = yte.process_yaml(text, require_use_yte=True)["resources"]
    name, value = limit.split("=")
    assert name == "mem_mb"
    assert 0.799e-6 < int(value) / psutil.virtual_memory().total <= 0.8e-6
