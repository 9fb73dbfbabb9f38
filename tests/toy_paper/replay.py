"""The toy paper's study: one member of every arm plays some episodes of its evaluation again."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import pandas as pd

from algorithms.evaluate import evaluation_seeds, shares
from algorithms.study import Study
from algorithms.trained import read_member
from paper_figures import study
from paper_figures.study import Read
from tests.toy_paper.studies import Replay


def run(about: Study, settings: Replay, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """Table `episodes`, columns method, episode, return."""
    rows = []
    for shard, record in read:
        quota = shares(settings.episodes)
        seeds = evaluation_seeds(settings.seed, len(quota))
        played = read_member(shard, record, settings.seed).play(seeds, quota)
        rows += [(shard.cell.method, number, one.total) for number, one in enumerate(played)]
    return {"episodes": pd.DataFrame(rows, columns=["method", "episode", "return"])}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main("replay", Replay, run, argv)


if __name__ == "__main__":
    sys.exit(main())
