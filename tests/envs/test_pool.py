"""EnvPool behind `Pool` against gymnasium, and what a pool promises about resets, seeds and order.

Statistical tests use fixed seeds; each states the probability of failing although nothing is wrong.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import envpool
import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from envs.pool import Pool, Step
from envs.registry import ENVIRONMENTS, Continuous, Discrete

Floats = NDArray[np.float64]
Policy = Callable[[Floats], NDArray[Any]]


def make_reference(name: str, **options: Any) -> Any:
    """gymnasium's environment without wrappers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return gymnasium.make(name, **options).unwrapped


def frozen_lake_model() -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Probability [16, 4, 16] and reward [16, 4, 16] of gymnasium's slippery lake; ends [16]."""
    model = make_reference("FrozenLake-v1", is_slippery=True).P
    probability, reward = np.zeros((16, 4, 16)), np.zeros((16, 4, 16))
    ends = np.zeros(16, dtype=bool)
    for state in range(16):
        for action in range(4):
            for chance, successor, paid, terminated in model[state][action]:
                probability[state, action, successor] += chance
                reward[state, action, successor] = paid
                ends[successor] |= terminated
    return probability, reward, ends


# Parity with gymnasium, side by side


@pytest.mark.parametrize(
    ("name", "hidden", "falls"),
    [
        ("HalfCheetah-v4", 1, False),
        ("Ant-v4", 2, True),
        ("Hopper-v4", 1, True),
        ("Walker2d-v4", 1, True),
        ("Swimmer-v4", 2, False),
        ("Humanoid-v4", 2, True),
    ],
)
def test_mujoco_follows_gymnasium(name: str, hidden: int, falls: bool) -> None:
    """`hidden` positions (x, or x and y) are not observed; the dynamics do not depend on them.

    Both start from EnvPool's state at a reset. Contacts are chaotic: rounding of 1e-15 grows to 1e-7 within
    40 steps, after which the comparison says nothing.
    """
    reference = make_reference(name)
    visible, moving = reference.model.nq - hidden, reference.model.nv
    rng, ends = np.random.default_rng(0), []
    for seed in (11, 12, 13):
        pool = Pool(ENVIRONMENTS[name], [seed])
        fresh, now = pool.reset()[0], 0
        for _ in range(40):
            if now == 0:
                reference.reset(seed=0)
                positions, rest = np.split(fresh, [visible])
                reference.set_state(np.r_[np.zeros(hidden), positions], rest[:moving])
            space = pool.environment.action
            action = rng.uniform(space.low, space.high, (1, space.size))
            step = pool.step(action)
            observation, reward, terminated, truncated, _ = reference.step(action[0])
            near = 1e-9 if now < 20 else 1e-5
            np.testing.assert_allclose(step.successor[0], observation, rtol=0, atol=near)
            assert step.reward[0] == pytest.approx(reward, rel=1e-6, abs=1e3 * near)  # a float32
            assert (bool(step.terminated[0]), bool(step.truncated[0])) == (terminated, truncated)
            now += 1
            if step.ended.size:
                ends.append(now)
                fresh, now = step.fresh[0], 0
    assert bool(ends) == falls


def test_cartpole_follows_gymnasium() -> None:
    pool, reference = Pool(ENVIRONMENTS["CartPole-v1"], [5]), make_reference("CartPole-v1")
    rng, ended = np.random.default_rng(1), 0
    reference.reset(seed=0)
    reference.state = pool.reset()[0]
    for _ in range(200):
        action = rng.integers(2, size=1)
        step = pool.step(action)
        observation, reward, terminated, _, _ = reference.step(int(action[0]))
        np.testing.assert_allclose(step.successor[0], observation, rtol=0, atol=5e-6)
        assert (step.reward[0], bool(step.terminated[0])) == (reward, terminated)
        assert not step.truncated[0]
        if step.ended.size:
            ended += 1
            reference.reset()
            reference.state = step.fresh[0]
    assert ended >= 5


