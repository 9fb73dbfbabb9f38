"""Train one shard: the loop that reads like the papers' pseudocode, and its command line.

python -m algorithms.train --method prefpoe --env HalfCheetah-v4 --seed 0
python -m algorithms.train --paper paper_figures/prefpoe --scale quick --shard 1ea9ba3317b8 …
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import yaml
from pydantic import ValidationError

from algorithms import checkpoint, devices, memory, records, snapshots
from algorithms.batches import Outcome, cut, joined, out_of_memory
from algorithms.cell import (
    SCALES,
    Member,
    Protocol,
    Shard,
    load_plan,
    make_cell,
    require_scale,
)
from algorithms.checkpoint import TrainingState
from algorithms.choice import provenance_of, with_choice
from algorithms.episodes import Episodes
from algorithms.evaluate import evaluate, evaluate_while_learning, evaluations
from algorithms.header import (
    CURVE,
    DIAGNOSTICS,
    EVALUATION,
    EVALUATIONS,
    HEADER,
    RecordError,
    read_header,
)
from algorithms.interaction import OffPolicyLoop
from algorithms.population import (
    OffPolicy,
    OnPolicy,
    Population,
    compiler_missing,
    make_population,
    should_compile,
)
from algorithms.progress import Progress
from algorithms.rollout import OnPolicyLoop, fresh_normalizer
from algorithms.scratch import FAILURE, exclusive, lock_of
from algorithms.settings import METHODS
from algorithms.specification import SpecificationError, explain
from algorithms.threads import limit_threads

Mode = Literal["auto", "eager", "compiled"]


@dataclass(frozen=True)
class Resources:
    """Where and how a shard is computed; `note` says why there. Kept as provenance, never part of its identity.

    `batches` is how many parts its members are to be trained in, one after the other.
    """

    device: str = "cpu"
    threads: int = 1
    mode: Mode = "auto"
    note: str = ""
    batches: int = 1


def train(shard: Shard, folder: Path, scratch: Path, on: Resources, bar: bool = False) -> None:
    """Train all members of `shard`, evaluate them and write the record below the records folder `folder`.

    Interrupted anywhere, a second call continues from the last segment to the same bits. Once every member has
    diverged, nothing is left to learn and what there is is recorded. Raises RecordError if there is a record
    already, and SpecificationError if a sweep has yet to choose the setting.
    """
    record = folder / shard.name
    records.refuse_to_overwrite(record)
    shard = with_choice(shard, folder)
    choice = provenance_of(shard, folder)
    limit_threads(on.threads)
    progress = Progress(shard, scratch, bar)
    try:
        outcome = learn_as_memory_allows(shard, scratch, on, progress)
        provenance = {**outcome.provenance, **choice}
        arrays, kept = outcome.weights, outcome.snapshots
        records.write_record(
            record, shard, outcome.members, outcome.tables, arrays, provenance, kept
        )
    finally:
        progress.close()


def learn_as_memory_allows(
    shard: Shard, scratch: Path, on: Resources, progress: Progress
) -> Outcome:
    """What all members learn, in the batches that were planned; where memory is refused, in twice as many.

    That is done once: what memory does not hold then raises what says so. What is begun in more batches than planned goes on
    so; what is begun in fewer is begun again, since the plan says that they find no room.
    """
    begun = checkpoint.batches_begun(scratch)
    if 0 < begun < on.batches:
        print(f"begun in {begun} batches, planned in {on.batches}: starting over", file=sys.stderr)
    count = min(max(begun, on.batches), len(shard.members))
    try:
        return learn_in_batches(shard, count, scratch, on, progress)
    except Exception as error:
        if count == len(shard.members) or not out_of_memory(error):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
    count = min(2 * count, len(shard.members))
    print(f"out of memory ({reason}): training in {count} batches", file=sys.stderr)
    return learn_in_batches(shard, count, scratch, on, progress)


def learn_in_batches(
    shard: Shard, count: int, scratch: Path, on: Resources, progress: Progress
) -> Outcome:
    """What the members learn in `count` batches, one after the other."""
    outcomes: list[Outcome] = []
    progress.before = 0
    for batch, place in zip(cut(shard, count), checkpoint.places(scratch, count), strict=True):
        place.mkdir(parents=True, exist_ok=True)
        give_memory_back()
        outcomes.append(learn(batch, place, on, progress))
        progress.before += progress.steps_of(batch)
    return outcomes[0] if count == 1 else joined(outcomes)


def give_memory_back() -> None:
    """Free what an earlier batch or attempt held; torch keeps a GPU's memory for itself otherwise."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def learn(shard: Shard, scratch: Path, on: Resources, progress: Progress) -> Outcome:
    """Train all members of `shard` together to the end, from their last checkpoint, and evaluate them."""
    state, population = prepare(shard, scratch, on)
    population = warm_up(population, state, progress)
    train_segments(shard, population, state, scratch, on.threads, progress)
    progress.enter("evaluating", progress.steps_of(shard))
    evaluation = evaluate(shard, population, state.learners, state.normalizer, on.threads)
    tables = {
        CURVE: learning_curve(shard, state),
        EVALUATION: evaluation,
        DIAGNOSTICS: diagnostics(shard, state),
    }
    if shard.cell.protocol.evaluation_every is not None:
        tables[EVALUATIONS] = evaluations(shard, state.evaluations)
    return Outcome(
        member_entries(shard, state),
        tables,
        weights(population, state) if shard.cell.protocol.weights else None,
        snapshots.gather(shard, scratch),
        how_it_ran(shard, state, on),
    )


