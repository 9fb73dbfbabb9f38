"""The toy paper, reproduced once for all workflow tests: a copy of this repository with its results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.workflow_runs import CONFIG, Tree, copy_repository

# Before torch is imported, by these processes and those that they start: several workers share the processors.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
# No test is about time: a busy machine must not fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _nothing_compiled_is_left() -> Iterator[None]:
    """What a test compiled counts towards the compiler's limit of versions of one function."""
    yield
    if "torch._dynamo" in sys.modules:
        sys.modules["torch"].compiler.reset()


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Tree:
    """A tree in which `snakemake all` has run on the toy paper. Read only: tests work on copies."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    root = shared / "reproduced"
    with FileLock(shared / "reproduced.lock"):
        if not root.exists():
            tree = Tree(copy_repository(shared / "unfinished"))
            pairs = (f"{key}={value}" for key, value in CONFIG.items())
            done = tree.python("snakemake", "all", "--config", *pairs)  # as a user calls it
            assert done.returncode == 0, done.stderr
            tree.root.rename(root)
    return Tree(root)


@pytest.fixture
def tree(reproduced: Tree, tmp_path: Path) -> Tree:
    """A copy of the reproduced tree, file times included, that a test may change."""
    root = tmp_path / "tree"
    shutil.copytree(reproduced.root, root, ignore=shutil.ignore_patterns(".snakemake"))
    return Tree(root)
