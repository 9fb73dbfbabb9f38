"""Corrupted advantages: returns by noise level, absolute and relative to each method's own level 0."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.effects import levels
from analysis.statistics import improvement, improvement_interval
from paper_figures import artifact, curves, style, sweeps
from paper_figures.artifact import Request
from paper_figures.style import LineStyle

NAME = "figure_noise"
ENVIRONMENT = "HalfCheetah-v4"
FACTOR, REFERENCE = "advantage_noise", 0.0
OFFSET, DOTS = 0.22, 0.07
"""Horizontal distances, in levels: between methods, and from seeds to their mean."""
EMPTY = "no records yet"


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores = sweeps.trained(request, "scores", ENVIRONMENT)
    table = values(sweeps.trained(request, "statistics", ENVIRONMENT), scores)
    artifact.write_values(table, request.output)
    artifact.write_csv(scores.assign(level=levels(scores)[FACTOR]), request.output)
    with style.figure(4.9) as drawing:
        a, b = drawing.subplots(2, 1, sharex=True)
        returns(a, table, scores)
        relative(b, table, scores)
        about = f"{request.scale}, {sweeps.counts(table)}"
        style.panel_title(a, "a", "Return under noise", about)
        style.panel_title(b, "b", "Against no noise", about)
        legend(drawing, table, request)
        style.save(drawing, request.output)


def values(arms: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and level, levels ascending, with what they lose to the method's own level 0.

    Columns: level, those of statistics that are about one arm, those of sweeps.difference, relative, relative_low,
    relative_high (% of the mean at level 0, Fieller), below (whether the difference's interval lies below 0), breaks_at,
    breaks (see `breaking`).
    """
    told = levels(arms)[FACTOR]
    parts = []
    for method in dict.fromkeys(arms["method"]):
        own = arms[arms["method"] == method].assign(level=told).sort_values("level")
        (reference,) = own[own["level"] == REFERENCE].to_dict("records")
        rows = [_row(arm, reference, scores) for arm in own.to_dict("records")]
        level, said = breaking(rows)
        parts += [{**row, "breaks_at": level, "breaks": said} for row in rows]
    return pd.DataFrame(parts)


def _row(
    arm: Mapping[str, Any], reference: Mapping[str, Any], scores: pd.DataFrame
) -> dict[str, Any]:
    row = {"level": arm["level"], **{name: arm[name] for name in sweeps.ARM}}
    if arm["level"] == REFERENCE:
        return {**row, "relative": 0.0 if arm["mean"] > 0 else math.nan, "below": False}
    members, own = (sweeps.members_of(scores, each) for each in (arm, reference))
    x, y = (part["score"].dropna().to_numpy(np.float64) for part in (members, own))
    gap = sweeps.difference(members, own)
    low, high = improvement_interval(x, y)
    return {
        **row,
        **gap,
        "relative": improvement(x, y),
        "relative_low": low,
        "relative_high": high,
        "below": gap["difference_high"] < 0,
    }


def breaking(rows: Sequence[Mapping[str, Any]]) -> tuple[float, str]:
    """Where a method breaks, and in words: the first level that is below its level 0 by the whole 95 % interval.

    `rows` are the method's, levels ascending. A level before it whose interval is not known may be the first.
    """
    unknown = False
    for row in rows:
        if row["level"] == REFERENCE:
            continue
        if row["below"]:
            return row["level"], f"breaks at {row['level']:g}" + " or before" * unknown
        unknown = unknown or not math.isfinite(row["difference_high"])
    return math.nan, "not known" if unknown else "does not break"


