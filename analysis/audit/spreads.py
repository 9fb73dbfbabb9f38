"""What a printed spread may stand for, as a sample standard deviation (ddof 1)."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.audit.checks import feasibility
from analysis.audit.checks.feasibility import SpreadKind
from analysis.claims import Claim
from analysis.reported import Range

Spread = tuple[str, Range]
"""The name of a reading, and the standard deviations that it allows."""


def ddofs(claim: Claim) -> tuple[int, ...]:
    """The stated divisor, or n − 1 and then n."""
    return (1, 0) if claim.ddof is None else (claim.ddof,)


def sample_std_of(claim: Claim) -> Range | None:
    """The sample standard deviation that the claim prints, read as it says; None without spread or n ≥ 2."""
    return next((spread for _, spread in readings(claim)), None)


def readings(claim: Claim) -> Iterator[Spread]:
    """Every sample standard deviation that the printed spread may stand for, the stated kind first."""
    if claim.value is None:
        return
    spread, n = claim.reported.spread_range, claim.n
    if spread is None or n is None or n < 2:
        return
    for kind in dict.fromkeys((_stated(claim), *feasibility.SPREAD_KINDS)):
        for ddof in ddofs(claim):
            yield f"spread is a {kind}, ddof {ddof}", feasibility.sample_std(spread, n, kind, ddof)


def unit_std(claim: Claim) -> float:
    """The standard deviation that a spread of 1, of the claim's declared kind, stands for; 1 where n is not known."""
    if claim.n is None or claim.n < 2:
        return 1.0
    return feasibility.sample_std(Range.exactly(1.0), claim.n, _stated(claim)).middle


def _stated(claim: Claim) -> SpreadKind:
    return "std" if claim.spread == "unstated" else claim.spread
