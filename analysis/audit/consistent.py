"""Question 1, claim by claim: does what the paper prints agree with itself, and with its witnesses?

The arithmetic is in `checks/consistency.py`; here each kind of claim meets the readings that apply to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from analysis.audit.checks import consistency
from analysis.audit.checks.consistency import Arm, Judgement, Reading, judge
from analysis.audit.findings import Finding
from analysis.audit.spreads import sample_std_of, unit_std
from analysis.audit.witness import Witness, Witnesses
from analysis.claims import ById, Claim
from analysis.reported import Range, Reported

Readings = Callable[[Claim, ById], tuple[str, Sequence[Reading]]]

OUTCOMES: dict[str, str] = {
    "holds": "consistent",
    "holds under a reading": "consistent under a reading",
    "fails": "inconsistent",
    "undecided": "undecided",
    "skipped": "skipped",
}


def consistent(claim: Claim, by_id: ById, witnesses: Witnesses) -> Iterator[Finding]:
    """What follows from the paper's own numbers, the same quantity elsewhere, and the witness."""
    if claim.witness is not None:
        yield _witnessed(claim, claim.witness, witnesses.get(claim.witness))
    if claim.kind in DERIVED:
        check, readings = DERIVED[claim.kind](claim, by_id)
        yield _finding(claim, check, judge(_judged_number(claim), readings))
    if claim.kind in ("comparison", "best", "minimum", "maximum"):
        yield _ordered(claim, by_id)
    if claim.kind == "interval":
        yield _centred(claim, by_id)
    if claim.same_as is not None:
        yield from _reported_twice(claim, by_id[claim.same_as])


def _witnessed(claim: Claim, name: str, witness: Witness | None) -> Finding:
    if witness is None:
        said = f"no witness {name!r} was given"
        return Finding(claim.id, "consistent", f"witness {name}", "not checked", said)
    numbers = "; ".join(f"{key} = {_number(value)}" for key, value in witness.numbers.items())
    said = f"{witness.said} {numbers}".strip()
    return Finding(
        claim.id, "consistent", f"witness {name}", OUTCOMES[witness.outcome], said, witness.reading
    )


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _finding(claim: Claim, check: str, found: Judgement) -> Finding:
    return Finding(
        claim.id,
        "consistent",
        check,
        found.verdict,
        found.arithmetic,
        found.reading,
        found.power,
        found.tried,
    )


def _judged_number(claim: Claim) -> Reported:
    """The printed number; of an interval, half its width, which is rounded twice."""
    printed = claim.reported
    if printed.low is None or printed.high is None:
        return printed
    half = (printed.high - printed.low) / 2
    return Reported(f"half of {printed.text}", half, printed.unit * 2, "=", False)


def arm_of(claim: Claim) -> Arm:
    """A mean claim as an arm: its spread as a standard deviation, where it is declared to be another kind."""
    spread = claim.reported.spread_range
    if claim.spread in ("standard error", "95% interval"):
        spread = sample_std_of(claim) or spread
    return Arm(claim.reported.range, spread, claim.n)


def _values(role: str, claim: Claim, by_id: ById) -> list[Range]:
    return [by_id[name].reported.range for name in claim.role(role)]


def _cv(claim: Claim, by_id: ById) -> tuple[str, Sequence[Reading]]:
    return "coefficient of variation", consistency.cv(arm_of(by_id[claim.role("arm")[0]]))


def _improvement(claim: Claim, by_id: ById) -> tuple[str, Sequence[Reading]]:
    names = [by_id[name].environment or name for name in claim.role("new")]
    new, old = _values("new", claim, by_id), _values("old", claim, by_id)
    check = "improvement" if len(new) == 1 else "average improvement"
    return check, consistency.improvement(new, old, names)


def _two(
    check: str, formula: Callable[[Range, Range], Sequence[Reading]], claim: Claim, by_id: ById
) -> tuple[str, Sequence[Reading]]:
    (first,), (second,) = _values("first", claim, by_id), _values("second", claim, by_id)
    return check, formula(first, second)


def _parts(
    check: str, formula: Callable[[Sequence[Range]], Sequence[Reading]], claim: Claim, by_id: ById
) -> tuple[str, Sequence[Reading]]:
    return check, formula(_values("parts", claim, by_id))


def _multiple(claim: Claim, by_id: ById) -> tuple[str, Sequence[Reading]]:
    (number,) = _values("arm", claim, by_id)
    return "multiple", consistency.multiple(number, claim.factor or 1.0)


def _half_width(claim: Claim, by_id: ById) -> tuple[str, Sequence[Reading]]:
    return "confidence interval", consistency.half_width(
        arm_of(by_id[claim.role("arm")[0]]), claim.level
    )


def _width(claim: Claim, by_id: ById) -> tuple[str, Sequence[Reading]]:
    ends = by_id[claim.role("arm")[0]].reported.ends
    if ends is None:
        raise ValueError(f"{claim.id}: {claim.role('arm')[0]} is not an interval")
    low, high = ends
    return "width of an interval", consistency.difference(high, low)


DERIVED: dict[str, Readings] = {
    "cv": _cv,
    "improvement": _improvement,
    "difference": partial(_two, "difference", consistency.difference),
    "ratio": partial(_two, "ratio", consistency.ratio),
    "multiple": _multiple,
    "average": partial(_parts, "average", consistency.average),
    "sum": partial(_parts, "sum", consistency.total),
    "interval": _half_width,
    "width": _width,
}


