"""Table 2 of the toy paper: what its study found; it shows no experiment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pandas as pd

from paper_figures import artifact, tables
from paper_figures.artifact import Request
from paper_figures.tables import Block


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table 2 as the command line asks."""
    return artifact.draw("table_2", render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    record = request.read_study("replay")
    means = pd.Series(dtype=float, name="return")
    if record is not None:
        means = record.table("episodes").groupby("method")["return"].mean()
    artifact.write_values(means.reset_index(), request.output)
    artifact.write_csv(means.reset_index(), request.output)
    rows = tuple((str(method), f"{value:.3f}") for method, value in means.items())
    notes = () if len(means) else ("The study is not recorded yet.",)
    block = Block(f"Table 2. {request.title}", (), ("Method", "Return"), rows, 1, notes)
    artifact.write_text(tables.markdown([block]), request.output.with_suffix(".md"))
    artifact.write_text(tables.latex([block], request.name), request.output.with_suffix(".tex"))


if __name__ == "__main__":
    sys.exit(main())
