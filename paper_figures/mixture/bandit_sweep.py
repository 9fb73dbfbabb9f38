"""The sweep on a hundred bandits, as Figures 6, 10 and 11 show it: rewards per pull of each method's best settings.

A method's best setting has the largest mean over the bandits, of the last tenth of pulls or of all of them (AUC). The best of
several is chosen on the same bandits that are shown, as the paper does it: the better of two chance results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.effects import levels
from analysis.statistics import bootstrap_interval
from envs.registry import ENVIRONMENTS
from paper_figures import style
from paper_figures.artifact import Request

ENVIRONMENT = "MultimodalBandit"
ALPHA, RATE = "alpha", "critic_learning_rate"
PULLS = ENVIRONMENTS[ENVIRONMENT].horizon
SEED = 0
MEASURES = {"last_tenth": "training_return", "auc": "auc"}
"""Columns of the scores by what the best setting has most of."""


def read_scores(request: Request) -> pd.DataFrame:
    """A row for each member that is done: method, seed (the bandit), alpha, critic_learning_rate, and rewards per pull
    `last_tenth` and `auc`.
    """
    scores = request.read("scores")
    done = scores[scores["status"] == "done"]
    swept = levels(done)[[ALPHA, RATE]] if len(done) else pd.DataFrame(columns=[ALPHA, RATE])
    measured = {name: done[column] / PULLS for name, column in MEASURES.items()}
    return done[["method", "seed", "setting"]].join(swept).assign(**measured)


def best_settings(scores: pd.DataFrame, measure: str, within: tuple[str, ...]) -> pd.DataFrame:
    """The best setting of every combination of `within`, with its mean over bandits and the mean's 95 % interval.

    Columns: method, alpha, critic_learning_rate, setting, n, mean, low, high (stratified bootstrap over bandits).
    """
    rows: list[dict[str, Any]] = []
    by_setting = ["method", ALPHA, RATE, "setting"]
    found = scores.groupby(by_setting, sort=False)[measure].agg(["size", "mean"]).reset_index()
    for _, group in found.groupby(list(within), sort=False):
        best = group.loc[group["mean"].idxmax()]
        own = scores[(scores["method"] == best["method"]) & (scores["setting"] == best["setting"])]
        values = own[measure].to_numpy(np.float64)
        low, high = bootstrap_interval(
            [values], lambda x: float(np.mean(x)), np.random.default_rng(SEED)
        )
        row = {name: best[name] for name in by_setting}
        rows.append({**row, "n": len(values), "mean": best["mean"], "low": low, "high": high})
    return pd.DataFrame(rows, columns=[*by_setting, "n", "mean", "low", "high"])


def sensitivity(axes: Axes, best: pd.DataFrame) -> None:
    """Each method's best setting at every α, with its interval; methods stand beside each other."""
    methods = list(dict.fromkeys(best["method"]))
    for index, method in enumerate(methods):
        own, look = best[best["method"] == method].sort_values(ALPHA), style.METHODS[method]
        at = own[ALPHA] * 10 ** (0.05 * (index - (len(methods) - 1) / 2))
        axes.plot(at, own["mean"], color=look.colour, ls=look.dashes, marker="o", ms=2.4, lw=0.9)
        axes.vlines(at, own["low"], own["high"], color=look.colour, lw=1.0)
    axes.set_xscale("log")
    axes.set_xlabel("entropy scale α", labelpad=1.5)
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
