"""A paper's `paper.yaml`: what it is, what it draws, and every assumption where it is silent.

Importing this module loads neither torch nor pandas, so the Snakefile may.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from algorithms.cell import Plan, load_plan
from algorithms.specification import SpecificationError, Strict, read_yaml
from analysis.claims import ById, Claim, read_claims


class Assumption(Strict):
    """One place where the paper is silent or contradicts itself, what we chose, and why."""

    topic: str
    silent: str
    choice: str
    reason: str


class Artifact(Strict):
    """A table or figure of the paper, and the experiments whose records it shows, the chief one first, and studies."""

    title: str
    experiments: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()


class Compute(Strict):
    """What the paper says of its own training: `device`, and claims of minutes a seed, by environment."""

    device: str
    minutes: dict[str, str]


class Paper(Strict):
    """The contents of `paper.yaml`. `artifacts` are named after their modules (`table_1`, `figure_3`).

    `headlines` are the claims that the README's first table shows, improvements of one mean over another.
    `readings` are arms that are a further reading of a method of the paper, and the arm whose printed
    numbers they share.
    """

    title: str
    short: str
    source: str
    protocol: str
    artifacts: dict[str, Artifact]
    assumptions: tuple[Assumption, ...]
    headlines: tuple[str, ...] = ()
    readings: dict[str, str] = Field(default_factory=dict)
    compute: Compute | None = None


def load_paper(folder: Path) -> tuple[Paper, Plan]:
    """The paper in `folder` and its plan, checked against each other. Raises SpecificationError."""
    paper = read_yaml(folder / "paper.yaml", Paper)
    plan = load_plan(folder)
    for name, artifact in paper.artifacts.items():
        for key, shown, known in (
            ("experiments", artifact.experiments, plan.experiments),
            ("studies", artifact.studies, plan.studies),
        ):
            for entry in shown:
                if entry not in known:
                    raise SpecificationError(
                        f"{folder / 'paper.yaml'}: artifacts.{name}.{key}: {entry!r} is not in "
                        f"experiments.yaml; allowed: {', '.join(known) or 'none'}"
                    )
        if not (folder / f"{name}.py").is_file():
            raise SpecificationError(
                f"{folder / 'paper.yaml'}: artifacts.{name}: there is no {folder / (name + '.py')}"
            )
    if paper.headlines or paper.readings or paper.compute:
        _require_headlines(folder, paper, plan)
    return paper, plan


def _require_headlines(folder: Path, paper: Paper, plan: Plan) -> None:
    """Raise SpecificationError where the README's table would name claims, arms or places that are not there."""
    by_id = {claim.id: claim for claim in read_claims(folder / "claims.yaml").claims}
    effects = [name for name, claim in by_id.items() if arms_of(claim, by_id) is not None]
    times = [name for name, claim in by_id.items() if claim.unit == "minutes" and claim.value]
    methods = {method for entry in plan.experiments.values() for method in entry.methods}
    places = {claim.environment for claim in by_id.values() if claim.experiment is not None}
    minutes = paper.compute.minutes if paper.compute is not None else {}
    for key, given, allowed in (
        ("headlines", paper.headlines, effects),
        ("readings", (*paper.readings, *paper.readings.values()), sorted(methods)),
        ("compute.minutes", minutes, sorted(filter(None, places))),
        ("compute.minutes", minutes.values(), times),
    ):
        _require_known(folder / "paper.yaml", key, given, allowed)


def _require_known(path: Path, key: str, given: Iterable[str], allowed: list[str]) -> None:
    for name in given:
        if name not in allowed:
            raise SpecificationError(
                f"{path}: {key}: {name!r} cannot stand here; allowed: {', '.join(allowed) or 'none'}"
            )


def arms_of(claim: Claim, by_id: ById) -> tuple[Claim, Claim] | None:
    """The means (new, old) that an improvement compares, where records would answer both; None else."""
    if claim.kind != "improvement" or any(len(claim.role(role)) != 1 for role in ("new", "old")):
        return None
    new, old = (by_id[claim.role(role)[0]] for role in ("new", "old"))
    return (new, old) if new.experiment is not None and old.experiment is not None else None


def artifact_label(name: str) -> str:
    """ "Table A.2" for table_a_2, as the paper calls it; "Table overhead" for one that the paper does not number."""
    kind, _, number = name.partition("_")
    if not any(sign.isdigit() for sign in number):
        return f"{kind.capitalize()} {number.replace('_', ' ')}"
    return f"{kind.capitalize()} {number.replace('_', '.').upper()}"
