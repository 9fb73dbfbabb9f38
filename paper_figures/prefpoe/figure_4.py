"""Figure 4: learning curves on the discrete environments (the paper's Figure A.5 shows the same)."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import curves
from paper_figures.curves import Layout

LAYOUT = Layout(
    name="figure_4",
    place="Table A.4",
    environments=("CartPole-v1", "LunarLander-v2", "FrozenLake-v1"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 4 as the command line asks."""
    return curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
