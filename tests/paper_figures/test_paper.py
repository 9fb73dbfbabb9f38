"""PrefPoE's folder: its files agree with one another and with the printed paper."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from algorithms.settings import METHODS, PrefPoE
from analysis.claims import load_claims
from analysis.paper import load_paper

PAPER = Path(__file__).parents[2] / "paper_figures" / "prefpoe"


def test_every_artifact_has_a_module_with_a_command_line() -> None:
    paper, _ = load_paper(PAPER)
    assert list(paper.artifacts) == [
        *("table_1", "table_2", "table_a_2", "table_a_4", "figure_3", "figure_4", "figure_5")
    ]
    for name in paper.artifacts:
        assert callable(importlib.import_module(f"paper_figures.prefpoe.{name}").main)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("table_1.half_cheetah.ppo.mean", "1276"),
        ("table_1.half_cheetah.ppo.std", "67"),
        ("table_1.lunar_lander_continuous.linear_fusion.std", "16"),
        ("table_1.ant.prefpoe.improvement", "+69"),
        ("table_2.half_cheetah.ppo.std", "60"),
        ("table_2.half_cheetah.preference_network.cv", "19.0"),
        ("table_2.half_cheetah.poe_no_advantage.improvement", "+236.7"),
        ("table_a_2.ant.prefpoe.cv", "13.4"),
        ("table_a_4.frozen_lake.ppo.std", "0.49"),
        ("table_a_4.lunar_lander.prefpoe.improvement", "+276.0"),
        ("section_5_3.half_cheetah.prefpoe.early_return", "2535"),
        ("section_5_3.half_cheetah.prefpoe.final_return", "5365"),
        ("section_5_3.half_cheetah.ppo.early_return", "644"),
        ("section_5_3.half_cheetah.ppo.final_return", "1261"),
    ],
)
def test_claims_keep_the_printed_digits(claim: str, value: str) -> None:
    claims = {entry.id: entry for entry in load_claims(PAPER)}
    assert claims[claim].value == value


def test_claims_cover_every_numeric_cell_of_the_four_tables() -> None:
    places = [claim.place for claim in load_claims(PAPER)]
    counts = {place: places.count(place) for place in dict.fromkeys(places)}
    tables = {"Table 1": 27, "Table 2": 19, "Table A.2": 9, "Table A.4": 15}
    assert counts == {**tables, "Section 5.3": 4}


def test_assumptions_state_the_settings_that_are_trained() -> None:
    paper, _ = load_paper(PAPER)
    text = {entry.topic: entry.choice for entry in paper.assumptions}["Hyperparameters of PrefPoE"]
    settings = METHODS["prefpoe"].settings
    assert isinstance(settings, PrefPoE)
    for value in (
        f"β₁ = {settings.beta_1}",
        f"α = {settings.alpha}",
        f"λ_pref = {settings.fusion_weight}",
        f"consistency-coef = {settings.consistency_coefficient}",
        f"preference-loss-coef = {settings.preference_coefficient}",
    ):
        assert value in " ".join(text.split())


def test_contributing_lists_the_cells_of_quick() -> None:
    text = Path("CONTRIBUTING.md").read_text(encoding="utf-8")
    _, plan = load_paper(PAPER)
    cells = {shard.cell.environment: {} for shard in plan.all_shards("quick").values()}
    for shard in plan.all_shards("quick").values():
        cells[shard.cell.environment][shard.cell.method] = shard.cell.steps
    assert f"{sum(map(len, cells.values()))} cells, five members each" in text
    for environment, methods in cells.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {environment} |")]
        _, _, steps, names, count, *_ = (entry.strip() for entry in row.split("|"))
        assert {int(steps.replace(",", ""))} == set(methods.values())
        assert set(names.split(", ")) == set(methods)
        assert int(count) == len(methods)
