"""Feasibility bounds: scipy, published examples, brute force, and data that was honestly rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, stats

from analysis.audit.checks.feasibility import (
    Arm,
    SpreadKind,
    above_optimum,
    binary_patterns,
    cohen_d_range,
    debit,
    grim,
    grimmer,
    largest_std,
    paired_range,
    range_spread,
    rate_spread,
    sample_extremes,
    sample_std,
    student_range,
    welch_range,
)
from analysis.reported import Range, parse

Floats = NDArray[np.float64]


def printed(text: str) -> Range:
    return parse(text).range


def arm(text: str, n: int) -> Arm:
    reported = parse(text)
    assert reported.spread_range is not None
    return Arm(reported.range, reported.spread_range, n)


def rounded(value: float, decimals: int) -> Range:
    """The range of an honestly rounded number; negative decimals round to tens and hundreds."""
    unit = Decimal(1).scaleb(-decimals)
    shown = Decimal(value).quantize(unit, ROUND_HALF_UP)
    return Range(float(shown - unit / 2), float(shown + unit / 2))


def rounded_spread(value: float, decimals: int) -> Range:
    found = rounded(value, decimals)
    return Range(max(0.0, found.low), found.high)


def rounded_arm(x: Floats, decimals: int) -> Arm:
    return Arm(
        rounded(float(x.mean()), decimals),
        rounded_spread(float(x.std(ddof=1)), decimals),
        len(x),
    )


def meets(range_: Range, value: float) -> bool:
    return range_.meets(Range.exactly(value))


def exactly(mean: float, std: float, n: int) -> Arm:
    return Arm(Range.exactly(mean), Range.exactly(std), n)


# Spreads


@pytest.mark.parametrize("ddof", [0, 1])
def test_sample_std_undoes_what_was_printed(ddof: int) -> None:
    x = np.array([3.0, 5.0, 4.0, 9.0, 1.0])
    n, truth = 5, float(x.std(ddof=1))
    std = float(x.std(ddof=ddof))
    error = std / math.sqrt(n)
    t_low, t_high = stats.t.interval(0.95, n - 1, loc=0, scale=error)
    z_low, z_high = stats.norm.interval(0.95, loc=0, scale=error)
    shown: dict[SpreadKind, float] = {
        "std": std,
        "standard error": error,
        "95% interval": (t_high - t_low) / 2,
        "95% normal interval": (z_high - z_low) / 2,
    }
    for kind, value in shown.items():
        found = sample_std(Range.exactly(value), n, kind, ddof)
        assert found.middle == pytest.approx(truth, rel=1e-12)


def test_a_spread_of_one_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 2 units, not 1"):
        sample_std(Range(1, 2), 1)


# Tests of two arms


def test_paired_bounds_by_hand() -> None:
    """Means 10 and 6, spreads 3 and 1, n = 4: s_diff in [2, 4], so t in [4·2/4, 4·2/2] = [2, 4]."""
    found = paired_range(exactly(10, 3, 4), exactly(6, 1, 4))
    assert (found.t.low, found.t.high) == pytest.approx((2.0, 4.0))
    assert (found.error.low, found.error.high) == pytest.approx((1.0, 2.0))
    assert found.two_sided.low == pytest.approx(2 * stats.t.sf(4.0, 3))
    assert found.two_sided.high == pytest.approx(2 * stats.t.sf(2.0, 3))
    assert found.one_sided.high == pytest.approx(stats.t.sf(2.0, 3))
    assert found.bounded


def test_paired_bounds_are_attained_at_correlations_of_one_and_minus_one() -> None:
    z = np.array([-1.5, 0.0, 0.2, 0.4, 0.9])
    z = (z - z.mean()) / z.std(ddof=1)
    old = 7 + 2 * z
    found = paired_range(exactly(12, 3, 5), exactly(7, 2, 5))
    for sign, t, p in (
        (1, found.t.high, found.two_sided.low),
        (-1, found.t.low, found.two_sided.high),
    ):
        reference = stats.ttest_rel(12 + sign * 3 * z, old)
        assert t == pytest.approx(reference.statistic)
        assert p == pytest.approx(reference.pvalue)


def test_equal_spreads_leave_the_paired_t_unbounded() -> None:
    found = paired_range(arm("132±45", 5), arm("35±45", 5))
    assert not found.bounded
    assert found.two_sided.low == 0.0
    touching = paired_range(arm("1.30±0.45", 5), arm("1.10±0.44", 5))
    assert not touching.bounded, "0.445 rounds to both"


def test_paired_p_values_by_hand() -> None:
    """217±59 against 148±70, n = 5: |t| ≤ 70·√5/10; 411±71 against 244±41: |t| ≤ 168·√5/29."""
    for new, old, t in (
        ("217±59", "148±70", 70 * math.sqrt(5) / 10),
        ("411±71", "244±41", 168 * math.sqrt(5) / 29),
    ):
        found = paired_range(arm(new, 5), arm(old, 5))
        assert found.t.high == pytest.approx(t)
        assert found.two_sided.low == pytest.approx(2 * stats.t.sf(t, 4))
        assert found.two_sided.low < 0.001


def test_a_paired_p_that_no_correlation_reaches() -> None:
    """1671±791 against 1276±60, n = 5: |t| ≤ 396·√5/730 = 1.213, so p ≥ 0.29 two-sided.

    With 100 episodes a seed as units, every correlation gives p < 0.001.
    """
    new, old = "1671±791", "1276±60"
    found = paired_range(arm(new, 5), arm(old, 5))
    assert found.t.high == pytest.approx(396 * math.sqrt(5) / 730)
    assert found.two_sided.low == pytest.approx(0.2918, abs=1e-4)
    assert found.one_sided.low == pytest.approx(found.two_sided.low / 2)
    episodes = paired_range(arm(new, 500), arm(old, 500))
    assert episodes.two_sided.high < 0.001


def test_means_that_may_be_equal_leave_t_at_zero() -> None:
    for test in (paired_range, student_range, welch_range):
        found = test(arm("1.2±0.5", 5), arm("1.4±0.1", 5))
        assert found.t.low > 0
        overlapping = test(arm("1.25±0.5", 5), arm("1.3±0.1", 5))
        assert overlapping.t.low == 0.0
        assert overlapping.two_sided.high == 1.0
        assert overlapping.one_sided.high > 0.5


def test_without_any_spread_t_is_infinite() -> None:
    for test in (paired_range, student_range, welch_range):
        found = test(exactly(2, 0, 5), exactly(1, 0, 5))
        assert found.t == Range(math.inf, math.inf)
        assert found.two_sided == Range(0.0, 0.0)
        undefined = test(exactly(1, 0, 5), exactly(1, 0, 5))
        assert undefined.t == Range(0.0, math.inf)
        assert undefined.two_sided == Range(0.0, 1.0)


def test_a_spread_printed_as_zero_is_not_negative() -> None:
    """0.0 stands for [0, 0.05] as a spread, and leaves every t and d unbounded, and no negative extreme."""
    zero = Arm(printed("1.0"), printed("0.0"), 5)
    for test in (paired_range, student_range, welch_range):
        found = test(zero, zero._replace(mean=printed("3.0")))
        assert not found.bounded
        assert found.error.low == 0.0
        assert found.two_sided.low == 0.0
    assert cohen_d_range(zero, arm("3.0±0.0", 5)).glass.high == math.inf
    assert sample_std(printed("0.0"), 5).low == 0.0
    assert sample_extremes(printed("1.0"), printed("0.0"), 5).largest.low == 0.95


def test_a_test_needs_two_units_a_side() -> None:
    for test in (paired_range, student_range, welch_range):
        with pytest.raises(ValueError, match="at least 2 units"):
            test(exactly(2, 1, 1), exactly(1, 1, 1))
    with pytest.raises(ValueError, match="equal size"):
        paired_range(exactly(2, 1, 5), exactly(1, 1, 4))


def test_bounds_of_a_printed_inequality() -> None:
    """An arm known only as "<3" leaves the difference unbounded on one side, and nothing fails."""
    below = Arm(printed("<3"), Range(1, 1), 5)
    for test in (paired_range, student_range, welch_range):
        found = test(exactly(9, 2, 5), below)
        assert found.difference == Range(6, math.inf)
        assert found.t.high == math.inf
        assert found.t.low > 0


@pytest.mark.parametrize(("n", "m"), [(5, 5), (2, 9), (40, 3)])
def test_exact_numbers_give_scipys_tests(n: int, m: int) -> None:
    for equal, test in ((True, student_range), (False, welch_range)):
        for means in ((5375, 1276), (1276, 5375)):
            found = test(exactly(means[0], 581, n), exactly(means[1], 67, m))
            arguments = (means[0], 581, n, means[1], 67, m)
            two = stats.ttest_ind_from_stats(*arguments, equal_var=equal)
            side = "greater" if means[0] > means[1] else "less"
            one = stats.ttest_ind_from_stats(*arguments, equal_var=equal, alternative=side)
            assert found.t.low == pytest.approx(abs(two.statistic))
            assert found.two_sided.low == pytest.approx(two.pvalue)
            assert found.two_sided.high == pytest.approx(two.pvalue)
            assert found.one_sided.low == pytest.approx(one.pvalue)


def test_corners_enclose_every_point_of_the_rounding_box() -> None:
    new, old = arm("0.8±0.3", 4), arm("0.3±0.1", 7)
    grid = [np.linspace(r.low, r.high, 5) for r in (new.mean, new.std, old.mean, old.std)]
    for equal, test in ((True, student_range), (False, welch_range)):
        found = test(new, old)
        points = [
            stats.ttest_ind_from_stats(a, s, 4, b, r, 7, equal_var=equal)
            for a, s, b, r in product(*grid)
        ]
        sizes = [abs(point.statistic) for point in points]
        assert (min(sizes), max(sizes)) == pytest.approx((found.t.low, found.t.high))
        p = [point.pvalue for point in points]
        assert found.two_sided.low <= min(p) * (1 + 1e-12)
        assert found.two_sided.high >= max(p) * (1 - 1e-12)
        if not equal:
            dfs = [satterthwaite(s, 4, r, 7) for _, s, _, r in product(*grid)]
            assert found.df.low <= min(dfs) + 1e-9
            assert found.df.high >= max(dfs) - 1e-9
            assert found.df.high <= 4 + 7 - 2


def test_welch_degrees_of_freedom_peak_inside_the_box() -> None:
    """Equal n and spreads that may be equal: ν reaches n₁ + n₂ − 2, though no corner has it."""
    found = welch_range(arm("3±4", 5), arm("1±4", 5))
    assert found.df.high == pytest.approx(8.0)
    assert found.df.low == pytest.approx(satterthwaite(4.5, 5, 3.5, 5))


def satterthwaite(s: float, n: int, r: float, m: int) -> float:
    a, b = s**2 / n, r**2 / m
    return (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))


def test_cohens_d_by_hand() -> None:
    """Means 10 and 4; spreads 4 and 3 of 5 and 9 units: pooled √((4·16 + 8·9)/12) = √(34/3)."""
    found = cohen_d_range(exactly(10, 4, 5), exactly(4, 3, 9))
    assert found.pooled.middle == pytest.approx(6 / math.sqrt(34 / 3))
    assert found.average.middle == pytest.approx(6 / math.sqrt(12.5))
    assert found.glass.middle == pytest.approx(2.0)
    assert found.paired is None
    paired = cohen_d_range(exactly(10, 4, 5), exactly(4, 3, 5))
    assert paired.paired is not None
    assert (paired.paired.low, paired.paired.high) == pytest.approx((6 / 7, 6.0))
    assert next(iter(paired.readings())) == "pooled variance"
    assert len(paired.readings()) == 4
    assert len(found.readings()) == 3


def test_cohens_d_of_the_linear_fusion_arm_stays_below_two() -> None:
    """1671±791 against 1276±60: 395 / √((791² + 60²)/2) = 0.704; only other readings exceed 2."""
    found = cohen_d_range(arm("1671±791", 5), arm("1276±60", 5))
    assert found.pooled.middle == pytest.approx(0.7042, abs=2e-3)
    assert found.pooled.high < 2
    assert found.glass.high > 2


# GRIM, GRIMMER, DEBIT


def test_grim_published_example() -> None:
    """Brown & Heathers 2017: with n = 28 a mean of 5.18 is possible (145/28 = 5.179), 5.19 is not."""
    assert grim(printed("5.18"), 28).total == 145
    assert not grim(printed("5.19"), 28).possible
    assert grim(printed("5.19"), 28).power == pytest.approx(0.72)


def test_grim_agrees_with_scrutiny() -> None:
    """Expectations of the R package scrutiny (tests/testthat/test-grim.R), with items as well."""
    means = [f"{5.19 + step / 100:.2f}" for step in range(12)]
    expected = [False, False, True, False, False, False, True, False, False, False, True, False]
    assert [grim(printed(mean), 28).possible for mean in means] == expected
    means = [f"0.15{digit}" for digit in range(10)]
    expected = [True, False, False, True, False, False, True, False, True, False]
    assert [grim(printed(mean), 120, items=3).possible for mean in means] == expected
    means = [f"0.8{digit}" for digit in range(10)]
    expected = [True, False, True, False, True, False, True, True, True, True]
    assert [grim(printed(mean), 28, items=2).possible for mean in means] == expected


def test_grim_power_is_the_share_that_fails() -> None:
    """scrutiny's grim_probability: 0.6 for a mean of 1.23 and n = 40; 0 from n = 100 on."""
    assert grim(printed("1.23"), 40).power == pytest.approx(0.6)
    failing = [not grim(printed(f"5.{digits:02d}"), 29).possible for digits in range(100)]
    assert sum(failing) / 100 == pytest.approx(grim(printed("5.00"), 29).power)
    assert grim(printed("5.30"), 100).power == 0.0
    assert grim(printed("<5.30"), 10) == (True, -math.inf, pytest.approx(53.0), None, 0.0)
    assert grim(printed("0.78"), 5).power == pytest.approx(0.95)
    assert not grim(printed("0.78"), 5).possible
    assert grim(printed("0.78"), 5, items=100).possible


