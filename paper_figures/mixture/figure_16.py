"""Figure 16: learning curves on five MuJoCo tasks with shifted rewards, the shift taken out again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.evaluation_curves import Layout
from paper_figures.mixture.simulated import ARMS

ENVIRONMENTS = (
    "ShiftedHopper-v4",
    "ShiftedWalker2d-v4",
    "ShiftedHalfCheetah-v4",
    "ShiftedAnt-v4",
    "ShiftedSwimmer-v4",
)
LAYOUT = Layout(
    "figure_16",
    ENVIRONMENTS,
    3,
    ARMS,
    note="Rewards are drawn without the shift that training had.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 16 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
