"""The audit as one page: every claim with its verdicts, the arithmetic behind them, and what a replicator needs.

The page is a single HTML file that opens offline and loads nothing. Everything stands in the HTML itself, so
it can be read without scripts; a small script adds filters, whose state lives in the address, and sorting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from algorithms.records import atomic_path
from analysis.audit.findings import (
    SIGNS,
    TONES,
    VERDICTS,
    Finding,
    Judged,
    PaperAudit,
    Question,
    counts,
    untestable,
)
from analysis.audit.specification import Requirement
from analysis.claims import KINDS, Claim
from analysis.ledger import make_folder
from analysis.pages import environment

# Fields that the page shows in places of their own; any other that a claim gives is listed by its name.
SHOWN_APART = frozenset(
    ("id", "place", "quote", "kind", "value", "of", "same_as", "note", "untestable")
)
STYLES = {verdict: f"v{index}" for index, verdict in enumerate(SIGNS)}


@dataclass(frozen=True)
class Link:
    """A link to another claim: its address within the page, and what stands there."""

    href: str
    label: str
    value: str | None
    place: str


@dataclass(frozen=True)
class Row:
    """A claim as the page shows it. `order` is its rank in the paper's order, over all papers."""

    anchor: str
    order: int
    judged: Judged
    quote: Markup
    artifact: str | None
    facts: tuple[tuple[str, str], ...]
    follows_from: tuple[tuple[str, tuple[Link, ...]], ...]
    leads_to: tuple[Link, ...]
    same_as: tuple[Link, ...]

    @property
    def claim(self) -> Claim:
        """The claim itself."""
        return self.judged.claim

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What each check found."""
        return self.judged.findings


def write(
    audits: Sequence[PaperAudit],
    output: Path,
    artifacts: Mapping[tuple[str, str], str] = MappingProxyType({}),
    *,
    version: str,
    command: str = "snakemake audit",
) -> None:
    """Write the page to `output`.

    `artifacts` maps (paper, place) to an address relative to the page; `version` is that of rl-replica and
    `command` says how to compute them again. Raises SpecificationError for a folder that cannot be made and RecordError
    for a page that cannot be written.
    """
    templates = environment()
    templates.filters |= {"words": _words, "steps": steps}
    templates.globals |= {
        "signs": SIGNS,
        "tones": TONES,
        "styles": STYLES,
        "kinds": KINDS,
        "address": address,
    }
    rows = sorted(_rows(audits, artifacts), key=lambda row: (*row.judged.urgency, row.order))
    parts = templates.get_template("audit.html.j2").stream(
        audits=audits,
        rows=rows,
        version=version,
        command=command,
        tone_counts={tone: sum(row.judged.tone == tone for row in rows) for tone in TONES},
        summaries=[_summary(audits, question) for question in VERDICTS],
        choices=_choices(audits),
        ledgers=[_ledger(audit) for audit in audits],
        untestable=[(audit, found) for audit in audits if (found := _untestable(audit))],
    )
    parts.enable_buffering(64)
    make_folder(output.parent)
    with atomic_path(output) as temporary, temporary.open("wb") as file:
        parts.dump(file, encoding="utf-8")


def anchor(paper: str, claim: str) -> str:
    """The address of a claim within the page, without the "#"."""
    return f"{quote(paper, safe='')}/{claim}"


def marked(words: str, value: str | None) -> Markup:
    """The quoted `words`, escaped, with `value` marked where it stands there exactly once."""
    letters = ("[-−–]" if x in "-−–" else re.escape(x) for x in (value or "") if not x.isspace())
    pattern = r"\s*".join(letters)
    found = list(re.finditer(rf"(?<![\w.]){pattern}(?!\.?\d)", words)) if pattern else []
    if len(found) != 1:
        return escape(words)
    start, end = found[0].span()
    return Markup("{}<mark>{}</mark>{}").format(words[:start], words[start:end], words[end:])


def steps(arithmetic: str) -> str:
    """`arithmetic` with each of its steps on a line: what stands between semicolons and gives a number a name."""
    lines: list[str] = []
    for part in re.split(r"; (?![^\[(]*[\])])", arithmetic):
        if lines and not re.search(r"[=:\[]", part):
            lines[-1] += f"; {part}"
        else:
            lines.append(part)
    return ";\n".join(lines)


def address(**chosen: str) -> str:
    """The address of the list of claims with these filters."""
    return "#" + urlencode(chosen)


def _rows(audits: Sequence[PaperAudit], artifacts: Mapping[tuple[str, str], str]) -> Iterator[Row]:
    order = 0
    for audit in audits:
        by_id = {judged.claim.id: judged.claim for judged in audit.claims}
        leads_to, repeated = _backwards(by_id)
        for judged in audit.claims:
            claim = judged.claim
            others = dict.fromkeys([claim.same_as] if claim.same_as else [])
            others |= dict.fromkeys(repeated.get(claim.id, ()))
            yield Row(
                anchor=anchor(audit.name, claim.id),
                order=order,
                judged=judged,
                quote=marked(claim.quote, claim.value),
                artifact=artifacts.get((audit.name, claim.place)),
                facts=tuple(_facts(claim)),
                follows_from=tuple(
                    (role, _links(audit.name, claim.role(role), by_id)) for role in claim.of
                ),
                leads_to=_links(audit.name, leads_to.get(claim.id, ()), by_id),
                same_as=_links(audit.name, others, by_id),
            )
            order += 1


def _backwards(by_id: Mapping[str, Claim]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """For each claim, those that name it in `of`, and those that name it in `same_as`."""
    leads_to: dict[str, list[str]] = {}
    repeated: dict[str, list[str]] = {}
    for claim in by_id.values():
        for name in dict.fromkeys(name for role in claim.of for name in claim.role(role)):
            leads_to.setdefault(name, []).append(claim.id)
        if claim.same_as:
            repeated.setdefault(claim.same_as, []).append(claim.id)
    return leads_to, repeated


def _links(paper: str, names: Iterable[str], by_id: Mapping[str, Claim]) -> tuple[Link, ...]:
    return tuple(
        Link(f"#{anchor(paper, name)}", name, by_id[name].value, by_id[name].place)
        for name in names
    )


def _facts(claim: Claim) -> Iterator[tuple[str, str]]:
    """What a claim says of itself beside its words, as (name, value)."""
    if claim.value is not None:
        yield "value", f"{claim.value} {claim.unit or ''}".strip()
    if (
        claim.kind == "mean"
        and "±" in (claim.value or "")
        and "spread" not in claim.model_fields_set
    ):
        yield "spread", f"read as {claim.spread}"
    for name in type(claim).model_fields:
        if name in claim.model_fields_set and name not in SHOWN_APART:
            given = getattr(claim, name)
            text = ", ".join(given) if isinstance(given, tuple) else str(given)
            yield name.replace("_", " "), text


def _summary(audits: Sequence[PaperAudit], question: Question) -> dict[str, Any]:
    """Of one question: for each verdict (count, address) of every paper, and of all together."""
    tables = [counts(audit.claims, question) for audit in audits]
    lines = []
    for verdict in VERDICTS[question]:
        cells = [
            (table[verdict], address(paper=audit.name, **{question: verdict}))
            for audit, table in zip(audits, tables, strict=True)
        ]
        total = sum(count for count, _ in cells)
        lines.append((verdict, cells, (total, address(**{question: verdict}))))
    return {"question": question, "lines": lines}


def _choices(audits: Sequence[PaperAudit]) -> dict[str, list[tuple[str, str]]]:
    """The filters: for each, its (value, label), values in the order in which the papers have them."""
    every = [judged for audit in audits for judged in audit.claims]
    kinds = Counter(str(judged.claim.kind) for judged in every)
    choices = {
        "paper": [(audit.name, f"{audit.title} ({len(audit.claims)})") for audit in audits],
        "place": [(place, place) for place in dict.fromkeys(one.claim.place for one in every)],
        "kind": [(kind, f"{_words(kind)} ({kinds[kind]})") for kind in KINDS if kinds[kind]],
    }
    for question, verdicts in VERDICTS.items():
        table = counts(every, question)
        choices[question] = [(verdict, f"{verdict} ({table[verdict]})") for verdict in verdicts]
    tones = Counter(judged.tone for judged in every)
    choices["overall"] = [(tone, f"{label} ({tones[tone]})") for tone, label in TONES.items()]
    return choices


def _ledger(audit: PaperAudit) -> dict[str, Any]:
    """A paper's requirements by part, how many of them it states, and what its numerals belong to."""
    parts: dict[str, list[Requirement]] = {}
    for requirement in audit.requirements:
        parts.setdefault(requirement.part, []).append(requirement)
    stated = sum(requirement.stated is not None for requirement in audit.requirements)
    # What is left open is said even where it is nothing; the rules come last, the commonest first.
    named = {
        name: audit.coverage.get(name, 0) for name in ("claimed", "specified", "skipped", "open")
    }
    rules = Counter({what: n for what, n in audit.coverage.items() if what not in named})
    return {
        "audit": audit,
        "parts": parts,
        "stated": stated,
        "numerals": sum(audit.coverage.values()),
        "coverage": [*named.items(), *rules.most_common()],
        "claimed": {
            what: ", ".join(
                f"{name.replace('_', ' ')} {number:,}" for name, number in table.items()
            )
            for what, table in audit.claimed.items()
        },
    }


def _untestable(audit: PaperAudit) -> list[tuple[str, tuple[Link, ...]]]:
    """Why claims of a paper cannot be tested, with links to them."""
    by_id = {judged.claim.id: judged.claim for judged in audit.claims}
    return [
        (reason, _links(audit.name, [claim.id for claim in claims], by_id))
        for reason, claims in untestable(audit).items()
    ]


def _words(name: str) -> str:
    return name.replace("_", " ")
