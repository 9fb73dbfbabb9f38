"""Figure 5: training reward by the weight β of the KL term, from rejected, accepted, and both kinds of responses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from algorithms.settings import METHODS
from paper_figures import style
from paper_figures.pmpo import language_panels
from paper_figures.pmpo.language_panels import Layout, Panel
from paper_figures.pmpo.studies import Language

NAME = "figure_5"
SHOWN = {"pmpo_r": 0.0, "pmpo_a": 1.0, "pmpo_ar": 0.5}
"""The variants, with their α."""


def label(beta: float) -> str:
    """An arm of this figure."""
    return f"β = {beta:g}"


def swept(variant: str) -> Callable[[Language, str, float], str | None]:
    """Names the arms of one variant by β: runs of its default outside the sweep's seeds belong here too."""
    return lambda settings, method, beta: label(beta) if method == variant else None


LAYOUT = Layout(
    NAME,
    tuple(
        Panel(f"{METHODS[name].label}, α = {alpha:g}", "reward", "curves", "reward", swept(name))
        for name, alpha in SHOWN.items()
    ),
    {label(beta): look for beta, look in style.BETAS.items()},
    "Mean reward of the responses that were trained on. By Section 5.4, β > 1 − α is needed where rejected responses are "
    "learnt from.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 5 as the command line asks."""
    return language_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
