"""Figures 2, 8, 15, 16, 17 and Table 1 from records with made-up evaluations and times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from algorithms.cell import Plan, Shard
from algorithms.records import write_record
from analysis.load import load_experiment, read_imported
from analysis.paper import Paper
from analysis.statistics import write_parquet
from paper_figures import evaluation_curves
from paper_figures.artifact import Request
from paper_figures.mixture import (
    figure_2,
    figure_8,
    figure_15,
    figure_16,
    figure_17,
    table_1,
)

FOLDER = Path(__file__).parents[3] / "paper_figures" / "mixture"
SIMULATED = ("mujoco", "dmc", "robotics", "shifted", "temperature")
FIGURES = (figure_2, figure_8, figure_15, figure_16, figure_17)
LEVELS = {"rep_squashed": 100.0, "half_rep_sgm": 200.0, "gumbel_rep_sgm": 300.0}
TOLD = {"training_seconds": 10.0, "steps_per_second": 240.0, "threads": 1}
TOLD |= {"processor": "AMD EPYC", "device": "cpu", "mode": "eager"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The paper's own experiments on simulated tasks, and Pendulum without the sweep that it reruns."""
    read = yaml.safe_load((FOLDER / "experiments.yaml").read_text(encoding="utf-8"))
    kept = {name: read["experiments"][name] for name in (*SIMULATED, "classic")}
    kept["classic"] = {k: v for k, v in kept["classic"].items() if k != "best_of"}
    return Plan.model_validate({"scales": read["scales"], "experiments": kept})


def request_for(name: str, plan: Plan, folder: Path) -> Request:
    paper = Paper.model_validate(
        yaml.safe_load((FOLDER / "paper.yaml").read_text(encoding="utf-8"))
    )
    places = (folder / "experiments", folder / "records", folder / "out" / name)
    return Request(name, FOLDER, "smoke", *places, paper, plan)


def level(shard: Shard, member: int) -> float:
    """What a member earns: by method, ten more for the second seed, and by temperature where that is swept."""
    setting = shard.members[member].setting
    return LEVELS[shard.cell.method] + 10 * member + sum(setting.values())


def write(shard: Shard, records: Path, lost: int | None = None) -> None:
    """Evaluations at 400, 800, 1,200 steps that rise by one; the member `lost` diverged after the first."""
    cell, times = shard.cell, (400, 800, 1200)
    ends: list[dict[str, Any]] = []
    rows: dict[str, list[dict[str, Any]]] = {"curve": [], "evaluation": [], "evaluations": []}
    for index, member in enumerate(shard.members):
        who, value = {"member": np.int32(index), "seed": member.seed}, level(shard, index)
        value += cell.world.shifted_return
        end = (
            {"status": "diverged", "diverged_at": 700}
            if index == lost
            else {"status": "done", "diverged_at": None}
        )
        ends.append({**member.model_dump(mode="json"), **end, "episodes": 1, "episodes_cut": 0})
        reached = times[:1] if index == lost else times
        rows["curve"].append(
            {**who, "step": 600, "return_mean": 0.0, "length_mean": 1.0, "episodes": 1}
        )
        rows["evaluations"] += [
            {**who, "step": step, "return_mean": value + k, "length_mean": 1000.0, "episodes": 2}
            for k, step in enumerate(reached)
        ]
        if index != lost:
            rows["evaluation"].append({**who, "episode": 0, "return": value, "length": 1000})
    if cell.protocol.evaluation_every is None:
        rows.pop("evaluations")
    tables = {f"{name}.parquet": pd.DataFrame(found) for name, found in rows.items()}
    tables["diagnostics.parquet"] = pd.DataFrame({"member": [], "seed": [], "step": []})
    weights = {"theta": np.zeros(1, np.float32)} if cell.protocol.weights else None
    write_record(records / shard.name, shard, ends, tables, weights, TOLD)


def tabulate(plan: Plan, folder: Path) -> None:
    for name in plan.planned("smoke"):
        tables = load_experiment(
            plan, "smoke", name, folder / "records", folder / "scratch", read_imported([])
        )
        write_parquet(tables.scores, folder / "experiments" / name / "scores.parquet")


