"""Studies through the real Snakefile: made once, from records that are there first, never again on a clone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from algorithms.specification import SpecificationError
from analysis.workflow import read_request
from tests.test_requests import refused
from tests.workflow_runs import CONFIG, REPOSITORY, TOY, Tree, shard_hash


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the toy paper's folder, below the working directory."""
    shutil.copytree(REPOSITORY / TOY, tmp_path / TOY)
    monkeypatch.chdir(tmp_path)
    return tmp_path / TOY


def complaint() -> str:
    """What is wrong with the toy paper in the working directory."""
    with pytest.raises(SpecificationError) as caught:
        read_request(CONFIG)
    return str(caught.value)


def test_a_study_plays_what_the_records_it_reads_were_evaluated_with(reproduced: Tree) -> None:
    """The same environments, the same policy: the first episodes of the evaluation."""
    played = pd.read_parquet(reproduced.study / "episodes.parquet")
    for record in reproduced.records("ProbeSign-v0/*"):
        method = record.name.rpartition("-")[0]
        evaluated = pd.read_parquet(record / "evaluation.parquet")
        expected = evaluated.loc[evaluated["member"] == 0, "return"].tolist()
        assert played.loc[played["method"] == method, "return"].tolist() == expected
    table = (reproduced.drawn / "tables" / "table_2.md").read_text(encoding="utf-8")
    for method, mean in played.groupby("method")["return"].mean().items():
        assert f"| {method} " in table
        assert f"{mean:.3f}" in table


def test_the_record_says_what_was_read_where_and_by_which_version(reproduced: Tree) -> None:
    header = json.loads((reproduced.study / "record.json").read_text(encoding="utf-8"))
    assert header["hash"] == shard_hash(reproduced.study)
    read = {shard_hash(record) for record in reproduced.records("ProbeSign-v0/*")}
    assert set(header["study"]["shards"]) == read
    assert header["study"]["settings"] == {"seed": 0, "episodes": 5}
    assert header["study"]["version"] == 1
    for key in ("started", "wall_seconds", "machine", "versions", "threads", "load_average"):
        assert header["provenance"][key] is not None, key


def test_a_deleted_study_is_made_again_and_only_what_shows_it_is_redrawn(tree: Tree) -> None:
    study = tree.study
    shutil.rmtree(study)
    again = [f"study {shard_hash(study)}", "table table_2"]
    assert tree.planned("all") == sorted(["all", "report", *again])
    assert tree.planned("toy_paper_table_1") == []
    done = tree.snakemake("toy_paper_table_2")
    assert done.returncode == 0, done.stderr
    assert f"recorded {study.relative_to(tree.root)}" in done.stdout
    assert tree.study == study


def test_a_study_waits_for_the_records_that_it_reads_and_outlives_them(tree: Tree) -> None:
    record = tree.records("ProbeSign-v0/ppo-*")[0]
    shutil.rmtree(record)
    train = f"train {shard_hash(record)}"
    assert tree.planned("toy_paper_table_2") == []
    shutil.rmtree(tree.study)
    jobs = tree.planned("toy_paper_table_2")
    assert train in jobs
    assert [job for job in jobs if job.startswith("study ")]


def test_a_clone_with_scrambled_times_makes_no_study(tree: Tree) -> None:
    for index, path in enumerate(sorted(tree.root.rglob("*"))):
        moment = 1_700_000_000 + index * 7919 % 1009
        os.utime(path, (moment, moment))
    assert [job for job in tree.planned("all") if job.startswith(("train", "study"))] == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("version: 1", "version: 2", "version: 1 → 2"),
        ("episodes: 5}", "episodes: 4}", "settings.episodes: 5 → 4"),
        ("    experiments: [discrete]", "    experiments: [continuous]", "shards: ["),
    ],
)
def test_another_study_has_another_path_and_the_old_one_is_stale(
    old: str, new: str, why: str, tree: Tree
) -> None:
    study = tree.study
    replace_in(tree.root / TOY / "experiments.yaml", old, new)
    made = [job for job in tree.planned("all") if job.startswith("study ")]
    assert len(made) == 1
    assert shard_hash(study) not in made[0]
    told = tree.python("analysis.stale", "--papers", str(TOY), "--results", "results")
    assert told.returncode == 0, told.stderr
    (line,) = [line for line in told.stdout.splitlines() if study.name in line]
    assert why in line


def test_a_study_that_is_there_is_neither_stale_nor_a_members_record(reproduced: Tree) -> None:
    told = reproduced.python("analysis.stale", "--papers", str(TOY), "--results", "results")
    assert told.returncode == 0, told.stderr
    assert "studies/" not in told.stdout


def test_a_method_of_another_version_makes_a_study_of_it_stale(tree: Tree) -> None:
    plan = tree.root / TOY / "experiments.yaml"
    replace_in(plan, "    experiments: [discrete]", "    experiments: []\n    methods: [prefpoe]")
    before = [job for job in tree.planned("all") if job.startswith("study ")]
    settings = tree.root / "algorithms" / "settings.py"
    replace_in(settings, '"prefpoe": Method("PrefPoE (equations)", 1,', '"prefpoe": Method("P", 2,')
    after = [job for job in tree.planned("all") if job.startswith("study ")]
    assert len(before) == len(after) == 1
    assert before != after


