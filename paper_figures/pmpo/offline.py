"""Study: mixtures of accepted, rejected and cloned transitions (Section 5.3, Table 1), on a PROXY of the paper's data.

The 140,000 episodes of RGB stacking are not public. By default the data are collected here: a simulated arm under scripted controllers
of mixed quality (`algorithms.offline.behaviours`), of other size, task and observations. Settings may name a data set in
Minari's format instead. Neither can answer what the paper claims.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from algorithms.improvement import Labels
from algorithms.offline.behaviours import drawn_behaviours, write_collected
from algorithms.offline.data import checksums, read_minari
from algorithms.offline.settings import ADVANTAGE
from algorithms.offline.training import Data, labelled, prepare, require_both, train, valued
from algorithms.records import binned
from algorithms.study import Study
from paper_figures import study
from paper_figures.pmpo.studies import Offline
from paper_figures.study import Read

NAME = "offline"
GIVEN = "given"
"""What the behaviour of a data set from disk is called: one, whoever it was."""
_RUN = {"arm": "object", "seed": "int64"}
TABLES = {
    "runs": {**_RUN, "alpha": "float64", "beta": "float64", "status": "object", "updates": "int64"},
    "curves": {**_RUN, "step": "int64", "loss": "float64"},
    "evaluations": {
        **_RUN,
        "step": "int64",
        **dict.fromkeys(("return_mean", "return_std", "entropy", "saturated"), "float64"),
    },
    "behaviours": {
        "seed": "int64",
        "behaviour": "object",
        "episodes": "int64",
        "steps": "int64",
        "return_mean": "float64",
        "labelled_episodes": "int64",
        "labelled_steps": "int64",
        "accepted_steps": "int64",
    },
    "values": {
        "seed": "int64",
        "round": "int64",
        "loss": "float64",
        "explained": "float64",
    },
    "sources": {"file": "object", "sha256": "object"},
}
"""Columns. `alpha` is NaN where nothing is labelled; `curves` are means over equal parts of training; the last evaluation of a run is
its score, the mean return of whole episodes of the mean action. `behaviours`: the data of each seed by what made them, and
how many of its labelled steps are accepted. `explained`: the share of the variance of λ-returns that V explains in a
round. `sources`: files of a data set that was named."""


@dataclass(frozen=True)
class Collected:
    """The data of a seed, with the behaviour of each episode and its return, and labels of the first part."""

    data: Data
    names: Sequence[str]
    returns: Sequence[float]
    labels: Labels
    rounds: Sequence[dict[str, Any]]


def run(about: Study, settings: Offline, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """The tables of TABLES: every seed's data, then every arm on them. Raises SpecificationError before anything is trained."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    if settings.dataset is not None:
        found = checksums(Path(settings.dataset))
        rows["sources"] = [{"file": file, "sha256": sha} for file, sha in found.items()]
    for seed in settings.seeds:
        own = collected(settings, seed)
        require_both(own.labels, settings.arms, settings.dataset or f"seed {seed}")
        rows["behaviours"] += [{"seed": seed, **row} for row in described(own, settings)]
        rows["values"] += [{"seed": seed, **row} for row in own.rounds]
        for name, arm in settings.arms.items():
            done = train(own.data, own.labels, arm, settings, seed)
            who = {"arm": name, "seed": seed}
            told = {"alpha": arm.alpha, "beta": arm.beta, "status": done.status}
            rows["runs"].append({**who, **told, "updates": len(done.updates)})
            rows["curves"] += [{**who, **row} for row in averaged(done.updates, seed, settings)]
            rows["evaluations"] += [{**who, **row} for row in done.evaluations]
            print(f"{name}, seed {seed}: {done.status}", flush=True)
    return {
        name: pd.DataFrame(rows[name], columns=list(columns)).astype(columns)
        for name, columns in TABLES.items()
    }


def collected(settings: Offline, seed: int) -> Collected:
    """The data of a seed, from disk in Minari's format either way, and its labels. Raises SpecificationError."""
    kind = None if settings.labels == ADVANTAGE else settings.labels
    with TemporaryDirectory() as folder:
        path = Path(settings.dataset or folder)
        if settings.episodes is not None:
            write_collected(path, settings.world, seed, settings.episodes)
        episodes = read_minari(path, settings.world, kind)
    data = prepare(episodes, settings, str(path))
    if settings.episodes is not None:
        names = drawn_behaviours(seed, settings.episodes)
    else:
        names = [GIVEN] * len(episodes)
    values = valued(data, settings, seed) if kind is None else None
    returns = [float(episode.reward.sum()) for episode in episodes]
    rounds = [] if values is None else values.rounds
    return Collected(data, names, returns, labelled(data, values), rounds)


def described(own: Collected, settings: Offline) -> list[dict[str, Any]]:
    """A row for each behaviour."""
    steps = list(own.data.lengths)
    first = [i < settings.labelled for i in range(len(steps))]
    ends, accepted = np.cumsum(steps), own.labels.accepted[0].numpy()
    table = pd.DataFrame(
        {
            "behaviour": own.names,
            "episodes": 1,
            "steps": steps,
            "return_mean": own.returns,
            "labelled_episodes": [int(each) for each in first],
            "labelled_steps": [n if each else 0 for n, each in zip(steps, first, strict=True)],
            "accepted_steps": [
                float(accepted[end - n : end].sum()) for end, n in zip(ends, steps, strict=True)
            ],
        }
    )
    how = {name: "mean" if name == "return_mean" else "sum" for name in table.columns[1:]}
    return list(table.groupby("behaviour", sort=False, as_index=False).agg(how).to_dict("records"))


def averaged(updates: list[dict[str, Any]], seed: int, settings: Offline) -> list[dict[str, Any]]:
    """Means over equal parts of training."""
    table = pd.DataFrame(updates).assign(member=0, seed=seed)
    kept = binned(table, settings.updates, settings.rows, ("loss",))
    return list(kept[["step", "loss"]].to_dict("records"))


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main(NAME, Offline, run, argv)


if __name__ == "__main__":
    sys.exit(main())