def prepare(shard: Shard, scratch: Path, on: Resources) -> tuple[TrainingState, Population]:
    """The population, and its state: fresh, or where the last finished segment left it."""
    compiled = decide_mode(shard, on.mode) == "compiled"
    population = make_population(shard, torch.device(on.device), compiled)
    state = fresh_state(population)
    checkpoint.restore(state, scratch, shard.key)
    return state, population


def fresh_state(population: Population) -> TrainingState:
    """The state of a population that has not begun."""
    members = len(population.shard.members)
    return TrainingState(
        population.learners(),
        fresh_normalizer(population),
        Episodes(),
        np.zeros(members, dtype=np.int64),
        np.full(members, -1, dtype=np.int64),
        population.replay() if isinstance(population, OffPolicy) else None,
    )


def decide_mode(shard: Shard, asked: Mode) -> Literal["eager", "compiled"]:
    """Eager or compiled; says so in one line where there is no compiler to do what would pay."""
    if asked == "eager" or (asked == "auto" and not should_compile(shard.cell)):
        return "eager"
    missing = compiler_missing()
    if missing:
        _say_eager(missing)
        return "eager"
    return "compiled"


def warm_up(population: Population, state: TrainingState, progress: Progress) -> Population:
    """Compile if the population is to be compiled, and book the time apart from training.

    Where the compiler turns out not to work, says so and returns an eager population.
    """
    if not population.compiled:
        return population
    from torch._dynamo.exc import BackendCompilerFailed  # here: loading it takes seconds

    torch.compiler.reset()  # versions of the same functions that an earlier batch left count towards their limit
    progress.enter("compiling", 0)
    start = time.perf_counter()
    try:
        population.warm_up(state.replay)
    except BackendCompilerFailed as error:
        reason = next(line for line in reversed(str(error).splitlines()) if line.strip())
        _say_eager(f"compiling failed ({reason.strip()})")
        return make_population(population.shard, population.device, compiled=False)
    state.mode = "compiled"
    state.compile_seconds += time.perf_counter() - start
    return population


def _say_eager(reason: str) -> None:
    print(f"{reason}: training eagerly, several times slower", file=sys.stderr)


def train_segments(
    shard: Shard,
    population: Population,
    state: TrainingState,
    scratch: Path,
    threads: int,
    progress: Progress,
) -> None:
    """Train what is left, to its end or until every member has diverged; what resuming needs goes to `scratch`."""
    count = shard.cell.segments
    if state.segment == 0:
        snapshots.take(population, state.learners.theta, scratch, 0)
    for segment in range(state.segment, count):
        learning = bool(state.learners.alive.any())
        if learning:
            train_segment(shard, population, state, segment, threads, progress)
        # Parameters of members that diverged stand still: what they are now is what they would be.
        snapshots.take(population, state.learners.theta, scratch, segment + 1)
        if learning:
            checkpoint.save(state, scratch, shard.key)
            progress.say(f"segment {segment + 1} of {count}")


