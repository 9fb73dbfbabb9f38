"""Action distributions for one agent: diagonal Gaussians and categoricals, and how experts are fused.

Both offer the same operations, so a method is written once. Shapes: B batch (any leading dimensions),
A action dimensions, K choices. Noise comes in as an argument.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


class Distribution(ABC):
    """What every method may ask of a policy, whatever the action space."""

    @abstractmethod
    def log_prob(self, action: Tensor) -> Tensor:
        """Log density or probability of `action`: [B]."""

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy in nats: [B]."""

    @abstractmethod
    def sample(self, noise: Tensor) -> Tensor:
        """The action for this distribution's standard `noise`."""

    @abstractmethod
    def mode(self) -> Tensor:
        """The most likely action."""

    @abstractmethod
    def kl(self, other: Self) -> Tensor:
        """KL(self ‖ other) in nats: [B]."""

    @abstractmethod
    def detach(self) -> Self:
        """The same as a constant: no gradient flows into it."""


class Expert(Distribution):
    """A policy that can be fused with another of its kind."""

    @abstractmethod
    def product(self, other: Self, weight: Tensor, epsilon: float = 0.0) -> Self:
        """Product of experts self · other^weight, normalised."""

    @abstractmethod
    def average(self, other: Self) -> Self:
        """Equal-weight average of the two in parameter or probability space."""

    @abstractmethod
    def clamp_std(self, bounds: tuple[float, float] | None) -> Self:
        """The same with standard deviations clamped to `bounds`, where it has any."""


@dataclass(frozen=True)
class DiagonalGaussian(Expert):
    """N(mean, diag(std²)); `mean` and `std` are [B, A]."""

    mean: Tensor
    std: Tensor

    def log_prob(self, action: Tensor) -> Tensor:
        """Log density of `action` [B, A], summed over dimensions: [B]."""
        z = (action - self.mean) / self.std
        return (-0.5 * z.square() - self.std.log() - _HALF_LOG_TWO_PI).sum(-1)

    def entropy(self) -> Tensor:
        """½ Σ log(2πe σ²) in nats: [B]."""
        return (0.5 + _HALF_LOG_TWO_PI + self.std.log()).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """The action for standard normal `noise` [B, A]."""
        return self.mean + self.std * noise

    def mode(self) -> Tensor:
        """The most likely action: [B, A]."""
        return self.mean

    def kl(self, other: DiagonalGaussian) -> Tensor:
        """KL(self ‖ other) in nats: [B]."""
        return self.kl_by_dimension(other).sum(-1)

    def kl_by_dimension(self, other: DiagonalGaussian) -> Tensor:
        """KL(self ‖ other) of each dimension in nats: [B, A]. Raises ValueError for one over other actions."""
        _require_same_actions(self.mean.shape[-1:], other.mean.shape[-1:])
        ratio = self.std / other.std
        shift = (self.mean - other.mean) / other.std
        return 0.5 * (ratio.square() + shift.square() - 1) - ratio.log()

    def product(
        self, other: DiagonalGaussian, weight: Tensor, epsilon: float = 0.0
    ) -> DiagonalGaussian:
        """Product of experts self · other^weight (PrefPoE, Eq. 5), diagonal case.

        Precisions are 1 / (σ² + epsilon); the released artefact uses 1e-8, the equation 0.
        """
        precision = 1 / (self.std.square() + epsilon)
        weighted = weight / (other.std.square() + epsilon)
        variance = 1 / (precision + weighted)
        mean = variance * (precision * self.mean + weighted * other.mean)
        return DiagonalGaussian(mean, variance.sqrt())

    def average(self, other: DiagonalGaussian) -> DiagonalGaussian:
        """One Gaussian with the averages of both means and both standard deviations."""
        return DiagonalGaussian((self.mean + other.mean) / 2, (self.std + other.std) / 2)

    def detach(self) -> DiagonalGaussian:
        """The same as a constant."""
        return DiagonalGaussian(self.mean.detach(), self.std.detach())

    def clamp_std(self, bounds: tuple[float, float] | None) -> DiagonalGaussian:
        """The same with std clamped to `bounds`, or itself where there are none."""
        return self if bounds is None else DiagonalGaussian(self.mean, self.std.clamp(*bounds))


