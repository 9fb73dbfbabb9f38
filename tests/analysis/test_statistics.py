"""Statistics against numbers worked out by hand, against scipy's own tests, and against simulation."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rliable import metrics
from scipy import stats

from algorithms.cell import Plan
from analysis import statistics as s
from envs.registry import ENVIRONMENTS, Anchors

pytestmark = pytest.mark.filterwarnings("error")

SCORES = arrays(np.float64, st.integers(2, 12), elements=st.floats(-1e4, 1e4, width=32))
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def array(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


X, Y = array(4, 7, 9, 12), array(3, 5, 4, 8)  # means 8 and 5; squared deviations 34 and 14


def indexed(values: np.ndarray, seeds: list[int]) -> pd.Series:
    return pd.Series(values, index=seeds)


# One arm


def test_mean_and_std_by_hand() -> None:
    assert s.mean(X) == 8
    assert s.std(X) == pytest.approx(np.sqrt(34 / 3), rel=1e-14)


def test_cv_by_hand() -> None:
    assert s.coefficient_of_variation(array(90, 100, 110)) == pytest.approx(10, rel=1e-14)


@pytest.mark.parametrize("x", [array(-90, -100, -110), array(-1, 1), array(5), array()])
def test_cv_needs_a_positive_mean_and_two_members(x: np.ndarray) -> None:
    assert np.isnan(s.coefficient_of_variation(x))


def test_mean_interval_is_students() -> None:
    # t(0.975, 3 df) = 3.182446, standard error √(34/3)/2 = 1.683251.
    interval = s.mean_interval(X)
    assert interval.high - 8 == pytest.approx(3.182446 * 1.683251, rel=1e-6)
    expected = stats.t.interval(0.95, 3, loc=8, scale=stats.sem(X))
    assert tuple(interval) == pytest.approx(expected, rel=1e-12)


def test_wilson_interval_of_a_proportion() -> None:
    # (p + z²/2n ± z √(pq/n + z²/4n²)) / (1 + z²/n): 0.716738 ± 0.226585 for 8 of 10, z = 1.959964.
    assert tuple(s.wilson_interval(8, 10)) == pytest.approx((0.490162, 0.943318), abs=2e-6)
    assert tuple(s.wilson_interval(0, 10)) == pytest.approx((0.0, 0.277533), abs=2e-6)
    assert np.isnan(s.wilson_interval(0, 0)).all()


@given(SCORES)
def test_iqm_cuts_a_quarter_from_either_end(x: np.ndarray) -> None:
    assert s.iqm(x) == pytest.approx(stats.trim_mean(x, 0.25), rel=1e-9, abs=1e-9)
    assert s.iqm(x) == pytest.approx(metrics.aggregate_iqm(x[:, None]), rel=1e-9, abs=1e-9)


def test_iqm_of_five_is_the_mean_of_the_middle_three() -> None:
    assert s.iqm(array(1000, 1, 2, 3, -1000)) == 2


def test_normalised_scores_put_the_anchors_at_0_and_1() -> None:
    anchors = Anchors(-280.0, 12000.0, "by hand")
    assert [s.normalised(v, anchors) for v in (-280.0, 12000.0, 5860.0)] == [0, 1, 0.5]


def test_normalising_commutes_with_the_iqm_and_its_interval() -> None:
    anchors = ENVIRONMENTS["Ant-v4"].anchors
    inside = np.array([s.normalised(v, anchors) for v in 100 * X])
    inner = s.iqm_interval(inside, np.random.default_rng(3))
    outer = s.iqm_interval(100 * X, np.random.default_rng(3))
    assert s.iqm(inside) == pytest.approx(s.normalised(s.iqm(100 * X), anchors), rel=1e-12)
    assert tuple(inner) == pytest.approx([s.normalised(v, anchors) for v in outer], rel=1e-9)


# Two arms


def test_improvement_by_hand() -> None:
    assert s.improvement(X, Y) == pytest.approx(60, rel=1e-14)
    assert np.isnan(s.improvement(X, -Y))
    assert np.isnan(s.improvement(X, array()))


def test_improvement_interval_of_a_constant_baseline_is_the_arms_own() -> None:
    expected = [100 * (end / 5 - 1) for end in s.mean_interval(X)]
    assert s.improvement_interval(X, array(5, 5, 5)) == pytest.approx(expected, rel=1e-12)


def test_improvement_interval_ends_where_the_test_of_the_ratio_turns() -> None:
    # At 60 % the scaled variances are 34/12 and 1.6² · 14/12 = 2.98667; df = 3 · 5.82² / (2.8333² + 2.98667²).
    t = stats.t.ppf(0.975, 3 * 5.82**2 / ((34 / 12) ** 2 + (2.56 * 14 / 12) ** 2))
    for end, sign in zip(s.improvement_interval(X, Y), (1, -1), strict=True):
        ratio = 1 + end / 100
        error = np.sqrt(34 / 12 + ratio**2 * 14 / 12)
        assert (8 - ratio * 5) / error == pytest.approx(sign * t, rel=1e-9)


@pytest.mark.parametrize(
    ("x", "y", "ends"),
    [
        (X, array(-1, 4), (-np.inf, np.inf)),
        (X, -Y, (np.nan, np.nan)),
        (X[:1], Y, (np.nan, np.nan)),
        (array(500, 500), array(500, 500), (np.nan, np.nan)),
        (array(), array(), (np.nan, np.nan)),
    ],
)
def test_improvement_interval_without_bounds(
    x: np.ndarray, y: np.ndarray, ends: tuple[float, float]
) -> None:
    np.testing.assert_array_equal(s.improvement_interval(x, y), ends)


@pytest.mark.parametrize("spreads", [(20.0, 20.0), (40.0, 10.0)])
def test_improvement_interval_covers_by_simulation(spreads: tuple[float, float]) -> None:
    # True improvement 50 %, five members an arm, 4,000 experiments: the standard error is 0.34 %.
    # Satterthwaite's degrees of freedom at such n keep 95 % to within about one percent.
    rng = np.random.default_rng(17)
    x, y = rng.normal(150, spreads[0], (4000, 5)), rng.normal(100, spreads[1], (4000, 5))
    ends = np.array([s.improvement_interval(a, b) for a, b in zip(x, y, strict=True)])
    covered = np.mean((ends[:, 0] <= 50) & (ends[:, 1] >= 50))
    assert covered == pytest.approx(0.95, abs=0.02)


@given(SCORES, SCORES)
def test_probability_of_improvement_counts_pairs(x: np.ndarray, y: np.ndarray) -> None:
    wins = [Fraction(int(a > b)) + Fraction(int(a == b), 2) for a, b in itertools.product(x, y)]
    expected = float(sum(wins) / len(wins))
    assert s.probability_of_improvement(x, y) == pytest.approx(expected, rel=1e-12)
    reference = metrics.probability_of_improvement(x[:, None], y[:, None])
    assert s.probability_of_improvement(x, y) == pytest.approx(reference, rel=1e-12)


def test_paired_t_by_hand() -> None:
    # Differences 1, 2, 5, 4: mean 3, squared deviations 4 + 1 + 4 + 1 = 10.
    result = s.paired_t(X, Y)
    assert result.statistic == pytest.approx(3 / np.sqrt(10 / 3 / 4), rel=1e-14)
    assert result.df == 3


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_t_tests_agree_with_scipy(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, z = rng.normal(3, 2, n), rng.normal(size=n), rng.normal(0, 9, n + 3)
    paired, reference = s.paired_t(x, y), stats.ttest_rel(x, y)
    assert (paired.statistic, paired.p) == pytest.approx((reference.statistic, reference.pvalue))
    welch, reference = s.welch_t(x, z), stats.ttest_ind(x, z, equal_var=False)
    assert tuple(welch) == pytest.approx((reference.statistic, reference.df, reference.pvalue))


def test_welch_by_hand() -> None:
    # Variances of the means 34/3/4 and 14/3/4; with equal n, df = 3 (34 + 14)² / (34² + 14²).
    result = s.welch_t(X, Y)
    assert result.statistic == pytest.approx(3 / np.sqrt(48 / 12), rel=1e-14)
    assert result.df == pytest.approx(3 * 48**2 / (34**2 + 14**2), rel=1e-14)


def test_welch_with_one_arm_without_spread_has_the_others_degrees_of_freedom() -> None:
    result = s.welch_t(array(500, 500, 500), array(1, 2, 3, 4))
    assert result.df == pytest.approx(3)
    assert 0 < result.p < 1e-3


def test_cohens_d_by_hand() -> None:
    assert s.pooled_std(X, Y) == pytest.approx(np.sqrt(48 / 6), rel=1e-14)
    assert s.cohens_d(X, Y) == pytest.approx(3 / np.sqrt(8), rel=1e-14)
    assert s.pooled_std(X, array(1, 3)) == pytest.approx(np.sqrt(36 / 4), rel=1e-14)


def test_wilcoxon_of_five_pairs_reaches_its_smallest_p() -> None:
    x = array(10, 20, 30, 40, 50)
    assert s.wilcoxon(x, array(9, 18, 27, 36, 45)) == s.wilcoxon_smallest(5) == 0.0625


def test_wilcoxon_by_counting_signs() -> None:
    # Differences 1, −2, 3, 4: the negative ranks sum to 2; of 16 sign patterns ∅, {1}, {2} reach ≤ 2.
    assert s.wilcoxon(array(1, -2, 3, 4), np.zeros(4)) == pytest.approx(2 * 3 / 16)


def test_wilcoxon_with_ties_and_zeros_is_quiet() -> None:
    assert 0 < s.wilcoxon(array(1, 2, 2, 3, 0), np.zeros(5)) <= 1


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (array(), array()),
        (array(1), array(2)),
        (array(500, 500, 500), array(500, 500, 500)),
        (array(0.1 + 0.2, 0.3), array(0.3, 0.1 + 0.2)),
        (array(0, 0), array(0, 0)),
    ],
)
def test_undefined_comparisons_are_nan_and_quiet(x: np.ndarray, y: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    undefined = [*s.paired_t(x, y), *s.welch_t(x, y), s.wilcoxon(x, y), s.cohens_d(x, y)]
    undefined.append(s.minimum_detectable_difference(s.pooled_std(x, y), len(x), len(y)))
    if len(x) < 2:
        undefined += [s.std(x), *s.mean_interval(x), *s.iqm_interval(x, rng)]
        undefined += [*s.probability_interval(x, y, rng), s.wilcoxon_smallest(len(x))]
    assert np.isnan(undefined).all()


def test_a_constant_difference_has_no_paired_test() -> None:
    assert np.isnan(s.paired_t(array(1.1, 2.2, 3.3), array(0.1, 1.2, 2.3)).p)


# Pairing


def test_pairs_are_matched_by_seed() -> None:
    x, y = s.pairs(indexed(array(1, 2, 3), [0, 10, 42]), indexed(array(30, 10, 20), [42, 0, 10]))
    assert x.tolist() == [1, 2, 3]
    assert y.tolist() == [10, 20, 30]


@pytest.mark.parametrize("seeds", [[0, 10, 41], [0, 10], [0, 10, 10]])
def test_pairing_is_refused_unless_the_seeds_are_the_same(seeds: list[int]) -> None:
    other = indexed(np.arange(len(seeds), dtype=float), seeds)
    x, y = s.pairs(indexed(array(1, 2, 3), [0, 10, 42]), other)
    assert (len(x), len(y)) == (0, 0)


# Many comparisons


def test_holm_by_hand() -> None:
    # Holm (1979): sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, never below the one before.
    adjusted = s.holm(array(0.01, 0.04, 0.03, 0.005))
    assert adjusted.tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_was_not_compared() -> None:
    adjusted = s.holm(array(0.02, np.nan, 0.9))
    assert adjusted[[0, 2]].tolist() == pytest.approx([0.04, 0.9])
    assert np.isnan(adjusted[1])


@given(P_VALUES)
def test_holm_keeps_order_and_lies_between_p_and_bonferroni(values: list[float]) -> None:
    p = np.array(values)
    adjusted = s.holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, len(p) * p)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


# Power


@pytest.mark.parametrize("sizes", [(2, 2), (5, 5), (3, 10), (2, 200), (5000, 5000)])
def test_the_detectable_difference_has_80_percent_power(sizes: tuple[int, int]) -> None:
    difference = s.minimum_detectable_difference(7.0, *sizes)
    df = sum(sizes) - 2
    shift = difference / (7.0 * np.sqrt(1 / sizes[0] + 1 / sizes[1]))
    critical = stats.t.ppf(0.975, df)
    accepted = stats.nct.cdf(critical, df, shift) - stats.nct.cdf(-critical, df, shift)
    assert 1 - accepted == pytest.approx(0.8, abs=1e-9)


def test_power_by_simulation() -> None:
    # 20,000 experiments: the count's standard deviation is 0.28 %; a right function fails at 4.5 of
    # them with probability below 1e-5, one whose power were 78 % passes with probability below 0.01.
    rng = np.random.default_rng(5)
    difference = s.minimum_detectable_difference(3.0, 5, 4)
    x, y = rng.normal(difference, 3, (5, 20_000)), rng.normal(0, 3, (4, 20_000))
    found = stats.ttest_ind(x, y).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=4.5 * 0.0028)


# Bootstrap


def test_the_bootstrap_follows_the_generator() -> None:
    x, y = np.random.default_rng(1).normal(size=(2, 9))
    first = s.iqm_interval(x, np.random.default_rng(1))
    assert first == s.iqm_interval(x, np.random.default_rng(1))
    assert first != s.iqm_interval(x, np.random.default_rng(2))
    chance = s.probability_interval(x, y, np.random.default_rng(1))
    assert chance == s.probability_interval(x, y, np.random.default_rng(1))
    assert chance != s.probability_interval(x, y + 0.1, np.random.default_rng(2))


def test_the_bootstrap_leaves_numpys_global_stream_as_it_was() -> None:
    np.random.seed(11)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(11)  # noqa: NPY002
    s.iqm_interval(X, np.random.default_rng(0))
    with pytest.raises(ZeroDivisionError), s.global_seed(np.random.default_rng(0)):
        raise ZeroDivisionError
    assert np.random.random(3).tolist() == expected.tolist()  # noqa: NPY002


def test_the_global_stream_does_not_reach_the_bootstrap() -> None:
    np.random.seed(1)  # noqa: NPY002
    first = s.iqm_interval(X, np.random.default_rng(0))
    np.random.seed(2)  # noqa: NPY002
    assert s.iqm_interval(X, np.random.default_rng(0)) == first


def test_the_bootstrap_interval_is_that_of_every_resample() -> None:
    # Three members: 27 equally likely resamples, enumerated; 2,000 draws give their 2.5 % and 97.5 %
    # quantiles, which here are the extremes, each with probability 1/27 > 2.5 %.
    x = array(0, 1, 10)
    means = [np.mean(sample) for sample in itertools.product(x, repeat=3)]
    interval = s.bootstrap_interval([x], lambda a: float(np.mean(a)), np.random.default_rng(0))
    assert interval == (min(means), max(means))


def test_probability_interval_by_enumeration() -> None:
    # Two members an arm, x = 0, 2 against y = 1, 3: resamples give 0 with chance 7/16 and 1 with
    # chance 1/16, so the 2.5 % and 97.5 % quantiles are 0 and 1.
    interval = s.probability_interval(array(0, 2), array(1, 3), np.random.default_rng(0))
    assert interval == (0, 1)
    apart = s.probability_interval(array(5, 6), array(1, 3), np.random.default_rng(0))
    assert apart == (1, 1)


# The table


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the table's layout, to which the bootstrap's precision does not matter."""
    monkeypatch.setattr(s, "BOOTSTRAP_RESAMPLES", 100)


