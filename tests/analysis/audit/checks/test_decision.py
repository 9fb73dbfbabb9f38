"""One verdict from several parts: all must support, one may contradict after Holm, and nothing else decides."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.audit.checks.decision import Part, decide, sided
from analysis.audit.checks.ordering import ordered
from analysis.audit.checks.replication import Sample, welch_p


def verdict(*tests: tuple[float, float]) -> str:
    parts = [Part(f"e{i}", "", *test, "") for i, test in enumerate(tests)]
    return decide(parts, "a test").verdict


def test_all_must_support_and_one_may_contradict() -> None:
    assert verdict((0.04, 1.0)) == "replicated"
    assert verdict((0.04, 1.0), (0.04, 1.0), (0.001, 1.0)) == "replicated"
    assert verdict((0.04, 1.0), (0.06, 1.0)) == "underpowered"
    assert verdict((1.0, 0.04)) == "contradicted"
    # Holm: the smallest of two counts twice, of three three times.
    assert verdict((0.001, 1.0), (1.0, 0.02)) == "contradicted"
    assert verdict((0.001, 1.0), (1.0, 0.03)) == "underpowered"
    assert verdict((0.001, 1.0), (0.001, 1.0), (1.0, 0.02)) == "underpowered"


def test_adjusted_p_values_stand_beside_the_parts() -> None:
    parts = [Part("a", "first", 0.01, 1.0, "x"), Part("b", "second", 0.03, 1.0, "y")]
    found = decide(parts, "a test")
    assert found.arithmetic == (
        "a (supported): first; b (supported): second; "
        "Holm-adjusted p: a 0.02 for and 1 against, b 0.03 for and 1 against"
    )
    assert (found.check, found.power) == ("a test", "a: x; b: y")


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ([(0.01, 1.0), (0.01, 1.0)], "untested"),
        ([(0.01, 1.0), (0.2, 1.0)], "underpowered"),
        # Three parts are planned: Holm counts the smallest of their p-values three times.
        ([(0.01, 1.0), (1.0, 0.016)], "contradicted"),
        ([(0.01, 1.0), (1.0, 0.018)], "underpowered"),
    ],
)
def test_a_part_without_runs_leaves_the_others_as_they_are(
    tests: list[tuple[float, float]], expected: str
) -> None:
    parts = [Part(f"e{i}", "said", *test, "") for i, test in enumerate(tests)]
    found = decide(parts, "a test", {"gone": "no runs"})
    assert found.verdict == expected
    assert "e0 (supported): said" in found.arithmetic
    assert "gone (untested): no runs" in found.arithmetic
    # Whatever the lost part would say, a contradicted claim stays so.
    if expected == "contradicted":
        assert verdict(*tests, (0.001, 1.0)) == verdict(*tests, (1.0, 1.0)) == "contradicted"


def test_a_lost_environment_counts_as_many_parts_as_it_would_have() -> None:
    parts = [Part(f"e, x {i}", "", 1.0, p, "") for i, p in enumerate((0.01, 1.0))]
    assert decide(parts, "a test", {"gone": ""}, each=2).verdict == "contradicted"
    assert decide(parts, "a test", {"gone": ""}, each=4).verdict == "underpowered"


def wrong(means: tuple[float, ...], seed: int, count: int = 1500, n: int = 10) -> dict[str, float]:
    """Shares of verdicts on "above" by Welch's test alone, with these true differences by environment."""
    generator = np.random.default_rng(seed)
    told: list[str] = []
    for _ in range(count):
        tests = []
        for mean in means:
            x, y = (Sample.of(generator.normal(m, s, n)) for m, s in ((mean, 1.0), (0.0, 2.0)))
            tests.append(sided(x.mean - y.mean, welch_p(x, y)))
        told.append(verdict(*tests))
    return {name: told.count(name) / count for name in ("replicated", "contradicted")}


def test_false_verdicts_are_as_rare_as_said() -> None:
    """Of 1,500 claims each: where nothing differs, and where all but one of three environments differ by far.

    One-sided 2.5 % either way; three standard errors are 1.2 points. Asking for the probability of improvement as well
    can only make either verdict rarer.
    """
    none = wrong((0.0, 0.0, 0.0), 1)
    assert none["replicated"] < 0.002
    assert none["contradicted"] < 0.037
    all_but_one = wrong((9.0, 9.0, 0.0), 2)
    assert all_but_one["replicated"] == pytest.approx(0.025, abs=0.012)
    assert all_but_one["contradicted"] < 0.02


def test_an_ordering_asks_for_both_intervals() -> None:
    """One run far above the rest makes a probability but no mean; the reverse takes many that are a little below."""
    generator = np.random.default_rng(3)
    low, high = generator.normal(0, 1, 30), generator.normal(3, 1, 30)
    part = ordered("here", "above", high, low, generator)
    assert max(part.supports, 0.01) == 0.01
    assert part.contradicts == 1.0
    assert "probability of improvement 0.9" in part.said
    assert ordered("here", "below", high, low, generator).contradicts < 0.01
    # Means 2 against 1.5 with hardly any spread but for one run of the first, at −90.
    outlier = np.append(np.full(29, 2.0) + 0.01 * low[:29], -90.0)
    steady = 1.5 + 0.01 * high
    mixed = ordered("here", "above", outlier, steady, generator)
    assert "probability of improvement 0.967" in mixed.said
    assert (mixed.supports, mixed.contradicts) == (1.0, 1.0)


def test_an_orderings_intervals_are_those_of_tables() -> None:
    from analysis.statistics import probability_interval, welch_interval

    generator = np.random.default_rng(4)
    x, y = generator.normal(1, 1, 8), generator.normal(0, 1, 8)
    part = ordered("here", "above", x, y, np.random.default_rng(7))
    for low, high in (welch_interval(x, y), probability_interval(x, y, np.random.default_rng(7))):
        assert f"[{low:.4g}, {high:.4g}]" in part.said
