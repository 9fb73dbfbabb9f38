"""Records on disk: what is written is read back, what is damaged is refused by name, nothing is overwritten."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from safetensors.numpy import load_file

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.header import RecordError, header_checksum
from algorithms.identity import content_hash
from algorithms.records import (
    atomic_path,
    binned,
    environment_provenance,
    read_record,
    write_json,
    write_record,
)

SHARD = Shard(
    make_cell("ppo", "CartPole-v1", {}, 4096, Protocol(2, 2, 10)),
    (Member(seed=5), Member(seed=9, setting={"clip": 0.1})),
)
MEMBERS: list[dict[str, Any]] = [
    {"seed": 5, "setting": {}, "status": "done", "diverged_at": None}
    | {"episodes": 40, "episodes_cut": 2},
    {"seed": 9, "setting": {"clip": 0.1}, "status": "diverged", "diverged_at": 2048}
    | {"episodes": 17, "episodes_cut": 1},
]
TABLES = {
    "curve.parquet": pd.DataFrame(
        {
            "member": np.array([0, 0, 1], dtype=np.int32),
            "seed": [5, 5, 9],
            "step": [410, 819, 410],
            "return_mean": [20.25, 1 / 3, 9.5],
            "length_mean": [20.25, 1 / 3, 9.5],
            "episodes": np.array([4, 3, 2], dtype=np.int32),
        }
    ),
    "evaluation.parquet": pd.DataFrame(
        {
            "member": np.array([0, 0], dtype=np.int32),
            "seed": [5, 5],
            "episode": [0, 1],
            "return": [500.0, 499.0],
            "length": [500, 499],
        }
    ),
    "diagnostics.parquet": pd.DataFrame(
        {
            "member": np.array([0, 1], dtype=np.int32),
            "seed": [5, 9],
            "step": [2048, 2048],
            "entropy": [0.69, float("nan")],
        }
    ),
}
WEIGHTS = {"actor.0.weight": np.arange(6, dtype=np.float32).reshape(2, 1, 3)}
FILES = [*TABLES, "weights.safetensors"]


def write(folder: Path) -> Path:
    write_record(folder, SHARD, MEMBERS, TABLES, WEIGHTS, {"wall_seconds": 1.5, "machine": "é"})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "records" / SHARD.name)


def test_what_is_written_is_read_back(folder: Path) -> None:
    record = read_record(folder)
    assert record.folder == folder
    assert record.meta["members"] == MEMBERS
    assert record.meta["provenance"] == {"wall_seconds": 1.5, "machine": "é"}
    assert record.meta["shard"] == SHARD.content()
    assert record.meta["hash"] == SHARD.hash
    assert record.meta["format"] == 1
    tables = (record.curve, record.evaluation, record.diagnostics)
    for table, expected in zip(tables, TABLES.values(), strict=True):
        pd.testing.assert_frame_equal(table, expected)
    (weights,) = load_file(folder / "weights.safetensors").items()
    assert weights[0] == "actor.0.weight"
    np.testing.assert_array_equal(weights[1], WEIGHTS["actor.0.weight"])


def test_checksums_are_those_of_the_files_and_nothing_else_lies_there(folder: Path) -> None:
    sums = json.loads((folder / "record.json").read_text(encoding="utf-8"))["files"]
    expected = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    assert sums == expected
    assert {path.name for path in folder.iterdir()} == {*FILES, "record.json"}
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in folder.iterdir())


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "record.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    change(meta)
    path.write_text(json.dumps(meta), encoding="utf-8")


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "steps": (lambda meta: meta["shard"].update(steps=6144), "hash: .* does not match"),
    "a setting": (
        lambda meta: meta["shard"]["settings"].update(gamma=0.98),
        "hash: .* does not match",
    ),
    "a planned seed": (
        lambda meta: meta["shard"]["members"][0].update(seed=6),
        "hash: .* does not match",
    ),
    "the hash": (lambda meta: meta.update(hash="0" * 12), "hash: '000000000000' does not match"),
    "a member's seed": (lambda meta: meta["members"][0].update(seed=6), "edited or damaged"),
    "a member's setting": (
        lambda meta: meta["members"][1]["setting"].update(clip=0.3),
        "edited or damaged",
    ),
    "a member less": (lambda meta: meta["members"].pop(), "edited or damaged"),
    "another format": (lambda meta: meta.update(format=2), "not a record of format 1"),
    "no format": (lambda meta: meta.pop("format"), "not a record of format 1"),
    "no hash": (lambda meta: meta.pop("hash"), "'hash' is missing"),
    "no members": (lambda meta: meta.pop("members"), "'members' is missing"),
    "no provenance": (lambda meta: meta.pop("provenance"), "'provenance' is missing"),
    "files that are a list": (lambda meta: meta.update(files=FILES), "'files' is missing or no"),
}


@pytest.mark.parametrize("change", list(EDITS))
def test_an_edited_record_is_refused(change: str, folder: Path) -> None:
    alter, words = EDITS[change]
    edit(folder, alter)
    with pytest.raises(RecordError, match=rf"record\.json: .*{words}") as caught:
        read_record(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda meta: meta["provenance"].update(machine="another"),
        lambda meta: meta["members"][0].update(status="diverged"),
        lambda meta: meta.update(files={}),
        lambda meta: meta.update(members=[1, 2]),
        lambda meta: meta.pop("checksum"),
    ],
)
def test_an_edit_anywhere_is_noticed(
    change: Callable[[dict[str, Any]], object], folder: Path
) -> None:
    edit(folder, change)
    with pytest.raises(RecordError, match=r"record\.json: edited or damaged"):
        read_record(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not valid JSON"),
        (b'{"format": 1, "hash": "abc', "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[]", "not a record of format 1"),
        (b"null", "not a record of format 1"),
        (b'{"name": "some other project", "version": "1.0"}', "not a record of format 1"),
    ],
)
def test_a_truncated_or_foreign_header_is_refused(text: bytes, words: str, folder: Path) -> None:
    (folder / "record.json").write_bytes(text)
    with pytest.raises(RecordError, match=rf"record\.json: {words}"):
        read_record(folder)


def test_every_truncation_of_a_header_is_refused(folder: Path) -> None:
    whole = (folder / "record.json").read_bytes().rstrip()
    for length in range(0, len(whole), 97):
        (folder / "record.json").write_bytes(whole[:length])
        with pytest.raises(RecordError, match=r"record\.json"):
            read_record(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "truncated", "one bit", "emptied", "a folder"])
def test_a_damaged_file_is_refused_by_name(name: str, damage: str, folder: Path) -> None:
    path = folder / name
    content = path.read_bytes()
    middle = len(content) // 2
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "one bit":
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "a folder":
        path.mkdir()
    with pytest.raises(RecordError, match="missing or damaged") as caught:
        read_record(folder)
    assert str(path) in str(caught.value)


def test_a_file_that_goes_bad_after_the_check_is_still_named(folder: Path) -> None:
    record = read_record(folder)
    (folder / "curve.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordError, match=r"curve\.parquet: cannot be read"):
        _ = record.curve
    (folder / "curve.parquet").unlink()
    with pytest.raises(RecordError, match=r"curve\.parquet: cannot be read"):
        _ = record.curve


def test_no_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nowhere/record\.json: cannot be read: No such file"):
        read_record(tmp_path / "nowhere")


def test_a_moved_record_is_still_valid(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "moved")
    assert content_hash(dict(read_record(tmp_path / "moved").meta["shard"])) == SHARD.hash


def test_a_record_is_never_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RecordError, match="never overwritten"):
        write_record(folder, SHARD, MEMBERS[:1], {}, {}, {})
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_without_a_header_is_no_record_and_may_be_written(folder: Path) -> None:
    (folder / "record.json").unlink()
    (folder / "curve.parquet").write_bytes(b"left by a run that was killed")
    with pytest.raises(RecordError):
        read_record(folder)
    write(folder)
    pd.testing.assert_frame_equal(read_record(folder).curve, TABLES["curve.parquet"])


def test_the_header_is_written_last(tmp_path: Path) -> None:
    """Weights that cannot be saved leave no header behind, so there is no record."""
    unsaveable = {"names": np.array(["text"], dtype=object)}
    with pytest.raises(Exception, match=r"(?i)object|dtype"):
        write_record(tmp_path / "r", SHARD, MEMBERS, TABLES, unsaveable, {})
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == sorted(TABLES)


def test_not_a_number_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


# Records of sweeps, which keep no weights

BARE = Shard(
    make_cell("ppo", "CartPole-v1", {}, 4096, Protocol(2, 2, 10, weights=False)), SHARD.members
)


def resealed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The header changed with its checksum made right again: consistent, but not what it should be."""

    def alter(meta: dict[str, Any]) -> None:
        change(meta)
        meta["checksum"] = header_checksum(meta)

    edit(folder, alter)
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    write_record(tmp_path / BARE.name, BARE, MEMBERS, TABLES, None, {})
    return tmp_path / BARE.name


