"""Figure 15: learning curves on three robots with sparse rewards."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.evaluation_curves import Layout
from paper_figures.mixture.simulated import ARMS

LAYOUT = Layout("figure_15", ("AdroitHandPenSparse-v1", "FetchReach-v4", "FetchSlide-v4"), 3, ARMS)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 15 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
