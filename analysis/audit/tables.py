"""The audit as tables: verdicts.csv and .parquet, a row a claim; findings.csv and .parquet, a row a check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from algorithms.records import atomic_path
from analysis.audit.findings import PaperAudit, finding_rows, verdict_rows
from analysis.ledger import make_folder
from analysis.statistics import write_parquet


def write_tables(audits: Sequence[PaperAudit], folder: Path) -> None:
    """Write both tables to `folder`. Raises SpecificationError where it cannot be made."""
    make_folder(folder)
    for name, rows in (("verdicts", verdict_rows(audits)), ("findings", finding_rows(audits))):
        table = pd.DataFrame(rows)
        write_parquet(table, folder / f"{name}.parquet")
        with atomic_path(folder / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
