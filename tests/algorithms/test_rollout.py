"""Rollouts: what a member collects depends on that member alone, and every number is where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from algorithms.cell import Shard
from algorithms.methods.ppo import Batch
from algorithms.rollout import Collector, minibatches
from algorithms.train import Resources, prepare
from tests.algorithms.small_runs import small_shard


def collect(shard: Shard, tmp_path: Path, iterations: int = 3) -> tuple[list[Batch], Collector]:
    state, population = prepare(shard, tmp_path, Resources(mode="eager"))
    collector = Collector(shard, 0, state.normalizer, state.episodes, threads=1)
    batches = [collector.collect(population, state.learners, i) for i in range(iterations)]
    return batches, collector


@pytest.mark.parametrize(
    ("environment", "copies"), [("ProbeTarget-v0", 1), ("ProbeSign-v0", 4), ("CartPole-v1", 2)]
)
def test_a_member_collects_what_it_would_alone(
    environment: str, copies: int, tmp_path: Path
) -> None:
    together, _ = collect(small_shard("ppo", environment, (4, 7, 9), environments=copies), tmp_path)
    for index, seed in enumerate((4, 7, 9)):
        alone, _ = collect(small_shard("ppo", environment, (seed,), environments=copies), tmp_path)
        for mine, own in zip(together, alone, strict=True):
            assert torch.equal(mine.action[index], own.action[0])
            torch.testing.assert_close(mine.observation[index], own.observation[0])
            torch.testing.assert_close(
                mine.advantage[index], own.advantage[0], rtol=1e-4, atol=1e-5
            )


def test_episodes_are_booked_with_member_step_return_and_length(tmp_path: Path) -> None:
    shard = small_shard("ppo", "ProbeTarget-v0", (0, 1), environments=2)
    batches, collector = collect(shard, tmp_path, iterations=1)
    episodes = collector.episodes
    assert set(episodes.length) == {5}
    assert episodes.step == sorted(episodes.step)
    assert episodes.step[:4] == [10, 10, 10, 10]
    assert episodes.member[:4] == [0, 0, 1, 1]
    assert collector.cut_episodes().tolist() == [2, 2]
    # 64 steps hold 12 whole episodes of 5 in each of two copies; the reward is -(a - s/2)^2, a clipped.
    batch = batches[0]
    sign = batch.observation[0, :, 0].view(64, 2)
    action = batch.action[0, :, 0].view(64, 2).clamp(-1, 1)
    reward = -((action - sign / 2) ** 2)
    expected = reward[:60, 0].view(12, 5).sum(dim=1)
    booked = [
        value
        for value, member in zip(episodes.episode_return, episodes.member, strict=True)
        if member == 0
    ][0::2]
    np.testing.assert_allclose(booked, expected.numpy(), rtol=1e-5)


def test_advantages_stop_at_the_end_of_an_episode(tmp_path: Path) -> None:
    batches, _ = collect(small_shard("ppo", "ProbeTarget-v0", (0,)), tmp_path, iterations=1)
    batch = batches[0]
    sign, action = batch.observation[0, :, 0], batch.action[0, :, 0].clamp(-1, 1)
    reward = -((action - sign / 2) ** 2)
    # At the last step of an episode nothing follows: A = r − V.
    torch.testing.assert_close(batch.advantage[0, 4], reward[4] - batch.value[0, 4])
    following = reward[3] + 0.99 * batch.value[0, 4] - batch.value[0, 3]
    expected = following + 0.99 * 0.95 * batch.advantage[0, 4]
    torch.testing.assert_close(batch.advantage[0, 3], expected)
    torch.testing.assert_close(batch.target, batch.advantage + batch.value)


@pytest.mark.parametrize("bootstrap", [False, True])
def test_truncation_bootstraps_only_where_the_settings_say_so(
    bootstrap: bool, tmp_path: Path
) -> None:
    shard = small_shard(
        "ppo",
        "HalfCheetah-v4",
        (0,),
        steps=1024,
        rollout_steps=1024,
        bootstrap_truncation=bootstrap,
    )
    state, population = prepare(shard, tmp_path, Resources(mode="eager"))
    collector = Collector(shard, 0, state.normalizer, state.episodes, threads=1)
    rewards: list[float] = []
    finals: list[np.ndarray] = []
    step = collector.pool.step

    def watched(action: np.ndarray) -> object:
        result = step(action)
        rewards.append(float(result.reward[0]))
        finals.append(result.successor[0].copy())
        return result

    collector.pool.step = watched  # type: ignore[method-assign, assignment]
    batch = collector.collect(population, state.learners, 0)
    assert state.episodes.length == [1000]
    final = torch.tensor(finals[999], dtype=torch.float32).view(1, 1, -1)
    beyond = 0.99 * population.values(state.learners, final)[0, 0] if bootstrap else 0.0
    expected = rewards[999] + beyond - batch.value[0, 999]
    torch.testing.assert_close(batch.advantage[0, 999], expected, rtol=1e-4, atol=1e-5)


def test_every_epoch_sees_every_transition_once() -> None:
    shard = small_shard(seeds=(0, 1))
    rows = minibatches(shard, 3)
    assert rows.shape == (4 * 2, 2, 32)
    for member in range(2):
        for epoch in rows[:, member].reshape(4, 64):
            assert sorted(epoch.tolist()) == list(range(64))
    assert not torch.equal(rows[:, 0], rows[:, 1])
    assert not torch.equal(rows, minibatches(shard, 4))
