"""Figure 5: ablation on HalfCheetah-v4, in learning curves, final returns and phases of training."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.statistics import mean, mean_interval
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.curves import Study
from paper_figures.style import LineStyle

NAME, PLACE, ENVIRONMENT, PHASES = "figure_5", "Table 2", "HalfCheetah-v4", 5
PHASE_PLACE = "Section 5.3"
PHASE_CLAIMS = {"early_return": 1, "final_return": PHASES}
"""Where the text gives numbers for panel (c), and the phase in which they are shown: it says "early" and
"final" without defining either."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 5 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    study = curves.read(request).on(ENVIRONMENT)
    by_phase = phases(study.seeds, request.steps[ENVIRONMENT])
    printed = pd.concat([request.reported(place) for place in (PLACE, PHASE_PLACE)])
    table = values(study, by_phase, printed[printed["environment"] == ENVIRONMENT])
    artifact.write_values(table, request.output)
    artifact.write_csv(per_seed(study, by_phase), request.output)
    claims = curves.claimed(request, PLACE)[ENVIRONMENT]
    styles = style.line_styles(list(study.statistics["method"]))
    arms = len(study.statistics)
    with style.figure(2.6 + 0.46 * arms + curves.legend_height(study.statistics)) as drawing:
        ratios = [1.6, 0.12 + 0.22 * arms, 0.12 + 0.22 * arms]
        a, b, c = drawing.subplots(3, 1, height_ratios=ratios)
        curves.panel(a, "a", ENVIRONMENT, study, styles, claims, request)
        final_returns(b, study, styles, claims)
        heatmap(c, table[table["panel"] == "c"], study.statistics)
        note = f"{request.scale}, {curves.seed_counts(study.statistics)}"
        style.panel_title(b, "b", "Final return", note)
        style.panel_title(c, "c", "Return by phase", note)
        curves.legend(drawing, study.statistics, styles, request)
        style.save(drawing, request.output)


