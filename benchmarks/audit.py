"""How long an audit takes: our papers, and thousands of generated claims, each in a process of its own.

    python -m benchmarks.audit [--claims 10000]

Prints seconds and peak memory of `python -m analysis.audit`, the page included.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml


def generated(count: int, seed: int = 0) -> list[dict[str, object]]:
    """`count` claims in groups of five: two arms, and an improvement, a CV and a p-value that follow from them.

    Each group's first arm is said to be that of the group before, so that references form one long chain.
    """
    generator = random.Random(seed)
    claims: list[dict[str, object]] = []
    while len(claims) < count:
        group = len(claims) // 5
        place = {"place": f"Table {group % 20}", "quote": f"row {group}"}
        new, old = generator.uniform(100, 9000), generator.uniform(100, 9000)
        pair = {"new": f"new{group}", "old": f"old{group}"}
        claims += [
            {"id": f"new{group}", "kind": "mean", "value": f"{new:.0f}±{new / 9:.0f}", "n": 5},
            {"id": f"old{group}", "kind": "mean", "value": f"{old:.0f}±{old / 7:.0f}", "n": 5},
            {"id": f"gain{group}", "kind": "improvement", "value": f"{100 * (new - old) / old:+.1f}%", "of": pair},
            {"id": f"cv{group}", "kind": "cv", "value": f"{generator.uniform(5, 20):.1f}%", "of": {"arm": f"new{group}"}},
            {"id": f"p{group}", "kind": "p_value", "value": "<0.001", "test": "paired t", "of": pair},
        ]  # fmt: skip
        for claim in claims[-5:]:
            claim |= place
        if group:
            claims[-5]["same_as"] = f"new{group - 1}"
    return claims[:count]


def measure(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of one audit."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "analysis.audit", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "claims.yaml")
        papers = sorted(map(str, Path("paper_figures").glob("*/paper.yaml")))
        runs = {f"{len(papers)} papers": [str(Path(paper).parent) for paper in papers]}
        for count in (options.claims // 10, options.claims):
            claims = generated(count)
            path = Path(folder, f"{count}.yaml")
            path.write_text(yaml.safe_dump({"claims": claims}, allow_unicode=True), "utf-8")
            runs[f"{count:,} generated claims"] = [str(path)]
        for name, arguments in runs.items():
            seconds, memory = measure([*arguments, "--output", folder])
            print(f"{name}: {seconds:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
