"""The offline study: its record at scale smoke, a data set that is named, what is refused, its table, and that no claim is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from algorithms.offline.behaviours import BEHAVIOURS, write_collected
from algorithms.offline.data import DATA
from analysis.claims import load_claims
from analysis.paper import load_paper
from analysis.workflow import read_request
from envs.registry import ENVIRONMENTS
from paper_figures.pmpo import offline, table_1
from paper_figures.pmpo.studies import Offline

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "paper_figures" / "pmpo"
WORLD = ENVIRONMENTS["ReacherEasy-v1"]


def settings(scale: str, **changes: Any) -> Offline:
    _, plan = load_paper(PAPER)
    return Offline.model_validate({**plan.studies["offline"].settings[scale], **changes})


def paper_with(folder: Path, **changes: Any) -> Path:
    """A copy of the paper whose study has other settings at scale smoke; None removes one."""
    folder.mkdir()
    for path in (*PAPER.glob("*.yaml"), *PAPER.glob("*.py")):
        folder.joinpath(path.name).write_bytes(path.read_bytes())
    plan = yaml.safe_load((PAPER / "experiments.yaml").read_text(encoding="utf-8"))
    told = plan["studies"]["offline"]["settings"]["smoke"] | changes
    plan["studies"]["offline"]["settings"]["smoke"] = {
        k: v for k, v in told.items() if v is not None
    }
    (folder / "experiments.yaml").write_text(
        yaml.safe_dump(plan, sort_keys=False), encoding="utf-8"
    )
    return folder


def made(paper: Path, records: Path) -> int:
    options = [
        "--paper",
        paper,
        "--scale",
        "smoke",
        "--records",
        records,
        "--scratch",
        records / "s",
    ]
    return offline.main([str(option) for option in options])


def read(records: Path) -> dict[str, pd.DataFrame]:
    (folder,) = (records / "studies").iterdir()
    return {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A records folder with the study's record at scale smoke."""
    folder = tmp_path_factory.mktemp("results")
    assert made(PAPER, folder) == 0
    return folder


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What seed 0 of scale smoke collects, as a data set on disk with labels of its own."""
    folder = tmp_path_factory.mktemp("data") / "set"
    write_collected(folder, WORLD, 0, settings("smoke").episodes or 0)
    with h5py.File(folder / DATA, "a") as file:
        for group in file.values():
            group.create_dataset("infos/liked", data=np.arange(len(group["rewards"]) + 1) % 2)
    return folder


# The study


@pytest.mark.parametrize("scale", ["smoke", "quick", "reduced"])
def test_arms_and_split_are_the_papers(scale: str) -> None:
    own = settings(scale)
    assert {name: (arm.alpha, arm.beta) for name, arm in own.arms.items()} == {
        "bc": (None, 1.0),
        "accept_bc": (1.0, 1.0),
        "accept": (1.0, 0.0),
        "reject_bc": (0.0, 2.0),
        "accept_reject_bc": (0.5, 0.5),
    }
    assert list(own.arms) == list(table_1.PRINTED)
    if scale != "smoke":
        assert own.labelled * 140 == (own.episodes or 0) * 40
    assert len(own.seeds) >= {"smoke": 2, "quick": 3, "reduced": 5}[scale]


def test_tables_have_every_run_and_all_data(records: Path) -> None:
    plan, tables = settings("smoke"), read(records)
    for name, columns in offline.TABLES.items():
        assert tables[name].dtypes.astype(str).to_dict() == columns
    runs = [(arm, seed) for seed in plan.seeds for arm in plan.arms]
    assert list(tables["runs"][["arm", "seed"]].itertuples(index=False, name=None)) == runs
    assert (tables["runs"]["status"] == "done").all()
    assert tables["runs"]["alpha"].isna().sum() == len(plan.seeds)
    for name, steps in (("curves", [2, 4, 6]), ("evaluations", [3, 6])):
        for _, rows in tables[name].groupby(["arm", "seed"]):
            assert rows["step"].tolist() == steps
    for _, rows in tables["behaviours"].groupby("seed"):
        assert set(rows["behaviour"]) == set(BEHAVIOURS)
        assert rows["episodes"].sum() == plan.episodes
        assert rows["labelled_episodes"].sum() == plan.labelled
        assert rows["labelled_steps"].sum() == plan.labelled * 100
        assert 0 < rows["accepted_steps"].sum() < plan.labelled * 100
    assert tables["sources"].empty


def test_the_study_repeats_and_a_seed_does_not_depend_on_others(
    records: Path, tmp_path: Path
) -> None:
    assert made(paper_with(tmp_path / "pmpo", seeds=[1]), tmp_path) == 0
    for name, table in read(tmp_path).items():
        first = read(records)[name]
        own = first[first["seed"] == 1] if "seed" in first else first
        pd.testing.assert_frame_equal(table, own.reset_index(drop=True))


def test_a_data_set_of_the_users_takes_the_place_of_ours(
    records: Path, stored: Path, tmp_path: Path
) -> None:
    """The same episodes from disk: the first seed is the same, for they went through the same loader."""
    paper = paper_with(tmp_path / "pmpo", dataset=str(stored), episodes=None, seeds=[0])
    assert made(paper, tmp_path) == 0
    theirs, ours = read(tmp_path), read(records)
    pd.testing.assert_frame_equal(
        theirs["evaluations"].query("seed == 0"), ours["evaluations"].query("seed == 0")
    )
    assert theirs["behaviours"]["behaviour"].tolist() == [offline.GIVEN]
    assert theirs["sources"]["file"].tolist() == ["metadata.json", "main_data.hdf5"]


def test_labels_may_come_with_the_data(stored: Path, tmp_path: Path) -> None:
    paper = paper_with(
        tmp_path / "pmpo", dataset=str(stored), episodes=None, labels="liked", seeds=[0]
    )
    assert made(paper, tmp_path) == 0
    tables = read(tmp_path)
    assert tables["values"].empty
    assert (
        tables["behaviours"]["accepted_steps"] == tables["behaviours"]["labelled_steps"] / 2
    ).all()


@pytest.mark.parametrize(
    ("spoil", "changes", "said"),
    [
        ("nowhere", {}, "metadata.json: cannot be read: No such file"),
        ("nan", {}, "main_data.hdf5: episode_3/rewards[7]: nan; allowed: finite numbers"),
        ("missing", {}, "main_data.hdf5: episode_3/actions: missing; allowed: observations, actions"),
        (None, {"labels": "praised"}, "episode_0/infos/praised: missing; the episode is not labelled"),
        ("two", {"labels": "liked"}, "episode_3/infos/liked: 2; allowed: 1 (accepted), 0 (rejected)"),
        ("one kind", {"labels": "liked"}, "labels: all 800 labelled transitions are accepted; arm 'reject_bc'"),
        (None, {"environment": "BallInCupCatch-v1"}, "episode_0/observations: shape (101, 6); allowed: (101, 8)"),
        (None, {"labelled": 21}, "has 20 episodes, of which labelled = 21 cannot be labelled"),
    ],
)  # fmt: skip
def test_bad_data_are_one_line_before_training(
    spoil: str | None,
    changes: dict[str, Any],
    said: str,
    stored: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "set"
    (folder / "data").mkdir(parents=True)
    for path in (stored / "data").iterdir():
        (folder / "data" / path.name).write_bytes(path.read_bytes())
    with h5py.File(folder / DATA, "a") as file:
        if spoil == "nan":
            file["episode_3/rewards"][7] = np.nan
        elif spoil == "missing":
            del file["episode_3/actions"]
        elif spoil == "two":
            file["episode_3/infos/liked"][5] = 2
        elif spoil == "one kind":
            for group in file.values():
                group["infos/liked"][:] = 1
    place = tmp_path / "elsewhere" if spoil == "nowhere" else folder
    paper = paper_with(tmp_path / "pmpo", dataset=str(place), episodes=None, **changes)
    assert made(paper, tmp_path) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {place}")
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert "done" not in told.out
    assert not (tmp_path / "studies").exists()


def test_seeds_differ() -> None:
    with pytest.raises(ValueError, match="each may stand once"):
        settings("smoke", seeds=[0, 0])


# The paper


def test_no_claim_of_table_1_can_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """They name neither an experiment nor a study, each says why, and there is no scale `paper` of the proxy."""
    claims = [c for c in load_claims(PAPER) if c.place.startswith(("Table 1", "Section 5.3"))]
    assert len(claims) >= 10
    for claim in claims:
        assert claim.untestable == "the 140k episodes of RGB stacking are not public"
        assert (claim.experiment, claim.study) == (None, None)
    monkeypatch.chdir(ROOT)
    later = read_request({"paper": "pmpo", "scale": "paper"})
    assert not any("/studies/offline-" in path for path in later.all_records("pmpo"))
    assert "table_1" not in later.papers[0].artifacts("paper")
    now = read_request({"paper": "pmpo", "scale": "reduced"})
    assert any("/studies/offline-" in path for path in now.all_records("pmpo"))
    assert "table_1" in now.papers[0].artifacts("reduced")


def test_assumptions_state_the_settings() -> None:
    paper, _ = load_paper(PAPER)
    said = {entry.topic: " ".join(entry.choice.split()) for entry in paper.assumptions}
    said = {topic: words for topic, words in said.items() if topic.startswith("Offline proxy")}
    assert len(said) == 4
    words, own = " ".join(said.values()), settings("reduced")
    assert f"{own.episodes:,} episodes of 100 steps" in words
    assert "PROXY, never a replication, on ReacherEasy-v1" in words
    assert f"γ = {own.gamma}, λ = {own.gae_lambda}" in words
    assert f"two layers of {own.hidden[0]} units" in words
    assert f"Adam, 1e-3, {own.updates:,} updates each" in words
    assert own.learning_rate == 1e-3
    assert own.value_rounds * own.value_updates == own.updates
    assert f"mean return of {own.evaluated} episodes" in words
    assert f"{own.batch} of the first part and {own.batch} of all" in words


# Drawing


@pytest.fixture(scope="module")
def draw(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that draws the table with the record, or without one, and returns its stem."""

    def run(there: bool = True) -> Path:
        stem = tmp_path_factory.mktemp("drawn") / table_1.NAME
        options = ["--paper", PAPER, "--scale", "smoke", "--experiments", stem.parent]
        options += ["--records", records if there else stem.parent / "none", "--output", stem]
        assert table_1.main([str(option) for option in options]) == 0
        return stem

    return run


