"""What a scale costs: the arithmetic against numbers worked out by hand, and the printed plan as a user sees it."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from algorithms import throughput, work
from algorithms.calibration import FILE, Calibration, calibrate
from algorithms.cell import Member, Protocol, Shard, make_cell
from algorithms.throughput import Line, Speed
from algorithms.work import Calls, Demand, Work
from analysis.plan import Cost, costs, seconds, wall_hours
from analysis.workflow import read_request
from tests.workflow_runs import TOY, Tree, with_gpus

REPOSITORY = Path(__file__).parents[2]
SPEED = Speed(
    operation=1e-5,
    element=1e-9,
    flop=1e-11,
    on_policy=Line(1e-3, 1e-4),
    replay=Line(2e-3, 0.0),
    startup=3.0,
    environments={"HalfCheetah-v4": Line(1e-3, 1e-5)},
)
DEMAND = Demand(
    environment="HalfCheetah-v4",
    learning=Work(1e6, 1e9, 1e11),
    evaluating=Work(1e5, 1e8, 0.0),
    steps=2000,
    copies=10,
    evaluation_steps=1000,
    evaluation_copies=100,
    compiling=0.0,
    replayed=False,
)


def test_seconds_of_an_eager_shard() -> None:
    """3 to start; 10 + 1 + 1 to learn; 1 + 0.1 to evaluate; 2000 × (1 + 1 + 1 + 0.1) ms; 1000 × (1 + 10 + 1 + 1) ms."""
    assert seconds(DEMAND, SPEED) == pytest.approx(3 + 12 + 1.1 + 6.2 + 13)


def test_seconds_of_a_compiled_shard() -> None:
    """Compiling takes 25, and leaves 0.15 of the operations' time and 0.4 of the numbers'."""
    compiled = replace(DEMAND, compiling=25.0)
    assert seconds(compiled, SPEED) == pytest.approx(3 + 25 + 1.5 + 0.8 + 1.1 + 6.2 + 13)


def test_seconds_of_a_shard_with_a_replay() -> None:
    """2000 × (2 + 1 + 0.1) ms and 1000 × (2 + 1 + 1) ms."""
    replayed = replace(DEMAND, replayed=True)
    assert seconds(replayed, SPEED) == pytest.approx(3 + 12 + 1.1 + 6.2 + 4)


def shard(members: int = 3, method: str = "ppo", **settings: object) -> Shard:
    cell = make_cell(method, "HalfCheetah-v4", settings, 20_480, Protocol(2, 25, 10))
    return Shard(cell, tuple(Member(seed=seed) for seed in range(members)))


ONE = Calls(Work(2, 30, 400), Work(5, 0, 0), Work(7, 11, 13), Work(3, 50, 100), parameters=1000)


def test_what_a_shard_asks_for() -> None:
    """Ten rollouts of 2048 steps with 320 updates each; 25 episodes in ten copies, three of them in some."""
    asked = work.demand(shard(), ONE)
    assert asked.learning.operations == 10 * (2048 * 2 + 5 + 320 * 7)
    assert asked.learning.elements == 3 * 10 * (2048 * 30 + 320 * 11)
    assert asked.learning.flops == 3 * 10 * (2048 * 400 + 320 * 13)
    assert asked.evaluating == Work(3000 * 3, 3000 * 3 * 50, 3000 * 3 * 100)
    assert (asked.steps, asked.copies) == (20_480, 3)
    assert (asked.evaluation_steps, asked.evaluation_copies) == (3000, 30)
    assert not asked.replayed


def test_work_is_counted_where_it_is_done_and_views_are_none() -> None:
    """Products of [2, 3] and [3, 4] are 2 · 2 · 3 · 4 flops and 8 numbers; the sum after them writes 8 more."""
    import torch

    a, b = torch.ones(2, 3), torch.ones(3, 4)
    assert work.counted(lambda: (a @ b).view(8) + 1) == Work(2, 16, 48)


@pytest.mark.parametrize("method", ["prefpoe", "rep_squashed"])
def test_a_population_does_as_many_operations_on_so_many_times_the_numbers(method: str) -> None:
    from torch import device

    from algorithms.population import make_population

    small = {"hidden": (16, 16)}
    alone = work.calls(shard(1, method, **small))
    crowd = work.calls_of(make_population(shard(3, method, **small), device("cpu"), False))
    update = work.counted(crowd["update"])
    assert update.operations == alone.update.operations
    assert update.flops == 3 * alone.update.flops
    assert update.elements == pytest.approx(3 * alone.update.elements, rel=0.05)


def test_on_a_gpu_a_shard_takes_its_lease_and_little_of_the_hosts_memory() -> None:
    """27 of 90 GB are leased to eight Humanoids, 3 to a bandit's shard; on the CPU they take 25.672 GB."""
    plan = {"paper": "paper_figures/mixture", "scale": "paper"}
    host = read_request(plan).elsewhere()
    shards = host.shards["mixture"]
    known = Calibration(
        replace(SPEED, environments=defaultdict(lambda: Line(1e-3, 1e-5))),
        dict.fromkeys(map(work.key, shards.values()), ONE),
    )
    humanoid = next(h for h, one in shards.items() if one.cell.environment == "Humanoid-v4")
    bandit = next(h for h, one in shards.items() if one.cell.environment == "MultimodalBandit")
    there = costs(with_gpus(host, 90, 45), "mixture", known, 90_000)
    here = costs(host, "mixture", known, 90_000)
    assert there[humanoid].gpu_hours == pytest.approx(0.3 * there[humanoid].core_hours)
    assert there[bandit].gpu_hours == pytest.approx(there[bandit].core_hours / 30)
    assert there[humanoid].memory == 1_000_000_000
    assert here[humanoid].gpu_hours == 0
    assert here[humanoid].memory == pytest.approx(25.672e9, abs=1e6)


