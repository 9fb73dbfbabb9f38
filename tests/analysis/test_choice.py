"""A sweep's best setting: which is chosen, what is trained from it, and when that is no longer valid."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from algorithms import train
from algorithms.cell import Member, Plan, Shard, load_plan
from algorithms.choice import choice_path, with_choice
from algorithms.header import RecordError, sha256
from algorithms.population import OnPolicy
from algorithms.records import read_record
from algorithms.specification import SpecificationError
from analysis import choice
from analysis.load import find_record

EXPERIMENTS = """\
scales:
  smoke:
    note: a test
    seeds: [0, 10]
    members_per_shard: 4
    segments: 2
    evaluation_episodes: 2
    curve_rows: 4
experiments:
  sweep:
    title: Two hyperparameters
    baseline: ppo
    methods: [ppo]
    settings: {rollout_steps: 64, minibatches: 2, epochs: 1, normalize_observations: false, normalize_rewards: false}
    grid: {clip: [0.1, 0.3], learning_rate: [0.001, 0.002]}
    steps: {smoke: {ProbeTarget-v0: 128}}
    amendments: {smoke: {weights: false}}
  rerun:
    title: The best of them
    baseline: ppo
    methods: [ppo]
    settings: {rollout_steps: 64, minibatches: 2, epochs: 1, normalize_observations: false, normalize_rewards: false}
    best_of: sweep
    steps: {smoke: {ProbeTarget-v0: 128}}
    amendments: {smoke: {seeds: [7, 8]}}