COLUMNS = [
    "environment",
    "method",
    "setting",
    "label",
    "imported",
    "planned",
    "n",
    "diverged",
    "failed",
    "missing",
    "mean",
    "std",
    "cv",
    "mean_low",
    "mean_high",
    "iqm",
    "iqm_low",
    "iqm_high",
    "normalized_iqm",
    "normalized_iqm_low",
    "normalized_iqm_high",
    "training_mean",
    "training_std",
    "n_against",
    "mean_difference",
    "mean_difference_low",
    "mean_difference_high",
    "improvement",
    "improvement_low",
    "improvement_high",
    "poi",
    "poi_low",
    "poi_high",
    "paired_n",
    "paired_t",
    "paired_p",
    "paired_p_holm",
    "welch_t",
    "welch_df",
    "welch_p",
    "welch_p_holm",
    "wilcoxon_p",
    "wilcoxon_p_smallest",
    "cohens_d",
    "mde",
]


def member_rows(
    method: str,
    values: np.ndarray,
    environment: str = "ProbeTarget-v0",
    setting: str = "{}",
    imported: bool = False,
    seeds: tuple[int, ...] | None = None,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "environment": environment,
            "method": method,
            "seed": seeds or tuple(range(len(values))),
            "setting": setting,
            "score": values,
            "training_return": values,
            "training_score": values,
            "auc": values,
            "status": np.where(np.isnan(values), "diverged", "done"),
            "imported": imported,
        }
    )


