"""Benchmark functions: values by hand, exact anchors, and what an environment makes of them."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from scipy import integrate

from algorithms.cell import Protocol, make_cell
from algorithms.specification import SpecificationError
from envs.native import DYNAMICS
from envs.native.functions import FUNCTIONS
from envs.native.playable import NAMESPACE
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Continuous
from paper_figures.pmpo import equations

REACH = {"Sphere": 5.12, "Rosenbrock": 2.048, "SchwefelSum": 65.536, "SchwefelSine": 500.0}
OPTIMUM = {"Sphere": 0.0, "Rosenbrock": 1.0, "SchwefelSum": 0.0, "SchwefelSine": 420.968746}
NAMES = [f"{name}{size}" for name in REACH for size in (2, 10)]


def plain(name: str) -> str:
    return name.rstrip("0123456789")


def paid(name: str, *point: float) -> float:
    return float(FUNCTIONS[name](torch.tensor(point, dtype=torch.float64)))


def test_there_is_one_environment_for_every_function() -> None:
    bandits = {name for name, world in ENVIRONMENTS.items() if world.bandit}
    assert bandits - {"MultimodalBandit"} == set(FUNCTIONS) == set(NAMES)
    assert set(NAMES) <= set(DYNAMICS)
    for name in NAMES:
        world = ENVIRONMENTS[name]
        size = int(name.removeprefix(plain(name)))
        assert world.action == Continuous(size, -REACH[plain(name)], REACH[plain(name)])
        assert (world.name, world.observation_size, world.horizon) == (name, 1, 10)
        assert not world.drawn_by_member


@pytest.mark.parametrize("name", NAMES)
def test_the_least_value_is_0_at_the_known_point(name: str) -> None:
    """Schwefel's sine has a rounded constant: 418.9829 against 418.98288727."""
    size = ENVIRONMENTS[name].action.size
    optimum = torch.full((size,), OPTIMUM[plain(name)], dtype=torch.float64).requires_grad_()
    value = FUNCTIONS[name](optimum)
    tolerance = 2e-5 * size if plain(name) == "SchwefelSine" else 0
    assert float(value.detach()) == pytest.approx(0, abs=tolerance)
    (slope,) = torch.autograd.grad(value, optimum)
    assert slope.abs().max() < 1e-5
    curvature = torch.autograd.functional.hessian(FUNCTIONS[name], optimum.detach())  # type: ignore[no-untyped-call]
    assert torch.linalg.eigvalsh(curvature).min() > 0.01
    drawn = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (20_000, size)))
    assert FUNCTIONS[name](drawn * REACH[plain(name)]).min() > 0


def test_values_by_hand() -> None:
    assert paid("Sphere2", 3, -4) == 25
    # 100 (2 − 9)² + (1 − 3)²; below, 100 (2 − 1)² + 0, then 100 (1 − 4)² + 1.
    assert paid("Rosenbrock2", 3, 2) == 4904
    assert paid("Rosenbrock10", 1, 2, *[1.0] * 8) == pytest.approx(100 + 100 * 9 + 1)
    assert paid("Rosenbrock2", 2, 1) != paid("Rosenbrock2", 1, 2)
    # Partial sums 1, −1, 2 and 2 again.
    assert paid("SchwefelSum10", 1, -2, 3, *[0.0] * 7) == 1 + 1 + 4 * 8
    # √100 = 10: x sin 10 of 100 and of −100 cancel.
    assert paid("SchwefelSine2", 100, -100) == pytest.approx(2 * 418.9829)
    assert paid("SchwefelSine2", 100, 0) == pytest.approx(2 * 418.9829 - 100 * math.sin(10))


def test_they_are_the_functions_that_the_audit_checks() -> None:
    rng = np.random.default_rng(1)
    for name, other in (
        ("Sphere10", equations.sphere),
        ("SchwefelSum10", equations.schwefel_sum),
        ("SchwefelSine10", equations.schwefel_sine),
    ):
        points = rng.uniform(-60, 60, (5, 10))
        found = FUNCTIONS[name](torch.from_numpy(points)).numpy()
        np.testing.assert_allclose(found, [other(point) for point in points], rtol=1e-12)


