"""Evidence files: what a paper's own modules compute in a step of their own, as JSON that the audit only reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from algorithms.records import atomic_path
from algorithms.specification import SpecificationError, explain

Evidence = TypeVar("Evidence")


def read(path: Path, kind: TypeAdapter[Evidence]) -> Evidence:
    """The evidence in a JSON file. Raises SpecificationError."""
    try:
        return kind.validate_json(path.read_bytes())
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise SpecificationError(explain(error, str(path))) from error


def write(evidence: Evidence, path: Path, kind: TypeAdapter[Evidence]) -> None:
    """Write `evidence` to `path` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kind.dump_python(evidence, mode="json"), indent=1, ensure_ascii=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
