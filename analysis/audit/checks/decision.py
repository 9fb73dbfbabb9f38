"""From the tests of a claim's parts to one verdict, by a rule that is fixed before there are records.

A claim about several environments, or about every value of a hyperparameter, has a part for each. A part has two p-values:
of the test that may support the claim and of the one that may contradict it. At 5 %:

replicated    every part supports the claim. Each is tested at the full level: to err, the claim must be wrong of some
              part and that part's test must err (intersection–union test, Berger 1982).
contradicted  some part contradicts it after Holm's correction over the parts, since any of them could err.
underpowered  neither: the runs do not decide. Absence of a difference is never read as equality.
untested      every part that there are runs for supports it, and some lack theirs.

Parts that lack runs leave the others as they are. They count in Holm's correction, so that a claim that is contradicted
without them remains so when they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.audit.checks.replication import Replication, Verdict
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


def decide(
    parts: Sequence[Part], check: str, lacking: Mapping[str, str] | None = None, each: int = 1
) -> Replication:
    """The verdict on a claim from all of its parts.

    `lacking` says of environments without runs what they lack; each of them would be `each` parts.
    """
    lacking = lacking or {}
    support, against = (
        holm(np.array([*values, *[1.0] * (each * len(lacking))]))[: len(parts)]
        for values in (
            [part.supports for part in parts],
            [part.contradicts for part in parts],
        )
    )
    shares = [part.supports < SIGNIFICANCE for part in parts]
    if (against < SIGNIFICANCE).any():
        verdict: Verdict = "contradicted"
    elif not all(shares):
        verdict = "underpowered"
    else:
        verdict = "untested" if lacking else "replicated"
    several = len(parts) + len(lacking) > 1
    told = []
    for part, own, q in zip(parts, shares, against, strict=True):
        word = "supported" if own else "contradicted" if q < SIGNIFICANCE else "undecided"
        told.append(f"{part.name}{f' ({word})' if several else ''}: {part.said}")
    told += [f"{name} (untested): {why}" for name, why in lacking.items()]
    if several:
        adjusted = (
            f"{part.name} {p:.2g} for and {q:.2g} against"
            for part, p, q in zip(parts, support, against, strict=True)
        )
        told.append(f"Holm-adjusted p: {', '.join(adjusted)}")
    power = "; ".join(f"{part.name}: {part.power}" for part in parts)
    return Replication(verdict, "; ".join(told), check, power)


def sided(estimate: float, p: float) -> tuple[float, float]:
    """`supports` and `contradicts` of a two-sided test whose estimate is positive where it supports the claim."""
    return (p, 1.0) if estimate > 0 else (1.0, p)
