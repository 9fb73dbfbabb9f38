"""Figure 3's question, which the paper asks of control, asked where answers are cheap: β on the benchmark functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import beta_panels
from paper_figures.pmpo.beta_panels import Layout
from paper_figures.pmpo.functions import TITLES, at_mean

LAYOUT = Layout(
    "figure_functions_beta",
    TITLES,
    "f over training",
    "f at the mean action, averaged over training (lower is better)",
    lambda scores: at_mean(scores["environment"], scores["auc"]),
    logarithmic=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return beta_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
