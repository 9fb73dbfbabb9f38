"""Strict reading of YAML files: one error that names the file, the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator


class SpecificationError(ValueError):
    """A file or command line asks for something that does not exist or cannot be."""


class Strict(BaseModel):
    """A frozen model that refuses unknown keys and says which ones it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [key for key in data if key not in cls.model_fields]
            if unknown:
                allowed = ", ".join(sorted(cls.model_fields))
                raise ValueError(f"unknown key {unknown[0]!r}; allowed: {allowed}")
        return data


Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeyLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML in which a key given twice is an error, not a silent overwrite."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        if not isinstance(key, str | int | float | bool):
            raise yaml.YAMLError(f"key {key!r} is no plain word (line {node.start_mark.line + 1})")
        if keys.count(key) > 1:
            raise yaml.YAMLError(f"key {key!r} stands twice (line {node.start_mark.line + 1})")
    return {
        loader.construct_object(key): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def explain(error: ValidationError, place: str) -> str:
    """The first problem of a ValidationError as one line: place, key, what is wrong, the value."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    got = "" if isinstance(first["input"], dict) else f" (got {first['input']!r})"
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {key + ': ' if key else ''}{message}{got}{more}"


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Parse `path` into `model`. Raises SpecificationError that names the file and the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecificationError(f"{path}: not UTF-8 text: {error.reason}") from error
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise SpecificationError(f"{path}: not valid YAML: {reason}") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SpecificationError(explain(error, str(path))) from error
