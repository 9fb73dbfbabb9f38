"""Numerals of a text: what is printed, what stands around it, margin numbers, and the table of them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.specification import SpecificationError
from analysis.audit import numerals as n
from analysis.audit.numeral_rules import RULES


def read(text: str) -> list[n.Numeral]:
    return n.read_numerals(text, RULES)


def numerals(text: str) -> list[str]:
    return [row.numeral for row in read(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gains of +321% and −12%", ["+321%", "-12%"]),
        ("a buffer of 1,000,000 and 10,000 steps", ["1,000,000", "10,000"]),
        ("seeds {0, 10, 42}", ["0", "10", "42"]),
        ("between 0–0.6M and 800K, 140k", ["0", "0.6M", "800K", "140k"]),
        (r"rate 3 \times 10^{-4} or 3×10^{-4} or 1.2e-3", ["3×10^-4", "3×10^-4", "1.2e-3"]),
        (r"\{10^{-2}, 1\} and 10^y", ["10^-2", "1", "10"]),
        (r"1276 \pm 67", ["1276", "67"]),
        ("5375±581 (-0.012)", ["5375", "581", "-0.012"]),
        (r"1h40m30s, 24s, 8GB, 95\%", ["1", "40", "30", "24", "8", "95%"]),
        ("0.1 - 0.4, 5500-6500", ["0.1", "0.4", "5500", "6500"]),
        ("p<.05", [".05"]),
    ],
)
def test_numerals_keep_what_is_printed(text: str, expected: list[str]) -> None:
    assert numerals(text) == expected


@given(st.text(alphabet=st.sampled_from("0123456789.,+-−%kM e^{}\\$()\nα±½²"), max_size=60))
def test_every_digit_belongs_to_one_numeral(text: str) -> None:
    page = n.normalise(text)
    left = n.NUMERAL.sub("", page)
    assert not any(x.isdecimal() for x in left)
    assert len(numerals(text)) == len(n.NUMERAL.findall(page))


def test_lines_and_columns_count_from_one() -> None:
    rows = read("none\n of 7 runs\n\n12")
    assert [(row.line, row.column, row.numeral) for row in rows] == [(2, 5, "7"), (4, 1, "12")]


def test_the_first_rule_that_explains_a_numeral_names_it() -> None:
    def rule(text: str) -> Iterator[n.Span]:
        yield 0, text.index("b")

    rows = n.read_numerals("a 1 b 2", {"one": rule, "two": rule})
    assert [row.rule for row in rows] == ["one", ""]


def test_neighbourhoods_are_squashed_and_short() -> None:
    (row,) = read(f"{'word ' * 20}im-\nproves by **7** of {'α ' * 40}")
    assert row[2:5] == ("7", "rdwordwordwordimprovesby", "of" + "α" * 22)


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"1276 \pm 67", "1276 ± 67"),
        (r"$\lambda \leq \alpha$ $\varepsilon$", "λ ≤ α ε"),
        (r"1276 \rightarrow 5375", "1276 → 5375"),
        (r"4 \times", "4×"),
        (r"\text{pref}_{\mathcal{H}}", "prefH"),
        (r"r_{\max} \log", "r_{max} log"),
        ("<i>Machine</i>", "Machine"),
    ],
)
def test_latex_and_plain_text_are_squashed_alike(latex: str, plain: str) -> None:
    assert n.squash(n.normalise(latex)) == n.squash(n.normalise(plain))


# Margin line numbers


def with_margins(first: int, lines: list[str]) -> str:
    return "\n".join(f"{first + i:03d} {line}" for i, line in enumerate(lines))


def test_margin_numbers_are_found_and_real_numbers_near_them_are_not() -> None:
    text = with_margins(250, ["with 256 units and", "over 100 runs of 1000", *["prose"] * 30])
    rows = read(text)
    assert [row.numeral for row in rows if not row.rule] == ["256", "100", "1000"]
    assert Counter(row.rule for row in rows)[n.MARGIN] == 32


def test_margin_numbers_within_prose_on_bare_lines_raised_and_hyphenated() -> None:
    prose = " ".join(f"{i} word en-{i + 1} tropy **{i + 2}**" for i in range(300, 360, 3))
    text = f"{prose}\n\n361 362\n\n- 363\n\n17\n\n¹¹³⁸ In 8 runs"
    rows = read(text)
    assert [row.numeral for row in rows if row.rule != n.MARGIN] == ["1138", "8"]
    assert next(row for row in rows if row.numeral == "8").before.endswith("1138In")


def test_a_lone_margin_number_opens_a_paragraph_between_two_others() -> None:
    before, after = with_margins(500, ["a"] * 20), with_margins(700, ["b"] * 20)
    rows = read(f"{before}\n\n610 We ran 620 steps\n\n{after}")
    assert [row.numeral for row in rows if row.rule != n.MARGIN] == ["620"]


def test_a_text_without_margin_numbers_has_none() -> None:
    text = "\n".join(f"{i} episodes" for i in range(100, 110)) + "\n\n250\n"
    assert list(n.margin_numbers(text)) == []


def test_neighbourhoods_leave_margin_numbers_out() -> None:
    text = with_margins(100, ["of contin-", "uous return 7 is", *["prose"] * 30])
    row = next(row for row in read(text) if row.numeral == "7")
    assert (row.before, row.after[:7]) == ("ofcontinuousreturn", "isprose")


# The table


def test_the_table_survives_writing_and_reading(tmp_path: Path) -> None:
    rows = read("1,276 of 5; Figure 3")
    n.write_numerals(rows, tmp_path / "numerals.csv")
    assert n.load_numerals(tmp_path / "numerals.csv") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n", ":1: must begin with line,column,numeral,before,after,rule"),
        ("line,column,numeral,before,after,rule\n1,x,7,,,\n", ":2: no numeral"),
        ("line,column,numeral,before,after,rule\n1,2\n", ":2: no numeral"),
    ],
)
def test_a_broken_table_is_one_error_with_file_and_line(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "numerals.csv").write_text(content)
    with pytest.raises(SpecificationError, match=message):
        n.load_numerals(tmp_path / "numerals.csv")
