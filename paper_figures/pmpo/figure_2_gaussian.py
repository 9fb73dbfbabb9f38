"""Figure 2, Gaussian policies: PMPO, MPO and DPO on tasks of the DeepMind Control Suite."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.pmpo.control import curves_of

LAYOUT = curves_of("figure_2_gaussian")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
