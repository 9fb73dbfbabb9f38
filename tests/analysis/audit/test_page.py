"""The audit's page: what stands in its HTML, and what a person sees and does in a real browser.

The claims are PrefPoE's (Tables 1 and 2, Section 5.1, Appendix F.2); the findings about them are made up.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from analysis.audit import page
from analysis.audit.findings import (
    SIGNS,
    TONES,
    VERDICTS,
    Finding,
    Judged,
    PaperAudit,
    finding_rows,
    verdict_rows,
)
from analysis.audit.specification import Requirement
from analysis.claims import Claim

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=10000",
)  # fmt: skip
HOSTILE = (
    'A quote with <script>parent.stolen = 1</script> & <img src="x" onerror="parent.stolen = 1">'
)
ARITHMETIC = "100 · (5375 − 1276) / 1276 = 321.2 %"
PREFPOE = "PrefPoE (Ours) 5375±581 217±59 4499±602"


def judged(paper: str, found: tuple[str, str, str], **fields: Any) -> Judged:
    """A claim with its three verdicts, and a finding for the first two unless they say that nothing was checked."""
    claim = Claim.model_validate({"place": "Table 1", **fields})
    findings = [
        Finding(claim.id, "consistent", "improvement", found[0], ARITHMETIC, "ddof 0", None, ("ddof 0", "ddof 1")),
        Finding(claim.id, "possible", "GRIM", found[1], "5375 · 5 = 26875", None, "would reject 72 % of means"),
    ]  # fmt: skip
    kept = tuple(finding for finding in findings if finding.verdict != "not checked")
    return Judged(paper, {"prefpoe": "PrefPoE"}.get(paper, "Another"), claim, *found, kept)


def sample() -> tuple[PaperAudit, ...]:
    """Two papers, of seven claims and of one; in the paper's order the first claim agrees."""
    mean = {"kind": "mean", "n": 5}
    claims = (
        judged("prefpoe", ("consistent", "possible", "untested"), id="t1.new", quote=PREFPOE, value="5375±581", **mean),
        judged("prefpoe", ("not checked", "not checked", "untested"), id="t1.old", quote="PPO Baseline 1276 ± 67", value="1276±67", **mean),
        judged("prefpoe", ("inconsistent", "impossible", "untested"), id="t1.gain", quote="Average Improvement +321% +47%",
               kind="improvement", value="+321%", of={"new": "t1.new", "old": "t1.old"}),
        judged("prefpoe", ("consistent under a reading", "no power", "same direction"), id="t2.new", place="Table 2",
               quote="PrefPoE (Ours) 5375±581 321%", value="5375±581", same_as="t1.new", note="581 again", **mean),
        judged("prefpoe", ("undecided", "not checked", "underpowered"), id="f2.p", place="Appendix F.2", kind="p_value",
               quote="paired t-tests (p < 0.001)", value="<0.001", of={"new": "t1.new", "old": "t1.old"}),
        judged("prefpoe", ("not checked", "not checked", "untestable"), id="s51.words", place="Section 5.1", kind="statement",
               quote="consistently above the baseline", untestable="no quantity is named"),
        judged("prefpoe", ("skipped", "not checked", "untested"), id="hostile", place="Section 5.1", kind="statement", quote=HOSTILE,
               untestable="a quote like this asserts nothing"),
    )  # fmt: skip
    other = judged("a b/ü", ("consistent", "not checked", "contradicted"), id="t1.new", quote="Ours 0.78±0.39", value="0.78±0.39", **mean)  # fmt: skip
    requirements = (
        Requirement(item="Learning rate", part="optimiser", stated="3e-4", place="Table A.1", quote="3 × 10−4"),
        Requirement(item="Simulator", part="environment", assumed="MuJoCo 3.6.0", reason="no version is named"),
    )  # fmt: skip
    coverage = {"claimed": 30, "rule: citation": 9, "open": 1}
    return (
        PaperAudit("prefpoe", "PrefPoE", "arXiv 2511.08241", claims, requirements, coverage, ("Pass a checkpoint.",)),
        PaperAudit("a b/ü", "Another", None, (other,), (), {}, ()),
    )  # fmt: skip


