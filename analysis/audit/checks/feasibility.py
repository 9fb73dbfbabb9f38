"""Could any data give the printed numbers? Bounds over every data set that rounds to them.

Pure functions on `Range` (all numbers that a printed one may stand for) and plain numbers. What they return
encloses what is attainable: honestly rounded numbers always lie inside, whatever their correlation. So a number
outside is impossible, while one inside may still be; where a check excludes nothing it has no power, and `power`
or `bounded` says so. Spreads are sample standard deviations (ddof 1) where nothing else is said; `sample_std`
converts what a paper may have printed instead. n counts the units that a mean averages: seeds or, as another
reading, episodes (seeds × episodes per seed).

Functions raise ValueError where n is too small for the quantity to be defined.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from scipy import special

from analysis.audit.checks.consistency import t_quantile
from analysis.reported import Range

SpreadKind = Literal["std", "standard error", "95% interval", "95% normal interval"]
SPREAD_KINDS: tuple[SpreadKind, ...] = (
    "std",
    "standard error",
    "95% interval",
    "95% normal interval",
)
MOST_TOTALS = 200
"""Where a mean leaves more integer totals than this, they are not searched one by one."""
SLACK = 1e-12
"""Relative room for floating-point error where a bound is compared with an integer."""


class Arm(NamedTuple):
    """One side of a comparison: mean and sample standard deviation (ddof 1) over n units."""

    mean: Range
    std: Range
    n: int

    @property
    def spread(self) -> Range:
        """The standard deviation without the negative numbers that round to 0 as well."""
        return _not_negative(self.std)


# What a printed spread may be


def sample_std(printed: Range, n: int, kind: SpreadKind = "std", ddof: int = 1) -> Range:
    """The sample standard deviation (ddof 1) behind a spread printed as `kind`, computed with `ddof`.

    An interval's spread is its half-width: the standard error times Student's t quantile, or times 1.96 for
    "95% normal interval".
    """
    _require(n, 2)
    factor = math.sqrt((n - ddof) / (n - 1))
    if kind != "std":
        factor *= math.sqrt(n)
    if kind == "95% interval":
        factor /= t_quantile(95.0, n - 1)
    elif kind == "95% normal interval":
        factor /= float(special.ndtri(0.975))
    return _not_negative(printed) * factor


# Tests of two arms


class TTest(NamedTuple):
    """A t-test over every data set that rounds to the printed numbers.

    `difference` is new − old, `error` its standard error, `t` the statistic's size. `one_sided` tests the direction
    of the difference. Each encloses what is attainable.
    """

    difference: Range
    error: Range
    df: Range
    t: Range
    two_sided: Range
    one_sided: Range

    @property
    def bounded(self) -> bool:
        """Whether there is a largest t; without one, no p-value is too small to be attained."""
        return math.isfinite(self.t.high)


def paired_range(new: Arm, old: Arm) -> TTest:
    """The paired t-test of n pairs over every correlation in [−1, 1].

    s_diff² = s₁² + s₂² − 2 r s₁ s₂ lies between (s₁ − s₂)² and (s₁ + s₂)²: spreads that may be equal leave t unbounded.
    With n = 2 only the two ends of that range are attained.
    """
    if new.n != old.n:
        raise ValueError(f"pairs need arms of equal size, not {new.n} and {old.n}")
    _require(new.n, 2)
    error = _difference_std(new.spread, old.spread) * (1 / math.sqrt(new.n))
    return _t_test(new.mean - old.mean, error, Range.exactly(new.n - 1))


def student_range(new: Arm, old: Arm) -> TTest:
    """Student's t-test of two independent arms with pooled variance; exact over the rounding ranges."""
    error = _pooled_std(new, old) * math.sqrt(1 / new.n + 1 / old.n)
    return _t_test(new.mean - old.mean, error, Range.exactly(new.n + old.n - 2))


