"""Which ingredient does the work: effects of the 2⁴ factorial on HalfCheetah-v4, and its 16 cells."""

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

from algorithms.settings import METHODS
from analysis.effects import FALLBACK, Factorial, contrasts, over_shown
from paper_figures import artifact, curves, style, sweeps
from paper_figures.artifact import Request
from paper_figures.prefpoe import ingredients
from paper_figures.prefpoe.ingredients import ALL, EXPERT, NONE, TOGETHER, Ingredients
from paper_figures.sweeps import Bar

NAME = "figure_ingredients"
INTERACTIONS = 4
"""How many interactions panel (a) shows, the largest; the values hold all of them."""
NET = "expert net of initial noise"
NARROWING = 0.5 * math.log(2)
"""Two equal experts fused with λ = 1 start at a log σ this much below one of them: 0.347."""
WORDS = {NET: "expert − 0.347 × log-std"}
SHIFT = 0.19
"""Half the distance between a cell without the expert and the one with it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    found = ingredients.read(request)
    claims = ingredients.claimed(request)
    effects, cells = effect_values(found, claims), cell_values(found, claims)
    artifact.write_values(pd.concat([effects, cells], ignore_index=True), request.output)
    artifact.write_csv(found.scores, request.output)
    with style.figure(6.6) as drawing:
        a, b = (part.subplots() for part in sweeps.stacked(drawing, [1.2, 1.0]))
        effects_panel(a, effects)
        cells_panel(b, found, claims)
        fallback = found.effects["analysis"].iloc[0] == FALLBACK
        seeds = "cell means" if fallback else f"n = {found.design.complete.shape[1]} seeds"
        seeds = f"{request.scale}, {seeds}"
        style.panel_title(a, "a", "What each ingredient adds", seeds)
        about = f"{request.scale}, {sweeps.counts(found.arms)}"
        style.panel_title(b, "b", "All 16 cells", about)
        legend(drawing, found, request)
        style.save(drawing, request.output)


def effect_values(found: Ingredients, claims: Mapping[str, float]) -> pd.DataFrame:
    """Panel (a), and the interactions that it does not show.

    Columns: panel, effect, words, order, drawn (bool), value, low, high (95 %), p, p_holm, n (seeds), share (of the
    variation), claim (the paper's), not_estimable (why; empty where it is).
    """
    shown = found.effects["analysis"].iloc[0]
    names = {f"{shown}_{part}": part for part in ("low", "high", "p", "p_holm")}
    table = found.effects.rename(columns={**names, f"{shown}_estimate": "value"})
    size = table["value"].abs().where(table["order"] > 1)
    table["drawn"] = (table["order"] == 1) | (size.rank(ascending=False) <= INTERACTIONS)
    table["claim"] = np.nan
    total = ingredients.together(found.design)
    claim = claims[EXPERT.high] - claims[EXPERT.low]
    outside = {"order": 0, "drawn": True}
    net = {"effect": NET, **outside, **net_of_noise(found.design), "n": table["n"].iloc[0]}
    net["not_estimable"] = table["not_estimable"].iloc[0]
    last = pd.DataFrame([net, {"effect": TOGETHER, **outside, "claim": claim, **total}])
    table = pd.concat([table, last.reindex(columns=table.columns)], ignore_index=True)
    table["words"] = [WORDS.get(name) or ingredients.words(name) for name in table["effect"]]
    columns = ["panel", "effect", "words", "order", "drawn", "value", "low", "high", "p", "p_holm"]
    return table.assign(panel="a")[[*columns, "n", "share", "claim", "not_estimable"]]


def net_of_noise(design: Factorial) -> dict[str, float]:
    """The expert's effect minus what its smaller initial σ would do alone: NARROWING times the log-std factor's effect.

    That effect is of one unit of log σ, and taken as linear in log σ. Keys: value, low, high (95 %), p.
    """
    weights = dict(contrasts(design.factors, 1))
    noise = NARROWING * weights["initial_log_std"]
    found = over_shown(design, weights[EXPERT.name] - noise)
    low, high = found.interval
    return {"value": found.value, "low": low, "high": high, "p": found.test.p}


def cell_values(found: Ingredients, claims: Mapping[str, float]) -> pd.DataFrame:
    """Panel (b). Columns: panel, method, setting (JSON), planned, n, value (the mean), low, high, claim (the paper's)."""
    names = {"mean": "value", "mean_low": "low", "mean_high": "high"}
    table = found.arms.rename(columns=names).assign(panel="b", claim=np.nan)
    table["claim"] = [
        claims[str(cell[-1])] if cell in (NONE, ALL) else np.nan for cell in table.index
    ]
    columns = ["panel", "method", "setting", "planned", "n", "value", "low", "high", "claim"]
    return table[columns].reset_index(drop=True)


def effects_panel(axes: Axes, table: pd.DataFrame) -> None:
    """Main effects and the largest interactions by size, then the expert net of initial noise, and all at once."""
    shown = table[table["drawn"]]
    alone, whole = shown[shown["order"] > 0], shown[shown["order"] == 0]
    ranked = alone.sort_values("value", key=lambda size: -size.abs(), kind="stable")
    bars = [_bar(row) for part in (ranked, whole) for row in part.itertuples(index=False)]
    sweeps.forest(axes, bars)
    axes.axhline(len(ranked) - 0.6, color=style.NOTE_COLOUR, lw=0.4)
    axes.set_xlabel("effect on the final return", labelpad=1.5)


def _bar(row: Any) -> Bar:
    interaction = row.order > 1
    colour = style.NOTE_COLOUR if interaction else "black"
    return Bar(row.words, row.value, row.low, row.high, colour, interaction, row.claim)


def cells_panel(axes: Axes, found: Ingredients, claims: Mapping[str, float]) -> None:
    """Each architecture's cell without the expert above the one with it: mean as a bar, seeds as dots."""
    styles = style.line_styles([EXPERT.low, EXPERT.high])
    labels = []
    for y, cell in enumerate(dict.fromkeys(cell[:-1] for cell in found.arms.index)):
        labels.append(", ".join(ingredients.architecture(cell)))
        for method, shift in ((EXPERT.low, -SHIFT), (EXPERT.high, SHIFT)):
            arm = found.arms.loc[(*cell, method)]
            members = sweeps.members_of(found.scores, arm)
            sweeps.mean_bar(axes, arm, y + shift, 1.8 * SHIFT, styles[method])
            sweeps.dots(axes, members["score"], y + shift, styles[method], vertical=False)
            sweeps.crosses(axes, members, y + shift, styles[method], vertical=False)
    axes.set_yticks(range(len(labels)), labels, fontsize=style.SMALL - 0.5)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.axvline(0, color="black", lw=0.6)
    drawn = found.scores["score"].dropna().to_numpy(np.float64)
    far = sweeps.claims_across(axes, drawn, claims, styles)
    axes.set_xlabel(f"final return (dots: seeds)\n{far}".strip(), labelpad=1.5)
    axes.set_ylabel("critic, mean, log-std at the start", labelpad=2)


def legend(drawing: Figure, found: Ingredients, request: Request) -> None:
    """How to read the figure."""
    styles = style.line_styles([EXPERT.low, EXPERT.high])
    handles = [
        Line2D([], [], color=styles[EXPERT.low].colour, lw=4, alpha=0.4),
        Line2D([], [], color=styles[EXPERT.high].colour, lw=4, alpha=0.4),
        Line2D([], [], color="black", marker="o", ms=3.4, lw=1.1),
        Line2D([], [], color=style.NOTE_COLOUR, ls=curves.CLAIM_DASHES, lw=0.9),
    ]
    labels = [
        "no preference expert (PPO)",
        f"with it ({METHODS[EXPERT.high].label})",
        "effect and its 95 % interval",
        "the paper",
    ]
    interactions = int((found.effects["order"] > 1).sum())
    notes = [
        f"{request.scale_words}. (a) Mean with an ingredient minus mean without, averaged over the 8 combinations of the "
        f"others; ×: half of how much one's effect changes with the other, the {INTERACTIONS} largest of {interactions}. Student's t "
        "over seeds that have every cell; intervals not adjusted; Holm's p over all effects in the values. The expert comes with the artefact's fusion and clamps; "
        f"fusing two equal experts also starts log σ lower by {NARROWING:.3f}, where the log-std factor lowers it by 1. "
        f"Below the line: the expert's effect less {NARROWING:.3f} of the log-std effect (as if linear in log σ); last cell of (b) minus the first.",
        sweeps.analysis_words(found.effects),
        sweeps.lost_words(found.arms),
    ]
    style.legend_below(drawing, handles, labels, " ".join(filter(None, notes)))


if __name__ == "__main__":
    sys.exit(main())
