"""What a scale costs before anything is trained: cells, shards, core-hours, memory and disk of every experiment.

Hours are arithmetic: what a shard asks of a machine (`algorithms/work.py`), times how fast this one is
(`algorithms/throughput.py`). Command line: print the plan of a scale. Nothing is trained.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from algorithms import devices, memory, work
from algorithms.batches import cut
from algorithms.calibration import Calibration, calibrate, machine
from algorithms.cell import Shard
from algorithms.header import RecordError, read_header
from algorithms.population import compiler_missing
from algorithms.specification import SpecificationError
from algorithms.threads import limit_threads
from algorithms.throughput import Line, Speed
from algorithms.work import Demand, Work
from analysis.claims import read_claims
from analysis.columns import aligned
from analysis.compute import hours, stated
from analysis.workflow import PaperFolder, Request, read_request

COMPILED_OPERATION, COMPILED_DATA = 0.15, 0.4
"""What compiling leaves of the time of an operation and of its numbers. Measured on an Intel Xeon, eight cells: 0.11 to 0.37
of an action or update is left, 0.8 of one; see CONTRIBUTING.md for how far estimates are off."""
COMPILED_BEFORE = 0.2
"""What is left of the seconds of compiling where a shard of the same shapes has been compiled before, and the cache is warm."""
WIDTH = 100
ROW_NUMBERS = 16
"""Numbers of one row of a member's curve and diagnostics, about."""
HEADS = ("experiment", "cells", "shards", "done", "core-hours", "left")
SIZES = ("memory", "records", "scratch")


@dataclass(frozen=True)
class Cost:
    """What a shard takes: core-hours, those of a GPU where it is trained on one, and bytes of memory, record and scratch.

    `batches` is how many parts its members are trained in, one after the other, because memory holds no more at once.
    """

    core_hours: float
    gpu_hours: float
    memory: int
    record: int
    scratch: int
    done: bool
    batches: int = 1


def seconds(asked: Demand, speed: Speed) -> float:
    """Seconds of one thread that a shard takes: arithmetic on what it asks for and how fast the machine is."""
    step = speed.environments[asked.environment]
    loop = speed.replay if asked.replayed else speed.on_policy
    left = (COMPILED_OPERATION, COMPILED_DATA) if asked.compiling else (1.0, 1.0)
    return (
        speed.startup
        + asked.compiling
        + _computing(asked.learning, speed, *left)
        + _computing(asked.evaluating, speed, 1.0, 1.0)
        + _stepping(asked.steps, asked.copies, loop, step)
        + _stepping(asked.evaluation_steps, asked.evaluation_copies, loop, step)
    )


def _computing(asked: Work, speed: Speed, operation: float, data: float) -> float:
    numbers = asked.elements * speed.element + asked.flops * speed.flop
    return operation * asked.operations * speed.operation + data * numbers


def _stepping(steps: int, copies: int, *lines: Line) -> float:
    return steps * sum(line.step + copies * line.copy for line in lines)


def _bytes_on_disk(shard: Shard, parameters: int) -> tuple[int, int]:
    """Bytes of the record of `shard`, and of its scratch while it trains; a member has so many parameters."""
    members, protocol = len(shard.members), shard.cell.protocol
    kept = protocol.weights + protocol.snapshots
    rows = 8 * ROW_NUMBERS * protocol.curve_rows
    replay = 4 * members * shard.cell.steps * memory.replay_shape(shard)[2]
    return members * (4 * kept * parameters + rows), replay + 4 * 4 * members * parameters


