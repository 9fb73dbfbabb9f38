"""Batched classic control against gymnasium and by hand; starts, ends, seeds; the same worlds played through gymnasium.

Statistical tests use fixed seeds; each states the probability of failing although nothing is wrong.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray
from scipy import stats

from benchmarks.random_scores import random_returns
from benchmarks.reference_scores import beam_return, energy, switching_return
from envs.native import DYNAMICS, batch, playable
from envs.native.batch import Batch
from envs.native.classic_control import Acrobot, wrap
from envs.native.functions import FUNCTIONS
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Continuous

Floats = NDArray[np.float64]
NAMES = [name for name in DYNAMICS if name not in FUNCTIONS]
BOUND = {"Pendulum": 200.0, "ShapedPendulum": 0.0, "GreedyACPendulum": 1000.0}


def columns(rows: Any) -> torch.Tensor:
    """Rows [N, K] as our dynamics take them, [K, N]."""
    return torch.tensor(np.array(rows, dtype=np.float64)).T.contiguous()


def stepped(name: str, states: Any, actions: Any) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Successors [N, S], rewards [N], terminated [N] of `states` [N, S] under `actions` [N]."""
    one = columns(np.reshape(actions, (-1, 1)))
    successor, reward, terminated = DYNAMICS[name].step(columns(states), one)
    return successor.T.numpy(), reward.numpy(), terminated.numpy()


# Parity with gymnasium, step by step from thousands of states; a third of the actions lies outside the bounds


def reference_steps(
    environment: Any, states: Floats, actions: Floats, act: Callable[[Any, float], Any]
) -> tuple[Floats, Floats, NDArray[np.bool_], Floats]:
    """What gymnasium's unwrapped environment makes of the same states and actions; observations last."""
    rows = []
    for state, action in zip(states, actions, strict=True):
        environment.state = state.copy()
        seen, reward, terminated, _, _ = environment.step(act(environment, float(action)))
        rows.append((np.array(environment.state, dtype=np.float64), reward, terminated, seen))
    successor, reward, terminated, seen = (np.array(column) for column in zip(*rows, strict=True))
    return successor, reward, terminated, seen


