"""Tasks that EnvPool simulates beside dm_control, gymnasium and hand-worked steps, and rewards with a shift.

EnvPool draws first states with generators of its own. Where an observation tells the state, both are stepped side by side
from it; where not, observations are compared in distribution. Statistical tests use fixed seeds; each states the
probability of failing although nothing is wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Continuous

Floats = NDArray[np.float64]
DM_CONTROL = {
    "CartpoleBalanceSparse-v1": ("cartpole", "balance_sparse"),
    "CartpoleSwingupSparse-v1": ("cartpole", "swingup_sparse"),
    "CartpoleSwingup-v1": ("cartpole", "swingup"),
    "BallInCupCatch-v1": ("ball_in_cup", "catch"),
    "CheetahRun-v1": ("cheetah", "run"),
    "FingerSpin-v1": ("finger", "spin"),
    "FishSwim-v1": ("fish", "swim"),
    "HopperStand-v1": ("hopper", "stand"),
    "HumanoidStand-v1": ("humanoid", "stand"),
    "HumanoidWalk-v1": ("humanoid", "walk"),
    "HumanoidRun-v1": ("humanoid", "run"),
    "ReacherHard-v1": ("reacher", "hard"),
    "ReacherEasy-v1": ("reacher", "easy"),
    "WalkerRun-v1": ("walker", "run"),
    "WalkerWalk-v1": ("walker", "walk"),
    "AcrobotSwingup-v1": ("acrobot", "swingup"),
    "ManipulatorBringBall-v1": ("manipulator", "bring_ball"),
    "QuadrupedWalk-v1": ("quadruped", "walk"),
}


def flat(observation: dict[str, Any]) -> Floats:
    """dm_control's observation, in its own order."""
    return np.concatenate([np.ravel(part) for part in observation.values()])


def load(name: str, seed: int) -> Any:
    """dm_control's task; where it cannot be installed (see pyproject.toml) the test is skipped."""
    suite = pytest.importorskip("dm_control.suite")
    domain, task = DM_CONTROL[name]
    return suite.load(domain, task, task_kwargs={"random": seed})


def uniform(name: str, count: int, rng: np.random.Generator) -> Floats:
    space = ENVIRONMENTS[name].action
    assert isinstance(space, Continuous)
    return rng.uniform(space.low, space.high, (count, space.size))


# DeepMind Control Suite


@pytest.mark.parametrize("name", DM_CONTROL)
def test_the_registry_observes_what_dm_control_does_in_its_order(name: str) -> None:
    world, reference = ENVIRONMENTS[name], load(name, 0)
    seen = reference.observation_spec()
    assert list(seen) == list(world.observed)
    assert sum(int(np.prod(part.shape)) for part in seen.values()) == world.observation_size
    assert reference.action_spec().shape == (world.action.size,)
    assert reference._step_limit == world.horizon


def cartpole(seen: Floats) -> tuple[Floats, Floats]:
    return np.array([seen[0], np.arctan2(seen[2], seen[1])]), seen[3:]


def all_but_x(positions: int) -> Callable[[Floats], tuple[Floats, Floats]]:
    return lambda seen: (
        np.r_[0.0, seen[: positions - 1]],
        seen[positions - 1 : 2 * positions - 1],
    )


STATES = {
    "CartpoleBalanceSparse-v1": cartpole,
    "CartpoleSwingupSparse-v1": cartpole,
    "CartpoleSwingup-v1": cartpole,
    "BallInCupCatch-v1": lambda seen: (seen[:4], seen[4:]),
    "CheetahRun-v1": all_but_x(9),
    "HopperStand-v1": all_but_x(7),
}
"""Positions and velocities from an observation; where x does not matter it is 0."""


@pytest.mark.parametrize("name", STATES)
def test_dm_control_is_followed_side_by_side(name: str) -> None:
    """Twenty steps from each of three first states; contacts amplify rounding, and the solver's warm start is another."""
    rng = np.random.default_rng(0)
    for seed in (21, 22, 23):
        pool, reference = Pool(ENVIRONMENTS[name], [seed]), load(name, 0)
        positions, velocities = STATES[name](pool.reset()[0])
        reference.reset()
        with reference.physics.reset_context():
            reference.physics.data.qpos[:], reference.physics.data.qvel[:] = positions, velocities
        for _ in range(20):
            action = uniform(name, 1, rng)
            step, expected = pool.step(action), reference.step(action[0])
            np.testing.assert_allclose(step.successor[0], flat(expected.observation), atol=1e-5)
            assert step.reward[0] == pytest.approx(expected.reward, abs=1e-5)
            assert not step.ended.size


