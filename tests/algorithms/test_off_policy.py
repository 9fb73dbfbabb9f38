"""A population that learns from replay: each member as alone, every step of an update against torch's Adam."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from algorithms.cell import Member, Shard
from algorithms.checkpoint import TrainingState
from algorithms.evaluate import Moment, play
from algorithms.interaction import OffPolicyLoop
from algorithms.keys import Draws, integers, member_key, uniforms
from algorithms.methods import sac
from algorithms.methods.off_policy import Transitions
from algorithms.networks import Parameters
from algorithms.population import Learners, OffPolicy
from algorithms.replay import Replay
from algorithms.seeding import Purpose
from algorithms.settings import SAC
from algorithms.train import Resources, prepare
from tests.algorithms.replayed import as_type, experience
from tests.algorithms.small_runs import small_shard

CPU = torch.device("cpu")
EAGER = Resources(mode="eager")
BATCH = 16
SMALL: dict[str, Any] = {"hidden": (8, 8), "batch_size": BATCH, "baseline_actions": 2}
MEMBERS = (
    Member(seed=3, setting={"critic_learning_rate": 1e-3, "alpha": 0.2}),
    Member(seed=5, setting={"critic_learning_rate": 3e-2, "actor_step_ratio": 0.1, "gamma": 0.5}),
    Member(seed=8, setting={"alpha": 2.0, "target_rate": 0.3, "alpha_learning_rate": 0.1}),
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # as training sets it


def shard(method: str, members: tuple[Member, ...] = MEMBERS, **overrides: Any) -> Shard:
    return replace(small_shard(method, "Pendulum", **{**SMALL, **overrides}), members=members)


def population_of(which: Shard, compiled: bool = False) -> OffPolicy:
    return OffPolicy(which, CPU, compiled)


def learn(
    which: Shard, dtype: torch.dtype = torch.float64, updates: int = 5, compiled: bool = False
) -> tuple[Learners, dict[str, Tensor], OffPolicy]:
    population = population_of(which, compiled)
    learners, replay = as_type(population.learners(), dtype), experience(population, dtype)
    hyper = {name: value.to(dtype) for name, value in population.scheduled(0).items()}
    for _ in range(updates):
        diagnostics = population.update(learners, replay, hyper)
    return learners, diagnostics, population


# One agent with torch's optimiser

COUNTS = {
    "rep_squashed": (16, 16, 16),
    "half_rep_sgm": (16 * 3 + 16, 16 * 3 + 16 + 32 * 3 + 32, 16 * 3 + 16),
}
"""Uniform numbers for critic, actor, temperature: 16 actions of one dimension each, Gumbel noise for three components,
and for the actor that has a baseline two actions more in each of 16 states."""


class Reference:
    """One member by torch.optim.Adam, block after block, on leaves of its own."""

    def __init__(self, population: OffPolicy, index: int, counts: tuple[int, ...]) -> None:
        self.counts, self.settings = counts, population.settings
        assert isinstance(self.settings, SAC)
        self.seed = population.shard.members[index].seed
        self.hyper = {n: value[index].double() for n, value in population.scheduled(0).items()}
        fresh = population.layout.unflatten(population.learners().theta[index].double())
        self.parameters = {n: value.clone().requires_grad_() for n, value in fresh.items()}
        self.slow = {n: x.detach().clone() for n, x in fresh.items() if n.startswith("critic")}
        rates = {
            "critic": self.hyper["critic_learning_rate"],
            "actor": self.hyper["critic_learning_rate"] * self.hyper["actor_step_ratio"],
            "temperature": self.hyper["alpha_learning_rate"],
        }
        epsilon = float(self.hyper["adam_epsilon"])
        self.optimisers = {
            block: torch.optim.Adam(self.of(block), lr=float(rate), eps=epsilon)
            for block, rate in rates.items()
        }

    def of(self, block: str) -> list[Tensor]:
        return [x for name, x in self.parameters.items() if name.startswith(f"{block}.")]

    def update(self, data: Tensor, number: int) -> None:
        key, now = member_key(self.seed, Purpose.UPDATES), torch.tensor(number)
        rows = data[integers(key, now, 0, torch.tensor(40), BATCH)]
        batch = Transitions.of(rows.unsqueeze(1), 3, 1, self.hyper["gamma"])
        parts = uniforms(key, now, 1, sum(self.counts)).split(self.counts)
        losses = (sac.critic_loss, sac.actor_loss, sac.temperature_loss)
        for (block, adam), loss, part in zip(self.optimisers.items(), losses, parts, strict=True):
            for other in self.optimisers.values():
                other.zero_grad()
            draws = Draws(part)
            total, _ = loss(self.parameters, self.slow, batch, draws, self.hyper, self.settings)
            assert draws.taken == len(part), block
            total.backward()  # type: ignore[no-untyped-call]
            adam.step()
        for name, copy in self.slow.items():
            copy += self.hyper["target_rate"] * (self.parameters[name].detach() - copy)


def flat(parameters: Parameters) -> Tensor:
    return torch.cat([value.detach().reshape(-1) for value in parameters.values()])


@pytest.mark.parametrize("method", COUNTS)
def test_an_update_is_torchs_adam_block_by_block(method: str) -> None:
    """Critics; the actor against those that result; the temperature of that actor; then the slow copies."""
    components = {} if method == "rep_squashed" else {"components": 3}
    learners, _, population = learn(shard(method, **components))
    data = experience(population, torch.float64).data
    for index in range(len(MEMBERS)):
        reference = Reference(population, index, COUNTS[method])
        for number in range(5):
            reference.update(data[index], number)
        torch.testing.assert_close(
            learners.theta[index], flat(reference.parameters), rtol=1e-9, atol=1e-12
        )
        torch.testing.assert_close(
            learners.target[index], flat(reference.slow), rtol=1e-9, atol=1e-12
        )
    moved = (learners.theta - population.learners().theta.double()).abs()
    assert (moved > 0).double().mean() > 0.8
    assert learners.updates == 5


def test_a_learned_alpha_starts_at_the_members() -> None:
    population = population_of(shard("rep_squashed", alpha=0.5))
    found = population.learners().theta[:, population.layout.columns("temperature")].exp()
    torch.testing.assert_close(found, torch.tensor([[0.2], [0.5], [2.0]]))
    chosen = replace(population.shard, chosen={"alpha": 0.7}, members=MEMBERS[:2])
    found = population_of(chosen).learners().theta[:, -1].exp()
    torch.testing.assert_close(found, torch.tensor([0.2, 0.7]))


# Members


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("like_squashed", {}),
        ("half_rep_sgm", {}),
        ("gumbel_rep_cm", {"automatic_alpha": False}),
        ("uniform_rep_sgm", {"squashed": False}),
    ],
)
def test_a_member_learns_as_it_would_alone(method: str, overrides: dict[str, Any]) -> None:
    together, diagnostics, _ = learn(shard(method, **overrides))
    for index, member in enumerate(MEMBERS):
        alone, own, _ = learn(shard(method, (member,), **overrides))
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(together.target[index], alone.target[0], rtol=1e-9, atol=1e-12)
        assert own.keys() == diagnostics.keys() == set(sac_diagnostics())
        for name, value in own.items():
            torch.testing.assert_close(diagnostics[name][index], value[0], rtol=1e-9, atol=1e-12)


def sac_diagnostics() -> tuple[str, ...]:
    return ("critic_loss", "value", "log_prob", "alpha")


def test_in_single_precision_alone_and_together_agree_to_1e_5() -> None:
    together, _, _ = learn(shard("half_rep_sgm"), torch.float32)
    for index, member in enumerate(MEMBERS):
        alone, _, _ = learn(shard("half_rep_sgm", (member,)), torch.float32)
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-5, atol=1e-6)


def test_permuting_members_permutes_results() -> None:
    forward, _, _ = learn(shard("half_rep_sgm"))
    backward, _, _ = learn(shard("half_rep_sgm", MEMBERS[::-1]))
    torch.testing.assert_close(forward.theta, backward.theta.flip(0), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(forward.target, backward.target.flip(0), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(forward.theta[0], forward.theta[1], atol=0.01)


@pytest.mark.parametrize("method", ["rep_squashed", "mpo"])
def test_compiled_equals_eager(method: str) -> None:
    """After `warm_up` nothing is left to compile, nor to check, whatever the number of the step or update and the replay's filling."""
    if method == "mpo":
        which = small_shard("mpo", "Pendulum", seeds=(0, 1, 2), hidden=(4,), target_period=2)
    else:
        which = shard(method, hidden=(4,), automatic_alpha=False, initial_steps=7)
    compiled, eager = population_of(which, compiled=True), population_of(which)
    compiled.warm_up(compiled.replay())
    seen = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    results = []
    for population, careful in ((eager, True), (compiled, True), (compiled, False)):
        learners, replay = population.learners(), experience(population, torch.float32)
        hyper, found = population.scheduled(0), []
        with torch.compiler.set_stance("fail_on_recompile") if careful else population.warmed_up():
            for stored in (20, 39, 40):
                replay.count = stored
                found.append(population.update(learners, replay, hyper))
            actions = [population.explore(learners, seen, step, hyper) for step in (0, 7, 8, 99)]
        results.append((learners, found, actions))
    (one, found, actions), (other, others, theirs), (same, *_) = results
    assert torch.equal(same.theta, other.theta)
    assert torch.equal(same.target, other.target)
    torch.testing.assert_close(other.theta, one.theta, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(other.target, one.target, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(theirs, actions, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(others, found, rtol=1e-5, atol=1e-6)
    assert not torch.equal(one.theta, eager.learners().theta)


def test_warming_up_takes_no_second_replay_and_leaves_training_as_it_was(tmp_path: Path) -> None:
    state, population = prepare(shard("half_rep_sgm"), tmp_path, EAGER)
    assert isinstance(population, OffPolicy)
    for filled in (state.replay, experience(population, torch.float32)):
        assert filled is not None
        held, count, theta = filled.data.clone(), filled.count, state.learners.theta.clone()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Replay, "empty", None)
            population.warm_up(filled)
        assert torch.equal(filled.data, held)
        assert filled.count == count
        assert torch.equal(state.learners.theta, theta)


# Divergence


def test_a_member_with_a_nan_stops_where_it_was_and_the_others_go_on() -> None:
    population = population_of(shard("half_rep_sgm", initial_steps=10))
    healthy, sick = population.learners(), population.learners()
    replay, hyper = experience(population, torch.float32), population.scheduled(0)
    population.update(healthy, replay, hyper)
    population.update(sick, replay, hyper)
    before = replace(sick, theta=sick.theta.clone(), target=sick.target.clone())
    moments = sick.first_moment.clone(), sick.second_moment.clone()
    population.update(healthy, replay, hyper)
    replay.data[1, :, 4] = torch.nan  # rewards
    population.update(sick, replay, hyper)
    replay.data[1, :, 4] = 0.0
    population.update(healthy, replay, hyper)
    population.update(sick, replay, hyper)
    assert sick.alive.tolist() == [True, False, True]
    for name, own in (("theta", before.theta), ("target", before.target)):
        assert torch.equal(getattr(sick, name)[1], own[1])
        assert torch.equal(getattr(sick, name)[[0, 2]], getattr(healthy, name)[[0, 2]])
        assert not torch.equal(getattr(sick, name)[0], own[0])
    assert torch.equal(sick.first_moment[1], moments[0][1])
    assert torch.equal(sick.second_moment[1], moments[1][1])
    seen = torch.ones(3, 3)
    for step in (0, 10):
        action = population.explore(sick, seen, step, hyper)
        assert action[1].tolist() == [0.0]
        assert action[[0, 2]].ne(0).all()
        assert torch.equal(action[[0, 2]], population.explore(healthy, seen, step, hyper)[[0, 2]])


def test_later_blocks_stay_where_they_were_when_an_earlier_one_breaks_them() -> None:
    """A critic's step of 10³⁶ is finite; the actor's loss against it is not."""
    wild = Member(seed=5, setting={"critic_learning_rate": 1e36})
    population = population_of(shard("rep_squashed", (MEMBERS[0], wild)))
    learners, replay = population.learners(), experience(population, torch.float32)
    fresh, hyper = population.learners(), population.scheduled(0)
    population.update(learners, replay, hyper)
    assert learners.alive.tolist() == [True, False]
    for block, moved in (("critic", True), ("actor", False), ("temperature", False)):
        columns = population.layout.columns(block)
        assert torch.equal(learners.theta[1, columns], fresh.theta[1, columns]) != moved
        assert not torch.equal(learners.theta[0, columns], fresh.theta[0, columns])
    assert torch.equal(learners.target[1], fresh.target[1])
    stopped = learners.theta[1].clone()
    population.update(learners, replay, hyper)
    assert torch.equal(learners.theta[1], stopped)
    assert learners.theta.isfinite().all()


# Acting


def test_first_actions_are_uniform_whatever_is_seen() -> None:
    """1,500 actions of three members; Kolmogorov and Smirnov at level 0.001."""
    population = population_of(shard("rep_squashed", initial_steps=500))
    learners, hyper = population.learners(), population.scheduled(0)
    seen = torch.randn(3, 3, generator=torch.Generator().manual_seed(2))
    drawn = torch.cat([population.explore(learners, seen, step, hyper) for step in range(500)])
    assert stats.kstest(drawn.flatten().numpy(), stats.uniform(-1, 2).cdf).pvalue > 0.001
    assert len(set(drawn.flatten().tolist())) > 1490
    learners.theta = learners.theta + 1
    again = population.explore(learners, seen + 1, 499, hyper)
    assert torch.equal(again, drawn[-3:])


def test_then_they_are_the_policys() -> None:
    """tanh(μ + σ ε), ε by Box and Muller from the member's key of action noise and the step."""
    population = population_of(shard("rep_squashed", initial_steps=500))
    learners, hyper = population.learners(), population.scheduled(0)
    seen = torch.randn(3, 3, generator=torch.Generator().manual_seed(3))
    for step in (500, 501):
        action = population.explore(learners, seen, step, hyper)
        for index, member in enumerate(MEMBERS):
            parameters = population.layout.unflatten(learners.theta[index])
            policy = sac.act(parameters, seen[index], {}, SAC(**SMALL))
            key = member_key(member.seed, Purpose.ACTION_NOISE)
            first, second = uniforms(key, torch.tensor(step), 0, 2)
            noise = (-2 * first.log()).sqrt() * (2 * torch.pi * second).cos()
            expected = torch.tanh(policy.location[0] + policy.scale[0] * noise)
            torch.testing.assert_close(action[index], expected)


# In environments


def begin(
    method: str, environment: str, **overrides: Any
) -> tuple[OffPolicyLoop, TrainingState, OffPolicy]:
    which = small_shard(method, environment, (0, 1), **{**SMALL, **overrides})
    state, population = prepare(which, Path("no-scratch"), EAGER)
    assert isinstance(population, OffPolicy)
    return OffPolicyLoop(population, state, 0, threads=1), state, population


def transitions(state: TrainingState, member: int, *sizes: int) -> Transitions:
    assert state.replay is not None
    rows = state.replay.data[member, : state.replay.count]
    return Transitions.of(rows.unsqueeze(1), *sizes, torch.tensor(1.0))


@pytest.mark.parametrize(
    ("batch_size", "update_after", "updates"), [(90, 20, 11), (8, 92, 9), (8, 130, 0)]
)
def test_updates_begin_when_there_are_enough_steps_and_a_batch(
    batch_size: int, update_after: int, updates: int
) -> None:
    """One after every step from the first on that leaves so many transitions stored; none before, diagnostics NaN."""
    wanted = {"batch_size": batch_size, "update_after": update_after, "initial_steps": 1000}
    loop, state, population = begin("rep_squashed", "ProbeTarget-v0", **wanted)
    means = loop.iterate(0)
    assert state.learners.updates == updates
    assert state.replay is not None
    assert state.replay.count == 100
    assert set(means) == set(sac_diagnostics()) == set(population.diagnostics)
    for value in means.values():
        assert value.shape == (2,)
        assert bool(value.isfinite().all()) == (updates > 0)


@cache
def pendulum() -> tuple[OffPolicyLoop, TrainingState, OffPolicy, Tensor]:
    """300 steps in Pendulum, half of them of a policy that leans to one side; and what the world was asked to do."""
    wanted = {"initial_steps": 150, "update_after": 10_000}
    loop, state, population = begin("half_rep_sgm", "Pendulum", **wanted)
    for flat in state.learners.theta:
        parameters = population.layout.unflatten(flat)  # views: five locations, log scales, logits
        parameters["actor.2.weight"] *= 0.1
        parameters["actor.2.bias"][:5], parameters["actor.2.bias"][5:10] = 2.0, -1.0
    asked, step = [], loop.pool.step

    def watched(action: np.ndarray) -> object:
        asked.append(torch.from_numpy(action.copy()))
        return step(action)

    loop.pool.step = watched  # type: ignore[method-assign, assignment]
    for iteration in range(3):
        loop.iterate(iteration)
    return loop, state, population, torch.stack(asked)


def test_actions_are_stored_in_the_policys_units_and_done_in_the_worlds() -> None:
    _, state, population, asked = pendulum()
    for member in (0, 1):
        stored = transitions(state, member, 3, 1).action
        torch.testing.assert_close(asked[:, member], 2 * stored, rtol=1e-6, atol=0)
        assert 0.95 < float(stored.abs().max()) <= 1
        assert float(stored[150:].mean()) > 0.5 > abs(float(stored[:150].mean()))
    reached = population.to_world(torch.tensor([[-1.0], [0.0], [1.0]]))
    assert reached.flatten().tolist() == [-2, 0, 2]


def test_evaluation_acts_in_the_worlds_units_too() -> None:
    _, state, population, _ = pendulum()
    moments: list[Moment] = []
    played = play(
        population, state.learners, state.normalizer, [[1], [2]], [1], watch=moments.append
    )
    assert [episode.length for episode in played] == [200, 200]
    for moment in moments[:20]:
        for member in (0, 1):
            parameters = population.layout.unflatten(state.learners.theta[member])
            settings = population.settings
            assert isinstance(settings, SAC)
            mode = sac.act(parameters, moment.seen[member], {}, settings).mode()
            np.testing.assert_allclose(moment.action[member], 2 * mode[0].numpy(), rtol=1e-5)
    assert max(abs(float(moment.action.max())) for moment in moments) > 1.5


def depends_on_the_future(population: OffPolicy, row: Tensor, sizes: tuple[int, int]) -> bool:
    """Whether the critics' target for one stored transition has a value of its successor."""
    parameters = population.layout.unflatten(population.learners().theta[0])
    hyper = {name: value[0] for name, value in population.scheduled(0).items()}
    losses = []
    for shift in (0.0, 5.0):
        slow = {n: x + shift for n, x in parameters.items() if n.startswith("critic")}
        batch = Transitions.of(row[None, None], *sizes, hyper["gamma"])
        draws = Draws(torch.full((99,), 0.3))
        settings = population.settings
        assert isinstance(settings, SAC)
        losses.append(sac.critic_loss(parameters, slow, batch, draws, hyper, settings)[0])
    return not torch.equal(*losses)


def test_a_time_limit_bootstraps_from_the_last_state_of_its_episode() -> None:
    """Pendulum never terminates and is truncated after 200 steps; the next episode starts elsewhere."""
    loop, state, population, _ = pendulum()
    assert state.episodes.step == [200, 200]
    assert state.episodes.length == [200, 200]
    assert loop.cut_episodes().tolist() == [1, 1]
    for member in (0, 1):
        stored = transitions(state, member, 3, 1)
        assert (stored.discount == 1).all()
        follows = (stored.successor[:-1] == stored.observation[1:]).all(1)
        assert (~follows).nonzero().flatten().tolist() == [199]
        # One step of Pendulum turns by ω' Δt, so the last successor is the world's, not a reset's.
        angles = [torch.atan2(x[199, 1], x[199, 0]) for x in (stored.observation, stored.successor)]
        turn = torch.remainder(angles[1] - angles[0] + torch.pi, 2 * torch.pi) - torch.pi
        assert float(turn) == pytest.approx(0.05 * float(stored.successor[199, 2]), abs=1e-5)
        total = float(stored.reward[:200].double().sum())
        assert state.episodes.episode_return[member] == pytest.approx(total)
    assert state.replay is not None
    assert depends_on_the_future(population, state.replay.data[0, 199], (3, 1))


def test_a_termination_does_not_bootstrap() -> None:
    """MountainCar, pushed the way it moves: it reaches the goal, and nothing follows."""
    wanted = {"initial_steps": 0, "update_after": 10_000, "hidden": (2,), "steps": 400}
    loop, state, population = begin("rep_squashed", "MountainCar", **wanted)
    parameters = population.layout.unflatten(state.learners.theta[0].clone())
    by_hand = {
        "actor.0.weight": [[0.0, 1e4], [0.0, -1e4]],
        "actor.0.bias": [0.0, 0.0],
        "actor.1.weight": [[1.0, -1.0], [0.0, 0.0]],
        "actor.1.bias": [-1.0, -20.0],
    }
    parameters |= {name: torch.tensor(value) for name, value in by_hand.items()}
    state.learners.theta[:] = population.layout.flatten(parameters)
    for iteration in range(4):
        loop.iterate(iteration)
    assert state.replay is not None
    for member in (0, 1):
        own = np.array(state.episodes.member) == member
        ends = np.array(state.episodes.step)[own] - 1
        assert len(ends) >= 2
        stored = transitions(state, member, 2, 1)
        assert (stored.discount == 0).nonzero().flatten().tolist() == ends.tolist()
        assert (stored.successor[ends, 0] >= 0.45).all()
        assert (stored.observation[ends + 1, 0] < -0.39).all()
        data = state.replay.data[member]
        for end in ends:
            assert not depends_on_the_future(population, data[end], (2, 1))
            assert depends_on_the_future(population, data[end - 1], (2, 1))


def test_a_full_replay_is_learnt_from() -> None:
    """40 transitions kept of 200; rows are drawn from all of them and from nothing else."""
    wanted = {"buffer_size": 40, "update_after": 190, "initial_steps": 1000}
    loop, state, population = begin("rep_squashed", "ProbeTarget-v0", **wanted)
    loop.iterate(0)
    loop.iterate(1)
    assert state.replay is not None
    assert (state.replay.count, state.replay.stored) == (200, 40)
    assert state.learners.updates == 11
    marks = torch.arange(40.0).repeat(2, 1)
    state.replay.data[:, :, 0] = marks
    seen = set()
    for number in range(30):
        now, stored = torch.tensor(number), torch.tensor(state.replay.stored)
        whose, gamma = population._update_keys, population.hyper["gamma"]
        data, first = state.replay.data, torch.tensor(0)
        batch, _ = population._prepare(data, whose, now, stored, first, gamma)
        seen.update(batch.observation[0, :, 0].tolist())
    assert seen == set(range(40))
