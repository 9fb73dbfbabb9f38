"""What to train: cells, members and shards, read from a paper's `experiments.yaml`.

Everything here is frozen, validated and hashed. A shard's hash covers what decides its result (environment,
method and its version, every hyperparameter, steps, segments, protocol, and each member's setting and
seed) and nothing else; it is part of the record's path. Importing this module loads neither torch nor
envpool, so the Snakefile may.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from algorithms.identity import content_hash
from algorithms.settings import (
    METHODS,
    Count,
    NotNegative,
    Replayed,
    Settings,
    require_read,
    resolve,
)
from algorithms.specification import SpecificationError, Strict, explain, read_yaml
from algorithms.study import Study, StudyEntry
from envs.registry import ENVIRONMENTS, Environment

# Environments in which a member is evaluated at once; which first states it meets depends on it.
EVALUATION_COPIES = 10
SCALES = ("smoke", "quick", "reduced", "paper")

Segments = Annotated[int, Field(ge=1, le=20)]
CurveRows = Annotated[int, Field(ge=1, le=500)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Score = Literal["evaluation", "last_tenth", "auc"]
HyperparameterValue = float | int | bool | str | tuple[float | int, ...]
T = TypeVar("T")


class Member(Strict):
    """One training run in a cell: one seed with one setting of the swept hyperparameters."""

    seed: Seed
    setting: dict[str, float] = Field(default_factory=dict)


@pydantic_dataclass(frozen=True)
class Protocol:
    """How a run is cut, evaluated and recorded; `weights` says whether the record keeps them.

    Every `evaluation_every` steps of a member, if given, it plays `evaluation_episodes` episodes besides those after
    training. `snapshots` is how many times the record has all parameters: at the start and at evenly spaced ends of segments.
    """

    segments: Segments
    evaluation_episodes: Count
    curve_rows: CurveRows
    weights: bool = True
    evaluation_every: Count | None = None
    snapshots: NotNegative = 0

    @model_validator(mode="after")
    def _boundaries_to_keep(self) -> Protocol:
        if self.snapshots == 1 or self.snapshots > self.segments + 1:
            raise ValueError(
                f"snapshots = {self.snapshots} with {self.segments} segments; allowed: 0, or from 2, the start and the "
                f"end, to {self.segments + 1}"
            )
        return self

    def content(self) -> dict[str, Any]:
        """What enters a record's identity; what records are older than stays out while it is not asked for."""
        later = {own.name: own.default for own in fields(self) if own.default is not MISSING}
        asked = {name: getattr(self, name) for name in later}
        return {
            "segments": self.segments,
            "evaluation_episodes": self.evaluation_episodes,
            "evaluation_copies": EVALUATION_COPIES,
            "curve_rows": self.curve_rows,
            **{name: value for name, value in asked.items() if value != later[name]},
        }


@dataclass(frozen=True)
class Sweep:
    """The shards of one method on one environment in a sweep, from whose settings the best is taken, by `score`."""

    experiment: str
    shards: tuple[Shard, ...]
    score: Score = "evaluation"

    @cached_property
    def hash(self) -> str:
        """Hash of the shards' hashes, and of the score unless it is the usual one."""
        by = {} if self.score == "evaluation" else {"score": self.score}
        return content_hash({"shards": [shard.hash for shard in self.shards], **by})


