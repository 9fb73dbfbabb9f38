"""Study: what one member costs, in parameters, memory and time (Appendix A.3).

Each method trains one member in a process of its own, eagerly and compiled; the processes of a mode take turns, round
by round and in rotating order, so that what else the machine does meanwhile falls on all of them. One process runs at a
time, in one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from algorithms.cell import Shard
from algorithms.cost import measured_shard, parameters
from algorithms.header import RecordError
from algorithms.specification import SpecificationError
from algorithms.study import Study
from paper_figures import study
from paper_figures.prefpoe.studies import Overhead
from paper_figures.study import Read

NAME = "overhead"
FLOAT_BYTES = 4
_WHO = {"environment": "object", "method": "object"}
TABLES = {
    "parameters": {**_WHO, "parameters": "int64", "rollout_bytes": "int64"},
    "memory": {
        **_WHO,
        "mode": "object",
        "ran": "object",
        "state_bytes": "int64",
        "update_bytes": "int64",
        "loaded_mb": "float64",
        "peak_mb": "float64",
    },
    "rounds": {
        **_WHO,
        "mode": "object",
        "ran": "object",
        "round": "int64",
        "turn": "int64",
        "steps": "int64",
        "seconds": "float64",
        "cpu_seconds": "float64",
    },
}
"""Columns. `rollout_bytes`: one rollout of the method's own settings as updates see it. `mode` was asked for, `ran` is
what a process did (eager, where no compiler works). `state_bytes`: parameters and Adam's moments; `update_bytes`: the
most that one gradient step allocates beside them. `loaded_mb` and `peak_mb`: resident size of the process with
its libraries loaded, and at most. `rounds`: wall and CPU time of a round of `steps` environment steps."""


@dataclass(frozen=True)
class Process:
    """A process that trains one member of `shard` when asked; `log` is its standard error."""

    shard: Shard
    mode: str
    running: subprocess.Popen[str]
    log: Path

    def answer(self, ask: bool = True) -> dict[str, Any]:
        """The next answer, asked for by a line. Raises RecordError where the process has ended."""
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        try:
            if ask:
                self.running.stdin.write("\n")
                self.running.stdin.flush()
            line = self.running.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = self.running.wait()
            lines = self.log.read_text(encoding="utf-8").splitlines()
            said = [line.strip() for line in lines if line.strip()]
            raise RecordError(
                f"{NAME}: measuring {self.shard.cell.method} ({self.mode}) ended with code {code}: "
                f"{said[-1] if said else 'it said nothing'}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def run(about: Study, settings: Overhead, read: Sequence[Read]) -> Mapping[str, pd.DataFrame]:
    """The tables of TABLES. Raises SpecificationError for a study that names no method."""
    methods = about.entry.methods
    if not methods:
        raise SpecificationError(f"studies.{about.name}.methods: names none; allowed: at least one")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for environment in settings.environments:
        for method in methods:
            rows["parameters"].append(counted(method, environment))
    for mode in settings.modes:
        for name, row in measured(methods, mode, settings):
            rows[name].append(row)
    return {
        name: pd.DataFrame(rows[name], columns=list(columns)).astype(columns)
        for name, columns in TABLES.items()
    }


def counted(method: str, environment: str) -> dict[str, Any]:
    """A row of `parameters`, by the method's own settings."""
    shard = measured_shard(method, environment, {}, 1, 1)
    world, steps = shard.cell.world, shard.cell.settings.iteration_steps
    scalars = 4  # log-probability, advantage, value target, value
    numbers = steps * (world.observation_size + world.action.size + scalars)
    return {
        "environment": environment,
        "method": method,
        "parameters": parameters(shard),
        "rollout_bytes": numbers * FLOAT_BYTES,
    }


def measured(
    methods: Sequence[str], mode: str, settings: Overhead
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of `rounds` and `memory` of every method in one mode, each with its table's name."""
    environment = settings.environments[0]
    with ExitStack() as stack:
        processes = [start(method, environment, mode, settings, stack) for method in methods]
        ran = [process.answer(ask=False)["ran"] for process in processes]
        who = [
            {"environment": environment, "method": method, "mode": mode, "ran": how}
            for method, how in zip(methods, ran, strict=True)
        ]
        for number in range(settings.rounds):
            for turn in range(len(methods)):
                which = (turn + number) % len(methods)
                cell = processes[which].shard.cell
                steps = cell.segment_iterations * cell.settings.iteration_steps
                place = {"round": number, "turn": turn, "steps": steps}
                yield "rounds", who[which] | place | processes[which].answer()
        for about, process in zip(who, processes, strict=True):
            yield "memory", about | process.answer()


def start(
    method: str, environment: str, mode: str, settings: Overhead, stack: ExitStack
) -> Process:
    """A process that measures `method`, ended with `stack`. Raises SpecificationError."""
    rounds, iterations, overrides = settings.rounds, settings.iterations, settings.overrides
    shard = measured_shard(method, environment, overrides, rounds, iterations)
    options = {
        "--method": method,
        "--env": environment,
        "--mode": mode,
        "--rounds": str(rounds),
        "--iterations": str(iterations),
        "--overrides": json.dumps(overrides),
    }
    command = [sys.executable, "-m", "algorithms.cost"]
    command += [word for option in options.items() for word in option]
    log = Path(stack.enter_context(tempfile.TemporaryDirectory()), "stderr")
    pipe = subprocess.PIPE
    with log.open("w", encoding="utf-8") as stderr:
        running = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True)
    stack.enter_context(running)
    stack.callback(running.kill)
    return Process(shard, mode, running, log)


def main(argv: Sequence[str] | None = None) -> int:
    """Make the study's record as the command line asks."""
    return study.main(NAME, Overhead, run, argv)


if __name__ == "__main__":
    sys.exit(main())
