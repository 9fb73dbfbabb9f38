"""The README's first table: what papers claim in their headlines, what our runs give, and the audit's verdict.

Nothing is computed here that is computed elsewhere: means come from the audit's cells, verdicts from its third
question, improvements and their intervals from `analysis.statistics`, runs and core-hours from the ledger.

Command line: rewrite the block between the two markers of the README, or --check that it is up to date.
"""

from __future__ import annotations

import argparse
import math
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.cell import Plan
from algorithms.records import atomic_path
from algorithms.settings import METHODS
from algorithms.specification import SpecificationError, read_yaml
from analysis.audit.cells import SCALE, Cells, recorded
from analysis.audit.checks.replication import Sample
from analysis.audit.findings import SIGNS, VERDICTS
from analysis.audit.replicated import Ours, replicated, sample_of
from analysis.audit.verdicts import judged
from analysis.claims import ById, Claim, read_claims
from analysis.compute import hours, stated
from analysis.ledger import ledger
from analysis.paper import Compute, Paper, arms_of, load_paper
from analysis.reported import decimals
from analysis.workflow import PAPERS

BEGIN = "<!-- headline:begin (written by python -m analysis.headline; edits are overwritten) -->"
END = "<!-- headline:end -->"
BLOCK = re.compile(r"<!-- headline:begin.*?-->.*?<!-- headline:end -->", re.DOTALL)
HEADS = ("Headline", "Claimed", "Ours", "Verdict")
ENDED = ("done", "diverged")
"""What a member can be that has a record. A failure leaves none: it is known on the machine that it happened on."""
UNTRAINED = "not trained yet"
UNTESTED = "untested"
EXPLAINED = tuple(
    name for name in VERDICTS["replicated"] if name not in ("untestable", "does not apply")
)
"""The verdicts that an improvement and its means can earn."""
CellName = tuple[str | None, str | None, str | None]
"""Experiment, environment and method."""


@dataclass(frozen=True)
class Source:
    """A paper with headlines, and what our records at scale `paper` hold of it.

    `rows` are the ledger's cells, `total` its row of the paper.
    """

    folder: Path
    results: Path
    paper: Paper
    plan: Plan
    by_id: ById
    cells: Cells
    rows: Mapping[CellName, Mapping[str, Any]]
    total: Mapping[str, Any]


@dataclass(frozen=True)
class Headline:
    """An improvement that a paper claims and its means `old` and `new`, `new` under one reading of its method."""

    claim: Claim
    old: Claim
    new: Claim


def main(argv: Sequence[str] | None = None) -> int:
    """Rewrite the README's headline table; 2 for a specification error, 1 where --check finds it out of date."""
    parser = argparse.ArgumentParser(prog="python -m analysis.headline", description=main.__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", metavar="FOLDER", help="default: all")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where records lie")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), help="file to rewrite")
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = sys.argv[1:] if argv is None else argv
    options = parser.parse_args(given)
    try:
        old = read_readme(options.readme)
        folders = options.papers or sorted(path.parent for path in PAPERS.glob("*/paper.yaml"))
        made = block(folders, options.results)
        new = BLOCK.sub(lambda _: made, old)
        if not options.check:
            with atomic_path(options.readme) as temporary:
                temporary.write_text(new, encoding="utf-8", newline="\n")
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.check and new != old:
        words = [word for word in given if word != "--check"]
        command = shlex.join(["python", "-m", "analysis.headline", *words])
        print(
            f"error: {options.readme}: the headline table is out of date; run: {command}",
            file=sys.stderr,
        )
        return 1
    return 0


def read_readme(path: Path) -> str:
    """The text of `path`. Raises SpecificationError unless both markers stand in it once, in their order."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(BLOCK.findall(text)) != 1:
        raise SpecificationError(f"{path}: needs one headline table, from {BEGIN} to {END}")
    return text


def block(folders: Sequence[Path], results: Path) -> str:
    """Both markers and, between them, the headlines of every paper that declares some.

    Raises SpecificationError for a broken paper and RecordError for a damaged record.
    """
    named = [folder for folder in folders if read_yaml(folder / "paper.yaml", Paper).headlines]
    parts = [section(read_source(folder, results)) for folder in named]
    return "\n\n".join([BEGIN, *parts, *([explanation()] if parts else []), END])


def read_source(folder: Path, results: Path) -> Source:
    """The paper in `folder` with its records below `results`."""
    paper, plan = load_paper(folder)
    by_id = {claim.id: claim for claim in read_claims(folder / "claims.yaml").claims}
    state = ledger([folder], SCALE, results)
    rows = {
        (row["experiment"], row["environment"], row["method"]): row
        for row in state.cells.to_dict("records")
    }
    (total,) = state.papers.to_dict("records")
    return Source(folder, results, paper, plan, by_id, recorded(folder, results), rows, total)


def section(source: Source) -> str:
    """A paper's table of headlines, how to read it, and what the runs have cost."""
    paper = source.paper
    shown = list(headlines(source))
    places = ", ".join(dict.fromkeys(one.claim.place for one in shown))
    caption = f"**{paper.short}**, {paper.source}: its headlines ({places}) beside our runs at the published protocol."
    rows = [HEADS, ("---",) * len(HEADS), *(row(one, source) for one in shown)]
    table = "\n".join(f"| {' | '.join(map(unbroken, cells))} |" for cells in rows)
    legend = (
        "Improvement of the second arm's mean return over the first's, ours with Fieller's 95 % interval; in "
        "brackets the two means ± standard deviation over n seeds, and the verdicts on them."
    )
    return "\n\n".join([caption, table, " ".join([legend, *readings(shown, source)]), cost(source)])


