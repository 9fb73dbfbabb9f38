"""Bias and variance of the actor's gradient estimators on a bandit with one action dimension.

python -m benchmarks.estimators [samples]

The exact gradient of Ĵ = E[Q − α log π] is known here by quadrature. Each table has one column a parameter: logits of
the weights, locations and log scales of three components. A bias stands beside three of its standard errors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from algorithms.estimator_rules import Base, EstimatorName
from algorithms.estimators import ESTIMATORS, Blend, Draw, Objective
from algorithms.policies import Head, Mixture, Noise
from algorithms.settings import SAC

ALPHA = 0.3
COMPONENTS = 3
CAUCHY_FLOOR = 1e-6
"""The Jacobian's floor with a Cauchy base, without which its Ĵ is −∞."""
POLICY = torch.tensor([[0.4, -0.3, 0.1], [-0.9, 0.8, 0.1], [-0.8, -0.4, -0.2]], dtype=torch.float64)
"""Logits, locations, log scales: [3, N]."""
TEMPERATURES = (0.1, 0.5, 1.0, 2.0)

Gradients = Callable[[Tensor, Noise, Noise], Tensor]


def critic(action: Tensor) -> Tensor:
    """A smooth Q with several modes: [..., 1] → [...]."""
    return (torch.cos(5 * action) + 0.5 * torch.sin(2 * action + 0.3)).squeeze(-1)


def mixture(parameters: Tensor, base: Base = "normal") -> Mixture:
    """The squashed policy of parameters [B, 3, N]: logits, locations, log scales."""
    logits, location, log_scale = parameters.unbind(-2)
    floor = CAUCHY_FLOOR if base == "cauchy" else 0.0
    return Mixture(
        torch.log_softmax(logits, -1),
        location.unsqueeze(-1),
        log_scale.exp().unsqueeze(-1),
        base,
        jacobian_floor=floor,
    )


def grid(base: Base) -> tuple[Tensor, Tensor]:
    """Nodes and weights of ∫ f(u) du for densities of that base: the trapezium rule in t where u = sinh t."""
    # Out to ±1,650 for normal tails, ±5e10 for Cauchy ones.
    end = 8.1 if base == "normal" else 25.3
    t = torch.linspace(-end, end, 20_001, dtype=torch.float64)
    return t.sinh(), t.cosh() * (t[1] - t[0])


def exact_objective(parameters: Tensor, base: Base, alpha: float = ALPHA) -> Tensor:
    """Ĵ of parameters [3, N] by quadrature, from torch.distributions."""
    u, weights = grid(base)
    logits, location, log_scale = parameters
    kind = torch.distributions.Normal if base == "normal" else torch.distributions.Cauchy
    before = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=logits), kind(location, log_scale.exp())
    ).log_prob(u)
    # Beyond |u| = 300 the Jacobian is 0 to any rounding, and a density of a normal base too.
    slope = u.clamp(-300, 300).cosh().pow(-2) + (CAUCHY_FLOOR if base == "cauchy" else 0.0)
    inner = critic(u.tanh().unsqueeze(-1)) - alpha * (before - slope.log())
    return (weights * before.exp() * inner).sum()


def exact_gradient(parameters: Tensor, base: Base = "normal", alpha: float = ALPHA) -> Tensor:
    """∇Ĵ: [3, N]."""
    return torch.func.grad(exact_objective)(parameters, base, alpha)


def fresh_noise(head: Head, rng: np.random.Generator, *leading: int) -> Noise:
    """Noise [*leading, N] and [*leading, A], float64, drawn by numpy; training draws its own from keys."""
    gumbel = rng.gumbel(size=(*leading, head.components))
    draw = rng.standard_normal if head.base == "normal" else rng.standard_cauchy
    return Noise(torch.from_numpy(gumbel), torch.from_numpy(draw(size=(*leading, head.actions))))


