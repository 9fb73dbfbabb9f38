"""How many threads a process computes with: one number for torch, its compiler, and the BLAS and OpenMP of what it starts.

Simulators are given the same number (`envs.pool.Pool`). Snakemake sets the environment of its jobs to their `threads` before
they start, which numpy's and scipy's BLAS read once, as they are loaded.
"""

from __future__ import annotations

import os

import torch

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TORCHINDUCTOR_COMPILE_THREADS",
)


def limit_threads(threads: int) -> None:
    """Compute with so many threads from now on, and let child processes do so; before anything is compiled."""
    os.environ.update(dict.fromkeys(VARIABLES, str(threads)))
    torch.set_num_threads(threads)
