"""Each method at its best within Table A.1's ranges, rerun with fresh seeds, beside all that was never tuned.

The setting was chosen among the corners by `analysis.choice`; the reruns share no seed with that choice.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from algorithms.cell import Cell
from algorithms.choice import choice_path, read_choice
from analysis.statistics import holm
from paper_figures import artifact, sweeps, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe.hyperparameters import SYMBOLS
from paper_figures.tables import Block

NAME = "table_best_of_range"
ENVIRONMENT = "HalfCheetah-v4"
RERUN, UNTUNED = "best_of_range", "ablation"
REFERENCES = ("ppo", "ppo_matched")
"""What everything is compared with: the paper's baseline, and the artefact's network without a preference expert."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    table = values(request)
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [block(table, request)]
    tables.write(blocks, request)


def values(request: Request) -> pd.DataFrame:
    """A row for each arm: the references, both PrefPoE arms as they are, and each one's rerun.

    Columns: those of statistics that are about one arm, `tuned` (the chosen setting in words, empty for arms at their
    own), and for each reference the columns of sweeps.difference after its name; Holm's family is all comparisons.
    """
    methods = request.plan.experiments[RERUN].methods
    untuned = sweeps.trained(request, "statistics", ENVIRONMENT, UNTUNED)
    untuned = untuned[untuned["method"].isin([*REFERENCES, *methods])].assign(tuned="")
    reruns = sweeps.trained(request, "statistics", ENVIRONMENT, RERUN)
    chosen = {
        cell.method: words(request, cell) for cell in request.plan.cells(request.scale, RERUN)
    }
    reruns = reruns.assign(tuned=reruns["method"].map(chosen))
    scores = {
        part: sweeps.trained(request, "scores", ENVIRONMENT, part) for part in (UNTUNED, RERUN)
    }
    rows = []
    for arms, part in ((untuned, UNTUNED), (reruns, RERUN)):
        for arm in arms.to_dict("records"):
            row = {name: arm[name] for name in (*sweeps.ARM, "tuned")}
            own = sweeps.members_of(scores[part], arm)
            for reference in REFERENCES:
                other = scores[UNTUNED][scores[UNTUNED]["method"] == reference]
                if arm["method"] not in (reference, REFERENCES[0]):  # each pair once
                    row |= {f"{reference}_{k}": v for k, v in sweeps.difference(own, other).items()}
            rows.append(row)
    table = pd.DataFrame(rows)
    tests = [f"{reference}_welch_p" for reference in REFERENCES]
    adjusted = holm(table[tests].to_numpy(np.float64).ravel()).reshape(-1, len(tests))
    return table.assign(**{f"{test}_holm": adjusted[:, i] for i, test in enumerate(tests)})


def words(request: Request, cell: Cell) -> str:
    """What the sweep chose for `cell`, or that it has yet to."""
    if not choice_path(request.records, cell).is_file():
        return "best corner, not chosen yet"
    setting = read_choice(request.records, cell).setting
    return ", ".join(f"{SYMBOLS.get(name, name)} = {value:g}" for name, value in setting.items())


def block(table: pd.DataFrame, request: Request) -> Block:
    """The table in words."""
    heads = ("Arm", "Setting", "Final return", "to PPO", "p (Holm)", "to ppo_matched", "p (Holm)")
    compared = int(table[[f"{name}_difference" for name in REFERENCES]].notna().sum().sum())
    sweep = request.plan.experiments[RERUN].best_of
    rule = "the largest mean over its seeds among settings all of whose members ended with a score"
    names = [f"{row.label}, {row.tuned or 'as it is'}" for row in table.itertuples()]
    notes = (
        f"{request.scale_words}. Final return on {ENVIRONMENT}, mean ± standard deviation (ddof = 1) over seeds. A setting "
        f"that is named was chosen among those of experiment `{sweep}` ({rule}) and rerun here with seeds that "
        "the choice has not seen; the reference arms were not tuned.",
        f"Differences with their 95 % Welch intervals; Holm's family is these {compared} comparisons (Welch's t-test: the "
        "reruns share no seeds with the references).",
        sweeps.lost_note(table, names),
    )
    rows = tuple(_line(row) for row in table.to_dict("records"))
    return Block(request.title, (), heads, rows, 2, tuple(note for note in notes if note))


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    line = [row["label"], row["tuned"] or "as it is", sweeps.score(row)]
    for reference in REFERENCES:
        ends = (row[f"{reference}_difference{end}"] for end in ("", "_low", "_high"))
        tests = (row[f"{reference}_welch_p"], row[f"{reference}_welch_p_holm"])
        line += [sweeps.signed_interval(*ends), tables.with_holm(*tests)]
    return tuple(line)


if __name__ == "__main__":
    sys.exit(main())
