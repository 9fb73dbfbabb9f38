"""Question 3, claim by claim: do our own runs at the published protocol show the same?

The intervals are in `checks/replication.py`, statements about two methods in `predeclared.py`; here claims meet the cells and
the studies that answer them. What runs at scale `reduced` say is shown beside it and never counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analysis.audit.answers import Answers
from analysis.audit.cells import SCALE, SHOWN, Cells, Runs, unrecorded
from analysis.audit.checks.replication import (
    Replication,
    Sample,
    cohens_d,
    effect,
    ratio,
    single,
    welch_p,
)
from analysis.audit.findings import Finding
from analysis.audit.spreads import sample_std_of
from analysis.claims import ById, Claim

NO_EXPERIMENT = "no experiment of ours answers it"
COMPARISONS = ("ordering", "equivalence", "robustness", "trend")
"""Kinds that say how two methods compare where the paper prints no number."""


@dataclass(frozen=True)
class Ours:
    """What we have of our own: cells at scale paper, cells that are shown only, and what studies decide.

    `outdated` says of a study why its answers are not trusted.
    """

    cells: Cells = unrecorded
    shown: Cells = unrecorded
    answers: Answers = field(default_factory=dict)
    outdated: Mapping[str, str] = field(default_factory=dict)


NOTHING = Ours()


def replicated(claim: Claim, by_id: ById, ours: Ours) -> Iterator[Finding]:
    """What our own runs at the published protocol say, and what a smaller protocol's say beside it."""
    if claim.untestable is not None:
        yield Finding(claim.id, "replicated", "our runs", "untestable", claim.untestable)
        return
    if claim.study is not None:
        yield _studied(claim, claim.study, ours)
        return
    found = _replication(claim, by_id, ours.cells)
    if isinstance(found, str):
        if found:
            yield Finding(claim.id, "replicated", "our runs", "untested", found)
    else:
        yield from (_finding(claim, one) for one in found)
    shown = _replication(claim, by_id, ours.shown)
    if not isinstance(shown, str):
        yield from (_beside(claim, one) for one in shown)


def _finding(claim: Claim, found: Replication) -> Finding:
    return Finding(
        claim.id, "replicated", found.check, found.verdict, found.arithmetic, power=found.power
    )


def _beside(claim: Claim, found: Replication) -> Finding:
    """What runs at a smaller protocol say: never a verdict."""
    said = (
        f"no replication, the protocol is a smaller one; the same rule would say {found.verdict}: "
        f"{found.arithmetic}"
    )
    check = f"{found.check}, scale {SHOWN}"
    return Finding(claim.id, "replicated", check, "untested", said, power=found.power)


def _studied(claim: Claim, study: str, ours: Ours) -> Finding:
    """What our record of a study decides about a statement."""
    verdict, said = (
        "untested",
        f"{study}: no record at scale {SCALE}, or its answers were not given",
    )
    answered = ours.answers.get(study)
    if study in ours.outdated:
        said = f"{study}: {ours.outdated[study]}; snakemake audit makes its answers again"
    elif answered is not None:
        answer = answered.statements.get(str(claim.statement))
        if answer is None:
            known = ", ".join(answered.statements) or "none"
            said = f"{study}: nothing decides {claim.statement!r}; allowed: {known}"
        else:
            said = f"{answer.statement}: record {answered.record}; found: {answer.found}"
            verdict = {True: "replicated", False: "contradicted", None: "untested"}[answer.holds]
    return Finding(claim.id, "replicated", f"our record of {study}", verdict, said)


def _replication(claim: Claim, by_id: ById, cells: Cells) -> Sequence[Replication] | str:
    """Replications of what the claim says, or why there is none ("" where the question does not arise)."""
    if claim.kind == "mean":
        return _mean(claim, by_id, cells) if claim.experiment is not None else NO_EXPERIMENT
    if claim.kind in COMPARISONS:
        return _compared(claim, cells) if claim.experiment is not None else NO_EXPERIMENT
    arms = _arms(claim, by_id)
    if arms is None:
        return ""
    if any(arm.experiment is None for arm in arms):
        return NO_EXPERIMENT
    return _effect(claim, *arms, by_id, cells)


def sample_of(claim: Claim, cells: Cells) -> Sample | str:
    """Our own runs of the cell that a claim names, or why there is no number."""
    cell = f"{claim.environment} / {claim.method}"
    if claim.phase is not None:
        return f"{cell}: phases of training are not compared"
    if claim.experiment is None or claim.environment is None or claim.method is None:
        return f"{cell}: {NO_EXPERIMENT}"
    runs = cells(claim.experiment, claim.environment, claim.method)
    return runs if isinstance(runs, str) else runs.sample


def _compared(claim: Claim, cells: Cells) -> Sequence[Replication] | str:
    """How two methods compare, by the test that is declared for the kind of claim."""
    arms = [_arms_there(claim, environment, cells) for environment in claim.environments]
    if all(isinstance(own, str) for own in arms):
        return "; ".join(str(own) for own in arms)
    # Here: it loads scipy.stats, which an audit without records does without.
    from analysis.audit.predeclared import compared

    return compared(claim, arms)


def _arms_there(claim: Claim, environment: str, cells: Cells) -> tuple[Runs, ...] | str:
    """The runs of the methods that a claim compares in an environment, or why one of them has none."""
    arms = []
    for arm in claim.compared:
        runs = cells(str(arm.experiment), environment, str(arm.method))
        if isinstance(runs, str):
            return runs
        runs = runs.at(arm.setting)
        if not runs.settings:
            return f"{runs.cell}: {arm.experiment} has no {dict(arm.setting)} at this scale"
        arms.append(runs)
    return tuple(arms)


def _arms(claim: Claim, by_id: ById) -> tuple[Claim, Claim] | None:
    """The two means whose difference the claim is about, if it is about one."""
    roles = {"comparison": ("first", "second")}.get(claim.kind, ("new", "old"))
    if any(len(claim.role(role)) != 1 for role in roles):
        return None
    new, old = (by_id[claim.role(role)[0]] for role in roles)
    return (new, old) if new.kind == old.kind == "mean" else None


def _mean(claim: Claim, by_id: ById, cells: Cells) -> Sequence[Replication] | str:
    ours = sample_of(claim, cells)
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
    ours = [sample_of(arm, cells) for arm in (new, old)]
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
