"""Figure 3: learning curves on the continuous environments."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import curves
from paper_figures.curves import Layout

LAYOUT = Layout(
    name="figure_3",
    place="Table 1",
    environments=("LunarLanderContinuous-v2", "HalfCheetah-v4", "Ant-v4"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 3 as the command line asks."""
    return curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
