"""Fieller's interval of a ratio of two means: the one formula behind every percentage's interval.

Fieller (1954), J. R. Stat. Soc. B 16: the interval holds every ratio r with |x − r y| ≤ t √(Vₓ + r² Vᵧ), for means x and y
with variances Vₓ and Vᵧ; t is Student's at 97.5 %, its degrees of freedom Satterthwaite's at the estimated ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import special

LEVEL = 0.975


class Part(NamedTuple):
    """A part of a mean's variance, estimated with `df` degrees of freedom."""

    variance: float
    df: float


def ratio_interval(
    top: float, bottom: float, top_parts: Sequence[Part], bottom_parts: Sequence[Part]
) -> tuple[float, float]:
    """The 95 % interval of top / bottom, for independent means whose variances are the sums of their parts.

    (−∞, ∞) where `bottom` is not significantly different from zero: then every ratio may be. A point where no part has
    any variance. `bottom` must be positive.
    """
    ratio = top / bottom
    weighed = [*top_parts, *(Part(ratio**2 * part.variance, part.df) for part in bottom_parts)]
    total = sum(part.variance for part in weighed)
    if not total > 0:
        return ratio, ratio
    df = total**2 / sum(part.variance**2 / part.df for part in weighed)
    t2 = float(special.stdtrit(df, LEVEL)) ** 2
    above, below = (sum(part.variance for part in parts) for parts in (top_parts, bottom_parts))
    square = bottom**2 - t2 * below
    if square <= 0:
        return -math.inf, math.inf
    root = math.sqrt(t2 * (above * square + below * top**2))
    return (top * bottom - root) / square, (top * bottom + root) / square
