"""Figures of hyperparameters in control, from made-up scores of the members that the paper plans."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.load import load_experiment, read_imported
from analysis.paper import load_paper
from analysis.statistics import write_parquet
from paper_figures.artifact import Request
from paper_figures.pmpo import figure_3, figure_rate, sweep_panels
from paper_figures.pmpo.sweep_panels import Layout

FOLDER = Path(__file__).parents[3] / "paper_figures" / "pmpo"
SCALE = "reduced"
Draw = Callable[..., pd.DataFrame]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """A function that draws a layout where every member has a score, but those that `lost` names, and returns its values."""

    def make(layout: Layout, lost: tuple[str, int] | None = None) -> pd.DataFrame:
        paper, plan = load_paper(FOLDER)
        for name in paper.artifacts[layout.name].experiments:
            nothing = (tmp_path / "records", tmp_path / "scratch", read_imported([]))
            scores = load_experiment(plan, SCALE, name, *nothing).scores
            levels = scores["setting"].map(lambda text: next(iter(json.loads(text).values())))
            scores["score"] = 1000 * levels.astype(float) + 10 * scores["seed"]
            scores["status"] = "done"
            if lost is not None:
                gone = (scores["method"] == lost[0]) & (scores["seed"] == lost[1])
                scores.loc[gone, "score"], scores.loc[gone, "status"] = np.nan, "diverged"
            write_parquet(scores, tmp_path / "experiments" / name / "scores.parquet")
        places = (tmp_path / "experiments", tmp_path / "records", tmp_path / layout.name)
        request = Request(layout.name, FOLDER, SCALE, *places, paper, plan)
        sweep_panels.render(layout, request)
        for ending in ("parquet", "csv", "pdf", "png"):
            assert request.output.with_suffix(f".{ending}").stat().st_size > 0
        return pd.read_parquet(request.output.with_suffix(".parquet"))

    return make


def test_a_point_is_the_mean_of_the_seeds_at_a_level(draw: Draw) -> None:
    """Seeds 0, 1, 2 add 0, 10, 20; of PMPO-A, seed 2 diverged. Cheetah is no part of the scale."""
    values = draw(figure_rate.LAYOUT, lost=("pmpo_a", 2))
    assert set(values["environment"]) == {"CartpoleSwingup-v1"}
    for experiment in ("control_rate", "control_rate_10"):
        for method, n, more in (("mpo", 3, 10.0), ("pmpo_a", 2, 5.0)):
            own = values[(values["experiment"] == experiment) & (values["method"] == method)]
            assert own["level"].tolist() == [3e-5, 1e-4, 3e-4]
            assert own["mean"].tolist() == pytest.approx([0.03 + more, 0.1 + more, 0.3 + more])
            assert set(own["planned"]) == {3}
            assert set(own["n"]) == {n}
    betas = values[values["experiment"] == "control_beta_100"]
    assert betas["mean"].tolist() == [10.0, 510.0, 1010.0, 1510.0, 2010.0]


def test_every_task_of_the_scale_has_its_panels(draw: Draw) -> None:
    values = draw(figure_3.LAYOUT)
    assert values.groupby("environment").size().to_dict() == dict.fromkeys(
        ("CartpoleSwingup-v1", "ReacherEasy-v1", "CheetahRun-v1", "WalkerWalk-v1"), 5 * 5
    )
