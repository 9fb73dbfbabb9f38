"""Members stacked on a leading axis and trained in lock-step: the only home of vmap and torch.compile.

A member's parameters are one row of a flat matrix, so gradients, clipping and Adam of all members are a
handful of operations. Shapes: P members, D parameters of one member, B batch, N transitions of a rollout.
"""

from __future__ import annotations

import math
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value, vmap

from algorithms.cell import Cell, Shard
from algorithms.methods import FAMILIES
from algorithms.methods.ppo import Batch, Diagnostics, Hyperparameters
from algorithms.networks import Parameters
from algorithms.seeding import Purpose, stream
from envs.registry import Discrete

ADAM_BETAS = (0.9, 0.999)
# Measured with five members on one core of an AMD EPYC (benchmarks/compilation.py): what a compiled update
# and a compiled action save over eager ones, and what compiling costs with an empty cache.
SAVED_SECONDS_PER_UPDATE = 2.5e-3
SAVED_SECONDS_PER_ACTION = 2e-4
COMPILE_SECONDS = 25.0


class Layout:
    """How one member's parameters lie in a flat vector of D numbers."""

    def __init__(self, example: Parameters) -> None:
        self.names = tuple(example)
        self.shapes = tuple(tuple(tensor.shape) for tensor in example.values())
        self.sizes = [math.prod(shape) for shape in self.shapes]

    def flatten(self, parameters: Parameters) -> Tensor:
        """[D] from a parameter dictionary."""
        return torch.cat([parameters[name].reshape(-1) for name in self.names])

    def unflatten(self, flat: Tensor) -> Parameters:
        """The parameter dictionary of [D]."""
        parts = torch.split(flat, self.sizes)
        return {
            name: part.view(shape)
            for name, part, shape in zip(self.names, parts, self.shapes, strict=True)
        }


@dataclass
class Learners:
    """What learning changes: parameters and Adam's moments [P, D], and which members still learn [P]."""

    theta: Tensor
    first_moment: Tensor
    second_moment: Tensor
    alive: Tensor
    updates: int = 0


