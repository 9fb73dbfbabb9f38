"""A method whose first updates change without a raised version is noticed here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from torch import Tensor

from algorithms.distributions import DiagonalGaussian
from algorithms.methods import ppo, prefpoe
from algorithms.settings import METHODS
from tests.algorithms.golden import PATH, RUNS, Run, mini_run, named

STORED: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
TOLERANCE = 1e-3
PREFPOE: Run = ("prefpoe", "ProbeTarget-v0", {})


def expected(run: Run) -> Any:
    method, entry = run[0], STORED[named(run)]
    assert entry["version"] == METHODS[method].version, (
        f"{method} is version {METHODS[method].version}, its golden run {entry['version']}: "
        "run python -m tests.algorithms.golden"
    )
    return pytest.approx(entry["numbers"], rel=TOLERANCE, abs=1e-5)


@pytest.mark.parametrize("run", RUNS, ids=named)
def test_first_updates_are_as_recorded_for_this_version(run: Run) -> None:
    assert mini_run(*run) == expected(run), (
        f"{run[0]} behaves differently: raise its version in algorithms/settings.py, "
        "then run python -m tests.algorithms.golden"
    )


@pytest.mark.parametrize("run", [run for run in RUNS if run[2]], ids=named)
def test_a_setting_without_effect_is_noticed(run: Run) -> None:
    method, environment, overrides = run
    without = dict(list(overrides.items())[1:])
    assert mini_run(method, environment, without) != expected(run)


def test_a_slightly_different_value_loss_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ppo.ppo_loss

    def heavier(*arguments: Any) -> tuple[Tensor, dict[str, Tensor]]:
        loss, diagnostics = original(*arguments)
        return loss + 0.02 * diagnostics["value_loss"], diagnostics

    monkeypatch.setattr(ppo, "ppo_loss", heavier)
    for method in ("ppo", "prefpoe"):
        run: Run = (method, "ProbeTarget-v0", {})
        assert mini_run(*run) != expected(run)


def test_a_slightly_different_preference_loss_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = prefpoe.advantage_guided

    def stronger(*arguments: Any) -> Tensor:
        return 1.2 * original(*arguments)

    monkeypatch.setattr(prefpoe, "advantage_guided", stronger)
    assert mini_run(*PREFPOE) != expected(PREFPOE)


def test_a_slightly_different_fusion_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = DiagonalGaussian.product

    def weaker(
        self: DiagonalGaussian, other: DiagonalGaussian, weight: Tensor, epsilon: float = 0.0
    ) -> DiagonalGaussian:
        return original(self, other, 0.98 * weight, epsilon)

    monkeypatch.setattr(DiagonalGaussian, "product", weaker)
    assert mini_run(*PREFPOE) != expected(PREFPOE)
