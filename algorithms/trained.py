"""A trained member, rebuilt from its shard's record: a population of one, with frozen observation statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from algorithms.cell import Shard
from algorithms.evaluate import Episode, Moment, play
from algorithms.normalize import Normalizer
from algorithms.population import Learners, OnPolicy, Population, make_population
from algorithms.records import Record
from algorithms.rollout import fresh_normalizer
from algorithms.specification import SpecificationError


@dataclass(frozen=True)
class Trained:
    """A member after training. `status` is that of its record: one that diverged plays no episode."""

    population: Population
    learners: Learners
    normalizer: Normalizer
    status: str

    def play(
        self,
        seeds: Sequence[int],
        quota: Sequence[int],
        watch: Callable[[Moment], None] | None = None,
    ) -> list[Episode]:
        """`quota`[c] episodes in an environment with seed `seeds`[c] for each c; see `evaluate.play`."""
        return play(self.population, self.learners, self.normalizer, [seeds], quota, watch=watch)

    def values(self, seen: Tensor) -> Tensor:
        """V of normalised observations [1, N, O], in units of the normalised reward: [1, N].

        Raises TypeError for a method without V.
        """
        if not isinstance(self.population, OnPolicy):
            raise TypeError(f"{self.population.cell.method} learns no V")
        return self.population.values(self.learners, seen)


def read_member(shard: Shard, record: Record, seed: int) -> Trained:
    """The member of `shard` with `seed`, as its record holds it.

    Raises SpecificationError where there is not exactly one, and RecordError for a record without weights.
    """
    found = [index for index, member in enumerate(shard.members) if member.seed == seed]
    if len(found) != 1:
        raise SpecificationError(
            f"{record.folder}: seed {seed}: {len(found)} members have it; allowed: one of "
            f"{', '.join(str(member.seed) for member in shard.members)}, once"
        )
    (index,) = found
    arrays = record.arrays()
    population = make_population(
        replace(shard, members=(shard.members[index],)), torch.device("cpu"), compiled=False
    )
    normalizer = fresh_normalizer(population)
    copies = shard.cell.settings.copies
    own = slice(index * copies, (index + 1) * copies)
    normalizer.observations.mean = arrays["observation.mean"][own]
    normalizer.observations.variance = arrays["observation.variance"][own]
    status = str(record.meta["members"][index]["status"])
    learners = population.learners()
    layout = population.layout
    parameters = {name: torch.from_numpy(arrays[name][index]) for name in layout.names}
    learners.theta = layout.flatten(parameters).unsqueeze(0)
    learners.alive[:] = status == "done"
    return Trained(population, learners, normalizer, status)
