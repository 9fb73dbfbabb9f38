"""A population is its members: each learns as it would alone, with optimiser steps checked against torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.methods import prefpoe
from algorithms.methods.ppo import Batch
from algorithms.population import Learners, OnPolicy, should_compile
from algorithms.population.learners import Weights, adam_step, bias_corrections, clip_by_norm
from algorithms.settings import METHODS, PPO, PrefPoE
from envs.registry import ENVIRONMENTS, Discrete

CPU = torch.device("cpu")
PROTOCOL = Protocol(segments=1, evaluation_episodes=1, curve_rows=1)
SMALL = {"rollout_steps": 32, "minibatches": 4, "epochs": 2, "hidden": (8, 8)}
SERVED = [
    (method, environment)
    for method, entry in METHODS.items()
    if isinstance(entry.settings, PPO)
    for environment in ("ProbeTarget-v0", "ProbeSign-v0")
    if ENVIRONMENTS[environment].action_kind in entry.action_kinds
]


def shard(method: str, environment: str, members: tuple[Member, ...], **overrides: Any) -> Shard:
    off = {"normalize_observations": False, "normalize_rewards": False, "environments": 1}
    settings = {**SMALL, **off, **overrides}
    return Shard(make_cell(method, environment, settings, 64, PROTOCOL), members)


def experience(population: OnPolicy, dtype: torch.dtype) -> tuple[Batch, Tensor]:
    """A rollout that depends on each member's seed alone, and the minibatches of eight updates."""
    world, n = population.cell.world, population.settings.batch_size
    columns = []
    for member in population.shard.members:
        rng = np.random.default_rng(member.seed)
        discrete = isinstance(world.action, Discrete)
        action = (
            rng.integers(world.action.size, size=n)
            if discrete
            else rng.normal(size=(n, world.action.size))
        )
        floats = [rng.normal(size=n) for _ in range(4)]
        floats[0] -= 1.0  # log-probabilities
        columns.append([rng.normal(size=(n, world.observation_size)), action, *floats])
    stacked = [torch.from_numpy(np.stack(column)) for column in zip(*columns, strict=True)]
    batch = Batch(*(x if x.dtype == torch.int64 else x.to(dtype) for x in stacked))
    order = [
        np.random.default_rng(member.seed + 1).permutation(n).reshape(4, -1)
        for member in population.shard.members
    ]
    indices = torch.from_numpy(np.stack(order, axis=1))
    return batch, torch.cat((indices, indices))


def learn(
    which: Shard, dtype: torch.dtype = torch.float64, compiled: bool = False
) -> tuple[Learners, dict[str, Tensor]]:
    """Eight updates on that experience, as in the second of two iterations."""
    population = OnPolicy(which, CPU, compiled)
    learners = population.learners()
    learners.theta = learners.theta.to(dtype)
    learners.first_moment = learners.first_moment.to(dtype)
    learners.second_moment = learners.second_moment.to(dtype)
    batch, indices = experience(population, dtype)
    hyper = {name: value.to(dtype) for name, value in population.scheduled(1).items()}
    return learners, population.update(learners, batch, indices, hyper)


# Every setting of the losses that came later, away from its default.
LATER: dict[str, Any] = {
    "detach_fused": True,
    "detach_encoder": True,
    "advantage_normalization": "batch",
    "fusion_schedule": "falling",
}
MEMBERS = (
    Member(seed=3, setting={"learning_rate": 1e-3}),
    Member(seed=5, setting={"learning_rate": 3e-2, "clip": 0.1}),
    Member(seed=8, setting={"max_grad_norm": 0.01, "entropy_coefficient": 0.02}),
)


@pytest.mark.parametrize(
    ("method", "environment", "overrides"),
    [*((*served, {}) for served in SERVED), *(("prefpoe", SERVED[i][1], LATER) for i in (0, 1))],
)
def test_a_member_learns_as_it_would_alone(
    method: str, environment: str, overrides: dict[str, Any]
) -> None:
    together, diagnostics = learn(shard(method, environment, MEMBERS, **overrides))
    for index, member in enumerate(MEMBERS):
        alone, own = learn(shard(method, environment, (member,), **overrides))
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-9, atol=1e-12)
        for name, value in own.items():
            torch.testing.assert_close(diagnostics[name][index], value[0], rtol=1e-9, atol=1e-12)


