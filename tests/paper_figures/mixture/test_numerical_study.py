"""The numerical study: its record, what is counted from it, what is said of it, and that it can be drawn in every state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from analysis.audit.specification import read_specification
from analysis.claims import load_claims
from analysis.paper import load_paper
from analysis.workflow import read_request
from paper_figures import recorded
from paper_figures.mixture import (
    figure_1,
    figure_7,
    found,
    numerical_study,
    stationary,
    table_numerical_study,
)
from paper_figures.mixture.bimodal_bandit import ALPHAS
from paper_figures.mixture.gaussian_mixtures import BIMODAL
from paper_figures.mixture.studies import NumericalStudy

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "paper_figures" / "mixture"
MODULES = (figure_1, figure_7, table_numerical_study)
Points = list[tuple[str, float, float, bool]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results with the study's record at scale smoke."""
    folder = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        options = ["--paper", "paper_figures/mixture", "--scale", "smoke"]
        options += ["--records", str(folder / "smoke" / "mixture" / "records")]
        assert numerical_study.main([*options, "--scratch", str(folder / "scratch")]) == 0
    return folder


@pytest.fixture(scope="module")
def trials(results: Path) -> pd.DataFrame:
    (path,) = results.glob("smoke/mixture/records/studies/*/trials.parquet")
    return pd.read_parquet(path)


def test_paper_runs_the_fifteen_scales_and_a_hundred_starts() -> None:
    _, plan = load_paper(PAPER)
    settings = NumericalStudy.model_validate(plan.studies["numerical_study"].settings["paper"])
    assert settings.alphas == tuple(sorted(ALPHAS[0] + ALPHAS[1]))
    assert len(settings.alphas) == 15
    assert settings.trials == 100


def test_assumptions_state_the_tolerances() -> None:
    paper, _ = load_paper(PAPER)
    said = {entry.topic: entry.choice for entry in paper.assumptions}
    points = said["Stationary points of the numerical study"]
    assert f"exceeds {stationary.STATIONARY:.0e}".replace("e-03", "e-3") in points
    assert f"bound of {stationary.LOG_STD_BOUND:g}" in points
    assert f"more than {BIMODAL:g} of the higher" in said["Modes of the numerical study"]
    assert read_specification(PAPER)


@pytest.mark.parametrize("alphas", [[], [0.3, 0.1], [0.1, 0.1], [0.0, 0.1], [0.1, 11.0]])
def test_impossible_scales_are_refused(alphas: list[float]) -> None:
    with pytest.raises(ValueError, match="alphas"):
        NumericalStudy.model_validate({"seed": 0, "trials": 1, "alphas": alphas})


def test_starts_are_uniform_and_the_gaussian_is_the_first_component() -> None:
    drawn = [numerical_study.starts(0, trial) for trial in range(400)]
    mixtures = np.array([mixture for _, mixture in drawn])
    np.testing.assert_array_equal([g for g, _ in drawn], mixtures[:, [0, 2]])
    low, high = np.array([-2, -2, -3, -3, 0]), np.array([2, 2, 0, 0, 1])
    assert ((mixtures >= low) & (mixtures <= high)).all()
    # Uniform: mean within 5 standard errors of the middle, and both ends nearly reached.
    part = (mixtures - low) / (high - low)
    assert np.abs(part.mean(axis=0) - 0.5).max() < 5 / np.sqrt(12 * 400)
    assert (part.min(axis=0) < 0.03).all()
    assert (part.max(axis=0) > 0.97).all()
    assert not np.array_equal(numerical_study.starts(1, 0)[1], mixtures[0])


def test_every_trial_is_recorded_and_starts_alike_for_every_scale(trials: pd.DataFrame) -> None:
    assert list(trials.columns) == list(numerical_study.TABLES["trials"])
    assert len(trials) == 2 * 2 * 3
    starts = [name for name in trials if name.startswith("start_")]
    for _, same in trials.groupby(["policy", "trial"]):
        assert len(same) == 2
        assert len(same[starts].drop_duplicates()) == 1
    gaussian = trials[trials["policy"] == "gaussian"]
    assert gaussian[["start_mean_2", "end_mean_2", "end_log_std_2"]].isna().all(axis=None)
    assert (gaussian["end_weight_1"] == 1).all()
    assert set(trials["outcome"]) <= set(stationary.OUTCOMES)
    assert trials["stationary"].any()


