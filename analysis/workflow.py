"""What the Snakefile asks: which papers, which shards, and where each file lies.

Importing this module loads neither torch nor pandas; only `Request.check_imports` needs pandas.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from algorithms import devices, memory
from algorithms.cell import SCALES, Cell, Plan, Shard, named_rerun, require_scale
from algorithms.choice import choice_path, require_choice
from algorithms.header import read_header, require_hash, sha256
from algorithms.specification import SpecificationError
from algorithms.study import check_settings
from analysis.claims import load_claims
from analysis.paper import Paper, load_paper

PAPERS = Path("paper_figures")
PAPER_FILES = ("paper.yaml", "claims.yaml", "experiments.yaml", "specification.yaml")
STATISTICS_CODE = tuple(
    Path(name)
    for name in (
        "analysis/attempts.py",
        "analysis/claims.py",
        "analysis/effects.py",
        "analysis/fieller.py",
        "analysis/load.py",
        "analysis/reported.py",
        "analysis/statistics.py",
        "algorithms/settings.py",
        "envs/registry.py",
    )
)
"""What decides how records become numbers."""
STUDY_SETTINGS = "studies"
"""The module of a paper that says what its studies may be told. It loads neither torch nor pandas."""
ENDINGS = {"table": ("parquet", "csv", "tex", "md"), "figure": ("parquet", "csv", "pdf", "png")}
DEFAULTS = {
    "paper": "",
    "scale": "quick",
    "results": "results",
    "imported": "",
    "checkpoint": "",
    "device": "auto",
}
RULES = (
    "all",
    "answers",
    "audit",
    "choice",
    "figure",
    "plan",
    "recorded",
    "released",
    "report",
    "statistics",
    "status",
    "study",
    "table",
    "train",
    "why",
    "witnesses",
)
EXPERIMENT_FILES = tuple(
    f"{name}.parquet" for name in ("scores", "curves", "diagnostics", "statistics", "contrasts")
)


@dataclass(frozen=True)
class PaperFolder:
    """A paper that takes part: its folder, and what `paper.yaml` and `experiments.yaml` say."""

    folder: Path
    paper: Paper
    plan: Plan

    @property
    def name(self) -> str:
        """The folder's name, which is also the paper's target."""
        return self.folder.name

    @property
    def module(self) -> str:
        """The folder as Python names it."""
        return ".".join(self.folder.parts)

    def artifacts(self, scale: str) -> list[str]:
        """The artifacts whose experiments and studies `scale` includes, in the order of `paper.yaml`."""
        experiments, studies = set(self.plan.planned(scale)), set(self.plan.planned_studies(scale))
        return [
            name
            for name, entry in self.paper.artifacts.items()
            if experiments >= set(entry.experiments) and studies >= set(entry.studies)
        ]

    def sources(self, artifact: str) -> list[str]:
        """The files that decide how `artifact` is drawn: redrawn when one of them changes."""
        drawing = sorted(path for path in PAPERS.glob("*.py") if path.name != "recorded.py")
        shared = sorted(
            path for path in self.folder.glob("*.py") if not path.stem.startswith(tuple(ENDINGS))
        )
        own = [self.folder / name for name in (f"{artifact}.py", *PAPER_FILES)]
        every = (*own, *shared, *drawing, *STATISTICS_CODE)
        return [path.as_posix() for path in every if path.is_file()]


@dataclass(frozen=True)
class Request:
    """What one call of Snakemake is about, and the path of every file that it makes.

    `papers` have experiments and are trained; `audited` are the folders with claims, of papers that have none yet
    as well. `checkpoint` is a file that a paper's authors released, if the user has it. Shards are trained on `device`;
    `gpus` are those that this machine has for it.
    """

    papers: tuple[PaperFolder, ...]
    scale: str
    results: Path
    imported: tuple[Path, ...]
    audited: tuple[Path, ...]
    checkpoint: Path | None
    device: devices.Asked
    gpus: devices.Found

    @cached_property
    def by_name(self) -> dict[str, PaperFolder]:
        """The papers by target name."""
        return {paper.name: paper for paper in self.papers}

    @property
    def root(self) -> str:
        """Where everything of this scale lies."""
        return (self.results / self.scale).as_posix()

    @property
    def scratch(self) -> str:
        """Where running shards keep checkpoints, logs and progress."""
        return (self.results / "scratch").as_posix()

    @property
    def suffix(self) -> str:
        """What imported runs add to a folder's name, so that nothing they touch mixes with our own."""
        stems = [path.stem for path in self.imported]
        return "-".join(["-with", *stems]) if stems else ""

    @property
    def report(self) -> str:
        """The page over all papers."""
        return f"{self.root}/report{self.suffix}.html"

    @property
    def ledger(self) -> str:
        """What is trained and what is not, over all papers; imported runs do not count."""
        return f"{self.root}/ledger.csv"

    @property
    def audit(self) -> str:
        """Where the audit lies: it looks at scale paper whatever the scale of this request."""
        return (self.results / "audit").as_posix()

    @property
    def released(self) -> str:
        """The file of what was found in a release; the checkpoint's checksum stands in its name."""
        given = "skipped" if self.checkpoint is None else sha256(self.checkpoint)[:12]
        return f"released-{given}.json"

    @property
    def evidence(self) -> list[str]:
        """What the audit reads beside claims and records: witnesses, what studies decide, and what was found in a release."""
        files = {
            "witnesses.py": "witnesses.json",
            "answers.py": "answers.json",
            "released.py": self.released,
        }
        return [
            f"{self.audit}/{folder.name}/{output}"
            for folder in self.audited
            for module, output in files.items()
            if (folder / module).is_file()
        ]

    def folder(self, paper: str) -> Path:
        """The folder of a paper that is audited."""
        (folder,) = (path for path in self.audited if path.name == paper)
        return folder

    def computing(self, paper: str) -> list[str]:
        """The files that decide what a paper's witnesses and its release's examination find."""
        studies = set(self.by_name[paper].plan.studies) if paper in self.by_name else set()
        others = {*studies, STUDY_SETTINGS}
        own = [
            path
            for path in self.folder(paper).glob("*.py")
            if not path.stem.startswith(tuple(ENDINGS)) and path.stem not in others
        ]
        return [path.as_posix() for path in (*sorted(own), Path("analysis/audit/witness.py"))]

    def answering(self, paper: str) -> list[str]:
        """The records of a paper's studies that are there at scale paper, whatever the scale of this request."""
        plan = self.by_name[paper].plan
        records = self.results / "paper" / paper / "records"
        paths = [
            records / plan.study("paper", name).path / "record.json"
            for name in plan.planned_studies("paper")
        ]
        return [path.as_posix() for path in paths if path.is_file()]

    def records(self, paper: str) -> str:
        """The paper's records folder."""
        return f"{self.root}/{paper}/records"

    def drawn(self, paper: str) -> str:
        """The folder of everything that is computed from the paper's records."""
        return f"{self.root}/{paper}{self.suffix}"

    def record(self, paper: str, shard: Shard) -> str:
        """The file whose presence says that `shard` is trained."""
        return f"{self.records(paper)}/{shard.name}/record.json"

    def study_record(self, paper: str, study: str) -> str:
        """The file whose presence says that a study is done."""
        path = self.by_name[paper].plan.study(self.scale, study).path
        return f"{self.records(paper)}/{path}/record.json"

    def study_inputs(self, paper: str, study: str, study_hash: str) -> list[str]:
        """The records that a study reads. Raises SpecificationError where the plan has no such study."""
        plan = self.by_name[paper].plan
        planned = {
            name: plan.study(self.scale, name).hash for name in plan.planned_studies(self.scale)
        }
        if planned.get(study) != study_hash:
            raise SpecificationError(
                f"{self.records(paper)}/studies/{study}-{study_hash}: not planned at scale {self.scale}; "
                f"allowed: {', '.join(f'{name}-{digest}' for name, digest in planned.items())}"
            )
        return [self.record(paper, shard) for shard in plan.study_shards(self.scale, study)]

    @cached_property
    def shards(self) -> dict[str, dict[str, Shard]]:
        """Every shard of each paper at this scale, by hash."""
        return {name: paper.plan.all_shards(self.scale) for name, paper in self.by_name.items()}

    def shard_records(self, paper: str, experiment: str) -> list[str]:
        """The records that an experiment's statistics need."""
        shards = self.by_name[paper].plan.shards(self.scale, experiment)
        return [self.record(paper, shard) for shard in shards]

    def choice(self, paper: str, shard_hash: str) -> list[str]:
        """The file that says which setting of a sweep the shard is trained with, if it is such a rerun.

        Nothing where the record is there: an input that is remade would have Snakemake remove and train it again.
        Raises SpecificationError where the plan has no such shard.
        """
        shard = self._shard(paper, shard_hash)
        if shard.cell.best_of is None or Path(self.record(paper, shard)).exists():
            return []
        return [choice_path(Path(self.records(paper)), shard.cell).as_posix()]

    def elsewhere(self) -> Request:
        """The request where jobs do not run on this machine: its GPUs do not count."""
        return replace(self, gpus=devices.Found((), "jobs run elsewhere"))

    def batches(self, paper: str, shard_hash: str, room_mb: int | None) -> int:
        """In how many batches, one after the other, a shard's members are trained so that each finds room. Raises as `choice` does.

        `room_mb` are the megabytes that jobs may take together, None where nobody has limited them. On a GPU its own memory
        decides; unless CUDA is asked for, a shard goes there whole, or in as many batches as the CPU would train it in.
        """
        shard = self._shard(paper, shard_hash)
        if self.device != "cpu" and self.gpus.devices:
            there = memory.batches_within(
                self.gpus.most_slots * devices.SLOT, shard, memory.device_needed
            )
            if self.device == "cuda" or there == 1:
                return there
        if room_mb is None:
            return 1
        return memory.batches_within(room_mb * 1_000_000, shard, memory.needed)

    def memory_mb(self, paper: str, shard_hash: str, room_mb: int | None) -> int:
        """Megabytes that training a shard takes in these batches, from its specification. Raises as `choice` does."""
        if self.gpu_mb(paper, shard_hash, room_mb):
            return math.ceil(memory.BASE / 1e6)
        batches = self.batches(paper, shard_hash, room_mb)
        return math.ceil(memory.needed(self._shard(paper, shard_hash), batches) / 1e6)

    def gpu_mb(self, paper: str, shard_hash: str, room_mb: int | None) -> int:
        """Megabytes of a GPU that training a shard leases; 0 where it is trained on the CPU. Raises as `choice` does."""
        batches = self.batches(paper, shard_hash, room_mb)
        needed = memory.device_needed(self._shard(paper, shard_hash), batches)
        if self.device == "cpu" or devices.obstacle(self.gpus, needed):
            return 0
        return devices.slots_for(needed) * devices.SLOT // 1_000_000

    @property
    def gpu_mb_limit(self) -> int:
        """Megabytes of all GPUs together that jobs may lease."""
        return sum(gpu.slots for gpu in self.gpus.devices) * devices.SLOT // 1_000_000

    def threads(self, cores: int) -> int:
        """Threads of a training job: one, or, where there are more `cores` than shards in the plan, an equal share of them.

        The whole plan counts, not what is left of it: a shard that resumes has the threads that it began with.
        """
        shards = sum(map(len, self.shards.values()))
        return max(1, cores // max(1, shards))

    def check_device(self) -> None:
        """Raise SpecificationError where CUDA is asked for and one member of a shard that has no record yet fits on no GPU."""
        waiting = (
            shard
            for paper, shards in self.shards.items()
            for shard in shards.values()
            if not Path(self.record(paper, shard)).exists()
        )
        alone = (memory.device_needed(shard, len(shard.members)) for shard in waiting)
        needed = max(alone, default=0)
        try:
            devices.require(self.device, self.gpus, needed)
        except SpecificationError as error:
            raise SpecificationError(f"config: {error}") from error

    def _shard(self, paper: str, shard_hash: str) -> Shard:
        shard = self.shards[paper].get(shard_hash)
        if shard is None:
            raise SpecificationError(
                f"{self.records(paper)}/…-{shard_hash}: no shard of the plan at scale {self.scale}"
            )
        return shard

    def sweep_records(self, paper: str, sweep: str) -> list[str]:
        """The records that a choice is made from; none where it is made, because it then stays."""
        cell = named_rerun(self._reruns[paper], self.scale, sweep)
        if cell.best_of is None or choice_path(Path(self.records(paper)), cell).exists():
            return []
        return [self.record(paper, shard) for shard in cell.best_of.shards]

    @cached_property
    def _reruns(self) -> dict[str, dict[str, Cell]]:
        """The cells of each paper that rerun the best of a sweep, by the sweep's hash."""
        return {name: paper.plan.reruns(self.scale) for name, paper in self.by_name.items()}

    def artifact_records(self, paper: str, artifact: str) -> list[str]:
        """The records that an artifact shows."""
        experiments = self.by_name[paper].paper.artifacts[artifact].experiments
        trained = [path for name in experiments for path in self.shard_records(paper, name)]
        return trained + self.artifact_studies(paper, artifact)

    def artifact_studies(self, paper: str, artifact: str) -> list[str]:
        """The records of the studies that an artifact shows."""
        studies = self.by_name[paper].paper.artifacts[artifact].studies
        return [self.study_record(paper, name) for name in studies]

    def all_records(self, paper: str) -> list[str]:
        """Every record of a paper at this scale, those of its studies last."""
        plan = self.by_name[paper].plan
        trained = [self.record(paper, shard) for shard in self.shards[paper].values()]
        studies = plan.planned_studies(self.scale)
        return trained + [self.study_record(paper, name) for name in studies]

    def statistics(self, paper: str, experiment: str) -> list[str]:
        """The tables that an experiment's records become."""
        folder = f"{self.drawn(paper)}/experiments/{experiment}"
        return [f"{folder}/{name}" for name in EXPERIMENT_FILES]

    def stem(self, paper: str, artifact: str) -> str:
        """An artifact's path without its ending."""
        return f"{self.drawn(paper)}/{_kind(artifact)}s/{artifact}"

    def artifact(self, paper: str, artifact: str) -> list[str]:
        """Every file of an artifact: its values, and its renderings."""
        stem = self.stem(paper, artifact)
        return [f"{stem}.{ending}" for ending in ENDINGS[_kind(artifact)]]

    def artifact_statistics(self, paper: str, artifact: str) -> list[str]:
        """The statistics that an artifact shows."""
        experiments = self.by_name[paper].paper.artifacts[artifact].experiments
        return [path for name in experiments for path in self.statistics(paper, name)]

    def check_records(self) -> None:
        """Verify every record that this request would use. Raises RecordError before anything runs."""
        for name, paper in self.by_name.items():
            for shard in self.shards[name].values():
                path = Path(self.record(name, shard))
                if path.exists():
                    header = read_header(path.parent)
                    require_hash(header, shard.hash, path)
                    require_choice(header, shard, Path(self.records(name)), path)
            for study in paper.plan.planned_studies(self.scale):
                path = Path(self.study_record(name, study))
                if path.exists():
                    header = read_header(path.parent, "study")
                    require_hash(header, paper.plan.study(self.scale, study).hash, path)

    def check_imports(self) -> None:
        """Verify every imported csv, and that experiments can compare its runs. Raises SpecificationError before anything runs."""
        if self.imported:
            from analysis import (
                load,
            )  # here: it loads pandas, which the Snakefile else does without

            runs = load.read_imported(self.imported)
            for paper in self.papers:
                for experiment in paper.plan.planned(self.scale):
                    load.check_imported(paper.plan, self.scale, experiment, runs)

    def paper_files(self, paper: str) -> list[str]:
        """Everything drawn for a paper, statistics that no artifact shows included."""
        entry = self.by_name[paper]
        statistics = [self.statistics(paper, name) for name in entry.plan.planned(self.scale)]
        artifacts = [self.artifact(paper, name) for name in entry.artifacts(self.scale)]
        return [path for files in (*statistics, *artifacts) for path in files]


def read_request(config: Mapping[str, Any]) -> Request:
    """The request in Snakemake's `config`, all files of its papers read and checked.

    Keys: paper (names below paper_figures, or folders), scale, results, imported (csv files), checkpoint (a
    released file, for the audit), device; lists may be given as comma strings. Raises SpecificationError naming the key, the
    value and what is allowed.
    """
    for key in config:
        if key not in DEFAULTS:
            raise SpecificationError(f"config: unknown key {key!r}; allowed: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **config}
    scale = str(given["scale"])
    if scale not in SCALES:
        raise SpecificationError(f"config: scale: {scale!r}; allowed: {', '.join(SCALES)}")
    folders = _folders(_listed(given["paper"]))
    checkpoint = Path(str(given["checkpoint"])) if given["checkpoint"] else None
    if checkpoint is not None and not checkpoint.is_file():
        raise SpecificationError(f"config: checkpoint: there is no file {checkpoint}")
    imported = tuple(Path(name) for name in _listed(given["imported"]))
    for path in imported:
        if not path.is_file():
            raise SpecificationError(f"config: imported: there is no file {path}")
    stems = [path.stem for path in imported]
    for path in imported:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", path.stem):
            raise SpecificationError(
                f"config: imported: {path.name!r} may have letters A to Z, digits, '_', '.' and '-' only"
            )
    if len(set(stems)) < len(stems):
        raise SpecificationError(f"config: imported: file names must differ (got {stems})")
    device = str(given["device"])
    if device not in devices.ASKED:
        raise SpecificationError(f"config: device: {device!r}; allowed: {', '.join(devices.ASKED)}")
    results = Path(str(given["results"]))
    trained = [folder for folder in folders if (folder / "experiments.yaml").is_file()]
    papers = tuple(_read_paper(folder, scale) for folder in trained)
    audited = tuple(folder for folder in folders if (folder / "claims.yaml").is_file())
    _announce(folders)
    for paper in papers:
        _check_studies(paper.folder, paper.plan, scale)
    gpus = devices.find()
    return Request(papers, scale, results, imported, audited, checkpoint, device, gpus)


def _listed(value: Any) -> list[str]:
    """A list, or a comma string, without empty entries."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        items = [items]
    return [str(item).strip() for item in items if str(item).strip()]


def _folders(asked: list[str]) -> list[Path]:
    known = sorted(path.parent for path in PAPERS.glob("*/paper.yaml"))
    if not known and not asked:
        raise SpecificationError(
            f"there is no {PAPERS}/*/paper.yaml; run from the repository's root"
        )
    by_name = {folder.name: folder for folder in known}
    folders = [by_name.get(name, Path(name)) for name in asked] or known
    for name, folder in zip(asked, folders, strict=False):
        if not (folder / "paper.yaml").is_file():
            raise SpecificationError(
                f"config: paper: unknown paper {name!r}; allowed: {', '.join(by_name)}, "
                "or a folder with a paper.yaml"
            )
    for folder in folders:
        if not re.fullmatch(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*", str(folder)):
            raise SpecificationError(
                f"config: paper: {str(folder)!r} must be a folder below the repository's root, each part of it "
                "lower-case letters, digits and _; put it there to have its code run, or call python -m "
                "analysis.audit, which only reads"
            )
    names = [folder.name for folder in folders]
    taken = [name for name in names if name in RULES]
    if taken:
        raise SpecificationError(
            f"config: paper: {taken[0]!r} is a target of its own; name the folder otherwise"
        )
    if len(set(names)) < len(names):
        raise SpecificationError(f"config: paper: names must differ (got {', '.join(names)})")
    return folders


def _read_paper(folder: Path, scale: str) -> PaperFolder:
    """Read and check one paper, none of its code; its names become Snakemake rules, modules and paths."""
    paper, plan = load_paper(folder)
    require_scale(plan, scale, folder)
    for name in paper.artifacts:
        if not re.fullmatch(r"(table|figure)_[a-z0-9_]+", name):
            raise SpecificationError(
                f"{folder / 'paper.yaml'}: artifacts: {name!r} must be table_… or figure_…, "
                "lower-case letters, digits and _"
            )
    load_claims(folder)
    return PaperFolder(folder, paper, plan)


def _announce(folders: list[Path]) -> None:
    """Say that code will run that did not come with this repository, before any of it does."""
    foreign = [folder.as_posix() for folder in folders if folder.parent != PAPERS]
    if foreign:
        said = f"{', '.join(foreign)}: no paper of this repository; the Python in it is run"
        print(f"{said} (python -m analysis.audit only reads)", file=sys.stderr)


def _check_studies(folder: Path, plan: Plan, scale: str) -> None:
    """Raise SpecificationError for a study without a module, or told what its paper does not foresee."""
    path = folder / "experiments.yaml"
    for name in plan.studies:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or not (folder / f"{name}.py").is_file():
            raise SpecificationError(
                f"{path}: studies.{name}: there is no {folder / (name + '.py')}; allowed: a module "
                "named in lower-case letters, digits and _"
            )
    if not plan.studies:
        return
    told = folder / f"{STUDY_SETTINGS}.py"
    known = (
        getattr(import_module(".".join((*folder.parts, STUDY_SETTINGS))), "SETTINGS", None)
        if told.is_file()
        else None
    )
    if not isinstance(known, dict):
        raise SpecificationError(
            f"{path}: studies: {told} must say in SETTINGS what each study may be told, a model by name"
        )
    for name in plan.planned_studies(scale):
        if name not in known:
            raise SpecificationError(
                f"{path}: studies.{name}: {folder / STUDY_SETTINGS}.py does not say what it may be "
                f"told; allowed: {', '.join(known)}"
            )
        check_settings(plan.studies[name].settings[scale], known[name], folder, scale, name)


def _kind(artifact: str) -> str:
    return artifact.partition("_")[0]
