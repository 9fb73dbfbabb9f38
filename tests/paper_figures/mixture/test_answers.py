"""What the recorded numerical study decides reaches the audit as a file, and is trusted as long as the record is that one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from analysis.audit.__main__ import main as audit_main
from analysis.audit.answers import command_line, outdated, read_answers
from analysis.claims import load_claims
from paper_figures.mixture.answers import STUDIES
from paper_figures.mixture.found import STATEMENTS

ROOT = Path(__file__).parents[3]
PAPER = ROOT / "paper_figures" / "mixture"
RECORDS = Path("paper") / "mixture" / "records"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A copy of the paper's recorded studies."""
    shutil.copytree(ROOT / "results" / RECORDS / "studies", tmp_path / RECORDS / "studies")
    return tmp_path


def made(results: Path) -> Path:
    output = results / "audit" / "mixture" / "answers.json"
    places = ["--paper", str(PAPER), "--results", str(results), "--output", str(output)]
    assert command_line(STUDIES, "", places) == 0
    return output


def test_every_statement_is_decided_and_names_its_record(results: Path) -> None:
    (answered,) = read_answers(made(results)).values()
    assert list(answered.statements) == [statement.claim for statement in STATEMENTS]
    (record,) = (results / RECORDS / "studies").iterdir()
    assert record.name == f"numerical_study-{answered.record}"


def test_claims_name_statements_that_are_decided(results: Path) -> None:
    answers = read_answers(made(results))
    asked = [claim for claim in load_claims(PAPER) if claim.study is not None]
    assert asked
    for claim in asked:
        assert claim.statement in answers[str(claim.study)].statements, claim.id


def test_the_audit_reads_them_as_verdicts(results: Path, tmp_path: Path) -> None:
    def told(evidence: Path, results: Path) -> dict[str, str]:
        places = ["--evidence", str(evidence), "--results", str(results), "--output", str(tmp_path)]
        assert audit_main([str(PAPER), *places]) == 0
        import pandas as pd

        verdicts = pd.read_parquet(tmp_path / "verdicts.parquet")
        found = verdicts[verdicts["kind"] == "finding"].set_index("claim")["replicated"]
        return {str(name): str(verdict) for name, verdict in found.items()}

    file = made(results)
    verdicts = {True: "replicated", False: "contradicted", None: "untested"}
    answered = read_answers(file)["numerical_study"].statements
    found = told(file, results)
    claims = {claim.id: claim for claim in load_claims(PAPER)}
    assert found == {name: verdicts[answered[str(claims[name].statement)].holds] for name in found}
    # The other way round, and a record that is gone.
    data = json.loads(file.read_text(encoding="utf-8"))
    data["numerical_study"]["statements"]["figure_1.dominates"]["holds"] = False
    file.write_text(json.dumps(data), encoding="utf-8")
    assert told(file, results)["figure_1.dominates"] == "contradicted"
    shutil.rmtree(results / RECORDS)
    assert set(told(file, results).values()) == {"untested"}


def test_answers_are_stale_where_the_record_is_another(results: Path) -> None:
    file = made(results)
    answers = read_answers(file)
    assert outdated(PAPER, results, answers) == {}
    answered = answers["numerical_study"]
    other = {"numerical_study": answered.model_copy(update={"contents": "another"})}
    assert "has other contents now" in outdated(PAPER, results, other)["numerical_study"]
    foreign = {"numerical_study": answered.model_copy(update={"record": "0" * 12})}
    assert (
        "stale: from record 000000000000, the plan asks for"
        in (outdated(PAPER, results, foreign)["numerical_study"])
    )
    assert outdated(PAPER, results, {"lost": answered})["lost"].endswith("the plan asks for none")
    shutil.rmtree(results / RECORDS)
    assert "is not there any more" in outdated(PAPER, results, answers)["numerical_study"]
    assert read_answers(made(results)) == {}
