"""Studies: what their hash covers, and records that are verified and never overwritten, as those of shards."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algorithms import study as module
from algorithms.cell import Plan
from algorithms.header import RecordError, contents
from algorithms.records import find_study, read_record, read_study, write_study
from algorithms.study import Study
from algorithms.train import Resources, train
from tests.algorithms.small_runs import small_shard

EXPERIMENT = {
    "title": "one",
    "baseline": "ppo",
    "methods": ["ppo", "prefpoe"],
    "steps": {"smoke": {"CartPole-v1": 4096}},
}
SCALE = {
    "note": "tiny",
    "seeds": [0, 1],
    "members_per_shard": 2,
    "segments": 2,
    "evaluation_episodes": 2,
    "curve_rows": 5,
}
ENTRY: dict[str, Any] = {
    "title": "a study",
    "version": 1,
    "experiments": ["first"],
    "settings": {"smoke": {"seed": 0}},
}
TABLES = {"episodes": pd.DataFrame({"return": [1.5, float("nan")]})}


def plan(seeds: tuple[int, ...] = (0, 1), **entry: Any) -> Plan:
    return Plan.model_validate(
        {
            "scales": {"smoke": {**SCALE, "seeds": seeds}},
            "experiments": {"first": EXPERIMENT, "second": {**EXPERIMENT, "methods": ["ppo"]}},
            "studies": {"replay": {**ENTRY, **entry}},
        }
    )


def study(**changes: Any) -> Study:
    return plan(**changes).study("smoke", "replay")


def test_the_path_names_the_study_and_its_content() -> None:
    assert study().path == f"studies/replay-{study().hash}"
    assert study().content() == {
        "name": "replay",
        "version": 1,
        "settings": {"seed": 0},
        "methods": {},
        "shards": sorted(shard.hash for shard in plan().shards("smoke", "first")),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"settings": {"smoke": {"seed": 1}}},
        {"settings": {"smoke": {"seed": 0, "episodes": 3}}},
        {"methods": ["ppo"]},
        {"seeds": (0, 2)},
    ],
)
def test_what_decides_the_result_changes_the_hash(changes: dict[str, Any]) -> None:
    assert study(**changes).hash != study().hash


@pytest.mark.parametrize(
    "changes", [{"title": "renamed"}, {"settings": {"smoke": {"seed": 0}}}, {"seeds": (0, 1)}]
)
def test_what_does_not_leaves_the_hash(changes: dict[str, Any]) -> None:
    assert study(**changes).hash == study().hash


def test_shared_shards_are_read_once_in_any_order() -> None:
    """The second experiment's one cell is the first one's too."""
    both = study(experiments=["first", "second"])
    assert both.hash == study(experiments=["second", "first"]).hash == study().hash
    assert len(both.shards) == 2
    assert len(study(methods=["prefpoe"]).shards) == 1


def test_a_raised_version_of_a_method_makes_another_study(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {"experiments": [], "methods": ["prefpoe"]}
    before, other = study(**alone).hash, study(experiments=[], methods=["ppo"]).hash
    newer = dataclasses.replace(module.METHODS["prefpoe"], version=99)
    monkeypatch.setitem(module.METHODS, "prefpoe", newer)
    assert study(**alone).hash != before
    assert study(experiments=[], methods=["ppo"]).hash == other


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": True}, "version"),
        ({"settings": {}}, "settings"),
        ({"settings": {"smoke": {"when": {1, 2}}}}, "settings"),
        ({"experiments": ["first", "first"]}, "'first' stands twice"),
        ({"methods": ["nosuch"]}, "unknown method 'nosuch'; allowed: ppo, "),
        ({"kind": "study"}, "unknown key 'kind'; allowed: experiments, methods, settings, title"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"studies\.replay") as caught:
        plan(**changes)
    assert words in str(caught.value)


# Records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_study(tmp_path / study().path, study(), TABLES, {"machine": "é"})
    return tmp_path / study().path


def test_what_is_written_is_found_again(folder: Path) -> None:
    records = folder.parents[1]
    record = find_study(study(), records)
    assert record is not None
    assert record.meta["study"] == study().content()
    assert record.meta["provenance"] == {"machine": "é"}
    pd.testing.assert_frame_equal(record.table("episodes"), TABLES["episodes"])
    assert find_study(study(version=2), records) is None
    assert {path.name for path in folder.iterdir()} == {"episodes.parquet", "record.json"}


def test_a_record_is_never_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RecordError, match="never overwritten"):
        write_study(folder, study(), {}, {})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_study_is_no_shard_and_no_other_study(folder: Path) -> None:
    with pytest.raises(RecordError, match=r"'shard' is missing"):
        read_record(folder)
    other = folder.parents[1] / study(version=2).path
    folder.rename(other)
    with pytest.raises(RecordError, match="is another study's; expected"):
        find_study(study(version=2), folder.parents[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda meta: meta["study"].update(version=2), "does not match its content"),
        (lambda meta: meta["study"]["settings"].update(seed=1), "does not match its content"),
        (lambda meta: meta["provenance"].update(machine="b"), "edited or damaged"),
        (lambda meta: meta.pop("study"), "'study' is missing"),
        (lambda meta: meta.pop("provenance"), "'provenance' is missing"),
        (lambda meta: meta.update(format=2), "not a record of format 1"),
    ],
)
def test_an_edited_record_is_refused(
    change: Callable[[dict[str, Any]], object], words: str, folder: Path
) -> None:
    path = folder / "record.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    change(meta)
    path.write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(RecordError, match=words):
        read_study(folder)


def test_a_damaged_table_and_a_record_without_tables_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "episodes.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordError, match=r"episodes\.parquet: missing or damaged"):
        read_study(folder)
    write_study(tmp_path / "bare", study(), {}, {})
    with pytest.raises(RecordError, match="files: must be tables"):
        read_study(tmp_path / "bare")


def test_a_study_is_valid_while_what_it_read_holds_the_same(tmp_path: Path) -> None:
    records, shard = tmp_path / "records", small_shard()

    def train_once() -> str:
        shutil.rmtree(records / shard.name, ignore_errors=True)
        shutil.rmtree(tmp_path / "scratch", ignore_errors=True)
        train(shard, records, tmp_path / "scratch", Resources(mode="eager"))
        return contents(read_record(records / shard.name).meta)

    first = train_once()
    write_study(records / study().path, study(), TABLES, {"read": {shard.name: first}})
    assert train_once() == first  # again, and to the same bits
    assert find_study(study(), records) is not None
    other = study(version=2)
    write_study(records / other.path, other, TABLES, {"read": {shard.name: "0" * 12}})
    with pytest.raises(RecordError, match="that has other contents now"):
        find_study(other, records)
