"""The benchmark functions as figures and tables show them: f at the policy's mean, from what an evaluation pays."""

from __future__ import annotations

import pandas as pd

from envs.registry import ENVIRONMENTS
from paper_figures.evaluation_curves import Measure

NAMES = {
    "Sphere": "Sphere",
    "Rosenbrock": "Rosenbrock",
    "SchwefelSum": "Schwefel (double sum)",
    "SchwefelSine": "Schwefel (sine)",
}
SIZES = (2, 10)
TITLES = {
    f"{name}{size}": f"{words}, d = {size}" for name, words in NAMES.items() for size in SIZES
}


def at_mean(environment: pd.Series, paid: pd.Series) -> pd.Series:
    """f at the mean action, of episodes in which every pull of it paid −f."""
    return -paid / environment.map(lambda name: ENVIRONMENTS[name].horizon)


MEASURE = Measure(
    "f at the mean action",
    "f at the mean action",
    lambda evaluated: at_mean(evaluated["environment"], evaluated["return_mean"]),
    logarithmic=True,
    seeds=False,
)
