"""Two one-sided tests: by hand, by scipy and statsmodels, their size at the margin, and the power that is printed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW, ttest_ind

from analysis.audit.checks import equivalence
from analysis.audit.checks.decision import decide
from analysis.audit.checks.equivalence import CHECKS, Ends, alike, power, sides
from analysis.audit.checks.replication import Sample

RANDOM = 20.0
"""What random play scores in simulations; the base scores 120, so a tenth of the gap is 10."""
BASE, MARGIN, SPREAD, N = 120.0, 10.0, 12.0, 30


def test_by_hand() -> None:
    """x 98, y 100, both 5 over 25 runs (variance of a mean 1), random play 0, a tenth.

    Lower end 90: (98 − 90) / √(1 + 0.81) = 5.9464, ν = 1.81² / ((1 + 0.81²) / 24) = 47.48.
    Upper end 110: (110 − 98) / √(1 + 1.21) = 8.0721, ν = 2.21² / ((1 + 1.21²) / 24) = 47.57.
    """
    below, above = sides(Sample(98.0, 5.0, 25), Sample(100.0, 5.0, 25), 0.1, 0.0)
    assert below.shift / below.error == pytest.approx(5.9464, abs=1e-4)
    assert above.shift / above.error == pytest.approx(8.0721, abs=1e-4)
    assert (below.df, above.df) == pytest.approx((47.48, 47.57), abs=0.01)
    assert below.p == pytest.approx(stats.t.sf(5.9464, 47.478), rel=1e-3)


def test_either_side_is_a_welch_test_against_the_scaled_base() -> None:
    """a − (1 − m)b − mr > 0 compares a with (1 − m)b + mr: scipy's and statsmodels' one-sided Welch tests."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(98, 9, 12), generator.normal(101, 15, 9)
    below, above = sides(Sample.of(x), Sample.of(y), 0.1, RANDOM)
    low, high = 0.9 * y + 0.1 * RANDOM, 1.1 * y - 0.1 * RANDOM
    assert below.p == pytest.approx(
        stats.ttest_ind(x, low, equal_var=False, alternative="greater").pvalue
    )
    assert below.p == pytest.approx(ttest_ind(x, low, alternative="larger", usevar="unequal")[1])
    assert above.p == pytest.approx(ttest_ind(x, high, alternative="smaller", usevar="unequal")[1])


def test_two_mixtures_are_held_against_the_margin_of_a_third_arm() -> None:
    """x 98, y 103, base 120, each 5 over 25 runs (variance of a mean 1), random play 20, a tenth: margin 10.

    Both ends have variance 1 + 1 + 0.01. Lower: (−5 + 10) / √2.01 = 3.5267; upper (10 + 5) / √2.01 = 10.580;
    ν = 2.01² / ((1 + 1 + 0.0001) / 24) = 48.48.
    """
    arms = Sample(98.0, 5.0, 25), Sample(103.0, 5.0, 25)
    below, above = sides(*arms, 0.1, RANDOM, Sample(BASE, 5.0, 25))
    assert below.shift / below.error == pytest.approx(3.5267, abs=1e-4)
    assert above.shift / above.error == pytest.approx(10.580, abs=1e-3)
    assert (below.df, above.df) == pytest.approx((48.48, 48.48), abs=0.01)
    assert (
        "margin ±10 (10 % of 120 − 20)"
        in alike("here", *arms, 0.1, RANDOM, Sample(BASE, 5, 25)).said
    )
    # With the second arm's own lead over random play for a margin, 8.3, the same runs would be less alike.
    assert max(side.p for side in sides(*arms, 0.1, RANDOM)) > max(below.p, above.p)


def test_with_a_base_that_is_known_it_is_the_textbooks_test() -> None:
    """A base without spread leaves Schuirmann's test of one mean: statsmodels' ttost_mean."""
    x = np.random.default_rng(2).normal(99, 9, 15)
    below, above = sides(Sample.of(x), Sample(100.0, 0.0, 15), 0.1, 0.0)
    p, (_, first, _), (_, second, _) = DescrStatsW(x).ttost_mean(90, 110)
    assert (below.p, above.p) == pytest.approx((first, second))
    assert max(below.p, above.p) == pytest.approx(p)