def table(*parts: pd.DataFrame, methods: tuple[str, ...] = ("ppo", "prefpoe")) -> pd.DataFrame:
    scores = pd.concat(parts, ignore_index=True)
    return s.statistics(scores, "ppo", methods, np.random.default_rng(0))


def test_the_table_holds_what_the_functions_give() -> None:
    rows = table(member_rows("ppo", Y), member_rows("prefpoe", X))
    assert list(rows.columns) == COLUMNS
    baseline, arm = rows.to_dict("records")
    assert (arm["label"], arm["planned"], arm["n"]) == ("PrefPoE (equations)", 4, 4)
    assert (arm["mean"], arm["improvement"]) == (8, pytest.approx(60))
    assert (arm["paired_t"], arm["paired_p"]) == s.paired_t(X, Y)[::2]
    assert (arm["welch_t"], arm["welch_df"], arm["welch_p"]) == s.welch_t(X, Y)
    assert arm["cohens_d"] == s.cohens_d(X, Y)
    assert arm["mde"] == s.minimum_detectable_difference(s.pooled_std(X, Y), 4, 4)
    assert (arm["paired_n"], arm["wilcoxon_p_smallest"]) == (4, 0.125)
    assert arm["poi_low"] <= arm["poi"] <= arm["poi_high"]
    assert arm["iqm_low"] <= arm["iqm"] <= arm["iqm_high"]
    anchors = ENVIRONMENTS["ProbeTarget-v0"].anchors
    assert arm["normalized_iqm"] == s.normalised(arm["iqm"], anchors)
    compared = ["improvement", "poi", "paired_p", "welch_p", "wilcoxon_p", "cohens_d", "mde"]
    assert np.isnan([baseline[name] for name in compared]).all()
    assert baseline["paired_n"] == 0


