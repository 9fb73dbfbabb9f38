"""Tables: the paper's strings verbatim in the paper's places, ours from statistics.parquet."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from algorithms.cell import load_plan
from analysis.report import Table, read_markdown

Draw = Callable[..., Path]
Read = Callable[[Path, str], pd.DataFrame]
EXPERIMENTS = {
    "table_1": "continuous",
    "table_2": "ablation",
    "table_a_2": "continuous",
    "table_a_4": "discrete",
}


def first_table(stem: Path) -> Table:
    return read_markdown(stem.with_suffix(".md").read_text(encoding="utf-8"))[0]


def cells(stem: Path, head: str) -> list[list[str]]:
    """Every row's cells under `head`, row label and arm first."""
    table = first_table(stem)
    chosen = [0, 1, *(i for i, h in enumerate(table.heads) if h.text == head)]
    return [[row[i] for i in chosen] for row in table.rows]


def test_table_1_has_the_papers_rows_columns_and_digits(draw: Draw, complete: Path) -> None:
    stem = draw("table_1", complete)
    groups = [title for title, _ in first_table(stem).groups]
    assert groups == ["", "HalfCheetah-v4", "LunarLanderContinuous-v2", "Ant-v4"]
    assert cells(stem, "paper") == [
        ["PPO Baseline", "PPO", "1276 ± 67", "148 ± 70", "2668 ± 1367"],
        *[
            [
                "PPO + Adaptive Clipping",
                "PPO + adaptive clipping",
                "1454 ± 771",
                "122 ± 108",
                "3201 ± 574",
            ]
        ],
        ["PPO + Linear Fusion", "PPO + linear fusion", "1671 ± 878", "95 ± 16", "785 ± 461"],
        ["PrefPoE (Ours)", "PrefPoE (equations)", "5375 ± 581", "217 ± 59", "4499 ± 602"],
        ["PrefPoE (Ours)", "PrefPoE (released artefact)", "5375 ± 581", "217 ± 59", "4499 ± 602"],
        ["Average Improvement", "PrefPoE (equations)", "+321%", "+47%", "+69%"],
        ["Average Improvement", "PrefPoE (released artefact)", "+321%", "+47%", "+69%"],
        ["(added)", "PPO, artefact's architecture", "—", "—", "—"],
    ]


def test_table_2_has_the_papers_rows_columns_and_digits(draw: Draw, complete: Path) -> None:
    stem = draw("table_2", complete)
    assert [row[2:] for row in cells(stem, "paper")] == [
        ["1276 ± 60", "—", "4.7%"],
        ["3282 ± 623", "+157.3%", "19.0%"],
        ["1671 ± 791", "+30.9%", "47.3%"],
        ["4296 ± 308", "+236.7%", "7.2%"],
        ["5375 ± 581", "+321.3%", "10.8%"],
        ["5375 ± 581", "+321.3%", "10.8%"],
        *[["—", "—", "—"]] * 4,
    ]


def test_table_a_2_has_the_papers_rows_columns_and_digits(draw: Draw, complete: Path) -> None:
    stem = draw("table_a_2", complete)
    rows = [["5375", "581", "10.8%"], ["4499", "602", "13.4%"], ["217", "59", "27.2%"]]
    assert [row[2:] for row in cells(stem, "paper")] == [row for row in rows for _ in range(2)]
    assert [row[2] for row in cells(stem, "Action Dim")] == ["6", "6", "8", "8", "2", "2"]


