"""Do two arms score alike? Two one-sided tests (Schuirmann 1987), Welch's, against a margin declared beforehand.

The margin is a share m of what the base policy is above random play, b − r. "Alike" is b − m(b − r) < a < b + m(b − r),
where a and b are the true means; r is known. Because b is estimated, so is the margin, and each side is tested as the contrast
that it is, a − (1 − m)b − mr > 0 and (1 + m)b − mr − a > 0 (Hauschke, Kieser and Hothorn 1999 for ratios): with the
estimate taken for the margin itself, the test at the upper margin would err in 5.9 % of cases instead of 5 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special, stats

from analysis.audit.checks.decision import Part
from analysis.audit.checks.replication import Sample, welch
from analysis.reported import Range
from analysis.statistics import SIGNIFICANCE

CHECK = "two one-sided tests"


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


def sides(first: Sample, base: Sample, share: float, nothing: float) -> tuple[Side, Side]:
    """The tests of the lower and the upper end; `nothing` is what random play scores."""
    lower, upper = (
        Sample(k * base.mean + (1 - k) * nothing, k * base.std, base.n)
        for k in (1 - share, 1 + share)
    )
    return (
        Side(first.mean - lower.mean, *welch((first, lower))),
        Side(upper.mean - first.mean, *welch((first, upper))),
    )


def tested(below: Side, above: Side) -> tuple[float, float]:
    """p-values for "alike", both tests at 5 %, and for "apart", outside by either of two tests at 2.5 %."""
    return max(below.p, above.p), min(1.0, 2 * min(1 - below.p, 1 - above.p))


def power(below: Side, above: Side, margin: float) -> float:
    """The chance that both tests succeed where there is no true difference: at least this, by Bonferroni's inequality."""
    return max(0.0, below.power(margin) + above.power(margin) - 1)


def alike(name: str, first: Sample, base: Sample, share: float, nothing: float) -> Part:
    """The part of an equivalence that is about one environment.

    Supported where both one-sided tests succeed at 5 %; contradicted where the mean is outside the margin by either of two
    tests at 2.5 %. Where the base is not above random play there is no margin, and nothing is decided.
    """
    margin = share * (base.mean - nothing)
    difference = first.mean - base.mean
    measured = f"difference = {difference:.4g} (n = {first.n} and {base.n})"
    if margin <= 0:
        said = f"{measured}, no margin: the base, {base.mean:.4g}, is not above random play, {nothing:.4g}"
        return Part(name, said, 1.0, 1.0, "none without a margin")
    below, above = sides(first, base, share, nothing)
    error, df = welch((first, base))
    half = error * special.stdtrit(df, 1 - SIGNIFICANCE) if math.isfinite(df) else 0.0
    said = (
        f"{measured}, 90 % interval {Range(difference - half, difference + half)}, margin ±{margin:.4g} "
        f"({100 * share:g} % of {base.mean:.4g} − {nothing:.4g}), p = {below.p:.2g} (not below) and {above.p:.2g} (not above)"
    )
    chance = power(below, above, margin)
    expected = f"{100 * chance:.0f} % where there is no true difference"
    return Part(name, said, *tested(below, above), expected)
