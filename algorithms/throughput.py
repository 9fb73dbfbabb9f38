"""How fast this machine is: a few cells trained for a moment, on one thread, and what their parts cost.

Times are processor time, so that what else runs on the machine matters little; on a GPU they are what a clock shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.checkpoint import TrainingState
from algorithms.interaction import OffPolicyLoop
from algorithms.population import OffPolicy, OnPolicy, Population, make_population
from algorithms.rollout import Collector
from algorithms.train import fresh_state
from algorithms.work import Work, calls_of, counted
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Discrete

SECONDS = 0.4
"""How long each call is repeated; the whole takes about twenty seconds."""
FEW, MANY = 2, 16
"""Copies of an environment at which a line through two points is laid: what a lock-step takes, and each copy of it."""
STEPS = 256
COMMON = {"rollout_steps": STEPS, "minibatches": 4}
LATER = {"initial_steps": 0, "update_after": 10**6, "buffer_size": 10**4}


class Probe(NamedTuple):
    """A cell that is measured."""

    method: str
    environment: str
    settings: Mapping[str, Any]
    members: int


ON_POLICY = Probe("ppo", "HalfCheetah-v4", COMMON, 1)
REPLAY = Probe("rep_squashed", "HalfCheetah-v4", LATER, 1)
NATIVE = Probe("rep_squashed", "ShapedPendulum", {**LATER, "hidden": (64, 64)}, 32)
PROBES = (ON_POLICY, ON_POLICY._replace(members=8), REPLAY, NATIVE)


class Line(NamedTuple):
    """Seconds of one lock-step of an environment, or of the Python around it, and besides for each copy."""

    step: float
    copy: float


@dataclass(frozen=True)
class Speed:
    """Seconds of one operation of torch, of a number that it writes, of a floating-point operation; and the rest.

    `on_policy` and `replay` are the Python around a lock-step; `startup` is how long a process takes to load what it needs.
    """

    operation: float
    element: float
    flop: float
    on_policy: Line
    replay: Line
    startup: float
    environments: Mapping[str, Line]


def measure(device: torch.device) -> Speed:
    """Measure this machine; how fast environments step is asked for apart, by `environment_line`."""
    # So far this process has loaded what training loads.
    startup = sum(psutil.Process().cpu_times()[:2])
    populations = [_population(probe, device) for probe in PROBES]
    flop = _flop_seconds(device)
    pairs = [pair for population in populations for pair in _timed_calls(population)]
    operation, element = _fit(pairs, flop)
    loops = (
        _line(lambda copies: _loop_seconds(ON_POLICY, copies, device)),
        _line(lambda copies: _loop_seconds(NATIVE, copies, device)),
    )
    return Speed(operation, element, flop, *loops, startup, {})


def environment_line(name: str) -> Line:
    """Seconds of a lock-step of an environment, with uniform actions."""
    return _line(lambda copies: _step_seconds(name, copies))


def _line(seconds: Callable[[int], float]) -> Line:
    """The line through `seconds` of few copies and of many."""
    few, many = seconds(FEW), seconds(MANY)
    copy = max(0.0, many - few) / (MANY - FEW)
    return Line(max(0.0, few - FEW * copy), copy)


def _step_seconds(name: str, copies: int) -> float:
    """Seconds of a lock-step of so many copies."""
    world = ENVIRONMENTS[name]
    pool = Pool(world, range(copies))
    pool.reset()
    chance, space = np.random.default_rng(0), world.action
    actions: NDArray[Any] = (
        chance.integers(0, space.size, copies)
        if isinstance(space, Discrete)
        else chance.uniform(space.low, space.high, (copies, space.size))
    )
    return _seconds(lambda: pool.step(actions), torch.device("cpu"), SECONDS / 4)


def _population(probe: Probe, device: torch.device) -> Population:
    cell = make_cell(probe.method, probe.environment, probe.settings, 10 * STEPS, Protocol(1, 1, 1))
    members = tuple(Member(seed=seed) for seed in range(probe.members))
    return make_population(Shard(cell, members), device, compiled=False)


def _timed_calls(population: Population) -> Iterator[tuple[Work, float]]:
    """What each call of the population dispatches, and how long it takes."""
    for call in calls_of(population).values():
        work = counted(call)
        if work.operations:
            yield work, _seconds(call, population.device, SECONDS)


def _fit(measured: Sequence[tuple[Work, float]], flop: float) -> tuple[float, float]:
    """Seconds of an operation and of an element that come nearest, in proportion, to what was measured; none negative.

    Those of a flop are given: calls with many flops have many elements, so that both cannot be told from these calls alone.
    """
    taken = np.array([seconds for _, seconds in measured])
    known = np.array([work.flops * flop for work, _ in measured]) / taken
    rows = np.array([(work.operations, work.elements) for work, _ in measured]) / taken[:, None]
    scale = rows.max(axis=0)
    found, _ = nnls(rows / scale, np.maximum(0.0, 1 - known))
    operation, element = found / scale
    return float(operation), float(element)


def _flop_seconds(device: torch.device) -> float:
    """Seconds of a floating-point operation in the product of a batch of 100 with 256 units, of four members."""
    batch, weights = (torch.ones(4, size, 256, device=device) for size in (100, 256))
    return _seconds(lambda: torch.bmm(batch, weights), device, SECONDS) / (2 * 4 * 100 * 256**2)


def _loop_seconds(probe: Probe, members: int, device: torch.device) -> float:
    """Seconds of one lock-step of `members` environments in training, without those of policy and simulator."""
    population = _population(probe._replace(members=members), device)
    state = fresh_state(population)
    policy = _seconds(calls_of(population)["act"], device, SECONDS)
    simulator = _step_seconds(probe.environment, members)
    whole, steps = _training_step(population, state)
    return max(0.0, _seconds(whole, device, SECONDS) / steps - policy - simulator)


def _training_step(population: Population, state: TrainingState) -> tuple[Callable[[], Any], int]:
    """Some lock-steps of training without any update, and how many."""
    if isinstance(population, OnPolicy):
        shard = population.shard
        collector = Collector(shard, 0, state.normalizer, state.episodes, 1)
        return lambda: collector.collect(population, state.learners, 0), STEPS
    assert isinstance(population, OffPolicy)
    loop = OffPolicyLoop(population, state, 0, 1)
    return lambda: loop.iterate(0), population.settings.iteration_steps


def _seconds(call: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """The median time of a call, repeated for so many seconds after a first one that does not count."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time

    def once() -> float:
        start = clock()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return clock() - start

    once()
    end = time.monotonic() + seconds
    found = [once()]
    while time.monotonic() < end:
        found.append(once())
    return float(np.median(found))