def costs(request: Request, paper: str, known: Calibration, room_mb: int) -> dict[str, Cost]:
    """What every shard of a paper takes, by hash, where jobs may take so many megabytes together."""
    largest_mb = (request.gpus.most_slots or 1) * devices.SLOT / 1e6
    found: dict[str, Cost] = {}
    compiled: set[tuple[str, int]] = set()
    for digest, shard in request.shards[paper].items():
        one, wall = known.calls[work.key(shard)], 0.0
        batches = request.batches(paper, digest, room_mb)
        for batch in cut(shard, batches):
            shapes = (work.key(batch), len(batch.members))
            asked = work.demand(batch, one)
            cold = 0.0 if compiler_missing() else COMPILED_BEFORE if shapes in compiled else 1.0
            compiled.add(shapes)
            asked = replace(asked, compiling=cold * asked.compiling)
            wall += seconds(asked, known.speed) / 3600
        record, scratch = _bytes_on_disk(shard, one.parameters)
        found[digest] = Cost(
            core_hours=wall,
            gpu_hours=wall * request.gpu_mb(paper, digest, room_mb) / largest_mb,
            memory=request.memory_mb(paper, digest, room_mb) * 1_000_000,
            record=record,
            scratch=scratch,
            done=Path(request.record(paper, shard)).exists(),
            batches=batches,
        )
    return found


def row(name: str, cells: int, shards: Sequence[Cost], gpu: bool) -> tuple[str, ...]:
    """An experiment's row, or the paper's."""
    left = [one for one in shards if not one.done]
    gpu_hours = [hours(sum(one.gpu_hours for one in left))] if gpu else []
    return (
        name,
        str(cells),
        str(len(shards)),
        str(len(shards) - len(left)),
        hours(sum(one.core_hours for one in shards)),
        hours(sum(one.core_hours for one in left)),
        *gpu_hours,
        _bytes(max(one.memory for one in shards)),
        _bytes(sum(one.record for one in shards)),
        _bytes(max(one.scratch for one in shards)),
    )


def _bytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 5e7 else f"{count / 1e6:,.1f} MB"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False)


def section(request: Request, paper: PaperFolder, known: Mapping[str, Cost], room: int) -> str:
    """A paper's plan: a row for each experiment, one for all of them, and what else there is to know."""
    scale, plan = request.scale, paper.plan
    gpu = any(one.gpu_hours for one in known.values())
    rows = [(*HEADS, *(["GPU-hours left"] if gpu else []), *SIZES)]
    distinct: set[str] = set()
    for experiment in plan.planned(scale):
        shards = plan.shards(scale, experiment)
        cells = {str(shard.cell.content()) for shard in shards}
        distinct |= cells
        rows.append(row(experiment, len(cells), [known[shard.hash] for shard in shards], gpu))
    if len(rows) > 2:
        rows.append(row("all, each once", len(distinct), list(known.values()), gpu))
    title = f"{paper.paper.short} at scale {scale}"
    return "\n".join(
        [title, "", *([aligned(rows)] if known else []), *remarks(request, paper, known, room)]
    )


def remarks(
    request: Request, paper: PaperFolder, known: Mapping[str, Cost], room: int
) -> list[str]:
    """What a paper's plan leaves out, what does not fit into `room` bytes, and what the paper states of its own training."""
    said = []
    studies = paper.plan.planned_studies(request.scale)
    if studies:
        said.append(f"Not estimated: the studies {', '.join(studies)}.")
    left = [one for one in known.values() if not one.done]
    parts = [one.batches for one in left if one.batches > 1]
    if parts:
        said.append(
            f"{len(parts)} of the shards are trained in up to {max(parts)} batches of members, one after the other: memory does not "
            "hold them at once."
        )
    large = [one.memory for one in left if one.memory > room]
    if large:
        said.append(
            f"Of {len(large)} shards one member alone takes up to {_bytes(max(large))} of memory, more than the "
            f"{_bytes(room)} that jobs may take; lower buffer_size."
        )
    if request.scale == "paper" and paper.paper.compute is not None:
        said.append(theirs(request, paper, known))
    return ["", *map(_wrapped, said)] if said else []


def theirs(request: Request, paper: PaperFolder, known: Mapping[str, Cost]) -> str:
    """The paper's own training time, and the estimate for the same arms here."""
    assert paper.paper.compute is not None
    by_id = {claim.id: claim for claim in read_claims(paper.folder / "claims.yaml").claims}
    told = stated(paper.paper.compute, by_id)
    wanted = {(arm.experiment, arm.environment, arm.method) for arm in told.arms}
    same = {
        shard.hash
        for experiment in paper.plan.planned(request.scale)
        for shard in paper.plan.shards(request.scale, experiment)
        if (experiment, shard.cell.environment, shard.cell.method) in wanted
    }
    here = sum(known[digest].core_hours for digest in same)
    return f"{told.sentence()} Here they are estimated at {hours(here)} core-hours."


