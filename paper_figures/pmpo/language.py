"""Study: PMPO, its ablations and DPO on token sequences (Section 5.4, Appendices B and D).

By default a task of our own: a small model that is trained first on text that we generate, a reward that is an imperfect
detector of good text, and an independent score that training never sees (`envs.sentences`). Settings may name local
checkpoints and a file of prompts instead.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from algorithms.language.task import prepare
from algorithms.language.training import train
from algorithms.records import binned
from algorithms.study import Study
from paper_figures import study
from paper_figures.pmpo.studies import Language
from paper_figures.study import Read

NAME = "language"
_ARM = {"method": "object", "beta": "float64", "seed": "int64"}
_SEEN = dict.fromkeys(("reward", "score", "length", "distinct", "entropy"), "float64")
TABLES = {
    "runs": {**_ARM, "alpha": "float64", "status": "object", "updates": "int64"},
    "curves": {
        **_ARM,
        "step": "int64",
        **_SEEN,
        **dict.fromkeys(("loss", "kl_reference", "gradient_norm"), "float64"),
    },
    "evaluations": {**_ARM, "step": "int64", **_SEEN, "wins": "float64", "kl_base": "float64"},
    "examples": {
        **_ARM,
        "step": "int64",
        "prompt": "object",
        "answer": "object",
        "reward": "float64",
        "score": "float64",
    },
    "sources": {"file": "object", "sha256": "object"},
}
"""Columns. `reward` is the training reward, `score` the independent one; `curves` are means over the responses that were
trained on, in equal parts of training named by their last step, and `evaluations` over answers to held-out prompts at a
step. `wins`: share of them that score above the base model's answer, ties counting half. `kl_base`: KL(policy ‖ base) of an
answer (Eq. 17), in nats; `kl_reference`: KL(reference ‖ policy) at an update. `length` in tokens with the end; `distinct`: share
of an answer's words that it has not said before; `entropy` of a token, in nats. `sources`: weights that were loaded."""


def run(about: Study, settings: Language, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """The tables of TABLES: every arm and seed, one after the other."""
    task = prepare(settings)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    rows["sources"] = [{"file": file, "sha256": sha} for file, sha in task.sources.items()]
    for method, arm, seed in settings.runs():
        done = train(task, arm, settings, seed)
        who = {"method": method, "beta": arm.beta, "seed": seed}
        updates = len(done.updates)
        rows["runs"].append({**who, "alpha": arm.alpha, "status": done.status, "updates": updates})
        rows["curves"] += [{**who, **row} for row in averaged(done.updates, seed, settings)]
        rows["evaluations"] += [{**who, **row} for row in done.evaluations]
        rows["examples"] += [{**who, **row} for row in done.examples]
        print(
            f"{method}, β = {arm.beta:g}, seed {seed}: {done.status} after {updates} updates",
            flush=True,
        )
    return {
        name: pd.DataFrame(rows[name], columns=list(columns)).astype(columns)
        for name, columns in TABLES.items()
    }


def averaged(updates: list[dict[str, Any]], seed: int, settings: Language) -> list[dict[str, Any]]:
    """Means over equal parts of training."""
    means = tuple(name for name in TABLES["curves"] if name not in (*_ARM, "step"))
    table = pd.DataFrame(updates).assign(member=0, seed=seed)
    kept = binned(table, settings.updates, settings.rows, means)
    return list(kept[["step", *means]].to_dict("records"))


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main(NAME, Language, run, argv)


if __name__ == "__main__":
    sys.exit(main())
