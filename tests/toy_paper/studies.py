"""What the toy paper's study may be told."""

from __future__ import annotations

from algorithms.cell import Seed
from algorithms.settings import Count
from algorithms.specification import Strict


class Replay(Strict):
    """The member with `seed` plays `episodes` again."""

    seed: Seed
    episodes: Count


SETTINGS: dict[str, type[Strict]] = {"replay": Replay}