def test_frozen_lake_slips_as_gymnasium_says() -> None:
    """Every transition is possible and paid right; slip frequencies by χ², 1 in 1,000 fails by chance."""
    probability, reward, ends = frozen_lake_model()
    pool, rng = Pool(ENVIRONMENTS["FrozenLake-v1"], list(range(64))), np.random.default_rng(2)
    counts = np.zeros((16, 4, 16))
    state = pool.reset().argmax(1)
    assert set(state) == {0}
    for _ in range(600):
        action = rng.integers(4, size=pool.size)
        step = pool.step(action)
        successor = step.successor.argmax(1)
        assert (probability[state, action, successor] > 0).all()
        np.testing.assert_array_equal(step.reward, reward[state, action, successor])
        np.testing.assert_array_equal(step.terminated, ends[successor])
        np.add.at(counts, (state, action, successor), 1)
        state = step.next_observation().argmax(1)
        assert (state[step.ended] == 0).all()
    statistic = freedom = 0.0
    for place, move in np.ndindex(16, 4):
        seen, total = counts[place, move], counts[place, move].sum()
        expected = probability[place, move] * total
        possible = expected > 0
        if total and expected[possible].min() >= 5:
            statistic += ((seen - expected)[possible] ** 2 / expected[possible]).sum()
            freedom += possible.sum() - 1
    assert freedom >= 60
    assert stats.chi2.sf(statistic, freedom) > 1e-3


# LunarLander: EnvPool has v2, gymnasium 1.4 v3. Its version history names as differences only the wind's
# offset (no wind here), complete destruction of the world at reset, and the declared bounds of observations.


