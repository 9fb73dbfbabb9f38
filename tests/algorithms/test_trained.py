"""A member rebuilt from its record plays as it was evaluated; who watches sees every step and changes none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from algorithms.cell import Shard
from algorithms.evaluate import Moment, evaluation_seeds, shares
from algorithms.header import RecordError
from algorithms.records import Record, read_record, write_record
from algorithms.specification import SpecificationError
from algorithms.train import Resources, train
from algorithms.trained import read_member
from tests.algorithms.small_runs import small_shard

SHARD = small_shard("prefpoe_released", "ProbeTarget-v0", seeds=(3, 8), normalize_observations=True)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("records")
    train(SHARD, folder, folder / "scratch", Resources(mode="eager"))
    return read_record(folder / SHARD.name)


@pytest.mark.parametrize("index", [0, 1])
def test_a_rebuilt_member_plays_its_evaluation_again(index: int, record: Record) -> None:
    seed, episodes = SHARD.members[index].seed, SHARD.cell.protocol.evaluation_episodes
    quota = shares(episodes)
    played = read_member(SHARD, record, seed).play(evaluation_seeds(seed, len(quota)), quota)
    evaluated = record.evaluation[record.evaluation["member"] == index]
    assert len(played) == episodes == 20
    np.testing.assert_allclose([one.total for one in played], evaluated["return"], rtol=1e-5)
    assert [one.length for one in played] == evaluated["length"].tolist()
    # Another member's policy in the same environments does otherwise.
    other = read_member(SHARD, record, SHARD.members[1 - index].seed)
    strange = other.play(evaluation_seeds(seed, len(quota)), quota)
    assert not np.allclose([one.total for one in strange], evaluated["return"], rtol=1e-3)


def test_observation_statistics_are_those_of_the_member(record: Record) -> None:
    mean = record.arrays()["observation.mean"]
    assert not np.array_equal(mean[0], mean[1])
    for index, member in enumerate(SHARD.members):
        trained = read_member(SHARD, record, member.seed)
        np.testing.assert_array_equal(trained.normalizer.observations.mean, mean[[index]])


def test_fewer_episodes_are_the_first_ones_of_every_environment(record: Record) -> None:
    trained = read_member(SHARD, record, 3)
    seeds = evaluation_seeds(3, 10)
    long, short = trained.play(seeds, [2] * 10), trained.play(seeds, [1] * 10)
    assert short == long[:10]


def test_an_environment_does_not_depend_on_those_beside_it(record: Record) -> None:
    trained = read_member(SHARD, record, 3)
    together = trained.play([5, 6, 7], [3, 3, 3])
    alone = [one.total for one in trained.play([6], [3])]
    assert [one.total for one in together if one.copy == 1] == pytest.approx(alone, rel=1e-5)


def test_who_watches_sees_every_step_and_changes_none(record: Record) -> None:
    trained = read_member(SHARD, record, 8)
    moments: list[Moment] = []
    played = trained.play([1, 2, 3], [2, 1, 3], moments.append)
    assert trained.play([1, 2, 3], [2, 1, 3]) == played
    assert sorted(one.copy for one in played) == [0, 0, 1, 2, 2, 2]
    steps = sum(len(moment.playing) for moment in moments)
    assert steps == sum(one.length for one in played) == 6 * 5
    for copy in range(3):
        rewards = [m.reward[m.playing == copy].sum() for m in moments]
        totals = [one.total for one in played if one.copy == copy]
        assert sum(rewards) == pytest.approx(sum(totals), rel=1e-12)
    first = moments[0]
    assert first.seen.shape == (1, 3, 2)
    assert first.action.shape == (3, 1)
    assert trained.values(first.seen).shape == (1, 3)
    action = first.action.clip(-1, 1)[:, 0]  # the pool clips; a watcher sees what the policy gave
    sign = np.sign(first.seen[0, :, 0].numpy())
    np.testing.assert_allclose(first.reward, -((action - sign / 2) ** 2), rtol=1e-6)


def test_a_seed_that_nobody_has_is_named(record: Record) -> None:
    with pytest.raises(
        SpecificationError, match=r"seed 4: 0 members have it; allowed: one of 3, 8"
    ):
        read_member(SHARD, record, 4)


def test_a_diverged_member_plays_no_episode(record: Record, tmp_path: Path) -> None:
    members = [dict(entry) for entry in record.meta["members"]]
    members[0] |= {"status": "diverged", "diverged_at": 64}
    tables = {
        "curve.parquet": record.curve,
        "evaluation.parquet": record.evaluation,
        "diagnostics.parquet": record.diagnostics,
    }
    write_record(tmp_path / "r", SHARD, members, tables, record.arrays(), {})
    lost = read_member(SHARD, read_record(tmp_path / "r"), 3)
    assert lost.status == "diverged"
    assert lost.play([1, 2], [2, 2]) == []


def test_a_record_without_weights_is_refused(record: Record, tmp_path: Path) -> None:
    with_weights = small_shard("ppo")
    protocol = replace(with_weights.cell.protocol, weights=False)
    bare = Shard(replace(with_weights.cell, protocol=protocol), with_weights.members)
    folder = tmp_path / "records"
    train(bare, folder, tmp_path / "scratch", Resources(mode="eager"))
    with pytest.raises(RecordError, match="was written without weights"):
        read_member(bare, read_record(folder / bare.name), 0)
