"""How the preference expert guides: does it rank fitted actions by advantage, does fusion narrow, how much of it is the expert's.

Not in the paper: what its text asserts of every update (Sections 3.2 and 3.3) and never shows.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import traces
from paper_figures.prefpoe.equilibrium import resting_share
from paper_figures.prefpoe.hyperparameters import settings_of
from paper_figures.prefpoe.signatures import ROUNDING
from paper_figures.traces import Layout, Panel, Quantity

PREFPOE = ("prefpoe", "prefpoe_released")
EXPERTS = ("main_trace", "preference_trace")

LAYOUT = Layout(
    name="figure_guidance",
    environment="HalfCheetah-v4",
    panels=(
        Panel(
            "Advantages and preference",
            "correlation",
            dict.fromkeys(PREFPOE, Quantity("advantage_correlation")),
            level=0.0,
        ),
        Panel(
            "Fused variance over the bound",
            "ratio",
            dict.fromkeys(PREFPOE, Quantity("fused_trace", per=EXPERTS)),
            level=1.0,
            limit=1.0 + ROUNDING.value,
        ),
        Panel(
            "Largest excess of a state",
            "excess / bound",
            dict.fromkeys(PREFPOE, Quantity("trace_excess", per=EXPERTS)),
            level=0.0,
            limit=ROUNDING.value,
        ),
        Panel(
            "Preference's share of precision",
            "share",
            dict.fromkeys(PREFPOE, Quantity("preference_share")),
            expected={method: resting_share(settings_of(method)) for method in PREFPOE},
        ),
    ),
    note=(
        "(a) Pearson's correlation of advantages with log π_pref of the same actions, on the minibatches being fitted, all epochs; a fit alone makes it "
        "positive, whatever the advantages are; grey: 0. (b) and (c) are about the "
        "bound after the paper's Eq. 5, tr Σ_fused ≤ min(tr Σ_main, tr Σ_pref): (b) is the ratio of averaged traces, above 1 (grey) "
        "where the bound does not hold on average; (c) the largest tr Σ_fused − min(…) of any state in a minibatch, over the "
        "averaged bound: above 0 (grey) where it does not hold in some state. ▲: a seed beyond the bound by more than rounding. (d) is λσ_pref⁻² / (λσ_pref⁻² + σ_main⁻²); dotted: λ(1 − α w_pref / w_cons), where the losses' gradients on the two σ "
        "vanish together, whatever L_PPO is (paper_figures/prefpoe/equilibrium.py). All are averaged over the updates of a bin."
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return traces.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
