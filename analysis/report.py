"""One page over all papers of a scale: tables, figures, assumptions, ledger, times and versions.

The page is a single HTML file that opens offline: figures are embedded, nothing is loaded. It is made of the
files that artifacts left behind (`.md`, `.png`), of `paper.yaml`, and of the provenance in records.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from algorithms.cell import SCALES
from algorithms.records import atomic_path, find_study
from algorithms.specification import SpecificationError
from analysis.audit.specification import read_specification
from analysis.ledger import Ledger, ledger, make_folder, write_ledger
from analysis.load import find_record
from analysis.pages import environment
from analysis.paper import artifact_label
from analysis.workflow import DEFAULTS, PaperFolder, Request, read_request

WORKFLOW_PAGE = "workflow.html"
VERSION_KEYS = (
    "python",
    "commit",
    "dirty",
    "machine",
    "processor",
    "cores",
    "device",
    "threads",
    "mode",
)


@dataclass(frozen=True)
class Head:
    """A column head; `left` for text columns, `starts` where a group of columns begins."""

    text: str
    left: bool
    starts: bool


@dataclass(frozen=True)
class Table:
    """A table read back from Markdown. `groups` are (title, columns) and empty where no column has one."""

    title: str
    heads: tuple[Head, ...]
    groups: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Artifact:
    """What the page shows of one artifact: tables, or a figure as a data URI; and files beside it."""

    name: str
    title: str
    tables: tuple[Table, ...]
    image: str | None
    files: tuple[tuple[str, str], ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and ledger.csv; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--scale", required=True, choices=SCALES)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="the page to write")
    parser.add_argument("--imported", type=Path, nargs="*", default=[], help="csv of other runs")
    options = parser.parse_args(argv)
    try:
        given = {key: getattr(options, key) for key in ("scale", "results", "imported")}
        write(read_request({**given, "paper": options.papers}), options.output)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def write(request: Request, output: Path) -> None:
    """Write the page. Raises SpecificationError for an artifact that has not been drawn."""
    state = ledger([entry.folder for entry in request.papers], request.scale, request.results)
    write_ledger(state, request.results / request.scale)
    templates = environment()
    templates.filters |= {"label": artifact_label, "code": code}
    page = templates.get_template("report.html.j2").render(
        scale=request.scale,
        workflow_page=(output.parent / WORKFLOW_PAGE).is_file(),
        workflow_command=workflow_command(request, output.parent / WORKFLOW_PAGE),
        audit_page=_audit_page(request, output),
        notes=sorted({entry.plan.scales[request.scale].note for entry in request.papers}),
        imported=[path.name for path in request.imported],
        papers=[_paper(entry, request, state, output) for entry in request.papers],
    )
    make_folder(output.parent)
    with atomic_path(output) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def _audit_page(request: Request, output: Path) -> str | None:
    """The audit's page as seen from this one, where there is one."""
    page = Path(request.audit) / "audit.html"
    return Path(os.path.relpath(page, output.parent)).as_posix() if page.is_file() else None


def workflow_command(request: Request, page: Path) -> str:
    """The command by which Snakemake writes its own page on the workflow of `request` to `page`."""
    given = {
        "paper": ",".join(entry.folder.as_posix() for entry in request.papers),
        "scale": request.scale,
        "results": request.results.as_posix(),
        "imported": ",".join(path.as_posix() for path in request.imported),
    }
    settings = [f"{key}={value}" for key, value in given.items() if value != DEFAULTS[key]]
    return shlex.join(["snakemake", "all", "--report", page.as_posix(), "--config", *settings])


