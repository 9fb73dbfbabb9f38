"""What a stranger hands in is read and never run, nothing outside it is read, and it stays text in pages and terminals."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from algorithms.header import RecordError, header_checksum, read_header
from algorithms.identity import content_hash
from algorithms.specification import SpecificationError, read_document
from analysis import report
from analysis.attempts import attempt
from analysis.audit.__main__ import main as audit
from analysis.ledger import ledger
from analysis.load import read_imported
from paper_figures.prefpoe.released import read_checkpoint
from tests.test_imports import FILES, REPOSITORY
from tests.workflow_runs import TOY, Tree

# Code that is not there


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def unsafe(path: Path) -> Iterator[str]:
    """Calls and imports by which data could become code."""
    modules = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (name for name in names if name.partition(".")[0] in modules)
    for call in calls(path):
        name = ast.unparse(call.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if (
            name in ("eval", "exec", "compile", "__import__", "os.system", "os.popen")
            or name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all")
            or (name == "torch.load" and given.get("weights_only") != "True")
            or name.endswith((".read_pickle", ".to_pickle"))
        ):
            yield name
        elif {given.get("allow_pickle"), given.get("shell"), given.get("trust_remote_code")} & {
            "True"
        }:
            yield f"{name}(…)"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_no_data_becomes_code(path: Path) -> None:
    assert list(unsafe(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import numpy; numpy.load('x', allow_pickle=True)",
        "import torch; torch.load('x')",
        "import torch; torch.load('x', weights_only=False)",
        "import yaml; yaml.load('x', Loader=yaml.Loader)",
        "import subprocess; subprocess.run('x', shell=True)",
        "eval('x')",
        "exec('x')",
        "import pandas; pandas.read_pickle('x')",
    ],
)
def test_what_would_become_code_is_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(line, encoding="utf-8")
    assert len(list(unsafe(tmp_path / "x.py"))) == 1


# A paper's folder, a claims file, a checkpoint

HOSTILE = (
    """<script>alert(1)</script> "><img src=x onerror=alert(2)> '><svg/onload=alert(3)>"""
    """ {{ 7*7 }} </noscript></style><!-- [bold red]x[/y] ${8*8} javascript:alert(4)"""
)


class Tags(HTMLParser):
    """The tags of a page, with and without their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    @classmethod
    def of(cls, page: Path) -> Tags:
        tags = cls()
        tags.feed(page.read_text(encoding="utf-8"))
        return tags

    def require_harmless(self) -> None:
        """Nothing that a hostile text asked for is there."""
        names = {tag for tag, _ in self.found}
        attributes = {name for _, held in self.found for name in held}
        assert names & {"img", "svg", "iframe", "object", "base"} <= {"img"}
        assert not [name for name in attributes if name.startswith("on")]
        assert not [link for link in self.links if link.lower().startswith("javascript:")]
        assert not [link for link in self.links if link == "x"]


def hostile_claims(plain: bool = False) -> str:
    """A claims file with hostile text in every field that takes any text; or with plain text instead."""
    words = "plain words" if plain else HOSTILE
    claims = [
        {"id": "a", "kind": "mean", "value": "1276 ± 67", "n": 5, "place": words, "quote": words},
        {"id": "b", "kind": "mean", "value": "5375±581", "n": 5, "place": "T", "quote": words}
        | {"note": words},
        {"id": "c", "kind": "improvement", "value": "+11%", "of": {"new": "b", "old": "a"}}
        | {"place": "T", "quote": f"{words} +11%"},
    ]
    return yaml.safe_dump({"title": words, "claims": claims}, allow_unicode=True)


def test_a_hostile_claims_file_stays_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for plain in (True, False):
        file = tmp_path / ("plain.yaml" if plain else """h"'><b>.yaml""")
        file.write_text(hostile_claims(plain), encoding="utf-8")
        assert audit([str(file), "--output", str(tmp_path / str(plain))]) == 0
        pages.append(Tags.of(tmp_path / str(plain) / "audit.html"))
    printed = capsys.readouterr().out
    assert "[bold red]x[/y]" in printed
    assert "\x1b" not in printed
    pages[1].require_harmless()
    assert sorted(pages[0].found) == sorted(pages[1].found), "the same tags, whatever the texts"
    assert "{{ 7*7" in (tmp_path / "False" / "audit.html").read_text("utf-8")


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system [touch x]", 'a: "\\e[2J"'])
def test_yaml_that_would_act_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecificationError, match=r"a\.yaml: not valid YAML: ") as caught:
        read_document(tmp_path / "a.yaml")
    assert "\x1b" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_auditing_a_folder_runs_none_of_its_code(tmp_path: Path) -> None:
    """Neither when it is read nor when it is asked for what it has recorded."""
    folder = shutil.copytree(REPOSITORY / TOY, tmp_path / "toy_paper")
    acts = f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit('ran')\n"
    for path in (*folder.glob("*.py"), folder / "answers.py", folder / "released.py"):
        path.write_text(acts, encoding="utf-8")
    assert audit([str(folder), "--results", str(tmp_path), "--output", str(tmp_path / "o")]) == 0
    assert (tmp_path / "o" / "audit.html").is_file()
    assert not (tmp_path / "ran").exists()


