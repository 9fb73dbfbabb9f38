"""Figure 8: learning curves on the remaining three MuJoCo and four DeepMind Control Suite tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.evaluation_curves import Layout
from paper_figures.mixture.simulated import ARMS

ENVIRONMENTS = (
    "Swimmer-v4",
    "Humanoid-v4",
    "Reacher-v4",
    "FishSwim-v1",
    "HumanoidStand-v1",
    "ReacherHard-v1",
    "QuadrupedWalk-v1",
)
LAYOUT = Layout("figure_8", ENVIRONMENTS, 3, ARMS)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 8 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