def test_table_a_4_has_the_papers_rows_columns_and_digits(draw: Draw, complete: Path) -> None:
    stem = draw("table_a_4", complete)
    assert [row[2:] for row in cells(stem, "paper")][:3] == [
        ["244 ± 41", "35 ± 45", "0.60 ± 0.49"],
        ["411 ± 71", "132 ± 45", "0.78 ± 0.39"],
        ["+68.6%", "+276.0%", "+30.0%"],
    ]


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("state", ["complete", "damaged"])
def test_values_are_those_of_the_statistics(
    name: str,
    state: str,
    draw: Draw,
    statistics_of: Read,
    request: pytest.FixtureRequest,
) -> None:
    experiments = request.getfixturevalue(state)
    table = pd.read_parquet(draw(name, experiments).with_suffix(".parquet"))
    source = statistics_of(experiments, EXPERIMENTS[name])
    shown = table.set_index(["environment", "method"])
    assert shown.index.is_unique
    expected = source.loc[shown.index]
    pd.testing.assert_frame_equal(shown[expected.columns], expected, check_dtype=False)
    printed = pd.to_numeric(shown["paper_mean"])
    pd.testing.assert_series_equal(shown["difference"], shown["mean"] - printed, check_names=False)


def test_our_cells_are_rounded_from_the_statistics(
    draw: Draw, complete: Path, statistics_of: Read
) -> None:
    stem = draw("table_2", complete)
    arm = statistics_of(complete, "ablation").loc[("HalfCheetah-v4", "preference_network")]
    assert arm["std"] > 10
    _, _, returns, improvement, cv = cells(stem, "ours")[1]
    assert returns == f"{arm['mean']:.0f} ± {arm['std']:.0f}"
    ends = ", ".join(f"{arm[f'improvement_{end}']:+.0f}" for end in ("low", "high"))
    assert improvement == f"{arm['improvement']:+.0f}% [{ends}]".replace("-", "−")
    assert cv == f"{arm['cv']:.1f}%"
    assert cells(stem, "difference")[1][2] == f"{arm['mean'] - 3282:+.0f}".replace("-", "−")


def test_lost_members_are_shown_and_imported_arms_come_last(draw: Draw, damaged: Path) -> None:
    stem = draw("table_1", damaged)
    ours = {(row[0], row[1]): row[2] for row in cells(stem, "ours")}
    assert ours["PPO + Linear Fusion", "PPO + linear fusion"] == "no data†"
    assert ours["PrefPoE (Ours)", "PrefPoE (equations)"].endswith("(n = 2)†")
    alone = ours["(added)", "PPO, artefact's architecture"]
    assert alone.endswith("(n = 1)†")
    assert "±" not in alone
    table = first_table(stem)
    assert table.rows[-1][:2] == ("(imported)", "reference_ppo (imported)")
    notes = " ".join(table.notes)
    assert "PrefPoE (equations): n = 2 of 5 (2 diverged, 1 failed) on HalfCheetah-v4" in notes
    assert "PPO + linear fusion: n = 0 of 5 (5 missing)" in notes


def test_imports_of_another_length_are_named(draw: Draw, damaged: Path) -> None:
    notes = " ".join(first_table(draw("table_1", damaged)).notes)
    plan = load_plan(Path("paper_figures/prefpoe"))
    ours = plan.experiments["continuous"].steps["quick"]
    lengths = "; ".join(
        f"reference_ppo on {environment}: 40,960 steps, ours {steps:,}"
        for environment, steps in ours.items()
    )
    assert f"Runs of another length: {lengths}." in notes
    assert "compared with PPO's training return, without pairing" in notes


def test_contrasts_stand_where_both_arms_do(draw: Draw, damaged: Path, empty: Path) -> None:
    block = read_markdown(draw("table_1", damaged).with_suffix(".md").read_text("utf-8"))[2]
    assert block.rows[0][1] == "PrefPoE (released artefact) − PPO, artefact's architecture†"
    assert block.rows[0][2] == "5, 1"
    assert "Contrasts" not in draw("table_a_2", damaged).with_suffix(".md").read_text("utf-8")
    assert "Contrasts" in draw("table_2", empty).with_suffix(".md").read_text("utf-8")


def test_table_a_2_marks_means_of_fewer_members(draw: Draw, damaged: Path) -> None:
    stem = draw("table_a_2", damaged)
    assert cells(stem, "ours")[0][2].endswith("(n = 2)†")
    assert first_table(stem).rows[-1][0] == "LunarLanderContinuous-v2 (imported)"


