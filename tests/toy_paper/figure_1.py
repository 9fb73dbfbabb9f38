"""Figure 1 of the toy paper: learning curves on the discrete probe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures import curves
from paper_figures.curves import Layout

LAYOUT = Layout(name="figure_1", place="Figure 1", environments=("ProbeSign-v0",))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 1 as the command line asks."""
    return curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
