"""Training diagnostics: every seed faint behind the mean over seeds and the 95 % t interval of that mean.

A diagnostic is recorded as its mean over the updates of each bin of steps. All seeds share the bins, so a point
is the mean over the seeds that have a finite value there; n, their number, is part of the values. A
member that diverged is drawn up to the last bin that ended before it did. Nothing is smoothed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.statistics import mean_interval
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.curves import CLAIM_DASHES, LETTERS, Floats

STEPS = {"million steps": 1e6}
"""Units in which a claim says when something happens, in environment steps."""
MEMBER = ["method", "seed", "step"]


@dataclass(frozen=True)
class Quantity:
    """A diagnostic, divided by the smallest of those in `per` where there are any: a ratio of averages."""

    column: str
    per: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As it stands in the values: "main_difference / main_mean_norm"."""
        if not self.per:
            return self.column
        divisor = self.per[0] if len(self.per) == 1 else f"min({', '.join(self.per)})"
        return f"{self.column} / {divisor}"

    def of(self, diagnostics: pd.DataFrame) -> pd.Series[float]:
        """Its value in every row of `diagnostics`; NaN where one of its diagnostics is not there."""
        columns = diagnostics.reindex(columns=[self.column, *self.per]).astype(float)
        if not self.per:
            return columns[self.column]
        return columns[self.column] / columns[list(self.per)].min(axis=1, skipna=False)


@dataclass(frozen=True)
class Mark:
    """A number of the paper: its claim, the arm in whose colour it is drawn, and a word that tells it apart.

    `at` is the claim of when, in a unit of `STEPS`.
    """

    claim: str
    method: str
    word: str
    at: str | None = None


@dataclass(frozen=True)
class Panel:
    """A panel: its quantity for each arm in it, what the paper says there, and a grey line at `level`.

    Points of seeds that are above `limit` are marked. `expected` are values that follow from an arm's settings, dotted
    lines in its colour.
    """

    title: str
    axis: str
    quantities: dict[str, Quantity]
    marks: tuple[Mark, ...] = ()
    level: float | None = None
    limit: float = np.inf
    expected: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """A figure of diagnostics on one environment; `note` says what its panels show and how it is defined."""

    name: str
    environment: str
    panels: tuple[Panel, ...]
    note: str

    @property
    def methods(self) -> list[str]:
        """Every arm that a panel shows or that the paper's numbers are about."""
        shown = [method for panel in self.panels for method in panel.quantities]
        return list(dict.fromkeys(shown))


@dataclass(frozen=True)
class Diagnosed:
    """What is known of the members of some arms on one environment.

    `traces` are the diagnostics (columns method, seed, step, and one each), `scores` and `statistics` those of
    the experiment.
    """

    traces: pd.DataFrame
    scores: pd.DataFrame
    statistics: pd.DataFrame

    @property
    def diverged(self) -> pd.DataFrame:
        """Members that diverged, with the step at which they did (scores)."""
        return self.scores[self.scores["status"] == "diverged"]


def main(layout: Layout, argv: Sequence[str] | None = None) -> int:
    """Draw `layout` as the command line asks: parquet, csv, pdf and png."""
    return artifact.draw(layout.name, lambda request: render(layout, request), argv)


def render(layout: Layout, request: Request) -> None:
    """Write the four files of the figure."""
    known = read(request, layout.environment, layout.methods)
    seeds = per_seed(layout, known)
    drawn = means(seeds)
    said = claimed(layout, request)
    table = values(drawn, said, expected(layout), known.statistics)
    artifact.write_values(table, request.output)
    artifact.write_csv(seeds, request.output)
    rows = len(layout.panels)
    note = legend_note(layout, known, request)
    with style.figure(0.25 + 1.3 * rows + legend_height(note, layout)) as drawing:
        axes = drawing.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
        for letter, place, panel in zip(LETTERS, axes, layout.panels, strict=False):
            a, b, c = (part[part["panel"] == letter] for part in (seeds, drawn, said))
            draw_panel(place, letter, panel, a, b, c, known, request)
        legend(drawing, note, layout, known)
        style.save(drawing, request.output)


def read(request: Request, environment: str, methods: Sequence[str]) -> Diagnosed:
    """Diagnostics of `methods` on `environment`, each diverged member's up to its divergence."""
    tables = []
    for name in ("diagnostics", "scores", "statistics"):
        table = request.read(name)
        here = (table["environment"] == environment) & table["method"].isin(list(methods))
        tables.append(table[here].reset_index(drop=True))
    traces, scores, statistics = tables
    ends = scores.set_index(["method", "seed"])["diverged_at"]
    members = pd.MultiIndex.from_frame(traces[["method", "seed"]])
    end = ends.reindex(members).fillna(np.inf).to_numpy()
    return Diagnosed(traces[traces["step"].to_numpy() < end], scores, statistics)


