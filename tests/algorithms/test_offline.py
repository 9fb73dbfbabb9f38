"""Offline improvement: sets of episodes on disk and all that is refused, values, labels and mixtures with known answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from algorithms.improvement import Labels, SampledReference, given, pmpo
from algorithms.offline import behaviours, training
from algorithms.offline.behaviours import BEHAVIOURS, collect, drawn_behaviours, torque
from algorithms.offline.data import DATA, METADATA, Episode, checksums, read_minari, write_minari
from algorithms.offline.playing import play
from algorithms.offline.settings import Arm, Training
from algorithms.offline.training import (
    Conditional,
    Pairs,
    act,
    labelled,
    objective,
    prepare,
    require_both,
    train,
    valued,
)
from algorithms.specification import SpecificationError
from envs.registry import ENVIRONMENTS, Anchors, Continuous, Environment

REACHER = ENVIRONMENTS["ReacherEasy-v1"]
PENDULUM = ENVIRONMENTS["Pendulum"]


def settings(**changes: Any) -> Training:
    small = {
        "environment": "ProbeTarget-v0",
        "dataset": "nowhere",
        "labelled": 2,
        "hidden": (16,),
        "batch": 64,
        "learning_rate": 1e-2,
        "value_rounds": 1,
        "value_updates": 1,
        "updates": 10,
        "rows": 1,
        "evaluations": 1,
        "evaluated": 2,
        "evaluation_copies": 2,
    }
    return Training.model_validate({**small, **changes})


def episode(world: Environment, steps: int, seed: int, labels: bool = False) -> Episode:
    random = np.random.default_rng(seed)
    assert isinstance(world.action, Continuous)
    ends = np.zeros((2, steps), dtype=bool)
    ends[seed % 2, -1] = True
    return Episode(
        random.standard_normal((steps + 1, world.observation_size)),
        random.uniform(world.action.low, world.action.high, (steps, world.action.size)),
        random.standard_normal(steps),
        *ends,
        (random.random(steps) < 0.5).astype(float) if labels else None,
    )


# Sets on disk


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A set of three episodes of the pendulum, of 4, 5 and 6 steps."""
    folder = tmp_path / "set"
    episodes = [episode(PENDULUM, 4 + i, i) for i in range(3)]
    write_minari(folder, episodes, PENDULUM, {"dataset_id": "probe/pendulum-v0"})
    return folder