PIGS = (
    ("7.22", "5.30", 38, "mean"),
    ("4.74", "6.55", 31, None),
    ("5.23", "2.55", 35, "parity"),
    ("2.57", "2.57", 30, None),
    ("6.77", "2.18", 33, "mean"),
    ("2.68", "2.59", 34, None),
    ("7.01", "6.68", 35, "mean"),
    ("7.38", "3.65", 32, None),
    ("3.14", "5.32", 33, "mean"),
    ("6.89", "4.18", 37, None),
    ("5.00", "2.18", 31, None),
    ("0.24", "6.43", 34, None),
)


@pytest.mark.parametrize(("mean", "std", "n", "failed"), PIGS)
def test_grimmer_agrees_with_scrutiny(mean: str, std: str, n: int, failed: str | None) -> None:
    """Data set pigs5 of the R package scrutiny, with the reasons in its tests/testthat/test-grimmer-map.R."""
    found = grimmer(printed(mean), printed(std), n)
    assert found.failed == failed
    assert found.possible == (failed is None)


def test_grimmer_published_examples() -> None:
    """From the R packages rsprite2 (its tests) and scrutiny (its vignette on GRIMMER)."""
    assert grimmer(printed("5.21"), printed("1.60"), 28).possible
    assert not grimmer(printed("3.44"), printed("2.47"), 18).possible
    assert grimmer(printed("7.3"), printed("2.51"), 12).failed == "parity"
    assert grimmer(printed("2.6"), printed("2.05"), 25).failed == "parity"
    for mean, std in (("7.2", "2.89"), ("3.6", "3.11"), ("9.2", "7.13"), ("10.4", "2.53")):
        assert grimmer(printed(mean), printed(std), 25).possible


