"""Artifacts about hyperparameters: what tables of arms at many settings, and figures of effects, have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.transforms import blended_transform_factory

from analysis.effects import FALLBACK
from analysis.statistics import (
    Scores,
    mean,
    minimum_detectable_difference,
    paired_t,
    pairs,
    pooled_std,
    welch_interval,
    welch_t,
)
from paper_figures import curves, style
from paper_figures.artifact import Request
from paper_figures.style import LineStyle
from paper_figures.tables import LOST, LOST_MARK, lost, with_n

ARM = (
    *("environment", "method", "setting", "label", "planned", "n", *LOST),
    *("mean", "std", "mean_low", "mean_high"),
)
"""The columns of statistics that are about one arm, as these artifacts' values repeat them."""


@dataclass(frozen=True)
class Bar:
    """A line of a `forest`: words, a value with its 95 % interval, and how it looks; `claim` is the paper's value."""

    words: str
    value: float
    low: float
    high: float
    colour: str = "black"
    hollow: bool = False
    claim: float = math.nan


def bar_of(effect: Mapping[str, Any], words: str, **look: Any) -> Bar:
    """A row of `analysis.effects.effects` as a line of a forest, by the analysis that it says to show."""
    parts = (effect[f"{effect['analysis']}_{part}"] for part in ("estimate", "low", "high"))
    return Bar(words, *parts, **look)


def analysis_words(effects: pd.DataFrame) -> str:
    """What stands in for the analysis over seeds, or why nothing does, in a sentence; empty where seeds give intervals.

    `effects` are rows of `analysis.effects.effects` of one factorial.
    """
    why, shown = effects["not_estimable"].iloc[0], effects["analysis"].iloc[0]
    if not why:
        return ""
    if shown == FALLBACK:
        return f"Contrast of cell means (Welch), among runs that did not diverge, because {why}."
    return f"Not estimable: {why}."


def trained(
    request: Request, table: str, environment: str, experiment: str | None = None
) -> pd.DataFrame:
    """The rows of an experiment's table on an environment; imported arms, which have no settings, are left aside."""
    rows = request.read(table, experiment)
    own = ~rows["imported"] if "imported" in rows else True
    return rows[(rows["environment"] == environment) & own].copy()


def members_of(scores: pd.DataFrame, arm: Mapping[str, Any]) -> pd.DataFrame:
    """The members of an arm, a row of statistics."""
    same = (scores["method"] == arm["method"]) & (scores["setting"] == arm["setting"])
    return scores[same]


def difference(scores: pd.DataFrame, reference: pd.DataFrame) -> dict[str, float]:
    """How members differ from those of a reference arm, both with columns seed and score.

    Keys: difference, difference_low, difference_high (Welch's 95 % interval), welch_p, paired_p.
    """
    x, y = (
        pd.Series(part["score"].to_numpy(np.float64), index=part["seed"]).dropna()
        for part in (scores, reference)
    )
    one, other = x.to_numpy(), y.to_numpy()
    interval = welch_interval(one, other)
    return {
        "difference": mean(one) - mean(other),
        "difference_low": interval.low,
        "difference_high": interval.high,
        "welch_p": welch_t(one, other).p,
        "paired_p": paired_t(*pairs(x, y)).p,
    }


def detectable_at(level: float, scores: pd.DataFrame, reference: pd.DataFrame) -> float:
    """The true difference of means that a two-sided t-test at `level` finds with 80 % power, from the members' spread.

    NaN without spread or with fewer than two scores.
    """
    x, y = (part["score"].dropna().to_numpy(np.float64) for part in (scores, reference))
    return minimum_detectable_difference(pooled_std(x, y), len(x), len(y), level)


# Words


def signed_interval(value: float, low: float, high: float) -> str:
    """ "+2300 [+1900, +2700]", with the digits that the interval deserves; a dash without a value."""
    known = math.isfinite(low) and math.isfinite(high)
    decimals = style.decimals_for((high - low) / 4 if known else math.nan, value)
    first, *ends = (style.number(each, decimals, signed=True) for each in (value, low, high))
    return f"{first} [{', '.join(ends)}]" if known else first


def score(arm: Mapping[str, Any]) -> str:
    """An arm's mean ± standard deviation, with n where members are lost, and a mark."""
    return with_n(arm, style.mean_and_std(arm["mean"], arm["std"]), arm["planned"])


def lost_note(arms: pd.DataFrame, names: Sequence[str]) -> str:
    """What became of members without a score, arm by arm, in a sentence; empty where there are none.

    Arms without any record are counted, not listed.
    """
    told = [
        f"{name}: n = {arm['n']} of {arm['planned']} ({lost(arm)})"
        for arm, name in zip(arms.to_dict("records"), names, strict=True)
        if lost(arm) and arm["missing"] != arm["planned"]
    ]
    absent = int((arms["missing"] == arms["planned"]).sum())
    if absent:
        told.append(f"{absent} of {len(arms)} cells without any record")
    return f"{LOST_MARK} Members without a score. {'; '.join(told)}." if told else ""


def lost_words(arms: pd.DataFrame) -> str:
    """How many members diverged, failed or are missing over all arms, for a figure's legend."""
    gone = {status: int(arms[status].sum()) for status in LOST}
    told = ", ".join(f"{count} {status}" for status, count in gone.items() if count)
    crossed = " (×: diverged or failed)" if gone["diverged"] or gone["failed"] else ""
    return f"Of {int(arms['planned'].sum())} members: {told}{crossed}." if told else ""


