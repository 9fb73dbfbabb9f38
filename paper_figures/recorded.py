"""Redraw everything from the records that are there: statistics, artifacts, report, ledger. Trains nothing.

Members and studies without a record are shown as missing.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from algorithms.cell import SCALES
from algorithms.specification import SpecificationError
from analysis import report, statistics, status
from analysis.workflow import PaperFolder, Request, read_request


def main(argv: Sequence[str] | None = None) -> int:
    """Draw all papers at a scale, then print how far everything is; 2 for a specification error."""
    parser = argparse.ArgumentParser(prog="python -m paper_figures.recorded", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--scale", required=True, choices=SCALES)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--imported", type=Path, nargs="*", default=[], help="csv of other runs")
    options = parser.parse_args(argv)
    try:
        given = {key: value for key, value in vars(options).items() if key != "papers"}
        request = read_request({**given, "paper": options.papers})
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for paper in request.papers:
        if code := draw(paper, request):
            return code
    shared = ["--papers", *map(str, options.papers), "--scale", options.scale]
    shared += ["--results", str(options.results)]
    imported = ["--imported", *map(str, options.imported)]
    return report.main([*shared, "--output", request.report, *imported]) or status.main(shared)


def draw(paper: PaperFolder, request: Request) -> int:
    """Statistics of every experiment of `paper`, then every artifact; the first code that is not 0."""
    shared = ["--paper", str(paper.folder), "--scale", request.scale]
    folder = Path(request.drawn(paper.name)) / "experiments"
    for experiment in paper.plan.planned(request.scale):
        places = ["--records", request.records(paper.name), "--scratch", request.scratch]
        output = ["--output", str(folder / experiment)]
        imported = ["--imported", *map(str, request.imported)]
        code = statistics.main([*shared, "--experiment", experiment, *places, *output, *imported])
        if code:
            return code
    for artifact in paper.artifacts(request.scale):
        module = importlib.import_module(f"{paper.module}.{artifact}")
        places = ["--experiments", str(folder), "--records", request.records(paper.name)]
        code = module.main([*shared, *places, "--output", request.stem(paper.name, artifact)])
        if code:
            return int(code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
