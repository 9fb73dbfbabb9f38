"""Coverage: every numeral of a paper's text stands in a claim, in a requirement, or has a reason for asserting nothing.

The text itself is not part of this repository. `list` reads it once and writes `numerals.csv`: each numeral with
its line, a few squashed characters on either side, and the generic rule that says why it asserts nothing (a
citation's year, an equation's number, …) where one does. `show` and the tests need only that table: a
numeral is covered where a quote has the same numeral in the same neighbourhood.

Numbers printed as words ("five seeds") are out of scope.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from algorithms.specification import SpecificationError
from analysis.audit.numeral_rules import RULES
from analysis.audit.numerals import (
    MARGIN,
    NUMERAL,
    REACH,
    Numeral,
    blank,
    load_numerals,
    margin_numbers,
    normalise,
    printed,
    read_numerals,
    squash_numerals,
    standalone_numbers,
    write_numerals,
)
from analysis.audit.specification import Skip, read_skips, read_specification
from analysis.claims import Claim, read_claims

How = Literal["rule", "claimed", "specified", "skipped", "open"]
HOWS: tuple[How, ...] = ("rule", "claimed", "specified", "skipped", "open")

_PARTS = re.compile(r"([+-]?)(.+?)([%kKM]?)")


@dataclass(frozen=True)
class Covered:
    """A numeral, and what covers it: the ids of claims, the items of requirements, or the reason of a skip."""

    numeral: Numeral
    claims: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    skip: str | None = None

    @property
    def how(self) -> How:
        """What covers the numeral: the first of rule, claimed, specified, skipped; else open."""
        if self.numeral.rule:
            return "rule"
        if self.claims:
            return "claimed"
        if self.requirements:
            return "specified"
        return "skipped" if self.skip is not None else "open"


class Owner(NamedTuple):
    """Who quotes: a claim by its id, a requirement by its item, a skip by its reason."""

    kind: Literal["claim", "requirement", "skip"]
    name: str


class Quotes:
    """Which quotes hold a numeral, and between which squashed words.

    `margins` are the margin numbers of the text: a quote may contain them or leave them out.
    """

    def __init__(self, margins: frozenset[str] = frozenset()) -> None:
        self._margins = margins
        self._seen: dict[str, dict[tuple[str, str], list[Owner]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(self, quote: str, owner: Owner) -> None:
        """Index every numeral of a quote."""
        for number, before, after in _surroundings(quote, self._margins):
            self._seen[number][before, after].append(owner)

    def owners(self, numeral: Numeral) -> list[Owner]:
        """Those whose quotes hold this numeral of the text: what stands around it in the quote does so in the text.

        A quote may begin behind the numeral's sign and end before its % or k.
        """
        sign, number, end = _parts(numeral.numeral)
        left, right = numeral.before + sign, end + numeral.after
        found: dict[Owner, None] = {}
        for (before, after), owners in self._seen.get(number, {}).items():
            if left.endswith(before) and right.startswith(after):
                found.update(dict.fromkeys(owners))
        return list(found)


def coverage(folder: Path) -> list[Covered]:
    """What covers each numeral in the folder's numerals.csv, in the order of the text. Raises SpecificationError."""
    numerals = load_numerals(folder / "numerals.csv")
    skips = read_skips(folder)
    quotes = Quotes(_margins(numerals))
    for quote, owner in all_quotes(folder):
        quotes.add(quote, owner)
    lines = _skipped_lines(skips)
    return [_cover(numeral, quotes, lines) for numeral in numerals]


def all_quotes(folder: Path) -> list[tuple[str, Owner]]:
    """Every quote of a paper's claims, requirements and skips, and whose it is. Raises SpecificationError."""
    quotes = [(claim.quote, Owner("claim", claim.id)) for claim in _claims(folder)]
    quotes += [
        (requirement.quote, Owner("requirement", requirement.item))
        for requirement in read_specification(folder)
        if requirement.quote is not None
    ]
    quotes += [
        (quote, Owner("skip", skip.reason)) for skip in read_skips(folder) for quote in skip.quotes
    ]
    return quotes


def tally(covered: Iterable[Covered], labels: Mapping[str, str]) -> Counter[str]:
    """How many numerals stand in the quote of a claim with each label, such as its kind or its verdict.

    `labels` maps claims' ids to labels. A numeral that several claims quote counts once for each of their labels.
    """
    counts: Counter[str] = Counter()
    for row in covered:
        counts.update({labels[claim] for claim in row.claims if claim in labels})
    return counts


def misquoted(folder: Path, text: str) -> list[tuple[Owner, str]]:
    """The quotes of a folder that do not stand in the paper's text. Raises SpecificationError."""
    page = normalise(text)
    spans = list(margin_numbers(page))
    margins = frozenset(page[begin:end] for begin, end in spans)
    words = _comparable(blank(page, spans))
    return [
        (owner, quote)
        for quote, owner in all_quotes(folder)
        if not any(_comparable(version) in words for version in _versions(quote, margins))
    ]


def _claims(folder: Path) -> tuple[Claim, ...]:
    path = folder / "claims.yaml"
    return read_claims(path).claims if path.is_file() else ()


def _cover(numeral: Numeral, quotes: Quotes, lines: Mapping[int, str]) -> Covered:
    """What covers one numeral; quotes are not consulted where a rule explains it."""
    if numeral.rule:
        return Covered(numeral)
    owners = quotes.owners(numeral)
    named = {
        kind: tuple(owner.name for owner in owners if owner.kind == kind)
        for kind in ("claim", "requirement", "skip")
    }
    skip = next(iter(named["skip"]), lines.get(numeral.line))
    return Covered(numeral, named["claim"], named["requirement"], skip)


