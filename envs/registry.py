"""One table: environment name → backend, spaces, horizon, score anchors, and the source of every number.

Importing this module loads no simulator, so the Snakefile may read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Continuous:
    """Actions are vectors of `size` numbers in [low, high]."""

    size: int
    low: float
    high: float

    def scaled(self, action: Any) -> Any:
        """Actions in a policy's units, [−1, 1], within these bounds: an array or a tensor, shape as given."""
        return (self.high + self.low) / 2 + (self.high - self.low) / 2 * action

    def normalised(self, action: Any) -> Any:
        """Actions within these bounds in a policy's units, [−1, 1], the inverse of `scaled`: shape as given."""
        return (action - (self.high + self.low) / 2) / ((self.high - self.low) / 2)


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


WRAPPING = ("simulator", "options", "observed", "rescaled", "shift")
"""The fields of an environment that say how its simulator is wrapped."""


@dataclass(frozen=True)
class Environment:
    """What a method and a statistic need to know of an environment.

    `observation_size` counts the numbers that a network sees: `one_hot` environments observe an
    integer below that size, which `pool.Pool` encodes. A `bandit`'s reward is a known function of the action, so a critic of
    it may be exact. Where `drawn_by_member`, the seed of a copy is its member's, and
    draws the environment itself.

    What EnvPool simulates may be wrapped: it is its `simulator` (by default the environment's own name), made with `options`,
    whose observation of several parts is laid side by side in the order of `observed`, and whose bounds, which differ between the
    dimensions of an action, are mapped from [low, high] where `rescaled`. A `shift`, if given, is added to the reward of every
    step, and the simulator's terminations are not seen: the last observation repeats and pays the shift up to the horizon.
    """

    name: str
    backend: Literal["envpool", "native"]
    observation_size: int
    action: Continuous | Discrete
    horizon: int
    anchors: Anchors
    one_hot: bool = False
    bandit: bool = False
    drawn_by_member: bool = False
    simulator: str | None = None
    options: tuple[tuple[str, bool], ...] = ()
    observed: tuple[str, ...] = ()
    rescaled: bool = False
    shift: float | None = None

    @property
    def action_kind(self) -> Literal["continuous", "discrete"]:
        """The kind of action space, as methods declare what they serve."""
        return "continuous" if isinstance(self.action, Continuous) else "discrete"

    @property
    def wrapping(self) -> dict[str, Any]:
        """How the simulator is wrapped, as plain JSON data; nothing where it is stepped as it is."""
        as_it_is = {own.name: own.default for own in fields(self)}
        told = {name: getattr(self, name) for name in WRAPPING}
        return {name: value for name, value in told.items() if value != as_it_is[name]}

    @property
    def shifted_return(self) -> float:
        """What the shift adds to the return of every episode: all of them are as long as the horizon."""
        return 0.0 if self.shift is None else self.shift * self.horizon


_D4RL = "D4RL reference scores, random and expert SAC (Fu et al. 2020, arXiv 2004.07219)"
_UNIFORM = "random: uniform policy, 1,000 episodes (benchmarks/random_scores.py); "
_SEARCH = (
    "reference: best known, open-loop search over full actions (benchmarks/reference_scores.py)"
)

_SHORTER = "random: uniform policy, 100 episodes (benchmarks/random_scores.py); "
_D4RL_EXPERT = _UNIFORM + "reference: expert SAC of D4RL (arXiv 2004.07219)"
_THRESHOLD = "reference: reward threshold of Gymnasium's registration"
_ONE_A_STEP = "reference: a bound, each of 1,000 steps pays at most 1"


def _mujoco(
    name: str,
    observations: int,
    action: Continuous,
    anchors: Anchors,
    horizon: int = 1000,
    options: tuple[tuple[str, bool], ...] = (),
) -> Environment:
    """A MuJoCo task of Gym. Sizes, bounds and horizon are Gymnasium's."""
    return Environment(name, "envpool", observations, action, horizon, anchors, options=options)


