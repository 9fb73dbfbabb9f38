"""Where the speed of this machine and the counted work of shards are kept between two calls: a file in scratch.

It is for one machine with one version of torch; on another it is made anew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from algorithms import throughput, work
from algorithms.cell import Shard
from algorithms.records import environment_provenance, write_json
from algorithms.throughput import Line, Speed
from algorithms.work import Calls, Work

FILE = "throughput.json"


@dataclass(frozen=True)
class Calibration:
    """The speed of a machine, and the work of one member of every kind of shard that has been asked about."""

    speed: Speed
    calls: Mapping[str, Calls]


def machine(device: str) -> dict[str, Any]:
    """What tells one machine from another: processor, cores, torch's version, and the device that is measured."""
    told = environment_provenance()
    versions = {"torch": told["versions"]["torch"]}
    return {"processor": told["processor"], "cores": told["cores"], **versions, "device": device}


def calibrate(shards: Iterable[Shard], device: str, scratch: Path) -> Calibration:
    """The speed of this machine for all that `shards` need; what the file in `scratch` lacks is measured and added.

    Raises RecordError where the file cannot be written.
    """
    known = _read(scratch / FILE, machine(device))
    if known is None:
        print("measuring how fast this machine trains: half a minute, once", file=sys.stderr)
        known = Calibration(throughput.measure(torch.device(device)), {})
    asked = list(shards)
    by_key = {work.key(shard): shard for shard in asked}
    environments = {shard.cell.environment for shard in asked}
    found = Calibration(
        replace(known.speed, environments=_stepped(known.speed.environments, environments)),
        {**known.calls, **{k: work.calls(by_key[k]) for k in by_key if k not in known.calls}},
    )
    if found != known:
        scratch.mkdir(parents=True, exist_ok=True)
        write_json(scratch / FILE, {"machine": machine(device), **asdict(found)})
    return found


def _stepped(known: Mapping[str, Line], wanted: Iterable[str]) -> dict[str, Line]:
    """How fast every environment steps that is known or wanted."""
    missing = sorted(set(wanted) - set(known))
    return {**known, **{name: throughput.environment_line(name) for name in missing}}


def _read(path: Path, here: Mapping[str, Any]) -> Calibration | None:
    """What the file holds, if it is of this machine and whole."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["machine"] == here:
            speed = told["speed"]
            lines = {name: Line(*speed[name]) for name in ("on_policy", "replay")}
            stepped = {name: Line(*found) for name, found in speed["environments"].items()}
            return Calibration(
                Speed(**{**speed, **lines, "environments": stepped}),
                {name: _calls(found) for name, found in told["calls"].items()},
            )
    return None


def _calls(told: Mapping[str, Any]) -> Calls:
    parameters = int(told["parameters"])
    work_of = {name: Work(*numbers) for name, numbers in told.items() if name != "parameters"}
    return Calls(**work_of, parameters=parameters)