def _skipped_lines(skips: Iterable[Skip]) -> dict[int, str]:
    """The reason for each line of the text that is skipped as a whole."""
    reasons: dict[int, str] = {}
    for skip in skips:
        for lines in skip.lines:
            first, _, last = lines.partition("-")
            for line in range(int(first), int(last or first) + 1):
                reasons.setdefault(line, skip.reason)
    return reasons


def _margins(numerals: Iterable[Numeral]) -> frozenset[str]:
    return frozenset(row.numeral for row in numerals if row.rule == MARGIN)


@lru_cache(maxsize=16_384)
def _parts(numeral: str) -> tuple[str, str, str]:
    """A printed numeral as its sign, its number and its % or k."""
    found = _PARTS.fullmatch(numeral)
    assert found is not None  # any text fits, and no numeral is empty
    return found[1], found[2], found[3]


@lru_cache(maxsize=16_384)
def _surroundings(quote: str, margins: frozenset[str]) -> tuple[tuple[str, str, str], ...]:
    """Each numeral of a quote without sign and %, and what stands around it, at most REACH characters a side."""
    found: dict[tuple[str, str, str], None] = {}
    for version in _versions(quote, margins):
        spans = [match.span() for match in NUMERAL.finditer(version)]
        words, places = squash_numerals(version, spans)
        for (begin, end), (left, right) in zip(spans, places, strict=True):
            sign, number, ending = _parts(printed(version[begin:end]))
            before = words[max(0, left - REACH) : left] + sign
            found[number, before[-REACH:], (ending + words[right : right + REACH])[:REACH]] = None
    return tuple(found)


def _versions(quote: str, margins: frozenset[str]) -> list[str]:
    """A quote, normalised; and once more without the numbers that stand in the margin of the text."""
    page = normalise(quote)
    if not margins:
        return [page]
    spans = [span for span in standalone_numbers(page) if page[slice(*span)] in margins]
    return [page, blank(page, spans)] if spans else [page]


def _comparable(page: str) -> str:
    """A normalised text squashed as a whole."""
    return squash_numerals(page, [found.span() for found in NUMERAL.finditer(page)])[0]


# Command line --------------------------------------------------------------------------------------


def show(folder: Path, text: str | None, console: Console) -> bool:
    """Print the coverage of a paper and what is open; whether nothing is. Raises SpecificationError."""
    rows = coverage(folder)
    claims = _claims(folder)
    counts = Counter(row.how for row in rows)
    summary = Table("numerals", *HOWS, title=f"{folder.name}: coverage")
    summary.add_row(str(len(rows)), *(str(counts[how]) for how in HOWS))
    console.print(summary)
    _print_counts(console, "by rule", Counter(row.numeral.rule for row in rows if row.numeral.rule))
    kinds = tally(rows, {claim.id: claim.kind for claim in claims})
    _print_counts(console, "by kind of claim", kinds)
    untestable = [(claim.id, claim.untestable) for claim in claims if claim.untestable]
    _print_list(console, "not testable", ("claim", "why"), untestable)
    open_rows = [row.numeral for row in rows if row.how == "open"]
    listed = [(str(n.line), f"{n.before} |{n.numeral}| {n.after}") for n in open_rows]
    _print_list(
        console,
        "open: quote them in a claim or requirement, or skip them",
        ("line", "numeral"),
        listed,
    )
    if text is None:
        return not open_rows
    wrong = [(f"{owner.kind} {owner.name}", quote) for owner, quote in misquoted(folder, text)]
    _print_list(console, "quotes that do not stand in the text", ("whose", "quote"), wrong)
    current = read_numerals(text, RULES) == [row.numeral for row in rows]
    if not current:
        console.print(
            f"{folder / 'numerals.csv'} is not what the text gives: regenerate it with list"
        )
    return current and not open_rows and not wrong


def _print_counts(console: Console, title: str, counts: Counter[str]) -> None:
    table = Table("", "numerals", title=title)
    for name, count in counts.most_common():
        table.add_row(name, str(count))
    console.print(table)


def _print_list(
    console: Console, title: str, heads: tuple[str, str], rows: Sequence[tuple[str, str]]
) -> None:
    if not rows:
        return
    table = Table(*heads, title=title)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecificationError(f"{path}: cannot be read as text: {error}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """List a text's numerals, or show what covers them. 1 where something is open, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m analysis.audit.coverage", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="write a text's numerals to a table")
    listing.add_argument("text", type=Path, help="the paper's text")
    listing.add_argument("--output", type=Path, required=True, help="the csv to write")
    showing = commands.add_parser("show", help="print what covers each paper's numerals")
    showing.add_argument("folders", type=Path, nargs="+", help="folders of papers")
    showing.add_argument(
        "--text", type=Path, action="append", help="the text of each folder's paper, in their order"
    )
    options = parser.parse_args(argv)
    try:
        if options.command == "list":
            write_numerals(read_numerals(_read_text(options.text), RULES), options.output)
            return 0
        texts = [_read_text(path) for path in options.text or ()]
        if texts and len(texts) != len(options.folders):
            parser.error(f"{len(options.folders)} folders need as many --text (got {len(texts)})")
        console = Console()
        given: list[str | None] = [*texts] or [None] * len(options.folders)
        complete = [
            show(folder, text, console) for folder, text in zip(options.folders, given, strict=True)
        ]
    except SpecificationError as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