def test_what_is_written_is_read(stored: Path) -> None:
    for index, found in enumerate(read_minari(stored, PENDULUM)):
        expected = episode(PENDULUM, 4 + index, index)
        for one, other in zip(found[:5], expected[:5], strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert found.label is None
    told = json.loads((stored / METADATA).read_text(encoding="utf-8"))
    assert (told["total_episodes"], told["total_steps"], told["data_format"]) == (3, 15, "hdf5")
    assert json.loads(told["action_space"])["low"] == [-2.0]
    assert set(checksums(stored)) == {"main_data.hdf5", "metadata.json"}


def test_a_set_is_never_overwritten(stored: Path) -> None:
    with pytest.raises(SpecificationError, match="holds a data set already"):
        write_minari(stored, [episode(PENDULUM, 4, 0)], PENDULUM, {})


def test_more_than_ten_episodes_keep_their_order(tmp_path: Path) -> None:
    """As numbers, not as words: episode_10 comes after episode_9."""
    episodes = [episode(PENDULUM, 2, i) for i in range(12)]
    write_minari(tmp_path / "set", episodes, PENDULUM, {})
    for found, expected in zip(read_minari(tmp_path / "set", PENDULUM), episodes, strict=True):
        np.testing.assert_array_equal(found.reward, expected.reward)


@pytest.mark.parametrize("first", [[], [9.0]], ids=["a label a step", "the reset's first"])
def test_labels_are_those_of_steps(stored: Path, first: list[float]) -> None:
    expected = [np.arange(4 + i) % 2 for i in range(3)]
    with h5py.File(stored / DATA, "a") as file:
        for i, labels in enumerate(expected):
            file[f"episode_{i}"].create_dataset("infos/liked", data=[*first, *labels])
    found = [each.label for each in read_minari(stored, PENDULUM, "liked")]
    assert [each.tolist() for each in found] == [each.tolist() for each in expected]


def replaced(key: str, change: Callable[[Any], Any]) -> Callable[[h5py.File], None]:
    def spoil(file: h5py.File) -> None:
        values = change(file[key][()])
        del file[key]
        file[key] = values

    return spoil


def spoilt(values: Any, where: Any, value: float) -> Any:
    values = values.astype(float)
    values[where] = value
    return values


def parted(file: h5py.File) -> None:
    del file["episode_1/observations"]
    file.create_dataset("episode_1/observations/goal", data=np.zeros((6, 3)))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: f.__delitem__("episode_1/actions"), "episode_1/actions: missing; allowed: observations, actions, rewards"),
        (lambda f: f.__delitem__("episode_2/rewards"), "episode_2/rewards: missing"),
        (lambda f: f.__delitem__("episode_0/truncations"), "episode_0/truncations: missing"),
        (lambda f: f.__delitem__("episode_1"), "groups: 2; allowed: 3, as metadata.json has"),
        (lambda f: f.move("episode_1", "episode_7"), "episode_1: missing; allowed: episode_0, episode_1"),
        (replaced("episode_1/rewards", lambda x: spoilt(x, 3, np.nan)), r"episode_1/rewards\[3\]: nan; allowed: finite"),
        (replaced("episode_2/observations", lambda x: spoilt(x, (2, 1), np.inf)), r"episode_2/observations\[2, 1\]: inf"),
        (replaced("episode_0/actions", lambda x: spoilt(x, (0, 0), 2.5)), r"episode_0/actions: 2.5; allowed: \[-2, 2\]"),
        (replaced("episode_0/actions", lambda x: np.repeat(x, 2, 1)), r"episode_0/actions: shape \(4, 2\); allowed: \(4, 1\), of 4 rewards and Pendulum"),
        (replaced("episode_0/observations", lambda x: x[:, :2]), r"episode_0/observations: shape \(5, 2\); allowed: \(5, 3\)"),
        (replaced("episode_0/observations", lambda x: x[:-1]), r"episode_0/observations: shape \(4, 3\); allowed: \(5, 3\)"),
        (replaced("episode_0/observations", lambda x: x[..., None]), r"episode_0/observations: shape \(5, 3, 1\); allowed: 2 dim"),
        (replaced("episode_1/terminations", lambda x: x[:-1]), "episode_1/terminations: 4 steps; allowed: 5, as rewards has"),
        (replaced("episode_1/rewards", lambda x: np.array([b"a"] * 5)), r"episode_1/rewards: type \|S1; allowed: numbers"),
        (parted, r"episode_1/observations: has parts \(goal\); allowed: one array"),
    ],
)  # fmt: skip
def test_a_set_that_cannot_be_is_one_line(
    stored: Path, spoil: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(stored / DATA, "a") as file:
        spoil(file)
    with pytest.raises(SpecificationError, match=f"main_data.hdf5: {said}") as caught:
        read_minari(stored, PENDULUM)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "episode_0/infos/liked: missing; the episode is not labelled"),
        ([0, 1, 2, 0], r"episode_0/infos/liked: 2; allowed: 1 \(accepted\), 0 \(rejected\)"),
        ([0, 1, 0.5, 0], "episode_0/infos/liked: 0.5; allowed"),
        ([0, 1, np.nan, 0], r"episode_0/infos/liked\[2\]: nan; allowed: finite numbers"),
        ([0, 1], "episode_0/infos/liked: 2 labels; allowed: 4, or one more"),
    ],
)
def test_labels_that_cannot_be_are_one_line(stored: Path, labels: Any, said: str) -> None:
    if labels is not None:
        with h5py.File(stored / DATA, "a") as file:
            file.create_dataset("episode_0/infos/liked", data=labels)
    with pytest.raises(SpecificationError, match=f"main_data.hdf5: {said}") as caught:
        read_minari(stored, PENDULUM, "liked")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "metadata.json: cannot be read: No such file"),
        ("{", "metadata.json: not valid JSON"),
        ("[]", "metadata.json: total_episodes: missing"),
        ('{"total_episodes": 3}', "metadata.json: data_format: missing"),
        ('{"total_episodes": 3, "data_format": "arrow"}', "data_format: 'arrow'; allowed: hdf5"),
        ('{"total_episodes": "3", "data_format": "hdf5"}', "total_episodes: '3'; allowed: a whole"),
        ('{"total_episodes": 9, "data_format": "hdf5"}', "groups: 3; allowed: 9"),
    ],
)
def test_metadata_that_cannot_be_are_one_line(stored: Path, text: str | None, said: str) -> None:
    (stored / METADATA).unlink()
    if text is not None:
        (stored / METADATA).write_text(text, encoding="utf-8")
    with pytest.raises(SpecificationError, match=said) as caught:
        read_minari(stored, PENDULUM)
    assert "\n" not in str(caught.value)


