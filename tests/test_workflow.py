"""The toy paper through the real Snakefile: what is made, what is made again, and what never is."""

from __future__ import annotations

import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from algorithms.devices import find
from algorithms.specification import SpecificationError
from analysis.workflow import read_request
from tests.workflow_runs import CONFIG, TOY, Tree, shard_hash, with_gpus

TABLE_ENDINGS = ("parquet", "csv", "tex", "md")


def times(root: Path) -> dict[Path, int]:
    """When each file below `root` was written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_all_makes_every_file_and_leaves_only_logs_in_scratch(reproduced: Tree) -> None:
    made = [reproduced.root / path for path in reproduced.request.paper_files("toy_paper")]
    assert len(made) == 2 * 5 + 3 * 4
    assert [path for path in made if not path.is_file()] == []
    assert (reproduced.results / "report.html").is_file()
    assert (reproduced.results / "ledger.csv").is_file()
    assert len(reproduced.records()) == 5
    scratch = reproduced.root / "results" / "scratch"
    assert {path.name for path in scratch.rglob("*") if path.is_file()} == {"train.log"}


def test_jobs_say_how_much_memory_they_take(tree: Tree) -> None:
    """24,672 MB of replay for Humanoid and 1,000 for everything else; the toy's shards learn from no replay."""
    asked = {"paper": "paper_figures/mixture", "scale": "paper"}
    told = ("--dry-run", "--printshellcmds", "--quiet", "host", "--resources")
    for room, memory, batches in ((90_000, 25_672, 1), (10_300, 10_252, 3)):
        done = tree.snakemake("mixture_figure_8", *told, f"mem_mb={room}", **asked)
        assert done.returncode == 0, done.stderr
        jobs = re.split(r"^rule train:", done.stdout + done.stderr, flags=re.MULTILINE)
        humanoids = [job for job in jobs if "environment=Humanoid-v4" in job]
        assert len(humanoids) == 3
        assert all(f"mem_mb={memory}" in job for job in humanoids)
        assert all(f"--batches {batches} " in job for job in humanoids)
    (record,) = tree.records("ProbeSign-v0/prefpoe-*")
    shutil.rmtree(record)
    toy = tree.snakemake("all", *told, "mem_mb=90000")
    assert "mem_mb=1000," in toy.stdout + toy.stderr


def test_jobs_ask_for_as_much_of_the_gpus_as_their_leases_take() -> None:
    """2 GB besides a replay of 24.7 GB for eight Humanoids; of whom a GPU holds none is trained on the CPU, or refused."""
    plan = {"paper": "paper_figures/mixture", "scale": "paper"}
    request = with_gpus(read_request(plan), 76, 30)
    assert request.gpu_mb_limit == 106_000
    shards = request.shards["mixture"]
    humanoid = next(h for h, one in shards.items() if one.cell.environment == "Humanoid-v4")
    bandit = next(h for h, one in shards.items() if one.cell.environment == "MultimodalBandit")
    assert request.gpu_mb("mixture", humanoid, None) == 27_000
    assert request.gpu_mb("mixture", bandit, None) == 3_000
    small = with_gpus(request, 5, 5)
    assert small.gpu_mb("mixture", humanoid, None) == 0
    assert small.gpu_mb("mixture", bandit, None) == 3_000
    small.check_device()
    with pytest.raises(SpecificationError, match=r"config: device: 'cuda': 6 GB .* largest .* 5"):
        replace(small, device="cuda").check_device()
    replace(request, device="cuda").check_device()
    assert replace(request, device="cpu").gpu_mb("mixture", bandit, None) == 0