@dataclass(frozen=True)
class Cell:
    """One method on one environment: what becomes one cell of a table, one curve of a figure.

    `levels` are the experiment's factors that tell it from other cells of its method; they stand in
    `settings` too. A rerun of a sweep's best setting names the sweep in `best_of`.
    """

    method: str
    environment: str
    settings: Settings
    steps: int
    protocol: Protocol
    levels: Mapping[str, HyperparameterValue] = field(default_factory=dict)
    best_of: Sweep | None = None

    @property
    def world(self) -> Environment:
        """The environment's entry in the registry."""
        return ENVIRONMENTS[self.environment]

    @property
    def iterations(self) -> int:
        """Rounds of collecting and updating: whole ones within `steps`, as CleanRL counts rollouts."""
        return self.steps // self.settings.iteration_steps

    @property
    def segment_iterations(self) -> int:
        """Iterations between two checkpoints; the last segment may be shorter."""
        return -(-self.iterations // self.protocol.segments)

    @property
    def segments(self) -> int:
        """How many segments the iterations fill; at most the protocol's number."""
        return -(-self.iterations // self.segment_iterations)

    @property
    def snapshot_boundaries(self) -> tuple[int, ...]:
        """After how many finished segments all parameters are kept: evenly spaced, the start and the end among them."""
        spaces = self.protocol.snapshots - 1
        return tuple(sorted({round(k * self.segments / spaces) for k in range(spaces + 1)}))

    def content(self) -> dict[str, Any]:
        """Everything that decides the cell's result, as plain JSON data."""
        return {
            "environment": self.environment,
            "method": self.method,
            "version": METHODS[self.method].version,
            "settings": self.settings.content(),
            "steps": self.steps,
            **self.protocol.content(),
            **({"wrapping": self.world.wrapping} if self.world.wrapping else {}),
            **({} if self.best_of is None else {"best_of": self.best_of.hash}),
        }


def _exact_critic(method: str, settings: Settings, environment: str) -> None:
    """Raise SpecificationError where a critic is to be exact that does not know what the environment pays."""
    if not isinstance(settings, Replayed) or getattr(settings, "critic", "learned") != "exact":
        return
    known = [
        name
        for name, world in ENVIRONMENTS.items()
        if world.bandit and world.drawn_by_member == settings.knows_drawn
    ]
    if environment not in known:
        raise SpecificationError(
            f"settings of {method}: critic: 'exact' needs a bandit that it knows, which {environment} is not; "
            f"allowed: {', '.join(known)}"
        )


def make_cell(
    method: str,
    environment: str,
    overrides: Mapping[str, Any],
    steps: int,
    protocol: Protocol,
    levels: Mapping[str, HyperparameterValue] = MappingProxyType({}),
) -> Cell:
    """A validated cell; `levels` are overrides as well.

    Raises SpecificationError naming the offending value and what is allowed.
    """
    _known(method, METHODS, "method")
    _known(environment, ENVIRONMENTS, "environment")
    kind = ENVIRONMENTS[environment].action_kind
    served = METHODS[method].action_kinds
    if kind not in served:
        raise SpecificationError(
            f"method {method!r} serves {' and '.join(served)} actions; {environment} has {kind} ones"
        )
    try:
        settings = resolve(method, {**overrides, **levels})
    except ValidationError as error:
        raise SpecificationError(explain(error, f"settings of {method}")) from error
    _exact_critic(method, settings, environment)
    cell = Cell(method, environment, settings, steps, protocol, levels)
    if cell.iterations < 1:
        raise SpecificationError(
            f"steps = {steps} is less than one iteration of {method} ({settings.iteration_steps} steps)"
        )
    if protocol.evaluation_every is not None and protocol.evaluation_every > steps:
        raise SpecificationError(
            f"evaluation_every = {protocol.evaluation_every} is more than steps = {steps}: no evaluation would take place"
        )
    return cell


@cache
def _require_in_range(settings: Settings, changes: tuple[tuple[str, float], ...]) -> None:
    """Raise ValidationError unless `settings` may be changed so. A plan asks the same of every environment and scale."""
    type(settings).model_validate({**settings.model_dump(), **dict(changes)})


@dataclass(frozen=True)
class Shard:
    """The members of a cell that one job trains together, in lock-step, as one population.

    `chosen` is the setting that a sweep chose for all of them: known once the sweep is trained, hence no
    part of the content, in which the sweep's hash stands for it.
    """

    cell: Cell
    members: tuple[Member, ...]
    chosen: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        swept = {name for member in self.members for name in member.setting}
        require_read(self.cell.settings, sorted(swept), f"grid of {self.cell.method}")
        foreign = swept - set(self.cell.settings.per_member())
        if foreign:
            raise SpecificationError(
                f"{sorted(foreign)[0]!r} cannot differ between members of {self.cell.method}; "
                f"allowed: {', '.join(self.cell.settings.per_member())}"
            )
        settings = [*(member.setting for member in self.members), dict(self.chosen)]
        for distinct in {tuple(setting.items()) for setting in settings}:
            try:
                _require_in_range(self.cell.settings, distinct)
            except ValidationError as error:
                raise SpecificationError(explain(error, f"grid of {self.cell.method}")) from error

    def content(self) -> dict[str, Any]:
        """Everything that decides the record's values, as plain JSON data."""
        return {
            **self.cell.content(),
            "members": [member.model_dump(mode="json") for member in self.members],
        }

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of `content`."""
        return content_hash(self.content())

    def settings_of(self, member: Member) -> dict[str, HyperparameterValue]:
        """What tells `member` from others of its method: the sweep, its cell's levels, its own setting."""
        sweep = {} if self.cell.best_of is None else {"best_of": self.cell.best_of.experiment}
        return {**sweep, **self.cell.levels, **member.setting}

    @property
    def key(self) -> str:
        """What an unfinished run's checkpoint belongs to: the hash, and what a sweep chose."""
        return self.hash + (f"-{content_hash(dict(self.chosen))}" if self.chosen else "")

    @property
    def name(self) -> str:
        """The record's path below a records folder: environment/method-hash."""
        return f"{self.cell.environment}/{self.cell.method}-{self.hash}"


def _unique(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds:
        raise ValueError("must name at least one seed")
    twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if twice:
        raise ValueError(f"seed {twice[0]} stands twice; seeds must differ")
    return seeds


Seeds = Annotated[tuple[Seed, ...], AfterValidator(_unique)]


class Scale(Strict):
    """How much of the published protocol a scale carries out."""

    note: str
    seeds: Seeds
    members_per_shard: Count
    segments: Segments
    evaluation_episodes: Count
    curve_rows: CurveRows
    weights: bool = True
    evaluation_every: Count | None = None
    snapshots: NotNegative = 0

    @property
    def protocol(self) -> Protocol:
        """The part of the scale that belongs to every cell. Raises SpecificationError."""
        try:
            return Protocol(
                self.segments,
                self.evaluation_episodes,
                self.curve_rows,
                self.weights,
                self.evaluation_every,
                self.snapshots,
            )
        except ValidationError as error:
            raise SpecificationError(explain(error, "scale")) from error


class Amendment(Strict):
    """What an experiment does otherwise than its scale."""

    seeds: Seeds | None = None
    members_per_shard: Count | None = None
    evaluation_episodes: Count | None = None
    curve_rows: CurveRows | None = None
    weights: bool | None = None
    evaluation_every: Count | None = None
    snapshots: NotNegative | None = None
    grid: dict[str, tuple[float, ...]] | None = None
    settings: dict[str, HyperparameterValue] | None = None


class Experiment(Strict):
    """A named study in a paper: methods × environments × hyperparameters × seeds.

    `steps` gives environment steps a member for each scale and environment; a scale that it does not
    name leaves the experiment out. `contrasts` are pairs (arm, against) that are compared besides every
    arm with the baseline. Every combination of `factors` is a cell of its own and may have its own shapes; every
    point of `grid` is a member, so only per-member hyperparameters may be in it. `amendments` say for
    each scale what the experiment does otherwise. `score` is what members are compared and chosen by: the mean return of
    their "evaluation", or of training's "last_tenth", or the area under the learning curve, "auc", which is that of the
    evaluations during training where the protocol has them. `best_of` names a sweep: each arm then has the setting of
    `grid` that scored best there.
    """

    title: str
    baseline: str
    methods: tuple[str, ...]
    steps: dict[str, dict[str, Count]]
    contrasts: tuple[tuple[str, str], ...] = ()
    settings: dict[str, HyperparameterValue] = Field(default_factory=dict)
    factors: dict[str, tuple[HyperparameterValue, ...]] = Field(default_factory=dict)
    grid: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    amendments: dict[str, Amendment] = Field(default_factory=dict)
    best_of: str | None = None
    score: Score = "evaluation"

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for method in methods:
            _known(method, METHODS, "method")
            if methods.count(method) > 1:
                raise ValueError(f"method {method!r} stands twice")
        return methods

    @field_validator("steps")
    @classmethod
    def _known_environments(cls, steps: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        for scale, environments in steps.items():
            _known(scale, SCALES, "scale")
            if not environments:
                raise ValueError(f"{scale} names no environment; leave the scale out or give one")
            for name in environments:
                _known(name, ENVIRONMENTS, "environment")
        return steps

    @field_validator("factors", "grid")
    @classmethod
    def _filled(cls, swept: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for name, values in swept.items():
            if not values:
                raise ValueError(f"values of {name!r} are empty; give at least one")
            twice = [value for index, value in enumerate(values) if value in values[:index]]
            if twice:
                raise ValueError(f"values of {name!r}: {twice[0]} stands twice; values must differ")
        return swept

    @model_validator(mode="after")
    def _baseline_is_an_arm(self) -> Experiment:
        if self.baseline not in self.methods:
            raise ValueError(f"baseline {self.baseline!r} is not among methods {self.methods}")
        return self

    @model_validator(mode="after")
    def _contrasts_are_between_arms(self) -> Experiment:
        for pair in self.contrasts:
            for method in pair:
                if method not in self.methods:
                    raise ValueError(f"contrasts: {method!r} is not among methods {self.methods}")
            if pair[0] == pair[1] or self.contrasts.count(pair) > 1:
                raise ValueError(f"contrasts: {pair} compares an arm with itself or stands twice")
            if pair[1] == self.baseline:
                raise ValueError(f"contrasts: {pair} is the comparison with the baseline already")
        return self

    @model_validator(mode="after")
    def _set_once(self) -> Experiment:
        places: dict[str, Mapping[str, Any]] = {
            "settings": self.settings,
            "factors": self.factors,
            "grid": self.grid,
        }
        for name in dict.fromkeys(key for part in places.values() for key in part):
            where = [place for place, part in places.items() if name in part]
            if len(where) > 1:
                raise ValueError(
                    f"{name!r} stands in {' and '.join(where)}; allowed: in one of {', '.join(places)}"
                )
        for scale, amendment in self.amendments.items():
            for name in amendment.settings or {}:
                if name in self.factors or name in self.grid:
                    raise ValueError(
                        f"{name!r} stands in amendments.{scale}.settings and is varied; allowed: one of them"
                    )
        return self

    @model_validator(mode="after")
    def _amendments_of_planned_scales(self) -> Experiment:
        for scale in self.amendments:
            _known(scale, self.steps, "scale in amendments")
        return self

    def at(self, scale: Scale, name: str) -> Scale:
        """`scale`, called `name`, with this experiment's amendments."""
        amendment = self.amendments.get(name, Amendment())
        own = amendment.model_dump(exclude_none=True, exclude={"grid", "settings"})
        return scale.model_copy(update=own)

    def swept_at(self, scale: str) -> dict[str, tuple[float, ...]]:
        """The grid as `scale` has it."""
        amended = self.amendments.get(scale, Amendment()).grid
        return self.grid if amended is None else amended

    def settings_at(self, scale: str) -> dict[str, HyperparameterValue]:
        """The settings of every arm at `scale`."""
        return self.settings | (self.amendments.get(scale, Amendment()).settings or {})


def points(swept: Mapping[str, Sequence[T]]) -> Iterator[dict[str, T]]:
    """Every combination of the values of `swept`; one empty one where nothing is swept."""
    for values in itertools.product(*swept.values()):
        yield dict(zip(swept, values, strict=True))


def named_rerun(reruns: Mapping[str, Cell], scale: str, sweep: str) -> Cell:
    """The one of a plan's `reruns` that is of the sweep with that hash. Raises SpecificationError."""
    if sweep not in reruns:
        raise SpecificationError(f"no best_of at scale {scale} names the sweep {sweep!r}")
    return reruns[sweep]


class Plan(Strict):
    """A paper's `experiments.yaml`."""

    scales: dict[str, Scale]
    experiments: dict[str, Experiment]
    studies: dict[str, StudyEntry] = Field(default_factory=dict)

    @field_validator("scales")
    @classmethod
    def _known_scales(cls, scales: dict[str, Scale]) -> dict[str, Scale]:
        for scale in scales:
            _known(scale, SCALES, "scale")
        return scales

    @field_validator("experiments", "studies")
    @classmethod
    def _named_as_files(cls, entries: dict[str, T]) -> dict[str, T]:
        for name in entries:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"name {name!r}: allowed: lower-case letters, digits and _")
        return entries

    @model_validator(mode="after")
    def _sweeps_to_choose_from(self) -> Plan:
        for name, entry in self.experiments.items():
            if entry.best_of is None:
                continue
            sweeps = [other for other, there in self.experiments.items() if there.grid]
            where = f"experiments.{name}.best_of: {entry.best_of!r}"
            if entry.best_of not in sweeps:
                raise ValueError(f"{where} has no grid; allowed: {', '.join(sweeps) or 'none has'}")
            swept = self.experiments[entry.best_of]
            if entry.factors or entry.grid or swept.factors:
                raise ValueError(f"{where}: neither may have factors, and only the sweep a grid")
            for scale, environments in entry.steps.items():
                settings, sweeps_own = entry.settings_at(scale), swept.settings_at(scale)
                if settings != sweeps_own:
                    raise ValueError(
                        f"{where} has settings {sweeps_own} at {scale}; those here must be the same (are {settings})"
                    )
                if not (
                    set(entry.methods) <= set(swept.methods)
                    and set(environments) <= set(swept.steps.get(scale, ()))
                ):
                    raise ValueError(f"{where} lacks a method or environment of it at {scale}")
                seen = {*self.scale_of(scale, name).seeds} & {
                    *self.scale_of(scale, entry.best_of).seeds
                }
                if seen:
                    raise ValueError(
                        f"{where} has used seed {min(seen)} at {scale}; a rerun needs seeds that the choice has "
                        f"not seen: give it others in amendments.{scale}.seeds"
                    )
        return self

    @model_validator(mode="after")
    def _every_cell_is_possible(self) -> Plan:
        for name, experiment in self.experiments.items():
            for scale in experiment.steps:
                try:
                    _known(scale, self.scales, "scale")
                    list(self.shards(scale, name))
                except SpecificationError as error:
                    raise ValueError(f"experiments.{name}: {error}") from error
        return self

    @model_validator(mode="after")
    def _every_study_reads_what_is_planned(self) -> Plan:
        for name, study in self.studies.items():
            where = f"studies.{name}"
            try:
                for experiment in study.experiments:
                    _known(experiment, self.experiments, f"experiment in {where}.experiments")
                arms = [m for other in study.experiments for m in self.experiments[other].methods]
                for method in study.methods if study.experiments else ():
                    _known(method, dict.fromkeys(arms), f"method in {where}.methods")
                for scale in study.settings:
                    _known(scale, self.scales, f"scale in {where}.settings")
                    for experiment in study.experiments:
                        planned = self.experiments[experiment].steps
                        _known(scale, planned, f"scale of {experiment}, in {where}.settings")
            except SpecificationError as error:
                raise ValueError(str(error)) from error
        return self

    def planned(self, scale: str) -> list[str]:
        """Names of the experiments that `scale` includes."""
        return [name for name, entry in self.experiments.items() if scale in entry.steps]

    def cells(self, scale: str, experiment: str) -> list[Cell]:
        """The experiment's cells at `scale`, in the order of the file."""
        entry = self.experiments[experiment]
        protocol = self.scale_of(scale, experiment).protocol
        cells = [
            make_cell(method, environment, entry.settings_at(scale), steps, protocol, levels)
            for environment, steps in entry.steps[scale].items()
            for method in entry.methods
            for levels in points(entry.factors)
        ]
        if entry.best_of is None:
            return cells
        sweep = self.shards(scale, entry.best_of)  # once: it may have ten thousands of members
        return [replace(cell, best_of=self._sweep(entry.best_of, sweep, cell)) for cell in cells]

    def _sweep(self, experiment: str, shards: Sequence[Shard], cell: Cell) -> Sweep:
        """The sweep `experiment`, of which these are all shards, of the cell's method on its environment."""
        here = (cell.method, cell.environment)
        own = tuple(s for s in shards if (s.cell.method, s.cell.environment) == here)
        return Sweep(experiment, own, self.experiments[experiment].score)

    def rerun_of(self, scale: str, sweep: str) -> Cell:
        """The cell that reruns the best of the sweep with that hash. Raises SpecificationError."""
        return named_rerun(self.reruns(scale), scale, sweep)

    def reruns(self, scale: str) -> dict[str, Cell]:
        """The cells that rerun the best of a sweep, by the sweep's hash; of several of one sweep, the first."""
        found: dict[str, Cell] = {}
        for experiment in self.planned(scale):
            for cell in self.cells(scale, experiment):
                if cell.best_of is not None:
                    found.setdefault(cell.best_of.hash, cell)
        return found

    def scale_of(self, scale: str, experiment: str) -> Scale:
        """`scale` as the experiment carries it out."""
        return self.experiments[experiment].at(self.scales[scale], scale)

    def shards(self, scale: str, experiment: str) -> list[Shard]:
        """The experiment's shards at `scale`: each cell's members in groups of `members_per_shard`."""
        here = self.scale_of(scale, experiment)
        size = here.members_per_shard
        swept = points(self.experiments[experiment].swept_at(scale))
        members = [Member(seed=seed, setting=point) for point in swept for seed in here.seeds]
        groups = [tuple(members[start : start + size]) for start in range(0, len(members), size)]
        return [Shard(cell, group) for cell in self.cells(scale, experiment) for group in groups]

    def all_shards(self, scale: str) -> dict[str, Shard]:
        """Every shard of the scale by hash; cells that experiments share are trained once."""
        return {
            shard.hash: shard for name in self.planned(scale) for shard in self.shards(scale, name)
        }

    def planned_studies(self, scale: str) -> list[str]:
        """Names of the studies that `scale` includes."""
        return [name for name, entry in self.studies.items() if scale in entry.settings]

    def study_shards(self, scale: str, study: str) -> list[Shard]:
        """The shards whose records a study reads at `scale`, each once."""
        entry = self.studies[study]
        read = {
            shard.hash: shard
            for experiment in entry.experiments
            for shard in self.shards(scale, experiment)
            if not entry.methods or shard.cell.method in entry.methods
        }
        return list(read.values())

    def study(self, scale: str, study: str) -> Study:
        """A study as `scale` carries it out."""
        shards = tuple(shard.hash for shard in self.study_shards(scale, study))
        entry = self.studies[study]
        return Study(study, entry, entry.settings[scale], shards)


def load_plan(folder: Path) -> Plan:
    """The plan of the paper in `folder`. Raises SpecificationError."""
    return read_yaml(folder / "experiments.yaml", Plan)


def require_scale(plan: Plan, scale: str, folder: Path) -> None:
    """Raise SpecificationError unless the plan has `scale`."""
    if scale not in plan.scales:
        raise SpecificationError(
            f"{folder / 'experiments.yaml'}: scale {scale!r} is not defined; "
            f"allowed: {', '.join(plan.scales)}"
        )


def _known(name: str, table: Any, kind: str) -> None:
    if name not in table:
        raise SpecificationError(f"unknown {kind} {name!r}; allowed: {', '.join(table)}")
