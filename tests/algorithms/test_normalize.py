"""Running normalisation against gymnasium's wrappers around real environments, in CleanRL's order."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import (
    NormalizeObservation,
    NormalizeReward,
    TransformObservation,
    TransformReward,
)
from gymnasium.wrappers.utils import RunningMeanStd
from numpy.typing import NDArray

from algorithms.normalize import Normalizer, RunningMoments

Floats = NDArray[np.float64]
GAMMAS = np.array([0.99, 0.9])


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps what the environment below the normalising wrappers returned last."""

    observation: Floats
    reward: float

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.observation, info = self.env.reset(**options)
        return self.observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        self.observation, reward, terminated, truncated, info = self.env.step(action)
        self.reward = float(reward)
        return self.observation, reward, terminated, truncated, info


class Wrapped:
    """One environment as CleanRL wraps it; observations are float64 below the wrappers."""

    def __init__(self, name: str, horizon: int, gamma: float, seed: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.recorder = Recorder(gymnasium.make(name, max_episode_steps=horizon))
        self.seen = NormalizeObservation(self.recorder)
        # gymnasium 1.x starts these statistics in float32; 0.28, on which CleanRL runs, in float64.
        moments: Any = RunningMeanStd
        self.seen.obs_rms = moments(shape=self.recorder.observation_space.shape, dtype=np.float64)
        clipped = TransformObservation(
            self.seen, lambda observation: np.clip(observation, -10, 10), None
        )
        self.paid = NormalizeReward(clipped, gamma=gamma)
        self.env = TransformReward(self.paid, lambda reward: np.clip(float(reward), -10, 10))
        self.first, _ = self.env.reset(seed=seed)


def compare_statistics(normalizer: Normalizer, references: list[Wrapped]) -> None:
    for row, reference in enumerate(references):
        seen, paid = reference.seen.obs_rms, reference.paid.return_rms
        for ours, theirs in (
            (normalizer.observations.mean[row], seen.mean),
            (normalizer.observations.variance[row], seen.var),
            (normalizer.observations.count[row, 0], seen.count),
            (normalizer.returns.mean[row], paid.mean),
            (normalizer.returns.variance[row], paid.var),
            (normalizer.returns.count[row], paid.count),
            (normalizer.discounted[row], reference.paid.discounted_reward[0]),
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "horizon"), [("Ant-v4", 25), ("InvertedPendulum-v4", 12)])
def test_same_numbers_as_gymnasiums_wrappers(name: str, horizon: int) -> None:
    """Two copies with a γ each, over terminations, truncations and resets, for 200 steps.

    The wrapper returns float32 observations: there the outputs agree to that precision.
    """
    references = [Wrapped(name, horizon, gamma, seed) for seed, gamma in enumerate(GAMMAS)]
    raw = np.stack([reference.recorder.observation for reference in references])
    normalizer = Normalizer.create(GAMMAS, raw.shape[1], True, True)
    seen = normalizer.observe(raw)
    np.testing.assert_allclose(seen, [r.first for r in references], rtol=1e-6, atol=1e-7)
    rng, terminations, truncations = np.random.default_rng(0), 0, 0
    for _ in range(200):
        results = [
            reference.env.step(rng.uniform(-1, 1, reference.env.action_space.shape))
            for reference in references
        ]
        raw = np.stack([reference.recorder.observation for reference in references])
        pay = np.array([reference.recorder.reward for reference in references])
        terminated, truncated = (np.array([r[k] for r in results]) for k in (2, 3))
        ours = normalizer.reward(pay, terminated)
        np.testing.assert_allclose(ours, [float(r[1]) for r in results], rtol=1e-10)
        seen = normalizer.observe(raw)
        np.testing.assert_allclose(seen, [r[0] for r in results], rtol=1e-6, atol=1e-7)
        for row in np.flatnonzero(terminated | truncated):
            fresh, _ = references[row].env.reset()
            mine = normalizer.observe(
                references[row].recorder.observation[None], np.array([row], dtype=np.intp)
            )
            np.testing.assert_allclose(mine[0], fresh, rtol=1e-6, atol=1e-7)
        compare_statistics(normalizer, references)
        terminations += int(terminated.sum())
        truncations += int((truncated & ~terminated).sum())
    assert terminations >= 2
    assert truncations >= 2


