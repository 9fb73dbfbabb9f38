"""Printed numbers are read as they are meant, and stand for everything that rounds to them."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reported import Range, decimals, parse


@pytest.mark.parametrize(
    ("text", "value", "low", "high"),
    [
        ("1276", 1276, 1275.5, 1276.5),
        ("1,276", 1276, 1275.5, 1276.5),
        ("10.80", 10.8, 10.795, 10.805),
        ("+321%", 321, 320.5, 321.5),
        ("−12%", -12, -12.5, -11.5),
        ("–0.5", -0.5, -0.55, -0.45),
        ("1.2e-3", 0.0012, 0.00115, 0.00125),
        (".5", 0.5, 0.45, 0.55),
        ("2M", 2e6, 1.5e6, 2.5e6),
        ("500K", 5e5, 499_500, 500_500),
        ("4×", 4, 3.5, 4.5),
        ("~2.5", 2.5, 2.4, 2.6),
        ("~4000", 4000, 3500, 4500),
        ("~10", 10, 5, 15),
        ("~1.0", 1.0, 0.9, 1.1),
        ("~0", 0, -1, 1),
        ("≈ 0.816", 0.816, 0.815, 0.817),
        ("31s", 31, 30.5, 31.5),
        ("4m", 240, 210, 270),
        ("5m10s", 310, 309.5, 310.5),
        ("1h40m30s", 6030, 6029.5, 6030.5),
        ("<0.001", 0.001, -math.inf, 0.001),
        ("≥ 2", 2, 2, math.inf),
        ("５375", 5375, 5374.5, 5375.5),
    ],
)
def test_a_number_stands_for_what_rounds_to_it(
    text: str, value: float, low: float, high: float
) -> None:
    read = parse(text)
    assert float(read.value) == value
    assert (read.range.low, read.range.high) == pytest.approx((low, high), rel=1e-12)
    assert read.spread is None


@pytest.mark.parametrize(
    "text", ["5375±581", "5375 ± 581", "5,375 +/- 581", "5375\u2009±\u2009581"]
)
def test_a_mean_may_carry_its_spread(text: str) -> None:
    read = parse(text)
    assert (read.value, read.spread) == (5375, 581)
    assert read.spread_range == Range(580.5, 581.5)


def test_a_percentage_is_a_fraction_too() -> None:
    read = parse("60%±12%").fraction
    assert (read.range.low, read.range.high) == pytest.approx((0.595, 0.605))
    assert read.spread_range is not None
    assert (read.spread_range.low, read.spread_range.high) == pytest.approx((0.115, 0.125))
    assert parse("0.6").fraction == parse("0.6")


def test_a_factor_stands_at_both_or_neither() -> None:
    assert parse("2.0M±0.1M").spread_range == Range(50_000, 150_000)


def test_a_spread_near_zero_is_not_negative() -> None:
    assert parse("3 ± 0.0").spread_range == Range(0.0, 0.05)


def test_an_interval_has_two_ends() -> None:
    read = parse("[5284, 5868]")
    assert read.ends == (Range(5283.5, 5284.5), Range(5867.5, 5868.5))
    assert read.value == 5576


@pytest.mark.parametrize(
    "text",
    ["", "about 7", "1,27", "±5", "12 345", "5±-1", "[2, 1]", "[1]", "1e400", "--3", "1..2", "nan", "5%±", "m", "10m4h",
     "10²", "٣", "2k±100", "1e99999999999999999999", "1e-3000000", "[1, 1e400]"],
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"must be a number|too large|negative|ends before|raised|k or M"
    ):
        parse(text)


@pytest.mark.parametrize(
    ("value", "digits"), [("1276", 0), ("10.8", 1), ("10.80", 2), ("-12", 0), ("1.2e-3", 4)]
)
def test_decimals_count_trailing_zeros(value: str, digits: int) -> None:
    assert decimals(value) == digits


@given(st.text(alphabet="0123456789.,+-−–±%~≈<>≤≥[]eEkKM× \u2009", max_size=14))
def test_nothing_crashes(text: str) -> None:
    try:
        read = parse(text)
    except ValueError:
        return
    assert read.range.low <= read.range.high


@given(
    st.decimals(-(10**6), 10**6, places=6, allow_nan=False),
    st.integers(0, 4),
    st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN]),
)
def test_honest_rounding_stays_inside(number: Decimal, digits: int, rule: str) -> None:
    printed = number.quantize(Decimal(1).scaleb(-digits), rounding=rule)
    text = f"{printed:,}".replace("-", "−")
    stands_for = parse(text).range
    assert stands_for.low - 1e-9 <= float(number) <= stands_for.high + 1e-9


ENDS = st.tuples(st.floats(-100, 100), st.floats(0, 10)).map(lambda p: Range(p[0], p[0] + p[1]))
SHARES = st.floats(0, 1)


@given(ENDS, ENDS, SHARES, SHARES)
def test_interval_arithmetic_holds_every_result(x: Range, y: Range, s: float, t: float) -> None:
    a, b = x.low + s * (x.high - x.low), y.low + t * (y.high - y.low)
    for result, exact in ((x + y, a + b), (x - y, a - b), (x * y, a * b)):
        assert Range(exact, exact).meets(result)
    if b != 0 and abs(a / b) < 1e12:
        assert Range(a / b, a / b).meets(x / y)


def test_interval_arithmetic_by_hand() -> None:
    assert Range(1, 2) - Range(0.5, 3) == Range(-2, 1.5)
    assert Range(-1, 2) * Range(3, 4) == Range(-4, 8)
    assert Range(1, 2) / Range(4, 8) == Range(0.125, 0.5)
    assert Range(1, 2) / Range(-1, 1) == Range(-math.inf, math.inf)
    assert Range(-math.inf, 0) * 0.0 == Range(0, 0)
    assert Range(0, 1).meets(Range(1, 2))
    assert not Range(0, 1).meets(Range(1.001, 2))
    with pytest.raises(ValueError, match="empty range"):
        Range(2, 1)
