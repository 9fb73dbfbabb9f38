"""The audit of PrefPoE's released checkpoint, on made-up checkpoints of the same layout.

The released file itself is not part of the project, so nothing here needs it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.wrappers.utils import RunningMeanStd
from scipy import stats

from algorithms.networks import Parameters
from algorithms.specification import SpecificationError
from analysis.audit.witness import read_witnesses
from envs.pool import Pool
from paper_figures.prefpoe import released
from paper_figures.prefpoe.released import (
    LAYOUT,
    NAMES,
    PAPER,
    POLICIES,
    READINGS,
    WORLD,
    Checkpoint,
    Evaluation,
    Floats,
    Sample,
    deterministic_actions,
    deviations,
    gaussian_entropy,
    play,
    read_checkpoint,
    spread_p,
    welch_p,
)

SHORT = dataclasses.replace(WORLD, horizon=15)
LOG_STD = {"actor_logstd": -1.5, "preference_logstd": 0.75}


def state_dict(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Random weights of the released layout, the encoder stored a second time as the critic's."""
    rng = torch.Generator().manual_seed(seed)
    state: dict[str, Any] = {
        key: torch.full(shape, LOG_STD[key])
        if key in LOG_STD
        else 0.3 * torch.randn(shape, generator=rng)
        for key, shape in LAYOUT.items()
    }
    for part in ("0.weight", "0.bias", "2.weight", "2.bias"):
        state[f"critic.0.{part}"] = state[f"backbone.{part}"]
    return state | changes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A made-up checkpoint."""
    file = tmp_path / "made-up.cleanrl_model"
    torch.save(state_dict(), file)
    return file


@pytest.fixture
def checkpoint(path: Path) -> Checkpoint:
    """The same, read."""
    return read_checkpoint(path)


# Reading


def test_shared_tensors_count_once_and_a_made_up_file_is_named_as_such(
    path: Path, checkpoint: Checkpoint
) -> None:
    # 17·64 + 64 + 64·64 + 64 encoder, 2 · (64·6 + 6) means, 2 · 6 log-std, 64 + 1 value.
    assert checkpoint.unique == 5312 + 780 + 12 + 65
    assert checkpoint.head == 64 * 6 + 6 + 6
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.identity == "another file of the same layout"
    known = dataclasses.replace(checkpoint, sha256=released.SHA256)
    assert known.identity == "the released file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a torch state dict; expected a torch state dict with actor_logstd"),
        (b"# a text\n", "not a torch state dict"),
        ([1, 2], "holds a list; expected a torch state dict with actor_logstd"),
        ({"a": torch.zeros(1)}, "missing actor_logstd, preference_logstd, backbone.0.weight"),
        ({"actor_mean.bias": torch.zeros(7)}, r"actor_mean.bias: .*shape \(6,\) \(got \(7,\)\)"),
        ({"actor_mean.bias": 3}, r"actor_mean.bias: expected a tensor of shape \(6,\)"),
        ({"critic.1.bias": torch.tensor([math.nan])}, "critic.1.bias: expected finite numbers"),
    ],
)
def test_another_file_is_one_line_that_names_it(
    tmp_path: Path, content: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "strange"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, dict) and "a" not in content:
        torch.save(state_dict(**content), file)
    else:
        torch.save(content, file)
    with pytest.raises(SpecificationError, match=message):
        read_checkpoint(file)
    output = tmp_path / "released.json"
    assert released.main(["--checkpoint", str(file), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: ")
    assert error.count("\n") == 1
    assert not output.exists()


def test_a_missing_file_and_too_few_episodes(
    tmp_path: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "released.json")]
    assert released.main(["--checkpoint", str(tmp_path / "none"), *output]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert released.main(["--checkpoint", str(path), "--episodes", "1", *output]) == 2
    assert "--episodes: must be at least 2 (got 1)" in capsys.readouterr().err


# What the file says without playing


def test_parameters_against_every_network(checkpoint: Checkpoint) -> None:
    witness = released.released_parameters(checkpoint, "4.8%")
    numbers = witness.numbers
    # CleanRL: actor and critic encoders of 5,312 each, 390 + 6 for the policy, 65 for the value.
    assert numbers["parameters of CleanRL's PPO"] == 2 * 5312 + 396 + 65
    assert numbers["head / CleanRL's PPO, %"] == pytest.approx(39600 / 11085)
    assert numbers["head / the rest of the checkpoint, %"] == pytest.approx(39600 / 5773)
    shares = released.head_shares()
    assert len(shares) == 80
    # Eq. 1 has a second linear layer of 390 for log-std in each head; its own policy is 5,312 + 780.
    assert shares["HalfCheetah-v4: head of Eq. 1 / own policy"] == pytest.approx(78000 / 6092)
    name = "HalfCheetah-v4: head of Eq. 1 / own policy and separate critic and head"
    assert shares[name] == pytest.approx(78000 / (6092 + 5377 + 780))
    # Ant: 27 inputs, 8 actions.
    ant = "Ant-v4: artefact's head / own policy and linear critic"
    assert shares[ant] == pytest.approx(52800 / (5952 + 528 + 65))
    three = [shares[f"{world}: artefact's head / CleanRL's actor"] for world in released.CONTINUOUS]
    assert shares["average: artefact's head / CleanRL's actor"] == pytest.approx(sum(three) / 3)


def test_the_outcome_of_the_parameters_follows_the_claimed_number(checkpoint: Checkpoint) -> None:
    def outcome(claimed: str) -> str:
        return released.released_parameters(checkpoint, claimed).outcome

    assert outcome("6.9%") == "holds"  # 396 / 5,773 = 6.86 %
    assert outcome("3.6%") == "holds"  # 396 / 11,085 = 3.57 %
    assert outcome("50%") == "fails"
    reading = released.released_parameters(checkpoint, "13.7%")
    assert reading.outcome == "holds under a reading"
    assert reading.reading == "HalfCheetah-v4: head of Eq. 1 / CleanRL's actor"


def test_deviations_by_hand() -> None:
    found = deviations(np.log([0.5, 2.0]), np.log([1.0, 3.0]))
    np.testing.assert_allclose(found.stored, [1.0, 3.0])
    np.testing.assert_allclose(found.preference, [1.0, 2.0])  # clamped to 2
    # Precisions 4 + 1 and 1/4 + 1/4.
    np.testing.assert_allclose(found.share, [0.2, 0.5])
    np.testing.assert_allclose(found.fused, [5**-0.5, 2**0.5], rtol=1e-6)


def test_entropies_by_hand_and_at_initialisation() -> None:
    std = np.array([0.5, 2.0])
    assert gaussian_entropy(std) == pytest.approx(sum(stats.norm(0, s).entropy() for s in std))
    found = deviations(np.full(6, -1.5), np.full(6, 0.75))
    witness = released.released_fused_entropy(found)
    numbers, constant = witness.numbers, 3 * math.log(2 * math.pi * math.e)
    assert numbers["H(π_main), nats"] == pytest.approx(constant - 9)
    assert numbers["H(π_pref), nats"] == pytest.approx(constant + 6 * math.log(2))
    assert numbers["largest H that the clamp allows"] == numbers["H(π_pref), nats"]
    assert numbers["at initialisation, each head"] == pytest.approx(constant - 6)
    # Two equal experts have twice the precision: σ falls by √2.
    fused = constant - 6 - 3 * math.log(2)
    assert numbers["at initialisation, fused"] == pytest.approx(fused, abs=1e-6)
    assert numbers["at initialisation, CleanRL's PPO"] == pytest.approx(constant)
    assert witness.outcome == "undecided"
    assert released.released_preference_entropy(found).outcome == "holds"


def test_entropies_that_agree_hold_and_others_are_undecided() -> None:
    main, preference = 1.05 - 8.513631199, 10 - 8.513631199
    found = deviations(np.full(6, main / 6), np.full(6, preference / 6))
    assert released.released_fused_entropy(found).outcome == "holds"
    assert released.released_preference_entropy(found).outcome == "holds"
    low = deviations(np.full(6, main / 6), np.full(6, -1.0))
    assert released.released_preference_entropy(low).outcome == "undecided"


def test_sigma_and_variance_reduction(checkpoint: Checkpoint) -> None:
    found = deviations(np.full(6, -1.5), np.full(6, 0.75))
    assert released.sigma_variation(checkpoint.parameters) == 0
    witness = released.released_sigma(found, 0.0)
    assert witness.outcome == "fails"
    assert witness.numbers["preference σ at the clamp"] == 6
    assert released.released_sigma(found, 0.1).outcome == "holds"
    reduced = released.released_variance_reduction(found)
    assert reduced.outcome == "holds"
    variance = 1 / (math.exp(3) + 0.25)
    assert reduced.numbers["tr Σ_fused"] == pytest.approx(6 * variance)
    # Where the clamp of the fused σ is below both experts' it reduces; where nothing does, it does not.
    same = dataclasses.replace(found, fused=found.main)
    assert released.released_variance_reduction(same).outcome == "fails"


# Playing


def numpy_policies(state: dict[str, Any], seen: Floats) -> list[Floats]:
    """The three deterministic policies, from the checkpoint's own names and plain numpy."""
    w = {key: value.double().numpy() for key, value in state.items()}
    hidden = np.tanh(seen @ w["backbone.0.weight"].T + w["backbone.0.bias"])
    hidden = np.tanh(hidden @ w["backbone.2.weight"].T + w["backbone.2.bias"])
    main, preference = (
        np.tanh(hidden @ w[f"{head}_mean.weight"].T + w[f"{head}_mean.bias"])
        for head in ("actor", "preference")
    )
    stds = np.exp(w["actor_logstd"][0]), np.exp(w["preference_logstd"][0]).clip(1e-3, 2)
    first, second = (1 / (std**2 + 1e-8) for std in stds)
    return [(first * main + second * preference) / (first + second), main, preference]


