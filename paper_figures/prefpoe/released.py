"""PrefPoE's released HalfCheetah-v4 checkpoint against what the paper and its repository say of it.

The checkpoint is not part of this project: give its path. Without one, every witness is there and says how to get it.
The file is a torch state dict: an encoder shared with the critic, linear heads for both experts' means, and one free
log-std vector for each expert. What it leaves out are the running observation statistics that the policy was
trained with, so episodes are played under two readings of them. Shapes: 3 policies, S seeds, E episodes,
O observation, A action dimensions.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr, stdtrit

from algorithms.normalize import Normalizer
from algorithms.settings import METHODS, PrefPoE, on_policy
from algorithms.specification import SpecificationError
from analysis.audit.checks.replication import Sample, welch, welch_p
from analysis.audit.witness import Witness, Witnesses, write_witnesses
from analysis.reported import Reported, parse
from envs.pool import Pool
from envs.registry import ENVIRONMENTS, Environment

if TYPE_CHECKING:
    from torch import Tensor

    from algorithms.networks import Parameters

# torch is imported where it is used: without a checkpoint the audit must not wait for it.

Floats = NDArray[np.float64]
Numbers = dict[str, float | str]

SOURCE = "repository geometric-rl-anonymous/PrefPoE, commit 88f9a4c, file PrefPoE.cleanrl_model"
SHA256 = "1b19594cb5b72c6dc9d160272d70a738911337cd7ce6f3eba25612eab47239b0"
WORLD = ENVIRONMENTS["HalfCheetah-v4"]
CONTINUOUS = ("HalfCheetah-v4", "Ant-v4", "LunarLanderContinuous-v2")
SEEDS = (0, 1, 42, 123, 456, 789, 1234, 2023, 3141, 9999)  # of the release's evaluation script
EPISODES = 10
NAMES = (
    "released_parameters",
    "released_parameters_rounded",
    "released_sigma",
    "released_variance_reduction",
    "released_preference_entropy",
    "released_fused_entropy",
    "released_multi_seed",
    "released_single_model",
    "released_exact",
    "released_seeds",
)
POLICIES = ("fused policy", "main policy alone", "preference policy alone")
READINGS = ("fresh running statistics", "statistics warmed up, then frozen")
PAPER, README, SINGLE_MODEL = (
    parse(text) for text in ("5576.0±408.18", "5616.48±305.00", "6018.18±1118.76")
)
SINGLE_MODEL_EPISODES = 50
TABLE_1, TABLE_1_SEEDS = parse("5375±581"), 5
SIGNIFICANCE = 0.05

_HIDDEN = 64
_LAYERS = {
    "backbone.0": ("actor.0", _HIDDEN, WORLD.observation_size),
    "backbone.2": ("actor.1", _HIDDEN, _HIDDEN),
    "actor_mean": ("policy.mean.0", 6, _HIDDEN),
    "preference_mean": ("preference.mean.0", 6, _HIDDEN),
    "critic.1": ("value.0", 1, _HIDDEN),
}
_STDS = {"actor_logstd": "policy.log_std", "preference_logstd": "preference.log_std"}
_HEAD = ("preference_mean.weight", "preference_mean.bias", "preference_logstd")


def _layout() -> dict[str, tuple[int, ...]]:
    """The keys that a checkpoint must have, and their shapes."""
    shapes: dict[str, tuple[int, ...]] = {name: (1, 6) for name in _STDS}
    for layer, (_, outputs, inputs) in _LAYERS.items():
        shapes |= {f"{layer}.weight": (outputs, inputs), f"{layer}.bias": (outputs,)}
    return shapes


LAYOUT = _layout()


@dataclass(frozen=True)
class Checkpoint:
    """A file of the released layout: parameters by this project's names, and what the file counts to."""

    name: str
    sha256: str
    parameters: Parameters
    unique: int
    head: int

    @property
    def identity(self) -> str:
        """Which file this is, in words."""
        return "the released file" if self.sha256 == SHA256 else "another file of the same layout"


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint at `path`. Raises SpecificationError: the file, what is missing, what is expected."""
    import torch

    expected = "expected a torch state dict with " + ", ".join(sorted(LAYOUT))
    try:
        content = path.read_bytes()
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SpecificationError(f"{path}: cannot be read: {error.strerror}") from error
    # torch's unpickler raises whatever the bytes of a strange file lead to.
    except Exception as error:
        raise SpecificationError(f"{path}: not a torch state dict; {expected}") from error
    if not isinstance(state, Mapping):
        raise SpecificationError(f"{path}: holds a {type(state).__name__}; {expected}")
    missing = [key for key in LAYOUT if key not in state]
    if missing:
        raise SpecificationError(f"{path}: missing {', '.join(missing)}; {expected}")
    for key, shape in LAYOUT.items():
        _check_tensor(f"{path}: {key}", state[key], shape)
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    sizes = {value.data_ptr(): value.numel() for value in tensors}  # shared tensors count once
    return Checkpoint(
        path.name,
        hashlib.sha256(content).hexdigest(),
        _renamed(state),
        sum(sizes.values()),
        sum(state[key].numel() for key in _HEAD),
    )


def _check_tensor(place: str, value: Any, shape: tuple[int, ...]) -> None:
    found = tuple(getattr(value, "shape", ()))
    if found != shape:
        raise SpecificationError(f"{place}: expected a tensor of shape {shape} (got {found})")
    if not bool(value.isfinite().all()):
        raise SpecificationError(f"{place}: expected finite numbers")


def _renamed(state: Mapping[str, Tensor]) -> Parameters:
    parameters = {ours: state[theirs].flatten().float() for theirs, ours in _STDS.items()}
    for theirs, (ours, _, _) in _LAYERS.items():
        for part in ("weight", "bias"):
            parameters[f"{ours}.{part}"] = state[f"{theirs}.{part}"].float()
    return parameters


def artefact_settings() -> PrefPoE:
    """How the released artefact turns parameters into a policy: λ = 1, tanh means, clamped σ."""
    settings = METHODS["prefpoe_released"].settings
    assert isinstance(settings, PrefPoE)
    return settings


# Parameters


def network_sizes(method: str, environment: str) -> dict[str, int]:
    """Parameters of each tensor in a freshly initialised network of `method`."""
    from algorithms.methods import ppo, prefpoe

    settings, rng = METHODS[method].settings, np.random.default_rng(0)
    world = ENVIRONMENTS[environment]
    if isinstance(settings, PrefPoE):
        made = prefpoe.init(settings, world, rng)
    else:
        made = ppo.init(on_policy(settings), world, rng)
    return {name: tensor.numel() for name, tensor in made.items()}


def head_shares() -> dict[str, float]:
    """Parameters of the preference head in per cent, under every reading of head, network and environment.

    Heads: the artefact's (means and a log-std vector) and Eq. 1's (means and log-std, both linear on the
    encoder). Networks: CleanRL's PPO, its actor, and the method's own policy without critic, with a linear one on the
    encoder and with a separate one; each before the head is added and after. Averages over the environments come last.
    """
    shares: dict[str, float] = {}
    for environment in CONTINUOUS:
        cleanrl = network_sizes("ppo", environment)
        critic = _total(cleanrl) - _total(cleanrl, "critic")
        for method, name in (("prefpoe_released", "artefact's head"), ("prefpoe", "head of Eq. 1")):
            own = network_sizes(method, environment)
            head = _total(own) - _total(own, "preference")
            policy = _total(own, "preference", "critic", "value")
            linear = network_sizes("prefpoe_released", environment)
            bases = {
                "CleanRL's PPO": _total(cleanrl),
                "CleanRL's actor": _total(cleanrl, "critic"),
                "own policy": policy,
                "own policy and linear critic": policy + _total(linear) - _total(linear, "value"),
                "own policy and separate critic": policy + critic,
            }
            for base, size in bases.items():
                shares[f"{environment}: {name} / {base}"] = 100 * head / size
                shares[f"{environment}: {name} / {base} and head"] = 100 * head / (size + head)
    names = [name.partition(": ")[2] for name in shares][: len(shares) // len(CONTINUOUS)]
    return shares | {
        f"average: {name}": float(np.mean([shares[f"{world}: {name}"] for world in CONTINUOUS]))
        for name in names
    }


def _total(sizes: Mapping[str, int], *without: str) -> int:
    return sum(size for name, size in sizes.items() if not name.startswith(without))


def released_parameters(checkpoint: Checkpoint, claimed: str) -> Witness:
    """Does the preference head add `claimed` ("4.8%") parameters?"""
    shares, asked = head_shares(), parse(claimed)
    cleanrl = _total(network_sizes("ppo", WORLD.name))
    own = 100 * checkpoint.head / (checkpoint.unique - checkpoint.head)
    added = 100 * checkpoint.head / cleanrl
    fitting = [name for name, share in shares.items() if share in asked.range]
    nearest = sorted(shares, key=lambda name: abs(shares[name] - float(asked.value)))[:5]
    numbers: Numbers = {
        "file": f"{checkpoint.name}, sha256 {checkpoint.sha256}: {checkpoint.identity}",
        "unique parameters in the checkpoint": float(checkpoint.unique),
        "parameters of its preference head": float(checkpoint.head),
        "parameters of CleanRL's PPO": float(cleanrl),
        "head / the rest of the checkpoint, %": own,
        "head / CleanRL's PPO, %": added,
        "whole checkpoint / CleanRL's PPO − 1, %": 100 * (checkpoint.unique / cleanrl - 1),
        "readings tried": float(len(shares)),
        f"readings that round to {claimed}": float(len(fitting)),
    }
    shown = [name for name in shares if name.startswith(WORLD.name) and "and head" not in name]
    numbers |= {f"{name}, %": shares[name] for name in (*nearest, *shown)}
    holds = own in asked.range or added in asked.range
    return Witness(
        outcome="holds" if holds else "holds under a reading" if fitting else "fails",
        said=f"The checkpoint has {checkpoint.unique:,} unique parameters, {checkpoint.head} of them in "
        f"the preference head: {own:.2f} % of the rest, {added:.2f} % of CleanRL's PPO ({cleanrl:,}). "
        f"Of {len(shares)} readings of head, network and environment, {len(fitting)} round to {claimed}; "
        f"the nearest, {nearest[0]}, is {shares[nearest[0]]:.2f} %.",
        numbers=numbers,
        reading=None if holds or not fitting else nearest[0],
    )


# Standard deviations and entropies


@dataclass(frozen=True)
class Deviations:
    """Standard deviations [A] of the two experts, the preference expert's as stored, and the fused policy."""

    main: Floats
    stored: Floats
    preference: Floats
    fused: Floats

    @property
    def share(self) -> Floats:
        """The preference expert's part of the fused precision: [A]."""
        part: Floats = self.preference**-2 / (self.main**-2 + self.preference**-2)
        return part


