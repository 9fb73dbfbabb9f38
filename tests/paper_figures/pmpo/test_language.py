"""The language study: its record at scale smoke, what its settings say, and its figures from records and from nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from matplotlib.image import imread

from algorithms.language.settings import OwnModel
from analysis.claims import load_claims
from analysis.paper import load_paper
from analysis.workflow import read_request
from paper_figures.pmpo import (
    figure_4,
    figure_5,
    figure_6,
    language,
    language_panels,
    table_language,
)
from paper_figures.pmpo.studies import Language

pytest.importorskip("transformers", reason="language models need the extra `language`")

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "paper_figures" / "pmpo"
MODULES = (figure_4, figure_5, figure_6)


def settings(scale: str, **changes: Any) -> Language:
    _, plan = load_paper(PAPER)
    return Language.model_validate({**plan.studies["language"].settings[scale], **changes})


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A records folder with the study's record at scale smoke."""
    folder = tmp_path_factory.mktemp("results")
    options = ["--paper", PAPER, "--scale", "smoke", "--records", folder, "--scratch", folder / "s"]
    assert language.main([str(option) for option in options]) == 0
    return folder


@pytest.fixture(scope="module")
def tables(records: Path) -> dict[str, pd.DataFrame]:
    (folder,) = (records / "studies").iterdir()
    return {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}


# The study


def test_arms_are_the_papers() -> None:
    arms = settings("quick").arms
    assert {name: (arm.alpha, arm.beta) for name, arm in arms.items() if name != "dpo"} == {
        "pmpo_ar": (0.5, 0.5),
        "pmpo_a": (1.0, 0.0),
        "pmpo_r": (0.0, 2.0),
        "pmpo_ar_extremes": (0.5, 0.5),
    }
    assert [arms[name].labels for name in ("pmpo_ar", "pmpo_ar_extremes")] == ["halves", "extremes"]
    assert (arms["dpo"].improvement, arms["dpo"].labels) == ("dpo", "extremes")
    assert settings("quick").betas == (0.0, 0.5, 1.0, 1.5, 2.0)
    assert settings("quick").responses == 4


def test_each_run_is_planned_once() -> None:
    runs = settings("quick").runs()
    assert len(runs) == 5 * 3 + 3 * 4
    assert len({(name, arm.beta, seed) for name, arm, seed in runs}) == len(runs)
    assert sum(name == "pmpo_r" and arm.beta == 2 for name, arm, _ in runs) == 3