def _dm_control(
    name: str,
    sizes: dict[str, int],
    actions: int,
    random: float,
    measured: str = _SHORTER,
    rescaled: bool = False,
) -> Environment:
    """A task of the DeepMind Control Suite, with the observations that dm_control 1.0.38 has, in its order.

    Every episode has 1,000 steps (Tassa et al. 2018, arXiv 1801.00690), none terminates.
    """
    return Environment(
        name,
        "envpool",
        sum(sizes.values()),
        Continuous(actions, -1.0, 1.0),
        1000,
        Anchors(random, 1000.0, measured + _ONE_A_STEP),
        observed=tuple(sizes),
        rescaled=rescaled,
    )


_HUMANOID = {
    "joint_angles": 21,
    "head_height": 1,
    "extremities": 12,
    "torso_vertical": 3,
    "com_velocity": 3,
    "velocity": 27,
}


def _fetch(name: str, observations: int, random: float, measured: str) -> Environment:
    """A Fetch task (Plappert et al. 2018, arXiv 1802.09464): the robot's observation and the goal, −1 a step until it is there."""
    return Environment(
        name,
        "envpool",
        observations + 3,
        Continuous(4, -1.0, 1.0),
        50,
        Anchors(random, 0.0, measured + "reference: a bound, no step pays more than 0"),
        observed=("observation", "desired_goal"),
    )


def _shifted(plain: Environment, shift: float) -> Environment:
    """`plain` with so much added to every reward, and an absorbing state instead of terminations (mixture paper, E.5)."""
    shifted = replace(plain, name=f"Shifted{plain.name}", simulator=plain.name, shift=shift)
    anchors = Anchors(
        plain.anchors.random + shifted.shifted_return,
        plain.anchors.reference + shifted.shifted_return,
        f"those of {plain.name}, and the shift of {shift:g} in each of 1,000 steps",
    )
    return replace(shifted, anchors=anchors)


def _minimised(
    name: str, size: int, reach: float, mean: Callable[[float, int], float]
) -> Environment:
    """A benchmark function on [−reach, reach]^size, ten pulls that pay −f; `mean` is E[f] of a uniform point."""
    pulls = 10
    return Environment(
        f"{name}{size}",
        "native",
        1,
        Continuous(size, -reach, reach),
        pulls,
        Anchors(
            -pulls * mean(reach, size),
            0.0,
            "random: uniform points, the exact mean; reference: the least value, 0",
        ),
        bandit=True,
    )


def _rosenbrock_mean(reach: float, size: int) -> float:
    """E[100 (y − x²)² + (1 − x)²] is 100 (E[y²] + E[x⁴]) + 1 + E[x²] for independent x, y with mean 0."""
    square, fourth = reach**2 / 3, reach**4 / 5
    return (size - 1) * (100 * (square + fourth) + 1 + square)


