"""Table 1: final performance across continuous control environments."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import tables
from paper_figures.tables import Column, Layout, Row

LAYOUT = Layout(
    name="table_1",
    place="Table 1",
    head="Method",
    rows=(
        Row("PPO Baseline", "ppo"),
        Row("PPO + Adaptive Clipping", "ppo_adaptive_clip"),
        Row("PPO + Linear Fusion", "linear_fusion"),
        Row("PrefPoE (Ours)", "prefpoe"),
        Row("PrefPoE (Ours)", "prefpoe_released"),
        Row("Average Improvement", "prefpoe", quantity="improvement"),
        Row("Average Improvement", "prefpoe_released", quantity="improvement"),
    ),
    columns=(
        Column("HalfCheetah-v4", "return", "HalfCheetah-v4"),
        Column("LunarLanderContinuous-v2", "return", "LunarLanderContinuous-v2"),
        Column("Ant-v4", "return", "Ant-v4"),
    ),
    notes=('The paper heads the LunarLanderContinuous-v2 column "LunarLander-v2".',),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table 1 as the command line asks."""
    return tables.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
