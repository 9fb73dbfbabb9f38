"""Figure 11: the best learning curves averaged over all bandits, and performance across α by area under the curve."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.bootstrap import band
from paper_figures.mixture.bandit_sweep import (
    ENVIRONMENT,
    across_alpha,
    best_settings,
    curves_of,
    legend,
    read_scores,
)
from paper_figures.mixture.sensitivity import ALPHA

NAME = "figure_11"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 11 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores = read_scores(request)
    best = best_settings(scores, "last_tenth", ("method",))
    by_area = best_settings(scores, "auc", ("method", ALPHA))
    artifact.write_values(by_area, request.output)
    means = averaged(request.read("curves"), best)
    artifact.write_csv(means, request.output)
    with style.figure(4.9) as drawing:
        a, b = drawing.subplots(2, 1)
        learning(a, means)
        about = f"{request.scale}, n = {int(by_area['n'].max()) if len(by_area) else 0}"
        style.panel_title(a, "a", "Best final performance", about)
        across_alpha(b, by_area)
        style.panel_title(b, "b", "Best area under the curve", about)
        if by_area.empty:
            for axes in (a, b):
                style.centre_note(axes, style.NO_RECORDS)
        legend(drawing, best, note(request))
        style.save(drawing, request.output)


def averaged(seeds: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """The mean over bandits of the rewards per pull of each best setting: method, step, n, mean, low, high (bootstrap)."""
    parts = []
    for row in best.to_dict("records"):
        by_bandit = curves_of(row, seeds).pivot(index="seed", columns="step", values="return_mean")
        low, high = band(by_bandit.to_numpy(np.float64))
        about = {"n": by_bandit.count(), "mean": by_bandit.mean(), "low": low, "high": high}
        parts.append(pd.DataFrame(about).reset_index().assign(method=row["method"]))
    columns = ["method", "step", "n", "mean", "low", "high"]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def learning(axes: Axes, means: pd.DataFrame) -> None:
    """Panel (a): a curve and its band for each method."""
    for method, own in means.groupby("method", sort=False):
        curves.draw_mean(axes, own, style.METHODS[str(method)], 1e3)
    axes.set_xlim(left=0)
    axes.set_xlabel("thousand pulls", labelpad=1.5)
    axes.set_ylabel("reward per pull", labelpad=2)


def note(request: Request) -> str:
    """How to read the figure."""
    return (
        f"{request.scale_words}; {request.steps[ENVIRONMENT]:,} pulls. (a) Mean over bandits of the setting with the largest "
        "mean reward over the last tenth of pulls, named below; bands: 95 % bootstrap intervals. (b) The largest mean over all pulls "
        "at each α, the best of the step sizes; lines: the same. The best is chosen on "
        "the bandits shown, among settings without a lost run."
    )


if __name__ == "__main__":
    sys.exit(main())