def deviations(main_log_std: Floats, preference_log_std: Floats) -> Deviations:
    """σ of the artefact's policies from its log-std vectors [A]; they do not depend on the state."""
    settings = artefact_settings()
    assert settings.std_range is not None
    main, stored = np.exp(main_log_std), np.exp(preference_log_std)
    preference = stored.clip(*settings.std_range)
    epsilon, weight = settings.precision_epsilon, settings.fusion_weight
    variance = 1 / (1 / (main**2 + epsilon) + weight / (preference**2 + epsilon))
    return Deviations(main, stored, preference, np.sqrt(variance).clip(*settings.std_range))


def gaussian_entropy(std: Floats) -> float:
    """½ Σ log(2πe σ²) in nats of σ [A]."""
    return float((0.5 * math.log(2 * math.pi * math.e) + np.log(std)).sum())


def sigma_variation(parameters: Parameters, states: int = 100) -> float:
    """The largest difference of an expert's σ, by dimension, between random normalised observations."""
    import torch

    from algorithms.distributions import DiagonalGaussian
    from algorithms.methods import prefpoe

    observations = np.random.default_rng(0).standard_normal((states, WORLD.observation_size))
    policies = prefpoe.experts(
        parameters, torch.from_numpy(observations).float(), artefact_settings()
    )
    stds = [policy.std for policy in policies if isinstance(policy, DiagonalGaussian)]
    return max(float((std.amax(0) - std.amin(0)).max()) for std in stds)


