"""What MPO and PMPO make of the learning rate and of how often the reference is renewed, which the paper does not give."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from paper_figures.pmpo import sweep_panels
from paper_figures.pmpo.control import TITLES
from paper_figures.pmpo.sweep_panels import Arm, Layout, Panel


def _rates(title: str, experiment: str) -> Panel:
    arms = tuple(Arm(experiment, method) for method in ("pmpo_ar", "pmpo_a", "pmpo_r", "mpo"))
    return Panel(f"rates, {title}", arms, "learning_rate", "learning rate", logarithmic=True)


def _betas(title: str, experiment: str) -> Panel:
    return Panel(f"β, {title}", (Arm(experiment, "pmpo_ar"),), "beta", "β")


LAYOUT = Layout(
    "figure_rate",
    {name: TITLES[name] for name in ("CartpoleSwingup-v1", "CheetahRun-v1")},
    (
        _rates("N = 100", "control_rate"),
        _rates("N = 10", "control_rate_10"),
        _betas("N = 100", "control_beta_100"),
        _betas("N = 10", "control_beta"),
    ),
    "return",
    "Mean return of the final policy's deterministic episodes, by the learning rate and by the weight β of the KL term; the reference "
    "and the slow critic are renewed every N updates",
    lambda scores: scores["score"],
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure as the command line asks."""
    return sweep_panels.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
