"""What compiling saves and costs: the numbers behind the rule in `algorithms/population.py`.

TORCHINDUCTOR_CACHE_DIR=$(mktemp -d) python -m benchmarks.compilation     (an empty cache)
"""

from __future__ import annotations

import time

import torch

from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.methods.ppo import Batch
from algorithms.population import OnPolicy

MEMBERS, UPDATES, ACTIONS = 5, 100, 500


def main() -> None:
    """Time one update and one action of five members, eager and compiled, and the compiling."""
    torch.set_num_threads(1)
    for method in ("ppo", "prefpoe"):
        cell = make_cell(method, "HalfCheetah-v4", {}, 1_000_000, Protocol(1, 1, 1))
        shard = Shard(cell, tuple(Member(seed=seed) for seed in range(MEMBERS)))
        for compiled in (False, True):
            learning = OnPolicy(shard, torch.device("cpu"), compiled)
            start = time.perf_counter()
            learning.warm_up(None)
            warm_up = time.perf_counter() - start
            learners = learning.learners()
            hyper = learning.scheduled(0)
            observation, noise = torch.zeros(MEMBERS, 1, 17), torch.zeros(MEMBERS, 1, 6)
            start = time.perf_counter()
            for _ in range(ACTIONS):
                learning.sample(learners, observation, noise, hyper)
            action = (time.perf_counter() - start) / ACTIONS
            n = learning.settings.batch_size
            zeros = torch.zeros(MEMBERS, n)
            rollout = Batch(
                torch.zeros(MEMBERS, n, 17), torch.zeros(MEMBERS, n, 6), zeros, zeros, zeros, zeros
            )
            rows = torch.randint(n, (UPDATES, MEMBERS, learning.settings.minibatch_size))
            start = time.perf_counter()
            learning.update(learners, rollout, rows, hyper)
            update = (time.perf_counter() - start) / UPDATES
            print(
                f"{method:8} {'compiled' if compiled else 'eager':9} update {update * 1e3:6.2f} ms   "
                f"action {action * 1e6:6.0f} µs   warm-up {warm_up:5.1f} s"
            )


if __name__ == "__main__":
    main()
