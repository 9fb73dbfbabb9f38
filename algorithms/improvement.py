"""Policy improvement from preferences: what every experiment of the PMPO paper climbs, written once, for one agent.

A step is a pure function of (policy, reference, samples, labels): bandits, control, offline data and language differ in
what they call a policy, and in where samples and labels come from. Equation numbers are those of arXiv 2410.04166.

Shapes: M samples of each of B states (of one state, prompt or bandit: B is 1). Samples are whatever the policy takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


class Policy(Protocol):
    """What an improvement step asks of the policy that it moves."""

    def log_prob(self, samples: Any, /) -> Tensor:
        """log π(y | x) of every sample: [M, B]."""


class Reference(Policy, Protocol):
    """What an improvement step asks of the policy that it starts from."""

    def kl(self, other: Any, /) -> Tensor:
        """KL(self ‖ other) in nats: [B], or estimates [M, B] whose mean it is."""


@dataclass(frozen=True)
class SampledReference:
    """A reference of which there are only samples (Appendix B), as in offline data; they may be of other states than those labelled.

    Its KL is then estimated from them: E[−log π_θ(y)], up to its own entropy. With a weight β it is behaviour cloning.
    """

    samples: Any

    def log_prob(self, samples: Any, /) -> Tensor:
        """Raises TypeError: its likelihood is not known, so objectives that need it (DPO, IPO) cannot be had."""
        raise TypeError("a reference that is known by samples alone has no log-likelihood")

    def kl(self, other: Policy, /) -> Tensor:
        """KL(self ‖ other) plus a constant, estimated from each sample: [M, B]."""
        return -other.log_prob(self.samples)


class Labels(NamedTuple):
    """How much every sample counts as accepted and as rejected, [M, B] ≥ 0 each; one that is neither counts nowhere."""

    accepted: Tensor
    rejected: Tensor


def given(labels: Tensor) -> Labels:
    """Labels [M, B] as people give them: 1 accepted, 0 rejected."""
    return Labels(labels, 1 - labels)


def above(scores: Tensor, threshold: Tensor) -> Labels:
    """Accepted where a score [M, B] reaches the threshold b(x) [B], else rejected (Section 4)."""
    return given((scores >= threshold).to(scores.dtype))


def halves(scores: Tensor) -> Labels:
    """The better half of each state's samples accepted, the worse half rejected (Section 5.1); a middle one is neither."""
    return _outer(scores, len(scores) // 2)


def extremes(scores: Tensor) -> Labels:
    """Each state's best sample accepted and its worst rejected, the others neither (Section 5.2)."""
    return _outer(scores, 1)


def _outer(scores: Tensor, count: int) -> Labels:
    """Of scores [M, B] the `count` best accepted and as many worst rejected; of equal ones a later is the better."""
    place = torch.arange(len(scores), device=scores.device)
    later = (place.unsqueeze(1) > place).view(len(scores), len(scores), *(1,) * (scores.dim() - 1))
    first, second = scores.unsqueeze(1), scores.unsqueeze(0)
    rank = ((first > second) | ((first == second) & later)).sum(1)
    best, worst = rank >= len(scores) - count, rank < count
    return Labels(best.to(scores.dtype), worst.to(scores.dtype))


LABELS: dict[str, Callable[[Tensor], Labels]] = {"halves": halves, "extremes": extremes}
Improvement = Callable[[Policy, Reference, Any, Labels, Tensor, Tensor], Tensor]
"""(policy, reference, samples, labels, α, β) → the loss whose descent improves the policy."""


def pmpo(
    policy: Policy, reference: Reference, samples: Any, labels: Labels, alpha: Tensor, beta: Tensor
) -> Tensor:
    """−J (Eq. 10): −α E_acc[log π] + (1 − α) E_rej[log π] + β KL(π_ref ‖ π).

    Expectations are means over all accepted and over all rejected samples. With labels of one kind only, the other
    term is 0.
    """
    log_prob = policy.log_prob(samples)
    liked = _mean(log_prob, labels.accepted)
    disliked = _mean(log_prob, labels.rejected)
    return beta * reference.kl(policy).mean() - alpha * liked + (1 - alpha) * disliked


def dpo(
    policy: Policy, reference: Reference, samples: Any, labels: Labels, alpha: Tensor, beta: Tensor
) -> Tensor:
    """−E[log σ(β (Δ log π − Δ log π_ref))] (Rafailov et al. 2023), Δ accepted minus rejected of each state. No α."""
    lead = _lead(policy.log_prob(samples) - reference.log_prob(samples), labels)
    return -logsigmoid(beta * lead).mean()


def ipo(
    policy: Policy, reference: Reference, samples: Any, labels: Labels, alpha: Tensor, beta: Tensor
) -> Tensor:
    """E[−Δ log π + β (Δ log π − Δ log π_ref)²] (Appendix E; Azar et al. 2023), Δ accepted minus rejected. No α."""
    log_prob = policy.log_prob(samples)
    ratio = log_prob - reference.log_prob(samples)
    return (beta * _lead(ratio, labels).square() - _lead(log_prob, labels)).mean()


IMPROVEMENTS: dict[str, Improvement] = {"pmpo": pmpo, "dpo": dpo, "ipo": ipo}


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of [M, B]; 0 where no weight is."""
    total = weights.sum()
    return (weights * values).sum() / torch.where(total > 0, total, torch.ones_like(total))


def _lead(values: Tensor, labels: Labels) -> Tensor:
    """Of values [M, B], the mean of each state's accepted ones minus that of its rejected ones: [B].

    NaN where a state lacks one kind: there is nothing to compare.
    """
    accepted = (labels.accepted * values).sum(0) / labels.accepted.sum(0)
    return accepted - (labels.rejected * values).sum(0) / labels.rejected.sum(0)