def test_in_single_precision_alone_and_together_agree_to_1e_5() -> None:
    together, _ = learn(shard("prefpoe", "ProbeTarget-v0", MEMBERS), torch.float32)
    for index, member in enumerate(MEMBERS):
        alone, _ = learn(shard("prefpoe", "ProbeTarget-v0", (member,)), torch.float32)
        torch.testing.assert_close(together.theta[index], alone.theta[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ["ppo", "prefpoe"])
def test_permuting_members_permutes_results(method: str) -> None:
    forward, _ = learn(shard(method, "ProbeSign-v0", MEMBERS))
    backward, _ = learn(shard(method, "ProbeSign-v0", MEMBERS[::-1]))
    torch.testing.assert_close(forward.theta, backward.theta.flip(0), rtol=1e-9, atol=1e-12)


DOUBLE, SINGLE = (torch.float64, 1e-9, 1e-12), (torch.float32, 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("method", "overrides", "dtype", "rtol", "atol"),
    [
        ("ppo", {}, *DOUBLE),
        ("prefpoe_released", {}, *DOUBLE),
        ("prefpoe_released", {}, *SINGLE),
        ("prefpoe", LATER, *DOUBLE),
    ],
)
def test_compiled_equals_eager(
    method: str, overrides: dict[str, Any], dtype: torch.dtype, rtol: float, atol: float
) -> None:
    which = shard(method, "ProbeTarget-v0", MEMBERS, **overrides)
    eager, eager_diagnostics = learn(which, dtype)
    compiled, diagnostics = learn(which, dtype, compiled=True)
    torch.testing.assert_close(compiled.theta, eager.theta, rtol=rtol, atol=atol)
    for name, value in eager_diagnostics.items():
        torch.testing.assert_close(diagnostics[name], value, rtol=max(rtol, 1e-5), atol=1e-6)


def test_each_of_two_warm_populations_calls_what_was_compiled_for_it() -> None:
    """They differ in a setting and in their number of members; after `warm_up` nothing is left to compile, nor to check."""
    both = [
        shard("ppo", "ProbeTarget-v0", members, clip_value_loss=clipped)
        for members, clipped in ((MEMBERS, True), (MEMBERS[:2], False))
    ]
    populations = [OnPolicy(which, CPU, compiled=True) for which in both]
    for population in populations:
        population.warm_up(None)
    for which, population in zip(both * 2, populations * 2, strict=True):
        eager, _ = learn(which, torch.float32)
        batch, indices = experience(population, torch.float32)
        found = []
        for careful in (True, False):
            learners = population.learners()
            # A stance holds from where it is made, not from where the block begins.
            with (
                torch.compiler.set_stance("fail_on_recompile")
                if careful
                else population.warmed_up()
            ):
                population.update(learners, batch, indices, population.scheduled(1))
            found.append(learners.theta)
        torch.testing.assert_close(found[0], eager.theta, rtol=1e-5, atol=1e-6)
        assert torch.equal(*found)


@pytest.mark.parametrize("environment", ["ProbeTarget-v0", "ProbeSign-v0"])
def test_compiled_actions_and_assessments_equal_eager_ones(environment: str) -> None:
    which = shard("prefpoe", environment, MEMBERS, fusion_schedule="falling")
    seen = torch.randn(3, 64, 2, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(
        3, 64, which.cell.world.action.size, generator=torch.Generator().manual_seed(2)
    )
    results = []
    for compiled in (False, True):
        population = OnPolicy(which, CPU, compiled)
        learners = population.learners()
        learners.alive[1] = False
        hyper = population.scheduled(1)
        action = population.sample(learners, seen, noise, hyper)
        results.append((action, *population.assess(learners, seen, action, hyper)))
    assert results[0][0][1].eq(0).all()
    for eager, compiled_result in zip(*results, strict=True):
        torch.testing.assert_close(compiled_result, eager, rtol=1e-5, atol=1e-6)


def test_a_member_with_a_nan_stops_where_it_was_and_the_others_go_on() -> None:
    which = shard("prefpoe", "ProbeTarget-v0", MEMBERS)
    population = OnPolicy(which, CPU, compiled=False)
    batch, indices = experience(population, torch.float32)
    healthy = population.learners()
    population.update(healthy, batch, indices, population.scheduled(0))
    poisoned = batch._replace(advantage=batch.advantage.clone())
    poisoned.advantage[1, 7] = float("nan")
    sick = population.learners()
    start = sick.theta.clone()
    population.update(sick, poisoned, indices, population.scheduled(0))
    assert sick.alive.tolist() == [True, False, True]
    assert sick.theta.isfinite().all()
    assert torch.equal(sick.theta[[0, 2]], healthy.theta[[0, 2]])
    row = indices[:, 1].eq(7).any(dim=1).nonzero()[0].item()
    assert (row == 0) == torch.equal(sick.theta[1], start[1])
    observation = torch.randn(3, 4, 2)
    noise = torch.randn(3, 4, 1)
    action = population.sample(sick, observation, noise, population.scheduled(0))
    assert action[1].eq(0).all()
    assert action[0].ne(0).all()


def test_adam_is_torchs_adam_with_a_rate_for_each_member() -> None:
    rng = torch.Generator().manual_seed(0)
    theta = torch.randn(3, 7, generator=rng, dtype=torch.float64)
    gradients = torch.randn(5, 3, 7, generator=rng, dtype=torch.float64)
    rates = torch.tensor([1e-3, 1e-2, 0.3], dtype=torch.float64)
    epsilon = torch.tensor([1e-5, 1e-8, 1e-3], dtype=torch.float64)
    weights = Weights(theta, torch.zeros_like(theta), torch.zeros_like(theta))
    for gradient, correction in zip(gradients, bias_corrections(0, 5, theta), strict=True):
        weights = adam_step(weights, gradient, rates.unsqueeze(-1), correction, epsilon)
    for index in range(3):
        alone = theta[index].clone().requires_grad_()
        adam = torch.optim.Adam([alone], lr=float(rates[index]), eps=float(epsilon[index]))
        for gradient in gradients:
            alone.grad = gradient[index].clone()
            adam.step()
        torch.testing.assert_close(weights.theta[index], alone.data, rtol=1e-12, atol=1e-14)


def test_clipping_is_torchs_clipping_for_each_member() -> None:
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4], [30.0, 40.0]], dtype=torch.float64)
    limits = torch.tensor([1.0, 1.0, 100.0], dtype=torch.float64)
    clipped, norm = clip_by_norm(gradient, limits)
    torch.testing.assert_close(norm, torch.tensor([5.0, 0.5, 50.0], dtype=torch.float64))
    for index in range(3):
        alone = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
        alone.grad = gradient[index].clone()
        torch.nn.utils.clip_grad_norm_([alone], float(limits[index]))
        torch.testing.assert_close(clipped[index], alone.grad, rtol=1e-12, atol=0)