def wall_hours(left: Iterable[Cost], jobs: int, limit: int) -> float:
    """Hours until all is trained by so many jobs at once in `limit` bytes: what cores, memory or the longest shard take."""
    waiting = list(left)
    if not waiting:
        return 0.0
    work_hours = sum(one.core_hours for one in waiting)
    held = sum(one.core_hours * min(1.0, one.memory / limit) for one in waiting)
    return max(work_hours / jobs, held, *(one.core_hours for one in waiting))


def accuracy(request: Request, known: Mapping[str, Mapping[str, Cost]]) -> str:
    """How the estimate compares with the records that a processor of this name made; "" where it made none."""
    here = machine("cpu")["processor"]
    pairs = []
    for paper, shards in request.shards.items():
        for digest, shard in shards.items():
            path = Path(request.record(paper, shard))
            if path.exists():
                told = read_header(path.parent)["provenance"]
                if told["processor"] == here and told["device"] == "cpu":
                    took = told["wall_seconds"] * told["threads"] / 3600
                    pairs.append((known[paper][digest].core_hours, took))
    if not pairs:
        return ""
    estimated, took = np.array(pairs).T
    low, middle, high = np.quantile(estimated / took, [0.1, 0.5, 0.9])
    return (
        f"{len(pairs)} shards were recorded by a processor of this name: estimated {hours(estimated.sum())} "
        f"core-hours, took {hours(took.sum())}; estimate over taken is {middle:.2f} in the middle, four fifths lie in "
        f"{low:.2f} to {high:.2f}."
    )


def report(request: Request, cores: int, room_mb: int) -> str:
    """The plan of every paper, and of all together, on so many cores in so many megabytes."""
    every = [shard for shards in request.shards.values() for shard in shards.values()]
    device = "cuda" if request.gpus.devices and request.device != "cpu" else "cpu"
    known = calibrate(every, device, Path(request.scratch))
    found = {paper.name: costs(request, paper.name, known, room_mb) for paper in request.papers}
    room = room_mb * 1_000_000
    parts = [section(request, paper, found[paper.name], room) for paper in request.papers]
    left = [one for shards in found.values() for one in shards.values() if not one.done]
    threads = request.threads(cores)
    jobs = max(1, cores // threads)
    wall = wall_hours(left, jobs, room)
    where = machine(device)
    lines = [
        f"Left to train: {len(left)} of {len(every)} shards, {hours(sum(one.core_hours for one in left))} core-hours: "
        f"about {hours(wall)} hours on {_counted(cores, 'core')} of {where['processor']}, {_counted(jobs, 'job')} of "
        f"{_counted(threads, 'thread')} at once.",
        "Hours are estimated for one thread a shard, evaluation episodes at their full length; memory and scratch are "
        "those of the largest batch and shard.",
        accuracy(request, found),
    ]
    return "\n\n\n".join([*parts, "\n".join(_wrapped(line) for line in lines if line)])


def main(argv: Sequence[str] | None = None) -> int:
    """Print the plan of a scale; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.plan", description=main.__doc__)
    parser.add_argument("--papers", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--scale", required=True)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--device", choices=devices.ASKED, default="auto")
    parser.add_argument("--cores", type=int, default=psutil.cpu_count())
    most = psutil.virtual_memory().total * 4 // 5 // 1_000_000  # as profiles/default says
    parser.add_argument("--memory-mb", type=int, default=most)
    options = parser.parse_args(argv)
    limit_threads(1)  # as a job has, which the calibration is about
    try:
        config = {
            "paper": [str(folder) for folder in options.papers],
            "scale": options.scale,
            "results": str(options.results),
            "device": options.device,
        }
        print(report(read_request(config), options.cores, options.memory_mb))
    except (SpecificationError, RecordError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