def welch_range(new: Arm, old: Arm) -> TTest:
    """Welch's t-test of two independent arms.

    t and ν are exact over the rounding ranges; a p-value is bounded by their most favourable combination, which need
    not be attained by one data set.
    """
    _require(min(new.n, old.n), 2)
    first, second = new.spread * (1 / math.sqrt(new.n)), old.spread * (1 / math.sqrt(old.n))
    error = Range(math.hypot(first.low, second.low), math.hypot(first.high, second.high))
    return _t_test(new.mean - old.mean, error, _satterthwaite(first, second, new.n, old.n))


def _satterthwaite(first: Range, second: Range, n_first: int, n_second: int) -> Range:
    """Degrees of freedom of two means with these standard errors.

    ν = 1 / (w²/(n₁−1) + (1−w)²/(n₂−1)) for the share w of the variance that is the first arm's; ν rises in w up to
    w = (n₁−1)/(n₁+n₂−2) and falls after it.
    """
    low, high = _share(first.low, second.high, 0.0), _share(first.high, second.low, 1.0)
    peak = (n_first - 1) / (n_first + n_second - 2)

    def df(share: float) -> float:
        return 1 / (share * share / (n_first - 1) + (1 - share) ** 2 / (n_second - 1))

    return Range(min(df(low), df(high)), df(min(max(peak, low), high)))


def _share(part: float, other: float, undefined: float) -> float:
    total = math.hypot(part, other)
    return (part / total) ** 2 if total > 0 else undefined


def _difference_std(first: Range, second: Range) -> Range:
    """Standard deviation of paired differences over every correlation."""
    gap = 0.0 if first.meets(second) else max(first.low - second.high, second.low - first.high)
    return Range(gap, first.high + second.high)


def _pooled_std(new: Arm, old: Arm) -> Range:
    _require(min(new.n, old.n), 2)
    weights = [math.sqrt((arm.n - 1) / (new.n + old.n - 2)) for arm in (new, old)]
    low, high = (
        math.hypot(a * weights[0], b * weights[1])
        for a, b in ((new.spread.low, old.spread.low), (new.spread.high, old.spread.high))
    )
    return Range(low, high)


def _t_test(difference: Range, error: Range, df: Range) -> TTest:
    size = _ratios(difference, error)
    forward = difference if difference.high >= -difference.low else difference * -1.0
    against = 0.0 if forward.low >= 0 else -_most(-forward.low, error.low)
    least = size.low if forward.low >= 0 else against
    dfs = (df.low, df.high)
    smallest = min(_tail(size.high, each) for each in dfs)
    return TTest(
        difference,
        error,
        df,
        size,
        Range(2 * smallest, 2 * max(_tail(size.low, each) for each in dfs)),
        Range(smallest, max(_tail(least, each) for each in dfs)),
    )


def _ratios(difference: Range, spread: Range) -> Range:
    """Sizes of difference / spread; a spread that may be 0 leaves them unbounded."""
    smallest = 0.0 if 0 in difference else min(abs(difference.low), abs(difference.high))
    largest = max(abs(difference.low), abs(difference.high))
    return Range(_least(smallest, spread.high), _most(largest, spread.low))


def _least(top: float, bottom: float) -> float:
    """top / bottom, where what is not defined counts as 0."""
    if top == 0 or math.isinf(bottom):
        return 0.0
    return top / bottom if bottom > 0 else math.inf


def _most(top: float, bottom: float) -> float:
    """top / bottom, where what is not defined counts as unbounded."""
    return math.inf if bottom == 0 or math.isinf(top) else top / bottom


def _tail(t: float, df: float) -> float:
    """P(T ≥ t) for Student's t."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    return float(special.stdtr(df, -t))


class EffectSizes(NamedTuple):
    """|new − old| in units of a standard deviation: Cohen's d as usually defined, and other readings.

    `pooled` weighs the variances by their degrees of freedom, `average` equally, `glass` takes the old arm's
    deviation, `paired` (d_z; None for arms of unequal size) that of the differences over every correlation.
    """

    difference: Range
    pooled: Range
    average: Range
    glass: Range
    paired: Range | None

    def readings(self) -> dict[str, Range]:
        """The readings of Cohen's d by name, the usual one first."""
        named = {
            "pooled variance": self.pooled,
            "average variance": self.average,
            "the old arm's deviation": self.glass,
            "paired differences": self.paired,
        }
        return {name: value for name, value in named.items() if value is not None}


