"""A process that has imported a program, and forks for every call of it: importing takes longer than most calls."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What a fork does stands after the loop, at the top level, so that it ends as any program does.
SERVING = """
import json, os, sys
while line := sys.stdin.readline():
    call = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for descriptor, path in enumerate((os.devnull, call["stdout"], call["stderr"])):
    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.dup2(opened, descriptor)
    os.close(opened)
"""


class ForkServer:
    """A process that runs the code `imported`, then `called` in a fork for every call, which finds its arguments in `call`."""

    def __init__(self, imported: str, called: str, *arguments: str, **where: Any) -> None:
        command = (sys.executable, "-c", imported + SERVING + called, *arguments)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, text=True, **pipes, **where)
        atexit.register(self._process.communicate)  # closes its input and waits

    def call(
        self, arguments: Sequence[str], more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What a fork that is called with `arguments` ends with; `more` stands in `call` too."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            said = {name: str(Path(place, name)) for name in ("stdout", "stderr")}
            call = {"arguments": list(arguments), **more, **said}
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            texts = (Path(said[name]).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
            return subprocess.CompletedProcess(arguments, status, *texts)
