"""The live view: what it says in a terminal, that it passes output on, and when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

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


def leave(scratch: Path, name: str, text: str) -> FileLock:
    """Put a progress file into the folder `name`; the lock that its trainer holds."""
    (scratch / name).mkdir(parents=True)
    (scratch / name / "progress.json").write_text(text, encoding="utf-8")
    return FileLock(scratch / f"{name}.lock")


def test_a_shard_is_running_while_its_lock_is_held(tmp_path: Path) -> None:
    """A lock that was left behind by a process that is gone says nothing, nor does a file's time."""
    texts = {name: json.dumps(told(hash=name)) for name in ("held", "gone", "never")}
    locks = {name: leave(tmp_path, name, text) for name, text in texts.items()}
    locks["torn"] = leave(tmp_path, "torn", '{"shard":')
    (tmp_path / "gone.lock").touch()
    locks["held"].acquire()
    locks["torn"].acquire()
    assert [shard["hash"] for shard in running(tmp_path)] == ["held"]


def test_cells_of_the_plan_are_counted_once(tmp_path: Path) -> None:
    cells = planned_cells([TOY], "smoke", tmp_path)
    assert [len(records) for records in cells] == [1] * 5


def test_no_view_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    view = View([str(TOY)], "smoke", tmp_path)
    view.start()
    view.stop()
    assert capfd.readouterr() == ("", "")


def test_view_shows_bars_passes_output_on_and_ends_with_its_input(tmp_path: Path) -> None:
    lock = leave(tmp_path / "scratch", "0123456789ab", json.dumps(told()))
    lock.acquire()
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
            {"steps": None},
            {"steps": 0},
            {"shard": 3},
            {"steps_per_second": float("nan")},
            {"phase": None},
        )
    ),
)


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_tells_nothing_is_passed_over(text: str, tmp_path: Path) -> None:
    with leave(tmp_path, "odd", text), leave(tmp_path, "good", json.dumps(told())):
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
    locks = [
        leave(tmp_path / "scratch", str(index), text)
        for index, text in enumerate((*BROKEN, json.dumps(told())))
    ]
    for lock in locks:
        lock.acquire()
    wait = "time.sleep(3); assert view._process.poll() is None"
    status, seen = in_a_terminal(WORKFLOW.format(toy=str(TOY), results=str(tmp_path), before=wait))
    assert status == 0
    assert "100 steps/s" in seen
    assert "workflow ends" in seen
