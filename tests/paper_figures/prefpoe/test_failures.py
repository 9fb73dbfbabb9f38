"""Failure signatures counted by hand, every threshold at its edge and stated with its source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algorithms.cell import load_plan
from algorithms.settings import METHODS, PrefPoE
from analysis.report import read_markdown
from paper_figures.prefpoe import signatures, table_failures
from tests.paper_figures.prefpoe.test_traces import PAPER, PLAIN, draw, write_experiment

STEPS = 2_000_000
EARLY, LATE = (100_000, 200_000), (1_000_000, 1_800_000, 2_000_000)


def member(method: str, bins: dict[int, dict[str, float]], status: str = "done") -> dict[str, Any]:
    """The signatures of one member with diagnostics `bins`."""
    scores = pd.DataFrame(
        [
            {
                "environment": "HalfCheetah-v4",
                "method": method,
                "seed": 0,
                "status": status,
                "diverged_at": np.nan,
            }
        ]
    )
    rows = [{"method": method, "seed": 0, "step": step, **bins[step]} for step in bins]
    table = table_failures.per_member(scores, pd.DataFrame(rows), STEPS)
    return dict(table.to_dict("records")[0])


def bins(**changed: list[float]) -> dict[int, dict[str, float]]:
    """Five bins, two of them in the first tenth and one in the last, with `changed` diagnostics."""
    return {
        step: {**PLAIN, **{name: values[index] for name, values in changed.items()}}
        for index, step in enumerate((*EARLY, *LATE))
    }


def test_an_entropy_is_near_zero_below_half_a_nat() -> None:
    found = member("prefpoe", bins(preference_entropy=[0.5, 0.499, -3.0, 2.0, 0.0]))
    assert (found["early_bins"], found["early_near_zero"]) == (2, 1)
    assert (found["bins"], found["near_zero"]) == (5, 3)


def test_means_are_apart_by_the_ratio_of_averages() -> None:
    found = member(
        "prefpoe",
        bins(main_difference=[0.4, 0.3, 0.02, 0.9, 0.1], main_mean_norm=[0.5, 1, 1, 1, 0.5]),
    )
    assert found["difference_final"] == pytest.approx(0.2)
    assert (found["difference_peak"], found["difference_peak_step"]) == (0.9, 1_800_000)


def test_a_bound_is_exceeded_beyond_rounding_only() -> None:
    found = member("prefpoe", bins(trace_excess=[-1.0, 0.0, 1e-6, 3e-6, 0.5]))
    assert PLAIN["main_trace"] == 2.0
    assert found["exceeded"] == 2


def test_a_policy_is_wide_where_its_deviation_exceeds_the_range_of_actions() -> None:
    """HalfCheetah-v4 has six dimensions from −1 to 1: 6 × 2² = 24."""
    found = member("prefpoe", bins(fused_trace=[1.5, 24.0, 24.1, 30_200.0, np.inf]))
    assert found["wide"] == 3


def test_the_range_of_actions_is_the_environments_own() -> None:
    assert signatures.widest_trace("HalfCheetah-v4") == 24
    assert signatures.widest_trace("Ant-v4") == 8 * 2**2
    assert np.isnan(signatures.widest_trace("CartPole-v1"))


def test_a_deviation_as_wide_as_the_range_leaves_little_within_it() -> None:
    draws = np.random.default_rng(2).normal(0.0, 2.0, 200_000)
    assert signatures.outside_when_wide() == pytest.approx(np.mean(np.abs(draws) > 1), abs=0.005)


@pytest.mark.parametrize(
    ("method", "limited"),
    [("prefpoe", False), ("prefpoe_released", True), ("preference_network_clamped", False)],
)
def test_a_clamp_on_the_fused_policy_rules_a_wide_one_out(method: str, limited: bool) -> None:
    """The artefact's clamp is at 2 = high − low; without fusion it does not hold the policy that acts."""
    found = member(method, bins(fused_trace=[25.0] * 5))
    assert np.isnan(found["wide"]) if limited else found["wide"] == 5