def test_shards_are_cut_into_batches_that_find_room() -> None:
    """A Humanoid has a replay of 3.084 GB; besides it a shard takes 1 GB, and 2 GB on a GPU."""
    request = read_request({"paper": "paper_figures/mixture", "scale": "paper"}).elsewhere()
    shards = request.shards["mixture"]
    humanoid = next(h for h, one in shards.items() if one.cell.environment == "Humanoid-v4")
    batches = {
        room: request.batches("mixture", humanoid, room) for room in (26_000, 15_000, 14_000, 10_300, 4_100, 4_000)
    }  # fmt: skip
    assert batches == {26_000: 1, 15_000: 2, 14_000: 2, 10_300: 3, 4_100: 8, 4_000: 8}
    assert request.batches("mixture", humanoid, None) == 1
    assert request.memory_mb("mixture", humanoid, 10_300) == math.ceil(1000 + 3 * 3084)
    card = with_gpus(request, 15)
    assert card.batches("mixture", humanoid, 26_000) == 1  # whole, hence on the CPU
    assert card.gpu_mb("mixture", humanoid, 26_000) == 0
    assert card.batches("mixture", humanoid, 14_000) == 2  # which fit there as well
    asked = replace(card, device="cuda")
    for one, room in ((card, 14_000), (asked, 26_000), (asked, None)):
        assert one.batches("mixture", humanoid, room) == 2
        assert one.gpu_mb("mixture", humanoid, room) == 15_000
        assert one.memory_mb("mixture", humanoid, room) == 1000
    assert replace(card, device="cpu").gpu_mb("mixture", humanoid, 14_000) == 0
    assert asked.elsewhere().batches("mixture", humanoid, None) == 1
    learner = next(h for h, one in read_request(CONFIG).shards["toy_paper"].items())
    assert read_request(CONFIG).batches("toy_paper", learner, 500) == 1  # it has no replay to cut


def test_cores_are_neither_idle_nor_shared() -> None:
    """The toy paper plans five shards."""
    request = read_request(CONFIG)
    threads = {cores: request.threads(cores) for cores in (1, 2, 5, 9, 10, 17)}
    assert threads == {1: 1, 2: 1, 5: 1, 9: 1, 10: 2, 17: 3}


@pytest.mark.skipif(bool(find().devices), reason="there is a GPU")
@pytest.mark.parametrize("asked", [("--profile", "profiles/gpu"), ()])
def test_a_missing_gpu_is_one_line_before_anything_starts(
    reproduced: Tree, asked: tuple[str, ...]
) -> None:
    done = reproduced.snakemake("all", *asked, **({} if asked else {"device": "cuda"}))
    assert done.returncode != 0
    notes = ("profile", "no paper of this repository")
    said = done.stderr.splitlines()
    (line,) = [line for line in said if not any(note in line for note in notes)]
    assert line.startswith("error: config: device: 'cuda': ")


def test_second_run_does_nothing(tree: Tree) -> None:
    before = times(tree.results)
    done = tree.snakemake("all")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr
    assert times(tree.results) == before


def test_deleted_record_is_trained_again_and_only_what_shows_it_is_redrawn(tree: Tree) -> None:
    (record,) = tree.records("ProbeTarget-v0/ppo_matched-*")
    shutil.rmtree(record)
    again = ["statistics continuous", "table table_1", f"train {shard_hash(record)}"]
    assert tree.planned("all") == sorted(["all", "report", *again])
    assert tree.planned("toy_paper_table_1") == sorted(["toy_paper_table_1", *again])
    assert tree.planned("toy_paper_figure_1") == []


def show(tree: Tree, experiments: str) -> None:
    """Let the toy paper's table show those experiments."""
    path = tree.root / TOY / "paper.yaml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace("experiments: [continuous]", f"experiments: {experiments}")
    assert changed != text
    path.write_text(changed, encoding="utf-8")


def test_an_artifact_may_show_several_experiments(tree: Tree) -> None:
    show(tree, "[continuous, discrete]")
    (record,) = tree.records("ProbeSign-v0/prefpoe-*")
    shutil.rmtree(record)
    again = ["statistics discrete", "table table_1", f"train {shard_hash(record)}"]
    assert tree.planned("toy_paper_table_1") == sorted(["toy_paper_table_1", *again])


def test_an_artifact_may_show_no_experiment(tree: Tree) -> None:
    """Without records it is drawn all the same; the figure beside it needs its own trained."""
    show(tree, "[]")
    shutil.rmtree(tree.drawn)
    assert tree.planned("toy_paper_table_1") == ["table table_1", "toy_paper_table_1"]
    trained = [job for job in tree.planned("toy_paper_figure_1") if job.startswith("train ")]
    assert len(trained) == 2


def test_retrained_and_redrawn_table_is_the_same_to_the_byte(tree: Tree) -> None:
    files = [tree.drawn / "tables" / f"table_1.{ending}" for ending in TABLE_ENDINGS]
    before = [path.read_bytes() for path in files]
    (record,) = tree.records("ProbeTarget-v0/ppo-*")
    shutil.rmtree(record)
    for path in files:
        path.unlink()
    done = tree.snakemake("toy_paper_table_1", device="auto")
    assert done.returncode == 0, done.stderr
    assert [path.read_bytes() for path in files] == before
    assert ("training on the CPU: " in done.stderr) == (not find().devices)


