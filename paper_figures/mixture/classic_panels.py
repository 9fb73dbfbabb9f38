"""Classic control as Figures 4, 12, 13 and 14 show it: learning curves of reruns above, sensitivity to α below.

Scores are online training returns. A column is a task; rows are the tasks with shaped rewards, where the scale has them,
those with unshaped ones, and what the sweep on the latter says of each entropy scale: the best of all other
hyperparameters by area under the learning curve, chosen and shown on the same runs, and below it on different ones.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from algorithms.settings import METHODS
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.bootstrap import band
from paper_figures.mixture import sensitivity
from paper_figures.mixture.sensitivity import ALPHA
from paper_figures.style import LineStyle

TASKS = ("Pendulum", "Acrobot", "MountainCar")
SHAPED = tuple(f"Shaped{task}" for task in TASKS)
CURVE, BIASED, UNBIASED = "learning curve", "sensitivity", "sensitivity, held out"
AXES = {
    CURVE: "training return",
    BIASED: "area under the curve,\nbest at each α",
    UNBIASED: "area under the curve,\nheld out",
}


@dataclass(frozen=True)
class Arm:
    """A method in an experiment of reruns, with its name and look where they are not the method's own."""

    experiment: str
    method: str
    variant: str = ""
    variant_look: LineStyle | None = None

    @property
    def name(self) -> str:
        """As the legend calls it."""
        return self.variant or METHODS[self.method].label

    @property
    def look(self) -> LineStyle:
        """Its colour and dashes."""
        return self.variant_look or style.METHODS[self.method]

    def rows(self, request: Request, table: str, sweep: bool = False) -> pd.DataFrame:
        """Its rows of a table of the experiment, or of the sweep that this reruns the best of; column `arm` is its name."""
        experiment = request.plan.experiments[self.experiment].best_of if sweep else self.experiment
        found = request.read(table, experiment)
        own = found[(found["method"] == self.method) & ~found["imported"]]
        return own.assign(arm=self.name)


@dataclass(frozen=True)
class Layout:
    """A figure of this kind: its arms, and whether it has the tasks with shaped rewards."""

    name: str
    arms: tuple[Arm, ...]
    shaped: bool = False


@dataclass(frozen=True)
class Known:
    """What records say of the arms: runs of the reruns and their scores, and everything drawn from them (`values`)."""

    runs: pd.DataFrame
    scores: pd.DataFrame
    values: pd.DataFrame


