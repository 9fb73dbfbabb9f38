"""The page: self-contained, complete, and honest about its scale; and everything redrawn in one call."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis import report
from analysis.workflow import read_request
from paper_figures import recorded

ROOT = Path(__file__).parents[2]
PAPER = "paper_figures/prefpoe"
Draw = Callable[..., Path]


class Resources(HTMLParser):
    """What a page loads or links to, and tags left open."""

    VOID = frozenset({"meta", "img", "link", "br", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.loaded += [values["src"] or ""] if "src" in values else []
        self.loaded += [values["href"] or ""] if tag == "link" else []
        self.linked += [values["href"] or ""] if tag == "a" else []
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def artifacts(scale: str, kind: str = "") -> list[str]:
    """The artifacts of PrefPoE at `scale`, or those of one kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        paper = read_request({"paper": PAPER, "scale": scale}).by_name["prefpoe"]
    return [name for name in paper.artifacts(scale) if name.startswith(kind)]


@pytest.fixture(scope="module")
def page(draw: Draw, damaged: Path) -> tuple[Path, str]:
    for name in artifacts("quick"):
        draw(name, damaged)
    results = damaged / "results"
    output = results / "quick" / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        options = ["--papers", PAPER, "--scale", "quick", "--results", str(results)]
        assert report.main([*options, "--output", str(output)]) == 0
    return output, output.read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_its_links_lead_somewhere(page: tuple[Path, str]) -> None:
    output, text = page
    found = Resources()
    found.feed(text)
    assert found.open == []
    assert len(found.loaded) == len(artifacts("quick", "figure")) >= 3
    assert all(source.startswith("data:image/png;base64,") for source in found.loaded)
    assert not re.search(r"https?:|url\(|@import|<script", text)
    for link in found.linked:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            assert (output.parent / link).is_file()


def test_the_workflow_page_is_linked_where_it_is_and_named_where_it_is_not(
    page: tuple[Path, str], tmp_path: Path
) -> None:
    output, text = page
    assert "workflow.html" not in re.findall(r'href="([^"]*)"', text)
    assert "There was no workflow page beside this one when it was drawn" in text
    command = f"snakemake all --report {output.parent / 'workflow.html'} --config paper={PAPER} "
    assert command in text
    shutil.copytree(output.parents[2], tmp_path, dirs_exist_ok=True)
    beside = tmp_path / "results" / "quick"
    (beside / "workflow.html").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        options = ["--papers", PAPER, "--scale", "quick", "--results", str(beside.parent)]
        assert report.main([*options, "--output", str(beside / "report.html")]) == 0
    linked = (beside / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'href="([^"]*)"', linked).count("workflow.html") == 2
    assert "There was no workflow page" not in linked


def test_the_page_shows_tables_assumptions_and_scale(page: tuple[Path, str]) -> None:
    _, text = page
    for words in (
        "not a replication",
        "1276 ± 67",
        "+321.3%",
        "reference_ppo (imported)",
        "Paired tests match members by seed",
        "geometric midpoints of Table A.1",
        "<b>175</b>missing",
        "Table A.4: Performance on discrete action environments",
    ):
        assert words in text, words


def test_markdown_is_read_back_cell_by_cell() -> None:
    text = (
        "**Table 9. A | title**\n\n| Method | Our arm | X: paper | ours | difference |\n"
        "| --- | --- | --: | --: | --: |\n| a\\|b | c | 1 | 2 | +1 |\n\nA note.\n"
    )
    (table,) = report.read_markdown(text)
    assert table.title == "Table 9. A | title"
    assert table.rows == (("a|b", "c", "1", "2", "+1"),)
    assert table.groups == (("", 2), ("X", 3))
    assert [head.text for head in table.heads] == [
        "Method",
        "Our arm",
        "paper",
        "ours",
        "difference",
    ]
    assert [head.left for head in table.heads] == [True, True, False, False, False]
    assert table.notes == ("A note.",)


def test_prose_is_escaped_and_backticks_are_code() -> None:
    assert report.code("`a<b` & c") == "<code>a&lt;b</code> &amp; c"
    assert report.artifact_label("table_a_2") == "Table A.2"
    assert report.artifact_label("figure_3") == "Figure 3"


def test_an_artifact_that_is_not_drawn_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    options = ["--papers", PAPER, "--scale", "smoke", "--results", str(tmp_path)]
    assert report.main([*options, "--output", str(tmp_path / "r.html")]) == 2
    assert "table_1.md: cannot be read; draw it first" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_recorded_draws_everything_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    csv = tmp_path / "mine.csv"
    rows = ["method,environment,seed,step,return"]
    rows += [
        f"mine,Ant-v4,{seed},{step},{seed + step}" for seed in (0, 10) for step in (2048, 4096)
    ]
    csv.write_text("\n".join(rows) + "\n", encoding="utf-8")
    options = ["--papers", PAPER, "--scale", "smoke", "--results", str(tmp_path)]
    assert recorded.main([*options, "--imported", str(csv)]) == 0
    assert "missing" in capsys.readouterr().out
    folder = tmp_path / "smoke" / "prefpoe-with-mine"
    assert len(list(folder.glob("tables/*"))) == 4 * len(artifacts("smoke", "table"))
    assert len(list(folder.glob("figures/*"))) == 4 * len(artifacts("smoke", "figure"))
    text = (tmp_path / "smoke" / "report-with-mine.html").read_text(encoding="utf-8")
    assert "mine (imported)" in text
    assert "with imported runs: mine.csv" in text
    assert not (tmp_path / "smoke" / "prefpoe").exists()
    assert not (tmp_path / "scratch").exists()


def test_recorded_names_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    options = ["--papers", "paper_figures/nothing", "--scale", "smoke", "--results", str(tmp_path)]
    assert recorded.main(options) == 2
    assert "error: " in capsys.readouterr().err
