"""The best of a sweep at each α, chosen on the runs shown and on others, by hand and by simulation; bands against rliable."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.statistics import bootstrap_interval, mean
from paper_figures.bootstrap import band
from paper_figures.mixture import sensitivity


def members(alpha: float, values: dict[str, list[float]]) -> pd.DataFrame:
    """Seeds 0, 1, … of settings with these scores."""
    rows = [
        {"arm": "x", "alpha": alpha, "setting": setting, "seed": seed, "auc": score}
        for setting, scores in values.items()
        for seed, score in enumerate(scores)
    ]
    return pd.DataFrame(rows)


def test_the_best_is_chosen_among_settings_that_lost_no_run() -> None:
    found = members(0.1, {"a": [1, 2, 3, 4], "b": [9, 9, 9, np.nan], "c": [4, 3, 2, 1]})
    assert sensitivity.best_setting(found, "auc") == "a"
    (row,) = sensitivity.best_settings(found, "auc", ("arm", "alpha")).to_dict("records")
    assert (row["arm"], row["alpha"], row["setting"], row["n"], row["mean"]) == (
        "x",
        0.1,
        "a",
        4,
        2.5,
    )
    assert 1 <= row["low"] < 2.5 < row["high"] <= 4


def test_without_a_complete_setting_nothing_is_shown() -> None:
    found = members(0.1, {"a": [1, np.nan], "b": [np.nan, 2]})
    assert sensitivity.best_setting(found, "auc") is None
    assert sensitivity.best_settings(found, "auc", ("arm", "alpha")).empty
    both = pd.concat([found, members(1.0, {"a": [5, 6]})])
    assert sensitivity.best_settings(both, "auc", ("arm", "alpha"))["alpha"].tolist() == [1.0]


def test_each_half_of_the_seeds_is_shown_at_the_best_of_the_other() -> None:
    """Seeds 0 and 2 prefer a (6 against 3), seeds 1 and 3 prefer b (8 against 2); so 0, 2 show b and 1, 3 show a."""
    found = members(0.1, {"a": [5, 1, 7, 3], "b": [2, 9, 4, 7]})
    (row,) = sensitivity.held_out(found, "auc", ("arm", "alpha")).to_dict("records")
    assert (row["setting"], row["other_setting"]) == ("b", "a")
    assert (row["n"], row["mean"]) == (4, (2 + 4 + 1 + 3) / 4)
    assert sensitivity.best_settings(found, "auc", ("arm",))["mean"].tolist() == [5.5]


def test_a_setting_with_a_lost_run_is_not_held_out_either() -> None:
    """b would be shown on seeds 0 and 2, where it has lost a run: a is shown throughout."""
    found = members(0.1, {"a": [5, 1, 7, 3], "b": [np.nan, 9, 4, 7]})
    (row,) = sensitivity.held_out(found, "auc", ("arm", "alpha")).to_dict("records")
    assert (row["setting"], row["other_setting"], row["n"]) == ("a", "a", 4)
    assert row["mean"] == pytest.approx((5 + 1 + 7 + 3) / 4)


def test_one_seed_cannot_be_held_out() -> None:
    assert sensitivity.held_out(members(0.1, {"a": [1]}), "auc", ("arm",)).empty


def test_only_the_best_on_the_same_runs_is_too_high() -> None:
    """Sixteen settings that are all worth 0, ten seeds of spread 1: the largest mean of ten is about 0.56."""
    rng = np.random.default_rng(0)
    names = [f"{i}" for i in range(16)]
    sweeps = [
        members(float(i), {name: list(rng.standard_normal(10)) for name in names})
        for i in range(60)
    ]
    every = pd.concat(sweeps)
    biased = sensitivity.best_settings(every, "auc", ("alpha",))["mean"].to_numpy()
    unbiased = sensitivity.held_out(every, "auc", ("alpha",))["mean"].to_numpy()
    # E of the largest of 16 standard normals is 1.766 (Harter 1961), of means of ten it is that over √10.
    assert biased.mean() == pytest.approx(1.766 / np.sqrt(10), abs=0.06)
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(60)


def test_hyperparameters_are_read_from_the_setting() -> None:
    rows = pd.DataFrame(
        {"method": ["m"] * 2, "setting": ['{"alpha": 0.1, "k": 2}', '{"alpha": 1.0}']}
    )
    found = sensitivity.with_levels(rows, ("alpha",))
    assert found["alpha"].tolist() == [0.1, 1.0]
    assert list(sensitivity.with_levels(rows[:0], ("alpha",))) == ["method", "setting", "alpha"]


def test_a_band_is_the_bootstrap_interval_at_every_point() -> None:
    curves = np.random.default_rng(1).standard_normal((12, 3)) * [1.0, 2.0, 0.0] + [0.0, 5.0, 7.0]
    low, high = band(curves)
    for k in range(2):
        expected = bootstrap_interval([curves[:, k]], lambda x: mean(x), np.random.default_rng(2))
        assert (low[k], high[k]) == pytest.approx(expected, abs=0.1 * np.ptp(expected))
    assert (low[2], high[2]) == pytest.approx((7.0, 7.0))


def test_a_band_is_over_the_runs_that_reach_a_point() -> None:
    curves = np.array(
        [[1.0, 1.0, 1.0], [2.0, 2.0, np.nan], [3.0, 9.0, np.nan], [4.0, np.nan, np.nan]]
    )
    low, high = band(curves)
    alone = band(curves[:3, 1:2])
    assert (low[1], high[1]) == (alone[0][0], alone[1][0])
    assert np.isnan([low[2], high[2]]).all()
    assert 1 <= low[0] < high[0] <= 4
    assert np.isnan(band(np.ones((1, 2)))).all()