@pytest.fixture(scope="module")
def lunar_lander() -> Any:
    """gymnasium's module, by its file: the package beside it needs pygame to be imported."""
    path = Path(gymnasium.__file__).parent / "envs" / "box2d" / "lunar_lander.py"
    pytest.importorskip("Box2D")
    found = importlib.util.spec_from_file_location("lunar_lander", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


LANDERS = ("LunarLander-v2", "LunarLanderContinuous-v2")


@pytest.mark.parametrize("name", LANDERS)
def test_lunar_lander_pays_like_gymnasium(name: str, lunar_lander: Any) -> None:
    """Returns and lengths of the uniform policy, Kolmogorov–Smirnov: 4 tests in all, 1 in 1,000 each."""
    environment, rng = ENVIRONMENTS[name], np.random.default_rng(3)

    def uniform(count: int) -> NDArray[Any]:
        if isinstance(environment.action, Discrete):
            return rng.integers(environment.action.size, size=count)
        return rng.uniform(-1, 1, (count, environment.action.size))

    ours = play(Pool(environment, list(range(400))), lambda seen: uniform(len(seen)), episodes=1)
    reference = lunar_lander.LunarLander(continuous=isinstance(environment.action, Continuous))
    theirs = []
    for episode in range(120):
        reference.reset(seed=episode)
        total, length, over = 0.0, 0, False
        while not over and length < environment.horizon:
            _, reward, over, _, _ = reference.step(uniform(1)[0])
            total, length = total + float(reward), length + 1
        theirs.append((total, length))
    for column, values in enumerate(np.array(theirs).T):
        assert stats.ks_2samp([row[column] for row in ours], values).pvalue > 1e-3


@pytest.mark.parametrize(
    ("name", "action"),
    [
        *((LANDERS[0], np.int64(choice)) for choice in range(4)),
        *((LANDERS[1], np.array(pair)) for pair in ((1.0, 0.0), (0.2, 0.9), (-0.5, -0.7))),
    ],
)
def test_lunar_lander_engines_push_as_in_gymnasium(
    name: str, action: NDArray[Any], lunar_lander: Any
) -> None:
    """State and reward after 20 steps of one action: 49 Kolmogorov–Smirnov tests, 1 in 10,000 each.

    The legs' contacts (the last two numbers) are 0 so far above the ground.
    """
    pool = Pool(ENVIRONMENTS[name], list(range(100, 400)))
    pool.reset()
    reference = lunar_lander.LunarLander(continuous=name == LANDERS[1])
    for _ in range(20):
        step = pool.step(np.repeat(action[None], pool.size, axis=0))
        assert not step.ended.size
    ours = np.column_stack((step.successor, step.reward))
    theirs = np.empty((80, 9))
    for episode in range(80):
        reference.reset(seed=episode)
        for _ in range(20):
            observation, reward, *_ = reference.step(action)
        theirs[episode] = *observation, reward
    assert not ours[:, 6:8].any()
    assert not theirs[:, 6:8].any()
    for column in (0, 1, 2, 3, 4, 5, 8):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-4


# What a pool promises


def play(pool: Pool, policy: Policy, episodes: int) -> list[tuple[float, int, bool, bool]]:
    """(return, length, terminated, truncated) of `episodes` episodes of every copy."""
    left, total = np.full(pool.size, episodes), np.zeros(pool.size)
    length = np.zeros(pool.size, dtype=np.int64)
    observation, rows = pool.reset(), []
    while left.any():
        playing = np.flatnonzero(left)
        step = pool.step(policy(observation[playing]), playing.astype(np.int32))
        total[playing] += step.reward
        length[playing] += 1
        observation[playing] = step.next_observation()
        for row in step.ended:
            copy = playing[row]
            flags = bool(step.terminated[row]), bool(step.truncated[row])
            rows.append((float(total[copy]), int(length[copy]), *flags))
            total[copy], length[copy], left[copy] = 0.0, 0, left[copy] - 1
    return rows


def test_half_cheetah_ends_at_its_horizon_though_copies_are_out_of_step() -> None:
    """An extra row for a reset would make an episode 1,001 long; a lost one, 999."""
    pool, rng = Pool(ENVIRONMENTS["HalfCheetah-v4"], [1, 2]), np.random.default_rng(4)
    pool.reset()
    for _ in range(400):
        pool.step(rng.uniform(-1, 1, (1, 6)), np.array([1], dtype=np.int32))
    ends: dict[int, list[int]] = {0: [], 1: []}
    for now in range(1, 2001):
        step = pool.step(rng.uniform(-1, 1, (2, 6)))
        for row in step.ended:
            ends[int(row)].append(now)
            assert step.truncated[row]
            assert not step.terminated[row]
        assert (step.reward != 0).all()  # a reset row has reward 0
    assert ends == {0: [1000, 2000], 1: [600, 1600]}


def test_next_action_after_an_end_is_played_not_swallowed_by_the_reset() -> None:
    pool, reference = Pool(ENVIRONMENTS["CartPole-v1"], [3, 4]), make_reference("CartPole-v1")
    reference.reset(seed=0)
    pool.reset()
    checked = 0
    for _ in range(40):
        step = pool.step(np.array([1, 0]))
        np.testing.assert_array_equal(step.ended, np.flatnonzero(step.terminated | step.truncated))
        assert step.fresh.shape == (step.ended.size, 4)
        expected = step.successor.copy()
        expected[step.ended] = step.fresh
        following = step.next_observation()
        np.testing.assert_array_equal(following, expected)
        if not step.ended.size:
            continue
        assert (abs(step.fresh) <= 0.05).all()  # CartPole starts within ±0.05
        after = pool.step(np.array([1, 0]))
        for row in range(2):
            reference.steps_beyond_terminated, reference.state = None, following[row]
            np.testing.assert_allclose(
                after.successor[row], reference.step(1 - row)[0], rtol=0, atol=5e-6
            )
        checked += 1
    assert checked >= 2


def test_frozen_lake_is_cut_at_100_steps() -> None:
    """The policy that reaches the goal most surely; it wanders for long."""
    best = np.array([0, 3, 3, 3, 0, 0, 0, 0, 3, 1, 0, 0, 0, 2, 1, 0])
    pool = Pool(ENVIRONMENTS["FrozenLake-v1"], list(range(100)))
    rows = play(pool, lambda seen: best[seen.argmax(1)], episodes=2)
    assert max(length for _, length, _, _ in rows) == 100
    for paid, length, terminated, truncated in rows:
        assert terminated or length == 100
        assert truncated == (length == 100) or terminated
        assert paid <= terminated


def test_cartpole_is_truncated_at_500_and_pays_500() -> None:
    def balance(seen: Floats) -> NDArray[np.int64]:
        return np.where(seen @ np.array([0.1, 0.3, 3.0, 1.0]) > 0, 1, 0)

    rows = play(Pool(ENVIRONMENTS["CartPole-v1"], [0, 1, 2]), balance, episodes=2)
    assert rows == [(500.0, 500, False, True)] * 6


def test_cartpole_that_falls_is_terminated_not_truncated() -> None:
    push_right: Policy = lambda seen: np.ones(len(seen), dtype=np.int64)  # noqa: E731
    rows = play(Pool(ENVIRONMENTS["CartPole-v1"], [0, 1]), push_right, episodes=3)
    for paid, length, terminated, truncated in rows:
        assert 5 < length < 15
        assert (paid, terminated, truncated) == (length, True, False)


def advance(pool: Pool, steps: int, pick: NDArray[np.intp]) -> list[Step]:
    """`steps` steps in which the copy that stands for seed number k takes the k-th action stream."""
    size = pool.environment.action.size
    streams = [np.random.default_rng(1000 + int(k)) for k in pick]
    taken = []
    for _ in range(steps):
        if isinstance(pool.environment.action, Discrete):
            action = np.array([rng.integers(size) for rng in streams])
        else:
            action = np.stack([rng.uniform(-1, 1, size) for rng in streams])
        taken.append(pool.step(action))
    return taken


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_a_copy_depends_on_its_own_seed_alone(name: str) -> None:
    """Alone, in a batch, permuted, on two threads: bitwise the same, across resets too."""
    seeds = np.array([31, 7, 7_000_000])
    steps = 60 if isinstance(ENVIRONMENTS[name].action, Continuous) else 200
    batch = Pool(ENVIRONMENTS[name], seeds.tolist())
    first = batch.reset()
    together = advance(batch, steps, np.arange(3))
    for order, threads in (([0], 1), ([2], 1), ([2, 0, 1], 2)):
        pick = np.array(order)
        pool = Pool(ENVIRONMENTS[name], seeds[pick].tolist(), threads)
        np.testing.assert_array_equal(pool.reset(), first[pick])
        for mine, theirs in zip(advance(pool, steps, pick), together, strict=True):
            for column in ("successor", "reward", "terminated", "truncated"):
                np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column)[pick])
            np.testing.assert_array_equal(mine.next_observation(), theirs.next_observation()[pick])
    if name.startswith(("Frozen", "CartPole", "Probe")):
        assert sum(step.ended.size for step in together) >= 3
    # Where all copies start alike, and bandits look alike.
    if name != "FrozenLake-v1" and not ENVIRONMENTS[name].bandit:
        assert not np.array_equal(together[3].successor[0], together[3].successor[1])


