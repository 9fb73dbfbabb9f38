"""Artifacts that show studies: their numbers are the records', the paper's are beside them, gaps are named."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from algorithms.cell import load_plan
from algorithms.records import write_study
from analysis.load import SCORES
from analysis.statistics import mean_interval, write_parquet
from paper_figures.prefpoe import OTHERS, OWN, deployment, overhead
from paper_figures.prefpoe.studies import Deployment, Overhead

PAPER = Path(__file__).parents[3] / "paper_figures" / "prefpoe"
PLAN = load_plan(PAPER)
SCALE, WORLD = "paper", "HalfCheetah-v4"
FIGURES, TABLES = ("figure_a_3", "figure_a_4"), ("table_a_3", "table_overhead")
PROVENANCE = {"processor": "AMD EPYC", "cores": 2, "versions": {"torch": "2.13.0"}}
LEVELS = {"ppo": 4900.0, "ppo_matched": 6300.0, "prefpoe": 5200.0, "prefpoe_released": 5600.0}
Frames = dict[str, pd.DataFrame]
Draw = Callable[..., Path]


def deployed(diverged: tuple[str, ...] = ()) -> Frames:
    """What the study would leave, with made-up episodes; the members of `diverged` have none."""
    settings = Deployment.model_validate(PLAN.studies["deployment"].settings[SCALE])
    rng = np.random.default_rng(5)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in deployment.TABLES}
    for method in PLAN.studies["deployment"].methods:
        who = {"environment": WORLD, "method": method}
        lost = method in diverged
        status = {"seed": 0, "shard": "0" * 12, "status": "diverged" if lost else "done"}
        rows["members"].append(who | status)
        if lost:
            continue
        for way, seeds, count in (
            (OWN, [None], settings.episodes),
            (OTHERS, settings.evaluation_seeds, settings.episodes_per_seed),
        ):
            for seed in seeds:
                for number in range(count):
                    total = LEVELS[method] + 50 * rng.standard_normal()
                    about = {"way": way, "evaluation_seed": seed, "episode": number}
                    measured = {"return": total, "length": 1000, "reward_mean": total / 1000}
                    rows["episodes"].append(who | about | measured | {"value_mean": 3.0})
        rows["values"].append(who | {"n": 50_000, "mean": 2.9, "std": 0.1, "min": 1.6, "max": 3.1})
        action = rng.standard_normal((500, 6)) * (2.0 if method == "ppo" else 0.4)
        bounds = PLAN.shards(SCALE, "stability")[0].cell.world.action
        for name, row in deployment.action_rows(action, bounds):  # type: ignore[arg-type]
            rows[name].append(who | row)
    return {
        name: pd.DataFrame(rows[name], columns=list(kinds)).astype(kinds)
        for name, kinds in deployment.TABLES.items()
    }


def measured() -> Frames:
    """What the study of overheads would leave: PrefPoE takes 1.2 times as long, but for a little noise."""
    settings = Overhead.model_validate(PLAN.studies["overhead"].settings[SCALE])
    methods, rng = PLAN.studies["overhead"].methods, np.random.default_rng(6)
    rows: dict[str, list[dict[str, object]]] = {name: [] for name in overhead.TABLES}
    rows["parameters"] = [
        overhead.counted(method, environment)
        for environment in settings.environments
        for method in methods
    ]
    for mode in settings.modes:
        for turn, method in enumerate(methods):
            who = {"environment": WORLD, "method": method, "mode": mode, "ran": "eager"}
            kept = {"state_bytes": 100_000 + turn, "update_bytes": 300_000 + 30_000 * turn}
            rows["memory"].append(who | kept | {"loaded_mb": 300.0, "peak_mb": 500.0 + turn})
            for number in range(settings.rounds):
                seconds = (1.2 if "prefpoe" in method else 1.0) + 0.01 * rng.standard_normal()
                place = {"round": number, "turn": turn, "steps": 512}
                rows["rounds"].append(who | place | {"seconds": seconds, "cpu_seconds": seconds})
    return {
        name: pd.DataFrame(rows[name], columns=list(kinds)).astype(kinds)
        for name, kinds in overhead.TABLES.items()
    }


def scores(status: dict[tuple[str, int], str]) -> pd.DataFrame:
    """Scores of the experiment `stability`; a member is done unless `status` says otherwise."""
    rows = []
    for shard in PLAN.shards(SCALE, "stability"):
        for number, member in enumerate(shard.members):
            end = status.get((shard.cell.method, member.seed), status.get(("", -1), "done"))
            score = LEVELS[shard.cell.method] + 100.0 * number if end == "done" else np.nan
            rows.append(
                {
                    "environment": WORLD,
                    "method": shard.cell.method,
                    "seed": member.seed,
                    "setting": "{}",
                    "steps": shard.cell.steps,
                    "score": score,
                    "training_return": score,
                    "auc": score,
                    "training_auc": score,
                    "training_score": score,
                    "episode_std": 80.0 if end == "done" else np.nan,
                    "episodes": 100 if end == "done" else 0,
                    "status": end,
                    "diverged_at": 1e6 if end == "diverged" else np.nan,
                    "imported": False,
                }
            )
    return pd.DataFrame(rows).astype(SCORES)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A paper's folder of results for each state: complete, with members lost, without any record."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("complete", "damaged", "empty")}
    lost = {("prefpoe", 42): "diverged", ("prefpoe", 9999): "missing"}
    ends = {"complete": {}, "damaged": lost, "empty": {("", -1): "missing"}}
    for name, folder in folders.items():
        write_parquet(scores(ends[name]), folder / "experiments" / "stability" / "scores.parquet")
        found = {"deployment": deployed(("prefpoe",) * (name == "damaged")), "overhead": measured()}
        for study, tables in found.items() if name != "empty" else ():
            about = PLAN.study(SCALE, study)
            write_study(
                folder / "records" / about.path, about, tables, PROVENANCE | {"load_average": [0.5]}
            )
    return folders


@pytest.fixture(scope="module")
def draw(states: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """A function that draws an artifact in a state, once unless it is `again`, and returns its stem."""
    done: dict[tuple[str, str], Path] = {}

    def run(name: str, state: str, again: bool = False) -> Path:
        if again or (name, state) not in done:
            stem = tmp_path_factory.mktemp("drawn") / name
            options = ["--paper", PAPER, "--scale", SCALE]
            options += ["--experiments", states[state] / "experiments", "--output", stem]
            module = importlib.import_module(f"paper_figures.prefpoe.{name}")
            assert module.main([str(option) for option in options]) == 0
            if again:
                return stem
            done[name, state] = stem
        return done[name, state]

    return run


@pytest.mark.parametrize("state", ["complete", "damaged", "empty"])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn_from_any_state(name: str, state: str, draw: Draw) -> None:
    stem = draw(name, state)
    height, width = imread(stem.with_suffix(".png")).shape[:2]
    assert width == round(3.25 * 300)
    assert height > width
    for ending in (".parquet", ".csv", ".pdf"):
        assert stem.with_suffix(ending).is_file()


@pytest.mark.parametrize("name", [*FIGURES, *TABLES])
def test_same_records_give_the_same_bytes(name: str, draw: Draw) -> None:
    first, second = draw(name, "damaged"), draw(name, "damaged", again=True)
    endings = (".md", ".tex") if name.startswith("table") else (".pdf", ".png")
    for ending in (".parquet", ".csv", *endings):
        one, other = first.with_suffix(ending), second.with_suffix(ending)
        assert one.read_bytes() == other.read_bytes(), ending


def test_every_dimension_of_the_action_is_drawn(draw: Draw) -> None:
    table = pd.read_parquet(draw("figure_a_3", "complete").with_suffix(".parquet"))
    assert sorted(table["dimension"].unique()) == list(range(6))
    shares = table.groupby(["method", "dimension", "applied"])["share"].sum()
    assert len(shares) == 4 * 6 * 2
    np.testing.assert_allclose(shares, 1.0)
    wide = table[table["method"] == "ppo"].groupby(["dimension", "applied"])["outside"].first()
    assert (wide > 0.4).all()
    episodes = pd.read_csv(draw("figure_a_3", "complete").with_suffix(".csv"))
    assert (episodes.groupby("method").size() == 50).all()


def test_both_meanings_of_a_seed_stand_in_one_table(draw: Draw) -> None:
    table = pd.read_parquet(draw("figure_a_4", "damaged").with_suffix(".parquet"))
    trained = table[(table["kind"] == "training") & (table["method"] == "prefpoe")]
    assert trained["status"].value_counts().to_dict() == {"done": 8, "diverged": 1, "missing": 1}
    assert trained["mean"].notna().sum() == 8
    evaluated = table[table["kind"] == "evaluation"]
    assert set(evaluated["method"]) == {"prefpoe_released"}  # the other checkpoint diverged
    assert sorted(evaluated["seed"]) == sorted(PLAN.scale_of(SCALE, "stability").seeds)
    played = pd.read_csv(draw("figure_a_4", "damaged").with_suffix(".csv"))
    means = played.groupby("seed")["return"].mean()
    assert evaluated.set_index("seed")["mean"].to_dict() == pytest.approx(means.to_dict())


def test_table_a_3_has_the_papers_numbers_and_ours(draw: Draw) -> None:
    stem = draw("table_a_3", "complete")
    text = stem.with_suffix(".md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    rows = [line for line in lines if len(line) == 8]
    paper = {row[0]: row[4:] for row in rows if row[1] == "paper"}
    assert paper == {
        "Episode Returns (Multi-seed)": ["5576.0", "408.18", "4953.77", "6262.36"],
        "Episode Returns (Single model)": ["6018.18", "1118.76", "1089.25", "6930.67"],
        "Value Function Estimates": ["3.454", "0.391", "1.5", "4.0"],
        "Action Values (Mean)": ["−0.012", "0.682", "−1.0", "+1.0"],
        "Performance Range": ["1308.6", "", "", ""],
        "Coefficient of Variation": ["7.3%", "", "", ""],
    }
    ours = {tuple(row[:3]): row[3:] for row in rows}
    seeds = 5600 + 100.0 * np.arange(10)
    released = "PrefPoE (released artefact)"
    multi = ours["Episode Returns (Multi-seed)", "training seeds", released]
    assert multi == ["10", "6050", f"{seeds.std(ddof=1):.0f}", "5600", "6500"]
    assert ours["Performance Range", "training seeds", released][1] == "900"
    cv = 100 * seeds.std(ddof=1) / seeds.mean()
    assert ours["Coefficient of Variation", "training seeds", released][1] == f"{cv:.1f}%"
    values = pd.read_parquet(stem.with_suffix(".parquet"))
    one = values[
        (values["metric"] == "Episode Returns (Multi-seed)") & (values["way"] != "training seeds")
    ]
    assert (one["n"] == 10).all()
    assert (one["std"] < 60).all()
    assert ours["Action Values (Mean)", "actions as applied", "PPO"][3:] == ["−1.000", "1.000"]
    assert "†" not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            "damaged",
            [
                "PrefPoE (equations), training seeds: 8 done, 1 diverged, 1 missing",
                "PrefPoE (equations), one checkpoint, evaluation seeds: diverged",
                "PrefPoE (equations), episodes: diverged",
            ],
        ),
        ("empty", ["| not trained yet |", "| not recorded yet |", "| 5576.0 |"]),
    ],
)
def test_table_a_3_says_what_is_missing(state: str, words: list[str], draw: Draw) -> None:
    text = draw("table_a_3", state).with_suffix(".md").read_text(encoding="utf-8")
    assert [word for word in words if word not in " ".join(text.split())] == []


def test_the_checkpoint_and_the_training_seeds_are_told_apart(draw: Draw) -> None:
    text = " ".join(draw("table_a_3", "complete").with_suffix(".md").read_text("utf-8").split())
    assert "The checkpoint is of training seed 0 of experiment ablation; " in text
    assert "of experiment stability, which trained seeds 0, 42, 123 anew in another" in text
    assert "not bitwise equal to those of ablation" in text


def test_overheads_are_paired_by_round(draw: Draw) -> None:
    stem = draw("table_overhead", "complete")
    table = pd.read_parquet(stem.with_suffix(".parquet"))
    counted = table[(table["kind"] == "parameters") & (table["quantity"].str.contains(WORLD))]
    overheads = counted.set_index(["method", "against"])["overhead"]
    assert overheads["prefpoe", "ppo"] == pytest.approx(100 * (12249 / 11085 - 1))
    assert overheads["prefpoe_released", "ppo"] == pytest.approx(100 * (6169 / 11085 - 1))
    assert overheads["prefpoe_released", "ppo_matched"] == pytest.approx(100 * 396 / 5773)
    rounds = measured()["rounds"]
    eager = rounds[rounds["mode"] == "eager"].pivot(
        index="round", columns="method", values="seconds"
    )
    ratio = 100 * (eager["prefpoe"] / eager["ppo"] - 1).to_numpy()
    (row,) = table[
        table["quantity"].str.startswith("Time, eager: wall")
        & (table["method"] == "prefpoe")
        & (table["against"] == "ppo")
    ].to_dict("records")
    assert row["overhead"] == pytest.approx(ratio.mean())
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(ratio))
    assert row["value"] == pytest.approx(eager["prefpoe"].mean() * 1000 / 512)
    assert table.groupby("kind")["paper"].first().to_dict() == {
        "memory": "8%",
        "parameters": "4.8%",
        "time": "15%",
    }
    text = stem.with_suffix(".md").read_text(encoding="utf-8")
    for words in (
        "| +10.5% |",
        "Asked to run compiled, processes ran eager",
        "load average 0.5",
        "spread over rounds within one process; not an interval for a new process",
        "A round is 512 environment steps and, 1 × 10 epochs, 8 minibatches of 64, without evaluation",
    ):
        assert words in " ".join(text.split())


def test_table_of_overheads_without_a_record_has_the_papers_numbers(draw: Draw) -> None:
    text = draw("table_overhead", "empty").with_suffix(".md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if "not recorded yet" in line]
    assert [row.split("|")[2].strip() for row in rows] == ["4.8%", "8%", "15%"]


def test_a_scale_without_the_study_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module("paper_figures.prefpoe.table_overhead")
    options = [
        "--paper",
        PAPER,
        "--scale",
        "quick",
        "--experiments",
        tmp_path,
        "--output",
        tmp_path,
    ]
    assert module.main([str(option) for option in options]) == 2
    error = capsys.readouterr().err
    assert "studies.overhead.settings: scale 'quick' leaves it out" in error
