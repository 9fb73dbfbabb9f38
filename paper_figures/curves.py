"""Learning curves: every seed faint behind the mean over seeds and the 95 % t interval of that mean.

Seeds finish episodes at different steps, so each curve is interpolated linearly onto a grid of bins that all arms
of a panel share, between its own first and last point; n, the seeds behind a point, is part of the
values and may differ from point to point. Nothing is smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from analysis.statistics import mean_interval
from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.style import LineStyle

Floats = NDArray[np.float64]
LETTERS = "abcdefgh"
CLAIM_NOTE = "dashed or ↑: the paper's final value"


@dataclass(frozen=True)
class Layout:
    """A figure of learning curves: its panels, and the table whose means are the claimed final values."""

    name: str
    place: str
    environments: tuple[str, ...]


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure."""
    seeds, statistics = request.read("curves"), request.read("statistics")
    seeds = seeds[seeds["environment"].isin(layout.environments)]
    table = values(seeds, statistics, request)
    artifact.write_values(table, request.output)
    artifact.write_csv(seeds, request.output)
    claims = claimed(request, layout.place)
    rows = len(layout.environments)
    with style.figure(0.55 + 1.45 * rows + legend_height(statistics)) as drawing:
        panels = drawing.subplots(rows, 1, squeeze=False)[:, 0]
        for letter, axes, name in zip(LETTERS, panels, layout.environments, strict=False):
            panel(axes, letter, name, (seeds, table, statistics), claims.get(name, {}), request)
        legend(drawing, statistics, request)
        style.save(drawing, request.output)


