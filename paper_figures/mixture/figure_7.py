"""Figure 7: expected reward and objective of every stationary point that the trials found, for representative α."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from paper_figures import artifact, style
from paper_figures.artifact import Request
from paper_figures.curves import LETTERS
from paper_figures.mixture.found import GAUSSIAN, MIXTURE, read_trials
from paper_figures.mixture.studies import NumericalStudy

NAME, STUDY = "figure_7", "numerical_study"
ALPHAS = (0.1, 0.2, 0.26, 0.3, 0.4, 0.5)
"""The entropy scales shown: 0.26 and 0.3 are named in Appendix C, the others chosen here."""
NAMES = {GAUSSIAN: "Gaussian", MIXTURE: "Mixture"}
OBJECTIVE_DASHES = (0, (2.2, 1.1))
ROOM = 0.38
"""Below the lowest value, for the counts, in parts of the range of values."""
COLUMNS = ("alpha", "policy", "rank", "trial", "objective", "expected_reward", "outcome", "bimodal")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 7 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    points = ranked(read_trials(request.read_study(STUDY)))
    artifact.write_values(points, request.output)
    artifact.write_csv(points, request.output)
    settings = request.study_settings(STUDY, NumericalStudy)
    with style.figure(5.0) as drawing:
        panels = drawing.subplots(3, 2, sharex=True, sharey=True).ravel()
        for letter, axes, alpha in zip(LETTERS, panels, ALPHAS, strict=False):
            looked_at = alpha in settings.alphas
            panel(axes, points[points["alpha"] == alpha], settings.trials, looked_at)
            style.panel_title(axes, letter, f"α = {alpha:g}", "")
        if len(points):
            drawn = points[["objective", "expected_reward"]].to_numpy()
            low, high = drawn.min(), drawn.max()
            panels[0].set_ylim(low - ROOM * (high - low), high + 0.05 * (high - low))
        legend(drawing, settings.trials, request)
        style.save(drawing, request.output)


def ranked(trials: pd.DataFrame) -> pd.DataFrame:
    """The stationary points at ALPHAS with their rank by objective, from the smallest, 1 on. Columns: COLUMNS."""
    if trials.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    shown = trials[trials["stationary"] & trials["alpha"].isin(ALPHAS)]
    shown = shown.sort_values(["alpha", "policy", "objective", "trial"])
    shown["rank"] = shown.groupby(["alpha", "policy"]).cumcount() + 1
    return shown[list(COLUMNS)].reset_index(drop=True)


def panel(axes: Axes, points: pd.DataFrame, trials: int, looked_at: bool) -> None:
    """One α: expected reward solid, objective dashed, and how many points each policy has."""
    for below, (policy, look) in enumerate(style.POLICIES.items()):
        here = points[points["policy"] == policy]
        marker = "." if len(here) == 1 else ""
        for name, dashes in (("expected_reward", "-"), ("objective", OBJECTIVE_DASHES)):
            x, y = here["rank"], here[name]
            axes.plot(x, y, color=look.colour, lw=0.9, ls=dashes, marker=marker)
        if looked_at:
            axes.text(
                0.98,
                0.13 - 0.11 * below,
                f"{len(here)} of {trials}",
                color=look.colour,
                transform=axes.transAxes,
                ha="right",
                va="bottom",
                fontsize=style.SMALL - 0.5,
            )
    if points.empty:
        style.centre_note(axes, "none found" if looked_at else "not looked at")
    axes.set_xlim(1, max(trials, 2))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("stationary point, sorted", labelpad=1.5)
    axes.set_ylabel("value", labelpad=2)
    axes.label_outer()


def legend(drawing: Figure, trials: int, request: Request) -> None:
    """How to read the figure, then the policies and the two quantities."""
    looks = style.POLICIES
    handles = [Line2D([], [], color=look.colour, lw=0.9) for look in looks.values()]
    labels = [f"{NAMES[name]}, expected reward" for name in looks]
    handles += [
        Line2D([], [], color=look.colour, ls=OBJECTIVE_DASHES, lw=0.9) for look in looks.values()
    ]
    labels += [f"{NAMES[name]}, objective" for name in looks]
    note = (
        f"{request.scale_words}. Of {trials} trials an α and policy, those that ended at a stationary point (counts: lower "
        "right), sorted by objective J = E[r] + α H; the others' log σ went to its bound, or they did not converge. Between "
        "the lines of a policy lies α times its entropy."
    )
    style.legend_below(drawing, handles, labels, note)


if __name__ == "__main__":
    sys.exit(main())