def per_seed(layout: Layout, known: Diagnosed) -> pd.DataFrame:
    """Every member's curve in every panel. Columns: panel, method, quantity, seed, step, value."""
    parts = []
    for letter, panel in zip(LETTERS, layout.panels, strict=False):
        for method, quantity in panel.quantities.items():
            arm = known.traces[known.traces["method"] == method]
            about = {"panel": letter, "quantity": quantity.name, "value": quantity.of(arm)}
            parts.append(arm[MEMBER].assign(**about))
    table = pd.concat(parts, ignore_index=True).sort_values(["panel", *MEMBER], kind="stable")
    columns = ["panel", "method", "quantity", "seed", "step", "value"]
    return table[columns].astype({"value": "float64"})


def means(seeds: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of finite values. Columns: panel, method, quantity, step, n, mean, low, high."""
    finite = seeds[np.isfinite(seeds["value"])]
    rows = []
    for who, part in finite.groupby(["panel", "method", "quantity", "step"], sort=False):
        x = part["value"].to_numpy(np.float64)
        rows.append((*who, len(x), x.mean(), *mean_interval(x)))
    columns = ["panel", "method", "quantity", "step", "n", "mean", "low", "high"]
    kinds = {"step": "int64", "n": "int64", **dict.fromkeys(("mean", "low", "high"), "float64")}
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def claimed(layout: Layout, request: Request) -> pd.DataFrame:
    """What the paper says. Columns: panel, method, claim, word, paper (as printed), number, step."""
    rows = []
    for letter, panel in zip(LETTERS, layout.panels, strict=False):
        for mark in panel.marks:
            said = request.claims[mark.claim]
            number = float(said.reported.fraction.value)
            step = np.nan
            if mark.at is not None:
                when = request.claims[mark.at]
                step = float(when.reported.value) * STEPS[str(when.unit)]
            rows.append((letter, mark.method, mark.claim, mark.word, said.value, number, step))
    columns = ["panel", "method", "claim", "word", "paper", "number", "step"]
    return pd.DataFrame(rows, columns=columns).astype({"number": "float64", "step": "float64"})


def values(
    drawn: pd.DataFrame, said: pd.DataFrame, expected: pd.DataFrame, statistics: pd.DataFrame
) -> pd.DataFrame:
    """What is drawn: the means, the paper's numbers as rows with a claim and, where it says when, a step, and `expected`."""
    labels = dict(zip(statistics["method"], statistics["label"], strict=True))
    parts = [drawn.assign(label=drawn["method"].map(labels)), said, expected]
    columns = ["panel", "method", "label", "quantity", "step", "n", "mean", "low", "high"]
    columns += ["claim", "word", "paper", "number"]
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    numbers = dict.fromkeys(("step", "mean", "low", "high", "number"), "float64")
    return table.reindex(columns=columns).astype({**numbers, "n": "Int64"})


def expected(layout: Layout) -> pd.DataFrame:
    """What follows from the settings. Columns: panel, method, quantity ("… expected"), mean."""
    rows = [
        (letter, method, f"{panel.quantities[method].name} expected", value)
        for letter, panel in zip(LETTERS, layout.panels, strict=False)
        for method, value in panel.expected.items()
    ]
    return pd.DataFrame(rows, columns=["panel", "method", "quantity", "mean"])


def draw_panel(
    axes: Axes,
    letter: str,
    panel: Panel,
    seeds: pd.DataFrame,
    drawn: pd.DataFrame,
    said: pd.DataFrame,
    known: Diagnosed,
    request: Request,
) -> None:
    """One panel: `seeds`, `drawn` and `said` are its own rows."""
    steps = [1, *request.steps.values(), *seeds["step"]]
    unit = curves.step_axis(axes, int(max(steps)))
    styles = style.line_styles([*panel.quantities, *said["method"]])
    for method in panel.quantities:
        lost = set(known.diverged.loc[known.diverged["method"] == method, "seed"])
        own = seeds[seeds["method"] == method]
        curves.draw_seeds(axes, own, lost, styles[method], unit)
        above = own[np.isfinite(own["value"]) & (own["value"] > panel.limit)]
        axes.plot(above["step"] / unit, above["value"], "^", color=styles[method].colour, ms=2.5)
        curves.draw_mean(axes, drawn[drawn["method"] == method], styles[method], unit)
    found = seeds.loc[np.isfinite(seeds["value"]), "value"].to_numpy(np.float64)
    fixed = [*panel.expected.values(), *([] if panel.level is None else [panel.level])]
    draw_claims(axes, np.append(found, fixed), said, styles, unit)
    if panel.level is not None:
        axes.axhline(panel.level, color=style.NOTE_COLOUR, lw=0.6, zorder=0)
    for method, value in panel.expected.items():
        axes.axhline(value, color=styles[method].colour, ls=":", lw=0.9, zorder=4)
    axes.set_ylabel(panel.axis, labelpad=2)
    axes.label_outer()
    if not len(found):
        style.centre_note(axes, style.NO_RECORDS)
    style.panel_title(axes, letter, panel.title, f"{request.scale}, {seed_counts(panel, seeds)}")


def draw_claims(
    axes: Axes, drawn: Floats, said: pd.DataFrame, styles: dict[str, style.LineStyle], unit: float
) -> None:
    """The paper's numbers as dashed lines with words in the margin, ◇ where it says when; arrows beyond the axis."""
    numbers = list(said["number"])
    low, high = curves.view(drawn, numbers, spans=2.0)
    if not len(drawn) and numbers:
        low, high = min(0.0, *numbers), max(numbers)
    margin = 0.05 * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    axes.set_ylim(low, high)
    ceiling = 1.0
    for row in said.sort_values("number", ascending=False).itertuples(index=False):
        colour = styles[row.method].colour
        within = low <= row.number <= high
        arrow = "" if within else "↑" if row.number > high else "↓"
        if within:
            axes.axhline(row.number, color=colour, ls=CLAIM_DASHES, lw=0.9, zorder=4)
        if within and row.step / unit <= axes.get_xlim()[1]:
            axes.plot(row.step / unit, row.number, "D", ms=3.5, mfc="none", mec=colour, mew=0.8)
        height = min(ceiling, max((row.number - low) / (high - low), 0.0) + 0.045)
        axes.annotate(
            f"{arrow}{row.paper} {row.word}".strip(),
            (1.01, height),
            xycoords="axes fraction",
            color=colour,
            fontsize=style.SMALL - 0.5,
            va="top",
        )
        ceiling = height - 0.1


def seed_counts(panel: Panel, seeds: pd.DataFrame) -> str:
    """ "n = 5", or "n = 0–5" where arms differ: seeds with a finite value."""
    finite = seeds[np.isfinite(seeds["value"])]
    counts = [
        finite.loc[finite["method"] == method, "seed"].nunique() for method in panel.quantities
    ]
    low, high = min(counts), max(counts)
    return f"n = {low}" if low == high else f"n = {low}–{high}"


def legend_note(layout: Layout, known: Diagnosed, request: Request) -> str:
    """How to read the figure, in words."""
    said = [mark for panel in layout.panels for mark in panel.marks]
    dashes = "; dashes: what the paper reports" if said else ""
    when = ", ◇ where it says when" if any(mark.at for mark in said) else ""
    notes = [
        f"{request.scale_words}. Thin: seeds; band: 95\u00a0% t interval of the mean (from "
        f"{curves.BAND_SEEDS} seeds on){dashes}{when}.",
        layout.note,
    ]
    marks = {mark for mark in arm_marks(layout, known).values() if mark}
    if "†" in marks:
        notes.append(
            "†: some members diverged (×, the mean goes on without them), failed or missing."
        )
    if "‡" in marks:
        notes.append("‡: no records yet, so nothing is drawn.")
    return " ".join(notes)


def arm_marks(layout: Layout, known: Diagnosed) -> dict[str, str]:
    """For each arm "‡" where it has no diagnostics, "†" where members have no score, else nothing."""
    marks = {}
    for method in layout.methods:
        arm = known.statistics[known.statistics["method"] == method]
        lost = not (arm["n"] == arm["planned"]).all()
        drawn = (known.traces["method"] == method).any()
        marks[method] = "" if drawn and not lost else "†" if drawn else "‡"
    return marks


def legend_height(note: str, layout: Layout) -> float:
    """Inches that `legend` takes below the panels."""
    lines = len(style.wrapped(note, 74).splitlines())
    return 0.15 + 0.095 * lines + 0.12 * -(-(len(layout.methods) + 1) // 2)


def legend(drawing: Figure, note: str, layout: Layout, known: Diagnosed) -> None:
    """`note`, then all arms; those with members that are not there are marked."""
    labels = dict(zip(known.statistics["method"], known.statistics["label"], strict=True))
    marks, styles = arm_marks(layout, known), style.line_styles(layout.methods)
    handles = [
        Line2D([], [], color=styles[method].colour, ls=styles[method].dashes)
        for method in layout.methods
    ]
    names = [labels[method] + marks[method] for method in layout.methods]
    if any(panel.marks for panel in layout.panels):
        handles.append(Line2D([], [], color=style.NOTE_COLOUR, ls=CLAIM_DASHES, lw=0.9))
        names.append("the paper's value")
    style.legend_below(drawing, handles, names, note)
