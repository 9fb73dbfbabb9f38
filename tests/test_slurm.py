"""The workflow on a real SLURM cluster of one machine: a job that is preempted ends with the same bits.

make test-slurm
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests import slurm_cluster
from tests.algorithms.small_runs import values
from tests.slurm_cluster import Cluster, wait
from tests.workflow_runs import CONFIG, Tree, copy_repository

pytestmark = pytest.mark.slurm
STEPS, SEGMENTS = 19_200, 20
"""Of the shard that is preempted: long enough that it is met in the middle, and not at a boundary of segments alone."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if why := slurm_cluster.lacking():
        pytest.skip(why)
    with (
        tempfile.TemporaryDirectory(prefix="slurm") as place,
        slurm_cluster.cluster(Path(place, "c")) as own,
    ):
        yield own


def tree(root: Path) -> Tree:
    """A copy of the repository whose toy paper has one shard that trains for long enough to be preempted."""
    own = Tree(copy_repository(root))
    path = own.root / CONFIG["paper"] / "experiments.yaml"
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan["scales"]["smoke"]["segments"] = SEGMENTS
    plan["experiments"]["continuous"]["methods"] = ["ppo", "prefpoe"]
    plan["experiments"]["continuous"]["steps"]["smoke"] = {"ProbeTarget-v0": STEPS}
    path.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return own


@contextmanager
def submitting(own: Tree, *targets: str) -> Iterator[subprocess.Popen[str]]:
    """Snakemake, submitting to the cluster; it ends with the context."""
    command = [
        sys.executable, "-m", "snakemake", *targets, "--workflow-profile", "profiles/slurm", "--slurm-no-account",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
        "--default-resources", "slurm_partition=cpu", "mem_mb=2000", "runtime=30",
        "--config", *(f"{key}={value}" for key, value in CONFIG.items()),
    ]  # fmt: skip
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=own.root, text=True, **said) as process:
        try:
            yield process
        finally:
            process.kill()


def scratch(own: Tree, method: str) -> Path | None:
    """Where the shard of `method` that trains now keeps its checkpoint."""
    for path in own.root.glob("results/scratch/*/progress.json"):
        if f"/{method}-" in json.loads(path.read_text(encoding="utf-8"))["shard"]:
            return path.parent
    return None


def segments(own: Tree, method: str) -> int:
    """How many segments the shard of `method` that trains now has behind it in this attempt."""
    place = scratch(own, method)
    log = place / "train.log" if place else None
    return 0 if log is None else log.read_text(encoding="utf-8").count(f" of {SEGMENTS}: ")


def job_of(cluster: Cluster, method: str) -> str:
    """The id of the job that trains it, whose log is named after the shard."""
    (job,) = (
        job for job in cluster.jobs("running") if f"_{method}_" in cluster.tell(job)["StdOut"]
    )
    return job


def recorded(own: Tree) -> dict[str, object]:
    """What every record holds, tables and weights; what stands in record.json besides is provenance."""
    return {folder.name: values(folder) for folder in own.records()}


def test_a_preempted_job_ends_with_the_same_bits(cluster: Cluster, tmp_path: Path) -> None:
    alone, own = tree(tmp_path / "alone"), tree(tmp_path / "cluster")
    done = alone.snakemake("toy_paper_table_1", "--cores", "1")
    assert done.returncode == 0, done.stderr
    with submitting(own, "toy_paper_table_1") as workflow:
        wait(lambda: segments(own, "prefpoe") >= 2, "two segments")
        job = job_of(cluster, "prefpoe")
        urgent = cluster.call(
            "sbatch", "--parsable", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1"
        ).strip()  # fmt: skip
        wait(lambda: cluster.tell(job)["Restarts"] == "1", "the preemption")
        wait(lambda: cluster.tell(urgent)["JobState"] == "COMPLETED", "the urgent job")
        # A job that was sent back may not start for two minutes, lest it still run somewhere.
        cluster.call("scontrol", "update", f"jobid={job}", "starttime=now")
        said, _ = workflow.communicate(timeout=slurm_cluster.PATIENCE)
    assert workflow.returncode == 0, said
    assert recorded(own) == recorded(alone)
    (preempted,) = own.records("*/prefpoe-*")
    provenance = json.loads((preempted / "record.json").read_text(encoding="utf-8"))["provenance"]
    assert provenance["resumed"] == 1
    assert (own.drawn / "tables" / "table_1.md").is_file()
    print(cluster.story())
