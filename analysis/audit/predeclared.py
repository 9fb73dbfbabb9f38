"""How two methods compare, by tests that were fixed before there were records: one for each kind of claim.

Kind          Arms of one setting (reruns, a point of a sweep)   Arms of a sweep
ordering      Welch interval and probability of improvement      split-seed, at the best setting, or at the best of every value of `over`
  at least    one one-sided test, margin against random play     the same split-seed, at the best setting
equivalence   two one-sided tests, margin against random play    the same split-seed, at the best setting
robustness    none                                               split-seed, area under the sensitivity curve over log₁₀ `over`
trend         none                                               split-seed, slope of the lead in log₁₀ `over`, and a mean lead above 0

A member that diverged has no policy left and counts as random play where arms of one setting are compared; of a sweep, its
setting is never chosen. The tests are in `checks/`, the rule from tests to a verdict is in
`checks/decision.py`. All compare by the experiment's score. Every environment is tested on its own; one that lacks runs leaves
the others as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from analysis.audit.cells import Runs
from analysis.audit.checks import equivalence, ordering, sweeps
from analysis.audit.checks.decision import Part, decide
from analysis.audit.checks.replication import Direction, Replication, Sample
from analysis.audit.checks.sweeps import Swept
from analysis.claims import Claim
from analysis.load import setting_text
from analysis.statistics import Scores, comparison_stream, halves
from envs.registry import ENVIRONMENTS

SMALLEST = 4
"""Seeds that a split needs: two on either side."""
Arms = tuple[Runs, ...]
"""The first and the second of two methods, and the base of an equivalence where it is a third."""
Tested = Sequence[Part] | str
"""What one environment says, or why it says nothing."""
DIRECTIONS: dict[str | None, Direction] = {
    "above": "above",
    "below": "below",
    "grows": "above",
    "shrinks": "below",
}
ENDS: dict[str | None, equivalence.Ends] = {None: "both", "at least": "lower", "at most": "upper"}
"""Which ends of the margin a claim with one is about."""


def compared(claim: Claim, arms: Sequence[Arms | str]) -> Sequence[Replication] | str:
    """The replication of a claim about two methods; or why there is none.

    `arms` are their runs in each of the claim's environments, or why there are none.
    """
    if claim.margin is None and _claimed(claim) not in DIRECTIONS:
        return f"no margin is declared for {claim.relation!r}"
    test, check = _test(claim, [own for own in arms if not isinstance(own, str)])
    parts: list[Part] = []
    lacking: dict[str, str] = {}
    most = 1
    for environment, own in zip(claim.environments, arms, strict=True):
        found = own if isinstance(own, str) else test(claim, environment, own)
        if isinstance(found, str):
            lacking[environment] = found
        else:
            parts += found
            most = max(most, len(found))
    if not parts:
        return "; ".join(lacking.values())
    return [decide(parts, check, lacking, most)]


def _test(claim: Claim, arms: Sequence[Arms]) -> tuple[Callable[[Claim, str, Arms], Tested], str]:
    """The test that is declared for a claim, by its kind and by whether its arms are of a sweep; and what it is called."""
    swept = any(len(runs.settings) > 1 for own in arms for runs in own)
    if claim.margin is not None:
        check = equivalence.CHECKS[ENDS[claim.relation]]
        return (_alike_swept, f"{check}, split-seed") if swept else (_alike, check)
    if claim.kind == "ordering" and claim.over is None and not swept:
        return _ordered, ordering.CHECK
    return _swept, sweeps.CHECK


def _claimed(claim: Claim) -> str | None:
    return claim.lead if claim.kind == "trend" else claim.relation


def _complete(arms: Arms, nothing: float) -> list[Scores] | str:
    """The scores of arms of one setting each, random play's for members that diverged; or why they answer nothing."""
    scores: list[Scores] = []
    for told in (runs.losing(nothing).complete for runs in arms):
        if isinstance(told, str):
            return told
        scores.append(told)
    return scores


def _with_lost(part: Part, arms: Arms, nothing: float) -> Part:
    """The part, which also says what members diverged."""
    lost = [f"{runs.diverged.sum()} of {runs.cell}" for runs in arms if runs.diverged.any()]
    if not lost:
        return part
    words = f"{' and '.join(lost)} diverged and count as random play, {nothing:.4g}"
    return replace(part, said=f"{part.said}, {words}")


def _ordered(claim: Claim, environment: str, arms: Arms) -> Tested:
    nothing = ENVIRONMENTS[environment].anchors.random
    scores = _complete(arms, nothing)
    if isinstance(scores, str):
        return scores
    first, second = scores
    stream = comparison_stream(
        environment, str(claim.first_method), setting_text(arms[0].settings[0]), str(claim.second_method)
    )  # fmt: skip
    found = ordering.ordered(environment, DIRECTIONS[claim.relation], first, second, stream)
    return [_with_lost(found, arms, nothing)]


def _alike(claim: Claim, environment: str, arms: Arms) -> Tested:
    random, ends = ENVIRONMENTS[environment].anchors.random, ENDS[claim.relation]
    scores = _complete(arms, random)
    if isinstance(scores, str):
        return scores
    first, second, *rest = map(Sample.of, scores)
    base = rest[0] if rest else None
    assert claim.margin is not None  # `_test` chose by it
    found = equivalence.alike(environment, first, second, claim.margin, random, base, ends)
    return [_with_lost(found, arms, random)]


