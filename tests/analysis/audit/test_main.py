"""The command line: somebody else's file, our papers' folders, exit codes, and every error at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis.audit.__main__ import main

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
    assert main(["--fail-on", "inconsistent", "--fail-on", "impossible", str(mine)]) == 0
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
    stray = mine.parent / "witnesses.json"
    assert main([str(mine), "--evidence", str(stray)]) == 2
    assert "must lie in a folder named as its paper" in capsys.readouterr().err


def test_the_schema_accepts_what_the_reader_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")  # comes with snakemake
    assert main(["--schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    published = Path("analysis/audit/claims.schema.json").read_text(encoding="utf-8")
    assert schema == json.loads(published)
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


PERCENTAGES = """claims:
  - {id: rate, kind: mean, value: "60%±12%", n: 5, outcome: binary, place: x, quote: x}
  - {id: same, kind: mean, value: "0.60±0.12", n: 5, outcome: binary, same_as: rate, place: x, quote: x}
  - {id: lake, kind: mean, value: "72%±12%", n: 5, environment: FrozenLake-v1, place: x, quote: x}
  - {id: bare, kind: mean, value: "0.95", environment: FrozenLake-v1, place: x, quote: x}
  - {id: bound, kind: mean, value: "<5±1", n: 5, place: x, quote: x}
  - {id: least, kind: minimum, value: "1", of: {arm: bound}, place: x, quote: x}
  - {id: single, kind: mean, value: "0.60±0.49", n: 5, episodes: 1, outcome: binary, ddof: 0, place: x, quote: x}
  - {id: single1, kind: mean, value: "0.60±0.49", n: 5, episodes: 1, outcome: binary, ddof: 1, place: x, quote: x}
"""


def test_percentages_bounds_and_bare_rates(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(PERCENTAGES, encoding="utf-8")
    assert main([str(path), "--output", str(tmp_path)]) == 0
    verdicts = pd.read_csv(tmp_path / "verdicts.csv").set_index("claim")
    assert set(verdicts["consistent"]) == {"consistent", "not checked"}
    # Three successes of five have a spread of √(0.24) = 0.49 with ddof 0, of 0.55 with ddof 1.
    assert verdicts["possible"].to_dict() == {
        "rate": "possible", "same": "possible", "lake": "possible", "bare": "possible",
        "bound": "not checked", "least": "possible", "single": "possible", "single1": "impossible",
    }  # fmt: skip


def test_a_declared_standard_error_is_what_the_arithmetic_uses(tmp_path: Path) -> None:
    """t(4) = 2.776: 100 ± 10 as a standard error of five gives 100 ± 27.8; as a deviation, ± 12.4."""
    path = tmp_path / "claims.yaml"
    for interval, verdict in (("[72, 128]", "consistent"), ("[88, 112]", "inconsistent")):
        path.write_text(
            "claims:\n"
            '  - {id: a, kind: mean, value: "100±10", spread: standard error, n: 5, place: x, quote: x}\n'
            f'  - {{id: ci, kind: interval, value: "{interval}", of: {{arm: a}}, place: x, quote: x}}\n',
            encoding="utf-8",
        )
        assert main([str(path), "--output", str(tmp_path)]) == 0
        verdicts = pd.read_csv(tmp_path / "verdicts.csv").set_index("claim")
        assert verdicts.loc["ci", "consistent"] == verdict