def test_assumptions_state_the_settings_and_no_claim_is_answered() -> None:
    paper, _ = load_paper(PAPER)
    said = {entry.topic: entry.choice for entry in paper.assumptions}
    quick = settings("quick")
    assert isinstance(quick.model, OwnModel)
    words = " ".join(said["Our own language task: training"].split())
    assert f"{quick.prompts} prompts and {quick.responses} responses each" in words
    assert f"every {quick.renewal} updates; {quick.updates} updates" in words
    assert "Adam, 3e-4" in words
    assert quick.learning_rate == 3e-4
    assert f"DPO's β is {quick.arms['dpo'].beta:g}" in words
    claims = [c for c in load_claims(PAPER) if "Figure 4" in c.place or "Figure 6" in c.place]
    assert len(claims) >= 8
    assert all(claim.untestable for claim in claims)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": {"mine": {"beta": 1.0}}, "swept": []}, "unknown method 'mine'"),
        ({"swept": ["ipo"]}, "swept: 'ipo' is no arm"),
        ({"seeds": [0, 0]}, "each may stand once"),
        ({"arms": {}}, "arms"),
        ({"betas": [-1.0]}, "betas"),
        ({"gpu": True}, "unknown key 'gpu'"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings("smoke", **changes)


def test_tables_have_every_run_at_every_time(tables: dict[str, pd.DataFrame]) -> None:
    plan = settings("smoke")
    for name, columns in language.TABLES.items():
        assert tables[name].dtypes.astype(str).to_dict() == columns
    runs = [(name, arm.beta, seed) for name, arm, seed in plan.runs()]
    assert (
        list(tables["runs"][["method", "beta", "seed"]].itertuples(index=False, name=None)) == runs
    )
    assert (tables["runs"]["status"] == "done").all()
    for name, steps in (("curves", [2, 4, 6]), ("evaluations", [0, 3, 6])):
        for _, rows in tables[name].groupby(["method", "beta", "seed"]):
            assert rows["step"].tolist() == steps
    assert len(tables["examples"]) == 3 * 3 * len(runs)
    assert tables["sources"].empty
    assert tables["curves"].notna().all(axis=None)
    assert tables["evaluations"].notna().all(axis=None)


def test_all_runs_of_a_seed_start_from_one_model(tables: dict[str, pd.DataFrame]) -> None:
    start = tables["evaluations"][tables["evaluations"]["step"] == 0]
    assert len(start.drop(columns=["method", "beta"]).drop_duplicates()) == 1
    assert (start["kl_base"] == 0).all()
    end = tables["evaluations"][tables["evaluations"]["step"] == 6]
    assert (end["kl_base"] > 0).all()
    assert end["kl_base"].nunique() == len(end)


def test_the_record_names_the_library(records: Path) -> None:
    (path,) = records.glob("studies/*/record.json")
    header = json.loads(path.read_text(encoding="utf-8"))
    assert header["provenance"]["versions"]["transformers"]
    assert header["study"]["settings"]["arms"]["dpo"]["beta"] == 0.1


def test_a_missing_checkpoint_is_one_line_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command line, in a copy of the paper whose settings name a checkpoint."""
    copy = tmp_path / "pmpo"
    copy.mkdir()
    for path in PAPER.glob("*.yaml"):
        copy.joinpath(path.name).write_bytes(path.read_bytes())
    plan = yaml.safe_load((PAPER / "experiments.yaml").read_text(encoding="utf-8"))
    plan["studies"]["language"]["settings"]["smoke"]["model"] = str(tmp_path / "nowhere")
    (copy / "experiments.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    options = ["--paper", copy, "--scale", "smoke", "--records", tmp_path, "--scratch", tmp_path]
    assert language.main([str(option) for option in options]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'nowhere'}: there is no such folder")
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "studies").exists()


def test_the_workflow_knows_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    request = read_request({"paper": "pmpo", "scale": "smoke"})
    assert any("/studies/language-" in path for path in request.all_records("pmpo"))
    assert {module.NAME for module in MODULES} <= set(request.papers[0].artifacts("smoke"))
    later = read_request({"paper": "pmpo", "scale": "paper"})
    assert not any("/studies/language-" in path for path in later.all_records("pmpo"))


# Drawing


@pytest.fixture(scope="module")
def draw(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that draws an artifact with the record, or without one, and returns its stem."""

    def run(module: Any, there: bool = True) -> Path:
        stem = tmp_path_factory.mktemp("drawn") / module.NAME
        options = ["--paper", PAPER, "--scale", "smoke", "--experiments", stem.parent]
        options += ["--records", records if there else stem.parent / "none", "--output", stem]
        assert module.main([str(option) for option in options]) == 0
        return stem

    return run


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
@pytest.mark.filterwarnings("error")
def test_figures_are_drawn_without_a_record(module: Any, draw: Callable[..., Path]) -> None:
    stem = draw(module, there=False)
    assert pd.read_parquet(stem.with_suffix(".parquet")).empty
    assert imread(stem.with_suffix(".png")).shape[1] == round(3.25 * 300)


@pytest.mark.filterwarnings("error")
def test_the_table_has_three_times_and_the_words(
    draw: Callable[..., Path], tables: dict[str, pd.DataFrame]
) -> None:
    stem = draw(table_language)
    values = pd.read_parquet(stem.with_suffix(".parquet"))
    assert values["method"].tolist() == [name for name in settings("smoke").arms for _ in range(3)]
    for _, arm in values.groupby("method"):
        assert arm["when"].tolist() == ["start", "best", "end"]
        assert arm["score"].iloc[1] >= arm["score"].max()
    text = stem.with_suffix(".md").read_text(encoding="utf-8")
    said = pd.read_csv(stem.with_suffix(".csv"), keep_default_na=False)
    assert len(said) == len(values)
    first = tables["examples"].iloc[0]
    assert said["answer"].iloc[0] == first["answer"]
    assert first["prompt"] in text
    assert "not the paper's" in text
    nothing = draw(table_language, there=False)
    assert pd.read_parquet(nothing.with_suffix(".parquet")).empty
    assert "not recorded yet" in nothing.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", [*MODULES, table_language], ids=lambda module: module.NAME)
@pytest.mark.filterwarnings("error")
def test_same_record_gives_the_same_bytes(module: Any, draw: Callable[..., Path]) -> None:
    first, second = draw(module), draw(module)
    rendered = (".md", ".tex") if module is table_language else (".pdf", ".png")
    for ending in (".parquet", ".csv", *rendered):
        assert first.with_suffix(ending).read_bytes() == second.with_suffix(ending).read_bytes()


def test_figures_show_what_is_recorded(
    draw: Callable[..., Path], tables: dict[str, pd.DataFrame]
) -> None:
    values = pd.read_parquet(draw(figure_4).with_suffix(".parquet"))
    assert values["arm"].nunique() == 5
    shown = values[
        (values["environment"] == "Wins against the base model") & (values["arm"] == "DPO")
    ]
    recorded = tables["evaluations"][tables["evaluations"]["method"] == "dpo"]
    assert shown["mean"].tolist() == recorded["wins"].tolist()
    # Both β of the sweep and the default of each variant, under its own name.
    swept = pd.read_parquet(draw(figure_5).with_suffix(".parquet"))
    shown_betas = {
        panel: sorted(rows["arm"].unique()) for panel, rows in swept.groupby("environment")
    }
    assert shown_betas == {
        "PMPO-R, α = 0": ["β = 0", "β = 2"],
        "PMPO-A, α = 1": ["β = 0", "β = 2"],
        "PMPO-AR, α = 0.5": ["β = 0", "β = 0.5", "β = 2"],
    }
    trained = pd.read_parquet(draw(figure_6).with_suffix(".parquet"))
    assert set(trained["arm"]) == {"PMPO-AR", "PMPO-A", "PMPO-R"}
    assert (trained["n"] == 1).all()


def test_a_run_that_ended_early_is_marked_and_its_peak_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted record: an arm that rises and falls, another of which a seed diverged."""
    from matplotlib.figure import Figure

    rows = [("PMPO-AR", s, t, v) for s in (0, 1) for t, v in ((0, 0.5), (3, 0.8), (6, 0.4))]
    rows += [("PMPO-R", 0, t, 0.1 * t) for t in (0, 3, 6)] + [("PMPO-R", 1, 0, 0.1)]
    rows += [("DPO", 0, t, 0.5) for t in (0, 3, 6)]  # level: no peak
    runs = pd.DataFrame(rows, columns=["arm", "seed", "step", "value"])
    panel = figure_4.LAYOUT.panels[1]
    runs = runs.assign(environment=panel.title)
    ends = pd.DataFrame(
        {"arm": ["PMPO-AR", "PMPO-R"], "seed": [0, 1], "status": ["done", "diverged"]}
    )
    ends = ends.assign(environment=panel.title)
    drawn = language_panels.Drawn(runs, language_panels.means(runs), ends)
    axes = Figure().subplots()
    language_panels.draw_panel(axes, "b", panel, figure_4.LAYOUT, drawn, settings("smoke"))
    marks = [
        (line.get_marker(), *line.get_xydata()[0])
        for line in axes.get_lines()
        if line.get_marker() != "None"
    ]
    assert ("o", 3.0, pytest.approx(0.8)) in marks
    assert ("x", 0.0, pytest.approx(0.1)) in marks
    assert len(marks) == 2
