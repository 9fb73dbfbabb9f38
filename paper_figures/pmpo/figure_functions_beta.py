"""Figure 3's question, which the paper asks of control, asked where answers are cheap: β on the benchmark functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import sweep_panels
from paper_figures.pmpo.functions import TITLES, at_mean
from paper_figures.pmpo.sweep_panels import Arm, Layout, beta_panels

LAYOUT = Layout(
    "figure_functions_beta",
    TITLES,
    beta_panels("functions_beta", Arm("functions_dpo", "dpo")),
    "f over training",
    "f at the mean action, averaged over training (lower is better), by the weight β of the KL term (PMPO) or of the log-ratio (DPO)",
    lambda scores: at_mean(scores["environment"], scores["auc"]),
    logarithmic=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return sweep_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