@pytest.mark.usefixtures("few_resamples")
def test_a_lost_member_is_counted_and_ends_the_pairing() -> None:
    (_, arm) = table(
        member_rows("ppo", Y), member_rows("prefpoe", array(4, np.nan, 9, 12))
    ).to_dict("records")
    assert (arm["planned"], arm["n"], arm["diverged"], arm["missing"]) == (4, 3, 1, 0)
    assert arm["mean"] == pytest.approx(25 / 3)
    assert arm["paired_n"] == 0
    assert np.isnan([arm["paired_t"], arm["wilcoxon_p"], arm["wilcoxon_p_smallest"]]).all()
    assert arm["welch_p"] == s.welch_t(array(4, 9, 12), Y).p


@pytest.mark.parametrize("scores", [array(np.nan, np.nan), array(np.nan, 3), array(2, 2)])
@pytest.mark.usefixtures("few_resamples")
def test_an_arm_with_little_to_say_is_a_row(scores: np.ndarray) -> None:
    for parts in (("ppo", "prefpoe"), ("prefpoe", "ppo")):
        rows = table(member_rows(parts[0], Y), member_rows(parts[1], scores))
        assert len(rows) == 2
        assert rows["planned"].sum() == 6


@pytest.mark.usefixtures("few_resamples")
def test_holms_family_spans_the_experiments_environments() -> None:
    rng = np.random.default_rng(8)
    parts = [
        member_rows(method, rng.normal(level, 1, 5), environment)
        for environment in ("ProbeTarget-v0", "ProbeSign-v0")
        for method, level in (("ppo", 0), ("prefpoe", 2), ("linear_fusion", 1))
    ]
    rows = table(*parts, methods=("ppo", "prefpoe", "linear_fusion"))
    for name in ("welch_p", "paired_p"):
        compared = rows[rows["method"] != "ppo"]
        assert len(compared) == 4
        expected = s.holm(compared[name].to_numpy())
        assert compared[f"{name}_holm"].tolist() == expected.tolist()
        smallest = compared[name].min()
        assert compared[f"{name}_holm"].min() == pytest.approx(4 * smallest)


