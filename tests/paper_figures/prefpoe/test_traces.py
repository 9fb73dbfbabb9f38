"""Figures of training diagnostics: hand-computed means, the paper's numbers, and members that are not there."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from algorithms.cell import load_plan
from algorithms.specification import SpecificationError
from analysis.load import SCORES
from analysis.statistics import mean_interval, statistics, write_parquet
from paper_figures import artifact, style, traces
from paper_figures.artifact import Request
from paper_figures.prefpoe import figure_2, figure_a_2, figure_guidance, table_failures
from paper_figures.traces import Quantity

PAPER = Path(__file__).parents[3] / "paper_figures" / "prefpoe"
SCALE, HALF_CHEETAH, SEEDS = "paper", "HalfCheetah-v4", (0, 10, 42, 77, 123)
PLAN = load_plan(PAPER)
LAYOUTS = {each.LAYOUT.name: each.LAYOUT for each in (figure_2, figure_a_2, figure_guidance)}
NAMES = (*LAYOUTS, "table_failures", "table_a_1")
Rows = Mapping[tuple[str, int], Mapping[int, Mapping[str, float]]]
Write = Callable[..., Path]
PLAIN = {
    "entropy": 1.2,
    "main_entropy": 2.0,
    "preference_entropy": 8.0,
    "advantage_correlation": 0.05,
    "main_trace": 2.0,
    "preference_trace": 4.0,
    "fused_trace": 1.5,
    "trace_excess": -0.4,
    "preference_share": 0.25,
    "main_mean_norm": 0.5,
    "fused_mean_norm": 0.4,
    "main_difference": 0.1,
    "preference_difference": 0.2,
}


def write_experiment(
    folder: Path, rows: Rows, diverged: Mapping[tuple[str, int], int] | None = None
) -> Path:
    """The ablation with diagnostics `rows`: (method, seed) → step → values; every other member is missing."""
    entry, ends = PLAN.experiments["ablation"], diverged or {}
    scores = []
    for method in entry.methods:
        for seed in SEEDS:
            done = (method, seed) in rows and (method, seed) not in ends
            status = "done" if done else "diverged" if (method, seed) in ends else "missing"
            scores.append(
                {
                    "environment": HALF_CHEETAH,
                    "method": method,
                    "seed": seed,
                    "setting": "{}",
                    "steps": entry.steps[SCALE][HALF_CHEETAH],
                    "score": 100.0 + seed if done else np.nan,
                    "training_return": 90.0 + seed if done else np.nan,
                    "auc": np.nan,
                    "training_auc": np.nan,
                    "training_score": np.nan,
                    "episode_std": 1.0,
                    "episodes": 100 if done else 0,
                    "status": status,
                    "diverged_at": float(ends.get((method, seed), np.nan)),
                    "imported": False,
                }
            )
    table = pd.DataFrame(scores).astype(SCORES)
    diagnostics = [
        {"environment": HALF_CHEETAH, "method": method, "seed": seed, "setting": "{}"}
        | {"step": step, **values}
        for (method, seed), curve in rows.items()
        for step, values in curve.items()
    ]
    columns = ["environment", "method", "seed", "setting", "step"]
    files = {
        "scores": table,
        "diagnostics": pd.DataFrame(diagnostics) if diagnostics else pd.DataFrame(columns=columns),
        "statistics": statistics(table, "ppo", entry.methods, np.random.default_rng(1)),
    }
    for name, data in files.items():
        write_parquet(data, folder / "ablation" / f"{name}.parquet")
    return folder


def made_up(*methods: str) -> dict[tuple[str, int], dict[int, dict[str, float]]]:
    """Five seeds of `methods` in four bins, each a little apart from the others."""
    return {
        (method, seed): {
            step: {name: value + 0.001 * seed + 1e-7 * step for name, value in PLAIN.items()}
            for step in (10_000, 100_000, 1_900_000, 2_000_000)
        }
        for method in methods
        for seed in SEEDS
    }


def draw(name: str, experiments: Path, folder: Path) -> Path:
    module = importlib.import_module(f"paper_figures.prefpoe.{name}")
    options = ["--paper", PAPER, "--scale", SCALE, "--experiments", experiments]
    assert module.main([str(each) for each in (*options, "--output", folder / name)]) == 0
    return folder / name


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[[str, Path], Request]:
    """A function that gives the request for an artifact of PrefPoE at scale paper."""

    def make(name: str, experiments: Path) -> Request:
        options = ["--paper", PAPER, "--scale", SCALE, "--experiments", experiments]
        found: list[Request] = []
        argv = [str(each) for each in (*options, "--output", tmp_path / name)]
        assert artifact.draw(name, found.append, argv) == 0
        return found[0]

    return make


def panel_of(name: str, letter: str, request: Request) -> Axes:
    """One panel of a figure, drawn on axes of its own."""
    layout = LAYOUTS[name]
    known = traces.read(request, layout.environment, layout.methods)
    seeds = traces.per_seed(layout, known)
    said = traces.claimed(layout, request)
    parts = [part[part["panel"] == letter] for part in (seeds, traces.means(seeds), said)]
    axes = Figure().subplots()
    panel = layout.panels["abcdefgh".index(letter)]
    traces.draw_panel(axes, letter, panel, parts[0], parts[1], parts[2], known, request)
    return axes


def test_a_quantity_is_a_diagnostic_or_its_ratio_to_the_smallest_of_others() -> None:
    rows = pd.DataFrame({"a": [3.0, 3.0], "b": [6.0, 1.0], "c": [4.0, np.nan]})
    assert Quantity("a").of(rows).tolist() == [3.0, 3.0]
    assert Quantity("a", per=("b",)).of(rows).tolist() == [0.5, 3.0]
    np.testing.assert_array_equal(Quantity("a", per=("b", "c")).of(rows), [0.75, np.nan])
    assert Quantity("a", per=("missing",)).of(rows).isna().all()
    assert Quantity("a", per=("b", "c")).name == "a / min(b, c)"


def test_the_relative_difference_is_a_ratio_for_each_seed_and_then_averaged(
    tmp_path: Path,
) -> None:
    rows = {
        ("prefpoe", 0): {10_000: {**PLAIN, "main_difference": 0.3, "main_mean_norm": 1.0}},
        ("prefpoe", 10): {10_000: {**PLAIN, "main_difference": 0.1, "main_mean_norm": 0.5}},
    }
    stem = draw("figure_a_2", write_experiment(tmp_path, rows), tmp_path / "out")
    table = pd.read_parquet(stem.with_suffix(".parquet"))
    (row,) = table[(table["panel"] == "c") & table["mean"].notna()].to_dict("records")
    assert row["quantity"] == "main_difference / main_mean_norm"
    assert (row["method"], row["step"], row["n"]) == ("prefpoe", 10_000, 2)
    assert row["mean"] == pytest.approx((0.3 + 0.2) / 2)
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(np.array([0.3, 0.2])))
    seeds = pd.read_csv(stem.with_suffix(".csv"))
    assert seeds[seeds["panel"] == "c"]["value"].tolist() == pytest.approx([0.3, 0.2])


def test_the_trace_ratio_is_to_the_smaller_expert(tmp_path: Path) -> None:
    curve = {**PLAIN, "fused_trace": 3.0, "main_trace": 8.0, "preference_trace": 4.0}
    rows = {("prefpoe", 0): {10_000: {**curve, "trace_excess": 0.5}}}
    stem = draw("figure_guidance", write_experiment(tmp_path, rows), tmp_path / "out")
    table = pd.read_parquet(stem.with_suffix(".parquet")).set_index("panel")["mean"]
    assert (table["b"], table["c"]) == (0.75, 0.125)
    assert table["a"] == 0.05
    # Of the share, what is recorded, then what follows from the settings: λ (1 − α w_pref / w_cons).
    assert table["d"].tolist() == [
        0.25,
        pytest.approx(0.4 * 0.8984, abs=5e-5),
        pytest.approx(0.8984, abs=5e-5),
    ]


def test_seeds_beyond_the_bound_are_marked_and_rounding_is_not(
    tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    excesses = (-1.0, 0.0, 1e-6, 0.5, np.inf)
    curve = {
        10_000 * (index + 1): {**PLAIN, "trace_excess": excess}
        for index, excess in enumerate(excesses)
    }
    request = request_of("figure_guidance", write_experiment(tmp_path, {("prefpoe", 0): curve}))
    lines = panel_of("figure_guidance", "c", request).lines
    points = [line.get_xydata() for line in lines if line.get_marker() == "^"]
    assert np.concatenate(points).tolist() == [[0.04, 0.25]]


def test_the_main_expert_stands_beside_ppos_own_entropy(tmp_path: Path) -> None:
    experiments = write_experiment(tmp_path, made_up("ppo", "prefpoe", "prefpoe_released"))
    table = pd.read_parquet(draw("figure_2", experiments, tmp_path / "out").with_suffix(".parquet"))
    drawn = table[table["mean"].notna()].groupby("panel")[["method", "quantity"]]
    found = {panel: set(part.itertuples(index=False, name=None)) for panel, part in drawn}
    readings = ("prefpoe", "prefpoe_released")
    assert found == {
        "a": {(method, "preference_entropy") for method in readings},
        "b": {("ppo", "entropy"), *((method, "main_entropy") for method in readings)},
        "c": {(method, "entropy") for method in readings},
    }


def test_a_diverged_member_is_drawn_up_to_its_divergence_and_crossed(
    tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    rows = {
        ("prefpoe", 0): {step: dict(PLAIN) for step in (10_000, 20_000, 30_000)},
        ("prefpoe", 10): {
            10_000: {**PLAIN, "entropy": 2.0},
            20_000: {**PLAIN, "entropy": 40.0},
            30_000: {**PLAIN, "entropy": np.inf},
        },
    }
    experiments = write_experiment(tmp_path, rows, diverged={("prefpoe", 10): 20_000})
    request = request_of("figure_2", experiments)
    known = traces.read(request, HALF_CHEETAH, ["prefpoe"])
    kept = known.traces[known.traces["seed"] == 10]["step"]
    assert kept.tolist() == [10_000]
    crosses = [
        line for line in panel_of("figure_2", "c", request).lines if line.get_marker() == "x"
    ]
    assert [(x.get_xdata()[0], x.get_ydata()[0]) for x in crosses] == [(0.01, 2.0)]


def test_values_that_are_not_finite_are_not_averaged(tmp_path: Path) -> None:
    rows = {
        ("prefpoe", seed): {10_000: {**PLAIN, "preference_entropy": value}}
        for seed, value in ((0, 1.0), (10, 3.0), (42, np.inf))
    }
    stem = draw("figure_2", write_experiment(tmp_path, rows), tmp_path / "out")
    table = pd.read_parquet(stem.with_suffix(".parquet"))
    (row,) = table[(table["panel"] == "a") & table["mean"].notna()].to_dict("records")
    assert (row["n"], row["mean"]) == (2, 2.0)
    seeds = pd.read_csv(stem.with_suffix(".csv"))
    assert len(seeds[seeds["panel"] == "a"]) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "figure_2",
            [
                ("a", "prefpoe", "~2.5", 2.5),
                ("a", "prefpoe", "~1.8", 1.8),
                ("a", "prefpoe", "~10", 10.0),
                ("b", "ppo", "~1.0", 1.0),
                ("b", "ppo", "1.5", 1.5),
                ("c", "prefpoe", "~1.0", 1.0),
            ],
        ),
        (
            "figure_a_2",
            [
                ("a", "prefpoe", "0.1", 0.1),
                ("a", "prefpoe", "~0.85", 0.85),
                ("b", "prefpoe", "~0.8", 0.8),
                ("c", "prefpoe", "~0.05", 0.05),
                ("c", "prefpoe", "~0.25", 0.25),
                ("c", "prefpoe", "4.2%", 0.042),
                ("d", "prefpoe", "~4.2%", 0.042),
            ],
        ),
        ("figure_guidance", []),
    ],
)
@pytest.mark.parametrize("trained", [(), ("ppo", "prefpoe", "prefpoe_released")])
def test_the_papers_numbers_are_among_the_values(
    name: str, said: list[tuple[str, str, str, float]], trained: tuple[str, ...], tmp_path: Path
) -> None:
    experiments = write_experiment(tmp_path, made_up(*trained))
    table = pd.read_parquet(draw(name, experiments, tmp_path / "out").with_suffix(".parquet"))
    claims = table[table["claim"].notna()]
    found = claims[["panel", "method", "paper", "number"]].itertuples(index=False, name=None)
    assert list(found) == said
    peak = claims[claims["word"] == "peak"]["step"].tolist()
    assert peak == ([800_000.0] if name == "figure_a_2" else [])


def test_claims_are_dashed_lines_and_arrows_where_they_are_far_off() -> None:
    columns = ["panel", "method", "claim", "word", "paper", "number", "step"]
    rows = [
        ("a", "prefpoe", "near", "first", "~1.5", 1.5, np.nan),
        ("a", "prefpoe", "when", "peak", "2", 2.0, 0.5e6),
        ("a", "prefpoe", "far", "late", "900", 900.0, np.nan),
    ]
    axes = Figure().subplots()
    axes.set_xlim(0, 2.0)
    styles = style.line_styles(["prefpoe"])
    said = pd.DataFrame(rows, columns=columns)
    traces.draw_claims(axes, np.array([0.0, 1.0]), said, styles, 1e6)
    flat = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert sorted(line.get_ydata()[0] for line in flat) == [1.5, 2.0]
    (diamond,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert (diamond.get_xdata()[0], diamond.get_ydata()[0]) == (0.5, 2.0)
    assert [text.get_text() for text in axes.texts] == ["↑900 late", "2 peak", "~1.5 first"]
    heights = [text.xyann[1] for text in axes.texts]
    assert all(a - b >= 0.1 - 1e-9 for a, b in itertools.pairwise(heights))
    assert axes.get_ylim()[1] < 3


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_arm_without_records_is_named_as_such(
    name: str, tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    request = request_of(name, write_experiment(tmp_path, made_up("prefpoe_released")))
    layout = LAYOUTS[name]
    known = traces.read(request, layout.environment, layout.methods)
    note = traces.legend_note(layout, known, request)
    drawing = Figure()
    traces.legend(drawing, note, layout, known)
    (legend,) = drawing.legends
    labels = {text.get_text().replace("\n", " ") for text in legend.get_texts()}
    assert {"PrefPoE (equations)‡", "PrefPoE (released artefact)"} <= labels
    assert "‡: no records yet" in " ".join(legend.get_title().get_text().split())
    axes = panel_of(name, "a", request)
    assert axes.get_title("right") == "paper, n = 0–5"
    assert "no records yet" not in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_records_every_panel_says_so(
    name: str, tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    request = request_of(name, write_experiment(tmp_path, {}))
    for letter, _ in zip("abcdefgh", LAYOUTS[name].panels, strict=False):
        axes = panel_of(name, letter, request)
        assert "no records yet" in [text.get_text() for text in axes.texts]
        assert axes.get_title("right") == "paper, n = 0"


def test_members_that_are_not_there_are_marked(
    tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    rows = made_up("ppo", "prefpoe", "prefpoe_released")
    del rows["prefpoe", 77]
    request = request_of("figure_2", write_experiment(tmp_path, rows))
    known = traces.read(request, HALF_CHEETAH, LAYOUTS["figure_2"].methods)
    marks = traces.arm_marks(LAYOUTS["figure_2"], known)
    assert marks == {"ppo": "", "prefpoe": "†", "prefpoe_released": ""}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trained", [(), ("prefpoe",), ("ppo", "prefpoe", "prefpoe_released")])
def test_every_artifact_is_drawn_from_any_state_with_the_same_bytes(
    name: str, trained: tuple[str, ...], tmp_path: Path
) -> None:
    experiments = write_experiment(tmp_path, made_up(*trained))
    first, second = (draw(name, experiments, tmp_path / part) for part in ("one", "two"))
    figure = name.startswith("figure")
    endings = (".parquet", ".csv", *((".pdf", ".png") if figure else (".md", ".tex")))
    for ending in endings:
        one, other = first.with_suffix(ending), second.with_suffix(ending)
        assert one.read_bytes() == other.read_bytes()
    assert len(list(first.parent.iterdir())) == 4
    if figure:
        assert imread(first.with_suffix(".png")).shape[1] == round(3.25 * 300)


def test_an_artifact_without_experiments_has_no_chief_one(
    tmp_path: Path, request_of: Callable[[str, Path], Request]
) -> None:
    request = request_of("table_a_1", tmp_path / "nothing")
    with pytest.raises(SpecificationError, match=r"artifacts\.table_a_1\.experiments: names none"):
        _ = request.experiment
    assert table_failures.NAME in request.paper.artifacts
