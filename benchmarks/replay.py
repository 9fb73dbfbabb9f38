"""Member-updates a second of SAC beside Stable-Baselines3 and SBX, and of MPO beside itself alone, on the same cores.

    python -m benchmarks.replay --task classic            (needs the extra `benchmarks`)
    python -m benchmarks.replay --task mujoco --members 8
    python -m benchmarks.replay --task control --steps 2000      (or reduced: PMPO's sizes at that scale)

SAC updates after every step and MPO after every fourth, once a batch is stored; only updates are counted, and the few steps before
them take time too. An `alone` contender is a population of one member. Every contender runs as `--processes`
processes of one thread each, at the same time; a figure is the sum over them. Compiling is timed apart.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import contenders

ALONE = " alone"
PEERS = ("stable-baselines3", "sbx")


class Task(NamedTuple):
    """An environment, here and (for peers) in gymnasium, with sizes of networks and batch, members, methods and a fixed α if it has one."""

    environment: str
    peers_environment: str
    hidden: tuple[int, ...]
    batch: int
    members: int
    alpha: float | None
    contenders: tuple[str, ...]


SAC = ("rep_squashed", "gumbel_rep_sgm", "half_rep_sgm", *PEERS)
MPO = ("mpo", f"mpo{ALONE}", "pmpo_ar", f"pmpo_ar{ALONE}")
TASKS = {
    "classic": Task("ShapedPendulum", "Pendulum-v1", (64, 64), 32, 640, 0.1, SAC),
    "mujoco": Task("HalfCheetah-v4", "HalfCheetah-v4", (256, 256), 100, 8, None, SAC),
    "control": Task("CheetahRun-v1", "", (256, 256, 256), 256, 5, None, MPO),
    "reduced": Task("CheetahRun-v1", "", (128, 128), 128, 15, None, MPO),
}


def population(method: str, task: Task, members: int, steps: int) -> dict[str, float]:
    """Train `members` members for `steps` steps each, with this project's own loop."""
    import torch

    from algorithms import train
    from algorithms.cell import Member, Protocol, Shard, make_cell
    from algorithms.progress import Progress

    torch.set_num_threads(1)
    settings: dict[str, Any] = {"hidden": task.hidden, "batch_size": task.batch}
    settings |= {"buffer_size": 100_000, "initial_steps": 0, "update_after": 0}
    members = 1 if method.endswith(ALONE) else members
    method = method.removesuffix(ALONE)
    if task.alpha is not None:
        settings |= {"automatic_alpha": False, "alpha": task.alpha}
    cell = make_cell(method, task.environment, settings, steps, Protocol(1, 1, 1))
    shard = Shard(cell, tuple(Member(seed=seed) for seed in range(members)))
    with tempfile.TemporaryDirectory() as folder:
        state, learners = train.prepare(shard, Path(folder), train.Resources(mode="compiled"))
        progress = Progress(shard, Path(folder), bar=False)
        learners = train.warm_up(learners, state, progress)
        train.train_segment(shard, learners, state, 0, 1, progress)
    return {
        "updates_per_second": members * state.learners.updates / state.training_seconds,
        "compile_seconds": state.compile_seconds,
    }


def peer(which: str, task: Task, steps: int) -> dict[str, float]:
    """Train one agent with a peer's SAC at the same sizes; what it compiles, it compiles in steps that do not count."""
    library: Any
    if which == "sbx":
        import sbx as library
    else:
        import stable_baselines3 as library
        import torch

        torch.set_num_threads(1)
    settings: dict[str, Any] = {"policy_kwargs": {"net_arch": list(task.hidden)}}
    settings |= {"batch_size": task.batch, "learning_starts": task.batch, "buffer_size": 100_000}
    settings |= {} if task.alpha is None else {"ent_coef": task.alpha}
    model = library.SAC("MlpPolicy", task.peers_environment, device="cpu", seed=0, **settings)
    start = time.perf_counter()
    model.learn(2 * task.batch)
    first, start = time.perf_counter() - start, time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return {
        "updates_per_second": steps / (time.perf_counter() - start),
        "compile_seconds": first if which == "sbx" else 0.0,
    }


def main() -> None:
    """Run every contender in turn, `--processes` at once, and print one row each."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--task", choices=TASKS, default="classic")
    p.add_argument("--members", type=int, help="members of one process")
    p.add_argument("--processes", type=int, default=2)
    p.add_argument("--steps", type=int, default=300, help="of each of our members")
    p.add_argument("--peer-steps", type=int, default=3000)
    p.add_argument("--contenders", nargs="+", choices=SAC + MPO, help="the task's unless named")
    p.add_argument("--worker", choices=SAC + MPO, help=argparse.SUPPRESS)
    o = p.parse_args()
    task = TASKS[o.task]
    members = o.members or task.members
    if o.worker in PEERS:
        contenders.report(**peer(o.worker, task, o.peer_steps))
    elif o.worker:
        contenders.report(**population(o.worker, task, members, o.steps))
    else:
        # XLA takes every core unless it is told not to, before it is loaded.
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
        os.environ["OMP_NUM_THREADS"] = "1"
        print(f"{task.environment}: {o.processes} processes of one thread, {members} members each")
        options = ["--task", o.task, "--members", str(members), "--steps", str(o.steps)]
        options += ["--peer-steps", str(o.peer_steps)]
        for contender in o.contenders or task.contenders:
            with_worker = ["--worker", contender, *options]
            results = contenders.race("benchmarks.replay", with_worker, o.processes)
            print(contenders.row(contender, results, "updates_per_second", "updates/s"), flush=True)


if __name__ == "__main__":
    main()