def cohen_d_range(new: Arm, old: Arm) -> EffectSizes:
    """Sizes of an effect over the rounding ranges; each is exact."""
    difference = new.mean - old.mean
    root = math.sqrt(2)
    average = Range(
        math.hypot(new.spread.low, old.spread.low) / root,
        math.hypot(new.spread.high, old.spread.high) / root,
    )
    paired = _difference_std(new.spread, old.spread) if new.n == old.n else None
    return EffectSizes(
        difference,
        _ratios(difference, _pooled_std(new, old)),
        _ratios(difference, average),
        _ratios(difference, old.spread),
        None if paired is None else _ratios(difference, paired),
    )


# Granularity of integer outcomes


class Grim(NamedTuple):
    """Whether an integer total divided by n rounds to the mean.

    The total lies in [low, high]; `total` is the fitting integer nearest to their middle. `power` is the share of
    means of this precision that would fail: 0 where none can.
    """

    possible: bool
    low: float
    high: float
    total: int | None
    power: float


def grim(mean: Range, n: int, items: int = 1) -> Grim:
    """Granularity of a mean of n integers (Brown & Heathers 2017, Soc. Psychol. Personal. Sci. 8).

    `items` integers are averaged within each unit: the episodes of a seed, each a success or not. Only for outcomes
    that are integers.
    """
    _require(min(n, items), 1)
    count = n * items
    low, high = mean.low * count, mean.high * count
    totals = _totals(mean, count)
    if totals is None:
        return Grim(True, low, high, None, 0.0)
    power = _share_outside(count * (mean.high - mean.low))
    if not totals:
        return Grim(False, low, high, None, power)
    total = min(max(round((low + high) / 2), totals.start), totals.stop - 1)
    return Grim(True, low, high, total, power)


class Grimmer(NamedTuple):
    """Whether integers exist with the mean and the standard deviation.

    `failed` names the first condition that no total satisfies. `total` and `squares` are a sum and a sum of squares
    that satisfy all (in units of 1/items). `power` is about the share of spreads of this precision that would fail.
    """

    possible: bool
    total: int | None
    squares: int | None
    failed: Literal["mean", "sum of squares", "parity"] | None
    power: float


def grimmer(mean: Range, spread: Range, n: int, ddof: int = 1, items: int = 1) -> Grimmer:
    """Granularity of the standard deviation of n integers (Anaya 2016; analytically, Allard 2018).

    For a total k the sum of squares is an integer, of k's parity because x² and x have the same, at least that of
    integers as equal as they can be, and (n − ddof) s² + k²/n. Every total that rounds to the mean is tried. The
    conditions are necessary; enumeration shows them not to be sufficient for fewer than five units.
    """
    _require(n, 2)
    _require(items, 1)
    spread, totals = _not_negative(spread) * float(items), _totals(mean * float(items), n)
    freedom = n - ddof
    if totals is None or not math.isfinite(freedom * spread.high * spread.high):
        return Grimmer(True, None, None, None, 0.0)
    # Sums of squares of one parity lie 2 apart, so spreads lie 1 / (freedom · s) apart.
    near = (spread.high - spread.low) * freedom * (spread.low + spread.high) / 2
    power = _share_outside(max(1, len(totals)) * near)
    failed: Literal["mean", "sum of squares", "parity"] = "sum of squares" if totals else "mean"
    for total in totals:
        lowest, highest = _sums_of_squares(total, spread, n, freedom)
        squares = lowest + (lowest - total) % 2
        if squares <= highest:
            return Grimmer(True, total, squares, None, power)
        if lowest <= highest:
            failed = "parity"
    return Grimmer(False, None, None, failed, power)


