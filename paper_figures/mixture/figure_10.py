"""Figure 10: learning curves of Like-Squashed and Like-SGM, with their best settings, on every bandit."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from algorithms.settings import METHODS
from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.mixture.bandit_sweep import (
    ENVIRONMENT,
    best_settings,
    curves_of,
    legend,
    read_scores,
)

NAME = "figure_10"
BASE, MIXTURE = "like_squashed", "like_sgm"
PER_ROW = 10
TIE = 0.02
"""Rewards per pull that differ by no more than this, of a largest possible reward of 1, are called a tie."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 10 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores = read_scores(request)
    scores = scores[scores["method"].isin((BASE, MIXTURE))]
    best = best_settings(scores, "last_tenth", ("method",))
    found = by_bandit(scores, best)
    curves = {
        row["method"]: curves_of(row, request.read("curves")) for row in best.to_dict("records")
    }
    artifact.write_values(found, request.output)
    drawn = [own.assign(method=name) for name, own in curves.items()]
    columns = ["method", "seed", "step", "return_mean"]
    artifact.write_csv(
        pd.concat(drawn)[columns] if drawn else pd.DataFrame(columns=columns), request.output
    )
    seeds = request.plan.scale_of(request.scale, request.experiment).seeds
    rows = math.ceil(len(seeds) / PER_ROW)
    with style.figure(0.58 * rows + 1.0, style.PAGE) as drawing:
        # Not shared axes: a hundred of them take matplotlib a minute to lay out.
        grid = drawing.subplots(rows, PER_ROW, squeeze=False)
        for axes in (*grid[:-1].flat, *grid[:, 1:].flat):
            axes.tick_params(labelbottom=axes in grid[-1], labelleft=axes in grid[:, 0])
        for axes in grid.flat[len(seeds) :]:
            axes.set_visible(False)
        for axes, seed in zip(grid.flat, seeds, strict=False):
            own = {name: runs[runs["seed"] == seed] for name, runs in curves.items()}
            panel(axes, seed, own, request.steps[ENVIRONMENT])
        grid[-1, 0].set_xlabel("thousand pulls", fontsize=style.SMALL, labelpad=1.5)
        grid[-1, 0].set_ylabel("reward per pull", fontsize=style.SMALL, labelpad=2)
        style.corner_note(drawing, f"{request.scale}, n = 1 run of each method a bandit")
        legend(drawing, best, note(found, request))
        style.save(drawing, request.output)


def by_bandit(scores: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Mean reward per pull over the last tenth on each bandit. Columns: seed, like_squashed, like_sgm, difference."""
    chosen = scores.merge(best[["method", "setting"]], on=["method", "setting"])
    table = chosen.pivot(index="seed", columns="method", values="last_tenth")
    table = table.reindex(columns=[BASE, MIXTURE]).astype("float64")
    table["difference"] = table[MIXTURE] - table[BASE]
    return table.rename_axis(columns=None).reset_index()


def panel(axes: Axes, seed: int, curves: dict[str, pd.DataFrame], pulls: int) -> None:
    """One bandit: a line a method."""
    for method, own in curves.items():
        look = style.METHODS[method]
        axes.plot(own["step"] / 1e3, own["return_mean"], color=look.colour, ls=look.dashes, lw=0.8)
    axes.set_xlim(0, pulls / 1e3)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([0, 1])
    axes.tick_params(labelsize=style.SMALL - 1, length=2)
    axes.set_title(f"{seed}", fontsize=style.SMALL - 1, pad=1.5, color=style.NOTE_COLOUR)
    if not curves:
        axes.text(0.5, 0.5, style.MISSING, transform=axes.transAxes, ha="center")


def note(found: pd.DataFrame, request: Request) -> str:
    """How to read the figure, and on how many bandits the methods differ."""
    names = {name: METHODS[name].label for name in (MIXTURE, BASE)}
    lacking = [label for name, label in names.items() if found[name].isna().all()]
    if lacking:
        told = f"No records yet of {' and '.join(lacking)}."
    else:
        gap = found["difference"].dropna()
        told = (
            f"Over the last tenth of pulls {names[MIXTURE]} earns more than {names[BASE]} on {(gap > TIE).sum()} bandits and "
            f"less on {(gap < -TIE).sum()}; on {(gap.abs() <= TIE).sum()} they differ by at most {TIE:g}."
        )
    return (
        f"{request.scale_words}; {request.steps[ENVIRONMENT]:,} pulls; above each panel the bandit's seed; the largest reward "
        "is 1. The settings named below have the largest mean reward over the last tenth of pulls on all bandits. "
        + told
    )


if __name__ == "__main__":
    sys.exit(main())