def adam_step(
    learners: Learners,
    gradient: Tensor,
    learning_rate: Tensor,
    correction: Tensor,
    epsilon: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """New parameters and moments of Adam (Kingma & Ba 2015), each member with its own rate [P].

    `correction` holds 1 − β₁ᵗ and 1 − β₂ᵗ, computed in float64 by `bias_corrections`.
    """
    first = learners.first_moment.lerp(gradient, 1 - ADAM_BETAS[0])
    second = learners.second_moment * ADAM_BETAS[1] + (1 - ADAM_BETAS[1]) * gradient.square()
    denominator = second.sqrt() / correction[1].sqrt() + epsilon.unsqueeze(-1)
    step = (learning_rate / correction[0]).unsqueeze(-1)
    return learners.theta - step * first / denominator, first, second


def bias_corrections(first: int, count: int, like: Tensor) -> Tensor:
    """[count, 2]: 1 − β₁ᵗ and 1 − β₂ᵗ for t = first + 1 …, in the dtype and device of `like`."""
    t = torch.arange(first + 1, first + count + 1, dtype=torch.float64)
    columns = [1 - torch.tensor(beta, dtype=torch.float64) ** t for beta in ADAM_BETAS]
    return torch.stack(columns, dim=1).to(like)


def clip_by_norm(gradient: Tensor, max_norm: Tensor) -> tuple[Tensor, Tensor]:
    """Scale each member's gradient [P, D] down to its `max_norm` [P]; also the norms before [P].

    As torch.nn.utils.clip_grad_norm_ does for one model.
    """
    norm = gradient.norm(dim=1)
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return gradient * scale.unsqueeze(-1), norm


class Population:
    """The members of a shard as one learner."""

    def __init__(self, shard: Shard, device: torch.device, compiled: bool) -> None:
        self.shard, self.device, self.compiled = shard, device, compiled
        self.cell = shard.cell
        self.settings = shard.cell.settings
        self.family = FAMILIES[self.settings.family]
        fresh = [
            self.family.init(
                self.settings, self.cell.world, stream(member.seed, Purpose.INITIALISATION)
            )
            for member in shard.members
        ]
        self.layout = Layout(fresh[0])
        self._initial = torch.stack([self.layout.flatten(parameters) for parameters in fresh])
        self.hyper = self._hyperparameters()
        wrap: Callable[..., Any] = _compile if compiled else _as_it_is
        self._act = wrap(self._sample)
        self._look = wrap(vmap(self._assess_one))
        self._update = wrap(self._update_all)

    def learners(self) -> Learners:
        """Fresh learners, each as its seed alone decides."""
        theta = self._initial.to(self.device)
        alive = torch.ones(len(theta), dtype=torch.bool, device=self.device)
        return Learners(theta, torch.zeros_like(theta), torch.zeros_like(theta), alive)

    def warm_up(self) -> None:
        """Compile every function for the shapes of this shard; what they return is thrown away."""
        settings, world, members = self.settings, self.cell.world, len(self.shard.members)
        learners = self.learners()
        discrete = isinstance(world.action, Discrete)

        def blank(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(members, *shape, dtype=dtype, device=self.device)

        def actions(count: int) -> Tensor:
            size = world.action.size
            return blank(count, dtype=torch.int64) if discrete else blank(count, size)

        copies, n = settings.environments, settings.batch_size
        seen = blank(n, world.observation_size)
        hyper = self.scheduled(0)
        noise = blank(copies, world.action.size)
        self.sample(learners, seen[:, :copies].contiguous(), noise, hyper)
        self.assess(learners, seen, actions(n), hyper)
        rollout = Batch(seen, actions(n), blank(n), blank(n), blank(n), blank(n))
        rows = blank(settings.minibatch_size, dtype=torch.int64).unsqueeze(0)
        self.update(learners, rollout, rows, hyper)

    def _hyperparameters(self) -> Hyperparameters:
        """Per-member hyperparameters as tensors [P]."""
        chosen = self.shard.chosen
        columns = {
            name: [
                member.setting.get(name, chosen.get(name, getattr(self.settings, name)))
                for member in self.shard.members
            ]
            for name in self.settings.per_member()
        }
        return {
            name: torch.tensor(column, dtype=torch.float32, device=self.device)
            for name, column in columns.items()
        }

    def scheduled(self, iteration: int) -> Hyperparameters:
        """Hyperparameters [P] of one iteration, on the linear schedules that the settings name.

        Iteration `cell.iterations` is what the schedules end with: what the final policy acts by.
        """
        passed = iteration / self.cell.iterations
        factors = self.settings.schedules(passed)
        return self.hyper | {name: self.hyper[name] * factor for name, factor in factors.items()}

    def sample(
        self, learners: Learners, observation: Tensor, noise: Tensor, hyper: Hyperparameters
    ) -> Tensor:
        """Actions [P, …] for observations [P, …, O] and noise; a member that no longer learns acts 0."""
        action: Tensor = self._act(learners.theta, learners.alive, observation, noise, hyper)
        return action

    def mode(self, learners: Learners, observation: Tensor) -> Tensor:
        """Most likely actions [P, …] of the final policies for observations [P, …, O]."""

        def one(flat: Tensor, seen: Tensor, hyper: Hyperparameters) -> Tensor:
            parameters = self.layout.unflatten(flat)
            mode: Tensor = self.family.act(parameters, seen, hyper, self.settings).mode()
            return mode

        return vmap(one)(learners.theta, observation, self.scheduled(self.cell.iterations))

    def assess(
        self, learners: Learners, observation: Tensor, action: Tensor, hyper: Hyperparameters
    ) -> tuple[Tensor, Tensor]:
        """Log-probability of `action` and value of `observation`: [P, N] each."""
        log_prob, value = self._look(learners.theta, observation, action, hyper)
        return log_prob, value

    def values(self, learners: Learners, observation: Tensor) -> Tensor:
        """V(observation): [P, N]."""

        def one(flat: Tensor, seen: Tensor) -> Tensor:
            value: Tensor = self.family.critic(self.layout.unflatten(flat), seen, self.settings)
            return value

        return vmap(one)(learners.theta, observation)

    def update(
        self, learners: Learners, rollout: Batch, minibatches: Tensor, hyper: Hyperparameters
    ) -> Diagnostics:
        """One gradient step for each row of `minibatches` [updates, P, B], indices into `rollout` [P, N].

        A member whose loss or gradient is not finite keeps its last parameters and stops learning.
        Returns the mean of each diagnostic over the updates, [P].
        """
        corrections = bias_corrections(learners.updates, len(minibatches), learners.theta)
        sums: Diagnostics = {}
        for index, correction in zip(minibatches, corrections, strict=True):
            moved = self._update(
                learners.theta,
                learners.first_moment,
                learners.second_moment,
                learners.alive,
                rollout,
                index,
                hyper,
                correction,
            )
            learners.theta, learners.first_moment, learners.second_moment, learners.alive = moved[
                :4
            ]
            diagnostics: Diagnostics = moved[4]
            sums = {
                name: sums[name] + value if sums else value for name, value in diagnostics.items()
            }
        learners.updates += len(minibatches)
        return {name: total / len(minibatches) for name, total in sums.items()}

    def _sample(
        self,
        theta: Tensor,
        alive: Tensor,
        observation: Tensor,
        noise: Tensor,
        hyper: Hyperparameters,
    ) -> Tensor:
        def one(flat: Tensor, seen: Tensor, own_noise: Tensor, own: Hyperparameters) -> Tensor:
            policy = self.family.act(self.layout.unflatten(flat), seen, own, self.settings)
            action: Tensor = policy.sample(own_noise)
            return action

        action = vmap(one)(theta, observation, noise, hyper)
        learning = alive.view(-1, *(1,) * (action.dim() - 1))
        return torch.where(learning, action, torch.zeros_like(action))

    def _assess_one(
        self, flat: Tensor, observation: Tensor, action: Tensor, hyper: Hyperparameters
    ) -> tuple[Tensor, Tensor]:
        parameters = self.layout.unflatten(flat)
        policy = self.family.act(parameters, observation, hyper, self.settings)
        return policy.log_prob(action), self.family.critic(parameters, observation, self.settings)

    def _update_all(
        self,
        theta: Tensor,
        first_moment: Tensor,
        second_moment: Tensor,
        alive: Tensor,
        rollout: Batch,
        index: Tensor,
        hyper: Hyperparameters,
        correction: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Diagnostics]:
        def member_loss(
            flat: Tensor, own_rollout: Batch, rows: Tensor, own: Hyperparameters
        ) -> tuple[Tensor, Diagnostics]:
            batch = Batch(*(column[rows] for column in own_rollout))
            result: tuple[Tensor, Diagnostics] = self.family.loss(
                self.layout.unflatten(flat), batch, own, self.settings
            )
            return result

        gradient_of = vmap(grad_and_value(member_loss, has_aux=True))
        gradient, (loss, diagnostics) = gradient_of(theta, rollout, index, hyper)
        gradient, norm = clip_by_norm(gradient, hyper["max_grad_norm"])
        alive = alive & loss.isfinite() & norm.isfinite()
        before = Learners(theta, first_moment, second_moment, alive)
        after = adam_step(
            before, gradient, hyper["learning_rate"], correction, hyper["adam_epsilon"]
        )
        kept = [
            torch.where(alive.unsqueeze(-1), new, old)
            for new, old in zip(after, (theta, first_moment, second_moment), strict=True)
        ]
        return kept[0], kept[1], kept[2], alive, diagnostics | {"gradient_norm": norm}


def should_compile(cell: Cell) -> bool:
    """Whether compiling is predicted to pay: a fixed rule, so that the same spec always decides alike."""
    updates = cell.iterations * cell.settings.epochs * cell.settings.minibatches
    actions = cell.iterations * cell.settings.rollout_steps
    saved = updates * SAVED_SECONDS_PER_UPDATE + actions * SAVED_SECONDS_PER_ACTION
    return saved > COMPILE_SECONDS


def compiler_missing() -> str | None:
    """What torch.compile would lack on this machine, or None: a C++ compiler, or Python's headers."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return "no C++ compiler (c++, g++ or clang++) on PATH"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return None if header.is_file() else f"no {header} (Debian, Ubuntu: python3-dev)"


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(function, dynamic=False, fullgraph=True)
    return compiled


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
