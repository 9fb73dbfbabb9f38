"""Table A.4: performance on discrete action environments."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import tables
from paper_figures.tables import Column, Layout, Row

LAYOUT = Layout(
    name="table_a_4",
    place="Table A.4",
    head="Method",
    rows=(
        Row("Vanilla PPO", "ppo"),
        Row("PrefPoE (Ours)", "prefpoe"),
        Row("Improvement", "prefpoe", quantity="improvement"),
    ),
    columns=(
        Column("CartPole-v1", "return", "CartPole-v1"),
        Column("LunarLander-v2", "return", "LunarLander-v2"),
        Column("FrozenLake-v1", "return", "FrozenLake-v1"),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table A.4 as the command line asks."""
    return tables.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
