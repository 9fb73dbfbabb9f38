"""Figures of classic control and bandits from made-up scores and curves: what is drawn, what is missing, what is planned."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from algorithms.cell import Plan, load_plan
from analysis.load import CURVES, SCORES, setting_text
from analysis.statistics import write_parquet
from paper_figures import curves, style
from paper_figures.mixture import classic_panels as c

PAPER = Path("paper_figures") / "mixture"
DIVERGES = ("classic", "half_rep_sgm", "Acrobot")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(PAPER)


def write(plan: Plan, scale: str, experiment: str, folder: Path, lost: Sequence[str] = ()) -> None:
    """An experiment's scores and curves; every second bin has an episode. `lost`: "method on environment" without any record.

    A run's curve is flat at a height of its own, hence so is its area. The first seed of half_rep_sgm on Acrobot diverges
    half-way.
    """
    scores, runs = [], []
    for shard in plan.shards(scale, experiment):
        cell, missing = shard.cell, f"{shard.cell.method} on {shard.cell.environment}" in lost
        rows = cell.protocol.curve_rows
        for member in shard.members:
            setting = setting_text(shard.settings_of(member))
            who = {"environment": cell.environment, "method": cell.method}
            who |= {"seed": member.seed, "setting": setting, "imported": False}
            about = zlib.crc32(f"{cell.environment} {cell.method} {setting}".encode())
            height = float(np.random.default_rng([about, member.seed]).uniform(-999, -100))
            here = (experiment, cell.method, cell.environment)
            diverges = here == DIVERGES and member.seed == shard.members[0].seed
            status = "missing" if missing else "diverged" if diverges else "done"
            score = height if status == "done" else np.nan
            measures = ("score", "training_return", "auc", "training_auc", "training_score")
            row = dict.fromkeys((*measures, "episode_std"), score)
            row |= {"steps": cell.steps, "episodes": 1, "status": status}
            scores.append({**who, **row, "diverged_at": cell.steps / 2 if diverges else np.nan})
            if not missing:
                bins = np.arange(2, (rows // 2 if diverges else rows) + 1, 2)
                steps = np.round(bins * cell.steps / rows).astype(int)
                run = {**who, "step": steps, "return_mean": height, "episodes": 1}
                runs.append(pd.DataFrame(run))
    for name, parts, columns in (
        ("scores", [pd.DataFrame(scores)], SCORES),
        ("curves", runs, CURVES),
    ):
        empty = pd.DataFrame({column: [] for column in columns})
        table = pd.concat(parts, ignore_index=True) if parts else empty
        write_parquet(table[list(columns)].astype(columns), folder / experiment / f"{name}.parquet")


def drawn(name: str, scale: str, folder: Path) -> pd.DataFrame:
    """The values of a figure that is drawn now."""
    stem = folder / scale / name
    options = ["--paper", PAPER, "--scale", scale, "--experiments", folder, "--output", stem]
    module = importlib.import_module(f"paper_figures.mixture.{name}")
    assert module.main([str(option) for option in options]) == 0
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    return pd.read_parquet(stem.with_suffix(".parquet"))


@pytest.fixture(scope="module")
def reduced(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classic control at scale reduced, where GumbelRep-SGM on MountainCar is not trained yet."""
    folder = tmp_path_factory.mktemp("reduced")
    for experiment in ("classic", "classic_sweep"):
        write(plan, "reduced", experiment, folder, ["gumbel_rep_sgm on MountainCar"])
    return folder


def test_bins_are_filled_as_for_the_area_and_a_lost_run_ends() -> None:
    runs = pd.DataFrame(
        {
            "seed": [1, 1, 7, 7],
            "step": [20, 40, 10, 20],
            "return_mean": [2.0, 6.0, 1.0, 3.0],
        }
    )
    rows = c.on_grid(runs, np.array([10, 20, 30, 40, 50]), {1})
    np.testing.assert_array_equal(rows.loc[1], [2, 2, 4, 6, 6])
    np.testing.assert_array_equal(rows.loc[7], [1, 3, np.nan, np.nan, np.nan])


@pytest.fixture(scope="module")
def values(reduced: Path) -> pd.DataFrame:
    """The values of Figure 4."""
    return drawn("figure_4", "reduced", reduced)


