"""A SLURM cluster of one machine: munged, slurmctld and slurmd in a folder of their own, which end with the test.

It needs Debian's packages slurm-wlm and munge, and root, since slurmd starts jobs as their user. There is no accounting, and
jobs of the partition `urgent` send those of the partition `cpu` back to the queue.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo", "squeue")
LINK = Path("/etc/slurm/slurm.conf")
"""Where what runs in a job looks for its cluster, since Snakemake submits without variables of SLURM's own."""
PATIENCE = 600.0
"""Seconds after which a daemon that has not come up, or a job that has not moved, is given up."""

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES PriorityTier=1 PreemptMode=REQUEUE MaxTime=UNLIMITED State=UP
PartitionName=urgent Nodes={host} PriorityTier=10 PreemptMode=OFF MaxTime=UNLIMITED State=UP
"""


def lacking() -> str:
    """Why there can be no cluster here; nothing where there can."""
    missing = [name for name in PROGRAMS if program(name) is None]
    if missing:
        return (
            f"{', '.join(missing)} not installed (Debian, Ubuntu: the packages slurm-wlm and munge)"
        )
    if LINK.exists():
        return f"{LINK} is there: this machine belongs to a cluster, which is left alone"
    return "" if os.geteuid() == 0 else "needs root: slurmd starts jobs as their user"


def program(name: str) -> str | None:
    """Where a program is, also where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs, with its files in `folder`."""

    folder: Path

    def call(self, *command: str) -> str:
        """What a command of SLURM prints. Raises CalledProcessError."""
        found = [str(program(command[0])), *command[1:]]
        done = subprocess.run(found, capture_output=True, text=True, check=True)
        return done.stdout

    def jobs(self, state: str = "all") -> list[str]:
        """Ids of jobs in a state."""
        return self.call("squeue", "--noheader", "--format=%i", f"--states={state}").split()

    def tell(self, job: str) -> dict[str, str]:
        """What SLURM knows of a job."""
        words = self.call("scontrol", "show", "job", job, "--oneliner").split()
        return dict(word.partition("=")[::2] for word in words)

    def story(self) -> str:
        """What slurmctld logged of its jobs."""
        lines = (self.folder / "slurmctld.log").read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if "JobId=" in line)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster in `folder`, whose path must be short enough for a socket's."""
    host = socket.gethostname()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    ports = _free_ports(2)
    text = CONFIGURATION.format(
        host=host,
        folder=folder,
        controller_port=ports[0],
        daemon_port=ports[1],
        cores=os.cpu_count(),
        memory=psutil.virtual_memory().total // 2**20 - 500,
    )
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    own = Cluster(folder)
    with ExitStack() as running:
        LINK.parent.mkdir(exist_ok=True)
        LINK.symlink_to(folder / "slurm.conf")
        running.callback(LINK.unlink)
        for command in (
            ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
             f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"],
            ["slurmctld", "-D", "-i", "-f", f"{folder}/slurm.conf"],
            ["slurmd", "-D", "-N", host, "-f", f"{folder}/slurm.conf"],
        ):  # fmt: skip
            running.enter_context(_daemon(own, command))
            if command[0] == "munged":
                wait(lambda: (folder / "munge.socket").exists(), "munged")
        wait(lambda: "idle" in _state(own), f"the node, see {folder}/slurmd.log")
        running.callback(_cancel, own)
        yield own


def _cancel(own: Cluster) -> None:
    """End every job, which would outlive the daemons."""
    own.call("scancel", f"--user={os.getuid()}", "--full")
    wait(lambda: not own.jobs("running") + own.jobs("completing"), "jobs to end")


@contextmanager
def _daemon(own: Cluster, command: list[str]) -> Iterator[None]:
    """A program that runs until the context ends, its output in the cluster's folder."""
    with open(own.folder / f"{command[0]}.log", "ab") as log:
        found = [str(program(command[0])), *command[1:]]
        process = subprocess.Popen(found, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _state(own: Cluster) -> str:
    done = subprocess.run(
        [str(program("sinfo")), "--noheader", "--format=%T"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def wait(until: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until something is so. Raises TimeoutError that says what did not come."""
    end = time.monotonic() + patience
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience:g} s for {what}")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