def train_segment(
    shard: Shard,
    population: Population,
    state: TrainingState,
    segment: int,
    threads: int,
    progress: Progress,
) -> None:
    """Collect and update for the iterations of one segment, in environments made for it.

    Stops once no member learns any more.
    """
    cell = shard.cell
    start = time.perf_counter()
    first = segment * cell.segment_iterations
    per_iteration = cell.settings.iteration_steps * len(shard.members)
    progress.enter("training", first * per_iteration)
    loop = begin_segment(population, state, segment, threads)
    for iteration in range(first, min(first + cell.segment_iterations, cell.iterations)):
        # The first iteration is checked all the same: unchecked, what it would compile is an error.
        with population.warmed_up() if iteration > first else nullcontext():
            means = loop.iterate(iteration)
        state.diagnostic_names = tuple(sorted(means))
        columns = torch.stack([means[name] for name in state.diagnostic_names], dim=1)
        state.diagnostics.append(columns.double().cpu().numpy())
        lost = ~state.learners.alive.cpu().numpy() & (state.diverged_at < 0)
        state.diverged_at[lost] = (iteration + 1) * cell.settings.iteration_steps
        progress.advance(per_iteration)
        before = time.perf_counter()
        evaluate_while_learning(shard, population, state, iteration, threads)
        start += time.perf_counter() - before  # evaluating is no training
        if (state.diverged_at >= 0).all():
            break
    state.cut += loop.cut_episodes()
    state.segment = segment + 1
    state.training_seconds += time.perf_counter() - start


def begin_segment(
    population: Population, state: TrainingState, segment: int, threads: int
) -> OnPolicyLoop | OffPolicyLoop:
    """What collects experience and learns from it, in environments made for the segment."""
    if isinstance(population, OnPolicy):
        return OnPolicyLoop(population, state, segment, threads)
    assert isinstance(population, OffPolicy)
    return OffPolicyLoop(population, state, segment, threads)


def learning_curve(shard: Shard, state: TrainingState) -> pd.DataFrame:
    """Mean return and length of the training episodes that ended in each bin of steps."""
    member = np.array(state.episodes.member, dtype=np.int32)
    rows = pd.DataFrame(
        {
            "member": member,
            "seed": _seeds(shard)[member],
            "step": np.array(state.episodes.step, dtype=np.int64),
            "return_mean": np.array(state.episodes.episode_return, dtype=np.float64),
            "length_mean": np.array(state.episodes.length, dtype=np.float64),
        }
    )
    return records.binned(
        rows[_while_learning(state)],
        shard.cell.steps,
        shard.cell.protocol.curve_rows,
        ("return_mean", "length_mean"),
        count="episodes",
    )


