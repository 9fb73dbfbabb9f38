"""How sensitive methods are to one hyperparameter: for each environment, one or two panels of arms side by side."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.effects import levels
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.bootstrap import estimate
from paper_figures.style import LineStyle

COLUMNS = ("environment", "experiment", "method", "level", "planned", "n", "mean", "low", "high")
PANELS = 4
"""Panels in a row."""


@dataclass(frozen=True)
class Arm:
    """A method of an experiment; `kind` tells it from the same method of another, in words and by dashes."""

    experiment: str
    method: str
    kind: str = ""

    @property
    def label(self) -> str:
        """Its name in the legend."""
        return ", ".join(filter(None, (METHODS[self.method].label, self.kind)))

    @property
    def look(self) -> LineStyle:
        """The method's colour."""
        look = style.METHODS[self.method]
        return replace(look, dashes=":") if self.kind else look


@dataclass(frozen=True)
class Panel:
    """What stands in one panel, by the values of `over`, a hyperparameter that the axis calls `axis`."""

    title: str
    arms: tuple[Arm, ...]
    over: str
    axis: str
    logarithmic: bool = False


@dataclass(frozen=True)
class Layout:
    """A figure of this kind: environments by title; what a member's value is, in words, and from its score.

    Of the environments those are drawn that the scale plans in every experiment.
    """

    name: str
    titles: Mapping[str, str]
    panels: tuple[Panel, ...]
    axis: str
    words: str
    value: Callable[[pd.DataFrame], pd.Series]
    logarithmic: bool = False

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm of the panels."""
        return tuple(arm for panel in self.panels for arm in panel.arms)


def beta_panels(pmpo: str, *dpo: Arm) -> tuple[Panel, Panel]:
    """PMPO's three kinds of feedback by their β, of experiment `pmpo`, and DPO by its, which is another quantity."""
    kinds = tuple(Arm(pmpo, method) for method in ("pmpo_ar", "pmpo_a", "pmpo_r"))
    return Panel("PMPO", kinds, "beta", "β"), Panel("DPO", dpo, "beta", "β", logarithmic=True)


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure; its csv has every run."""
    members = read(layout, request)
    titles = drawn(layout, members)
    members = members[members["environment"].isin(titles)]
    table = values(members, layout.logarithmic)
    artifact.write_values(table, request.output)
    artifact.write_csv(members, request.output)
    each = PANELS // len(layout.panels)
    rows = -(-len(titles) // each)
    with style.figure(1.35 * rows + 0.7, style.PAGE) as drawing:
        places = drawing.subplots(rows, PANELS, squeeze=False).flat
        letters = iter(string.ascii_lowercase)
        for environment, title in titles.items():
            own = table[table["environment"] == environment]
            first: Axes | None = None
            for shown in layout.panels:
                axes = next(places)
                panel(axes, next(letters), shown, own, layout)
                if first is None:
                    first = axes
                    words = title.replace(", ", "\n")  # one line is longer than the panel is high
                    axes.set_ylabel(f"{words}\n{layout.axis}", labelpad=2)
                else:
                    axes.sharey(first)
        for axes in places:
            axes.set_axis_off()
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, layout, request)
        style.save(drawing, request.output)


def drawn(layout: Layout, members: pd.DataFrame) -> dict[str, str]:
    """The environments that every experiment of the figure plans, by title."""
    plans = [set(own["environment"]) for _, own in members.groupby("experiment")]
    shared = set.intersection(*plans)
    return {name: title for name, title in layout.titles.items() if name in shared}


def read(layout: Layout, request: Request) -> pd.DataFrame:
    """Each member's value. Columns: environment, experiment, method, seed, status, level, value (NaN unless it is done)."""
    parts = []
    for shown in layout.panels:
        for arm in shown.arms:
            scores = request.read("scores", arm.experiment)
            own = scores[~scores["imported"] & (scores["method"] == arm.method)]
            own = own[own["environment"].isin(layout.titles)]
            members = own[["environment", "method", "seed", "status"]]
            at = levels(own)[shown.over].astype("float64") if len(own) else np.nan
            parts.append(
                members.assign(experiment=arm.experiment, level=at, value=layout.value(own))
            )
    return pd.concat(parts, ignore_index=True)


def values(members: pd.DataFrame, geometric: bool) -> pd.DataFrame:
    """The mean over seeds of their value, by logarithms if `geometric`, with its 95 % bootstrap interval. Columns: COLUMNS."""
    rows = []
    for who, own in members.groupby(["environment", "experiment", "method", "level"], sort=False):
        found = own["value"].dropna().to_numpy(np.float64)
        rows.append((*who, len(own), *estimate(found, geometric)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def panel(axes: Axes, letter: str, shown: Panel, table: pd.DataFrame, layout: Layout) -> None:
    """One environment's `table`: each arm's mean by its level, hollow where members were lost."""
    lines = {
        arm: table[(table["experiment"] == arm.experiment) & (table["method"] == arm.method)]
        for arm in shown.arms
    }
    counted = pd.concat(lines.values())
    style.panel_title(axes, letter, shown.title, curves.counts(counted))
    if not counted["n"].any():
        axes.set(xticks=[], yticks=[])
        style.centre_note(axes, style.NO_RECORDS)
        return
    for arm, line in lines.items():
        look, line = arm.look, line.sort_values("level")
        at = line["level"]
        axes.plot(at, line["mean"], color=look.colour, ls=look.dashes, marker="o", ms=2.4)
        axes.vlines(at, line["low"], line["high"], color=look.colour, lw=1.0)
        lost = line[line["n"] < line["planned"]]
        axes.plot(lost["level"], lost["mean"], "o", mfc="white", mec=look.colour, ms=3.4, zorder=5)
    if layout.logarithmic:
        axes.set_yscale("log")
    if shown.logarithmic:
        axes.set_xscale("log")
        at = sorted(counted["level"].unique())
        axes.set_xticks(at, [f"{level:g}".replace("e-0", "e-") for level in at])
        axes.minorticks_off()
    axes.set_xlabel(shown.axis, labelpad=1.5)


def legend(drawing: Figure, layout: Layout, request: Request) -> None:
    """How to read the figure, then its arms."""
    shown = {arm.label: arm.look for arm in layout.arms}
    handles = [
        Line2D([], [], color=look.colour, ls=look.dashes, marker="o", ms=2.4)
        for look in shown.values()
    ]
    note = (
        f"{request.scale_words}. {layout.words}. Dots: {'geometric ' if layout.logarithmic else ''}mean over seeds; lines: its "
        "95\u00a0% bootstrap interval. Hollow: some members diverged, failed or are missing; the mean is of the others (where claims are "
        "tested, those that diverged count as random play)."
    )
    style.legend_below(drawing, handles, list(shown), note)