def test_comment_in_a_method_retrains_and_redraws_nothing(tree: Tree) -> None:
    methods = sorted((tree.root / "algorithms" / "methods").glob("*.py"))
    assert len(methods) > 2
    for path in methods:
        path.write_text(path.read_text(encoding="utf-8") + "\n# A remark.\n", encoding="utf-8")
    assert tree.planned("all") == []


def test_edited_artifact_redraws_that_artifact(tree: Tree) -> None:
    (tree.root / TOY / "figure_1.py").touch()
    assert tree.planned("all") == ["all", "figure figure_1", "report"]


def test_raised_version_trains_that_method_and_lists_its_records_as_stale(tree: Tree) -> None:
    settings = tree.root / "algorithms" / "settings.py"
    text = settings.read_text(encoding="utf-8")
    raised = text.replace('"ppo": Method("PPO", 1,', '"ppo": Method("PPO", 2,')
    assert raised != text
    settings.write_text(raised, encoding="utf-8")
    stale = tree.records("*/ppo-*")
    trained = [job.split()[1] for job in tree.planned("all") if job.startswith("train ")]
    assert len(trained) == len(stale) == 2
    assert not set(trained) & {shard_hash(record) for record in stale}
    why = tree.snakemake("why")
    assert why.returncode == 0, why.stderr
    told = [line for line in why.stdout.splitlines() if "studies/" not in line]
    assert sorted(told) == [
        f"toy_paper smoke {record.parent.name}/{record.name}: method version: 1 → 2"
        for record in stale
    ]


def test_status_and_why_train_and_write_nothing(tree: Tree) -> None:
    (record,) = tree.records("ProbeTarget-v0/prefpoe-*")
    shutil.rmtree(record)
    before = times(tree.root)
    status, why = tree.snakemake("status"), tree.snakemake("why")
    assert (status.returncode, why.returncode) == (0, 0), status.stderr + why.stderr
    head, line, *_ = (row.split() for row in status.stdout.splitlines())
    assert dict(zip(head, line, strict=True)) == {
        **{"paper": "toy_paper", "scale": "smoke", "planned": "10", "running": "0", "done": "8"},
        **{"diverged": "0", "failed": "0", "missing": "2", "stale": "0", "core_hours": "0.0"},
    }
    assert why.stdout == "nothing is stale: every record is one that its plan asks for\n"
    after = times(tree.root)
    assert {path: after.get(path) for path in before} == before


def test_fresh_clone_with_scrambled_times_retrains_nothing(tree: Tree) -> None:
    files = sorted(path for path in tree.root.rglob("*") if path.is_file())
    for index, path in enumerate(files):
        moment = 1_700_000_000 + index * 7919 % 1009
        os.utime(path, (moment, moment))
    assert [job for job in tree.planned("all") if job.startswith("train")] == []


def test_recorded_draws_what_is_there_and_trains_nothing(tree: Tree) -> None:
    (record,) = tree.records("ProbeTarget-v0/prefpoe-*")
    shutil.rmtree(record)
    before = (tree.drawn / "tables" / "table_1.md").read_text(encoding="utf-8")
    done = tree.snakemake("recorded")
    assert done.returncode == 0, done.stderr
    assert not record.exists()
    assert "training on the CPU" not in done.stderr
    assert "missing" in done.stdout
    assert re.search(r"toy_paper +continuous +3 +2 +1 ", done.stdout), "shards, recorded, missing"
    assert (tree.drawn / "tables" / "table_1.md").read_text(encoding="utf-8") != before


def test_imported_runs_are_drawn_in_a_folder_of_their_own(tree: Tree) -> None:
    rows = [f"foreign,ProbeTarget-v0,{seed},{step},-0.5" for seed in (0, 1) for step in (320, 640)]
    text = "\n".join(["method,environment,seed,step,return", *rows]) + "\n"
    (tree.root / "other.csv").write_text(text, encoding="utf-8")
    before = times(tree.drawn)
    done = tree.snakemake("toy_paper_table_1", imported="other.csv")
    assert done.returncode == 0, done.stderr
    table = tree.results / "toy_paper-with-other" / "tables" / "table_1.md"
    assert "foreign" in table.read_text(encoding="utf-8")
    assert times(tree.drawn) == before


