"""What PrefPoE's studies may be told in `experiments.yaml`. Loads neither torch nor pandas: the Snakefile reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from algorithms.cell import HyperparameterValue, Seed, Seeds
from algorithms.settings import Count
from algorithms.specification import Strict
from envs.registry import ENVIRONMENTS


class Deployment(Strict):
    """`deployment`: the member with `seed` plays `episodes`; then `episodes_per_seed` for each evaluation seed."""

    seed: Seed
    episodes: Count
    evaluation_seeds: Seeds
    episodes_per_seed: Count


class Overhead(Strict):
    """`overhead`: every method trains one member in each mode, `rounds` times `iterations` in turn with the others.

    Parameters are counted in all `environments`, time and memory measured in the first, there with the `overrides` of
    every method's settings: shorter rollouts make rounds shorter, so that there can be more of them.
    """

    environments: Annotated[tuple[str, ...], Field(min_length=1)]
    modes: Annotated[tuple[Literal["eager", "compiled"], ...], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1, le=19)]
    iterations: Count
    overrides: dict[str, HyperparameterValue]

    @field_validator("environments")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ENVIRONMENTS:
                raise ValueError(
                    f"unknown environment {name!r}; allowed: {', '.join(ENVIRONMENTS)}"
                )
        return names


SETTINGS: dict[str, type[Strict]] = {"deployment": Deployment, "overhead": Overhead}
