"""Question 1: does the paper's arithmetic agree with itself?

Each check says what a printed number should be, as ranges over everything that its ingredients may stand for: first as
it is described (the plain reading), then under readings that would save it, each with its name. A number is
consistent where its own rounding range meets the plain one, consistent under a reading where it meets another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Literal

from scipy import special

from analysis.reported import Range, Reported


@dataclass(frozen=True)
class Reading:
    """One way to compute a number: what is assumed, the formula with its numbers, and the result."""

    name: str
    formula: str
    value: Range


@dataclass(frozen=True)
class Arm:
    """A printed mean, maybe with its standard deviation, over `n` units (None: not stated)."""

    mean: Range
    spread: Range | None = None
    n: int | None = None


@dataclass(frozen=True)
class Judgement:
    """Whether a printed number agrees with any reading, in words that show the arithmetic."""

    verdict: Literal["consistent", "consistent under a reading", "inconsistent"]
    arithmetic: str
    reading: str | None
    tried: tuple[str, ...]
    power: str


PLAIN = "as described"


def judge(printed: Reported, readings: Sequence[Reading]) -> Judgement:
    """Compare a printed number with `readings`, the plain one first; last of all, digits cut instead of rounded."""
    stands_for = printed.range
    plain = readings[0]
    shown = f"{plain.formula} = {plain.value}; printed {printed.text} stands for {stands_for}"
    power = _power(stands_for, plain.value)
    if plain.value.meets(stands_for):
        return Judgement("consistent", shown, None, (plain.name,), power)
    tried = [reading.name for reading in readings]
    for reading in readings[1:]:
        if reading.value.meets(stands_for):
            more = f"; {reading.name}: {reading.formula} = {reading.value}"
            return Judgement(
                "consistent under a reading", shown + more, reading.name, tuple(tried), power
            )
    cut = _cut(printed)
    if cut is not None:
        tried.append("digits cut, not rounded")
        if plain.value.meets(cut):
            more = f"; with digits cut it stands for {cut}"
            return Judgement(
                "consistent under a reading", shown + more, tried[-1], tuple(tried), power
            )
    others = [f"{reading.name}: {reading.value}" for reading in readings[1:]]
    return Judgement("inconsistent", "; ".join([shown, *others]), None, tuple(tried), power)


def cv(arm: Arm) -> list[Reading]:
    """100 · spread / mean. Needs the arm's spread."""
    if arm.spread is None:
        raise ValueError("a coefficient of variation needs a spread")
    said = 100 * (arm.spread / _size(arm.mean))
    formula = f"100 · {_show(arm.spread)} / {_show(arm.mean)}"
    readings = [Reading(PLAIN, formula, said)]
    for name, factor in _rescalings(arm.n):
        readings.append(Reading(name, f"{formula} · {factor:.4g}", said * factor))
    return readings


def improvement(new: Sequence[Range], old: Sequence[Range], names: Sequence[str]) -> list[Reading]:
    """100 · (new − old) / |old|; of several pairs, which have `names`, the average of that."""
    singles = [_relative(a, b) for a, b in zip(new, old, strict=True)]
    formulas = [
        f"100 · ({_show(a)} − {_show(b)}) / {_show(_size(b))}"
        for a, b in zip(new, old, strict=True)
    ]
    if len(singles) == 1:
        a, b = new[0], old[0]
        return [
            Reading(PLAIN, formulas[0], singles[0]),
            Reading("new as a percentage of old", f"100 · {_show(a)} / {_show(b)}", 100 * (a / b)),
            Reading("relative to the new value", f"100 · ({_show(a)} − {_show(b)}) / {_show(_size(a))}", _relative(b, a) * -1),
        ]  # fmt: skip
    parts = ", ".join(f"{single.middle:.4g}" for single in singles)
    total_new, total_old = _sum(new), _sum(old)
    return [
        Reading("mean of ratios", f"mean of ({parts})", _sum(singles) * (1 / len(singles))),
        Reading(
            "ratio of means",
            f"100 · ({_show(total_new)} − {_show(total_old)}) / {_show(_size(total_old))}",
            _relative(total_new, total_old),
        ),
        Reading("median of ratios", f"median of ({parts})", _median(singles)),
        *(
            Reading(f"{name} alone", formula, single)
            for name, formula, single in zip(names, formulas, singles, strict=True)
        ),
    ]


def difference(first: Range, second: Range) -> list[Reading]:
    """first − second, or the distance between them."""
    formula = f"{_show(first)} − {_show(second)}"
    return [
        Reading(PLAIN, formula, first - second),
        Reading("sign dropped", f"−({formula})", second - first),
    ]


def ratio(first: Range, second: Range) -> list[Reading]:
    """first / second."""
    return [
        Reading(PLAIN, f"{_show(first)} / {_show(second)}", first / second),
        Reading("as a percentage", f"100 · {_show(first)} / {_show(second)}", 100 * (first / second)),
        Reading(
            "increase only", f"({_show(first)} − {_show(second)}) / {_show(second)}", _relative(first, second) * 0.01
        ),
    ]  # fmt: skip


def multiple(number: Range, factor: float) -> list[Reading]:
    """number · factor."""
    return [Reading(PLAIN, f"{factor:g} · {_show(number)}", number * factor)]


def average(parts: Sequence[Range]) -> list[Reading]:
    """The mean of `parts`."""
    shown = ", ".join(_show(part) for part in parts)
    return [
        Reading(PLAIN, f"mean of ({shown})", _sum(parts) * (1 / len(parts))),
        Reading("median", f"median of ({shown})", _median(parts)),
    ]


