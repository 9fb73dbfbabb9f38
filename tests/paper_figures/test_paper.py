"""PrefPoE's folder: its files agree with one another and with the printed paper."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from algorithms.settings import METHODS, PrefPoE
from analysis.claims import load_claims, reported
from analysis.paper import load_paper
from paper_figures.prefpoe import released
from paper_figures.prefpoe.witnesses import WITNESSES

PAPER = Path(__file__).parents[2] / "paper_figures" / "prefpoe"


def test_every_artifact_has_a_module_with_a_command_line() -> None:
    paper, _ = load_paper(PAPER)
    printed = {"table_1", "table_2", "table_a_2", "table_a_4", "figure_3", "figure_4", "figure_5"}
    assert printed <= set(paper.artifacts)
    modules = [path.stem for kind in ("table", "figure") for path in PAPER.glob(f"{kind}_*.py")]
    assert sorted(modules) == sorted(paper.artifacts)
    for name in paper.artifacts:
        assert callable(importlib.import_module(f"paper_figures.prefpoe.{name}").main)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("table_1.half_cheetah.ppo", "1276±67"),
        ("table_1.lunar_lander_continuous.linear_fusion", "95±16"),
        ("table_1.ant.prefpoe.improvement", "+69%"),
        ("table_2.half_cheetah.ppo", "1276±60"),
        ("table_2.half_cheetah.preference_network.cv", "19.0%"),
        ("table_2.half_cheetah.poe_no_advantage.improvement", "+236.7%"),
        ("table_a_2.ant.prefpoe.cv", "13.4"),
        ("table_a_3.multi_seed", "5576.0±408.18"),
        ("table_a_3.action.maximum", "+1.0"),
        ("table_a_4.frozen_lake.ppo", "0.60±0.49"),
        ("table_a_4.lunar_lander.prefpoe.improvement", "+276.0%"),
        ("section_5_3.half_cheetah.prefpoe.early", "2535"),
        ("section_5_3.half_cheetah.prefpoe.final", "5365"),
        ("section_5_3.half_cheetah.ppo.early", "644"),
        ("section_5_3.half_cheetah.ppo.final", "1261"),
        ("section_5_1.average.linear_fusion", "-12%"),
        ("appendix_c_4.interval", "[5284, 5868]"),
    ],
)
def test_claims_keep_the_printed_digits(claim: str, value: str) -> None:
    claims = {entry.id: entry for entry in load_claims(PAPER)}
    assert claims[claim].value == value


def test_claims_cover_every_numeric_cell_of_the_four_tables() -> None:
    claims = load_claims(PAPER)
    places = ["Table 1", "Table 2", "Table A.2", "Table A.4", "Section 5.3"]
    assert [len(reported(claims, place)) for place in places] == [27, 19, 9, 15, 4]
    assert sum(claim.place == "Table A.3" for claim in claims) == 4 * 3 + 2


def test_what_is_claimed_stands_in_its_quote() -> None:
    """Digits of a value, spread and ends included, are printed in the words that are quoted."""
    missing = [
        (claim.id, number)
        for claim in load_claims(PAPER)
        for number in re.findall(r"\d+(?:\.\d+)?", claim.value or "")
        if not re.search(rf"(?<![\d.]){re.escape(number)}(?!\d|\.\d)", claim.quote)
    ]
    assert missing == []


def test_witnesses_are_computed_and_used() -> None:
    named = {claim.witness for claim in load_claims(PAPER) if claim.witness is not None}
    assert named == {*WITNESSES, *released.NAMES}


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
