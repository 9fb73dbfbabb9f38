"""Policies over continuous actions for one agent: mixtures of normal or Cauchy components, squashed by tanh or not.

A base policy is a mixture of one. A mixture has one component index for the whole action (`paper.yaml` of the
mixture paper); within a component, dimensions are independent. Squashed actions lie in [−1, 1]; scaling them to an
environment's bounds is the caller's, as is clipping those of an unsquashed policy.

Shapes: B batch (any leading dimensions; noise may have more of them), N components, A action dimensions. Noise
comes in as an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from algorithms.estimator_rules import Base, Weights, learns_weights

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_LOG_PI = math.log(math.pi)


class Noise(NamedTuple):
    """What a sample is made from: `component` [B, N] standard Gumbel, `base` [B, A] standard draws of the base."""

    component: Tensor
    base: Tensor


class Action(NamedTuple):
    """A sampled action with what its log density is computed from.

    `value` [B, A] is what the environment or critic sees; before squashing it is `origin` + `offset` [B, A]: the
    location of the component that was drawn, and the step away from it. Kept apart, the drawn component's own
    density stays exact where its scale is below the rounding of its location. `component` [B, N] is one-hot.
    """

    value: Tensor
    origin: Tensor
    offset: Tensor
    component: Tensor

    @property
    def unsquashed(self) -> Tensor:
        """The action before tanh: [B, A]."""
        return self.origin + self.offset

    def detach(self) -> Action:
        """The same as a constant."""
        return Action(*(part.detach() for part in self))


@dataclass(frozen=True)
class Mixture:
    """π(a) = Σ_k w_k π_k(a) (Section 2): normalised `log_weights` [B, N], `location` and positive `scale` [B, N, A].

    `scale` is the standard deviation of a normal base and the half-width at half-maximum of a Cauchy one.
    `jacobian_floor` δ ≥ 0 makes the Jacobian of tanh 1 − a² + δ. With δ = 0, log π is the exact log density; the
    squashed Cauchy's entropy is then −∞, because log π grows as 2|u| before squashing, which has no mean.
    """

    log_weights: Tensor
    location: Tensor
    scale: Tensor
    base: Base = "normal"
    squashed: bool = True
    jacobian_floor: float = 0.0

    def choose(self, noise: Tensor) -> Tensor:
        """The component for standard Gumbel `noise` [B, N] (Gumbel-max), one-hot: [B, N]."""
        return self._one_hot(self.log_weights + noise)

    def sample(self, noise: Noise) -> Action:
        """The action a = f(ε; k) of the component k that the Gumbel noise chooses."""
        component = self.choose(noise.component)
        chosen = component.unsqueeze(-1)
        origin = (chosen * self.location).sum(-2)
        offset = (chosen * self.scale).sum(-2) * noise.base
        return Action(self.squash(origin + offset), origin, offset, component)

    def log_prob(self, action: Action) -> Tensor:
        """log π of an action that this or another policy sampled, at its value before squashing: [B]."""
        return self._log_density(action.origin, action.offset)

    def log_prob_of(self, value: Tensor) -> Tensor:
        """log π of bare actions [B, A], within (−1, 1) if squashed: [B].

        For plots and analysis: near ±1 the value before squashing is lost to rounding; use `log_prob` for samples.
        """
        unsquashed = torch.atanh(value) if self.squashed else value
        return self._log_density(unsquashed, torch.zeros_like(unsquashed))

    def log_weight(self, action: Action) -> Tensor:
        """log w_k of the component that was drawn: [B]."""
        return (action.component * self.log_weights).sum(-1)

    def mode(self) -> Tensor:
        """The deterministic action: the location of the heaviest component (of equal ones the first), squashed: [B, A].

        It need not be where the density is largest.
        """
        heaviest = self._one_hot(self.log_weights).unsqueeze(-1)
        return self.squash((heaviest * self.location).sum(-2))

    def component_values(self, noise: Tensor) -> Tensor:
        """Every component's action before squashing for one shared base `noise` [B, A]: [B, N, A]."""
        return self.location + self.scale * noise.unsqueeze(-2)

    def squash(self, unsquashed: Tensor) -> Tensor:
        """tanh, or the identity: shape as given."""
        return torch.tanh(unsquashed) if self.squashed else unsquashed

    def detach(self) -> Mixture:
        """The same as a constant: no gradient flows into it."""
        return replace(
            self,
            log_weights=self.log_weights.detach(),
            location=self.location.detach(),
            scale=self.scale.detach(),
        )

    def _one_hot(self, scores: Tensor) -> Tensor:
        """1 at the largest score (of equal ones the first), else 0: shape as given."""
        places = torch.arange(scores.shape[-1], device=scores.device)
        return (places == scores.argmax(-1, keepdim=True)).to(scores.dtype)

    def _log_density(self, origin: Tensor, offset: Tensor) -> Tensor:
        """log π at `origin` + `offset` [B, A] before squashing: [B]."""
        z = ((origin.unsqueeze(-2) - self.location) + offset.unsqueeze(-2)) / self.scale
        terms = self.log_weights + (standard_log_density(self.base, z) - self.scale.log()).sum(-1)
        log_prob = torch.logsumexp(terms, -1)
        if not self.squashed:
            return log_prob
        log_jacobian = log_tanh_jacobian(origin + offset)
        if self.jacobian_floor > 0:
            floor = torch.full_like(log_jacobian, math.log(self.jacobian_floor))
            log_jacobian = torch.logaddexp(log_jacobian, floor)
        return log_prob - log_jacobian.sum(-1)


