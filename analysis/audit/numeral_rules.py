"""Generic rules: which numerals of any paper's text assert nothing, such as a citation's year or an equation's number.

Each rule reads a normalised text and gives the places it explains. `RULES` names them, in the order in which they are
asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from analysis.audit.numerals import NUMERAL, Rule, Span, blank

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
    formulas = [found.span(1) for found in _INLINE.finditer(blank(text, displays))]
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


RULES: Mapping[str, Rule] = {
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
