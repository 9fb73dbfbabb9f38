"""Figures: what is drawn equals the seeds' curves, lost members are shown, bytes repeat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from analysis.statistics import mean_interval
from paper_figures import curves
from paper_figures.prefpoe import figure_5

Draw = Callable[..., Path]
FIGURES = ("figure_3", "figure_4", "figure_5")
ALL = ("table_1", "table_2", "table_a_2", "table_a_4", *FIGURES)


def arm(*seeds: tuple[list[int], list[float]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"seed": i, "step": steps, "return_mean": values})
        for i, (steps, values) in enumerate(seeds)
    ]
    return pd.concat(parts, ignore_index=True)


def test_seeds_meet_on_a_common_grid() -> None:
    grid = np.array([10, 20, 30, 40])
    rows = curves.aligned(arm(([10, 30], [1.0, 3.0]), ([20, 40], [5.0, 9.0])), grid)
    np.testing.assert_array_equal(rows[0], [1.0, 2.0, 3.0, np.nan])
    np.testing.assert_array_equal(rows[1], [np.nan, 5.0, 7.0, 9.0])


def test_the_view_keeps_near_claims_and_gives_up_far_ones() -> None:
    drawn = np.array([0.0, 100.0])
    assert curves.view(drawn, [150.0, 5375.0]) == (0.0, 150.0)
    assert curves.view(drawn, [-90.0]) == (-90.0, 100.0)
    assert curves.view(np.array([]), [1276.0, 5375.0]) == (0.0, 5375.0)
    assert curves.view(np.array([3.0]), []) == (3.0, 3.0)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("state", ["complete", "damaged", "empty"])
def test_figures_are_drawn_from_any_state(
    name: str, state: str, draw: Draw, request: pytest.FixtureRequest
) -> None:
    stem = draw(name, request.getfixturevalue(state))
    height, width = imread(stem.with_suffix(".png")).shape[:2]
    assert width == round(3.25 * 300)
    assert height > width
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert stem.with_suffix(".csv").is_file()


def test_means_and_bands_are_over_the_seeds_present(draw: Draw, damaged: Path) -> None:
    stem = draw("figure_3", damaged)
    table, seeds = (
        pd.read_parquet(stem.with_suffix(".parquet")),
        pd.read_csv(stem.with_suffix(".csv")),
    )
    ppo = seeds[(seeds["environment"] == "Ant-v4") & (seeds["method"] == "ppo")]
    drawn = table[(table["environment"] == "Ant-v4") & (table["method"] == "ppo")]
    for point in drawn.itertuples():
        exact = ppo[ppo["step"] == point.step]["return_mean"].to_numpy()
        if len(exact) == point.n == 5:
            assert point.mean == pytest.approx(exact.mean(), rel=1e-12)
            assert (point.low, point.high) == pytest.approx(mean_interval(exact), rel=1e-12)
            break
    else:
        pytest.fail("no bin in which every seed finished an episode")
    diverging = table[(table["environment"] == "Ant-v4") & (table["method"] == "prefpoe")]
    assert diverging["n"].max() == 4
    assert diverging["n"].iloc[-1] <= 2
    assert "linear_fusion" not in set(table["method"])
    assert table["imported"].to_numpy()[-1] or table["imported"].any()


def test_phases_are_equal_parts_averaged_within_a_seed() -> None:
    seeds = arm(([10, 20, 30, 100], [1.0, 3.0, 5.0, 9.0])).assign(method="ppo")
    table = figure_5.phases(seeds, 100)
    assert table[["phase", "return_mean"]].to_numpy().tolist() == [[1, 2.0], [2, 5.0], [5, 9.0]]


def test_figure_5_bars_are_the_statistics(draw: Draw, complete: Path) -> None:
    table = pd.read_parquet(draw("figure_5", complete).with_suffix(".parquet"))
    source = pd.read_parquet(complete / "ablation" / "statistics.parquet")
    bars = table[table["panel"] == "b"]
    assert bars["method"].tolist() == source["method"].tolist()
    np.testing.assert_array_equal(bars["mean"], source["mean"])
    assert table[table["panel"] == "c"].groupby("method").size().eq(5).all()


@pytest.mark.parametrize("state", ["complete", "empty"])
def test_figure_5_shows_the_papers_phases(
    state: str, draw: Draw, request: pytest.FixtureRequest
) -> None:
    stem = draw("figure_5", request.getfixturevalue(state))
    table = pd.read_parquet(stem.with_suffix(".parquet"))
    said = table[(table["panel"] == "c") & table["paper"].notna()]
    assert said[["method", "phase", "paper"]].to_numpy().tolist() == [
        ["ppo", 1, "644"],
        ["ppo", 5, "1261"],
        ["prefpoe", 1, "2535"],
        ["prefpoe", 5, "5365"],
    ]
    assert (said["n"] == (5 if state == "complete" else 0)).all()
    bars = table[table["panel"] == "b"].set_index("method")["paper"]
    assert (bars["prefpoe"], bars["ppo_matched"]) == ("5375", None)


@pytest.mark.parametrize("name", ALL)
def test_same_inputs_give_the_same_bytes(
    name: str, draw: Draw, damaged: Path, tmp_path: Path
) -> None:
    first, second = draw(name, damaged), draw(name, damaged, tmp_path)
    drawn = (".md", ".tex") if name.startswith("table") else (".pdf", ".png")
    for ending in (".parquet", ".csv", *drawn):
        one, other = first.with_suffix(ending), second.with_suffix(ending)
        assert one.read_bytes() == other.read_bytes(), ending
    assert len(list(second.parent.iterdir())) == 4
