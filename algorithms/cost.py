"""What training one member costs: time, and memory, measured in a process of its own.

python -m algorithms.cost --method prefpoe --env HalfCheetah-v4 --mode eager --rounds 5

The process gets ready (compiles, trains a first round that does not count) and says so; then it trains one round for
each line on its standard input, so that several processes can be measured in turn; a last line asks for its memory.
Every answer is a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from algorithms import train
from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.checkpoint import TrainingState
from algorithms.episodes import Episodes
from algorithms.methods.ppo import Batch
from algorithms.population import OnPolicy
from algorithms.progress import Progress
from algorithms.records import peak_memory_mb
from algorithms.rollout import Collector, minibatches
from algorithms.specification import SpecificationError
from algorithms.threads import limit_threads

MODES: tuple[train.Mode, ...] = ("eager", "compiled")
SEED = 0


def measured_shard(
    method: str, environment: str, overrides: Mapping[str, Any], rounds: int, iterations: int
) -> Shard:
    """One member that trains `rounds` rounds of `iterations` after a first one. Raises SpecificationError."""
    protocol = Protocol(segments=rounds + 1, evaluation_episodes=1, curve_rows=1)
    cell = make_cell(method, environment, overrides, sys.maxsize, protocol)  # steps are set below
    steps = cell.settings.iteration_steps * iterations * (rounds + 1)
    return Shard(replace(cell, steps=steps), (Member(seed=SEED),))


def parameters(shard: Shard) -> int:
    """How many numbers one member learns, counted in freshly made networks."""
    return sum(OnPolicy(shard, torch.device("cpu"), compiled=False).layout.sizes)


def state_bytes(population: OnPolicy) -> int:
    """What lasts from update to update: parameters and Adam's two moments."""
    learners = population.learners()
    return sum(x.nbytes for x in (learners.theta, learners.first_moment, learners.second_moment))


def update_bytes(population: OnPolicy, state: TrainingState, rollout: Batch, iteration: int) -> int:
    """The most that one gradient step has allocated at once, rollout and previous state aside.

    As the profiler books every allocation and release of torch's.
    """
    rows = minibatches(population.shard, iteration)[:1]
    hyper = population.scheduled(iteration)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        population.update(state.learners, rollout, rows, hyper)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    booked = sorted((e for e in events if e["name"] == "[memory]"), key=lambda event: event["ts"])
    held = most = 0
    for event in booked:
        held += event["args"]["Bytes"]
        most = max(most, held)
    return most


def serve(shard: Shard, mode: train.Mode, rounds: int) -> None:
    """Train and measure `shard` as lines on standard input ask; see the module's docstring."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers, tempfile.TemporaryDirectory() as f:
        os.dup2(2, 1)  # whatever libraries print is no answer

        def say(**answer: Any) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        loaded = peak_memory_mb()
        state, population = train.prepare(shard, Path(f), train.Resources(mode=mode))
        progress = Progress(shard, Path(f), bar=False)
        population = train.warm_up(population, state, progress)
        assert isinstance(population, OnPolicy)
        train.train_segment(shard, population, state, 0, 1, progress)
        say(ran=state.mode, compile_seconds=state.compile_seconds)
        for segment in range(1, rounds + 1):
            if not sys.stdin.readline():
                return
            wall, cpu = time.perf_counter(), time.process_time()
            train.train_segment(shard, population, state, segment, 1, progress)
            say(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)
        if not sys.stdin.readline():
            return
        peak = peak_memory_mb()  # before the profiler needs memory of its own
        collector = Collector(shard, 0, state.normalizer, Episodes(), 1)
        rollout = collector.collect(population, state.learners, shard.cell.iterations - 1)
        update = update_bytes(population, state, rollout, shard.cell.iterations - 1)
        say(
            state_bytes=state_bytes(population),
            update_bytes=update,
            loaded_mb=loaded,
            peak_mb=peak,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 2 where what was asked for cannot be."""
    p = argparse.ArgumentParser(prog="python -m algorithms.cost", description=__doc__)
    p.add_argument("--method", required=True)
    p.add_argument("--env", required=True)
    p.add_argument("--mode", choices=MODES, required=True)
    p.add_argument("--rounds", type=int, required=True)
    p.add_argument("--iterations", type=int, default=1, help="of collecting and updating a round")
    p.add_argument("--overrides", type=json.loads, default={}, help="settings, as JSON")
    o = p.parse_args(argv)
    limit_threads(1)
    try:
        shard = measured_shard(o.method, o.env, o.overrides, o.rounds, o.iterations)
        serve(shard, o.mode, o.rounds)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
