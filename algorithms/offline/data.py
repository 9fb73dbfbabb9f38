"""Sets of episodes on disk, in the format of Minari (https://minari.farama.org), version 0.5, stored as HDF5.

A set is a folder with data/main_data.hdf5 and data/metadata.json. An episode is a group `episode_{i}` with `observations`
[T + 1, O], `actions` [T, A], `rewards`, `terminations` and `truncations` [T], and perhaps a group `infos`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from algorithms.header import sha256
from algorithms.specification import SpecificationError
from envs.pool import Flags, Floats
from envs.registry import Continuous, Environment

DATA, METADATA = Path("data", "main_data.hdf5"), Path("data", "metadata.json")
FORMAT = "hdf5"
VERSION = "0.5.4"
"""Of Minari, whose format is written; its own reader loads what is written (and ours what it writes)."""
ROUNDING = 1e-6
"""How far beyond its bounds an action may lie, as a share of their distance: float32 rounds."""


class Episode(NamedTuple):
    """One episode: `observation` [T + 1, O], `action` [T, A] in the environment's units, the others [T].

    `label` is 1 for accepted, 0 for rejected, or None where there is none.
    """

    observation: Floats
    action: Floats
    reward: Floats
    terminated: Flags
    truncated: Flags
    label: Floats | None = None


def read_minari(folder: Path, world: Environment, labels: str | None = None) -> list[Episode]:
    """The episodes of the set in `folder`, in order, with the infos called `labels` as labels where that is given.

    Raises SpecificationError, one line with file, key, value and what is allowed, for whatever is missing, not finite
    or does not fit `world`; observations of several parts (a dict or a tuple) or of images are refused too.
    """
    told = _metadata(folder / METADATA)
    path = folder / DATA
    try:
        with h5py.File(path, "r") as file:
            count = told["total_episodes"]
            _require(
                count == len(file), path, "groups", f"{len(file)}", f"{count}, as metadata.json has"
            )
            _require(count > 0, path, "groups", "none", "at least one episode")
            return [_episode(path, file, f"episode_{i}", world, labels) for i in range(count)]
    except OSError as error:
        reason = " ".join(str(error).split())
        raise SpecificationError(f"{path}: cannot be read as HDF5: {reason}") from error


def write_minari(
    folder: Path, episodes: Sequence[Episode], world: Environment, about: Mapping[str, Any]
) -> None:
    """Write a set into `folder`; `about` goes into its metadata. Raises SpecificationError where one is there."""
    if (folder / METADATA).exists():
        raise SpecificationError(
            f"{folder / METADATA}: holds a data set already; allowed: a new folder"
        )
    assert isinstance(world.action, Continuous)
    (folder / DATA).parent.mkdir(parents=True, exist_ok=True)
    steps = [len(episode.reward) for episode in episodes]
    with h5py.File(folder / DATA, "w", track_order=True) as file:
        for index, (episode, length) in enumerate(zip(episodes, steps, strict=True)):
            group = file.create_group(f"episode_{index}")
            group.attrs.update({"id": index, "total_steps": length})
            for name, values in zip(_KEYS, episode[: len(_KEYS)], strict=True):
                group.create_dataset(name, data=values)
    infinite = [float("inf")] * world.observation_size
    told = {
        "total_episodes": len(episodes),
        "total_steps": sum(steps),
        "data_format": FORMAT,
        "observation_space": _box([-each for each in infinite], infinite),
        "action_space": _box(
            [world.action.low] * world.action.size, [world.action.high] * world.action.size
        ),
        "minari_version": VERSION,
        **about,
    }
    (folder / METADATA).write_text(json.dumps(told), encoding="utf-8")


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of the set's files, by name. Raises SpecificationError for one that cannot be read."""
    found = {}
    for path in (folder / METADATA, folder / DATA):
        try:
            found[path.name] = sha256(path)
        except OSError as error:
            raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    return found


_KEYS = ("observations", "actions", "rewards", "terminations", "truncations")


def _box(low: list[float], high: list[float]) -> str:
    """A gymnasium Box as Minari serialises it."""
    return json.dumps(
        {"type": "Box", "dtype": "float64", "shape": [len(low)], "low": low, "high": high}
    )


