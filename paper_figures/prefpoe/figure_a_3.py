"""Figure A.3: fifty episodes of one trained policy: their returns, in order, and its actions in every dimension."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from algorithms.records import StudyRecord
from algorithms.settings import METHODS
from envs.registry import ENVIRONMENTS, Continuous
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.prefpoe import OWN
from paper_figures.prefpoe.studies import Deployment
from paper_figures.style import LineStyle

NAME, ENVIRONMENT, STUDY = "figure_a_3", "HalfCheetah-v4", "deployment"
CLAIM = "table_a_3.single_model"
EXTREME, SHOWN = 3.0, 4.1
"""The paper's "extreme values (±3 range)" (C.1), and how far axes of actions reach: as far as the study counts in bins."""
RETURN_BINS = 30
EPISODES = {
    "method": "object",
    "episode": "int64",
    "return": "float64",
    "length": "int64",
    "reward_mean": "float64",
    "value_mean": "float64",
}
ACTIONS = {
    "method": "object",
    "dimension": "int64",
    "applied": "bool",
    "low": "float64",
    "high": "float64",
    "share": "float64",
    "outside": "float64",
}
"""Columns of what is drawn. `applied`: after clipping; `share` of the steps in a bin, and `outside` the bounds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure A.3 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    methods = request.plan.studies[STUDY].methods
    episodes, actions, lost = read(request.read_study(STUDY))
    artifact.write_values(actions, request.output)
    artifact.write_csv(episodes, request.output)
    claim = float(request.claims[CLAIM].reported.value)
    styles = style.line_styles(methods)
    with style.figure(6.1) as drawing:
        grid = drawing.add_gridspec(3, 6, height_ratios=[1.35, 1.0, 1.0])
        a = drawing.add_subplot(grid[0, :2])
        b = drawing.add_subplot(grid[0, 2:], sharey=a)
        returns(a, b, episodes, styles, claim)
        action_panels(drawing, grid, actions, styles)
        settings = request.study_settings(STUDY, Deployment)
        style.panel_title(a, "a", "Returns", "")
        style.panel_title(b, "b", "In order", f"{request.scale}, n = {settings.episodes} episodes")
        legend(drawing, styles, lost, settings.seed, request)
        style.save(drawing, request.output)


def read(record: StudyRecord | None) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Episodes and histograms of actions to draw, and methods that have none because their member diverged."""
    if record is None:
        nothing = [pd.DataFrame(columns=list(kinds)).astype(kinds) for kinds in (EPISODES, ACTIONS)]
        return nothing[0], nothing[1], {}
    tables = {
        name: table[table["environment"] == ENVIRONMENT].drop(columns="environment")
        for name in ("members", "episodes", "actions", "histograms")
        for table in [record.table(name)]
    }
    members, episodes = tables["members"], tables["episodes"]
    lost = members[members["status"] != "done"].set_index("method")["status"].to_dict()
    about = tables["actions"][["method", "dimension", "applied", "n", "outside"]]
    counted = tables["histograms"].merge(about, on=["method", "dimension", "applied"])
    counted = counted[counted["dimension"] >= 0]
    counted = counted.assign(share=counted["count"] / counted["n"])
    own = episodes[episodes["way"] == OWN]
    return own[list(EPISODES)], counted[list(ACTIONS)], lost