def test_grimmer_knows_the_most_equal_integers() -> None:
    """Total 5 of 25 has a sum of squares of at least 5; 1 has the parity and would be k²/n, a spread of 0."""
    found = grimmer(printed("0.20"), printed("0.00"), 25)
    assert (found.possible, found.failed) == (False, "sum of squares")
    assert grimmer(printed("0.20"), printed("0.41"), 25).squares == 5


def test_grimmer_tries_every_total_that_rounds_to_the_mean() -> None:
    """8.9 ± 2.81, n = 25, fails in the published algorithm, which tries the total 222 alone; 223 has data."""
    x = 9.0 + np.array([9, -9, -5, 1, 1, 1, *[0] * 19])
    assert (f"{x.mean():.1f}", f"{x.std(ddof=1):.2f}", len(x)) == ("8.9", "2.81", 25)
    found = grimmer(printed("8.9"), printed("2.81"), 25)
    assert (found.total, found.squares) == (223, 2179) == (x.sum(), (x**2).sum())


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6])
def test_grimmer_against_every_data_set(n: int, ddof: int) -> None:
    """All means and spreads printed with two digits, against all multisets of n integers from −5 to 5.

    What exists is never rejected; what passes exists if n ≥ 5, and for fewer units not always.
    """
    real = exact_values(n, ddof)
    for a, b in real:
        assert grimmer(rounded(a, 1), rounded_spread(b, 1), n, ddof).possible
    rejected, spurious = 0, 0
    # Spreads up to 2.0 and means up to 1.0: all of their data lies within −5 … 5 for n ≤ 6.
    for tenths, spread in product(range(0, 11), range(0, 21)):
        mean, std = rounded(tenths / 10, 1), rounded_spread(spread / 10, 1)
        exists = any(meets(mean, a) and meets(std, b) for a, b in real)
        possible = grimmer(mean, std, n, ddof).possible
        assert possible or not exists
        rejected, spurious = rejected + (not possible), spurious + (possible and not exists)
    assert rejected > 0
    assert (spurious == 0) == (n >= 5)


