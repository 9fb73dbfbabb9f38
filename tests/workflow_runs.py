"""A tree with the real Snakefile and the toy paper, and what tests ask of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from algorithms.devices import SLOT, Device, Found
from algorithms.study import FOLDER as STUDIES
from analysis.workflow import Request, read_request
from tests import snakemake_server

REPOSITORY = Path(__file__).parents[1]
COPIED = ("algorithms", "analysis", "envs", "paper_figures", "profiles", "tests/toy_paper")
TOY = Path("tests/toy_paper")
CONFIG = {"paper": TOY.as_posix(), "scale": "smoke"}


def copy_repository(root: Path) -> Path:
    """Copy what the workflow needs of this repository to `root`."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, root / name, ignore=ignored)
    shutil.copy2(REPOSITORY / "Snakefile", root / "Snakefile")
    return root


@dataclass(frozen=True)
class Tree:
    """A copy of the repository; its results lie below it."""

    root: Path

    @property
    def results(self) -> Path:
        """Everything made at scale smoke."""
        return self.root / "results" / "smoke"

    @property
    def drawn(self) -> Path:
        """The toy paper's folder."""
        return self.results / "toy_paper"

    @property
    def request(self) -> Request:
        """The paths that the workflow is to make, relative to the tree."""
        return read_request({**CONFIG, "paper": str(TOY)})

    def records(self, pattern: str = "*/*") -> list[Path]:
        """Folders of the shards' records that match."""
        found = sorted(path.parent for path in self.drawn.glob(f"records/{pattern}/record.json"))
        return [folder for folder in found if folder.parent.name != STUDIES]

    @property
    def study(self) -> Path:
        """The folder of the record of the toy paper's one study."""
        (found,) = self.drawn.glob(f"records/{STUDIES}/*/record.json")
        return found.parent

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m …` in the tree."""
        command = (sys.executable, "-m", *arguments)
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)

    def snakemake(self, *arguments: str, **config: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the tree, on the toy paper unless `config` says otherwise."""
        pairs = (f"{key}={value}" for key, value in {**CONFIG, **config}.items())
        return snakemake_server.run(self.root, *arguments, "--config", *pairs)

    def planned(self, *arguments: str, **config: str) -> list[str]:
        """What Snakemake would run: rule, then the wildcards that tell its jobs apart; sorted."""
        done = self.snakemake(*arguments, "--dry-run", "--quiet", "host", **config)
        assert done.returncode == 0, done.stderr
        jobs = []
        for block in re.split(r"^(?:local)?rule ", done.stdout + done.stderr, flags=re.MULTILINE)[
            1:
        ]:
            rule, wildcards = block.split(":")[0], re.search(r"wildcards: (.*)", block)
            values = dict(pair.split("=") for pair in wildcards[1].split(", ")) if wildcards else {}
            which = values.get("hash") or values.get("experiment") or values.get("artifact")
            jobs.append(f"{rule} {which}" if which else rule)
        assert jobs or "Nothing to be done" in done.stdout + done.stderr
        return sorted(jobs)


def shard_hash(record: Path) -> str:
    """The hash at the end of a record's folder name."""
    return record.name.rpartition("-")[2]


def with_gpus(request: Request, *slots: int) -> Request:
    """The request on a machine with GPUs of so many slots."""
    gpus = (Device(f"GPU-{n}", "stated", int((n + 0.5) * SLOT / 0.9)) for n in slots)
    return replace(request, gpus=Found(tuple(gpus)))
