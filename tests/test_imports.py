"""Imports go one way, and what the Snakefile imports is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LAYERS = ("envs", "algorithms", "analysis", "paper_figures")
FILES = sorted(path for layer in LAYERS for path in (REPOSITORY / layer).rglob("*.py"))
HEAVY = (
    *("torch", "envpool", "gymnasium", "h5py", "pandas", "pyarrow", "safetensors"),
    *("matplotlib", "scipy", "rliable", "rich", "transformers"),
)


def imported(path: Path) -> Iterator[str]:
    """Top-level packages that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(REPOSITORY).parts[0])
    assert set(imported(path)) & set(LAYERS[layer + 1 :]) == set()


def test_what_the_snakefile_imports_is_light() -> None:
    lines = (REPOSITORY / "Snakefile").read_text(encoding="utf-8").splitlines()
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    assert any("analysis.workflow" in line for line in imports)
    code = [*imports, f"print([name for name in {HEAVY} if name in sys.modules])"]
    done = subprocess.run(
        (sys.executable, "-c", "\n".join(code)),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
