"""The audit in a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from analysis.audit.findings import Finding, Judged, PaperAudit
from analysis.audit.terminal import summary
from analysis.claims import Claim

LONG = "100 · (5375 − 1276) / 1276 = 321.2 %;\nwithin rounding " + "[321.0, 321.5] % " * 9


def judged(name: str, consistent: str, *findings: Finding) -> Judged:
    claim = Claim(id=name, place="Table 1", quote="Ours +321% +47%", kind="number", value="+321%")
    return Judged("toy", "Toy", claim, consistent, "no power", "untested", findings)


def audits() -> list[PaperAudit]:
    fails = Finding("gain", "consistent", "improvement", "inconsistent", LONG)
    holds = Finding("gain", "consistent", "same quantity", "consistent", "321 = 321")
    first = (judged("gain", "inconsistent", fails, holds), judged("kept", "consistent"))
    second = (judged("other", "consistent"),)
    return [
        PaperAudit("toy", "Toy", None, first, (), {}, ()),
        PaperAudit("two", "Second", None, second, (), {}, ()),
    ]


def printed(given: list[PaperAudit], width: int = 80, terminal: bool = False) -> str:
    out = io.StringIO()
    colours = "standard" if terminal else "auto"
    console = Console(file=out, width=width, force_terminal=terminal, color_system=colours)
    console.print(summary(given))
    return out.getvalue()


def test_counts_by_paper_and_in_all() -> None:
    rows = [line.split() for line in printed(audits()).splitlines()]
    assert ["question", "verdict", "Toy", "Second", "all"] in rows
    assert ["consistent?", "✓", "consistent", "1", "1", "2"] in rows
    assert ["✕", "inconsistent", "1", "·", "1"] in rows
    assert ["possible?", "○", "no", "power", "2", "1", "3"] in rows
    assert ["replicated?", "–", "untested", "2", "1", "3"] in rows


def test_claims_that_do_not_agree_are_named_with_a_line_of_arithmetic() -> None:
    lines = printed(audits()).splitlines()
    start = lines.index("1 claim does not agree:")
    assert lines[start + 1] == "✕ gain  Toy, Table 1: +321%"
    assert lines[start + 2].startswith("  improvement: inconsistent. 100 · (5375 − 1276) / 1276 =")
    assert lines[start + 2].endswith("…")
    assert lines[start + 3].strip() == ""
    assert max(map(len, lines)) <= 80


def test_a_wider_terminal_shows_more_of_the_arithmetic() -> None:
    assert printed(audits(), 120).count("[321.0, 321.5]") > printed(audits(), 80).count("[321.0")


def test_nothing_is_listed_where_all_agree() -> None:
    assert "not agree" not in printed(audits()[1:])


def test_colour_is_left_out_where_there_is_no_terminal() -> None:
    assert "\x1b[" not in printed(audits())
    assert "\x1b[" in printed(audits(), terminal=True)


def test_coverage_is_counted_and_what_cannot_be_tested_says_why() -> None:
    why = "judged by a model that is not public"
    claims = [
        Claim(id=name, place="x", quote="…", kind="statement", untestable=why) for name in "ab"
    ]
    judged = tuple(Judged("p", "P", one, *["not checked"] * 2, "untestable", ()) for one in claims)
    coverage = {"claimed": 3, "specified": 1, "rule: label": 5, "rule: citation": 2}
    claimed = {"kind": {"mean": 2, "p_value": 1}, "consistent?": {"consistent": 3}}
    audit = PaperAudit("p", "P", None, judged, (), coverage, (), claimed)
    lines = printed([audit, audit])
    assert f"⊘ a and 1 more: {why}" in lines
    assert "P: 2 claims cannot be tested here:" in lines
    rows = [line.split() for line in lines.splitlines()]
    assert ["left", "out", "by", "rule", "7", "7"] in rows
    assert ["open", "0", "0"] in rows
    assert "claimed numerals, kind mean 4, p value 2" in lines
    assert "claimed numerals, consistent? consistent 6" in lines
