"""Episodes of mixed quality on the reacher of the DeepMind Control Suite, by controllers that are written down.

A two-link arm brings its fingertip to a target and keeps it there. A controller pulls the fingertip with a virtual spring to a
goal and damps the joints, u = kJᵀ(goal − fingertip) − dq̇, with normal noise on u, clipped to [−1, 1]. Every episode
is one controller's. Which, does not stand in the observation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from algorithms.offline.data import Episode, write_minari
from algorithms.offline.playing import play
from algorithms.seeding import Purpose, environment_seeds, stream
from algorithms.specification import SpecificationError
from envs.pool import Floats, Indices
from envs.registry import ENVIRONMENTS, Environment

WORLDS = ("ReacherEasy-v1", "ReacherHard-v1")
STEPS = 100
"""Of an episode, which is cut off then: two seconds, twice what the skilled need to be there."""
COPIES = 20
"""Of the environment, in which episodes are played one after the other; making one takes longer than an episode."""
LINK = 0.12
"""Length of either link in metres (reacher.xml of dm_control); the base stands at the origin."""


@dataclass(frozen=True)
class Behaviour:
    """A controller: stiffness k and damping d in units of the largest torque (a metre, a radian a second), std of the noise."""

    stiffness: float
    damping: float
    noise: float
    goal: Literal["target", "opposite"] = "target"


BEHAVIOURS = {
    "skilled": Behaviour(100.0, 0.3, 0.1),
    "weak": Behaviour(20.0, 0.3, 0.5),
    "astray": Behaviour(100.0, 0.3, 0.1, "opposite"),
    "random": Behaviour(0.0, 0.0, 0.5),
}
"""Equally many episodes each. One that goes astray does another task well: it reaches for the point opposite the target,
seen from the base."""


def drawn_behaviours(seed: int, episodes: int) -> list[str]:
    """Which behaviour each episode is of: equally many of each, as far as they go, in an order that the seed draws."""
    names = [list(BEHAVIOURS)[i % len(BEHAVIOURS)] for i in range(episodes)]
    return [names[i] for i in stream(seed, Purpose.STARTING_POINTS).permutation(episodes)]


def collect(world: Environment, seed: int, episodes: int) -> list[Episode]:
    """Episodes of `drawn_behaviours`, in order, from environments and noise that the seed draws. Raises SpecificationError."""
    if world.name not in WORLDS:
        raise SpecificationError(
            f"environment: {world.name}: no behaviours are written for it; allowed: {', '.join(WORLDS)}"
        )
    if episodes % COPIES:
        raise SpecificationError(f"episodes: {episodes}; allowed: multiples of {COPIES}")
    played = [BEHAVIOURS[name] for name in drawn_behaviours(seed, episodes)]
    k, d, noise = (
        np.array([[getattr(each, name)] for each in played])
        for name in ("stiffness", "damping", "noise")
    )
    away = np.array([each.goal == "opposite" for each in played])
    random = stream(seed, Purpose.ACTION_NOISE)

    def act(observation: Floats, which: Indices) -> Floats:
        pull = torque(observation, away[which], k[which], d[which])
        acted: Floats = pull + noise[which] * random.standard_normal(pull.shape)
        return acted

    seeds = environment_seeds(seed, Purpose.TRAINING_ENVIRONMENT, 0, COPIES)
    return play(replace(world, horizon=STEPS), act, seeds, episodes // COPIES)


def torque(observation: Floats, away: Floats, stiffness: Floats, damping: Floats) -> Floats:
    """kJᵀ(goal − fingertip) − dq̇ [K, 2] at observations [K, 6]: joint angles, fingertip to target, joint velocities.

    `away` [K] says for whom the goal is opposite the target; stiffness and damping are [K, 1].
    """
    shoulder, elbow = observation[:, 0], observation[:, 0] + observation[:, 1]
    upper, fore = (
        LINK * np.stack((np.cos(angle), np.sin(angle)), 1) for angle in (shoulder, elbow)
    )
    tip, to_target = upper + fore, observation[:, 2:4]
    to_goal = np.where(away[:, None], -(tip + to_target) - tip, to_target)
    turned = np.stack([_turned(tip), _turned(fore)], 1)
    pulled: Floats = stiffness * np.einsum("kja,ka->kj", turned, to_goal)
    return pulled - damping * observation[:, 4:6]


def _turned(vector: Floats) -> Floats:
    """How the end of a vector [K, 2] moves when it turns: a quarter turn of it."""
    return np.stack((-vector[:, 1], vector[:, 0]), 1)


def write_collected(folder: Path, world: Environment, seed: int, episodes: int) -> None:
    """Collect episodes and write them in Minari's format. Raises SpecificationError."""
    about = {
        "dataset_id": f"rl-replica/{world.name.lower().removesuffix('-v1')}-mixed-{seed}-v0",
        "algorithm_name": f"scripted: {', '.join(BEHAVIOURS)}",
        "description": f"{world.name}, scripted behaviours of mixed quality, seed {seed}",
    }
    write_minari(folder, collect(world, seed, episodes), world, about)


def main(argv: Sequence[str] | None = None) -> int:
    """Write a set as the command line asks; 2 where that cannot be."""
    parser = argparse.ArgumentParser(
        description="Collect episodes of mixed quality, in Minari's format."
    )
    parser.add_argument("--env", default="ReacherEasy-v1", choices=WORLDS)
    parser.add_argument("--episodes", type=int, default=1400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    options = parser.parse_args(argv)
    try:
        write_collected(options.output, ENVIRONMENTS[options.env], options.seed, options.episodes)
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
