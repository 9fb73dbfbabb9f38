"""What a member costs: parameters by hand, bytes that repeat, and a process that answers when it is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from algorithms import train
from algorithms.cost import main, measured_shard, parameters, state_bytes, update_bytes
from algorithms.rollout import Collector, Episodes
from algorithms.specification import SpecificationError

SMALL = {"rollout_steps": 64, "minibatches": 2, "epochs": 1}


def encoder(inputs: int) -> int:
    return (inputs + 1) * 64 + (64 + 1) * 64


def head(outputs: int) -> int:
    return (64 + 1) * outputs


@pytest.mark.parametrize(
    ("environment", "observation", "action"),
    [("HalfCheetah-v4", 17, 6), ("Ant-v4", 27, 8), ("LunarLanderContinuous-v2", 8, 2)],
)
def test_parameters_by_hand(environment: str, observation: int, action: int) -> None:
    policy, value = encoder(observation) + head(action), encoder(observation) + head(1)
    shared = encoder(observation) + head(1)
    expected = {
        "ppo": policy + action + value,
        "ppo_matched": shared + head(action) + action,
        "prefpoe": encoder(observation) + 4 * head(action) + value,
        "prefpoe_released": shared + 2 * (head(action) + action),
    }
    found = {name: parameters(measured_shard(name, environment, {}, 1, 1)) for name in expected}
    assert found == expected


def test_parameters_of_the_released_artefact_and_of_cleanrl() -> None:
    """Counted in the released checkpoint and in CleanRL's script: 6,169 and 11,085."""
    counts = [
        parameters(measured_shard(name, "HalfCheetah-v4", {}, 1, 1))
        for name in ("prefpoe_released", "ppo")
    ]
    assert counts == [6169, 11085]


def test_a_round_is_a_segment() -> None:
    cell = measured_shard("ppo", "ProbeTarget-v0", SMALL, 3, 2).cell
    assert (cell.segment_iterations, cell.iterations) == (2, 8)
    assert cell.steps == 4 * 2 * 64


def test_more_rounds_than_a_run_has_segments_are_refused() -> None:
    with pytest.raises((SpecificationError, ValueError), match="segments"):
        measured_shard("ppo", "ProbeTarget-v0", SMALL, 20, 1)


@pytest.mark.parametrize("method", ["ppo", "prefpoe"])
def test_bytes_of_an_update(method: str, tmp_path: Path) -> None:
    """A step allocates new parameters and moments at least, and books the same every time."""
    shard = measured_shard(method, "ProbeTarget-v0", SMALL, 1, 1)
    state, population = train.prepare(shard, tmp_path, train.Resources(mode="eager"))
    assert state_bytes(population) == 3 * 4 * parameters(shard)
    rollout = Collector(shard, 0, state.normalizer, Episodes(), 1).collect(
        population, state.learners, 0
    )
    update_bytes(population, state, rollout, 0)  # what is made once is made here
    first, second = (update_bytes(population, state, rollout, 0) for _ in range(2))
    assert first == second > state_bytes(population)


def test_fusion_allocates_more_than_the_same_network_without(tmp_path: Path) -> None:
    """The product, its KL divergence and the preference loss need tensors that PPO's loss does not."""
    found = []
    for method in ("ppo_matched", "prefpoe_released"):
        shard = measured_shard(method, "ProbeTarget-v0", SMALL, 1, 1)
        state, population = train.prepare(shard, tmp_path / method, train.Resources(mode="eager"))
        rollout = Collector(shard, 0, state.normalizer, Episodes(), 1).collect(
            population, state.learners, 0
        )
        found.append(update_bytes(population, state, rollout, 0) - state_bytes(population))
    assert found[1] > found[0]


def answers(rounds: int) -> list[dict[str, float]]:
    """What a process says that is asked for `rounds` rounds and its memory."""
    options = {
        "--method": "ppo",
        "--env": "ProbeTarget-v0",
        "--mode": "eager",
        "--rounds": str(rounds),
        "--overrides": json.dumps(SMALL),
    }
    command = [sys.executable, "-m", "algorithms.cost"]
    command += [word for option in options.items() for word in option]
    asked = "\n" * (rounds + 1)
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_process_answers_as_often_as_it_is_asked() -> None:
    ready, first, second, memory = answers(rounds=2)
    assert ready["ran"] == "eager"
    for measured in (first, second):
        assert measured["cpu_seconds"] > 0
        assert measured["seconds"] > 0
    assert memory["peak_mb"] >= memory["loaded_mb"] > 50


def test_an_unknown_setting_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    command = ["--method", "ppo", "--env", "Ant-v4", "--mode", "eager", "--rounds", "1"]
    assert main([*command, "--overrides", '{"rolout_steps": 2}']) == 2
    said = capfd.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("error: settings of ppo: unknown key 'rolout_steps'; allowed: ")
    assert said.out == ""
