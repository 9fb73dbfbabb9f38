"""Figure 6: three of the bandits with the learning curves on them, and performance across the entropy scale."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd
import torch
from matplotlib.axes import Axes

from envs.native import bandits
from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.mixture.bandit_sweep import (
    ENVIRONMENT,
    across_alpha,
    best_settings,
    curves_of,
    legend,
    read_scores,
)
from paper_figures.mixture.sensitivity import ALPHA

NAME = "figure_6"
EXAMPLES = (0, 1, 2)
"""Seeds of the bandits that are shown."""
CURVES = ("rep_squashed", "half_rep_sgm")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 6 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores, curves = read_scores(request), request.read("curves")
    across = best_settings(scores, "last_tenth", ("method", ALPHA))
    best = best_settings(scores, "last_tenth", ("method",))
    artifact.write_values(across, request.output)
    artifact.write_csv(across, request.output)
    with style.figure(5.2) as drawing:
        axes = drawing.subplot_mosaic("abc;def;ggg", height_ratios=(1, 1, 2))
        for seed, top, bottom in zip(EXAMPLES, "abc", "def", strict=True):
            problem(axes[top], top, seed)
            learning(axes[bottom], bottom, seed, curves, best)
            axes[bottom].set_xlim(0, request.steps[ENVIRONMENT] / 1e3)
        for name in "bcef":
            axes[name].tick_params(labelleft=False)
        axes["a"].set_ylabel("reward", labelpad=2)
        axes["d"].set_ylabel("reward per pull", labelpad=2)
        n = int(across["n"].max()) if len(across) else 0
        style.panel_title(axes["g"], "g", "Best step size at each α", f"{request.scale}, n = {n}")
        across_alpha(axes["g"], across)
        if across.empty:
            style.centre_note(axes["g"], style.NO_RECORDS)
        legend(drawing, best, note(request), "o")
        style.save(drawing, request.output)


def problem(axes: Axes, letter: str, seed: int) -> None:
    """The reward of one bandit."""
    drawn = bandits.draw(seed)
    action = torch.linspace(-bandits.REACH, bandits.REACH, 601, dtype=torch.float64)
    mean, std = torch.from_numpy(drawn.mean), torch.from_numpy(drawn.std)
    paid = bandits.reward(mean, std, torch.tensor(drawn.scale), action)
    axes.fill_between(action.numpy(), paid.numpy(), color=style.EMPTY_COLOUR, lw=0)
    axes.set_xlim(-bandits.REACH, bandits.REACH)
    axes.set_ylim(0, 1.08)
    axes.set_xlabel("action", labelpad=1.5)
    style.panel_title(axes, letter, f"bandit {seed}", "")


def learning(axes: Axes, letter: str, seed: int, curves: pd.DataFrame, best: pd.DataFrame) -> None:
    """Learning curves of the best settings on one bandit."""
    for row in best[best["method"].isin(CURVES)].to_dict("records"):
        own, look = curves_of(row, curves), style.METHODS[row["method"]]
        own = own[own["seed"] == seed]
        axes.plot(own["step"] / 1e3, own["return_mean"], color=look.colour, ls=look.dashes, lw=1.0)
    style.panel_title(axes, letter, "", "")
    axes.set_ylim(0, 1.08)
    axes.set_xlabel("thousand pulls", labelpad=1.5)


def note(request: Request) -> str:
    """How to read the figure."""
    return (
        f"{request.scale_words}; {request.steps[ENVIRONMENT]:,} pulls. (a–c) Three bandits, largest reward 1. (d–f) "
        "Training on each with the settings named below, which have the largest mean reward over the last tenth of pulls "
        "on all bandits. (g) The same mean at each α, the best of the actor step sizes η; lines: 95 % bootstrap intervals "
        "over bandits. The best is chosen on the bandits shown, among settings "
        "without a lost run."
    )


if __name__ == "__main__":
    sys.exit(main())
