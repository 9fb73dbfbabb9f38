"""The live view: what it says in a terminal, that it passes output on, and when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from analysis.progress import View, duration, planned_cells, running, time_left

TOY = Path(__file__).parents[1] / "toy_paper"


def told(**changes: Any) -> dict[str, Any]:
    """A progress.json of a shard that trains in this process."""
    return {
        "shard": "ProbeSign-v0/ppo-0123456789ab",
        "hash": "0123456789ab",
        "step": 500,
        "steps": 2000,
        "steps_per_second": 100.0,
        "phase": "training",
        "updated": time.time(),
        "pid": os.getpid(),
        **changes,
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3723, "1:02:03")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left_needs_a_speed() -> None:
    assert time_left(told()) == "0:15"
    assert time_left(told(steps_per_second=0.0)) == "–"
    assert time_left(told(phase="compiling")) == "–"


def test_silent_shard_of_a_dead_process_is_not_running(tmp_path: Path) -> None:
    dead = subprocess.Popen((sys.executable, "-c", ""))
    dead.wait()
    states = {"alive": told(updated=0.0), "lost": told(updated=0.0, pid=dead.pid), "new": told()}
    for name, state in states.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "progress.json").write_text(json.dumps(state), encoding="utf-8")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "progress.json").write_text('{"shard":', encoding="utf-8")
    assert running(tmp_path) == [states["alive"], states["new"]]


def test_cells_of_the_plan_are_counted_once(tmp_path: Path) -> None:
    cells = planned_cells([TOY], "smoke", tmp_path)
    assert [len(records) for records in cells] == [1] * 5


def test_no_view_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    view = View([str(TOY)], "smoke", tmp_path)
    view.start()
    view.stop()
    assert capfd.readouterr() == ("", "")


def test_view_shows_bars_passes_output_on_and_ends_with_its_input(tmp_path: Path) -> None:
    shard = tmp_path / "scratch" / "0123456789ab"
    shard.mkdir(parents=True)
    (shard / "progress.json").write_text(json.dumps(told()), encoding="utf-8")
    screen, terminal = pty.openpty()
    command = (sys.executable, "-m", "analysis.progress", "--papers", str(TOY))
    process = subprocess.Popen(
        (*command, "--scale", "smoke", "--results", str(tmp_path)),
        stdin=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    assert process.stdin is not None
    process.stdin.write(b"\x1b[33mSelect jobs to execute...\x1b[0m\na job said this\n")
    process.stdin.flush()
    seen = ""
    while "a job said this" not in seen or "0 of 5" not in seen:
        seen += os.read(screen, 4096).decode()
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    os.close(screen)
    assert "ProbeSign-v0/ppo" in seen
    assert "100 steps/s" in seen
    assert "Select jobs" not in seen
    assert "0:15 left" in seen


BROKEN = (
    *("{}", "[]", "3", "null", '{"step": 1}', "{", ""),
    *(
        json.dumps(told(**change))
        for change in (
            {"updated": "now"},
            {"steps": None},
            {"steps": 0},
            {"shard": 3},
            {"steps_per_second": float("nan")},
            {"pid": "1"},
            {"pid": 2**70},
        )
    ),
)


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_tells_nothing_is_passed_over(text: str, tmp_path: Path) -> None:
    for name, content in (("odd", text), ("good", json.dumps(told()))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "progress.json").write_text(content, encoding="utf-8")
    assert [shard["step"] for shard in running(tmp_path)] == [500]


WORKFLOW = """
import os, sys, time
from pathlib import Path
from analysis.progress import View
view = View([{toy!r}], "smoke", Path({results!r}))
view.start()
{before}
print("x" * 200_000)
print("workflow goes on", flush=True)
os.system("echo a job goes on")
view.stop()
print("workflow ends", flush=True)
"""
KILL_THE_VIEW = "view._process.kill(); time.sleep(0.5)"


def in_a_terminal(code: str) -> tuple[int, str]:
    """Run Python code with a terminal for its output; its exit status, and what the terminal showed."""
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        (sys.executable, "-c", code),
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    seen = b""
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more
        while chunk := os.read(screen, 65536):
            seen += chunk
    os.close(screen)
    return process.wait(timeout=60), seen.decode(errors="replace")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="view lives"),
        pytest.param(KILL_THE_VIEW, id="view is killed"),
        pytest.param("view._process.kill()", id="view is killed while output comes"),
        pytest.param(
            "import signal; view._process.send_signal(signal.SIGSTOP); time.sleep(0.5);"
            "import threading; threading.Timer(1, view._process.kill).start()",
            id="view hangs and is killed while output waits",
        ),
        pytest.param('os.write(1, b"\\xff\\xfe not UTF-8\\n")', id="output is not text"),
    ],
)
def test_the_workflow_goes_on_whatever_becomes_of_the_view(before: str, tmp_path: Path) -> None:
    code = WORKFLOW.format(toy=str(TOY), results=str(tmp_path), before=before)
    status, seen = in_a_terminal(code)
    assert status == 0
    for words in ("workflow goes on", "a job goes on", "workflow ends"):
        assert words in seen


def test_odd_progress_files_do_not_end_the_view(tmp_path: Path) -> None:
    for index, text in enumerate((*BROKEN, json.dumps(told()))):
        (tmp_path / "scratch" / str(index)).mkdir(parents=True)
        (tmp_path / "scratch" / str(index) / "progress.json").write_text(text, encoding="utf-8")
    wait = "time.sleep(3); assert view._process.poll() is None"
    status, seen = in_a_terminal(WORKFLOW.format(toy=str(TOY), results=str(tmp_path), before=wait))
    assert status == 0
    assert "100 steps/s" in seen
    assert "workflow ends" in seen
