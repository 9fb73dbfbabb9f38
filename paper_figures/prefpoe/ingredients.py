"""The 2⁴ factorial of what separates CleanRL's PPO from the released artefact, as its table and its figure see it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.effects import (
    TIMES,
    Factor,
    Factorial,
    effects,
    factorial,
    levels,
    not_estimable,
    over_seeds,
)
from paper_figures import sweeps
from paper_figures.artifact import Request

ENVIRONMENT = "HalfCheetah-v4"
PLACE = "Table 1"
TOGETHER = "all four"
FACTORS = (
    Factor("backbone", "separate", "shared"),
    Factor("mean", "linear", "tanh"),
    Factor("initial_log_std", 0.0, -1.0),
    Factor("method", "ppo", "prefpoe_released"),
)
EXPERT = FACTORS[3]
NONE = tuple(factor.low for factor in FACTORS)
ALL = tuple(factor.high for factor in FACTORS)
SENTENCES = {
    "backbone": "critic on the policy's encoder",
    "mean": "mean through tanh",
    "initial_log_std": "log-std starts at −1 instead of 0",
    "method": "with the preference expert",
    TOGETHER: "all four together",
}
NAMES = {
    "backbone": "encoder",
    "mean": "tanh",
    "initial_log_std": "log-std",
    "method": "expert",
}
PRINTED = {"separate": "own network", "shared": "on encoder", 0.0: "0", -1.0: "−1"}
"""How levels are printed where not as they are called."""


@dataclass(frozen=True)
class Ingredients:
    """The experiment's members, its arms, the factorial that they make, and its effects.

    `arms` are the 16 rows of statistics, indexed by the levels of FACTORS and in their order.
    """

    scores: pd.DataFrame
    arms: pd.DataFrame
    design: Factorial
    effects: pd.DataFrame


def read(request: Request) -> Ingredients:
    """The experiment that the artifact shows; imported arms are not part of a factorial."""
    scores, arms = (sweeps.trained(request, name, ENVIRONMENT) for name in ("scores", "statistics"))
    design = factorial(scores, FACTORS)
    arms.index = pd.MultiIndex.from_frame(levels(arms)[[factor.name for factor in FACTORS]])
    cells = list(itertools.product(*((factor.low, factor.high) for factor in FACTORS)))
    return Ingredients(scores, arms.loc[cells], design, effects(design))


def words(effect: str) -> str:
    """An effect as a reader would call it."""
    if effect in SENTENCES:
        return SENTENCES[effect]
    return TIMES.join(NAMES[factor] for factor in effect.split(TIMES))


def architecture(cell: tuple[Any, ...]) -> tuple[str, ...]:
    """A cell's critic, mean and initial log-std, in words."""
    return tuple(PRINTED.get(level, str(level)) for level in cell[: FACTORS.index(EXPERT)])


def together(design: Factorial) -> dict[str, Any]:
    """The cell with all four ingredients minus that with none, over the seeds that have a score in both.

    Keys: value, low, high, p, n (seeds), not_estimable ("" or why).
    """
    ends = Factorial((TOGETHER,), design.seeds, design.scores[[0, -1]])
    found = over_seeds(ends, np.array([-1.0, 1.0]))
    return {
        "value": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": found.test.p,
        "n": ends.complete.shape[1],
        "not_estimable": not_estimable(ends),
    }


def claimed(request: Request) -> dict[str, float]:
    """The mean returns that the paper prints for PPO and PrefPoE: the cells with none and all of the ingredients."""
    printed = request.reported(PLACE)
    means = printed[(printed["environment"] == ENVIRONMENT) & (printed["quantity"] == "mean")]
    said = means.set_index("method")["number"].to_dict()
    return {arm: said[request.paper.readings.get(arm, arm)] for arm in (EXPERT.low, EXPERT.high)}
