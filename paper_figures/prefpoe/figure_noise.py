"""Corrupted advantages: returns by noise level, relative to each method's own level 0, and against PPO's relative loss.

Methods are compared by the interval of the difference of their relative changes, never by whose own drop is significant:
an arm with a smaller spread shows the same loss at a lower level.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.effects import levels
from analysis.statistics import (
    UNDEFINED,
    Interval,
    Scores,
    improvement,
    improvement_interval,
    mean,
    minimum_detectable_difference,
    pooled_std,
)
from paper_figures import artifact, curves, style, sweeps
from paper_figures.artifact import Request
from paper_figures.style import LineStyle

NAME = "figure_noise"
ENVIRONMENT = "HalfCheetah-v4"
FACTOR, REFERENCE = "advantage_noise", 0.0
BASELINE = "ppo"
OFFSET, DOTS = 0.22, 0.07
"""Horizontal distances, in levels: between methods, and from seeds to their mean."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    scores = sweeps.trained(request, "scores", ENVIRONMENT)
    table = values(sweeps.trained(request, "statistics", ENVIRONMENT), scores)
    artifact.write_values(table, request.output)
    artifact.write_csv(scores.assign(level=levels(scores)[FACTOR]), request.output)
    with style.figure(6.5) as drawing:
        a, b, c = drawing.subplots(3, 1, sharex=True)
        returns(a, table, scores)
        relative(b, table, scores)
        against_baseline(c, table)
        about = f"{request.scale}, {sweeps.counts(table)}"
        style.panel_title(a, "a", "Return under noise", about)
        style.panel_title(b, "b", "Against no noise", about)
        style.panel_title(c, "c", "Change minus PPO's", about)
        legend(drawing, table, request)
        style.save(drawing, request.output)


