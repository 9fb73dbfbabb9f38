"""Rollouts: what a member collects depends on that member alone, and every number is where it belongs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from algorithms.cell import Member, Shard
from algorithms.methods import ppo, prefpoe
from algorithms.methods.ppo import Batch
from algorithms.rollout import Collector, minibatches
from algorithms.seeding import Purpose, stream
from algorithms.settings import PrefPoE
from algorithms.train import Resources, prepare
from tests.algorithms.small_runs import small_shard


def collect(shard: Shard, tmp_path: Path, iterations: int = 3) -> tuple[list[Batch], Collector]:
    state, population = prepare(shard, tmp_path, Resources(mode="eager"))
    collector = Collector(shard, 0, state.normalizer, state.episodes, threads=1)
    batches = [collector.collect(population, state.learners, i) for i in range(iterations)]
    return batches, collector


@pytest.mark.parametrize(
    ("method", "environment", "overrides"),
    [
        ("ppo", "ProbeTarget-v0", {}),
        ("ppo", "ProbeSign-v0", {"environments": 4}),
        ("ppo", "CartPole-v1", {"environments": 2}),
        ("prefpoe", "ProbeTarget-v0", {"advantage_noise": 2.0, "fusion_schedule": "falling"}),
        ("ppo", "ProbeSign-v0", {"advantage_noise": 0.5, "advantage_normalization": "batch"}),
    ],
)
def test_a_member_collects_what_it_would_alone(
    method: str, environment: str, overrides: dict[str, Any], tmp_path: Path
) -> None:
    together, _ = collect(small_shard(method, environment, (4, 7, 9), **overrides), tmp_path)
    for index, seed in enumerate((4, 7, 9)):
        alone, _ = collect(small_shard(method, environment, (seed,), **overrides), tmp_path)
        for mine, own in zip(together, alone, strict=True):
            assert torch.equal(mine.action[index], own.action[0])
            torch.testing.assert_close(mine.observation[index], own.observation[0])
            torch.testing.assert_close(
                mine.advantage[index], own.advantage[0], rtol=1e-4, atol=1e-5
            )


def test_episodes_are_booked_with_member_step_return_and_length(tmp_path: Path) -> None:
    shard = small_shard("ppo", "ProbeTarget-v0", (0, 1), environments=2)
    batches, collector = collect(shard, tmp_path, iterations=1)
    episodes = collector.running.episodes
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


# Advantages as the losses see them


def test_a_whole_batch_is_normalised_over_its_rollout(tmp_path: Path) -> None:
    plain, _ = collect(small_shard(), tmp_path)
    whole, _ = collect(small_shard(advantage_normalization="batch"), tmp_path)
    for raw, normal in zip(plain, whole, strict=True):
        advantage = normal.advantage.double().numpy()
        np.testing.assert_allclose(advantage.mean(axis=1), 0, atol=1e-6)
        np.testing.assert_allclose(advantage.std(axis=1, ddof=1), 1, rtol=1e-5)
        before = raw.advantage.double().numpy()
        assert abs(before.std(axis=1, ddof=1) - 1).min() > 0.1
        for row, own in zip(before, advantage, strict=True):
            np.testing.assert_allclose(own, (row - row.mean()) / row.std(ddof=1), atol=1e-5)
        for name in ("target", "value", "log_prob", "action", "observation"):
            assert torch.equal(getattr(normal, name), getattr(raw, name)), name


LEVELS = (0.0, 2.0, 0.5)


def swept(levels: tuple[float, ...] = LEVELS, seeds: tuple[int, ...] = (4, 7, 9)) -> Shard:
    """Members whose advantages get noise of those levels."""
    members = tuple(
        Member(seed=seed, setting={"advantage_noise": level})
        for seed, level in zip(seeds, levels, strict=True)
    )
    return replace(small_shard(seeds=seeds), members=members)


def noise_of(batch: Batch, seed: int, iteration: int) -> torch.Tensor:
    generator = stream(seed, Purpose.ADVANTAGE_NOISE, iteration)
    drawn = generator.standard_normal(batch.advantage.shape[1], dtype=np.float32)
    return torch.from_numpy(drawn)


def test_noise_is_so_many_standard_deviations_of_the_rollouts_advantages(tmp_path: Path) -> None:
    plain, _ = collect(small_shard(seeds=(4, 7, 9)), tmp_path)
    noisy, _ = collect(swept(), tmp_path)
    for iteration, (raw, corrupted) in enumerate(zip(plain, noisy, strict=True)):
        for index, (seed, level) in enumerate(zip((4, 7, 9), LEVELS, strict=True)):
            before = raw.advantage[index]
            spread = float(np.std(before.double().numpy(), ddof=1))
            expected = before + level * spread * noise_of(raw, seed, iteration)
            torch.testing.assert_close(corrupted.advantage[index], expected, rtol=1e-5, atol=1e-6)
            assert torch.equal(corrupted.advantage[index], before) == (level == 0)
        for name in ("target", "value", "log_prob", "action", "observation"):
            assert torch.equal(getattr(corrupted, name), getattr(raw, name)), name


def test_noise_has_the_standard_deviation_asked_for(tmp_path: Path) -> None:
    """3 × 512 draws of level 2: the ratio of deviations is 2 ± 2/√3072, five of which fail once in 1.7 million."""
    settings: dict[str, Any] = {"steps": 1536, "rollout_steps": 512}
    plain, _ = collect(small_shard(seeds=(4,), **settings), tmp_path)
    noisy, _ = collect(small_shard(seeds=(4,), advantage_noise=2.0, **settings), tmp_path)
    added = [
        (corrupted.advantage - raw.advantage) / raw.advantage.std()
        for raw, corrupted in zip(plain, noisy, strict=True)
    ]
    assert float(torch.cat(added).std()) == pytest.approx(2, abs=5 * 2 / 3072**0.5)
    assert not torch.allclose(added[0], added[1], atol=0.1)


def test_noise_of_level_0_is_none_at_all(tmp_path: Path) -> None:
    plain, _ = collect(small_shard(), tmp_path)
    swept_alone, _ = collect(swept((0.0, 0.0), (0, 1)), tmp_path)
    for raw, other in zip(plain, swept_alone, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(raw, other, strict=True))


def test_noise_comes_before_the_normalisation_of_a_batch(tmp_path: Path) -> None:
    noisy, _ = collect(small_shard(seeds=(4,), advantage_noise=2.0), tmp_path)
    both = small_shard(seeds=(4,), advantage_noise=2.0, advantage_normalization="batch")
    for corrupted, normal in zip(noisy, collect(both, tmp_path)[0], strict=True):
        expected = ppo.normalized(corrupted.advantage[0])
        torch.testing.assert_close(normal.advantage[0], expected, rtol=1e-5, atol=1e-6)


def test_rollouts_are_sampled_with_the_iterations_fusion_weight(tmp_path: Path) -> None:
    """λ = 4 rising over ten iterations: 0, 0.4 and 0.8 in the first three."""
    shard = small_shard("prefpoe", seeds=(4,), fusion_schedule="rising", fusion_weight=4.0)
    batches, _ = collect(shard, tmp_path)
    _, population = prepare(shard, tmp_path, Resources(mode="eager"))
    parameters = population.layout.unflatten(population.learners().theta[0])
    assert isinstance(shard.cell.settings, PrefPoE)
    for iteration, batch in enumerate(batches):
        noise = stream(4, Purpose.ACTION_NOISE, iteration).standard_normal((64, 1), np.float32)
        matching = []
        for weight in (0.0, 0.4, 0.8):
            hyper = {"fusion_weight": torch.tensor(weight)}
            policy = prefpoe.act(parameters, batch.observation[0], hyper, shard.cell.settings)
            action = policy.sample(torch.from_numpy(noise))
            log_prob = policy.log_prob(batch.action[0])
            same = torch.allclose(action, batch.action[0], rtol=1e-5, atol=1e-5)
            assert same == torch.allclose(log_prob, batch.log_prob[0], rtol=1e-5, atol=1e-5)
            matching.append(same)
        assert matching == [iteration == 0, iteration == 1, iteration == 2]


def test_every_epoch_sees_every_transition_once() -> None:
    shard = small_shard(seeds=(0, 1))
    rows = minibatches(shard, 3)
    assert rows.shape == (4 * 2, 2, 32)
    for member in range(2):
        for epoch in rows[:, member].reshape(4, 64):
            assert sorted(epoch.tolist()) == list(range(64))
    assert not torch.equal(rows[:, 0], rows[:, 1])
    assert not torch.equal(rows, minibatches(shard, 4))
