"""Tensors in a safetensors file together with plain data, and a checksum of all of it: what is read is what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from algorithms.header import DamagedError, RecordError

TOLD, CHECKSUM = "state", "checksum"


def write(path: Path, tensors: Mapping[str, Tensor], told: Mapping[str, Any]) -> None:
    """Write contiguous CPU `tensors`, and `told` as JSON, to `path`."""
    text = json.dumps(told)
    metadata = {TOLD: text, CHECKSUM: _checksum(tensors, text)}
    save_file(dict(tensors), path, metadata=metadata)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write` wrote. Raises DamagedError for a file that holds something else, RecordError for one that cannot be read."""
    try:
        with safe_open(path, framework="pt") as stored:
            # Cloned: matrix products may round differently on memory that is mapped, hence aligned, otherwise.
            tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
            metadata = stored.metadata() or {}
        text = metadata[TOLD]
        if metadata[CHECKSUM] != _checksum(tensors, text):
            raise DamagedError(f"{path}: damaged (checksum differs)")
        told: dict[str, Any] = json.loads(text)
    except (SafetensorError, KeyError) as error:
        raise DamagedError(f"{path}: damaged ({error})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error}") from error
    return tensors, told


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """Hexadecimal SHA-256 of every tensor with its name, type and shape, and of the text."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name].numpy()
        digest.update(repr((name, array.dtype.str, array.shape)).encode())
        digest.update(array.data)
    return digest.hexdigest()
