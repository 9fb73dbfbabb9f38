"""Figure 3: the KL weight β in control, with DPO's beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import beta_panels
from paper_figures.pmpo.beta_panels import Layout
from paper_figures.pmpo.control import TITLES

LAYOUT = Layout(
    "figure_3",
    TITLES,
    "return",
    "Mean return of the final policy's deterministic episodes, Gaussian policies",
    lambda scores: scores["score"],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return beta_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
