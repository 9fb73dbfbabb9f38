"""Figure 2's question with the reference renewed every 100 updates, which was our first reading of the paper."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.pmpo.control import curves_of

LAYOUT = curves_of("figure_2_100", ("CartpoleSwingup-v1", "CheetahRun-v1"), renewal=100)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
