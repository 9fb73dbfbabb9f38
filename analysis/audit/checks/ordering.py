"""Does one arm score higher than another? Two questions, and both must be answered alike.

By how much: the difference of mean scores with Welch's 95 % interval. How often: the probability of improvement, the chance
that a run of the first arm scores above one of the second, with rliable's stratified bootstrap interval. A difference that a
few runs make has a mean and no probability; one that is reliable and tiny the reverse. A part of a claim is supported
where both intervals exclude no difference (0 and ½) on the claimed side, contradicted where both do on the other.
"""

from __future__ import annotations

import numpy as np

from analysis.audit.checks.decision import Part, sided
from analysis.audit.checks.replication import Direction, Sample, welch_p
from analysis.statistics import (
    Scores,
    minimum_detectable_difference,
    percentile_interval,
    percentile_p,
    pooled_std,
    probability_of_improvement,
    probability_values,
    welch_interval,
)

CHECK = "Welch interval and probability of improvement"


def ordered(
    name: str, direction: Direction, first: Scores, second: Scores, generator: np.random.Generator
) -> Part:
    """The part of an ordering that is about one environment, from the scores of two independent arms of ≥ 2 members."""
    difference, gap = float(first.mean() - second.mean()), welch_interval(first, second)
    chances = probability_values(first, second, generator)
    chance, reach = probability_of_improvement(first, second), percentile_interval(chances)
    sign = 1.0 if direction == "above" else -1.0
    tests = (
        sided(sign * difference, welch_p(Sample.of(first), Sample.of(second))),
        sided(sign * (chance - 0.5), percentile_p(chances, 0.5)),
    )
    said = (
        f"difference = {difference:.4g}, 95 % interval {_ends(gap)} (n = {len(first)} and {len(second)}), "
        f"probability of improvement {chance:.3f}, 95 % interval {_ends(reach)}"
    )
    detectable = minimum_detectable_difference(pooled_std(first, second), len(first), len(second))
    return Part(
        name,
        said,
        max(test[0] for test in tests),
        max(test[1] for test in tests),
        f"a true difference of {detectable:.3g} is found with 80 %",
    )


def _ends(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.4g}, {interval[1]:.4g}]"