def test_a_link_out_of_a_paper_is_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret").write_text("a secret: [", encoding="utf-8")
    folder = shutil.copytree(REPOSITORY / TOY, tmp_path / "toy_paper")
    (folder / "skips.yaml").symlink_to(tmp_path / "secret")
    assert audit([str(folder), "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"error: {folder}/skips.yaml: is a symbolic link to outside {folder}; allowed: files of its own\n"
    )


def test_a_pickled_checkpoint_is_not_run(tmp_path: Path) -> None:
    """One whose loading would write a file."""
    ran = tmp_path / "ran"
    act = f"cposix\nsystem\n(S'touch {ran}'\ntR.".encode()
    (tmp_path / "model.pt").write_bytes(act)
    with pytest.raises(SpecificationError, match=r"model\.pt: not a torch state dict"):
        read_checkpoint(tmp_path / "model.pt")
    assert not ran.exists()


@pytest.mark.parametrize("name", ["../../outside", "a/b", "/etc", "A", ""])
@pytest.mark.parametrize("kind", ["experiments", "studies"])
def test_names_that_become_paths_are_plain(kind: str, name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(REPOSITORY / TOY, tmp_path / "toy_paper")
    plan = yaml.safe_load((folder / "experiments.yaml").read_text(encoding="utf-8"))
    (first, *_) = plan[kind]
    plan[kind][name] = plan[kind].pop(first)
    (folder / "experiments.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    with pytest.raises(SpecificationError, match=f"{kind}: name {name!r}: allowed: lower-case"):
        ledger([folder], "smoke", tmp_path)


# A results directory


def resealed(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change a header and make its hash and checksum right again, as a stranger may."""
    path = folder / "record.json"
    header = json.loads(path.read_text(encoding="utf-8"))
    change(header)
    subject = "study" if "study" in header else "shard"
    header["hash"] = content_hash(header[subject])
    header["checksum"] = header_checksum(header)
    path.write_text(json.dumps(header), encoding="utf-8")


@pytest.mark.parametrize("outside", ["../../../../secret.parquet", "/etc/secret.parquet"])
def test_a_record_names_files_of_its_own(outside: str, reproduced: Tree, tmp_path: Path) -> None:
    for source, subject in ((reproduced.study, "study"), (reproduced.records()[0], "shard")):
        folder = shutil.copytree(source, tmp_path / subject / "record")
        resealed(folder, lambda header: header["files"].update({outside: "0" * 64}))  # type: ignore[attr-defined]
        with pytest.raises(RecordError, match=r"record\.json: files: must be "):
            read_header(folder, subject)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["curve.parquet", "record.json", ".", ".."])
def test_a_record_has_no_links(what: str, reproduced: Tree, tmp_path: Path) -> None:
    """Neither among its files, nor in place of its folder or its environment's."""
    (record, *_) = reproduced.records("ProbeTarget-v0/ppo-*")
    folder = tmp_path / "records" / "ProbeTarget-v0" / record.name
    shutil.copytree(record, folder)
    assert read_header(folder)["hash"]
    place = folder.parent if what == ".." else folder if what == "." else folder / what
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match=f"{place}: is a symbolic link"):
        read_header(folder)


@pytest.mark.parametrize("linked", ["train.log", "failure.json", "."])
def test_scratch_shows_nothing_that_a_link_leads_to(linked: str, tmp_path: Path) -> None:
    """A killed shard's last line, and a failed one's error, stand in the report."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "scratch" / "0123"
    elsewhere.mkdir()
    (elsewhere / "train.log").write_text("secret\n", encoding="utf-8")
    (elsewhere / "failure.json").write_text('{"error": "secret"}', encoding="utf-8")
    (elsewhere / "progress.json").write_text("{}", encoding="utf-8")
    if linked == ".":
        folder.parent.mkdir()
        folder.symlink_to(elsewhere)
    else:
        folder.mkdir(parents=True)
        (folder / "progress.json").write_text("{}", encoding="utf-8")
        (folder / linked).symlink_to(elsewhere / linked)
    told = attempt(folder.parent, "0123")
    assert told.log == ""
    assert "secret" not in told.said


def test_hostile_records_and_logs_stay_text(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provenance, stale records, errors and log lines, and the words of a paper, in the report."""
    monkeypatch.chdir(tree.root)
    records = tree.records("ProbeTarget-v0/*")

    def change(header: dict[str, object]) -> None:
        told = header["provenance"]
        assert isinstance(told, dict)
        told |= {name: HOSTILE for name in ("machine", "processor", "mode", "device", "commit")}
        told["versions"] = {HOSTILE: HOSTILE}

    resealed(records[0], change)
    shutil.copytree(records[0], records[0].with_name(f"""{HOSTILE.split("/")[0]}"x-0"""))
    failed = tree.root / "results" / "scratch" / records[1].name.rpartition("-")[2]
    shutil.rmtree(records[1])
    failed.mkdir(parents=True, exist_ok=True)
    (failed / "failure.json").write_text(json.dumps({"error": f"{HOSTILE}\x1b[2J\n"}), "utf-8")
    for name in ("paper.yaml", "specification.yaml"):
        path = tree.root / TOY / name
        if path.is_file():
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            path.write_text(yaml.safe_dump(poisoned(content)), encoding="utf-8")
    options = ["--papers", str(TOY), "--scale", "smoke", "--results", "results"]
    assert report.main([*options, "--output", "results/smoke/report.html"]) == 0
    page = tree.results / "report.html"
    Tags.of(page).require_harmless()
    text = page.read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 6


def poisoned(content: object) -> object:
    """A paper's words, each with hostile text at its end; names of artifacts and experiments as they are."""
    if isinstance(content, dict):
        kept = ("experiments", "studies", "headlines", "readings", "minutes")
        return {key: x if key in kept else poisoned(x) for key, x in content.items()}
    if isinstance(content, list):
        return [poisoned(x) for x in content]
    return f"{content} {HOSTILE}" if isinstance(content, str) else content


def test_hostile_imported_runs_stay_text(tree: Tree) -> None:
    name = HOSTILE.replace('"', '""')
    rows = [f'"{name}",ProbeTarget-v0,{seed},{step},-0.5' for seed in (0, 1) for step in (320, 640)]
    text = "\n".join(["method,environment,seed,step,return", *rows]) + "\n"
    (tree.root / "other.csv").write_text(text, encoding="utf-8")
    done = tree.snakemake("toy_paper_table_1", "report", imported="other.csv")
    assert done.returncode == 0, done.stderr
    page = tree.results / "report-with-other.html"
    Tags.of(page).require_harmless()
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text


@pytest.mark.parametrize("name", ["a\x1b[2Jb", '"two\nlines"', "\u202ereversed"])
def test_imported_names_print(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"method,environment,seed,step,return\n{name},ProbeSign-v0,0,1,1\n", "utf-8")
    with pytest.raises(
        SpecificationError, match=r"method: .*; allowed: a name, of characters that"
    ):
        read_imported([path])


# Code that does run


def test_a_folder_from_elsewhere_is_run_only_where_it_was_put_and_that_is_said(tree: Tree) -> None:
    """Snakemake runs a paper's code; it refuses folders outside the repository, and says so before it runs others."""
    shutil.copytree(tree.root / TOY, tree.root.parent / "toy_paper")
    for place in ("../toy_paper", str(tree.root.parent / "toy_paper")):
        done = tree.snakemake("audit", paper=place)
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert "must be a folder below the repository's root" in line
        assert done.returncode != 0
    study = tree.root / TOY / "studies.py"
    with study.open("a", encoding="utf-8") as file:
        file.write("import sys\nprint('its code runs', file=sys.stderr)\n")
    done = tree.snakemake("all", "--dry-run")
    assert done.returncode == 0, done.stderr
    said = [line.partition(" (")[0] for line in done.stderr.splitlines()]
    announced = said.index(f"{TOY}: no paper of this repository; the Python in it is run")
    assert announced < said.index("its code runs")
