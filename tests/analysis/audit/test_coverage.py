"""Numerals of a text, the rules that explain some, and quotes that cover the others."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.specification import SpecificationError
from analysis.audit import coverage as c

PAPERS = sorted(
    path.parent for path in (Path(__file__).parents[3] / "paper_figures").glob("*/numerals.csv")
)


def numerals(text: str) -> list[str]:
    return [row.numeral for row in c.read_numerals(text)]


def unexplained(text: str) -> list[str]:
    return [row.numeral for row in c.read_numerals(text) if not row.rule]


def ruled(rule: str, text: str) -> list[str]:
    """The numerals of `text` that a rule, by its name, explains."""
    spans = list(c.RULES[rule](c.normalise(text)))
    found = []
    for match in c.NUMERAL.finditer(c.normalise(text)):
        digit = match.start() + next(i for i, x in enumerate(match[0]) if x.isdecimal())
        if any(begin <= digit < end for begin, end in spans):
            found.append(c.printed(match[0]))
    return found


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
    page = c.normalise(text)
    left = c.NUMERAL.sub("", page)
    assert not any(x.isdecimal() for x in left)
    assert len(numerals(text)) == len(c.NUMERAL.findall(page))


def test_lines_and_columns_count_from_one() -> None:
    rows = c.read_numerals("none\n of 7 runs\n\n12")
    assert [(row.line, row.column, row.numeral) for row in rows] == [(2, 5, "7"), (4, 1, "12")]


def test_neighbourhoods_are_squashed_and_short() -> None:
    (row,) = c.read_numerals(f"{'word ' * 20}im-\nproves by **7** of {'α ' * 40}")
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
    assert c.squash(c.normalise(latex)) == c.squash(c.normalise(plain))


# Rules: what each explains, and what it must leave alone


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("reference list", "in 9 runs\n\n# REFERENCES\n\nA. Author, 2019. pp. 1-9\n\nA PROOFS\n\nof 4", ["2019", "1", "9"]),
        ("reference list", "## References\n\nB, 12:3\n\n## Appendix\n\n5 seeds", ["12", "3"]),
        ("reference list", "The references 12 and 13", []),
        ("citation year", "(Haarnoja et al., 2018a; Ho & Johnson, 2012)", ["2018", "2012"]),
        ("citation year", "Kingma & Ba (2014) and (Bedi et al., 2024), (Team, 2024b)", ["2014", "2024", "2024"]),
        ("citation year", "after 2000 steps, 2000 episodes (2048 of them), PPO 2000, Ant 1999.", []),
        ("address", "https://a.org/2024/7 arXiv preprint arXiv:1706.03741 and 5", ["2024", "7", "1706.03741"]),
        ("equation number", "$$a = 2 \\quad (5)$$ By (5), std (59)", ["5", "5"]),
        ("equation number", "$$a \\tag{9}$$\nfrom (9) and f(9)", ["9", "9"]),
        ("equation number", "$$a$$\n(2)\n\nin (2) of 3 runs (4)", ["2", "2"]),
        ("heading number", "5.1 VALIDATION\nE.3.1 PROOF OF IT\n## 4 Runs\n**CONCLUSIONS** 6", ["5.1", "3.1", "4", "6"]),
        ("heading number", "3.1 Optimality of Points", ["3.1"]),
        ("heading number", "5 seeds were used.\n2.5 Times faster than 3 others.\nReward\t24\t26", []),
        ("label", "Figure A.3, Section 5.2, Appendix E.1, Theorem 1, Eq. 31, Phase 2", ["3", "5.2", "1", "1", "31", "2"]),
        ("label", "Assumptions 4.1, 4.2, and 4.4 hold; Figures A.3 and A.4", ["4.1", "4.2", "4.4", "3", "4"]),
        ("label", "Table 2 and 5 seeds; experiment 5.3 with experiments 10 times", ["2", "5.3"]),
        ("footnote mark", "repository¹ and 5<sup>2</sup>", ["1", "2"]),
        ("identifier", "HalfCheetah-v4, CartPole-v1, GPT-4. Walker2D, L2, 2F-85", ["4", "1", "4", "2", "2", "2", "85"]),
        ("identifier", "RTX 3090, Ryzen 9 5900X 12-Core", ["3090", "9", "5900"]),
        ("identifier", r"Gemma 2B post-1.5M CPU-10K 217\pm59 8-dimensional 1h40m x3", []),
        ("listing", "```\n1: init\n3: for i = 1 to N do\n  take 5 steps\n```\n1: no", ["1", "3", "1"]),
        ("enumeration", "keys: 1) *fast*; 2) stable (at most 5) runs\n3. Third", ["1", "2", "3"]),
        ("mathematics", "$$a_{0.5} = 1 + 0.5 = 2$$ and 3", ["0.5", "1", "2"]),
        ("mathematics", r"$x_1^{2}$ \beta_1 $\frac{1}{2}$ $1 - \alpha$ $\mathcal{N}(0, 1)$", ["1", "2", "1", "1", "2", "1", "0", "1"]),
        ("mathematics", r"$k = 1, \dots, N$ $p(S = 1)$ $\{y\}_{i=1}^{9}$", ["1", "1", "1", "9"]),
        ("mathematics", r"$\lambda = 0.95$ $1276 \pm 67$ $p < 0.001$ $\alpha \in (0.2, 0.45]$", []),
        ("mathematics", r"$\{-3, 0\}$ $\kappa \in \{10^{-2}, 1\}$ $+1.0$ $x - 0.6$ $(> 1.0)$", []),
    ],
)  # fmt: skip
def test_each_rule_explains_its_own_and_nothing_else(
    rule: str, text: str, expected: list[str]
) -> None:
    assert ruled(rule, text) == expected


def with_margins(first: int, lines: list[str]) -> str:
    return "\n".join(f"{first + i:03d} {line}" for i, line in enumerate(lines))


def test_margin_numbers_are_found_and_real_numbers_near_them_are_not() -> None:
    text = with_margins(250, ["with 256 units and", "over 100 runs of 1000", *["prose"] * 30])
    rows = c.read_numerals(text)
    assert [row.numeral for row in rows if not row.rule] == ["256", "100", "1000"]
    assert Counter(row.rule for row in rows)[c.MARGIN] == 32


def test_margin_numbers_within_prose_on_bare_lines_raised_and_hyphenated() -> None:
    prose = " ".join(f"{n} word en-{n + 1} tropy **{n + 2}**" for n in range(300, 360, 3))
    text = f"{prose}\n\n361 362\n\n- 363\n\n17\n\n¹¹³⁸ In 8 runs"
    rows = c.read_numerals(text)
    assert [row.numeral for row in rows if row.rule != c.MARGIN] == ["1138", "8"]
    assert next(row for row in rows if row.numeral == "8").before.endswith("1138In")


def test_a_lone_margin_number_opens_a_paragraph_between_two_others() -> None:
    before, after = with_margins(500, ["a"] * 20), with_margins(700, ["b"] * 20)
    rows = c.read_numerals(f"{before}\n\n610 We ran 620 steps\n\n{after}")
    assert [row.numeral for row in rows if row.rule != c.MARGIN] == ["620"]


def test_a_text_without_margin_numbers_has_none() -> None:
    text = "\n".join(f"{n} episodes" for n in range(100, 110)) + "\n\n250\n"
    assert list(c.margin_numbers(text)) == []


def test_neighbourhoods_leave_margin_numbers_out() -> None:
    text = with_margins(100, ["of contin-", "uous return 7 is", *["prose"] * 30])
    row = next(row for row in c.read_numerals(text) if row.numeral == "7")
    assert (row.before, row.after[:7]) == ("ofcontinuousreturn", "isprose")


# Matching


def paper(
    folder: Path, text: str, claims: str = "", skips: str = "", requirements: str = ""
) -> Path:
    c.write_numerals(c.read_numerals(text), folder / "numerals.csv")
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
    text = with_margins(100, ["gives a mean", "of 42 points", "and 43 more", *["prose"] * 30])
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
    place = c.Numeral(1, 1, "7", "", "", "")
    rows = [c.Covered(place, ("a", "b", "c")), c.Covered(place, ("a",)), c.Covered(place)]
    assert c.tally(rows, {"a": "mean", "b": "mean", "c": "cv"}) == {"mean": 2, "cv": 1}


def test_ten_thousand_quotes_and_three_thousand_numerals_take_a_second() -> None:
    quotes = c.Quotes()
    begin = time.perf_counter()
    for n in range(10_000):
        quotes.add(f"method {n}.5 reaches {n % 97} in its run", c.Owner("claim", f"c{n}"))
    text = " ".join(f"Here method {n}.5 reaches {n % 97} in its run." for n in range(1_500))
    rows = c.read_numerals(text)
    owners = [quotes.owners(row) for row in rows]
    assert time.perf_counter() - begin < 5  # 0.6 s on an idle core
    assert [len(found) for found in owners] == [1] * 3_000


# Files and command line


def test_the_table_survives_writing_and_reading(tmp_path: Path) -> None:
    rows = c.read_numerals("1,276 of 5; Figure 3")
    c.write_numerals(rows, tmp_path / "numerals.csv")
    assert c.load_numerals(tmp_path / "numerals.csv") == rows


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
        c.load_numerals(tmp_path / "numerals.csv")


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
    places = Counter((n.line, n.column) for n in c.load_numerals(folder / "numerals.csv"))
    assert [place for place, count in places.items() if count > 1] == []


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_a_papers_table_holds_no_more_than_neighbourhoods(folder: Path) -> None:
    rows = c.load_numerals(folder / "numerals.csv")
    assert rows
    assert max(len(words) for row in rows for words in (row.before, row.after)) <= c.REACH
    assert {row.rule for row in rows} <= {"", c.MARGIN, *c.RULES}
