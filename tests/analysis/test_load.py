"""Scores, curves, diagnostics: every planned member is a row; other people's runs join only if every line is right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algorithms.cell import Plan, Score, load_plan
from algorithms.header import RecordError
from algorithms.records import Record, write_record
from algorithms.specification import SpecificationError
from analysis import load
from analysis.load import load_experiment, read_imported
from analysis.workflow import read_request

HEADER = "method,environment,seed,step,return\n"
GOOD = "theirs,ProbeTarget-v0,3,1024,-2.5\n"


def csv(folder: Path, text: str, name: str = "runs.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_planned_member_is_a_row(plan: Plan, records, scratch, write, find) -> None:
    write(find("ppo"), [(1.0, 2.0), None, (5.0,)])
    failed = scratch / find("prefpoe").hash
    failed.mkdir(parents=True)
    (failed / "failure.json").write_text("{}", encoding="utf-8")
    tables = load_experiment(plan, "smoke", "first", records, scratch, read_imported([]))
    scores, curves = tables.scores, tables.curves
    assert {name: str(kind) for name, kind in scores.dtypes.items()} == load.SCORES
    assert {name: str(kind) for name, kind in curves.dtypes.items()} == load.CURVES
    assert scores["seed"].tolist() == [0, 10, 42] * 6
    status = scores.groupby(["environment", "method"], sort=False)["status"].agg(list)
    assert status["ProbeTarget-v0", "ppo"] == ["done", "diverged", "done"]
    assert status["ProbeTarget-v0", "prefpoe"] == ["failed"] * 3
    assert status["ProbeSign-v0", "linear_fusion"] == ["missing"] * 3
    done, diverged, single = scores.iloc[:3].to_dict("records")
    assert (done["score"], done["episodes"]) == (1.5, 2)
    assert done["episode_std"] == pytest.approx(np.sqrt(0.5))
    assert np.isnan([diverged["score"], diverged["episode_std"], single["episode_std"]]).all()
    assert (diverged["diverged_at"], diverged["episodes"]) == (2048, 0)
    assert scores["score"].count() == 2
    assert curves[["seed", "step", "return_mean", "episodes"]].to_numpy().tolist() == [
        [seed, 1024, 1.5, 7] for seed in (0, 10, 42)
    ]


def test_the_training_return_is_of_the_last_tenth_by_episodes(plan: Plan, records, write) -> None:
    # 8192 steps in 4 bins: the last one alone reaches into the last 819 steps.
    (shard, *_) = (s for s in plan.shards("smoke", "first") if s.cell.steps == 8192)
    folder = write(shard, [(1.0,)] * 3)
    record = load.find_record(shard, records)
    assert record is not None
    scores = load.member_scores(shard, record, folder)
    assert scores["training_return"].isna().all()
    curve = pd.DataFrame(
        {"member": [0, 0, 0, 1], "step": [6144, 8192, 8192, 4096], "return_mean": [99.0, 1, 5, 7]}
    ).assign(episodes=[9, 3, 1, 2])
    ours = Record(folder, {"shard": {"steps": 8192, "curve_rows": 4}})
    assert load._training_return(curve[curve["member"] == 0], ours) == (3 * 1 + 1 * 5) / 4
    assert np.isnan(load._training_return(curve[curve["member"] == 1], ours))


def test_an_edge_rounded_up_is_not_in_the_last_tenth() -> None:
    # Bin 36 of 40 ends at 0.9 · 16384 = 14745.6 steps, which the curve rounds to 14746.
    curve = pd.DataFrame({"step": [14746, 15155], "return_mean": [1.0, 2.0], "episodes": 1})
    record = Record(Path("nowhere"), {"shard": {"steps": 16384, "curve_rows": 40}})
    assert load._training_return(curve, record) == 2.0


def test_the_area_under_a_curve_is_its_mean_over_equal_bins() -> None:
    """Bins 1, 2 and 4 of 5 have episodes: bin 3 lies between its neighbours, bin 5 stays as the last."""
    curve = pd.DataFrame({"step": [100, 200, 400], "return_mean": [1.0, 2.0, 6.0]})
    curve["episodes"] = [9, 1, 1]
    assert load._area(curve, 500, 5) == (1 + 2 + 4 + 6 + 6) / 5
    assert np.isnan(load._area(curve[:0], 500, 5))


def scored(plan: Plan, score: Score) -> Plan:
    """The plan with its first experiment alone, scored otherwise."""
    named = plan.experiments["first"].model_copy(update={"score": score})
    return plan.model_copy(update={"experiments": {"first": named}})


@pytest.mark.parametrize(
    ("score", "column"),
    [("evaluation", "score"), ("last_tenth", "training_return"), ("auc", "auc")],
)
def test_members_are_compared_by_the_score_that_the_experiment_names(
    score: Score, column: str, plan: Plan, records, scratch, write, find
) -> None:
    write(find("ppo"), [(1.0, 2.0), (3.0,), (5.0,)])
    asked = scored(plan, score)
    plain = load_experiment(plan, "smoke", "first", records, scratch, read_imported([])).scores
    scores = load_experiment(asked, "smoke", "first", records, scratch, read_imported([])).scores
    pd.testing.assert_series_equal(scores["score"], plain[column], check_names=False)


def test_a_record_outlives_an_old_failure(plan: Plan, records, scratch, write, find) -> None:
    shard = find("ppo")
    write(shard, [(1.0,)] * 3)
    (scratch / shard.hash).mkdir(parents=True)
    (scratch / shard.hash / "failure.json").write_text("{}", encoding="utf-8")
    scores = load_experiment(plan, "smoke", "first", records, scratch, read_imported([])).scores
    assert scores["status"].tolist()[:3] == ["done"] * 3


def test_the_record_of_another_shard_is_refused(records, write, find) -> None:
    folder = write(find("ppo"), [(1.0,)] * 3)
    other = find("prefpoe")
    shutil.copytree(folder, records / other.name)
    with pytest.raises(RecordError, match=f"is another shard's; expected '{other.hash}'"):
        load.find_record(other, records)


def test_a_damaged_record_is_named(plan: Plan, records, scratch, write, find) -> None:
    folder = write(find("ppo"), [(1.0,)] * 3)
    (folder / "evaluation.parquet").write_bytes(b"")
    with pytest.raises(RecordError, match=r"evaluation\.parquet: missing or damaged"):
        load_experiment(plan, "smoke", "first", records, scratch, read_imported([]))


@pytest.mark.parametrize("returns", [(), (1.0, float("nan"))])
def test_a_done_member_needs_finite_returns(records, scratch, write, find, returns) -> None:
    shard = find("ppo")
    write(shard, [(1.0,), returns, (1.0,)])
    with pytest.raises(RecordError, match="return: member 1 is done but"):
        load.member_scores(shard, load.find_record(shard, records), scratch)


# Runs trained elsewhere


def test_imported_runs_are_one_more_arm(plan: Plan, records, scratch, tmp_path: Path) -> None:
    # Last step 2000: the last 10 % are the returns after step 1800.
    steps = (500, 1000, 1800, 1801, 2000)
    lines = [
        f"theirs,ProbeTarget-v0,{seed},{step},{seed + rank}\n"
        for seed in (1, 0)
        for rank, step in enumerate(steps)
    ]
    lines.append("theirs,CartPole-v1,0,10,500\n")  # an environment of another experiment
    runs = read_imported([csv(tmp_path, HEADER + "".join(lines))])
    assert len(runs) == 11
    scores, curves, diagnostics = load_experiment(plan, "smoke", "first", records, scratch, runs)
    assert diagnostics.empty
    joined = scores[scores["imported"]]
    assert joined[["method", "seed", "score", "episodes", "status"]].to_numpy().tolist() == [
        ["theirs", 0, 3.5, 2, "done"],
        ["theirs", 1, 4.5, 2, "done"],
    ]
    assert joined["training_return"].tolist() == joined["score"].tolist()
    assert joined["steps"].tolist() == [2000, 2000]
    assert scores["steps"].tolist()[:18] == [4096] * 9 + [8192] * 9
    assert joined["episode_std"].tolist() == pytest.approx([np.sqrt(0.5)] * 2)
    assert scores["imported"].tolist() == [False] * 18 + [True] * 2
    # Our curves there have 4096 / 4 = 1024 steps a row.
    drawn = curves[curves["seed"] == 0]
    assert drawn[["step", "return_mean", "episodes"]].to_numpy().tolist() == [
        [1024, 0.5, 2],
        [2048, 3.0, 3],
    ]


def test_an_imported_area_is_of_our_bins_and_steps(
    plan: Plan, records, scratch, write, find, tmp_path: Path
) -> None:
    """Four bins of 1024 steps: 2 (of 1 and 3), none, 6 and 8, so (2 + 4 + 6 + 8) / 4 = 5; what comes after 4096 does not count.

    Our own curve is 1.5 throughout, our evaluations 7.
    """
    write(find("ppo"), [(7.0,)] * 3)
    returns = {512: 1, 1000: 3, 3000: 6, 4000: 8, 9000: 100}
    lines = "".join(f"theirs,ProbeTarget-v0,0,{step},{value}\n" for step, value in returns.items())
    runs = read_imported([csv(tmp_path, HEADER + lines)])
    scores = load_experiment(
        scored(plan, "auc"), "smoke", "first", records, scratch, runs
    ).scores.set_index("method")
    assert scores.loc["theirs", ["score", "training_score"]].tolist() == [5.0, 5.0]
    assert scores.loc["ppo", "training_score"].dropna().tolist() == [1.5] * 3
    plain = load_experiment(plan, "smoke", "first", records, scratch, runs).scores
    assert plain.set_index("method").loc["theirs", "score"] == 100


@pytest.mark.parametrize("steps", [(1000, 3600), (5000,)])
def test_an_area_over_fewer_steps_than_ours_is_refused(
    steps: tuple[int, ...], plan: Plan, records, scratch, tmp_path: Path
) -> None:
    lines = "".join(f"theirs,ProbeTarget-v0,2,{step},1\n" for step in steps)
    runs = read_imported([csv(tmp_path, HEADER + lines)])
    with pytest.raises(
        SpecificationError, match=r"theirs on ProbeTarget-v0, seed 2.* within 4,096 steps is at"
    ):
        load_experiment(scored(plan, "auc"), "smoke", "first", records, scratch, runs)
    assert len(load_experiment(plan, "smoke", "first", records, scratch, runs).scores) == 19


def test_such_a_run_is_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    path = csv(tmp_path, HEADER + "theirs,HalfCheetah-v4,0,1000,1\n")
    given = {"scale": "smoke", "results": str(tmp_path), "imported": str(path)}
    with pytest.raises(SpecificationError, match="experiment 'mujoco' compares areas"):
        read_request({**given, "paper": "mixture"}).check_imports()
    read_request({**given, "paper": "prefpoe"}).check_imports()


def test_a_longer_imported_run_keeps_our_intervals(plan: Plan, records, scratch, tmp_path) -> None:
    lines = "".join(f"theirs,ProbeTarget-v0,0,{step},1\n" for step in (0, 4096, 4097, 9000))
    runs = read_imported([csv(tmp_path, HEADER + lines)])
    curves = load_experiment(plan, "smoke", "first", records, scratch, runs).curves
    assert curves["step"].tolist() == [1024, 4096, 5120, 9216]


def test_columns_may_come_in_any_order_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("step,seed,return,method,environment\r\n5,3,1e2,a,Ant-v4\r\n", "utf-8-sig")
    assert read_imported([path]).to_dict("records") == [
        {"method": "a", "environment": "Ant-v4", "seed": 3, "step": 5, "return": 100.0}
    ]


def test_no_files_are_no_runs() -> None:
    runs = read_imported([])
    assert list(runs.columns) == list(load.IMPORTED_COLUMNS)
    assert len(runs) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "",
            "line 1: columns are absent; allowed: exactly method, environment, seed, step, return",
        ),
        ("method,environment,seed,step\n", "line 1: columns are method, environment, seed, step;"),
        (HEADER.replace("\n", ",note\n"), "step, return, note; allowed: exactly method"),
        (HEADER + GOOD + "a,Ant-v4,1,2\n", "line 3: 4 fields; allowed: 5"),
        (
            HEADER + "ppo,Ant-v4,1,2,3\n",
            "line 2: method: 'ppo'; allowed: a name that is none of ours",
        ),
        (HEADER + " ,Ant-v4,1,2,3\n", "line 2: method: ' '; allowed: a name"),
        (
            HEADER + "a,Ant-v9,1,2,3\n",
            "line 2: environment: 'Ant-v9'; allowed: HalfCheetah-v4, Ant",
        ),
        (HEADER + "a,Ant-v4,1.5,2,3\n", "line 2: seed: '1.5'; allowed: a whole number, 0 or more"),
        (HEADER + "a,Ant-v4,-1,2,3\n", "line 2: seed: '-1'; allowed: a whole number"),
        (HEADER + "a,Ant-v4,1,1_000,3\n", "line 2: step: '1_000'; allowed: a whole number"),
        (HEADER + "a,Ant-v4,1,,3\n", "line 2: step: ''; allowed: a whole number"),
        (HEADER + "\na,Ant-v4,1,2,high\n", "line 3: return: 'high'; allowed: a finite number"),
        (HEADER + "a,Ant-v4,1,2,nan\n", "line 2: return: 'nan'; allowed: a finite number"),
        (HEADER + "a,Ant-v4,1,2,-inf\n", "line 2: return: '-inf'; allowed: a finite number"),
        (HEADER + GOOD + GOOD, "line 3: method, environment, seed, step = "),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(SpecificationError) as caught:
        read_imported([path])
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "allowed: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_may_stand_once_in_all_files(tmp_path: Path) -> None:
    paths = [csv(tmp_path, HEADER + GOOD, name) for name in ("a.csv", "b.csv")]
    with pytest.raises(
        SpecificationError, match=r"b\.csv: line 2: .* \(first in .*a\.csv: line 2\)"
    ):
        read_imported(paths)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecificationError, match=r"runs\.csv: not a csv file in UTF-8"):
        read_imported([path])
    with pytest.raises(SpecificationError, match=r"absent\.csv: cannot be read"):
        read_imported([tmp_path / "absent.csv"])


def test_settings_are_text_with_sorted_keys(plan: Plan, records, scratch) -> None:
    assert load.setting_text({"gamma": 0.9, "clip": 0.1}) == '{"clip": 0.1, "gamma": 0.9}'
    scores = load_experiment(plan, "smoke", "first", records, scratch, read_imported([])).scores
    assert [json.loads(text) for text in scores["setting"].unique()] == [{}]


def test_tables_without_rows_keep_their_types(plan: Plan, records, scratch) -> None:
    tables = load_experiment(plan, "smoke", "second", records, scratch, read_imported([]))
    for table, columns in ((tables.curves, load.CURVES), (tables.diagnostics, load.DIAGNOSED)):
        assert len(table) == 0
        assert {name: str(kind) for name, kind in table.dtypes.items()} == columns


# Factors, grids and diagnostics

SETTINGS = [
    '{"clip": 0.1, "mean": "linear"}',
    '{"clip": 0.2, "mean": "linear"}',
    '{"clip": 0.1, "mean": "tanh"}',
    '{"clip": 0.2, "mean": "tanh"}',
]


def test_factors_and_grid_tell_members_apart(swept: Plan, records, scratch, write) -> None:
    # A cell's six members in shards of four and two: clip 0.1 with three seeds, then clip 0.2.
    for shard in swept.shards("smoke", "swept")[2:4]:
        write(shard, [(100.0 * member.setting["clip"] + member.seed,) for member in shard.members])
    scores, curves, _ = load_experiment(
        swept, "smoke", "swept", records, scratch, read_imported([])
    )
    assert scores["method"].tolist() == ["ppo"] * 12 + ["prefpoe"] * 12
    assert scores["setting"].tolist() == [text for text in SETTINGS * 2 for _ in range(3)]
    assert scores["seed"].tolist() == [0, 10, 42] * 8
    done = scores[scores["status"] == "done"]
    assert done[["method", "setting", "seed", "score"]].to_numpy().tolist() == [
        ["ppo", setting, seed, base + seed]
        for setting, base in ((SETTINGS[2], 10), (SETTINGS[3], 20))
        for seed in (0, 10, 42)
    ]
    assert curves[["setting", "seed"]].to_numpy().tolist() == [
        [setting, seed] for setting in SETTINGS[2:] for seed in (0, 10, 42)
    ]


def test_diagnostics_are_a_row_for_each_member_and_step(
    plan: Plan, records, scratch, write, find
) -> None:
    who = {"member": [0, 0, 1], "seed": [0, 0, 10], "step": [1024, 4096, 4096]}
    ours = pd.DataFrame({**who, "consistency_loss": [0.5, 0.25, 1.0], "entropy": [3.0, 2.0, 2.5]})
    plain = pd.DataFrame({**who, "entropy": [1.0, np.nan, -1.0]})
    write(find("prefpoe"), [(1.0,)] * 3, ours)
    write(find("ppo"), [(1.0,)] * 3, plain)
    found = load_experiment(plan, "smoke", "first", records, scratch, read_imported([])).diagnostics
    assert list(found.columns) == [*load.DIAGNOSED, "entropy", "consistency_loss"]
    assert found["method"].tolist() == ["ppo"] * 3 + ["prefpoe"] * 3
    assert set(found["environment"]) == {"ProbeTarget-v0"}
    assert set(found["setting"]) == {"{}"}
    assert found[["seed", "step"]].to_numpy().tolist() == [[0, 1024], [0, 4096], [10, 4096]] * 2
    np.testing.assert_array_equal(found["entropy"], [1, np.nan, -1, 3, 2, 2.5])
    np.testing.assert_array_equal(found["consistency_loss"], [*[np.nan] * 3, 0.5, 0.25, 1])


def test_diagnostics_of_a_sweep_say_whose_they_are(swept: Plan, records, scratch, write) -> None:
    first, second = swept.shards("smoke", "swept")[:2]
    for shard, members in ((first, 4), (second, 2)):
        rows = {"member": range(members), "seed": [m.seed for m in shard.members], "step": 4096}
        clips = [member.setting["clip"] for member in shard.members]
        write(shard, [(1.0,)] * members, pd.DataFrame({**rows, "clip_fraction": clips}))
    found = load_experiment(
        swept, "smoke", "swept", records, scratch, read_imported([])
    ).diagnostics
    assert found["setting"].tolist() == [SETTINGS[0]] * 3 + [SETTINGS[1]] * 3
    assert found["clip_fraction"].tolist() == [0.1] * 3 + [0.2] * 3
    assert found["seed"].tolist() == [0, 10, 42] * 2


def test_committed_diagnostics_have_a_row_for_each_bin() -> None:
    """2,000,000 steps in 200 bins, each of which some of 976 iterations end in."""
    root = Path(__file__).parents[2]
    plan = load_plan(root / "paper_figures/prefpoe")
    records = root / "results/paper/prefpoe/records"
    found = load_experiment(
        plan, "paper", "ablation", records, root / "no-scratch", read_imported([])
    ).diagnostics
    for method in ("ppo", "ppo_matched"):
        mine = found[found["method"] == method]
        for seed in (0, 10, 42, 77, 123):
            steps = mine.loc[mine["seed"] == seed, "step"]
            assert steps.tolist() == [10_000 * k for k in range(1, 201)]
        assert len(mine) == 1000
        assert mine["gradient_norm"].gt(0).all()


# Evaluations during training


def evaluated_plan(paper: Path) -> Plan:
    """The toy paper with evaluations every 1,024 steps."""
    path = paper / "experiments.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("curve_rows: 4", "curve_rows: 4\n    evaluation_every: 1024"))
    return load_plan(paper)


def during(seeds: tuple[int, ...], returns: tuple[float, ...]) -> pd.DataFrame:
    """An evaluation every 1,024 steps: `returns`, a hundred more for each next member."""
    return pd.DataFrame(
        [
            {"member": np.int32(m), "seed": seed, "step": 1024 * (k + 1), "episodes": np.int32(2)}
            | {"return_mean": value + 100 * m, "length_mean": 5.0}
            for m, seed in enumerate(seeds)
            for k, value in enumerate(returns)
        ]
    )


def test_the_area_is_that_of_the_evaluations_where_there_are_any(paper: Path, records) -> None:
    """Evaluations 1, 2, 6 have the mean 3; the learning curve of training episodes is 9 throughout."""
    plan = evaluated_plan(paper)
    (shard, *_) = plan.shards("smoke", "first")
    ends = [
        {**m.model_dump(mode="json"), "status": "done", "diverged_at": None} for m in shard.members
    ]
    who = [{"member": np.int32(i), "seed": m.seed} for i, m in enumerate(shard.members)]
    tables = {
        "curve.parquet": pd.DataFrame(
            [{**one, "step": 1024, "return_mean": 9.0, "length_mean": 5.0} for one in who]
        ).assign(episodes=np.int32(7)),
        "evaluation.parquet": pd.DataFrame(
            [{**one, "episode": 0, "return": 4.0, "length": 5} for one in who]
        ),
        "diagnostics.parquet": pd.DataFrame({"member": [], "seed": [], "step": []}),
        "evaluations.parquet": during((0, 10, 42), (1.0, 2.0, 6.0)),
    }
    weights = {"theta": np.zeros(1, np.float32)}
    write_record(records / shard.name, shard, ends, tables, weights, {})
    record = load.find_record(shard, records)
    scores = load.member_scores(shard, record, records)
    assert scores["auc"].tolist() == [3.0, 103.0, 203.0]
    assert scores["score"].tolist() == [4.0] * 3
    # What imported runs, which have training returns only, are compared with.
    assert load.scored_by(scores, "auc")["training_score"].tolist() == [9.0] * 3
    found = load.load_evaluations(plan, "smoke", "first", records)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == load.EVALUATED
    assert found["return_mean"].tolist() == [1, 2, 6, 101, 102, 106, 201, 202, 206]
    assert set(found["method"]) == {shard.cell.method}


def test_no_evaluations_during_training_are_an_empty_table(
    plan: Plan, records, write, find
) -> None:
    write(find("ppo"), [(1.0,), (2.0,), (5.0,)])
    found = load.load_evaluations(plan, "smoke", "first", records)
    assert list(found) == list(load.EVALUATED)
    assert found.empty


def test_a_record_without_the_evaluations_of_its_protocol_is_refused(paper: Path, records) -> None:
    (shard, *_) = evaluated_plan(paper).shards("smoke", "first")
    empty = pd.DataFrame({"member": [], "seed": [], "step": []})
    tables = dict.fromkeys(("curve.parquet", "evaluation.parquet", "diagnostics.parquet"), empty)
    write_record(records / shard.name, shard, [], tables, {"theta": np.zeros(1, np.float32)}, {})
    with pytest.raises(RecordError, match=r"files: must be .*evaluations\.parquet"):
        load.find_record(shard, records)
