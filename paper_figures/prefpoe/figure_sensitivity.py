"""Robustness to hyperparameters: returns at the 32 corners of Table A.1's ranges, where members diverge, and effects.

Divergence is a primary outcome of its own: an effect on the return is about runs that have one.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.effects import FALLBACK, TIMES, Factor, effects, factorial, levels
from analysis.statistics import SIGNIFICANCE, holm
from paper_figures import artifact, curves, style, sweeps
from paper_figures.artifact import Request
from paper_figures.prefpoe.equilibrium import entropy_pull
from paper_figures.prefpoe.hyperparameters import SYMBOLS, settings_of

NAME = "figure_sensitivity"
ENVIRONMENT = "HalfCheetah-v4"
CORNERS, CENTRE, NOISE = "corners", "centre", "noise"
BASELINE = "ppo"
ORDER = 2
"""Effects of at most so many hyperparameters are computed: a Holm family of main effects and pairs."""
DIFFERS, ALIKE, LOSSES, UNCOMPARED = "differs", "not told apart", "lost members", "not compared"
"""What becomes of a corner beside its method's centre; every corner is one of these."""
PULL = "α w_pref / w_cons"
"""From 1 on nothing but a clamp holds the preference expert's σ (paper_figures/prefpoe/equilibrium.py)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    arms, scores = (_arms(request, name) for name in ("statistics", "scores"))
    settings = arm_values(arms, scores)
    found = effect_values(request, scores)
    ends = divergence_values(request, settings)
    artifact.write_values(pd.concat([settings, ends, found], ignore_index=True), request.output)
    artifact.write_csv(scores, request.output)
    methods = request.plan.experiments[CORNERS].methods
    with style.figure(7.6) as drawing:
        top, middle, bottom = sweeps.stacked(drawing, [1.0, 0.62, 1.62])
        panels = top.subplots(1, len(methods), sharey=True)
        for letter, axes, method in zip(curves.LETTERS, panels, methods, strict=False):
            corners_panel(axes, method, settings, scores)
            corners = settings[(settings["part"] == CORNERS) & (settings["method"] == method)]
            about = f"{request.scale}, {sweeps.counts(corners)}"
            style.panel_title(axes, letter, "", about)
            axes.set_xlabel(f"setting, by return\n{METHODS[method].label}", labelpad=1.5)
        panels[0].set_ylabel("final return", labelpad=2)
        if not settings["n"].any():
            panels[0].set_yticks([])
        c, d = middle.subplots(), bottom.subplots()
        divergence_panel(c, ends)
        ranges = ends[ends["effect"] != PULL].groupby("method", sort=False)
        trained = [str(n) for n in ranges["trained"].max().unique()]
        about = f"{request.scale}, of {' and '.join(trained)} at an end"
        style.panel_title(c, curves.LETTERS[len(methods)], "Members that diverged", about)
        effects_panel(d, found)
        about = f"{request.scale}, {_effects_count(found)}"
        style.panel_title(d, curves.LETTERS[len(methods) + 1], "Effects on the return", about)
        legend(drawing, settings, found, request)
        style.save(drawing, request.output)


def _effects_count(found: pd.DataFrame) -> str:
    """ "n = 5 seeds", or cell means where these stand in, for each method where they differ."""
    told = [
        "cell means" if first.analysis == FALLBACK else f"n = {first.n} seeds"
        for first in found.drop_duplicates("method").itertuples()
    ]
    return " and ".join(dict.fromkeys(told))


def _arms(request: Request, table: str) -> pd.DataFrame:
    """Corners, centre, and the baseline without noise, told apart by the column `part`."""
    parts = []
    for name in (CORNERS, CENTRE, NOISE):
        rows = sweeps.trained(request, table, ENVIRONMENT, name).assign(part=name)
        if name == NOISE:
            quiet = levels(rows)["advantage_noise"] == 0.0
            rows = rows[(rows["method"] == BASELINE) & quiet]
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def arm_values(arms: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each corner, centre and the baseline.

    Columns: part (corners, centre, noise), those of statistics that are about one arm, rank (by mean return, the least
    first, among the method's corners and centre; those that lost every member last), and for corners those of
    sweeps.difference to the method's centre with welch_p_holm over the method's corners, detectable (the difference that
    a test at the first level of Holm's procedure finds with 80 % power), and outcome (DIFFERS, ALIKE, LOSSES where any
    member diverged or failed, UNCOMPARED).
    """
    table = arms[["part", *sweeps.ARM]].copy()
    around = table[(table["part"] != NOISE) & (table["missing"] < table["planned"])]
    table["rank"] = around.groupby("method")["mean"].rank(method="first", na_option="bottom")
    rows = []
    for arm in table.to_dict("records"):
        pair = scores[(scores["part"] == CENTRE) & (scores["method"] == arm["method"])]
        corner = arm["part"] == CORNERS
        rows.append(_beside(_members(scores, arm), pair, _corners(arms, arm)) if corner else {})
    names = ["difference", "difference_low", "difference_high", "welch_p", "paired_p", "detectable"]
    table = pd.concat([table, pd.DataFrame(rows, columns=names)], axis=1)
    for method in dict.fromkeys(table["method"]):
        own = table["method"] == method
        table.loc[own, "welch_p_holm"] = holm(table.loc[own, "welch_p"].to_numpy(np.float64))
    table["outcome"] = [outcome(arm) for arm in table.to_dict("records")]
    return table


