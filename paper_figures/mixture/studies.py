"""What this paper's studies may be told in `experiments.yaml`. Loads neither torch nor pandas: the Snakefile reads it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from algorithms.cell import Seed
from algorithms.settings import Count
from algorithms.specification import Strict


class NumericalStudy(Strict):
    """`numerical_study`: `trials` starts, the same for every α of `alphas`, drawn from the streams of `seed`."""

    seed: Seed
    trials: Count
    alphas: Annotated[tuple[Annotated[float, Field(gt=0, le=10)], ...], Field(min_length=1)]

    @field_validator("alphas")
    @classmethod
    def _rising(cls, alphas: tuple[float, ...]) -> tuple[float, ...]:
        if list(alphas) != sorted(set(alphas)):
            raise ValueError(f"must rise from one to the next (got {list(alphas)})")
        return alphas


SETTINGS: dict[str, type[Strict]] = {"numerical_study": NumericalStudy}