@pytest.mark.parametrize("name", ["HalfCheetah-v4", "CartPole-v1", "ProbeTarget-v0"])
def test_a_partial_step_moves_the_copies_asked_for_in_their_order(name: str) -> None:
    environment = ENVIRONMENTS[name]
    rng, size = np.random.default_rng(6), environment.action.size
    action: NDArray[Any] = (
        np.array([1, 0, 1, 1])
        if isinstance(environment.action, Discrete)
        else rng.uniform(-1, 1, (4, size))
    )
    whole, part = (Pool(environment, [1, 2, 3, 4]) for _ in range(2))
    whole.reset()
    part.reset()
    expected = whole.step(action)
    for index in ([3, 1], [0], [2]):
        step = part.step(action[index], np.array(index, dtype=np.int32))
        np.testing.assert_array_equal(step.successor, expected.successor[index])
        np.testing.assert_array_equal(step.reward, expected.reward[index])
    np.testing.assert_array_equal(part.step(action).successor, whole.step(action).successor)


@pytest.mark.parametrize("name", ["HalfCheetah-v4", "LunarLanderContinuous-v2", "ProbeTarget-v0"])
def test_continuous_actions_are_clipped(name: str) -> None:
    environment = ENVIRONMENTS[name]
    action = np.random.default_rng(7).choice(
        [-5.0, -1.5, 0.25, 3.0], (10, 1, environment.action.size)
    )
    assert (abs(action) > 1).any()
    outside, inside = Pool(environment, [9]), Pool(environment, [9])
    np.testing.assert_array_equal(outside.reset(), inside.reset())
    for raw in action:
        ours, theirs = outside.step(raw), inside.step(raw.clip(-1, 1))
        np.testing.assert_array_equal(ours.successor, theirs.successor)
        np.testing.assert_array_equal(ours.reward, theirs.reward)