def returns(axes: Axes, table: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Panel (a): each method's mean return with its 95 % t interval, a dot for each seed."""
    for at, look, own in _methods(table):
        _line(axes, at, own, ("mean", "mean_low", "mean_high"), look)
        for place, arm in zip(at, own.to_dict("records"), strict=True):
            members = sweeps.members_of(scores, arm)
            sweeps.dots(axes, members["score"], place - DOTS, look, vertical=True)
            sweeps.crosses(axes, members, place, look, vertical=True)
    _limits(axes, scores["score"], table[["mean_low", "mean_high"]], EMPTY)
    axes.set_ylabel("final return", labelpad=2)


def relative(axes: Axes, table: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Panel (b): the same in per cent of the method's own mean at level 0, a ring where it breaks."""
    axes.axhline(0, color=style.NOTE_COLOUR, lw=0.6, zorder=0)
    drawn = [pd.Series(dtype="float64")]
    for at, look, own in _methods(table):
        _line(axes, at, own, ("relative", "relative_low", "relative_high"), look)
        base = own.loc[own["level"] == REFERENCE, "mean"].iloc[0]
        for place, arm in zip(at, own.to_dict("records"), strict=True):
            members = sweeps.members_of(scores, arm)
            drawn.append(100 * (members["score"] / (base if base > 0 else math.nan) - 1))
            sweeps.dots(axes, drawn[-1], place - DOTS, look, vertical=True)
            if arm["level"] == arm["breaks_at"]:
                axes.plot(place, arm["relative"], "o", ms=7, mfc="none", mec=look.colour, mew=0.9)
    scored = scores["score"].notna().any()
    why = "no method has a positive mean\nwithout noise" if scored else EMPTY
    _limits(axes, pd.concat(drawn), table[["relative_low", "relative_high"]], why)
    axes.set_ylabel("change of the return (%)", labelpad=2)
    axes.set_xlabel("noise in advantages (standard deviations of a rollout's)", labelpad=1.5)
    shown = sorted(set(table["level"]))
    axes.set_xticks(range(len(shown)), [f"{level:g}" for level in shown])
    axes.set_xlim(-0.5, len(shown) - 0.5)


def _methods(table: pd.DataFrame) -> list[tuple[list[float], LineStyle, pd.DataFrame]]:
    """Each method: its places on the horizontal axis, its look, and its rows."""
    methods, shown = list(dict.fromkeys(table["method"])), sorted(set(table["level"]))
    styles = style.line_styles(methods)
    found = []
    for index, method in enumerate(methods):
        own = table[table["method"] == method]
        shift = OFFSET * (index - (len(methods) - 1) / 2)
        found.append(([shown.index(level) + shift for level in own["level"]], styles[method], own))
    return found


def _line(
    axes: Axes, at: Sequence[float], own: pd.DataFrame, columns: Sequence[str], look: LineStyle
) -> None:
    """Means joined by a line, with their intervals where these are finite."""
    value, low, high = (own[column].to_numpy(np.float64) for column in columns)
    axes.plot(at, value, color=look.colour, ls=look.dashes, lw=0.9, marker="o", ms=3, zorder=4)
    bounded = np.isfinite(low) & np.isfinite(high)
    axes.vlines(
        np.array(at)[bounded], low[bounded], high[bounded], color=look.colour, lw=1.1, zorder=3
    )


def _limits(axes: Axes, seeds: pd.Series, intervals: pd.DataFrame, why: str) -> None:
    """Limits that hold zero, every seed, and the intervals that are not far longer; without seeds, `why`."""
    drawn = seeds.dropna().to_numpy(np.float64)
    if not len(drawn):
        axes.set_yticks([])
        style.centre_note(axes, why)
        return
    ends = intervals.to_numpy(np.float64)
    low, high = curves.view(np.append(drawn, 0.0), list(ends[np.isfinite(ends)]))
    margin = 0.08 * ((high - low) or 1.0)
    axes.set_ylim(low - margin, high + margin)


def legend(drawing: Figure, table: pd.DataFrame, request: Request) -> None:
    """Every method with where it breaks, and how to read the figure."""
    handles, labels = [], []
    for _, look, own in _methods(table):
        handles.append(Line2D([], [], color=look.colour, ls=look.dashes, marker="o", ms=3, lw=0.9))
        where = own["breaks"].iloc[0].replace(" ", "\u00a0")
        labels.append(f"{own['label'].iloc[0]}: {where}")
    steps = request.steps[ENVIRONMENT]
    notes = [
        f"{request.scale_words}; {ENVIRONMENT}, {steps:,} steps. Small dots: seeds; lines: 95 % intervals, of the mean "
        "(Student's t), and of its change against the method's own level 0 (Fieller). A method breaks (ring) at the first "
        "level where the 95 % Welch interval of the difference to its own level 0 lies below zero, not adjusted for "
        "the number of levels. Noise is Gaussian, added after GAE; value targets are untouched.",
        sweeps.lost_words(table),
    ]
    style.legend_below(drawing, handles, labels, " ".join(filter(None, notes)))


if __name__ == "__main__":
    sys.exit(main())
