"""Signatures of failure: the number beyond which something counts as one, and where that number is from.

The paper has none. Most are those of a third-party summary of it ("entropy collapse: preference entropy drops to
near-zero immediately", "excessive divergence: mean difference > 15 %"); where it gives no number, ours stands here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from algorithms.settings import PrefPoE
from envs.registry import ENVIRONMENTS, Continuous


@dataclass(frozen=True)
class Threshold:
    """A number beyond which something counts as a signature, and where it is from."""

    value: float
    source: str


NEAR_ZERO = Threshold(
    0.5,
    'nats: the summary says "near-zero" without a number; half a nat is the most that rounds to 0, and entropies '
    "below 0, which a density may have, count too",
)
IMMEDIATELY = Threshold(
    0.1, 'of the steps: the summary says "immediately" without a number; ours is the first tenth'
)
FAR = Threshold(0.15, 'of the norm of the main mean: the summary\'s "mean difference > 15 %"')
ROUNDING = Threshold(
    1e-6, "of the bound: ten times the rounding of single precision, in which arms are trained"
)
WIDE = Threshold(
    1.0,
    "times A·(high − low)^2, for A action dimensions with the range from low to high: the summary has no signature of a variance that "
    "grows; ours is a standard deviation as wide as the whole range (root mean square over dimensions)",
)


def outside_when_wide() -> float:
    """The least share of actions outside the range where σ is as wide as it: the mean lies in the middle."""
    return 1 - math.erf(0.5 / math.sqrt(2 * WIDE.value))


def widest_trace(environment: str) -> float:
    """tr Σ above which a policy is wider than the range of its actions; NaN where actions are discrete."""
    action = ENVIRONMENTS[environment].action
    if not isinstance(action, Continuous):
        return math.nan
    return WIDE.value * action.size * (action.high - action.low) ** 2


def clamped_within(environment: str, settings: PrefPoE) -> bool:
    """Whether the clamp on the σ of the acting policy alone keeps tr Σ at or below `widest_trace`."""
    action = ENVIRONMENTS[environment].action
    if settings.fusion != "product" or settings.std_range is None:
        return False
    return isinstance(action, Continuous) and action.size * settings.std_range[
        1
    ] ** 2 <= widest_trace(environment)
