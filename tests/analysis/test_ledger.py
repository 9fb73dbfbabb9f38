"""The ledger counts every member of every cell, and says of each stale record what the plan asks now."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from algorithms import cell
from algorithms.header import RecordError
from analysis import ledger as module
from analysis.ledger import ledger, print_ledger


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
    counts = ("planned", "done", "diverged", "failed", "missing", "stale")
    assert [row(entries, "ppo")[name] for name in counts] == [3, 2, 1, 0, 0, 0]
    assert [row(entries, "prefpoe")[name] for name in counts] == [3, 0, 0, 3, 0, 0]
    # Two experiments share PPO's cell; the total has 6 + 2 cells less that one.
    assert row(entries, "ppo", "second")["done"] == 2
    total = entries.cells.iloc[-1]
    assert total["paper"] == "total"
    assert [total[name] for name in counts] == [21, 2, 1, 3, 15, 0]
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
        "why": f"version: {newer.version - 1}, planned {newer.version}",
    }
    assert (row(entries, "prefpoe")["missing"], row(entries, "prefpoe")["stale"]) == (3, 1)
    assert (row(entries, "ppo")["missing"], row(entries, "ppo")["stale"]) == (0, 0)
    assert entries.cells.iloc[-1]["stale"] == 1


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("ProbeTarget-v0: 4096, ", "ProbeTarget-v0: 6144, ", "steps: 4096, planned 6144"),
        ("seeds: [0, 10, 42]", "seeds: [0, 10]", "seeds: [0, 10, 42], planned [0, 10]"),
        ("segments: 2", "segments: 3", "segments: 2, planned 3"),
        (
            "methods: [ppo, prefpoe",
            "settings: {gamma: 0.9}\n    methods: [ppo, prefpoe",
            "settings.gamma: 0.99, planned 0.9",
        ),
        (
            "methods: [ppo, prefpoe",
            "settings: {advantage_noise: 1.0}\n    methods: [ppo, prefpoe",
            "settings.advantage_noise: absent, planned 1.0",
        ),
        (
            "methods: [ppo, prefpoe",
            "amendments: {smoke: {weights: false}}\n    methods: [ppo, prefpoe",
            "weights: absent, planned False",
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
    assert stale["why"].tolist() == ["settings.clip: 0.2, planned 0.3"]


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


def test_the_command_prints_whole_lines_and_writes_the_csv(
    paper, results, write, find, capsys: pytest.CaptureFixture[str]
) -> None:
    write(find("ppo"), [(1.0,)] * 3)
    command = ["--papers", str(paper), "--scale", "smoke", "--results", str(results)]
    assert module.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 6 + 2 + 1
    assert lines[1].split() == [
        "toy",
        "first",
        "ProbeTarget-v0",
        "ppo",
        "3",
        "3",
        "0",
        "0",
        "0",
        "0",
        "6,144",
        "0.01",
    ]
    written = pd.read_csv(results / "smoke" / "ledger.csv")
    assert len(written) == 9
    assert written["done"].iloc[-1] == 3


def test_a_narrow_terminal_folds_and_hides_nothing(paper, results, write, find) -> None:
    folder = write(find("ppo"), [(1.0,)] * 3)
    folder.rename(folder.parent / "ppo-renamed")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    print_ledger(ledger([paper], "smoke", results), console)
    assert max(map(len, screen.getvalue().splitlines())) <= 80
    assert "…" not in screen.getvalue()
    assert "Stale records" in screen.getvalue()


@pytest.mark.parametrize("taken", ["results/smoke", "results/smoke/ledger.csv"])
def test_what_cannot_be_written_is_one_line(
    taken: str, paper, results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / taken).parent.mkdir(parents=True)
    if taken.endswith(".csv"):
        (tmp_path / taken).mkdir()
    else:
        (tmp_path / taken).touch()
    command = ["--papers", str(paper), "--scale", "smoke", "--results", str(results)]
    assert module.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / taken}: cannot be written: ")


def test_a_wrong_scale_is_one_line(paper, results, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--papers", str(paper), "--scale", "paper", "--results", str(results)]
    assert module.main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "scale 'paper' is not defined; allowed: smoke" in error
    assert not (results / "smoke" / "ledger.csv").exists()