@cache
def exact_values(n: int, ddof: int) -> tuple[tuple[float, float], ...]:
    """Mean and standard deviation of every multiset of n integers from −5 to 5."""
    sets = np.array(list(combinations_with_replacement(range(-5, 6), n)), dtype=np.float64)
    pairs = np.stack([sets.mean(axis=1), sets.std(axis=1, ddof=ddof)], axis=1)
    return tuple((float(a), float(b)) for a, b in np.unique(pairs.round(9), axis=0))


def test_grimmer_power_and_items() -> None:
    assert grimmer(printed("5.23"), printed("2.55"), 35).power == pytest.approx(
        1 - 0.01 * 34 * 2.55
    )
    assert grimmer(printed("5000"), printed("100"), 5).power == 0.0
    # Means of two items may be 0.5 and 1.5, with a spread of 0.71; integers with mean 1 have 0 or at least 1.41.
    assert grimmer(printed("1.0"), printed("0.71"), 2, items=2).possible
    assert not grimmer(printed("1.0"), printed("0.71"), 2).possible


def test_debit_agrees_with_scrutiny() -> None:
    """Data set pigs3 of scrutiny (Heathers & Brown 2019's Table 1): only 0.19 ± 0.35 fails."""
    for mean, std in (
        *(("0.53", "0.50"), ("0.44", "0.50"), ("0.77", "0.42")),
        *(("0.34", "0.47"), ("0.93", "0.25"), ("0.12", "0.33")),
    ):
        assert debit(printed(mean), printed(std), 1683).possible
    assert not debit(printed("0.19"), printed("0.35"), 1683).possible
    assert not debit(printed("0.35"), printed("0.18"), 20).possible  # its vignette's first example
    assert debit(printed("0.05"), printed("0.22"), 20).possible
    assert not debit(printed("0.05"), printed("0.21"), 20).possible  # 1 of 20: 0.2236
    assert debit(printed("0.50"), printed("0.503"), 100).counts == (50,)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("n", [2, 7, 20])