def _ordered(claim: Claim, by_id: ById) -> Finding:
    """Comparisons, bold cells, and minimum ≤ mean ≤ maximum: can they hold within the rounding?"""
    if claim.kind == "comparison":
        return _compared(claim, by_id)
    if claim.kind == "best":
        best = by_id[claim.role("best")[0]]
        others = [by_id[name] for name in claim.role("others")]
        relation: consistency.Order = "at most" if claim.lower_is_better else "at least"
        holds = all(
            consistency.compare(relation, best.reported.range, other.reported.range)
            for other in others
        )
        said = f"{best.value} against {', '.join(str(other.value) for other in others)}"
        check = "best of its column"
    else:
        arm = by_id[claim.role("arm")[0]]
        smallest, largest = (claim.reported.range, None)[:: 1 if claim.kind == "minimum" else -1]
        holds = consistency.between(smallest, arm.reported.range, largest)
        said = f"{claim.kind} {claim.value}, mean {arm.value}"
        check = "minimum ≤ mean ≤ maximum"
    return Finding(claim.id, "consistent", check, "consistent" if holds else "inconsistent", said)


def _compared(claim: Claim, by_id: ById) -> Finding:
    first, second = (by_id[claim.role(name)[0]] for name in ("first", "second"))
    said = f"{first.value} {claim.relation} {second.value}"
    if claim.relation == "similar" or claim.relation is None:
        note = f"{said}: two numbers alone do not say what counts as similar"
        return Finding(claim.id, "consistent", "comparison", "not checked", note)
    holds = consistency.compare(claim.relation, first.reported.range, second.reported.range)
    return Finding(
        claim.id, "consistent", "comparison", "consistent" if holds else "inconsistent", said
    )


def _centred(claim: Claim, by_id: ById) -> Finding:
    """An interval's middle against the mean that it is about."""
    arm = by_id[claim.role("arm")[0]]
    half_unit = float(claim.reported.unit) / 2
    middle = float(claim.reported.value)
    centre = Range(middle - half_unit, middle + half_unit)
    holds = centre.meets(arm.reported.range)
    said = f"middle of {claim.value} is {centre}; the mean is printed as {arm.value}"
    verdict = "consistent" if holds else "inconsistent"
    return Finding(claim.id, "consistent", "interval around its mean", verdict, said)


def _reported_twice(claim: Claim, other: Claim) -> Iterator[Finding]:
    """The same quantity at two places: the number, and its spread where both print one."""
    if claim.value is None or other.value is None:
        return
    found = judge(claim.reported, consistency.same(claim.reported, other.reported))
    yield _finding(claim, f"same quantity as in {other.place}", found)
    spread_readings = _spread_readings(claim, other)
    if spread_readings is not None:
        found = judge(*spread_readings)
        yield _finding(claim, f"same spread as in {other.place}", found)


def _spread_readings(claim: Claim, other: Claim) -> tuple[Reported, Sequence[Reading]] | None:
    """The claim's spread as a printed number, and what the other's would make it; None without both."""
    mine, theirs = claim.reported, other.reported.spread_range
    if mine.spread is None or mine.spread_unit is None or theirs is None:
        return None
    printed = Reported(f"± {mine.spread}", mine.spread, mine.spread_unit, "=", False)
    return printed, consistency.same_spread(
        theirs * (unit_std(other) / unit_std(claim)), claim.n or other.n
    )


def one_reading(claims: Sequence[Claim], by_id: ById) -> dict[str, Finding]:
    """Numbers that belong together were computed in one way: a reading that saves one must hold for all of them.

    Together belong the spreads that two places print of the same rows, and the averages that one place prints. The
    findings, by claim, are of those that were saved by a reading which another excludes.
    """
    groups: dict[tuple[str, str], list[Together]] = {}
    for claim in claims:
        for where, printed, readings in _together(claim, by_id):
            each = {reading.name: judge(printed, [reading]) for reading in readings}
            whole = judge(printed, readings)
            groups.setdefault(where, []).append(Together(claim, whole, each))
    found = {}
    for group in groups.values():
        for saved in group:
            reading = saved.whole.reading or ""
            against = [
                f"{one.claim.id}: {one.each[reading].arithmetic}"
                for one in group
                if reading in one.each and one.each[reading].verdict != "consistent"
            ]
            if against:
                said = f"{reading} would have to hold for all of them: {'; '.join(against)}"
                check = "one reading for all that belong together"
                found[saved.claim.id] = Finding(
                    saved.claim.id, "consistent", check, "inconsistent", said
                )
    return found


@dataclass(frozen=True)
class Together:
    """One of several numbers that were computed alike: under any reading, and under each alone."""

    claim: Claim
    whole: Judgement
    each: Mapping[str, Judgement]


def _together(
    claim: Claim, by_id: ById
) -> Iterator[tuple[tuple[str, str], Reported, Sequence[Reading]]]:
    """What a claim shares with others: where it stands, the printed number, and its readings."""
    other = by_id[claim.same_as] if claim.same_as is not None else None
    if other is not None and claim.value is not None and other.value is not None:
        spreads = _spread_readings(claim, other)
        if spreads is not None:
            yield (claim.place, other.place), *spreads
    if claim.kind == "improvement" and len(claim.role("new")) > 1:
        yield (claim.place, "average improvement"), claim.reported, _improvement(claim, by_id)[1]
