"""Figure 1: the bimodal bandit and its optimal policies, what they earn by α, and how many stationary mixtures are bimodal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.curves import CLAIM_DASHES
from paper_figures.mixture import POLICIES
from paper_figures.mixture.bimodal_bandit import reward
from paper_figures.mixture.found import MIXTURE, POINT, read_trials, summary
from paper_figures.mixture.gaussian_mixtures import Array, normal
from paper_figures.mixture.studies import NumericalStudy

NAME, STUDY = "figure_1", "numerical_study"
SHOWN_ALPHA = 0.3
MARKED = (0.2, 0.3, 0.45)
"""The α at which the text changes what it says (Section 3.3)."""
ACTIONS: Array = np.linspace(-3, 3, 601)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 1 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    found = summary(read_trials(request.read_study(STUDY)))
    artifact.write_values(found, request.output)
    artifact.write_csv(found, request.output)
    settings = request.study_settings(STUDY, NumericalStudy)
    starts = f"{request.scale}, n = {settings.trials} starts"
    with style.figure(5.3) as drawing:
        a, b, c = drawing.subplots(3, 1)
        policies(a, found[found["alpha"] == SHOWN_ALPHA])
        style.panel_title(a, "a", "Optimal policies", f"α = {SHOWN_ALPHA:g}, {starts}")
        earned(b, found)
        style.panel_title(b, "b", "Optimal stationary points", starts)
        shares(c, found[found["policy"] == MIXTURE])
        style.panel_title(c, "c", "Bimodal stationary mixtures", starts)
        c.sharex(b)
        if found.empty:
            for axes in (a, b, c):
                style.centre_note(axes, "not recorded yet")
        legend(drawing, request)
        style.save(drawing, request.output)


def policies(axes: Axes, found: pd.DataFrame) -> None:
    """The reward, filled, and the densities of the optimal policies."""
    axes.fill_between(ACTIONS, reward(ACTIONS), color=style.EMPTY_COLOUR, lw=0, zorder=0)
    for row in found.to_dict("records"):
        look = style.POLICIES[row["policy"]]
        if row["stationary"]:
            values = density(*(float(row[name]) for name in POINT))
            axes.plot(ACTIONS, values, color=look.colour, ls=look.dashes)
    axes.set_xlim(ACTIONS[0], ACTIONS[-1])
    axes.set_ylim(0, 1.08)
    axes.set_xlabel("action", labelpad=1.5)
    axes.set_ylabel("reward; density", labelpad=2)


def density(mean_1: float, mean_2: float, log_std_1: float, log_std_2: float, w: float) -> Array:
    """The density of a row's policy at ACTIONS; NaN means that there is no second component."""
    first = w * normal(ACTIONS - mean_1, np.exp(2 * log_std_1))
    if np.isnan(mean_2):
        return first
    return first + (1 - w) * normal(ACTIONS - mean_2, np.exp(2 * log_std_2))


def alpha_axis(axes: Axes) -> None:
    """α from 0, with the text's boundaries."""
    axes.set_xlim(0, 0.64)
    axes.set_xlabel("entropy scale α", labelpad=1.5)
    for alpha in MARKED:
        axes.axvline(alpha, color=style.NOTE_COLOUR, ls=CLAIM_DASHES, lw=0.6, zorder=0)


def earned(axes: Axes, found: pd.DataFrame) -> None:
    """Expected reward of the optimal stationary point; 0 and a cross where none was found."""
    for name, look in style.POLICIES.items():
        rows = found[found["policy"] == name]
        values, none = rows["expected_reward"].fillna(0.0), rows["stationary"] == 0
        axes.plot(rows["alpha"], values, color=look.colour, ls=look.dashes, lw=0.8)
        size = 2.4 if name == MIXTURE else 4.2
        axes.plot(rows["alpha"][~none], values[~none], "o", color=look.colour, ms=size)
        axes.plot(rows["alpha"][none], values[none], "x", color=look.colour, ms=size + 1, mew=0.8)
    alpha_axis(axes)
    axes.set_ylim(-0.08, 1.06)
    axes.set_ylabel("expected reward", labelpad=2)


def shares(axes: Axes, found: pd.DataFrame) -> None:
    """The percentage of bimodal among stationary mixtures, with its interval; below, how many stationary ones there are."""
    look, there = style.POLICIES[MIXTURE], found[found["stationary"] > 0]
    share = 100 * there["bimodal_share"]
    ends = [share - 100 * there["low"], 100 * there["high"] - share]
    axes.errorbar(
        there["alpha"], share, np.maximum(ends, 0), color=look.colour, fmt="o-", ms=2.6, lw=0.8
    )
    interior = there[there["interior"] > 0]
    within = 100 * interior["interior_bimodal"] / interior["interior"]
    axes.plot(interior["alpha"], within, "o", color=look.colour, mfc="none", ms=4.6, mew=0.6)
    for alpha, count in found[["alpha", "stationary"]].itertuples(index=False):
        axes.annotate(
            f"{count}",
            (alpha, -14),
            rotation=90,
            ha="center",
            va="center",
            fontsize=style.SMALL - 1,
            color=style.NOTE_COLOUR,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )
    alpha_axis(axes)
    axes.set_ylim(-24, 111)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_ylabel("bimodal (%)", labelpad=2)


def legend(drawing: Figure, request: Request) -> None:
    """How to read the figure, then the policies."""
    handles = [
        Line2D([], [], color=look.colour, ls=look.dashes) for look in style.POLICIES.values()
    ]
    labels = [POLICIES[name] for name in style.POLICIES]
    handles.append(Line2D([], [], color=style.EMPTY_COLOUR, lw=4))
    labels.append("reward")
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, ls=CLAIM_DASHES, lw=0.6))
    labels.append("boundaries in the paper's text")
    note = (
        f"{request.scale_words}. Optimal: the largest objective of all stationary points found. (b) ×, at 0 as the paper "
        "draws it: none found. (c) with Wilson's 95\u00a0% interval; open circles: of those with both weights above 0; numbers: "
        "stationary mixtures found. table_numerical_study says which of the paper's statements hold."
    )
    style.legend_below(drawing, handles, labels, note)


if __name__ == "__main__":
    sys.exit(main())
