"""Populations that learn from replay: SAC's family.

A method of this kind names its *blocks*, parameters with a loss and a step size of their own, in the order in which an
update moves them; a later block sees what the earlier ones became. Copies of some blocks follow slowly. Shapes: P
members, D parameters of one member, T of their slow copies, B batch, C capacity of a replay, O observation, A action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import psutil
import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from algorithms.cell import Shard
from algorithms.keys import Draws, integers, member_key, uniforms
from algorithms.memory import replay_shape, require_memory, row_size
from algorithms.methods.off_policy import Block, Transitions
from algorithms.methods.ppo import Diagnostics, Hyperparameters
from algorithms.population.base import Population
from algorithms.population.learners import (
    Layout,
    Learners,
    Weights,
    adam_step,
    bias_corrections,
)
from algorithms.replay import Replay
from algorithms.seeding import Purpose
from algorithms.settings import Replayed, off_policy
from envs.registry import Continuous

_ROWS, _LOSSES = 0, 1
"""Uses of the random numbers of one update: which transitions it sees, and what its losses draw."""


@dataclass(frozen=True)
class Moved:
    """The parameters that a block moves: where they lie, their layout, the columns of each group, least values [columns]."""

    columns: slice
    layout: Layout
    groups: Mapping[str, int]
    least: Tensor | None


class OffPolicy(Population):
    """Members that make one update with a batch from their replay after each step, or every few."""

    def __init__(self, shard: Shard, device: torch.device, compiled: bool) -> None:
        super().__init__(shard, device, compiled)
        self.settings: Replayed = off_policy(shard.cell.settings)
        space = self.cell.world.action
        if not isinstance(space, Continuous):
            raise TypeError(f"{self.cell.environment}: its actions are not continuous")
        self._space = space
        self.blocks: dict[str, Block] = self.family.blocks(self.settings, self.cell.world)
        # Found here, not in what is compiled or repeated: a compiler knows no offsets as constants.
        self._moved = {name: self._moved_by(block) for name, block in self.blocks.items()}
        self._slow = {name: self.layout.part(name) for name in self.family.followed(self.settings)}
        self._followed_columns = [self.layout.columns(name) for name in self._slow]
        self._action_keys = self._member_keys(Purpose.ACTION_NOISE)
        self._update_keys = self._member_keys(Purpose.UPDATES)
        self._action_count, self._counts, self.diagnostics = self._ask()
        self._act = self.wrap(self._explore)
        self._prepare = self.wrap(self._draw)
        self._steps = {name: self.wrap(partial(self._step, name)) for name in self.blocks}
        self._drift = self.wrap(self._follow)

    def _member_keys(self, purpose: Purpose) -> Tensor:
        members = self.shard.members
        return torch.stack([member_key(m.seed, purpose) for m in members]).to(self.device)

    def _ask(self) -> tuple[int, list[int], tuple[str, ...]]:
        """How many uniform numbers an action takes, and the loss of each block, and the names of diagnostics.

        Found by asking each once.
        """
        world, settings, theta = self.cell.world, self.settings, self._initial
        parameters = self.layout.unflatten(theta[0])
        hyper = {name: value[0].cpu() for name, value in self.hyper.items()}
        policy = self.family.act(parameters, torch.zeros(world.observation_size), hyper, settings)
        acting = Draws(None)
        self.family.explore(policy, acting)
        sizes = world.observation_size, world.action.size
        rows = torch.zeros(settings.batch_size, 1, row_size(*sizes))
        batch = Transitions.of(rows, *sizes, hyper["gamma"])
        slow = self._followed(self.targets(theta)[0])
        counts: list[int] = []
        names: list[str] = []
        for block in self.blocks.values():
            learning = Draws(None)
            names.extend(block.loss(parameters, slow, batch, learning, hyper, settings)[1])
            counts.append(learning.taken)
        return acting.taken, counts, tuple(names)

    def targets(self, theta: Tensor) -> Tensor:
        """The blocks that slow copies follow, side by side: [P, T]."""
        followed = (theta[:, columns] for columns in self._followed_columns)
        return torch.cat([theta[:, :0], *followed], 1)

    def replay(self) -> Replay:
        """An empty replay of the shard's size. Raises NotEnoughMemoryError where memory does not hold it."""
        world, (members, capacity, numbers) = self.cell.world, replay_shape(self.shard)
        sizes = (world.observation_size, world.action.size)
        require_memory(members, capacity, numbers, self._available())
        return Replay.empty(members, capacity, *sizes, self.device)

    def _available(self) -> int:
        """Bytes of memory that the device has left."""
        if self.device.type == "cuda":
            kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(
                self.device
            )
            return int(torch.cuda.mem_get_info(self.device)[0]) + kept
        return int(psutil.virtual_memory().available)

    def warm_up(self, replay: Replay | None) -> None:
        """Compile every function for the shapes of this shard; what they return is thrown away.

        What is compiled is for a replay of this capacity, so training's own is read: a second would take as much memory again.
        """
        assert replay is not None
        learners, hyper = self.learners(), self.scheduled(0)
        seen = torch.zeros(len(self.shard.members), self.cell.world.observation_size)
        self.explore(learners, seen.to(self.device), self.settings.initial_steps, hyper)
        self.update(learners, replace(replay, count=self.settings.return_steps), hyper)
        if self.settings.target_period > 1:
            self._drift(learners.target, learners.theta, learners.alive, hyper["target_rate"])

    def explore(
        self, learners: Learners, observation: Tensor, step: int, hyper: Hyperparameters
    ) -> Tensor:
        """Actions [P, A] in the policy's units for `observation` [P, O] at a step; 0 where a member learns no more.

        They are uniform on [−1, 1] for the first `initial_steps` steps.
        """
        now = torch.tensor(step, device=self.device)
        if step < self.settings.initial_steps:
            size = self.cell.world.action.size
            first: Tensor = 2 * vmap(lambda key: uniforms(key, now, 0, size))(self._action_keys) - 1
            return first * learners.alive.unsqueeze(-1)
        action: Tensor = self._act(
            learners.theta, learners.alive, self._action_keys, observation, now, hyper
        )
        return action

    def to_world(self, action: Tensor) -> Tensor:
        """Actions in the policy's units, [−1, 1], in those of the environment."""
        scaled: Tensor = self._space.scaled(action)
        return scaled

    def mode(self, learners: Learners, observation: Tensor) -> Tensor:
        """Deterministic actions [P, …, A] of the final policies, in the environment's units."""
        return self.to_world(super().mode(learners, observation))

    def update(self, learners: Learners, replay: Replay, hyper: Hyperparameters) -> Diagnostics:
        """One step of every block, and of the slow copies where one is due, in place. Diagnostics [P].

        A member whose loss or gradient is not finite learns no more: that block of it stays as it was, and so do all
        from then on.
        """
        correction = bias_corrections(learners.updates, 1, learners.theta)[0]
        steps = self.settings.return_steps
        # Transitions that stand alone may be counted from anywhere.
        first = replay.oldest if steps > 1 else 0
        number, windows, oldest = (
            torch.tensor(x, device=self.device)
            for x in (learners.updates, replay.stored - steps + 1, first)
        )
        batch, numbers = self._prepare(
            replay.data, self._update_keys, number, windows, oldest, hyper["gamma"]
        )
        diagnostics: Diagnostics = {}
        for step, own in zip(self._steps.values(), numbers, strict=True):
            learners.alive, found = step(
                learners.weights, learners.target, learners.alive, batch, own, hyper, correction
            )
            diagnostics |= found
        learners.updates += 1
        if learners.updates % self.settings.target_period == 0:
            self._drift(learners.target, learners.theta, learners.alive, hyper["target_rate"])
        return diagnostics

    def _explore(
        self,
        theta: Tensor,
        alive: Tensor,
        member_keys: Tensor,
        observation: Tensor,
        now: Tensor,
        hyper: Hyperparameters,
    ) -> Tensor:
        def one(flat: Tensor, key: Tensor, seen: Tensor, own: Hyperparameters) -> Tensor:
            policy = self.family.act(self.layout.unflatten(flat), seen, own, self.settings)
            numbers = uniforms(key, now, 0, self._action_count)
            action: Tensor = self.family.explore(policy, Draws(numbers))
            return action

        action = vmap(one)(theta, member_keys, observation, hyper)
        return torch.where(alive.unsqueeze(-1), action, torch.zeros_like(action))

    def _draw(
        self,
        data: Tensor,
        member_keys: Tensor,
        number: Tensor,
        windows: Tensor,
        oldest: Tensor,
        gamma: Tensor,
    ) -> tuple[Transitions, list[Tensor]]:
        """For one update: a batch of each member's transitions, and uniform numbers [P, K] for each block.

        A transition is one of so many `windows` of `return_steps` steps, the first of which begins at `oldest`. Compiled
        apart from what uses them, or they would be made again at every use.
        """
        size, count, capacity = self.settings.batch_size, sum(self._counts), data.shape[1]
        sizes = self.cell.world.observation_size, self.cell.world.action.size
        later = torch.arange(self.settings.return_steps, device=self.device)

        def one(own: Tensor, key: Tensor, discount: Tensor) -> tuple[Transitions, Tensor]:
            first = oldest + integers(key, number, _ROWS, windows, size)
            rows = own[(first.unsqueeze(-1) + later) % capacity]
            return Transitions.of(rows, *sizes, discount), uniforms(key, number, _LOSSES, count)

        batch, numbers = vmap(one)(data, member_keys, gamma)
        return batch, list(torch.split(numbers, self._counts, dim=1))

    def _step(
        self,
        name: str,
        weights: Weights,
        target: Tensor,
        alive: Tensor,
        batch: Transitions,
        numbers: Tensor,
        hyper: Hyperparameters,
        correction: Tensor,
    ) -> tuple[Tensor, Diagnostics]:
        """Move one block in place: who still learns [P], and diagnostics."""
        moved = self._moved[name]
        before = weights.columns(moved.columns)
        gradient, (loss, found) = self._gradient(
            name, before.theta, weights.theta, target, batch, numbers, hyper
        )
        alive = alive & loss.isfinite() & gradient.isfinite().all(dim=1)
        rate = self._rates(name, hyper)
        after = adam_step(before, gradient, rate, correction, hyper["adam_epsilon"])
        if moved.least is not None:
            after = after._replace(theta=torch.maximum(after.theta, moved.least.to(after.theta)))
        for old, new in zip(before, after.kept(alive, before), strict=True):
            old.copy_(new)
        return alive, found

    def _moved_by(self, block: Block) -> Moved:
        """What a block moves."""
        names = sorted(block.learning_rates, key=lambda group: self.layout.columns(group).start)
        sizes = {group: sum(self.layout.part(group).sizes) for group in names}
        bounds = [torch.full((n,), block.least.get(g, -torch.inf)) for g, n in sizes.items()]
        least = torch.cat(bounds).to(self.device) if block.least else None
        return Moved(self.layout.columns(*names), self.layout.part(*names), sizes, least)

    def _rates(self, name: str, hyper: Hyperparameters) -> Tensor:
        """The step sizes of a block: [P, 1], or [P, its columns] where its groups have different ones."""
        rates = self.blocks[name].learning_rates
        if len(rates) == 1:
            return next(iter(rates.values()))(hyper).unsqueeze(-1)
        groups = self._moved[name].groups.items()
        return torch.cat([rates[g](hyper).unsqueeze(-1).expand(-1, n) for g, n in groups], 1)

    def _gradient(
        self,
        name: str,
        own: Tensor,
        theta: Tensor,
        target: Tensor,
        batch: Transitions,
        numbers: Tensor,
        hyper: Hyperparameters,
    ) -> tuple[Tensor, tuple[Tensor, Diagnostics]]:
        """Gradient [P, columns of the block] of the block's loss, that loss [P], and diagnostics."""
        part, block = self._moved[name].layout, self.blocks[name]

        def member_loss(
            moving: Tensor,
            flat: Tensor,
            slow: Tensor,
            own_batch: Transitions,
            own_numbers: Tensor,
            own_hyper: Hyperparameters,
        ) -> tuple[Tensor, Diagnostics]:
            parameters = self.layout.unflatten(flat) | part.unflatten(moving)
            draws, copies = Draws(own_numbers), self._followed(slow)
            return block.loss(parameters, copies, own_batch, draws, own_hyper, self.settings)

        gradient_of = vmap(grad_and_value(member_loss, has_aux=True))
        found: tuple[Tensor, tuple[Tensor, Diagnostics]] = gradient_of(
            own, theta, target, batch, numbers, hyper
        )
        return found

    def _follow(self, target: Tensor, theta: Tensor, alive: Tensor, rate: Tensor) -> None:
        """Move the slow copies [P, T] towards what they follow, in place, where a member learns."""
        speed, latest = (rate * alive).unsqueeze(-1), self.targets(theta)
        # A copy at rate 1 is exact, which the sum would be up to rounding alone.
        target.copy_(torch.where(speed == 1, latest, target + speed * (latest - target)))

    def _followed(self, slow: Tensor) -> dict[str, Tensor]:
        """The slow copies [T] by the names of the parameters that they follow."""
        parts = torch.split(slow, [sum(layout.sizes) for layout in self._slow.values()])
        layouts = self._slow.values()
        return {
            name: value
            for layout, part in zip(layouts, parts, strict=True)
            for name, value in layout.unflatten(part).items()
        }