@pytest.mark.usefixtures("few_resamples")
def test_imported_arms_come_last_and_change_no_interval_of_ours() -> None:
    ours = [
        member_rows(method, scores, environment)
        for environment in ("ProbeTarget-v0", "ProbeSign-v0")
        for method, scores in (("ppo", Y), ("prefpoe", X))
    ]
    theirs = member_rows("theirs", X + 1, imported=True, seeds=(7, 8, 9, 11))
    alone, joined = table(*ours), table(theirs, *ours)
    assert joined["imported"].tolist() == [False] * 4 + [True]
    assert joined["label"].iloc[-1] == "theirs (imported)"
    assert joined["paired_n"].iloc[-1] == 0
    assert joined["welch_p"].iloc[-1] == s.welch_t(X + 1, Y).p
    unchanged = [name for name in COLUMNS if not name.endswith("_holm")]
    pd.testing.assert_frame_equal(joined.iloc[:4][unchanged], alone[unchanged])


@pytest.mark.usefixtures("few_resamples")
def test_a_lost_arm_changes_no_interval_of_another() -> None:
    arms = ("ppo", "linear_fusion", "prefpoe")
    kept = table(*(member_rows(arm, X) for arm in arms), methods=arms)
    less = table(
        *(member_rows(arm, X if arm != "linear_fusion" else array(np.nan)) for arm in arms),
        methods=arms,
    )
    intervals = ["iqm_low", "iqm_high", "poi_low", "poi_high"]
    assert less.iloc[2][intervals].tolist() == kept.iloc[2][intervals].tolist()