def test_recorded_ends_are_stationary_by_an_independent_gradient(trials: pd.DataFrame) -> None:
    """Central differences of the objective at every interior end."""
    looked_at = 0
    for row in trials[trials["outcome"] == "interior"].to_dict("records"):
        names = ["mean_1", "mean_2", "log_std_1", "log_std_2", "weight_1"]
        names = names if row["policy"] == "gaussian_mixture" else ["mean_1", "log_std_1"]
        at = np.array([row[f"end_{name}"] for name in names])
        for step in 1e-5 * np.eye(len(at)):
            rise = [stationary.objective(at + sign * step, row["alpha"]) for sign in (1, -1)]
            assert abs(rise[0] - rise[1]) / 2e-5 < 1.1 * stationary.STATIONARY
            looked_at += 1
    assert looked_at > 10


def test_running_again_gives_the_same_numbers(trials: pd.DataFrame) -> None:
    row = trials[(trials["policy"] == "gaussian_mixture") & (trials["alpha"] == 0.3)].iloc[1]
    begin = numerical_study.starts(0, int(row["trial"]))[1]
    again = pd.Series(numerical_study.row("gaussian_mixture", 0.3, int(row["trial"]), begin))
    pd.testing.assert_series_equal(
        again[row.index], row, check_names=False, check_dtype=False, rtol=0, atol=0
    )


def test_the_record_says_what_it_ran_with(results: Path) -> None:
    (path,) = results.glob("smoke/mixture/records/studies/*/record.json")
    header = json.loads(path.read_text(encoding="utf-8"))
    assert header["study"]["settings"] == {"seed": 0, "trials": 3, "alphas": [0.1, 0.3]}
    assert header["provenance"]["versions"]["scipy"]


# What is counted


def planted(alpha: float, policy: str, points: Points) -> pd.DataFrame:
    """Trials of one α and policy: outcome, objective, expected reward, bimodal."""
    rows = []
    for trial, (outcome, objective, earned, bimodal) in enumerate(points):
        row = dict.fromkeys(numerical_study.TABLES["trials"], 0.0)
        row |= {"policy": policy, "alpha": alpha, "trial": trial, "message": ""}
        row |= {"objective": objective, "expected_reward": earned, "entropy": objective - earned}
        row |= {"outcome": outcome, "bimodal": bimodal, "end_mean_1": earned}
        row["stationary"] = outcome in stationary.STATIONARY_OUTCOMES
        rows.append(row)
    return pd.DataFrame(rows).astype(numerical_study.TABLES["trials"])


def test_summary_by_hand() -> None:
    trials = planted(
        0.3,
        "gaussian_mixture",
        [
            ("interior", 1.0, 0.8, True),
            ("diverged", 9.0, 0.1, True),
            ("one component", 0.7, 0.6, False),
            ("interior", 1.0005, 0.79, True),
            ("not converged", 5.0, 0.5, False),
            ("interior", 0.9, 0.7, False),
        ],
    )
    (row,) = found.summary(trials).to_dict("records")
    counts = ("trials", "interior", "one_component", "diverged", "not_converged", "stationary")
    assert [row[name] for name in counts] == [6, 3, 1, 1, 1, 4]
    assert (row["bimodal"], row["interior_bimodal"], row["kinds"]) == (2, 2, 3)
    assert row["bimodal_share"] == 0.5
    assert (row["objective"], row["expected_reward"], row["best_bimodal"]) == (1.0005, 0.79, True)
    # Wilson for 2 of 4: (p + z²/2n ± z √(pq/n + z²/4n²)) / (1 + z²/n), z = 1.95996.
    assert (row["low"], row["high"]) == pytest.approx((0.1500, 0.8500), abs=5e-5)


def test_nothing_found_is_not_zero() -> None:
    (row,) = found.summary(planted(0.6, "gaussian", [("diverged", 1.0, 0.1, False)])).to_dict(
        "records"
    )
    assert row["stationary"] == row["kinds"] == 0
    assert np.isnan(
        [row[name] for name in ("bimodal_share", "low", "objective", "expected_reward")]
    ).all()
    assert found.summary(pd.DataFrame()).empty


