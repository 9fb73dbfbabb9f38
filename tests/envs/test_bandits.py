"""Bandits with many peaks: each is its seed's, pays what the sum of densities says, and never ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

from algorithms.seeding import Purpose, world_seeds
from envs.native import bandits
from envs.pool import Pool
from envs.registry import ENVIRONMENTS

BANDIT = ENVIRONMENTS["MultimodalBandit"]


def written_out(seed: int, action: np.ndarray) -> np.ndarray:
    drawn = bandits.draw(seed)
    total = sum(norm.pdf(action, m, s) for m, s in zip(drawn.mean, drawn.std, strict=True))
    return np.asarray(drawn.scale * total)


@pytest.mark.parametrize("seed", [0, 7, 99])
def test_reward_is_the_sum_of_thirty_densities_with_largest_value_one(seed: int) -> None:
    drawn = bandits.draw(seed)
    assert len(drawn.mean) == len(drawn.std) == 30
    grid = np.linspace(-3, 3, 4001)
    paid = bandits.reward(
        torch.from_numpy(drawn.mean),
        torch.from_numpy(drawn.std),
        torch.tensor(drawn.scale, dtype=torch.float64),
        torch.from_numpy(grid),
    )
    np.testing.assert_allclose(paid.numpy(), written_out(seed, grid), rtol=1e-12)
    assert paid.max() == pytest.approx(1.0, abs=1e-4)


def test_means_and_deviations_fill_their_ranges() -> None:
    drawn = [bandits.draw(seed) for seed in range(100)]
    means, stds = np.concatenate([d.mean for d in drawn]), np.concatenate([d.std for d in drawn])
    assert -3 <= means.min() < -2.99 < 2.99 < means.max() <= 3
    assert 0.1 <= stds.min() < 0.102 < 0.998 < stds.max() <= 1
    # 3,000 draws: the mean of U[−3, 3] has standard error 0.032, that of U[0.1, 1] 0.0047; five of them.
    assert abs(means.mean()) < 0.16
    assert abs(stds.mean() - 0.55) < 0.024


def test_a_pool_pays_each_copy_by_its_own_bandit_and_only_truncates() -> None:
    pool = Pool(BANDIT, [3, 5, 3])
    assert pool.reset().tolist() == [[1.0]] * 3
    rng = np.random.default_rng(0)
    for pull in range(1, 2 * BANDIT.horizon + 1):
        action = rng.uniform(-3.5, 3.5, (3, 1))
        step = pool.step(action)
        inside = action[:, 0].clip(-3, 3)
        expected = [float(written_out(s, a)) for s, a in zip((3, 5, 3), inside, strict=True)]
        np.testing.assert_allclose(step.reward, expected, rtol=1e-12)
        assert not step.terminated.any()
        assert step.truncated.all() == (pull % BANDIT.horizon == 0)
        assert step.next_observation().tolist() == [[1.0]] * 3


def test_a_member_meets_its_bandit_whatever_the_segment_and_purpose() -> None:
    for purpose, index in ((Purpose.TRAINING_ENVIRONMENT, 3), (Purpose.EVALUATION_ENVIRONMENT, 0)):
        assert world_seeds(BANDIT, 42, purpose, index, 2) == [42, 42]
    other = world_seeds(ENVIRONMENTS["Pendulum"], 42, Purpose.TRAINING_ENVIRONMENT, 3, 2)
    assert len({*other, 42}) == 3


def test_the_random_anchor_is_the_exact_mean_over_the_bandits() -> None:
    uniform = [
        bandits.draw(seed).scale
        * sum(
            norm.cdf(3, m, s) - norm.cdf(-3, m, s)
            for m, s in zip(bandits.draw(seed).mean, bandits.draw(seed).std, strict=True)
        )
        / 6
        for seed in range(100)
    ]
    assert BANDIT.anchors.random == pytest.approx(50 * np.mean(uniform), abs=0.01)
