"""Claims keep the paper's digits, and a wrong one is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from algorithms.specification import SpecificationError
from analysis.claims import decimals, load_claims, reported

CLAIM = {
    "id": "table-1.target.prefpoe.mean",
    "place": "Table 1",
    "quote": "-1.50 ± 0.2",
    "kind": "cell",
    "experiment": "first",
    "environment": "ProbeTarget-v0",
    "method": "prefpoe",
    "quantity": "mean",
    "value": "-1.50",
    "n": 5,
}


def write(paper: Path, *claims: dict[str, object]) -> Path:
    text = yaml.safe_dump({"claims": list(claims)}, allow_unicode=True)
    (paper / "claims.yaml").write_text(text, encoding="utf-8")
    return paper


def test_reported_keeps_the_digits_of_one_place(paper: Path) -> None:
    spread = {**CLAIM, "id": "spread", "quantity": "std", "value": "0.2"}
    elsewhere = {**CLAIM, "id": "elsewhere", "place": "Table 2"}
    claims = load_claims(write(paper, CLAIM, spread, elsewhere))
    assert (claims[0].n, claims[0].unit) == (5, None)
    assert reported(claims, "Table 1").to_dict("records") == [
        {
            "environment": "ProbeTarget-v0",
            "method": "prefpoe",
            "quantity": quantity,
            "value": value,
            "number": number,
            "decimals": digits,
        }
        for quantity, value, number, digits in (("mean", "-1.50", -1.5, 2), ("std", "0.2", 0.2, 1))
    ]
    assert reported(claims, "Table 9").empty


@pytest.mark.parametrize(
    ("value", "digits"), [("1276", 0), ("10.8", 1), ("10.80", 2), ("-12", 0), ("+14.0", 1)]
)
def test_decimals_count_trailing_zeros(value: str, digits: int) -> None:
    assert decimals(value) == digits


@pytest.mark.parametrize(
    ("value", "quote"),
    [("1276", "1,276 ± 67"), ("-12", "(−12% overall)"), ("321", "+321%"), ("5375", r"5375\pm581")],
)
def test_a_value_may_be_set_in_type(paper: Path, value: str, quote: str) -> None:
    (claim,) = load_claims(write(paper, {**CLAIM, "value": value, "quote": quote}))
    assert claim.value == value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 1.5}, "claims.0.value: Input should be a valid string (got 1.5)"),
        ({"value": "1.5e3"}, "claims.0.value: must be a quoted decimal number"),
        ({"value": "about 7"}, "claims.0.value: must be a quoted decimal number"),
        ({"value": "-1.5"}, "value '-1.5' does not stand in quote '-1.50 ± 0.2'"),
        ({"quantity": "median"}, "claims.0.quantity: "),
        ({"kind": "theorem"}, "claims.0.kind: "),
        ({"n": 0}, "claims.0.n: "),
        ({"place": ""}, "claims.0.place: "),
        ({"id": "Table 1"}, "claims.0.id: "),
        ({"environment": "Ant-v9"}, "claims.0.environment: unknown environment; allowed: Half"),
        ({"method": "sac"}, "claims.0.method: unknown method; allowed: ppo, "),
        ({"extra": 1}, "claims.0: unknown key 'extra'; allowed: "),
        ({"experiment": "third"}, "prefpoe.mean: experiment: 'third' is not in experiments.yaml"),
        (
            {"method": "ppo_matched"},
            "method: 'ppo_matched' is not in experiments.yaml; allowed: ppo",
        ),
        (
            {"environment": "Ant-v4"},
            "environment: 'Ant-v4' is not in experiments.yaml; allowed: Pro",
        ),
    ],
)
def test_a_wrong_claim_is_named(paper: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        load_claims(write(paper, {**CLAIM, **change}))
    assert str(caught.value).startswith(f"{paper / 'claims.yaml'}: ")
    assert words in str(caught.value)


def test_ids_differ(paper: Path) -> None:
    with pytest.raises(
        SpecificationError, match=r"id 'table-1\.target\.prefpoe\.mean' stands twice"
    ):
        load_claims(write(paper, CLAIM, CLAIM))


@pytest.mark.parametrize("folder", sorted(Path("paper_figures").glob("*/claims.yaml")))
def test_the_claims_that_ship_are_valid(folder: Path) -> None:
    assert load_claims(folder.parent)
