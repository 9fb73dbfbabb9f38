"""Table A.2: PrefPoE on each continuous environment, with its coefficient of variation."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import tables
from paper_figures.tables import Column, Layout, Row

ENVIRONMENTS = {"HalfCheetah-v4": "6", "Ant-v4": "8", "LunarLanderContinuous-v2": "2"}

LAYOUT = Layout(
    name="table_a_2",
    place="Table A.2",
    head="Environment",
    rows=tuple(
        Row(name, method, environment=name, facts=(size,))
        for name, size in ENVIRONMENTS.items()
        for method in ("prefpoe", "prefpoe_released")
    ),
    columns=(
        Column("Mean Performance", "mean"),
        Column("Std Dev", "std"),
        Column("CV", "cv"),
    ),
    facts=("Action Dim",),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table A.2 as the command line asks."""
    return tables.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
