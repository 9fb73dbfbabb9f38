"""The study `overhead`: arms take turns, every round is there, and a process that fails is named."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from algorithms.header import RecordError
from algorithms.specification import SpecificationError
from algorithms.study import Study, StudyEntry
from paper_figures.prefpoe.overhead import TABLES, counted, run, start
from paper_figures.prefpoe.studies import Overhead

METHODS = ("ppo_matched", "prefpoe_released")
SMALL = Overhead(
    environments=("ProbeTarget-v0", "HalfCheetah-v4"),
    modes=("eager",),
    rounds=2,
    iterations=1,
    overrides={"rollout_steps": 64, "minibatches": 2, "epochs": 1},
)


def about(*methods: str) -> Study:
    entry = StudyEntry(title="t", version=1, methods=methods, settings={"smoke": {}})
    return Study("overhead", entry, {}, ())


def test_arms_take_turns_in_rotating_order() -> None:
    tables = run(about(*METHODS), SMALL, [])
    assert {name: list(table) for name, table in tables.items()} == {
        name: list(columns) for name, columns in TABLES.items()
    }
    rounds = tables["rounds"]
    assert rounds["method"].tolist() == [METHODS[0], METHODS[1], METHODS[1], METHODS[0]]
    assert rounds["round"].tolist() == [0, 0, 1, 1]
    assert rounds["turn"].tolist() == [0, 1, 0, 1]
    assert (rounds["steps"] == 64).all()
    assert (rounds["seconds"] > 0).all()
    assert (rounds["ran"] == "eager").all()
    memory = tables["memory"].set_index("method")
    parameters = tables["parameters"].set_index(["environment", "method"])
    for method in METHODS:
        ours = parameters.loc[("ProbeTarget-v0", method), "parameters"]
        assert memory.loc[method, "state_bytes"] == 3 * 4 * ours
    assert parameters.loc[("HalfCheetah-v4", METHODS[1]), "parameters"] == 6169


def test_a_rollout_by_hand() -> None:
    """2,048 steps of 17 observations, 6 actions and 4 scalars, 4 bytes each."""
    assert counted("ppo", "HalfCheetah-v4")["rollout_bytes"] == 2048 * (17 + 6 + 4) * 4


def test_a_process_that_ends_is_named_with_what_it_said() -> None:
    with ExitStack() as stack:
        process = start("ppo", "ProbeTarget-v0", "nonsense", SMALL, stack)
        with pytest.raises(
            RecordError, match=r"ppo \(nonsense\) ended with code 2: .*invalid choice"
        ):
            process.answer(ask=False)


def test_no_process_outlives_its_study() -> None:
    with ExitStack() as stack:
        process = start("ppo", "ProbeTarget-v0", "eager", SMALL, stack)
        assert process.running.poll() is None
    assert process.running.poll() is not None


def test_a_study_of_no_method_is_refused() -> None:
    with pytest.raises(SpecificationError, match="methods: names none"):
        run(about(), SMALL, [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"environments": ["Nowhere-v0"]},
            "unknown environment 'Nowhere-v0'; allowed: HalfCheetah",
        ),
        ({"modes": ["fast"]}, "'eager' or 'compiled'"),
        ({"modes": []}, "modes"),
        ({"rounds": 20}, "less than or equal to 19"),
        ({"round": 2}, "unknown key 'round'"),
    ],
)
def test_what_it_may_be_told(changes: dict[str, Any], words: str) -> None:
    told = json.loads(SMALL.model_dump_json()) | changes
    with pytest.raises(ValueError, match="validation error") as caught:
        Overhead.model_validate(told)
    assert words in str(caught.value)
