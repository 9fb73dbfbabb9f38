"""Table A.1: the paper's ranges as it prints them, our values as they are trained, and a source for each."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from algorithms.settings import METHODS, PrefPoE
from algorithms.specification import SpecificationError
from analysis.audit.specification import read_specification
from analysis.paper import load_paper
from analysis.report import read_markdown
from analysis.workflow import PaperFolder
from paper_figures.prefpoe import table_a_1
from tests.paper_figures.prefpoe.test_traces import PAPER, draw

RANGES = {
    "beta_1": ("0.1 - 0.4", 0.2),
    "alpha": ("0.1 - 0.4", 0.2),
    "fusion_weight": ("0.2 - 0.8", 0.4),
    "consistency_coefficient": ("0.02 - 0.2", 0.063),
    "preference_coefficient": ("0.005 - 0.2", 0.032),
}


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    stem = draw("table_a_1", tmp_path / "no experiments", tmp_path)
    return pd.read_parquet(stem.with_suffix(".parquet"))


def test_ranges_are_the_papers_and_values_are_those_trained(table: pd.DataFrame) -> None:
    rows = table[table["block"] == "ranges"].set_index(["setting", "method"])
    assert len(rows) == 10
    for setting, (printed, midpoint) in RANGES.items():
        for method in table_a_1.ARMS:
            row = rows.loc[(setting, method)]
            assert row["paper"] == printed
            assert float(row["value"]) == getattr(METHODS[method].settings, setting)
            assert row["midpoint"] == pytest.approx(math.sqrt(row["low"] * row["high"]))
        assert float(rows.loc[(setting, "prefpoe")]["value"]) == midpoint
        assert rows.loc[(setting, "prefpoe")]["inside"]
    released = rows.loc[("fusion_weight", "prefpoe_released")]
    assert (released["value"], released["inside"]) == ("1", False)
    assert "no weight" in released["source"]


def test_a_value_without_a_source_is_refused() -> None:
    printed = table_a_1.printed_range("β_1 (advantage guidance) 0.1 - 0.4 Strength")
    with pytest.raises(SpecificationError, match=r"poe_no_advantage: beta_1 = 0\.0 has no source"):
        table_a_1.ranged("poe_no_advantage", "beta_1", printed)
    with pytest.raises(SpecificationError, match="has no range"):
        table_a_1.printed_range("β_1 (advantage guidance) 0.1")


def test_every_setting_stands_once_and_has_a_source(table: pd.DataFrame) -> None:
    settings = table[table["method"] == "prefpoe"]["setting"].tolist()
    assert sorted(settings) == sorted({*PrefPoE.model_fields, "batch_size"})
    assert table["source"].str.len().gt(0).all()


def test_what_the_paper_states_is_quoted_from_its_appendix_and_used() -> None:
    quotes = " ".join(
        str(entry.quote) for entry in read_specification(PAPER) if entry.place == "Appendix A.2"
    )
    for words in table_a_1.STATED.values():
        assert words in quotes
    stated = {
        "learning_rate": 3e-4,
        "batch_size": 2048,
        "epochs": 10,
        "gae_lambda": 0.95,
        "gamma": 0.99,
        "max_grad_norm": 0.5,
        "clip": 0.2,
        "value_coefficient": 0.5,
        "entropy_coefficient": 0.0,
    }
    for method in table_a_1.ARMS:
        used = {name: table_a_1.setting_of(method, name) for name in stated}
        assert used == stated


def test_the_page_marks_what_is_outside_of_the_range(tmp_path: Path) -> None:
    stem = draw("table_a_1", tmp_path / "no experiments", tmp_path)
    first, base, others = read_markdown(stem.with_suffix(".md").read_text(encoding="utf-8"))
    values = [row[-3:] for row in first.rows]
    assert values == [
        ("0.1 - 0.4", "0.2", "0.2"),
        ("0.1 - 0.4", "0.2", "0.2"),
        ("0.2 - 0.8", "0.4", "1*"),
        ("0.02 - 0.2", "0.063", "0.063"),
        ("0.005 - 0.2", "0.032", "0.032"),
    ]
    assert ("gae lambda", "GAE λ = 0.95", "0.95", "0.95") in base.rows
    assert ("backbone", "Algorithm A.1; released artefact", "separate", "shared") in others.rows


@pytest.mark.parametrize("scale", ["smoke", "quick", "paper"])
def test_every_scale_draws_it(scale: str) -> None:
    paper, plan = load_paper(PAPER)
    assert "table_a_1" in PaperFolder(PAPER, paper, plan).artifacts(scale)
    assert paper.artifacts["table_a_1"].experiments == ()