@pytest.mark.parametrize(
    ("mean", "spread", "verdict"),
    [
        (121.0, 10.0, "replicated"),
        (121.0, 40.0, "underpowered"),
        (131.0, 10.0, "underpowered"),
        (145.0, 10.0, "contradicted"),
        (95.0, 10.0, "contradicted"),
    ],
)
def test_verdicts(mean: float, spread: float, verdict: str) -> None:
    part = alike("here", Sample(mean, spread, N), Sample(BASE, spread, N), 0.1, RANDOM)
    assert "margin ±10 (10 % of 120 − 20)" in part.said
    assert decide([part], CHECKS["both"]).verdict == verdict


@pytest.mark.parametrize(
    ("ends", "mean", "verdict"),
    [
        ("lower", 150.0, "replicated"),
        ("lower", 121.0, "replicated"),
        ("lower", 111.0, "underpowered"),
        ("lower", 95.0, "contradicted"),
        ("upper", 150.0, "contradicted"),
        ("upper", 95.0, "replicated"),
    ],
)
def test_one_end_is_tested_where_a_claim_is_about_one(
    ends: Ends, mean: float, verdict: str
) -> None:
    """At least: far above is within; just above the lower end, 110, is not enough; below it is outside."""
    arms = Sample(mean, 10.0, N), Sample(BASE, 10.0, N)
    part = alike("here", *arms, 0.1, RANDOM, ends=ends)
    assert decide([part], CHECKS[ends]).verdict == verdict
    side = sides(*arms, 0.1, RANDOM)[ends == "upper"]
    assert part.supports == side.p
    assert part.power == f"{100 * side.power(MARGIN):.0f} % where there is no true difference"


def test_no_difference_between_noisy_arms_is_no_equality() -> None:
    noisy = Sample(BASE, 60.0, N)
    found = decide([alike("here", noisy, noisy, 0.1, RANDOM)], CHECKS["both"])
    assert found.verdict == "underpowered"
    assert found.power == "here: 0 % where there is no true difference"


def test_a_base_that_learns_nothing_leaves_no_margin() -> None:
    for mean in (RANDOM, RANDOM - 1):
        part = alike("here", Sample(90.0, 1.0, N), Sample(mean, 1.0, N), 0.1, RANDOM)
        assert "no margin" in part.said
        assert decide([part], CHECKS["both"]).verdict == "underpowered"


def test_arms_without_spread_are_points() -> None:
    still = Sample(BASE, 0.0, N)
    for mean, verdict in ((125.0, "replicated"), (131.0, "contradicted"), (109.0, "contradicted")):
        part = alike("here", Sample(mean, 0.0, N), still, 0.1, RANDOM)
        assert decide([part], CHECKS["both"]).verdict == verdict


def simulated(difference: float, spread: float, count: int, seed: int) -> np.ndarray:
    """How often "alike" and "apart" are found at 5 %, in `count` pairs of arms with that true difference.

    Standard deviations are `spread` and `2 · spread`.
    """
    generator = np.random.default_rng(seed)
    firsts = generator.normal(BASE + difference, spread, (count, N))
    bases = generator.normal(BASE, 2 * spread, (count, N))
    tests = [
        equivalence.tested(sides(Sample.of(x), Sample.of(y), 0.1, RANDOM))
        for x, y in zip(firsts, bases, strict=True)
    ]
    return (np.array(tests) < 0.05).mean(axis=0)


@pytest.mark.parametrize("difference", [-MARGIN, MARGIN])
def test_the_size_at_the_margin_is_five_percent(difference: float) -> None:
    """Of 4,000 pairs exactly at the margin 5 % are called alike, within 1 point (3 standard errors), and 2.5 % apart."""
    assert simulated(difference, 5.0, 4000, 3) == pytest.approx([0.05, 0.025], abs=0.0105)


def test_equal_arms_of_much_spread_are_rarely_decided_on() -> None:
    alike_, apart = simulated(0.0, 30.0, 2000, 4)
    assert alike_ < 0.05
    assert apart < 0.05


@pytest.mark.parametrize("spread", [5.0, 9.0])
def test_the_printed_power_is_met(spread: float) -> None:
    """The bound lies below the share found of 2,000 equal pairs, by no more than 5 points."""
    below, above = sides(Sample(BASE, spread, N), Sample(BASE, 2 * spread, N), 0.1, RANDOM)
    expected = power((below, above), MARGIN)
    found, _ = simulated(0.0, spread, 2000, 5)
    assert expected - 0.03 < found < expected + 0.05
