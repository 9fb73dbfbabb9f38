"""What environments pay: gymnasium's own chain, solved in other ways, and the registry's anchor."""

from __future__ import annotations

import warnings
from itertools import product

import gymnasium
import numpy as np
import pytest
from scipy import optimize, sparse

from analysis.audit.checks.optima import SUITE_TASKS, frozen_lake_optimum, payable_readings
from envs.registry import ENVIRONMENTS


def test_the_registrys_anchor_is_the_computed_optimum() -> None:
    found = payable_readings("FrozenLake-v1")[0]
    assert found.optimum == pytest.approx(ENVIRONMENTS["FrozenLake-v1"].anchors.reference, abs=5e-4)
    assert (found.low, found.high, found.binary) == (0.0, 1.0, True)
    assert found.setting == "4x4 map, slippery, 100 steps"


def test_registered_time_limits_are_gymnasiums() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, steps in (("FrozenLake-v1", 100), ("FrozenLake8x8-v1", 200)):
            assert gymnasium.spec(name).max_episode_steps == steps
            found = payable_readings(name)[0]
            assert f"{steps} steps" in found.setting


@pytest.mark.parametrize(
    ("name", "limit", "tolerance"),
    [("4x4", None, 1e-9), ("8x8", None, 1e-6), ("4x4", 20, 1e-9), ("4x4", 100, 1e-7)],
)
@pytest.mark.parametrize("slippery", [True, False])
def test_the_optimum_solves_the_linear_programme(
    name: str, limit: int | None, tolerance: float, slippery: bool
) -> None:
    """min Σ v with v ≥ reward + P v, by scipy's solver; with a limit, a state for each step that is left."""
    lake = gymnasium.make("FrozenLake-v1", map_name=name, is_slippery=slippery).unwrapped
    table = lake.P  # type: ignore[attr-defined]
    states, layers = len(table), limit or 1
    matrix = sparse.lil_matrix((layers * states * 4, layers * states))
    bounds = np.zeros(layers * states * 4)
    for row, (layer, state, action) in enumerate(product(range(layers), range(states), range(4))):
        matrix[row, layer * states + state] -= 1
        after = layer if limit is None else layer + 1
        for chance, successor, reward, ends in table[state][action]:
            bounds[row] -= chance * reward
            if not ends and after < layers:
                matrix[row, after * states + successor] += chance
    found = optimize.linprog(
        np.ones(layers * states), A_ub=matrix.tocsr(), b_ub=bounds, bounds=(0, None)
    )
    expected = pytest.approx(found.x[0], abs=tolerance)
    assert frozen_lake_optimum(name, slippery, limit) == expected


def test_known_optima() -> None:
    """0.8235 = 14/17 without a limit; the shortest path of the 4×4 map is 6 steps, slipping or not."""
    assert frozen_lake_optimum("4x4", True, None) == pytest.approx(14 / 17, abs=1e-9)
    assert frozen_lake_optimum("4x4", False, 100) == 1.0
    assert frozen_lake_optimum("4x4", False, 6) == 1.0
    assert frozen_lake_optimum("4x4", False, 5) == 0.0
    assert frozen_lake_optimum("4x4", True, 5) == 0.0
    assert 0 < frozen_lake_optimum("4x4", True, 6) < 0.1
    assert frozen_lake_optimum("8x8", False, 14) == 1.0
    assert frozen_lake_optimum("8x8", False, 13) == 0.0


def test_more_steps_are_never_worse() -> None:
    for name in ("4x4", "8x8"):
        values = [frozen_lake_optimum(name, True, limit) for limit in (10, 50, 100, 200)]
        assert values == sorted(values)
        assert values[-1] < frozen_lake_optimum(name, True, None)


def test_readings_of_frozen_lake() -> None:
    readings = payable_readings("FrozenLake-v1")
    assert readings[0].setting == "4x4 map, slippery, 100 steps"
    assert len({reading.setting for reading in readings}) == len(readings) == 8
    larger = payable_readings("FrozenLake8x8-v1")
    assert larger[0].setting == "8x8 map, slippery, 200 steps"
    assert set(larger) == set(readings)
    assert all(0.7 < (reading.optimum or 0) <= 1.0 for reading in readings)


def test_cart_pole_pays_one_a_step() -> None:
    found = payable_readings("CartPole-v1")[0]
    assert (found.low, found.high, found.optimum) == (1.0, 500.0, 500.0)
    assert gymnasium.spec("CartPole-v1").max_episode_steps == 500
    pole = gymnasium.make("CartPole-v1")
    pole.reset(seed=0)
    rewards, ended = [], False
    while not ended:
        _, reward, terminated, truncated, _ = pole.step(0)
        rewards.append(float(reward))
        ended = terminated or truncated
    assert set(rewards) == {1.0}
    assert found.low <= len(rewards) <= found.high


@pytest.mark.parametrize(
    "name", ["HalfCheetah-v4", "Ant-v4", "LunarLander-v2", "hopper-medium-v2", "lqr_2_1", "nothing"]
)
def test_no_bound_is_no_check(name: str) -> None:
    assert payable_readings(name) == ()


@pytest.mark.parametrize(
    "name", ["walker-run", "ball_in_cup_catch", "dm_control/humanoid_CMU-walk-v0", "reacher-easy"]
)
def test_the_control_suite_pays_up_to_a_thousand(name: str) -> None:
    found = payable_readings(name)[0]
    assert (found.low, found.high, found.optimum) == (0.0, 1000.0, None)


def test_the_control_suites_tasks_are_dm_controls() -> None:
    suite = pytest.importorskip("dm_control.suite", exc_type=ImportError)
    listed = {(domain.lower(), task) for domain, task in suite.ALL_TASKS if domain != "lqr"}
    assert {(domain, task) for domain, tasks in SUITE_TASKS.items() for task in tasks} == listed
