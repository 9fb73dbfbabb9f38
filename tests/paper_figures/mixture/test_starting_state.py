"""Action values and densities at a starting state: against log_prob, NumPy and hand-counted modes, and drawn from a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate

from algorithms import train
from algorithms.cell import Shard, load_plan
from algorithms.choice import Choice, choice_path
from algorithms.methods import sac
from algorithms.policies import Mixture
from algorithms.records import write_json
from algorithms.settings import SAC
from analysis import statistics
from envs.registry import ENVIRONMENTS
from paper_figures.mixture import figure_5, figure_9
from paper_figures.mixture import starting_state as s

PAPER = Path("paper_figures") / "mixture"
SCALE, SEED = "smoke", 2000
SETTING = {"critic_learning_rate": 1e-3, "actor_step_ratio": 1.0, "alpha": 0.1}


def mixture(weights: list[float], locations: list[float], scales: list[float]) -> Mixture:
    columns = (torch.tensor(part, dtype=torch.float64) for part in (locations, scales))
    location, scale = (column.unsqueeze(-1) for column in columns)
    return Mixture(torch.tensor(weights, dtype=torch.float64).log(), location, scale)


def test_a_bin_holds_the_mean_of_the_density_in_it() -> None:
    policy = mixture([0.3, 0.7], [-0.8, 0.5], [0.3, 0.6])

    def exact(action: float) -> float:
        value = torch.tensor([action], dtype=torch.float64)
        return float(policy.log_prob_of(value).exp())

    found = s.density(policy)
    for number in (5, 60, 100, 140, 195):
        low, high = s.EDGES[number : number + 2]
        expected = integrate.quad(exact, low, high)[0] / (high - low)
        assert found[number] == pytest.approx(expected, rel=1e-8)
    assert found.sum() * 2 / s.BINS == pytest.approx(1.0, abs=1e-12)


def test_a_saturated_policy_keeps_its_mass() -> None:
    found = s.density(mixture([0.5, 0.5], [-40.0, 0.0], [1e-3, 1e-3]))
    assert found.sum() * 2 / s.BINS == pytest.approx(1.0)
    assert found[0] * 2 / s.BINS == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("policy", "count"),
    [
        (mixture([1.0], [0.0], [0.3]), 1),
        # Squashing a wide normal piles it up at both ends.
        (mixture([1.0], [0.0], [2.0]), 2),
        (mixture([1.0], [3.0], [0.1]), 1),
        (mixture([0.5, 0.5], [-0.6, 0.6], [0.1, 0.1]), 2),
        (mixture([0.999, 0.001], [-0.6, 0.6], [0.1, 0.1]), 1),
        (mixture([0.4, 0.3, 0.3], [-0.9, 0.0, 0.9], [0.1, 0.1, 0.1]), 3),
    ],
)
def test_modes_are_counted(policy: Mixture, count: int) -> None:
    assert s.count_modes(s.density(policy)) == count


def test_an_even_density_has_one_mode() -> None:
    assert s.count_modes(np.full(s.BINS, 0.5)) == 1


def test_values_are_the_smaller_of_both_critics() -> None:
    settings = SAC(hidden=(4,), components=2, estimator="half")
    drawn = sac.init(settings, ENVIRONMENTS["MountainCar"], np.random.default_rng(0))
    parameters = {name: value.double() for name, value in drawn.items()}
    value, density = s.seen_from(parameters, s.START["MountainCar"], settings)
    array = {name: tensor.numpy() for name, tensor in parameters.items()}
    seen = np.column_stack([np.full(s.BINS, -0.5), np.zeros(s.BINS), s.CENTRES])
    both = []
    for name in ("critic.first", "critic.second"):
        hidden = np.maximum(seen @ array[f"{name}.0.weight"].T + array[f"{name}.0.bias"], 0)
        both.append((hidden @ array[f"{name}.1.weight"].T + array[f"{name}.1.bias"])[:, 0])
    assert not np.array_equal(*both)
    np.testing.assert_allclose(value, np.minimum(*both), rtol=1e-12)
    assert density.sum() * 2 / s.BINS == pytest.approx(1.0)


def test_starting_states_are_where_episodes_start() -> None:
    plan = load_plan(PAPER)
    for scale in ("smoke", "paper"):
        for environment in plan.experiments["starting_state"].steps[scale]:
            assert len(s.START[environment]) == ENVIRONMENTS[environment].observation_size
    assert set(plan.experiments["starting_state"].steps["paper"]) == {
        "MountainCar",
        "ShapedMountainCar",
    }


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Statistics of the smoke experiment, of which one cell, Rep-Squashed on Pendulum, is trained."""
    root = tmp_path_factory.mktemp("starting") / SCALE / "mixture"
    plan = load_plan(PAPER)
    (shard,) = (
        shard
        for shard in plan.shards(SCALE, "starting_state")
        if (shard.cell.method, shard.cell.environment) == ("rep_squashed", "Pendulum")
    )
    choose(shard, root / "records")
    options = ["--paper", PAPER, "--scale", SCALE, "--records", root / "records", "--scratch", root]
    assert train.main([str(option) for option in [*options, "--shard", shard.hash]]) == 0
    output = ["--output", root / "experiments" / "starting_state"]
    told = [*options, "--experiment", "starting_state", *output]
    assert statistics.main([str(option) for option in told]) == 0
    return root / "experiments"


def choose(shard: Shard, records: Path) -> None:
    """Write the choice that the shard is trained from, as if its sweep had made it."""
    cell = shard.cell
    assert cell.best_of is not None
    choice = Choice(
        sweep=cell.best_of.hash,
        records={swept.hash: "" for swept in cell.best_of.shards},
        experiment=cell.best_of.experiment,
        environment=cell.environment,
        method=cell.method,
        rule="given",
        setting=SETTING,
        candidates=(),
    )
    path = choice_path(records, cell)
    path.parent.mkdir(parents=True)
    write_json(path, choice.model_dump(mode="json"))


@pytest.mark.parametrize(("figure", "trained"), [(figure_9, True), (figure_5, False)])
def test_drawn_from_a_run_and_from_none(
    figure: object, trained: bool, experiments: Path, tmp_path: Path
) -> None:
    stem = tmp_path / "figure"
    options = ["--paper", PAPER, "--scale", SCALE, "--experiments", experiments, "--output", stem]
    assert figure.main([str(option) for option in options]) == 0  # type: ignore[attr-defined]
    values, counted = (
        pd.read_parquet(stem.with_suffix(".parquet")),
        pd.read_csv(stem.with_suffix(".csv")),
    )
    assert len(values) == len(counted) * s.BINS == (3 * s.BINS if trained else 0)
    assert stem.with_suffix(".png").is_file()
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    if trained:
        assert counted["step"].tolist() == [0, 200, 400]
        assert set(values["environment"]) == {"Pendulum"}
        first, last = (values[values["step"] == step] for step in (0, 400))
        assert not np.allclose(first["density"], last["density"].to_numpy())
