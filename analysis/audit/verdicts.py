"""The engine: every claim through every check that its kind allows, and the verdict of each question.

A check yields findings; the verdict of a question is the one that says most against the claim among its findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import cast

from analysis.audit import consistency
from analysis.audit.consistency import Arm, Judgement, Reading, judge
from analysis.audit.findings import VERDICTS, Finding, Judged, Question
from analysis.audit.possibility import possible
from analysis.audit.replication import (
    Direction,
    Replication,
    Sample,
    effect,
    ordering,
    single,
    spread,
)
from analysis.audit.witness import Witness, Witnesses
from analysis.claims import Claim, cell_of
from analysis.reported import Range, Reported

Cells = Callable[[Claim], Sample | str]
"""Our own runs of the cell that a claim names, or why there is no number: see records.py."""
Claims = Mapping[str, Claim]
Readings = Callable[[Claim, Claims], tuple[str, Sequence[Reading]]]

SEVERITY: dict[Question, tuple[str, ...]] = {
    "consistent": (
        "inconsistent",
        "consistent under a reading",
        "undecided",
        "consistent",
        "skipped",
        "not checked",
    ),
    "possible": ("impossible", "possible under a reading", "possible", "no power", "not checked"),
    "replicated": (
        "contradicted",
        "incompatible",
        "same direction",
        "underpowered",
        "compatible",
        "replicated",
        "untestable",
        "untested",
    ),
}
"""What says most against a claim comes first; what says nothing comes last."""
OUTCOMES: dict[str, str] = {
    "holds": "consistent",
    "holds under a reading": "consistent under a reading",
    "fails": "inconsistent",
    "undecided": "undecided",
    "skipped": "skipped",
}


def audit(
    claims: Sequence[Claim], paper: str, title: str, witnesses: Witnesses, cells: Cells
) -> tuple[Judged, ...]:
    """Every claim of a paper, judged, in the order of its file."""
    by_id = {claim.id: claim for claim in claims}
    tables = one_reading_a_table(claims, by_id)
    extremes: dict[str, dict[str, Claim]] = {}
    for claim in claims:
        if claim.kind in ("minimum", "maximum"):
            extremes.setdefault(claim.role("arm")[0], {})[claim.kind] = claim
    return tuple(
        judged(
            claim,
            paper,
            title,
            (
                *consistent(claim, by_id, witnesses),
                *([tables[claim.id]] if claim.id in tables else []),
                *possible(claim, by_id, extremes),
                *replicated(claim, by_id, cells),
            ),
        )
        for claim in claims
    )


def judged(claim: Claim, paper: str, title: str, findings: tuple[Finding, ...]) -> Judged:
    """The claim with the verdict of each question."""
    worst = {question: _worst(question, findings) for question in VERDICTS}
    return Judged(paper, title, claim, **worst, findings=findings)


def _worst(question: Question, findings: Sequence[Finding]) -> str:
    given = {finding.verdict for finding in findings if finding.question == question}
    return next(
        (verdict for verdict in SEVERITY[question] if verdict in given), SEVERITY[question][-1]
    )


# Question 1


def consistent(claim: Claim, by_id: Claims, witnesses: Witnesses) -> Iterator[Finding]:
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
        tried=found.tried,
    )


def _judged_number(claim: Claim) -> Reported:
    """The printed number; of an interval, half its width, which is rounded twice."""
    printed = claim.reported
    if printed.low is None or printed.high is None:
        return printed
    half = (printed.high - printed.low) / 2
    return Reported(f"half of {printed.text}", half, printed.unit * 2, "=", False)


def arm_of(claim: Claim) -> Arm:
    """A mean claim as an arm."""
    return Arm(claim.reported.range, claim.reported.spread_range, claim.n, claim.spread, claim.ddof)


def _values(role: str, claim: Claim, by_id: Claims) -> list[Range]:
    return [by_id[name].reported.range for name in claim.role(role)]


def _cv(claim: Claim, by_id: Claims) -> tuple[str, Sequence[Reading]]:
    return "coefficient of variation", consistency.cv(arm_of(by_id[claim.role("arm")[0]]))


def _improvement(claim: Claim, by_id: Claims) -> tuple[str, Sequence[Reading]]:
    names = [by_id[name].environment or name for name in claim.role("new")]
    new, old = _values("new", claim, by_id), _values("old", claim, by_id)
    check = "improvement" if len(new) == 1 else "average improvement"
    return check, consistency.improvement(new, old, names)


def _two(
    check: str, formula: Callable[[Range, Range], Sequence[Reading]], claim: Claim, by_id: Claims
) -> tuple[str, Sequence[Reading]]:
    (first,), (second,) = _values("first", claim, by_id), _values("second", claim, by_id)
    return check, formula(first, second)


def _parts(
    check: str, formula: Callable[[Sequence[Range]], Sequence[Reading]], claim: Claim, by_id: Claims
) -> tuple[str, Sequence[Reading]]:
    return check, formula(_values("parts", claim, by_id))


def _half_width(claim: Claim, by_id: Claims) -> tuple[str, Sequence[Reading]]:
    return "confidence interval", consistency.half_width(
        arm_of(by_id[claim.role("arm")[0]]), claim.level
    )


def _width(claim: Claim, by_id: Claims) -> tuple[str, Sequence[Reading]]:
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
    "average": partial(_parts, "average", consistency.average),
    "sum": partial(_parts, "sum", consistency.total),
    "interval": _half_width,
    "width": _width,
}


def _ordered(claim: Claim, by_id: Claims) -> Finding:
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


def _compared(claim: Claim, by_id: Claims) -> Finding:
    first, second = (by_id[claim.role(name)[0]] for name in ("first", "second"))
    what = "spread of " if claim.quantity == "spread" else ""
    said = f"{what}{first.value} {claim.relation} {what}{second.value}"
    if claim.relation == "similar" or claim.relation is None:
        note = f"{said}: two numbers alone do not say what counts as similar"
        return Finding(claim.id, "consistent", "comparison", "not checked", note)
    ranges = [
        cast(Range, arm.reported.spread_range) if claim.quantity == "spread" else arm.reported.range
        for arm in (first, second)
    ]
    holds = consistency.compare(claim.relation, *ranges)
    return Finding(
        claim.id, "consistent", "comparison", "consistent" if holds else "inconsistent", said
    )


def _centred(claim: Claim, by_id: Claims) -> Finding:
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
    if found.verdict == "inconsistent" and claim.otherwise is not None:
        found = replace(found, verdict="consistent under a reading", reading=claim.otherwise)
    yield _finding(claim, f"same quantity as {other.id} ({other.place})", found)
    spread_readings = _spread_readings(claim, other)
    if spread_readings is not None:
        found = judge(*spread_readings)
        yield _finding(claim, f"same spread as {other.id} ({other.place})", found)


def _spread_readings(claim: Claim, other: Claim) -> tuple[Reported, Sequence[Reading]] | None:
    """The claim's spread as a printed number, and what the other's would make it; None without both."""
    mine, theirs = claim.reported, other.reported.spread_range
    if mine.spread is None or mine.spread_unit is None or theirs is None:
        return None
    printed = Reported(f"± {mine.spread}", mine.spread, mine.spread_unit, "=", False)
    return printed, consistency.same_spread(theirs, claim.n or other.n)


def one_reading_a_table(claims: Sequence[Claim], by_id: Claims) -> dict[str, Finding]:
    """Spreads that two places print differently: a reading that saves one row must hold for every row of the two.

    The findings, by claim, are of rows that were saved by a reading which another row excludes.
    """
    tables: dict[tuple[str, str], list[tuple[Claim, Judgement, dict[str, Judgement]]]] = {}
    for claim in claims:
        other = by_id[claim.same_as] if claim.same_as is not None else None
        if other is None or claim.value is None or other.value is None:
            continue
        pair = _spread_readings(claim, other)
        if pair is None:
            continue
        printed, readings = pair
        each = {reading.name: judge(printed, [reading]) for reading in readings}
        rows = tables.setdefault((claim.place, other.place), [])
        rows.append((claim, judge(printed, readings), each))
    found = {}
    for rows in tables.values():
        for claim, whole, _ in rows:
            against = [
                (row.id, each[whole.reading])
                for row, _, each in rows
                if whole.reading in each and each[whole.reading].verdict != "consistent"
            ]
            if against:
                named = "; ".join(f"{name}: {judgement.arithmetic}" for name, judgement in against)
                said = (
                    f"{whole.reading} would have to hold for every row of the two tables: {named}"
                )
                check = "one reading for the whole table"
                found[claim.id] = Finding(claim.id, "consistent", check, "inconsistent", said)
    return found


# Question 3


def replicated(claim: Claim, by_id: Claims, cells: Cells) -> Iterator[Finding]:
    """What our own runs at the published protocol say."""
    if claim.untestable is not None:
        yield Finding(claim.id, "replicated", "our runs", "untestable", claim.untestable)
        return
    found = _replication(claim, by_id, cells)
    if isinstance(found, str):
        if found:
            yield Finding(claim.id, "replicated", "our runs", "untested", found)
        return
    for replication in found:
        yield Finding(
            claim.id, "replicated", "our runs", replication.verdict, replication.arithmetic
        )


def _replication(claim: Claim, by_id: Claims, cells: Cells) -> Sequence[Replication] | str:
    """Replications of what the claim says, or why there is none ("" where the question does not arise)."""
    if claim.kind == "mean" and claim.experiment is not None:
        return _mean(claim, cells)
    if claim.kind == "improvement" and len(claim.role("new")) == 1:
        return _effect(
            claim, by_id[claim.role("new")[0]], by_id[claim.role("old")[0]], by_id, cells
        )
    if claim.kind in ("p_value", "effect_size"):
        return _effect(
            claim, by_id[claim.role("new")[0]], by_id[claim.role("old")[0]], by_id, cells
        )
    if claim.kind == "comparison" and claim.quantity == "value":
        first, second = (by_id[claim.role(name)[0]] for name in ("first", "second"))
        if first.kind == second.kind == "mean" and first.experiment and second.experiment:
            return _effect(claim, first, second, by_id, cells)
    if claim.kind == "ordering" and claim.experiment is not None:
        return _ordering(claim, cells)
    return ""


def _mean(claim: Claim, cells: Cells) -> Sequence[Replication] | str:
    ours = cells(claim)
    if isinstance(ours, str):
        return ours
    printed = claim.reported
    found = [single(printed.range, _sample(claim), ours)]
    if printed.spread_range is not None and claim.n is not None and claim.n >= 2:
        found.append(spread(printed.spread_range, claim.n, ours))
    return found


def _effect(
    claim: Claim, new: Claim, old: Claim, by_id: Claims, cells: Cells
) -> Sequence[Replication] | str:
    """A difference of two arms; a percentage goes through the logarithm of the ratio where means are positive."""
    new, old = cell_of(new, by_id), cell_of(old, by_id)
    if new.experiment is None or old.experiment is None:
        return ""
    ours = [cells(arm) for arm in (new, old)]
    missing = [reason for reason in ours if isinstance(reason, str)]
    if missing:
        return missing[0]
    samples = [sample for sample in ours if isinstance(sample, Sample)]
    theirs = [sample for sample in (_sample(new), _sample(old)) if sample is not None]
    everyone = [*samples, *theirs]
    if claim.kind == "improvement" and all(sample.mean > 0 for sample in everyone):
        quotient = new.reported.range / old.reported.range
        claimed = Range(Sample(quotient.low, 0, 1).log.mean, Sample(quotient.high, 0, 1).log.mean)
        logs = [sample.log for sample in everyone]
        return [effect(claimed, logs[2:], logs[0], logs[1], "log ratio")]
    difference = new.reported.range - old.reported.range
    return [effect(difference, theirs, samples[0], samples[1])]


def _ordering(claim: Claim, cells: Cells) -> Sequence[Replication] | str:
    if claim.relation not in ("above", "below"):
        return f"no margin is declared for {claim.relation!r}"
    pairs = []
    for environment in claim.environments:
        arms = [
            cells(claim.model_copy(update={"environment": environment, "method": method}))
            for method in (claim.first_method, claim.second_method)
        ]
        for arm in arms:
            if isinstance(arm, str):
                return arm
        first, second = (arm for arm in arms if isinstance(arm, Sample))
        pairs.append((environment, first, second))
    direction: Direction = "above" if claim.relation == "above" else "below"
    return [ordering(direction, pairs)]


def _sample(claim: Claim) -> Sample | None:
    """What the paper prints of an arm as a sample, where it prints a spread over a stated n."""
    printed = claim.reported
    if printed.spread is None or claim.n is None or claim.n < 2:
        return None
    return Sample(float(printed.value), float(printed.spread), claim.n)
