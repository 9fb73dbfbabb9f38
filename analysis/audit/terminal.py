"""The audit in a terminal: how many claims have each verdict, and those that do not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.audit.findings import (
    SIGNS,
    VERDICTS,
    PaperAudit,
    Tone,
    counts,
    disagreeing,
    untestable,
)

STYLES: dict[Tone, str] = {
    "against": "bold red",
    "partly": "yellow",
    "open": "magenta",
    "holds": "green",
    "silent": "dim",
}


def summary(audits: Sequence[PaperAudit]) -> Group:
    """What does not agree and what cannot be tested, then how many numerals and claims were judged, and how.

    All fits 80 columns. Where the output is no terminal, rich leaves the colours out; words and marks stay.
    """
    parts: list[RenderableType] = [*_disagreeing(audits), *_untestable(audits)]
    if any(audit.coverage for audit in audits):
        parts += [_coverage(audits), *_claimed(audits)]
    return Group(*parts, _table(audits))


def _disagreeing(audits: Sequence[PaperAudit]) -> Iterator[Text]:
    """Every claim that does not agree, with a line of arithmetic."""
    found = list(disagreeing(audits))
    if found:
        many = "1 claim does" if len(found) == 1 else f"{len(found)} claims do"
        yield Text(f"{many} not agree:", style="bold")
    for judged, findings in found:
        claim = judged.claim
        head = Text.assemble(
            (f"✕ {claim.id}", STYLES["against"]), f"  {judged.title}, {claim.place}"
        )
        yield head if claim.value is None else head.append(f": {claim.value}")
        for finding in findings:
            yield _line(f"  {finding.check}: {finding.verdict}. ", finding.arithmetic)
    if found:
        yield Text()


def _untestable(audits: Sequence[PaperAudit]) -> Iterator[Text]:
    """Why claims cannot be tested here, a line a reason."""
    for audit in audits:
        reasons = untestable(audit)
        if not reasons:
            continue
        number = sum(map(len, reasons.values()))
        yield Text(f"{audit.title}: {number} claims cannot be tested here:", style="bold")
        for reason, claims in reasons.items():
            more = f" and {len(claims) - 1} more" if len(claims) > 1 else ""
            yield _line(f"⊘ {claims[0].id}{more}: ", reason)
        yield Text()


def _line(head: str, text: str) -> Text:
    """One line, cut where the terminal ends."""
    line = Text.assemble((head, "dim"), " ".join(text.split()))
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _coverage(audits: Sequence[PaperAudit]) -> Table:
    """Numerals of the papers' texts by what they belong to."""
    table = _papers(audits, "numerals of the text")
    for what in ("claimed", "specified", "skipped", "open"):
        table.add_row(what, *(f"{audit.coverage.get(what, 0):,}" for audit in audits))
    rules = [
        sum(number for what, number in audit.coverage.items() if what.startswith("rule"))
        for audit in audits
    ]
    table.add_row("left out by rule", *(f"{number:,}" for number in rules), end_section=True)
    return table


def _claimed(audits: Sequence[PaperAudit]) -> Iterator[Text]:
    """Numerals of claims by kind and by verdict, all papers together."""
    whats = dict.fromkeys(what for audit in audits for what in audit.claimed)
    for what in whats:
        total = Counter[str]()
        for audit in audits:
            total.update(audit.claimed.get(what, {}))
        words = ", ".join(
            f"{name.replace('_', ' ')} {number}" for name, number in total.most_common()
        )
        yield Text.assemble((f"claimed numerals, {what} ", "bold"), words)
    yield Text()


def _papers(audits: Sequence[PaperAudit], *first: str) -> Table:
    """An empty table with a column for each paper."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in first:
        table.add_column(name, no_wrap=True)
    for audit in audits:
        table.add_column(Text(audit.title), justify="right", overflow="fold")
    return table


def _table(audits: Sequence[PaperAudit]) -> Table:
    several = len(audits) > 1
    table = _papers(audits, "question", "verdict")
    if several:
        table.add_column("all", justify="right", style="bold")
    for question, verdicts in VERDICTS.items():
        tables = [counts(audit.claims, question) for audit in audits]
        occurring = [verdict for verdict in verdicts if any(found[verdict] for found in tables)]
        for verdict in occurring:
            numbers = [found[verdict] for found in tables]
            first = f"{question}?" if verdict == occurring[0] else ""
            mark, tone, _ = SIGNS[verdict]
            cells = [f"{number:,}" if number else "·" for number in numbers]
            table.add_row(
                first,
                Text(f"{mark} {verdict}", style=STYLES[tone]),
                *cells,
                *([f"{sum(numbers):,}"] if several else []),
                end_section=verdict == occurring[-1],
            )
    return table
