"""Figure 1: PMPO from both kinds of feedback and from one, and DPO, on benchmark functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import evaluation_curves
from paper_figures.evaluation_curves import Layout, arms
from paper_figures.pmpo.functions import MEASURE, TITLES

LAYOUT = Layout(
    "figure_1",
    tuple(TITLES),
    2,
    arms("pmpo_ar", "pmpo_a", "pmpo_r", "pmpo_r_no_kl", "dpo", "initial_policy"),
    note="Every function's least value is 0. The initial policy is left as it was drawn.",
    measure=MEASURE,
    titles=TITLES,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 1 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
