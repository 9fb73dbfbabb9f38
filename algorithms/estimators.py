"""Estimators of the actor's gradient, each a surrogate whose gradient is the estimator. For one agent.

All of them climb Ĵ = E[Q(a) − α log π(a)] (Eq. 3): the loss is the surrogate's negative mean. Each is written once,
for any `Mixture`. Q's own parameters must be constants to whoever differentiates. Equation numbers are those of the
mixture paper; where its text leaves a choice open, `paper_figures/mixture/paper.yaml` says what was chosen and why.

Shapes: B batch, N components, A action dimensions, M baseline actions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from algorithms.estimator_rules import EstimatorName
from algorithms.policies import Action, Mixture, Noise, log_tanh_jacobian

Critic = Callable[[Tensor], Tensor]
"""Q at the batch's states: actions [..., B, A] → [..., B], with any leading dimensions."""

Blend = Literal["action", "unsquashed"]
"""What the Gumbel estimator sums for a squashed policy: the components' actions, or their values before tanh."""


class Draw(NamedTuple):
    """Noise of the action [B, …] and of the baseline's actions [M, B, …], independent of each other.

    M is 0 for estimators without a baseline (`has_baseline`).
    """

    action: Noise
    baseline: Noise


class Objective(NamedTuple):
    """Ĵ of Eq. 3: the critic and the entropy scale α; for the Gumbel estimator also its temperature τ."""

    q: Critic
    alpha: Tensor | float
    temperature: Tensor | float = 1.0
    blend: Blend = "unsquashed"


class Estimate(NamedTuple):
    """`surrogate` [B] has the estimator as gradient; its value means nothing.

    `q` and `log_prob` [B] are Q and log π at the sampled action, constants, for α's update and diagnostics.
    """

    surrogate: Tensor
    q: Tensor
    log_prob: Tensor


def likelihood(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """∇ log π(A) (Q(A) − V_b − α log π(A)): Eq. 4 with the baseline of Algorithm 1."""
    action = policy.sample(draw.action).detach()
    log_prob = policy.log_prob(action)
    q = objective.q(action.value)
    advantage = q - baseline(policy, draw.baseline, objective.q) - objective.alpha * log_prob
    return Estimate(log_prob * advantage.detach(), q.detach(), log_prob.detach())


def reparameterized(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """∇ (Q(f(ε)) − α log π(f(ε))) (Eq. 5), for a policy whose weights are constants. The baseline is not used.

    With several components one is drawn, and the gradient flows through it (UniformRep, Appendix E.2).
    """
    return _along(policy, policy.sample(draw.action), objective)


def half(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """∇ log w_K (Q − V_b − α log π) + ∇ (Q − α log π) at f(ε; K): Proposition 4.5.

    Eq. 9 prints a minus between the two terms (`paper.yaml`). The baseline stands in the first (Appendix D.1).
    """
    action = policy.sample(draw.action)
    path = _along(policy, action, objective)
    advantage = path.surrogate - baseline(policy, draw.baseline, objective.q)
    score = policy.log_weight(action) * advantage.detach()
    return path._replace(surrogate=score + path.surrogate)


def gumbel(policy: Mixture, draw: Draw, objective: Objective) -> Estimate:
    """∇ (Q(A) − α log π(A)) for the straight-through A = Σ_k z_k f(ε; k) (Eq. 10, 11). The baseline is not used.

    Biased in the weights' logits; in locations and scales it is the second term of `half`.
    """
    action = straight_through(policy, draw.action, objective.temperature, objective.blend)
    return _along(policy, action, objective)


def straight_through(
    policy: Mixture, noise: Noise, temperature: Tensor | float, blend: Blend
) -> Action:
    """The sampled action, differentiable in the weights through y = softmax((log w + g) / τ) (Section 4.2).

    z = ẑ + y − (y as a constant) is one-hot, so Eq. 10 is the sampled action f(ε; K) plus Σ_k (y_k − constant) f_k,
    which is 0. Both blends therefore act alike and differ in the gradient of the weights only. "unsquashed" sums
    before tanh, A = tanh(Σ_k z_k u_k). "action" sums squashed f_k; log π then needs du = da / (1 − a²) of
    u = tanh⁻¹(a), about e²⁰/4 where a component saturates at u = 10, and without a mean under a Cauchy base. There
    1 − a² comes from u, and is kept above the rounding unit, below which a itself is ±1.
    """
    action = policy.sample(noise)
    soft = torch.softmax((policy.log_weights + noise.component) / temperature, -1)
    slack = (soft - soft.detach()).unsqueeze(-1)
    values = policy.component_values(noise.base).detach()
    if blend == "unsquashed" or not policy.squashed:
        shift = (slack * values).sum(-2)
        return action._replace(
            value=policy.squash(action.unsquashed + shift), offset=action.offset + shift
        )
    shift = (slack * policy.squash(values)).sum(-2)
    jacobian = log_tanh_jacobian(action.unsquashed.detach()).exp()
    before = shift / jacobian.clamp(min=torch.finfo(jacobian.dtype).eps)
    return action._replace(value=action.value + shift, offset=action.offset + before)


def baseline(policy: Mixture, noise: Noise, q: Critic) -> Tensor:
    """V_b: the mean of Q over actions of the policy for `noise` [M, B, …], a constant: [B]."""
    return q(policy.detach().sample(noise).value).mean(0).detach()


def _along(policy: Mixture, action: Action, objective: Objective) -> Estimate:
    """Q − α log π at an action that depends on the parameters; log π depends on them directly as well."""
    q, log_prob = objective.q(action.value), policy.log_prob(action)
    return Estimate(q - objective.alpha * log_prob, q.detach(), log_prob.detach())


Estimator = Callable[[Mixture, Draw, Objective], Estimate]

ESTIMATORS: Mapping[EstimatorName, Estimator] = {
    "likelihood": likelihood,
    "reparameterized": reparameterized,
    "half": half,
    "gumbel": gumbel,
}
