"""Where two experts rest under PrefPoE's losses: against gradient descent on the losses themselves, and the records."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from algorithms.distributions import DiagonalGaussian
from algorithms.settings import PrefPoE
from paper_figures.prefpoe.equilibrium import entropy_pull, resting_share
from paper_figures.prefpoe.hyperparameters import settings_of

RECORDS = Path(__file__).parents[3] / "results/paper/prefpoe/records/HalfCheetah-v4"


def descended_share(settings: PrefPoE, wanted: float, strength: float, detached: bool) -> float:
    """The share after descending L_cons, −α H(π_pref) and a stand-in for L_PPO that wants σ_fused = `wanted`."""
    log_stds = torch.tensor([0.3, -0.7], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([log_stds], lr=2e-2)
    weight = torch.tensor(settings.fusion_weight, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    for _ in range(1500):
        main, preference = (DiagonalGaussian(zero, s.exp().reshape(1)) for s in log_stds)
        fused = main.product(preference, weight)
        anchor = fused.detach() if detached else fused
        loss = (
            strength * (fused.std.log() - wanted).square().sum()
            + settings.consistency_coefficient * anchor.kl(preference)
            - settings.preference_coefficient * settings.alpha * preference.entropy()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    variance = (2 * log_stds.detach()).exp()
    weighed = settings.fusion_weight / variance[1]
    return float(weighed / (weighed + 1 / variance[0]))


@pytest.mark.parametrize(
    ("weight", "alpha", "wanted", "detached"),
    [
        (1.0, 0.2, -1.5, False),
        (0.4, 0.2, 0.5, False),
        (0.8, 1.0, -0.5, False),
        (1.0, 0.5, -1.0, True),
    ],
)
def test_descending_the_losses_ends_at_the_resting_share(
    weight: float, alpha: float, wanted: float, detached: bool
) -> None:
    settings = PrefPoE(fusion_weight=weight, alpha=alpha)
    found = descended_share(settings, wanted, 0.05, detached)
    assert found == pytest.approx(resting_share(settings), abs=0.005)


def test_by_hand() -> None:
    """α w_pref / w_cons = 0.2 · 0.032 / 0.063 = 0.1016, so the released arm rests at 0.898, λ = 0.4 at 0.359."""
    assert entropy_pull(PrefPoE()) == pytest.approx(0.1016, abs=5e-5)
    assert resting_share(settings_of("prefpoe_released")) == pytest.approx(0.8984, abs=5e-5)
    assert resting_share(settings_of("prefpoe")) == pytest.approx(0.3594, abs=5e-5)
    # The corner of Table A.1 where entropy pulls most has no rest: 0.4 · 0.2 / 0.02 = 4.
    corner = PrefPoE(alpha=0.4, preference_coefficient=0.2, consistency_coefficient=0.02)
    assert entropy_pull(corner) == pytest.approx(4.0)
    assert resting_share(corner) == 0.0


@pytest.mark.parametrize("method", ["prefpoe", "prefpoe_released"])
def test_recorded_runs_end_there(method: str) -> None:
    (folder,) = RECORDS.glob(f"{method}-*")
    diagnostics = pd.read_parquet(folder / "diagnostics.parquet")
    members = json.loads((folder / "record.json").read_text(encoding="utf-8"))["members"]
    done = [member["seed"] for member in members if member["status"] == "done"]
    last = diagnostics[diagnostics["step"] == diagnostics["step"].max()].set_index("seed").loc[done]
    expected = resting_share(settings_of(method))
    assert last["preference_share"].to_numpy() == pytest.approx(expected, abs=0.005)
