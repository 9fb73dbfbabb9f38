"""Figure A.2: norms of the policies' means during training, and how far fusion moves the mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import traces
from paper_figures.traces import Layout, Mark, Panel, Quantity

PREFPOE = ("prefpoe", "prefpoe_released")
NORM = "norm of the mean"

LAYOUT = Layout(
    name="figure_a_2",
    environment="HalfCheetah-v4",
    panels=(
        Panel(
            "Main expert (policy)",
            NORM,
            dict.fromkeys(PREFPOE, Quantity("main_mean_norm")),
            marks=(
                Mark("appendix_b_2.policy_norm.start", "prefpoe", "first"),
                Mark("appendix_b_2.policy_norm.end", "prefpoe", "final"),
            ),
        ),
        Panel(
            "Fused policy",
            NORM,
            dict.fromkeys(PREFPOE, Quantity("fused_mean_norm")),
            marks=(Mark("appendix_b_2.poe_norm.end", "prefpoe", "final"),),
        ),
        Panel(
            "Fused from main",
            "relative difference",
            dict.fromkeys(PREFPOE, Quantity("main_difference", per=("main_mean_norm",))),
            marks=(
                Mark("appendix_b_2.difference.start", "prefpoe", "first"),
                Mark(
                    "appendix_b_2.difference.peak",
                    "prefpoe",
                    "peak",
                    at="appendix_b_2.difference.peak_steps",
                ),
                Mark("figure_a_2.mean_difference", "prefpoe", "final"),
            ),
        ),
        Panel(
            "Fused from preference",
            "relative difference",
            dict.fromkeys(PREFPOE, Quantity("preference_difference", per=("fused_mean_norm",))),
            marks=(Mark("appendix_e_4_2.mean_difference", "prefpoe", "final"),),
        ),
    ),
    note=(
        "Norms are Euclidean, of a state's mean action before it is clipped, averaged over states and updates of a bin. (c) is "
        "‖μ_fused − μ_main‖ / ‖μ_main‖, (d), a second reading of the paper's 4.2 % that its Appendix E.4.2 gives, ‖μ_fused − μ_pref‖ / ‖μ_fused‖: for "
        "each seed and bin a ratio of averages, not an average of ratios."
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure A.2 as the command line asks."""
    return traces.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
