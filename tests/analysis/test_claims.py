"""Claims keep the paper's digits, name what they follow from, and wrong ones are refused all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algorithms.specification import SpecificationError
from analysis.audit.replicated import NOTHING
from analysis.audit.verdicts import audit
from analysis.claims import KINDS, Claim, Claims, load_claims, read_claims, reported

CLAIM: dict[str, Any] = {
    "id": "table-1.target.prefpoe",
    "place": "Table 1",
    "quote": "-1.50 ± 0.2",
    "kind": "mean",
    "experiment": "first",
    "environment": "ProbeTarget-v0",
    "method": "prefpoe",
    "value": "-1.50±0.2",
    "n": 5,
}
OLD = {**CLAIM, "id": "old", "method": "ppo", "value": "-2,000"}
GAIN = {
    "id": "gain",
    "place": "Table 1",
    "quote": "+99.9%",
    "kind": "improvement",
    "value": "+99.9%",
    "of": {"new": CLAIM["id"], "old": "old"},
}

ABSENT: Any = object()
GONE = dict.fromkeys(("environment", "method", "value", "n"), ABSENT)
"""Fields of CLAIM that a change takes away."""
ORDER = GONE | {
    "kind": "ordering", "relation": "above", "experiment": "first", "first_method": "ppo", "second_method": "prefpoe",
    "environments": ["ProbeTarget-v0"],
}  # fmt: skip


def write(folder: Path, *claims: dict[str, Any]) -> Path:
    text = yaml.safe_dump({"claims": list(claims)}, allow_unicode=True, sort_keys=False)
    (folder / "claims.yaml").write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path, *claims: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        load_claims(write(folder, *claims))
    return str(caught.value).splitlines()


def test_reported_splits_the_spread_and_inherits_the_cell(paper: Path) -> None:
    early = {**CLAIM, "id": "early", "phase": "early", "value": "644"}
    elsewhere = {**CLAIM, "id": "elsewhere", "place": "Table 2"}
    cv = {"id": "cv", "place": "Table 1", "quote": "13%", "kind": "cv", "value": "13.0%"}
    claims = load_claims(
        write(paper, CLAIM, OLD, GAIN, early, elsewhere, {**cv, "of": {"arm": CLAIM["id"]}})
    )
    rows = reported(claims, "Table 1")
    assert set(rows["environment"]) == {"ProbeTarget-v0"}
    told = rows[["method", "quantity", "value", "number", "decimals"]].itertuples(index=False)
    assert [tuple(row) for row in told] == [
        ("prefpoe", "mean", "-1.50", -1.5, 2),
        ("prefpoe", "std", "0.2", 0.2, 1),
        ("ppo", "mean", "-2000", -2000.0, 0),
        ("prefpoe", "improvement", "+99.9", 99.9, 1),
        ("prefpoe", "early_return", "644", 644.0, 0),
        ("prefpoe", "cv", "13.0", 13.0, 1),
    ]
    assert reported(claims, "Table 9").empty


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": 1.5}, "value: Input should be a valid string (got 1.5)"),
        ({"value": "about 7"}, 'value: must be a number as printed, such as "1276"'),
        ({"value": None}, "kind mean needs a value"),
        ({"value": "[1, 2]"}, "value: kind mean takes no interval (got '[1, 2]')"),
        ({"kind": "theorem"}, "kind: Input should be 'mean', 'number'"),
        ({"kind": "theory"}, "kind theory needs witness"),
        ({"kind": "cv"}, "kind cv takes in of: arm (one) (got none)"),
        ({"test": "welch"}, "test means nothing for kind mean; allowed: ddof, "),
        ({"n": 0}, "n: Input should be greater than or equal to 1 (got 0)"),
        ({"n": "five"}, "n: Input should be a valid integer"),
        ({"place": ""}, "place: String should have at least 1 character"),
        ({"id": "Table 1"}, "id: String should match pattern"),
        ({"same_as": "nobody"}, "refers to 'nobody', which is not there"),
        ({"extra": 1}, "unknown key 'extra'; allowed: "),
        ({"experiment": "third"}, "experiment: 'third' is not in experiments.yaml; allowed: first"),
        ({"method": "ppo_matched"}, "method: 'ppo_matched' is not in experiments.yaml; allowed: "),
        ({"environment": "Ant-v4"}, "environment: 'Ant-v4' is not in experiments.yaml; allowed: "),
        (
            ORDER | {"kind": "robustness", "over": "clip", "relation": "similar"},
            "kind robustness takes relation: above, below (got 'similar')",
        ),
        (
            ORDER | {"first_setting": {"clip": 0.1}},
            "setting: 'clip' is not in experiments.yaml; allowed: none",
        ),
        (
            ORDER | {"margin": 0.1},
            "margin goes with relation: at least, at most (got 'above')",
        ),
        (
            ORDER | {"margin": 0.1, "relation": "at least", "over": "clip"},
            "margin and over do not go together",
        ),
        (ORDER | {"second_method": "ppo"}, "first and second method are the same arm"),
        (ORDER | {"over": "clip"}, "over: 'clip' is not in experiments.yaml; allowed: none"),
        (
            ORDER | {"second_experiment": "second"},
            "method: 'prefpoe' is not in experiments.yaml; allowed: ppo, ppo_matched",
        ),
        (
            ORDER | {"environments": ["Ant-v4"]},
            "environment: 'Ant-v4' is not in experiments.yaml; allowed: ",
        ),
        (ORDER | {"kind": "equivalence", "relation": ABSENT}, "kind equivalence needs margin"),
        (ORDER | {"kind": "trend", "relation": ABSENT, "over": "clip"}, "kind trend needs lead"),
        (
            {"kind": "finding", "statement": "s"} | GONE | {"experiment": ABSENT},
            "kind finding needs study",
        ),
        (
            {"kind": "finding", "study": "s", "statement": "s"} | GONE | {"experiment": ABSENT},
            "study: 's' is not in experiments.yaml; allowed: none",
        ),
    ],
)
def test_a_wrong_claim_is_named(paper: Path, change: dict[str, Any], words: str) -> None:
    given = {key: value for key, value in {**CLAIM, **change}.items() if value is not ABSENT}
    (problem,) = problems(paper, given)
    assert problem.startswith(f"{paper / 'claims.yaml'}:")
    assert words in problem


def test_every_problem_is_listed_with_its_line(paper: Path) -> None:
    found = problems(
        paper,
        {**CLAIM, "value": "about 7"},
        CLAIM,
        {**CLAIM},
        {**GAIN, "of": {"new": CLAIM["id"], "old": "nobody"}},
        {"id": "p", "place": "x", "quote": "x", "kind": "p_value", "value": "<0.001"},
    )
    lines = (paper / "claims.yaml").read_text().splitlines()
    where = [
        int(problem.removeprefix(f"{paper / 'claims.yaml'}:").split(":")[0]) for problem in found
    ]
    assert [lines[line - 1].strip() for line in where] == [
        "value: about 7",
        "- id: table-1.target.prefpoe",
        "- id: p",
        "- id: gain",
    ]
    for problem, words in zip(
        found, ("must be a number", "stands twice", "takes in of: new", "'nobody'"), strict=True
    ):
        assert words in problem


def test_references_must_carry_what_a_check_needs(paper: Path) -> None:
    interval = {"id": "ci", "place": "x", "quote": "x", "kind": "interval", "value": "[1, 2]"}
    nameless = {key: value for key, value in CLAIM.items() if key != "n"}
    (problem,) = problems(paper, nameless, {**interval, "of": {"arm": CLAIM["id"]}})
    assert "kind interval needs n of 'table-1.target.prefpoe', at least 2 (got None)" in problem
    bare = {**CLAIM, "value": "-1.50"}
    (problem,) = problems(paper, bare, {**interval, "of": {"arm": CLAIM["id"]}})
    assert "kind interval needs the spread of 'table-1.target.prefpoe'" in problem
    number = {"id": "x", "place": "x", "quote": "x", "kind": "number", "value": "7"}
    (problem,) = problems(paper, number, {**interval, "of": {"arm": "x"}})
    assert "kind interval takes a claim of kind mean; 'x' is of kind number" in problem
    width = {**number, "id": "w", "kind": "width", "of": {"arm": CLAIM["id"]}}
    (problem,) = problems(paper, CLAIM, width)
    assert "kind width takes a claim of kind interval" in problem
    p = {**number, "id": "p", "kind": "p_value", "of": {"new": CLAIM["id"], "old": "old"}}
    (problem,) = problems(paper, CLAIM, OLD, p)
    assert "value must be a probability (got '7')" in problem
    theory = {"id": "t", "place": "x", "quote": "x", "kind": "theory", "witness": "w"}
    (problem,) = problems(paper, CLAIM, theory, {**GAIN, "of": {"new": CLAIM["id"], "old": "t"}})
    assert "refers to 't', which has no value" in problem
    (problem,) = problems(
        paper, CLAIM, OLD, {**GAIN, "of": {"new": [CLAIM["id"]] * 2, "old": "old"}}
    )
    assert "must name equally many" in problem


def test_references_go_in_no_circle(paper: Path) -> None:
    (problem,) = problems(
        paper,
        {**GAIN, "id": "a", "of": {"new": "b", "old": "b"}},
        {**GAIN, "id": "b", "of": {"new": "a", "old": "a"}},
        {**GAIN, "id": "c", "of": {"new": "a", "old": "a"}},
    )
    assert problem.rpartition("circle: ")[2] == "a → b → a"


def test_long_chains_of_references_are_read_in_no_time(tmp_path: Path) -> None:
    """Were it quadratic, 5,000 links would take minutes; deep recursion would crash."""
    links = [{**CLAIM, "id": f"c{i}", "same_as": f"c{i + 1}"} for i in range(5_000)]
    for link in links:
        del link["experiment"], link["environment"], link["method"]
    end = {key: value for key, value in links[0].items() if key != "same_as"} | {"id": "c5000"}
    path = write(tmp_path, *links, end) / "claims.yaml"
    assert len(read_claims(path).claims) == 5_001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [", "not valid YAML"),
        ("claims: 7", "claims: Input should be a valid list (got 7)"),
        ("claims: [7]", "claims.0: Input should be"),
        ("claims: []\nclaims: []", "key 'claims' stands twice (line 2)"),
        ("", "Input should be"),
        ("- 1", "Input should be"),
        ("claims: " + "[" * 200_000, "nested deeper than 100 levels"),
        ("claims: [!!bool abc]", "not valid YAML"),
        ("claims: [!!timestamp abc]", "not valid YAML"),
        ("claims: []\nfigures: []", "unknown key 'figures'; allowed: claims, title"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecificationError) as caught:
        read_claims(path)
    assert str(caught.value).startswith(f"{path}:")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


VALUES = st.sampled_from(
    ["5±1", "0.6±0.5", "12%", "<0.001", "~1", "[1, 2]", "-3", "0±0", "4m", "1e99"]
)
OF = st.dictionaries(
    st.sampled_from(["arm", "new", "old", "first", "second", "parts", "best", "others"]),
    st.sampled_from(["a", "b"]) | st.lists(st.sampled_from(["a", "b"]), max_size=3),
    max_size=2,
)


@settings(
    max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(
        YAML
        | st.fixed_dictionaries(
            {"id": st.sampled_from("ab") | YAML, "place": st.just("x"), "quote": st.just("y")},
            optional={name: YAML for name in ("same_as", "level", "factor")}
            | {"value": YAML | VALUES, "n": YAML | st.integers(1, 9), "of": YAML | OF}
            | {"kind": st.sampled_from(sorted(KINDS)), "environments": YAML, "relation": YAML},
        ),
        max_size=3,
    )
)
def test_no_file_crashes_the_reader(tmp_path: Path, claims: list[Any]) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": claims}, allow_unicode=True), encoding="utf-8")
    try:
        accepted = read_claims(path).claims
        audit(accepted, "toy", "Toy", {}, NOTHING)
    except SpecificationError as error:
        lines = str(error).splitlines()
        assert all(line.startswith(str(path)) for line in lines)


def test_kinds_and_their_names_agree() -> None:
    (literal,) = [Claim.model_fields["kind"].annotation]
    assert literal.__args__ == tuple(KINDS)  # type: ignore[union-attr]


def test_the_published_schema_is_the_code() -> None:
    published = json.loads(Path("analysis/audit/claims.schema.json").read_text(encoding="utf-8"))
    assert published == Claims.model_json_schema()


@pytest.mark.parametrize("folder", sorted(Path("paper_figures").glob("*/claims.yaml")))
def test_the_claims_that_ship_are_valid(folder: Path) -> None:
    assert load_claims(folder.parent)
