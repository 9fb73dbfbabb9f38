"""What is wrong with a request is said in one line, before a single job starts."""

from __future__ import annotations

import re
import shutil

import pytest

from analysis.workflow import RULES
from tests.workflow_runs import REPOSITORY, Tree


def refused(tree: Tree, *arguments: str, **config: str) -> str:
    """The error of a call that must fail before any job, and must leave every record as it was."""
    before = {path: path.stat().st_mtime_ns for path in tree.results.rglob("record.json")}
    done = tree.snakemake(*(arguments or ("all",)), **config)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    after = {path: path.stat().st_mtime_ns for path in tree.results.rglob("record.json")}
    assert after == before
    return errors[0]


def test_an_imported_file_is_checked_to_its_last_line(tree: Tree) -> None:
    lines = ["method,environment,seed,step,return", "mine,ProbeSign-v0,0,10,1.5"]
    path = tree.root / "mine.csv"
    path.write_text("\n".join([*lines, "mine,ProbeSign-v0,0,20,abc", ""]), encoding="utf-8")
    shutil.rmtree(tree.drawn / "records")
    error = refused(tree, imported="mine.csv")
    assert all(word in error for word in ("mine.csv", "return", "'abc'"))
    assert not tree.records()


@pytest.mark.parametrize("name", ["a{b}.csv", "a b.csv", "für.csv"])
def test_an_imported_file_with_an_odd_name_is_refused(name: str, tree: Tree) -> None:
    (tree.root / name).write_text("method,environment,seed,step,return\n", encoding="utf-8")
    assert f"{name!r} may have letters" in refused(tree, imported=name)


def test_claims_are_checked(tree: Tree) -> None:
    path = tree.root / "tests/toy_paper/claims.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("quote:", "qoute:", 1), "utf-8")
    error = refused(tree)
    assert "claims.yaml" in error
    assert "unknown key 'qoute'; allowed: " in error


def test_an_artifact_shows_experiments_that_there_are(tree: Tree) -> None:
    path = tree.root / "tests/toy_paper/paper.yaml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace("[continuous]", "[continuous, nosuch]")
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    error = refused(tree)
    assert "paper.yaml: artifacts.table_1.experiments: 'nosuch' is not in experiments.yaml" in error
    assert "allowed: continuous, discrete" in error


def test_another_shards_record_is_refused(tree: Tree) -> None:
    first, second = tree.records("ProbeSign-v0/*")[:2]
    shutil.rmtree(second)
    shutil.copytree(first, second)
    missing = tree.records("ProbeTarget-v0/*")[0]
    shutil.rmtree(missing)
    error = refused(tree)
    assert str(second.name) in error
    assert "is another shard's; expected" in error
    assert not missing.exists()


def test_a_damaged_record_is_refused(tree: Tree) -> None:
    record = tree.records()[0]
    (record / "curve.parquet").write_bytes(b"PAR1")
    assert "curve.parquet: missing or damaged" in refused(tree)


def test_every_rule_of_the_snakefile_is_a_name_that_papers_may_not_have() -> None:
    text = (REPOSITORY / "Snakefile").read_text(encoding="utf-8")
    rules = re.findall(r"^rule (\w+):|^use rule \w+ as (\w+) ", text, flags=re.MULTILINE)
    assert sorted(first or second for first, second in rules) == sorted(RULES)


def test_a_paper_named_like_a_target_is_refused(tree: Tree) -> None:
    shutil.copytree(tree.root / "tests/toy_paper", tree.root / "tests/train")
    assert "'train' is a target of its own" in refused(tree, paper="tests/train")