def test_debit_against_every_count(n: int, ddof: int) -> None:
    real = [(k / n, math.sqrt(k * (n - k) / (n * (n - ddof)))) for k in range(n + 1)]
    for a, b in product(range(0, 101, 5 if n == 20 else 3), range(0, 72)):
        mean, std = printed(f"{a / 100:.2f}"), printed(f"{b / 100:.2f}")
        expected = any(meets(mean, p) and meets(std, s) for p, s in real)
        assert debit(mean, std, n, ddof).possible == expected


def test_debit_with_more_counts_than_it_searches() -> None:
    n = 1_000_000
    for mean, std, possible in (("0.53", "0.50", True), ("0.53", "0.42", False)):
        found = debit(printed(mean), printed(std), n)
        assert found.possible is possible
        assert found.counts == ()
        assert found.power > 0.9
    assert not debit(printed("1.3"), printed("0.1"), n).possible


def test_binary_patterns_of_five_seeds() -> None:
    """{1, 1, 1, 0, 0}: √(0.6 · 0.4) = 0.490 with ddof 0, √(5/4) times that with ddof 1."""
    (zero,) = binary_patterns(printed("0.60"), printed("0.49"), 5)
    assert (zero.successes, zero.ddof, zero.std) == (3, 0, pytest.approx(0.4899, abs=1e-4))
    (one,) = binary_patterns(printed("0.60"), printed("0.55"), 5)
    assert (one.successes, one.ddof, one.std) == (3, 1, pytest.approx(0.5477, abs=1e-4))
    assert binary_patterns(printed("0.78"), printed("0.39"), 5) == ()
    assert binary_patterns(printed("<0.9"), printed("0.39"), 10**6) == ()


# Bounded outcomes


def test_rate_spread_by_hand() -> None:
    """Five rates with mean 0.6: at most {1, 1, 1, 0, 0}, 0.5477; with 0.5: {1, 1, 0.5, 0, 0}, 0.5."""
    found = rate_spread(Range.exactly(0.6), printed("0.49"), 5)
    assert found.largest == pytest.approx(math.sqrt(0.3))
    assert found.per_episode.middle == pytest.approx(math.sqrt(0.24))
    assert found.possible
    assert found.as_episodes
    assert rate_spread(Range.exactly(0.5), printed("0.5"), 5).largest == pytest.approx(0.5)
    assert not rate_spread(printed("0.10"), printed("0.49"), 5).possible
    assert not rate_spread(printed("1.10"), printed("0.00"), 5).possible
    assert not rate_spread(printed("0.78"), printed("0.39"), 5).as_episodes
    everything = rate_spread(printed("0.5"), printed("0.6"), 2)
    assert everything.per_episode.high == 0.5
    assert everything.largest == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_largest_std_against_every_data_set(n: int) -> None:
    """All multisets of eleven levels in [0, 1]; the largest is found, and never exceeded."""
    sets = np.array(list(combinations_with_replacement(np.linspace(0, 1, 11), n)))
    means, stds = sets.mean(axis=1), sets.std(axis=1, ddof=1)
    for low, high in ((0.0, 1.0), (0.2, 0.25), (0.45, 0.55), (0.61, 0.9)):
        bound = largest_std(Range(low, high), n)
        inside = (means >= low - 1e-9) & (means <= high + 1e-9)
        assert stds[inside].max() <= bound + 1e-12
        bhatia = max(math.sqrt(p * (1 - p)) for p in np.linspace(low, high, 501))
        assert bound <= bhatia * math.sqrt(n / (n - 1)) + 1e-12
    for p in (0.0, 0.1, 0.3, 0.5, 0.8, 1.0):
        at = np.abs(means - p) < 1e-9
        assert largest_std(Range.exactly(p), n) == pytest.approx(stds[at].max(), abs=1e-9)
    assert largest_std(Range(0.3, 0.7), n) == pytest.approx(stds.max())