def test_what_is_no_hdf5_is_one_line(stored: Path) -> None:
    (stored / DATA).write_bytes(b"episodes")
    with pytest.raises(SpecificationError, match=r"main_data\.hdf5: cannot be read as HDF5"):
        read_minari(stored, PENDULUM)


# Behaviours


def test_torques_pull_the_fingertip_to_its_goal() -> None:
    """Jᵀ is what differences of the fingertip's place give; the goal of those astray is opposite the target."""
    random = np.random.default_rng(0)
    angles, target = random.uniform(-2, 2, (5, 2)), random.uniform(-0.2, 0.2, (5, 2))

    def tip(q: Any) -> Any:
        both = np.stack((q[:, 0], q[:, 0] + q[:, 1]))
        return 0.12 * np.stack((np.cos(both).sum(0), np.sin(both).sum(0)), 1)

    seen = np.hstack((angles, target - tip(angles), random.standard_normal((5, 2))))
    away = np.array([False, True, False, True, False])
    goal = np.where(away[:, None], -target, target)
    found = torque(seen, away, np.full((5, 1), 7.0), np.full((5, 1), 0.3))
    for joint in range(2):
        moved = angles.copy()
        moved[:, joint] += 1e-6
        slope = (tip(moved) - tip(angles)) / 1e-6
        expected = 7 * (slope * (goal - tip(angles))).sum(1) - 0.3 * seen[:, 4 + joint]
        np.testing.assert_allclose(found[:, joint], expected, rtol=1e-4, atol=1e-6)


def test_behaviours_are_of_different_quality_and_repeat() -> None:
    first, again = (collect(REACHER, 3, 40) for _ in range(2))
    names = drawn_behaviours(3, 40)
    assert sorted(names) == sorted([*BEHAVIOURS] * 10)
    assert names != drawn_behaviours(4, 40)
    for one, other in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one[:5], other[:5], strict=True))
        assert len(one.reward) == behaviours.STEPS
        assert one.truncated.tolist() == [False] * 99 + [True]
        assert not one.terminated.any()
        assert np.abs(one.action).max() <= 1
    mean = {
        name: np.mean([e.reward.sum() for e, own in zip(first, names, strict=True) if own == name])
        for name in BEHAVIOURS
    }
    assert mean["skilled"] > mean["weak"] > max(mean["astray"], mean["random"])
    starts = np.array([each.observation[0] for each in first])
    assert len(np.unique(starts.round(6), axis=0)) == 40