def _alike_swept(claim: Claim, environment: str, arms: Arms) -> Tested:
    """`_alike` for arms of a sweep: each at its best setting, chosen on one half of the seeds and scored on the other."""
    curves = _curves(claim, arms)
    if isinstance(curves, str):
        return curves
    assert claim.margin is not None
    n, random = len(arms[0].seeds), ENVIRONMENTS[environment].anchors.random
    first, second, base = curves[0], curves[1], curves[-1]
    stream = comparison_stream(
        environment, str(claim.first_method), "best alike", str(claim.second_method)
    )
    resamples = sweeps.redrawn(n, stream)

    def side(terms: sweeps.Terms, constant: float = 0.0) -> equivalence.Side:
        observed, drawn = (
            sweeps.combined(terms, *two) - constant for two in (halves(n), resamples)
        )
        found = sweeps.contrasted(observed, drawn, np.ones(1), n)
        return equivalence.Side(found.value, found.error, found.df)

    share, nothing = claim.margin, claim.margin * random
    below, above = (
        side([(sign, first), (-sign, second), (share, base)], nothing) for sign in (1, -1)
    )
    difference, reached = side([(1, first), (-1, second)]), side([(1, base)]).shift
    words = f"best settings, n = {n}"
    return [
        equivalence.part(
            environment,
            difference,
            (below, above),
            share,
            reached,
            random,
            words,
            ENDS[claim.relation],
        )
    ]


def _swept(claim: Claim, environment: str, arms: Arms) -> Tested:
    curves = _curves(claim, arms)
    if isinstance(curves, str):
        return curves
    return list(_contrasts(claim, environment, *curves))


def _curves(claim: Claim, arms: Arms) -> list[Swept] | str:
    """Arms of a sweep by the level of what the claim is over, or why they are not compared."""
    why = _unfit(claim, arms)
    if why:
        return why
    curves = [_by_level(runs, claim.over) for runs in arms]
    for runs, curve in zip(arms, curves, strict=True):
        for level in curve.lacking:
            return f"{runs.cell}: every setting has a run without a score at {claim.over or 'all'} {level:g}"
    if any(not np.array_equal(curves[0].distinct, curve.distinct) for curve in curves):
        return f"{arms[0].cell}: the arms have different values of {claim.over}"
    return curves


def _unfit(claim: Claim, arms: Arms) -> str:
    """Why arms of a sweep are not compared; nothing where they can be."""
    for runs in arms:
        if runs.missing:
            return f"{runs.cell}: {runs.missing} of {runs.scores.size} members are not recorded"
        if claim.over is not None and any(claim.over not in setting for setting in runs.settings):
            return f"{runs.cell}: {runs.experiment} does not vary {claim.over}"
    for runs in arms:
        if runs.seeds != arms[0].seeds or len(runs.seeds) < SMALLEST:
            return (
                f"{arms[0].cell}: {len(arms[0].seeds)} and {len(runs.seeds)} seeds; all arms need the same, "
                f"{SMALLEST} or more"
            )
    return ""


def _by_level(runs: Runs, over: str | None) -> Swept:
    """An arm with the level of `over` of each setting; one level for all where no hyperparameter is named."""
    levels = [1.0 if over is None else float(setting[over]) for setting in runs.settings]  # type: ignore[arg-type]
    return Swept(runs.scores, np.array(levels))


def _contrasts(claim: Claim, environment: str, first: Swept, second: Swept) -> Iterator[Part]:
    """The parts of a claim that one environment answers."""
    levels, n = first.distinct, first.scores.shape[1]
    observed = sweeps.difference(first, second)
    stream = comparison_stream(
        environment, str(claim.first_method), f"best {claim.over}", str(claim.second_method)
    )
    drawn = sweeps.resampled(first, second, stream)
    direction = DIRECTIONS[_claimed(claim)]
    if claim.kind == "ordering":
        for index, level in enumerate(levels):
            name = environment if claim.over is None else f"{environment}, {claim.over} {level:g}"
            found = sweeps.contrasted(observed, drawn, np.eye(len(levels))[index], n)
            yield sweeps.part(name, "difference", direction, found)
        return
    what, weigh = {
        "robustness": ("mean height above the other's sensitivity curve", sweeps.area_weights),
        "trend": (f"change of the lead per tenfold {claim.over}", sweeps.slope_weights),
    }[claim.kind]
    found = sweeps.contrasted(observed, drawn, weigh(levels), n)
    at = list(zip(levels.tolist(), observed.tolist(), strict=True))
    told = sweeps.part(environment, what, direction, found, at)
    if (
        claim.kind == "trend"
    ):  # a lead that grows or shrinks is one: without it the slope says nothing of a gap
        lead = sweeps.contrasted(observed, drawn, sweeps.area_weights(levels), n)
        ahead = sweeps.part(environment, "mean lead", "above", lead)
        supports = max(told.supports, ahead.supports)
        told = replace(told, said=f"{told.said}, {ahead.said}", supports=supports)
    yield told