def test_kinds_are_groups_of_objectives() -> None:
    assert found.kinds(np.array([])) == 0
    assert found.kinds(np.array([0.5, 0.5004, 0.9, 0.9001, 0.3])) == 3


# What is said of it


def as_the_paper_says() -> dict[tuple[float, str], Points]:
    """Trials of which every statement holds: (α, policy) → points. A Gaussian's mean is its expected reward here."""
    gone, cells = ("diverged", 2.0, 0.1, False), {}
    for i, alpha in enumerate(sorted(ALPHAS[0] + ALPHAS[1])):
        low, top = ("interior", 0.5, 0.5, False), ("interior", 1.0, 0.99, False)
        middle = ("interior", 1.0, 0.01, False)
        gaussian = [low, top] if alpha <= 0.2 else [low, middle] if alpha <= 0.3 else [gone]
        two = ("interior", 1.2, 0.99 if alpha <= 0.2 else 0.9, True)
        one = [low] * (8 - i) if alpha <= 0.3 else []
        cells[alpha, "gaussian"] = gaussian
        cells[alpha, "gaussian_mixture"] = [two, two, *one] if alpha <= 0.5 else [gone]
    cells[0.4, "gaussian"] = [gone, gone]
    return cells


def verdicts(cells: dict[tuple[float, str], Points]) -> pd.Series:
    trials = pd.concat(planted(*key, points) for key, points in cells.items())
    return found.statements(found.summary(trials)).set_index("claim")["holds"].astype(object)


def test_statements_hold_of_what_the_paper_describes() -> None:
    holds = verdicts(as_the_paper_says())
    assert holds[holds != True].index.tolist() == []  # noqa: E712


GOOD, BAD = ("interior", 1.3, 0.95, True), ("interior", 1.3, 0.4, False)


@pytest.mark.parametrize(
    ("claim", "cell", "points"),
    [
        ("figure_1.dominates", (0.26, "gaussian_mixture"), [("interior", 1.2, 0.005, True)]),
        ("figure_1.middle", (0.22, "gaussian"), [("interior", 1.0, 0.98, False)]),
        ("figure_1.gaussian_at_0_3", (0.3, "gaussian"), [("interior", 1.0, 0.98, False)]),
        ("figure_7.gaussian_shifts", (0.2, "gaussian"), [("interior", 1.0, 0.0, False)]),
        ("figure_7.gaussian_shifts", (0.26, "gaussian"), [("interior", 1.0, 0.98, False)]),
        # In the middle and with less reward, but with less entropy too: J − E[r] is 0.
        ("figure_7.gaussian_shifts", (0.3, "gaussian"), [("interior", 0.05, 0.05, False)]),
        ("figure_1.mixture_at_0_4", (0.4, "gaussian_mixture"), [("diverged", 2, 0.1, False)]),
        ("figure_1.mixture_at_0_4", (0.4, "gaussian_mixture"), [("interior", 2, 0.4, True)]),
        ("appendix_c.difference_shown", (0.45, "gaussian_mixture"), [("interior", 2, 0.005, True)]),
        ("appendix_c.difference_shown", (0.1, "gaussian_mixture"), [("interior", 2, 0.5, True)]),
        ("section_6.robust", (0.1, "gaussian_mixture"), [("diverged", 2, 0.1, False)]),
        ("figure_1.optimal_at_0_3", (0.3, "gaussian_mixture"), [GOOD, ("interior", 2, 0.9, False)]),
        ("figure_7.two_modes", (0.05, "gaussian_mixture"), [BAD]),
        ("figure_1.gaussian_none", (0.35, "gaussian"), [BAD]),
        ("appendix_c.gaussian_none", (0.6, "gaussian"), [BAD]),
        ("figure_1.diverges_at_0_4", (0.4, "gaussian"), [("not converged", 1.0, 0.5, False)]),
        ("figure_1.mixture_continues", (0.45, "gaussian_mixture"), [("diverged", 2, 0.1, False)]),
        ("appendix_c.mixture_none", (0.6, "gaussian_mixture"), [GOOD]),
        ("figure_1.bimodal", (0.5, "gaussian_mixture"), [GOOD, BAD]),
    ],
)
def test_each_statement_can_fail(claim: str, cell: tuple[float, str], points: Points) -> None:
    holds = verdicts(as_the_paper_says() | {cell: points})
    assert holds[claim] is False