def test_figure_4_at_scale_reduced_is_the_reduced_protocol(
    values: pd.DataFrame, reduced: Path
) -> None:
    assert set(values["environment"]) == set(c.TASKS)
    assert set(values["panel"]) == {c.CURVE, c.BIASED, c.UNBIASED}
    height, width = imread(reduced / "reduced" / "figure_4.png").shape[:2]
    assert width == round(style.PAGE * style.DOTS_PER_INCH)
    assert height < width
    gone = curves.where(values, environment="MountainCar", arm="GumbelRep-SGM")
    assert gone.empty
    assert values.groupby(["environment", "arm"]).ngroups == 8


def test_curves_are_means_over_reruns(values: pd.DataFrame, reduced: Path) -> None:
    scores = pd.read_parquet(reduced / "classic" / "scores.parquet")
    own = curves.where(values, panel=c.CURVE, environment="Pendulum", arm="Rep-Squashed")
    runs = curves.where(scores, environment="Pendulum", method="rep_squashed")["auc"]
    assert own["step"].tolist() == list(range(2000, 100_001, 2000))
    assert (own["n"] == 10).all()
    np.testing.assert_allclose(own["mean"], runs.mean())
    assert own[["low", "mean", "high"]].apply(lambda row: row.is_monotonic_increasing, axis=1).all()
    lost = curves.where(values, panel=c.CURVE, environment="Acrobot", arm="HalfRep-SGM")
    assert lost["n"].tolist() == [10] * 24 + [9] * 26


def test_sensitivities_are_the_best_of_the_sweep(values: pd.DataFrame, reduced: Path) -> None:
    scores = pd.read_parquet(reduced / "classic_sweep" / "scores.parquet")
    own = curves.where(scores, environment="Acrobot", method="rep_squashed")
    means = own.groupby("setting")["auc"].mean()
    here = curves.where(values, environment="Acrobot", arm="Rep-Squashed")
    shown = here[here["panel"] == c.BIASED]
    assert shown["alpha"].tolist() == [0.001, 0.01, 0.1, 1.0]
    assert (shown["n"] == 5).all()
    for row in shown.to_dict("records"):
        there = means[[f'"alpha": {row["alpha"]}' in setting for setting in means.index]]
        assert len(there) == 4
        assert (row["setting"], row["mean"]) == (there.idxmax(), pytest.approx(there.max()))
    held = here[here["panel"] == c.UNBIASED]
    # With f_A and f_B the sums on both halves, f_A(b) + f_B(a) ≤ max (f_A + f_B) where a and b are the best of A and B.
    assert (held["mean"].to_numpy() <= shown["mean"].to_numpy() + 1e-9).all()


def test_figure_3_counts_runs_that_reach_the_goal(reduced: Path) -> None:
    path = reduced / "classic" / "scores.parquet"
    scores = pd.read_parquet(path)
    failing = curves.where(scores, environment="Acrobot", method="rep_squashed").index[:4]
    scores.loc[failing, "training_return"] = -1000.0
    folder = reduced / "failing"
    write_parquet(scores, folder / "classic" / "scores.parquet")
    write_parquet(
        pd.read_parquet(path.with_name("curves.parquet")), folder / "classic" / "curves.parquet"
    )
    found = drawn("figure_3", "reduced", folder).set_index("arm")
    assert found[["n", "reaching"]].to_numpy().tolist() == [
        [10, 6],
        [10, 9],
    ]  # a run that diverged is one that does not
    # Wilson's interval of 6 of 10: (0.6 + z²/20 ± z √(0.024 + z²/400)) / (1 + z²/10), z = 1.96.
    assert found.loc["Rep-Squashed", ["low", "high"]].tolist() == pytest.approx(
        [0.3127, 0.8318], abs=1e-4
    )


def test_without_records_panels_say_so(plan: Plan, tmp_path: Path) -> None:
    methods = plan.experiments["cauchy"].methods
    lost = [f"{method} on Pendulum" for method in methods]
    for experiment in ("cauchy", "cauchy_sweep", "classic", "classic_sweep"):
        write(
            plan,
            "smoke",
            experiment,
            tmp_path,
            [*lost, *(f"{m} on ShapedPendulum" for m in methods)],
        )
    for name in ("figure_14", "figure_4", "figure_3"):
        assert drawn(name, "smoke", tmp_path).query("n > 0").empty


