"""Question 3, claim by claim: do our own runs at the published protocol show the same?

The intervals are in `checks/replication.py`; here claims meet the cells that answer them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from analysis.audit.checks.replication import (
    Direction,
    Replication,
    Sample,
    cohens_d,
    effect,
    ordering,
    ratio,
    single,
    welch_p,
)
from analysis.audit.findings import Finding
from analysis.audit.spreads import sample_std_of
from analysis.claims import ById, Claim

Cells = Callable[[Claim], Sample | str]
"""Our own runs of the cell that a claim names, or why there is no number: see `cells.py`."""

NO_EXPERIMENT = "no experiment of ours answers it"


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
    if claim.kind == "mean":
        return _mean(claim, by_id, cells) if claim.experiment is not None else NO_EXPERIMENT
    if claim.kind == "ordering":
        return _ordering(claim, cells) if claim.experiment is not None else NO_EXPERIMENT
    arms = _arms(claim, by_id)
    if arms is None:
        return ""
    if any(arm.experiment is None for arm in arms):
        return NO_EXPERIMENT
    return _effect(claim, *arms, by_id, cells)


def _arms(claim: Claim, by_id: ById) -> tuple[Claim, Claim] | None:
    """The two means whose difference the claim is about, if it is about one."""
    roles = {"comparison": ("first", "second")}.get(claim.kind, ("new", "old"))
    if any(len(claim.role(role)) != 1 for role in roles):
        return None
    new, old = (by_id[claim.role(role)[0]] for role in roles)
    return (new, old) if new.kind == old.kind == "mean" else None


def _mean(claim: Claim, by_id: ById, cells: Cells) -> Sequence[Replication] | str:
    ours = cells(claim)
    if isinstance(ours, str):
        return ours
    theirs = _sample(claim, by_id)
    if theirs is None:
        return f"no spread or no n is printed for {claim.value}, so it has no prediction interval"
    return [single(claim.reported.range, theirs, ours)]


def _effect(
    claim: Claim, new: Claim, old: Claim, by_id: ById, cells: Cells
) -> Sequence[Replication] | str:
    """A difference of two arms; a percentage is a ratio where means are positive."""
    ours = [cells(arm) for arm in (new, old)]
    theirs = [_sample(arm, by_id) for arm in (new, old)]
    for told, arm in zip((*ours, *theirs), (new, old, new, old), strict=True):
        if isinstance(told, str):
            return told
        if told is None:
            return (
                f"no spread or no n is printed for {arm.value}, so there is no prediction interval"
            )
    samples = [sample for sample in (*ours, *theirs) if isinstance(sample, Sample)]
    if claim.kind == "improvement" and all(sample.mean > 0 for sample in samples):
        claimed = new.reported.range / old.reported.range
        return [ratio(claimed, (samples[2], samples[3]), samples[0], samples[1])]
    found = effect(new.reported.range - old.reported.range, samples[2:], samples[0], samples[1])
    if claim.kind in ("p_value", "effect_size"):
        found = _as_strong(claim, found, samples[0], samples[1])
    return [found]


def _as_strong(claim: Claim, found: Replication, new: Sample, old: Sample) -> Replication:
    """A p-value or effect size is replicated where ours is in the printed range too, not the difference alone."""
    if claim.kind == "p_value":
        name, ours = "Welch's p", welch_p(new, old)
    else:
        name, ours = "Cohen's d", cohens_d(new, old)
    said = f"{found.arithmetic}; our {name} is {ours:.3g}, printed {claim.value}"
    verdict = found.verdict
    if verdict in ("replicated", "same direction"):
        verdict = "replicated" if ours in claim.reported.range else "same direction"
    return Replication(verdict, said)


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


def _sample(claim: Claim, by_id: ById) -> Sample | None:
    """What the paper prints of an arm as a sample; its spread may stand where the same mean is printed again."""
    seen: set[str] = set()
    told: Claim | None = claim
    while told is not None and told.id not in seen:
        seen.add(told.id)
        spread = sample_std_of(told)
        if spread is not None and told.n is not None:
            return Sample(float(claim.reported.value), spread.middle, told.n)
        told = by_id[told.same_as] if told.same_as is not None else None
    return None