@dataclass(frozen=True)
class Categorical(Expert):
    """A distribution over K choices; `log_probs` [B, K] are normalised."""

    log_probs: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> Categorical:
        """Normalise `logits` [B, K]."""
        return cls(torch.log_softmax(logits, -1))

    def log_prob(self, action: Tensor) -> Tensor:
        """Log probability of the integer `action` [..., B]: [..., B]."""
        # Where shapes agree, as they do in rollouts, this expands nothing.
        log_probs = self.log_probs.expand(*action.shape, -1)
        return log_probs.gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ p log p in nats: [B]."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """The choice for standard Gumbel `noise` [B, K] (Gumbel-max): integers [B]."""
        return (self.log_probs + noise).argmax(-1)

    def mode(self) -> Tensor:
        """The most likely choice: integers [B]."""
        return self.log_probs.argmax(-1)

    def kl(self, other: Categorical) -> Tensor:
        """KL(self ‖ other) in nats: [B]."""
        return (self.log_probs.exp() * (self.log_probs - other.log_probs)).sum(-1)

    def product(self, other: Categorical, weight: Tensor, epsilon: float = 0.0) -> Categorical:
        """Product of experts self · other^weight, normalised (PrefPoE, Eq. 7); `epsilon` has no meaning."""
        return Categorical.from_logits(self.log_probs + weight * other.log_probs)

    def average(self, other: Categorical) -> Categorical:
        """The mixture with equal weights: averaged probabilities."""
        pair = torch.stack((self.log_probs, other.log_probs))
        return Categorical(torch.logsumexp(pair, 0) - math.log(2))

    def detach(self) -> Categorical:
        """The same as a constant."""
        return Categorical(self.log_probs.detach())

    def clamp_std(self, bounds: tuple[float, float] | None) -> Categorical:
        """Itself: a categorical has no standard deviation."""
        return self


@dataclass(frozen=True)
class Discretised(Distribution):
    """An independent choice among K bins in each dimension; normalised `log_probs` are [B, A, K].

    Actions are values: the bins are the K numbers evenly from −1 to 1, and what lies between two counts as the nearer.
    """

    log_probs: Tensor

    @classmethod
    def from_logits(cls, logits: Tensor) -> Discretised:
        """Normalise `logits` [B, A, K]."""
        return cls(torch.log_softmax(logits, -1))

    @property
    def _last(self) -> int:
        return self.log_probs.shape[-1] - 1

    def log_prob(self, action: Tensor) -> Tensor:
        """Log probability of the bins that `action` [..., B, A] lies in, summed over dimensions: [..., B]."""
        choice = ((action.clamp(-1, 1) + 1) * (self._last / 2)).round()
        bins = torch.arange(self._last + 1, device=action.device)
        # A comparison, where gather would need its arguments' batch dimensions to agree.
        chosen = choice.unsqueeze(-1) == bins
        return torch.where(chosen, self.log_probs, torch.zeros_like(self.log_probs)).sum((-1, -2))

    def entropy(self) -> Tensor:
        """−Σ p log p in nats, summed over dimensions: [B]."""
        return -(self.log_probs.exp() * self.log_probs).sum((-1, -2))

    def sample(self, noise: Tensor) -> Tensor:
        """The values for standard Gumbel `noise` [..., B, A, K] (Gumbel-max): [..., B, A]."""
        return self._value((self.log_probs + noise).argmax(-1))

    def mode(self) -> Tensor:
        """The values of the most likely bins: [B, A]."""
        return self._value(self.log_probs.argmax(-1))

    def kl(self, other: Discretised) -> Tensor:
        """KL(self ‖ other) in nats: [B]."""
        return self.kl_by_dimension(other).sum(-1)

    def kl_by_dimension(self, other: Discretised) -> Tensor:
        """KL(self ‖ other) of each dimension in nats: [B, A]. Raises ValueError for one over other actions."""
        _require_same_actions(self.log_probs.shape[-2:], other.log_probs.shape[-2:])
        return (self.log_probs.exp() * (self.log_probs - other.log_probs)).sum(-1)

    def detach(self) -> Discretised:
        """The same as a constant."""
        return Discretised(self.log_probs.detach())

    def _value(self, choice: Tensor) -> Tensor:
        return choice.to(self.log_probs.dtype) * (2 / self._last) - 1


def _require_same_actions(own: torch.Size, other: torch.Size) -> None:
    """Raise ValueError unless two policies are over the same actions, which would be broadcast else."""
    if own != other:
        raise ValueError(
            f"the policies are over actions of shapes {tuple(own)} and {tuple(other)}; allowed: the same"
        )
