"""A paper's `paper.yaml`: what it is, what it draws, and every assumption where it is silent.

Importing this module loads neither torch nor pandas, so the Snakefile may.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import field_validator

from algorithms.cell import Plan, load_plan
from algorithms.specification import SpecificationError, Strict, read_yaml


class Assumption(Strict):
    """One place where the paper is silent or contradicts itself, what we chose, and why."""

    topic: str
    silent: str
    choice: str
    reason: str


class Artifact(Strict):
    """A table or figure of the paper, and the experiment whose records it shows."""

    title: str
    experiments: tuple[str, ...]

    @field_validator("experiments")
    @classmethod
    def _exactly_one(cls, experiments: tuple[str, ...]) -> tuple[str, ...]:
        if len(experiments) != 1:
            raise ValueError(f"must name exactly one experiment (names {len(experiments)})")
        return experiments


class Paper(Strict):
    """The contents of `paper.yaml`. `artifacts` are named after their modules (`table_1`, `figure_3`)."""

    title: str
    short: str
    source: str
    protocol: str
    artifacts: dict[str, Artifact]
    assumptions: tuple[Assumption, ...]


def load_paper(folder: Path) -> tuple[Paper, Plan]:
    """The paper in `folder` and its plan, checked against each other. Raises SpecificationError."""
    paper = read_yaml(folder / "paper.yaml", Paper)
    plan = load_plan(folder)
    for name, artifact in paper.artifacts.items():
        for experiment in artifact.experiments:
            if experiment not in plan.experiments:
                raise SpecificationError(
                    f"{folder / 'paper.yaml'}: artifacts.{name}.experiments: {experiment!r} is not in "
                    f"experiments.yaml; allowed: {', '.join(plan.experiments)}"
                )
        if not (folder / f"{name}.py").is_file():
            raise SpecificationError(
                f"{folder / 'paper.yaml'}: artifacts.{name}: there is no {folder / (name + '.py')}"
            )
    return paper, plan


def artifact_label(name: str) -> str:
    """ "Table A.2" for table_a_2, as the paper calls it."""
    kind, _, number = name.partition("_")
    return f"{kind.capitalize()} {number.replace('_', '.').upper()}"
