"""Running a contender in several processes of one thread each, at the same time, on the same cores."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Sequence


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def report(**figures: float) -> None:
    """What a worker prints last: its figures and the memory that it took."""
    print(json.dumps(figures | {"peak_memory_mb": peak_memory_mb()}))


def race(module: str, options: Sequence[str], processes: int) -> list[dict[str, float]]:
    """What `processes` workers of `module` report that start together with the same options.

    Raises RuntimeError where one of them fails; its errors are on stderr.
    """
    command = [sys.executable, "-W", "ignore", "-m", module, *options]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    printed = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise RuntimeError(f"{' '.join(command)}: failed")
    return [json.loads(text.splitlines()[-1]) for text in printed]


def row(label: str, results: Sequence[dict[str, float]], figure: str, unit: str) -> str:
    """A line of print: the sum of a figure over processes, the longest compiling and the largest memory."""
    total = sum(result[figure] for result in results)
    compiling = max(result.get("compile_seconds", 0.0) for result in results)
    memory = max(result["peak_memory_mb"] for result in results)
    return f"{label:28} {total:9,.0f} {unit}   compile {compiling:5.1f} s   peak memory {memory:6,.0f} MB a process"
