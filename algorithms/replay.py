"""The transitions of all members, in lock-step, and on disk between two segments.

On disk a replay is a file that only grows: the rows of each step, all members' beside each other, float32. A checkpoint
commits its length and a checksum of all that it holds; what lies beyond was written by a run that was interrupted, or that a
damaged checkpoint told of, and is cut off. Shapes: P members,
C capacity, F = 2·O + A + 2 numbers of a transition, O observation, A action.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from algorithms.header import DamagedError, RecordError
from algorithms.memory import row_size

FILE = "replay.float32"
GOES_ON, TERMINATED, CUT = 0.0, 1.0, 2.0
"""What follows a transition: the next of its episode, nothing, or nothing that was seen (a time limit, a segment's end)."""
PIECE = 2**26
"""Bytes that are copied at once between memory and disk: at a checkpoint too, a replay is held in memory once."""


@dataclass
class Replay:
    """The last C transitions of every member: `data` [P, C, F]; `count` is how many there have been."""

    data: Tensor
    count: int = 0
    committed: int = 0
    rows: int = 0
    checksum: int = 0

    @classmethod
    def empty(
        cls, members: int, capacity: int, observations: int, actions: int, device: torch.device
    ) -> Replay:
        """Room for `capacity` transitions of each member. On a CPU the memory is taken as it fills."""
        shape = (members, capacity, row_size(observations, actions))
        # numpy's zeros cost no memory before they are written to; torch's do.
        return cls(torch.from_numpy(np.zeros(shape, np.float32)).to(device))

    @property
    def capacity(self) -> int:
        """How many transitions of a member it holds."""
        return self.data.shape[1]

    @property
    def stored(self) -> int:
        """How many transitions of a member there are to draw from."""
        return min(self.count, self.capacity)

    @property
    def oldest(self) -> int:
        """Where the first of them lies; the others follow it in time, around the end."""
        return (self.count - self.stored) % self.capacity

    def add(
        self,
        observation: Tensor,
        action: Tensor,
        reward: Tensor,
        successor: Tensor,
        ending: Tensor,
    ) -> None:
        """One transition of each member, [P, …], with what follows it; the oldest makes room for it."""
        columns = (observation, action, reward.unsqueeze(-1), successor, ending.unsqueeze(-1))
        torch.cat(columns, dim=-1, out=self.data[:, self.count % self.capacity])
        self.count += 1

    def cut(self) -> None:
        """End the episodes that are under way: what comes next begins others."""
        if self.count:
            ending = self.data[:, (self.count - 1) % self.capacity, -1]
            ending[ending == GOES_ON] = CUT

    def commit(self, folder: Path) -> dict[str, int]:
        """Append what is new to the file in `folder`; what `restore` needs to know.

        Raises RecordError where the file cannot be written, or has lost what it held.
        """
        new = min(self.count - self.committed, self.capacity)
        path, checksum = folder / FILE, self.checksum
        self._require(path, self.rows)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("r+b" if path.exists() else "w+b") as file:
                file.truncate(self.rows * self._row_bytes)
                file.seek(0, os.SEEK_END)
                for steps in self._pieces(new):
                    rows = self.data[:, steps].transpose(0, 1).contiguous().cpu().numpy().tobytes()
                    file.write(rows)
                    checksum = crc32(rows, checksum)
                file.flush()
                os.fsync(file.fileno())  # before the checkpoint that counts on it
        except OSError as error:
            raise RecordError(f"{path}: cannot be written: {error}") from error
        self.rows, self.committed, self.checksum = self.rows + new, self.count, checksum
        return {"count": self.count, "rows": self.rows, "checksum": checksum}

    def restore(self, folder: Path, committed: dict[str, int]) -> None:
        """Take over what `commit` wrote. Raises DamagedError where the file is too short or holds something else."""
        path = folder / FILE
        self._require(path, committed["rows"])
        if self._checksum(path, committed["rows"]) != committed["checksum"]:
            raise DamagedError(f"{path}: damaged (checksum differs)")
        self.count = self.committed = committed["count"]
        self.rows, self.checksum = committed["rows"], committed["checksum"]
        wanted = min(self.rows, self.stored)
        offset = (self.rows - wanted) * self._row_bytes
        for steps in self._pieces(wanted):
            shape = (len(steps), self.data.shape[0], self.data.shape[2])
            rows = np.fromfile(path, np.float32, count=int(np.prod(shape)), offset=offset)
            content = torch.from_numpy(rows.reshape(shape)).to(self.data.device)
            self.data[:, steps] = content.transpose(0, 1)
            offset += rows.nbytes

    def _pieces(self, count: int) -> Iterator[Tensor]:
        """Where the last `count` steps lie in `data`, oldest first, in pieces of at most PIECE bytes or one step."""
        steps = torch.arange(self.count - count, self.count, device=self.data.device)
        return iter(torch.split(steps % self.capacity, max(1, PIECE // self._row_bytes)))

    def _checksum(self, path: Path, rows: int) -> int:
        """CRC-32 of the first `rows` rows of the file."""
        left, checksum = rows * self._row_bytes, 0
        with path.open("rb") as file:
            while left and (piece := file.read(min(left, PIECE))):
                left, checksum = left - len(piece), crc32(piece, checksum)
        return checksum

    def _require(self, path: Path, rows: int) -> None:
        """Raise DamagedError unless the file has as many rows."""
        found, needed = path.stat().st_size if path.exists() else 0, rows * self._row_bytes
        if found < needed:
            raise DamagedError(f"{path}: {found} bytes, the checkpoint beside it needs {needed}")

    @property
    def _row_bytes(self) -> int:
        """Bytes of one step of all members."""
        return 4 * self.data.shape[0] * self.data.shape[2]
