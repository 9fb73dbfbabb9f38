"""Figure 18 from made-up runs: which setting is the best, its curve and standard errors, and figures from any state."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from analysis.load import CURVES, SCORES
from analysis.paper import load_paper
from paper_figures.mixture import figure_18
from paper_figures.mixture.figure_18 import ACROSS, BEST

PAPER = Path(__file__).parents[3] / "paper_figures" / "mixture"
LEVELS = {(0.1, 1e-3): 10.0, (0.1, 1e-2): 30.0, (1.0, 1e-3): 20.0, (1.0, 1e-2): 90.0}
"""Area under the curve by α and critic step size; at the last, a run diverges."""
Draw = Callable[[str], Path]


def made_up(scale: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and curves of every arm at four settings; a run has episodes in three quarters of the bins."""
    _, plan = load_paper(PAPER)
    here, entry = plan.scale_of(scale, "greedy_ac"), plan.experiments["greedy_ac"]
    scores, curves = [], []
    for environment, steps in entry.steps[scale].items():
        for arm, method in enumerate(entry.methods):
            for (alpha, rate), level in LEVELS.items():
                setting = json.dumps({"alpha": alpha, "critic_learning_rate": rate})
                for seed in here.seeds:
                    lost = level == 90 and seed == 1
                    rng = np.random.default_rng((arm, seed, int(level)))
                    who = {"environment": environment, "method": method, "seed": seed}
                    who |= {"setting": setting, "imported": False}
                    kept = np.flatnonzero(rng.random(here.curve_rows) < 0.75) + 1
                    paid = level + arm + rng.normal(0, 2, len(kept))
                    area = np.interp(np.arange(1, here.curve_rows + 1), kept, paid).mean()
                    ends = {"steps": steps, "status": "diverged" if lost else "done"}
                    scores.append({**who, **ends, "auc": math.nan if lost else area, "episodes": 1})
                    curves += [
                        {**who, "step": round(k * steps / here.curve_rows), "episodes": 1}
                        | {"return_mean": value}
                        for k, value in zip(kept, paid, strict=True)
                    ]
    tables = (pd.DataFrame(rows) for rows in (scores, curves))
    return tuple(  # type: ignore[return-value]
        table.reindex(columns=list(kinds)).astype(kinds)
        for table, kinds in zip(tables, (SCORES, CURVES), strict=True)
    )


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """A function that draws the figure from made-up runs at a scale, or from none, in a new folder."""

    def run(scale: str, runs: bool = True) -> Path:
        folder = tmp_path_factory.mktemp(scale)
        (folder / "greedy_ac").mkdir()
        for table, data in zip(("scores", "curves"), made_up(scale), strict=True):
            data[: None if runs else 0].to_parquet(folder / "greedy_ac" / f"{table}.parquet")
        options = ["--paper", PAPER, "--scale", scale, "--experiments", folder]
        options += ["--output", folder / "figure_18"]
        assert figure_18.main([str(option) for option in options]) == 0
        return folder / "figure_18"

    return run


def test_standard_errors_by_hand() -> None:
    """1, 2, 3, 6: mean 3, variance 14/3, standard error √(14/12)."""
    error = math.sqrt(14 / 12)
    found = figure_18.estimate(np.array([1.0, 2.0, 3.0, 6.0]))
    assert found == pytest.approx((4, 3.0, 3 - error, 3 + error))
    assert math.isnan(figure_18.estimate(np.array([5.0]))[2])


def test_the_best_setting_is_shown_and_its_curves_mean_is_its_area(draw: Draw) -> None:
    values = pd.read_parquet(draw("paper").with_suffix(".parquet"))
    scores, _ = made_up("paper")
    arms = 5
    assert values["n"].eq(10).all()
    curve, across = (values[values["panel"] == panel] for panel in (BEST, ACROSS))
    assert len(curve) == 2 * arms * 50
    assert len(across) == 2 * arms * 2
    for (environment, method), own in curve.groupby(["environment", "method"]):
        (setting,) = set(own["setting"])
        assert json.loads(setting) == {"alpha": 0.1, "critic_learning_rate": 1e-2}
        chosen = scores[
            scores[["environment", "method", "setting"]]
            .eq([environment, method, setting])
            .all(axis=1)
        ]
        assert own["mean"].mean() == pytest.approx(chosen["auc"].mean(), rel=1e-9)
        assert own["step"].tolist() == list(range(2000, 100_001, 2000))
        assert (own["high"] > own["mean"]).all()
        row = across[(across["environment"] == environment) & (across["method"] == method)]
        low, high = (chosen["auc"].mean() + k * chosen["auc"].sem() for k in (-1, 1))
        at = row.set_index("alpha")
        assert at.loc[0.1, ["low", "high"]].tolist() == pytest.approx([low, high])
        # At α = 1 the larger step size pays more but lost a run.
        assert json.loads(at.loc[1.0, "setting"])["critic_learning_rate"] == 1e-3
        assert at.loc[1.0, "mean"] < at.loc[0.1, "mean"]


@pytest.mark.parametrize(("scale", "runs"), [("paper", True), ("smoke", True), ("paper", False)])
def test_it_is_drawn_from_any_state_and_twice_alike(
    scale: str, runs: bool, draw: Callable[..., Path]
) -> None:
    first, second = draw(scale, runs), draw(scale, runs)
    assert imread(first.with_suffix(".png")).shape[1] == round(3.25 * 300)
    for ending in (".parquet", ".csv", ".pdf", ".png"):
        assert first.with_suffix(ending).read_bytes() == second.with_suffix(ending).read_bytes()


def test_the_sweep_has_the_papers_150_settings_and_ten_runs() -> None:
    _, plan = load_paper(PAPER)
    shards = plan.shards("paper", "greedy_ac")
    by_cell: dict[tuple[str, str], set[tuple[int, str]]] = {}
    for shard in shards:
        members = {(m.seed, json.dumps(m.setting, sort_keys=True)) for m in shard.members}
        by_cell.setdefault((shard.cell.environment, shard.cell.method), set()).update(members)
    assert len(by_cell) == 10
    assert {len(members) for members in by_cell.values()} == {1500}
    (swept,) = {len({setting for _, setting in members}) for members in by_cell.values()}
    assert swept == 5 * 6 * 5 == 150
