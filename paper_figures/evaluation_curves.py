"""Learning curves of evaluations during training: a panel for each environment, an arm's mean over seeds and its band.

A point is the mean return of the protocol's deterministic episodes, or what a figure measures of it. Shifts of rewards are taken out again: every episode
under them is as long as the horizon, so what is left is the plain task's return. Imported runs have no such evaluations.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from analysis.load import load_evaluations
from envs.registry import ENVIRONMENTS
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.bootstrap import band
from paper_figures.curves import counts, where
from paper_figures.style import LineStyle

COLUMNS = ("environment", "arm", "step", "n", "mean", "low", "high")
PANEL_HEIGHT = 1.35


def method_label(experiment: str, rows: pd.DataFrame) -> pd.Series:
    """The arm of each row of a table of an experiment: its method, as print calls it."""
    return rows["method"].map({name: method.label for name, method in METHODS.items()})


def arms(*methods: str) -> dict[str, LineStyle]:
    """Methods as arms, each called as in print."""
    return {METHODS[name].label: style.METHODS[name] for name in methods}


@dataclass(frozen=True)
class Measure:
    """What a figure shows of evaluations: its axis, in words (with the number of episodes as {episodes}), and its value from the
    rows of `load_evaluations`.

    On a logarithmic axis seeds are averaged by their logarithms, and a figure of many may leave them out.
    """

    axis: str
    words: str
    of: Callable[[pd.DataFrame], pd.Series]
    logarithmic: bool = False
    seeds: bool = True


def plain_return(evaluated: pd.DataFrame) -> pd.Series:
    """Mean returns without the shift of rewards."""
    shift = evaluated["environment"].map(lambda name: ENVIRONMENTS[name].shifted_return)
    return evaluated["return_mean"] - shift


RETURN = Measure(
    "evaluation return", "Mean return of {episodes} deterministic episodes", plain_return
)


@dataclass(frozen=True)
class Layout:
    """A figure of this kind: its panels, `columns` beside each other, and its arms with their looks.

    `arm` tells the arm of each row of an experiment's table, NaN where the figure does not show it. `titles` are of panels
    that are not called as their environment is.
    """

    name: str
    environments: tuple[str, ...]
    columns: int
    arms: Mapping[str, LineStyle]
    arm: Callable[[str, pd.DataFrame], pd.Series] = method_label
    note: str = ""
    measure: Measure = RETURN
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What records say: evaluations (`runs`: environment, arm, seed, step, value), members' ends, and the drawn means."""

    runs: pd.DataFrame
    scores: pd.DataFrame
    means: pd.DataFrame


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure: its values are the means, its csv has every run."""
    known = read(layout, request)
    artifact.write_values(known.means, request.output)
    artifact.write_csv(known.runs, request.output)
    rows = -(-len(layout.environments) // layout.columns)
    width = style.COLUMN if layout.columns == 1 else style.PAGE
    with style.figure(PANEL_HEIGHT * rows + 0.8, width) as drawing:
        panels = drawing.subplots(rows, layout.columns, squeeze=False)
        for axes in panels.flat[len(layout.environments) :]:
            axes.set_axis_off()
        places = zip(panels.flat, string.ascii_lowercase, layout.environments, strict=False)
        for axes, letter, environment in places:
            draw_panel(axes, letter, environment, layout, known, request)
        for axes in panels[:, 0]:
            axes.set_ylabel(layout.measure.axis, labelpad=2)
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, layout, known, request)
        style.save(drawing, request.output)


# Values


def read(layout: Layout, request: Request) -> Known:
    """Everything that the figure shows."""
    experiments = request.paper.artifacts[layout.name].experiments
    runs, scores = [], []
    for name in experiments:
        evaluated = load_evaluations(request.plan, request.scale, name, request.records)
        ends = request.read("scores", name)
        runs.append(evaluated.assign(arm=layout.arm(name, evaluated)))
        scores.append(ends[~ends["imported"]].assign(arm=layout.arm(name, ends)))
    shown = pd.concat(runs, ignore_index=True)
    shown["value"] = layout.measure.of(shown)
    shown, ended = (
        table[table["arm"].isin(layout.arms) & table["environment"].isin(layout.environments)]
        for table in (shown, pd.concat(scores, ignore_index=True))
    )
    kept = ["environment", "arm", "seed", "step", "value", "length_mean", "episodes"]
    return Known(shown[kept], ended, means(shown, layout.measure.logarithmic))


def means(runs: pd.DataFrame, geometric: bool = False) -> pd.DataFrame:
    """The mean over seeds of each arm's evaluations, with its 95 % bootstrap interval. Columns: COLUMNS.

    A `geometric` mean is of positive values, which a few large ones would else decide.
    From where a seed diverged the mean goes on without it; n is how many there are.
    """
    parts = []
    for (environment, arm), own in runs.groupby(["environment", "arm"], sort=False):
        table = own.pivot(index="seed", columns="step", values="value").sort_index(axis=1)
        averaged = np.log(table) if geometric else table
        low, high = band(averaged.to_numpy(np.float64))
        drawn = {"mean": averaged.mean(), "low": low, "high": high}
        if geometric:
            drawn = {name: np.exp(x) for name, x in drawn.items()}
        drawn = {"n": table.count(), **drawn}
        about = {"environment": environment, "arm": arm, "step": table.columns}
        parts.append(pd.DataFrame({**about, **{k: np.asarray(x) for k, x in drawn.items()}}))
    kinds = {"step": "int64", "n": "int64", **dict.fromkeys(("mean", "low", "high"), "float64")}
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    return found[list(COLUMNS)].astype(kinds)


# Drawing


def draw_panel(
    axes: Axes, letter: str, environment: str, layout: Layout, known: Known, request: Request
) -> None:
    """One task: every seed faint behind the arms' means and bands, a cross where one diverged."""
    scores, drawn = (where(table, environment=environment) for table in (known.scores, known.means))
    # The version is in the registry's name.
    title = layout.titles.get(environment, environment.partition("-")[0])
    style.panel_title(axes, letter, title, counts(drawn), style.SMALL)
    if drawn.empty:
        axes.set_xticks([])
        axes.set_yticks([])
        style.centre_note(
            axes, style.NO_RECORDS if len(scores) else f"not part of\nscale {request.scale}"
        )
        return
    unit = curves.step_axis(axes, scores["steps"].max())
    if layout.measure.logarithmic:
        axes.set_yscale("log")
    for name, look in layout.arms.items():
        runs, ends, own = (
            where(table, environment=environment, arm=name)
            for table in (known.runs, known.scores, known.means)
        )
        diverged = set(ends.loc[ends["status"] == "diverged", "seed"])
        if layout.measure.seeds:
            curves.draw_seeds(axes, runs, diverged, look, unit)
        curves.draw_mean(axes, own, look, unit)


