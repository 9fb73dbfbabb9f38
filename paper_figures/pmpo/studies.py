"""What this paper's studies may be told in `experiments.yaml`. Loads neither torch nor pandas: the Snakefile reads it."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, model_validator

from algorithms.cell import Seed
from algorithms.language.settings import Arm, Training
from algorithms.offline import settings as offline
from algorithms.settings import METHODS, Count
from algorithms.specification import Strict

T = TypeVar("T")


def _different(values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError(f"each may stand once (got {list(values)})")
    return values


Once = AfterValidator(_different)
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), Once]


class Language(Training):
    """`language`: every arm with every seed; those `swept` with each β of `betas` as well, for the first `swept_seeds`."""

    seeds: Seeds
    arms: Annotated[dict[str, Arm], Field(min_length=1)]
    swept: Annotated[tuple[str, ...], Once] = ()
    betas: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Once] = ()
    swept_seeds: Count = 1

    @model_validator(mode="after")
    def _known_arms(self) -> Language:
        for arm in self.arms:
            if arm not in METHODS:
                raise ValueError(f"arms: unknown method {arm!r}; allowed: {', '.join(METHODS)}")
        for arm in self.swept:
            if arm not in self.arms:
                raise ValueError(f"swept: {arm!r} is no arm; allowed: {', '.join(self.arms)}")
        return self

    def runs(self) -> list[tuple[str, Arm, int]]:
        """Method, arm and seed of every run, each once."""
        planned = [(name, arm, seed) for name, arm in self.arms.items() for seed in self.seeds]
        for name in self.swept:
            for beta in self.betas:
                arm = self.arms[name].model_copy(update={"beta": beta})
                planned += [(name, arm, seed) for seed in self.seeds[: self.swept_seeds]]
        return [run for i, run in enumerate(planned) if run not in planned[:i]]


class Offline(offline.Training):
    """`offline`: every arm with every seed, which draws the data as well where they are collected here."""

    seeds: Seeds
    arms: Annotated[dict[str, offline.Arm], Field(min_length=1)]


SETTINGS: dict[str, type[Strict]] = {"language": Language, "offline": Offline}
