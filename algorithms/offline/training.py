"""Values of all episodes, labels of the first part by the sign of their advantage, and policies improved once (Section 5.3).

The behaviour is known by its samples alone, so it stays the reference: the KL term of Eq. 10 is estimated on transitions of all
episodes, which is behaviour cloning, and the labelled terms on those of the first part. What is minimised is
`algorithms.improvement` as it stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from algorithms.distributions import DiagonalGaussian
from algorithms.improvement import IMPROVEMENTS, Labels, SampledReference, above, given
from algorithms.networks import Parameters, init_layer_norm_mlp, layer_norm_mlp
from algorithms.offline.data import Episode
from algorithms.offline.playing import play
from algorithms.offline.settings import Arm, Training
from algorithms.returns import generalized_advantages
from algorithms.seeding import Purpose, environment_seeds, stream
from algorithms.specification import SpecificationError
from envs.pool import Floats, Indices
from envs.registry import Continuous

OUTPUT_SCALE = 1e-4
STD_RANGE = (0.1, 1.0)
"""Of a policy's standard deviations, in half the width of the bounds: without a least one, rejected samples could be pushed
away for ever (`paper.yaml` of the PMPO paper)."""
LEAST_SCALE = 1e-6
"""Of an observation's standard deviation; what varies less is not scaled."""
POLICY, VALUE = 0, 1
"""Indices of a seed's streams."""
Row = dict[str, Any]


class Pairs(NamedTuple):
    """Normalised observations [B, O] and actions [B, A] in a policy's units: the samples of a policy that has states."""

    observation: Tensor
    action: Tensor

    def at(self, index: Tensor | slice) -> Pairs:
        """Some of them."""
        return Pairs(self.observation[index], self.action[index])


@dataclass(frozen=True)
class Conditional:
    """A policy over `Pairs`, for `algorithms.improvement`: one sample of each state."""

    parameters: Parameters
    layers: int

    def log_prob(self, pairs: Pairs, /) -> Tensor:
        """log π(a | s) of each pair: [1, B]. Raises ValueError for actions of another size."""
        policy = act(self.parameters, pairs.observation, self.layers)
        if policy.mean.shape != pairs.action.shape:
            raise ValueError(f"actions are {pairs.action.shape}, the policy's {policy.mean.shape}")
        return policy.log_prob(pairs.action).unsqueeze(0)


def act(parameters: Parameters, observation: Tensor, layers: int) -> DiagonalGaussian:
    """π(· | s) for observations [B, O]: mean within ±1, standard deviation within STD_RANGE."""
    mean, spread = layer_norm_mlp(parameters, "policy", observation, layers).chunk(2, -1)
    low, high = STD_RANGE
    return DiagonalGaussian(torch.tanh(mean), low + (high - low) * torch.sigmoid(spread))


def value(parameters: Parameters, observation: Tensor, layers: int) -> Tensor:
    """V(s) [B], in units of a step's reward: (1 − γ) Σ γᵏ r."""
    return layer_norm_mlp(parameters, "value", observation, layers).squeeze(-1)


@dataclass(frozen=True)
class Data:
    """All transitions, episode after episode, float32: `pairs` and successors [N, O], rewards and flags [N].

    `lengths` has the steps of each episode; the first `labelled` transitions are of the first part, and `given` [n] has their labels
    where they come with the data. `mean` and `scale` [O] normalise observations.
    """

    pairs: Pairs
    successor: Tensor
    reward: Tensor
    terminated: Tensor
    ended: Tensor
    lengths: tuple[int, ...]
    labelled: int
    given: Tensor | None
    mean: Tensor
    scale: Tensor

    def normalised(self, observation: Tensor) -> Tensor:
        """What networks see of observations [B, O]."""
        return (observation - self.mean) / self.scale


