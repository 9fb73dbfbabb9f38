"""What an episode can pay, and what the best policy earns: computed, or taken from the environment's definition.

FrozenLake's optima come from value iteration over gymnasium's own transition table. Environments of which no bound is
known (HalfCheetah, Ant, LunarLander) have none here, and no check is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.registry import ENVIRONMENTS

Floats = NDArray[np.float64]

CONVERGED = 1e-12
"""Value iteration without a time limit stops where no value gains more than this in a step."""
SUITE_LIMIT = 1000.0
SUITE_TASKS: Mapping[str, tuple[str, ...]] = {
    "acrobot": ("swingup", "swingup_sparse"),
    "ball_in_cup": ("catch",),
    "cartpole": (
        *("balance", "balance_sparse", "swingup", "swingup_sparse"),
        *("two_poles", "three_poles"),
    ),
    "cheetah": ("run",),
    "dog": ("stand", "walk", "trot", "run", "fetch"),
    "finger": ("spin", "turn_easy", "turn_hard"),
    "fish": ("upright", "swim"),
    "hopper": ("stand", "hop"),
    "humanoid": ("stand", "walk", "run", "run_pure_state"),
    "humanoid_cmu": ("stand", "walk", "run"),
    "manipulator": ("bring_ball", "bring_peg", "insert_ball", "insert_peg"),
    "pendulum": ("swingup",),
    "point_mass": ("easy", "hard"),
    "quadruped": ("walk", "run", "escape", "fetch"),
    "reacher": ("easy", "hard"),
    "stacker": ("stack_2", "stack_4"),
    "swimmer": ("swimmer6", "swimmer15"),
    "walker": ("stand", "walk", "run"),
}
"""The Control Suite's tasks by domain, without lqr, whose rewards are not confined to [0, 1]."""
_SUITE = {f"{domain}_{task}" for domain, tasks in SUITE_TASKS.items() for task in tasks}


class Payable(NamedTuple):
    """An episode's return lies in [low, high]; `optimum` is the best policy's expected return, None if not known.

    `binary` says that an episode pays either low or high. `setting` names the map, slipperiness and time limit where
    an environment leaves a choice, and `source` where the numbers come from.
    """

    low: float
    high: float
    optimum: float | None
    binary: bool
    setting: str
    source: str


@cache
def payable_readings(environment: str) -> tuple[Payable, ...]:
    """The default setting first, then others that a paper may have used without saying so."""
    if environment.startswith("FrozenLake"):
        return _frozen_lakes("8x8" if "8x8" in environment else "4x4")
    if environment == "CartPole-v1":
        longest = float(ENVIRONMENTS[environment].horizon)
        source = f"each step pays 1, the first one too, and an episode has at most {longest:g}"
        return (Payable(1.0, longest, longest, False, "", source),)
    if _in_control_suite(environment):
        source = "each of 1,000 steps pays between 0 and 1 (Tassa et al. 2018, arXiv 1801.00690)"
        return (Payable(0.0, SUITE_LIMIT, None, False, "", source),)
    return ()


def _in_control_suite(environment: str) -> bool:
    """Whether the name is a task of the suite: "walker-run", "ball_in_cup_catch", "dm_control/walker-run-v0"."""
    task = re.sub(r"-v\d+$", "", environment.removeprefix("dm_control/"))
    return task.lower().replace("-", "_") in _SUITE


def _frozen_lakes(name: str) -> tuple[Payable, ...]:
    """Maps, slipperiness and time limits; the environment's own map, slippery and limited, first."""
    others = [each for each in LAKE_LIMITS if each != name]
    lakes = []
    for lake in (name, *others):
        for slippery in (True, False):
            for limit in (LAKE_LIMITS[lake], None):
                kind = "slippery" if slippery else "not slippery"
                steps = "no time limit" if limit is None else f"{limit} steps"
                best = frozen_lake_optimum(lake, slippery, limit)
                source = "value iteration over gymnasium's transition table"
                setting = f"{lake} map, {kind}, {steps}"
                lakes.append(Payable(0.0, 1.0, best, True, setting, source))
    return tuple(lakes)


LAKE_LIMITS: Mapping[str, int] = {"4x4": ENVIRONMENTS["FrozenLake-v1"].horizon, "8x8": 200}
"""Steps of an episode: of FrozenLake-v1 and of FrozenLake8x8-v1 (gymnasium's registration)."""


@cache
def frozen_lake_optimum(name: str, slippery: bool, limit: int | None) -> float:
    """The largest chance of reaching the goal within `limit` steps, or ever where that is None.

    Value iteration without discount from 0: after h backups a state's value is its optimum with h steps left, and the
    limit h → ∞ is approached from below.
    """
    moves, paid = _lake_chain(name, slippery)
    value = np.zeros(moves.shape[0])
    steps = 0
    while limit is None or steps < limit:
        backed_up = (paid + moves @ value).max(axis=1)
        gain, value, steps = float((backed_up - value).max()), backed_up, steps + 1
        if limit is None and gain < CONVERGED:
            break
    return float(value[0])


@cache
def _lake_chain(name: str, slippery: bool) -> tuple[Floats, Floats]:
    """Probability of moving on [S, 4, S], without moves that end the episode, and expected reward [S, 4]."""
    # gymnasium takes a quarter of a second to import, which only audits of this environment spend.
    from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

    table: dict[int, dict[int, list[tuple[float, int, float, bool]]]]
    table = FrozenLakeEnv(map_name=name, is_slippery=slippery).P
    moves, paid = np.zeros((len(table), 4, len(table))), np.zeros((len(table), 4))
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for chance, successor, reward, ends in outcomes:
                paid[state, action] += chance * reward
                moves[state, action, successor] += 0.0 if ends else chance
    return moves, paid
