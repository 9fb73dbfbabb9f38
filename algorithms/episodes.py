"""Training episodes: those that have ended, and those under way. Copy p·E + e belongs to member p."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from algorithms.cell import Shard
from algorithms.seeding import Purpose, world_seeds
from envs.pool import Step


@dataclass
class Episodes:
    """Finished training episodes of all members, in the order in which they ended."""

    member: list[int] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    episode_return: list[float] = field(default_factory=list)
    length: list[int] = field(default_factory=list)


def training_seeds(shard: Shard, segment: int) -> list[int]:
    """Seeds of all copies of one segment. They come from (member seed, segment), interrupted before it or not."""
    world, copies = shard.cell.world, shard.cell.settings.copies
    purpose = Purpose.TRAINING_ENVIRONMENT
    return [
        seed
        for member in shard.members
        for seed in world_seeds(world, member.seed, purpose, segment, copies)
    ]


class Running:
    """The episodes under way in all copies, booked as they end."""

    def __init__(self, episodes: Episodes, members: int, copies: int) -> None:
        self.episodes, self.members, self.copies = episodes, members, copies
        self._return = np.zeros(members * copies)
        self._length = np.zeros(members * copies, dtype=np.int64)

    def add(self, step: Step, now: int) -> None:
        """Count a step of every copy; `now` is how many steps its member has made."""
        self._return += step.reward
        self._length += 1
        if not step.ended.size:
            return
        self.episodes.member.extend((step.ended // self.copies).tolist())
        self.episodes.step.extend([now] * len(step.ended))
        self.episodes.episode_return.extend(self._return[step.ended].tolist())
        self.episodes.length.extend(self._length[step.ended].tolist())
        self._return[step.ended] = 0.0
        self._length[step.ended] = 0

    def cut(self) -> NDArray[np.int64]:
        """Episodes of each member that are under way and that a segment boundary would cut: [P]."""
        running = (self._length > 0).reshape(self.members, self.copies)
        cut: NDArray[np.int64] = running.sum(axis=1, dtype=np.int64)
        return cut