def headlines(source: Source) -> Iterator[Headline]:
    """Every headline as the paper states it, then under each further reading that has an arm there."""
    for name in source.paper.headlines:
        claim = source.by_id[name]
        arms = arms_of(claim, source.by_id)
        assert arms is not None  # load_paper has checked it
        new, old = arms
        yield Headline(claim, old, new)
        for method, read_as in source.paper.readings.items():
            if read_as == new.method and (new.experiment, new.environment, method) in source.rows:
                yield Headline(claim, old, new.model_copy(update={"method": method}))


def readings(shown: Sequence[Headline], source: Source) -> Iterator[str]:
    """Which arms are readings of one method, a sentence each."""
    for method, read_as in source.paper.readings.items():
        both = (
            f"{METHODS[read_as].label} and {METHODS[method].label} are two readings of one method"
        )
        there = {one.new.environment for one in shown if one.new.method == method}
        first = [one.new.environment for one in shown if one.new.method == read_as]
        alone = [str(place) for place in first if place not in there]
        yield f"{both}; on {', '.join(alone)} only the first has an arm." if alone else f"{both}."


def row(one: Headline, source: Source) -> tuple[str, ...]:
    """The cells of a headline, as `HEADS` names them."""
    return (
        f"{one.new.environment}<br>{label(one.old)} → {label(one.new)}",
        claimed(one, source.by_id),
        ours(one, source),
        verdict(one, source),
    )


def unbroken(text: str) -> str:
    """`text` with spaces that do not break a line within "1276 ± 67", "n = 5" and "≠ incompatible"."""
    marks = "".join({SIGNS[name].mark for name in EXPLAINED})
    return re.sub(
        rf" ([±=]) |(?<=[{re.escape(marks)}]) ", lambda found: found[0].replace(" ", "\u00a0"), text
    )


def label(arm: Claim) -> str:
    """The arm's name, as in every table of ours."""
    return METHODS[str(arm.method)].label


def claimed(one: Headline, by_id: ById) -> str:
    """What the paper prints: "+321%" and, on a line below, "(1276 ± 67 → 5375 ± 581; n = 5)"."""
    means = [printed(arm, by_id) for arm in (one.old, one.new)]
    return f"{one.claim.value}<br>({' → '.join(means)}{sizes(one.old.n, one.new.n)})"


def printed(arm: Claim, by_id: ById) -> str:
    """A printed mean; its spread may stand where the same mean is printed again."""
    told = arm
    while told.reported.spread is None and told.same_as is not None:
        told = by_id[told.same_as]
    mean, spread = arm.reported.value, told.reported.spread
    text = f"{mean:f}" if spread is None else f"{mean:f} ± {spread:f}"
    return text.replace("-", "−")


def sizes(old: int | None, new: int | None) -> str:
    """ "; n = 5", or "; n = 5 and 4"; nothing where they are not stated."""
    given = dict.fromkeys(str(n) for n in (old, new) if n is not None)
    return f"; n = {' and '.join(given)}" if given else ""


def ours(one: Headline, source: Source) -> str:
    """Our improvement and the means behind it, or how far the runs are."""
    old, new = (sample_of(arm, source.cells) for arm in (one.old, one.new))
    if isinstance(old, Sample) and isinstance(new, Sample):
        means = f"{mean_of(old, one.old)} → {mean_of(new, one.new)}{sizes(old.n, new.n)}"
        return f"{improvement_of(one, source)}<br>({means})"
    told = [
        f"{mean_of(sample, arm)} (n = {sample.n})"
        if isinstance(sample, Sample)
        else progress(arm, source)
        for sample, arm in ((old, one.old), (new, one.new))
    ]
    return UNTRAINED if told == [UNTRAINED] * 2 else " → ".join(told)


def mean_of(sample: Sample, arm: Claim) -> str:
    """Our mean ± standard deviation, with as many decimals as the paper's mean."""
    digits = decimals(f"{arm.reported.value:f}")
    return f"{number(sample.mean, digits)} ± {number(sample.std, digits)}"


