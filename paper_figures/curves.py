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
CLAIM_DASHES = (0, (5, 2.5))
BAND_SEEDS = 3
"""A band is drawn from this many seeds on: with two, Student's t interval is 13 standard errors wide."""


@dataclass(frozen=True)
class Study:
    """What an experiment left: seeds' curves, scores and statistics, and the drawn means (`values`)."""

    seeds: pd.DataFrame
    scores: pd.DataFrame
    statistics: pd.DataFrame
    means: pd.DataFrame

    def on(self, environment: str) -> Study:
        """The part on one environment."""
        parts = (self.seeds, self.scores, self.statistics, self.means)
        return Study(*(part[part["environment"] == environment] for part in parts))


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
    study = read(request)
    shown = study.means["environment"].isin(layout.environments)
    artifact.write_values(study.means[shown], request.output)
    artifact.write_csv(
        study.seeds[study.seeds["environment"].isin(layout.environments)], request.output
    )
    claims = claimed(request, layout.place)
    styles = style.line_styles(list(dict.fromkeys(study.statistics["method"])))
    rows = len(layout.environments)
    with style.figure(1.5 * rows + legend_height(study.statistics)) as drawing:
        panels = drawing.subplots(rows, 1, squeeze=False)[:, 0]
        for letter, axes, name in zip(LETTERS, panels, layout.environments, strict=False):
            panel(axes, letter, name, study.on(name), styles, claims.get(name, {}), request)
        legend(drawing, study.statistics, styles, request)
        style.save(drawing, request.output)


def read(request: Request) -> Study:
    """The experiment that the artifact shows."""
    seeds, scores, statistics = (request.read(name) for name in ("curves", "scores", "statistics"))
    return Study(seeds, scores, statistics, values(seeds, statistics, request))


def values(seeds: pd.DataFrame, statistics: pd.DataFrame, request: Request) -> pd.DataFrame:
    """The drawn means. Columns: environment, method, label, imported, step, n, mean, low, high."""
    bins = request.plan.scale_of(request.scale, request.experiment).curve_rows
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
    study: Study,
    styles: Mapping[str, LineStyle],
    claims: Mapping[str, float],
    request: Request,
) -> None:
    """One environment, on which `study` is."""
    planned = request.steps.get(environment)
    unit = step_axis(axes, max([planned or 1, *study.seeds["step"]]))
    for method in dict.fromkeys(study.seeds["method"]):
        draw_arm(axes, str(method), study, styles[str(method)], unit)
    axes.set_ylabel("training return", labelpad=2)
    shown = {method: claims[method] for method in styles if method in claims}
    draw_claims(axes, study.seeds["return_mean"].to_numpy(np.float64), shown, styles)
    if study.seeds.empty:
        text = style.NO_RECORDS if planned else f"not part of scale {request.scale}"
        style.centre_note(axes, text)
    counts = seed_counts(study.statistics)
    style.panel_title(axes, letter, environment, f"{request.scale}, {counts}")


def step_axis(axes: Axes, longest: int) -> float:
    """Environment steps up to `longest`, in thousands or millions; returns the unit in steps."""
    unit, word = (1e3, "thousands") if longest < 5e5 else (1e6, "millions")
    axes.set_xlim(0, longest / unit)
    axes.set_xlabel(f"environment steps ({word})", labelpad=1.5)
    return unit


def draw_arm(axes: Axes, method: str, study: Study, look: LineStyle, unit: float) -> None:
    """One arm: its seeds, a cross where one diverged, the band and the mean."""
    seeds, means, scores = (
        part[part["method"] == method] for part in (study.seeds, study.means, study.scores)
    )
    diverged = set(scores.loc[scores["status"] == "diverged", "seed"])
    draw_seeds(axes, seeds.rename(columns={"return_mean": "value"}), diverged, look, unit)
    draw_mean(axes, means, look, unit)


