"""Study: stationary points of a Gaussian and of a mixture of two on the bimodal bandit (Section 3.3, Appendix C).

Every trial is one start and one run of the optimiser, see `stationary`. The Gaussian of a trial starts as the first
component of that trial's mixture, and a trial starts alike for every α.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from algorithms.seeding import Purpose, stream
from algorithms.study import Study
from paper_figures import study
from paper_figures.mixture import POLICIES
from paper_figures.mixture.gaussian_mixtures import BIMODAL, Array
from paper_figures.mixture.stationary import STATIONARY_OUTCOMES, End, components, maximise
from paper_figures.mixture.studies import NumericalStudy
from paper_figures.study import Read

NAME = "numerical_study"
_POINT = ("mean_1", "mean_2", "log_std_1", "log_std_2", "weight_1")
TABLES = {
    "trials": {
        "policy": "object",
        "alpha": "float64",
        "trial": "int64",
        **dict.fromkeys((f"start_{name}" for name in _POINT), "float64"),
        **dict.fromkeys((f"end_{name}" for name in _POINT), "float64"),
        **dict.fromkeys(("objective", "expected_reward", "entropy"), "float64"),
        **dict.fromkeys(("gradient", "projected_gradient"), "float64"),
        "outcome": "object",
        "stationary": "bool",
        "prominence": "float64",
        "bimodal": "bool",
        "success": "bool",
        "status": "int64",
        "message": "object",
        "iterations": "int64",
        "evaluations": "int64",
    }
}
"""Columns. A Gaussian has no second component (NaN) and a weight of 1. The rest is as in `stationary.End`; `stationary` says
whether the outcome is one of a stationary point, `bimodal` whether the density has two modes there. Entropy in nats."""


def run(about: Study, settings: NumericalStudy, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """The table of TABLES: a row for each policy, α and trial."""
    rows = [
        row(policy, alpha, trial, begin)
        for alpha in settings.alphas
        for trial in range(settings.trials)
        for policy, begin in zip(POLICIES, starts(settings.seed, trial), strict=True)
    ]
    columns = TABLES["trials"]
    return {"trials": pd.DataFrame(rows, columns=list(columns)).astype(columns)}


def starts(seed: int, trial: int) -> tuple[Array, Array]:
    """Where a trial's Gaussian [2] and mixture [5] start: U[−2, 2], U[−3, 0], U[0, 1] (Appendix C)."""
    random = stream(seed, Purpose.STARTING_POINTS, trial)
    means, log_stds = random.uniform(-2, 2, 2), random.uniform(-3, 0, 2)
    weight = random.uniform(0, 1, 1)
    return np.array([means[0], log_stds[0]]), np.concatenate([means, log_stds, weight])


def row(policy: str, alpha: float, trial: int, begin: Array) -> dict[str, Any]:
    """One trial."""
    end = maximise(begin, alpha)
    return {
        "policy": policy,
        "alpha": alpha,
        "trial": trial,
        **point("start", begin),
        **point("end", end.parameters),
        **{name: value for name, value in vars(end).items() if name != "parameters"},
        **judged(end),
    }


def judged(end: End) -> dict[str, bool]:
    """What the figures count."""
    return {
        "stationary": end.outcome in STATIONARY_OUTCOMES,
        "bimodal": end.prominence > BIMODAL,
    }


def point(when: str, parameters: Array) -> dict[str, float]:
    """The columns of a start or an end."""
    weights, means, log_stds = components(parameters)
    missing = [float("nan")] * (2 - len(weights))
    values = [*means, *missing, *log_stds, *missing, weights[0]]
    return {f"{when}_{name}": float(x) for name, x in zip(_POINT, values, strict=True)}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main(NAME, NumericalStudy, run, argv)


if __name__ == "__main__":
    sys.exit(main())
