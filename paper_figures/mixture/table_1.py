"""Table 1: training times. The paper's are of one run on its machine; ours are of shards, whose members train in lock-step."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from algorithms.settings import METHODS
from analysis.load import find_record
from paper_figures import artifact, style, tables
from paper_figures.artifact import Request
from paper_figures.tables import Block

NAME = "table_1"
ARMS = {"rep_squashed": "rep", "half_rep_sgm": "half", "gumbel_rep_sgm": "gumbel"}
"""The table's columns, and how the paper's claims call them."""


@dataclass(frozen=True)
class Row:
    """A row of the table: what the paper calls it, its claims, and the records that answer it."""

    label: str
    claims: str
    experiment: str
    environment: str
    steps: int


ROWS = (
    Row("Pendulum-CPU-10K", "pendulum", "classic", "Pendulum", 10_000),
    Row("Pendulum-CPU-100K (projected)", "pendulum_projected", "classic", "Pendulum", 100_000),
    Row("HalfCheetah-GPU-100K", "half_cheetah", "mujoco", "HalfCheetah-v4", 100_000),
    Row(
        "HalfCheetah-GPU-1000K (projected)",
        "half_cheetah_projected",
        "mujoco",
        "HalfCheetah-v4",
        1_000_000,
    ),
)
COLUMNS = {
    "row": "object",
    "environment": "object",
    "steps": "int64",
    "method": "object",
    "paper": "object",
    "members": "int64",
    "shard_members": "float64",
    "shard_seconds": "float64",
    "member_seconds": "float64",
    "machine": "object",
}
"""Columns of the values, a row for each number of the paper: seconds for so many steps of a whole shard, and a member's
share of them; NaN without a record."""


def main(argv: Sequence[str] | None = None) -> int:
    """Draw Table 1 as the command line asks."""
    return artifact.draw(NAME, render, argv)


def render(request: Request) -> None:
    """Write the four files of the table."""
    rows = [entry for row in ROWS for entry in times(row, request)]
    values = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    artifact.write_values(values, request.output)
    artifact.write_csv(values, request.output)
    tables.write([block(values, request)], request)


def times(row: Row, request: Request) -> Iterator[dict[str, Any]]:
    """What is known of a row, an entry for each arm.

    A shard's time for `row.steps` is projected from its throughput: the steps of all its members in a second of training, without
    compiling, evaluation and records.
    """
    for method, arm in ARMS.items():
        told = list(provenance(row, method, request))
        made = sum(one["training_seconds"] * one["steps_per_second"] for one in told)
        members = sum(one["members"] for one in told)
        seconds = sum(one["training_seconds"] for one in told) / made if told else float("nan")
        shard = members / len(told) if told else float("nan")
        yield {
            "row": row.label,
            "environment": row.environment,
            "steps": row.steps,
            "method": method,
            "paper": request.claims[f"table_1.{row.claims}.{arm}"].value,
            "members": members,
            "shard_members": shard,
            "shard_seconds": row.steps * seconds * shard,
            "member_seconds": row.steps * seconds,
            "machine": "; ".join(dict.fromkeys(machine(one) for one in told)),
        }


def provenance(row: Row, method: str, request: Request) -> Iterator[dict[str, Any]]:
    """How each shard of the row's cell was trained, with its number of `members`."""
    for shard in request.plan.shards(request.scale, row.experiment):
        if (shard.cell.environment, shard.cell.method) != (row.environment, method):
            continue
        record = find_record(shard, request.records)
        if record is not None:
            yield {**record.meta["provenance"], "members": len(shard.members)}


def machine(told: dict[str, Any]) -> str:
    """ "AMD EPYC, cpu, 1 thread, eager"."""
    threads = f"{told['threads']} thread" + ("s" if told["threads"] > 1 else "")
    return f"{told['processor']}, {told['device']}, {threads}, {told['mode']}"


def block(values: pd.DataFrame, request: Request) -> Block:
    """The table as it is printed: for each arm the paper's time, a shard's, and a member's share."""
    lines = []
    for label, part in values.groupby("row", sort=False):
        arms = part.set_index("method")
        cells = [cell for method in ARMS for cell in printed(arms.loc[method])]
        lines.append((str(label), *cells))
    spans = (("", 1), *((METHODS[method].label, 3) for method in ARMS))
    heads = ("", *(("paper", "our shard", "a member") * len(ARMS)))
    return Block(request.title, spans, heads, tuple(lines), 1, notes(values, request))


def printed(entry: pd.Series) -> tuple[str, str, str]:
    """The paper's time, ours of a shard and of a member."""
    if not entry["members"]:
        return str(entry["paper"]), style.NO_RECORDS, style.MISSING
    return (
        str(entry["paper"]),
        f"{style.number(entry['shard_seconds'], 0)} s ({entry['shard_members']:g})",
        f"{style.number(entry['member_seconds'], 1)} s",
    )


def notes(values: pd.DataFrame, request: Request) -> tuple[str, ...]:
    """What the numbers are of."""
    machines = [name for name in dict.fromkeys(values["machine"]) if name]
    return (
        f"{request.scale_words}. The paper's times are of one run on an AMD Ryzen 9 5900X and an NVIDIA GeForce RTX 3080 Ti. Ours are projected "
        "from the throughput of recorded shards, whose members train in lock-step beside whatever else ran there: for the whole "
        "shard (its members in parentheses), and a member's share. Without compiling, evaluation and records.",
        *([f"Ours: {'; '.join(machines)}."] if machines else []),
    )


if __name__ == "__main__":
    sys.exit(main())
