"""A causal language model as a policy whose samples are whole responses.

log π(y | x) is the sum over the response's tokens, its end of sequence included; the KL is Eq. 17 of PMPO
(arXiv 2410.04166): exact between two next-token distributions, summed along the responses that were sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Model = Any
"""A causal model of `transformers`: a torch module that returns `logits` [·, T, V]."""


@dataclass(frozen=True)
class Responses:
    """M sampled responses to each of B prompts.

    `tokens` [M, B, T]: prompts padded on their left so that all end before column `start`, then responses; `real` [M, B, T]
    is False at padding, before a prompt and after a response's end of sequence.
    """

    tokens: Tensor
    real: Tensor
    start: int

    @property
    def answers(self) -> Tensor:
        """The tokens of the responses alone: [M, B, L]."""
        return self.tokens[..., self.start :]

    @property
    def counted(self) -> Tensor:
        """Which of `answers` count: all up to the end of sequence, and that: [M, B, L]."""
        return self.real[..., self.start :]

    def of_prompts(self, chosen: slice) -> Responses:
        """The responses to some of the prompts."""
        return Responses(self.tokens[:, chosen], self.real[:, chosen], self.start)


def positions(real: Tensor) -> Tensor:
    """Each token's place, counted from its prompt's first token whatever the padding: as `real`, integers."""
    return (real.long().cumsum(-1) - 1).clamp(min=0)


class TokenPolicy:
    """A model along sampled responses: a policy as `improvement` asks for.

    Its next-token distributions are computed once, when it is made, under whatever gradient mode holds then.
    """

    def __init__(self, model: Model, responses: Responses) -> None:
        self.responses = responses
        self.log_probs = _log_probs(model, responses)

    def log_prob(self, samples: Responses, /) -> Tensor:
        """log π(y | x) of every response: [M, B]. Raises ValueError for other responses than the policy was made along."""
        self._require_same(samples)
        taken = self.log_probs.gather(-1, samples.answers.unsqueeze(-1)).squeeze(-1)
        return taken.where(samples.counted, taken.new_zeros(())).sum(-1)

    def kl(self, other: TokenPolicy, /) -> Tensor:
        """Σ_i KL(self ‖ other) of the next token after y_<i, along each response (Eq. 17), in nats: [M, B].

        Where responses were drawn from this policy, its mean estimates KL(self ‖ other) of whole responses without bias.
        """
        self._require_same(other.responses)
        each = (self.log_probs.exp() * (self.log_probs - other.log_probs)).sum(-1)
        return each.where(self.responses.counted, each.new_zeros(())).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy of the next token, in nats, averaged over the tokens of all responses: a number."""
        each = -(self.log_probs.exp() * self.log_probs).sum(-1)
        return each[self.responses.counted].mean()

    def _require_same(self, responses: Responses) -> None:
        if responses is not self.responses:
            raise ValueError("a policy on tokens knows the responses alone that it was made along")


def _log_probs(model: Model, responses: Responses) -> Tensor:
    """Log-probabilities of every next token of the responses: [M, B, L, V], of which an answer's token takes one."""
    tokens, real = responses.tokens.flatten(0, 1), responses.real.flatten(0, 1)
    given = {"attention_mask": real.long(), "position_ids": positions(real)}
    logits = model(input_ids=tokens, use_cache=False, **given).logits
    before = logits[:, responses.start - 1 : -1].float()
    return torch.log_softmax(before, -1).view(*responses.tokens.shape[:2], *before.shape[1:])
