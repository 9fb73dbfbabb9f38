"""Snakemake in a process that has imported it, and nothing of this repository: a call is `python -m snakemake` in a folder."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.fork_server import ForkServer

CALLED = """
os.chdir(call["folder"])
sys.path[0] = call["folder"]
sys.argv = ["snakemake", *call["arguments"]]
snakemake.cli.main()
"""


@cache
def _server() -> ForkServer:
    return ForkServer("import pydantic, snakemake.cli, yaml", CALLED)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call Snakemake in `folder`."""
    return _server().call(arguments, {"folder": str(folder)})
