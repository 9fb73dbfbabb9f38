"""Effects of factorials against numbers worked out by hand, least squares, scipy's tests, and simulation."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from analysis import effects as e
from analysis import statistics as s

pytestmark = pytest.mark.filterwarnings("error")

NAN = np.nan
LETTERS = "abcdef"


def design(scores: Sequence[Sequence[float]] | np.ndarray) -> e.Factorial:
    grid = np.array(scores, np.float64)
    k = int(np.log2(len(grid)))
    return e.Factorial(tuple(LETTERS[:k]), tuple(range(grid.shape[1])), grid)


# Cells (a, b) = (−, −), (−, +), (+, −), (+, +); their means are 2, 4, 7, 15, their variances 2, 8, 8, 18.
BY_HAND = design([[1, 3], [2, 6], [5, 9], [12, 18]])


def row(table: pd.DataFrame, effect: str) -> pd.Series:
    return table.set_index("effect").loc[effect]


def test_two_by_two_by_hand() -> None:
    table = e.effects(BY_HAND)
    assert table["effect"].tolist() == ["a", "b", "a × b"]
    assert table["order"].tolist() == [1, 1, 2]
    # a: (7 + 15)/2 − (2 + 4)/2; b: (4 + 15)/2 − (2 + 7)/2; a × b: (2 + 15)/2 − (4 + 7)/2.
    for analysis in e.ANALYSES:
        assert table[f"{analysis}_estimate"].tolist() == [8, 5, 3]
    a = row(table, "a")
    # Seeds give 7 and 9: standard error 1, and t with one degree of freedom is Cauchy's.
    assert (a["seeds_t"], a["seeds_df"]) == (pytest.approx(8), 1)
    assert a["seeds_p"] == pytest.approx(2 * np.arctan(1 / 8) / np.pi, rel=1e-12)
    assert a["seeds_high"] - 8 == pytest.approx(np.tan(0.475 * np.pi), rel=1e-9)
    # ¼ (2 + 8 + 8 + 18)/2 = 4.5; the parts of a cell are 0.25, 1, 1, 2.25, their squares sum to 7.125.
    assert a["cells_t"] == pytest.approx(8 / np.sqrt(4.5), rel=1e-12)
    assert a["cells_df"] == pytest.approx(4.5**2 / 7.125, rel=1e-12)
    # The pooled variance is 9; with equal n its error is the same, with 4 degrees of freedom.
    assert a["pooled_t"] == pytest.approx(8 / np.sqrt(4.5), rel=1e-12)
    assert a["pooled_df"] == 4
    assert a["pooled_high"] == pytest.approx(8 + 2.776445 * np.sqrt(4.5), rel=1e-6)


def test_an_effect_that_is_the_same_in_every_seed_is_not_tested() -> None:
    same = row(e.effects(BY_HAND), "a × b")
    assert (same["seeds_estimate"], same["seeds_low"], same["seeds_high"]) == (3, 3, 3)
    assert np.isnan(same["seeds_p"])
    shifted = design(BY_HAND.scores / 3 + np.array([1e8, -1e8]))
    assert np.isnan(row(e.effects(shifted), "a × b")["seeds_p"])


def test_variation_by_hand() -> None:
    # Total 232 about the mean 7: 128 + 50 + 18 for effects, 36 within cells, of which 32 between seeds.
    found = e.shares(BY_HAND) * 232
    expected = {"a": 128, "b": 50, "a × b": 18, e.SEEDS: 32, e.REST: 4}
    assert found.to_dict() == pytest.approx(expected, rel=1e-12)


def test_the_pilot_plant_of_box_hunter_and_hunter() -> None:
    # Statistics for Experimenters, table 5.1: yields by temperature (fastest), concentration, catalyst.
    yields = np.array([60.0, 72, 54, 68, 52, 83, 45, 80])[:, None]
    plant = e.Factorial(("K", "C", "T"), (0,), yields)
    table = e.effects(plant).set_index("effect")
    assert table["seeds_estimate"].to_dict() == {
        **{"K": 1.5, "C": -5.0, "T": 23.0},
        **{"K × C": 0.0, "K × T": 10.0, "C × T": 1.5, "K × C × T": 0.5},
    }
    assert table["seeds_low"].isna().all()
    assert set(table["not_estimable"]) == {
        "1 of 1 seeds have a score in all 8 cells; two are needed"
    }


def test_unbalanced_cells_agree_with_least_squares() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0, [[1.0]] * 4 + [[5.0]] * 4, (8, 6)) + np.arange(8)[:, None]
    scores[rng.random((8, 6)) < 0.3] = NAN
    x = np.vstack([np.ones(8), *(w * 4 for _, w in e.contrasts("abc"))]).T
    present = ~np.isnan(scores)
    rows, y = np.repeat(x, present.sum(axis=1), axis=0), scores[present]
    coefficients, residual, rank, _ = np.linalg.lstsq(rows, y, rcond=None)
    df = len(y) - rank
    errors = np.sqrt(np.diag(np.linalg.inv(rows.T @ rows)) * residual[0] / df)
    table = e.effects(design(scores))
    np.testing.assert_allclose(table["pooled_estimate"], 2 * coefficients[1:], rtol=1e-10)
    np.testing.assert_allclose(table["cells_estimate"], 2 * coefficients[1:], rtol=1e-10)
    t = coefficients[1:] / errors[1:]
    np.testing.assert_allclose(table["pooled_t"], t, rtol=1e-9)
    np.testing.assert_allclose(table["pooled_p"], 2 * stats.t.sf(abs(t), df), rtol=1e-8)
    assert (table["members"] == len(y)).all()


def test_shares_are_what_least_squares_loses_without_a_term() -> None:
    scores = np.random.default_rng(2).normal(0, 1, (8, 5)) + np.arange(8)[:, None]
    terms = [np.ones(8), *(w for _, w in e.contrasts("abc"))]

    def residual(columns: list[np.ndarray]) -> float:
        rows = np.repeat(np.vstack(columns).T, 5, axis=0)
        fitted = rows @ np.linalg.lstsq(rows, scores.ravel(), rcond=None)[0]
        return float(((scores.ravel() - fitted) ** 2).sum())

    full, nothing = residual(terms), residual(terms[:1])
    found = e.shares(design(scores))
    for i, (name, _) in enumerate(e.contrasts("abc"), start=1):
        lost = residual(terms[:i] + terms[i + 1 :]) - full
        assert found[name] == pytest.approx(lost / nothing, rel=1e-9)
    assert found[e.SEEDS] + found[e.REST] == pytest.approx(full / nothing, rel=1e-9)
    assert found.sum() == pytest.approx(1, rel=1e-12)


def test_one_factor_is_the_two_sample_tests_of_scipy() -> None:
    x, y = np.array([3.0, 5, 4, 8, 6]), np.array([9.0, 30, 12, 5, 28])
    only = e.effects(design([x, y])).iloc[0]
    expected = {
        "seeds": stats.ttest_rel(y, x),
        "cells": stats.ttest_ind(y, x, equal_var=False),
        "pooled": stats.ttest_ind(y, x),
    }
    for analysis, test in expected.items():
        assert only[f"{analysis}_estimate"] == pytest.approx(y.mean() - x.mean())
        assert only[f"{analysis}_t"] == pytest.approx(test.statistic, rel=1e-12)
        assert only[f"{analysis}_df"] == pytest.approx(test.df, rel=1e-12)
        assert only[f"{analysis}_p"] == pytest.approx(test.pvalue, rel=1e-12)
        ends = only[f"{analysis}_low"], only[f"{analysis}_high"]
        assert ends == pytest.approx(tuple(test.confidence_interval()), rel=1e-10)


def test_without_a_cell_no_effect_is_estimated() -> None:
    scores = np.random.default_rng(3).normal(0, 1, (8, 5))
    scores[5] = NAN
    table = e.effects(design(scores))
    numbers = table.filter(regex="^(seeds|cells|pooled)_|share")
    assert numbers.isna().all(axis=None)
    assert set(table["not_estimable"]) == {"1 of 8 cells have no score"}


def test_a_lost_member_costs_its_seed_over_seeds_and_itself_over_cells() -> None:
    scores = np.random.default_rng(4).normal(0, 1, (4, 5))
    lost = scores.copy()
    lost[2, 1] = NAN
    table, rest = e.effects(design(lost)), e.effects(design(np.delete(scores, 1, axis=1)))
    over_seeds = ["seeds_estimate", "seeds_low", "seeds_high", "seeds_p", "share"]
    pd.testing.assert_frame_equal(table[over_seeds], rest[over_seeds])
    assert (table["n"] == 4).all()
    assert (table["members"] == 19).all()
    assert set(table["not_estimable"]) == {""}
    means = np.nanmean(lost, axis=1)
    assert row(table, "a")["cells_estimate"] == pytest.approx((means[2:] - means[:2]).mean())


def test_every_seed_may_lack_some_cell_while_cells_have_scores() -> None:
    scores = np.random.default_rng(5).normal(0, 1, (4, 4))
    np.fill_diagonal(scores, NAN)
    table = e.effects(design(scores))
    assert table["seeds_estimate"].isna().all()
    assert table["cells_p"].notna().all()
    assert set(table["not_estimable"]) == {
        "0 of 4 seeds have a score in all 4 cells; two are needed"
    }


def test_cell_means_stand_in_where_divergence_takes_a_cell_from_every_seed() -> None:
    scores = np.random.default_rng(5).normal(0, 1, (4, 4))
    whole = design(scores)
    assert (e.shown(whole), set(e.effects(whole)["analysis"])) == ("seeds", {"seeds"})
    np.fill_diagonal(scores, NAN)
    lost = design(scores)
    assert set(e.effects(lost)["analysis"]) == {"cells"}
    _, weights = next(e.contrasts("ab"))
    assert e.over_shown(lost, weights) == e.over_cells(lost, weights, pooled=False)
    assert e.over_shown(whole, weights) == e.over_seeds(whole, weights)
    scores[0] = [NAN, 1.0, NAN, NAN]  # a cell of one score has no spread
    assert e.shown(design(scores)) == "seeds"
    scores[0] = NAN
    assert e.shown(design(scores)) == "seeds"


def test_a_cell_of_one_member_has_no_variance_of_its_own() -> None:
    scores = [[1.0, 2, 4], [2, 3, 7], [5, 6, 6], [8, NAN, NAN]]
    a = row(e.effects(design(scores)), "a")
    assert np.isfinite(a["cells_estimate"])
    assert np.isnan(a["cells_p"])
    assert a["pooled_df"] == 6
    assert np.isfinite(a["pooled_p"])


def test_holms_family_is_the_table() -> None:
    scores = np.random.default_rng(6).normal(0, 1, (16, 5)) + np.arange(16)[:, None] / 8
    for order, size in ((None, 15), (2, 10), (1, 4)):
        table = e.effects(design(scores), order)
        assert len(table) == size
        for analysis in e.ANALYSES:
            p = table[f"{analysis}_p"].to_numpy()
            np.testing.assert_array_equal(table[f"{analysis}_p_holm"], s.holm(p))


@given(
    arrays(np.float64, (8, 4), elements=st.floats(-1e3, 1e3, width=32)),
    arrays(np.float64, 4, elements=st.floats(-1e3, 1e3, width=32)),
)
def test_what_a_seed_adds_to_every_cell_changes_nothing_over_seeds(
    scores: np.ndarray, shifts: np.ndarray
) -> None:
    for _, weights in e.contrasts("abc"):
        one, other = (e.over_seeds(design(x), weights) for x in (scores, scores + shifts))
        assert other.value == pytest.approx(one.value, abs=1e-6)
        assert other.interval.low == pytest.approx(one.interval.low, abs=1e-5)


def test_intervals_over_seeds_cover_where_those_over_cells_do_not() -> None:
    """The numbers that the module's docstring gives for its default."""
    rng = np.random.default_rng(7)
    _, weights = next(e.contrasts("abcd"))
    signs = e.codes(4)[:, :1]
    covered = np.zeros(3)
    rounds = 1500
    for _ in range(rounds):
        own, shared = rng.standard_normal((16, 5)), rng.standard_normal((1, 5))
        found = design(np.sqrt(0.95) * own + np.sqrt(0.05) * signs * shared)
        for i, estimate in enumerate(
            (
                e.over_seeds(found, weights),
                e.over_cells(found, weights, pooled=False),
                e.over_cells(found, weights, pooled=True),
            )
        ):
            covered[i] += estimate.interval.low <= 0 <= estimate.interval.high
    seeds, cells, pooled = covered / rounds
    error = 3 * np.sqrt(0.05 * 0.95 / rounds)
    assert seeds == pytest.approx(0.95, abs=error)
    assert cells == pytest.approx(0.86, abs=0.03)
    assert pooled == pytest.approx(0.86, abs=0.03)


