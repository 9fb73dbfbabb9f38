"""Figure 2: learning curves on four MuJoCo and eight DeepMind Control Suite tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.evaluation_curves import Layout
from paper_figures.mixture.simulated import ARMS

ENVIRONMENTS = (
    "HalfCheetah-v4",
    "Hopper-v4",
    "Walker2d-v4",
    "Ant-v4",
    "CartpoleBalanceSparse-v1",
    "CartpoleSwingupSparse-v1",
    "BallInCupCatch-v1",
    "CartpoleSwingup-v1",
    "CheetahRun-v1",
    "FingerSpin-v1",
    "HopperStand-v1",
    "WalkerRun-v1",
)
LAYOUT = Layout("figure_2", ENVIRONMENTS, 3, ARMS)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 2 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
