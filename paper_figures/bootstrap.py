"""Intervals as the paper draws them around curves and points: 95 % bootstrap intervals of the mean over runs.

Those of `analysis.statistics.bootstrap_interval`, for all points of a curve at once: scipy resamples whole runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import BOOTSTRAP_RESAMPLES, CONFIDENCE

Floats = NDArray[np.float64]
SEED = 0
AT_ONCE = 100
"""Resamples held in memory at a time."""


def band(curves: Floats) -> tuple[Floats, Floats]:
    """The ends [K] of the percentile intervals of the mean of `curves` [n, K] over n runs.

    Whole curves are resampled. NaN marks a bin that a run does not reach: there, those that do are resampled; the ends
    are NaN where they are fewer than two.
    """
    ends = np.full((2, curves.shape[1]), np.nan)
    patterns, which = np.unique(np.isfinite(curves), axis=1, return_inverse=True)
    for number, present in enumerate(patterns.T):
        if present.sum() >= 2:
            bins = which == number
            ends[:, bins] = stats.bootstrap(
                (curves[np.ix_(present, bins)],),
                np.mean,
                n_resamples=BOOTSTRAP_RESAMPLES,
                batch=AT_ONCE,
                axis=0,
                confidence_level=CONFIDENCE,
                method="percentile",
                rng=np.random.default_rng(SEED),
            ).confidence_interval
    return ends[0], ends[1]


def estimate(values: Floats, geometric: bool = False) -> tuple[int, float, float, float]:
    """n, mean and 95 % bootstrap interval of the mean of values [n]; of a `geometric` mean, values must be positive."""
    averaged = np.log(values) if geometric else values
    low, high = band(averaged[:, None])
    drawn = np.array([averaged.mean() if len(values) else np.nan, low[0], high[0]])
    middle, *ends = (np.exp(drawn) if geometric else drawn).tolist()
    return len(values), middle, ends[0], ends[1]