def test_episodes_are_played_copy_by_copy_to_their_ends() -> None:
    """Each copy's second episode starts after its first; the action is told which episode it is for."""
    asked: list[int] = []

    def act(observation: Any, which: Any) -> Any:
        asked.extend(which)
        return np.full((len(observation), 1), 0.25)

    world = ENVIRONMENTS["ProbeTarget-v0"]
    played = play(world, act, [0, 1, 2], each=2)
    assert [len(each.reward) for each in played] == [5] * 6
    assert sorted(set(asked)) == list(range(6))
    assert all(asked.count(i) == 5 for i in range(6))
    for each in played:
        assert each.observation.shape == (6, 2)
        assert (each.action == 0.25).all()


def test_a_world_without_behaviours_and_odd_numbers_are_refused() -> None:
    with pytest.raises(
        SpecificationError, match=r"Pendulum: no behaviours .* allowed: ReacherEasy"
    ):
        collect(PENDULUM, 0, 20)
    with pytest.raises(SpecificationError, match="episodes: 30; allowed: multiples of 20"):
        collect(REACHER, 0, 30)


def test_the_command_line_writes_a_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--episodes", "20", "--seed", "5", "--output", str(tmp_path / "set")]
    assert behaviours.main(options) == 0
    read = read_minari(tmp_path / "set", REACHER)
    for one, other in zip(read, collect(REACHER, 5, 20), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one[:5], other[:5], strict=True))
    assert behaviours.main(options) == 2
    assert "holds a data set already" in capsys.readouterr().err


# Values


def chain(rewards: list[float], terminated: bool) -> Episode:
    """An episode over states told apart by one-hot observations (two numbers: (1, 0) then (0, 1), alternating)."""
    steps = len(rewards)
    observation = np.eye(2)[np.arange(steps + 1) % 2]
    ends = np.zeros((2, steps), dtype=bool)
    ends[0 if terminated else 1, -1] = True
    return Episode(observation, np.zeros((steps, 1)), np.array(rewards), *ends)


def test_advantages_by_hand() -> None:
    """Two episodes, γ = ½, λ = ½: the first terminates, the second is cut off and bootstraps; neither sees the other."""
    own = settings(gamma=0.5, gae_lambda=0.5)
    data = prepare([chain([2.0, 4.0], True), chain([6.0], False)], own, "x")
    now, after = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 8.0, 10.0])
    # δ with rewards halved by 1 − γ: 1 + ½·2 − 1 = 1; 2 + 0 − 2 = 0; 3 + ½·10 − 3 = 5. A₀ = 1 + ¼·0.
    found = training.advantages(now, after, data, own)
    torch.testing.assert_close(found, torch.tensor([1.0, 0.0, 5.0]))


def test_values_of_a_small_chain_are_those_worked_out() -> None:
    """s₀ pays 1 and leads to s₁, which pays 0 and leads back: V₀ = 1/(1 − γ²), V₁ = γ V₀, times 1 − γ; γ = 0.8."""
    own = settings(gamma=0.8, gae_lambda=0.5, value_rounds=30, value_updates=30)
    data = prepare([chain([1.0, 0.0] * 20, False) for _ in range(3)], own, "x")
    found = valued(data, own, 0)
    scale = 1 - 0.8
    expected = torch.tensor([1 / (1 - 0.8**2), 0.8 / (1 - 0.8**2)]) * scale
    torch.testing.assert_close(found.value[:2], expected, rtol=0, atol=0.01)
    torch.testing.assert_close(found.returns[:2], expected, rtol=0, atol=0.02)
    assert found.rounds[-1]["explained"] > 0.95
    again = valued(data, own, 0)
    assert torch.equal(found.value, again.value)


