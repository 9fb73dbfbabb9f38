"""Schedules of the fusion weight λ, which the paper's outlook proposes: rising from 0, falling to 0, constant."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.effects import levels
from analysis.statistics import holm
from paper_figures import artifact, style, sweeps, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe.hyperparameters import settings_of
from paper_figures.tables import Block

NAME = "table_schedules"
ENVIRONMENT = "HalfCheetah-v4"
FACTOR, REFERENCE = "fusion_schedule", "constant"
WEIGHTS = {"constant": "{0:g}", "rising": "0 to {0:g}", "falling": "{0:g} to 0"}
"""How λ goes by each schedule."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    arms = sweeps.trained(request, "statistics", ENVIRONMENT)
    table = values(arms, sweeps.trained(request, "scores", ENVIRONMENT))
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    blocks = [block(table, request)]
    tables.write(blocks, request)


def values(arms: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm: its schedule, and its difference to the method's own constant λ.

    Columns: schedule, fusion_weight (the text of λ), then those of statistics that are about one arm, then those of
    sweeps.difference, with Holm's p-values over all comparisons of the table; NaN for the constant λ itself.
    """
    rows = []
    schedules = levels(arms)[FACTOR]
    for schedule, arm in zip(schedules, arms.to_dict("records"), strict=True):
        settings = settings_of(arm["method"])
        own = (arms["method"] == arm["method"]) & (schedules == REFERENCE)
        (reference,) = arms[own].to_dict("records")
        row = {"schedule": schedule}
        row["fusion_weight"] = WEIGHTS[schedule].format(settings.fusion_weight)
        row |= {name: arm[name] for name in sweeps.ARM}
        if schedule != REFERENCE:
            pair = (sweeps.members_of(scores, each) for each in (arm, reference))
            row |= sweeps.difference(*pair)
        rows.append(row)
    table = pd.DataFrame(rows)
    for test in ("welch_p", "paired_p"):
        table[f"{test}_holm"] = holm(table[test].to_numpy(np.float64))
    return table


def block(table: pd.DataFrame, request: Request) -> Block:
    """The table in words."""
    heads = ("Method", "λ", "Schedule", "Final return", "difference to constant")
    tests = ("paired t, p (Holm)", "Welch, p (Holm)")
    names = [f"{row.label}, {row.schedule}" for row in table.itertuples()]
    compared = int((table["schedule"] != REFERENCE).sum())
    notes = (
        f"{request.scale_words}. Final return on {ENVIRONMENT}, mean ± standard deviation (ddof = 1) over seeds; its "
        "policy is the deterministic one with the schedule's last λ, so with a falling λ it is the main policy's, and "
        "with a rising one training starts from the main policy alone. λ changes linearly with the updates.",
        "difference: to the same method with constant λ, with its 95 % Welch interval; Holm's family is these "
        f"{compared} comparisons. Paired tests match members by seed.",
        sweeps.lost_note(table, names),
    )
    rows = tuple(_line(row) for row in table.to_dict("records"))
    said = tuple(note for note in notes if note)
    return Block(request.title, (), (*heads, *tests), rows, 3, said)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    first = (row["label"], row["fusion_weight"], row["schedule"], sweeps.score(row))
    if row["schedule"] == REFERENCE:
        return (*first, style.MISSING, style.MISSING, style.MISSING)
    return (
        *first,
        sweeps.signed_interval(*(row[f"difference{end}"] for end in ("", "_low", "_high"))),
        tables.with_holm(row["paired_p"], row["paired_p_holm"]),
        tables.with_holm(row["welch_p"], row["welch_p_holm"]),
    )


if __name__ == "__main__":
    sys.exit(main())
