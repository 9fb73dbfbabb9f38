"""Question 3, claim by claim: do our own runs at the published protocol show the same?

The intervals are in `checks/replication.py`; here claims meet the cells that answer them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis.audit.checks.replication import (
    Direction,
    Replication,
    Sample,
    effect,
    ordering,
    single,
    spread,
)
from analysis.audit.findings import Finding
from analysis.claims import ById, Claim, cell_of
from analysis.reported import Range

Cells = Callable[[Claim], Sample | str]
"""Our own runs of the cell that a claim names, or why there is no number: see `cells.py`."""


def replicated(claim: Claim, by_id: ById, cells: Cells) -> Iterator[Finding]:
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


def _replication(claim: Claim, by_id: ById, cells: Cells) -> Sequence[Replication] | str:
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
    claim: Claim, new: Claim, old: Claim, by_id: ById, cells: Cells
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