def standard_log_density(base: Base, z: Tensor) -> Tensor:
    """Log density of the standard normal or standard Cauchy distribution: shape as given."""
    if base == "normal":
        return -0.5 * z.square() - _HALF_LOG_TWO_PI
    return -torch.log1p(z.square()) - _LOG_PI


def log_tanh_jacobian(unsquashed: Tensor) -> Tensor:
    """log(1 − tanh² u) = 2 (log 2 − u − softplus(−2u)), finite wherever u is: shape as given."""
    return 2 * (math.log(2) - unsquashed - softplus(-2 * unsquashed))


@dataclass(frozen=True)
class Head:
    """How a network's raw output becomes a policy.

    The output holds N·A locations, N·A log scales and, if weights are learned and N > 1, N logits: N(2A + 1)
    numbers (Appendix D.1), 2NA for fixed weights, 2A for a base policy. Log scales are clamped to
    `log_std_range`. An unsquashed policy's locations are tanh of the raw ones, as in GreedyAC.
    """

    components: int
    actions: int
    log_std_range: tuple[float, float]
    base: Base = "normal"
    squashed: bool = True
    weights: Weights = "learned"
    jacobian_floor: float = 0.0

    @property
    def outputs(self) -> int:
        """How many numbers the network's last layer has."""
        logits = self.components if self._has_logits else 0
        return 2 * self.components * self.actions + logits

    @property
    def _has_logits(self) -> bool:
        return learns_weights(self.components, self.weights)

    def policy(self, raw: Tensor) -> Mixture:
        """The policy for raw output [B, outputs]."""
        size = self.components * self.actions
        shape = (*raw.shape[:-1], self.components, self.actions)
        location = raw[..., :size].reshape(shape)
        log_std = raw[..., size : 2 * size].reshape(shape).clamp(*self.log_std_range)
        if self._has_logits:
            log_weights = torch.log_softmax(raw[..., 2 * size :], -1)
        else:
            log_weights = raw.new_full(shape[:-1], -math.log(self.components))
        return Mixture(
            log_weights,
            location if self.squashed else torch.tanh(location),
            log_std.exp(),
            self.base,
            self.squashed,
            self.jacobian_floor,
        )
