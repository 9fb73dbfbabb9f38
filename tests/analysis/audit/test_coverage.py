"""Quotes that cover the numerals of a text, and what is left open."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from analysis.audit import coverage as c
from analysis.audit import numerals as n
from analysis.audit.numeral_rules import RULES

PAPERS = sorted(
    path.parent for path in (Path(__file__).parents[3] / "paper_figures").glob("*/numerals.csv")
)


def paper(
    folder: Path, text: str, claims: str = "", skips: str = "", requirements: str = ""
) -> Path:
    n.write_numerals(n.read_numerals(text, RULES), folder / "numerals.csv")
    if claims:
        (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    if skips:
        (folder / "skips.yaml").write_text(skips, encoding="utf-8")
    if requirements:
        (folder / "specification.yaml").write_text(requirements, encoding="utf-8")
    return folder


def claim(name: str, quote: str) -> str:
    return f"- {{id: {name}, place: Section 1, quote: {quote!r}, kind: number, value: '1'}}\n"


TEXT = r"""We ran 5 seeds on HalfCheetah-v4. PrefPoE reaches 5375 \pm 581 in 10 epochs.
A return of 5375 is +321% above. It needs 8 GB.
Page 3, and 12 monkeys, 13 dogs.
"""


def test_numerals_are_claimed_specified_skipped_ruled_or_open(tmp_path: Path) -> None:
    folder = paper(
        tmp_path,
        TEXT,
        "claims:\n" + claim("poe", "PrefPoE reaches 5375 ± 581") + claim("gain", "321% above"),
        "skips:\n- {reason: memory, quotes: [needs 8 GB]}\n- {reason: zoo, lines: ['3']}\n",
        "specification:\n- {item: seeds, part: seeds, stated: '5', place: S, quote: ran 5 seeds}\n",
    )
    rows = {(r.numeral.line, r.numeral.numeral): r for r in c.coverage(folder)}
    assert {place: row.how for place, row in rows.items()} == {
        (1, "5"): "specified",
        (1, "4"): "rule",
        (1, "5375"): "claimed",
        (1, "581"): "claimed",
        (1, "10"): "open",
        (2, "5375"): "open",  # the same number between other words
        (2, "+321%"): "claimed",  # a quote may begin behind the sign
        (2, "8"): "skipped",
        (3, "3"): "rule",
        (3, "12"): "skipped",
        (3, "13"): "skipped",
    }
    assert rows[1, "5375"].claims == ("poe",)
    assert rows[3, "12"].skip == "zoo"


def test_a_quote_matches_only_where_its_neighbourhood_does(tmp_path: Path) -> None:
    text = "a reward of 12 points. a penalty of 12 points. a reward of 12 minutes."
    folder = paper(tmp_path, text, "claims:\n" + claim("a", "reward of 12 points"))
    assert [row.how for row in c.coverage(folder)] == ["claimed", "open", "open"]


def test_another_sign_or_ending_is_another_number(tmp_path: Path) -> None:
    text = "falls by -5 now and by 5 now; 5% now, by 5k now"
    folder = paper(tmp_path, text, "claims:\n" + claim("a", "by 5 now"))
    assert [row.how for row in c.coverage(folder)] == ["open", "claimed", "open", "open"]


def test_quotes_may_contain_margin_numbers_or_leave_them_out(tmp_path: Path) -> None:
    lines = ["gives a mean", "of 42 points", "and 43 more", *["prose"] * 30]
    text = "\n".join(f"{number} {line}" for number, line in enumerate(lines, start=100))
    quotes = claim("with", "mean 101 of 42 points") + claim("without", "points and 43 more")
    folder = paper(tmp_path, text, "claims:\n" + quotes)
    rows = [row for row in c.coverage(folder) if not row.numeral.rule]
    assert [row.claims for row in rows] == [("with",), ("without",)]
    assert c.misquoted(folder, text) == []


def test_table_rows_are_quoted_with_spaces_between_cells(tmp_path: Path) -> None:
    text = "PPO\t1276 \\pm 67\t148±70\nOurs\t5375\\pm581\t217\n"
    folder = paper(tmp_path, text, "claims:\n" + claim("row", "PPO 1276 ± 67 148 ± 70"))
    assert [row.how for row in c.coverage(folder)] == ["claimed"] * 4 + ["open"] * 3


def test_quotes_that_do_not_stand_in_the_text_are_named(tmp_path: Path) -> None:
    folder = paper(
        tmp_path, TEXT, "claims:\n" + claim("good", "in 10 epochs") + claim("bad", "in 11 epochs")
    )
    assert c.misquoted(folder, TEXT) == [(c.Owner("claim", "bad"), "in 11 epochs")]


def test_tally_counts_a_numeral_once_for_each_label() -> None:
    place = n.Numeral(1, 1, "7", "", "", "")
    rows = [c.Covered(place, ("a", "b", "c")), c.Covered(place, ("a",)), c.Covered(place)]
    assert c.tally(rows, {"a": "mean", "b": "mean", "c": "cv"}) == {"mean": 2, "cv": 1}


def test_among_ten_thousand_quotes_each_numeral_finds_its_own() -> None:
    quotes = c.Quotes()
    for i in range(10_000):
        quotes.add(f"method {i}.5 reaches {i % 97} in its run", c.Owner("claim", f"c{i}"))
    text = " ".join(f"Here method {i}.5 reaches {i % 97} in its run." for i in range(1_500))
    owners = [quotes.owners(row) for row in n.read_numerals(text, RULES)]
    assert owners == [[c.Owner("claim", f"c{i // 2}")] for i in range(3_000)]


# Command line


def test_the_command_line_lists_and_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, table = tmp_path / "paper.md", tmp_path / "toy" / "numerals.csv"
    text.write_text("We ran 5 seeds for 10 epochs.\n", encoding="utf-8")
    assert c.main(["list", str(text), "--output", str(table)]) == 0
    (tmp_path / "toy" / "claims.yaml").write_text("claims:\n" + claim("seeds", "We ran 5 seeds"))
    assert c.main(["show", str(tmp_path / "toy")]) == 1
    assert "|10| epochs" in capsys.readouterr().out
    (tmp_path / "toy" / "skips.yaml").write_text("skips:\n- {reason: r, quotes: [10 epochs]}\n")
    assert c.main(["show", str(tmp_path / "toy"), "--text", str(text)]) == 0
    text.write_text("We ran 5 seeds for 11 epochs.\n", encoding="utf-8")
    assert c.main(["show", str(tmp_path / "toy"), "--text", str(text)]) == 1
    assert "regenerate" in capsys.readouterr().out


def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert c.main(["show", str(tmp_path)]) == 2
    assert "numerals.csv: cannot be read" in capsys.readouterr().err


# The papers that ship with the repository


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_no_numeral_of_a_paper_is_open(folder: Path) -> None:
    rows = c.coverage(folder)
    left = [tuple(row.numeral)[:5] for row in rows if row.how == "open"]
    assert left == []


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_no_numeral_of_a_paper_stands_twice_at_one_place(folder: Path) -> None:
    places = Counter((row.line, row.column) for row in n.load_numerals(folder / "numerals.csv"))
    assert [place for place, count in places.items() if count > 1] == []


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_a_papers_table_holds_no_more_than_neighbourhoods(folder: Path) -> None:
    rows = n.load_numerals(folder / "numerals.csv")
    assert rows
    assert max(len(words) for row in rows for words in (row.before, row.after)) <= n.REACH
    assert {row.rule for row in rows} <= {"", n.MARGIN, *RULES}
