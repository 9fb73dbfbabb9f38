"""Claims against our own runs: intervals by hand and by scipy, and every verdict that there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.audit.checks.replication import (
    Sample,
    cohens_d,
    effect,
    ratio,
    single,
    welch_p,
)
from analysis.reported import Range, parse
from analysis.statistics import improvement_interval

OLD = Sample(1000.0, 100.0, 5)
NEW = Sample(2000.0, 200.0, 5)
THEIRS = (Sample(5375.0, 581.0, 5), Sample(1276.0, 67.0, 5))


def r(text: str) -> Range:
    return parse(text).range


def test_our_interval_is_scipys() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(3, 2, 6), generator.normal(1, 1, 9)
    told = stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    said = effect(r("2"), (), Sample.of(x), Sample.of(y)).arithmetic
    assert f"95 % interval [{told.low:.6g}, {told.high:.6g}]" in said


def test_prediction_interval_by_hand() -> None:
    """V = 4·(100²/5) for four equal arms: half-width t(16) · √8000 = 2.1199 · 89.443 = 189.6."""
    arms = [Sample(mean, 100.0, 5) for mean in (2000.0, 1000.0, 0.0, 0.0)]
    said = effect(r("1189"), arms[2:], arms[0], arms[1])
    assert said.verdict == "replicated"
    assert "prediction interval [810.39, 1189.61]" in said.arithmetic
    assert effect(r("1191"), arms[2:], arms[0], arms[1]).verdict == "same direction"


def test_every_verdict_of_an_effect() -> None:
    """Ours is 1000 with 95 % interval ± 253 (Welch: V = 10,000, ν = 5.88, t = 2.459 gives 245.9)."""
    assert effect(r("1000"), (), NEW, OLD).verdict == "replicated"
    assert effect(r("4099"), THEIRS, NEW, OLD).verdict == "same direction"
    assert effect(r("-100"), (), NEW, OLD).verdict == "contradicted"
    nothing = Sample(1010.0, 100.0, 5)
    assert effect(r("4099"), THEIRS, nothing, OLD).verdict == "contradicted"
    assert effect(r("100"), (), nothing, OLD).verdict == "underpowered"
    assert effect(r("-4099"), (), OLD, NEW).verdict == "same direction"
    assert effect(r("-1000"), (), OLD, NEW).verdict == "replicated"


def test_a_single_mean() -> None:
    """With a second study of equal spread: t(8) · √4000 = 2.306 · 63.25 = 145.8."""
    assert single(r("1145"), Sample(1145.0, 100.0, 5), OLD).verdict == "compatible"
    assert single(r("1147"), Sample(1147.0, 100.0, 5), OLD).verdict == "incompatible"


def test_p_and_d_of_summaries_are_those_of_the_data() -> None:
    generator = np.random.default_rng(4)
    x, y = generator.normal(3, 2, 6), generator.normal(1, 1, 9)
    assert welch_p(Sample.of(x), Sample.of(y)) == pytest.approx(
        stats.ttest_ind(x, y, equal_var=False).pvalue
    )
    # Cohen's d = |t| · √(1/n + 1/m) of Student's t.
    student = stats.ttest_ind(x, y).statistic * math.sqrt(1 / 6 + 1 / 9)
    assert cohens_d(Sample.of(x), Sample.of(y)) == pytest.approx(abs(student))
    still = Sample(1.0, 0.0, 5)
    assert (welch_p(still, still), cohens_d(still, still)) == (1.0, 0.0)
    assert cohens_d(still, Sample(2.0, 0.0, 5)) == math.inf


def test_our_ratios_interval_is_the_tables() -> None:
    """A percentage in a table and the verdict on it come from one interval."""
    generator = np.random.default_rng(8)
    x, y = generator.normal(5, 1, 5), generator.normal(3, 1, 5)
    told = improvement_interval(x, y)
    said = ratio(r("2"), (NEW, OLD), Sample.of(x), Sample.of(y)).arithmetic
    assert f"95 % interval [{1 + told.low / 100:.6g}, {1 + told.high / 100:.6g}]" in said


def test_every_verdict_of_a_ratio() -> None:
    """Ours is 2 with Fieller's interval [1.727, 2.316]; by hand: V = 8000 and 4 · 2000, ν = 8, t = 2.306."""
    theirs = (Sample(2000.0, 200.0, 5), Sample(1000.0, 100.0, 5))
    assert ratio(r("2.3"), theirs, NEW, OLD).verdict == "replicated"
    assert ratio(r("4.2"), theirs, NEW, OLD).verdict == "same direction"
    assert ratio(r("0.5"), theirs, NEW, OLD).verdict == "contradicted"
    nothing = Sample(1010.0, 100.0, 5)
    assert ratio(r("1.1"), theirs, nothing, OLD).verdict == "underpowered"
    assert ratio(r("4.2"), theirs, nothing, OLD).verdict == "contradicted"
    assert ratio(r("0.5"), theirs, OLD, NEW).verdict == "replicated"
    # A denominator that may be zero leaves every ratio open.
    vague = Sample(10.0, 100.0, 5)
    assert ratio(r("4.2"), theirs, NEW, vague).verdict == "underpowered"


def test_a_second_studys_ratio_lies_in_the_prediction_interval() -> None:
    """Of 2,000 pairs of studies of one truth about 95 %: within 2.5 points, five standard errors."""
    generator = np.random.default_rng(5)

    def study() -> tuple[Sample, Sample]:
        return (
            Sample.of(generator.normal(2000, 300, 5)),
            Sample.of(generator.normal(1000, 150, 5)),
        )

    inside = 0
    for _ in range(2000):
        theirs, ours = study(), study()
        claimed = theirs[0].mean / theirs[1].mean
        inside += ratio(Range(claimed, claimed), theirs, *ours).verdict == "replicated"
    assert inside / 2000 == pytest.approx(0.95, abs=0.025)


def test_arms_without_spread_are_points() -> None:
    exact = Sample(1.0, 0.0, 5)
    assert single(r("1"), exact, exact).verdict == "compatible"
    assert single(r("3"), exact, exact).verdict == "incompatible"


def test_prediction_intervals_cover() -> None:
    """Two studies of one truth agree in 95 % of 1,000 pairs, ± 2.9 standard errors."""
    generator = np.random.default_rng(2)
    agreed = 0
    for _ in range(1000):
        arms = [generator.normal(mean, 1.0, 5) for mean in (1.0, 0.0, 1.0, 0.0)]
        a, b, c, d = map(Sample.of, arms)
        claimed = Range.exactly(c.mean - d.mean)
        said = effect(claimed, (c, d), a, b).arithmetic
        low, high = said.rpartition("prediction interval [")[2].rstrip("]").split(", ")
        agreed += float(low) <= claimed.low <= float(high)
    assert 930 <= agreed <= 970
