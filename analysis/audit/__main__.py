"""Audit the claims of papers, or of any claims file: python -m analysis.audit my_claims.yaml

A folder with a claims.yaml is one of our papers: its specification, the coverage of its text, the witnesses in
--evidence and the records in --results take part. A file is audited on its own, without training and without Snakemake.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from rich.console import Console

from algorithms.cell import SCALES
from algorithms.specification import SpecificationError, read_yaml
from analysis.audit import page, terminal
from analysis.audit.answers import FILE, Answers, outdated, read_answers
from analysis.audit.cells import SHOWN, recorded
from analysis.audit.coverage import coverage, tally
from analysis.audit.findings import VERDICTS, Judged, PaperAudit
from analysis.audit.replicated import NOTHING, Ours
from analysis.audit.specification import read_specification
from analysis.audit.verdicts import audit
from analysis.audit.witness import Witnesses, read_witnesses
from analysis.claims import Claims, load_claims, read_claims
from analysis.paper import Paper, artifact_label

NO_PAPER = "none: the call names no paper's folder"


def main(argv: Sequence[str] | None = None) -> int:
    """Audit; 2 for a specification error, 1 where --fail-on finds its verdict, else 0."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.schema:
        print(json.dumps(Claims.model_json_schema(), indent=1, ensure_ascii=False))
        return 0
    if not options.claims:
        parser.error("name at least one of CLAIMS: a claims file, or a paper's folder")
    try:
        _require_evidence(options.evidence, options.claims)
        audits = [_audit(path, options.evidence, options.results) for path in options.claims]
        if options.output is not None:
            # Here: it loads pandas and more, which a look in the terminal does without.
            from analysis.audit.tables import write_tables

            write_tables(audits, options.output)
            links = artifact_links(options.claims, options.results, options.output)
            command = shlex.join(
                ["python", "-m", "analysis.audit", *map(str, argv or sys.argv[1:])]
            )
            page.write(
                audits,
                options.output / "audit.html",
                links,
                version=version("rl-replica"),
                command=command,
            )
    except SpecificationError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2
    Console(soft_wrap=False).print(terminal.summary(audits))
    if options.output is not None:
        print(f"audit: {options.output / 'audit.html'}")
    found = {
        verdict for one in audits for claim in one.claims for verdict in claim.verdicts.values()
    }
    return 1 if found & set(options.fail_on) else 0


def _parser() -> argparse.ArgumentParser:
    verdicts = sorted({verdict for words in VERDICTS.values() for verdict in words})
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "claims", type=Path, nargs="*", metavar="CLAIMS", help="a claims file, or a paper's folder"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write audit.html and the tables"
    )
    parser.add_argument(
        "--evidence",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="witnesses of a paper, as …/<paper>/witnesses.json, and what its studies decide, as …/<paper>/answers.json",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="where records lie")
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        choices=verdicts,
        metavar="VERDICT",
        help=f"exit with 1 where a claim has this verdict; may be repeated: {', '.join(verdicts)}",
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of a claims file"
    )
    return parser


def _require_evidence(evidence: Sequence[Path], claims: Sequence[Path]) -> None:
    """Raise SpecificationError for a witnesses file that belongs to no paper of the call."""
    papers = [path.name for path in claims if path.is_dir()]
    for file in evidence:
        if file.parent.name not in papers:
            raise SpecificationError(
                f"--evidence {file}: must lie in a folder named as its paper; "
                f"allowed: {', '.join(papers) or NO_PAPER}"
            )


def _audit(path: Path, evidence: Sequence[Path], results: Path) -> PaperAudit:
    return _audit_folder(path, evidence, results) if path.is_dir() else _audit_file(path)


def _audit_folder(folder: Path, evidence: Sequence[Path], results: Path) -> PaperAudit:
    """One of our papers, with everything that its folder offers."""
    _require_own_files(folder)
    paper = read_yaml(folder / "paper.yaml", Paper)
    witnesses: Witnesses = {}
    answers: Answers = {}
    for file in evidence:
        if file.parent.name == folder.name and file.name == FILE:
            answers |= read_answers(file)
        elif file.parent.name == folder.name:
            witnesses |= read_witnesses(file)
    notes = sorted({entry.said for entry in witnesses.values() if entry.outcome == "skipped"})
    claims = load_claims(folder)
    ours = Ours(
        recorded(folder, results),
        recorded(folder, results, SHOWN),
        answers,
        outdated(folder, results, answers),
    )
    judged = audit(claims, folder.name, paper.short, witnesses, ours)
    covered, claimed = _numerals(folder, judged)
    return PaperAudit(
        folder.name,
        paper.short,
        paper.source,
        judged,
        read_specification(folder),
        covered,
        tuple(notes),
        claimed,
    )


def _require_own_files(folder: Path) -> None:
    """Raise SpecificationError for a link that leads out of the folder, whosever it is: nothing outside it is read."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise SpecificationError(
                f"{path}: is a symbolic link to outside {folder}; allowed: files of its own"
            )


def _audit_file(path: Path) -> PaperAudit:
    """Claims that somebody else wrote, audited on their own."""
    read = read_claims(path)
    title = read.title or path.stem
    judged = audit(read.claims, path.stem, title, {}, NOTHING)
    return PaperAudit(path.stem, title, None, judged, (), {}, ())


def _numerals(
    folder: Path, judged: Sequence[Judged]
) -> tuple[Mapping[str, int], Mapping[str, Mapping[str, int]]]:
    """Numerals of the paper's text by what they belong to; those of claims by kind and by verdict.

    Both are empty where its text was never listed.
    """
    if not (folder / "numerals.csv").is_file():
        return {}, {}
    rows = coverage(folder)
    covered = Counter(f"rule: {row.numeral.rule}" if row.how == "rule" else row.how for row in rows)
    labels = {"kind": {one.claim.id: str(one.claim.kind) for one in judged}} | {
        f"{question}?": {one.claim.id: one.verdicts[question] for one in judged}
        for question in VERDICTS
    }
    claimed = {what: dict(tally(rows, label).most_common()) for what, label in labels.items()}
    return covered, claimed


def artifact_links(
    folders: Sequence[Path], results: Path, output: Path
) -> dict[tuple[str, str], str]:
    """Where our drawing of a place stands, by (paper, "Table 1"): the report of the best scale that there is."""
    pages = [results / scale / "report.html" for scale in reversed(SCALES)]
    pages = [path for path in pages if path.is_file()]
    if not pages:
        return {}
    report = os.path.relpath(pages[0], output)
    return {
        (folder.name, artifact_label(name)): f"{Path(report).as_posix()}#{folder.name}-{name}"
        for folder in folders
        if folder.is_dir()
        for name in read_yaml(folder / "paper.yaml", Paper).artifacts
    }


if __name__ == "__main__":
    sys.exit(main())
