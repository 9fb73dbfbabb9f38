"""How much the number of bins of discretised actions matters, which the paper does not give."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import sweep_panels
from paper_figures.pmpo.control import TITLES
from paper_figures.pmpo.sweep_panels import Arm, Layout, Panel

LAYOUT = Layout(
    "figure_bins",
    {name: TITLES[name] for name in ("CartpoleSwingup-v1", "CheetahRun-v1")},
    (
        Panel("PMPO-AR", (Arm("bins", "pmpo_ar"),), "bins", "bins a dimension"),
        Panel("MPO", (Arm("bins", "mpo"),), "bins", "bins a dimension"),
    ),
    "return",
    "Mean return of the final policy's deterministic episodes, by the number of bins",
    lambda scores: scores["score"],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return sweep_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
