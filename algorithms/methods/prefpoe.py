"""PrefPoE: PPO whose policy is a product of experts, one of which learns which actions are good.

Anonymous, arXiv 2511.08241. Symbols and shapes as in ppo.py; equation numbers are the paper's. Where the paper
is silent, `paper_figures/prefpoe/paper.yaml` says what was chosen and why.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from algorithms.distributions import DiagonalGaussian, Expert
from algorithms.methods import ppo
from algorithms.methods.ppo import HEAD_GAIN, Batch, Diagnostics, Hyperparameters, critic
from algorithms.networks import TRUNK_GAIN, Parameters, init_mlp
from algorithms.settings import PrefPoE
from envs.registry import Discrete, Environment

__all__ = ["act", "critic", "init", "loss"]


def init(settings: PrefPoE, world: Environment, rng: np.random.Generator) -> Parameters:
    """Fresh parameters: encoder "actor" with heads "policy" and "preference", and a value function."""
    parameters = init_mlp(rng, "actor", (world.observation_size, *settings.hidden), TRUNK_GAIN)
    for name in ("policy", "preference"):
        parameters |= ppo.init_head(rng, name, settings, world)
        if isinstance(world.action, Discrete):
            continue
        log_std = torch.full((world.action.size,), settings.initial_log_std)
        if settings.std == "parameter":
            parameters[f"{name}.log_std"] = log_std
        else:
            sizes = (settings.hidden[-1], world.action.size)
            parameters |= init_mlp(rng, f"{name}.log_std", sizes, HEAD_GAIN)
            parameters[f"{name}.log_std.0.bias"] = log_std
    return parameters | ppo.init_value(rng, settings, world)


def act(
    parameters: Parameters, observation: Tensor, hyper: Hyperparameters, settings: PrefPoE
) -> Expert:
    """π_fused (Eq. 5, 7), or what an ablation puts in its place."""
    return _fuse(*experts(parameters, observation, settings), hyper, settings)


def loss(
    parameters: Parameters, batch: Batch, hyper: Hyperparameters, settings: PrefPoE
) -> tuple[Tensor, Diagnostics]:
    """L_total = L_PPO + w_pref L_pref + w_cons L_cons (Eq. 6)."""
    main, preference = experts(parameters, batch.observation, settings)
    fused = _fuse(main, preference, hyper, settings)
    value = critic(parameters, batch.observation, settings)
    total, diagnostics = ppo.ppo_loss(fused, value, batch, hyper, settings)
    preference_loss = advantage_guided(
        _guided(parameters, preference, batch, settings), batch, hyper, settings
    )
    anchor = fused.detach() if settings.detach_fused else fused
    consistency = anchor.kl(preference).mean()
    total = (
        total
        + hyper["preference_coefficient"] * preference_loss
        + hyper["consistency_coefficient"] * consistency
    )
    return total, diagnostics | {
        "preference_loss": preference_loss,
        "consistency_loss": consistency,
        "main_entropy": main.entropy().mean(),
        "preference_entropy": preference.entropy().mean(),
        "advantage_correlation": _correlation(
            batch.advantage, preference.log_prob(batch.action).detach()
        ),
        **_agreement(main, preference, fused, hyper),
    }


def experts(
    parameters: Parameters, observation: Tensor, settings: PrefPoE
) -> tuple[Expert, Expert]:
    """π_θ and π_pref on the shared encoder (Eq. 1), the latter's σ clamped where settings say so."""
    features = ppo.encode(parameters, observation, settings)
    main = ppo.head(parameters, "policy", features, settings)
    return main, _preference(parameters, features, settings)


def _preference(parameters: Parameters, features: Tensor, settings: PrefPoE) -> Expert:
    head = ppo.head(parameters, "preference", features, settings)
    return head.clamp_std(settings.std_range)


def _guided(parameters: Parameters, preference: Expert, batch: Batch, settings: PrefPoE) -> Expert:
    """π_pref as L_pref sees it: on a constant encoding where the encoder is detached."""
    if not settings.detach_encoder:
        return preference
    features = ppo.encode(parameters, batch.observation, settings)
    return _preference(parameters, features.detach(), settings)


def advantage_guided(
    preference: Expert, batch: Batch, hyper: Hyperparameters, settings: PrefPoE
) -> Tensor:
    """L_pref = −β₁ E[A_norm log π_pref(a|s)] ∓ α H(π_pref) (Eq. 2; Eq. 16 has the other sign)."""
    advantage = ppo.normalized_advantage(batch, settings)
    weighted = (advantage * preference.log_prob(batch.action)).mean()
    entropy = preference.entropy().mean()
    return -hyper["beta_1"] * weighted + settings.entropy_sign * hyper["alpha"] * entropy


def _fuse(main: Expert, preference: Expert, hyper: Hyperparameters, settings: PrefPoE) -> Expert:
    if settings.fusion == "none":
        return main
    if settings.fusion == "average":
        return main.average(preference)
    fused = main.product(preference, hyper["fusion_weight"], settings.precision_epsilon)
    return fused.clamp_std(settings.std_range)


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's r of `x` and `y` [B]; 0 where one of them is constant."""
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / ((x * x).sum() * (y * y).sum() + 1e-24).sqrt()


def _agreement(
    main: Expert, preference: Expert, fused: Expert, hyper: Hyperparameters
) -> Diagnostics:
    """How far Gaussian experts agree, averaged over states: traces (Theorem 2), mean norms (Figure A.2).

    `preference_share` is the preference expert's part of the product's precision, `trace_excess` the largest
    tr Σ_fused − min(tr Σ_θ, tr Σ_pref) of any state: positive where the bound after Eq. 5 does not hold.
    """
    if not (
        isinstance(main, DiagonalGaussian)
        and isinstance(preference, DiagonalGaussian)
        and isinstance(fused, DiagonalGaussian)
    ):
        return {}
    traces = [expert.std.square().sum(-1) for expert in (main, preference, fused)]
    weighted = hyper["fusion_weight"] / preference.std.square()
    named = {
        "main_trace": traces[0],
        "preference_trace": traces[1],
        "fused_trace": traces[2],
        "preference_share": weighted / (weighted + 1 / main.std.square()),
        "main_mean_norm": _norm(main.mean),
        "fused_mean_norm": _norm(fused.mean),
        "main_difference": _norm(fused.mean - main.mean),
        "preference_difference": _norm(fused.mean - preference.mean),
    }
    excess = (traces[2] - torch.minimum(traces[0], traces[1])).max()
    return {name: value.detach().mean() for name, value in named.items()} | {
        "trace_excess": excess.detach()
    }


def _norm(vectors: Tensor) -> Tensor:
    """Euclidean norm of each vector: [B, A] → [B]."""
    return vectors.square().sum(-1).sqrt()
