"""Figure 3: every run of Rep-Squashed and HalfRep-SGM on Acrobot, and how many still reach the goal at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from analysis.statistics import wilson_interval
from envs.registry import ENVIRONMENTS
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.mixture.classic_panels import Arm, of

NAME, ENVIRONMENT = "figure_3", "Acrobot"
ARMS = of("classic", "rep_squashed", "half_rep_sgm")
FAILURE = -float(ENVIRONMENTS[ENVIRONMENT].horizon)
"""The return of an episode that ends at the cut-off: −1 for each of its steps."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 3 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    shown = request.steps.get(ENVIRONMENT)
    runs, scores = (
        pd.concat([arm.rows(request, table) for arm in ARMS], ignore_index=True)
        for table in ("curves", "scores")
    )
    runs, scores = (part[part["environment"] == ENVIRONMENT] for part in (runs, scores))
    found = reaching(scores)
    artifact.write_values(found, request.output)
    columns = ["arm", "seed", "step", "return_mean", "episodes"]
    artifact.write_csv(runs[columns], request.output)
    with style.figure(3.9) as drawing:
        panels = drawing.subplots(len(ARMS), 1, sharex=True, sharey=True)
        for axes, letter, arm in zip(panels, "ab", ARMS, strict=True):
            unit = curves.step_axis(axes, shown or 1)
            own = scores[scores["arm"] == arm.name]
            each_run(axes, runs[runs["arm"] == arm.name], own, arm, unit)
            n = f"n = {int((own['status'] == 'done').sum())}"
            style.panel_title(axes, letter, arm.name, f"{request.scale}, {n}")
            axes.set_ylabel("training return", labelpad=2)
            axes.label_outer()
            if runs.empty:
                text = style.NO_RECORDS if shown else f"not part of scale {request.scale}"
                style.centre_note(axes, text)
                axes.set(xticks=[], yticks=[])
        style.legend_below(drawing, [], [], note(found, request))
        style.save(drawing, request.output)


def reaching(scores: pd.DataFrame) -> pd.DataFrame:
    """How many runs reach the goal in the last tenth of training; one that diverged does not. Columns: arm, n, reaching,
    low, high.

    The ends are those of Wilson's 95 % interval of the share.
    """
    ended = scores[scores["status"].isin(("done", "diverged"))]
    rows = []
    for arm in ARMS:
        own = ended[ended["arm"] == arm.name]
        count = int(((own["status"] == "done") & (own["training_return"] > FAILURE)).sum())
        rows.append((arm.name, len(own), count, *wilson_interval(count, len(own))))
    return pd.DataFrame(rows, columns=["arm", "n", "reaching", "low", "high"])


def each_run(axes: Axes, runs: pd.DataFrame, scores: pd.DataFrame, arm: Arm, unit: float) -> None:
    """A line a run, a cross where one diverged."""
    diverged = set(scores.loc[scores["status"] == "diverged", "seed"])
    for seed, run in runs.groupby("seed"):
        x, y = run["step"] / unit, run["return_mean"]
        axes.plot(x, y, color=arm.look.colour, lw=0.5, alpha=0.6)
        if seed in diverged:
            axes.plot(x.iloc[-1], y.iloc[-1], "x", color=arm.look.colour, ms=3.5, mew=0.9)


def note(found: pd.DataFrame, request: Request) -> str:
    """How to read the figure, and how many runs reach the goal."""
    told = [
        f"{row['arm']} {row['reaching']} of {row['n']} (95\u00a0% interval {100 * row['low']:.0f} to {100 * row['high']:.0f}\u00a0%)"
        for row in found[found["n"] > 0].to_dict("records")
    ]
    counted = (
        f" With a goal reached in the last tenth of training: {'; '.join(told)}." if told else ""
    )
    return (
        f"{request.scale_words}. {ENVIRONMENT}: each line is one rerun of the method's best setting; an episode without the goal "
        f"returns {style.number(FAILURE, 0)}; × a run that diverged.{counted}"
    )


if __name__ == "__main__":
    sys.exit(main())
