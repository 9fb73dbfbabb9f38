"""The command line: somebody else's file, our papers' folders, exit codes, and every error at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis.audit.__main__ import main
from analysis.claims import Claims

README = Path("README.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)[0]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The example of the README, as a file."""
    path = tmp_path / "my_claims.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def test_the_example_of_the_readme(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = mine.parent / "audit"
    assert main([str(mine), "--output", str(output)]) == 0
    verdicts = pd.read_csv(output / "verdicts.csv").set_index("claim")
    assert verdicts["consistent"].to_dict() == {
        "ours": "not checked", "base": "not checked", "gain": "consistent", "cv": "consistent",
        "p": "not checked", "d": "not checked",
    }  # fmt: skip
    assert verdicts.loc["p", "possible"] == verdicts.loc["d", "possible"] == "possible"
    assert len(EXAMPLE.splitlines()) <= 10
    assert "My paper" in capsys.readouterr().out
    page = (output / "audit.html").read_text(encoding="utf-8")
    assert "python -m analysis.audit" in page
    for name in ("verdicts", "findings"):
        table = pd.read_parquet(output / f"{name}.parquet")
        assert len(table) == len(pd.read_csv(output / f"{name}.csv"))


def test_exit_codes_for_ci(mine: Path) -> None:
    assert main([str(mine), "--fail-on", "inconsistent", "impossible"]) == 0
    mine.write_text(EXAMPLE.replace("+321%", "+331%"), encoding="utf-8")
    assert main([str(mine)]) == 0
    assert main([str(mine), "--fail-on", "inconsistent"]) == 1
    assert main([str(mine), "--fail-on", "impossible"]) == 0


def test_every_error_is_a_line(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.write_text(EXAMPLE.replace("+321%", "lots").replace("n: 5", "n: five", 1), "utf-8")
    assert main([str(mine)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"error: {mine}:") for line in lines)
    assert main([str(mine.parent / "none.yaml")]) == 2
    assert "none.yaml: cannot be read" in capsys.readouterr().err


def test_the_schema_accepts_what_the_reader_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")  # comes with snakemake
    assert main(["--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema == Claims.model_json_schema()
    jsonschema.validate(yaml.safe_load(EXAMPLE), schema)
    for path in sorted(Path("paper_figures").glob("*/claims.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"claims": [{"id": "a", "kind": "guess"}]}, schema)


def test_no_claims_to_audit_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "CLAIMS" in capsys.readouterr().err
