"""Computational overhead (Appendix A.3): what a member of PrefPoE costs beside one of PPO."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from algorithms.records import StudyRecord
from algorithms.settings import METHODS
from analysis.statistics import mean, mean_interval, std
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.prefpoe.studies import Overhead
from paper_figures.tables import Block

Floats = NDArray[np.float64]

NAME, PLACE, STUDY = "table_overhead", "Appendix A.3", "overhead"
PAIRS = (("prefpoe", "ppo"), ("prefpoe_released", "ppo"), ("prefpoe_released", "ppo_matched"))
"""Arms and what each is compared with: the paper's PPO, and PPO with the artefact's architecture."""
CLAIMS = {name: f"appendix_a_3.{name}" for name in ("parameters", "memory", "time")}
PER_STEPS = 1000
COLUMNS = {
    "kind": "object",
    "quantity": "object",
    "method": "object",
    "label": "object",
    "n": "int64",
    "value": "float64",
    "std": "float64",
    "against": "object",
    "overhead": "float64",
    "low": "float64",
    "high": "float64",
    "paper": "object",
}
"""Columns of the values: a row for each quantity and arm; `overhead` in percent over the arm `against`, an arm with two
such comparisons having two rows; `low` and `high` its 95 % interval over rounds within one process, where it is measured in rounds."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the table as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    record = request.read_study(STUDY)
    methods = request.plan.studies[STUDY].methods
    said = {kind: str(request.claims[name].value) for kind, name in CLAIMS.items()}
    found = list(quantities(record, request)) if record else []
    rows = [row | {"paper": said[row["kind"]]} for each in found for row in values(each)]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    artifact.write_values(table, request.output)
    artifact.write_csv(table, request.output)
    pairs = [f"{_label(arm)} over {_label(base)}" for arm, base in PAIRS]
    heads = ("Quantity", "paper", *map(_label, methods), *pairs)
    body = lines(table, methods) if record else unrecorded(said, len(heads))
    block = Block(f"{PLACE}. {request.title}", (), heads, body, 1, notes(record, request))
    tables.write([block], request)


def _label(method: str) -> str:
    return METHODS[method].label


@dataclass(frozen=True)
class Quantity:
    """What is counted or measured: `samples` by method, one number where it is exact, one a round where it is timed."""

    kind: str
    words: str
    samples: Mapping[str, Floats]


def quantities(record: StudyRecord, request: Request) -> Iterator[Quantity]:
    """Every row of the table, from the study's record."""
    settings = request.study_settings(STUDY, Overhead)
    counted = record.table("parameters").set_index(["environment", "method"])
    for environment in settings.environments:
        samples = _single(counted.loc[environment]["parameters"])
        yield Quantity("parameters", f"Parameters, {environment}", samples)
    rollout = counted.loc[settings.environments[0]]["rollout_bytes"]
    memory, rounds = record.table("memory"), record.table("rounds")
    for mode in settings.modes:
        held = memory[memory["mode"] == mode].set_index("method")
        for words, column in (
            ("parameters and Adam's moments, kB", held["state_bytes"] / 1e3),
            ("most allocated by a gradient step, kB", held["update_bytes"] / 1e3),
            (
                "both and a rollout, kB",
                (held["state_bytes"] + held["update_bytes"] + rollout) / 1e3,
            ),
            ("process at most, MB", held["peak_mb"]),
            ("process beyond its libraries, MB", held["peak_mb"] - held["loaded_mb"]),
        ):
            yield Quantity("memory", f"Memory, {mode}: {words}", _single(column))
        timed = rounds[rounds["mode"] == mode].sort_values("round")
        for words, name in (("wall", "seconds"), ("CPU", "cpu_seconds")):
            each = timed[name] * PER_STEPS / timed["steps"]
            samples = {str(m): x.to_numpy(np.float64) for m, x in each.groupby(timed["method"])}
            yield Quantity(
                "time", f"Time, {mode}: {words} seconds per {PER_STEPS:,} steps", samples
            )


def _single(column: pd.Series) -> dict[str, Floats]:
    return {str(method): np.array([value], dtype=np.float64) for method, value in column.items()}


def values(quantity: Quantity) -> Iterator[dict[str, Any]]:
    """The rows of COLUMNS that a quantity becomes, without the paper's number."""
    for method, x in quantity.samples.items():
        what = {"kind": quantity.kind, "quantity": quantity.words}
        who = {"method": method, "label": _label(method)}
        row = {**what, **who, "n": len(x), "value": mean(x), "std": std(x)}
        bases = [base for arm, base in PAIRS if arm == method]
        for base in bases:
            yield row | over(x, base, quantity.samples)
        if not bases:
            yield row | {"against": None, "overhead": np.nan, "low": np.nan, "high": np.nan}