"""
# Two seeds each of (clip, learning rate) = (0.1, 0.001), (0.1, 0.002), (0.3, 0.001), (0.3, 0.002).
RETURNS = [[1.0], [5.0], [4.0], [4.0], [9.0], None, [2.0], [1.0]]


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    return folder


@pytest.fixture
def rerun(plan: Plan) -> Shard:
    (shard,) = plan.shards("smoke", "rerun")
    return shard


def swept(plan: Plan, write: Callable[..., Path]) -> None:
    """Record the sweep with the returns planted above."""
    for index, shard in enumerate(plan.shards("smoke", "sweep")):
        write(shard, RETURNS[4 * index : 4 * index + 4])


def call(paper: Path, records: Path, scratch: Path, sweep: str) -> int:
    options = ["--paper", str(paper), "--scale", "smoke", "--sweep", sweep]
    return choice.main([*options, "--records", str(records), "--scratch", str(scratch)])


def sweep_hash(rerun: Shard) -> str:
    assert rerun.cell.best_of is not None
    return rerun.cell.best_of.hash


def test_the_largest_mean_of_complete_settings_is_chosen(
    paper: Path, plan: Plan, rerun: Shard, records: Path, scratch: Path, write: Callable[..., Path]
) -> None:
    swept(plan, write)
    assert call(paper, records, scratch, sweep_hash(rerun)) == 0
    made = json.loads(choice_path(records, rerun.cell).read_text(encoding="utf-8"))
    # 9.0 belongs to a setting whose other seed diverged; of the complete ones the means are 3, 4 and 1.5.
    assert made["setting"] == {"clip": 0.1, "learning_rate": 0.002}
    assert [(each["mean"], each["n"]) for each in made["candidates"]] == [
        (3.0, 2),
        (4.0, 2),
        (None, 1),
        (1.5, 2),
    ]


def test_another_score_chooses_another_setting_in_a_file_of_its_own(
    paper: Path, plan: Plan, records: Path, scratch: Path, write: Callable[..., Path]
) -> None:
    """Planted curves have all members alike, so that the area is the same for all complete settings: the first wins."""
    swept(plan, write)
    text = EXPERIMENTS.replace("    grid: {clip", "    score: auc\n    grid: {clip")
    (paper / "experiments.yaml").write_text(text, encoding="utf-8")
    (by_area,) = load_plan(paper).shards("smoke", "rerun")
    (usual,) = plan.shards("smoke", "rerun")
    assert by_area.hash != usual.hash
    assert call(paper, records, scratch, sweep_hash(by_area)) == 0
    made = json.loads(choice_path(records, by_area.cell).read_text(encoding="utf-8"))
    assert "(auc)" in made["rule"]
    assert made["setting"] == {"clip": 0.1, "learning_rate": 0.001}
    assert not choice_path(records, usual.cell).exists()


def test_a_choice_is_written_once(
    paper: Path,
    plan: Plan,
    rerun: Shard,
    records: Path,
    scratch: Path,
    write: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    swept(plan, write)
    assert call(paper, records, scratch, sweep_hash(rerun)) == 0
    before = choice_path(records, rerun.cell).read_bytes()
    assert call(paper, records, scratch, sweep_hash(rerun)) == 0
    assert "already chosen" in capsys.readouterr().out
    assert choice_path(records, rerun.cell).read_bytes() == before


def test_no_choice_from_an_unfinished_sweep_and_no_training_without_a_choice(
    paper: Path,
    rerun: Shard,
    records: Path,
    scratch: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(paper, records, scratch, sweep_hash(rerun)) == 2
    assert "not trained yet" in capsys.readouterr().err
    with pytest.raises(SpecificationError, match=r"missing; analysis\.choice writes it"):
        train.train(rerun, records, scratch / rerun.hash, train.Resources(mode="eager"))


def test_the_rerun_trains_with_the_chosen_setting_and_says_so(
    paper: Path, plan: Plan, rerun: Shard, records: Path, scratch: Path, write: Callable[..., Path]
) -> None:
    swept(plan, write)
    call(paper, records, scratch, sweep_hash(rerun))
    options = ["--paper", str(paper), "--scale", "smoke", "--shard", rerun.hash]
    options += ["--records", str(records), "--scratch", str(scratch), "--mode", "eager"]
    assert train.main(options) == 0
    record = find_record(rerun, records)
    assert record is not None
    path = choice_path(records, rerun.cell)
    assert record.meta["provenance"]["choice"] == {
        "setting": {"clip": 0.1, "learning_rate": 0.002},
        "checksum": sha256(path),
    }
    # The same members with the setting spelled out learn the same weights.
    spelled = {"clip": 0.1, "learning_rate": 0.002}
    plain = Shard(
        plan.shards("smoke", "sweep")[0].cell,
        tuple(Member(seed=s, setting=spelled) for s in (7, 8)),
    )
    other = records.parent / "plain"
    train.train(plain, other, scratch / plain.hash, train.Resources(mode="eager"))
    ours, theirs = record.evaluation, read_record(other / plain.name).evaluation
    np.testing.assert_array_equal(ours["return"], theirs["return"])
    np.testing.assert_array_equal(
        record.curve["return_mean"], read_record(other / plain.name).curve["return_mean"]
    )


def test_a_record_of_another_choice_is_refused(
    paper: Path, plan: Plan, rerun: Shard, records: Path, scratch: Path, write: Callable[..., Path]
) -> None:
    swept(plan, write)
    call(paper, records, scratch, sweep_hash(rerun))
    train.train(rerun, records, scratch / rerun.hash, train.Resources(mode="eager"))
    path = choice_path(records, rerun.cell)
    made = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps(made | {"setting": {"clip": 0.3, "learning_rate": 0.002}}), encoding="utf-8"
    )
    with pytest.raises(RecordError, match="choice: trained with"):
        find_record(rerun, records)


def test_the_chosen_setting_reaches_every_member(plan: Plan, rerun: Shard, records: Path) -> None:
    chosen = dataclasses.replace(rerun, chosen={"clip": 0.3})
    assert chosen.hash == rerun.hash
    assert chosen.key != rerun.key
    hyper = OnPolicy(chosen, torch.device("cpu"), compiled=False).hyper
    assert hyper["clip"].tolist() == pytest.approx([0.3, 0.3])
    assert hyper["learning_rate"].tolist() == pytest.approx([3e-4, 3e-4])
    assert with_choice(plan.shards("smoke", "sweep")[0], records).chosen == {}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("best_of: sweep", "best_of: rerun", "has no grid; allowed: sweep"),
        ("best_of: sweep", "best_of: sweep\n    grid: {gamma: [0.9]}", "only the sweep a grid"),
        ("seeds: [7, 8]", "seeds: [7, 10]", "has used seed 10 at smoke"),
        (
            "methods: [ppo]\n    settings: {rollout_steps: 64, minibatches: 2, epochs: 1, normalize_observations: false, normalize_rewards: false}\n    best_of",
            "methods: [ppo, prefpoe]\n    settings: {rollout_steps: 64, minibatches: 2, epochs: 1, normalize_observations: false, normalize_rewards: false}\n    best_of",
            "lacks a method",
        ),
        ("false}\n    best_of", "false, gamma: 0.9}\n    best_of", "must be the same"),
    ],
)
def test_a_rerun_that_cannot_be_is_refused(paper: Path, old: str, new: str, words: str) -> None:
    path = paper / "experiments.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecificationError, match=words):
        load_plan(paper)


def test_a_choice_from_a_record_that_holds_something_else_now_is_refused(
    paper: Path, plan: Plan, rerun: Shard, records: Path, scratch: Path, write: Callable[..., Path]
) -> None:
    swept(plan, write)
    call(paper, records, scratch, sweep_hash(rerun))
    train.train(rerun, records, scratch / rerun.hash, train.Resources(mode="eager"))
    assert find_record(rerun, records) is not None
    first = plan.shards("smoke", "sweep")[0]
    shutil.rmtree(records / first.name)
    write(first, [[7.0], [7.0], [4.0], [4.0]])
    with pytest.raises(RecordError, match="has other contents since"):
        find_record(rerun, records)
