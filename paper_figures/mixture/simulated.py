"""The arms that the figures of simulated tasks show."""

from __future__ import annotations

from paper_figures.evaluation_curves import arms

ARMS = arms("rep_squashed", "half_rep_sgm", "gumbel_rep_sgm")
