"""The ledger counts every member of every cell, and says of each stale record what the plan asks now."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from filelock import FileLock
from rich.console import Console

from algorithms import cell
from algorithms.header import RecordError, header_checksum
from algorithms.records import installed_versions
from analysis import ledger as module
from analysis import stale, status
from analysis.attempts import Attempt, attempt
from analysis.ledger import ledger, write_ledger


def row(entries: module.Ledger, method: str, experiment: str = "first") -> dict[str, object]:
    cells = entries.cells
    found = cells[
        (cells["environment"] == "ProbeTarget-v0")
        & (cells["method"] == method)
        & (cells["experiment"] == experiment)
    ]
    (only,) = found.to_dict("records")
    return only


def test_members_are_counted_by_status(paper, results, scratch, write, find) -> None:
    write(find("ppo"), [(1.0,), None, (2.0,)])
    failed = scratch / find("prefpoe").hash
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text("{}", encoding="utf-8")
    entries = ledger([paper], "smoke", results)
    counts = ("planned", "running", "done", "diverged", "failed", "missing", "stale")
    assert [row(entries, "ppo")[name] for name in counts] == [3, 0, 2, 1, 0, 0, 0]
    assert [row(entries, "prefpoe")[name] for name in counts] == [3, 0, 0, 0, 3, 0, 0]
    # Two experiments share PPO's cell; the total has 6 + 2 cells less that one.
    assert row(entries, "ppo", "second")["done"] == 2
    total = entries.cells.iloc[-1]
    assert total["paper"] == "total"
    assert [total[name] for name in counts] == [21, 0, 2, 1, 3, 15, 0]
    # Three members of 4096 steps in 2 training seconds; 36 seconds of wall time on 2 threads.
    assert row(entries, "ppo")["steps_per_second"] == total["steps_per_second"] == 3 * 4096 / 2
    assert row(entries, "ppo")["wall_hours"] == total["wall_hours"] == 0.01
    assert row(entries, "ppo")["core_hours"] == total["core_hours"] == 0.02
    (toy,) = entries.papers.to_dict("records")
    assert toy == {"paper": "toy", **total[list(entries.papers.columns[1:])]}
    assert pd.isna(row(entries, "prefpoe")["steps_per_second"])
    assert len(entries.stale) == 0


def test_a_scale_without_cells_adds_nothing(paper: Path, results) -> None:
    plan = paper / "experiments.yaml"
    scales, experiments = plan.read_text(encoding="utf-8").split("experiments:")
    again = scales.replace("scales:\n  smoke:", "  quick:")
    plan.write_text(f"{scales}{again}experiments:{experiments}", encoding="utf-8")
    entries = ledger([paper], "quick", results)
    (total,), (toy,) = entries.cells.to_dict("records"), entries.papers.to_dict("records")
    assert [total["planned"], total["core_hours"]] == [toy["planned"], toy["core_hours"]] == [0, 0]


def test_every_member_of_every_level_is_counted(swept_paper, swept, results, scratch) -> None:
    # 2 methods × 2 levels × 2 values of the grid × 3 seeds; one shard, of four members, has failed.
    failed = scratch / swept.shards("smoke", "swept")[4].hash
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text("{}", encoding="utf-8")
    *cells, total = ledger([swept_paper], "smoke", results).cells.to_dict("records")
    assert (total["planned"], total["failed"], total["missing"]) == (24, 4, 20)
    for name in ("planned", "failed", "missing"):
        assert sum(cell[name] for cell in cells) == total[name]


def test_raising_a_version_lists_its_stale_cells(
    paper, results, write, find, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = find("prefpoe")
    write(shard, [(1.0,)] * 3)
    write(find("ppo"), [(1.0,)] * 3)
    newer = dataclasses.replace(
        cell.METHODS["prefpoe"], version=cell.METHODS["prefpoe"].version + 1
    )
    monkeypatch.setitem(cell.METHODS, "prefpoe", newer)
    entries = ledger([paper], "smoke", results)
    (stale,) = entries.stale.to_dict("records")
    assert stale == {
        "paper": "toy",
        "environment": "ProbeTarget-v0",
        "method": "prefpoe",
        "record": shard.name,
        "why": f"method version: {newer.version - 1} → {newer.version}",
    }
    assert (row(entries, "prefpoe")["missing"], row(entries, "prefpoe")["stale"]) == (3, 1)
    assert (row(entries, "ppo")["missing"], row(entries, "ppo")["stale"]) == (0, 0)
    assert entries.cells.iloc[-1]["stale"] == 1


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("ProbeTarget-v0: 4096, ", "ProbeTarget-v0: 6144, ", "steps: 4096 → 6144"),
        ("seeds: [0, 10, 42]", "seeds: [0, 10]", "seeds: [0, 10, 42] → [0, 10]"),
        ("segments: 2", "segments: 3", "segments: 2 → 3"),
        (
            "methods: [ppo, prefpoe",
            "settings: {gamma: 0.9}\n    methods: [ppo, prefpoe",
            "settings.gamma: 0.99 → 0.9",
        ),
        (
            "methods: [ppo, prefpoe",
            "settings: {advantage_noise: 1.0}\n    methods: [ppo, prefpoe",
            "settings.advantage_noise: absent → 1.0",
        ),
        (
            "methods: [ppo, prefpoe",
            "amendments: {smoke: {weights: false}}\n    methods: [ppo, prefpoe",
            "weights: absent → False",
        ),
        (
            "methods: [ppo, prefpoe, linear",
            "methods: [ppo, linear",
            "this scale plans no such method on this environment",
        ),
    ],
)
def test_a_stale_record_says_what_differs(
    paper: Path, results, write, find, old: str, new: str, why: str
) -> None:
    write(find("prefpoe"), [(1.0,)] * 3)
    plan = paper / "experiments.yaml"
    text = plan.read_text(encoding="utf-8")
    assert old in text
    plan.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert ledger([paper], "smoke", results).stale["why"].tolist() == [why]


def test_a_stale_record_is_compared_with_the_nearest_plan(
    paper: Path, results, write, find
) -> None:
    write(find("ppo"), [(1.0,)] * 3)
    plan = paper / "experiments.yaml"
    text = plan.read_text(encoding="utf-8")
    first, second = text.split("  second:")
    far = first.replace(
        "    baseline: ppo", "    settings: {gamma: 0.9, clip: 0.1}\n    baseline: ppo"
    )
    near = second.replace("    baseline: ppo", "    settings: {clip: 0.3}\n    baseline: ppo")
    plan.write_text(f"{far}  second:{near}", encoding="utf-8")
    stale = ledger([paper], "smoke", results).stale
    assert stale["why"].tolist() == ["settings.clip: 0.2 → 0.3"]


def test_misplaced_and_unreadable_records_are_listed(paper, results, records, write, find) -> None:
    folder = write(find("ppo"), [(1.0,)] * 3)
    folder.rename(folder.parent / "ppo-renamed")
    damaged = write(find("prefpoe"), [(1.0,)] * 3)
    moved = damaged.rename(damaged.parent / "prefpoe-old")
    (moved / "record.json").write_text("{", encoding="utf-8")
    stale = ledger([paper], "smoke", results).stale
    assert stale["record"].tolist() == ["ProbeTarget-v0/ppo-renamed", "ProbeTarget-v0/prefpoe-old"]
    assert stale["why"][0] == "lies at a path that is not its own"
    assert stale["why"][1].startswith("cannot be read: ")


def test_a_damaged_record_of_the_plan_is_an_error(paper, results, write, find) -> None:
    folder = write(find("ppo"), [(1.0,)] * 3)
    (folder / "record.json").write_text("{", encoding="utf-8")
    with pytest.raises(RecordError, match=r"record\.json: not valid JSON"):
        ledger([paper], "smoke", results)


def test_every_cell_stands_in_the_csv(paper, results, write, find) -> None:
    write(find("ppo"), [(1.0,)] * 3)
    write_ledger(ledger([paper], "smoke", results), results / "smoke")
    written = pd.read_csv(results / "smoke" / "ledger.csv")
    assert len(written) == 9
    assert written["done"].tolist() == [3, 0, 0, 0, 0, 0, 3, 0, 3]


@pytest.mark.parametrize("taken", ["results/smoke", "results/smoke/ledger.csv"])
def test_what_cannot_be_written_is_named(taken: str, paper, results, tmp_path: Path) -> None:
    (tmp_path / taken).parent.mkdir(parents=True)
    if taken.endswith(".csv"):
        (tmp_path / taken).mkdir()
    else:
        (tmp_path / taken).touch()
    with pytest.raises(RecordError, match=rf"{tmp_path / taken}: cannot be written: "):
        write_ledger(ledger([paper], "smoke", results), results / "smoke")


# What changed, and what is under way


def test_of_a_long_list_the_ends_are_told(paper: Path, results, write, find) -> None:
    write(find("ppo"), [(1.0,)] * 3)
    plan = paper / "experiments.yaml"
    seeds = ", ".join(map(str, range(20)))
    text = plan.read_text(encoding="utf-8")
    members = text.replace("members_per_shard: 3", "members_per_shard: 20")
    plan.write_text(members.replace("[0, 10, 42]", f"[{seeds}]"), encoding="utf-8")
    assert ledger([paper], "smoke", results).stale["why"].tolist() == [
        "seeds: [0, 10, 42] → [0, …, 19] (20)"
    ]


def test_of_a_grid_its_values_are_told(swept_paper: Path, results, write, swept) -> None:
    (first, *_) = swept.shards("smoke", "swept")
    folder = write(first, [(1.0,)] * 4)
    there = results / "smoke" / "swept" / "records" / first.name
    there.parent.mkdir(parents=True)
    folder.rename(there)
    plan = swept_paper / "experiments.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("[0.1, 0.2]", "[0.1, 0.3]"), encoding="utf-8")
    (why,) = ledger([swept_paper], "smoke", results).stale["why"]
    assert why == "grid.clip: [0.1, 0.2] → [0.1, 0.3]"


def test_a_held_lock_is_a_shard_in_training(paper, results, scratch, find) -> None:
    """Whatever files say: a failure of an earlier attempt, or times of last year."""
    digest = find("ppo").hash
    (scratch / digest).mkdir(parents=True)
    (scratch / digest / "failure.json").write_text('{"error": "earlier"}', encoding="utf-8")
    os.utime(scratch / digest / "failure.json", (0, 0))
    with FileLock(scratch / f"{digest}.lock"):
        entries = ledger([paper], "smoke", results)
    assert (row(entries, "ppo")["running"], row(entries, "ppo")["failed"]) == (3, 0)
    (tried,) = entries.attempts.to_dict("records")
    assert (tried["state"], tried["said"], tried["log"]) == ("running", "starting", "")
    entries = ledger([paper], "smoke", results)
    assert (row(entries, "ppo")["running"], row(entries, "ppo")["failed"]) == (0, 3)
    assert entries.attempts["said"].tolist() == ["earlier"]


def told(scratch: Path, digest: str, **files: str) -> Attempt:
    """What is told of an attempt that left these files, names without ending."""
    endings = {"failure": "json", "progress": "json", "train": "log"}
    (scratch / digest).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (scratch / digest / f"{name}.{endings[name]}").write_text(text, encoding="utf-8")
    return attempt(scratch, digest)


PROGRESS = '{"shard": "a/b", "step": 5, "steps": 20, "steps_per_second": 1.5, "phase": "training"}'


def test_an_attempt_is_told_by_what_it_left(tmp_path: Path) -> None:
    log = f"{tmp_path}/f/train.log"
    assert told(tmp_path, "a") == ("missing", "", "")
    assert told(tmp_path, "b", train="segment 1 of 2\n") == ("missing", "", "")
    assert told(tmp_path, "c", progress=PROGRESS) == (
        ("failed", "killed while training, 25 % of 20 steps", "")
    )
    assert told(tmp_path, "d", failure='{"error": "disk\\nfull"}') == ("failed", "disk full", "")
    assert told(tmp_path, "e", progress="{") == ("missing", "", "")
    killed = "killed while training, 25 % of 20 steps; last line: bad \\x1b[31m line"
    text = "first\nbad \x1b[31m line\n\n"
    assert told(tmp_path, "f", progress=PROGRESS, train=text) == ("failed", killed, log)


def test_a_long_error_is_cut(tmp_path: Path) -> None:
    said = told(tmp_path, "a", failure=json.dumps({"error": "x" * 10_000})).said
    assert said == "x" * 200 + "…"


def test_status_shows_what_is_neither_all_done_nor_all_missing(
    paper, results, scratch, write, find, capsys: pytest.CaptureFixture[str]
) -> None:
    write(find("ppo"), [(1.0,), None, (2.0,)])
    write(find("linear_fusion"), [(1.0,)] * 3)
    told(scratch, find("prefpoe").hash, failure='{"error": "no [bold]space[/bold]"}', train="")
    command = ["--papers", str(paper), "--scale", "smoke", "--results", str(results)]
    assert status.main(command) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:9] == ["toy", "smoke", "21", "0", "5", "1", "3", "12", "0"]
    assert ["toy", "first", "6", "1", "3", "2"] in lines
    assert ["toy", "second", "2", "0", "1", "1"] in lines
    where = ["toy", "first", "ProbeTarget-v0"]
    assert [*where, "ppo", "3", "0", "2", "1", "0", "0", "0"] in lines
    assert [*where, "prefpoe", "3", "0", "0", "0", "3", "0", "0"] in lines
    assert not any(line[:4] == [*where, "linear_fusion"] for line in lines)
    log = f"{scratch / find('prefpoe').hash}/train.log"
    assert lines[-1][3:] == [find("prefpoe").hash, "failed", "no", "[bold]space[/bold]", log]


def test_a_narrow_terminal_folds_and_hides_nothing(paper, results, scratch, find) -> None:
    said = "no [bold]space[/bold] left on a device with a long name"
    told(scratch, find("ppo").hash, failure=json.dumps({"error": said}))
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    status.print_status(ledger([paper], "smoke", results), "smoke", console)
    assert max(map(len, screen.getvalue().splitlines())) <= 80
    assert "…" not in screen.getvalue()
    assert "[bold]" in screen.getvalue()


def test_other_versions_of_libraries_are_a_warning(
    paper, results, write, find, capsys: pytest.CaptureFixture[str]
) -> None:
    """No record is stale for them."""
    for method, versions in (("ppo", {"torch": "0.1"}), ("prefpoe", installed_versions())):
        folder = write(find(method), [(1.0,)] * 3)
        header = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        header["provenance"]["versions"] = versions
        header["checksum"] = header_checksum(header)
        (folder / "record.json").write_text(json.dumps(header), encoding="utf-8")
    assert stale.main(["--papers", str(paper), "--results", str(results)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "nothing is stale: every record is one that its plan asks for",
        f"warning: toy smoke: torch 0.1 in 1 record, {installed_versions()['torch']} installed",
    ]


@pytest.mark.parametrize("command", [status, stale])
def test_a_broken_plan_is_one_line(
    command: ModuleType, paper: Path, results, capsys: pytest.CaptureFixture[str]
) -> None:
    (paper / "experiments.yaml").write_text("scales: {}\nexperiments: 3", "utf-8")
    scale = ["--scale", "smoke"] if command is status else []
    assert command.main(["--papers", str(paper), "--results", str(results), *scale]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {paper / 'experiments.yaml'}:2: experiments: ")
