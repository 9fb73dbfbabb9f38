"""Figure 9: a run of Rep-Squashed on two variants of MountainCar, with its action values and policy at a starting state."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.mixture import starting_state
from paper_figures.mixture.starting_state import Layout

LAYOUT = Layout("figure_9", "rep_squashed")


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 9 as the command line asks."""
    return starting_state.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
