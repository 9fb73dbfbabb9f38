"""Table 2: ablation study on HalfCheetah-v4."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import tables
from paper_figures.tables import Column, Layout, Row

LAYOUT = Layout(
    name="table_2",
    place="Table 2",
    head="Configuration",
    rows=(
        Row("PPO Baseline", "ppo"),
        Row("+ Preference Network", "preference_network"),
        Row("+ Linear Fusion", "linear_fusion"),
        Row("+ PoE Fusion (no Advantage)", "poe_no_advantage"),
        Row("Full PrefPoE", "prefpoe"),
        Row("Full PrefPoE", "prefpoe_released"),
    ),
    columns=(
        Column("Final Return", "return", "HalfCheetah-v4"),
        Column("Improvement", "improvement", "HalfCheetah-v4"),
        Column("Stability (CV)", "cv", "HalfCheetah-v4"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table 2 as the command line asks."""
    return tables.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