_FUNCTIONS = tuple(
    _minimised(name, size, reach, mean)
    for name, reach, mean in (
        ("Sphere", 5.12, lambda reach, size: size * reach**2 / 3),
        ("Rosenbrock", 2.048, _rosenbrock_mean),
        # Of the i-th partial sum, i independent coordinates, E[s²] = i E[x²].
        ("SchwefelSum", 65.536, lambda reach, size: size * (size + 1) / 2 * reach**2 / 3),
        ("SchwefelSine", 500.0, lambda reach, size: 418.9829 * size),
    )
    for size in (2, 10)
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
        bandit=True,
        drawn_by_member=True,
    ),
    *_FUNCTIONS,
    _mujoco("Hopper-v4", 11, Continuous(3, -1.0, 1.0), Anchors(18.6, 3234.3, _D4RL_EXPERT)),
    _mujoco("Walker2d-v4", 17, Continuous(6, -1.0, 1.0), Anchors(2.66, 4592.3, _D4RL_EXPERT)),
    _mujoco("Swimmer-v4", 8, Continuous(2, -1.0, 1.0), Anchors(-0.3, 360.0, _SHORTER + _THRESHOLD)),
    _mujoco(
        "Humanoid-v4",
        376,
        Continuous(17, -0.4, 0.4),
        Anchors(
            121.2,
            5000.0,
            _UNIFORM + "reference: staying up through an episode, 5 in each of 1,000 steps",
        ),
        # Contact forces are observed, as in Gymnasium's Humanoid-v4; EnvPool leaves them 0 unless told.
        options=(("post_constraint", True),),
    ),
    _mujoco(
        "Reacher-v4",
        11,
        Continuous(2, -1.0, 1.0),
        Anchors(-43.06, -3.75, _UNIFORM + _THRESHOLD),
        50,
    ),
    _dm_control("CartpoleBalanceSparse-v1", {"position": 3, "velocity": 2}, 1, 52.9),
    _dm_control("CartpoleSwingupSparse-v1", {"position": 3, "velocity": 2}, 1, 0.0),
    _dm_control("CartpoleSwingup-v1", {"position": 3, "velocity": 2}, 1, 25.7),
    _dm_control("BallInCupCatch-v1", {"position": 4, "velocity": 4}, 2, 96.5, _UNIFORM),
    _dm_control("CheetahRun-v1", {"position": 8, "velocity": 9}, 6, 3.75),
    _dm_control("FingerSpin-v1", {"position": 4, "velocity": 3, "touch": 2}, 2, 0.04),
    _dm_control(
        "FishSwim-v1", {"joint_angles": 7, "upright": 1, "target": 3, "velocity": 13}, 5, 83.7
    ),
    _dm_control("HopperStand-v1", {"position": 6, "velocity": 7, "touch": 2}, 4, 2.18),
    _dm_control("HumanoidStand-v1", _HUMANOID, 21, 4.91),
    _dm_control("HumanoidWalk-v1", _HUMANOID, 21, 1.05),
    _dm_control("HumanoidRun-v1", _HUMANOID, 21, 0.84),
    _dm_control(
        "ReacherHard-v1", {"position": 2, "to_target": 2, "velocity": 2}, 2, 10.2, _UNIFORM
    ),
    _dm_control("ReacherEasy-v1", {"position": 2, "to_target": 2, "velocity": 2}, 2, 57.9),
    _dm_control("WalkerRun-v1", {"orientations": 14, "height": 1, "velocity": 9}, 6, 23.2),
    _dm_control("WalkerWalk-v1", {"orientations": 14, "height": 1, "velocity": 9}, 6, 31.8),
    _dm_control("AcrobotSwingup-v1", {"orientations": 4, "velocity": 2}, 1, 2.01),
    _dm_control(
        "ManipulatorBringBall-v1",
        {
            "arm_pos": 16,
            "arm_vel": 8,
            "touch": 5,
            "hand_pos": 4,
            "object_pos": 4,
            "object_vel": 3,
            "target_pos": 4,
        },
        5,
        0.44,
    ),
    _dm_control(
        "QuadrupedWalk-v1",
        {
            "egocentric_state": 44,
            "torso_velocity": 3,
            "torso_upright": 1,
            "imu": 6,
            "force_torque": 24,
        },
        12,
        164.5,
        rescaled=True,
    ),
    _fetch("FetchReach-v4", 10, -49.39, _UNIFORM),
    _fetch("FetchSlide-v4", 25, -49.5, _SHORTER),
    Environment(
        "AdroitHandPenSparse-v1",
        "envpool",
        45,
        Continuous(24, -1.0, 1.0),
        200,
        Anchors(-14.3, 2000.0, _SHORTER + "reference: a bound, each of 200 steps pays at most 10"),
    ),
)

_PLAIN = {entry.name: entry for entry in _TABLE}
_SHIFTS = {
    "Hopper-v4": -5.0,
    "Walker2d-v4": -5.0,
    "HalfCheetah-v4": -15.0,
    "Ant-v4": -5.0,
    "Swimmer-v4": -0.5,
}
"""Appendix E.5 of the mixture paper."""

ENVIRONMENTS: dict[str, Environment] = _PLAIN | {
    f"Shifted{name}": _shifted(_PLAIN[name], shift) for name, shift in _SHIFTS.items()
}