def _corners(arms: pd.DataFrame, arm: Mapping[str, Any]) -> int:
    return int(((arms["part"] == CORNERS) & (arms["method"] == arm["method"])).sum())


def _beside(members: pd.DataFrame, centre: pd.DataFrame, corners: int) -> dict[str, float]:
    smallest = sweeps.detectable_at(SIGNIFICANCE / corners, members, centre)
    return {**sweeps.difference(members, centre), "detectable": smallest}


def outcome(arm: Mapping[str, Any]) -> str:
    """What became of a corner, a row of `arm_values`; empty for other parts. Lost members come before any test."""
    if arm["part"] != CORNERS:
        return ""
    if arm["diverged"] or arm["failed"]:
        return LOSSES
    if arm["missing"] or not np.isfinite(arm["welch_p_holm"]):
        return UNCOMPARED
    return DIFFERS if arm["welch_p_holm"] < SIGNIFICANCE else ALIKE


def _members(scores: pd.DataFrame, arm: Mapping[str, Any]) -> pd.DataFrame:
    return sweeps.members_of(scores[scores["part"] == arm["part"]], arm)


def divergence_values(request: Request, settings: pd.DataFrame) -> pd.DataFrame:
    """How many members diverged at either end of each hyperparameter's range, and by `PULL` below 1 or not.

    Columns: part, method, effect (the hyperparameter), level (in words), trained (members that have ended, but for
    shards that failed), diverged.
    """
    entry = request.plan.experiments[CORNERS]
    own = settings[settings["part"] == CORNERS]
    at = levels(own)
    pulls = [pull(arm) for arm in at.to_dict("records")]
    at[PULL] = ["≥ 1" if each >= 1 else "< 1" for each in pulls]
    ends: dict[str, Sequence[Any]] = {**entry.grid, PULL: ("< 1", "≥ 1")}
    rows = []
    for method, (name, pair) in itertools.product(entry.methods, ends.items()):
        for level in pair:
            cells = own[(own["method"] == method) & (at[name] == level)]
            ended = cells["planned"] - cells["missing"] - cells["failed"]
            told = level if isinstance(level, str) else f"{level:g}"
            row = {"part": "divergence", "method": method, "effect": name, "level": told}
            rows.append({**row, "trained": ended.sum(), "diverged": cells["diverged"].sum()})
    return pd.DataFrame(rows)


def pull(arm: Mapping[str, Any]) -> float:
    """`equilibrium.entropy_pull` of a corner, free of rounding at 1."""
    names = ("alpha", "preference_coefficient", "consistency_coefficient")
    settings = settings_of(arm["method"]).model_copy(update={name: arm[name] for name in names})
    return round(entropy_pull(settings), 9)


