"""Figure A.4: ten seeds, in both meanings: ten training runs, and one checkpoint under ten evaluation seeds.

The paper speaks of random initialisations; the release's script evaluates one checkpoint. Both stand on one axis.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from algorithms.records import StudyRecord
from algorithms.settings import METHODS
from analysis.statistics import mean, std
from paper_figures import artifact, curves, style
from paper_figures.artifact import Request
from paper_figures.prefpoe import OTHERS
from paper_figures.prefpoe.checkpoint import STUDY, populations
from paper_figures.prefpoe.studies import Deployment
from paper_figures.style import LineStyle

NAME, ENVIRONMENT = "figure_a_4", "HalfCheetah-v4"
ARMS = ("prefpoe_released", "prefpoe")
MEAN, LOWEST, HIGHEST = (f"table_a_3.multi_seed{end}" for end in ("", ".minimum", ".maximum"))
TRAINING, EVALUATION = "training", "evaluation"
"""What a seed is: that of a whole training run, or that of the environment in which one checkpoint plays."""
SEEDS = {
    "method": "object",
    "kind": "object",
    "seed": "int64",
    "status": "object",
    "episodes": "int64",
    "mean": "float64",
    "std": "float64",
}
PLAYED = {"method": "object", "seed": "int64", "episode": "int64", "return": "float64"}
"""Columns of what is drawn: a row a seed of either kind, with its episodes; and episodes under evaluation seeds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure A.4 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the figure."""
    record = request.read_study(STUDY)
    played = evaluated(record)
    seeds = pd.concat([trained(request.read("scores")), by_seed(played)], ignore_index=True)
    seeds = seeds.astype(SEEDS)
    artifact.write_values(seeds, request.output)
    artifact.write_csv(played, request.output)
    missing = {
        TRAINING: "not trained yet",
        EVALUATION: "diverged" if record else "not recorded yet",
    }
    claims = [float(request.claims[name].reported.value) for name in (MEAN, LOWEST, HIGHEST)]
    styles = style.line_styles(ARMS)
    with style.figure(5.9) as drawing:
        grid = drawing.add_gridspec(3, 2, width_ratios=[2.3, 1.0], height_ratios=[1.2, 1.2, 0.9])
        order = sorted(seeds["seed"].unique())
        for row, (letters, method) in enumerate(zip(("ab", "cd"), ARMS, strict=True)):
            left = drawing.add_subplot(grid[row, 0])
            right = drawing.add_subplot(grid[row, 1], sharey=left)
            own = seeds[seeds["method"] == method]
            seed_panel(left, own, order, styles[method])
            distribution_panel(right, own, styles[method], missing)
            beyond = span((left, right), own, claims)
            style.panel_title(left, letters[0], METHODS[method].label, request.scale)
            style.panel_title(right, letters[1], "All", beyond)
        last = drawing.add_subplot(grid[2, :])
        progression_panel(last, played, styles)
        style.panel_title(last, "e", "Episodes of one checkpoint", counted(played, request))
        legend(drawing, seeds, request)
        style.save(drawing, request.output)


def trained(scores: pd.DataFrame) -> pd.DataFrame:
    """Training seeds: each row of scores of the arms; `mean` is NaN for one without a score."""
    rows = scores[
        (scores["environment"] == ENVIRONMENT) & scores["method"].isin(ARMS) & ~scores["imported"]
    ]
    rows = rows.rename(columns={"score": "mean", "episode_std": "std"}).assign(kind=TRAINING)
    return rows[list(SEEDS)]


def evaluated(record: StudyRecord | None) -> pd.DataFrame:
    """Episodes of the one checkpoint of each arm under evaluation seeds; none where there is no record."""
    if record is None:
        return pd.DataFrame(columns=list(PLAYED)).astype(PLAYED)
    rows = record.table("episodes")
    rows = rows[
        (rows["environment"] == ENVIRONMENT) & (rows["way"] == OTHERS) & rows["method"].isin(ARMS)
    ]
    return (
        rows.drop(columns="seed", errors="ignore")
        .rename(columns={"evaluation_seed": "seed"})[list(PLAYED)]
        .astype(PLAYED)
    )


def by_seed(played: pd.DataFrame) -> pd.DataFrame:
    """Evaluation seeds: mean and standard deviation over the episodes of each."""
    rows = [
        {
            "method": method,
            "kind": EVALUATION,
            "seed": seed,
            "status": "done",
            "episodes": len(part),
            "mean": mean(part["return"].to_numpy()),
            "std": std(part["return"].to_numpy()),
        }
        for (method, seed), part in played.groupby(["method", "seed"], sort=False)
    ]
    return pd.DataFrame(rows, columns=list(SEEDS))


def seed_panel(axes: Axes, seeds: pd.DataFrame, order: Sequence[int], look: LineStyle) -> None:
    """Each seed's mean return, with the standard deviation of its episodes; crosses where a member diverged."""
    for kind, offset, marker, face in (
        (TRAINING, -0.14, "o", look.colour),
        (EVALUATION, 0.14, "D", "white"),
    ):
        rows = seeds[seeds["kind"] == kind]
        x = np.array([order.index(seed) for seed in rows["seed"]]) + offset
        there = rows["mean"].notna().to_numpy()
        axes.errorbar(
            x[there],
            rows["mean"][there],
            rows["std"][there],
            fmt=marker,
            ms=3.2,
            mfc=face,
            color=look.colour,
            mew=0.8,
            elinewidth=0.7,
        )
        diverged = (rows["status"] == "diverged").to_numpy()
        floor = np.full(diverged.sum(), 0.04)
        axes.plot(x[diverged], floor, "x", color=look.colour, transform=axes.get_xaxis_transform())
    axes.set_xticks(range(len(order)), [str(seed) for seed in order], rotation=60)
    axes.tick_params(axis="x", pad=1)
    axes.set_xlim(-0.6, max(len(order), 1) - 0.4)
    axes.set_ylabel("return", labelpad=2)
    if seeds["mean"].isna().all():
        style.centre_note(axes, "not trained yet")


