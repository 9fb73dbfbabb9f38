"""Do two arms score alike? Two one-sided tests (Schuirmann 1987), Welch's, against a margin declared beforehand.

Does one score at least, or at most, what the other does? The test of that one end alone (non-inferiority).

The margin is a share m of what the base policy, at its best setting, is above random play, c − r. "Alike" is
|a − b| < m(c − r), where a, b and c are the true means; r is known. Usually the base is itself the second of the two, c = b; two
mixtures are compared with the margin of a third arm. Because c is estimated, so is the margin, and each side is tested as the
contrast that it is, a − b + m(c − r) > 0 and b − a + m(c − r) > 0 (Hauschke, Kieser and Hothorn 1999 for ratios): with the
estimate taken for the margin itself, the test at the upper margin would err in 5.9 % of cases instead of 5 %.

Arms of a sweep are compared by the same contrasts, split-seed (`sweeps.py`), each at its best setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import special, stats

from analysis.audit.checks.decision import Part
from analysis.audit.checks.replication import Sample, welch
from analysis.reported import Range
from analysis.statistics import SIGNIFICANCE

Ends = Literal["both", "lower", "upper"]
"""The ends of the margin that a claim keeps within: both where two arms are alike, the lower where one is at least the other."""
CHECKS: dict[Ends, str] = {
    "both": "two one-sided tests",
    "lower": "one-sided test of the lower end",
    "upper": "one-sided test of the upper end",
}


@dataclass(frozen=True)
class Side:
    """One of the two tests: that a mean is within one end. `shift` estimates how far within, `p` is one-sided."""

    shift: float
    error: float
    df: float

    @property
    def p(self) -> float:
        """Small where the mean is within this end."""
        if self.error == 0:
            return 0.0 if self.shift > 0 else 1.0
        return float(special.stdtr(self.df, -self.shift / self.error))

    def power(self, margin: float) -> float:
        """The chance that this test succeeds where the mean is in truth `margin` within the end (noncentral t)."""
        if self.error == 0:
            return 1.0 if margin > 0 else 0.0
        critical = stats.t.ppf(1 - SIGNIFICANCE, self.df)
        return float(stats.nct.sf(critical, self.df, margin / self.error))


def sides(
    first: Sample, second: Sample, share: float, nothing: float, base: Sample | None = None
) -> tuple[Side, Side]:
    """The tests of the lower and the upper end; `nothing` is what random play scores.

    Without a third arm as `base`, the second is the base.
    """
    gap = first.mean - second.mean
    if base is None:
        margin = share * (second.mean - nothing)
        lower, upper = (welch((first, second.times(1 + sign * share))) for sign in (-1, 1))
    else:
        margin = share * (base.mean - nothing)
        lower = upper = welch((first, second, base.times(share)))
    return Side(gap + margin, *lower), Side(margin - gap, *upper)


def tested(sides: Sequence[Side]) -> tuple[float, float]:
    """p-values for "within", every test at 5 %, and for "outside", of either end or the one end at 2.5 %."""
    return max(side.p for side in sides), min(1.0, 2 * min(1 - side.p for side in sides))


def power(sides: Sequence[Side], margin: float) -> float:
    """The chance that all tests succeed where there is no true difference: at least this, by Bonferroni's inequality."""
    return max(0.0, 1 - sum(1 - side.power(margin) for side in sides))


def alike(
    name: str,
    first: Sample,
    second: Sample,
    share: float,
    nothing: float,
    base: Sample | None = None,
    ends: Ends = "both",
) -> Part:
    """The part of a claim with a margin that is about one environment, from two independent arms and maybe a third as base."""
    difference = Side(first.mean - second.mean, *welch((first, second)))
    both = sides(first, second, share, nothing, base)
    reached = (second if base is None else base).mean
    n = f"n = {first.n} and {second.n}"
    return part(name, difference, both, share, reached, nothing, n, ends)


def part(
    name: str,
    difference: Side,
    both: tuple[Side, Side],
    share: float,
    base: float,
    nothing: float,
    n: str,
    ends: Ends = "both",
) -> Part:
    """The part of a claim with a margin from the tests of `both` ends, given what the base and random play (`nothing`) score.

    Supported where the one-sided tests of the claim's `ends` succeed at 5 %; contradicted where the mean is outside the margin
    there by a test at 2.5 %. Where the base is not above random play there is no margin, and nothing is decided.
    """
    margin, gap = share * (base - nothing), difference.shift
    measured = f"difference = {gap:.4g} ({n})"
    if margin <= 0:
        said = (
            f"{measured}, no margin: the base, {base:.4g}, is not above random play, {nothing:.4g}"
        )
        return Part(name, said, 1.0, 1.0, "none without a margin")
    finite = math.isfinite(difference.df)
    half = difference.error * special.stdtrit(difference.df, 1 - SIGNIFICANCE) if finite else 0.0
    below, above = both
    kept = {"both": both, "lower": (below,), "upper": (above,)}[ends]
    said = (
        f"{measured}, 90 % interval {Range(gap - half, gap + half)}, margin ±{margin:.4g} "
        f"({100 * share:g} % of {base:.4g} − {nothing:.4g}), p = {below.p:.2g} (not below) and {above.p:.2g} (not above)"
    )
    chance = power(kept, margin)
    expected = f"{100 * chance:.0f} % where there is no true difference"
    return Part(name, said, *tested(kept), expected)