def test_each_third_acts_by_its_own_policy(checkpoint: Checkpoint) -> None:
    seen = np.random.default_rng(3).standard_normal((6, 17))
    acted = deterministic_actions(checkpoint.parameters, seen)
    expected = numpy_policies(state_dict(), seen)
    for third, policy in enumerate(expected):
        rows = slice(2 * third, 2 * third + 2)
        np.testing.assert_allclose(acted[rows], policy[rows], atol=1e-5)
    assert not np.allclose(acted[:2], expected[1][:2], atol=1e-3)


@pytest.fixture(scope="module")
def precise() -> Parameters:
    """The made-up checkpoint in float64: the simulator magnifies float32's rounding within a few steps."""
    return {name: value.double() for name, value in released._renamed(state_dict()).items()}


@pytest.fixture(scope="module")
def short_returns(precise: Parameters) -> Floats:
    """Two seeds, two truncated episodes, under both readings."""
    return play(precise, [0, 42], 2, SHORT)


def test_a_seed_plays_alone_as_in_company(precise: Parameters, short_returns: Floats) -> None:
    assert short_returns.shape == (len(READINGS), len(POLICIES), 2, 2)
    alone = play(precise, [42], 2, SHORT)
    np.testing.assert_allclose(alone[:, :, 0], short_returns[:, :, 1], rtol=1e-6)
    assert len(np.unique(short_returns.round(6))) == short_returns.size