def test_figure_12_tells_numbers_of_components_apart(plan: Plan, tmp_path: Path) -> None:
    for reruns in ("classic", "two_components", "eight_components"):
        for experiment in (reruns, f"{reruns}_sweep"):
            write(plan, "smoke", experiment, tmp_path)
    values = drawn("figure_12", "smoke", tmp_path)
    arms = ["Rep-Squashed", "HalfRep-SGM, m = 2", "HalfRep-SGM, m = 5", "HalfRep-SGM, m = 8"]
    assert list(dict.fromkeys(values["arm"])) == arms
    assert set(values["environment"]) == {"Pendulum"}
    assert len(set(style.COMPONENTS.values())) == 3


def test_bandit_figures(plan: Plan, tmp_path: Path) -> None:
    write(plan, "quick", "bandits", tmp_path)
    found = drawn("figure_10", "quick", tmp_path)
    assert found["seed"].tolist() == [0, 1, 2, 3, 4]
    scores = pd.read_parquet(tmp_path / "bandits" / "scores.parquet")
    best = {}
    for method in ("like_sgm", "like_squashed"):
        own = scores[scores["method"] == method]
        setting = own.groupby("setting")["training_return"].mean().idxmax()
        best[method] = (
            own[own["setting"] == setting].sort_values("seed")["training_return"].to_numpy() / 50
        )
    np.testing.assert_allclose(found["difference"], best["like_sgm"] - best["like_squashed"])
    across = drawn("figure_6", "quick", tmp_path)
    assert across.groupby("method").size().tolist() == [4] * 5
    averaged = pd.read_csv(tmp_path / "quick" / "figure_6.csv")
    assert list(averaged) == list(across)
    drawn("figure_11", "quick", tmp_path)
    means = pd.read_csv(tmp_path / "quick" / "figure_11.csv")
    like = means[means["method"] == "like_sgm"]
    assert (like["n"] == 5).all()
    np.testing.assert_allclose(like["mean"], best["like_sgm"].mean())


@pytest.mark.usefixtures("values")
def test_the_same_tables_give_the_same_bytes(reduced: Path) -> None:
    stem = reduced / "reduced" / "figure_4"
    before = {ending: stem.with_suffix(ending).read_bytes() for ending in (".pdf", ".png", ".csv")}
    drawn("figure_4", "reduced", reduced)
    assert all(stem.with_suffix(ending).read_bytes() == held for ending, held in before.items())


def test_arms_that_experiments_share_are_trained_once(plan: Plan) -> None:
    for scale in ("smoke", "paper"):
        for part in ("", "_sweep"):
            known = {shard.hash for shard in plan.shards(scale, f"classic{part}")}
            for name, own in (
                ("uniform", {"uniform_rep_sgm"}),
                ("cauchy", {"rep_cauchy", "half_rep_cm", "gumbel_rep_cm"}),
            ):
                for shard in plan.shards(scale, f"{name}{part}"):
                    assert (shard.hash in known) == (shard.cell.method not in own)


def test_scale_paper_is_the_published_protocol(plan: Plan) -> None:
    for name in ("classic", "two_components", "eight_components", "uniform", "cauchy"):
        swept, reruns = (plan.shards("paper", part) for part in (f"{name}_sweep", name))
        assert {len(shard.members) for shard in swept} == {64 * 10}
        assert {len(shard.members) for shard in reruns} == {30}
        assert {shard.cell.steps for shard in swept + reruns} == {100_000}
    at_scale = {shard.cell.environment for shard in plan.shards("paper", "classic")}
    assert at_scale == {*c.TASKS, *c.SHAPED}
    components = {
        n: plan.shards("paper", n)[0].cell.settings.content()["components"]
        for n in ("two_components", "eight_components")
    }
    assert components == {"two_components": 2, "eight_components": 8}


def test_scale_reduced_stays_three_arms_on_three_tasks(plan: Plan) -> None:
    for name, members in (("classic_sweep", 80), ("classic", 10)):
        shards = plan.shards("reduced", name)
        assert {(shard.cell.method, shard.cell.environment) for shard in shards} == {
            (method, task)
            for method in ("rep_squashed", "half_rep_sgm", "gumbel_rep_sgm")
            for task in c.TASKS
        }
        assert {len(shard.members) for shard in shards} == {members}
