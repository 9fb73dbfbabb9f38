"""Coverage: every numeral of a paper's text stands in a claim, in a requirement, or has a reason for asserting nothing.

The text itself is not part of this repository. `list` reads it once and writes `numerals.csv`: each numeral with
its line, a few squashed characters on either side, and the generic rule that says why it asserts nothing (a
citation's year, an equation's number, …) where one does. `show` and the tests need only that table: a
numeral is covered where a quote has the same numeral in the same neighbourhood.

Numbers printed as words ("five seeds") are out of scope.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from algorithms.records import atomic_path
from algorithms.specification import SpecificationError
from analysis.audit.specification import Skip, read_skips, read_specification
from analysis.claims import Claim, read_claims

Span = tuple[int, int]
How = Literal["rule", "claimed", "specified", "skipped", "open"]
HOWS: tuple[How, ...] = ("rule", "claimed", "specified", "skipped", "open")
MARGIN = "margin number"
REACH = 24  # squashed characters kept on either side of a numeral that no rule explains
SHORT_REACH = 10  # and of one that a rule explains: nothing has to match it

NUMERAL = re.compile(
    r"(?:(?<![\w)\]}%.])[+-](?=[\d.]))?"
    r"(?:10\s*\^\s*(?:\{\s*[+-]?\d+\s*\}|[+-]?\d+)"
    r"|(?:[1-9]\d{0,2}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+)"
    r"(?:e[+-]?\d+(?!\w))?"
    r"(?:\s*(?:\\times|×)\s*10\s*\^\s*(?:\{\s*[+-]?\d+\s*\}|[+-]?\d+))?"
    r"(?:\s?\\?%|[kKM](?![A-Za-z]))?"
)
_SUPERSCRIPTS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_DASHES = str.maketrans({"−": "-", "‐": "-", "‑": "-", "–": "-", "—": "-", "\u00ad": "-"})
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")
_TAG = re.compile(r"</?[A-Za-z]+>")
_DROPPED = re.compile(r"[^\w%±<>=×≈→+≤≥]|_")
_SIGNS = {
    "pm": "±", "times": "×", "approx": "≈", "rightarrow": "→", "to": "→", "leq": "≤", "le": "≤",
    "leqslant": "≤", "geq": "≥", "ge": "≥", "geqslant": "≥", "lt": "<", "gt": ">", "infty": "",
}  # fmt: skip
_OPERATORS = {
    "arg", "cos", "det", "dim", "exp", "inf", "lim", "ln", "log", "max", "min", "sin", "sup", "tanh",
}  # fmt: skip


class Numeral(NamedTuple):
    """A numeral of a text: where it stands, as printed, its squashed neighbourhood, and why it asserts nothing.

    `line` counts from 1, `column` from 1 within the normalised line; `rule` is "" where no rule applies.
    """

    line: int
    column: int
    numeral: str
    before: str
    after: str
    rule: str


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


# Reading a text ----------------------------------------------------------------------------------


def normalise(text: str) -> str:
    """One spelling for what looks the same: NFKC, one kind of dash, superscript digits as <sup>12</sup>."""
    marked = _SUPERSCRIPTS.sub(lambda found: f"<sup>{found[0]}</sup>", text)
    return unicodedata.normalize("NFKC", marked).translate(_DASHES)


def squash(text: str) -> str:
    """What of a normalised text is compared: letters, digits and % ± < > = × ≈ → + ≤ ≥; LaTeX signs and Greek are read."""
    if "<" in text:
        text = _TAG.sub("", text)
    if "\\" in text:
        text = _COMMAND.sub(_read_command, text)
    return _DROPPED.sub("", text)


@lru_cache(maxsize=16_384)
def printed(numeral: str) -> str:
    """A numeral in one spelling: "3 \\times 10^{-4}" is "3×10^-4", "10.8\\%" is "10.8%"."""
    return re.sub(r"[\s{}\\]", "", numeral.replace("\\times", "×"))


def read_numerals(text: str) -> list[Numeral]:
    """Every numeral of a paper's text, in order; every digit belongs to one."""
    page = normalise(text)
    margins = list(margin_numbers(page))
    clean = _blank(page, margins)
    ruled = _ruled(clean)
    ruled.update((place, MARGIN) for span in margins for place in range(*span))
    found = list(NUMERAL.finditer(page))
    words, places = _squashed(clean, [match.span() for match in found])
    line, begin = 1, 0
    rows = []
    for match, (left, right) in zip(found, places, strict=True):
        line += page.count("\n", begin, match.start())
        begin = match.start()
        digit = next(i for i in range(*match.span()) if page[i].isdecimal())
        rule = ruled.get(digit, "")
        reach = SHORT_REACH if rule else REACH
        column = match.start() - page.rfind("\n", 0, match.start())
        before, after = words[max(0, left - reach) : left], words[right : right + reach]
        rows.append(Numeral(line, column, printed(match[0]), before, after, rule))
    return rows