@pytest.mark.filterwarnings("error")
def test_the_table_has_the_papers_numbers_as_context_and_says_proxy(
    draw: Callable[..., Path], records: Path
) -> None:
    stem = draw()
    values = pd.read_parquet(stem.with_suffix(".parquet"))
    assert values["label"].tolist() == list(table_1.PRINTED.values())
    assert values["paper_reward"].tolist() == ["24", "26", "27", "77", "93"]
    recorded = read(records)["evaluations"].query("step == 6").groupby("arm")["return_mean"].mean()
    assert values.set_index("arm")["mean"].to_dict() == pytest.approx(recorded.to_dict())
    assert len(pd.read_csv(stem.with_suffix(".csv"))) == 10
    for ending in (".md", ".tex"):
        text = stem.with_suffix(ending).read_text(encoding="utf-8")
        assert "PROXY" in text
        assert "nothing here answers its claims" in text
        assert not any(word in text for word in ("replicated", "contradicted", "compatible"))


@pytest.mark.filterwarnings("error")
def test_the_table_is_drawn_without_a_record_and_repeats(draw: Callable[..., Path]) -> None:
    nothing = draw(there=False)
    assert pd.read_parquet(nothing.with_suffix(".parquet")).empty
    assert "not recorded yet" in nothing.with_suffix(".md").read_text(encoding="utf-8")
    first, second = draw(), draw()
    for ending in (".parquet", ".csv", ".md", ".tex"):
        assert first.with_suffix(ending).read_bytes() == second.with_suffix(ending).read_bytes()


def test_differences_are_seed_by_seed_and_lost_runs_are_shown() -> None:
    """A planted record of three seeds: differences 1, 2, 3 from BC; another arm lost one."""
    plan = settings("smoke", seeds=[0, 1, 2])
    rows = []
    for seed in range(3):
        for arm in plan.arms:
            score = 10.0 * seed + (1 + seed if arm == "accept" else 0.0)
            lost = arm == "reject_bc" and seed == 2
            rows.append((arm, seed, "diverged" if lost else "done", 1.0, np.nan if lost else score))
    scored = pd.DataFrame(rows, columns=["arm", "seed", "status", "halfway", "score"])
    table = table_1.values(scored, plan, {}).set_index("arm")
    own = table.loc["accept"]
    assert own["difference"] == 2
    # t₀.₉₇₅ with two degrees of freedom is 4.3027; the standard error 1/√3.
    assert own["difference_high"] - own["difference"] == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert own["p"] == pytest.approx(0.0742, abs=1e-3)
    assert table.loc["reject_bc", ["n", "planned"]].tolist() == [2, 3]
    assert np.isnan(table.loc["bc", "difference"])