def _sums_of_squares(total: int, spread: Range, n: int, freedom: int) -> tuple[int, int]:
    """Lowest and highest sum of squares of n integers with this total and spread; empty if lowest > highest."""
    # k²/n in integers and a remainder, because k² may have more digits than a float.
    whole, rest = divmod(total * total, n)
    low, high = (rest / n + freedom * end * end for end in (spread.low, spread.high))
    slack = SLACK * max(1.0, high)
    each, above = divmod(total, n)
    least = (n - above) * each**2 + above * (each + 1) ** 2
    return max(whole + math.ceil(low - slack), least), whole + math.floor(high + slack)


class Pattern(NamedTuple):
    """So many successes among n binary outcomes, and the mean and standard deviation (ddof) that they have."""

    successes: int
    ddof: int
    mean: float
    std: float


def binary_patterns(mean: Range, spread: Range, n: int) -> tuple[Pattern, ...]:
    """Every count of successes among n outcomes that gives mean and spread, with either ddof.

    Five outcomes {1, 1, 1, 0, 0} give 0.60 ± 0.49 (ddof 0) or 0.60 ± 0.55 (ddof 1). Empty too where the mean leaves more
    than `MOST_TOTALS` counts.
    """
    _require(n, 2)
    found = (
        Pattern(count, ddof, count / n, _binary_std(count, n, ddof))
        for count in _counts(mean, n) or ()
        for ddof in (0, 1)
    )
    return tuple(pattern for pattern in found if spread.meets(Range.exactly(pattern.std)))


class Debit(NamedTuple):
    """Whether binary outcomes have the mean and the standard deviation.

    `std` encloses what the mean leaves possible (None where no count gives the mean); `counts` are the numbers of
    successes that fit. `power` is the share of spreads, of this precision and at most the largest, that would fail.
    """

    possible: bool
    std: Range | None
    counts: tuple[int, ...]
    power: float


def debit(mean: Range, spread: Range, n: int, ddof: int = 1) -> Debit:
    """Mean and standard deviation of n binary outcomes: s² = n/(n − ddof) · p(1 − p), p = k/n.

    (Heathers & Brown 2019, DEBIT.) Where the mean leaves more than `MOST_TOTALS` counts, p counts as continuous.
    """
    _require(n, 2)
    counts, unit = _counts(mean, n), spread.high - spread.low
    factor = math.sqrt(n / (n - ddof))
    # Printed spreads run from 0 to the largest in steps of `unit`; without rounding almost none is attained.
    cells = 1 + 0.5 * factor / unit if unit > 1e-9 else math.inf
    if counts is None:
        std = _binary_stds(mean) * factor
        hit = 1 + (std.high - std.low) / unit if unit > 1e-9 else 1.0
        return Debit(spread.meets(std), std, (), _share_outside(hit / cells))
    stds = {count: _binary_std(count, n, ddof) for count in counts}
    if not stds:
        return Debit(False, None, (), 1.0)
    distinct = len({round(std / unit) for std in stds.values()}) if unit > 1e-9 else 1
    fitting = tuple(k for k, std in stds.items() if spread.meets(Range.exactly(std)))
    std = Range(min(stds.values()), max(stds.values()))
    return Debit(bool(fitting), std, fitting, _share_outside(distinct / cells))


def _totals(mean: Range, n: int) -> range | None:
    """Every integer k with k/n in the mean's range; None where they are too many to matter."""
    low, high = mean.low * n, mean.high * n
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    slack = SLACK * max(1.0, abs(low), abs(high))
    first, last = math.ceil(low - slack), math.floor(high + slack)
    return range(first, last + 1) if last - first < MOST_TOTALS else None


def _counts(mean: Range, n: int) -> range | None:
    """Every number of successes among n with that mean; None where they are too many."""
    inside = Range(min(max(mean.low, 0.0), 1.0), min(max(mean.high, 0.0), 1.0))
    return _totals(inside, n) if mean.meets(Range(0.0, 1.0)) else range(0)


def _binary_std(count: int, n: int, ddof: int) -> float:
    return math.sqrt(count * (n - count) / (n * (n - ddof)))