def effect_values(request: Request, scores: pd.DataFrame) -> pd.DataFrame:
    """Effects of the hyperparameters over the corners' ranges, for each method.

    Columns: part, method, words, then those of analysis.effects.effects.
    """
    entry = request.plan.experiments[CORNERS]
    factors = [Factor(name, *values) for name, values in entry.grid.items()]
    ranges = {f.name: f"{SYMBOLS[f.name]} from {f.low:g} to {f.high:g}" for f in factors}
    parts = []
    for method in entry.methods:
        own = scores[(scores["part"] == CORNERS) & (scores["method"] == method)]
        found = effects(factorial(own, factors), ORDER)
        words = [
            ranges.get(name) or TIMES.join(SYMBOLS[factor] for factor in name.split(TIMES))
            for name in found["effect"]
        ]
        parts.append(found.assign(part="effect", method=method, words=words))
    return pd.concat(parts, ignore_index=True)


def corners_panel(axes: Axes, method: str, settings: pd.DataFrame, scores: pd.DataFrame) -> None:
    """A method's corners and its centre by mean return, every seed a dot; the baseline's mean as a line."""
    look = style.line_styles([method])[method]
    own = settings[(settings["method"] == method) & settings["rank"].notna()]
    for arm in own.to_dict("records"):
        sweeps.crosses(axes, _members(scores, arm), arm["rank"], look, vertical=True)
        centre = arm["part"] == CENTRE
        axes.plot(
            np.full(arm["n"], arm["rank"]),
            _members(scores, arm)["score"].dropna(),
            ".",
            ms=2,
            mew=0,
            color=look.colour,
            alpha=0.4,
            zorder=2,
        )
        marker: dict[str, Any] = {"marker": "*", "ms": 8} if centre else {"marker": "_", "ms": 4}
        edge = "black" if centre else look.colour
        axes.plot(
            arm["rank"], arm["mean"], **marker, color=look.colour, mec=edge, mew=0.8, zorder=4
        )
    (baseline,) = settings[settings["part"] == NOISE].to_dict("records")
    black = style.line_styles([BASELINE])[BASELINE].colour
    if baseline["n"]:
        axes.axhline(baseline["mean"], color=black, lw=0.9, zorder=1)
    if np.isfinite(baseline["mean_low"]):
        axes.axhspan(baseline["mean_low"], baseline["mean_high"], color=black, alpha=0.12, lw=0)
    axes.set_xlim(0, (settings["method"] == method).sum() + 1)
    if own.empty:
        style.centre_note(axes, style.NO_RECORDS)


def divergence_panel(axes: Axes, ends: pd.DataFrame) -> None:
    """Share of the members that diverged at each end of each range, a bar for each method with their number."""
    methods = list(dict.fromkeys(ends["method"]))
    styles = style.line_styles(methods)
    names = list(dict.fromkeys(ends["effect"]))
    tops, ticks, words = [0.0], [], []
    for group, name in enumerate(names):
        own = ends[ends["effect"] == name]
        for side, level in enumerate(dict.fromkeys(own["level"])):
            place = group + 0.42 * (side - 0.5)
            ticks.append(place)
            words.append(level)
            for arm in own[own["level"] == level].to_dict("records"):
                x = place + 0.19 * (methods.index(arm["method"]) - (len(methods) - 1) / 2)
                tops.append(_divergence_bar(axes, arm, x, styles[arm["method"]].colour))
        label = SYMBOLS.get(name, name.replace(" / ", "\n/ "))
        below: dict[str, Any] = {
            "xytext": (0, -14),
            "textcoords": "offset points",
            "ha": "center",
            "va": "top",
        }
        frame = axes.get_xaxis_transform()
        axes.annotate(label, (group, 0), xycoords=frame, fontsize=style.SMALL - 0.5, **below)
    axes.set_xticks(ticks, words, fontsize=style.SMALL - 1.5)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(0, max(1.25 * max(tops), 5))
    axes.set_ylabel("diverged (%)", labelpad=2)
    axes.set_xlabel(" ", labelpad=10)
    if not ends["trained"].any():
        axes.set_yticks([])
        style.centre_note(axes, style.NO_RECORDS)


