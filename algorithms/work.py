"""What training a shard asks of a machine: operations of torch and steps of environments, counted, not timed.

The functions of a population of one member are called once and every operation that they dispatch is counted; a population
of P members dispatches as many, on P times as many numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from algorithms.cell import EVALUATION_COPIES, Shard
from algorithms.evaluate import shares
from algorithms.identity import content_hash
from algorithms.memory import row_size
from algorithms.methods.ppo import Batch
from algorithms.population import (
    OffPolicy,
    OnPolicy,
    Population,
    costs_of,
    make_population,
    should_compile,
)
from algorithms.replay import Replay
from algorithms.settings import METHODS, Replayed
from envs.registry import Discrete


class Work(NamedTuple):
    """Operations that a call dispatches, numbers that they write, and floating-point operations of matrix products."""

    operations: float = 0.0
    elements: float = 0.0
    flops: float = 0.0

    def of(self, members: int) -> Work:
        """The same call for so many members at once."""
        return Work(self.operations, members * self.elements, members * self.flops)

    def times(self, count: float) -> Work:
        """So many of these calls."""
        return Work(*(count * own for own in self))

    def plus(self, other: Work) -> Work:
        """Both."""
        return Work(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Calls:
    """The work of one member: to choose actions, to judge a rollout, to make one update, and to act in evaluation."""

    act: Work
    judge: Work
    update: Work
    evaluate: Work
    parameters: int


@dataclass(frozen=True)
class Demand:
    """What a whole shard asks for.

    `learning` is compiled where `compiling`, the seconds which that takes at first, is not 0; `evaluating` never is. `steps`
    are lock-steps of the training environments and `copies` how many step at once; `evaluation_steps` and `evaluation_copies`
    likewise, at most. Where `replayed`, the loop is that of methods with a replay.
    """

    environment: str
    learning: Work
    evaluating: Work
    steps: int
    copies: int
    evaluation_steps: int
    evaluation_copies: int
    compiling: float
    replayed: bool


class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is dispatched while it is entered; views of other tensors, which move nothing, do not count."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = Work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        out = func(*args, **given)
        returns = func._schema.returns
        alias = returns[0].alias_info if returns else None
        if alias is None or alias.is_write:
            count = flop_registry.get(func.overloadpacket)
            written = out if isinstance(out, tuple | list) else (out,)
            elements = sum(x.numel() for x in written if isinstance(x, Tensor))
            flops = count(*args, **given, out_val=out) if count else 0
            self.work = self.work.plus(Work(1, elements, flops))
        return out


def counted(call: Callable[[], Any]) -> Work:
    """What `call` dispatches."""
    counter = Counter()
    with counter:
        call()
    return counter.work


def calls_of(population: Population) -> dict[str, Callable[[], Any]]:
    """What training calls again and again, by the names of `Calls`, on blank inputs of the right shapes."""
    learners, world = population.learners(), population.cell.world
    members = len(population.shard.members)
    many = torch.zeros(members, EVALUATION_COPIES, world.observation_size)
    many = many.to(population.device)
    shared = {"evaluate": lambda: population.mode(learners, many)}
    if isinstance(population, OnPolicy):
        return shared | _on_policy(population)
    assert isinstance(population, OffPolicy)
    return shared | _off_policy(population)


def _on_policy(population: OnPolicy) -> dict[str, Callable[[], Any]]:
    settings, world = population.settings, population.cell.world
    learners, hyper, device = population.learners(), population.scheduled(0), population.device
    lead = (len(population.shard.members), settings.batch_size)
    seen = torch.zeros(*lead, world.observation_size, device=device)
    actions = (
        torch.zeros(lead, dtype=torch.int64, device=device)
        if isinstance(world.action, Discrete)
        else torch.zeros(*lead, world.action.size, device=device)
    )
    plain = torch.zeros(lead, device=device)
    rollout = Batch(seen, actions, plain, plain, plain, plain)
    rows = torch.zeros(1, lead[0], settings.minibatch_size, dtype=torch.int64, device=device)
    first = seen[:, : settings.environments].contiguous()
    noise = torch.zeros(lead[0], settings.environments, world.action.size, device=device)

    def judge() -> None:
        population.assess(learners, seen, actions, hyper)
        population.values(learners, seen)

    return {
        "act": lambda: population.sample(learners, first, noise, hyper),
        "judge": judge,
        "update": lambda: population.update(learners, rollout, rows, hyper),
    }


def _off_policy(population: OffPolicy) -> dict[str, Callable[[], Any]]:
    settings, world = population.settings, population.cell.world
    learners, hyper, device = population.learners(), population.scheduled(0), population.device
    members, steps = len(population.shard.members), settings.return_steps
    data = torch.zeros(members, steps + 1, row_size(world.observation_size, world.action.size))
    replay = Replay(data.to(device), count=steps + 1)
    seen = torch.zeros(members, world.observation_size, device=device)
    return {
        "act": lambda: population.explore(learners, seen, settings.initial_steps, hyper),
        "judge": lambda: None,
        "update": lambda: population.update(learners, replay, hyper),
    }


def calls(shard: Shard) -> Calls:
    """The work of one member of `shard`, the first."""
    alone = replace(shard, members=shard.members[:1])
    population = make_population(alone, torch.device("cpu"), compiled=False)
    work = {name: counted(call) for name, call in calls_of(population).items()}
    return Calls(**work, parameters=sum(population.layout.sizes))


def key(shard: Shard) -> str:
    """What the work of one member depends on: shards that agree in it need to be counted once."""
    settings, world = shard.cell.settings, shard.cell.world
    shapes = settings.model_dump(mode="json", exclude=set(settings.per_member()))
    worlds = (world.observation_size, world.action_kind, world.action.size, world.drawn_by_member)
    method = (settings.family, METHODS[shard.cell.method].version)
    return content_hash({"method": method, "shapes": shapes, "world": worlds})


def demand(shard: Shard, one: Calls) -> Demand:
    """What `shard` asks for, given the work of `one` member: arithmetic on its specification."""
    cell, settings, members = shard.cell, shard.cell.settings, len(shard.members)
    iteration = (
        one.act.of(members).times(settings.actions_per_iteration),
        one.judge.of(members),
        one.update.of(members).times(settings.updates_per_iteration),
    )
    learning = iteration[0].plus(iteration[1]).plus(iteration[2]).times(cell.iterations)
    protocol = cell.protocol
    every = protocol.evaluation_every
    evaluations = 1 + (cell.steps // every if every else 0)
    quota = shares(protocol.evaluation_episodes)
    longest = evaluations * max(quota) * cell.world.horizon
    share = len(quota) / EVALUATION_COPIES
    acting = one.evaluate._replace(
        elements=share * one.evaluate.elements, flops=share * one.evaluate.flops
    )
    return Demand(
        cell.environment,
        learning,
        acting.of(members).times(longest),
        cell.iterations * settings.actions_per_iteration,
        members * settings.copies,
        longest,
        members * len(quota),
        costs_of(cell).compiling if should_compile(cell) else 0.0,
        isinstance(settings, Replayed),
    )