def prepare(episodes: Sequence[Episode], settings: Training, place: str) -> Data:
    """Episodes as tensors. Raises SpecificationError, naming `place`, where there are fewer than are to be labelled."""
    if len(episodes) < settings.labelled:
        raise SpecificationError(
            f"{place}: has {len(episodes)} episodes, of which labelled = {settings.labelled} cannot be labelled"
        )
    space = settings.world.action
    assert isinstance(space, Continuous)
    joined = [np.concatenate(column) for column in zip(*(e[1:5] for e in episodes), strict=True)]
    action, reward, terminated, _ = (torch.from_numpy(column).float() for column in joined)
    before, after = (
        torch.from_numpy(np.concatenate([e.observation[part] for e in episodes])).float()
        for part in (slice(-1), slice(1, None))
    )
    lengths = tuple(len(episode.reward) for episode in episodes)
    ended = torch.zeros(len(reward))
    ended[np.cumsum(lengths) - 1] = 1
    mean, scale = before.mean(0), before.std(0, correction=0)
    scale = torch.where(scale > LEAST_SCALE, scale, torch.ones_like(scale))
    labels = [e.label for e in episodes[: settings.labelled] if e.label is not None]
    return Data(
        Pairs((before - mean) / scale, space.normalised(action)),
        (after - mean) / scale,
        reward,
        terminated,
        ended,
        lengths,
        sum(lengths[: settings.labelled]),
        torch.from_numpy(np.concatenate(labels)).float() if labels else None,
        mean,
        scale,
    )


class Valued(NamedTuple):
    """What a value function says of all transitions: V(s) and λ-returns, [N] each, and what is reported of its rounds."""

    value: Tensor
    returns: Tensor
    rounds: list[Row]


def valued(data: Data, settings: Training, seed: int) -> Valued:
    """Learn V of the behaviour by regression on λ-returns, computed anew for each round, from all episodes."""
    layers, size = len(settings.hidden) + 1, data.mean.shape[0]
    sizes = (size, *settings.hidden, 1)
    parameters = _fresh(seed, VALUE, "value", sizes)
    optimiser = torch.optim.Adam(parameters.values(), settings.learning_rate, fused=True)
    random = stream(seed, Purpose.MINIBATCHES, VALUE)
    rounds: list[Row] = []
    for index in range(settings.value_rounds):
        _, target = _estimates(parameters, data, settings)
        total = 0.0
        for _ in range(settings.value_updates):
            batch = _drawn(random, len(target), settings.batch)
            error = value(parameters, data.pairs.observation[batch], layers) - target[batch]
            loss = 0.5 * error.square().mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) / settings.value_updates
        explained = 1 - 2 * total / float(target.var(correction=0).clamp(min=1e-12))
        rounds.append({"round": index + 1, "loss": total, "explained": explained})
    return Valued(*_estimates(parameters, data, settings), rounds)


@torch.no_grad()
def _estimates(parameters: Parameters, data: Data, settings: Training) -> tuple[Tensor, Tensor]:
    """V(s) and λ-returns of all transitions: [N] each. Where an episode is cut off, V stands for the rest."""
    layers = len(settings.hidden) + 1
    now = value(parameters, data.pairs.observation, layers)
    return now, now + advantages(now, value(parameters, data.successor, layers), data, settings)


def advantages(now: Tensor, after: Tensor, data: Data, settings: Training) -> Tensor:
    """Generalised advantages [N], for V at states and successors [N]; rewards are scaled by 1 − γ."""
    gamma, gae_lambda = torch.tensor(settings.gamma), torch.tensor(settings.gae_lambda)
    reward = (1 - gamma) * data.reward
    return generalized_advantages(
        reward, now, after, 1 - data.terminated, 1 - data.ended, gamma, gae_lambda
    )


def labelled(data: Data, found: Valued | None) -> Labels:
    """Labels of the first part, [1, n]: those that came with the data, or accepted where the λ-return reaches V (A ≥ 0)."""
    if data.given is not None:
        return given(data.given.unsqueeze(0))
    assert found is not None
    first = slice(data.labelled)
    return above(found.returns[first].unsqueeze(0), found.value[first])


def require_both(labels: Labels, arms: dict[str, Arm], place: str) -> None:
    """Raise SpecificationError where an arm learns from labels that no transition has."""
    for name, arm in arms.items():
        for kind, other, needed, weights in (
            ("accepted", "rejected", arm.accepts, labels.accepted),
            ("rejected", "accepted", arm.rejects, labels.rejected),
        ):
            if needed and not bool(weights.any()):
                raise SpecificationError(
                    f"{place}: labels: all {weights.numel()} labelled transitions are {other}; arm {name!r} learns from {kind} ones"
                )


