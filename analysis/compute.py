"""What a paper states of its own training: minutes of a run on each environment, and the runs that they are for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from analysis.claims import ById, Claim
from analysis.paper import Compute


@dataclass(frozen=True)
class Stated:
    """The paper's `device`, its claims of minutes a run by environment, and the arms whose means it prints there."""

    device: str
    times: Mapping[str, Claim]
    arms: tuple[Claim, ...]

    @property
    def minutes(self) -> dict[str, float]:
        """Minutes of one run, by environment."""
        return {place: float(claim.reported.value) for place, claim in self.times.items()}

    @property
    def runs(self) -> int:
        """How many runs the arms are."""
        return sum(arm.n or 0 for arm in self.arms)

    @property
    def hours(self) -> float:
        """Hours of all runs together."""
        minutes = self.minutes
        return sum((arm.n or 0) * minutes[str(arm.environment)] for arm in self.arms) / 60

    def sentence(self) -> str:
        """What the paper states, and what it comes to."""
        said = ", ".join(f"{claim.value} on {place}" for place, claim in self.times.items())
        where = ", ".join(dict.fromkeys(claim.place for claim in self.times.values()))
        return (
            f"The paper states the minutes of one run ({where}; {self.device}), {said}: {hours(self.hours)} "
            f"GPU-hours for the {self.runs} runs on these environments whose means it prints."
        )


def stated(compute: Compute, by_id: ById) -> Stated:
    """What `compute` names, among the paper's claims."""
    times = {place: by_id[name] for place, name in compute.minutes.items()}
    return Stated(compute.device, times, tuple(printed_arms(by_id, times)))


def printed_arms(by_id: ById, environments: Collection[str]) -> list[Claim]:
    """The first mean over seeds that the paper prints of every arm on one of `environments`."""
    arms: dict[tuple[str | None, str | None], Claim] = {}
    for claim in by_id.values():
        over_seeds = claim.kind == "mean" and claim.n is not None and claim.unit is None
        if over_seeds and claim.environment in environments and claim.phase is None:
            arms.setdefault((claim.environment, claim.method), claim)
    return list(arms.values())


def hours(value: float) -> str:
    """Hours with two digits, whole from ten on."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