@pytest.mark.usefixtures("few_resamples")
def test_settings_are_rows_of_their_own() -> None:
    low, high = '{"learning_rate": 0.001}', '{"learning_rate": 0.01}'
    rows = table(
        member_rows("ppo", Y, setting=low),
        member_rows("ppo", Y + 1, setting=high),
        member_rows("prefpoe", X, setting=low),
        member_rows("prefpoe", X, setting=high),
    )
    assert rows["setting"].tolist() == [low, high, low, high]
    assert rows["improvement"].tolist()[2:] == pytest.approx([60, 100 / 3])


@pytest.mark.usefixtures("few_resamples")
def test_rows_follow_the_plan_not_the_alphabet() -> None:
    parts = [
        member_rows(method, X, environment)
        for environment in ("ProbeTarget-v0", "ProbeSign-v0")
        for method in ("prefpoe", "ppo")
    ]
    rows = table(*parts, methods=("prefpoe", "ppo"))
    assert rows["method"].tolist() == ["prefpoe", "ppo"] * 2
    assert rows["environment"].tolist() == ["ProbeTarget-v0"] * 2 + ["ProbeSign-v0"] * 2


# The command line


@pytest.mark.usefixtures("few_resamples")
def test_an_arm_is_compared_with_the_baseline_of_the_same_levels(
    swept_paper: Path, swept: Plan, records: Path, scratch: Path, write, tmp_path: Path
) -> None:
    # Means over the seeds 0, 10, 42 are base + 52/3; the baseline diverged with clip 0.2 and tanh.
    bases = {
        ("ppo", "linear", 0.1): 10.0,
        ("ppo", "linear", 0.2): 40.0,
        ("ppo", "tanh", 0.1): 100.0,
        ("prefpoe", "linear", 0.1): 20.0,
        ("prefpoe", "linear", 0.2): 20.0,
        ("prefpoe", "tanh", 0.1): 30.0,
        ("prefpoe", "tanh", 0.2): 30.0,
    }
    for shard in swept.shards("smoke", "swept"):
        keys = [
            (shard.cell.method, shard.cell.settings.mean, m.setting["clip"]) for m in shard.members
        ]
        ends = [
            (bases[key] + m.seed,) if key in bases else None
            for key, m in zip(keys, shard.members, strict=True)
        ]
        write(shard, ends)
    places = ["--records", str(records), "--scratch", str(scratch), "--output", str(tmp_path / "a")]
    asked = ["--paper", str(swept_paper), "--scale", "smoke", "--experiment", "swept"]
    assert s.main([*asked, *places]) == 0
    rows = pd.read_parquet(tmp_path / "a" / "statistics.parquet").set_index(["method", "setting"])
    assert len(rows) == 8
    assert rows["planned"].tolist() == [3] * 8
    for mean, clip in itertools.product(("linear", "tanh"), (0.1, 0.2)):
        row = rows.loc["prefpoe", f'{{"clip": {clip}, "mean": "{mean}"}}']
        arm, base = bases["prefpoe", mean, clip], bases.get(("ppo", mean, clip))
        assert row["mean"] == pytest.approx(arm + 52 / 3)
        if base is None:
            assert (row["n_against"], row["paired_n"]) == (0, 0)
            assert np.isnan(row["mean_difference"])
        else:
            assert (row["n_against"], row["paired_n"]) == (3, 3)
            assert row["mean_difference"] == pytest.approx(arm - base)
            assert row["improvement"] == pytest.approx(100 * (arm - base) / (base + 52 / 3))


