"""The study `deployment`: its numbers are those of the evaluation, and its counts those of the steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algorithms.cell import Plan, load_plan
from algorithms.evaluate import Episode
from algorithms.records import read_record, write_record
from algorithms.specification import SpecificationError
from algorithms.study import Study, StudyEntry
from algorithms.train import Resources, train
from envs.registry import Continuous
from paper_figures.prefpoe import OTHERS, OWN, deployment
from paper_figures.prefpoe.deployment import Log, action_rows, histogram, run
from paper_figures.prefpoe.studies import SETTINGS, Deployment
from paper_figures.study import Read
from tests.algorithms.small_runs import small_shard

PAPER = Path(__file__).parents[3] / "paper_figures" / "prefpoe"
SETTINGS_HERE = Deployment(seed=1, episodes=12, evaluation_seeds=(1, 0, 7), episodes_per_seed=4)
ABOUT = Study("deployment", StudyEntry(title="t", version=1, settings={"smoke": {}}), {}, ())
SHARD = small_shard("ppo", "ProbeTarget-v0", normalize_observations=True)
Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder = tmp_path_factory.mktemp("records")
    train(SHARD, folder, folder / "scratch", Resources(mode="eager"))
    return Read(SHARD, read_record(folder / SHARD.name))


@pytest.fixture(scope="module")
def tables(read: Read) -> Tables:
    return dict(run(ABOUT, SETTINGS_HERE, [read]))


def test_its_own_episodes_are_those_of_the_evaluation(read: Read, tables: Tables) -> None:
    """Twenty episodes in ten environments were evaluated; twelve of them are played again, two rounds."""
    evaluated = read.record.evaluation
    expected = evaluated.loc[evaluated["member"] == 1, "return"].to_numpy()[:12]
    own = tables["episodes"][tables["episodes"]["way"] == OWN]
    np.testing.assert_allclose(own["return"], expected, rtol=1e-5)
    assert own["episode"].tolist() == list(range(12))
    assert own["evaluation_seed"].isna().all()
    np.testing.assert_allclose(own["reward_mean"], own["return"] / 5)


def test_one_checkpoint_plays_under_every_evaluation_seed(read: Read, tables: Tables) -> None:
    others = tables["episodes"][tables["episodes"]["way"] == OTHERS]
    by_seed = {int(seed): part for seed, part in others.groupby("evaluation_seed")}
    assert set(by_seed) == {0, 1, 7}
    for part in by_seed.values():
        assert part["episode"].tolist() == [0, 1, 2, 3]
    # Evaluation seed 1 gives the first environment of the member that was trained with seed 1.
    own = tables["episodes"][tables["episodes"]["way"] == OWN]
    np.testing.assert_allclose(by_seed[1]["return"].iloc[0], own["return"].iloc[0], rtol=1e-5)
    alone = run(ABOUT, SETTINGS_HERE.model_copy(update={"evaluation_seeds": (7,)}), [read])
    again = alone["episodes"][alone["episodes"]["way"] == OTHERS]
    np.testing.assert_allclose(again["return"], by_seed[7]["return"], rtol=1e-5)


def test_values_and_actions_are_over_all_steps_of_its_own_episodes(tables: Tables) -> None:
    (value,) = tables["values"].to_dict("records")
    own = tables["episodes"][tables["episodes"]["way"] == OWN]
    assert value["n"] == own["length"].sum() == 60
    assert value["mean"] == pytest.approx(np.average(own["value_mean"], weights=own["length"]))
    assert value["min"] < value["mean"] < value["max"]
    actions = tables["actions"].set_index(["dimension", "applied"])
    assert actions.index.tolist() == [(-1, False), (0, False), (-1, True), (0, True)]
    assert (actions["n"] == 60).all()
    assert actions.loc[(0, False), "mean"] == actions.loc[(-1, False), "mean"]  # one dimension
    assert actions.loc[(0, True), "max"] <= 1
    counted = tables["histograms"].groupby(["dimension", "applied"])["count"].sum()
    assert (counted == 60).all()


def test_columns_are_those_that_are_named(tables: Tables) -> None:
    assert {name: list(table) for name, table in tables.items()} == {
        name: list(columns) for name, columns in deployment.TABLES.items()
    }


def test_actions_by_hand() -> None:
    """Two dimensions, four steps, bounds ±1: three of eight numbers lie outside."""
    taken = np.array([[0.0, 2.0], [0.5, -1.0], [-3.0, 1.0], [1.5, 0.0]])
    rows = [row for name, row in action_rows(taken, Continuous(2, -1.0, 1.0)) if name == "actions"]
    table = pd.DataFrame(rows).set_index(["dimension", "applied"])
    assert table["outside"].groupby("dimension").first().to_dict() == {-1: 3 / 8, 0: 0.5, 1: 0.25}
    assert table.loc[(0, False), ["n", "mean", "min", "max"]].tolist() == [4, -0.25, -3.0, 1.5]
    assert table.loc[(0, True), ["n", "mean", "min", "max"]].tolist() == [4, 0.125, -1.0, 1.0]
    assert table.loc[(-1, True), "mean"] == pytest.approx((0.125 * 4 + 0.25 * 4) / 8)


def test_bins_are_centred_on_multiples_and_open_at_the_ends() -> None:
    x = np.array([-9.0, -1.0, 0.0, 0.04, 0.06, 1.0, 4.04, 4.06])
    table = pd.DataFrame(histogram(x))
    assert table["count"].sum() == len(x)
    found = table[table["count"] > 0]
    assert found["count"].tolist() == [1, 1, 2, 1, 1, 1, 1]
    np.testing.assert_allclose(
        found["low"], [-np.inf, -1.05, -0.05, 0.05, 0.95, 3.95, 4.05], atol=1e-12
    )
    assert (table["low"].to_numpy()[1:] == table["high"].to_numpy()[:-1]).all()


def test_means_over_episodes_that_end_at_different_times() -> None:
    """Copy 0 plays two episodes of one and two steps while copy 1 plays one of three."""
    log = Log()
    log.copies = [np.array([0, 1])] * 3
    played = [Episode(0, 0, 0.0, 1), Episode(0, 1, 0.0, 3), Episode(0, 0, 0.0, 2)]
    values = np.array([1.0, 10.0, 2.0, 20.0, 4.0, 30.0])
    assert log.means(values, played).tolist() == [1.0, 20.0, 3.0]


def test_a_diverged_member_is_listed_and_plays_nothing(read: Read, tmp_path: Path) -> None:
    record = read.record
    members = [dict(entry) for entry in record.meta["members"]]
    members[1] |= {"status": "diverged", "diverged_at": 64}
    kept = {"curve.parquet": record.curve, "evaluation.parquet": record.evaluation}
    kept["diagnostics.parquet"] = record.diagnostics
    write_record(tmp_path / "r", SHARD, members, kept, record.arrays(), {})
    found = run(ABOUT, SETTINGS_HERE, [Read(SHARD, read_record(tmp_path / "r"))])
    assert found["members"]["status"].tolist() == ["diverged"]
    assert {name for name, table in found.items() if table.empty} == {*found} - {"members"}
    assert dict(found["episodes"].dtypes)["return"] == np.float64


def test_discrete_actions_are_refused(tmp_path: Path) -> None:
    shard = small_shard("ppo", "ProbeSign-v0")
    train(shard, tmp_path, tmp_path / "scratch", Resources(mode="eager"))
    with pytest.raises(SpecificationError, match="continuous actions"):
        run(ABOUT, SETTINGS_HERE, [Read(shard, read_record(tmp_path / shard.name))])


def test_the_papers_own_settings_are_what_the_studies_may_be_told() -> None:
    plan: Plan = load_plan(PAPER)
    assert set(plan.studies) == set(SETTINGS)
    for name, entry in plan.studies.items():
        for settings in entry.settings.values():
            SETTINGS[name].model_validate(settings)
    asked = Deployment.model_validate(plan.studies["deployment"].settings["paper"])
    assert len(asked.evaluation_seeds) == 10
    assert (asked.seed, asked.episodes, asked.episodes_per_seed) == (0, 50, 10)
    assert asked.evaluation_seeds == plan.scale_of("paper", "stability").seeds
    assert asked.seed in plan.scale_of("paper", "ablation").seeds