def _binary_stds(mean: Range) -> Range:
    """√(p(1 − p)) for every p of the range that is a probability."""
    low, high = (min(max(end, 0.0), 1.0) for end in (mean.low, mean.high))
    peak = min(max(0.5, low), high)
    ends = [math.sqrt(p * (1 - p)) for p in (low, high, peak)]
    return Range(min(ends), ends[2])


def _share_outside(covered: float) -> float:
    """1 − covered as a share; 0 where rounding error is all that is left."""
    return 0.0 if covered > 1 - 1e-9 else 1 - covered


# Spreads of bounded outcomes


class SpreadBounds(NamedTuple):
    """What bounds on the outcomes leave possible for their mean and their standard deviation."""

    mean: Range
    std: Range


class RateSpread(NamedTuple):
    """The spread of n rates in [0, 1] given their mean.

    `largest` is the largest that n rates can have, `per_episode` the range of √(p(1 − p)), the spread of single
    successes; `as_episodes` says whether the printed spread agrees with that.
    """

    possible: bool
    largest: float
    per_episode: Range
    as_episodes: bool


def rate_spread(mean: Range, spread: Range, n: int, ddof: int = 1) -> RateSpread:
    """Is the spread of n rates, each unit's share of successes, possible with their mean?

    At most √(p(1 − p)) · √(n/(n − ddof)), reached only if all units are 0 or 1; `largest` is the exact maximum.
    """
    largest, per_episode = largest_std(mean, n, ddof=ddof), _binary_stds(mean)
    possible = mean.meets(Range(0.0, 1.0)) and spread.meets(Range(0.0, largest))
    return RateSpread(possible, largest, per_episode, spread.meets(per_episode))