def test_the_sign_of_the_advantage_labels_the_first_part_alone() -> None:
    """Of one state's actions, the one that pays is above the value of the behaviour, the other below."""
    world = settings().world
    random = np.random.default_rng(0)
    episodes = []
    for _ in range(20):
        action = random.choice([-0.5, 0.5], (30, 1))
        ends = np.zeros((2, 30), dtype=bool)
        ends[0] = True
        rows = [Episode(np.ones((2, 2)), action[i : i + 1], (action[i] > 0) * 1.0, *ends[:, i : i + 1]) for i in range(30)]  # fmt: skip
        episodes += rows
    assert isinstance(world.action, Continuous)
    own = settings(labelled=200, value_rounds=3, value_updates=200)
    data = prepare(episodes, own, "x")
    labels = labelled(data, valued(data, own, 0))
    assert labels.accepted.shape == (1, 200)
    expected = (data.pairs.action[:200, 0] > 0).float()
    assert torch.equal(labels.accepted[0], expected)
    assert torch.equal(labels.rejected[0], 1 - expected)


# Objective


ARMS = {
    "bc": Arm(beta=1.0),
    "accept_bc": Arm(alpha=1.0, beta=1.0),
    "accept": Arm(alpha=1.0, beta=0.0),
    "reject_bc": Arm(alpha=0.0, beta=2.0),
    "accept_reject_bc": Arm(alpha=0.5, beta=0.5),
}


def pairs(count: int, seed: int) -> Pairs:
    random = torch.Generator().manual_seed(seed)
    observation = torch.randn(count, 2, generator=random, dtype=torch.float64)
    action = 2 * torch.rand(count, 1, generator=random, dtype=torch.float64) - 1
    return Pairs(observation, action)


def double_policy() -> Conditional:
    fresh = training._fresh(0, 0, "policy", (2, 8, 2))
    parameters = {k: v.detach().double().requires_grad_() for k, v in fresh.items()}
    return Conditional(parameters, 2)


def gradients(loss: Tensor, policy: Conditional) -> Tensor:
    parts = torch.autograd.grad(loss, list(policy.parameters.values()))
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.parametrize("name", ARMS)
def test_mixtures_descend_the_written_out_formula(name: str) -> None:
    """−α mean log π of accepted + (1 − α) mean of rejected − β mean over all, densities by torch's own Normal."""
    arm, policy, every, first = ARMS[name], double_policy(), pairs(7, 1), pairs(5, 2)
    accepted = torch.tensor([True, False, True, True, False])
    labels = given(accepted.double().unsqueeze(0))

    def log_prob(rows: Pairs) -> Tensor:
        found = act(policy.parameters, rows.observation, 2)
        return torch.distributions.Normal(found.mean, found.std).log_prob(rows.action).sum(-1)

    written = -arm.beta * log_prob(every).mean()
    if arm.alpha is not None:
        written = written - arm.alpha * log_prob(first)[accepted].mean()
        written = written + (1 - arm.alpha) * log_prob(first)[~accepted].mean()
    found = objective(policy, every, first, labels, arm)
    assert float(found.detach()) == pytest.approx(float(written.detach()), rel=1e-6)
    torch.testing.assert_close(gradients(found, policy), gradients(written, policy), rtol=1e-6, atol=1e-9)  # fmt: skip


def test_the_step_is_improvements_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """One objective for bandits, control, language and offline data: the entry of its table is what is called."""
    policy, every, first = double_policy(), pairs(7, 1), pairs(5, 2)
    labels = given(torch.tensor([[1.0, 0, 1, 0, 0]]).double())
    called = []

    def watched(*arguments: Any) -> Tensor:
        called.append(arguments)
        return pmpo(*arguments)

    monkeypatch.setitem(training.IMPROVEMENTS, "pmpo", watched)
    found = objective(policy, every, first, labels, ARMS["accept_reject_bc"])
    ((moved, reference, samples, told, alpha, beta),) = called
    assert moved is policy
    assert isinstance(reference, SampledReference)
    assert reference.samples is every
    assert samples is first
    assert torch.equal(told.accepted, labels.accepted)
    direct = pmpo(policy, SampledReference(every), first, labels, alpha, beta)
    assert torch.equal(gradients(found, policy), gradients(direct, policy))