def test_frozen_lake_is_one_hot() -> None:
    pool = Pool(ENVIRONMENTS["FrozenLake-v1"], [0, 1, 2])
    np.testing.assert_array_equal(pool.reset(), np.eye(16)[[0, 0, 0]])
    for _ in range(30):
        step = pool.step(np.array([1, 2, 1]))
        for rows in (step.successor, step.fresh):
            assert rows.dtype == np.float64
            assert rows.shape[1] == 16
            assert ((rows == 0) | (rows == 1)).all()
            assert (rows.sum(1) == 1).all()


# The registry


@pytest.mark.parametrize("name", [k for k, v in ENVIRONMENTS.items() if v.backend == "envpool"])
def test_registry_agrees_with_envpools_own_spec(name: str) -> None:
    environment = ENVIRONMENTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        specification = envpool.make_spec(environment.simulator or name)
        seen, action = specification.gymnasium_observation_space, specification.action_space
    assert environment.horizon == specification.config.max_episode_steps
    if environment.one_hot:
        assert environment.observation_size == seen.n
    elif environment.observed:
        sizes = [int(np.prod(seen[part].shape)) for part in environment.observed]
        assert environment.observation_size == sum(sizes)
    else:
        assert seen.shape == (environment.observation_size,)
    if isinstance(environment.action, Continuous):
        assert action.shape == (environment.action.size,)
        same = (action.low == environment.action.low) & (action.high == environment.action.high)
        assert same.all() != environment.rescaled
    else:
        assert action.n == environment.action.size


@pytest.mark.parametrize("name", list(ENVIRONMENTS))
def test_registry_entries_are_keyed_by_their_name_and_ordered(name: str) -> None:
    environment = ENVIRONMENTS[name]
    assert environment.name == name
    assert environment.anchors.random < environment.anchors.reference
    assert environment.anchors.source


def test_frozen_lake_anchors_are_exact() -> None:
    """Value iteration, and the uniform policy, over 100 steps of gymnasium's chain."""
    probability, reward, ends = frozen_lake_model()
    best = uniform = np.zeros(16)
    for _ in range(100):
        paid = (probability * reward).sum(-1)
        best = np.where(ends, 0.0, (paid + probability @ best).max(-1))
        uniform = np.where(ends, 0.0, (paid + probability @ uniform).mean(-1))
    anchors = ENVIRONMENTS["FrozenLake-v1"].anchors
    assert anchors.reference == pytest.approx(best[0], abs=5e-4)
    assert anchors.random == pytest.approx(uniform[0], abs=5e-4)


