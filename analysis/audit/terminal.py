"""The audit in a terminal: how many claims have each verdict, and those that do not agree."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from analysis.audit.findings import SIGNS, VERDICTS, PaperAudit, Tone, counts, disagreeing

STYLES: dict[Tone, str] = {
    "against": "bold red",
    "partly": "yellow",
    "open": "magenta",
    "holds": "green",
    "silent": "dim",
}


def summary(audits: Sequence[PaperAudit]) -> Group:
    """A table of the verdicts that occur, papers side by side, and every claim that does not agree, one after another.

    Both fit 80 columns. Where the output is no terminal, rich leaves the colours out; words and marks stay.
    """
    parts: list[RenderableType] = [_table(audits)]
    found = list(disagreeing(audits))
    if found:
        said = "1 claim does" if len(found) == 1 else f"{len(found):,} claims do"
        parts.append(Text(f"\n{said} not agree:", style="bold"))
    for judged, findings in found:
        claim = judged.claim
        head = Text.assemble(
            (f"✕ {claim.id}", STYLES["against"]), f"  {judged.title}, {claim.place}"
        )
        parts.append(head if claim.value is None else head.append(f": {claim.value}"))
        for finding in findings:
            line = " ".join(finding.arithmetic.split())
            text = Text.assemble((f"  {finding.check}: {finding.verdict}. ", "dim"), line)
            text.no_wrap, text.overflow = True, "ellipsis"
            parts.append(text)
    return Group(*parts)


def _table(audits: Sequence[PaperAudit]) -> Table:
    several = len(audits) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("question")
    table.add_column("verdict", no_wrap=True)
    for audit in audits:
        table.add_column(audit.title, justify="right", overflow="fold")
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
