"""Table 1 of the toy paper: final performance on the continuous probe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import tables
from paper_figures.tables import Column, Layout, Row

LAYOUT = Layout(
    name="table_1",
    place="Table 1",
    head="Method",
    rows=(Row("PPO", "ppo"), Row("PrefPoE", "prefpoe"), Row("PPO, matched", "ppo_matched")),
    columns=(Column("ProbeTarget-v0", "return", "ProbeTarget-v0"),),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table 1 as the command line asks."""
    return tables.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