def values(seeds: pd.DataFrame, statistics: pd.DataFrame, request: Request) -> pd.DataFrame:
    """The drawn means. Columns: environment, method, label, imported, step, n, mean, low, high."""
    bins = request.plan.scales[request.scale].curve_rows
    labels = dict(zip(statistics["method"], statistics["label"], strict=True))
    rows = []
    for (environment, method, imported), arm in seeds.groupby(
        ["environment", "method", "imported"], sort=False
    ):
        steps = request.steps[environment]
        last = max(steps, int(arm["step"].max()))
        grid = np.round(np.arange(1, bins * last // steps + 1) * (steps / bins)).astype(np.int64)
        for step, column in zip(grid, aligned(arm, grid).T, strict=True):
            present = column[~np.isnan(column)]
            if len(present):
                who = (environment, method, labels[method], imported, step)
                rows.append((*who, len(present), present.mean(), *mean_interval(present)))
    columns = ["environment", "method", "label", "imported", "step", "n", "mean", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def aligned(arm: pd.DataFrame, grid: NDArray[np.int64]) -> Floats:
    """Each seed's curve on `grid`: [seeds, len(grid)], NaN outside of the steps that the seed covers."""
    curves = []
    for _, curve in arm.sort_values("step").groupby("seed"):
        step, value = curve["step"].to_numpy(np.float64), curve["return_mean"].to_numpy(np.float64)
        curves.append(np.interp(grid, step, value, left=np.nan, right=np.nan))
    return np.array(curves)


def claimed(request: Request, place: str) -> dict[str, dict[str, float]]:
    """The paper's means at `place`: environment → method → number."""
    printed = request.reported(place)
    means: dict[str, dict[str, float]] = {}
    for row in printed[printed["quantity"] == "mean"].itertuples(index=False):
        means.setdefault(row.environment, {})[row.method] = row.number
    return means


def panel(
    axes: Axes,
    letter: str,
    environment: str,
    data: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    claims: Mapping[str, float],
    request: Request,
) -> None:
    """One environment. `data` holds the seeds' curves, their `values`, and the statistics."""
    seeds, table, statistics = (part[part["environment"] == environment] for part in data)
    styles = style.line_styles(list(dict.fromkeys(data[2]["method"])))
    planned = request.steps.get(environment)
    longest = max([planned or 1, *seeds["step"]])
    unit, word = (1e3, "thousands") if longest < 5e5 else (1e6, "millions")
    for method, arm in seeds.groupby("method", sort=False):
        draw_arm(axes, arm, table[table["method"] == method], styles[method], unit)
    axes.set_xlim(0, longest / unit)
    axes.set_xlabel(f"environment steps ({word})", labelpad=1.5)
    axes.set_ylabel("training return", labelpad=2)
    shown = {method: claims[method] for method in styles if method in claims}
    draw_claims(axes, seeds["return_mean"].to_numpy(), shown, styles)
    if not len(seeds):
        text = "no records yet" if planned else f"not part of scale {request.scale}"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=style.NOTE_COLOUR)
    style.panel_title(axes, letter, environment, f"{request.scale}, {seed_counts(statistics)}")


def draw_arm(axes: Axes, seeds: pd.DataFrame, mean: pd.DataFrame, look: LineStyle, unit: float) -> None:
    """One arm: its seeds, band and mean."""
    for _, curve in seeds.groupby("seed"):
        axes.plot(
            curve["step"] / unit, curve["return_mean"], color=look.colour, lw=0.4, alpha=0.3, zorder=1
        )
    x = mean["step"] / unit
    axes.fill_between(x, mean["low"], mean["high"], color=look.colour, alpha=0.15, lw=0, zorder=2)
    axes.plot(x, mean["mean"], color=look.colour, ls=look.dashes, zorder=3)


def draw_claims(
    axes: Axes, drawn: Floats, claims: Mapping[str, float], styles: Mapping[str, LineStyle]
) -> None:
    """The paper's values as dashed lines, or, so far off that our curves would be flat, in the margin."""
    low, high = view(drawn, list(claims.values()))
    margin = 0.04 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    outside = 0
    for method, value in sorted(claims.items(), key=lambda item: -item[1]):
        colour = styles[method].colour
        if low <= value <= high:
            axes.axhline(value, color=colour, ls=(0, (5, 2.5)), lw=0.9, zorder=4)
            continue
        axes.annotate(
            f"{'↑' if value > high else '↓'}{style.number(value, 2 if abs(value) < 10 else 0)}",
            (1.01, 0.98 - 0.115 * outside),
            xycoords="axes fraction",
            color=colour,
            fontsize=style.SMALL,
            va="top",
        )
        outside += 1


def view(drawn: Floats, claims: Sequence[float]) -> tuple[float, float]:
    """Limits that hold what is drawn and every claim within one more of its spans."""
    if not len(drawn):
        return (min([0.0, *claims]), max([1.0, *claims]))
    low, high = float(drawn.min()), float(drawn.max())
    span = (high - low) or max(abs(high), 1.0)
    near = [value for value in claims if low - span <= value <= high + span]
    return min([low, *near]), max([high, *near])


def seed_counts(statistics: pd.DataFrame) -> str:
    """"n = 5", or "n = 3–5" where arms differ: members with a score."""
    if not len(statistics):
        return "n = 0"
    low, high = statistics["n"].min(), statistics["n"].max()
    return f"n = {low}" if low == high else f"n = {low}–{high}"


def legend_height(statistics: pd.DataFrame) -> float:
    """Inches that `legend` takes below the panels."""
    return 0.2 + 0.12 * statistics["method"].nunique()


def legend(drawing: Figure, statistics: pd.DataFrame, request: Request) -> None:
    """All arms, those without data or with fewer members than planned marked, and how to read the rest."""
    arms = statistics.groupby("method", sort=False)
    styles = style.line_styles(list(arms.groups))
    handles, labels = [], []
    for method, arm in arms:
        look = styles[str(method)]
        handles.append(Line2D([], [], color=look.colour, ls=look.dashes))
        lost = (arm["n"] < arm["planned"]).any()
        state = " (no data)" if not arm["n"].any() else "†" if lost else ""
        labels.append(arm["label"].iloc[0] + state)
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, ls=(0, (5, 2.5)), lw=0.9))
    labels.append(CLAIM_NOTE)
    style.legend_below(drawing, handles, labels)
    notes = [f"{request.scale_words}. Thin: seeds; band: 95 % t interval of the mean."]
    if (statistics["n"] < statistics["planned"]).any():
        notes.append("† members diverged, failed or missing.")
    style.footnote(drawing, " ".join(notes))
