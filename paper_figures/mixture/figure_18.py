"""Figure 18: GreedyAC with mixtures of Gaussians, learning curves of the best settings and performance across α."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.statistics import Scores, mean, std
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.curves import where
from paper_figures.mixture import sensitivity
from paper_figures.mixture.sensitivity import ALPHA

NAME = "figure_18"
TITLES = {"GreedyACPendulum": "Pendulum-v2", "MountainCar": "MountainCar"}
BEST, ACROSS = "best", "across α"
THOUSAND = 1e3
AXES = "training return", "area under the curve,\nbest at each α"
COLUMNS = {
    **dict.fromkeys(("panel", "environment", "method", "setting"), "str"),
    **{"step": "Int64", ALPHA: "float64", "n": "int64"},
    **dict.fromkeys(("mean", "low", "high"), "float64"),
}
"""Of the values; `low` and `high` are a standard error away from the mean."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 18 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores, runs = (own_members(request, table) for table in ("scores", "curves"))
    bins = request.plan.scale_of(request.scale, request.experiment).curve_rows
    values = pd.concat([learning(scores, runs, bins), across(scores)], ignore_index=True)
    artifact.write_values(values, request.output)
    artifact.write_csv(values, request.output)
    environments = [name for name in TITLES if name in request.steps]
    with style.figure(4.6) as drawing:
        grid = drawing.subplots(2, len(environments), squeeze=False)
        places = itertools.product((BEST, ACROSS), environments)
        for axes, letter, place in zip(grid.flat, curves.LETTERS, places, strict=False):
            own = where(values, panel=place[0], environment=place[1])
            draw_panel(axes, *place, own, request)
            n = own["n"].max() if len(own) else 0
            style.panel_title(axes, letter, TITLES[place[1]], f"n = {n}", style.SMALL)
        for axes, words in zip(grid[:, 0], AXES, strict=True):
            axes.set_ylabel(words, labelpad=2)
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, request)
        style.save(drawing, request.output)


def own_members(request: Request, table: str) -> pd.DataFrame:
    """A table of the experiment's own members with their `alpha`."""
    rows = request.read(table)
    return sensitivity.with_levels(rows[~rows["imported"]], (ALPHA,))


# Values


def learning(scores: pd.DataFrame, runs: pd.DataFrame, bins: int) -> pd.DataFrame:
    """Mean curves of each arm's best setting at the ends of `bins` equal intervals of training.

    A bin in which no episode ended has what lies between its neighbours, so the mean of a curve is its area.
    """
    parts = []
    for (environment, method), group in scores.groupby(["environment", "method"], sort=False):
        best = sensitivity.best_setting(group, "auc")
        if best is not None:
            who = {"environment": environment, "method": method, "setting": best}
            own = where(runs, **who)
            grid = np.round(np.arange(1, bins + 1) * group["steps"].max() / bins).astype(np.int64)
            filled = [
                np.interp(grid, run["step"], run["return_mean"]) for _, run in own.groupby("seed")
            ]
            points = [estimate(values) for values in np.transpose(filled)]
            means = pd.DataFrame(points, columns=["n", "mean", "low", "high"])
            parts.append(means.assign(panel=BEST, step=grid, **who))
    return table_of(parts)


def across(scores: pd.DataFrame) -> pd.DataFrame:
    """The largest mean area under the curve at each α, over all other hyperparameters."""
    rows = []
    for who, group in scores.groupby(["environment", "method", ALPHA], sort=False):
        best = sensitivity.best_setting(group, "auc")
        if best is not None:
            areas = group.loc[group["setting"] == best, "auc"].to_numpy(np.float64)
            rows.append((ACROSS, *who, best, *estimate(areas)))
    names = ["panel", "environment", "method", ALPHA, "setting", "n", "mean", "low", "high"]
    return table_of([pd.DataFrame(rows, columns=names)] if rows else [])


def estimate(values: Scores) -> tuple[int, float, float, float]:
    """n, the mean of values [n], and it less and plus a standard error (ddof = 1), NaN for a single run."""
    centre, error = mean(values), std(values) / math.sqrt(len(values))
    return len(values), centre, centre - error, centre + error


def table_of(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows with all of `COLUMNS`."""
    whole = pd.concat(parts) if parts else pd.DataFrame()
    return whole.reindex(columns=list(COLUMNS)).astype(COLUMNS)


# Drawing


def draw_panel(
    axes: Axes, panel: str, environment: str, values: pd.DataFrame, request: Request
) -> None:
    """Learning curves, or performance across α, of all arms on one environment."""
    if values.empty:
        style.centre_note(axes, style.NO_RECORDS)
        axes.set(xticks=[], yticks=[])
    elif panel == BEST:
        axes.set_xlim(0, request.steps[environment] / THOUSAND)
        axes.set_xlabel("thousand steps", labelpad=1.5)
        for method, own in values.groupby("method", sort=False):
            look = style.METHODS[str(method)]
            curves.draw_mean(axes, own.astype({"step": "float64"}), look, THOUSAND)
    else:
        methods = list(dict.fromkeys(values["method"]))
        sensitivity.draw(axes, values, style.line_styles(methods), "method")


def legend(drawing: Figure, request: Request) -> None:
    """How to read the figure, and its arms."""
    looks = style.line_styles(request.plan.experiments[request.experiment].methods)
    handles = [Line2D([], [], color=look.colour, ls=look.dashes) for look in looks.values()]
    note = (
        f"{request.scale_words}. Above: the setting with the largest area under the curve of training returns; bands: one standard error "
        "over runs. Below: that area with the best of the step sizes at each α; lines: one standard error. The best is chosen on the runs "
        "shown, as in the paper, and only among settings all of whose runs have a score."
    )
    style.legend_below(drawing, handles, [METHODS[name].label for name in looks], note)


if __name__ == "__main__":
    sys.exit(main())