def test_largest_std_scales_with_the_bounds() -> None:
    assert largest_std(Range.exactly(411), 5, 1, 500) == pytest.approx(
        499 * largest_std(Range.exactly(410 / 499), 5)
    )
    assert largest_std(Range.exactly(3), 5, 0, math.inf) == math.inf
    assert largest_std(Range.exactly(3), 5, 3, 3) == 0.0


def test_range_spread_by_hand() -> None:
    """{0, 0, 0, 10, 10} is the widest of five in [0, 10]: √30; {0, 5, 5, 5, 10} the narrowest: √12.5."""
    found = range_spread(Range.exactly(0), Range.exactly(10), 5)
    assert (found.std.low, found.std.high) == pytest.approx((math.sqrt(12.5), math.sqrt(30)))
    assert (found.mean.low, found.mean.high) == (2.0, 8.0)
    even = range_spread(Range.exactly(0), Range.exactly(10), 4)
    assert even.std.high == pytest.approx(5 * math.sqrt(4 / 3))
    population = range_spread(Range.exactly(0), Range.exactly(10), 4, ddof=0)
    assert population.std.high == pytest.approx(5.0)
    # Mean 2: {0, 0, 0, 0, 10} is the only data set.
    only = range_spread(Range.exactly(0), Range.exactly(10), 5, mean=Range.exactly(2))
    assert (only.std.low, only.std.high) == pytest.approx((math.sqrt(20), math.sqrt(20)))
    pair = range_spread(Range.exactly(0), Range.exactly(10), 2)
    assert (pair.mean.low, pair.mean.high) == (5.0, 5.0)
    assert (pair.std.low, pair.std.high) == pytest.approx((math.sqrt(50), math.sqrt(50)))


def test_range_spread_of_bounds_that_no_number_need_attain() -> None:
    found = range_spread(printed("0"), printed("500"), 5, mean=printed("411"), attained=False)
    assert found.std.low == 0.0
    assert found.mean == Range(-0.5, 500.5)
    unknown = range_spread(Range.exactly(0), Range.exactly(1), 5, attained=False)
    assert unknown.std.high == pytest.approx(math.sqrt(0.3))


def test_range_spread_with_an_impossible_mean_keeps_the_bounds_without_it() -> None:
    without = range_spread(printed("0"), printed("10"), 5)
    assert range_spread(printed("0"), printed("10"), 5, mean=printed("12")) == without
    assert not printed("12").meets(without.mean)


@pytest.mark.parametrize("n", [3, 5])
def test_range_spread_lower_bound_by_optimisation(n: int) -> None:
    """scipy minimises the standard deviation of n numbers with the given extremes and mean."""
    low, high, mean = 2.0, 9.0, 4.5

    def squares(inner: Floats) -> float:
        return float(np.var([low, high, *inner]) * n)

    found = optimize.minimize(
        squares,
        np.full(n - 2, mean),
        bounds=[(low, high)] * (n - 2),
        constraints={"type": "eq", "fun": lambda x: x.sum() + low + high - n * mean},
    )
    bound = range_spread(Range.exactly(low), Range.exactly(high), n, mean=Range.exactly(mean))
    assert bound.std.low == pytest.approx(math.sqrt(found.fun / (n - 1)), rel=1e-5)


def test_range_spread_lower_bound_over_rounded_extremes() -> None:
    """Smallest in [−1, 1], largest 10, mean 3: the least is that of {−0.5, −0.5, 10}, not of a smallest 1."""
    bound = range_spread(Range(-1, 1), Range.exactly(10), 3, mean=Range.exactly(3))
    assert bound.std.low == pytest.approx(np.std([-0.5, -0.5, 10], ddof=1))


def test_sample_extremes_by_hand() -> None:
    """{0, 0, 0, 0, 10}: mean 2, s = √20; 10 lies (n − 1)/√n · s above, and each 0 lies s/√n below."""
    found = sample_extremes(Range.exactly(2), Range.exactly(math.sqrt(20)), 5)
    assert found.largest.high == pytest.approx(10.0)
    assert found.smallest.high == pytest.approx(0.0)
    assert (found.largest.low, found.smallest.low) == pytest.approx((4.0, -6.0))


