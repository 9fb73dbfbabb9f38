"""The workflow with profiles/kubernetes, where `kubectl` is a stand-in: what would be sent to a cluster, and what is made of its answers.

There is no cluster here. The stand-in runs a manifest's command on this machine as a pod would, and answers as the API does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slurm_cluster import wait
from tests.workflow_runs import CONFIG, REPOSITORY, Tree, copy_repository

PROFILE = REPOSITORY / "profiles" / "kubernetes"
KUBECTL = """#!{python}
import json, subprocess, sys
from pathlib import Path
import yaml
jobs = Path({jobs!r})
verb, *rest = sys.argv[1:]
with (jobs / "calls").open("a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
if verb == "create":
    assert rest == ["-o", "name", "-f", "-"], rest
    manifest = yaml.safe_load(sys.stdin)
    number = len([*jobs.glob("*.json")])
    name = manifest["metadata"]["generateName"] + str(number)
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    lost = number == 0
    ended = "Failed" if lost or subprocess.run(container["command"], capture_output=True, cwd="/").returncode else "Complete"
    told = {{"manifest": manifest, "ended": ended}}
    (jobs / f"{{name}}.json").write_text(json.dumps(told))
    print(f"job.batch/{{name}}")
elif verb == "get":
    path = jobs / (rest[0].removeprefix("job.batch/") + ".json")
    if path.exists():
        print("there", json.loads(path.read_text())["ended"], end="")
"""


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in keeps what it was sent; it is first on PATH. The first job that it is sent is lost."""
    folder, programs = tmp_path / "jobs", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    kubectl = programs / "kubectl"
    kubectl.write_text(KUBECTL.format(python=sys.executable, jobs=str(folder)), encoding="utf-8")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return folder


def call(program: str, *arguments: str) -> str:
    """What one of the profile's programs prints."""
    command = [str(PROFILE / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_table_is_trained_by_jobs_of_the_cluster(jobs: Path, tmp_path: Path) -> None:
    tree = Tree(copy_repository(tmp_path / "a clone & more"))
    done = tree.python(
        *("snakemake", "toy_paper_table_1", "--workflow-profile", "profiles/kubernetes"),
        *("--config", *(f"{key}={value}" for key, value in CONFIG.items())),
    )
    assert done.returncode == 0, done.stderr
    assert (tree.drawn / "tables" / "table_1.md").is_file()
    told = [json.loads(path.read_text(encoding="utf-8")) for path in jobs.glob("*.json")]
    assert len(told) == len(tree.records()) + 1 > 1  # one was lost, and started again
    for one in told:
        manifest = one["manifest"]
        assert (manifest["apiVersion"], manifest["kind"]) == ("batch/v1", "Job")
        assert manifest["spec"]["backoffLimit"] == 0
        pod = manifest["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"  # without which a podFailurePolicy is refused
        (container,) = pod["containers"]
        asked = {"cpu": "1", "memory": "1000M"}
        assert container["resources"] == {"requests": asked, "limits": {"memory": "1000M"}}
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in pod["volumes"]
        }


def test_a_dry_run_sends_nothing(jobs: Path, tmp_path: Path) -> None:
    tree = Tree(copy_repository(tmp_path / "clone"))
    done = tree.python(
        *("snakemake", "all", "--dry-run", "--workflow-profile", "profiles/kubernetes"),
        *("--config", *(f"{key}={value}" for key, value in CONFIG.items())),
    )
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout + done.stderr
    assert list(jobs.iterdir()) == []


def test_answers_of_the_cluster(jobs: Path) -> None:
    for ended, state in (("Complete", "success"), ("Failed", "failed"), ("", "running")):
        (jobs / "one.json").write_text(json.dumps({"ended": ended}))
        assert call("status", "job.batch/one") == f"{state}\n"
    assert call("status", "job.batch/gone") == "failed\n"
    call("cancel", "job.batch/one", "job.batch/two")
    deleted = ["delete", "--ignore-not-found", "--wait=false", "job.batch/one", "job.batch/two"]
    calls = jobs / "calls"
    wait(lambda: json.loads(calls.read_text().splitlines()[-1]) == deleted, "the deletion", 30)


@pytest.mark.parametrize(
    ("error", "state"),
    [("Unable to connect to the server", "running\n"), ("Error (Forbidden): jobs.batch", None)],
)
def test_where_no_answer_comes_the_job_runs_on_unless_we_may_not_ask(
    jobs: Path, error: str, state: str | None
) -> None:
    kubectl = jobs.parent / "programs" / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho '{error}' >&2\nexit 1\n", encoding="utf-8")
    if state is not None:
        assert call("status", "job.batch/one") == state
        return
    with pytest.raises(subprocess.CalledProcessError) as raised:
        call("status", "job.batch/one")
    assert error in raised.value.stderr