def returns(
    a: Axes, b: Axes, episodes: pd.DataFrame, styles: Mapping[str, LineStyle], claim: float
) -> None:
    """How returns are distributed (a) and how they follow one another (b), on one axis of returns."""
    drawn = episodes["return"].to_numpy(np.float64)
    edges = np.histogram_bin_edges(drawn, RETURN_BINS)
    for method, look in styles.items():
        played = episodes[episodes["method"] == method]
        if played.empty:
            continue
        counts, _ = np.histogram(played["return"], edges)
        a.stairs(counts, edges, orientation="horizontal", color=look.colour, ls=look.dashes, lw=0.9)
        a.stairs(counts, edges, orientation="horizontal", color=look.colour, fill=True, alpha=0.25)
        (line,) = b.plot(played["episode"] + 1, played["return"], color=look.colour, lw=0.5)
        line.set(linestyle=look.dashes, marker="o", markersize=1.6, markeredgewidth=0)
    a.set_xlabel("episodes", labelpad=1.5)
    a.set_ylabel("return", labelpad=2)
    b.set_xlabel("episode", labelpad=1.5)
    b.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    b.tick_params(labelleft=False)
    low, high = curves.view(drawn, [claim])
    margin = 0.04 * (high - low)
    a.set_ylim(low - margin, high + margin)
    if low <= claim <= high:
        for axes in (a, b):
            axes.axhline(claim, color=style.NOTE_COLOUR, ls=curves.CLAIM_DASHES, lw=0.9)
    else:
        text = f"{'↑' if claim > high else '↓'}{style.number(claim, 0)}"
        b.annotate(text, (1.01, 0.98), xycoords="axes fraction", va="top", fontsize=style.SMALL)
    if episodes.empty:
        a.set_xticks([])
        b.set_xticks([])
        style.centre_note(b, "not recorded yet")


def action_panels(
    drawing: Figure, grid: GridSpec, actions: pd.DataFrame, styles: Mapping[str, LineStyle]
) -> None:
    """How often each action is taken, before clipping to the bounds: a panel for each dimension."""
    space = ENVIRONMENTS[ENVIRONMENT].action
    assert isinstance(space, Continuous)
    first: Axes | None = None
    for dimension in range(space.size):
        row, column = divmod(dimension, 3)
        where = grid[1 + row, 2 * column : 2 * column + 2]
        axes = drawing.add_subplot(where, sharex=first, sharey=first)
        here = actions[(actions["dimension"] == dimension) & ~actions["applied"]]
        action_panel(axes, here, styles, space)
        axes.set_title(f"{'' if dimension else '(c) '}action {dimension}", loc="left", pad=3)
        if row:
            axes.set_xlabel("before clipping", labelpad=1.5)
        if not column:
            axes.set_ylabel("% of steps", labelpad=2)
        axes.label_outer()
        first = first or axes


def action_panel(
    axes: Axes, actions: pd.DataFrame, styles: Mapping[str, LineStyle], space: Continuous
) -> None:
    """One dimension; the bounds are thin lines, and numbers say how much lies beyond them."""
    for bound in (space.low, space.high):
        axes.axvline(bound, color=style.NOTE_COLOUR, lw=0.4, zorder=0)
    shown = [name for name in styles if (actions["method"] == name).any()]
    for line, method in enumerate(shown):
        look, taken = styles[method], actions[actions["method"] == method]
        inner = taken[np.isfinite(taken["low"]) & np.isfinite(taken["high"])]
        edges = [*inner["low"], inner["high"].iloc[-1]]
        axes.stairs(100 * inner["share"], edges, color=look.colour, ls=look.dashes, lw=0.8)
        axes.text(
            0.98,
            0.98 - 0.11 * line,
            f"{100 * inner['outside'].iloc[0]:.0f}%",
            color=look.colour,
            transform=axes.transAxes,
            ha="right",
            va="top",
            fontsize=style.SMALL - 0.5,
        )
    if not shown:
        axes.set_yticks([])
        style.centre_note(axes, "no data")
    axes.set_xlim(-SHOWN, SHOWN)
    axes.set_xticks([-EXTREME, space.low, space.high, EXTREME])


def legend(
    drawing: Figure,
    styles: Mapping[str, LineStyle],
    lost: Mapping[str, str],
    seed: int,
    request: Request,
) -> None:
    """How to read the figure, then the arms."""
    handles = [Line2D([], [], color=look.colour, ls=look.dashes) for look in styles.values()]
    labels = [METHODS[name].label + (f" ({lost[name]})" if name in lost else "") for name in styles]
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, ls=curves.CLAIM_DASHES, lw=0.9))
    labels.append("the paper's mean")
    note = (
        f"{request.scale_words}. One policy an arm, of training seed {seed}: deterministic, observation "
        "statistics frozen. Thin lines in (c): the bounds; numbers, in the order of the arms: actions "
        "beyond them, which are clipped when applied."
    )
    style.legend_below(drawing, handles, labels, note)


if __name__ == "__main__":
    sys.exit(main())