def released_sigma(found: Deviations, variation: float) -> Witness:
    """Eq. 1: σ_pref(s) is the exponential of a head on the encoder; `variation` as sigma_variation gives it."""
    settings = artefact_settings()
    assert settings.std_range is not None
    upper = settings.std_range[1]
    clamped = int((found.stored >= upper).sum())
    ratio, share = found.fused / found.main, 100 * found.share
    return Witness(
        outcome="holds" if variation > 0 else "fails",
        said="Eq. 1 makes log-std a head on the encoder; the checkpoint has one free vector for each "
        f"expert, and its σ differ by {variation:g} between states. {clamped} of "
        f"{len(found.stored)} preference σ lie at or above the artefact's upper clamp of {upper:g}, "
        f"where the gradient is zero; the preference expert holds {share.min():.1f} to "
        f"{share.max():.1f} % of the fused precision, and the fused σ is {ratio.min():.3f} to "
        f"{ratio.max():.3f} of the main one.",
        numbers={
            "largest difference of σ between 100 random states": variation,
            "σ_main": _vector(found.main),
            "σ_pref as stored": _vector(found.stored),
            "σ_pref clamped": _vector(found.preference),
            "σ_fused": _vector(found.fused),
            "preference σ at the clamp": float(clamped),
            "preference expert's share of precision, smallest, %": float(share.min()),
            "preference expert's share of precision, largest, %": float(share.max()),
            "σ_fused / σ_main, smallest": float(ratio.min()),
            "σ_fused / σ_main, largest": float(ratio.max()),
        },
    )