@pytest.fixture(scope="module")
def recorded(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything recorded; on FetchReach HalfRep-SGM's second seed diverged."""
    folder = tmp_path_factory.mktemp("recorded")
    for shard in plan.all_shards("smoke").values():
        lost = shard.cell.environment == "FetchReach-v4" and shard.cell.method == "half_rep_sgm"
        write(shard, folder / "records", 1 if lost else None)
    tabulate(plan, folder)
    return folder


def drawn(module: Any, plan: Plan, folder: Path) -> pd.DataFrame:
    """The values that the figure writes; all of its files are there."""
    request = request_for(module.LAYOUT.name, plan, folder)
    evaluation_curves.render(module.LAYOUT, request)
    for ending in ("parquet", "csv", "pdf", "png"):
        assert request.output.with_suffix(f".{ending}").stat().st_size > 0
    return pd.read_parquet(request.output.with_suffix(".parquet"))


def test_a_point_is_the_mean_over_seeds(plan: Plan, recorded: Path) -> None:
    """Seeds earn 100 and 110, rising by one: 105, 106, 107 at 400, 800, 1,200 steps; the interval ends at the two."""
    found = drawn(figure_2, plan, recorded)
    own = found[(found["environment"] == "HalfCheetah-v4") & (found["arm"] == "Rep-Squashed")]
    assert own[["step", "n", "mean"]].to_numpy().tolist() == [
        [400, 2, 105.0],
        [800, 2, 106.0],
        [1200, 2, 107.0],
    ]
    assert own[["low", "high"]].to_numpy().tolist() == [[100.0 + k, 110.0 + k] for k in range(3)]
    assert set(found["environment"]) == {"HalfCheetah-v4", "CartpoleSwingupSparse-v1"}


def test_shifts_are_taken_out_again(plan: Plan, recorded: Path) -> None:
    """Training and its evaluations had 5 less in each of 1,000 steps."""
    found = drawn(figure_16, plan, recorded)
    assert found[found["arm"] == "HalfRep-SGM"]["mean"].tolist() == [205.0, 206.0, 207.0]


def test_every_temperature_is_an_arm_and_the_usual_one_comes_from_the_other_experiment(
    plan: Plan, recorded: Path
) -> None:
    found = drawn(figure_17, plan, recorded)
    first = found[found["step"] == 400].set_index("arm")["mean"].to_dict()
    assert first == pytest.approx({"τ = 0.1": 305.1, "τ = 10": 315.0, "τ = 1": 305.0})


def test_temperatures_of_the_plan_are_those_drawn(plan: Plan) -> None:
    swept = plan.experiments["temperature"].grid["gumbel_temperature"]
    assert {f"τ = {value:g}" for value in (*swept, 1.0)} == set(figure_17.LAYOUT.arms)


def test_the_mean_goes_on_without_a_seed_that_diverged(plan: Plan, recorded: Path) -> None:
    """Seeds earn 200 and 210; the second is lost after 400 steps."""
    found = drawn(figure_15, plan, recorded)
    own = found[found["arm"] == "HalfRep-SGM"]
    assert own[["n", "mean"]].to_numpy().tolist() == [[2, 205.0], [1, 201.0], [1, 202.0]]
    assert own["low"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("module", FIGURES, ids=lambda module: module.LAYOUT.name)
def test_nothing_recorded_is_drawn_as_nothing(module: Any, plan: Plan, tmp_path: Path) -> None:
    tabulate(plan, tmp_path)
    assert drawn(module, plan, tmp_path).empty


def test_both_figures_together_show_every_task_of_the_plan_once(plan: Plan) -> None:
    shown = [*figure_2.ENVIRONMENTS, *figure_8.ENVIRONMENTS]
    planned = [
        name
        for experiment in ("mujoco", "dmc")
        for name in plan.experiments[experiment].steps["paper"]
    ]
    assert sorted(shown) == sorted(planned)
    assert (len(figure_2.ENVIRONMENTS), len(figure_8.ENVIRONMENTS)) == (12, 7)


def times(plan: Plan, folder: Path) -> tuple[pd.DataFrame, str]:
    request = request_for("table_1", plan, folder)
    table_1.render(request)
    text = request.output.with_suffix(".md").read_text(encoding="utf-8")
    return pd.read_parquet(request.output.with_suffix(".parquet")), text


def test_times_are_projected_from_throughput(plan: Plan, recorded: Path) -> None:
    """A shard of two makes 240 steps a second: 10,000 steps of each take 83⅓ s, half of which is a member's."""
    values, text = times(plan, recorded)
    row = values[(values["row"] == "Pendulum-CPU-10K") & (values["method"] == "rep_squashed")]
    assert row[["paper", "members", "shard_members"]].to_numpy().tolist() == [["24s", 2, 2.0]]
    assert row["shard_seconds"].item() == pytest.approx(250 / 3)
    assert row["member_seconds"].item() == pytest.approx(125 / 3)
    assert values["paper"].tolist()[-3:] == ["1h40m30s", "2h20m30s", "2h13m30s"]
    assert "83 s (2)" in text
    assert "AMD EPYC, cpu, 1 thread, eager" in text


def test_times_without_records_say_so(plan: Plan, tmp_path: Path) -> None:
    values, text = times(plan, tmp_path)
    assert len(values) == 12
    assert values["shard_seconds"].isna().all()
    assert text.count("no records yet") == 12
