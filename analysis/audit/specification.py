"""`specification.yaml`: what a replicator needs, and where the paper states it or what we assumed.

And `skips.yaml`: numerals of the paper's text that assert nothing, with the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from algorithms.specification import Strict, read_yaml
from analysis.claims import Words


class Requirement(Strict):
    """One thing that a replicator must know: stated by the paper, or assumed by us, with the reason."""

    item: Words
    part: Literal[
        "environment", "network", "optimiser", "budget", "seeds", "evaluation", "hyperparameters",
        "statistics", "compute", "code",
    ]  # fmt: skip
    stated: Words | None = None
    place: Words | None = None
    quote: Words | None = None
    assumed: Words | None = None
    reason: Words | None = None

    @model_validator(mode="after")
    def _stated_or_assumed(self) -> Requirement:
        if self.stated is not None and (self.place is None or self.quote is None):
            raise ValueError("what is stated needs its place and quote")
        if self.assumed is not None and self.reason is None:
            raise ValueError("what is assumed needs its reason")
        if self.stated is None and self.assumed is None:
            raise ValueError(
                "needs stated (with place and quote), or assumed (with reason), or both"
            )
        return self


class Specification(Strict):
    """The contents of `specification.yaml`."""

    specification: tuple[Requirement, ...]


class Skip(Strict):
    """Numerals that assert nothing: those in `quotes`, or all on `lines` ("541-700") of the text."""

    reason: Words
    quotes: tuple[Words, ...] = ()
    lines: tuple[Annotated[str, Field(pattern=r"^\d+(-\d+)?$")], ...] = ()


class Skips(Strict):
    """The contents of `skips.yaml`."""

    skips: tuple[Skip, ...]


def read_specification(folder: Path) -> tuple[Requirement, ...]:
    """The paper's requirements; none where there is no file. Raises SpecificationError."""
    path = folder / "specification.yaml"
    return read_yaml(path, Specification).specification if path.is_file() else ()


def read_skips(folder: Path) -> tuple[Skip, ...]:
    """The paper's skips; none where there is no file. Raises SpecificationError."""
    path = folder / "skips.yaml"
    return read_yaml(path, Skips).skips if path.is_file() else ()