def test_a_maximum_that_mean_and_spread_exclude() -> None:
    """5576.0 ± 408.18 over ten seeds reaches at most 5576 + 9/√10 · 408.18 = 6737.7."""
    found = sample_extremes(printed("5576.0"), printed("408.18"), 10)
    assert found.largest.high == pytest.approx(6737.7, abs=0.2)
    assert not printed("6800").meets(found.largest)
    assert printed("6262.36").meets(found.largest)


# Means above the optimum


def test_above_optimum_is_the_exact_binomial() -> None:
    found = above_optimum(printed("0.78"), None, 5, 0.744, episodes=100, binary=True)
    assert found is not None
    assert (found.trials, found.successes) == (500, 388)  # 0.775 · 500 = 387.5
    assert found.probability == pytest.approx(stats.binom.sf(387, 500, 0.744))
    certain = above_optimum(printed("0.0"), None, 5, 0.744, binary=True)
    assert certain is not None
    assert certain.probability == 1.0
    never = above_optimum(printed("1.2"), None, 5, 0.744, binary=True)
    assert never is not None
    assert never.probability == 0.0


def test_above_optimum_with_the_printed_spread() -> None:
    """Mean 110 with spread 10 over 4 units against 100: t = (109.5 − 100) / (10.5/2)."""
    found = above_optimum(printed("110"), printed("10"), 4, 100.0)
    assert found is not None
    assert found.t == pytest.approx(9.5 / 5.25)
    assert found.probability == pytest.approx(stats.t.sf(9.5 / 5.25, 3))
    exact = above_optimum(Range.exactly(110), Range.exactly(0), 4, 100.0)
    assert exact is not None
    assert exact.probability == 0.0
    below = above_optimum(printed("90"), printed("10"), 4, 100.0)
    assert below is not None
    assert below.probability > 0.5
    assert above_optimum(printed("110"), None, 4, 100.0) is None
    assert above_optimum(printed("110"), printed("10"), 1, 100.0) is None


# Honest data is never impossible

N = st.integers(2, 40)
SEEDS = st.integers(0, 2**32 - 1)
DECIMALS = st.integers(-1, 4)
DDOF = st.sampled_from([0, 1])


@st.composite
def samples(draw: st.DrawFn, n: int | None = None) -> Floats:
    """Normals, rates, integers or nearly constant numbers, some far from 0."""
    size = draw(N) if n is None else n
    rng = np.random.default_rng(draw(SEEDS))
    kind = draw(st.sampled_from(["normal", "rate", "integer", "binary", "narrow"]))
    scale = 10.0 ** draw(st.integers(-2, 4))
    if kind == "normal":
        return np.asarray(rng.normal(draw(st.integers(-5, 50)), 1, size) * scale)
    if kind == "rate":
        return np.asarray(rng.binomial(20, rng.uniform(), size) / 20)
    if kind == "integer":
        return np.asarray(rng.integers(-9, 30, size), dtype=np.float64)
    if kind == "binary":
        return np.asarray(rng.integers(0, 2, size), dtype=np.float64)
    return np.asarray(scale * 50 + rng.normal(0, 0.01, size))


@given(st.data(), N, DECIMALS, st.booleans())
def test_honest_tests_are_never_impossible(
    data: st.DataObject, n: int, decimals: int, paired: bool
) -> None:
    x = data.draw(samples(n))
    y = data.draw(samples(n if paired else None))
    if paired:
        y = y + data.draw(st.sampled_from([-1, 0, 1])) * x
    assume(x.std() > 1e-9 and y.std() > 1e-9 and (not paired or (x - y).std() > 1e-9))
    new, old = rounded_arm(x, decimals), rounded_arm(y, decimals)
    checks = [
        (student_range(new, old), stats.ttest_ind(x, y), x.mean() > y.mean()),
        (welch_range(new, old), stats.ttest_ind(x, y, equal_var=False), x.mean() > y.mean()),
    ]
    if paired:
        checks.append((paired_range(new, old), stats.ttest_rel(x, y), x.mean() > y.mean()))
    for found, reference, _ in checks:
        assert within(found.t, abs(reference.statistic))
        assert within(found.df, reference.df)
        assert within(found.two_sided, reference.pvalue)
        forward = found.difference.high >= -found.difference.low
        half = reference.pvalue / 2
        assert within(found.one_sided, half if forward == (reference.statistic >= 0) else 1 - half)


def within(range_: Range, value: float) -> bool:
    """Membership with room for cancellation in the reference's own standard deviation."""
    room = 1e-6 * abs(value) + 1e-12
    return range_.low - room <= value <= range_.high + room