def test_a_record_without_weights_is_written_and_read(bare: Path) -> None:
    assert {path.name for path in bare.iterdir()} == {*TABLES, "record.json"}
    record = read_record(bare)
    assert sorted(record.meta["files"]) == sorted(TABLES)
    assert record.meta["shard"]["weights"] is False
    pd.testing.assert_frame_equal(record.curve, TABLES["curve.parquet"])


def test_weights_in_a_record_that_has_none_are_refused(bare: Path, folder: Path) -> None:
    shutil.copy(folder / "weights.safetensors", bare)
    assert read_record(bare).meta["hash"] == BARE.hash  # a file that nobody lists is no part of it
    there = json.loads((folder / "record.json").read_text(encoding="utf-8"))["files"]
    resealed(bare, lambda meta: meta["files"].update(there))
    words = (
        r"record\.json: files: must be curve\.parquet, evaluation\.parquet, diagnostics\.parquet$"
    )
    with pytest.raises(RecordError, match=words):
        read_record(bare)


def test_a_record_that_should_have_weights_is_refused_without_them(folder: Path) -> None:
    assert read_record(resealed(folder, lambda meta: None)).meta["hash"] == SHARD.hash
    resealed(folder, lambda meta: meta["files"].pop("weights.safetensors"))
    with pytest.raises(RecordError, match=r"files: must be .*, weights\.safetensors$"):
        read_record(folder)


