"""What the audit found: the words of its verdicts, and findings, claims and papers as the page shows them.

Shapes: a `PaperAudit` holds `Judged` claims in the paper's order, each with its `Finding`s, one a check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from analysis.audit.specification import Requirement
from analysis.claims import Claim

Question = Literal["consistent", "possible", "replicated"]
VERDICTS: dict[Question, tuple[str, ...]] = {
    "consistent": (
        "consistent",
        "consistent under a reading",
        "inconsistent",
        "undecided",
        "skipped",
        "not checked",
    ),
    "possible": ("possible", "possible under a reading", "impossible", "no power", "not checked"),
    "replicated": (
        "replicated",
        "same direction",
        "contradicted",
        "underpowered",
        "compatible",
        "incompatible",
        "untested",
        "untestable",
        "does not apply",
    ),
}
# What verdicts amount to, as said of claims, the most telling first: the order in which a reader meets them.
Tone = Literal["against", "partly", "open", "holds", "silent"]
TONES: dict[Tone, str] = {
    "against": "do not agree",
    "partly": "agree in part or under a reading",
    "open": "undecided",
    "holds": "agree",
    "silent": "not checked",
}


class Sign(NamedTuple):
    """How a verdict is shown: a mark that differs within its question, its tone, and what it means."""

    mark: str
    tone: Tone
    meaning: str


SIGNS: dict[str, Sign] = {
    "consistent": Sign(
        "✓",
        "holds",
        "the paper's own numbers agree within their rounding, or what was computed agrees with it",
    ),
    "consistent under a reading": Sign(
        "◐", "partly", "they agree if the claim is read in a way that the paper does not state"
    ),
    "inconsistent": Sign("✕", "against", "they do not agree under any of the readings tried"),
    "undecided": Sign("?", "open", "what was computed decides neither way"),
    "skipped": Sign("↷", "silent", "what the check needs was not there; the finding says what"),
    "not checked": Sign("–", "silent", "no check applies: nothing else in the paper determines it"),
    "possible": Sign("✓", "holds", "some data can give these numbers"),
    "possible under a reading": Sign(
        "◐", "partly", "some data can, if the claim is read in a way that the paper does not state"
    ),
    "impossible": Sign("✕", "against", "no data can give them under any of the readings tried"),
    "no power": Sign("○", "silent", "the check could not have excluded any reported number"),
    "replicated": Sign(
        "✓",
        "holds",
        "our runs show what is claimed; where the claim gives a size, one that it leads one to expect",
    ),
    "same direction": Sign(
        "↗", "partly", "our runs show an effect in the claimed direction, of another size"
    ),
    "contradicted": Sign(
        "✕",
        "against",
        "our runs show otherwise, or their interval excludes the claimed effect and shows none in its direction",
    ),
    "underpowered": Sign("?", "open", "our runs are too few or too spread out to decide"),
    "compatible": Sign("≈", "holds", "our mean lies where a repetition of the study would put it"),
    "incompatible": Sign("≠", "against", "our mean lies outside that prediction interval"),
    "untested": Sign(
        "–",
        "silent",
        "nothing at scale paper answers it: no records, or not all of its runs ended with a score",
    ),
    "does not apply": Sign(
        "·", "silent", "runs of ours would say nothing about it: a theorem, a sum, a count"
    ),
    "untestable": Sign("⊘", "silent", "it cannot be tested here; the claim says why"),
}


@dataclass(frozen=True)
class Finding:
    """One check of one claim.

    `arithmetic` says what was computed, with the numbers; `reading` names the reading that saves the claim, `power`
    what the check could have found, `tried` the readings tried.
    """

    claim: str
    question: Question
    check: str
    verdict: str
    arithmetic: str
    reading: str | None = None
    power: str | None = None
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A claim with the worst verdict of each question, and its findings. `title` is the paper's short title."""

    paper: str
    title: str
    claim: Claim
    consistent: str
    possible: str
    replicated: str
    findings: tuple[Finding, ...]

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each question."""
        return {
            "consistent": self.consistent,
            "possible": self.possible,
            "replicated": self.replicated,
        }

    @property
    def tone(self) -> Tone:
        """The most telling tone of the three verdicts."""
        return min((SIGNS[verdict].tone for verdict in self.verdicts.values()), key=_rank)

    @property
    def urgency(self) -> tuple[int, int]:
        """A sort key: claims that do not agree first, and among them those with more such verdicts."""
        tones = [SIGNS[verdict].tone for verdict in self.verdicts.values()]
        return _rank(self.tone), -tones.count(self.tone)


@dataclass(frozen=True)
class PaperAudit:
    """All that the audit says of one paper.

    `coverage` counts numerals of its text by what they belong to ("claimed", "skipped", "open" …) and may be
    empty; `claimed` counts those of claims by "kind" and by the verdict of each question; `notes` tell what a reader needs besides, such as how to get a released checkpoint.
    """

    name: str
    title: str
    source: str | None
    claims: tuple[Judged, ...]
    requirements: tuple[Requirement, ...]
    coverage: Mapping[str, int]
    notes: tuple[str, ...]
    claimed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def counts(judged: Iterable[Judged], question: Question) -> Counter[str]:
    """How many claims have each verdict of a question."""
    return Counter(one.verdicts[question] for one in judged)


def disagreeing(audits: Sequence[PaperAudit]) -> Iterator[tuple[Judged, tuple[Finding, ...]]]:
    """Every claim with a verdict that does not agree, in the papers' order, and the findings that say so."""
    for audit in audits:
        for judged in audit.claims:
            if judged.tone == "against":
                findings = (f for f in judged.findings if SIGNS[f.verdict].tone == "against")
                yield judged, tuple(findings)


def untestable(audit: PaperAudit) -> dict[str, list[Claim]]:
    """Why claims of a paper cannot be tested, and which."""
    reasons: dict[str, list[Claim]] = {}
    for judged in audit.claims:
        if judged.claim.untestable:
            reasons.setdefault(judged.claim.untestable, []).append(judged.claim)
    return reasons


def verdict_rows(audits: Sequence[PaperAudit]) -> list[dict[str, Any]]:
    """The table of verdicts, a row a claim: paper, claim, kind, place, value, and the three verdicts."""
    return [
        {
            "paper": judged.paper,
            "claim": judged.claim.id,
            "kind": judged.claim.kind,
            "place": judged.claim.place,
            "value": judged.claim.value,
            **judged.verdicts,
        }
        for audit in audits
        for judged in audit.claims
    ]


def finding_rows(audits: Sequence[PaperAudit]) -> list[dict[str, Any]]:
    """The table of findings, a row a check: paper, claim, question, check, verdict, arithmetic, reading, power, tried.

    Readings tried are joined with "; ".
    """
    return [
        {
            "paper": judged.paper,
            "claim": finding.claim,
            "question": finding.question,
            "check": finding.check,
            "verdict": finding.verdict,
            "arithmetic": finding.arithmetic,
            "reading": finding.reading,
            "power": finding.power,
            "tried": "; ".join(finding.tried),
        }
        for audit in audits
        for judged in audit.claims
        for finding in judged.findings
    ]


def _rank(tone: Tone) -> int:
    return list(TONES).index(tone)