def test_trend_and_kinds_can_fail() -> None:
    alike = {
        key: [GOOD] if key[1] == "gaussian_mixture" else points
        for key, points in as_the_paper_says().items()
    }
    holds = verdicts(alike)
    assert holds["figure_1.trend"] is False
    assert holds["figure_7.types"] is False


def test_statements_are_claims_and_need_their_scales() -> None:
    known = {claim.id for claim in load_claims(PAPER)}
    assert {statement.claim for statement in found.STATEMENTS} <= known
    only = {(0.1, "gaussian"): [GOOD], (0.1, "gaussian_mixture"): [GOOD]}
    assert verdicts(only)["figure_1.dominates"] is None
    empty = found.statements(found.summary(pd.DataFrame()))
    assert empty["holds"].isna().all()


# Drawing


@pytest.fixture(scope="module")
def draw(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that draws an artifact with the record, or without one, and returns its stem."""

    def run(module: object, there: bool = True) -> Path:
        stem = tmp_path_factory.mktemp("drawn") / module.NAME
        records = results / "smoke" / "mixture" / "records" if there else stem.parent / "none"
        options = ["--paper", PAPER, "--scale", "smoke", "--records", records]
        options += ["--experiments", stem.parent, "--output", stem]
        assert module.main([str(option) for option in options]) == 0
        return stem

    return run


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
@pytest.mark.filterwarnings("error")
def test_artifacts_are_drawn_without_a_record(module: object, draw: Callable[..., Path]) -> None:
    stem = draw(module, there=False)
    assert len(pd.read_parquet(stem.with_suffix(".parquet"))) == 0
    if stem.name.startswith("table"):
        assert "not recorded yet" in stem.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.NAME)
@pytest.mark.filterwarnings("error")
def test_same_record_gives_the_same_bytes(module: object, draw: Callable[..., Path]) -> None:
    first, second = draw(module), draw(module)
    rendered = (".md", ".tex") if module.NAME.startswith("table") else (".pdf", ".png")
    for ending in (".parquet", ".csv", *rendered):
        assert first.with_suffix(ending).read_bytes() == second.with_suffix(ending).read_bytes()
    if not module.NAME.startswith("table"):
        assert imread(first.with_suffix(".png")).shape[1] == round(3.25 * 300)


def test_figure_7_ranks_stationary_points_only(
    trials: pd.DataFrame, draw: Callable[..., Path]
) -> None:
    points = pd.read_parquet(draw(figure_7).with_suffix(".parquet"))
    assert len(points) == trials["stationary"].sum()
    for _, policy in points.groupby(["alpha", "policy"]):
        assert policy["rank"].tolist() == list(range(1, len(policy) + 1))
        assert policy["objective"].is_monotonic_increasing


def test_density_of_figure_1_integrates_to_one() -> None:
    width = figure_1.ACTIONS[1] - figure_1.ACTIONS[0]
    for point in ((0.1, np.nan, -1.0, np.nan, 1.0), (-1.0, 1.0, -1.2, -0.9, 0.3)):
        assert figure_1.density(*point).sum() * width == pytest.approx(1, abs=1e-3)


def test_a_study_is_planned_and_redrawn_beside_experiments_without_records(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything of the workflow but the jobs: paths, statistics (none), artifacts, report, ledger."""
    monkeypatch.chdir(ROOT)
    config = {"paper": "paper_figures/mixture", "results": str(results)}
    request = read_request({**config, "scale": "smoke"})
    (record,) = [path for path in request.all_records("mixture") if "/studies/" in path]
    assert Path(record).is_file()
    for scale, said in (("smoke", "1</b>of 1 studies"), ("quick", "0</b>of 1 studies")):
        options = ["--papers", "paper_figures/mixture", "--scale", scale]
        assert recorded.main([*options, "--results", str(results)]) == 0
        page = (results / scale / "report.html").read_text(encoding="utf-8")
        assert said in page
    paths = [Path(path) for path in request.paper_files("mixture")]
    assert len(paths) > 4 * len(MODULES)
    assert [path for path in paths if not path.is_file()] == []
    capsys.readouterr()