def test_quadruped_actions_are_mapped_onto_each_actuators_range() -> None:
    """Lifts reach from −1 to 1.1, extensions from −0.8 to 0.8; an action of ±1 is the end of each, 0 its middle."""
    bounds = load("QuadrupedWalk-v1", 0).action_spec()
    pool = Pool(ENVIRONMENTS["QuadrupedWalk-v1"], [0])
    mapped: Callable[[Floats], Floats] = pool._simulator._to_simulator  # type: ignore[attr-defined]
    np.testing.assert_allclose(mapped(-np.ones(12)), bounds.minimum)
    np.testing.assert_allclose(mapped(np.ones(12)), bounds.maximum)
    np.testing.assert_allclose(mapped(np.zeros(12))[:3], [0.0, 0.05, 0.0], atol=1e-15)


@pytest.mark.parametrize(
    "name",
    [
        "FingerSpin-v1",
        "FishSwim-v1",
        "HumanoidStand-v1",
        "HumanoidRun-v1",
        "ReacherHard-v1",
        "ReacherEasy-v1",
        "WalkerRun-v1",
        "WalkerWalk-v1",
        "AcrobotSwingup-v1",
        "ManipulatorBringBall-v1",
        "QuadrupedWalk-v1",
    ],
)
def test_dm_control_is_followed_in_distribution(name: str) -> None:
    """Each number observed, and the sum of rewards, after 10 uniform steps: Kolmogorov–Smirnov, 1 in 100,000 each, some 380 tests."""
    pool, rng = Pool(ENVIRONMENTS[name], list(range(100, 130))), np.random.default_rng(4)
    pool.reset()
    paid = np.zeros(pool.size)
    for _ in range(10):
        step = pool.step(uniform(name, pool.size, rng))
        paid += step.reward
    reference, theirs = load(name, 5), []
    low, high = reference.action_spec().minimum, reference.action_spec().maximum
    for _ in range(40):
        reference.reset()
        total = 0.0
        for _ in range(10):
            found = reference.step(rng.uniform(low, high))
            total += found.reward
        theirs.append(np.r_[flat(found.observation), total])
    ours = np.column_stack((step.successor, paid))
    for column, (mine, other) in enumerate(zip(ours.T, np.array(theirs).T, strict=True)):
        assert stats.ks_2samp(mine, other).pvalue > 1e-5, column


@pytest.mark.parametrize(
    "name", ["CartpoleSwingupSparse-v1", "FetchReach-v4", "AdroitHandPenSparse-v1"]
)
def test_time_limits_truncate(name: str) -> None:
    world = ENVIRONMENTS[name]
    pool = Pool(world, [1, 2])
    pool.reset()
    for _ in range(world.horizon - 1):
        assert not pool.step(np.zeros((2, world.action.size))).ended.size
    step = pool.step(np.zeros((2, world.action.size)))
    assert step.truncated.all()
    assert not step.terminated.any()


# Reacher of Gym