def _while_learning(state: TrainingState) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which finished episodes ended before their member diverged."""
    lost = state.diverged_at[np.array(state.episodes.member, dtype=np.int64)]
    within: np.ndarray[Any, np.dtype[np.bool_]] = np.array(state.episodes.step) <= lost
    return within | (lost < 0)


def diagnostics(shard: Shard, state: TrainingState) -> pd.DataFrame:
    """Every diagnostic of the updates, averaged in each bin of steps."""
    iterations, members = len(state.diagnostics), len(shard.members)
    steps = (np.arange(iterations) + 1) * shard.cell.settings.iteration_steps
    values = np.stack(state.diagnostics).reshape(iterations * members, -1)
    rows = pd.DataFrame(values, columns=list(state.diagnostic_names))
    rows.insert(0, "member", np.tile(np.arange(members, dtype=np.int32), iterations))
    rows.insert(1, "seed", np.tile(_seeds(shard), iterations))
    rows.insert(2, "step", np.repeat(steps, members))
    bins = shard.cell.protocol.curve_rows
    return records.binned(rows, shard.cell.steps, bins, state.diagnostic_names)


def member_entries(shard: Shard, state: TrainingState) -> list[dict[str, Any]]:
    """What became of each member, for record.json."""
    member = np.array(state.episodes.member, dtype=np.int64)
    finished = np.bincount(member[_while_learning(state)], minlength=len(shard.members))
    return [
        {
            **member.model_dump(mode="json"),
            "status": "done" if state.diverged_at[index] < 0 else "diverged",
            "diverged_at": None if state.diverged_at[index] < 0 else int(state.diverged_at[index]),
            "episodes": int(finished[index]),
            "episodes_cut": int(state.cut[index]),
        }
        for index, member in enumerate(shard.members)
    ]


def weights(population: Population, state: TrainingState) -> dict[str, np.ndarray[Any, Any]]:
    """Every parameter with a leading member axis, and the observation statistics that go with them."""
    moments = state.normalizer.observations
    return snapshots.parameters(population, state.learners.theta) | {
        "observation.mean": moments.mean,
        "observation.variance": moments.variance,
    }


def how_it_ran(shard: Shard, state: TrainingState, on: Resources) -> dict[str, Any]:
    """Time, machine, versions and commit of this run."""
    steps = len(state.diagnostics) * shard.cell.settings.iteration_steps * len(shard.members)
    return {
        "started": state.started,
        "wall_seconds": round(state.wall_seconds, 3),
        "training_seconds": round(state.training_seconds, 3),
        "compile_seconds": round(state.compile_seconds, 3),
        "steps_per_second": round(steps / state.training_seconds, 1),
        "resumed": state.resumed,
        "mode": state.mode,
        "device": on.device,
        "device_note": on.note,
        "threads": on.threads,
        "peak_memory_mb": round(records.peak_memory_mb(), 1),
        **records.environment_provenance(),
    }


def _seeds(shard: Shard) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([member.seed for member in shard.members], dtype=np.int64)


@contextmanager
def resources(shard: Shard, options: argparse.Namespace) -> Iterator[Resources]:
    """Where and how `shard` is computed, said in one line; a GPU is leased as long as the block lasts.

    Raises SpecificationError where CUDA is asked for and not to be had.
    """
    needed, folder = memory.device_needed(shard, options.batches), devices.locks_folder()
    with devices.place(needed, options.device, devices.find(), folder) as place:
        where = confirmed(place, options.device)
        print(f"device: {where.device} ({where.note})", file=sys.stderr)
        yield Resources(where.device, options.threads, options.mode, where.note, options.batches)


def confirmed(place: devices.Place, asked: devices.Asked) -> devices.Place:
    """`place`, unless torch cannot use the GPU after all. Raises SpecificationError where CUDA is asked for."""
    if place.device == "cpu" or torch.cuda.is_available():
        return place
    without = devices.Found((), f"torch {torch.__version__} cannot use {place.note}")
    devices.require(asked, without, 0)
    return devices.Place("cpu", without.missing)


def shard_of_plan(paper: Path, scale: str, shard_hash: str) -> Shard:
    """The planned shard with that hash. Raises SpecificationError."""
    plan = load_plan(paper)
    require_scale(plan, scale, paper)
    shards = plan.all_shards(scale)
    if shard_hash not in shards:
        raise SpecificationError(
            f"--shard: {shard_hash!r} is not planned in {paper / 'experiments.yaml'} at scale {scale}"
        )
    return shards[shard_hash]


def shard_of_options(options: argparse.Namespace) -> Shard:
    """One cell spelled out on the command line. Raises SpecificationError."""
    twice = [seed for seed in options.seed if options.seed.count(seed) > 1]
    if twice:
        raise SpecificationError(f"--seed: {twice[0]} stands twice; seeds must differ")
    try:
        protocol = Protocol(options.segments, options.evaluation_episodes, options.curve_rows)
        members = tuple(Member(seed=seed) for seed in options.seed)
    except ValidationError as error:
        raise SpecificationError(explain(error, "command line")) from error
    settings = _assignments(options.set)
    return Shard(make_cell(options.method, options.env, settings, options.steps, protocol), members)


def _assignments(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE pairs, values read as YAML."""
    settings: dict[str, Any] = {}
    for assignment in given:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise SpecificationError(f"--set: {assignment!r} must be NAME=VALUE")
        if name in settings:
            raise SpecificationError(f"--set: {name!r} stands twice")
        try:
            settings[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SpecificationError(f"--set: {assignment!r}: value is not valid YAML") from error
    return settings


def shard_asked_for(options: argparse.Namespace) -> Shard:
    """The shard of a plan, or one spelled out; not a mixture. Raises SpecificationError."""
    planned = (options.paper, options.scale, options.shard)
    single = (options.method, options.env)
    if all(planned) and not any(single):
        return shard_of_plan(*planned)
    if all(single) and not any(planned):
        shard = shard_of_options(options)
        print(f"{shard.name}: {shard.cell.settings!r}", file=sys.stderr)
        return shard
    raise SpecificationError("give --method and --env, or --paper, --scale and --shard")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m algorithms.train", description=__doc__)
    planned = p.add_argument_group("a shard of a paper's plan")
    planned.add_argument("--paper", type=Path, help="folder with experiments.yaml")
    planned.add_argument("--scale", choices=SCALES)
    planned.add_argument("--shard", help="hash of the shard")
    single = p.add_argument_group("one run, without a plan")
    single.add_argument("--method", help=", ".join(METHODS))
    single.add_argument("--env", help="environment")
    single.add_argument("--seed", type=int, nargs="+", default=[0], help="one member a seed")
    single.add_argument("--steps", type=int, default=1_000_000)
    single.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    single.add_argument("--segments", type=int, default=20)
    single.add_argument("--evaluation-episodes", type=int, default=100)
    single.add_argument("--curve-rows", type=int, default=200)
    p.add_argument("--records", type=Path, default=Path("results/runs"))
    p.add_argument("--scratch", type=Path, default=Path("results/scratch"))
    p.add_argument("--device", choices=devices.ASKED, default="auto")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--batches", type=int, default=1, help="of members, one after the other")
    p.add_argument("--mode", choices=("auto", "eager", "compiled"), default="auto")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 2 where what was asked for cannot be, 1 where training failed."""
    options = parser().parse_args(argv)
    try:
        for name in ("threads", "batches"):
            if getattr(options, name) < 1:
                told = f"must be at least 1 (got {getattr(options, name)})"
                raise SpecificationError(f"--{name}: {told}")
        shard = shard_asked_for(options)
        needed = memory.device_needed(shard, options.batches)
        devices.require(options.device, devices.find(), needed)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    record, scratch = options.records / shard.name, options.scratch / shard.hash
    try:
        options.scratch.mkdir(parents=True, exist_ok=True)
        # Another process may be training the same shard: wait for it rather than share its checkpoint.
        lock = lock_of(options.scratch, shard.hash)
        with exclusive(lock):
            (scratch / FAILURE).unlink(missing_ok=True)  # what an earlier attempt left
            if (record / HEADER).exists():
                read_header(record)
                print(f"already recorded: {record}")
            else:
                with resources(shard, options) as on:
                    train(shard, options.records, scratch, on, bar=options.paper is None)
                print(f"recorded {record}{_diverged(record)}")
            checkpoint.forget(scratch)
        lock.unlink(missing_ok=True)  # who still waits for it will find the record
    except Exception as error:
        _book_failure(scratch, error)
        return 1
    return 0


def _diverged(record: Path) -> str:
    """A word on members that diverged, if any did."""
    members = read_header(record)["members"]
    lost = [str(member["seed"]) for member in members if member["status"] == "diverged"]
    return (
        f" ({len(lost)} of {len(members)} members diverged: seed {', '.join(lost)})" if lost else ""
    )


def _book_failure(scratch: Path, error: Exception) -> None:
    """Say the reason, and leave it where the ledger finds it."""
    if not isinstance(error, SpecificationError | OSError):
        traceback.print_exc()
    print(f"error: {error}", file=sys.stderr)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    message = f"{type(error).__name__}: {error}".splitlines()[0]
    with suppress(OSError, RecordError):  # a full disk may be the reason itself
        scratch.mkdir(parents=True, exist_ok=True)
        records.write_json(scratch / FAILURE, {"error": message, "time": now})


if __name__ == "__main__":
    sys.exit(main())
