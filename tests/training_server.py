"""The trainer in a process that has imported it and made some first updates, which load much of torch.

A call may come with code that runs before the trainer does, such as what kills it at a moment of the test's choice.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.fork_server import ForkServer

REPOSITORY = Path(__file__).parents[1]
IMPORTED = """
import contextlib, json, os, sys, tempfile
from algorithms.train import main
with tempfile.TemporaryDirectory() as place, open(os.devnull, "w") as nowhere:
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for call in json.loads(sys.argv[1]):
            main([*call, "--records", f"{place}/records", "--scratch", f"{place}/scratch"])
"""
CALLED = """
exec(call["before"])
sys.exit(main(call["arguments"]))
"""
KILLED = -signal.SIGKILL
PLAIN = (
    *("--mode", "eager", "--device", "cpu", "--env", "ProbeTarget-v0", "--seed", "0", "1"),
    *("--evaluation-episodes", "2", "--curve-rows", "10"),
)
SHARD = (
    *(*PLAIN, "--method", "prefpoe", "--steps", "320", "--segments", "20"),
    *(
        "--set",
        "hidden=[8,8]",
        "--set",
        "rollout_steps=16",
        "--set",
        "epochs=1",
        "--set",
        "minibatches=1",
    ),
)
"""Two members that train in twenty segments of one update."""
REPLAYED = (
    *(*PLAIN, "--method", "rep_squashed", "--steps", "1000", "--segments", "10"),
    *(
        "--set",
        "hidden=[8,8]",
        "--set",
        "batch_size=8",
        "--set",
        "initial_steps=40",
        "--set",
        "update_after=990",
    ),
    *("--set", "buffer_size=150"),
)
"""Two members that learn from replay, in the last of ten segments."""
WIDE = (
    *(*PLAIN, "--method", "ppo", "--steps", "16384", "--segments", "1", "--set", "hidden=[1024]"),
    *("--set", "environments=256", "--set", "rollout_steps=64", "--set", "minibatches=1"),
    *("--set", "epochs=1", "--set", "normalize_observations=false"),
    *("--set", "normalize_rewards=false"),
)
"""Two members whose one update takes some two hundred megabytes each, beside a hundred for both."""
_KILL = """
import os, signal
def count():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def at_call(number: int) -> str:
    """Code that kills the process at its `number`-th call of a function, in Python or below it."""
    counting = "sys.setprofile(lambda frame, event, argument: count() if 'call' in event else None)"
    return f"{_KILL}\nleft = {number}\n{counting}\n"


def at_event(event: str, words: str, number: int = 1) -> str:
    """Code that kills the process at the `number`-th audit event of that name with `words` among its arguments."""
    wanted = f"event == {event!r} and {words!r} in str(arguments)"
    hook = f"sys.addaudithook(lambda event, arguments: count() if {wanted} else None)"
    return f"{_KILL}\nleft = {number}\n{hook}\n"


@cache
def _server() -> ForkServer:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    first = json.dumps([SHARD, REPLAYED])
    return ForkServer(IMPORTED, CALLED, first, cwd=REPOSITORY, env=environment)


def train(arguments: Sequence[str], before: str = "") -> subprocess.CompletedProcess[str]:
    """Call `python -m algorithms.train`, after the code `before`."""
    return _server().call(arguments, {"before": before})