def mean_in_two_dimensions(name: str) -> float:
    """E[f] of a uniform point of the box, by Gauss and Legendre's rule with 400 nodes a dimension."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    x, y = np.meshgrid(nodes, nodes, indexing="ij")
    grid = torch.from_numpy(np.stack((x, y), -1) * REACH[plain(name)])
    return float((np.outer(weights, weights) / 4 * FUNCTIONS[name](grid).numpy()).sum())


@pytest.mark.parametrize("name", NAMES)
def test_anchors_are_exact_means(name: str) -> None:
    """Two dimensions by quadrature, ten by 200,000 points within five standard errors: 1 in 400,000 fails by chance."""
    anchors, size = ENVIRONMENTS[name].anchors, ENVIRONMENTS[name].action.size
    assert anchors.reference == 0
    if size == 2:
        # The sine's argument, √|x|, has no derivative at 0.
        tolerance = 1e-4 if plain(name) == "SchwefelSine" else 1e-10
        expected = mean_in_two_dimensions(name)
        assert anchors.random == pytest.approx(-10 * expected, rel=tolerance)
    else:
        points = np.random.default_rng(2).uniform(-1, 1, (200_000, size)) * REACH[plain(name)]
        values = FUNCTIONS[name](torch.from_numpy(points)).numpy()
        error = 10 * values.std() / math.sqrt(len(values))
        assert abs(anchors.random + 10 * values.mean()) < 5 * error
        assert error < 0.01 * abs(anchors.random)


def test_the_sines_mean_by_adaptive_quadrature() -> None:
    """x sin √|x| is odd: on [−500, 500] only the constant is left."""

    def one(x: float) -> float:
        return float(418.9829 - x * math.sin(math.sqrt(abs(x))))

    mean = integrate.quad(one, -500, 500, points=(0,), limit=500)[0] / 1000
    assert ENVIRONMENTS["SchwefelSine2"].anchors.random == pytest.approx(-20 * mean)


@pytest.mark.parametrize("name", NAMES)
def test_a_pull_pays_minus_the_function_at_the_nearest_point_of_the_box(name: str) -> None:
    world, reach = ENVIRONMENTS[name], REACH[plain(name)]
    pool = Pool(world, [3, 5])
    assert pool.reset().tolist() == [[1.0]] * 2
    rng = np.random.default_rng(3)
    for pull in range(1, 2 * world.horizon + 1):
        action = rng.uniform(-2, 2, (2, world.action.size)) * reach
        step = pool.step(action)
        expected = -FUNCTIONS[name](torch.from_numpy(action.clip(-reach, reach))).numpy()
        np.testing.assert_allclose(step.reward, expected, rtol=1e-12)
        assert not step.terminated.any()
        assert step.truncated.all() == step.truncated.any() == (pull % world.horizon == 0)
        assert step.next_observation().tolist() == [[1.0]] * 2
    assert abs(action).max() > reach


@pytest.mark.parametrize("name", NAMES)
def test_they_are_played_through_gymnasium(name: str) -> None:
    world = gymnasium.make(f"envs.native.playable:{NAMESPACE}/{name}")
    assert isinstance(world.action_space, gymnasium.spaces.Box)
    assert world.action_space.shape == (ENVIRONMENTS[name].action.size,)
    assert world.action_space.high[0] == np.float32(REACH[plain(name)])
    observation, _ = world.reset(seed=4)
    assert observation.tolist() == [1.0]
    far = np.full(world.action_space.shape, 1e6)
    for pull in range(1, 11):
        observation, reward, terminated, truncated, _ = world.step(far)
        assert world.observation_space.contains(observation)
        assert reward == pytest.approx(-paid(name, *[REACH[plain(name)]] * len(far)))
        assert (terminated, truncated) == (False, pull == 10)


EXACT: dict[str, Any] = {"critic": "exact"}


@pytest.mark.parametrize(
    ("method", "environment", "overrides", "allowed"),
    [
        ("pmpo_ar", "Pendulum", EXACT, ", ".join(NAMES)),
        ("mpo", "MultimodalBandit", EXACT, ", ".join(NAMES)),
        ("like_sgm", "Sphere2", EXACT | {"automatic_alpha": False}, "MultimodalBandit"),
        ("like_sgm", "Pendulum", EXACT | {"automatic_alpha": False}, "MultimodalBandit"),
    ],
)
def test_an_exact_critic_needs_a_bandit_that_its_method_knows(
    method: str, environment: str, overrides: dict[str, Any], allowed: str
) -> None:
    with pytest.raises(SpecificationError) as error:
        make_cell(method, environment, overrides, 1000, Protocol(1, 1, 1))
    message = str(error.value)
    assert message == (
        f"settings of {method}: critic: 'exact' needs a bandit that it knows, which {environment} is not; "
        f"allowed: {allowed}"
    )


@pytest.mark.parametrize(
    ("method", "environment", "overrides"),
    [
        *(("pmpo_ar", name, EXACT | {"hidden": ()}) for name in NAMES),
        ("mpo", "Sphere2", EXACT),
        ("like_sgm", "MultimodalBandit", EXACT | {"automatic_alpha": False}),
        ("mpo", "MultimodalBandit", {}),
        ("like_sgm", "Sphere2", {}),
    ],
)
def test_critics_that_are_learned_or_know_are_taken(
    method: str, environment: str, overrides: dict[str, Any]
) -> None:
    assert make_cell(method, environment, overrides, 1000, Protocol(1, 1, 1)).iterations == 10
