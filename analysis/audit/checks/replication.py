"""Question 3: do our own runs, at the published protocol, agree with what is claimed?

A claimed effect is the difference or the ratio of two arms, a claimed mean is one arm. Both studies are samples, so a
claim is held against the prediction interval: where a second study of the claimed size may fall, given the first.
Intervals are 95 %. Differences: Welch, half-width t_ν √(V₁ + V₂), V = s²_A / n_A + s²_B / n_B of each study. Ratios:
Fieller's, as in every table; for the prediction the variances of the claimed study's arms are added, in our units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.audit.checks.consistency import t_quantile
from analysis.fieller import Part, ratio_interval
from analysis.reported import Range

CONFIDENCE = 0.95
Direction = Literal["above", "below"]
Verdict = Literal[
    "replicated",
    "same direction",
    "contradicted",
    "underpowered",
    "compatible",
    "incompatible",
    "untested",
]


@dataclass(frozen=True)
class Sample:
    """An arm: mean, sample standard deviation (ddof = 1) and number of members."""

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Self:
        """The summary of n ≥ 2 scores, whatever the array's shape."""
        return cls(float(np.mean(scores)), float(np.std(scores, ddof=1)), scores.size)

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.std / math.sqrt(self.n)

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.std:.2f} (n = {self.n})"

    def times(self, factor: float) -> Self:
        """The sample with every score multiplied by `factor`."""
        return type(self)(factor * self.mean, factor * self.std, self.n)

    def part(self, scale: float = 1.0) -> Part:
        """The variance of the mean, for values multiplied by `scale`."""
        return Part((scale * self.error) ** 2, self.n - 1)


@dataclass(frozen=True)
class Replication:
    """A verdict with its arithmetic; `check` names the test, `power` says what it could have found."""

    verdict: Verdict
    arithmetic: str
    check: str = "our runs"
    power: str | None = None


def effect(claimed: Range, theirs: Sequence[Sample], new: Sample, old: Sample) -> Replication:
    """A claimed difference new − old against ours; `theirs` are the claimed study's arms."""
    ours = new.mean - old.mean
    own = _interval(ours, (new, old))
    prediction = _interval(ours, (new, old, *theirs))
    said = _said("difference", claimed, ours, own, prediction, new, old)
    return Replication(_verdict(claimed, own, prediction, nothing=0.0), said)


def ratio(claimed: Range, theirs: tuple[Sample, Sample], new: Sample, old: Sample) -> Replication:
    """A claimed ratio new / old against ours; `theirs` are the claimed study's arms; all means are positive.

    An estimated ratio R has the variance (Vₓ + R² Vᵧ) / y² (to first order), so the prediction interval is Fieller's with the
    claimed study's variances added on the scale of our denominator.
    """
    scale = old.mean / theirs[1].mean
    own = Range(*ratio_interval(new.mean, old.mean, [new.part()], [old.part()]))
    prediction = Range(
        *ratio_interval(
            new.mean,
            old.mean,
            [new.part(), theirs[0].part(scale)],
            [old.part(), theirs[1].part(scale)],
        )
    )
    said = _said("ratio", claimed, new.mean / old.mean, own, prediction, new, old)
    return Replication(_verdict(claimed, own, prediction, nothing=1.0), said)


def _said(
    what: str,
    claimed: Range,
    ours: float,
    own: Range,
    prediction: Range,
    new: Sample,
    old: Sample,
) -> str:
    return (
        f"claimed {what} {claimed}; ours {ours:.4g}, 95 % interval {own} "
        f"(n = {new.n} and {old.n}); prediction interval {prediction}"
    )


def _verdict(claimed: Range, own: Range, prediction: Range, nothing: float) -> Verdict:
    """The rule, `nothing` being the value of no effect: 0 for a difference, 1 for a ratio."""
    shown = own.low > nothing if claimed.middle >= nothing else own.high < nothing
    if shown:
        return "replicated" if claimed.meets(prediction) else "same direction"
    return "underpowered" if claimed.meets(own) else "contradicted"


def single(claimed: Range, theirs: Sample, ours: Sample) -> Replication:
    """A claimed mean against the prediction interval of ours."""
    prediction = _interval(ours.mean, (ours, theirs))
    said = (
        f"claimed {claimed}; ours {ours.mean:.4g} ± {ours.std:.4g} (n = {ours.n}); "
        f"prediction interval {prediction}"
    )
    return Replication("compatible" if claimed.meets(prediction) else "incompatible", said)


def welch(samples: Sequence[Sample]) -> tuple[float, float]:
    """Standard error of a sum or difference of means, and its Welch–Satterthwaite degrees of freedom.

    (0, ∞) where no sample has spread.
    """
    error = math.hypot(*(sample.error for sample in samples))
    if error == 0:
        return 0.0, math.inf
    return error, error**4 / sum(sample.error**4 / (sample.n - 1) for sample in samples)


def welch_p(new: Sample, old: Sample) -> float:
    """Two-sided p-value of Welch's test; 0 or 1 where neither arm has spread."""
    error, df = welch((new, old))
    if error == 0:
        return 0.0 if new.mean != old.mean else 1.0
    return float(2 * special.stdtr(df, -abs(new.mean - old.mean) / error))


def cohens_d(new: Sample, old: Sample) -> float:
    """|new − old| in pooled standard deviations; infinite where neither arm has spread."""
    squares = (new.n - 1) * new.std**2 + (old.n - 1) * old.std**2
    pooled = math.sqrt(squares / (new.n + old.n - 2))
    difference = abs(new.mean - old.mean)
    if pooled == 0:
        return math.inf if difference else 0.0
    return difference / pooled


def _interval(centre: float, samples: Sequence[Sample]) -> Range:
    """centre ± t_ν √ΣV, with the Welch–Satterthwaite ν of all samples; a point where none has spread."""
    error, df = welch(samples)
    half = t_quantile(100 * CONFIDENCE, df) * error
    return Range(centre - half, centre + half)
