"""What the figures of the language study share: panels of curves over learner steps, and how to read them."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.language.settings import PROGRAMMATIC, OwnModel
from algorithms.settings import METHODS
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.curves import BAND_SEEDS, counts, where
from paper_figures.evaluation_curves import means
from paper_figures.pmpo.studies import Language
from paper_figures.style import LineStyle

STUDY = "language"
PANEL_HEIGHT = 1.35
OURS = "A small model and task of our own, not the paper's: nothing here answers its claims."
THEIRS = "The model, reward and prompts of the settings, not the paper's: nothing here answers its claims."


@dataclass(frozen=True)
class Panel:
    """Curves of a column of one of the study's tables, for the arms that `arm` names, given a row's method and β.

    `tops` marks where the mean of an arm is highest, if it ends lower. `line` is a value to compare with.
    """

    title: str
    axis: str
    table: str
    column: str
    arm: Callable[[Language, str, float], str | None]
    tops: bool = False
    line: float | None = None


@dataclass(frozen=True)
class Layout:
    """A figure of such panels, one below the other, with the looks of its arms."""

    name: str
    panels: tuple[Panel, ...]
    arms: Mapping[str, LineStyle]
    note: str = ""


@dataclass(frozen=True)
class Drawn:
    """Each panel's runs and their means, told apart by `environment`, its title; `ends` has every run's status by arm."""

    runs: pd.DataFrame
    means: pd.DataFrame
    ends: pd.DataFrame = field(default_factory=pd.DataFrame)


def method_arm(settings: Language, method: str, beta: float) -> str | None:
    """The arm of a method as it is planned apart from the sweep, as print calls it."""
    planned = settings.arms.get(method)
    return METHODS[method].label if planned is not None and planned.beta == beta else None


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure: its values are the means, its csv has every run."""
    drawn = read(layout, request)
    settings = request.study_settings(STUDY, Language)
    artifact.write_values(drawn.means, request.output)
    artifact.write_csv(drawn.runs, request.output)
    with style.figure(PANEL_HEIGHT * len(layout.panels) + 1.1) as drawing:
        panels = drawing.subplots(len(layout.panels), 1, squeeze=False)[:, 0]
        for axes, letter, panel in zip(panels, string.ascii_lowercase, layout.panels, strict=False):
            draw_panel(axes, letter, panel, layout, drawn, settings)
        panels[-1].set_xlabel("learner steps", labelpad=1.5)
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, layout, drawn, settings, request)
        style.save(drawing, request.output)


def read(layout: Layout, request: Request) -> Drawn:
    """What is recorded of the layout's panels; nothing where there is no record."""
    record, settings = request.read_study(STUDY), request.study_settings(STUDY, Language)
    columns = ["environment", "arm", "method", "beta", "seed", "step", "value"]
    if record is None:
        empty = pd.DataFrame(columns=columns)
        return Drawn(empty, means(empty), pd.DataFrame(columns=["arm", "seed", "status"]))
    tables = {name: record.table(name) for name in ("runs", *(p.table for p in layout.panels))}

    def own(panel: Panel, table: str) -> pd.DataFrame:
        rows = tables[table]
        named = [
            panel.arm(settings, *who) for who in zip(rows["method"], rows["beta"], strict=True)
        ]
        rows = rows.assign(arm=named, environment=panel.title)
        return rows[rows["arm"].isin(layout.arms)]

    parts, ends = [], [own(panel, "runs") for panel in layout.panels]
    for panel in layout.panels:
        rows = own(panel, panel.table)
        parts.append(rows.assign(value=rows[panel.column]))
    shown = pd.concat(parts, ignore_index=True)[columns].dropna(subset="value")
    return Drawn(shown, means(shown), pd.concat(ends, ignore_index=True))


def draw_panel(
    axes: Axes, letter: str, panel: Panel, layout: Layout, drawn: Drawn, settings: Language
) -> None:
    """One panel: every seed faint behind the arms' means and bands, a cross where one diverged."""
    shown = where(drawn.means, environment=panel.title)
    style.panel_title(axes, letter, panel.title, counts(shown))
    axes.set_xlim(0, settings.updates)
    axes.set_ylabel(panel.axis, labelpad=2)
    if shown.empty:
        axes.set_yticks([])
        missing = (
            "no independent score"
            if settings.judge is None and panel.table == "evaluations"
            else style.NO_RECORDS
        )
        style.centre_note(axes, missing)
        return
    if panel.line is not None:
        axes.axhline(panel.line, color=style.NOTE_COLOUR, lw=0.5, zorder=0)
    for name, look in layout.arms.items():
        runs, own, ends = (
            where(t, environment=panel.title, arm=name)
            for t in (drawn.runs, drawn.means, drawn.ends)
        )
        curves.draw_seeds(axes, runs, set(ends.loc[ends["status"] == "diverged", "seed"]), look, 1)
        curves.draw_mean(axes, own, look, 1)
        if panel.tops and len(own):
            mark_top(axes, own, look)


def mark_top(axes: Axes, own: pd.DataFrame, look: LineStyle) -> None:
    """A circle where the mean is highest, unless it ends as high."""
    top, end = own.loc[own["mean"].idxmax()], own.loc[own["step"].idxmax()]
    if top["mean"] > end["mean"]:
        axes.plot(
            top["step"], top["mean"], "o", color=look.colour, mfc="white", ms=3.6, mew=0.9, zorder=6
        )


def legend(
    drawing: Figure, layout: Layout, drawn: Drawn, settings: Language, request: Request
) -> None:
    """How to read the figure, then its arms; one that lost runs is marked."""
    lost = {
        arm
        for arm, status in drawn.ends[["arm", "status"]].itertuples(index=False)
        if status != "done"
    }
    handles = [Line2D([], [], color=look.colour, ls=look.dashes) for look in layout.arms.values()]
    labels = [f"{name}†" if name in lost else name for name in layout.arms]
    parts = [
        f"{request.scale_words}. {explained(settings)}",
        layout.note,
        f"Thick: mean over seeds; band: its 95\u00a0% bootstrap interval (from {BAND_SEEDS} seeds on); thin: seeds.",
        "†: a seed diverged (×)." if lost else "",
    ]
    style.legend_below(drawing, handles, labels, " ".join(part for part in parts if part))


def explained(settings: Language) -> str:
    """Whose model and task it is."""
    own = isinstance(settings.model, OwnModel) and settings.reward == PROGRAMMATIC
    return OURS if own else THEIRS