def test_play_normalises_as_gymnasium_does(short_returns: Floats) -> None:
    """Both readings, step by step, with gymnasium's own running statistics and plain numpy."""
    for policy in range(len(POLICIES)):
        expected = reference_returns(state_dict(), policy)
        np.testing.assert_allclose(short_returns[:, policy, 1], expected, rtol=1e-6)


def reference_returns(state: dict[str, Any], policy: int) -> Floats:
    """Returns [2 readings, 2 episodes] of one policy in one environment with seed 42."""
    pool = Pool(SHORT, [42])
    moments = RunningMeanStd(shape=(WORLD.observation_size,), dtype=np.float64)
    returns = np.zeros((2, 2))
    raw = pool.reset()
    moments.update(raw)
    for reading in range(2):
        for episode in range(2):
            for _ in range(SHORT.horizon):
                seen = (raw - moments.mean) / np.sqrt(moments.var + 1e-8)
                action = numpy_policies(state, np.clip(seen, -10, 10))[policy]
                step = pool.step(np.clip(action, -1, 1))
                returns[reading, episode] += step.reward[0]
                raw = step.successor
                if reading == 0:
                    moments.update(raw)
            raw = step.fresh
            if reading == 0:
                moments.update(raw)
    return returns


def test_the_simulator_says_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", released.simulator_version())


# What the episodes decide


def test_tests_of_means_and_spreads_are_scipys() -> None:
    first, second = Sample(5576.0, 408.18, 10), Sample(5100.0, 900.0, 7)
    expected = stats.ttest_ind_from_stats(
        first.mean, first.std, first.n, second.mean, second.std, second.n, equal_var=False
    )
    assert welch_p(first, second) == pytest.approx(expected.pvalue)
    further = dataclasses.replace(
        second, mean=first.mean - released.detectable(first, second) * (1 + 1e-9)
    )
    assert welch_p(first, further) == pytest.approx(0.05, abs=1e-6)
    above = stats.chi2(9).sf(9 * (408.18 / 300) ** 2)
    assert spread_p(first, 300.0) == pytest.approx(2 * above)
    below = stats.chi2(9).cdf(9 * (408.18 / 600) ** 2)
    assert spread_p(first, 600.0) == pytest.approx(2 * below)
    values = np.array([1.0, 2.0, 4.0])
    assert Sample.of(values) == Sample(7 / 3, pytest.approx(stats.tstd(values)), 3)


