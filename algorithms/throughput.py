"""How fast this machine is: a few cells trained for a moment, on one thread, and what their parts cost.

Times are processor time, so that what else runs on the machine matters little; on a GPU they are what a clock shows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.checkpoint import TrainingState
from algorithms.episodes import Episodes
from algorithms.interaction import OffPolicyLoop
from algorithms.population import OffPolicy, OnPolicy, Population, make_population
from algorithms.rollout import Collector, fresh_normalizer
from algorithms.work import Work, calls_of, counted
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Discrete

SECONDS = 0.4
"""How long each call is repeated; the whole takes about twenty seconds."""
COPIES = 8
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
PROBES = (ON_POLICY, ON_POLICY._replace(members=COPIES), REPLAY, NATIVE)


class Loop(NamedTuple):
    """Seconds that Python takes around one lock-step of the environments, and besides for each copy."""

    step: float
    copy: float


@dataclass(frozen=True)
class Speed:
    """Seconds of one operation of torch, of a number that it writes, of a floating-point operation; and the rest.

    `environments` has the seconds of one step of one copy; `startup` is how long a process takes to load what it needs.
    """

    operation: float
    element: float
    flop: float
    on_policy: Loop
    replay: Loop
    startup: float
    environments: Mapping[str, float]


def measure(device: torch.device) -> Speed:
    """Measure this machine; which environments step how fast is asked for apart, by `environment_seconds`."""
    startup = sum(
        psutil.Process().cpu_times()[:2]
    )  # so far this process has loaded what training loads
    populations = [_population(probe, device) for probe in PROBES]
    costs = _fit([pair for population in populations for pair in _timed_calls(population)])
    loops = (_loop(ON_POLICY, device), _loop(REPLAY, device))
    return Speed(*costs, *loops, startup, {})


def environment_seconds(name: str) -> float:
    """Seconds of one step of one copy, among eight with uniform actions."""
    world = ENVIRONMENTS[name]
    pool = Pool(world, range(COPIES))
    pool.reset()
    chance, space = np.random.default_rng(0), world.action
    actions: NDArray[Any] = (
        chance.integers(0, space.size, COPIES)
        if isinstance(space, Discrete)
        else chance.uniform(space.low, space.high, (COPIES, space.size))
    )
    return _seconds(lambda: pool.step(actions), torch.device("cpu"), SECONDS / 4) / COPIES


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


def _fit(measured: list[tuple[Work, float]]) -> tuple[float, float, float]:
    """Seconds of an operation, an element and a flop that come nearest to what was measured, in proportion; none negative."""
    rows = np.array([work for work, _ in measured]) / np.array([[s] for _, s in measured])
    scale = rows.max(axis=0)
    found, _ = nnls(rows / scale, np.ones(len(rows)))
    operation, element, flop = found / scale
    return float(operation), float(element), float(flop)


def _loop_seconds(probe: Probe, members: int, device: torch.device) -> float:
    """Seconds of one lock-step of `members` environments in training, without those of policy and simulator."""
    population = _population(probe._replace(members=members), device)
    state = TrainingState(
        population.learners(),
        fresh_normalizer(population),
        Episodes(),
        np.zeros(members, dtype=np.int64),
        np.full(members, -1, dtype=np.int64),
        population.replay() if isinstance(population, OffPolicy) else None,
    )
    policy = _seconds(calls_of(population)["act"], device, SECONDS)
    simulator = members * environment_seconds(probe.environment)
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


def _loop(probe: Probe, device: torch.device) -> Loop:
    """The loop around one copy, and what each further one adds."""
    one, many = (_loop_seconds(probe, members, device) for members in (1, COPIES))
    copy = max(0.0, many - one) / (COPIES - 1)
    return Loop(max(0.0, one - copy), copy)


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