def test_observations_and_rewards_are_clipped_to_10() -> None:
    """After samples of 0 the variance is at most 1e-4: 5 and a sudden million lie far outside."""
    normalizer = Normalizer.create(np.array([0.9]), 1, True, True)
    normalizer.observe(np.array([[0.0]]))
    assert normalizer.apply(np.array([[5.0]])).tolist() == [[10.0]]
    assert normalizer.apply(np.array([[-5.0]])).tolist() == [[-10.0]]
    no_end = np.array([False])
    for _ in range(500):
        assert normalizer.reward(np.array([0.0]), no_end).tolist() == [0.0]
    assert normalizer.reward(np.array([1e6]), no_end).tolist() == [10.0]
    assert normalizer.reward(np.array([-1e9]), no_end).tolist() == [-10.0]


def test_moments_approach_those_of_the_sample() -> None:
    """The initial count of 1e-4 weighs 1e-7 against 1,000 samples."""
    samples = np.random.default_rng(1).normal(3, 2, (1000, 2, 4))
    moments = RunningMoments.zeros((2, 4))
    for sample in samples:
        moments.update(sample)
    np.testing.assert_allclose(moments.mean, samples.mean(0), rtol=1e-5)
    np.testing.assert_allclose(moments.variance, samples.var(0), rtol=1e-5)


def test_first_update_by_hand() -> None:
    """Count 1e-4 and one sample 2: mean 2/1.0001; variance (1e-4 · 1 + 4 · 1e-4/1.0001) / 1.0001."""
    moments = RunningMoments.zeros((1,))
    moments.update(np.array([2.0]))
    assert moments.mean[0] == pytest.approx(2 / 1.0001, rel=1e-14)
    assert moments.variance[0] == pytest.approx((1e-4 + 4e-4 / 1.0001) / 1.0001, rel=1e-12)
    assert moments.count[0] == pytest.approx(1.0001, rel=1e-14)


def test_apply_does_not_learn_and_takes_the_rows_asked_for() -> None:
    normalizer = Normalizer.create(GAMMAS, 1, True, True)
    for low, high in ((0.0, 100.0), (2.0, 104.0)):
        normalizer.observe(np.array([[low], [high]]))
    before = {name: array.copy() for name, array in normalizer.state().items()}
    # Two samples about 1 with deviation 1, about 102 with deviation 2; the initial count shifts both by 1e-4.
    ours = normalizer.apply(np.array([[2.0], [104.0], [0.0]]), np.array([0, 1, 0]))
    np.testing.assert_allclose(ours, [[1], [1], [-1]], atol=0.15)
    assert abs(normalizer.apply(np.array([[102.0]]), np.array([1]))[0, 0]) < 0.01
    for name, array in normalizer.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_switched_off_it_leaves_numbers_alone() -> None:
    normalizer = Normalizer.create(GAMMAS, 1, False, False)
    observation, pay = np.array([[1e9], [-3.0]]), np.array([1e9, -3.0])
    np.testing.assert_array_equal(normalizer.observe(observation), observation)
    np.testing.assert_array_equal(normalizer.apply(observation), observation)
    np.testing.assert_array_equal(normalizer.reward(pay, np.array([True, False])), pay)


def drive(normalizer: Normalizer, rng: np.random.Generator, steps: int) -> list[Floats]:
    taken = []
    for _ in range(steps):
        taken.append(normalizer.observe(rng.normal(2, 3, (2, 3))))
        taken.append(normalizer.reward(rng.normal(1, 2, 2), rng.random(2) < 0.2))
    return taken


def test_state_and_restore_continue_to_the_same_bits() -> None:
    original = Normalizer.create(GAMMAS, 3, True, True)
    drive(original, np.random.default_rng(2), 50)
    restored = Normalizer.create(GAMMAS, 3, True, True)
    restored.restore(original.state())
    original.new_segment()
    expected = drive(original, np.random.default_rng(3), 50)
    for ours, theirs in zip(drive(restored, np.random.default_rng(3), 50), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_segment_forgets_the_running_reward_but_not_the_statistics() -> None:
    normalizer = Normalizer.create(np.array([0.5]), 1, True, True)
    no_end = np.array([False])
    for pay in (1.0, 1.0):
        normalizer.reward(np.array([pay]), no_end)
    assert normalizer.discounted[0] == 1.5
    count = normalizer.returns.count.copy()
    normalizer.new_segment()
    np.testing.assert_array_equal(normalizer.returns.count, count)
    normalizer.reward(np.array([4.0]), no_end)
    assert normalizer.discounted[0] == 4.0
    normalizer.reward(np.array([3.0]), np.array([True]))
    assert normalizer.discounted[0] == 3.0
