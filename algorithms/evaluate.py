"""The one evaluation protocol: deterministic policy, frozen observation statistics, fixed episodes a copy.

Each member plays in up to `EVALUATION_COPIES` environments at once, and every environment plays its own share of the
episodes to the end, so that short episodes are not preferred.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from algorithms.cell import EVALUATION_COPIES, Shard
from algorithms.normalize import Normalizer
from algorithms.population import Learners, Population
from algorithms.seeding import Purpose, environment_seeds
from envs.pool import Pool


def evaluate(
    shard: Shard,
    population: Population,
    learners: Learners,
    normalizer: Normalizer,
    threads: int = 1,
) -> pd.DataFrame:
    """Episodes of every member that still learns: columns member, seed, episode, return, length.

    The observation statistics of a member's first training environment are used as they stand.
    """
    episodes = shard.cell.protocol.evaluation_episodes
    copies = min(EVALUATION_COPIES, episodes)
    quota = np.array([episodes // copies + (copy < episodes % copies) for copy in range(copies)])
    alive = learners.alive.cpu().numpy()
    seeds = [
        seed
        for member in shard.members
        for seed in environment_seeds(member.seed, Purpose.EVALUATION_ENVIRONMENT, 0, copies)
    ]
    owner = np.repeat(np.arange(len(shard.members)), copies)
    frozen = np.repeat(np.arange(len(shard.members)) * shard.cell.settings.environments, copies)
    pool = Pool(shard.cell.world, seeds, threads)
    left = np.tile(quota, len(shard.members)) * alive[owner]
    observation = pool.reset()
    total, length = np.zeros(pool.size), np.zeros(pool.size, dtype=np.int64)
    rows: list[tuple[int, float, int]] = []
    while left.any():
        seen = torch.from_numpy(normalizer.apply(observation, frozen)).float()
        seen = seen.to(population.device).view(len(shard.members), copies, -1)
        action = population.mode(learners, seen).flatten(0, 1).cpu().numpy()
        playing = np.flatnonzero(left)
        step = pool.step(action[playing], playing.astype(np.int32))
        total[playing] += step.reward
        length[playing] += 1
        observation[playing] = step.next_observation()
        for copy in playing[step.ended]:
            rows.append((int(owner[copy]), float(total[copy]), int(length[copy])))
            total[copy], length[copy] = 0.0, 0
            left[copy] -= 1
    return _table(rows, [member.seed for member in shard.members])


def _table(rows: list[tuple[int, float, int]], seeds: list[int]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["member", "return", "length"])
    table = table.sort_values("member", kind="stable", ignore_index=True)
    member = table["member"].astype(np.int32)
    table.insert(1, "seed", np.array(seeds, dtype=np.int64)[member])
    table.insert(2, "episode", table.groupby("member").cumcount().astype(np.int64))
    table["member"] = member
    return table.astype({"return": np.float64, "length": np.int64})