def write_numerals(numerals: Iterable[Numeral], path: Path) -> None:
    """Write the table of numerals: line, column, numeral, before, after, rule."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Numeral._fields)
        table.writerows(numerals)


def load_numerals(path: Path) -> list[Numeral]:
    """Read a table that `write_numerals` wrote. Raises SpecificationError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    if not rows or tuple(rows[0]) != Numeral._fields:
        raise SpecificationError(f"{path}:1: must begin with {','.join(Numeral._fields)}")
    numerals = []
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(Numeral._fields) or not (row[0].isdecimal() and row[1].isdecimal()):
            raise SpecificationError(f"{path}:{number}: no numeral: {','.join(row)!r}")
        numerals.append(Numeral(int(row[0]), int(row[1]), *row[2:]))
    return numerals


def _read_command(found: re.Match[str]) -> str:
    """A LaTeX command as the sign, Greek letter or word that it prints; others print nothing that is compared."""
    name = found[1]
    if name in _SIGNS:
        return _SIGNS[name]
    if name in _OPERATORS:
        return name
    case = "SMALL" if name[0].islower() else "CAPITAL"
    try:
        letter = name.removeprefix("var").upper().replace("LAMBDA", "LAMDA")
        return unicodedata.lookup(f"GREEK {case} LETTER {letter}")
    except KeyError:
        return ""


def _squashed(text: str, numerals: Sequence[Span]) -> tuple[str, list[Span]]:
    """A normalised text squashed, its numerals without sign, and where in it each numeral stands."""
    pieces: list[str] = []
    places: list[Span] = []
    length = end = 0
    for begin, stop in numerals:
        between = squash(text[end:begin])
        number = printed(text[begin:stop]).lstrip("+-")
        pieces += (between, number)
        length += len(between) + len(number)
        places.append((length - len(number), length))
        end = stop
    pieces.append(squash(text[end:]))
    return "".join(pieces), places


def _blank(text: str, spans: Iterable[Span]) -> str:
    """The text with `spans` replaced by as many spaces."""
    letters = list(text)
    for begin, end in spans:
        letters[begin:end] = " " * (end - begin)
    return "".join(letters)


# Margin line numbers -------------------------------------------------------------------------------

_STANDALONE = re.compile(
    r"(?:(?<=\s)|(?<=^)|(?<=[a-z]-)|(?<=\$\$)|(?<=\*\*)|(?<=<sup>))(\d{3,4})(?=\s|$|\*\*|</sup>|[a-z])",
    re.MULTILINE,
)
_BARE_LINE = re.compile(r"^(?=.*\d)[ \t\-*]*(?:(?:<sup>)?\d+(?:</sup>)?[ ]*)+$", re.MULTILINE)
_WINDOW = 8  # candidates on either side that may support one
_NUMBERED = 20  # a text with fewer margin numbers has none


def margin_numbers(page: str) -> Iterator[Span]:
    """The line numbers that a review template prints in its margin, wherever extraction has put them.

    Candidates are whole numbers of three or four digits that stand alone. They count lines, so their neighbours
    among the candidates differ from them by about as much as they are apart; a real numeral fits such a
    sequence only by accident. Lines of nothing but whole numbers belong to the margin too.
    """
    candidates = [(found.start(1), found.end(1)) for found in _STANDALONE.finditer(page)]
    values = [int(page[begin:end]) for begin, end in candidates]
    margins = {
        span
        for index, span in enumerate(candidates)
        if _in_sequence(values, index, starts_line=page[: span[0]].endswith(("\n", "\n- ")))
    }
    if len(margins) < _NUMBERED:
        return
    margins |= set(_paragraph_starts(page, candidates, margins))
    for line in _BARE_LINE.finditer(page):
        numbers = re.finditer(r"\d+", line[0])
        margins |= {(line.start() + n.start(), line.start() + n.end()) for n in numbers}
    yield from sorted(margins)


def _paragraph_starts(page: str, candidates: Sequence[Span], margins: set[Span]) -> Iterator[Span]:
    """Candidates that begin a paragraph and lie between margin numbers before and after them, however far apart."""
    values = [
        int(page[begin:end]) if (begin, end) in margins else None for begin, end in candidates
    ]
    for index, (begin, end) in enumerate(candidates):
        if values[index] is None and page[:begin].endswith("\n\n"):
            value = int(page[begin:end])
            before = [v for v in values[max(0, index - 3 * _WINDOW) : index] if v is not None]
            after = [v for v in values[index : index + 3 * _WINDOW] if v is not None]
            if any(v < value for v in before) and any(v > value for v in after):
                yield begin, end