@given(st.data(), N, DECIMALS, st.booleans())
def test_honest_effect_sizes_are_never_impossible(
    data: st.DataObject, n: int, decimals: int, paired: bool
) -> None:
    x, y = data.draw(samples(n)), data.draw(samples(n if paired else None))
    assume(x.std() > 1e-9 and y.std() > 1e-9)
    found = cohen_d_range(rounded_arm(x, decimals), rounded_arm(y, decimals))
    gap = abs(x.mean() - y.mean())
    squares = x.var() * len(x) + y.var() * len(y)
    assert within(found.pooled, gap / math.sqrt(squares / (len(x) + len(y) - 2)))
    assert within(found.average, gap / math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2))
    assert within(found.glass, gap / y.std(ddof=1))
    assert (found.paired is None) == (len(x) != len(y))
    if found.paired is not None and (x - y).std() > 1e-9:
        assert within(found.paired, gap / (x - y).std(ddof=1))


@given(samples(), DECIMALS, DECIMALS, DDOF)
def test_honest_ranges_are_never_impossible(
    x: Floats, decimals: int, spread_decimals: int, ddof: int
) -> None:
    n = len(x)
    mean, std = float(x.mean()), float(x.std(ddof=ddof))
    shown_mean, shown_std = rounded(mean, decimals), rounded_spread(std, spread_decimals)
    low, high = rounded(float(x.min()), decimals), rounded(float(x.max()), decimals)
    for known in (None, shown_mean):
        for attained in (True, False):
            bounds = range_spread(low, high, n, known, ddof, attained)
            assert shown_mean.meets(bounds.mean)
            assert shown_std.meets(bounds.std)
            assert meets(bounds.std, std)
    extremes = sample_extremes(shown_mean, sample_std(shown_std, n, ddof=ddof), n)
    assert meets(extremes.smallest, float(x.min()))
    assert meets(extremes.largest, float(x.max()))


@given(N, st.integers(1, 50), SEEDS, DECIMALS, DDOF)
def test_honest_rates_are_never_impossible(
    n: int, episodes: int, seed: int, decimals: int, ddof: int
) -> None:
    rng = np.random.default_rng(seed)
    totals = rng.binomial(episodes, rng.uniform(0, 1, n))
    rates = totals / episodes
    mean = rounded(float(rates.mean()), decimals)
    std = rounded_spread(float(rates.std(ddof=ddof)), decimals)
    assert rate_spread(mean, std, n, ddof).possible
    assert grim(mean, n, items=episodes).possible
    assert grimmer(mean, std, n, ddof, items=episodes).possible
    # The same seeds with every episode as a unit.
    trials, p = n * episodes, float(totals.sum()) / (n * episodes)
    spread = rounded_spread(math.sqrt(p * (1 - p) * trials / (trials - ddof)), decimals)
    found = debit(mean, spread, trials, ddof)
    assert found.possible
    assert int(totals.sum()) in found.counts or not found.counts
    if found.counts:
        patterns = {(k.successes, k.ddof) for k in binary_patterns(mean, spread, trials)}
        assert (int(totals.sum()), ddof) in patterns


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=60), DECIMALS, DDOF)
@settings(max_examples=300)
def test_honest_integers_are_never_impossible(
    values: Sequence[int], decimals: int, ddof: int
) -> None:
    x, n = np.array(values, dtype=np.float64), len(values)
    mean = rounded(float(x.mean()), decimals)
    std = rounded_spread(float(x.std(ddof=ddof)), decimals)
    found = grim(mean, n)
    assert found.possible
    assert 0.0 <= found.power < 1.0
    result = grimmer(mean, std, n, ddof)
    assert result.possible
    if result.total is not None and result.squares is not None:
        assert meets(mean, result.total / n)
        deviation = result.squares - result.total**2 / n
        assert meets(std, math.sqrt(max(0.0, deviation) / (n - ddof)))


ANY = st.floats(-1e300, 1e300)


@given(ANY, ANY, st.floats(0, 1e300), st.floats(0, 1e300), st.integers(2, 10**9))
def test_no_finite_numbers_crash(a: float, b: float, s: float, r: float, n: int) -> None:
    mean, std = Range(min(a, b), max(a, b)), Range(min(s, r), max(s, r))
    new, old = Arm(mean, std, n), Arm(Range.exactly(b), Range.exactly(r), n)
    for test in (paired_range, student_range, welch_range):
        found = test(new, old)
        assert 0.0 <= found.two_sided.low <= found.two_sided.high <= 1.0
    assert cohen_d_range(new, old).readings()
    assert 0.0 <= grim(mean, n).power <= 1.0
    assert 0.0 <= grimmer(mean, std, n).power <= 1.0
    assert 0.0 <= debit(mean, std, n).power <= 1.0
    assert rate_spread(mean, std, n).largest >= 0.0
    assert range_spread(Range.exactly(min(a, b)), Range.exactly(max(a, b)), n).std.low >= 0.0
    found_above = above_optimum(mean, std, n, 0.5)
    assert found_above is not None
    assert 0.0 <= found_above.probability <= 1.0