def test_captions_say_scale_and_limits(draw: Draw, complete: Path) -> None:
    stem = draw("table_1", complete)
    for suffix in (".md", ".tex"):
        text = stem.with_suffix(suffix).read_text(encoding="utf-8")
        assert "Scale quick (minutes on two cores; a first look, not a replication)" in text
        assert "bootstrap CIs undercover at n = 5" in text
        assert "smallest attainable Wilcoxon p at n = 5: 0.0625" in text
        assert "two readings of the same row of the paper" in text


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_nothing_trained_yet_is_a_table_without_data(name: str, draw: Draw, empty: Path) -> None:
    stem = draw(name, empty)
    table = pd.read_parquet(stem.with_suffix(".parquet"))
    assert (table["n"] == 0).all()
    assert table["mean"].isna().all()
    assert "nan" not in stem.with_suffix(".md").read_text(encoding="utf-8").lower()


def test_csv_holds_full_values(draw: Draw, complete: Path) -> None:
    stem = draw("table_a_4", complete)
    values, flat = (
        pd.read_parquet(stem.with_suffix(".parquet")),
        pd.read_csv(stem.with_suffix(".csv")),
    )
    assert list(flat) == list(values)
    assert math.isclose(flat["mean"][0], values["mean"][0], rel_tol=1e-15)
    text = stem.with_suffix(".csv").read_text(encoding="utf-8")
    assert ",0.60," in text


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_latex_is_balanced_and_plain(name: str, draw: Draw, damaged: Path) -> None:
    text = draw(name, damaged).with_suffix(".tex").read_text(encoding="utf-8")
    assert text.isascii(), {c for c in text if not c.isascii()}
    for environment in ("table*", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") > 0
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for part in text.split(r"\begin{tabular}")[1:]:
        alignment, rows = part.removeprefix("{").split("}", 1)
        lines = [line for line in rows.splitlines() if line.endswith(r" \\")]
        counts = {line.replace(r"\&", "").count("&") + 1 for line in lines if "multi" not in line}
        assert counts == {len(alignment)}


def test_a_scale_that_leaves_the_experiment_out_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from paper_figures.prefpoe import table_1

    paper = Path(__file__).parents[2] / "paper_figures" / "prefpoe"
    options = [
        "--paper",
        str(paper),
        "--experiments",
        str(tmp_path),
        "--output",
        str(tmp_path / "t"),
    ]
    assert table_1.main([*options, "--scale", "huge"]) == 2
    assert "scale 'huge' is not defined; allowed: smoke, quick" in capsys.readouterr().err
    assert table_1.main([*options, "--scale", "quick"]) == 2
    assert "statistics.parquet: cannot be read" in capsys.readouterr().err


def test_contrasts_stand_below_with_their_difference_and_interval(
    draw: Draw, complete: Path
) -> None:
    text = draw("table_2", complete).with_suffix(".md").read_text(encoding="utf-8")
    block = text.split("**Contrasts between arms**")[1]
    rows = [line for line in block.splitlines() if line.startswith("| HalfCheetah-v4")]
    assert [row.split("|")[2].strip() for row in rows] == [
        "PrefPoE (released artefact) − PPO, artefact's architecture",
        "PrefPoE (equations) − PPO, equations' architecture",
        "PrefPoE (equations) − PoE without advantage (β₁ = 0)",
    ]
    pairs = pd.read_parquet(complete / "ablation" / "contrasts.parquet")
    shown = [row.split("|")[4].split("[")[0].strip().replace("−", "-") for row in rows]
    assert [float(number) for number in shown] == pytest.approx(
        pairs["mean_difference"].tolist(), rel=0.02
    )
    assert "Contrasts" not in draw("table_a_4", complete).with_suffix(".md").read_text("utf-8")