def released_variance_reduction(found: Deviations) -> Witness:
    """Eq. 38 and 40 in the artefact: smaller trace and entropy than either expert's."""
    traces = [float((std**2).sum()) for std in (found.main, found.preference, found.fused)]
    drop = gaussian_entropy(found.main) - gaussian_entropy(found.fused)
    holds = traces[2] < min(traces[:2]) and drop > 0
    return Witness(
        outcome="holds" if holds else "fails",
        said=f"tr Σ_fused is {100 * (1 - traces[2] / traces[0]):.2f} % below tr Σ_main, and the fused "
        f"policy's entropy {drop:.3f} nats below the main policy's. The artefact fuses with λ = 1, "
        "where the bound is a theorem.",
        numbers={
            "tr Σ_main": traces[0],
            "tr Σ_pref": traces[1],
            "tr Σ_fused": traces[2],
            "H(π_main) − H(π_fused), nats": drop,
        },
    )


def released_preference_entropy(found: Deviations) -> Witness:
    """B.1: the preference expert's entropy rises to ~10 between 0.6M and 1.5M steps; B.3: it goes on growing."""
    entropy = gaussian_entropy(found.preference)
    return Witness(
        outcome="holds" if entropy >= parse("~10").range.low else "undecided",
        said=f"At the end of training this checkpoint's preference expert has {entropy:.2f} nats, the "
        "most that the artefact's clamp allows; the paper has ~10 at 1.5M steps and growth after. "
        "The checkpoint is one run, and says nothing about the way there.",
        numbers=_entropies(found),
    )


def released_fused_entropy(found: Deviations) -> Witness:
    """Figure 2, B.1: the fused policy's entropy recovers to ~1.0 after 1.5M steps."""
    entropy = gaussian_entropy(found.fused)
    return Witness(
        outcome="holds" if entropy in parse("~1.0").range else "undecided",
        said=f"σ does not depend on the state, so the entropy is exact: {entropy:.2f} nats in this "
        "checkpoint, where the paper has ~1.0. The paper's value may be an average over training "
        "runs of which this checkpoint is one.",
        numbers=_entropies(found),
    )


def _entropies(found: Deviations) -> Numbers:
    """Entropies of the checkpoint, of the clamp, and at initialisation, in nats."""
    settings = artefact_settings()
    assert settings.std_range is not None
    size = len(found.main)
    fresh = deviations(*np.full((2, size), settings.initial_log_std))
    cleanrl = np.exp(np.full(size, on_policy(METHODS["ppo"].settings).initial_log_std))
    return {
        "H(π_fused), nats": gaussian_entropy(found.fused),
        "H(π_main), nats": gaussian_entropy(found.main),
        "H(π_pref), nats": gaussian_entropy(found.preference),
        "largest H that the clamp allows": gaussian_entropy(np.full(size, settings.std_range[1])),
        "σ of an expert with H = 10, equal in every dimension": math.exp(
            10 / size - 0.5 * math.log(2 * math.pi * math.e)
        ),
        "at initialisation, each head": gaussian_entropy(fresh.main),
        "at initialisation, fused": gaussian_entropy(fresh.fused),
        "at initialisation, CleanRL's PPO": gaussian_entropy(cleanrl),
    }


