"""Processes that lease slots and are killed at random moments, for tests/algorithms/test_devices.py.

python -m tests.algorithms.lease_cycles FOLDER CYCLES

Each cycle is a process. It writes itself into a table shared by all as the owner of every slot that it holds, and out of it again
before it lets go. A slot that it finds with an owner was left by a process that was killed, or is held twice. Prints JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

from algorithms.devices import SLOT, Device, lease

DEVICES = tuple(
    Device(f"GPU-{i}", "stated", int((n + 0.5) * SLOT / 0.9)) for i, n in enumerate((3, 2))
)
SLOTS = sum(device.slots for device in DEVICES)
AT_ONCE = 12
DONE, DOUBLE = 0, 3


class Shared:
    """Numbers that all processes see: who owns each slot, and which processes have been killed."""

    def __init__(self, count: int) -> None:
        self.memory = mmap.mmap(-1, 8 * count)

    def __getitem__(self, index: int) -> int:
        return int(struct.unpack_from("q", self.memory, 8 * index)[0])

    def __setitem__(self, index: int, value: int) -> None:
        struct.pack_into("q", self.memory, 8 * index, value)


def holder(cycle: int, folder: Path, owners: Shared, killed: Shared) -> int:
    """Lease, claim the slots in the table, hold them for a moment, and take the claims back."""
    chance, own = random.Random(cycle), cycle + 1
    with lease(DEVICES, chance.choice((1, 1, 2, 3)), folder, poll_seconds=0.0005) as held:
        first = sum(one.slots for one in DEVICES[: DEVICES.index(held.device)])
        slots = [first + slot for slot in held.slots]
        for slot in slots:
            if owners[slot] and not killed[owners[slot] - 1]:
                return DOUBLE
            owners[slot] = own
        time.sleep(chance.uniform(0, 0.006))
        if any(owners[slot] != own for slot in slots):
            return DOUBLE
        for slot in slots:
            owners[slot] = 0
    return DONE


def main() -> None:
    """Run the cycles, twelve at once; kill half of the processes at a random moment of their lives."""
    folder, cycles = Path(sys.argv[1]), int(sys.argv[2])
    owners, killed = Shared(SLOTS), Shared(cycles)
    chance = random.Random(0)
    running: dict[int, tuple[int, float]] = {}
    counts = {"done": 0, "killed": 0, "double": 0, "failed": 0}
    started = 0
    while started < cycles or running:
        while started < cycles and len(running) < AT_ONCE:
            process = os.fork()
            if not process:
                os._exit(holder(started, folder, owners, killed))
            dies = time.monotonic() + chance.uniform(0, 0.04) if started % 2 else float("inf")
            running[process] = (started, dies)
            started += 1
        for process, (cycle, dies) in list(running.items()):
            if time.monotonic() > dies:
                killed[cycle] = (
                    1  # before it dies, so that nobody takes what it leaves for a double hold
                )
                os.kill(process, signal.SIGKILL)
            gone, status = os.waitpid(process, os.WNOHANG)
            if gone:
                del running[process]
                code = os.waitstatus_to_exitcode(status)
                names = {DONE: "done", DOUBLE: "double", -signal.SIGKILL: "killed"}
                counts[names.get(code, "failed")] += 1
        time.sleep(0.0005)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