def test_whether_there_are_weights_is_part_of_the_identity(folder: Path) -> None:
    resealed(folder, lambda meta: meta["shard"].update(weights=False))
    with pytest.raises(RecordError, match=r"hash: .* does not match"):
        read_record(folder)


# Atomic files


def test_atomic_path_replaces_the_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_block_that_raises_leaves_the_old_file_and_no_litter(
    error: type[BaseException], tmp_path: Path
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def overwrite() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half of the new")
            raise error("in the middle")

    shown = RecordError if error is OSError else error
    with pytest.raises(shown, match="in the middle"):
        overwrite()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_raises_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


# Bins


def rows(*entries: tuple[int, int, float]) -> pd.DataFrame:
    """(member, step, value); a member's seed is 100 + member."""
    table = pd.DataFrame(entries, columns=["member", "step", "value"])
    return table.assign(seed=100 + table["member"])


def test_bins_by_hand() -> None:
    """Four bins of 25 steps, named by their right edge: 25 belongs to the first, 26 to the second."""
    data = rows((1, 26, 7), (0, 1, 1), (0, 25, 3), (0, 26, 10), (0, 100, -2), (1, 50, 8))
    table = binned(data, 100, 4, ("value",), count="episodes")
    assert list(table.columns) == ["member", "seed", "step", "value", "episodes"]
    assert table.to_numpy().tolist() == [
        [0, 100, 25, 2, 2],
        [0, 100, 50, 10, 1],
        [0, 100, 100, -2, 1],
        [1, 101, 50, 7.5, 2],
    ]
    assert table["episodes"].dtype == np.int32
    assert table["step"].dtype == np.int64


def test_bins_that_do_not_divide_the_steps() -> None:
    """Three bins of 10 steps end at 3⅓, 6⅔ and 10, written as 3, 7, 10."""
    data = rows(*((0, step, step) for step in range(1, 11)))
    table = binned(data, 10, 3, ("value",), count="n")
    assert table["step"].tolist() == [3, 7, 10]
    assert table["value"].tolist() == [2, 5, 8.5]
    assert table["n"].tolist() == [3, 3, 4]


def test_step_0_and_the_last_step_are_within_the_bins() -> None:
    table = binned(rows((0, 0, 1), (0, 100, 2)), 100, 10, ("value",))
    assert table["step"].tolist() == [10, 100]
    assert "episodes" not in table


def test_no_rows_no_bins() -> None:
    table = binned(rows().astype({"step": np.int64}), 100, 10, ("value",), count="episodes")
    assert len(table) == 0
    assert list(table.columns) == ["member", "seed", "step", "value", "episodes"]


def test_a_mean_of_bins_weighted_by_counts_is_the_mean_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    data = rows(
        *(
            (0, int(step), value)
            for step, value in zip(rng.integers(1, 1001, 500), rng.normal(size=500), strict=True)
        )
    )
    table = binned(data, 1000, 7, ("value",), count="n")
    assert table["n"].sum() == 500
    weighted = np.average(table["value"], weights=table["n"])
    assert weighted == pytest.approx(data["value"].mean(), rel=1e-12)


def test_provenance_is_plain_json() -> None:
    provenance = environment_provenance()
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["versions"]["scipy"] == scipy.__version__
    assert provenance["cores"] >= 1