# Episodes


def play(
    parameters: Parameters, seeds: Sequence[int], episodes: int, world: Environment = WORLD
) -> Floats:
    """Returns [2 readings, 3 policies, S, E] of deterministic episodes.

    Every policy plays in one environment for each seed, reset with that seed. `episodes` are played while a fresh
    normaliser learns the observations' statistics, as gymnasium's NormalizeObservation would; these statistics are
    then frozen for as many episodes again. Actions are clipped to the environment's bounds, normalised
    observations to ±10. Episodes end at the horizon only, as HalfCheetah's do.
    """
    import torch

    pool = Pool(world, list(seeds) * len(POLICIES))
    normalizer = Normalizer.create(np.zeros(pool.size), world.observation_size, True, False)
    returns = np.zeros((len(READINGS), len(POLICIES), len(seeds), episodes))
    seen = normalizer.observe(pool.reset())
    with torch.inference_mode():
        for reading, normalise in enumerate((normalizer.observe, normalizer.apply)):
            for episode in range(episodes):
                total = np.zeros(pool.size)
                for _ in range(world.horizon):
                    step = pool.step(deterministic_actions(parameters, seen))
                    total += step.reward
                    seen = normalise(step.successor)
                if step.ended.size < pool.size:
                    raise RuntimeError(f"{world.name}: an episode did not end at its horizon")
                seen = normalise(step.fresh)
                returns[reading, :, :, episode] = total.reshape(len(POLICIES), -1)
    return returns


def deterministic_actions(parameters: Parameters, seen: Floats) -> NDArray[np.floating]:
    """Modes of the three policies, each for its third of the normalised observations [3·S, O]: [3·S, A].

    Computed in the parameters' precision.
    """
    import torch

    from algorithms.methods import prefpoe

    settings = artefact_settings()
    observation = torch.from_numpy(seen).to(parameters["policy.log_std"].dtype)
    weight = {"fusion_weight": torch.tensor(settings.fusion_weight)}
    fused = prefpoe.act(parameters, observation, weight, settings)
    distributions = (fused, *prefpoe.experts(parameters, observation, settings))
    thirds = [d.mode().chunk(len(POLICIES))[i] for i, d in enumerate(distributions)]
    actions: NDArray[np.floating] = torch.cat(thirds).numpy()
    return actions


def simulator_version() -> str:
    """The MuJoCo version that EnvPool was built with, as its library says."""
    package = importlib.util.find_spec("envpool")
    assert package is not None
    assert package.origin is not None
    library = ctypes.CDLL(str(Path(package.origin).parent / "mujoco" / "mujoco_gym_envpool.so"))
    library.mj_versionString.restype = ctypes.c_char_p
    return str(library.mj_versionString().decode())


def detectable(first: Sample, second: Sample) -> float:
    """The smallest difference of two means that Welch's test at SIGNIFICANCE would call one."""
    error, freedom = welch((first, second))
    return float(stdtrit(freedom, 1 - SIGNIFICANCE / 2) * error)


def spread_p(sample: Sample, expected: float) -> float:
    """Two-sided p-value of `sample`'s deviation against the known deviation `expected` (χ², n − 1)."""
    below = float(chdtr(sample.n - 1, (sample.n - 1) * (sample.std / expected) ** 2))
    return 2 * min(below, 1 - below)


@dataclass(frozen=True)
class Evaluation:
    """Returns [2 readings, 3 policies, S, E] as `play` gives them, and the simulator's version."""

    returns: Floats
    simulator: str

    @property
    def provenance(self) -> Numbers:
        """What the episodes were played with."""
        return {
            "MuJoCo": self.simulator,
            "environment": WORLD.name,
            "seeds": float(self.returns.shape[2]),
            "episodes a seed": float(self.returns.shape[3]),
        }