def plain(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        environment = gymnasium.make(name).unwrapped
    environment.reset(seed=0)
    return environment


def test_shaped_pendulum_follows_gymnasium() -> None:
    rng = np.random.default_rng(0)
    states = rng.uniform((-30, -8), (30, 8), (4000, 2))
    actions = rng.uniform(-3, 3, 4000)
    ours = stepped("ShapedPendulum", states, actions)
    successor, reward, terminated, seen = reference_steps(
        plain("Pendulum-v1"), states, actions, lambda _, u: np.array([u])
    )
    np.testing.assert_allclose(ours[0], successor, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours[1], reward, rtol=0, atol=1e-12)
    assert not ours[2].any()
    assert not terminated.any()
    observed = DYNAMICS["ShapedPendulum"].observe(columns(ours[0])).T
    np.testing.assert_allclose(observed, seen, rtol=0, atol=1e-6)  # gymnasium's are float32
    assert (abs(ours[0][:, 1]) == 8).sum() > 100


def test_pendulum_moves_as_shaped_pendulum() -> None:
    rng = np.random.default_rng(1)
    states, actions = rng.uniform((-30, -8), (30, 8), (1000, 2)), rng.uniform(-3, 3, 1000)
    ours, shaped = (stepped(name, states, actions) for name in ("Pendulum", "ShapedPendulum"))
    np.testing.assert_array_equal(ours[0], shaped[0])


@pytest.mark.parametrize("name", ["Acrobot", "ShapedAcrobot"])
def test_acrobot_follows_gymnasium(name: str) -> None:
    """gymnasium's discrete torques are replaced by one that we choose; "book" is its default."""

    def act(environment: Any, torque: float) -> int:
        environment.AVAIL_TORQUE = [float(np.clip(torque, -1, 1))]
        return 0

    rng, reference = np.random.default_rng(2), plain("Acrobot-v1")
    assert reference.book_or_nips == "book"
    fastest = np.array([math.pi, math.pi, 4 * math.pi, 9 * math.pi])
    states = rng.uniform(-1, 1, (4000, 4)) * fastest * rng.uniform(0, 1, (4000, 1))
    actions = rng.uniform(-1.5, 1.5, 4000)
    ours = stepped(name, states, actions)
    successor, reward, terminated, _ = reference_steps(reference, states, actions, act)
    np.testing.assert_allclose(ours[0], successor, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(ours[2], terminated)
    assert 200 < terminated.sum() < 3800
    if name == "Acrobot":
        np.testing.assert_array_equal(ours[1], reward)
        assert set(ours[1]) == {-1.0, 0.0}
    else:
        height = -np.cos(successor[:, 0]) - np.cos(successor[:, 0] + successor[:, 1])
        np.testing.assert_allclose(ours[1], height - 1, rtol=0, atol=1e-11)
        assert (ours[1][terminated] > 0).all()
    assert (abs(ours[0][:, 2]) == fastest[2]).any()
    assert (abs(ours[0][:, 3]) == fastest[3]).any()


@pytest.mark.parametrize("name", ["MountainCar", "ShapedMountainCar", "WeakMountainCar"])
def test_mountain_car_follows_gymnasiums_discrete_one(name: str) -> None:
    """MountainCar-v0 computes force · (choice − 1) in float64: given our force and goal, and choices 1 + u."""
    reference, goes_far = plain("MountainCar-v0"), name != "WeakMountainCar"
    assert (reference.force, reference.goal_position) == (0.001, 0.5)
    if goes_far:
        reference.force, reference.goal_position = 0.0015, 0.45
    reference.action_space = gymnasium.spaces.Box(0.0, 2.0, (), np.float64)
    rng = np.random.default_rng(3)
    states, actions = (
        rng.uniform((-1.2, -0.07), (0.6, 0.07), (4000, 2)),
        rng.uniform(-1.5, 1.5, 4000),
    )
    ours = stepped(name, states, actions)
    successor, reward, terminated, _ = reference_steps(
        reference, states, actions, lambda _, u: np.asarray(np.clip(u, -1, 1) + 1)
    )
    np.testing.assert_allclose(ours[0], successor, rtol=0, atol=1e-15)
    # gymnasium asks for ẋ ≥ 0 at the goal too; the car gets there only so, but random states lie beyond it.
    arrived = states[:, 0] < reference.goal_position
    np.testing.assert_array_equal(ours[2][arrived], terminated[arrived])
    assert terminated[arrived].sum() > 20
    expected = successor[:, 0] - 0.6 if name == "ShapedMountainCar" else reward
    np.testing.assert_allclose(ours[1], expected, rtol=0, atol=1e-15)
    assert ((ours[0] == (-1.2, 0.0)).all(axis=1)).sum() > 20


def test_mountain_car_follows_gymnasiums_continuous_one() -> None:
    """It rounds its state to float32 after every step."""
    rng = np.random.default_rng(4)
    states = rng.uniform((-1.2, -0.07), (0.45, 0.07), (4000, 2))
    actions = rng.uniform(-1.5, 1.5, 4000)
    ours = stepped("MountainCar", states, actions)
    successor, _, terminated, _ = reference_steps(
        plain("MountainCarContinuous-v0"), states, actions, lambda _, u: np.array([u])
    )
    np.testing.assert_allclose(ours[0], successor, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(ours[2], terminated)
    assert terminated.sum() > 20


# What gymnasium lacks, by hand


def test_pendulum_pays_inside_the_zone_before_the_step() -> None:
    """0.25 itself is outside; from 0.24 rad at 8 rad/s the step leads to 0.65 and is paid, back from 0.26 it is not."""
    angles = [0.0, 0.2499999, -0.2499999, 0.25, -0.25, 0.2500001, math.pi, -math.pi]
    angles += [2 * math.pi + 0.1, 2 * math.pi - 0.2, -2 * math.pi + 0.24, 2 * math.pi + 0.26, 0.24]
    speeds = [0.0] * 12 + [8.0]
    successor, reward, terminated = stepped(
        "Pendulum", list(zip(angles, speeds, strict=True)), np.zeros(13)
    )
    assert reward.tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1]
    assert not terminated.any()
    assert successor[-1, 0] == pytest.approx(0.64)
    back = stepped("Pendulum", [(0.26, -8.0)], [0.0])
    assert abs(back[0][0, 0]) < 0.25
    assert back[1] == [0.0]


def test_greedy_ac_pendulum_by_hand() -> None:
    """From hanging, u = 2 gives ω' = 6 · 0.05 = 0.3 and θ' = θ + 0.3 · 0.05; upright at full speed 8 becomes 8.3, then 8."""
    states = [(-math.pi, 0.0), (-math.pi, 0.0), (-math.pi, 0.0), (-math.pi, 0.0), (0.0, 8.0)]
    successor, reward, terminated = stepped("GreedyACPendulum", states, [2.0, -2.0, 0.0, 5.0, 2.0])
    expected = [(0.015 - math.pi, 0.3), (math.pi - 0.015, -0.3), (-math.pi, 0.0)]
    expected += [(0.015 - math.pi, 0.3), (0.415, 8.0)]
    np.testing.assert_allclose(successor, expected, rtol=0, atol=1e-14)
    hanging = -math.cos(0.015)
    np.testing.assert_allclose(
        reward, [hanging, hanging, -1.0, hanging, math.cos(0.415)], rtol=0, atol=1e-14
    )
    assert not terminated.any()
    # A step across the top of the circle's cut: 3.1 + (7 + 0.05 · 15 sin 3.1) · 0.05 lies beyond π.
    speed = 7 + 0.75 * math.sin(3.1)
    across = stepped("GreedyACPendulum", [(3.1, 7.0)], [0.0])
    assert across[0][0] == pytest.approx((3.1 + 0.05 * speed - 2 * math.pi, speed))
    assert across[1] == pytest.approx(math.cos(3.1 + 0.05 * speed))


def test_mountain_car_ends_and_pays_by_hand() -> None:
    """At 0.44 with full speed the car passes 0.45 and, at 0.51, the farther goal too; at 0.40 only the nearer one."""
    for name, ends in (("MountainCar", [1, 1]), ("WeakMountainCar", [1, 0])):
        successor, reward, terminated = stepped(name, [(0.44, 0.07), (0.40, 0.07)], [1.0, 1.0])
        np.testing.assert_allclose(successor[:, 0], (0.51, 0.47), rtol=0, atol=1e-15)
        assert terminated.tolist() == ends
        assert reward.tolist() == [-1, -1]
    successor, reward, terminated = stepped(
        "ShapedMountainCar", [(0.40, 0.07), (-0.5, 0.0)], [1, 0]
    )
    assert terminated.tolist() == [True, False]
    speed = -0.0025 * math.cos(-1.5)
    np.testing.assert_allclose(reward, (-0.13, -0.5 + speed - 0.6), rtol=0, atol=1e-15)


def test_hanging_acrobot_stays_and_pays() -> None:
    rest = [(0.0, 0.0, 0.0, 0.0)]
    for name, paid in (("Acrobot", -1.0), ("ShapedAcrobot", -3.0)):
        successor, reward, terminated = stepped(name, rest, [0.0])
        assert successor.tolist() == [[0.0, 0.0, 0.0, 0.0]]
        assert (reward.tolist(), terminated.tolist()) == ([paid], [False])


def test_wrap_by_hand() -> None:
    angles = torch.tensor([0.1, math.pi, -math.pi, 4.0, -4.0, 9.0, 20.0], dtype=torch.float64)
    turns = np.array([0, 0, 0, -1, 1, -1, -3])
    wrapped = wrap(angles).numpy()
    np.testing.assert_allclose(wrapped, angles.numpy() + 2 * math.pi * turns, rtol=0, atol=1e-14)
    assert wrapped[:3].tolist() == angles[:3].tolist()


def test_energy_is_conserved_without_torque() -> None:
    """The energy that guides the beam search: within 5 s the integrator loses 0.012 of 1.9 above rest."""
    start = torch.tensor([[0.5], [-0.3], [0.0], [0.0]], dtype=torch.float64)
    state, still = start, torch.zeros((1, 1), dtype=torch.float64)
    for _ in range(25):
        state, _, _ = DYNAMICS["Acrobot"].step(state, still)
    assert abs(float((state - start).abs().max())) > 0.1
    assert float(energy(state)) == pytest.approx(float(energy(start)), abs=0.02)


# First states


def starts(name: str, copies: int = 2000) -> tuple[Floats, Floats]:
    """First observations of as many copies, and of their second episodes."""
    simulator = batch(name, range(copies))
    return simulator.reset(), simulator.reset()


@pytest.mark.parametrize("name", ["Pendulum", "ShapedPendulum"])
def test_pendulum_starts_anywhere(name: str) -> None:
    """Four Kolmogorov–Smirnov tests for each name, 1 in 10,000 each."""
    for seen in starts(name):
        angle = np.arctan2(seen[:, 1], seen[:, 0])
        np.testing.assert_allclose(np.hypot(seen[:, 0], seen[:, 1]), 1, rtol=1e-12)
        assert stats.kstest(angle, "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-4
        assert stats.kstest(seen[:, 2], "uniform", (-1, 2)).pvalue > 1e-4
        assert abs(stats.spearmanr(angle, seen[:, 2]).statistic) < 4 / math.sqrt(len(seen))


@pytest.mark.parametrize("name", ["MountainCar", "ShapedMountainCar", "WeakMountainCar"])
def test_mountain_car_starts_at_rest_in_the_valley(name: str) -> None:
    """Two Kolmogorov–Smirnov tests for each name, 1 in 10,000 each; two episodes of a copy do not begin alike."""
    first, second = starts(name)
    for seen in (first, second):
        assert stats.kstest(seen[:, 0], "uniform", (-0.6, 0.2)).pvalue > 1e-4
        assert not seen[:, 1].any()
    assert (first[:, 0] != second[:, 0]).all()


def test_fixed_starts() -> None:
    for seen in (*starts("Acrobot", 5), *starts("ShapedAcrobot", 5)):
        np.testing.assert_array_equal(seen, np.zeros((5, 4)))
    for seen in starts("GreedyACPendulum", 5):
        np.testing.assert_array_equal(seen, [(-math.pi, 0.0)] * 5)


# Ends, resets, seeds


def forward(seen: Floats) -> Floats:
    """Full force along the car's velocity, right at rest: it reaches the goal from everywhere."""
    push: Floats = np.where(seen[:, 1:2] >= 0, 1.0, -1.0)
    return push


@pytest.mark.parametrize("name", NAMES)
def test_an_idle_episode_is_truncated_at_the_horizon(name: str) -> None:
    environment = ENVIRONMENTS[name]
    pool, idle = Pool(environment, [1, 2]), np.zeros((2, 1))
    pool.reset()
    horizon = {"Pendulum": 200, "ShapedPendulum": 200}.get(name, 1000)
    for length in (horizon, 200):  # a second episode begins to count anew
        for now in range(1, length + 1):
            step = pool.step(idle)
            last = now == horizon
            assert step.ended.tolist() == ([0, 1] if last else [])
            assert not step.terminated.any()
            assert step.truncated.all() == step.truncated.any() == last


@pytest.mark.parametrize("name", ["MountainCar", "ShapedMountainCar", "WeakMountainCar"])
def test_a_goal_at_the_last_step_is_no_truncation(name: str) -> None:
    def play(horizon: int) -> tuple[int, bool, bool]:
        """Length and flags of the first episode of one copy that is driven forward."""
        simulator = Batch(DYNAMICS[name], horizon, [np.random.default_rng(5)])
        seen = simulator.reset()
        for now in range(1, 1001):
            seen, _, terminated, truncated = simulator.step(forward(seen), np.arange(1))
            if terminated[0] or truncated[0]:
                return now, bool(terminated[0]), bool(truncated[0])
        raise AssertionError("the car does not arrive")

    length = play(1000)[0]
    assert 50 < length < 200
    assert play(1000) == play(length) == (length, True, False)
    assert play(length - 1) == (length - 1, False, True)


def test_a_step_after_the_end_resets_just_that_copy() -> None:
    """Three copies, of which the middle one runs ahead to its horizon."""
    simulator, alone = (batch("Pendulum", seeds) for seeds in ((1, 2, 3), (2,)))
    simulator.reset()
    alone.reset()
    push, middle = np.ones((3, 1)), np.array([1], dtype=np.int32)
    for _ in range(200):
        *_, truncated = simulator.step(push[:1], middle)
    assert truncated.all()
    before = simulator.step(push[[0, 2]], np.array([0, 2]))[0]
    seen, reward, terminated, truncated = simulator.step(push[[1, 0, 2]], np.array([1, 0, 2]))
    np.testing.assert_array_equal(seen[0], alone.reset()[0])
    assert reward[0] == 0.0
    assert not terminated.any()
    assert not truncated.any()
    states = np.column_stack((np.arctan2(before[:, 1], before[:, 0]), before[:, 2]))
    successor = columns(stepped("Pendulum", states, [1.0, 1.0])[0])
    np.testing.assert_allclose(seen[1:], DYNAMICS["Pendulum"].observe(successor).T, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_plays_alone_as_in_a_batch(name: str) -> None:
    """Bitwise, over several episodes; every third step takes the batch in two halves, in another order.

    Cars are driven to the goal, with noise; the others act at random and are truncated after 100 steps.
    """
    copies, steps, dynamics = 37, 320, DYNAMICS[name]
    horizon = 1000 if "Car" in name else 100
    rng = np.random.default_rng(6)
    noise = rng.uniform(dynamics.action_low, dynamics.action_high, (steps, copies, 1))
    order = rng.permutation(copies)

    def play(who: NDArray[np.intp]) -> tuple[Floats, NDArray[np.bool_]]:
        """Observations and rewards [steps, len(who), O + 1] and ends [steps, len(who)] of these copies."""
        place = {int(copy): row for row, copy in enumerate(who)}
        halves = [
            np.array([place[int(c)] for c in part if int(c) in place])
            for part in (order[:20], order[20:])
        ]
        simulator = Batch(dynamics, horizon, [np.random.default_rng(10 * int(c)) for c in who])
        seen, rows, ends = simulator.reset(), [], []
        for now in range(steps):
            action = forward(seen) + noise[now, who] / 4 if "Car" in name else noise[now, who]
            row, end = np.empty((len(who), seen.shape[1] + 1)), np.empty(len(who), dtype=bool)
            for part in halves if now % 3 == 0 else [np.arange(len(who))]:
                if part.size:
                    seen[part], row[part, -1], *flags = simulator.step(action[part], part)
                    end[part] = flags[0] | flags[1]
            row[:, :-1] = seen
            rows.append(row)
            ends.append(end)
        return np.array(rows), np.array(ends)

    together, ends = play(np.arange(copies))
    assert (ends.sum(axis=0) >= 2).all()
    for copy in (0, 11, copies - 1):
        alone, its = play(np.array([copy]))
        np.testing.assert_array_equal(alone[:, 0], together[:, copy])
        np.testing.assert_array_equal(its[:, 0], ends[:, copy])


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_clipped(name: str) -> None:
    """By the dynamics too, not by the pool alone."""
    high = DYNAMICS[name].action_high
    for outside, bound in ((50.0, high), (-high - 1e-3, -high)):
        ours, theirs = batch(name, [3, 4]), batch(name, [3, 4])
        np.testing.assert_array_equal(ours.reset(), theirs.reset())
        moved = ours.step(np.full((2, 1), outside), np.arange(2))
        inside = theirs.step(np.full((2, 1), bound), np.arange(2))
        still = theirs.step(np.zeros((2, 1)), np.arange(2))
        for mine, other in zip(moved, inside, strict=True):
            np.testing.assert_array_equal(mine, other)
        assert not np.array_equal(moved[0], still[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copies", [1, 3])
def test_what_was_returned_does_not_change(name: str, copies: int) -> None:
    """Neither by later steps nor, with episodes of two steps, by resets."""
    generators = [np.random.default_rng(copy) for copy in range(copies)]
    simulator, everyone = Batch(DYNAMICS[name], 2, generators), np.arange(copies)
    kept = [simulator.reset()]
    before = [kept[0].copy()]
    for now in range(1, 5):
        index = everyone[:1] if now == 3 else everyone
        kept.append(simulator.step(np.ones((len(index), 1)), index)[0])
        before.append(kept[-1].copy())
    for held, copied in zip(kept, before, strict=True):
        np.testing.assert_array_equal(held, copied)
    assert not np.array_equal(kept[1], kept[2])


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_near_float64(name: str) -> None:
    """Computed in the precision asked for: not the same bits, yet near over ten steps."""
    single, double = batch(name, range(9), dtype=torch.float32), batch(name, range(9))
    single.reset()
    double.reset()
    action = np.random.default_rng(7).uniform(-1, 1, (10, 9, 1))
    for now in range(10):
        rough, exact = (each.step(action[now], np.arange(9)) for each in (single, double))
    assert rough[0].dtype == rough[1].dtype == np.float64
    np.testing.assert_allclose(rough[0], exact[0], rtol=0, atol=1e-4)
    assert not np.array_equal(rough[0], exact[0])
    np.testing.assert_array_equal(rough[0], rough[0].astype(np.float32))


# Through gymnasium


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_accepts_it(name: str) -> None:
    """Its only advice: torques within ±2, as its own Pendulum-v1 has them, are not normalised."""
    environment = gymnasium.make(f"{playable.__name__}:{playable.NAMESPACE}/{name}")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(environment.unwrapped)
    assert len(said) == (1 if "Pendulum" in name else 0)
    assert all("symmetric and normalized space" in str(warning.message) for warning in said)


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_plays_what_the_pool_plays(name: str) -> None:
    """Bitwise, over more than one episode; outside the bounds too."""
    environment = gymnasium.make(
        f"{playable.__name__}:{playable.NAMESPACE}/{name}", disable_env_checker=True
    )
    pool = Pool(ENVIRONMENTS[name], [12])
    rng = np.random.default_rng(8)
    seen, _ = environment.reset(seed=12)
    ours, ends = pool.reset(), 0
    for _ in range(1100):
        np.testing.assert_array_equal(seen, ours[0])
        assert environment.observation_space.contains(seen)
        action = forward(ours)[0] if "Car" in name else rng.uniform(-3, 3, 1)
        seen, reward, terminated, truncated, _ = environment.step(action)
        step = pool.step(action[None])
        np.testing.assert_array_equal(seen, step.successor[0])
        assert reward == step.reward[0]
        assert (terminated, truncated) == (step.terminated[0], step.truncated[0])
        ours = step.next_observation()
        if terminated or truncated:
            with pytest.raises(gymnasium.error.ResetNeeded):
                environment.step(action)
            seen, _ = environment.reset()
            ends += 1
    assert ends >= 1


# The registry


@pytest.mark.parametrize("name", NAMES)
def test_registry_agrees_with_the_dynamics(name: str) -> None:
    environment, dynamics = ENVIRONMENTS[name], DYNAMICS[name]
    assert environment.backend == "native"
    assert environment.action == Continuous(1, dynamics.action_low, dynamics.action_high)
    assert environment.observation_size == batch(name, [0]).reset().shape[1]
    assert environment.observation_size == len(dynamics.observation_low)
    assert environment.observation_size == len(dynamics.observation_high)


@pytest.mark.parametrize(
    "name", ["Pendulum", "ShapedPendulum", "GreedyACPendulum", "ShapedAcrobot"]
)
def test_random_anchors_are_what_the_uniform_policy_gets(name: str) -> None:
    """The anchor's own error is less than half of ours; 4.5 of ours: fewer than 1 in 10,000 fail by chance."""
    returns = random_returns(ENVIRONMENTS[name], episodes=150, copies=150, seed=1)
    error = returns.std(ddof=1) / math.sqrt(returns.size)
    assert error > 0
    assert abs(returns.mean() - ENVIRONMENTS[name].anchors.random) < 4.5 * error


@pytest.mark.parametrize("name", list(BOUND))
def test_pendulum_anchors_are_bounds(name: str) -> None:
    """No step from any state pays more than the bound's share, and one at the top pays it."""
    states = np.random.default_rng(9).uniform((-10, -8), (10, 8), (2000, 2))
    share = BOUND[name] / ENVIRONMENTS[name].horizon
    assert ENVIRONMENTS[name].anchors.reference == BOUND[name]
    assert stepped(name, states, np.zeros(2000))[1].max() <= share
    assert stepped(name, [(0.0, 0.0)], [0.0])[1] == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("name", ["MountainCar", "ShapedMountainCar", "WeakMountainCar"])
def test_mountain_car_anchors_are_found_by_search(name: str) -> None:
    """Five equally spaced starts instead of 200: near the same mean."""
    found = switching_return(DYNAMICS[name], starts=5)
    assert found == pytest.approx(ENVIRONMENTS[name].anchors.reference, abs=3)


def test_acrobot_anchors_are_found_by_search() -> None:
    """A narrower beam finds slightly less, never more."""
    for name in ("Acrobot", "ShapedAcrobot"):
        dynamics = DYNAMICS[name]
        assert isinstance(dynamics, Acrobot)
        found, reference = beam_return(dynamics, beam=2000), ENVIRONMENTS[name].anchors.reference
        assert reference * 1.15 < found <= reference