def test_failed_shard_is_named_and_the_others_finish(tree: Tree) -> None:
    damaged, other = tree.records("ProbeSign-v0/*")
    for record in (damaged, other):
        shutil.rmtree(record)
    scratch = tree.root / "results" / "scratch" / shard_hash(damaged)
    scratch.mkdir(exist_ok=True)
    (scratch / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    done = tree.snakemake("toy_paper_figure_1")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(told) == 1
    assert shard_hash(damaged) in told[0]
    assert "train.log" in told[0]
    assert tree.records("ProbeSign-v0/*") == [other]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"paper": "nosuch"}, ["config: paper:", "'nosuch'", "prefpoe"]),
        ({"scale": "huge"}, ["scale", "'huge'", "smoke, quick, reduced, paper"]),
        ({"scale": "paper"}, ["experiments.yaml", "'paper'", "smoke"]),
        ({"imported": "nosuch.csv"}, ["imported", "nosuch.csv"]),
        ({"sclae": "smoke"}, ["'sclae'", "scale"]),
        ({"device": "gpu"}, ["config: device:", "'gpu'", "auto, cpu, cuda"]),
        ({"paper": "tests/toy_paper,tests/toy_paper"}, ["config: paper:", "toy_paper", "differ"]),
    ],
)
def test_impossible_request_is_one_line(
    reproduced: Tree, config: dict[str, str], words: list[str]
) -> None:
    done = reproduced.snakemake("all", **config)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "profile" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert [word for word in words if word not in lines[0]] == []


def test_error_in_a_paper_is_one_line_that_names_file_key_and_value(tree: Tree) -> None:
    plan = tree.root / TOY / "experiments.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("baseline: ppo", "baseline: nosuch", 1), encoding="utf-8")
    done = tree.snakemake("all")
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if "profile" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for word in ("experiments.yaml", "continuous", "baseline", "nosuch"):
        assert word in lines[0]


def test_every_paper_of_the_repository_can_be_planned() -> None:
    request = read_request({})
    assert "prefpoe" in request.by_name
    for name in request.by_name:
        assert request.all_records(name)
        assert request.paper_files(name)


def test_audit_trains_nothing_and_judges_every_claim(tree: Tree) -> None:
    shutil.rmtree(tree.results)
    done = tree.snakemake("audit")
    assert done.returncode == 0, done.stderr
    assert not tree.results.exists()
    audit = tree.root / "results" / "audit"
    assert (audit / "audit.html").is_file()
    verdicts = pd.read_csv(audit / "verdicts.csv").set_index("claim")
    assert verdicts.loc["theorem_1", "consistent"] == "consistent"
    assert verdicts.loc["theorem_1.cost", "consistent"] == "consistent"
    assert set(verdicts["replicated"]) == {"untested", "does not apply"}
    assert tree.planned("audit") == ["audit"]


def test_quick_or_smoke_records_never_answer_a_claim(tree: Tree) -> None:
    """The tree has records at scale smoke; a record counts at scale paper only."""
    assert tree.records()
    done = tree.snakemake("audit")
    assert done.returncode == 0, done.stderr
    verdicts = pd.read_csv(tree.root / "results" / "audit" / "verdicts.csv").set_index("claim")
    assert verdicts.loc["table_1.probe_target.ppo", "replicated"] == "untested"


def test_a_paper_without_experiments_is_audited_and_nothing_is_trained(tree: Tree) -> None:
    (tree.root / "tests/toy_paper/experiments.yaml").unlink()
    assert tree.planned("audit") == ["audit", "witnesses"]
    assert tree.planned("all") == ["all"]
    done = tree.snakemake("all")
    assert done.returncode == 0, done.stderr
    done = tree.snakemake("audit")
    assert done.returncode == 0, done.stderr
    verdicts = pd.read_csv(tree.root / "results" / "audit" / "verdicts.csv").set_index("claim")
    assert verdicts.loc["theorem_1", "consistent"] == "consistent"


def test_witnesses_are_computed_again_when_their_code_changes(tree: Tree) -> None:
    assert tree.snakemake("audit").returncode == 0
    assert tree.planned("audit") == ["audit"]
    with (tree.root / "tests/toy_paper/witnesses.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert tree.planned("audit") == ["audit", "witnesses"]
