"""Figure 4: training reward of PMPO from both kinds of feedback, from one, and of DPO; wins against the base model."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.evaluation_curves import arms
from paper_figures.pmpo import language_panels
from paper_figures.pmpo.language_panels import Layout, Panel, method_arm

NAME = "figure_4"
LAYOUT = Layout(
    NAME,
    (
        Panel("Training reward", "reward", "curves", "reward", method_arm),
        Panel(
            "Wins against the base model",
            "share of wins",
            "evaluations",
            "wins",
            method_arm,
            tops=True,
            line=0.5,
        ),
    ),
    arms("pmpo_ar", "pmpo_ar_extremes", "pmpo_a", "pmpo_r", "dpo"),
    "(b) Answers to held-out prompts that score above the base model's by a score that training never sees, ties counting "
    "half, where the paper asked GPT-4; circle: the highest mean of an arm that ends lower.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 4 as the command line asks."""
    return language_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