def values(arms: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each method and level, levels ascending, with what it loses to its own level 0, and beside PPO's loss.

    Columns: level, those of statistics that are about one arm, relative, relative_low, relative_high (% of the mean at
    level 0, Fieller), detectable (% of that mean: the smallest true change found with 80 % power), beyond, beyond_low,
    beyond_high (percentage points: relative minus PPO's at this level, see `difference_of_changes`).
    """
    table = arms[list(sweeps.ARM)].assign(level=levels(arms)[FACTOR])
    table = table.sort_values("level", kind="stable")
    parts = []
    for method in dict.fromkeys(arms["method"]):
        for arm in table[table["method"] == method].to_dict("records"):
            x, y = (_scored(scores, table, method, at) for at in (arm["level"], REFERENCE))
            row: dict[str, Any] = {"level": arm["level"], **arm, "relative": improvement(x, y)}
            if arm["level"] != REFERENCE:
                row["relative_low"], row["relative_high"] = improvement_interval(x, y)
                row["detectable"] = detectable(x, y)
            if arm["level"] != REFERENCE and method != BASELINE:
                pair = (_scored(scores, table, BASELINE, at) for at in (arm["level"], REFERENCE))
                row |= _beyond((x, y), tuple(pair))
            parts.append(row)
    return pd.DataFrame(parts)


def _scored(scores: pd.DataFrame, table: pd.DataFrame, method: str, level: float) -> Scores:
    (arm,) = table[(table["method"] == method) & (table["level"] == level)].to_dict("records")
    found: Scores = sweeps.members_of(scores, arm)["score"].dropna().to_numpy(np.float64)
    return found


def _beyond(own: tuple[Scores, ...], other: tuple[Scores, ...]) -> dict[str, float]:
    low, high = difference_of_changes(own, other)
    value = improvement(*own) - improvement(*other)
    return {"beyond": value, "beyond_low": low, "beyond_high": high}


def detectable(x: Scores, y: Scores) -> float:
    """The smallest true change of the mean, in % of y's mean, that a 5 % t-test of x and y finds with 80 % power."""
    smallest = minimum_detectable_difference(pooled_std(x, y), len(x), len(y))
    return 100 * smallest / mean(y) if mean(y) > 0 else math.nan


def difference_of_changes(own: Sequence[Scores], other: Sequence[Scores]) -> Interval:
    """95 % interval of the difference of two relative changes, `own` minus `other`, in percentage points.

    Each is (scores with noise, scores without). Fieller's intervals of the two changes, taken as independent, are
    combined by the recovery of their variances (Zou and Donner 2008, Stat. Med. 27): each end of the difference is as
    far away as the root of the sum of the squared distances to the ends that it takes. Unbounded where either is;
    NaN where either is not defined.
    """
    a, b = improvement(*own), improvement(*other)
    (a_low, a_high), (b_low, b_high) = improvement_interval(*own), improvement_interval(*other)
    if any(math.isnan(end) for end in (a_low, a_high, b_low, b_high)):
        return UNDEFINED
    below, above = math.hypot(a - a_low, b_high - b), math.hypot(a_high - a, b - b_low)
    return Interval(a - b - below, a - b + above)


def returns(axes: Axes, table: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Panel (a): each method's mean return with its 95 % t interval, a dot for each seed."""
    for at, look, own in _methods(table):
        _line(axes, at, own, ("mean", "mean_low", "mean_high"), look)
        for place, arm in zip(at, own.to_dict("records"), strict=True):
            members = sweeps.members_of(scores, arm)
            sweeps.dots(axes, members["score"], place - DOTS, look, vertical=True)
            sweeps.crosses(axes, members, place, look, vertical=True)
    _limits(axes, scores["score"], table[["mean_low", "mean_high"]], style.NO_RECORDS)
    axes.set_ylabel("final return", labelpad=2)


def relative(axes: Axes, table: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Panel (b): the same in per cent of the method's own mean at level 0."""
    axes.axhline(0, color=style.NOTE_COLOUR, lw=0.6, zorder=0)
    drawn = [pd.Series(dtype="float64")]
    for at, look, own in _methods(table):
        _line(axes, at, own, ("relative", "relative_low", "relative_high"), look)
        base = own.loc[own["level"] == REFERENCE, "mean"].iloc[0]
        for place, arm in zip(at, own.to_dict("records"), strict=True):
            members = sweeps.members_of(scores, arm)
            drawn.append(100 * (members["score"] / (base if base > 0 else math.nan) - 1))
            sweeps.dots(axes, drawn[-1], place - DOTS, look, vertical=True)
    scored = scores["score"].notna().any()
    why = "no method has a positive mean\nwithout noise" if scored else style.NO_RECORDS
    _limits(axes, pd.concat(drawn), table[["relative_low", "relative_high"]], why)
    axes.set_ylabel("change of the return (%)", labelpad=2)


def against_baseline(axes: Axes, table: pd.DataFrame) -> None:
    """Panel (c): each method's change minus PPO's at the same level; an interval without ends is a dotted line."""
    axes.axhline(0, color=style.NOTE_COLOUR, lw=0.6, zorder=0)
    for at, look, own in _methods(table):
        _line(axes, at, own, ("beyond", "beyond_low", "beyond_high"), look)
        endless = np.isinf(own["beyond_low"]) | np.isinf(own["beyond_high"])
        for place in np.array(at)[endless.to_numpy()]:
            axes.axvline(place, color=look.colour, ls=":", lw=0.9)
    compared = table["beyond"].notna().any()
    scored = table["n"].any()
    why = (
        "PPO, or every other method, has no\nchange against no noise"
        if scored
        else style.NO_RECORDS
    )
    ends = table[["beyond_low", "beyond_high"]].to_numpy(np.float64)
    inside = ends[np.isfinite(ends)] if compared else ends[:0]
    _limits(axes, pd.Series([*table["beyond"].dropna(), *inside]), table[["beyond"]], why)
    axes.set_ylabel("difference (points)", labelpad=2)
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
    """Every method with the changes that it could have shown, and how to read the figure."""
    handles, labels = [], []
    for _, look, own in _methods(table):
        handles.append(Line2D([], [], color=look.colour, ls=look.dashes, marker="o", ms=3, lw=0.9))
        labels.append(f"{own['label'].iloc[0]}: {smallest_words(own)}")
    steps = request.steps[ENVIRONMENT]
    notes = [
        f"{request.scale_words}; {ENVIRONMENT}, {steps:,} steps. Small dots: seeds; lines: 95 % intervals, in (a) of the mean "
        "(Student's t), in (b) of its change against the method's own level 0 (Fieller), in (c) of the difference of two such "
        "changes (both Fieller's, combined by variance recovery; dotted: unbounded). Methods are compared in (c) only; no interval is adjusted for the number "
        "of levels or methods. Below: the smallest true change in (b) that a 5 % test finds with 80 % power, over the levels. "
        "Noise is Gaussian, added after GAE; value targets are untouched.",
        sweeps.lost_words(table),
    ]
    style.legend_below(drawing, handles, labels, " ".join(filter(None, notes)))


def smallest_words(own: pd.DataFrame) -> str:
    """The range over a method's levels of the changes that it could have shown."""
    known = own["detectable"].dropna()
    if known.empty:
        return "detectable change not known"
    low, high = (style.number(end, 0) for end in (known.min(), known.max()))
    return f"can show {low} %" if low == high else f"can show {low} to {high} %"


if __name__ == "__main__":
    sys.exit(main())
