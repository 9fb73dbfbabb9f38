"""The engine: every claim through every check that its kind allows, and the verdict of each question.

A check yields findings; the verdict of a question is the one that says most against the claim among its findings.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.audit.consistent import consistent, one_reading
from analysis.audit.findings import VERDICTS, Finding, Judged, Question
from analysis.audit.possible import possible
from analysis.audit.replicated import Ours, replicated
from analysis.audit.witness import Witnesses
from analysis.claims import Claim

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
        "does not apply",
    ),
}
"""What says most against a claim comes first; what says nothing comes last."""


def audit(
    claims: Sequence[Claim], paper: str, title: str, witnesses: Witnesses, ours: Ours
) -> tuple[Judged, ...]:
    """Every claim of a paper, judged, in the order of its file."""
    by_id = {claim.id: claim for claim in claims}
    together = one_reading(claims, by_id)
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
                *([together[claim.id]] if claim.id in together else []),
                *possible(claim, by_id, extremes),
                *replicated(claim, by_id, ours),
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
