"""Figure 4: classic control with shaped and with unshaped rewards, and sensitivity to α where they are unshaped."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.mixture import classic_panels
from paper_figures.mixture.classic_panels import Layout, of

LAYOUT = Layout(
    "figure_4", of("classic", "rep_squashed", "half_rep_sgm", "gumbel_rep_sgm"), shaped=True
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 4 as the command line asks."""
    return classic_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
