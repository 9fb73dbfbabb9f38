"""Robustness to hyperparameters: returns at the 32 corners of Table A.1's ranges, and what each of the five does."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.effects import TIMES, Factor, effects, factorial, levels
from analysis.statistics import SIGNIFICANCE, holm
from paper_figures import artifact, curves, style, sweeps
from paper_figures.artifact import Request

NAME = "figure_sensitivity"
ENVIRONMENT = "HalfCheetah-v4"
CORNERS, CENTRE, NOISE = "corners", "centre", "noise"
BASELINE = "ppo"
ORDER = 2
"""Effects of at most so many hyperparameters are computed: a Holm family of main effects and pairs."""
NAMES = {
    "beta_1": "β₁",
    "alpha": "α",
    "fusion_weight": "λ",
    "consistency_coefficient": "w_cons",
    "preference_coefficient": "w_pref",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    arms, scores = (_arms(request, name) for name in ("statistics", "scores"))
    settings = arm_values(arms, scores)
    found = effect_values(request, scores)
    artifact.write_values(pd.concat([settings, found], ignore_index=True), request.output)
    artifact.write_csv(scores, request.output)
    methods = request.plan.experiments[CORNERS].methods
    with style.figure(5.9) as drawing:
        top, bottom = sweeps.stacked(drawing, [1.0, 1.25])
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
        c = bottom.subplots()
        effects_panel(c, found)
        letter = curves.LETTERS[len(methods)]
        n = " and ".join(map(str, found.groupby("method", sort=False)["n"].first().unique()))
        about = f"{request.scale}, n = {n} seeds"
        style.panel_title(c, letter, "What each hyperparameter does", about)
        legend(drawing, settings, found, request)
        style.save(drawing, request.output)


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
    first, among the method's corners and centre; those that lost every member last), and for corners those of sweeps.difference to the method's centre
    with welch_p_holm over the method's corners.
    """
    table = arms[["part", *sweeps.ARM]].copy()
    around = table[(table["part"] != NOISE) & (table["missing"] < table["planned"])]
    table["rank"] = around.groupby("method")["mean"].rank(method="first", na_option="bottom")
    rows = []
    for arm in table.to_dict("records"):
        pair = scores[(scores["part"] == CENTRE) & (scores["method"] == arm["method"])]
        corner = arm["part"] == CORNERS
        rows.append(sweeps.difference(_members(scores, arm), pair) if corner else {})
    names = ["difference", "difference_low", "difference_high", "welch_p", "paired_p"]
    table = pd.concat([table, pd.DataFrame(rows, columns=names)], axis=1)
    for method in dict.fromkeys(table["method"]):
        own = table["method"] == method
        table.loc[own, "welch_p_holm"] = holm(table.loc[own, "welch_p"].to_numpy(np.float64))
    return table


def _members(scores: pd.DataFrame, arm: Mapping[str, Any]) -> pd.DataFrame:
    return sweeps.members_of(scores[scores["part"] == arm["part"]], arm)


def effect_values(request: Request, scores: pd.DataFrame) -> pd.DataFrame:
    """Effects of the hyperparameters over the corners' ranges, for each method.

    Columns: part, method, words, then those of analysis.effects.effects.
    """
    entry = request.plan.experiments[CORNERS]
    factors = [Factor(name, *values) for name, values in entry.grid.items()]
    ranges = {f.name: f"{NAMES[f.name]} from {f.low:g} to {f.high:g}" for f in factors}
    parts = []
    for method in entry.methods:
        own = scores[(scores["part"] == CORNERS) & (scores["method"] == method)]
        found = effects(factorial(own, factors), ORDER)
        words = [
            ranges.get(name) or TIMES.join(NAMES[factor] for factor in name.split(TIMES))
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
        style.centre_note(axes, "no records yet")


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
    axes.set_xlabel("effect on the final return", labelpad=1.5)


def legend(drawing: Figure, settings: pd.DataFrame, found: pd.DataFrame, request: Request) -> None:
    """How to read the figure, and how many corners differ from their method's centre."""
    methods = request.plan.experiments[CORNERS].methods
    styles = style.line_styles([*methods, BASELINE])
    handles = [Line2D([], [], color=styles[name].colour, marker="_", lw=1.1) for name in methods]
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, marker="*", ms=7, mec="black", lw=0))
    handles.append(Line2D([], [], color=styles[BASELINE].colour, lw=0.9))
    labels = [METHODS[name].label for name in methods]
    labels += ["centre (geometric midpoints)", f"{METHODS[BASELINE].label}, 95 % interval"]
    corners = settings[settings["part"] == CORNERS]
    told = []
    for method in methods:
        p = corners.loc[corners["method"] == method, "welch_p_holm"].dropna()
        told.append(f"{int((p < SIGNIFICANCE).sum())} of {len(p)} ({METHODS[method].label})")
    why = dict.fromkeys(
        f"{METHODS[row.method].label}: {row.not_estimable}"
        for row in found.itertuples()
        if row.not_estimable
    )
    notes = [
        f"{request.scale_words}; {ENVIRONMENT}, {request.steps[ENVIRONMENT]:,} steps. Bars: corners' means, dots: seeds. "
        f"Corners that differ from the centre (Welch, Holm, 5 %): {', '.join(told)}. Effects: mean at the upper end of a range "
        "minus mean at the lower, over the 16 combinations of the others, with 95 % t intervals over seeds that have every corner.",
        f"Not estimable: {'; '.join(why)}." * bool(why),
        sweeps.lost_words(settings),
    ]
    style.legend_below(drawing, handles, labels, " ".join(filter(None, notes)))


if __name__ == "__main__":
    sys.exit(main())