def test_schedules_fall_linearly_to_the_last_iteration() -> None:
    cell = make_cell("ppo_adaptive_clip", "HalfCheetah-v4", {}, 2048 * 4, PROTOCOL)
    population = OnPolicy(Shard(cell, MEMBERS), CPU, compiled=False)
    clips = torch.stack([population.scheduled(iteration)["clip"] for iteration in range(4)])
    expected = torch.tensor([1, 0.75, 0.5, 0.25])[:, None] * torch.tensor([0.2, 0.1, 0.2])
    torch.testing.assert_close(clips, expected)
    plain = OnPolicy(
        Shard(make_cell("ppo", "HalfCheetah-v4", {}, 2048 * 4, PROTOCOL), MEMBERS), CPU, False
    )
    assert torch.equal(plain.scheduled(3)["clip"], plain.hyper["clip"])
    torch.testing.assert_close(
        plain.scheduled(1)["learning_rate"], 0.75 * plain.hyper["learning_rate"]
    )


@pytest.mark.parametrize(
    ("schedule", "parts"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("rising", [0, 0.25, 0.5, 0.75, 1]),
        ("falling", [1, 0.75, 0.5, 0.25, 0]),
    ],
)
def test_the_fusion_weight_is_scheduled_linearly(schedule: str, parts: list[float]) -> None:
    """Four iterations, 0 to 3; what the final policy acts by is the fifth value."""
    settings = {"fusion_schedule": schedule, "fusion_weight": 0.8}
    cell = make_cell("prefpoe", "HalfCheetah-v4", settings, 2048 * 4, PROTOCOL)
    members = (Member(seed=0), Member(seed=1, setting={"fusion_weight": 0.2}))
    population = OnPolicy(Shard(cell, members), CPU, compiled=False)
    found = torch.stack([population.scheduled(i)["fusion_weight"] for i in range(5)])
    torch.testing.assert_close(found, torch.tensor(parts)[:, None] * torch.tensor([0.8, 0.2]))
    rates = torch.stack([population.scheduled(i)["learning_rate"] for i in range(5)])
    expected = torch.tensor([1, 0.75, 0.5, 0.25, 0])[:, None] * torch.tensor([3e-4, 3e-4])
    torch.testing.assert_close(rates, expected)


@pytest.mark.parametrize("environment", ["ProbeTarget-v0", "ProbeSign-v0"])
def test_the_final_policy_has_the_last_fusion_weight(environment: str) -> None:
    """Falling ends as the main policy alone; rising and constant end as the product with λ = 5."""
    seen = torch.randn(3, 200, 2, generator=torch.Generator().manual_seed(3))
    modes, alone, product = {}, [], []
    for schedule in ("constant", "rising", "falling"):
        settings = {"fusion_schedule": schedule, "fusion_weight": 5.0}
        which = shard("prefpoe", environment, MEMBERS, **settings)
        population = OnPolicy(which, CPU, compiled=False)
        learners = population.learners()
        shake = torch.randn(learners.theta.shape, generator=torch.Generator().manual_seed(4))
        learners.theta = learners.theta + 0.3 * shake
        modes[schedule] = population.mode(learners, seen)
    assert isinstance(population.settings, PrefPoE)
    for flat, own in zip(learners.theta, seen, strict=True):
        parameters = population.layout.unflatten(flat)
        main, preference = prefpoe.experts(parameters, own, population.settings)
        alone.append(main.mode())
        product.append(main.product(preference, torch.tensor(5.0)).mode())
    torch.testing.assert_close(modes["falling"], torch.stack(alone), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(modes["rising"], torch.stack(product), rtol=1e-5, atol=1e-6)
    assert torch.equal(modes["rising"], modes["constant"])
    assert (modes["falling"] - modes["rising"]).abs().max() > 0.1


def test_the_decision_to_compile_is_a_rule_of_the_spec() -> None:
    long = make_cell("ppo", "HalfCheetah-v4", {}, 2_000_000, PROTOCOL)
    short = make_cell("ppo", "HalfCheetah-v4", {}, 4096, PROTOCOL)
    assert should_compile(long)
    assert not should_compile(short)