def _agreement(
    claim: Sample, ours: Sequence[Sample], what: str, numbers: Mapping[str, float | str]
) -> Witness:
    """The outcome for a claimed mean: compatible under the release's own reading, the other, or neither."""
    chances = [welch_p(sample, claim) for sample in ours]
    agree = [chance >= SIGNIFICANCE for chance in chances]
    described = "; ".join(
        f"{reading}: {sample}, Welch p = {chance:.2g}"
        for reading, sample, chance in zip(READINGS, ours, chances, strict=True)
    )
    power = {
        f"{reading}: smallest difference of means that would disagree": detectable(sample, claim)
        for reading, sample in zip(READINGS, ours, strict=True)
    }
    saved = agree[1] and not agree[0]
    return Witness(
        outcome="holds" if agree[0] else "holds under a reading" if saved else "undecided",
        said=f"{what} The paper: {claim}. {described}. The observation statistics of training are not "
        "in the release and the simulator's version may differ, so a disagreement decides nothing.",
        numbers={**numbers, **power},
        reading=READINGS[1] if saved else None,
    )


def _sample(printed: Reported, n: int) -> Sample:
    return Sample(float(printed.value), float(printed.spread or 0), n)


def released_multi_seed(evaluation: Evaluation) -> Witness:
    """Table A.3, multi-seed: 5576.0 ± 408.18 over 10 seeds; the repository's README: 5616.48 ± 305.00."""
    by_seed = evaluation.returns.mean(-1)
    numbers = evaluation.provenance
    for name, means in zip(READINGS, by_seed, strict=True):
        for who, seeds in zip(POLICIES, means, strict=True):
            numbers[f"{name}: {who}, mean over seeds"] = float(seeds.mean())
            numbers[f"{name}: {who}, std over seeds"] = float(seeds.std(ddof=1))
        fused, main = means[0], means[1]
        difference = Sample.of(fused - main)
        numbers[f"{name}: fused policy, worst seed"] = float(fused.min())
        numbers[f"{name}: fused policy, best seed"] = float(fused.max())
        numbers[f"{name}: fused − main by seed, mean"] = difference.mean
        numbers[f"{name}: fused − main by seed, standard error"] = difference.error
        readme = welch_p(Sample.of(fused), _sample(README, len(SEEDS)))
        numbers[f"{name}: Welch p against the README's {README.text}"] = readme
    ours = [Sample.of(means[0]) for means in by_seed]
    main, preference = (Sample.of(by_seed[0, policy]).mean for policy in (1, 2))
    what = (
        "Means by seed of the checkpoint's fused policy, deterministic, resets seeded. With "
        f"{READINGS[0]} the main policy alone has {main:.2f}, the preference policy {preference:.2f}."
    )
    return _agreement(_sample(PAPER, len(SEEDS)), ours, what, numbers)


def released_single_model(evaluation: Evaluation) -> Witness:
    """Table A.3, single model: episodes 6018.18 ± 1118.76, from 1089.25 to 6930.67."""
    numbers = evaluation.provenance
    ours = []
    for name, policies in zip(READINGS, evaluation.returns, strict=True):
        episodes = policies[0]
        ours.append(Sample.of(episodes))
        numbers[f"{name}: mean of episodes"] = ours[-1].mean
        numbers[f"{name}: std of episodes"] = ours[-1].std
        numbers[f"{name}: worst episode"] = float(episodes.min())
        numbers[f"{name}: best episode"] = float(episodes.max())
        numbers[f"{name}: first episodes of the seeds, mean"] = float(episodes[:, 0].mean())
        numbers[f"{name}: episodes below 2000"] = float((episodes < 2000).sum())
    what = "Single episodes of the checkpoint's fused policy."
    return _agreement(_sample(SINGLE_MODEL, SINGLE_MODEL_EPISODES), ours, what, numbers)


