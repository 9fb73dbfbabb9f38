"""Artifacts about ingredients, readings, schedules, noise and corners recover what was planted in their records."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from scipy.stats import ttest_ind

from analysis.statistics import (
    holm,
    improvement,
    improvement_interval,
    mean_interval,
    minimum_detectable_difference,
    paired_t,
    pooled_std,
    welch_interval,
    welch_t,
)
from paper_figures import sweeps
from paper_figures.prefpoe import (
    figure_ingredients,
    figure_noise,
    figure_sensitivity,
    table_readings,
)
from tests.paper_figures.prefpoe.planted import (
    DIVERGED,
    FAILED,
    MISSING,
    SEEDS,
    Outcome,
    Score,
    Setting,
    draw,
    noise,
    nothing,
    write_experiments,
)

EXPERIMENTS = {
    "figure_ingredients": ("ingredients",),
    "table_ingredients": ("ingredients",),
    "table_readings": ("readings",),
    "figure_sensitivity": ("corners", "centre", "noise"),
    "figure_noise": ("noise",),
    "table_schedules": ("schedules",),
}
FIGURES = [name for name in EXPERIMENTS if name.startswith("figure")]
TABLES = [name for name in EXPERIMENTS if name.startswith("table")]
CLAMPED = 0.5 * math.log(2 * math.pi * math.e)


def ingredients(method: str, at: Setting, seed: int) -> Outcome:
    small, tanh = at["initial_log_std"] == -1, at["mean"] == "tanh"
    score = 1800 + 2300 * small + 600 * tanh + 400 * small * tanh
    score += -150 * (at["backbone"] == "shared") + 250 * (method == "prefpoe_released")
    return score + 10 * SEEDS.index(seed) + 4 * noise(seed, method, sorted(at.items()))


def readings(method: str, at: Setting, seed: int) -> Outcome:
    return 5000 + 300 * at["detach_fused"] + 100 * noise(seed, "reading", sorted(at.items()))


def stds(at: Setting, seed: int) -> tuple[float, float]:
    """σ of the main and the preference expert at the end: the latter at its clamp where L_cons is stopped."""
    main = math.exp(-1.56 + 0.05 * noise(seed, "main", sorted(at.items())))
    return main, 2.0 if at["detach_fused"] else 0.5 + 0.02 * noise(seed, "preference")


def end_state(method: str, at: Setting, seed: int) -> dict[str, float]:
    main, preference = stds(at, seed)
    fused = (main**-2 + preference**-2) ** -0.5
    return {
        "main_entropy": 6 * (math.log(main) + CLAMPED),
        "preference_entropy": 6 * (math.log(preference) + CLAMPED),
        "entropy": 6 * (math.log(fused) + CLAMPED),
        "preference_share": fused**2 / preference**2,
    }


def schedules(method: str, at: Setting, seed: int) -> Outcome:
    level = {"prefpoe": 3000.0, "prefpoe_released": 5200.0}[method]
    change = {"constant": 0.0, "rising": -900.0, "falling": 150.0}[at["fusion_schedule"]]
    return level + change + 100 * noise(seed, method, at["fusion_schedule"])


def corrupted(method: str, at: Setting, seed: int) -> Outcome:
    """PPO loses half from 4 on, the equations from 1 on more and more, the artefact nothing."""
    level = at["advantage_noise"]
    base = {"ppo": 1500, "prefpoe": 2500, "prefpoe_released": 4300}[method]
    left = {
        "ppo": 0.5 if level >= 4 else 1.0,
        "prefpoe": 1 / (1 + level),
        "prefpoe_released": 1.0,
    }[method]
    return base * left * (1 + 0.02 * (SEEDS.index(seed) - 2)) + 0.5 * noise(seed, method, level)


def corners(method: str, at: Setting, seed: int) -> Outcome:
    if "advantage_noise" in at:
        return corrupted(method, at, seed)
    equations = method == "prefpoe"
    score = 2500.0 if equations else 4300.0
    if not at:
        return score + 20 * noise(seed, method)
    score += -700 * equations * (at["preference_coefficient"] == 0.2) + 100 * (at["alpha"] == 0.4)
    score += 500 * equations * (at["fusion_weight"] == 0.8)
    return score + 20 * noise(seed, method, sorted(at.items()))


PLANTED: dict[tuple[str, ...], Score] = {
    ("ingredients",): ingredients,
    ("readings",): readings,
    ("schedules",): schedules,
    ("noise",): corrupted,
    ("corners", "centre", "noise"): corners,
}


def damaged(score: Score) -> Score:
    """Some cells without a record, some failed, some members diverged."""

    def outcome(method: str, at: Setting, seed: int) -> Outcome:
        if at.get("backbone") == "separate" and method != "ppo":
            return MISSING
        if at.get("mean") == "tanh" and at.get("initial_log_std") == 0 and seed in (10, 42):
            return DIVERGED
        if at.get("advantage_normalization") == "batch":
            return MISSING
        if at.get("detach_encoder") and seed == 42:
            return DIVERGED
        if at.get("fusion_schedule") == ("rising" if method == "prefpoe" else "constant"):
            return FAILED
        if at.get("advantage_noise") == 4 and seed != 0:
            return DIVERGED
        if at.get("beta_1") == 0.4 and (method == "prefpoe_released" or seed == 77):
            return MISSING if method == "prefpoe_released" else DIVERGED
        return score(method, at, seed)

    return outcome


Folder = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A function that gives the experiments folder of an artifact: "complete", "damaged" or "empty"."""
    made: dict[tuple[tuple[str, ...], str], Path] = {}

    def build(artifact: str, state: str) -> Path:
        names = EXPERIMENTS[artifact]
        if (names, state) not in made:
            planted = PLANTED[names]
            score = {"complete": planted, "damaged": damaged(planted), "empty": nothing}[state]
            root = tmp_path_factory.mktemp("planted")
            told = end_state if names == ("readings",) else None
            made[names, state] = write_experiments(root, names, score, told)
        return made[names, state]

    return build