def total(parts: Sequence[Range]) -> list[Reading]:
    """The sum of `parts`."""
    return [Reading(PLAIN, " + ".join(_show(part) for part in parts), _sum(parts))]


def half_width(arm: Arm, level: float) -> list[Reading]:
    """Half the width of a `level` % confidence interval of the mean. Needs spread and n ≥ 2."""
    if arm.spread is None or arm.n is None or arm.n < 2:
        raise ValueError("a confidence interval needs a spread and n of at least 2")
    n, spread = arm.n, arm.spread
    t, z = t_quantile(level, n - 1), t_quantile(level, math.inf)
    root = math.sqrt(n)
    bessel = math.sqrt(n / (n - 1))
    shown = _show(spread)
    return [
        Reading(PLAIN, f"t({n - 1}) = {t:.4g}: {t:.4g} · {shown} / √{n}", spread * (t / root)),
        Reading("normal quantile", f"{z:.4g} · {shown} / √{n}", spread * (z / root)),
        Reading("spread with n in the denominator", f"{t:.4g} · {shown} · {bessel:.4g} / √{n}", spread * (t * bessel / root)),
        Reading("spread is a standard error", f"{t:.4g} · {shown}", spread * t),
        Reading("spread is a standard error, normal quantile", f"{z:.4g} · {shown}", spread * z),
        Reading("mean ± one spread", shown, spread),
    ]  # fmt: skip


def same(first: Reported, second: Reported) -> list[Reading]:
    """Two reports of one quantity: the second as it is printed, then with digits of a percentage moved."""
    return [
        Reading(PLAIN, f"printed elsewhere as {second.text}", second.range),
        Reading("sign dropped", f"−({second.text})", second.range * -1),
        Reading("fraction and percentage", f"{second.text} · 100", second.range * 100),
        Reading("fraction and percentage", f"{second.text} / 100", second.range * 0.01),
    ]


def same_spread(second: Range, n: int | None) -> list[Reading]:
    """Two reports of one spread: equal, or of two kinds (n against n − 1, standard error)."""
    shown = _show(second)
    return [
        Reading(PLAIN, f"spread printed elsewhere as {shown}", second),
        *(
            Reading(name, f"{shown} · {factor:.4g}", second * factor)
            for name, factor in (*_rescalings(n), *_PERCENTAGES)
        ),
    ]


def between(smallest: Range | None, mean: Range, largest: Range | None) -> bool:
    """Whether minimum ≤ mean ≤ maximum can hold."""
    below = smallest is None or smallest.low <= mean.high
    return below and (largest is None or mean.low <= largest.high)


Order = Literal["above", "below", "at least", "at most"]


def compare(relation: Order, first: Range, second: Range) -> bool:
    """Whether the relation can hold for some values that round to what is printed."""
    if relation in ("below", "at most"):
        first, second = second, first
    if relation in ("above", "below"):
        return first.high > second.low
    return first.high >= second.low


_PERCENTAGES = (("fraction and percentage", 100.0), ("fraction and percentage", 0.01))


def _rescalings(n: int | None) -> Iterator[tuple[str, float]]:
    """Factors between kinds of spread for n units."""
    if n is None or n < 2:
        return
    bessel = math.sqrt(n / (n - 1))
    yield "one spread divides by n, the other by n − 1", bessel
    yield "one spread divides by n − 1, the other by n", 1 / bessel
    yield "one spread is a standard deviation, the other a standard error", math.sqrt(n)
    yield "one spread is a standard error, the other a standard deviation", 1 / math.sqrt(n)


def _relative(new: Range, old: Range) -> Range:
    """100 · (new − old) / |old| over all values; each occurs once in new / |old| ∓ 1, so the range is sharp."""
    if old.low <= 0 <= old.high:
        return Range(-math.inf, math.inf)
    sign = 1.0 if old.low > 0 else -1.0
    return 100 * (new / _size(old) + Range.exactly(-sign))


def _size(x: Range) -> Range:
    """|x|."""
    if x.low >= 0:
        return x
    if x.high <= 0:
        return x * -1
    return Range(0.0, max(-x.low, x.high))


def _sum(parts: Sequence[Range]) -> Range:
    return Range(math.fsum(part.low for part in parts), math.fsum(part.high for part in parts))


def _median(parts: Sequence[Range]) -> Range:
    """The median is monotone in every part."""
    return Range(median(part.low for part in parts), median(part.high for part in parts))


def _power(printed: Range, expected: Range) -> str:
    """How far off a printed number must be to be found out."""
    room = (printed.high - printed.low + expected.high - expected.low) / 2
    if not math.isfinite(room):
        return "a bound or a divisor near 0 leaves little that would not agree"
    return f"a printed number more than {room:.3g} away from {expected.middle:.6g} would not agree"


def _cut(printed: Reported) -> Range | None:
    """What a printed number stands for if its further digits were cut: away from zero by one unit."""
    if printed.relation != "=" or printed.ends is not None:
        return None
    value, unit = float(printed.value), float(printed.unit)
    return Range(value, value + unit) if value >= 0 else Range(value - unit, value)


def _show(x: Range) -> str:
    """The middle of a range with as many digits as its width leaves meaningful."""
    if not (math.isfinite(x.low) and math.isfinite(x.high)):
        return str(x)
    return f"{x.middle:.10g}"


@cache
def t_quantile(level: float, df: float) -> float:
    """The two-sided quantile of Student's t, of the normal for infinite df."""
    upper = (1 + level / 100) / 2
    return float(special.ndtri(upper) if math.isinf(df) else special.stdtrit(df, upper))
