"""Figure 13: fixed uniform weights beside learned ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.mixture import classic_panels
from paper_figures.mixture.classic_panels import Layout, of

LAYOUT = Layout(
    "figure_13", of("uniform", "rep_squashed", "half_rep_sgm", "gumbel_rep_sgm", "uniform_rep_sgm")
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 13 as the command line asks."""
    return classic_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