Values = Callable[..., pd.DataFrame]


@pytest.fixture(scope="module")
def values(folder: Folder) -> Values:
    """A function that draws an artifact and reads its values."""
    drawn: dict[tuple[str, str], Path] = {}

    def read(artifact: str, state: str = "complete") -> pd.DataFrame:
        if (artifact, state) not in drawn:
            drawn[artifact, state] = draw(artifact, folder(artifact, state))
        return pd.read_parquet(drawn[artifact, state].with_suffix(".parquet"))

    return read


def text(artifact: str, folder: Folder, state: str, ending: str = ".md") -> str:
    stem = folder(artifact, state).parent / f"{artifact.partition('_')[0]}s" / artifact
    return stem.with_suffix(ending).read_text(encoding="utf-8")


def scores_of(experiments: Path, experiment: str, method: str, **at: Any) -> np.ndarray:
    table = pd.read_parquet(experiments / experiment / "scores.parquet")
    same = np.array([json.loads(told) == at for told in table["setting"]])
    return table.loc[(table["method"] == method) & same, "score"].dropna().to_numpy()


# In any state


@pytest.mark.parametrize("state", ["complete", "damaged", "empty"])
@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn_from_any_state(
    name: str, state: str, values: Values, folder: Folder
) -> None:
    values(name, state)
    stem = folder(name, state).parent / "figures" / name
    height, width = imread(stem.with_suffix(".png")).shape[:2]
    assert width == round(3.25 * 300)
    assert height > width
    assert stem.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    members = pd.read_csv(stem.with_suffix(".csv"))
    assert (members["status"] == "done").sum() == members["score"].notna().sum()
    assert (members["status"] == "missing").all() == (state == "empty")