def test_reacher_follows_gymnasium() -> None:
    """Angles from their cosines and sines, the target from its place; both move alike for an episode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = gymnasium.make("Reacher-v4").unwrapped
    pool, rng = Pool(ENVIRONMENTS["Reacher-v4"], [6]), np.random.default_rng(1)
    seen = pool.reset()[0]
    reference.reset(seed=0)
    angles = np.arctan2(seen[2:4], seen[:2])
    reference.set_state(np.r_[angles, seen[4:6]], np.r_[seen[6:8], 0.0, 0.0])
    for _ in range(49):
        action = rng.uniform(-1, 1, (1, 2))
        step = pool.step(action)
        observation, reward, *_ = reference.step(action[0])
        np.testing.assert_allclose(step.successor[0], observation, atol=1e-9)
        assert step.reward[0] == pytest.approx(reward, abs=1e-5)
        assert not step.ended.size


# Robotics


@pytest.mark.parametrize("name", ["FetchReach-v4", "FetchSlide-v4"])
def test_fetch_pays_by_distance_to_the_goal(name: str) -> None:
    """−1 where the gripper, or the puck, is further than 5 cm from the goal, else 0; the last three numbers are the goal."""
    pool, rng = Pool(ENVIRONMENTS[name], list(range(40))), np.random.default_rng(2)
    goal, paid = pool.reset()[:, -3:], set()
    for _ in range(30):
        step = pool.step(uniform(name, pool.size, rng))
        achieved = step.successor[:, :3] if name == "FetchReach-v4" else step.successor[:, 3:6]
        far = np.linalg.norm(achieved - goal, axis=1) > 0.05
        np.testing.assert_array_equal(step.reward, -far.astype(float))
        np.testing.assert_array_equal(step.successor[:, -3:], goal)
        paid |= set(step.reward)
    assert -1.0 in paid
    assert name == "FetchSlide-v4" or 0.0 in paid


def test_fetch_is_reached_by_walking_to_the_goal() -> None:
    pool = Pool(ENVIRONMENTS["FetchReach-v4"], list(range(8)))
    seen = pool.reset()
    for _ in range(49):
        towards = 10 * (seen[:, -3:] - seen[:, :3])
        seen = (step := pool.step(np.column_stack((towards, np.zeros(8))))).successor
    assert (step.reward == 0).all()


def test_sparse_pen_pays_a_tenth_less_a_step_or_ten() -> None:
    pool, rng = (
        Pool(ENVIRONMENTS["AdroitHandPenSparse-v1"], list(range(60))),
        np.random.default_rng(3),
    )
    pool.reset()
    paid = [pool.step(uniform("AdroitHandPenSparse-v1", 60, rng)).reward for _ in range(60)]
    assert set(np.round(np.concatenate(paid), 6)) == {-0.1, 10.0}


# Shifted rewards


SHIFTED = [name for name, world in ENVIRONMENTS.items() if world.shift is not None]


def test_shifts_are_those_of_the_paper() -> None:
    shifts = [(ENVIRONMENTS[name].simulator, ENVIRONMENTS[name].shift) for name in SHIFTED]
    assert shifts == [
        ("Hopper-v4", -5.0),
        ("Walker2d-v4", -5.0),
        ("HalfCheetah-v4", -15.0),
        ("Ant-v4", -5.0),
        ("Swimmer-v4", -0.5),
    ]


@pytest.mark.parametrize("name", SHIFTED)
def test_shifted_rewards_follow_the_plain_task_then_an_absorbing_state(name: str) -> None:
    """The same seeds and actions in both until the plain one terminates; from there its last observation and the shift.

    Every episode is cut after 1,000 steps, and its return is the plain one's with the shift in every step.
    """
    world, rng = ENVIRONMENTS[name], np.random.default_rng(0)
    assert world.simulator is not None
    assert world.shift is not None
    shifted, plain = Pool(world, [3, 4]), Pool(ENVIRONMENTS[world.simulator], [3, 4])
    np.testing.assert_array_equal(shifted.reset(), plain.reset())
    over, last, returns = np.zeros(2, bool), np.zeros((2, world.observation_size)), np.zeros((2, 2))
    for now in range(1, 1001):
        action = uniform(name, 2, rng)
        step, own = shifted.step(action), plain.step(action)
        returns[0] += step.reward
        returns[1] += np.where(over, 0.0, own.reward)
        expected = np.where(over[:, None], last, own.successor)
        np.testing.assert_array_equal(step.successor, expected)
        np.testing.assert_array_equal(step.reward, world.shift + np.where(over, 0.0, own.reward))
        assert not step.terminated.any()
        assert step.truncated.tolist() == [now == 1000] * 2
        last, over = expected, over | own.terminated
    assert over.all() == (world.simulator not in ("HalfCheetah-v4", "Swimmer-v4"))
    np.testing.assert_allclose(returns[0] - world.shifted_return, returns[1], rtol=1e-9)


def test_absorbed_copies_begin_anew_each_on_its_own() -> None:
    """Copies stepped unequally: each is cut after its own 1,000 steps and then plays from a first state again."""
    pool, rng = Pool(ENVIRONMENTS["ShiftedHopper-v4"], [3, 4, 5]), np.random.default_rng(1)
    pool.reset()
    made = np.zeros(3, dtype=int)
    ends: list[tuple[int, int]] = []
    for _ in range(2600):
        index = np.flatnonzero(rng.random(3) < (0.9, 0.5, 0.7)).astype(np.int32)
        if not len(index):
            continue
        step = pool.step(uniform("ShiftedHopper-v4", len(index), rng), index)
        made[index] += 1
        ends += [(int(index[row]), int(made[index[row]])) for row in step.ended]
        assert (np.abs(step.fresh[:, 0] - 1.25) < 0.006).all()  # the height at a reset, ± 0.005
    assert ends
    assert all(steps % 1000 == 0 for _, steps in ends)
    assert {copy for copy, _ in ends} == {0, 1, 2}
