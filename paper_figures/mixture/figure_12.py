"""Figure 12: HalfRep-SGM with two, five and eight components beside the base policy."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import style
from paper_figures.mixture import classic_panels
from paper_figures.mixture.classic_panels import Arm, Layout

EXPERIMENTS = {2: "two_components", 5: "classic", 8: "eight_components"}
ARMS = (
    Arm("classic", "rep_squashed"),
    *(
        Arm(name, "half_rep_sgm", f"HalfRep-SGM, m = {count}", style.COMPONENTS[count])
        for count, name in EXPERIMENTS.items()
    ),
)
LAYOUT = Layout("figure_12", ARMS)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 12 as the command line asks."""
    return classic_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
