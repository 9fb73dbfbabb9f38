"""How two methods compare, by tests that were fixed before there were records: one for each kind of claim.

Kind          Arms of one setting (reruns of a sweep's best)     Arms of a sweep
ordering      Welch interval and probability of improvement      split-seed, at the best setting, or at the best of every value of `over`
equivalence   two one-sided tests, margin against random play    none
robustness    none                                               split-seed, area under the sensitivity curve over log₁₀ `over`
trend         none                                               split-seed, slope of the lead in log₁₀ `over`, and a mean lead above 0

The tests are in `checks/`, the rule from tests to a verdict is in `checks/decision.py`. All compare by the experiment's score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from analysis.audit.cells import Runs
from analysis.audit.checks import equivalence, ordering, sweeps
from analysis.audit.checks.decision import Part, decide
from analysis.audit.checks.replication import Direction, Replication, Sample
from analysis.audit.checks.sweeps import Swept
from analysis.claims import Claim
from analysis.load import setting_text
from analysis.statistics import Scores, comparison_stream
from envs.registry import ENVIRONMENTS

SMALLEST = 4
"""Seeds that a split needs: two on either side."""
Arms = tuple[Runs, Runs]
DIRECTIONS: dict[str | None, Direction] = {
    "above": "above",
    "below": "below",
    "grows": "above",
    "shrinks": "below",
}


def compared(claim: Claim, arms: Sequence[Arms]) -> Sequence[Replication] | str:
    """The replication of a claim about two methods, their runs given by environment; or why there is none."""
    if claim.kind == "equivalence":
        return _equivalence(claim, arms)
    if _claimed(claim) not in DIRECTIONS:
        return f"no margin is declared for {claim.relation!r}"
    if claim.kind == "ordering" and claim.over is None and not any(map(_swept, arms)):
        return _ordering(claim, arms)
    return _sweeps(claim, arms)


def _claimed(claim: Claim) -> str | None:
    return claim.lead if claim.kind == "trend" else claim.relation


def _swept(two: Arms) -> bool:
    return any(len(runs.settings) > 1 for runs in two)


def _complete(two: Arms) -> tuple[Scores, Scores] | str:
    """The scores of two arms of one setting each, or why they answer nothing."""
    scores = [runs.complete for runs in two]
    for told in scores:
        if isinstance(told, str):
            return told
    return scores[0], scores[1]  # type: ignore[return-value]


def _ordering(claim: Claim, arms: Sequence[Arms]) -> Sequence[Replication] | str:
    parts = []
    for environment, two in zip(claim.environments, arms, strict=True):
        scores = _complete(two)
        if isinstance(scores, str):
            return scores
        stream = comparison_stream(
            environment, str(claim.first_method), setting_text(two[0].settings[0]), str(claim.second_method)
        )  # fmt: skip
        direction = DIRECTIONS[claim.relation]
        parts.append(ordering.ordered(environment, direction, *scores, stream))
    return [decide(parts, ordering.CHECK)]


def _equivalence(claim: Claim, arms: Sequence[Arms]) -> Sequence[Replication] | str:
    parts = []
    assert claim.margin is not None  # its kind needs one
    for environment, two in zip(claim.environments, arms, strict=True):
        scores = _complete(two)
        if isinstance(scores, str):
            return scores
        first, base = map(Sample.of, scores)
        random = ENVIRONMENTS[environment].anchors.random
        parts.append(equivalence.alike(environment, first, base, claim.margin, random))
    return [decide(parts, equivalence.CHECK)]


def _sweeps(claim: Claim, arms: Sequence[Arms]) -> Sequence[Replication] | str:
    parts: list[Part] = []
    for environment, two in zip(claim.environments, arms, strict=True):
        why = _unfit(claim, two)
        if why:
            return why
        swept = [_by_level(runs, claim.over) for runs in two]
        lacking = [x for arm in swept for x in arm.lacking]
        if lacking:
            return f"{environment}: every setting of an arm has a run without a score at {claim.over or 'all'} {lacking[0]:g}"
        if not np.array_equal(swept[0].distinct, swept[1].distinct):
            return f"{environment}: the arms have different values of {claim.over}"
        parts += _contrasts(claim, environment, swept[0], swept[1])
    return [decide(parts, sweeps.CHECK)]


def _unfit(claim: Claim, two: Arms) -> str:
    """Why two arms of a sweep are not compared; nothing where they can be."""
    for runs in two:
        if runs.missing:
            return f"{runs.cell}: {runs.missing} of {runs.scores.size} members are not recorded"
        if claim.over is not None and any(claim.over not in setting for setting in runs.settings):
            return f"{runs.cell}: {runs.experiment} does not vary {claim.over}"
    if two[0].seeds != two[1].seeds or len(two[0].seeds) < SMALLEST:
        return (
            f"{two[0].cell}: {len(two[0].seeds)} and {len(two[1].seeds)} seeds; both arms need the same, "
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
