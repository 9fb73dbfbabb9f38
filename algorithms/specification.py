"""Strict reading of YAML files: one error that names the file, the key, the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
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
            # Once: pydantic looks it up anew each time, ten thousand times in a plan.
            fields = cls.model_fields
            unknown = [key for key in data if key not in fields]
            if unknown:
                allowed = ", ".join(sorted(fields))
                named = ", ".join(repr(key) for key in unknown)
                raise ValueError(f"unknown key {named}; allowed: {allowed}")
        return data


DEEPEST = 100
LONGEST = 200
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Control characters, of which a text has tabs and ends of lines alone."""
Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a key given twice is an error, not a silent overwrite."""


def _mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for index, (key, (written, _)) in enumerate(zip(keys, node.value, strict=True)):
        line = written.start_mark.line + 1
        if not isinstance(key, str | int | float | bool):
            raise yaml.YAMLError(f"key {key!r} is no plain word (line {line})")
        if key in keys[:index]:
            raise yaml.YAMLError(f"key {key!r} stands twice (line {line})")
    return {
        loader.construct_object(key): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def explain(error: ValidationError, place: str) -> str:
    """The first problem of a ValidationError as one line: place, key, what is wrong, the value."""
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {problem(error.errors(include_url=False)[0])}{more}"


def read_yaml(path: Path, model: type[Model]) -> Model:
    """Parse `path` into `model`. Raises SpecificationError: one line for each problem, with file, line and key.

    One process parses the same text at the same path once; models are frozen, so who asks again may share it.
    """
    parsed: Model = _parsed(path, read_text(path), model)
    return parsed


@lru_cache(maxsize=32)
def _parsed(path: Path, text: str, model: type[Model]) -> Model:
    document = parse_document(path, text)
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        lines = [
            printable(f"{document.at(found['loc'])}: {problem(found)}")
            for found in error.errors(include_url=False)
        ]
        raise SpecificationError("\n".join(lines)) from error


@dataclass(frozen=True)
class Document:
    """A YAML file as Python data, and where each part of it stands."""

    path: Path
    data: Any
    root: yaml.Node | None

    def at(self, location: Sequence[str | int]) -> str:
        """ "file:line" of the deepest part on the way to `location`, a chain of keys and indices; the file of ()."""
        node, line = self.root, 0
        for part in location:
            if isinstance(node, yaml.MappingNode):
                found = [pair for pair in node.value if pair[0].value == str(part)]
                if not found:
                    break
                node, line = found[0][1], found[0][0].start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part]
                line = node.start_mark.line + 1
        return f"{self.path}:{line}" if line else str(self.path)


def read_document(path: Path) -> Document:
    """The YAML file at `path`. Raises SpecificationError."""
    return parse_document(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of a file. Raises SpecificationError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpecificationError(f"{path}: not UTF-8 text: {error.reason}") from error


def parse_document(path: Path, text: str) -> Document:
    """The YAML of `text`, which stands at `path`. Raises SpecificationError."""
    loader = _UniqueKeyLoader(text)
    try:
        _require_plain(text)
        root = loader.get_single_node()
        return Document(path, None if root is None else loader.construct_document(root), root)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise SpecificationError(f"{path}: not valid YAML: {reason}") from error
    finally:
        loader.dispose()


def _require_plain(text: str) -> None:
    """Raise YAMLError for nesting so deep that reading it would exhaust the stack, and for what steers a terminal."""
    depth = 0
    for event in yaml.parse(text, Loader=_UniqueKeyLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and (found := STEERING.search(event.value)):
            line = event.start_mark.line + 1
            raise yaml.YAMLError(f"control character {found[0]!r} (line {line})")
        if depth > DEEPEST:
            raise yaml.YAMLError(f"nested deeper than {DEEPEST} levels")


def problem(found: Any) -> str:
    """ "key: what is wrong (got value)", from one entry of ValidationError.errors()."""
    key = ".".join(str(part) for part in found["loc"])
    message = found["msg"].removeprefix("Value error, ")
    given = repr(found["input"])
    given = given if len(given) <= LONGEST else f"{given[:LONGEST]}…"
    got = "" if isinstance(found["input"], dict) else f" (got {given})"
    return f"{key + ': ' if key else ''}{message}{got}"


def require_divisors(whole: str, value: int, **parts: int) -> None:
    """Raise ValueError unless each of `parts` divides `value`, which is called `whole`."""
    for name, part in parts.items():
        if value % part:
            raise ValueError(f"{name} must divide {whole} = {value} (got {part})")


def printable(text: str) -> str:
    """`text` as one line: what does not print is escaped."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