def _divergence_bar(axes: Axes, arm: Mapping[str, Any], place: float, colour: str) -> float:
    """One bar with its number; returns its height in per cent. Nothing where no member was trained."""
    if not arm["trained"]:
        return 0.0
    share = float(100 * arm["diverged"] / arm["trained"])
    axes.bar(place, share, width=0.17, color=colour, alpha=0.6, lw=0)
    look: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": style.SMALL - 2}
    axes.text(place, share, f"{arm['diverged']}", color=colour, **look)
    return share


def effects_panel(axes: Axes, found: pd.DataFrame) -> None:
    """Main effects, a line for each method, hyperparameter by hyperparameter."""
    shown = found[found["order"] == 1]
    styles = style.line_styles(list(dict.fromkeys(shown["method"])))
    bars = []
    for name in dict.fromkeys(shown["effect"]):
        for effect in shown[shown["effect"] == name].to_dict("records"):
            colour = styles[effect["method"]].colour
            bars.append(sweeps.bar_of(effect, effect["words"], colour=colour))
    sweeps.forest(axes, bars)
    axes.set_xlabel("effect on the final return, among runs that have one", labelpad=1.5)


def legend(drawing: Figure, settings: pd.DataFrame, found: pd.DataFrame, request: Request) -> None:
    """How to read the figure, and how many corners differ from their method's centre."""
    methods = request.plan.experiments[CORNERS].methods
    styles = style.line_styles([*methods, BASELINE])
    handles = [Line2D([], [], color=styles[name].colour, marker="_", lw=1.1) for name in methods]
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, marker="*", ms=7, mec="black", lw=0))
    handles.append(Line2D([], [], color=styles[BASELINE].colour, lw=0.9))
    labels = [METHODS[name].label for name in methods]
    labels += ["centre (geometric midpoints)", f"{METHODS[BASELINE].label}, 95 % interval"]
    told = [f"{METHODS[name].label}: {corner_words(settings, name)}" for name in methods]
    first = settings[(settings["part"] == CORNERS) & (settings["method"] == methods[0])]
    unheld = sum(pull(arm) >= 1 for arm in levels(first).to_dict("records"))
    stands = dict.fromkeys(
        f"{METHODS[name].label}: {words}"
        for name in methods
        if (words := sweeps.analysis_words(found[found["method"] == name]))
    )
    notes = [
        f"{request.scale_words}; {ENVIRONMENT}, {request.steps[ENVIRONMENT]:,} steps. Bars: corners' means, dots: seeds. "
        f"Corners beside their centre (Welch, Holm, 5 %): {' '.join(told)} (c): numbers are members; {PULL} from 1 on ({unheld} corners): nothing "
        "but a clamp, which only the released reading has, holds the preference expert's σ. (d): mean at the upper end of a range "
        "minus mean at the lower, over the 16 combinations of the others, with 95 % t intervals over seeds that have every corner.",
        *stands,
        sweeps.lost_words(settings),
    ]
    style.legend_below(drawing, handles, labels, " ".join(filter(None, notes)))


def corner_words(settings: pd.DataFrame, method: str) -> str:
    """Of all of a method's corners, how many became what beside the centre, and what difference could be found."""
    corners = settings[(settings["part"] == CORNERS) & (settings["method"] == method)]
    found = [
        int((corners["outcome"] == each).sum()) for each in (DIFFERS, ALIKE, LOSSES, UNCOMPARED)
    ]
    differs, alike, losses, uncompared = found
    words = (
        f"of {len(corners)}, {differs} differ, {alike} are not told apart, {losses} lost members"
    )
    words += f", {uncompared} are not compared" * bool(uncompared)
    known = corners["detectable"].dropna()
    if known.empty:
        return f"{words}."
    low, middle, high = (style.number(x, 0) for x in (known.min(), known.median(), known.max()))
    return (
        f"{words}; a difference found with 80 % power at Holm's first level, 5 %/{len(corners)}: "
        f"{middle} (median; {low} to {high})."
    )


if __name__ == "__main__":
    sys.exit(main())
