"""Reported numbers: what a printed numeral can stand for, and interval arithmetic on it.

A printed number is a string, because its digits say how precisely it is known: "10.80" was rounded to
hundredths. It stands for every value that rounds to it, ends included, so that no rule of rounding (half up,
half to even) matters. What follows from several such numbers is again a range.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d)\.?)(?:e[+-]?\d+)?"
_PRINTED = re.compile(
    rf"(?P<relation><=|>=|<|>|~|≈)?\s*(?P<number>{_NUMBER})\s*(?P<factor>[kM](?![a-z]))?\s*(?P<percent>%)?×?"
    rf"(?:\s*±\s*(?P<spread>{_NUMBER})\s*(?P<spread_factor>[kM](?![a-z]))?\s*(?P<spread_percent>%)?)?",
    re.ASCII,
)
_INTERVAL = re.compile(rf"\[\s*(?P<low>{_NUMBER})\s*[,;]\s*(?P<high>{_NUMBER})\s*\]", re.ASCII)
_DURATION = re.compile(
    r"(?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>\d+)s)?", re.ASCII
)
_SECONDS = {"hours": 3600, "minutes": 60, "seconds": 1}
LARGEST = 100
"""Numbers beyond 1e±100 are refused: no paper prints them, and arithmetic on them overflows."""
_FACTORS = {None: 1, "k": 1_000, "M": 1_000_000}
_SPELLINGS = str.maketrans({"−": "-", "–": "-", "‐": "-", "≤": "\0", "≥": "\1", "∼": "~", "K": "k"})


@dataclass(frozen=True)
class Range:
    """All real numbers from `low` to `high`, both included; either may be infinite."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"an empty range: [{self.low}, {self.high}]")

    @classmethod
    def exactly(cls, value: float) -> Self:
        """The one number `value`."""
        return cls(value, value)

    @property
    def middle(self) -> float:
        """The centre of a finite range."""
        return (self.low + self.high) / 2

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Range) -> Range:
        return Range(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Range | float) -> Range:
        factor = other if isinstance(other, Range) else Range.exactly(other)
        ends = [_product(a, b) for a in (self.low, self.high) for b in (factor.low, factor.high)]
        return Range(min(ends), max(ends))

    __rmul__ = __mul__

    def __truediv__(self, other: Range) -> Range:
        """Every quotient; the whole line where the divisor may be 0."""
        if other.low <= 0 <= other.high:
            return Range(-math.inf, math.inf)
        ends = [_quotient(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return Range(min(ends), max(ends))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def meets(self, other: Range) -> bool:
        """Whether the two have a number in common, up to the rounding of floating-point arithmetic."""
        slack = 1e-9 * max(1.0, *(abs(x) for x in self._finite(other)))
        return self.low <= other.high + slack and other.low <= self.high + slack

    def _finite(self, other: Range) -> list[float]:
        ends = (self.low, self.high, other.low, other.high)
        return [x for x in ends if math.isfinite(x)] or [1.0]

    def __str__(self) -> str:
        return f"[{self.low:.6g}, {self.high:.6g}]"


@dataclass(frozen=True)
class Reported:
    """A printed number: `value` and its `unit` of rounding, maybe with a spread or as an interval.

    `relation` is "=", "≈", or one of < > ≤ ≥ for a number that is only a bound. `low` and `high` are set for
    an interval "[5284, 5868]", whose `value` is the middle.
    """

    text: str
    value: Decimal
    unit: Decimal
    relation: str
    percent: bool
    spread: Decimal | None = None
    spread_unit: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def range(self) -> Range:
        """Every number that rounds to what is printed; a bound is open on one side.

        "≈" doubles the room, and where a whole number ends in zeros ("~4000") these need not be significant.
        """
        if self.relation in ("<", "≤"):
            return Range(-math.inf, float(self.value))
        if self.relation in (">", "≥"):
            return Range(float(self.value), math.inf)
        room = self.unit / 2
        if self.relation == "≈":
            room = self.unit
            if self.unit >= 1 and self.value:
                place = int(self.value.normalize().as_tuple().exponent)
                room = max(room, Decimal(1).scaleb(place) / 2)
        return Range(float(self.value - room), float(self.value + room))

    @property
    def fraction(self) -> Reported:
        """A percentage as the fraction that it is; itself if it is none."""
        if not self.percent:
            return self
        parts = (self.value, self.unit, self.spread, self.spread_unit)
        value, unit, spread, spread_unit = (
            None if part is None else part.scaleb(-2) for part in parts
        )
        assert value is not None
        assert unit is not None
        return replace(
            self, value=value, unit=unit, spread=spread, spread_unit=spread_unit, percent=False
        )

    @property
    def spread_range(self) -> Range | None:
        """Every spread that rounds to the printed one, never below 0; None where none is printed."""
        if self.spread is None or self.spread_unit is None:
            return None
        half = self.spread_unit / 2
        return Range(max(0.0, float(self.spread - half)), float(self.spread + half))

    @property
    def ends(self) -> tuple[Range, Range] | None:
        """The rounding ranges of an interval's two ends."""
        if self.low is None or self.high is None:
            return None
        half = self.unit / 2
        return (
            Range(float(self.low - half), float(self.low + half)),
            Range(float(self.high - half), float(self.high + half)),
        )


def parse(text: str) -> Reported:
    """Read "1,276", "5375±581", "−12%", "1.2e-3", "<0.001", "~2.5", "2M", "[5284, 5868]" or "1h40m30s".

    A time is read as seconds, rounded to the last part that is printed. Raises ValueError for anything else.
    """
    if any(unicodedata.decomposition(sign).startswith(("<super>", "<sub>")) for sign in text):
        raise ValueError(f"{text!r} has raised or lowered digits; write 1.2e-3 for powers of ten")
    plain = unicodedata.normalize("NFKC", text).translate(_SPELLINGS)
    plain = plain.replace("\0", "<=").replace("\1", ">=").replace("+/-", "±").strip()
    if found := _INTERVAL.fullmatch(plain):
        low, high = _decimal(found["low"]), _decimal(found["high"])
        if low > high:
            raise ValueError(f"the interval {text!r} ends before it begins")
        unit = max(_unit(found["low"]), _unit(found["high"]))
        return Reported(text, (low + high) / 2, unit, "=", False, low=low, high=high)
    if plain and (found := _DURATION.fullmatch(plain)):
        given = {part: int(number) for part, number in found.groupdict().items() if number}
        total = sum(number * _SECONDS[part] for part, number in given.items())
        return Reported(text, Decimal(total), Decimal(_SECONDS[list(given)[-1]]), "=", False)
    found = _PRINTED.fullmatch(plain)
    if not found:
        raise ValueError(
            'must be a number as printed, such as "1276", "10.8%", "5375±581", "<0.001" or "[1, 2]"'
        )
    if found["spread"] is not None and found["factor"] != found["spread_factor"]:
        raise ValueError(
            f"{text!r}: k or M must stand at both the number and its spread, or at neither"
        )
    factor = _FACTORS[found["factor"]]
    relation = {None: "=", "~": "≈", "<=": "≤", ">=": "≥"}.get(found["relation"], found["relation"])
    spread = None if found["spread"] is None else _decimal(found["spread"]) * factor
    if spread is not None and spread < 0:
        raise ValueError(f"the spread in {text!r} is negative")
    return Reported(
        text,
        _decimal(found["number"]) * factor,
        _unit(found["number"]) * factor,
        relation,
        bool(found["percent"] or found["spread_percent"]),
        spread,
        None if spread is None else _unit(found["spread"]) * factor,
    )


def decimals(value: str) -> int:
    """Digits after the decimal point of a reported number: 1 for "10.8", 2 for "10.80", 0 for "1276"."""
    exponent = parse(value).unit.as_tuple().exponent
    return max(0, -int(exponent))


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").removesuffix("."))
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is too large or too small") from error
    exponent = number.as_tuple().exponent
    if abs(number.adjusted()) > LARGEST or abs(int(exponent)) > LARGEST:
        raise ValueError(f"{text[:40]!r} is too large or too small")
    return number


def _unit(text: str) -> Decimal:
    """The place value of the last printed digit."""
    exponent = _decimal(text).as_tuple().exponent
    return Decimal(1).scaleb(int(exponent))


def _product(a: float, b: float) -> float:
    """a · b, where 0 · ∞ is 0: an end that is exactly 0 stays 0."""
    return 0.0 if a == 0 or b == 0 else a * b


def _quotient(a: float, b: float) -> float:
    """a / b for b ≠ 0, where anything over ∞ is 0: the other ends bound ∞ / ∞."""
    return 0.0 if math.isinf(b) else a / b
