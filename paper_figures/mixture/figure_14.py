"""Figure 14: Cauchy policies beside Gaussian ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.mixture import classic_panels
from paper_figures.mixture.classic_panels import Layout, of

LAYOUT = Layout(
    "figure_14",
    of(
        "cauchy",
        "rep_cauchy",
        "half_rep_cm",
        "gumbel_rep_cm",
        "rep_squashed",
        "half_rep_sgm",
        "gumbel_rep_sgm",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 14 as the command line asks."""
    return classic_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
