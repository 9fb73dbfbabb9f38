"""What a running shard tells the outside: a small file that is replaced about once a second, or a bar."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from algorithms.cell import Shard
from algorithms.header import RecordError
from algorithms.records import write_json
from algorithms.scratch import PROGRESS

INTERVAL_SECONDS = 1.0


class Progress:
    """Reports the steps of one shard to `<scratch>/progress.json`, and to a bar if `bar` and a terminal."""

    def __init__(self, shard: Shard, scratch: Path, bar: bool) -> None:
        self.shard, self.path = shard, scratch / PROGRESS
        scratch.mkdir(parents=True, exist_ok=True)
        self.total = self.steps_of(shard)
        self.done = self.session = self.before = 0
        self.phase = "starting"
        self._started = self._written = 0.0
        self._bar = tqdm(
            total=self.total,
            unit="step",
            unit_scale=True,
            desc=f"{shard.cell.method} {shard.cell.environment}",
            disable=not (bar and sys.stderr.isatty()),
        )

    @staticmethod
    def steps_of(shard: Shard) -> int:
        """Steps of all members of a shard together, or of a batch of them."""
        return shard.cell.iterations * shard.cell.settings.iteration_steps * len(shard.members)

    def enter(self, phase: str, done: int) -> None:
        """Begin a phase at `done` steps of all members that train together; `before` were made by others of the shard."""
        self.phase, self.done, self.session = phase, self.before + done, 0
        self._started = time.perf_counter()
        self._bar.n = self.done
        self._bar.set_postfix_str(phase)
        self._write()

    def advance(self, steps: int) -> None:
        """Count `steps` more steps of all members together."""
        self.done += steps
        self.session += steps
        self._bar.update(steps)
        if time.perf_counter() - self._written > INTERVAL_SECONDS:
            self._write()

    def say(self, what: str) -> None:
        """Leave a line in the log where no bar shows how far the shard is."""
        if self._bar.disable:
            percent = 100 * self.done // self.total
            print(f"{what}: {percent} % of {self.total:,} steps", flush=True)

    def close(self) -> None:
        """Take the file and the bar away."""
        self._bar.close()
        self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written = time.perf_counter()
        elapsed = self._written - self._started
        rate = self.session / elapsed if self.session and elapsed > 0 else 0.0
        state = {
            "shard": self.shard.name,
            "hash": self.shard.hash,
            "step": self.done,
            "steps": self.total,
            "steps_per_second": rate,
            "phase": self.phase,
        }
        with suppress(RecordError):  # how far a shard is is not worth failing for
            write_json(self.path, state)
