"""Figure 2: entropies of both experts and of their product during training (Figure A.1 shows the same).

The caption of panel (b) calls it PPO's entropy, Section 4 and Figure A.1 the policy's: both readings are drawn, PPO's own
and that of the main policy inside PrefPoE.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import traces
from paper_figures.traces import Layout, Mark, Panel, Quantity

PREFPOE = ("prefpoe", "prefpoe_released")
NATS = "entropy (nats)"

LAYOUT = Layout(
    name="figure_2",
    environment="HalfCheetah-v4",
    panels=(
        Panel(
            "Preference expert",
            NATS,
            dict.fromkeys(PREFPOE, Quantity("preference_entropy")),
            marks=(
                Mark("appendix_b_1.pref_entropy.start", "prefpoe", "first"),
                Mark("appendix_b_1.pref_entropy.low", "prefpoe", "then"),
                Mark("appendix_b_1.pref_entropy.late", "prefpoe", "late"),
            ),
        ),
        Panel(
            "Policy: PPO and main experts",
            NATS,
            {"ppo": Quantity("entropy"), **dict.fromkeys(PREFPOE, Quantity("main_entropy"))},
            marks=(
                Mark("figure_2.ppo_entropy", "ppo", "caption"),
                Mark("section_4.final_entropy.ppo", "ppo", "text"),
            ),
        ),
        Panel(
            "Fused policy",
            NATS,
            dict.fromkeys(PREFPOE, Quantity("entropy")),
            marks=(Mark("figure_2.poe_entropy", "prefpoe", ""),),
        ),
    ),
    note=(
        "Differential entropies, averaged over states and updates of a bin. The paper's caption calls panel (b) PPO's entropy, "
        "its text the policy's; PPO is drawn with the main experts of both readings of PrefPoE."
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 2 as the command line asks."""
    return traces.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