def draw_seeds(
    axes: Axes, seeds: pd.DataFrame, diverged: set[int], look: LineStyle, unit: float
) -> None:
    """Each seed faint, a cross where one diverged. Columns: seed, step, value."""
    for seed, curve in seeds.groupby("seed"):
        x, y = (curve["step"] / unit).to_numpy(), curve["value"].to_numpy()
        axes.plot(x, y, color=look.colour, lw=0.4, alpha=0.3, zorder=1)
        if seed in diverged:
            axes.plot(x[-1], y[-1], "x", color=look.colour, ms=3.5, mew=0.9, zorder=5)


def draw_mean(axes: Axes, means: pd.DataFrame, look: LineStyle, unit: float) -> None:
    """The band and the mean. Columns: step, n, mean, low, high."""
    x = means["step"] / unit
    banded = means["n"] >= BAND_SEEDS
    axes.fill_between(
        x, means["low"], means["high"], where=banded, color=look.colour, alpha=0.15, lw=0, zorder=2
    )
    axes.plot(x, means["mean"], color=look.colour, ls=look.dashes, zorder=3)


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
            axes.axhline(value, color=colour, ls=CLAIM_DASHES, lw=0.9, zorder=4)
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


def view(drawn: Floats, claims: Sequence[float], spans: float = 1.0) -> tuple[float, float]:
    """Limits that hold what is drawn and every claim within `spans` more of its spans."""
    if not len(drawn):
        return (min([0.0, *claims]), max([1.0, *claims]))
    low, high = float(drawn.min()), float(drawn.max())
    room = spans * ((high - low) or max(abs(high), 1.0))
    near = [value for value in claims if low - room <= value <= high + room]
    return min([low, *near]), max([high, *near])


def seed_counts(statistics: pd.DataFrame) -> str:
    """ "n = 5", or "n = 3–5" where arms differ: members with a score."""
    if not len(statistics):
        return "n = 0"
    low, high = statistics["n"].min(), statistics["n"].max()
    return f"n = {low}" if low == high else f"n = {low}–{high}"


def legend_height(statistics: pd.DataFrame) -> float:
    """Inches that `legend` takes below the panels."""
    return 0.62 + 0.08 * len(statistics["method"].unique())


def legend(
    drawing: Figure,
    statistics: pd.DataFrame,
    styles: Mapping[str, LineStyle],
    request: Request,
) -> None:
    """How to read the figure, then all arms; those with fewer members than planned are marked."""
    handles, labels = [], []
    for method, look in styles.items():
        arm = statistics[statistics["method"] == method]
        handles.append(Line2D([], [], color=look.colour, ls=look.dashes))
        lost = (arm["n"] < arm["planned"]).any()
        labels.append(arm["label"].iloc[0] + (("†" if arm["n"].any() else "‡") if lost else ""))
    handles.append(Line2D([], [], color=style.NOTE_COLOUR, ls=CLAIM_DASHES, lw=0.9))
    labels.append("the paper's final value")
    notes = [
        f"{request.scale_words}. Thin: seeds; band: 95\u00a0% t interval of the mean (from "
        f"{BAND_SEEDS} seeds on); dashes, or ↑ beyond the axis: what the paper reports."
    ]
    if any("†" in label for label in labels):
        notes.append("†: some members diverged (×), failed or missing.")
    if any("‡" in label for label in labels):
        notes.append("‡: no member has a score.")
    style.legend_below(drawing, handles, labels, " ".join(notes))


def where(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows of `table` whose columns have these values."""
    return table[(table[list(values)] == pd.Series(values)).all(axis=1)]


def counts(shown: pd.DataFrame) -> str:
    """ "n = 30", or "n = 28–30" where arms or points differ."""
    if shown.empty:
        return "n = 0"
    low, high = shown["n"].min(), shown["n"].max()
    return f"n = {low}" if low == high else f"n = {low}–{high}"
