"""Environment steps a second of PPO: this project's populations beside Stable-Baselines3, on the same cores.

    python -m benchmarks.throughput                       (needs the extra `benchmarks`)

Every contender runs as `--processes` processes of one thread each, at the same time; a figure is the sum over
them. Compiling is timed apart. The last contender steps EnvPool with random actions and learns nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from algorithms.cell import Member, Protocol, Shard, make_cell
from benchmarks import contenders
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Continuous

CONTENDERS = ("rl-replica", "stable-baselines3", "envpool")
ROLLOUT = 2048


def population(environment: str, members: int, rollouts: int) -> dict[str, float]:
    """Train `members` members for `rollouts` rollouts each, with this project's own loop."""
    import torch

    from algorithms import train
    from algorithms.progress import Progress

    torch.set_num_threads(1)
    cell = make_cell("ppo", environment, {}, ROLLOUT * rollouts, Protocol(1, 1, 1))
    shard = Shard(cell, tuple(Member(seed=seed) for seed in range(members)))
    with tempfile.TemporaryDirectory() as folder:
        state, learners = train.prepare(shard, Path(folder), train.Resources(mode="compiled"))
        progress = Progress(shard, Path(folder), bar=False)
        train.warm_up(learners, state, progress)
        train.train_segment(shard, learners, state, 0, 1, progress)
    return {
        "steps_per_second": members * rollouts * ROLLOUT / state.training_seconds,
        "compile_seconds": state.compile_seconds,
    }


def stable_baselines(environment: str, rollouts: int) -> dict[str, float]:
    """Train one agent with Stable-Baselines3's PPO at the same settings."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    torch.set_num_threads(1)
    env = VecNormalize(make_vec_env(environment, n_envs=1, seed=0))
    model = PPO("MlpPolicy", env, n_steps=ROLLOUT, batch_size=64, n_epochs=10, device="cpu")
    start = time.perf_counter()
    model.learn(ROLLOUT * rollouts)
    return {"steps_per_second": ROLLOUT * rollouts / (time.perf_counter() - start)}


def stepping(environment: str, members: int, rollouts: int) -> dict[str, float]:
    """Step `members` copies with random actions."""
    entry = ENVIRONMENTS[environment]
    assert isinstance(entry.action, Continuous)
    pool = Pool(entry, list(range(members)))
    pool.reset()
    rng = np.random.default_rng(0)
    actions = rng.uniform(entry.action.low, entry.action.high, (64, members, entry.action.size))
    start = time.perf_counter()
    for t in range(ROLLOUT * rollouts):
        pool.step(actions[t % 64])
    return {"steps_per_second": members * ROLLOUT * rollouts / (time.perf_counter() - start)}


def work(contender: str, environment: str, members: int, rollouts: int) -> dict[str, float]:
    """One process's share."""
    if contender == "rl-replica":
        return population(environment, members, rollouts)
    if contender == "stable-baselines3":
        return stable_baselines(environment, max(2, rollouts // 2))
    return stepping(environment, members, rollouts)


def main() -> None:
    """Run every contender in turn, `--processes` at once, and print one row each."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--env", default="HalfCheetah-v4")
    p.add_argument("--members", type=int, default=10)
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--rollouts", type=int, default=10)
    p.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    p.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.worker:
        contenders.report(**work(o.worker, o.env, o.members, o.rollouts))
        return
    print(f"{o.env}, {o.processes} processes of one thread, {o.members} members each")
    for contender in o.contenders:
        options = ["--worker", contender, "--env", o.env, "--members", str(o.members)]
        options += ["--rollouts", str(o.rollouts)]
        results = contenders.race("benchmarks.throughput", options, o.processes)
        print(contenders.row(contender, results, "steps_per_second", "steps/s"))


if __name__ == "__main__":
    main()