def waiting(core_hours: float, memory_bytes: int) -> Cost:
    return Cost(core_hours, 0.0, memory_bytes, 0, 0, done=False)


@pytest.mark.parametrize(
    ("left", "hours"),
    [
        ([], 0.0),
        ([waiting(1.0, 1)] * 8, 2.0),  # four at once
        ([waiting(1.0, 1)] * 4 + [waiting(5.0, 1)], 5.0),  # the longest
        ([waiting(1.0, 5)] * 8, 4.0),  # memory for two
        ([waiting(1.0, 50)] * 8, 8.0),  # more than there is: one by one
    ],
)
def test_hours_until_all_is_trained(left: list[Cost], hours: float) -> None:
    assert wall_hours(left, jobs=4, limit=10) == pytest.approx(hours)


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure, but not for long: no test is about how fast this machine is."""
    monkeypatch.setattr(throughput, "SECONDS", 0.01)


@pytest.mark.usefixtures("briefly")
def test_what_was_measured_is_kept_for_this_machine_only(tmp_path: Path) -> None:
    first = calibrate([shard(1)], "cpu", tmp_path)
    assert first.speed.environments.keys() == {"HalfCheetah-v4"}
    assert min(first.speed.element, first.speed.operation, first.speed.flop) >= 0
    before = (tmp_path / FILE).read_bytes()
    assert calibrate([shard(1), shard(3)], "cpu", tmp_path) == first
    assert (tmp_path / FILE).read_bytes() == before
    text = before.decode().replace('"cores": ', '"cores": 1000')
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    calibrate([shard(1)], "cpu", tmp_path)
    assert '"cores": 1000' not in (tmp_path / FILE).read_text(encoding="utf-8")


@pytest.mark.usefixtures("briefly")
def test_the_plan_counts_what_is_recorded_as_done(tree: Tree) -> None:
    planned = tree.request.shards["toy_paper"].values()
    calibrate(planned, "cpu", tree.root / "results" / "scratch")
    before = {path: path.read_bytes() for path in tree.results.rglob("*") if path.is_file()}
    done = tree.snakemake("plan")
    assert done.returncode == 0, done.stderr
    rows = {line.split("  ")[0]: line.split() for line in done.stdout.splitlines()}
    assert rows["continuous"][1:4] == ["3", "3", "3"]
    assert rows["all, each once"][3:6] == ["5", "5", "5"]
    assert "0 of 5 shards" in done.stdout
    for record in tree.records("ProbeTarget-v0/prefpoe-*"):
        (record / "record.json").unlink()
    fewer = tree.snakemake("plan").stdout
    assert "1 of 5 shards" in fewer
    after = {path: path.read_bytes() for path in before if path.is_file()}
    assert after == {p: content for p, content in before.items() if p in after}
    assert len(before) - len(after) == 1


def test_a_plan_without_a_terminal_is_plain_text() -> None:
    command = (sys.executable, "-m", "analysis.plan", "--papers", str(TOY), "--scale", "nosuch")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: config: scale: 'nosuch'; allowed: ")