def legend(drawing: Figure, layout: Layout, known: Known, request: Request) -> None:
    """How to read the figure, then its arms; one that lost members is marked."""
    handles, labels = [], []
    for name, look in layout.arms.items():
        handles.append(Line2D([], [], color=look.colour, ls=look.dashes))
        lost = known.scores.loc[known.scores["arm"] == name, "status"] != "done"
        labels.append(name + ("†" if lost.any() else ""))
    style.legend_below(drawing, handles, labels, note(layout, labels, request))


def note(layout: Layout, labels: Sequence[str], request: Request) -> str:
    """How to read the figure."""
    protocol = request.plan.scale_of(request.scale, request.experiment).protocol
    lost = "†: some members diverged (×, the mean goes on without them), failed or are missing."
    every = f"every {protocol.evaluation_every:,} steps " if protocol.evaluation_every else ""
    parts = [
        f"{request.scale_words}. {layout.measure.words.format(episodes=protocol.evaluation_episodes)} {every}during "
        f"training; thick: {'geometric ' if layout.measure.logarithmic else ''}mean over seeds; band: its 95\u00a0% bootstrap interval (from {curves.BAND_SEEDS} seeds on)"
        f"{'; thin: seeds' if layout.measure.seeds else ''}.",
        layout.note,
        lost if any("†" in label for label in labels) else "",
    ]
    return " ".join(part for part in parts if part)