# From tables of scores


def members(cells: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    rows = [
        {"method": method, "setting": json.dumps({"mean": mean}), "seed": seed, "score": score}
        for (method, mean), scores in cells.items()
        for seed, score in enumerate(scores)
    ]
    return pd.DataFrame(rows, columns=["method", "setting", "seed", "score"])


FACTORS = (e.Factor("method", "ppo", "prefpoe"), e.Factor("mean", 0.0, 1.0))
CELLS = {
    ("ppo", 0.0): [1.0, 3.0],
    ("ppo", 1.0): [2.0, 6.0],
    ("prefpoe", 0.0): [5.0, 9.0],
    ("prefpoe", 1.0): [12.0, 18.0],
}


def test_scores_are_put_into_their_cells() -> None:
    shuffled = members(CELLS).sample(frac=1, random_state=0)
    found = e.factorial(shuffled.sort_values("seed", kind="stable"), FACTORS)
    assert found.factors == ("method", "mean")
    np.testing.assert_array_equal(found.scores, BY_HAND.scores)


def test_other_levels_are_left_aside_and_absent_cells_are_empty() -> None:
    extra = members({**CELLS, ("ppo", 2.0): [7.0, 7.0], ("linear_fusion", 0.0): [8.0, 8.0]})
    np.testing.assert_array_equal(e.factorial(extra, FACTORS).scores, BY_HAND.scores)
    fewer = members({cell: x for cell, x in CELLS.items() if cell != ("ppo", 1.0)})
    assert e.factorial(fewer, FACTORS).empty_cells == 1
    nothing = e.factorial(members({}), FACTORS)
    assert nothing.scores.shape == (4, 0)
    assert set(e.effects(nothing)["not_estimable"]) == {"4 of 4 cells have no score"}


def test_a_cell_with_a_seed_twice_is_refused() -> None:
    twice = pd.concat([members(CELLS), members({("ppo", 1.0): [4.0]})])
    with pytest.raises(ValueError, match=r"cell \('ppo', 1.0\) has a seed twice"):
        e.factorial(twice, FACTORS)


def test_levels_keep_a_table_of_their_own() -> None:
    arms = members(CELLS).assign(mean=7.0)
    told = e.levels(arms)
    assert told["mean"].tolist() == [0.0, 0.0, 1.0, 1.0] * 2
    assert told.index.equals(arms.index)
    mixed = pd.DataFrame({"method": ["a", "b"], "setting": ['{"x": true}', "{}"]})
    assert e.levels(mixed)["x"].tolist() == [True, None]


def test_codes_are_in_the_order_of_the_levels() -> None:
    assert e.codes(2).tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    for (_, x), (_, y) in itertools.combinations(e.contrasts("abc"), 2):
        assert x @ y == 0
