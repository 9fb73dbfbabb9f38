"""What a protocol asks for while members learn: evaluations, snapshots of all parameters, and stopping once none learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file

from algorithms import checkpoint, train
from algorithms.cell import Member, Shard
from algorithms.checkpoint import TrainingState
from algorithms.evaluate import shares
from algorithms.header import RecordError
from algorithms.population import make_population
from algorithms.records import Record, read_record
from algorithms.seeding import Purpose, environment_seeds
from algorithms.trained import read_member
from analysis import load
from tests.algorithms.small_runs import small_shard

EAGER = train.Resources(mode="eager")
METHODS = ("prefpoe", "rep_squashed")


def run(shard: Shard, folder: Path) -> Record:
    train.train(shard, folder / "records", folder / "scratch", EAGER)
    return read_record(folder / "records" / shard.name)


def files(record: Record) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in record.folder.iterdir() if path.suffix != ".json"
    }


@pytest.mark.parametrize("method", METHODS)
def test_neither_evaluations_nor_snapshots_change_a_bit_of_training(
    method: str, tmp_path: Path
) -> None:
    steps = {"prefpoe": 640, "rep_squashed": 300}[method]
    plain = run(small_shard(method, steps=steps), tmp_path / "plain")
    asked = {"evaluation_every": 100, "snapshots": 3}
    watched = run(small_shard(method, steps=steps, **asked), tmp_path / "watched")
    found = files(watched)
    assert found.pop("evaluations.parquet")
    assert found.pop("snapshots.safetensors")
    assert found == files(plain)
    assert watched.meta["members"] == plain.meta["members"]
    assert plain.evaluations is None


def test_evaluations_stand_at_the_first_iteration_that_reaches_each_multiple(
    tmp_path: Path,
) -> None:
    """Iterations of 64 steps and a multiple of 100: 100 is reached at 128, 200 at 256, 300 at 320, … 600 at 640."""
    table = run(small_shard(evaluation_every=100), tmp_path).evaluations
    assert table is not None
    due = [128, 256, 320, 448, 512, 640]
    assert list(zip(table["member"], table["seed"], table["step"], strict=True)) == [
        (member, seed, step) for member, seed in ((0, 0), (1, 1)) for step in due
    ]
    assert (table["episodes"] == 20).all()
    assert (table["length_mean"] == 5).all()
    assert {name: str(kind) for name, kind in table.dtypes.items()} == {
        "member": "int32",
        "seed": "int64",
        "step": "int64",
        "return_mean": "float64",
        "length_mean": "float64",
        "episodes": "int32",
    }


def test_an_evaluation_is_of_the_policy_as_it_stands_in_environments_of_its_own(
    tmp_path: Path,
) -> None:
    """The sixth is due at the end: the final policy gets it again in the sixth's environments, something else in others."""
    shard = small_shard(seeds=(3, 4), evaluation_every=100)
    record = run(shard, tmp_path)
    table, quota = record.evaluations, shares(20)
    assert table is not None
    for index, seed in enumerate((3, 4)):
        trained = read_member(shard, record, seed)
        mean = {}
        for number in (0, 6):
            seeds = environment_seeds(seed, Purpose.EVALUATION_ENVIRONMENT, number, len(quota))
            mean[number] = np.mean([episode.total for episode in trained.play(seeds, quota)])
        last = table[(table["member"] == index) & (table["step"] == 640)]["return_mean"].item()
        assert last == pytest.approx(mean[6], rel=1e-6)
        final = record.evaluation[record.evaluation["member"] == index]["return"].mean()
        assert final == pytest.approx(mean[0], rel=1e-6)
        assert last != final


def test_snapshots_begin_with_fresh_parameters_and_end_with_the_final_ones(tmp_path: Path) -> None:
    """Five segments of two iterations of 64 steps; three times are the start, the end of the second, and the end."""
    shard = small_shard(snapshots=3)
    record = run(shard, tmp_path)
    steps, kept = load.snapshots(record)
    assert steps.tolist() == [0, 256, 640]
    assert steps.dtype == np.int64
    population = make_population(shard, torch.device("cpu"), compiled=False)
    fresh = torch.vmap(population.layout.unflatten)(population.learners().theta)
    final = record.arrays()
    assert set(kept) == set(fresh)
    for name, parameter in kept.items():
        assert parameter.shape == (3, *final[name].shape)
        np.testing.assert_array_equal(parameter[0], fresh[name].numpy())
        np.testing.assert_array_equal(parameter[2], final[name])
    assert any((parameter[1] != parameter[0]).any() for parameter in kept.values())
    assert any((parameter[1] != parameter[2]).any() for parameter in kept.values())


def test_a_record_without_snapshots_has_none_to_read(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="was written without snapshots"):
        load.snapshots(run(small_shard(), tmp_path))


