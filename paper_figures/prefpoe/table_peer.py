"""Our PPO beside CleanRL's published benchmark of the same algorithm, at that benchmark's number of steps.

The paper's baseline is CleanRL's PPO. If ours were another, every comparison with it would be in doubt; and where runs end in
two separate modes, as on HalfCheetah-v4, means of a few seeds differ by which modes they happened to draw.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from analysis.statistics import mean, std
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.tables import Block

NAME = "table_peer"
SOURCE = "docs/benchmark/ppo_continuous_action.md of vwxyzjn/cleanrl, tag pr-424"


class Published(NamedTuple):
    """Mean and spread of the last training returns over `n` seeds, as printed."""

    mean: str
    spread: str
    n: int


PUBLISHED = {
    "HalfCheetah-v4": Published("1442.64", "46.03", 3),
    "Walker2d-v4": Published("2287.95", "571.78", 3),
    "Hopper-v4": Published("2382.86", "271.74", 3),
}
"""SOURCE; the number of seeds is benchmark/ppo.sh's `--num-seeds`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    table = values(request.read("scores"))
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    tables.write([block(table, request)], request)


def values(scores: pd.DataFrame) -> pd.DataFrame:
    """Each of our runs beside the published mean. Columns: environment, seed, status, training_return, published_mean,
    published_spread, published_n.
    """
    table = scores[["environment", "seed", "status", "training_return"]].reset_index(drop=True)
    published = [PUBLISHED[environment] for environment in table["environment"]]
    return table.assign(
        published_mean=[float(peer.mean) for peer in published],
        published_spread=[float(peer.spread) for peer in published],
        published_n=[peer.n for peer in published],
    )


def block(table: pd.DataFrame, request: Request) -> Block:
    """The table in words."""
    rows = tuple(
        _line(str(environment), own)
        for environment, own in table.groupby("environment", sort=False)
    )
    notes = (
        f"{request.scale_words}. Training returns (sampled actions) over the last tenth of "
        f"{max(request.steps.values()):,} steps; ours: mean ± standard deviation (ddof = 1) over runs that ended, then each "
        f"run. Published: {SOURCE}, means of the last episodes and their spread as printed there, 1,000,000 steps.",
        "Where runs end in separate modes, a mean over few seeds says which modes they drew: read the single runs.",
    )
    heads = ("Environment", "CleanRL, published", "Ours", "Our runs, from low to high")
    return Block(request.title, (), heads, rows, 1, notes)


def _line(environment: str, own: pd.DataFrame) -> tuple[str, ...]:
    peer, ended = PUBLISHED[environment], own.loc[own["status"] == "done", "training_return"]
    printed = f"{peer.mean} ± {peer.spread} (n = {peer.n})"
    if ended.empty:
        return environment, printed, style.MISSING, style.MISSING
    ours = f"{mean(ended.to_numpy()):.0f} ± {std(ended.to_numpy()):.0f} (n = {len(ended)} of {len(own)})"
    return environment, printed, ours, ", ".join(f"{x:.0f}" for x in sorted(ended))


if __name__ == "__main__":
    sys.exit(main())