@pytest.mark.parametrize("state", ["complete", "damaged", "empty"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_are_words_and_plain_latex_in_any_state(
    name: str, state: str, values: Values, folder: Folder
) -> None:
    values(name, state)
    words, latex = (text(name, folder, state, ending) for ending in (".md", ".tex"))
    assert "nan" not in words.lower()
    assert "Scale paper (the published protocol)" in words
    assert latex.isascii(), {letter for letter in latex if not letter.isascii()}
    assert ("no data†" in words) == (state != "complete")
    assert ("Members without a score" in words) == (state != "complete")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_same_records_give_the_same_bytes(
    name: str, values: Values, folder: Folder, tmp_path: Path
) -> None:
    values(name, "damaged")
    experiments = folder(name, "damaged")
    other = draw(name, experiments, tmp_path)
    for path in other.parent.iterdir():
        again = experiments.parent / other.parent.name / path.name
        assert path.read_bytes() == again.read_bytes(), path.name
    assert len(list(other.parent.iterdir())) == 4


# Ingredients

EFFECTS = {"initial_log_std": 2500, "mean": 800, "method": 250, "backbone": -150}


def test_the_figure_recovers_planted_effects_by_size(values: Values) -> None:
    table = values("figure_ingredients")
    effects = table[table["panel"] == "a"].set_index("effect")
    for name, planted in {**EFFECTS, "mean × initial_log_std": 200, "all four": 3400}.items():
        assert effects.loc[name, "value"] == pytest.approx(planted, abs=8)
        assert effects.loc[name, "low"] < effects.loc[name, "value"] < effects.loc[name, "high"]
    others = effects.drop([*EFFECTS, "mean × initial_log_std", "all four", figure_ingredients.NET])
    assert (others["value"].abs() < 8).all()
    assert effects["drawn"].sum() == 4 + 4 + 2
    net = 250 - 0.5 * math.log(2) * 2500
    assert effects.loc[figure_ingredients.NET, "value"] == pytest.approx(net, abs=8)
    assert effects.loc["mean × initial_log_std", "drawn"]
    assert effects.loc["all four", "claim"] == 5375 - 1276
    assert effects.loc["initial_log_std", "share"] > 0.8
    assert effects.loc["initial_log_std", "p_holm"] < 1e-6
    assert effects.loc["initial_log_std", "words"] == "log-std starts at −1 instead of 0"


def test_the_figures_cells_are_the_statistics(values: Values, folder: Folder) -> None:
    table = values("figure_ingredients")
    cells = table[table["panel"] == "b"]
    assert len(cells) == 16
    for cell in cells.to_dict("records"):
        at = json.loads(cell["setting"])
        found = scores_of(
            folder("figure_ingredients", "complete"), "ingredients", cell["method"], **at
        )
        assert cell["value"] == pytest.approx(found.mean(), rel=1e-12)
        assert (cell["low"], cell["high"]) == pytest.approx(mean_interval(found), rel=1e-12)
    claims = cells.dropna(subset="claim").set_index("method")["claim"].to_dict()
    assert claims == {"ppo": 1276, "prefpoe_released": 5375}
    ends = cells[cells["claim"].notna()]["setting"].map(json.loads).tolist()
    assert ends == [
        {"backbone": "separate", "mean": "linear", "initial_log_std": 0.0},
        {"backbone": "shared", "mean": "tanh", "initial_log_std": -1.0},
    ]


def test_the_table_has_all_cells_effects_and_the_rest(values: Values, folder: Folder) -> None:
    table = values("table_ingredients")
    assert table["part"].value_counts().to_dict() == {"cell": 16, "effect": 15, "variation": 2}
    assert table["share"].sum() == pytest.approx(1, rel=1e-12)
    words = text("table_ingredients", folder, "complete")
    assert "| own network | linear | 0 " in words
    assert "| (between seeds) " in words
    effect = table.set_index("effect").loc["initial_log_std"]
    shown = f"+{effect['seeds_estimate']:.1f} [+{effect['seeds_low']:.1f}"
    assert shown in words
    arms = pd.read_parquet(
        folder("table_ingredients", "complete") / "ingredients/statistics.parquet"
    )
    cells = table[table["part"] == "cell"].set_index(["method", "setting"])
    shared = arms.set_index(["method", "setting"]).loc[cells.index, "mean_difference"]
    np.testing.assert_array_equal(cells["mean_difference"], shared)


def test_without_cells_effects_are_said_not_to_be_estimable(values: Values, folder: Folder) -> None:
    table = values("table_ingredients", "damaged")
    effects = table[table["part"] == "effect"]
    assert effects.filter(regex="_(estimate|low|high|p)$").isna().all(axis=None)
    assert set(effects["not_estimable"]) == {"4 of 16 cells have no score"}
    words = text("table_ingredients", folder, "damaged")
    assert "Not estimable over seeds: 4 of 16 cells have no score." in words
    assert "n = 3 of 5 (2 diverged)" in words
    assert "4 of 16 cells without any record" in words
    # The first and the last cell are there.
    whole = values("figure_ingredients", "damaged").set_index("effect").loc["all four"]
    assert whole["value"] == pytest.approx(3400, abs=8)


# Readings


def test_the_checkpoint_is_the_released_one() -> None:
    """Numbers that the audit found in the file: the experts' σ, entropies, and shares of precision."""
    state = table_readings.checkpoint_state()
    assert [round(value, 2) for value in table_readings.MAIN_LOG_STD] == [
        *(-1.50, -1.99, -1.10, -2.04, -1.54, -1.16)
    ]
    assert state["preference_std"] == pytest.approx(2, rel=1e-12)
    assert state["fused_entropy"] == pytest.approx(-0.8607, abs=5e-5)
    assert state["main_entropy"] == pytest.approx(-0.8186, abs=5e-5)
    assert state["preference_entropy"] == pytest.approx(12.6725, abs=5e-5)
    assert 0.42 < state["share"] < 2.72
    assert state["main_std"] == pytest.approx(math.exp(np.mean(table_readings.MAIN_LOG_STD)))


def test_readings_end_where_they_were_planted(values: Values) -> None:
    table = values("table_readings").set_index("row")
    assert pd.isna(table.loc["released checkpoint", "printed_return"])
    printed = table.loc["the paper's text", "printed_return"]
    assert printed == "5375±581 (Table 1); 5576.0±408.18 (Table A.3)"
    assert table.loc["the paper's text", "printed_fused_entropy"] == "~1.0"
    assert table.loc["the paper's text", "printed_preference_entropy"] == "~10"
    rows = table[table["n"].notna()]
    assert len(rows) == 8
    for row in rows.to_dict("records"):
        at = {name: row[name] for name in table_readings.FACTORS}
        ends = np.array([stds(at, seed) for seed in SEEDS])
        assert row["main_std"] == pytest.approx(ends[:, 0].mean(), rel=1e-9)
        assert row["preference_std"] == pytest.approx(ends[:, 1].mean(), rel=1e-9)
        assert row["main_std_spread"] == pytest.approx(ends[:, 0].std(ddof=1), rel=1e-9)
        share = 100 * ends[:, 0] ** 2 / (ends[:, 0] ** 2 + ends[:, 1] ** 2)
        assert row["share"] == pytest.approx(share.mean(), rel=1e-9)
        assert row["states"] == 5
        assert (row["distance"] < 0.2) == row["detach_fused"]
    first = rows.iloc[0]
    assert (first["detach_fused"], first["advantage_normalization"]) == (False, "minibatch")


def test_the_checkpoint_has_no_return_of_its_own(values: Values, folder: Folder) -> None:
    values("table_readings")
    said = text("table_readings", folder, "complete")
    row = next(line for line in said.splitlines() if line.startswith("| released checkpoint"))
    assert row.split("|")[5].strip() == "—"
    for number in ("5576.0 ± 408.18 over ten random", "README 5616.48 ± 305.00"):
        assert number in said


def test_a_distance_is_that_of_log_stds() -> None:
    end = table_readings.checkpoint_state()
    moved = {**end, "main_std": 2 * end["main_std"], "preference_std": end["preference_std"] / 2}
    assert table_readings.distance(moved) == pytest.approx(math.log(2) * math.sqrt(2))
    assert table_readings.distance(end) == 0


def test_only_members_that_finished_have_an_end_state(values: Values, folder: Folder) -> None:
    rows = values("table_readings", "damaged").dropna(subset="n")
    detached = rows["detach_encoder"].astype(bool)
    there = rows["advantage_normalization"] == "minibatch"
    assert rows.loc[there & detached, "states"].tolist() == [4, 4]
    assert rows.loc[there & ~detached, "states"].tolist() == [5, 5]
    assert rows.loc[~there, "main_std"].isna().all()
    assert "reading 3: n = 4 of 5 (1 diverged)" in text("table_readings", folder, "damaged")


# Schedules


def test_schedules_are_compared_with_their_own_constant(values: Values, folder: Folder) -> None:
    table = values("table_schedules").set_index(["method", "schedule"])
    experiments = folder("table_schedules", "complete")
    p = []
    for method in ("prefpoe", "prefpoe_released"):
        y = scores_of(experiments, "schedules", method, fusion_schedule="constant")
        for schedule in ("rising", "falling"):
            x = scores_of(experiments, "schedules", method, fusion_schedule=schedule)
            row = table.loc[method, schedule]
            assert row["difference"] == pytest.approx(x.mean() - y.mean())
            ends = (row["difference_low"], row["difference_high"])
            assert ends == pytest.approx(welch_interval(x, y), rel=1e-9)
            assert row["paired_p"] == pytest.approx(paired_t(x, y).p, rel=1e-9)
            p.append(welch_t(x, y).p)
    compared = table.dropna(subset="difference")
    np.testing.assert_allclose(compared["welch_p_holm"], holm(np.array(p)), rtol=1e-9)
    assert table["fusion_weight"].tolist() == [
        "0.4",
        "0 to 0.4",
        "0.4 to 0",
        "1",
        "0 to 1",
        "1 to 0",
    ]
    assert (table.xs("rising", level=1)["difference_high"] < 0).all()


def test_without_its_constant_a_schedule_has_no_difference(values: Values) -> None:
    table = values("table_schedules", "damaged").set_index(["method", "schedule"])
    assert table.loc["prefpoe_released"]["difference"].isna().all()
    assert table.loc["prefpoe"]["difference"].notna().tolist() == [False, False, True]
    assert table.loc[("prefpoe_released", "constant"), "failed"] == 5


# Noise


def test_methods_are_compared_by_the_difference_of_their_changes(
    values: Values, folder: Folder
) -> None:
    table = values("figure_noise").set_index(["method", "level"])
    experiments = folder("figure_noise", "complete")

    def arm(method: str, level: float) -> np.ndarray:
        return scores_of(experiments, "noise", method, advantage_noise=level)

    x, y = arm("prefpoe", 1.0), arm("prefpoe", 0.0)
    row = table.loc["prefpoe", 1.0]
    assert row["relative"] == pytest.approx(improvement(x, y)) == pytest.approx(-50, abs=0.1)
    assert row["relative_low"] < -50 < row["relative_high"] < 0
    smallest = minimum_detectable_difference(pooled_std(x, y), 5, 5)
    assert row["detectable"] == pytest.approx(100 * smallest / y.mean(), rel=1e-12)
    assert table["relative"].xs(0.0, level=1).tolist() == [0, 0, 0]
    # Planted at level 4: PPO keeps half, the equations a fifth, the artefact all.
    assert table.loc["prefpoe", 4.0]["beyond"] == pytest.approx(-30, abs=0.2)
    assert table.loc["prefpoe_released", 4.0]["beyond"] == pytest.approx(50, abs=0.2)
    assert (
        table.loc["prefpoe", 4.0]["beyond_high"]
        < 0
        < table.loc["prefpoe_released", 4.0]["beyond_low"]
    )
    others = table.loc["prefpoe_released"].loc[[1.0, 2.0]]
    assert (others["beyond_low"] < 0).all()
    assert (others["beyond_high"] > 0).all()
    assert table.loc["ppo"]["beyond"].isna().all()
    assert not {"breaks", "breaks_at", "below"} & set(table)


def test_with_one_member_left_a_change_is_not_compared(values: Values) -> None:
    table = values("figure_noise", "damaged").set_index(["method", "level"])
    at = table.xs(4.0, level=1)
    assert (at["n"] == 1).all()
    columns = ["beyond_low", "beyond_high", "detectable", "relative_low"]
    assert at[columns].isna().all(axis=None)


def test_equal_losses_are_told_apart_in_one_experiment_of_twenty_whatever_the_spreads() -> None:
    """The reviewed fault: by each one's own significance, an equal loss of 25 % broke one arm 7 times as often."""
    rng = np.random.default_rng(5)
    rounds, wrong, own = 2000, 0, np.zeros(2)
    for _ in range(rounds):
        arms = [
            (rng.normal(0.75 * mean, std, 5), rng.normal(mean, std, 5))
            for mean, std in ((5395, 630), (3333, 1482))
        ]
        low, high = figure_noise.difference_of_changes(*arms)
        wrong += low > 0 or high < 0
        own += [welch_interval(x, y).high < 0 for x, y in arms]
    assert own / rounds == pytest.approx([0.82, 0.11], abs=0.03)
    assert wrong / rounds < 0.05 + 3 * math.sqrt(0.05 * 0.95 / rounds)


def test_an_interval_is_as_long_as_its_parts_and_unbounded_with_them() -> None:
    x, y = np.array([70.0, 80, 90]), np.array([95.0, 100, 105])
    low, high = improvement_interval(x, y)
    ends = figure_noise.difference_of_changes((x, y), (x, y))
    size = math.hypot(-20 - low, high + 20)
    assert ends == pytest.approx((-size, size))
    vague = (x, np.array([1.0, 100, 200]))
    assert figure_noise.difference_of_changes((x, y), vague) == (-math.inf, math.inf)
    lost = (x[:1], y)
    assert np.isnan(figure_noise.difference_of_changes((x, y), lost)).all()


# Corners


def test_corners_recover_planted_effects(values: Values) -> None:
    table = values("figure_sensitivity")
    effects = table[table["part"] == "effect"].set_index(["method", "effect"])
    planted = {"preference_coefficient": -700, "alpha": 100, "fusion_weight": 500}
    for (method, name), row in effects.iterrows():
        if row["order"] > 1:
            assert abs(row["seeds_estimate"]) < 25
            continue
        expected = planted.get(name, 0) if method == "prefpoe" or name == "alpha" else 0
        assert row["seeds_estimate"] == pytest.approx(expected, abs=25)
    assert len(effects) == 2 * (5 + 10)
    assert effects.loc[("prefpoe", "beta_1"), "words"] == "β₁ from 0.1 to 0.4"


def test_corners_are_ranked_with_their_centre(values: Values, folder: Folder) -> None:
    table = values("figure_sensitivity")
    for method in ("prefpoe", "prefpoe_released"):
        own = table[(table["method"] == method) & table["part"].isin(("corners", "centre"))]
        ranked = own.sort_values("rank")
        assert ranked["rank"].tolist() == list(range(1, 34))
        assert ranked["mean"].is_monotonic_increasing
        corners = own[own["part"] == "corners"]
        assert len(corners) == 32
        p = corners["welch_p"].to_numpy()
        np.testing.assert_array_equal(corners["welch_p_holm"], holm(p))
        assert own.loc[own["part"] == "centre", "difference"].isna().all()
    experiments = folder("figure_sensitivity", "complete")
    (baseline,) = table[table["part"] == "noise"].to_dict("records")
    assert baseline["method"] == "ppo"
    found = scores_of(experiments, "noise", "ppo", advantage_noise=0.0)
    assert baseline["mean"] == pytest.approx(found.mean())
    first = table[(table["part"] == "corners") & (table["method"] == "prefpoe")].iloc[0]
    x = scores_of(experiments, "corners", "prefpoe", **json.loads(first["setting"]))
    y = scores_of(experiments, "centre", "prefpoe")
    assert first["difference_low"] == pytest.approx(welch_interval(x, y).low)


def test_corners_that_are_not_all_there_give_no_effects(values: Values) -> None:
    table = values("figure_sensitivity", "damaged")
    effects = table[table["part"] == "effect"].set_index("method")
    assert set(effects.loc["prefpoe_released", "not_estimable"]) == {"16 of 32 cells have no score"}
    assert effects.loc["prefpoe_released", "seeds_estimate"].isna().all()
    assert (effects.loc["prefpoe", "n"] == 4).all()
    assert effects.loc["prefpoe", "seeds_low"].notna().all()
    corners = table[(table["part"] == "corners") & (table["method"] == "prefpoe_released")]
    assert corners["rank"].notna().sum() == 16
    # Every corner is one of four things, out of all 32.
    for method, expected in (
        ("prefpoe_released", {"not compared": 16}),
        ("prefpoe", {"lost members": 16}),
    ):
        own = table[(table["part"] == "corners") & (table["method"] == method)]
        found = own["outcome"].value_counts()
        assert found.sum() == 32
        assert found.loc[list(expected)].to_dict() == expected
    words = figure_sensitivity.corner_words(table, "prefpoe")
    assert words.startswith("of 32, ")
    assert "16 lost members" in words


def test_diverged_members_are_counted_at_both_ends_of_each_range(values: Values) -> None:
    table = values("figure_sensitivity", "damaged")
    ends = table[table["part"] == "divergence"].set_index(["method", "effect", "level"])
    own = ends.loc["prefpoe"]
    # Seed 77 diverges in the 16 corners of the upper β₁; those are half of either end of every other range.
    assert own.loc["beta_1"]["diverged"].tolist() == [0, 16]
    assert own.loc["alpha"]["diverged"].tolist() == [8, 8]
    assert own.loc["beta_1"]["trained"].tolist() == [80, 80]
    pulls = own.loc[figure_sensitivity.PULL]
    assert pulls["trained"].tolist() == [24 * 5, 8 * 5]
    assert pulls["diverged"].tolist() == [12, 4]
    assert ends.loc["prefpoe_released"].loc["beta_1", "trained"].tolist() == [80, 0]


def test_a_difference_is_detectable_at_holms_first_level(values: Values, folder: Folder) -> None:
    table = values("figure_sensitivity")
    row = table[(table["part"] == "corners") & (table["method"] == "prefpoe")].iloc[0]
    experiments = folder("figure_sensitivity", "complete")
    x = scores_of(experiments, "corners", "prefpoe", **json.loads(row["setting"]))
    y = scores_of(experiments, "centre", "prefpoe")
    one, other = (pd.DataFrame({"score": scores}) for scores in (x, y))
    at = [sweeps.detectable_at(level, one, other) for level in (0.05, 0.05 / 32)]
    spread = pooled_std(x, y)
    assert at[0] == pytest.approx(minimum_detectable_difference(spread, 5, 5), rel=1e-6)
    assert row["detectable"] == pytest.approx(at[1])
    rng = np.random.default_rng(6)
    samples = rng.normal(0, 1, (2, 4000, 5)) + np.array([0, at[1] / spread])[:, None, None]
    p = ttest_ind(*samples, axis=1).pvalue
    assert (p < 0.05 / 32).mean() == pytest.approx(0.8, abs=0.03)