def _in_sequence(values: Sequence[int], index: int, starts_line: bool) -> bool:
    """Whether values[index] goes on from the candidates around it; extraction may lose the first digit of a line."""
    value = values[index]
    around = range(max(0, index - _WINDOW), min(len(values), index + _WINDOW + 1))
    if starts_line and value < 1000:
        lost = [i for i in around if values[i] >= 1000 and values[i] % 1000 - value == i - index]
        if len(lost) >= 2:
            return True
    steps = [(values[i] - value, i - index) for i in around if i != index]
    support = sum(0 < step / apart <= 3 for step, apart in steps)
    beside = any(step == apart and abs(apart) == 1 for step, apart in steps)
    return support >= 2 or (starts_line and beside)


# Generic rules -------------------------------------------------------------------------------------

_YEAR = r"(?:1[89]|20)\d\d[a-z]?"
_CITATION = re.compile(
    rf"(?:[A-Z][\w'’\-]+\**\s*[,(]|\bal\.?\**\s*,?\s*\(?)\s*{_YEAR}(?:\s*[,;]\s*{_YEAR})*(?=\s*[);,.:]|\s*$)",
    re.MULTILINE,
)
_ADDRESS = re.compile(
    r"https?://\S+|\barXiv(?:\s+preprint)?(?:\s+arXiv)?\s*:?\s*\d{4}\.\d{4,5}|\babs/\d{4}\.\d{4,5}|\bdoi:\S+",
    re.IGNORECASE,
)
_EQUATION_LABEL = re.compile(
    r"\\tag\{(\d+)\}|\((\d{1,3})\)\s*\$\$|^\s*\((\d{1,3})\)\s*$|\$\s*\((\d{1,3})\)\s*$",
    re.MULTILINE,
)
_ITEM = r"\(?(?:[A-Z]\.)?\d+(?:\.\d+)*\)?(?![\d%])"
_ONE = (
    r"(?:figure|fig\.|table|tab\.|section|sec\.|appendix|theorem|thm\.|proposition|prop\.|lemma|corollary"
    r"|remark|assumption|definition|algorithm|equation|eq\.|phase|chapter|footnote|page)"
)
_MANY = (
    r"(?:figures|figs\.|tables|sections|appendices|theorems|propositions|lemmas|corollaries|remarks"
    r"|(?:as-?\s*)?sumptions|definitions|algorithms|equations|eqs\.|phases|chapters)"
)
_LABEL = re.compile(
    rf"\b(?i:{_ONE})\s*{_ITEM}|\b(?i:experiment)\s+\d+\.\d+"
    rf"|\b(?i:{_MANY})\s*{_ITEM}(?:\s*(?:,\s*(?:and\s+)?|and\s+|or\s+|to\s+|-)\s*{_ITEM})*"
)
_SECTION = r"(?:[A-Z]\.)?\d+(?:\.\d+)*\.?"
_HEADING = re.compile(
    rf"^[ ]*\#{{1,6}}[ ]*\**{_SECTION}[ ]"
    rf"|^[ \-*]*{_SECTION}[ ]+\**(?=[A-Z][A-Z0-9 \-:,&'’()/]{{3,}}\**[ ]*$)"
    r"|^[ \-*]*(?:[A-Z]\.)?\d+(?:\.\d+)+[ ]+(?=[A-Z][a-z][^.\t\n|=]{5,80}$)"
    r"|^[ \-*]*[A-Z][A-Z \-*]{7,}\**[ ]+\d+(?:\.\d+)*[ ]*$"
    r"|\b[A-Z]\.\d+(?:\.\d+)*[ ]+\**[A-Z](?=[A-Z ]{8,})",
    re.MULTILINE,
)
_FOOTNOTE = re.compile(r"<sup>\d+</sup>")
_IDENTIFIER = re.compile(
    r"[A-Za-z0-9]-[vV]\d+\b|\b[vV]\d+\b|\b[A-Z]{2,}-\d{1,2}\b(?!\.\d|%|-)"
    r"|(?<![\\\w])(?:[A-Za-z]{2,}|[A-Z])\d+\w*(?!\.\d|%|\w)|\b\d+[A-Z]-\d+\b"
    r"|\b(?i:RTX|GTX|Geforce|Ryzen|Xeon|EPYC)\s+\d+(?:\s+\d{3,4}X?\w?\b)?"
)
_ENUMERATION = re.compile(r"(?<![\w(.\-])\d{1,2}\)(?=[\s*])")
_LISTED = re.compile(r"^[ ]*\d{1,2}\.[ ]+(?=[A-Z*])", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^[ ]*\d+:|\bfor\s+\w+\s*=\s*\d+\s+to\b", re.MULTILINE)
_REFERENCES = re.compile(
    r"^[ #*\-]*(?:REFERENCES|References|BIBLIOGRAPHY|Bibliography)\W*$", re.MULTILINE
)
_APPENDIX = re.compile(
    r"^[ #*\-]*(?:A[ .]+(?=[A-Z]{2,})|APPENDI|SUPPLEMENT)|^[ ]*#+[ ]", re.MULTILINE
)


def reference_list(text: str) -> Iterator[Span]:
    """Everything between the heading of the references and the appendix, or the next heading."""
    for heading in _REFERENCES.finditer(text):
        end = _APPENDIX.search(text, heading.end())
        yield heading.start(), end.start() if end else len(text)


def citation_years(text: str) -> Iterator[Span]:
    """Years of works: "(Haarnoja et al., 2018a)", "Horn & Johnson (2012)"."""
    return (found.span() for found in _CITATION.finditer(text))


def addresses(text: str) -> Iterator[Span]:
    """URLs, DOIs and arXiv numbers."""
    return (found.span() for found in _ADDRESS.finditer(text))


def equation_numbers(text: str) -> Iterator[Span]:
    """Numbers of equations, where they label one ("\\tag{9}", "(5)$$") and in brackets where they refer to it.

    "(59)" refers to an equation only if the text labels one so; otherwise it is a number in brackets.
    """
    labels = set()
    for found in _EQUATION_LABEL.finditer(text):
        labels.add(next(group for group in found.groups() if group))
        yield found.span()
    for found in re.finditer(r"(?<![\w}])\((\d{1,3})\)", text):
        if found[1] in labels:
            yield found.span()


def labels(text: str) -> Iterator[Span]:
    """Names of parts of the text: "Figure A.3", "Theorem 1", "Assumptions 4.1, 4.2, and 4.4", "Phase 2"."""
    return (found.span() for found in _LABEL.finditer(text))


def heading_numbers(text: str) -> Iterator[Span]:
    """Numbers of headings: "5.1 VALIDATION", "## 4 EXPERIMENTS"."""
    return (found.span() for found in _HEADING.finditer(text))


def footnote_marks(text: str) -> Iterator[Span]:
    """Raised digits that name a footnote."""
    return (found.span() for found in _FOOTNOTE.finditer(text))


def identifiers(text: str) -> Iterator[Span]:
    """Digits that are part of a name: HalfCheetah-v4, GPT-4, Walker2D, RTX 3090, Ryzen 9 5900X."""
    return (found.span() for found in _IDENTIFIER.finditer(text))


def enumerations(text: str) -> Iterator[Span]:
    """Marks of an enumeration, "1)" or "2." at the start of a line; not the end of a bracket, "(at most 5)"."""
    for found in _ENUMERATION.finditer(text):
        paragraph = text[text.rfind("\n\n", 0, found.start()) + 1 : found.start()]
        depth = 0
        for sign in re.findall(r"[()]", paragraph):
            depth = depth + 1 if sign == "(" else max(0, depth - 1)
        if depth == 0:
            yield found.span()
    yield from (found.span() for found in _LISTED.finditer(text))


def listings(text: str) -> Iterator[Span]:
    """Line numbers and counters of a program in a code block: "3: for iteration = 1 to N do"."""
    for block in _CODE.finditer(text):
        for found in _STEP.finditer(block[0]):
            yield block.start() + found.start(), block.start() + found.end()


# Mathematics ---------------------------------------------------------------------------------------

_DISPLAY = re.compile(r"\$\$(?:(?!\n\s*\n).)+?\$\$", re.DOTALL)
_INLINE = re.compile(r"(?<![\\$])\$(?!\$)((?:(?!\n\s*\n)[^$])+?)(?<!\\)\$")
_SCRIPT = re.compile(r"[_^](?:\d+|\{(?:[^{}]|\{[^{}]*\})*\})")
_RELATION = (
    r"(?:[=<>≈∈±≤≥~→:]|\\(?:approx|in|pm|leq?|geq?|sim|simeq|ll|gg|to|rightarrow|neq?|times)\b)"
)
_OPENS = re.compile(rf"(?:^|{_RELATION}|[(\[,;]|\\\{{)\s*$")
_CLOSES = re.compile(
    rf"\s*(?:$|{_RELATION}|[)\],;.|]|\\\}}|\\text\{{\s|\\(?:dots|ldots|cdots|quad|mid)\b|\\[%,; ]|%)"
)
_INDEX = re.compile(r"\b[ij]'?\s*(?:=|\\in)[\s\\{(\[\d,]*$|\b[a-z]'?\s*=\s*$")
_INDEX_ON = re.compile(r"\s*(?:,\s*)?\\?(?:dots|ldots|cdots|\.\.\.)")
_FUNCTION = re.compile(r"(?:[A-Za-z}\]']|\\[A-Za-z]+)\s*$")
_NO_FUNCTION = re.compile(
    r"(?:\\(?:approx|in|pm|leq?|geq?|sim|ll|gg|to|rightarrow|quad|text|left|times|cdot)|\\text\{[^{}]*\})\s*$"
)


def mathematics(text: str) -> Iterator[Span]:
    """Numerals that are part of a formula: in a line's formula those that `is_structure` names, in a display all others too.

    A decimal outside of scripts and commands states a value even in a display, "= 1 + 0.5 = 1.5". Subscripts and
    powers count wherever they stand.
    """
    displays = [found.span() for found in _DISPLAY.finditer(text)]
    formulas = [found.span(1) for found in _INLINE.finditer(_blank(text, displays))]
    for spans, is_display in ((displays, True), (formulas, False)):
        for begin, end in spans:
            formula = text[begin:end]
            for number in NUMERAL.finditer(formula):
                whole = is_display and "." not in number[0]
                if whole or is_structure(formula, *number.span()):
                    yield begin + number.start(), begin + number.end()
    yield from (found.span() for found in _SCRIPT.finditer(text))


def is_structure(formula: str, begin: int, end: int) -> bool:
    """Whether the numeral formula[begin:end] is part of how the formula is built, rather than a value that it states.

    A value stands alone, in a set or range, or as one whole side of a relation: "\\lambda = 0.95", "\\{1, 2\\}". A decimal
    states a value as a term too. Indices, powers, arguments of functions and commands, and other terms are structure.
    """
    if any(kind != "group" for kind in _enclosing(formula, begin)):
        return True
    left, right = formula[:begin], formula[end:]
    if "." in formula[begin:end]:
        return False
    if not _OPENS.search(left) or not _CLOSES.match(right):
        return True
    index = _INDEX.search(left)
    return bool(index and (index[0].lstrip()[0] in "ij" or _INDEX_ON.match(right)))


def _enclosing(formula: str, place: int) -> list[str]:
    """The brackets open at `place`, outermost first: script, command, function (its argument) or group."""
    opened: list[str] = []
    for found in re.finditer(r"\\?[{}()\[\]]", formula[:place]):
        sign, before = found[0], formula[: found.start()]
        if sign in ("}", ")", "]", "\\}"):
            if opened:
                opened.pop()
        elif sign == "{":
            script = before.rstrip().endswith(("_", "^"))
            opened.append("script" if script else "command" if before else "group")
        elif _FUNCTION.search(before) and not _NO_FUNCTION.search(before):
            opened.append("function")
        else:
            opened.append("group")
    return opened


RULES: Mapping[str, Callable[[str], Iterator[Span]]] = {
    "reference list": reference_list,
    "address": addresses,
    "citation year": citation_years,
    "equation number": equation_numbers,
    "heading number": heading_numbers,
    "label": labels,
    "footnote mark": footnote_marks,
    "identifier": identifiers,
    "listing": listings,
    "enumeration": enumerations,
    "mathematics": mathematics,
}


def _ruled(clean: str) -> dict[int, str]:
    """Which rule explains the digit at each place; the first rule that does."""
    ruled: dict[int, str] = {}
    for name, rule in RULES.items():
        for begin, end in rule(clean):
            for place in range(begin, end):
                if clean[place].isdecimal():
                    ruled.setdefault(place, name)
    return ruled


# Matching ------------------------------------------------------------------------------------------

_PARTS = re.compile(r"([+-]?)(.+?)([%kKM]?)")


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
    words = _comparable(_blank(page, spans))
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
        words, places = _squashed(version, spans)
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
    spans = [n.span(1) for n in _STANDALONE.finditer(page) if n[1] in margins]
    return [page, _blank(page, spans)] if spans else [page]


def _comparable(page: str) -> str:
    """A normalised text squashed as a whole."""
    return _squashed(page, [found.span() for found in NUMERAL.finditer(page)])[0]


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
    current = read_numerals(text) == [row.numeral for row in rows]
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
            write_numerals(read_numerals(_read_text(options.text)), options.output)
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