def phases(seeds: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Each seed's mean training return in five equal parts of `steps`.

    Columns: method, seed, phase (1 … 5), return_mean. What an imported run did later is left aside.
    """
    within = seeds[seeds["step"] <= steps]
    phase = np.ceil(within["step"] * PHASES / steps).clip(1, PHASES).astype(np.int64)
    grouped = within.assign(phase=phase).groupby(["method", "seed", "phase"], sort=False)
    return grouped["return_mean"].mean().reset_index()


def values(study: Study, by_phase: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """What is drawn. Columns: panel, method, label, imported, step, phase, n, mean, low, high, paper.

    `printed` is what the paper reports on this environment; `paper` its number as printed, None without
    one. Panel (c) has a row for each arm and phase with a seed or a number of the paper.
    """
    statistics = study.statistics
    said = printed.set_index(["method", "quantity"])["value"].to_dict()
    final = statistics[["method", "label", "imported", "n", "mean"]].assign(
        panel="b",
        low=statistics["mean_low"],
        high=statistics["mean_high"],
        paper=[said.get((method, "mean")) for method in statistics["method"]],
    )
    quantities = {phase: quantity for quantity, phase in PHASE_CLAIMS.items()}
    rows = []
    for arm, phase in itertools.product(statistics.to_dict("records"), range(1, PHASES + 1)):
        here = (by_phase["method"] == arm["method"]) & (by_phase["phase"] == phase)
        x = by_phase.loc[here, "return_mean"].to_numpy(np.float64)
        paper = said.get((arm["method"], quantities.get(phase)))
        if not len(x) and paper is None:
            continue
        who = {"panel": "c", "method": arm["method"], "label": arm["label"], "phase": phase}
        low, high = mean_interval(x)
        about = {"imported": arm["imported"], "n": len(x), "paper": paper}
        rows.append({**who, **about, "mean": mean(x), "low": low, "high": high})
    columns = ["panel", "method", "label", "imported", "step", "phase", "n", "mean", "low", "high"]
    columns.append("paper")
    parts = [study.means.assign(panel="a"), final, pd.DataFrame(rows, columns=columns)]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    integers = {"step": "Int64", "phase": "Int64", "n": "int64"}
    return table.reindex(columns=columns).astype(integers)


def per_seed(study: Study, by_phase: pd.DataFrame) -> pd.DataFrame:
    """Columns: panel, method, seed, step, phase, status, value (a return)."""
    parts = [
        study.seeds.rename(columns={"return_mean": "value"}).assign(panel="a"),
        study.scores.rename(columns={"score": "value"}).assign(panel="b"),
        by_phase.rename(columns={"return_mean": "value"}).assign(panel="c"),
    ]
    columns = ["panel", "method", "seed", "step", "phase", "status", "value"]
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return table.reindex(columns=columns).astype({"step": "Int64", "phase": "Int64"})


def final_returns(
    axes: Axes, study: Study, styles: Mapping[str, LineStyle], claims: Mapping[str, float]
) -> None:
    """Bars of our mean scores with a dot for each seed, and a diamond where the paper's number lies."""
    scores, statistics = study.scores, study.statistics
    drawn = scores["score"].dropna().to_numpy()
    low, high = curves.view(np.append(drawn, 0.0) if len(drawn) else drawn, list(claims.values()))
    for y, arm in enumerate(statistics.itertuples(index=False)):
        dots = scores.loc[scores["method"] == arm.method, "score"].dropna()
        look = styles[arm.method]
        axes.barh(y, arm.mean if arm.n else 0.0, height=0.66, color=look.colour, alpha=0.4, lw=0)
        axes.plot(dots, [y] * len(dots), "o", ms=2.2, mew=0.3, mec="white", color=look.colour)
        if not arm.n:
            axes.text(0, y, " no data", va="center", fontsize=style.SMALL, color=style.NOTE_COLOUR)
        value = claims.get(arm.method)
        if value is None:
            continue
        if low <= value <= high:
            axes.plot(value, y, "D", ms=4, mfc="none", mec="black", mew=0.8)
        else:
            axes.annotate(
                f"◇ {style.number(value, 0)} {'→' if value > high else '←'}",
                (1.01, y),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=style.SMALL,
            )
    margin = 0.03 * (high - low)
    axes.set_xlim(low - (margin if low < 0 else 0), high + margin)
    arm_ticks(axes, statistics)
    axes.axvline(0, color="black", lw=0.6)
    axes.set_xlabel("final return (dots: seeds, ◇: paper)", labelpad=1.5)


def heatmap(axes: Axes, table: pd.DataFrame, statistics: pd.DataFrame) -> None:
    """Mean training return of each arm in each phase, written into the cell, the paper's number below."""
    wide = table.pivot(index="method", columns="phase", values="mean").astype(float)
    shape = {"index": statistics["method"], "columns": range(1, PHASES + 1)}
    grid = wide.reindex(**shape).to_numpy(float)
    claims = table.pivot(index="method", columns="phase", values="paper").reindex(**shape)
    known = grid[np.isfinite(grid)]
    span = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    axes.set_facecolor(style.EMPTY_COLOUR)
    axes.pcolormesh(grid, cmap=style.HEATMAP, vmin=span[0], vmax=span[1], ec="white", lw=0.6)
    for (row, column), value in np.ndenumerate(grid):
        dark = (value - span[0]) / ((span[1] - span[0]) or 1.0) < 0.55
        claim = claims.iat[row, column]
        said = "" if pd.isna(claim) else f"\n◇ {claim}"
        axes.text(
            column + 0.5,
            row + 0.5,
            style.number(value, 0) + said,
            ha="center",
            va="center",
            fontsize=style.SMALL - (0.7 if said else 0.0),
            linespacing=1.05,
            color="white" if dark else "black",
        )
    edges = [f"{100 * k // PHASES}–{100 * (k + 1) // PHASES}" for k in range(PHASES)]
    axes.set_xticks(np.arange(PHASES) + 0.5, edges)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    arm_ticks(axes, statistics, offset=0.5)
    axes.set_xlabel("% of the steps (◇: paper, early and final)", labelpad=1.5)


def arm_ticks(axes: Axes, statistics: pd.DataFrame, offset: float = 0.0) -> None:
    """Arms from top to bottom, named on the left."""
    labels = [style.wrapped(label, 25) for label in statistics["label"]]
    axes.set_yticks(np.arange(len(labels)) + offset, labels, fontsize=style.SMALL - 0.5)
    axes.set_ylim(len(labels) - 0.5 + offset, -0.5 + offset)


if __name__ == "__main__":
    sys.exit(main())
