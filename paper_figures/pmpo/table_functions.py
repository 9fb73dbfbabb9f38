"""What the methods leave of the benchmark functions: f at the mean action, and of samples, where training ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from algorithms.settings import METHODS
from analysis.load import load_evaluations
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.pmpo.functions import TITLES, at_mean
from paper_figures.tables import Block

NAME = "table_functions"
QUARTILES = (0.5, 0.25, 0.75)
QUANTITIES = {"at_mean": "f at the mean action, at the end", "samples": "f of samples, last tenth"}
COLUMNS = ("environment", "method", "quantity", "planned", "n", "median", "low", "high")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table; its csv has every run."""
    members = read(request)
    table = values(members)
    artifact.write_values(table, request.output)
    artifact.write_csv(members, request.output)
    tables.write([block(table, quantity, request) for quantity in QUANTITIES], request)


def read(request: Request) -> pd.DataFrame:
    """Each member's numbers. Columns: environment, method, seed, status, at_mean, samples (NaN unless it is done)."""
    scores = request.read("scores")
    scores = scores[~scores["imported"]]
    evaluated = load_evaluations(
        request.plan, request.scale, request.experiment, request.records
    ).sort_values("step", kind="stable")
    who = ["environment", "method", "seed"]
    last = evaluated.groupby(who, as_index=False)["return_mean"].last()
    members = scores[[*who, "status", "training_return"]].merge(last, on=who, how="left")
    done = members["status"] == "done"
    return members[[*who, "status"]].assign(
        at_mean=at_mean(members["environment"], members["return_mean"]).where(done),
        samples=at_mean(members["environment"], members["training_return"]).where(done),
    )


def values(members: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over members of each quantity. Columns: COLUMNS."""
    rows = []
    for (environment, method), own in members.groupby(["environment", "method"], sort=False):
        for quantity in QUANTITIES:
            found = own[quantity].dropna().to_numpy(np.float64)
            ends = np.quantile(found, QUARTILES) if len(found) else [np.nan] * 3
            rows.append((environment, method, quantity, len(own), len(found), *ends))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def block(table: pd.DataFrame, quantity: str, request: Request) -> Block:
    """One quantity: a row for each function, a column for each method."""
    own = table[table["quantity"] == quantity].set_index(["environment", "method"])
    methods = list(dict.fromkeys(table["method"]))
    rows = tuple(
        (TITLES[environment], *(printed(own.loc[environment, method]) for method in methods))
        for environment in dict.fromkeys(table["environment"])
    )
    heads = ("Function", *(METHODS[method].label for method in methods))
    note = (
        f"{request.scale_words}; {max(request.steps.values()):,} steps. Median [quartiles] over seeds; every function's least "
        "value is 0. Where fewer ended with a score than were planned, their number stands behind."
    )
    return Block(f"{request.title}: {QUANTITIES[quantity]}", (), heads, rows, 1, (note,))


def printed(cell: pd.Series) -> str:
    """ "0.0012 [0.0008, 0.0020]", three digits each."""
    if not cell["n"]:
        return style.MISSING
    median, low, high = (f"{cell[name]:.3g}" for name in ("median", "low", "high"))
    lost = f" (n = {cell['n']} of {cell['planned']})" if cell["n"] < cell["planned"] else ""
    return f"{median} [{low}, {high}]{lost}"


if __name__ == "__main__":
    sys.exit(main())
