"""A live view of a running workflow: a bar for every shard in training, and cells done of planned.

It is a process of its own. Shards tell it how far they are in `results/scratch/*/progress.json`, records
tell it what is done. What Snakemake and its jobs print meanwhile goes through a pipe to the view, which
prints it above the bars; without a terminal there is no view, and the output is left alone. Should the
view end before the workflow, the output goes to the terminal again and the workflow goes on.
Importing this module loads neither torch, pandas nor rich.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algorithms.cell import SCALES, load_plan
from algorithms.scratch import FAILURE, PROGRESS, is_held, lock_of
from analysis.attempts import attempt, complete, read_all

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

REFRESH_SECONDS = 0.5
STDOUT, STDERR = 1, 2
CHATTER = ("Select jobs to execute", "Execute ")


@dataclass
class View:
    """The live view as the Snakefile handles it: started and stopped with the workflow."""

    folders: Sequence[str]
    scale: str
    results: Path
    _known: set[tuple[str, int, int]] = field(default_factory=set)
    _process: subprocess.Popen[bytes] | None = None
    _saved: dict[int, int] = field(default_factory=dict)
    _restoring: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._known |= self._failures()

    def _failures(self) -> set[tuple[str, int, int]]:
        """Every failed attempt that scratch tells of, a new one other than an old one whatever the clock says."""
        scratch = self.results / "scratch"
        left = (path for name in (FAILURE, PROGRESS) for path, _ in read_all(scratch, name))
        found = [
            (path.parent.name, path.stat())
            for path in left
            if not is_held(lock_of(scratch, path.parent.name))
        ]
        return {(shard_hash, stat.st_ino, stat.st_mtime_ns) for shard_hash, stat in found}

    def start(self) -> None:
        """Show the view, and send this process's output through it, if stderr is a terminal."""
        if not sys.stderr.isatty():
            return
        command = (sys.executable, "-m", "analysis.progress", "--papers", *self.folders)
        options = ("--scale", self.scale, "--results", str(self.results))
        reading, writing = os.pipe()
        self._process = subprocess.Popen((*command, *options), stdin=reading)
        for descriptor in (STDOUT, STDERR):
            if os.isatty(descriptor):
                self._saved[descriptor] = os.dup(descriptor)
                os.dup2(writing, descriptor)
        os.close(writing)
        atexit.register(self.stop)
        watching = (self._process, reading)
        threading.Thread(target=self._outlive, args=watching, daemon=True).start()

    def stop(self) -> None:
        """Give the terminal back. Does nothing where no view is shown."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._restore()
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.terminate()
            self._process = None

    def _restore(self) -> None:
        """Let this process write to the terminal again."""
        with self._restoring:
            for descriptor, saved in self._saved.items():
                os.dup2(saved, descriptor)
                os.close(saved)
            self._saved.clear()

    def _outlive(self, process: subprocess.Popen[bytes], reading: int) -> None:
        """When the view ends, print in its place what is still written to its pipe.

        This process holds the pipe's reading end as well, so no writer ever finds it closed; running
        jobs have inherited the writing end.
        """
        process.wait()
        self._restore()
        with suppress(OSError):
            while chunk := os.read(reading, 65536):
                os.write(STDERR, chunk)
        os.close(reading)

    def report_failures(self) -> None:
        """Say which shards failed since this workflow began, why, and where their logs lie."""
        for shard_hash in sorted(
            {shard_hash for shard_hash, _, _ in self._failures() - self._known}
        ):
            told = attempt(self.results / "scratch", shard_hash)
            print(f"failed: {shard_hash}: {told.said} ({told.log})", file=sys.stderr)


def planned_cells(folders: Sequence[Path], scale: str, results: Path) -> list[list[Path]]:
    """The record files of every cell that is to be trained; a cell is done when all of them exist."""
    cells: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        records = results / scale / folder.name / "records"
        for shard in load_plan(folder).all_shards(scale).values():
            cell = json.dumps(shard.cell.content(), sort_keys=True)
            cells.setdefault((folder.name, cell), []).append(records / shard.name / "record.json")
    return list(cells.values())


def duration(seconds: float) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_left(shard: dict[str, Any]) -> str:
    """How long a shard will train on at its present speed; a dash while that is unknown."""
    if shard["phase"] != "training" or shard["steps_per_second"] <= 0:
        return "–"
    return duration((shard["steps"] - shard["step"]) / shard["steps_per_second"])


def running(scratch: Path) -> list[dict[str, Any]]:
    """What every shard tells whose lock is held."""
    return [
        told
        for path, told in read_all(scratch, PROGRESS)
        if complete(told) and is_held(lock_of(scratch, path.parent.name))
    ]


def picture(cells: list[list[Path]], scratch: Path, started: float) -> Table:
    """The view at this moment: a row for every running shard, then one for the whole plan."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for told in running(scratch):
        method, _, _ = told["shard"].rpartition("-")
        table.add_row(
            method,
            ProgressBar(total=told["steps"], completed=told["step"], width=24),
            told["phase"],
            f"{told['steps_per_second']:,.0f} steps/s",
            f"{time_left(told)} left",
        )
    done = sum(all(record.exists() for record in records) for records in cells)
    bar = ProgressBar(total=len(cells), completed=done, width=24)
    elapsed = duration(time.monotonic() - started)
    table.add_row("cells trained", bar, f"{done} of {len(cells)}", "", f"{elapsed} so far")
    return table


def pass_on(console: Console) -> None:
    """Print the lines that arrive on standard input, chatter left out, until the workflow closes it."""
    from rich.text import Text

    for line in sys.stdin.buffer:
        with suppress(Exception):  # a line that cannot be shown must not stop those that follow
            text = Text.from_ansi(line.decode(errors="replace").rstrip("\n"))
            if not text.plain.startswith(CHATTER):
                console.print(text, soft_wrap=True)


def watch(cells: list[list[Path]], scratch: Path) -> None:
    """Redraw the view until standard input ends or the process that started it is gone."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    parent, started = os.getppid(), time.monotonic()
    output = threading.Thread(target=pass_on, args=(console,), daemon=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        output.start()
        while output.is_alive() and os.getppid() == parent:
            # Whatever a file holds, the view lives on: the workflow writes through it.
            with suppress(Exception):
                live.update(picture(cells, scratch, started), refresh=True)
            output.join(REFRESH_SECONDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Show the view. An interrupt is left to the workflow, whose end ends the view."""
    parser = argparse.ArgumentParser(prog="python -m analysis.progress", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument("--results", type=Path, required=True)
    options = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cells = planned_cells(options.papers, options.scale, options.results)
    watch(cells, options.results / "scratch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