def released_seeds(evaluation: Evaluation) -> Witness:
    """Figure A.4, Table A.3: is the spread over seeds one over initialisations of training?

    One trained model has no such spread. It may be one over evaluations where what one model scatters by accounts for the
    paper's spread, by the paper's own single-model episodes and by ours.
    """
    paper = _sample(PAPER, len(SEEDS))
    expected = float(SINGLE_MODEL.spread or 0) / math.sqrt(EPISODES)
    chances = [spread_p(paper, expected)]
    numbers = evaluation.provenance | {
        "the paper's spread over 10 seeds": paper.std,
        "the paper's spread of single-model episodes / √10": expected,
        "χ² p of the former against the latter": chances[0],
    }
    for name, policies in zip(READINGS, evaluation.returns, strict=True):
        fused = policies[0]
        between = Sample.of(fused.mean(-1))
        within = math.sqrt(float(fused.var(-1, ddof=1).mean()) / fused.shape[-1])
        chances.append(spread_p(paper, between.std))
        numbers[f"{name}: spread of seed means"] = between.std
        numbers[f"{name}: spread of episodes within a seed / √E"] = within
        numbers[f"{name}: χ² p of the paper's spread against ours"] = chances[-1]
    accounted = chances[0] >= SIGNIFICANCE and max(chances[1:]) >= SIGNIFICANCE
    training = _sample(TABLE_1, TABLE_1_SEEDS).std
    numbers["χ² p of the paper's spread against Table 1's over training seeds"] = spread_p(
        paper, training
    )
    return Witness(
        outcome="holds under a reading" if accounted else "undecided",
        said="The release holds one trained model with a deterministic policy; its evaluation script, as "
        "published, runs that one under ten seeds and resets the environment without a seed. Ten-episode "
        f"means of one model with the paper's spread of episodes would scatter by {expected:.0f}, "
        f"the paper's seeds by {paper.std:.0f} (χ² p = {chances[0]:.2g}). A spread over training seeds "
        f"as in Table 1 ({training:.0f}) is not excluded either, so the spreads alone do not decide.",
        numbers=numbers,
        reading="the seeds are those of evaluating one trained model, not of training"
        if accounted
        else None,
    )


def released_exact(evaluation: Evaluation) -> Witness:
    """F.3: "exact reproduction of reported metrics". Does an evaluation give the printed digits?"""
    numbers = evaluation.provenance | {
        "the paper": PAPER.text,
        "the repository's README, same metric": README.text,
    }
    exact = False
    for name, policies in zip(READINGS, evaluation.returns, strict=True):
        mean = float(policies[0].mean())
        exact = exact or mean in PAPER.range or mean in README.range
        numbers[f"{name}: mean over seeds"] = mean
    return Witness(
        outcome="holds" if exact else "undecided",
        said=f"The paper prints {PAPER.text}, the README of the release {README.text} for the same metric; "
        f"our evaluations {'give' if exact else 'do not give'} either exactly. The environment is "
        "reset without a seed and the observation statistics are not in the release, so digits "
        "cannot be expected to return.",
        numbers=numbers,
    )


def _vector(values: Floats) -> str:
    return "(" + ", ".join(f"{value:.4f}" for value in values) + ")"


# The whole audit


def audit(path: Path, episodes: int = EPISODES, seeds: Sequence[int] = SEEDS) -> Witnesses:
    """Every witness of the checkpoint at `path`. Raises SpecificationError."""
    checkpoint = read_checkpoint(path)
    stds = (checkpoint.parameters[name].double().numpy() for name in _STDS.values())
    found = deviations(*stds)
    simulator = simulator_version()
    evaluation = Evaluation(play(checkpoint.parameters, seeds, episodes), simulator)
    witnesses = (
        released_parameters(checkpoint, "4.8%"),
        released_parameters(checkpoint, "5%"),
        released_sigma(found, sigma_variation(checkpoint.parameters)),
        released_variance_reduction(found),
        released_preference_entropy(found),
        released_fused_entropy(found),
        released_multi_seed(evaluation),
        released_single_model(evaluation),
        released_exact(evaluation),
        released_seeds(evaluation),
    )
    return dict(zip(NAMES, witnesses, strict=True))


def skipped() -> Witnesses:
    """Every witness of the checkpoint where there is none: how to get it."""
    said = (
        f"Needs the released checkpoint, which is not part of this project: get it from {SOURCE}, "
        "then run `snakemake audit --config checkpoint=PATH`."
    )
    return {name: Witness(outcome="skipped", said=said) for name in NAMES}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: `python -m paper_figures.prefpoe.released [--checkpoint PATH] --output released.json`."""
    parser = argparse.ArgumentParser(description="Audit PrefPoE's released checkpoint.")
    parser.add_argument("--checkpoint", type=Path, help=f"from {SOURCE}; without it: skipped")
    parser.add_argument("--output", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes a seed")
    options = parser.parse_args(argv)
    try:
        if options.episodes < 2:
            raise SpecificationError(f"--episodes: must be at least 2 (got {options.episodes})")
        found = (
            skipped() if options.checkpoint is None else audit(options.checkpoint, options.episodes)
        )
    except SpecificationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_witnesses(found, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