@pytest.mark.parametrize(
    ("name", "copies", "episodes"),
    [
        ("HalfCheetah-v4", 20, 1),
        ("CartPole-v1", 200, 2),
        ("LunarLander-v2", 200, 1),
        ("LunarLanderContinuous-v2", 200, 1),
        ("Hopper-v4", 100, 2),
        ("Reacher-v4", 100, 1),
        ("FetchReach-v4", 50, 2),
    ],
)
def test_random_anchors_are_what_the_uniform_policy_gets(
    name: str, copies: int, episodes: int
) -> None:
    """The anchor's own error is at most half of ours; 4 of ours: fewer than 1 in 2,000 fail by chance."""
    environment, rng = ENVIRONMENTS[name], np.random.default_rng(8)

    def uniform(seen: Floats) -> NDArray[Any]:
        if isinstance(environment.action, Discrete):
            return rng.integers(environment.action.size, size=len(seen))
        return rng.uniform(-1, 1, (len(seen), environment.action.size))

    pool = Pool(environment, list(range(1000, 1000 + copies)))
    returns = np.array([row[0] for row in play(pool, uniform, episodes)])
    error = returns.std(ddof=1) / np.sqrt(returns.size)
    assert abs(returns.mean() - environment.anchors.random) < 4 * error


def test_probe_anchors_are_exact() -> None:
    """E(a − s/2)² = Var a + (s/2)² = 1/3 + 1/4 for a ~ U[−1, 1], s = ±1; a coin is right 2.5 times of 5."""
    target, sign = (ENVIRONMENTS[f"Probe{name}-v0"].anchors for name in ("Target", "Sign"))
    assert target.random == pytest.approx(-5 * (1 / 3 + 1 / 4), rel=1e-12)
    assert (target.reference, sign.random, sign.reference) == (0.0, 2.5, 5.0)


def test_best_probe_policies_reach_their_reference() -> None:
    target, sign = (Pool(ENVIRONMENTS[f"Probe{name}-v0"], [0, 1, 2]) for name in ("Target", "Sign"))
    for paid, length, terminated, truncated in play(target, lambda seen: seen[:, :1] / 2, 4):
        assert (paid, length, terminated, truncated) == (0.0, 5, True, False)
    for paid, length, terminated, truncated in play(
        sign, lambda seen: (seen[:, 0] > 0).astype(np.int64), 4
    ):
        assert (paid, length, terminated, truncated) == (5.0, 5, True, False)


def test_probe_pays_by_hand() -> None:
    """Always 0.25: error 0.25 where s = 1 and 0.75 where s = −1; always choice 1: the positive signs, at the end."""
    target, sign = (Pool(ENVIRONMENTS[f"Probe{name}-v0"], [8]) for name in ("Target", "Sign"))
    seen, other = target.reset(), sign.reset()
    right = 0
    for now in range(1, 11):
        step, answer = target.step(np.array([[0.25]])), sign.step(np.array([1]))
        assert step.reward[0] == (-0.0625 if seen[0, 0] == 1 else -0.5625)
        assert step.successor[0, 1] == pytest.approx((now - 1) % 5 / 5 + 0.2)
        right += other[0, 0] == 1
        assert answer.reward[0] == (right if now % 5 == 0 else 0)
        right = 0 if now % 5 == 0 else right
        seen, other = step.next_observation(), answer.next_observation()
        assert seen[0, 1] == pytest.approx(now % 5 / 5)


def test_probe_signs_are_fair_coins() -> None:
    """4,000 signs, two-sided binomial test: 1 in 1,000 fails by chance."""
    pool = Pool(ENVIRONMENTS["ProbeSign-v0"], list(range(40)))
    signs = [pool.reset()[:, 0]]
    signs += [pool.step(np.zeros(40, dtype=int)).next_observation()[:, 0] for _ in range(99)]
    drawn = np.concatenate(signs)
    assert set(drawn) == {-1.0, 1.0}
    assert stats.binomtest(int((drawn > 0).sum()), drawn.size).pvalue > 1e-3