def progress(arm: Claim, source: Source) -> str:
    """What became of the members of an arm that has no sample; the mean of those that did end, where some did not."""
    counts = source.rows.get((arm.experiment, arm.environment, arm.method))
    if counts is None:
        return "not planned"
    told = [f"{counts[status]} {status}" for status in ENDED if counts[status]]
    if not told:
        return UNTRAINED
    became = f"{', '.join(told)} of {counts['planned']} runs"
    found = scores(arm, source)
    survivors = found[~np.isnan(found)]
    if len(survivors) < 2:
        return became
    return f"{mean_of(Sample.of(survivors), arm)} (n = {len(survivors)}; {became})"


def improvement_of(one: Headline, source: Source) -> str:
    """Our improvement in percent with its 95 % interval, as our tables have it."""
    # Here: it loads rliable, which a table without results does without.
    from analysis.statistics import improvement, improvement_interval

    new, old = (scores(arm, source) for arm in (one.new, one.old))
    digits = decimals(str(one.claim.value))
    value, ends = improvement(new, old), improvement_interval(new, old)
    if math.isnan(value):
        return "no percentage, the first mean is not above 0"
    if any(map(math.isnan, ends)):
        return f"{number(value, digits, '+')}%"
    if any(map(math.isinf, ends)):
        return f"{number(value, digits, '+')}% [unbounded]"
    low, high = (number(end, digits, "+") for end in ends)
    return f"{number(value, digits, '+')}% [{low}, {high}]"


def scores(arm: Claim, source: Source) -> NDArray[np.float64]:
    """The scores of an arm's members, shape [n], NaN where one has none: those that its sample summarises."""
    runs = source.cells(str(arm.experiment), str(arm.environment), str(arm.method))
    return np.empty(0) if isinstance(runs, str) else runs.scores.reshape(-1)


def number(value: float, digits: int, sign: str = "") -> str:
    """`value` with so many decimals and a true minus sign."""
    return f"{value:{sign}z.{digits}f}".replace("-", "−")


def verdict(one: Headline, source: Source) -> str:
    """The audit's verdict on the improvement, in brackets those on the two means where our runs bear on one."""
    by_id = {**source.by_id, one.new.id: one.new}
    found = [
        judged(claim, source.folder.name, source.paper.short, findings).replicated
        for claim in (one.claim, one.old, one.new)
        for findings in [tuple(replicated(claim, by_id, Ours(source.cells)))]
    ]
    improved, *means = map(marked, found)
    untold = found[1:] == [UNTESTED] * 2
    return improved if untold else f"{improved}<br>({' → '.join(means)})"


def marked(name: str) -> str:
    """A verdict with the audit's mark; none where nothing was tested."""
    return name if name == UNTESTED else f"{SIGNS[name].mark} {name}"


def cost(source: Source) -> str:
    """How many runs are recorded, in how many core-hours, and what the paper says of its own training."""
    total = source.total
    said = (
        f"Scale `{SCALE}`: {ended(total):,} of {total['planned']:,} planned runs are recorded, in "
        f"{hours(total['core_hours'])} core-hours."
    )
    compute = source.paper.compute
    return said if compute is None else f"{said} {their_cost(compute, source)}"


def their_cost(compute: Compute, source: Source) -> str:
    """The paper's own training time for the runs whose means it prints, beside ours for those recorded."""
    theirs = stated(compute, source.by_id)
    said, minutes = theirs.sentence(), theirs.minutes
    names = [(arm.experiment, arm.environment, arm.method) for arm in theirs.arms]
    rows = [source.rows[name] for name in names if name in source.rows]
    done = sum(map(ended, rows))
    if not done:
        return said
    same = sum(ended(row) * minutes[row["environment"]] for row in rows) / 60
    core = sum(row["core_hours"] for row in rows)
    return (
        f"{said} Of these, {done} are recorded here, in {hours(core)} core-hours where the paper's "
        f"minutes make {hours(same)} GPU-hours."
    )


def ended(counts: Mapping[str, Any]) -> int:
    """Recorded runs in a row of the ledger."""
    return sum(int(counts[status]) for status in ENDED)


def explanation() -> str:
    """How the table is redrawn, and what the verdicts mean."""
    redrawn = (
        "`python -m analysis.headline` redraws this from the records in `results/`; `snakemake audit` does "
        "the same for every claim."
    )
    words = [f"- {marked(name)}: {SIGNS[name].meaning}" for name in EXPLAINED]
    summary = "<details><summary>What the verdicts mean</summary>"
    return "\n".join([redrawn, "", summary, "", *words, "", "</details>"])


if __name__ == "__main__":
    sys.exit(main())