def distribution_panel(
    axes: Axes, seeds: pd.DataFrame, look: LineStyle, missing: Mapping[str, str]
) -> None:
    """Seeds of either kind as dots and a box, with their standard deviation; `missing` says why there are none."""
    ticks = []
    for x, (kind, face) in enumerate(((TRAINING, look.colour), (EVALUATION, "white"))):
        found = seeds.loc[seeds["kind"] == kind, "mean"].dropna().to_numpy(np.float64)
        spread = style.number(std(found), style.decimals_for(std(found), 0))
        ticks.append(f"{kind}\nn = {len(found)}\nsd {spread}")
        if not len(found):
            axes.text(
                x,
                0.5,
                missing[kind],
                rotation=90,
                ha="center",
                va="center",
                fontsize=style.SMALL,
                color=style.NOTE_COLOUR,
                transform=axes.get_xaxis_transform(),
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
            continue
        axes.boxplot(
            found,
            positions=[x],
            widths=0.6,
            showfliers=False,
            boxprops={"lw": 0.6},
            whiskerprops={"lw": 0.6},
            capprops={"lw": 0.6},
            medianprops={"color": look.colour, "lw": 0.9},
        )
        apart = np.linspace(-0.15, 0.15, len(found))
        axes.plot(x + apart, found, "o", ms=2.4, mfc=face, mec=look.colour, mew=0.6)
    axes.set_xticks((0, 1), ticks, fontsize=style.SMALL - 1)
    axes.set_xlim(-0.6, 1.6)
    axes.tick_params(labelleft=False)


def span(panels: tuple[Axes, Axes], seeds: pd.DataFrame, claims: Sequence[float]) -> str:
    """Limits of returns; the paper's mean and range where they are near, else an arrow with the mean is returned."""
    bars = [seeds["mean"] + sign * seeds["std"].fillna(0.0) for sign in (-1, 1)]
    low, high = curves.view(pd.concat(bars).dropna().to_numpy(np.float64), claims)
    margin = 0.06 * ((high - low) or 1.0)
    panels[0].set_ylim(low - margin, high + margin)
    middle, lowest, highest = claims
    for axes in panels:
        axes.axhspan(lowest, highest, color=style.EMPTY_COLOUR, lw=0, zorder=-2)
        axes.axhline(middle, color=style.NOTE_COLOUR, ls=curves.CLAIM_DASHES, lw=0.9, zorder=-1)
    if low <= middle <= high:
        return ""
    return f"{'↑' if middle > high else '↓'}{style.number(middle, 0)}"


def progression_panel(axes: Axes, played: pd.DataFrame, styles: Mapping[str, LineStyle]) -> None:
    """Returns of one checkpoint by the episode's place: every evaluation seed faint behind their mean."""
    for method, look in styles.items():
        own = played[played["method"] == method].assign(place=lambda rows: rows["episode"] + 1)
        for _, part in own.groupby("seed"):
            axes.plot(part["place"], part["return"], color=look.colour, lw=0.4, alpha=0.3)
        means = own.groupby("place")["return"].mean()
        axes.plot(means.index, means, color=look.colour, ls=look.dashes)
    axes.set_xlabel("episode of its evaluation seed", labelpad=1.5)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_ylabel("return", labelpad=2)
    if played.empty:
        axes.set(xticks=[], yticks=[])
        style.centre_note(axes, "not recorded yet")


def counted(played: pd.DataFrame, request: Request) -> str:
    """ "paper, n = 10 evaluation seeds"."""
    return f"{request.scale}, n = {played['seed'].nunique()} evaluation seeds"


def legend(drawing: Figure, seeds: pd.DataFrame, request: Request) -> None:
    """How to read the figure."""
    settings = request.study_settings(STUDY, Deployment)
    grey = style.NOTE_COLOUR
    handles = [
        Line2D([], [], color=grey, marker="o", ls="", ms=3.2),
        Line2D([], [], color=grey, marker="D", ls="", ms=3.2, mfc="white"),
        Line2D([], [], color=grey, ls=curves.CLAIM_DASHES, lw=0.9),
        Line2D([], [], color=style.EMPTY_COLOUR, lw=5),
    ]
    labels = [
        "a training seed: a run of its own",
        "an evaluation seed: one checkpoint",
        "the paper's mean over ten seeds",
        "the paper's smallest to largest",
    ]
    note = (
        f"{request.scale_words}. {populations(request)} Deterministic policies, "
        f"bars: standard deviation over episodes, {settings.episodes_per_seed} for each evaluation seed."
    )
    lost = seeds[(seeds["kind"] == TRAINING) & (seeds["status"] != "done")]
    for method, part in lost.groupby("method", sort=False):
        words = ", ".join(f"{n} {status}" for status, n in part["status"].value_counts().items())
        note += f" {METHODS[str(method)].label}: training seeds without a score: {words}."
    style.legend_below(drawing, handles, labels, note)


if __name__ == "__main__":
    sys.exit(main())
