"""Figure 17: GumbelRep-SGM at several temperatures on Walker2d with shifted rewards, the shift taken out again."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from algorithms.settings import METHODS, SAC
from analysis.effects import levels
from paper_figures import evaluation_curves, style
from paper_figures.evaluation_curves import Layout

METHOD, TEMPERATURE = "gumbel_rep_sgm", "gumbel_temperature"


def temperature(experiment: str, rows: pd.DataFrame) -> pd.Series:
    """ "τ = 0.1" for each row of the method; where its setting names none, the method's own."""
    settings = METHODS[METHOD].settings
    assert isinstance(settings, SAC)
    found = levels(rows).get(TEMPERATURE, pd.Series(np.nan, index=rows.index)).astype(float)
    names = found.fillna(settings.gumbel_temperature).map("τ = {:g}".format)
    return names.where(rows["method"] == METHOD)


LAYOUT = Layout(
    "figure_17",
    ("ShiftedWalker2d-v4",),
    1,
    {f"τ = {value:g}": look for value, look in style.TEMPERATURES.items()},
    temperature,
    "GumbelRep-SGM; rewards are drawn without the shift that training had.",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Figure 17 as the command line asks."""
    return evaluation_curves.main(LAYOUT, argv)


if __name__ == "__main__":
    sys.exit(main())