def test_actions_of_another_size_are_refused() -> None:
    """Not broadcast: one action would be compared with every dimension of the policy's."""
    policy, rows = double_policy(), pairs(5, 2)
    with pytest.raises(ValueError, match=r"actions are .*\[5, 3\].*, the policy's .*\[5, 1\]"):
        policy.log_prob(Pairs(rows.observation, rows.action.expand(-1, 3)))


# Training


def probe() -> list[Episode]:
    """Steps in two states s = ±1 at five times; the behaviour does s/2 ± 0.3, equally often, and the upper action pays 1."""
    ends = np.array([[True], [False]])
    return [
        Episode(np.tile([sign, t / 5], (2, 1)), np.array([[sign / 2 + 0.3 * up]]), np.array([(up + 1) / 2]), *ends)
        for _ in range(30) for sign in (-1, 1) for t in range(5) for up in (-1, 1)
    ]  # fmt: skip


def means(data: training.Data, arm: Arm, labels: Labels, **changes: Any) -> list[float]:
    """Mean actions in both states (−1 and 1) after training."""
    own = settings(**{"updates": 400, "hidden": (32,), **changes})
    found: list[Conditional] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "evaluate", lambda policy, *_: found.append(policy) or {})
        run = train(data, labels, arm, own, 0)
    assert run.status == "done"
    states = data.normalised(torch.tensor([[-1.0, 0.4], [1.0, 0.4]]))
    with torch.no_grad():
        return act(found[-1].parameters, states, found[-1].layers).mean[:, 0].tolist()


@pytest.fixture(scope="module")
def probed() -> tuple[training.Data, Labels]:
    own = settings(labelled=200, value_rounds=3, value_updates=200)
    data = prepare(probe(), own, "x")
    return data, labelled(data, valued(data, own, 0))


def test_labels_of_the_probe_are_known(probed: tuple[training.Data, Labels]) -> None:
    data, labels = probed
    centre = torch.sign(data.pairs.observation[:200, 0]) / 2
    assert torch.equal(labels.accepted[0] > 0, data.pairs.action[:200, 0] > centre)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("bc", -0.08, 0.08),
        ("accept", 0.22, 0.38),
        ("accept_bc", 0.07, 0.23),
        ("reject_bc", 0.15, 2.0),
        ("accept_reject_bc", 0.3, 2.0),
    ],
)
def test_mixtures_end_where_their_weights_say(
    probed: tuple[training.Data, Labels], name: str, low: float, high: float
) -> None:
    """The likeliest mean is Σ w a / Σ w, here s/2 + 0.3 (w₊ − w₋) / (w₊ + w₋), within the bounds.

    Of all data, either action of a state weighs β/2; of the labelled, the upper α more, the lower 1 − α less: (½, ½) for
    cloning, (1, 0), (3/2, ½), (1, 0) for rejection, and (¾, −¼) for all three losses. The last two are held to a side only:
    the weight left of two that nearly cancel differs from batch to batch.
    """
    for mean, state in zip(means(*probed[:1], ARMS[name], probed[1]), (-0.5, 0.5), strict=True):
        assert state + low <= mean <= min(state + high, 1)


def test_a_run_repeats_to_the_bit_and_another_seed_differs(
    probed: tuple[training.Data, Labels],
) -> None:
    arm, own = ARMS["accept_reject_bc"], settings(evaluations=2)
    torch.manual_seed(0)
    first = train(*probed, arm, own, 0)
    torch.manual_seed(1)
    assert train(*probed, arm, own, 0) == first
    assert train(*probed, arm, own, 1).updates != first.updates
    assert [row["step"] for row in first.evaluations] == [5, 10]
    once = train(*probed, arm, settings(evaluations=1), 0)
    assert once.updates == first.updates
    assert once.evaluations[-1] == first.evaluations[-1]


