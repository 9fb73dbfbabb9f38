"""What to train: cells, members and shards, read from a paper's `experiments.yaml`.

Everything here is frozen, validated and hashed. A shard's hash covers what decides its result (environment,
method and its version, every hyperparameter, steps, segments, protocol, and each member's setting and
seed) and nothing else; it is part of the record's path. Importing this module loads neither torch nor
envpool, so the Snakefile may.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass as pydantic_dataclass

from algorithms.settings import METHODS, PPO, Count, resolve
from algorithms.specification import SpecificationError, Strict, explain, read_yaml
from envs.registry import ENVIRONMENTS, Environment

# Environments in which a member is evaluated at once; which first states it meets depends on it.
EVALUATION_COPIES = 10
SCALES = ("smoke", "quick", "reduced", "paper")

Segments = Annotated[int, Field(ge=1, le=20)]
CurveRows = Annotated[int, Field(ge=1, le=500)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
HyperparameterValue = float | int | bool | str | tuple[float | int, ...]


class Member(Strict):
    """One training run in a cell: one seed with one setting of the swept hyperparameters."""

    seed: Seed
    setting: dict[str, float] = Field(default_factory=dict)


@pydantic_dataclass(frozen=True)
class Protocol:
    """How a run is cut, evaluated and recorded."""

    segments: Segments
    evaluation_episodes: Count
    curve_rows: CurveRows


@dataclass(frozen=True)
class Cell:
    """One method on one environment: what becomes one cell of a table, one curve of a figure."""

    method: str
    environment: str
    settings: PPO
    steps: int
    protocol: Protocol

    @property
    def world(self) -> Environment:
        """The environment's entry in the registry."""
        return ENVIRONMENTS[self.environment]

    @property
    def iterations(self) -> int:
        """Rounds of collecting and updating: whole rollouts within `steps`, as CleanRL counts them."""
        return self.steps // self.settings.batch_size

    @property
    def segment_iterations(self) -> int:
        """Iterations between two checkpoints; the last segment may be shorter."""
        return -(-self.iterations // self.protocol.segments)

    def content(self) -> dict[str, Any]:
        """Everything that decides the cell's result, as plain JSON data."""
        return {
            "environment": self.environment,
            "method": self.method,
            "version": METHODS[self.method].version,
            "settings": self.settings.model_dump(mode="json"),
            "steps": self.steps,
            "segments": self.protocol.segments,
            "evaluation_episodes": self.protocol.evaluation_episodes,
            "evaluation_copies": EVALUATION_COPIES,
            "curve_rows": self.protocol.curve_rows,
        }


def make_cell(
    method: str, environment: str, overrides: dict[str, Any], steps: int, protocol: Protocol
) -> Cell:
    """A validated cell. Raises SpecificationError naming the offending value and what is allowed."""
    _known(method, METHODS, "method")
    _known(environment, ENVIRONMENTS, "environment")
    kind = ENVIRONMENTS[environment].action_kind
    served = METHODS[method].action_kinds
    if kind not in served:
        raise SpecificationError(
            f"method {method!r} serves {' and '.join(served)} actions; {environment} has {kind} ones"
        )
    try:
        settings = resolve(method, overrides)
    except ValidationError as error:
        raise SpecificationError(explain(error, f"settings of {method}")) from error
    cell = Cell(method, environment, settings, steps, protocol)
    if cell.iterations < 1:
        raise SpecificationError(
            f"steps = {steps} is less than one rollout of {method} ({settings.batch_size} steps)"
        )
    return cell


@dataclass(frozen=True)
class Shard:
    """The members of a cell that one job trains together, in lock-step, as one population."""

    cell: Cell
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        swept = {name for member in self.members for name in member.setting}
        foreign = swept - set(self.cell.settings.per_member())
        if foreign:
            raise SpecificationError(
                f"{sorted(foreign)[0]!r} cannot differ between members of {self.cell.method}; "
                f"allowed: {', '.join(self.cell.settings.per_member())}"
            )
        for member in self.members:
            self._in_range(member.setting)

    def _in_range(self, setting: dict[str, float]) -> None:
        settings = self.cell.settings
        try:
            type(settings).model_validate({**settings.model_dump(), **setting})
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

    @property
    def name(self) -> str:
        """The record's path below a records folder: environment/method-hash."""
        return f"{self.cell.environment}/{self.cell.method}-{self.hash}"


def content_hash(content: dict[str, Any]) -> str:
    """Hash of plain JSON data, independent of key order."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


class Scale(Strict):
    """How much of the published protocol a scale carries out."""

    note: str
    seeds: tuple[Seed, ...]
    members_per_shard: Count
    segments: Segments
    evaluation_episodes: Count
    curve_rows: CurveRows

    @field_validator("seeds")
    @classmethod
    def _unique(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("must name at least one seed")
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"seed {twice[0]} stands twice; seeds must differ")
        return seeds

    @property
    def protocol(self) -> Protocol:
        """The part of the scale that belongs to every cell."""
        return Protocol(self.segments, self.evaluation_episodes, self.curve_rows)


class Experiment(Strict):
    """A named study in a paper: methods × environments × hyperparameter grid × seeds.

    `steps` gives environment steps a member for each scale and environment; a scale that it does not
    name leaves the experiment out. `contrasts` are pairs (arm, against) that are compared besides every
    arm with the baseline.
    """

    title: str
    baseline: str
    methods: tuple[str, ...]
    steps: dict[str, dict[str, Count]]
    contrasts: tuple[tuple[str, str], ...] = ()
    settings: dict[str, HyperparameterValue] = Field(default_factory=dict)
    grid: dict[str, tuple[float, ...]] = Field(default_factory=dict)

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

    @field_validator("grid")
    @classmethod
    def _filled_grid(cls, grid: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for name, values in grid.items():
            if not values:
                raise ValueError(f"grid of {name!r} is empty; give at least one value")
            if len(set(values)) < len(values):
                raise ValueError(f"grid of {name!r} names a value twice")
        return grid

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

    def points(self) -> Iterator[dict[str, float]]:
        """Every setting of the grid; one empty setting where nothing is swept."""
        for values in itertools.product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))


class Plan(Strict):
    """A paper's `experiments.yaml`."""

    scales: dict[str, Scale]
    experiments: dict[str, Experiment]

    @field_validator("scales")
    @classmethod
    def _known_scales(cls, scales: dict[str, Scale]) -> dict[str, Scale]:
        for scale in scales:
            _known(scale, SCALES, "scale")
        return scales

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

    def planned(self, scale: str) -> list[str]:
        """Names of the experiments that `scale` includes."""
        return [name for name, entry in self.experiments.items() if scale in entry.steps]

    def cells(self, scale: str, experiment: str) -> list[Cell]:
        """The experiment's cells at `scale`, in the order of the file."""
        entry = self.experiments[experiment]
        protocol = self.scales[scale].protocol
        return [
            make_cell(method, environment, entry.settings, steps, protocol)
            for environment, steps in entry.steps[scale].items()
            for method in entry.methods
        ]

    def shards(self, scale: str, experiment: str) -> list[Shard]:
        """The experiment's shards at `scale`: each cell's members in groups of `members_per_shard`."""
        size = self.scales[scale].members_per_shard
        members = [
            Member(seed=seed, setting=point)
            for point in self.experiments[experiment].points()
            for seed in self.scales[scale].seeds
        ]
        groups = [tuple(members[start : start + size]) for start in range(0, len(members), size)]
        return [Shard(cell, group) for cell in self.cells(scale, experiment) for group in groups]

    def all_shards(self, scale: str) -> dict[str, Shard]:
        """Every shard of the scale by hash; cells that experiments share are trained once."""
        return {
            shard.hash: shard for name in self.planned(scale) for shard in self.shards(scale, name)
        }


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
