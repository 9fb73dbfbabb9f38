"""From the tests of a claim's parts to one verdict, by a rule that is fixed before there are records.

A claim about several environments, or about every value of a hyperparameter, has a part for each. A part has two p-values:
of the test that may support the claim and of the one that may contradict it. At 5 %:

replicated    every part supports the claim. Each is tested at the full level: to err, the claim must be wrong of some
              part and that part's test must err (intersection–union test, Berger 1982).
contradicted  some part contradicts it after Holm's correction over the parts, since any of them could err.
underpowered  neither: the runs do not decide. Absence of a difference is never read as equality.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.audit.checks.replication import Replication
from analysis.statistics import SIGNIFICANCE, holm


@dataclass(frozen=True)
class Part:
    """What our runs say of one part of a claim.

    `supports` and `contradicts` are p-values of two-sided tests, 1 where the estimate is on the other side. `power`
    says what the test could have found.
    """

    name: str
    said: str
    supports: float
    contradicts: float
    power: str


def decide(parts: Sequence[Part], check: str) -> Replication:
    """The verdict on a claim from all of its parts."""
    against = holm(np.array([part.contradicts for part in parts]))
    if all(part.supports < SIGNIFICANCE for part in parts):
        verdict = "replicated"
    else:
        verdict = "contradicted" if (against < SIGNIFICANCE).any() else "underpowered"
    told = [f"{part.name}: {part.said}" for part in parts]
    if len(parts) > 1:
        support = holm(np.array([part.supports for part in parts]))
        each = ", ".join(
            f"{part.name} {p:.2g} for and {q:.2g} against"
            for part, p, q in zip(parts, support, against, strict=True)
        )
        told.append(f"Holm-adjusted p: {each}")
    power = "; ".join(f"{part.name}: {part.power}" for part in parts)
    return Replication(verdict, "; ".join(told), check, power)  # type: ignore[arg-type]


def sided(estimate: float, p: float) -> tuple[float, float]:
    """`supports` and `contradicts` of a two-sided test whose estimate is positive where it supports the claim."""
    return (p, 1.0) if estimate > 0 else (1.0, p)
