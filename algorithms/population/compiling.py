"""Whether compiling pays and whether this machine can, and the one call of torch.compile."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from algorithms.cell import Cell

# Measured with five members on one core of an AMD EPYC (benchmarks/compilation.py): what a compiled update
# and a compiled action save over eager ones, and what compiling costs with an empty cache.
SAVED_SECONDS_PER_UPDATE = 2.5e-3
SAVED_SECONDS_PER_ACTION = 2e-4
COMPILE_SECONDS = 25.0


def should_compile(cell: Cell) -> bool:
    """Whether compiling is predicted to pay: a fixed rule, so that the same spec always decides alike."""
    updates = cell.iterations * cell.settings.updates_per_iteration
    actions = cell.iterations * cell.settings.actions_per_iteration
    saved = updates * SAVED_SECONDS_PER_UPDATE + actions * SAVED_SECONDS_PER_ACTION
    return saved > COMPILE_SECONDS


def compiler_missing() -> str | None:
    """What torch.compile would lack on this machine, or None: a C++ compiler, or Python's headers."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return "no C++ compiler (c++, g++ or clang++) on PATH"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return None if header.is_file() else f"no {header} (Debian, Ubuntu: python3-dev)"


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled for the shapes that it is called with."""
    result: Callable[..., Any] = torch.compile(function, dynamic=False, fullgraph=True)
    return result
