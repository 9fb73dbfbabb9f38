"""How far everything is: a line for each paper and scale, then what is under way, failed or half done at one scale.

Reads records and scratch, trains and writes nothing. Every cell stands in `<results>/<scale>/ledger.csv` and in the report.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from algorithms.cell import SCALES, load_plan
from algorithms.specification import SpecificationError
from analysis.columns import aligned
from analysis.ledger import COUNTS, Ledger, ledger

TEXT = ("paper", "scale", "experiment", "environment", "method", "shard", "state", "said", "log")
"""Columns that are words; the others are numbers."""


def summary(folders: Sequence[Path], results: Path) -> pd.DataFrame:
    """One row for each paper and each scale that it has: paper, scale, the ledger's counts of members and core-hours.

    Raises SpecificationError for a broken plan and RecordError for a damaged record of it.
    """
    rows = [
        ledger([folder], scale, results).papers.assign(scale=scale)
        for folder in folders
        for scale in SCALES
        if scale in load_plan(folder).scales
    ]
    return pd.concat(rows)[["paper", "scale", *COUNTS, "core_hours"]]


def mixed(entries: Ledger) -> pd.DataFrame:
    """The cells of which not all members are done and not all are missing, and those with stale records."""
    cells = entries.cells[:-1]
    whole = (cells["done"] == cells["planned"]) | (cells["missing"] == cells["planned"])
    return cells.loc[~whole | (cells["stale"] > 0), ["paper", *TEXT[2:5], *COUNTS]]


def experiments(entries: Ledger) -> pd.DataFrame:
    """One row for each experiment: paper, experiment, its cells, those that are all done, all missing, and the others."""
    cells = entries.cells[:-1]
    counts = pd.DataFrame(
        {
            "paper": cells["paper"],
            "experiment": cells["experiment"],
            "cells": 1,
            "done": (cells["done"] == cells["planned"]).astype(int),
            "missing": (cells["missing"] == cells["planned"]).astype(int),
        }
    )
    table = counts.groupby(["paper", "experiment"], sort=False, as_index=False).sum()
    return table.assign(other=table["cells"] - table["done"] - table["missing"])


def print_status(entries: Ledger, scale: str, console: Console) -> None:
    """Print the details of one scale."""
    _say(console, f"\nScale {scale}: cells of which all members are done, or all missing")
    _print_table(experiments(entries), console)
    cells = mixed(entries)
    if len(cells):
        _say(console, f"\nScale {scale}: the other cells (members; stale: records)")
        _print_table(cells, console)
    if len(entries.attempts):
        _say(console, f"\nScale {scale}: shards that train or have failed")
        _print_table(entries.attempts, console)
    if len(entries.stale):
        _say(
            console,
            f"\nScale {scale}: {len(entries.stale)} stale; `snakemake why` says what changed",
        )


def _say(console: Console, words: str) -> None:
    console.print(words, style="bold", highlight=False, markup=False, soft_wrap=True)


def _print_table(table: pd.DataFrame, console: Console) -> None:
    """A table that folds in a narrow terminal, aligned plain text of full width elsewhere."""
    shown = table.astype(str)
    if not console.is_terminal:
        text = [index for index, name in enumerate(shown) if name in TEXT]
        console.file.write(aligned([list(shown), *shown.to_numpy().tolist()], text) + "\n")
        return
    grid = Table(box=None, pad_edge=False)
    for name in shown:
        if name in TEXT:
            grid.add_column(name, overflow="fold")
        else:
            grid.add_column(name, justify="right", no_wrap=True)
    for row in shown.itertuples(index=False):
        grid.add_row(*(escape(cell) for cell in row))
    console.print(grid)


def main(argv: Sequence[str] | None = None) -> int:
    """Print how far everything is; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.status", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, help="folders of papers")
    parser.add_argument("--scale", required=True, help="of which the details are printed")
    parser.add_argument("--results", type=Path, required=True, help="root of the results")
    options = parser.parse_args(argv)
    console = Console()
    try:
        entries = ledger(options.papers, options.scale, options.results)
        every = summary(options.papers, options.results)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    every["core_hours"] = [f"{hours:,.1f}" for hours in every["core_hours"]]
    _print_table(every, console)
    print_status(entries, options.scale, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
