"""How sensitive PMPO and DPO are to β on the benchmark functions: Figure 3's question, asked where answers are cheap."""

from __future__ import annotations

import string
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.effects import levels
from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.bootstrap import band
from paper_figures.pmpo.functions import NAMES, SIZES, TITLES, at_mean

NAME = "figure_functions_beta"
ARMS = ("pmpo_ar", "pmpo_a", "pmpo_r", "dpo")
COLUMNS = ("environment", "method", "beta", "planned", "n", "mean", "low", "high")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure; its csv has every run."""
    members = read(request)
    table = values(members)
    artifact.write_values(table, request.output)
    artifact.write_csv(members, request.output)
    with style.figure(1.35 * len(NAMES) + 0.7, style.PAGE) as drawing:
        panels = drawing.subplots(len(NAMES), 2 * len(SIZES), squeeze=False)
        letters = iter(string.ascii_lowercase)
        for row, name in zip(panels, NAMES, strict=True):
            for column, size in enumerate(SIZES):
                own = table[table["environment"] == f"{name}{size}"]
                places = (row[2 * column], row[2 * column + 1])
                for axes, arms in zip(places, (ARMS[:-1], ARMS[-1:]), strict=True):
                    panel(axes, next(letters), own[own["method"].isin(arms)], arms)
                places[0].set_ylabel(f"{TITLES[f'{name}{size}']}\nf over training", labelpad=2)
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, request)
        style.save(drawing, request.output)


def read(request: Request) -> pd.DataFrame:
    """Each member's area. Columns: environment, method, seed, beta, status, value (NaN unless it is done)."""
    shown = request.paper.artifacts[NAME].experiments
    scores = pd.concat([request.read("scores", name) for name in shown], ignore_index=True)
    own = scores[~scores["imported"]]
    value = at_mean(own["environment"], own["auc"])
    members = own[["environment", "method", "seed", "status"]]
    return members.assign(beta=levels(own)["beta"], value=value)


def values(members: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds of f during training, with its 95 % bootstrap interval. Columns: COLUMNS."""
    rows = []
    for who, own in members.groupby(["environment", "method", "beta"], sort=False):
        found = own["value"].dropna().to_numpy(np.float64)
        low, high = band(found[:, None])
        middle = found.mean() if len(found) else np.nan
        rows.append((*who, len(own), len(found), middle, low[0], high[0]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def panel(axes: Axes, letter: str, own: pd.DataFrame, arms: Sequence[str]) -> None:
    """One function: each arm's mean by β."""
    style.panel_title(axes, letter, "", f"n = {own['n'].max() if len(own) else 0}")
    if not own["n"].any():
        axes.set(xticks=[], yticks=[])
        style.centre_note(axes, style.NO_RECORDS)
        return
    for arm in arms:
        look, line = style.METHODS[arm], own[own["method"] == arm].sort_values("beta")
        axes.plot(line["beta"], line["mean"], color=look.colour, ls=look.dashes, marker="o", ms=2.4)
        axes.vlines(line["beta"], line["low"], line["high"], color=look.colour, lw=1.0)
    axes.set_yscale("log")
    if arms == ARMS[-1:]:
        axes.set_xscale("log")
    axes.set_xlabel("β", labelpad=1.5)


def legend(drawing: Figure, request: Request) -> None:
    """How to read the figure, then its arms."""
    looks = [style.METHODS[arm] for arm in ARMS]
    handles = [
        Line2D([], [], color=look.colour, ls=look.dashes, marker="o", ms=2.4) for look in looks
    ]
    note = (
        f"{request.scale_words}. f at the mean action, averaged over training, by the weight β of the KL term (PMPO) or of the "
        "log-ratio (DPO); lines: 95\u00a0% bootstrap intervals over seeds. Lower is better."
    )
    style.legend_below(drawing, handles, [METHODS[arm].label for arm in ARMS], note)


if __name__ == "__main__":
    sys.exit(main())
