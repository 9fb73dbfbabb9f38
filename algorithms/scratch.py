"""Where a shard in training leaves word, and who trains it: the process that holds the lock beside its scratch folder.

The kernel gives the lock up with the process that held it, however that ended. A lock file that nobody holds means nothing.
Importing this module loads neither torch nor pandas.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from filelock import FileLock

FAILURE, PROGRESS, LOG = "failure.json", "progress.json", "train.log"


def lock_of(scratch: Path, shard_hash: str) -> Path:
    """The lock file of a shard, beside its folder below `scratch`."""
    return scratch / f"{shard_hash}.lock"


def exclusive(lock: Path) -> FileLock:
    """A lock of the kernel's; never one that is but a file, which would outlive its holder. Acquiring it raises OSError where the file
    system has none."""
    return FileLock(lock, fallback_to_soft=False)


def is_held(lock: Path) -> bool:
    """Whether a process holds `lock`: on this machine, or on any that shares the folder where its file system says so.

    Nothing is written. A trainer that asks in this very moment asks again a little later, as for any lock.
    """
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
