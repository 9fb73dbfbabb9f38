"""What checkpoints cost: seconds of saving beside seconds of training, segment by segment.

    python -m benchmarks.checkpoints

The populations are those of scale `paper`, their segments many times shorter than there: the state is written as often for a
fraction of the training, so a share printed here is larger than that of a real run. A segment's first cost, environments that
are made anew, is part of its training and printed beside it. One process of one thread; compiling is left out.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from algorithms import checkpoint, train
from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.progress import Progress

SEGMENTS = 3


class Task(NamedTuple):
    """A population, and how many steps of a member a segment has: here, and at scale `paper`."""

    method: str
    environment: str
    members: int
    steps: int
    planned_steps: int
    settings: dict[str, Any]


SMALL = {"hidden": (64, 64), "batch_size": 32, "update_after": 0, "initial_steps": 0}
LARGE = {"hidden": (256, 256), "batch_size": 100, "update_after": 0, "initial_steps": 0}
TASKS = (
    Task("ppo", "HalfCheetah-v4", 5, 20_480, 100_352, {}),
    Task("prefpoe", "HalfCheetah-v4", 5, 20_480, 100_352, {}),
    Task("rep_squashed", "ShapedPendulum", 640, 500, 5_000, SMALL),
    Task("rep_squashed", "HalfCheetah-v4", 8, 1_000, 50_000, LARGE),
)


def measure(task: Task) -> dict[str, float]:
    """Seconds of training, of environments made anew and of saving in all segments but the first, and the files' megabytes."""
    cell = make_cell(
        task.method,
        task.environment,
        task.settings,
        SEGMENTS * task.steps,
        Protocol(SEGMENTS, 1, 1),
    )
    shard = Shard(cell, tuple(Member(seed=seed) for seed in range(task.members)))
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        state, population = train.prepare(shard, folder, train.Resources(mode="compiled"))
        progress = Progress(shard, folder, bar=False)
        population = train.warm_up(population, state, progress)
        training = beginning = saving = 0.0
        for segment in range(SEGMENTS):
            start = time.perf_counter()
            train.begin_segment(population, state, segment, 1)
            begun, before = time.perf_counter() - start, state.training_seconds
            train.train_segment(shard, population, state, segment, 1, progress)
            start = time.perf_counter()
            checkpoint.save(state, folder, shard.key)
            if segment > 0:  # the first one meets files and memory that nobody has touched yet
                saving += time.perf_counter() - start
                training += state.training_seconds - before
                beginning += begun
        size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        progress.close()
    return {"training": training, "beginning": beginning, "saving": saving, "megabytes": size / 1e6}


def main() -> None:
    """Print a line for each population."""
    torch.set_num_threads(1)
    for task in TASKS:
        took = measure(task)
        share = took["saving"] / took["training"]
        print(
            f"{task.method:12} {task.environment:15} {task.members:4} members   segment of {task.steps:6,} steps "
            f"(planned {task.planned_steps:7,})   training {took['training']:6.2f} s   environments "
            f"{took['beginning']:5.2f} s   saving {took['saving']:6.3f} s: {share:6.2%}   {took['megabytes']:6.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
