"""Study: one trained policy at work, and one checkpoint under ten evaluation seeds (Figures A.3, A.4, Table A.3).

Of every shard that it reads, the member with the seed of the settings plays with its deterministic policy and frozen
observation statistics, as in its evaluation. First as many episodes as Figure A.3 has, in the environments of the
member's own evaluation; then what the release's script does: one checkpoint, one environment for each evaluation seed.
N steps, A action dimensions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from algorithms.evaluate import Episode, Moment, evaluation_seeds, shares
from algorithms.specification import SpecificationError
from algorithms.study import Study
from algorithms.trained import Trained, read_member
from analysis.statistics import mean, std
from envs.registry import Continuous
from paper_figures import study
from paper_figures.prefpoe import OTHERS, OWN
from paper_figures.prefpoe.studies import Deployment
from paper_figures.study import Read

Floats = NDArray[np.float64]

NAME = "deployment"
BIN, LIMIT = 0.1, 4.0
"""Actions are counted in bins of this width, centred on its multiples up to ± LIMIT, and beyond."""
_WHO = {"environment": "object", "method": "object"}
_SUMMARY = {"n": "int64", **dict.fromkeys(("mean", "std", "min", "max"), "float64")}
TABLES = {
    "members": {**_WHO, "seed": "int64", "shard": "object", "status": "object"},
    "episodes": {
        **_WHO,
        "way": "object",
        "evaluation_seed": "Int64",
        "episode": "int64",
        "return": "float64",
        "length": "int64",
        "reward_mean": "float64",
        "value_mean": "float64",
    },
    "values": {**_WHO, **_SUMMARY},
    "actions": {**_WHO, "dimension": "int64", "applied": "bool", **_SUMMARY, "outside": "float64"},
    "histograms": {
        **_WHO,
        "dimension": "int64",
        "applied": "bool",
        "low": "float64",
        "high": "float64",
        "count": "int64",
    },
}
"""Columns. `episodes` are in the order in which they ended; `value_mean` is over an episode's steps,
NaN under evaluation seeds. `values` and
`actions` summarise all steps played in the member's own environments, `actions` one dimension, −1 for all together,
as the policy gives them and, `applied`, after clipping to the bounds; `outside` is the fraction beyond the bounds."""


@dataclass
class Log:
    """What happened at every step: the K copies that played, what they saw [K, O] and did [K, A]."""

    copies: list[NDArray[np.intp]] = field(default_factory=list)
    seen: list[Tensor] = field(default_factory=list)
    actions: list[Floats] = field(default_factory=list)

    def watch(self, moment: Moment) -> None:
        """Keep one step."""
        self.copies.append(moment.playing)
        self.seen.append(moment.seen.flatten(0, 1)[moment.playing])
        self.actions.append(moment.action.astype(np.float64))

    def values(self, trained: Trained) -> Floats:
        """The value estimate of every step, [N]."""
        value: Floats = trained.values(torch.cat(self.seen).unsqueeze(0))[0].double().numpy()
        return value

    def means(self, values: Floats, played: Sequence[Episode]) -> Floats:
        """The mean over each episode of `values`, one a step."""
        order = np.argsort(np.concatenate(self.copies), kind="stable")
        by_copy = np.argsort([episode.copy for episode in played], kind="stable")
        lengths = np.array([played[i].length for i in by_copy])
        starts = np.cumsum(lengths) - lengths
        found = np.empty(len(played))
        found[by_copy] = np.add.reduceat(values[order], starts) / lengths
        return found


def run(about: Study, settings: Deployment, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """The tables of TABLES, for every shard of `read`."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for shard, record in read:
        space = shard.cell.world.action
        if not isinstance(space, Continuous):
            raise SpecificationError(f"{record.folder}: {about.name} is about continuous actions")
        trained = read_member(shard, record, settings.seed)
        who = {"environment": shard.cell.environment, "method": shard.cell.method}
        member = {"seed": settings.seed, "shard": shard.hash, "status": trained.status}
        rows["members"].append(who | member)
        for name, row in play(trained, settings, space):
            rows[name].append(who | row)
    return {
        name: pd.DataFrame(rows[name], columns=list(columns)).astype(columns)
        for name, columns in TABLES.items()
    }


def play(
    trained: Trained, settings: Deployment, space: Continuous
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of every table but the first, each with its table's name; none for a member that diverged."""
    quota = shares(settings.episodes)
    log = Log()
    played = trained.play(evaluation_seeds(settings.seed, len(quota)), quota, log.watch)
    if not played:
        return
    values = log.values(trained)
    yield from episodes(OWN, played, log.means(values, played), [None] * len(quota))
    yield "values", summary(values)
    yield from action_rows(np.concatenate(log.actions), space)
    seeds = settings.evaluation_seeds
    worlds = [evaluation_seeds(seed, 1)[0] for seed in seeds]
    played = trained.play(worlds, [settings.episodes_per_seed] * len(seeds))
    yield from episodes(OTHERS, played, np.full(len(played), np.nan), seeds)


def episodes(
    way: str, played: Sequence[Episode], value_means: Floats, seeds: Sequence[int | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A row an episode; `seeds` are the evaluation seeds of the copies, by which episodes are numbered if given."""
    counts: dict[int | None, int] = {}
    for episode, value in zip(played, value_means, strict=True):
        seed = seeds[episode.copy]
        number = counts[seed] = counts.get(seed, -1) + 1
        yield (
            "episodes",
            {
                "way": way,
                "evaluation_seed": seed,
                "episode": number,
                "return": episode.total,
                "length": episode.length,
                "reward_mean": episode.total / episode.length,
                "value_mean": float(value),
            },
        )


def summary(x: Floats) -> dict[str, Any]:
    """Count, mean, standard deviation (ddof = 1), smallest and largest of x [N]."""
    return {"n": x.size, "mean": mean(x), "std": std(x), "min": x.min(), "max": x.max()}


def action_rows(action: Floats, space: Continuous) -> Iterator[tuple[str, dict[str, Any]]]:
    """Summaries and histograms of actions [N, A] before and after clipping, of each dimension and of all."""
    outside = (action < space.low) | (action > space.high)
    for applied, x in ((False, action), (True, action.clip(space.low, space.high))):
        for dimension in range(-1, space.size):
            which = slice(None) if dimension < 0 else dimension
            who = {"dimension": dimension, "applied": applied}
            fraction = float(outside[:, which].mean())
            yield "actions", who | summary(x[:, which].ravel()) | {"outside": fraction}
            for row in histogram(x[:, which].ravel()):
                yield "histograms", who | row


def histogram(x: Floats) -> Iterator[dict[str, Any]]:
    """Counts of x [N] in bins centred on multiples of BIN; the outermost two are open."""
    number = round(LIMIT / BIN)
    inner = (np.arange(-number, number + 2) - 0.5) * BIN
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    counts = np.bincount(np.searchsorted(inner, x, side="right"), minlength=len(edges) - 1)
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        yield {"low": low, "high": high, "count": count}


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main(NAME, Deployment, run, argv)


if __name__ == "__main__":
    sys.exit(main())