def test_the_score_is_the_return_of_the_mean_action(probed: tuple[training.Data, Labels]) -> None:
    """ProbeTarget pays −(a − s/2)² in each of five steps; cloning the probe's data is its optimum."""
    own = settings(updates=400, hidden=(32,), evaluated=20)
    run = train(*probed, ARMS["bc"], own, 0)
    assert run.evaluations[-1]["return_mean"] > -0.05


def test_a_run_that_is_not_finite_ends_there_as_diverged(
    probed: tuple[training.Data, Labels],
) -> None:
    data, labels = probed
    broken = replace(data, pairs=Pairs(data.pairs.observation * torch.nan, data.pairs.action))
    run = train(broken, labels, ARMS["bc"], settings(), 0)
    assert (run.status, len(run.updates), run.evaluations) == ("diverged", 1, [])


@pytest.mark.parametrize(
    ("kind", "refused"),
    [(0.0, ["accept", "accept_bc", "accept_reject_bc"]), (1.0, ["reject_bc", "accept_reject_bc"])],
)
def test_labels_of_one_kind_are_refused_for_arms_that_need_the_other(
    kind: float, refused: list[str]
) -> None:
    labels = given(torch.full((1, 5), kind))
    for name, arm in ARMS.items():
        if name not in refused:
            require_both(labels, {name: arm}, "set")
            continue
        with pytest.raises(SpecificationError, match=f"set: labels: all 5 .* arm '{name}'"):
            require_both(labels, {name: arm}, "set")


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(SpecificationError, match="x: has 1 episodes, of which labelled = 2"):
        prepare([chain([1.0], True)], settings(), "x")


def test_observations_that_never_vary_are_not_scaled() -> None:
    """Else what is new in evaluation would be millions of standard deviations away."""
    rows = episode(PENDULUM, 4, 0)
    rows.observation[:, 1] = 3.0
    data = prepare([rows], settings(environment="Pendulum", labelled=1), "x")
    assert data.scale[1] == 1
    assert (data.pairs.observation[:, 1] == 0).all()
    assert data.normalised(torch.tensor([0.0, 3.5, 0.0]))[1] == 0.5
    np.testing.assert_allclose(data.pairs.observation[:, 0].std(correction=0), 1, rtol=1e-5)


def test_actions_are_learnt_in_units_of_the_bounds() -> None:
    own = settings(environment="Pendulum", labelled=1)
    rows = episode(PENDULUM, 4, 0)
    found = prepare([rows], own, "x").pairs.action
    np.testing.assert_allclose(found.numpy(), rows.action / 2, rtol=1e-6)
    uneven = Environment("u", "native", 1, Continuous(1, -1.0, 3.0), 1, Anchors(0, 1, "none"))
    assert isinstance(uneven.action, Continuous)
    assert uneven.action.normalised(uneven.action.scaled(0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"environment": "CartPole-v1"}, "'CartPole-v1' is unknown or has no continuous actions"),
        ({"environment": "nowhere"}, "'nowhere' is unknown"),
        ({"dataset": None}, "episodes .* or dataset .*: give one"),
        ({"episodes": 20}, "give one of them"),
        ({"dataset": None, "episodes": 20, "labels": "liked"}, "collected data have no 'liked'"),
        ({"dataset": None, "episodes": 20, "labelled": 21}, r"at most episodes = 20 \(got 21\)"),
        ({"rows": 3}, r"rows must divide updates = 10 \(got 3\)"),
        ({"evaluated": 3}, r"evaluation_copies must divide evaluated = 3 \(got 2\)"),
        ({"gpu": True}, "unknown key 'gpu'"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


def test_an_arm_learns_something() -> None:
    with pytest.raises(ValueError, match="an arm without alpha needs a beta above 0"):
        Arm(beta=0.0)
    with pytest.raises(ValueError, match="alpha"):
        Arm(alpha=1.5, beta=0.0)