def of(experiment: str, *methods: str) -> tuple[Arm, ...]:
    """Methods of an experiment under their own names."""
    return tuple(Arm(experiment, method) for method in methods)


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure."""
    known = read(layout, request)
    artifact.write_values(known.values, request.output)
    artifact.write_csv(known.values, request.output)
    rows = panel_rows(layout, request)
    with style.figure(1.3 * len(rows) + 0.8, style.PAGE) as drawing:
        grid = drawing.subplots(len(rows), len(TASKS), squeeze=False)
        places = zip(grid.flat, string.ascii_lowercase, panels(rows), strict=False)
        for axes, letter, (panel, environment) in places:
            draw_panel(axes, letter, panel, environment, layout, known, request)
        for axes, (panel, _) in zip(grid[:, 0], rows, strict=True):
            axes.set_ylabel(AXES[panel], labelpad=2)
        for pair in grid[-2:].T:
            limits = [end for axes in pair for end in axes.get_ylim()]
            for axes in pair:
                axes.set_ylim(min(limits), max(limits))
        style.corner_note(drawing, f"scale {request.scale}")
        legend(drawing, layout, known, request)
        style.save(drawing, request.output)


def panel_rows(layout: Layout, request: Request) -> list[tuple[str, tuple[str, ...]]]:
    """What each row of panels shows, and on which environments: shaped ones only where the scale has any."""
    shaped = [(CURVE, SHAPED)] if layout.shaped and set(SHAPED) & planned(layout, request) else []
    return [*shaped, (CURVE, TASKS), (BIASED, TASKS), (UNBIASED, TASKS)]


def panels(rows: list[tuple[str, tuple[str, ...]]]) -> Iterator[tuple[str, str]]:
    """What each panel shows, and on which environment."""
    return ((panel, environment) for panel, environments in rows for environment in environments)


def planned(layout: Layout, request: Request) -> set[str]:
    """Environments on which the scale has any of the arms."""
    return {
        environment
        for arm in layout.arms
        for environment in request.plan.experiments[arm.experiment].steps[request.scale]
    }


# Values


def read(layout: Layout, request: Request) -> Known:
    """Everything that the figure shows; only the tasks with unshaped rewards have sensitivities."""
    runs, scores, swept = (
        pd.concat([arm.rows(request, table, sweep) for arm in layout.arms], ignore_index=True)
        for table, sweep in (("curves", False), ("scores", False), ("scores", True))
    )
    if not layout.shaped:
        runs, scores = (part[part["environment"].isin(TASKS)] for part in (runs, scores))
    unshaped = swept[swept["environment"].isin(TASKS)]
    by_alpha = sensitivity.with_levels(unshaped, (ALPHA,))
    within = ("environment", "arm", ALPHA)
    parts = [
        learning_curves(layout, runs, scores, request).assign(panel=CURVE),
        sensitivity.best_settings(by_alpha, "auc", within).assign(panel=BIASED),
        sensitivity.held_out(by_alpha, "auc", within).assign(panel=UNBIASED),
    ]
    columns = ["panel", "environment", "arm", "step", ALPHA, "setting", "other_setting"]
    kinds = {
        "step": "Int64",
        "n": "int64",
        **dict.fromkeys((ALPHA, *sensitivity.ESTIMATE[1:]), "float64"),
    }
    values = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return Known(
        runs, scores, values.reindex(columns=[*columns, *sensitivity.ESTIMATE]).astype(kinds)
    )


def learning_curves(
    layout: Layout, runs: pd.DataFrame, scores: pd.DataFrame, request: Request
) -> pd.DataFrame:
    """Means over runs, with bands. Columns: environment, arm, step, n, mean, low, high."""
    parts = []
    for (environment, name), own in runs.groupby(["environment", "arm"], sort=False):
        (arm,) = (arm for arm in layout.arms if arm.name == name)
        ends = curves.where(scores, environment=environment, arm=name)
        last = int(ends["steps"].max())
        rows = request.plan.scale_of(request.scale, arm.experiment).curve_rows
        grid = np.round(np.arange(1, rows + 1) * (last / rows)).astype(np.int64)
        filled = on_grid(own, grid, set(ends.loc[ends["status"] == "done", "seed"]))
        low, high = band(filled.to_numpy())
        about = {"environment": environment, "arm": name, "step": grid, "low": low, "high": high}
        about |= {"n": filled.count().to_numpy(), "mean": filled.mean().to_numpy()}
        parts.append(pd.DataFrame(about))
    columns = ["environment", "arm", "step", *sensitivity.ESTIMATE]
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)


def on_grid(runs: pd.DataFrame, grid: np.ndarray, done: set[int]) -> pd.DataFrame:
    """Each run's curve at the steps of `grid`: a row a seed. NaN from where a run that is not in `done` ends.

    A bin in which no episode ended has what lies between its neighbours, at the ends what the nearest has: so the mean of a row is the area
    under the curve by which settings are chosen, and a run whose first episode is long counts from the start.
    """
    seeds = sorted(set(runs["seed"]))
    rows = pd.DataFrame(curves.aligned(runs, grid), index=seeds).bfill(axis=1)
    finished = rows.index.isin(done)
    rows.loc[finished] = rows.loc[finished].ffill(axis=1)
    return rows


# Drawing


def draw_panel(
    axes: Axes,
    letter: str,
    panel: str,
    environment: str,
    layout: Layout,
    known: Known,
    request: Request,
) -> None:
    """One panel: learning curves, or the sensitivity to α, of all arms on an environment."""
    values = known.values
    own = values[(values["panel"] == panel) & (values["environment"] == environment)]
    if panel == CURVE:
        learning(axes, environment, own, layout, known, request)
    else:
        looks = {arm.name: arm.look for arm in layout.arms}
        sensitivity.draw(axes, own, looks, "arm")
        axes.set_xlim(10**-3.3, 10**0.3)
    style.panel_title(axes, letter, environment, curves.counts(own), style.SMALL)
    if own.empty:
        there = environment in planned(layout, request)
        style.centre_note(
            axes, style.NO_RECORDS if there else f"not part of\nscale {request.scale}"
        )
        axes.minorticks_off()
        axes.set(xticks=[], yticks=[])


def learning(
    axes: Axes,
    environment: str,
    means: pd.DataFrame,
    layout: Layout,
    known: Known,
    request: Request,
) -> None:
    """The arms' means and bands; only runs that diverged one by one, which would else hide the bands."""
    unit = curves.step_axis(
        axes, max([1, *known.scores.loc[known.scores["environment"] == environment, "steps"]])
    )
    for arm in layout.arms:
        runs, scores, own = (
            curves.where(table, environment=environment, arm=arm.name)
            for table in (known.runs, known.scores, means)
        )
        diverged = set(scores.loc[scores["status"] == "diverged", "seed"])
        gone = runs[runs["seed"].isin(diverged)].rename(columns={"return_mean": "value"})
        curves.draw_seeds(axes, gone, diverged, arm.look, unit)
        curves.draw_mean(axes, own.astype({"step": "float64"}), arm.look, unit)


def legend(drawing: Figure, layout: Layout, known: Known, request: Request) -> None:
    """How to read the figure, then the arms; one that lost members is marked."""
    handles, labels = [], []
    for arm in layout.arms:
        handles.append(Line2D([], [], color=arm.look.colour, ls=arm.look.dashes))
        lost = known.scores.loc[known.scores["arm"] == arm.name, "status"] != "done"
        labels.append(arm.name + ("†" if lost.any() else ""))
    style.legend_below(drawing, handles, labels, note(labels, request))


def note(labels: Sequence[str], request: Request) -> str:
    """How to read the figure."""
    lost = (
        "†: some reruns diverged (thin to ×; the mean goes on without them), failed or are missing."
    )
    parts = [
        f"{request.scale_words}. Training returns of the setting with the largest area under the curve, rerun with fresh seeds: mean, "
        "95\u00a0% bootstrap band. Best at each α: of the other hyperparameters by that area (mean return), chosen on the "
        "runs shown, hence too high on average (settings with a lost run are left aside); held out: chosen on every second run, shown on the others, both ways round. Lines: 95\u00a0% "
        "bootstrap intervals over runs, given the choice.",
        lost if any("†" in label for label in labels) else "",
    ]
    return " ".join(part for part in parts if part)
