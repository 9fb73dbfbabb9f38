"""How sensitive PMPO and DPO are to β: for each environment, PMPO's three kinds of feedback, and DPO beside them."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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

KINDS = {"PMPO": ("pmpo_ar", "pmpo_a", "pmpo_r"), "DPO": ("dpo",)}
"""Arms that stand in one panel; β of the one is no β of the other."""
ARMS = tuple(arm for arms in KINDS.values() for arm in arms)
COLUMNS = ("environment", "method", "beta", "planned", "n", "mean", "low", "high")


@dataclass(frozen=True)
class Layout:
    """A figure of this kind: two environments a row, by title; what a member's value is, in words, and from its score."""

    name: str
    titles: Mapping[str, str]
    axis: str
    words: str
    value: Callable[[pd.DataFrame], pd.Series]
    logarithmic: bool = False


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure; its csv has every run."""
    members = read(layout, request)
    table = values(members, layout.logarithmic)
    artifact.write_values(table, request.output)
    artifact.write_csv(members, request.output)
    rows = -(-len(layout.titles) // 2)
    with style.figure(1.35 * rows + 0.7, style.PAGE) as drawing:
        panels = drawing.subplots(rows, 4, squeeze=False).flat
        letters = iter(string.ascii_lowercase)
        for environment, title in layout.titles.items():
            own = table[table["environment"] == environment]
            places = (next(panels), next(panels))
            for axes, (kind, arms) in zip(places, KINDS.items(), strict=True):
                shown = own[own["method"].isin(arms)]
                panel(axes, next(letters), kind, shown, layout)
            places[1].sharey(places[0])
            words = title.replace(", ", "\n")  # one line would be longer than the panel is high
            places[0].set_ylabel(f"{words}\n{layout.axis}", labelpad=2)
        for axes in panels:
            axes.set_axis_off()
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, layout, request)
        style.save(drawing, request.output)


def read(layout: Layout, request: Request) -> pd.DataFrame:
    """Each member's value. Columns: environment, method, seed, status, beta, value (NaN unless it is done)."""
    shown = request.paper.artifacts[layout.name].experiments
    scores = pd.concat([request.read("scores", name) for name in shown], ignore_index=True)
    own = scores[~scores["imported"] & scores["environment"].isin(layout.titles)]
    members = own[["environment", "method", "seed", "status"]]
    return members.assign(beta=levels(own)["beta"].astype("float64"), value=layout.value(own))


def values(members: pd.DataFrame, geometric: bool) -> pd.DataFrame:
    """The mean over seeds of their value, by logarithms if `geometric`, with its 95 % bootstrap interval. Columns: COLUMNS."""
    rows = []
    for who, own in members.groupby(["environment", "method", "beta"], sort=False):
        found = own["value"].dropna().to_numpy(np.float64)
        rows.append((*who, len(own), *estimate(found, geometric)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def panel(axes: Axes, letter: str, kind: str, own: pd.DataFrame, layout: Layout) -> None:
    """One environment: each arm's mean by β, hollow where members were lost."""
    style.panel_title(axes, letter, kind, curves.counts(own))
    if not own["n"].any():
        axes.set(xticks=[], yticks=[])
        style.centre_note(axes, style.NO_RECORDS)
        return
    for arm in KINDS[kind]:
        look, line = style.METHODS[arm], own[own["method"] == arm].sort_values("beta")
        axes.plot(line["beta"], line["mean"], color=look.colour, ls=look.dashes, marker="o", ms=2.4)
        axes.vlines(line["beta"], line["low"], line["high"], color=look.colour, lw=1.0)
        lost = line[line["n"] < line["planned"]]
        axes.plot(lost["beta"], lost["mean"], "o", mfc="white", mec=look.colour, ms=3.4, zorder=5)
    if layout.logarithmic:
        axes.set_yscale("log")
    if kind == "DPO":
        axes.set_xscale("log")
    axes.set_xlabel("β", labelpad=1.5)


def legend(drawing: Figure, layout: Layout, request: Request) -> None:
    """How to read the figure, then its arms."""
    looks = [style.METHODS[arm] for arm in ARMS]
    handles = [
        Line2D([], [], color=look.colour, ls=look.dashes, marker="o", ms=2.4) for look in looks
    ]
    note = (
        f"{request.scale_words}. {layout.words}, by the weight β of the KL term (PMPO) or of the log-ratio (DPO). Dots: "
        f"{'geometric ' if layout.logarithmic else ''}mean over seeds; lines: its "
        "95\u00a0% bootstrap interval. Hollow: some members diverged, failed or are missing; the mean is of the others."
    )
    style.legend_below(drawing, handles, [METHODS[arm].label for arm in ARMS], note)