@pytest.mark.parametrize(
    ("method", "absent"),
    [
        ("prefpoe", ()),
        ("linear_fusion", ("exceeded",)),
        ("preference_network", ("exceeded", "difference_final", "difference_peak")),
        (
            "ppo_state_std",
            ("exceeded", "difference_final", "difference_peak", "near_zero", "early_near_zero"),
        ),
    ],
)
def test_what_means_nothing_for_an_arm_is_left_open(method: str, absent: tuple[str, ...]) -> None:
    found = member(method, bins())
    columns = ("exceeded", "difference_final", "difference_peak", "near_zero", "early_near_zero")
    assert tuple(name for name in columns if np.isnan(found[name])) == absent


def rows_of(stem: Path) -> dict[str, tuple[str, ...]]:
    (table,) = read_markdown(stem.with_suffix(".md").read_text(encoding="utf-8"))
    return {row[1]: row[2:] for row in table.rows}


def test_the_table_counts_members_and_bins(tmp_path: Path) -> None:
    collapsed = bins(preference_entropy=[0.1] * 5, main_difference=[0.05, 0.05, 0.05, 0.05, 0.1])
    far = bins(
        main_difference=[0.2, 0.05, 0.05, 0.05, 0.05],
        trace_excess=[0.1, -1, -1, -1, -1],
        fused_trace=[1, 1, 1, 3400, 3400],
    )
    rows = {("prefpoe", 0): collapsed, ("prefpoe", 10): far, ("prefpoe", 42): bins()}
    experiments = write_experiment(tmp_path, rows, diverged={("prefpoe", 42): 1_000_000})
    stem = draw("table_failures", experiments, tmp_path / "out")
    found = rows_of(stem)
    plan = load_plan(PAPER)
    family = [
        METHODS[name].label
        for name in plan.experiments["ablation"].methods
        if isinstance(METHODS[name].settings, PrefPoE)
    ]
    assert list(found) == family
    # 5 + 5 bins of the members that ended, 2 of the one that diverged at the third.
    assert found["PrefPoE (equations)"] == (
        "2 done, 1 diverged (at 1,000,000), 2 missing",
        "12",
        f"{100 * 2 / 12:.1f}%",
        "33.3%",
        f"{100 * 5 / 12:.1f}%",
        "15.0% (1 of 2)",
        f"{100 * (0.2 + 0.4 + 0.2) / 3:.1f}% (3 of 3) at 100,000",
        f"{100 / 12:.1f}%",
    )
    assert found["PoE without advantage (β₁ = 0)"] == ("5 missing", "0", *["—"] * 6)
    values = pd.read_parquet(stem.with_suffix(".parquet")).set_index("method").loc["prefpoe"]
    assert (values["observed"], values["bins"], values["near_zero"]) == (3, 12, 5)
    members = pd.read_csv(stem.with_suffix(".csv"))
    assert len(members) == 5 * len(family)
    diverged = members[members["status"] == "diverged"]
    assert diverged[["seed", "bins", "diverged_at"]].to_numpy().tolist() == [[42, 2, 1_000_000]]
    assert diverged["difference_final"].isna().all()


def test_every_threshold_is_printed_with_its_source(tmp_path: Path) -> None:
    stem = draw("table_failures", write_experiment(tmp_path, {}), tmp_path / "out")
    (table,) = read_markdown(stem.with_suffix(".md").read_text(encoding="utf-8"))
    notes = " ".join(table.notes)
    thresholds = [
        getattr(signatures, name)
        for name in ("NEAR_ZERO", "IMMEDIATELY", "FAR", "ROUNDING", "WIDE")
    ]
    assert [each.value for each in thresholds] == [0.5, 0.1, 0.15, 1e-6, 1.0]
    for each in thresholds:
        assert f"{each.value:g} {each.source}" in notes
    assert "here 24 on HalfCheetah-v4" in notes
    # exp(0.5 / 6) / √(2πe), six action dimensions
    assert "standard deviation 0.26 in every" in notes