def largest_std(mean: Range, n: int, low: float = 0.0, high: float = 1.0, ddof: int = 1) -> float:
    """The largest standard deviation of n numbers in [low, high] whose mean lies in the range.

    As many numbers as can lie at the ends, and one between makes up the mean. Equals Bhatia & Davis's bound
    (2000, Am. Math. Mon. 107) √((high − mean)(mean − low) n/(n − ddof)) where n · mean allows, else is sharper.
    0 where the mean lies outside.
    """
    _require(n, 2)
    width = high - low
    if not width > 0:
        return 0.0
    if math.isinf(width):
        return math.inf
    start, end = (n * min(max((x - low) / width, 0.0), 1.0) for x in (mean.low, mean.high))
    # Σ(x − mean)² is convex in the mean between two neighbouring totals k, where all n lie at the ends.
    whole = min(max(n // 2, math.ceil(start)), math.floor(end))
    totals = (start, end, float(whole)) if start <= whole <= end else (start, end)
    return width * math.sqrt(max(_squares_at_ends(total, n) for total in totals) / (n - ddof))


def _squares_at_ends(total: float, n: int) -> float:
    """Largest Σ(x − mean)² of n numbers in [0, 1] with this sum."""
    whole = math.floor(total)
    return max(0.0, whole + (total - whole) ** 2 - total * total / n)


def range_spread(
    low: Range,
    high: Range,
    n: int,
    mean: Range | None = None,
    ddof: int = 1,
    attained: bool = True,
) -> SpreadBounds:
    """Bounds on mean and standard deviation of n numbers in [low, high].

    Without the mean the largest is half the range times √(n/(n − 1)) for even n (Popoviciu, with Bessel's
    correction). `attained` says that low and high are the smallest and the largest of the numbers themselves,
    not just bounds: then the mean keeps (high − low)/n from either, and the standard deviation has a least value,
    that of all other numbers being equal. Outer bounds over the rounding ranges.
    """
    _require(n, 2)
    if not attained:
        allowed = Range(low.low, high.high)
        largest = largest_std(mean or allowed, n, low.low, high.high, ddof)
        return SpreadBounds(allowed, Range(0.0, largest))
    inner = _attained_mean(low, high, n)
    # Where the printed mean is impossible, the caller says so from `mean`; the spread is then bounded without it.
    known = inner
    if mean is not None and mean.meets(inner):
        bottom = min(max(mean.low, inner.low), inner.high)
        known = Range(bottom, max(bottom, min(mean.high, inner.high)))
    largest = largest_std(known, n, low.low, high.high, ddof)
    smallest = min(_least_deviation(low, high, known, n) / math.sqrt(n - ddof), largest)
    return SpreadBounds(inner, Range(smallest, largest))


def _attained_mean(low: Range, high: Range, n: int) -> Range:
    """Means of n numbers of which one is the smallest and one the largest."""
    least = low.low + (high.low - low.low) / n
    most = high.high - (high.high - low.high) / n
    return Range(min(least, most), max(least, most))


def _least_deviation(low: Range, high: Range, mean: Range, n: int) -> float:
    """Least √Σ(x − mean)² of n numbers with this smallest, largest and mean.

    With u = mean − smallest and v = largest − mean the sum is u² + v² + (u − v)²/(n − 2), which rises in both where
    u ≥ v/(n − 1) and v ≥ u/(n − 1), as they must be; and at least (u + v)²/2.
    """
    below, above = max(0.0, mean.low - low.high), max(0.0, high.low - mean.high)
    u, v = max(below, above / (n - 1)), max(above, below / (n - 1))
    others = (u - v) / math.sqrt(n - 2) if n > 2 else 0.0
    return max(math.hypot(u, v, others), (high.low - low.high) / math.sqrt(2))


class Extremes(NamedTuple):
    """What mean and standard deviation leave possible for the smallest and the largest of n numbers."""

    smallest: Range
    largest: Range


def sample_extremes(mean: Range, std: Range, n: int) -> Extremes:
    """Where the extremes of n numbers lie, given mean and sample standard deviation (ddof 1).

    No number deviates by more than (n − 1)/√n · s (Samuelson 1968, J. Am. Stat. Assoc. 63), and the largest is at
    least s/√n above the mean, as when all but one are equal.
    """
    _require(n, 2)
    root, std = math.sqrt(n), _not_negative(std)
    reach = Range(std.low / root, std.high * (n - 1) / root)
    return Extremes(mean - reach, mean + reach)


# Means above the optimum


class AboveOptimum(NamedTuple):
    """The chance that an optimal policy's sample mean is at least the reported one.

    `trials` counts what was averaged and `successes` how many of these the mean needs; for outcomes that are no
    single successes `t` is the excess in standard errors instead.
    """

    trials: int
    successes: int | None
    t: float | None
    probability: float


def above_optimum(
    mean: Range,
    spread: Range | None,
    n: int,
    optimum: float,
    episodes: int = 1,
    binary: bool = False,
) -> AboveOptimum | None:
    """Can sampling error explain a mean above what the best policy earns in expectation?

    Binary outcomes: exact binomial over n · episodes trials. Otherwise Student's t of the n units with their own
    spread (sample standard deviation); None where that is not printed or n < 2. Rounding counts in favour of the
    claim: the lowest mean and the largest spread.
    """
    _require(min(n, episodes), 1)
    if binary:
        trials = n * episodes
        needed = mean.low * trials
        successes = max(0, math.ceil(needed - SLACK * max(1.0, abs(needed))))
        return AboveOptimum(trials, successes, None, _at_least(successes, trials, optimum))
    if spread is None or n < 2:
        return None
    excess, error = mean.low - optimum, spread.high / math.sqrt(n)
    t = math.copysign(_most(abs(excess), error), excess) if excess else 0.0
    return AboveOptimum(n, None, t, _tail(t, n - 1))


def _at_least(successes: int, trials: int, chance: float) -> float:
    """P(X ≥ successes) for a binomial X."""
    if successes <= 0:
        return 1.0
    if successes > trials:
        return 0.0
    return float(special.betainc(successes, trials - successes + 1, chance))


def _not_negative(spread: Range) -> Range:
    return Range(max(0.0, spread.low), max(0.0, spread.high))


def _require(n: int, least: int) -> None:
    if n < least:
        raise ValueError(f"needs at least {least} units, not {n}")
