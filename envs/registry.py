"""One table: environment name → backend, spaces, horizon, score anchors, and the source of every number.

Importing this module loads no simulator, so the Snakefile may read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Continuous:
    """Actions are vectors of `size` numbers in [low, high]."""

    size: int
    low: float
    high: float


@dataclass(frozen=True)
class Discrete:
    """Actions are the integers 0 … size − 1."""

    size: int


@dataclass(frozen=True)
class Anchors:
    """Scores that normalise an environment to random = 0 and reference = 1, with their source."""

    random: float
    reference: float
    source: str


@dataclass(frozen=True)
class Environment:
    """What a method and a statistic need to know of an environment.

    `observation_size` counts the numbers that a network sees: `one_hot` environments observe an
    integer below that size, which `pool.Pool` encodes. Where `drawn_by_member`, the seed of a copy is its member's, and
    draws the environment itself.
    """

    name: str
    backend: Literal["envpool", "native"]
    observation_size: int
    action: Continuous | Discrete
    horizon: int
    anchors: Anchors
    one_hot: bool = False
    drawn_by_member: bool = False

    @property
    def action_kind(self) -> Literal["continuous", "discrete"]:
        """The kind of action space, as methods declare what they serve."""
        return "continuous" if isinstance(self.action, Continuous) else "discrete"


_D4RL = "D4RL reference scores, random and expert SAC (Fu et al. 2020, arXiv 2004.07219)"
_UNIFORM = "random: uniform policy, 1,000 episodes (benchmarks/random_scores.py); "
_SEARCH = (
    "reference: best known, open-loop search over full actions (benchmarks/reference_scores.py)"
)

_TABLE = (
    Environment(
        "HalfCheetah-v4",
        "envpool",
        17,
        Continuous(6, -1.0, 1.0),
        1000,
        Anchors(-280.18, 12135.0, _D4RL),
    ),
    Environment(
        "Ant-v4",
        "envpool",
        27,
        Continuous(8, -1.0, 1.0),
        1000,
        # D4RL's random score, −325.6, is of Ant-v2, whose reward counts contact forces.
        Anchors(-50.2, 3879.7, _UNIFORM + "reference: expert SAC of D4RL (arXiv 2004.07219)"),
    ),
    Environment(
        "LunarLanderContinuous-v2",
        "envpool",
        8,
        Continuous(2, -1.0, 1.0),
        1000,
        Anchors(-207.1, 200.0, _UNIFORM + "reference: solved at 200 (Gymnasium documentation)"),
    ),
    Environment(
        "LunarLander-v2",
        "envpool",
        8,
        Discrete(4),
        1000,
        Anchors(-181.1, 200.0, _UNIFORM + "reference: solved at 200 (Gymnasium documentation)"),
    ),
    Environment(
        "CartPole-v1",
        "envpool",
        4,
        Discrete(2),
        500,
        Anchors(22.88, 500.0, _UNIFORM + "reference: the longest episode pays 500"),
    ),
    Environment(
        "FrozenLake-v1",
        "envpool",
        16,
        Discrete(4),
        100,
        Anchors(
            0.0139,
            0.744,
            "exact: uniform policy and optimum of the slippery 4×4 map within 100 steps, "
            "by iteration over the time-limited chain",
        ),
        one_hot=True,
    ),
    Environment(
        "ProbeTarget-v0",
        "native",
        2,
        Continuous(1, -1.0, 1.0),
        5,
        Anchors(
            -35 / 12, 0.0, "exact: E[−(a − s/2)²] over five steps, a ~ U[−1, 1], s = ±1; optimum 0"
        ),
    ),
    Environment(
        "ProbeSign-v0",
        "native",
        2,
        Discrete(2),
        5,
        Anchors(2.5, 5.0, "exact: a coin guesses half of five signs; the optimum names all five"),
    ),
    Environment(
        "Pendulum",
        "native",
        3,
        Continuous(1, -2.0, 2.0),
        200,
        Anchors(5.6, 200.0, _UNIFORM + "reference: a bound, each of 200 steps pays at most 1"),
    ),
    Environment(
        "ShapedPendulum",
        "native",
        3,
        Continuous(1, -2.0, 2.0),
        200,
        Anchors(-1221.0, 0.0, _UNIFORM + "reference: a bound, no step pays more than 0"),
    ),
    Environment(
        "GreedyACPendulum",
        "native",
        2,
        Continuous(1, -2.0, 2.0),
        1000,
        Anchors(
            -724.0, 1000.0, _UNIFORM + "reference: a bound, each of 1,000 steps pays at most 1"
        ),
    ),
    Environment(
        "Acrobot",
        "native",
        4,
        Continuous(1, -1.0, 1.0),
        1000,
        Anchors(-996.1, -59.0, _UNIFORM + _SEARCH),
    ),
    Environment(
        "ShapedAcrobot",
        "native",
        4,
        Continuous(1, -1.0, 1.0),
        1000,
        Anchors(-2677.0, -142.2, _UNIFORM + _SEARCH),
    ),
    Environment(
        "MountainCar",
        "native",
        2,
        Continuous(1, -1.0, 1.0),
        1000,
        Anchors(-999.4, -65.9, _UNIFORM + _SEARCH),
    ),
    Environment(
        "ShapedMountainCar",
        "native",
        2,
        Continuous(1, -1.0, 1.0),
        1000,
        Anchors(-1122.0, -61.0, _UNIFORM + _SEARCH),
    ),
    Environment(
        "WeakMountainCar",
        "native",
        2,
        Continuous(1, -1.0, 1.0),
        1000,
        Anchors(-1000.0, -97.7, _UNIFORM + _SEARCH),
    ),
    Environment(
        "MultimodalBandit",
        "native",
        1,
        Continuous(1, -3.0, 3.0),
        50,
        Anchors(
            27.38,
            50.0,
            "random: uniform actions, exact mean over the bandits of seeds 0 to 99; reference: the largest reward, 1 a pull",
        ),
        drawn_by_member=True,
    ),
)

ENVIRONMENTS: dict[str, Environment] = {entry.name: entry for entry in _TABLE}