PAPER_ORDER = ["t1.new", "t1.old", "t1.gain", "t2.new", "f2.p", "s51.words", "hostile", "t1.new"]
BY_VERDICT = ["t1.gain", "t1.new", "t2.new", "f2.p", "t1.new", "t1.old", "s51.words", "hostile"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample, drawn once."""
    path = tmp_path_factory.mktemp("page") / "audit.html"
    links = {("prefpoe", "Table 1"): "report.html#prefpoe-table_1"}
    page.write(sample(), path, links, version="0.1.0", command="snakemake audit -n")
    return path


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_claim_stands_in_the_html_those_that_do_not_agree_first(written: Path) -> None:
    ids = [
        str(told["id"])
        for tag, told in Tags(written.read_text("utf-8")).tags
        if tag == "details" and "id" in told
    ]
    assert [name.rpartition("/")[2] for name in ids] == BY_VERDICT
    assert ids[1] == "a%20b%2F%C3%BC/t1.new"
    assert len(set(ids)) == 8


def test_everything_found_can_be_read_without_scripts(written: Path) -> None:
    text = " ".join(Tags(written.read_text("utf-8")).text.split())
    assert text.count(ARITHMETIC) == 6
    for words in (
        "would reject 72 % of means",
        "ddof 0; ddof 1",
        "581 again",
        "no quantity is named",
        HOSTILE,
    ):
        assert words in text
    for words in (
        "MuJoCo 3.6.0",
        "no version is named",
        "Table A.1",
        "rule: citation",
        "22.5 %",
        "Pass a checkpoint.",
    ):
        assert words in text
    for words in ("rl-replica 0.1.0", "snakemake audit -n", "The paper's text was not given"):
        assert words in text


def test_a_quote_is_text_never_markup(written: Path) -> None:
    tags = Tags(written.read_text("utf-8")).tags
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [tag for tag, _ in tags if tag == "img"]


def test_every_link_within_the_page_leads_somewhere(written: Path) -> None:
    tags = Tags(written.read_text("utf-8")).tags
    ids = {told["id"] for _, told in tags if "id" in told}
    links = [str(told["href"]) for tag, told in tags if tag == "a"]
    assert "report.html#prefpoe-table_1" in links
    assert "#prefpoe/t1.old" in links
    jumps = {link[1:] for link in links if link.startswith("#") and "=" not in link}
    assert jumps <= ids
    assert not [link for link in links if not link.startswith(("#", "report.html"))]


def test_the_page_names_nothing_to_load(written: Path) -> None:
    html = written.read_text("utf-8")
    tags = Tags(html).tags
    assert not [told for _, told in tags if "src" in told or "srcset" in told]
    assert not {"link", "iframe", "object", "base"} & {tag for tag, _ in tags}
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = [
        told["content"] for _, told in tags if told.get("http-equiv") == "Content-Security-Policy"
    ]
    assert str(policy[0]).startswith("default-src 'none';")


def test_every_control_has_a_label_and_every_region_a_name(written: Path) -> None:
    html = written.read_text("utf-8")
    controls = re.findall(r"<(?:input|select)\b", html)
    assert len(controls) == len(re.findall(r"<label>[^<]+<(?:input|select)\b", html)) == 9
    assert all(
        told.get("aria-label") for _, told in Tags(html).tags if told.get("role") == "region"
    )


def test_every_verdict_has_a_mark_of_its_own_and_a_meaning(written: Path) -> None:
    html = written.read_text("utf-8")
    assert {verdict for verdicts in VERDICTS.values() for verdict in verdicts} == set(SIGNS)
    for question, verdicts in VERDICTS.items():
        assert len({SIGNS[verdict].mark for verdict in verdicts}) == len(verdicts), question
    for verdict, sign in SIGNS.items():
        assert f'.{page.STYLES[verdict]}::before {{ content: "{sign.mark}";' in html
        assert f"{sign.meaning}</dd>" in unescape(html)
        assert f'class="v {page.STYLES[verdict]} {sign.tone}">{verdict}</span>' in html


def test_text_keeps_its_contrast_in_light_and_dark(written: Path) -> None:
    """WCAG 2.2, success criterion 1.4.3: at least 4.5 for every colour of text on every ground that it stands on."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    schemes = re.findall(r":root \{(.*?)\}", written.read_text("utf-8"), flags=re.DOTALL)[:2]
    for scheme in schemes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        tones = [tone for tone in TONES if tone != "silent"]
        pairs = [
            (ink, ground)
            for ink in ("ink", "soft", "accent", *tones)
            for ground in ("page", "card", "head")
        ]
        pairs += [("against", "against-wash"), ("partly", "partly-wash"), ("ink", "mark")]
        for ink, ground in pairs:
            dark, light = sorted((luminance(colours[ink]), luminance(colours[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (
                ink,
                ground,
                colours[ink],
                colours[ground],
            )


@pytest.mark.parametrize(
    ("words", "value", "marked"),
    [
        ("PrefPoE 5375±581 217±59", "5375±581", "PrefPoE <mark>5375±581</mark> 217±59"),
        ("PPO 1276 ± 67 148 ± 70", "1276±67", "PPO <mark>1276 ± 67</mark> 148 ± 70"),
        ("a drop of −12% overall", "-12%", "a drop of <mark>−12%</mark> overall"),
        ("1 of 10 and 1.0", "1", "<mark>1</mark> of 10 and 1.0"),
        ("47 and 47", "47", "47 and 47"),
        ("p < 0.001 & more", "<0.001", "p <mark>&lt; 0.001</mark> &amp; more"),
        ("no number <b>", None, "no number &lt;b&gt;"),
    ],
)  # fmt: skip
def test_value_is_marked_where_it_stands_once(words: str, value: str | None, marked: str) -> None:
    assert str(page.marked(words, value)) == marked


def test_arithmetic_has_a_line_for_each_step() -> None:
    told = "100 · 2 / 4 = [49, 51]; printed 60 stands for [59, 61] (a; b); it holds; cut: [48, 50]"
    assert page.steps(told).split("\n") == [
        "100 · 2 / 4 = [49, 51];",
        "printed 60 stands for [59, 61] (a; b); it holds;",
        "cut: [48, 50]",
    ]


def test_rows_for_tables() -> None:
    rows = verdict_rows(sample())
    assert [row["claim"] for row in rows] == PAPER_ORDER
    assert rows[3] == {
        "paper": "prefpoe", "claim": "t2.new", "kind": "mean", "place": "Table 2", "value": "5375±581",
        "consistent": "consistent under a reading", "possible": "no power", "replicated": "same direction",
    }  # fmt: skip
    findings = finding_rows(sample())
    assert len(findings) == 6 + 3
    assert findings[1] == {
        "paper": "prefpoe", "claim": "t1.new", "question": "possible", "check": "GRIM", "verdict": "possible",
        "arithmetic": "5375 · 5 = 26875", "reading": None, "power": "would reject 72 % of means", "tried": "",
    }  # fmt: skip


def test_no_paper_gives_a_page_that_says_so(tmp_path: Path) -> None:
    page.write([], tmp_path / "new" / "audit.html", version="0.1.0")
    assert "No claims have been written down yet." in (tmp_path / "new" / "audit.html").read_text(
        "utf-8"
    )


# In a browser. A script beside the page drives it in a frame of a given width and says what it saw.

DRIVER = """<!doctype html><meta charset="utf-8"><body style="margin:0"><pre id="told"></pre>
<iframe src="audit.html{hash}" style="width:{width}px;height:1200px;border:0"></iframe>
<script>
const frame = document.querySelector("iframe"), wait = ms => new Promise(done => setTimeout(done, ms));
frame.onload = async () => {{
  frame.onload = null;
  const page = frame.contentDocument, view = frame.contentWindow, one = what => page.querySelector(what);
  const shown = () => [...page.querySelectorAll("#list .c")].filter(li => li.offsetParent).map(li => li.firstElementChild.id.split("/").pop());
  const choose = async (name, value) => {{
    const field = one(`[name=${{name}}]`);
    field.value = value;
    field.dispatchEvent(new view.Event("input", {{ bubbles: true }}));
    await wait(400);
  }};
  const go = async hash => {{ view.location.hash = hash; await wait(200); }};
  let told;
  try {{ told = await (async () => {{ {steps} }})(); }} catch (error) {{ told = {{ error: String(error) }}; }}
  document.getElementById("told").textContent = JSON.stringify(told);
}};
</script>"""  # fmt: skip
Drive = Callable[..., Any]


@pytest.fixture
def served(written: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of the page's folder on this machine, and the paths asked for so far."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, _format: str, *args: Any) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(written.parent)))  # fmt: skip
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def drive(written: Path, served: tuple[str, list[str]], tmp_path: Path) -> Drive:
    """A function that runs JavaScript `steps` on the page opened with `hash`, and gives back what they return."""

    def run(steps: str, hash: str = "", width: int = 1360) -> Any:
        driver = written.parent / "driver.html"
        driver.write_text(DRIVER.format(hash=hash, width=width, steps=steps), encoding="utf-8")
        dom, problems = chromium(f"{served[0]}/driver.html", tmp_path, "--dump-dom")
        assert problems == []
        found = re.search(r'<pre id="told">(.*?)</pre>', dom, flags=re.DOTALL)
        assert found, dom
        assert found[1], "the page never loaded"
        return json.loads(unescape(found[1]))

    return run


def chromium(address: str, folder: Path, *options: str) -> tuple[str, list[str]]:
    """What Chromium prints for `address`, and what the page said on its console."""
    assert CHROMIUM is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    command = (CHROMIUM, *FLAGS, profile, "--window-size=1360,1600", *options, address)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@needs_chromium
@pytest.mark.parametrize(
    ("hash", "ids"),
    [
        ("", BY_VERDICT),
        ("#sort=paper", PAPER_ORDER),
        ("#consistent=inconsistent", ["t1.gain"]),
        ("#paper=prefpoe&place=Table+1&sort=paper", ["t1.new", "t1.old", "t1.gain"]),
        ("#kind=mean&overall=holds", ["t1.new"]),
        ("#q=5375+581+again", ["t2.new"]),
        ("#q=%3C0.001+PAIRED", ["f2.p"]),
        ("#replicated=compatible", []),
    ],
)
def test_filters_in_the_address(drive: Drive, hash: str, ids: list[str]) -> None:
    told = drive("return [shown(), one('#count').textContent, !one('#empty').hidden]", hash)
    filtered = hash not in ("", "#sort=paper")
    count = f"{len(ids)} of 8 claims" if filtered else "8 claims"
    assert told == [ids, count, not ids]


@needs_chromium
def test_what_is_chosen_is_counted_and_stands_in_the_address(drive: Drive) -> None:
    told = drive("""
        await choose("paper", "prefpoe"); await choose("possible", "not checked"); await choose("q", "baseline");
        const first = [shown(), one("#count").textContent, view.location.hash];
        const heads = [...page.querySelectorAll("#list .g")].filter(li => !li.hidden).map(li => li.textContent);
        const places = [...one("[name=place]").options].filter(option => !option.disabled).length;
        one("[data-do=clear]").click();
        return [first, heads, places, shown().length, view.location.hash];""")
    first, heads, places, after, address = told
    assert first == [["t1.old", "s51.words"], "2 of 8 claims", "#q=baseline&paper=prefpoe&possible=not+checked"]  # fmt: skip
    assert heads == ["not checked2"]
    assert (places, after, address) == (5, 8, "")


@needs_chromium
def test_a_claim_opens_to_its_arithmetic_and_leads_to_others(drive: Drive) -> None:
    told = drive("""
        const before = one("details[id='prefpoe/t1.gain'] .body") !== null;
        one("details[id='prefpoe/t1.gain'] summary").click(); await wait(200);
        const body = one("details[id='prefpoe/t1.gain'] .body"), text = body.innerText;
        const seen = ["blockquote", "mark", ".finding .v"].map(what => body.querySelector(what).textContent);
        const artifact = body.querySelector("a").getAttribute("href");
        await choose("consistent", "inconsistent");
        const filtered = shown();
        body.querySelector("a[href='#prefpoe/t1.old']").click(); await wait(200);
        const target = one("details[id='prefpoe/t1.old']"), top = target.getBoundingClientRect().top;
        return [before, text, seen, artifact, filtered, target.open, 0 <= top && top < 1200, page.activeElement.parentElement === target];""")  # fmt: skip
    before, text, seen, artifact, filtered, *target = told
    assert before is False
    assert ARITHMETIC in text
    assert "would reject 72 % of means" in text
    assert seen == ["Average Improvement +321% +47%", "+321%", "inconsistent"]
    assert artifact == "report.html#prefpoe-table_1"
    assert filtered == ["t1.gain"]
    assert target == [True, True, True]


@needs_chromium
def test_all_shown_open_and_a_hostile_quote_stays_text(drive: Drive) -> None:
    told = drive("""
        await choose("place", "Section 5.1");
        one("[data-do=open]").click(); await wait(300);
        const open = [...page.querySelectorAll("#list details[open]")].map(claim => claim.id);
        const quote = one("details[id='prefpoe/hostile'] blockquote").textContent;
        one("[data-do=close]").click();
        return [open, quote, window.stolen ?? 0, page.querySelectorAll("#list details[open]").length];""")
    assert told == [["prefpoe/s51.words", "prefpoe/hostile"], HOSTILE, 0, 0]


@needs_chromium
@pytest.mark.parametrize("width", [390, 1024])
def test_a_narrow_page_does_not_scroll_sideways(drive: Drive, width: int) -> None:
    told = drive(
        """one("[data-do=open]").click(); for (const more of page.querySelectorAll("details")) more.open = true;
        await wait(300);
        return [page.documentElement.scrollWidth, page.querySelectorAll("#list .body").length];""",
        width=width,
    )
    assert told == [width, 8]


@needs_chromium
def test_the_page_asks_for_nothing_but_itself(
    served: tuple[str, list[str]], tmp_path: Path
) -> None:
    address, asked = served
    chromium(f"{address}/audit.html", tmp_path, "--dump-dom")
    assert set(asked) - {"/favicon.ico"} == {"/audit.html"}


def ink(picture: np.ndarray) -> float:
    """The share of pixels that differ from the commonest colour."""
    pixels = np.round(255 * picture[..., :3]).astype(np.uint32).reshape(-1, 3)
    _, counts = np.unique(pixels @ [1 << 16, 1 << 8, 1], return_counts=True)
    return float(1 - counts.max() / counts.sum())


def is_drawn(path: Path) -> bool:
    """Whether header, summary and claims are there, in text, with the washed ground of verdicts that do not agree."""
    picture = imread(path)[..., :3]
    parts = {"header": picture[40:360], "summary": picture[420:860], "claims": picture[900:1550]}
    grounds = (
        np.array([[0xFB, 0xE9, 0xE1], [0x43, 0x26, 0x1A]]) / 255
    )  # --against-wash, light and dark
    washed = {
        name: max((np.abs(part - ground).max(axis=-1) < 0.004).mean() for ground in grounds)
        for name, part in parts.items()
    }
    written = all(0.015 < ink(part) < 0.6 for part in parts.values())
    return written and washed["summary"] > 0.002 and washed["claims"] > 0.002


@needs_chromium
def test_screenshot_from_a_file_in_light_and_dark(written: Path, tmp_path: Path) -> None:
    address, light, dark = written.as_uri(), tmp_path / "light.png", tmp_path / "dark.png"
    assert chromium(address, tmp_path, f"--screenshot={light}")[1] == []
    scheme = "--blink-settings=preferredColorScheme=0"
    assert chromium(address, tmp_path, scheme, f"--screenshot={dark}")[1] == []
    assert is_drawn(light)
    assert is_drawn(dark)
    assert imread(light)[..., :3].mean() > 0.85
    assert imread(dark)[..., :3].mean() < 0.25


@needs_chromium
def test_an_empty_or_broken_page_does_not_pass(written: Path, tmp_path: Path) -> None:
    html = written.read_text("utf-8")
    unstyled = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    cut = html[: html.index('<section id="claims"')]
    for name, broken in (("blank", ""), ("cut", cut), ("unstyled", unstyled)):
        (tmp_path / f"{name}.html").write_text(broken, encoding="utf-8")
        shot = tmp_path / f"{name}.png"
        chromium((tmp_path / f"{name}.html").as_uri(), tmp_path, f"--screenshot={shot}")
        assert not is_drawn(shot), name
    wrong = tmp_path / "wrong.html"
    wrong.write_text(html.replace('getElementById("count")', 'getElementById("none")'), "utf-8")
    assert chromium(wrong.as_uri(), tmp_path, "--dump-dom")[1]
