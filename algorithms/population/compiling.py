"""Whether compiling pays and whether this machine can, and the one call of torch.compile."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from algorithms.cell import Cell
from algorithms.settings import Replayed


class Costs(NamedTuple):
    """Seconds that a compiled update and a compiled action save over eager ones, and that compiling takes at first."""

    update: float
    action: float
    compiling: float


# Measured on one core of an AMD EPYC with five members (benchmarks/compilation.py), and for replay with eight of
# HalfRep-SGM, 2×64 units. More members save more.
ON_POLICY = Costs(2.5e-3, 2e-4, 25.0)
OFF_POLICY = Costs(1.5e-2, 1e-3, 60.0)


def should_compile(cell: Cell) -> bool:
    """Whether compiling is predicted to pay: a fixed rule, so that the same spec always decides alike."""
    updates = cell.iterations * cell.settings.updates_per_iteration
    actions = cell.iterations * cell.settings.actions_per_iteration
    costs = costs_of(cell)
    return updates * costs.update + actions * costs.action > costs.compiling


def costs_of(cell: Cell) -> Costs:
    """What compiling costs and saves for a method of this kind."""
    return OFF_POLICY if isinstance(cell.settings, Replayed) else ON_POLICY


def compiler_missing() -> str | None:
    """What torch.compile would lack on this machine, or None: a C++ compiler, or Python's headers."""
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return "no C++ compiler (c++, g++ or clang++) on PATH"
    header = Path(sysconfig.get_path("include"), "Python.h")
    return None if header.is_file() else f"no {header} (Debian, Ubuntu: python3-dev)"


def unguarded() -> AbstractContextManager[None]:
    """While it lasts, what is compiled is called without a check of what it was compiled for, half the time of a small call.

    Everything must have been called once, and nothing may have other shapes or settings then; what tells two versions of
    one function apart is still checked.
    """
    stance: AbstractContextManager[None] = torch.compiler.set_stance(
        "default", skip_guard_eval_unsafe=True
    )
    return stance


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled for the shapes that it is called with."""
    result: Callable[..., Any] = torch.compile(function, dynamic=False, fullgraph=True)
    return result
