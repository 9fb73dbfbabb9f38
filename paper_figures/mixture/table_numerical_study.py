"""What the paper says of its numerical study beside what ours finds; then every α in numbers. Not in the paper as a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.mixture import POLICIES
from paper_figures.mixture.found import SAME_OBJECTIVE, read_trials, statements, summary
from paper_figures.mixture.stationary import LOG_STD_BOUND, STATIONARY
from paper_figures.tables import Block

NAME, STUDY = "table_numerical_study", "numerical_study"
WORDS = {True: "holds", False: "does not hold", None: "not looked at"}


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table: its values are those of every α, its csv has the statements."""
    found = summary(read_trials(request.read_study(STUDY)))
    said = statements(found)
    artifact.write_values(found, request.output)
    artifact.write_csv(said, request.output)
    tables.write([spoken(said, found, request), numbers(found)], request)


def spoken(said: pd.DataFrame, found: pd.DataFrame, request: Request) -> Block:
    """The statements, each with its place in the paper."""
    rows = tuple(
        (row.statement, request.claims[row.claim].place, WORDS[row.holds], row.found)
        for row in said.itertuples()
    )
    none = () if len(found) else ("The study is not recorded yet.",)
    notes = (
        f"{request.scale_words}. In short; claims.yaml has the words. Numbers after an α are of that α. A policy is called "
        "optimal, as in the paper, that has the largest objective of the stationary points found. Starts are the same at "
        "every α, so the α are no independent samples.",
        *none,
    )
    heads = ("The paper says", "Place", "In these trials it", "Found")
    return Block(request.title, (), heads, rows, 4, notes)


def numbers(found: pd.DataFrame) -> Block:
    """How the trials of each α and policy ended, and the optimal stationary point."""
    heads = ("α", "Policy", "interior", "one component", "diverged", "not converged", "kinds")
    best = ("with two modes", "J", "E[r]", "means", "σ", "weight")
    rows = tuple(_line(row) for row in found.to_dict("records"))
    notes = (
        f"Trials by outcome. interior: ∇J = 0 within {STATIONARY:g} and nothing at a bound; one component: the other's weight "
        "is 0, the density is a Gaussian; both are stationary points. diverged: log σ at its bound, "
        f"{LOG_STD_BOUND:g}. kinds: groups of stationary points whose J differ by {SAME_OBJECTIVE:g} or more. From J on: the "
        "optimal point.",
    )
    return Block("Trials and optimal stationary points", (), (*heads, *best), rows, 2, notes)


def _line(row: dict[str, float | str | bool]) -> tuple[str, ...]:
    counts = [str(row[name]) for name in ("interior", "one_component", "diverged", "not_converged")]
    share = f"{row['bimodal']} of {row['stationary']}" if row["stationary"] else style.MISSING
    means = [float(row[f"mean_{k}"]) for k in (1, 2)]
    stds = [float(np.exp(float(row[f"log_std_{k}"]))) for k in (1, 2)]
    return (
        f"{row['alpha']:g}",
        POLICIES[str(row["policy"])],
        *counts,
        str(row["kinds"]),
        share,
        style.number(float(row["objective"]), 3),
        style.number(float(row["expected_reward"]), 3),
        _listed(means),
        _listed(stds),
        style.number(float(row["weight_1"]), 2),
    )


def _listed(values: Sequence[float]) -> str:
    """The components' numbers; a dash where there is none."""
    there = [style.number(value, 2) for value in values if np.isfinite(value)]
    return ", ".join(there) or style.MISSING


if __name__ == "__main__":
    sys.exit(main())