def over(x: Floats, base: str, samples: Mapping[str, Floats]) -> dict[str, Any]:
    """By how many percent x [n] is above the arm `base`, round by round, and the mean's 95 % t interval.

    Rounds are of one process for each arm, so that the interval holds nothing that differs between processes.
    """
    percent = 100 * (x / samples[base] - 1)
    low, high = mean_interval(percent)
    return {"against": base, "overhead": mean(percent), "low": low, "high": high}


def lines(table: pd.DataFrame, methods: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """A line for each quantity: the paper's number, each arm's, and the overheads."""
    found = []
    for words, part in table.groupby("quantity", sort=False):
        arms = {row["method"]: row for row in part.to_dict("records")}
        compared = {(row["method"], row["against"]): row for row in part.to_dict("records")}
        found.append(
            (
                str(words),
                str(part["paper"].iloc[0]),
                *(_value(arms[method]) for method in methods),
                *(_overhead(compared[pair]) for pair in PAIRS),
            )
        )
    return tuple(found)


def _value(row: Mapping[str, Any]) -> str:
    if row["kind"] == "parameters":
        return f"{row['value']:,.0f}"
    return (
        style.number(row["value"], 1)
        if row["n"] == 1
        else style.mean_and_std(row["value"], row["std"])
    )


def _overhead(row: Mapping[str, Any]) -> str:
    if row["n"] == 1:
        return style.percent(row["overhead"], signed=True)
    return style.percent_interval(row["overhead"], row["low"], row["high"])


def unrecorded(said: Mapping[str, str], width: int) -> tuple[tuple[str, ...], ...]:
    """The paper's numbers alone."""
    rest = ["not recorded yet", *[style.MISSING] * (width - 3)]
    return tuple((kind.capitalize(), value, *rest) for kind, value in said.items())


def notes(record: StudyRecord | None, request: Request) -> tuple[str, ...]:
    """What is measured, how, and where."""
    settings = request.study_settings(STUDY, Overhead)
    device = f"; it names an {request.paper.compute.device}" if request.paper.compute else ""
    changed = ", ".join(f"{name} = {value}" for name, value in settings.overrides.items())
    said = [
        f"{request.scale_words}.",
        "Parameters are counted in freshly made networks. Time and memory are of one member trained alone on "
        f"{settings.environments[0]}, a process for each arm and mode, one thread; processes take turns for "
        f"{settings.rounds} rounds, each {settings.iterations} × collecting and updating "
        f"({changed or 'own settings'}), after one that does not count. Times: mean ± standard deviation (ddof = 1) over rounds; overheads compare arms "
        "round by round, in brackets the 95 % t interval of their mean: the spread over rounds within one process; not an interval for a new "
        f"process. {timed(settings, request.plan.studies[STUDY].methods)}",
        "Most allocated by a gradient step: what torch books beyond parameters, moments and rollout, of a minibatch "
        "as training has it. The process holds libraries, simulator and compiler too. What the paper counts as memory "
        f"and time is not stated{device}.",
    ]
    if record is not None:
        how = record.meta["provenance"]
        rounds = record.table("rounds")
        other = rounds[rounds["mode"] != rounds["ran"]]
        said.append(
            f"Measured on {how['processor']}, {how['cores']} cores, torch {how['versions']['torch']}, "
            f"load average {how['load_average'][0]:g} at the start."
        )
        for (mode, ran), _ in other.groupby(["mode", "ran"]):
            said.append(
                f"Asked to run {mode}, processes ran {ran}: torch.compile does not work there."
            )
    return tuple(said)


def timed(settings: Overhead, methods: Sequence[str]) -> str:
    """What one round consists of, in words: steps and minibatches, which may differ between methods."""
    found = []
    for method in methods:
        own = {**METHODS[method].settings.model_dump(), **settings.overrides}
        steps, minibatches = own["environments"] * own["rollout_steps"], own["minibatches"]
        found.append(
            f"{settings.iterations * steps:,} environment steps and, {settings.iterations} × {own['epochs']} epochs, {minibatches} "
            f"minibatches of {steps // minibatches}"
        )
    return f"A round is {' or '.join(dict.fromkeys(found))}, without evaluation and records."


if __name__ == "__main__":
    sys.exit(main())