def made_up(running: float, frozen: float, spread: float = 400.0) -> Evaluation:
    """Ten seeds, ten episodes: seed means with exactly these means and about this spread."""
    rng = np.random.default_rng(0)
    returns = rng.standard_normal((2, 3, 10, 10))
    returns -= returns.mean((-1, -2), keepdims=True)
    returns *= spread / returns.mean(-1).std(-1, ddof=1)[..., None, None]
    return Evaluation(returns + np.array([running, frozen])[:, None, None, None], "1.2.3")


def test_a_mean_agrees_under_the_releases_reading_the_other_or_neither() -> None:
    claimed = float(PAPER.value)
    both = released.released_multi_seed(made_up(claimed, claimed))
    assert (both.outcome, both.reading) == ("holds", None)
    assert both.numbers["MuJoCo"] == "1.2.3"
    assert both.numbers[f"{READINGS[0]}: {POLICIES[0]}, std over seeds"] == pytest.approx(400)
    saved = released.released_multi_seed(made_up(2000.0, claimed))
    assert (saved.outcome, saved.reading) == ("holds under a reading", READINGS[1])
    neither = released.released_multi_seed(made_up(2000.0, 2000.0))
    assert (neither.outcome, neither.reading) == ("undecided", None)


def test_single_episodes_are_summed_up() -> None:
    evaluation = made_up(6018.0, 1500.0)
    witness = released.released_single_model(evaluation)
    assert witness.outcome == "holds"
    fused = evaluation.returns[1, 0]
    assert witness.numbers[f"{READINGS[1]}: worst episode"] == fused.min()
    assert witness.numbers[f"{READINGS[1]}: episodes below 2000"] == (fused < 2000).sum()
    assert witness.numbers["episodes a seed"] == 10


def test_seeds_of_one_model_account_for_the_papers_spread_or_do_not() -> None:
    same = released.released_seeds(made_up(5500.0, 5500.0, spread=400.0))
    assert same.outcome == "holds under a reading"
    assert "one trained model" in str(same.reading)
    # (10 − 1) · 408.18² / 581² = 4.442: both tails of χ²(9).
    chance = 2 * stats.chi2.cdf(9 * 408.18**2 / 581**2, 9)
    name = "χ² p of the paper's spread against Table 1's over training seeds"
    assert same.numbers[name] == pytest.approx(chance)
    assert same.numbers["the paper's spread of single-model episodes / √10"] == pytest.approx(
        1118.76 / math.sqrt(10)
    )
    narrow = released.released_seeds(made_up(5500.0, 5500.0, spread=20.0))
    assert narrow.outcome == "undecided"


def test_only_the_printed_digits_are_an_exact_reproduction() -> None:
    assert released.released_exact(made_up(5500.0, 5576.0, spread=400.0)).outcome == "holds"
    assert released.released_exact(made_up(5500.0, 5600.0, spread=400.0)).outcome == "undecided"


# The whole


def test_without_a_checkpoint_everything_is_skipped_and_torch_is_not_loaded(tmp_path: Path) -> None:
    output = tmp_path / "released.json"
    code = (
        "import sys; from paper_figures.prefpoe.released import main; "
        "code = main(sys.argv[1:]); print('torch' in sys.modules); sys.exit(code)"
    )
    command = (sys.executable, "-c", code, "--output", str(output))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    found = read_witnesses(output)
    assert tuple(found) == NAMES
    assert found == released.skipped()
    for witness in found.values():
        assert witness.outcome == "skipped"
        assert "geometric-rl-anonymous/PrefPoE, commit 88f9a4c" in witness.said
        assert "snakemake audit --config checkpoint=PATH" in witness.said


def test_the_whole_audit_of_a_made_up_checkpoint(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = released.play
    monkeypatch.setattr(
        released, "play", lambda parameters, seeds, n: real(parameters, seeds[:3], n, SHORT)
    )
    output = tmp_path / "released.json"
    command = ["--checkpoint", str(path), "--episodes", "2", "--output", str(output)]
    assert released.main(command) == 0
    found = read_witnesses(output)
    assert tuple(found) == NAMES
    assert "skipped" not in {witness.outcome for witness in found.values()}
    # 15 random steps pay nothing near the paper's thousands.
    assert found["released_multi_seed"].outcome == "undecided"
    assert found["released_multi_seed"].numbers["seeds"] == 3