@pytest.mark.parametrize(
    ("method", "before"), [("prefpoe", True), ("prefpoe", False), ("rep_squashed", True)]
)
def test_interrupted_anywhere_evaluations_and_snapshots_are_the_same(
    method: str, before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within or after the third segment's end: what was kept before the checkpoint is made again.

    SAC's updates begin after step 150; its third segment ends with step 180.
    """
    steps = {"prefpoe": 640, "rep_squashed": 300}[method]
    begins: dict[str, Any] = {"update_after": 150} if method == "rep_squashed" else {}
    shard = small_shard(method, steps=steps, evaluation_every=100, snapshots=4, **begins)
    whole = files(run(shard, tmp_path / "whole"))
    save = checkpoint.save

    def interrupted(state: TrainingState, folder: Path, key: str) -> None:
        if not before or state.segment < 3:
            save(state, folder, key)
        if state.segment == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(shard, tmp_path / "cut")
    resumed = run(shard, tmp_path / "cut")
    assert files(resumed) == whole
    assert resumed.meta["provenance"]["resumed"] == 1


def test_snapshots_leave_scratch_with_the_checkpoint(tmp_path: Path) -> None:
    run(small_shard(snapshots=2), tmp_path)
    assert len(list((tmp_path / "scratch").glob("snapshot-*"))) == 2
    checkpoint.forget(tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists()


def test_a_snapshot_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = small_shard(snapshots=2)
    run(shard, tmp_path)
    (tmp_path / "scratch" / "snapshot-0.safetensors").unlink()
    with pytest.raises(RecordError, match=r"snapshot-0\.safetensors: cannot be read: No such file"):
        train.train(shard, tmp_path / "others", tmp_path / "scratch", EAGER)


LOST: dict[str, dict[str, Any]] = {
    "prefpoe": {"learning_rate": 1e36},
    "rep_squashed": {"critic_learning_rate": 1e36},
}


def doomed(method: str, **protocol: Any) -> Shard:
    """Both members have a step size with which nothing learns."""
    steps = {"prefpoe": 640, "rep_squashed": 1000}[method]
    healthy = small_shard(method, steps=steps, **protocol)
    return Shard(healthy.cell, tuple(Member(seed=seed, setting=LOST[method]) for seed in (0, 1)))


@pytest.mark.parametrize("method", METHODS)
def test_once_every_member_has_diverged_nothing_more_is_trained(
    method: str, tmp_path: Path
) -> None:
    """PPO's loss is not finite in its first iteration of 64 steps; SAC's first update is after 170 steps, of 100 each."""
    end = {"prefpoe": 64, "rep_squashed": 200}[method]
    record = run(doomed(method, evaluation_every=100, snapshots=3), tmp_path)
    assert [member["status"] for member in record.meta["members"]] == ["diverged"] * 2
    assert [member["diverged_at"] for member in record.meta["members"]] == [end] * 2
    assert record.diagnostics["step"].max() <= end
    assert record.evaluation.empty
    during = record.evaluations
    assert during is not None
    assert during["step"].tolist() == ([] if method == "prefpoe" else [100, 100])
    steps, kept = load.snapshots(record)
    assert len(steps) == 3
    for parameter in kept.values():
        np.testing.assert_array_equal(parameter[1], parameter[2])
    final = load_file(record.folder / "weights.safetensors")
    assert all((final[name] == parameter[2]).all() for name, parameter in kept.items())


def test_who_diverges_alone_is_recorded_as_among_others(tmp_path: Path) -> None:
    """The same member where another trains on to the end: status, episodes, curve and parameters."""
    alone = run(doomed("prefpoe"), tmp_path / "alone")
    cell = small_shard("prefpoe").cell
    beside = Shard(cell, (Member(seed=0, setting=LOST["prefpoe"]), Member(seed=1)))
    other = run(beside, tmp_path / "beside")
    ends = [dict(record.meta["members"][0]) for record in (alone, other)]
    assert ends[0].pop("episodes_cut") <= ends[1].pop("episodes_cut")  # fewer segments began
    assert ends[0] == ends[1]
    curves = [record.curve.query("member == 0") for record in (alone, other)]
    pd.testing.assert_frame_equal(*curves)
    parameters = [record.arrays() for record in (alone, other)]
    for name, array in parameters[0].items():
        np.testing.assert_allclose(array[0], parameters[1][name][0], rtol=1e-5)


def test_a_shard_whose_members_are_lost_is_recorded_when_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = doomed("prefpoe", snapshots=3)
    whole = files(run(shard, tmp_path / "whole"))
    save = checkpoint.save

    def interrupted(state: TrainingState, folder: Path, key: str) -> None:
        save(state, folder, key)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(shard, tmp_path / "cut")
    assert files(run(shard, tmp_path / "cut")) == whole