def counts(arms: pd.DataFrame) -> str:
    """ "n = 5", "n = 3–5" where arms with a score differ, with the number of arms that have none."""
    scored = arms.loc[arms["n"] > 0, "n"]
    if scored.empty:
        return "n = 0"
    low, high = scored.min(), scored.max()
    empty = len(arms) - len(scored)
    text = f"n = {low}" if low == high else f"n = {low}–{high}"
    return f"{text}, {len(scored)}/{len(arms)} cells" if empty else text


# Drawing


def stacked(drawing: Figure, heights: Sequence[float]) -> list[SubFigure]:
    """Parts of a figure below one another, each of which leaves its own room for labels."""
    return list(drawing.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0])


def forest(axes: Axes, bars: Sequence[Bar]) -> None:
    """Values with their intervals, one below the other; words and numbers stand above each.

    A claim is a dashed tick, or words where it is so far off that the intervals would be points.
    """
    inside = blended_transform_factory(axes.transAxes, axes.transData)
    ends = [0.0, *(v for b in bars for v in (b.value, b.low, b.high) if math.isfinite(v))]
    left, right = curves.view(np.array(ends), [b.claim for b in bars if math.isfinite(b.claim)])
    axes.axvline(0, color=style.NOTE_COLOUR, lw=0.6, alpha=0.6, zorder=0)
    for y, bar in enumerate(bars):
        look: dict[str, Any] = {"color": bar.colour, "fontsize": style.SMALL, "va": "bottom"}
        look |= {
            "transform": inside,
            "bbox": {"fc": "white", "ec": "none", "pad": 0.5},
            "zorder": 1,
        }
        number = signed_interval(bar.value, bar.low, bar.high)
        known = math.isfinite(bar.value)
        axes.text(0.0, y - 0.1, bar.words + _far(bar.claim, left, right), ha="left", **look)
        axes.text(1.0, y - 0.1, number if known else "not estimable", ha="right", **look)
        place, fill = y + 0.18, "white" if bar.hollow else bar.colour
        axes.plot([bar.low, bar.high], [place] * 2, color=bar.colour, lw=1.1, zorder=2)
        axes.plot(bar.value, place, "o", ms=3.4, mfc=fill, mec=bar.colour, mew=0.8, zorder=3)
        if left <= bar.claim <= right:
            tick = [place - 0.2, place + 0.2]
            axes.plot([bar.claim] * 2, tick, color=bar.colour, ls=(0, (2, 1)), lw=0.9, zorder=4)
    if len(ends) == 1:
        axes.set_xticks([])
    margin = 0.04 * ((right - left) or 1.0)
    axes.set_xlim(left - margin, right + margin)
    axes.set_ylim(len(bars) - 0.5, -0.7)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _far(claim: float, low: float, high: float) -> str:
    """A claim beyond the axis in words; empty where it is on the axis or there is none."""
    if not math.isfinite(claim) or low <= claim <= high:
        return ""
    return f" (paper: {style.number(claim, 0, signed=True)} {'→' if claim > high else '←'})"


def mean_bar(
    axes: Axes, arm: Mapping[str, Any], place: float, width: float, look: LineStyle
) -> None:
    """A horizontal bar from zero to an arm's mean; words where it has none."""
    if arm["n"]:
        axes.barh(place, arm["mean"], height=width, color=look.colour, alpha=0.4, lw=0)
        return
    axes.text(0, place, " no data", va="center", fontsize=style.SMALL - 1, color=style.NOTE_COLOUR)


def claims_across(
    axes: Axes, drawn: Scores, claims: Mapping[str, float], styles: Mapping[str, LineStyle]
) -> str:
    """The paper's returns as dashed lines across horizontal bars; returns in words those that are too far off."""
    low, high = curves.view(np.append(drawn, 0.0) if len(drawn) else drawn, list(claims.values()))
    margin = 0.03 * (high - low)
    axes.set_xlim(low - (margin if low < 0 else 0), high + margin)
    for method, value in claims.items():
        if low <= value <= high:
            colour = styles[method].colour
            axes.axvline(value, color=colour, ls=curves.CLAIM_DASHES, lw=0.9, zorder=4)
    far = [value for value in claims.values() if not low <= value <= high]
    numbers = " and ".join(style.number(value, 0) for value in far)
    return f"the paper: {numbers} {'→' if max(far) > high else '←'}" if far else ""


def dots(axes: Axes, scores: pd.Series, place: float, look: LineStyle, vertical: bool) -> None:
    """Every member's score as a dot at `place`; for those that have none see `crosses`."""
    known = scores.dropna().to_numpy(np.float64)
    at = np.full(len(known), place)
    x, y = (at, known) if vertical else (known, at)
    axes.plot(x, y, "o", ms=2.2, mew=0.3, mec="white", color=look.colour, alpha=0.75, zorder=3)


def crosses(
    axes: Axes, members: pd.DataFrame, place: float, look: LineStyle, vertical: bool
) -> None:
    """A cross at the foot of the axis for the members at `place` that diverged or failed, with their number."""
    gone = int(members["status"].isin(("diverged", "failed")).sum())
    if not gone:
        return
    x, y = (place, 0.03) if vertical else (0.01, place)
    along = (axes.transData, axes.transAxes)
    frame = blended_transform_factory(*(along if vertical else along[::-1]))
    axes.plot(x, y, "x", color=look.colour, ms=3, mew=0.9, transform=frame, zorder=5, clip_on=False)
    if gone > 1:
        axes.annotate(
            f"{gone}",
            (x, y),
            xycoords=frame,
            xytext=(0, 2) if vertical else (3, -2),
            textcoords="offset points",
            ha="center" if vertical else "left",
            fontsize=style.SMALL - 1.5,
            color=look.colour,
        )