def estimates(
    parameters: Tensor, gradients: Gradients, base: Base, samples: int, count: int, seed: int
) -> Iterator[Tensor]:
    """Independent estimates of ∇Ĵ in chunks [B, 3, N], from `samples` actions with `count` baseline actions each."""
    head, rng = Head(COMPONENTS, 1, (-20, 2), base), np.random.default_rng(seed)
    chunk = max(1, min(samples, 400_000 // count))
    for _ in range(samples // chunk):
        action, baseline = fresh_noise(head, rng, chunk), fresh_noise(head, rng, count, chunk)
        yield gradients(parameters.expand(chunk, *parameters.shape), action, baseline)


def moments(chunks: Iterator[Tensor]) -> tuple[Tensor, Tensor, int]:
    """Mean, variance and number of the estimates."""
    total = square = torch.zeros(1)
    n = 0
    for chunk in chunks:
        total, square, n = total + chunk.sum(0), square + chunk.square().sum(0), n + len(chunk)
    mean = total / n
    return mean, (square / n - mean.square()) * n / (n - 1), n


def estimator(name: EstimatorName, objective: Objective, base: Base) -> Gradients:
    """Estimates [B, 3, N] of the named estimator for parameters [B, 3, N] and noise."""

    def gradients(parameters: Tensor, noise: Noise, baseline: Noise) -> Tensor:
        leaf = parameters.clone().requires_grad_()
        estimate = ESTIMATORS[name](mixture(leaf, base), Draw(noise, baseline), objective)
        return torch.autograd.grad(estimate.surrogate.sum(), leaf)[0]

    return gradients


def rows() -> Iterator[tuple[str, EstimatorName, Objective]]:
    """Label, name and objective of every line of a table."""
    yield "likelihood", "likelihood", Objective(critic, ALPHA)
    yield "half", "half", Objective(critic, ALPHA)
    blends: tuple[Blend, ...] = get_args(Blend)
    for blend in blends:
        for temperature in TEMPERATURES:
            label = f"gumbel {blend} τ={temperature:g}"
            yield label, "gumbel", Objective(critic, ALPHA, temperature, blend)


def table(parameters: Tensor, base: Base, samples: int) -> None:
    """Print bias ± 3 standard errors and the variance of one estimate, estimator × parameter."""
    truth = exact_gradient(parameters, base)
    names = [f"{kind} {k}" for kind in ("logit", "loc", "log s") for k in (1, 2, 3)]
    print(f"{'':24}" + "".join(f"{name:>17}" for name in names))
    print(f"{'exact gradient':24}" + "".join(f"{x:17.4f}" for x in truth.flatten().tolist()))
    for label, name, objective in rows():
        chunks = estimates(
            parameters, estimator(name, objective, base), base, samples, SAC().baseline_actions, 0
        )
        mean, variance, n = moments(chunks)
        bias, error = (mean - truth).flatten(), 3 * (variance / n).sqrt().flatten()
        cells = zip(bias.tolist(), error.tolist(), strict=True)
        print(f"{label + ' bias':24}" + "".join(f"{b:+9.4f}±{e:7.2g}" for b, e in cells))
        print(f"{'  variance':24}" + "".join(f"{v:17.4g}" for v in variance.flatten().tolist()))


def main(samples: int = 400_000) -> None:
    """Print the tables: the policy, the same with scales e times as wide, and with a Cauchy base."""
    torch.set_num_threads(1)
    wide = POLICY + torch.tensor([[0.0], [0.0], [1.0]], dtype=torch.float64)
    cases: tuple[tuple[str, Tensor, Base], ...] = (
        ("normal", POLICY, "normal"),
        ("normal, scales × e", wide, "normal"),
        (f"Cauchy, Jacobian's floor {CAUCHY_FLOOR:g}", POLICY, "cauchy"),
    )
    for title, parameters, base in cases:
        print(
            f"\n{title}, α = {ALPHA:g}, {SAC().baseline_actions} baseline actions, {samples:,} samples"
        )
        table(parameters, base, samples)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
