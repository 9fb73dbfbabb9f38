"""The sweep on a hundred bandits, as Figures 6, 10 and 11 show it: rewards per pull of each method's best settings.

A method's best setting has the largest mean over the bandits, of the last tenth of pulls or of all of them (AUC). The best of
several is chosen on the same bandits that are shown, as the paper does it: the better of two chance results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from envs.registry import ENVIRONMENTS
from paper_figures import style
from paper_figures.artifact import Request
from paper_figures.mixture import sensitivity
from paper_figures.mixture.sensitivity import ALPHA

ENVIRONMENT = "MultimodalBandit"
RATE = "critic_learning_rate"
PULLS = ENVIRONMENTS[ENVIRONMENT].horizon
MEASURES = {"last_tenth": "training_return", "auc": "auc"}
"""Columns of the scores by what the best setting has most of."""


def read_scores(request: Request) -> pd.DataFrame:
    """A row for each member: method, seed (the bandit), setting, alpha, critic_learning_rate, and rewards per pull `last_tenth`
    and `auc`, NaN unless it is done.
    """
    scores = request.read("scores")
    measured = {name: scores[column] / PULLS for name, column in MEASURES.items()}
    members = scores[["method", "seed", "setting"]].assign(**measured)
    return sensitivity.with_levels(members, (ALPHA, RATE))


def best_settings(scores: pd.DataFrame, measure: str, within: tuple[str, ...]) -> pd.DataFrame:
    """`sensitivity.best_settings` with columns for what is set. Columns: method, alpha, critic_learning_rate, setting, n, mean, low, high."""
    best = sensitivity.best_settings(scores, measure, within)
    columns = ["method", ALPHA, RATE, "setting", *sensitivity.ESTIMATE]
    return sensitivity.with_levels(best, (ALPHA, RATE))[columns]


def curves_of(row: Mapping[Any, Any], curves: pd.DataFrame) -> pd.DataFrame:
    """The learning curves of a row of `best_settings`, one for each bandit. Columns: seed, step, return_mean (reward per pull)."""
    own = curves[(curves["method"] == row["method"]) & (curves["setting"] == row["setting"])]
    return own[["seed", "step"]].assign(return_mean=own["return_mean"] / PULLS)


def across_alpha(axes: Axes, best: pd.DataFrame) -> None:
    """Each method's best setting at every α."""
    sensitivity.draw(axes, best, style.line_styles(list(dict.fromkeys(best["method"]))), "method")
    axes.set_ylabel("reward per pull", labelpad=2)


def legend(drawing: Figure, best: pd.DataFrame, note: str, marker: str = "") -> None:
    """A note, and each method with the setting that stands for it."""
    looks = (style.METHODS[method] for method in best["method"])
    handles = [
        Line2D([], [], color=look.colour, ls=look.dashes, marker=marker, ms=2.4) for look in looks
    ]
    labels = [
        f"{METHODS[row['method']].label} ({setting_words(row)})" for row in best.to_dict("records")
    ]
    style.legend_below(drawing, handles, labels, note)


def setting_words(row: Mapping[Any, Any]) -> str:
    """ "η = 0.01, α = 0.1"."""
    return f"η = {row[RATE]:g}, α = {row[ALPHA]:g}"