def code(text: str) -> Markup:
    """`text` escaped, with what stands between backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _paper(entry: PaperFolder, request: Request, state: Ledger, output: Path) -> dict[str, Any]:
    drawn = entry.artifacts(request.scale)
    trained, studies = list(_trained(entry, request)), list(_studies(entry, request))
    stale = state.stale[state.stale["paper"] == entry.name]
    tried = state.attempts[state.attempts["paper"] == entry.name]
    (total,) = state.papers[state.papers["paper"] == entry.name].to_dict("records")
    return {
        "name": entry.name,
        "paper": entry.paper,
        "requirements": read_specification(entry.folder),
        "artifacts": [_artifact(name, entry, request, output) for name in drawn],
        "left_out": [name for name in entry.paper.artifacts if name not in drawn],
        "total": total,
        "ledger": state.cells[state.cells["paper"] == entry.name].to_dict("records"),
        "attempts": tried.to_dict("records"),
        "stale": stale.to_dict("records"),
        "trained": trained,
        "studies": studies,
        "versions": _versions([told["provenance"] for told in (*trained, *studies)]),
    }


def _artifact(name: str, entry: PaperFolder, request: Request, output: Path) -> Artifact:
    paths = [Path(path) for path in request.artifact(entry.name, name)]
    by_ending = {path.suffix: path for path in paths}
    tables: tuple[Table, ...] = ()
    image = None
    if ".md" in by_ending:
        tables = read_markdown(_read(by_ending[".md"]).decode())
    if ".png" in by_ending:
        encoded = base64.b64encode(_read(by_ending[".png"])).decode()
        image = f"data:image/png;base64,{encoded}"
    files = tuple(
        (path.suffix.lstrip("."), path.resolve().relative_to(output.parent.resolve()).as_posix())
        for path in paths
        if path.resolve().is_relative_to(output.parent.resolve())
    )
    return Artifact(name, entry.paper.artifacts[name].title, tables, image, files)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecificationError(
            f"{path}: cannot be read; draw it first: {error.strerror}"
        ) from error


def read_markdown(text: str) -> tuple[Table, ...]:
    """The tables of a Markdown file: each a bold title, a pipe table, and paragraphs of notes."""
    tables = []
    for part in re.split(r"^\*\*(?=.+\*\*$)", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("**\n")
        lines = rest.strip().splitlines()
        table = [_cells(line) for line in lines if line.startswith("|")]
        notes = [line for line in lines if line and not line.startswith("|")]
        heads, groups = _heads(table[0], [not rule.endswith(":") for rule in table[1]])
        rows = tuple(tuple(row) for row in table[2:])
        tables.append(Table(title, heads, groups, rows, tuple(notes)))
    return tuple(tables)


def _cells(line: str) -> list[str]:
    inner = re.split(r"(?<!\\)\|", line)[1:-1]
    return [cell.strip().replace("\\|", "|") for cell in inner]


def _heads(
    texts: Sequence[str], left: Sequence[bool]
) -> tuple[tuple[Head, ...], tuple[tuple[str, int], ...]]:
    """Heads and groups: a group is "Title: paper" and the heads after it up to the next such head."""
    heads: list[Head] = []
    groups: list[tuple[str, int]] = []
    for text, is_left in zip(texts, left, strict=True):
        title, found, _ = text.rpartition(": paper")
        if found:
            groups.append((title, 1))
        elif groups:
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        heads.append(Head("paper" if found else text, is_left, bool(found)))
    alone = len(heads) - sum(width for _, width in groups)
    return tuple(heads), (("", alone), *groups) if groups else ()


def _trained(entry: PaperFolder, request: Request) -> Iterator[dict[str, Any]]:
    """Every planned shard that has a record: what it trains, and the record's provenance."""
    records = Path(request.records(entry.name))
    for shard in entry.plan.all_shards(request.scale).values():
        record = find_record(shard, records)
        if record is not None:
            yield {
                "environment": shard.cell.environment,
                "method": shard.cell.method,
                "members": len(shard.members),
                "provenance": record.meta["provenance"],
            }


def _studies(entry: PaperFolder, request: Request) -> Iterator[dict[str, Any]]:
    """Every planned study: its title, and its record's provenance, empty where there is none."""
    records = Path(request.records(entry.name))
    for name in entry.plan.planned_studies(request.scale):
        record = find_study(entry.plan.study(request.scale, name), records)
        yield {
            "name": name,
            "title": entry.plan.studies[name].title,
            "provenance": {} if record is None else record.meta["provenance"],
        }


def _versions(provenance: Sequence[dict[str, Any]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Each library and machine property with the values found and how many records have them."""
    table: dict[str, dict[str, int]] = {}
    for told in provenance:
        machine = ((key, told[key]) for key in VERSION_KEYS if key in told)
        for name, value in (*told.get("versions", {}).items(), *machine):
            counts = table.setdefault(name, {})
            counts[str(value)] = counts.get(str(value), 0) + 1
    return [(name, sorted(counts.items())) for name, counts in table.items()]


if __name__ == "__main__":
    sys.exit(main())
