"""Scores of the uniform policy: where the random anchors of `envs/registry.py` come from.

python -m benchmarks.random_scores [ENVIRONMENT …] [--episodes 100]     (every environment by default)
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from numpy.typing import NDArray

from algorithms.seeding import Purpose, environment_seeds, stream
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Continuous, Environment

EPISODES, COPIES, SEED = 1000, 100, 0


def uniform_actions(
    environment: Environment, rng: np.random.Generator, count: int
) -> NDArray[np.float64] | NDArray[np.int64]:
    """`count` actions drawn uniformly from the environment's action space."""
    space = environment.action
    if isinstance(space, Continuous):
        return rng.uniform(space.low, space.high, (count, space.size))
    return rng.integers(space.size, size=count)


def random_returns(
    environment: Environment, episodes: int = EPISODES, copies: int = COPIES, seed: int = SEED
) -> NDArray[np.float64]:
    """Returns of `episodes` episodes (a multiple of `copies`) of the uniform policy.

    Every copy plays the same number of episodes to the end, so that short ones are not preferred.
    """
    if episodes % copies:
        raise ValueError(f"episodes = {episodes} must be a multiple of copies = {copies}")
    rng = stream(seed, Purpose.ACTION_NOISE)
    pool = Pool(environment, environment_seeds(seed, Purpose.EVALUATION_ENVIRONMENT, 0, copies))
    pool.reset()
    left, total = np.full(copies, episodes // copies), np.zeros(copies)
    returns: list[float] = []
    while left.any():
        playing = np.flatnonzero(left)
        step = pool.step(uniform_actions(environment, rng, len(playing)), playing.astype(np.int32))
        total[playing] += step.reward
        over = playing[step.ended]
        returns += total[over].tolist()
        total[over] = 0.0
        left[over] -= 1
    return np.array(returns)


def main() -> None:
    """Print mean ± standard error beside the registry's anchor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT", default=[])
    parser.add_argument("--episodes", type=int, default=EPISODES, help=f"a multiple of {COPIES}")
    options = parser.parse_args()
    names = options.environments or list(ENVIRONMENTS)
    for name in names:
        environment = ENVIRONMENTS[name]
        returns = random_returns(environment, options.episodes)
        error = returns.std(ddof=1) / math.sqrt(len(returns))
        print(
            f"{name:26} {returns.mean():10.3f} ± {error:7.3f}   "
            f"registry {environment.anchors.random:10.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
