"""Figure 6: what PMPO's answers are worth while it learns, beside the reward that it learns from."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.evaluation_curves import arms
from paper_figures.pmpo import language_panels
from paper_figures.pmpo.language_panels import Layout, Panel, method_arm

NAME = "figure_6"
LAYOUT = Layout(
    NAME,
    (
        Panel("Reward, held-out prompts", "reward", "evaluations", "reward", method_arm),
        Panel("Independent score", "score", "evaluations", "score", method_arm, tops=True),
        Panel("Distinct words", "share of words", "evaluations", "distinct", method_arm),
        Panel("Distance from the base model", "KL (nats)", "evaluations", "kl_base", method_arm),
    ),
    arms("pmpo_ar", "pmpo_a", "pmpo_r"),
    "Where (a) rises and (b) falls, the reward is hacked; circle: the highest mean of an arm that ends lower. The paper shows "
    "GPT-4's preferences. (c) Words that an answer has not said before. (d) KL(policy ‖ base) of an answer, Eq. 17.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 6 as the command line asks."""
    return language_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