def test_recorded_draws_without_a_study_and_makes_none(tree: Tree) -> None:
    study = tree.study
    shutil.rmtree(study)
    done = tree.snakemake("recorded")
    assert done.returncode == 0, done.stderr
    assert not study.exists()
    table = tree.drawn / "tables" / "table_2.md"
    assert "The study is not recorded yet." in table.read_text(encoding="utf-8")


def test_a_second_call_finds_the_record_and_leaves_it(tree: Tree) -> None:
    before = {path: path.read_bytes() for path in tree.study.iterdir()}
    options = ("--paper", str(TOY), "--scale", "smoke", "--records")
    records = str((tree.drawn / "records").relative_to(tree.root))
    done = tree.python("tests.toy_paper.replay", *options, records, "--scratch", "results/scratch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("already recorded: ")
    assert {path: path.read_bytes() for path in tree.study.iterdir()} == before
    assert not list((tree.root / "results" / "scratch").glob("*.lock"))


def test_a_study_without_its_records_is_one_line(tree: Tree) -> None:
    options = ("--paper", str(TOY), "--scale", "smoke", "--records", "nowhere")
    done = tree.python("tests.toy_paper.replay", *options, "--scratch", "results/scratch")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: nowhere/ProbeSign-v0/ppo-")
    assert "no record" in line


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "smoke: {seed: 0, episodes: 5}",
            "smoke: {seed: 0, episodes: 0}",
            ["experiments.yaml:", "studies.replay.settings.smoke: episodes", "(got 0)"],
        ),
        (
            "smoke: {seed: 0, episodes: 5}",
            "smoke: {sead: 0, episodes: 5}",
            ["experiments.yaml:", "unknown key 'sead'; allowed: episodes, seed"],
        ),
        (
            "smoke: {seed: 0, episodes: 5}",
            "smoke: {seed: 0}",
            ["experiments.yaml:", "studies.replay.settings.smoke: episodes: Field required"],
        ),
        ("version: 1", "version: 0", ["experiments.yaml:", "studies.replay.version", "(got 0)"]),
        (
            "experiments: [discrete]",
            "experiments: [nosuch]",
            ["experiments.yaml", "studies.replay.experiments 'nosuch'", "continuous, discrete"],
        ),
        (
            "experiments: [discrete]",
            "experiments: [discrete]\n    methods: [ppo_matched]",
            ["experiments.yaml", "studies.replay.methods 'ppo_matched'", "allowed: ppo, prefpoe"],
        ),
        (
            "smoke: {seed: 0, episodes: 5}",
            "quick: {seed: 0, episodes: 5}",
            ["experiments.yaml", "studies.replay.settings 'quick'", "allowed: smoke"],
        ),
        ("  replay:", "  nosuch:", ["paper.yaml", "table_2.studies: 'replay'", "allowed: nosuch"]),
    ],
)
def test_an_impossible_study_is_refused_before_any_job(
    old: str, new: str, words: list[str], paper: Path
) -> None:
    replace_in(paper / "experiments.yaml", old, new)
    error = complaint()
    assert [word for word in words if word not in error] == []


def test_a_study_without_a_module_is_refused(paper: Path) -> None:
    (paper / "replay.py").unlink()
    assert f"studies.replay: there is no {TOY / 'replay.py'}" in complaint()


def test_a_study_that_its_paper_does_not_know_is_refused(paper: Path) -> None:
    replace_in(paper / "experiments.yaml", "  replay:", "  witnesses:")
    replace_in(paper / "paper.yaml", "[replay]", "[witnesses]")
    error = complaint()
    assert "studies.witnesses: tests/toy_paper/studies.py does not say what it may be told" in error
    assert "allowed: replay" in error


def test_an_unknown_setting_ends_snakemake_in_one_line(tree: Tree) -> None:
    replace_in(tree.root / TOY / "experiments.yaml", "smoke: {seed: 0, e", "smoke: {sead: 0, e")
    assert "unknown key 'sead'; allowed: episodes, seed" in refused(tree)


def test_a_damaged_record_of_a_study_is_refused(tree: Tree) -> None:
    (tree.study / "episodes.parquet").write_bytes(b"PAR1")
    assert "episodes.parquet: missing or damaged" in refused(tree)


def test_another_studys_record_is_refused(tree: Tree) -> None:
    plan = tree.root / TOY / "experiments.yaml"
    replace_in(plan, "episodes: 5}", "episodes: 4}")
    assert tree.snakemake("toy_paper_table_2").returncode == 0
    first, second = sorted(tree.drawn.glob("records/studies/*"))
    shutil.rmtree(second)
    shutil.copytree(first, second)
    replace_in(plan, "episodes: 4}", "episodes: 5}")
    here = tree.snakemake("toy_paper_table_2", "--dry-run")
    replace_in(plan, "episodes: 5}", "episodes: 4}")
    there = tree.snakemake("toy_paper_table_2", "--dry-run")
    assert sorted((here.returncode, there.returncode)) == [0, 1]
    assert "is another study's; expected" in here.stderr + there.stderr
