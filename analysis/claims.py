"""A paper's `claims.yaml`: what the paper asserts, in its own words and digits.

A claim keeps its number as a string, because "10.80" asserts more than "10.8". It stands beside the exact
words that carry it, so that a reader can find it, and names the experiment, environment and method whose
records would answer it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from algorithms.cell import load_plan
from algorithms.settings import METHODS
from algorithms.specification import SpecificationError, Strict, read_yaml
from envs.registry import ENVIRONMENTS

if TYPE_CHECKING:
    import pandas as pd

NUMERAL = re.compile(r"[+-]?\d+(\.\d+)?")
Words = Annotated[str, Field(min_length=1)]


class Claim(Strict):
    """One checkable number of the paper.

    `value` is written as the paper prints it, without thousands separators and with an ASCII sign;
    `n` is how many runs the paper says stand behind it, null where it does not say. early_return and
    final_return are mean returns in the first and the last of the phases into which a paper divides training.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
    place: Words
    quote: Words
    kind: Literal["cell"]
    experiment: Words
    environment: Words
    method: Words
    quantity: Literal["mean", "std", "cv", "improvement", "early_return", "final_return"]
    value: str
    unit: str | None = None
    n: Annotated[int, Field(ge=1)] | None = None

    @property
    def number(self) -> float:
        """The value as a number."""
        return float(self.value)

    @property
    def decimals(self) -> int:
        """Digits that the paper prints after the decimal point."""
        return decimals(self.value)

    @field_validator("environment")
    @classmethod
    def _known_environment(cls, name: str) -> str:
        if name not in ENVIRONMENTS:
            raise ValueError(f"unknown environment; allowed: {', '.join(ENVIRONMENTS)}")
        return name

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"unknown method; allowed: {', '.join(METHODS)}")
        return name

    @field_validator("value")
    @classmethod
    def _numeral(cls, value: str) -> str:
        if not NUMERAL.fullmatch(value):
            raise ValueError('must be a quoted decimal number such as "1276" or "10.8"')
        return value

    @model_validator(mode="after")
    def _value_stands_in_quote(self) -> Claim:
        words = re.sub(r"(?<=\d),(?=\d{3})", "", self.quote)
        if self.value.lstrip("+-") not in re.findall(r"\d+(?:\.\d+)?", words):
            raise ValueError(f"value {self.value!r} does not stand in quote {self.quote!r}")
        return self


class Claims(Strict):
    """The contents of `claims.yaml`."""

    claims: tuple[Claim, ...]

    @field_validator("claims")
    @classmethod
    def _unique_ids(cls, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        ids = [claim.id for claim in claims]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"id {twice[0]!r} stands twice; ids must differ")
        return claims


def decimals(value: str) -> int:
    """Digits after the decimal point of a reported number: 1 for "10.8", 2 for "10.80", 0 for "1276"."""
    exponent = Decimal(value).as_tuple().exponent
    return max(0, -int(exponent))


def load_claims(folder: Path) -> tuple[Claim, ...]:
    """The claims of the paper in `folder`, each naming a cell of its plan. Raises SpecificationError."""
    path = folder / "claims.yaml"
    plan = load_plan(folder)
    claims = read_yaml(path, Claims).claims
    for claim in claims:
        place = f"{path}: {claim.id}"
        _require(claim.experiment, list(plan.experiments), f"{place}: experiment")
        experiment = plan.experiments[claim.experiment]
        _require(claim.method, list(experiment.methods), f"{place}: method")
        environments = {name: None for steps in experiment.steps.values() for name in steps}
        _require(claim.environment, list(environments), f"{place}: environment")
    return claims


def _require(value: str, allowed: list[str], place: str) -> None:
    if value not in allowed:
        raise SpecificationError(
            f"{place}: {value!r} is not in experiments.yaml; allowed: {', '.join(allowed)}"
        )


def reported(claims: tuple[Claim, ...], place: str) -> pd.DataFrame:
    """What the paper prints at `place`, one row a claim in the order of the file.

    Columns: environment, method, quantity, value (str, as printed), number (float), decimals (int).
    """
    import pandas as pd  # here: the Snakefile checks claims and must stay light

    rows = [
        (c.environment, c.method, c.quantity, c.value, c.number, c.decimals)
        for c in claims
        if c.place == place
    ]
    columns = ["environment", "method", "quantity", "value", "number", "decimals"]
    return pd.DataFrame(rows, columns=columns)