@pytest.fixture
def command(paper: Path, records: Path, scratch: Path) -> list[str]:
    places = ["--records", str(records), "--scratch", str(scratch)]
    return ["--paper", str(paper), "--scale", "smoke", "--experiment", "first", *places]


def test_the_same_records_give_the_same_bytes(
    command: list[str], plan: Plan, write, tmp_path: Path
) -> None:
    for index, shard in enumerate(plan.shards("smoke", "first")[:4]):
        write(shard, [(index, index + seed) for seed in (1, 2, 5)])
    outputs = []
    for name in ("a", "b"):
        np.random.seed(len(outputs))  # noqa: NPY002
        assert s.main([*command, "--output", str(tmp_path / name)]) == 0
        outputs.append({p.name: p.read_bytes() for p in sorted((tmp_path / name).iterdir())})
    assert outputs[0] == outputs[1]
    assert list(outputs[0]) == [
        "contrasts.parquet",
        "curves.parquet",
        "diagnostics.parquet",
        "scores.parquet",
        "statistics.parquet",
    ]
    rows = pd.read_parquet(tmp_path / "a" / "statistics.parquet")
    assert list(rows.columns) == COLUMNS
    assert rows["n"].tolist() == [3, 3, 3, 3, 0, 0]
    assert rows["missing"].tolist() == [0, 0, 0, 0, 3, 3]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "--experiment",
            "third",
            "'third' is not planned at scale 'smoke'; allowed: first, second",
        ),
        ("--scale", "quick", "scale 'quick' is not defined; allowed: smoke"),
        ("--paper", "nowhere", "nowhere/experiments.yaml: cannot be read"),
    ],
)
def test_a_wrong_option_is_one_line(
    command: list[str], tmp_path: Path, capsys, key: str, value: str, words: str
) -> None:
    command[command.index(key) + 1] = value
    assert s.main([*command, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert words in error
    assert not (tmp_path / "out").exists()


def test_an_interval_does_not_depend_on_the_rows_around_it() -> None:
    """One comparison that two tables show has the same bootstrap intervals in both."""
    alone = table(member_rows("ppo", Y), member_rows("prefpoe", X))
    among = table(
        member_rows("ppo", Y),
        member_rows("linear_fusion", X + 3),
        member_rows("prefpoe", X),
        methods=("ppo", "linear_fusion", "prefpoe"),
    )
    bounds = ["iqm_low", "iqm_high", "poi_low", "poi_high"]
    first = alone.set_index("method").loc["prefpoe", bounds]
    pd.testing.assert_series_equal(first, among.set_index("method").loc["prefpoe", bounds])


def test_joining_an_import_changes_no_number_of_ours() -> None:
    ours = (member_rows("ppo", Y), member_rows("prefpoe", X))
    before, after = table(*ours), table(*ours, member_rows("theirs", X, imported=True))
    pd.testing.assert_frame_equal(before, after.iloc[:2])


def test_an_import_is_compared_by_what_training_returned_and_never_paired() -> None:
    baseline = member_rows("ppo", Y).assign(training_return=Y - 50.0, training_score=Y + 100.0)
    arm = table(baseline, member_rows("theirs", X, imported=True)).iloc[1]
    expected = stats.ttest_ind(X, Y + 100.0, equal_var=False)
    assert arm["welch_p"] == pytest.approx(expected.pvalue)
    assert arm["welch_p_holm"] == arm["welch_p"]
    assert arm["paired_n"] == 0
    assert np.isnan([arm["paired_p"], arm["wilcoxon_p"]]).all()


def test_welch_interval_is_scipys() -> None:
    expected = stats.ttest_ind(X, Y, equal_var=False).confidence_interval(0.95)
    assert s.welch_interval(X, Y) == pytest.approx((expected.low, expected.high))
    assert np.isnan(s.welch_interval(X[:1], Y)).all()


def test_contrasts_are_a_family_of_their_own() -> None:
    z = X[::-1] + np.arange(len(X))
    scores = pd.concat(
        [member_rows(name, x) for name, x in (("ppo", Y), ("prefpoe", X), ("linear_fusion", z))]
    )
    pairs = (("prefpoe", "linear_fusion"), ("linear_fusion", "prefpoe"))
    rows = s.contrasts(scores, pairs, np.random.default_rng(0))
    assert rows[["method", "against"]].to_numpy().tolist() == [list(pair) for pair in pairs]
    p = stats.ttest_ind(X, z, equal_var=False).pvalue
    np.testing.assert_allclose(rows["welch_p"], p)
    np.testing.assert_allclose(rows["welch_p_holm"], min(1.0, 2 * p))
    assert rows["mean_difference"].tolist() == pytest.approx(
        [X.mean() - z.mean(), z.mean() - X.mean()]
    )
    none = s.contrasts(scores, (), np.random.default_rng(0))
    assert none.empty
    assert list(none) == list(rows) == [*COLUMNS[:2], "against", *COLUMNS[2:]]


@pytest.mark.usefixtures("few_resamples")
def test_a_contrast_has_the_intervals_of_the_same_comparison_elsewhere() -> None:
    scores = pd.concat([member_rows("ppo", Y), member_rows("prefpoe", X)], ignore_index=True)
    (row,) = s.contrasts(scores, (("prefpoe", "ppo"),), np.random.default_rng(0)).to_dict("records")
    same = s.statistics(scores, "ppo", ("ppo", "prefpoe"), np.random.default_rng(0)).iloc[1]
    other = s.statistics(scores, "prefpoe", ("ppo", "prefpoe"), np.random.default_rng(0)).iloc[1]
    assert [row[name] for name in ("poi_low", "poi_high")] == [same["poi_low"], same["poi_high"]]
    # What an arm scored does not depend on what it is compared with.
    for name in ("iqm_low", "iqm_high"):
        assert row[name] == same[name] == other[name]


@pytest.mark.usefixtures("few_resamples")
def test_a_member_without_a_training_return_does_not_spoil_the_others() -> None:
    lost = array(3, np.nan, 4, 8)
    baseline = member_rows("ppo", Y).assign(training_return=lost, training_score=lost)
    rows = table(baseline, member_rows("theirs", X, imported=True))
    assert rows["training_mean"].tolist() == [5, 8]
    assert rows["n"].tolist() == [4, 4]
    assert rows["n_against"].tolist() == [0, 3]
    assert rows["welch_p"].iloc[1] == s.welch_t(X, array(3, 4, 8)).p
