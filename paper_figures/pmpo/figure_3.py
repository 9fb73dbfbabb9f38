"""Figure 3: the KL weight β in control, with DPO's beside it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import sweep_panels
from paper_figures.pmpo.control import TITLES
from paper_figures.pmpo.sweep_panels import Arm, Layout, beta_panels

LAYOUT = Layout(
    "figure_3",
    TITLES,
    beta_panels(
        "control_beta",
        Arm("control_dpo", "dpo"),
        Arm("control_dpo_discretised", "dpo", "discretised"),
    ),
    "return",
    "Mean return of the final policy's deterministic episodes, by the weight β of the KL term (PMPO) or of the log-ratio (DPO); policies are "
    "Gaussian where nothing is said",
    lambda scores: scores["score"],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return sweep_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