@dataclass
class Run:
    """What one seed of one arm leaves: rows of `updates` and `evaluations`, each with its `step`."""

    updates: list[Row] = field(default_factory=list)
    evaluations: list[Row] = field(default_factory=list)
    status: str = "done"


def train(data: Data, labels: Labels, arm: Arm, settings: Training, seed: int) -> Run:
    """Train a policy. All arms of a seed start alike and see the same batches; one that is not finite ends as `diverged`."""
    run, layers = Run(), len(settings.hidden) + 1
    sizes = (len(data.mean), *settings.hidden, 2 * data.pairs.action.shape[-1])
    parameters = _fresh(seed, POLICY, "policy", sizes)
    optimiser = torch.optim.Adam(parameters.values(), settings.learning_rate, fused=True)
    random = stream(seed, Purpose.MINIBATCHES, POLICY)
    policy = Conditional(parameters, layers)
    for update in range(1, settings.updates + 1):
        every = _drawn(random, len(data.reward), settings.batch)
        first = _drawn(random, data.labelled, settings.batch)
        here = Labels(labels.accepted[:, first], labels.rejected[:, first])
        optimiser.zero_grad()
        loss = objective(policy, data.pairs.at(every), data.pairs.at(first), here, arm)
        loss.backward()  # type: ignore[no-untyped-call]
        run.updates.append({"step": update, "loss": float(loss.detach())})
        if not math.isfinite(run.updates[-1]["loss"]):
            run.status = "diverged"
            break
        optimiser.step()
        if not all(bool(value.isfinite().all()) for value in parameters.values()):
            run.status = "diverged"
            break
        if update % (settings.updates // settings.evaluations) == 0:
            run.evaluations.append({"step": update, **evaluate(policy, data, settings, seed)})
    return run


def objective(policy: Conditional, every: Pairs, first: Pairs, labels: Labels, arm: Arm) -> Tensor:
    """−J (Eq. 10) on labelled pairs `first` and on `every` pair of the behaviour, its KL a sampled one."""
    alpha, beta = (torch.tensor(float(each)) for each in (arm.alpha or 0, arm.beta))
    if arm.alpha is None:
        labels = Labels(*(torch.zeros_like(each) for each in labels))
    return IMPROVEMENTS["pmpo"](policy, SampledReference(every), first, labels, alpha, beta)


@torch.no_grad()
def evaluate(policy: Conditional, data: Data, settings: Training, seed: int) -> Row:
    """Mean return and its spread over episodes of the mean action, always from the same environments; and what the policy is like.

    `entropy` in nats on all data's states, `saturated`: the share of mean actions beyond 0.99 of a bound there.
    """
    space = settings.world.action
    assert isinstance(space, Continuous)

    def mode(observation: Floats, which: Indices) -> Floats:
        seen = data.normalised(torch.from_numpy(observation).float())
        chosen: Floats = act(policy.parameters, seen, policy.layers).mode().numpy().astype(float)
        scaled: Floats = space.scaled(chosen)
        return scaled

    purpose = Purpose.EVALUATION_ENVIRONMENT
    copies = settings.evaluation_copies
    seeds = environment_seeds(seed, purpose, 0, copies)
    played = play(settings.world, mode, seeds, settings.evaluated // copies)
    totals = [episode.reward.sum() for episode in played]
    on_data = act(policy.parameters, data.pairs.observation, policy.layers)
    return {
        "return_mean": float(np.mean(totals)),
        "return_std": float(np.std(totals)),
        "entropy": float(on_data.entropy().mean()),
        "saturated": float((on_data.mean.abs() > 0.99).float().mean()),
    }


def _fresh(seed: int, index: int, name: str, sizes: Sequence[int]) -> Parameters:
    random = stream(seed, Purpose.INITIALISATION, index)
    drawn = init_layer_norm_mlp(random, name, sizes, OUTPUT_SCALE)
    return {key: tensor.requires_grad_() for key, tensor in drawn.items()}


def _drawn(random: np.random.Generator, count: int, size: int) -> Tensor:
    """Indices of a batch, with replacement."""
    return torch.from_numpy(random.integers(count, size=size))
