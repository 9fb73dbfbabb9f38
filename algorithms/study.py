"""Studies: experiments without members. One function makes one record, from settings and other records.

What a study may be told stands in its paper's `studies.py`, what it is told in `experiments.yaml`. Its hash covers
name, version, settings, the methods that it is about and the shards whose records it reads. Importing this module
loads neither torch nor pandas, so the Snakefile may.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, JsonValue, ValidationError, field_validator

from algorithms.identity import content_hash
from algorithms.settings import METHODS, Count
from algorithms.specification import SpecificationError, Strict, problem, read_document

FOLDER = "studies"
"""Where records of studies lie, below a paper's records."""

Settings = TypeVar("Settings", bound=Strict)


class StudyEntry(Strict):
    """A study as `experiments.yaml` has it: `version` is raised by hand when what the function does changes.

    It reads the records of `experiments`, of their `methods` only where it names some. `settings` are given for
    each scale; a scale that is not named leaves the study out.
    """

    title: str
    version: Count
    experiments: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    settings: dict[str, dict[str, JsonValue]] = Field(min_length=1)

    @field_validator("experiments", "methods")
    @classmethod
    def _different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{name!r} stands twice; allowed: once")
        return names

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for method in methods:
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}; allowed: {', '.join(METHODS)}")
        return methods


@dataclass(frozen=True)
class Study:
    """A study at one scale; `shards` are the hashes of those whose records it reads."""

    name: str
    entry: StudyEntry
    settings: Mapping[str, JsonValue]
    shards: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """Everything that decides the record's values, as plain JSON data."""
        return {
            "name": self.name,
            "version": self.entry.version,
            "settings": dict(self.settings),
            "methods": {
                method: {
                    "version": METHODS[method].version,
                    "settings": METHODS[method].settings.content(),
                }
                for method in self.entry.methods
            },
            "shards": sorted(self.shards),
        }

    @cached_property
    def hash(self) -> str:
        """Hash of `content`."""
        return content_hash(self.content())

    @property
    def path(self) -> str:
        """The record's path below a records folder: studies/name-hash."""
        return f"{FOLDER}/{self.name}-{self.hash}"


def check_settings(
    settings: Mapping[str, JsonValue], model: type[Settings], folder: Path, scale: str, study: str
) -> Settings:
    """The settings of a study of the paper in `folder`, as the `model` of its paper reads them.

    Raises SpecificationError: a line for each problem, with file, line, key, value and what is allowed.
    """
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        document = read_document(folder / "experiments.yaml")
        place = ("studies", study, "settings", scale)
        lines = [
            f"{document.at((*place, *found['loc']))}: {'.'.join(place)}: {problem(found)}"
            for found in error.errors(include_url=False)
        ]
        raise SpecificationError("\n".join(lines)) from error
