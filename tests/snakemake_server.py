"""A process that has imported Snakemake, and forks for every call of it: importing takes longer than most calls.

A fork has loaded nothing of this repository, so a call is what `python -m snakemake` is in the same folder.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

# What a fork does stands after the loop, at the top level, so that it ends as any program does.
SERVER = """
import json, os, sys
import pydantic, snakemake.cli, yaml
while line := sys.stdin.readline():
    call = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
os.chdir(call["folder"])
sys.path[0] = call["folder"]
sys.argv = ["snakemake", *call["arguments"]]
for descriptor, path in enumerate((os.devnull, call["stdout"], call["stderr"])):
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)
snakemake.cli.main()
"""


@cache
def _server() -> subprocess.Popen[str]:
    """This process's server, which ends with it."""
    command = (sys.executable, "-c", SERVER)
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)  # closes its input and waits
    return server


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call Snakemake in `folder`."""
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        said = {name: str(Path(place, name)) for name in ("stdout", "stderr")}
        call = {"folder": str(folder), "arguments": arguments, **said}
        server.stdin.write(json.dumps(call) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        texts = (Path(said[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(arguments, status, *texts)