def _metadata(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecificationError(
            f"{path}: cannot be read: {error.strerror}; a data set in Minari's format has it"
        ) from error
    except ValueError as error:
        raise SpecificationError(f"{path}: not valid JSON: {error}") from error
    for key in ("total_episodes", "data_format"):
        _require(
            isinstance(told, dict) and key in told, path, key, "missing", "a data set of Minari"
        )
    known, count = told["data_format"], told["total_episodes"]
    _require(known == FORMAT, path, "data_format", repr(known), FORMAT)
    _require(isinstance(count, int), path, "total_episodes", repr(count), "a whole number")
    return dict(told)


def _episode(
    path: Path, file: h5py.File, name: str, world: Environment, labels: str | None
) -> Episode:
    if name not in file:
        raise SpecificationError(f"{path}: {name}: missing; allowed: episode_0, episode_1, …")
    group = file[name]
    assert isinstance(world.action, Continuous)
    length = len(_array(path, group, name, "rewards", 1))
    observation = _array(path, group, name, "observations", 2)
    action = _array(path, group, name, "actions", 2)
    shapes = {
        "observations": (observation, (length + 1, world.observation_size)),
        "actions": (action, (length, world.action.size)),
    }
    for key, (values, shape) in shapes.items():
        fits = f"{shape}, of {length} rewards and {world.name}"
        _require(values.shape == shape, path, f"{name}/{key}", f"shape {values.shape}", fits)
    _require(length > 0, path, f"{name}/rewards", "no step", "at least one")
    _require_bounds(path, f"{name}/actions", action, world.action)
    reward, *ends = (_array(path, group, name, key, 1, length) for key in _KEYS[2:])
    terminated, truncated = (values.astype(np.bool_) for values in ends)
    label = None if labels is None else _labels(path, group, name, labels, length)
    return Episode(observation, action, reward, terminated, truncated, label)


def _array(
    path: Path, group: Any, name: str, key: str, dimensions: int, length: int | None = None
) -> NDArray[np.float64]:
    """A finite array of numbers as float64."""
    place = f"{name}/{key}"
    if not isinstance(group, h5py.Group) or key not in group:
        raise SpecificationError(
            f"{path}: {place}: missing; allowed: {', '.join(_KEYS)} in each episode"
        )
    found = group[key]
    if not isinstance(found, h5py.Dataset):
        parts = ", ".join(found)
        raise SpecificationError(
            f"{path}: {place}: has parts ({parts}); allowed: one array, lay them side by side first"
        )
    _require(found.dtype.kind in "fiub", path, place, f"type {found.dtype}", "numbers")
    _require(
        found.ndim == dimensions, path, place, f"shape {found.shape}", f"{dimensions} dimension(s)"
    )
    if length is not None:
        _require(
            len(found) == length, path, place, f"{len(found)} steps", f"{length}, as rewards has"
        )
    values: NDArray[np.float64] = found[()].astype(np.float64)
    unfit = np.argwhere(~np.isfinite(values))
    if len(unfit):
        at = tuple(int(i) for i in unfit[0])
        where = f"{place}[{', '.join(map(str, at))}]"
        _require(False, path, where, str(values[at]), "finite numbers")
    return values


def _labels(path: Path, group: h5py.Group, name: str, key: str, length: int) -> Floats:
    """Labels of an episode's steps; infos have one more row, the first, which is that of the reset."""
    place = f"{name}/infos"
    if "infos" not in group or key not in group["infos"]:
        raise SpecificationError(f"{path}: {place}/{key}: missing; the episode is not labelled")
    found = _array(path, group["infos"], place, key, 1)
    allowed = f"{length}, or one more, the first of which is the reset's"
    _require(
        len(found) in (length, length + 1), path, f"{place}/{key}", f"{len(found)} labels", allowed
    )
    found = found[len(found) - length :]
    other = found[(found != 0) & (found != 1)]
    _require(not len(other), path, f"{place}/{key}", _first(other), "1 (accepted), 0 (rejected)")
    return found


def _require_bounds(path: Path, place: str, action: Floats, space: Continuous) -> None:
    slack = ROUNDING * (space.high - space.low)
    outside = action[(action < space.low - slack) | (action > space.high + slack)]
    _require(not len(outside), path, place, _first(outside), f"[{space.low:g}, {space.high:g}]")


def _first(values: Floats) -> str:
    """The first of some values as print has it; empty where there is none."""
    return "".join(f"{value:g}" for value in values[:1])


def _require(fits: bool, path: Path, key: str, value: str, allowed: str) -> None:
    if not fits:
        raise SpecificationError(f"{path}: {key}: {value}; allowed: {allowed}")
