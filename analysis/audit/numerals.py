"""Numerals: what a paper's text prints as digits, each with its line and the squashed words on either side.

The text itself is not part of this repository. It is read once into a table, `numerals.csv`, which holds no more of
the text than these few characters around each numeral.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from algorithms.records import atomic_path
from algorithms.specification import SpecificationError

Span = tuple[int, int]
Rule = Callable[[str], Iterator[Span]]  # where in a normalised text numerals assert nothing
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


# Spelling ----------------------------------------------------------------------------------------


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


def squash_numerals(text: str, numerals: Sequence[Span]) -> tuple[str, list[Span]]:
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


def blank(text: str, spans: Iterable[Span]) -> str:
    """The text with `spans` replaced by as many spaces."""
    letters = list(text)
    for begin, end in spans:
        letters[begin:end] = " " * (end - begin)
    return "".join(letters)


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


# Reading and writing -----------------------------------------------------------------------------


def read_numerals(text: str, rules: Mapping[str, Rule]) -> list[Numeral]:
    """Every numeral of a paper's text, in order; every digit belongs to one.

    `rules` say by name which numerals assert nothing; the first that applies counts, after the margin.
    """
    page = normalise(text)
    margins = list(margin_numbers(page))
    clean = blank(page, margins)
    ruled = _ruled(clean, rules)
    ruled.update((place, MARGIN) for span in margins for place in range(*span))
    found = list(NUMERAL.finditer(page))
    words, places = squash_numerals(clean, [match.span() for match in found])
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


def _ruled(clean: str, rules: Mapping[str, Rule]) -> dict[int, str]:
    """Which rule explains the digit at each place; the first rule that does."""
    ruled: dict[int, str] = {}
    for name, rule in rules.items():
        for begin, end in rule(clean):
            for place in range(begin, end):
                if clean[place].isdecimal():
                    ruled.setdefault(place, name)
    return ruled


# Margin line numbers -------------------------------------------------------------------------------

_STANDALONE = re.compile(
    r"(?:(?<=\s)|(?<=^)|(?<=[a-z]-)|(?<=\$\$)|(?<=\*\*)|(?<=<sup>))(\d{3,4})(?=\s|$|\*\*|</sup>|[a-z])",
    re.MULTILINE,
)
_BARE_LINE = re.compile(r"^(?=.*\d)[ \t\-*]*(?:(?:<sup>)?\d+(?:</sup>)?[ ]*)+$", re.MULTILINE)
_WINDOW = 8  # candidates on either side that may support one
_NUMBERED = 20  # a text with fewer margin numbers has none


def standalone_numbers(page: str) -> list[Span]:
    """Whole numbers of three or four digits that stand alone: each may be a margin number."""
    return [found.span(1) for found in _STANDALONE.finditer(page)]


def margin_numbers(page: str) -> Iterator[Span]:
    """The line numbers that a review template prints in its margin, wherever extraction has put them.

    Candidates are the numbers that stand alone. Margin numbers count lines, so their neighbours
    among the candidates differ from them by about as much as they are apart; a real numeral fits such a
    sequence only by accident. Lines of nothing but whole numbers belong to the margin too.
    """
    candidates = standalone_numbers(page)
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
