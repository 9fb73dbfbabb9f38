"""Responses drawn from a causal model as it is: temperature 1, nothing cut off, so that they are samples of π."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from algorithms.language.tokens import Model, Responses, positions


class Prompts(NamedTuple):
    """Prompts padded on their left to one length: `tokens` and `real`, False at padding, both [B, T]."""

    tokens: Tensor
    real: Tensor


def padded(prompts: Sequence[Sequence[int]], pad: int, device: torch.device) -> Prompts:
    """Prompts of any lengths, each of one token at least, side by side."""
    longest = max(len(prompt) for prompt in prompts)
    tokens = [[*[pad] * (longest - len(prompt)), *prompt] for prompt in prompts]
    real = [[*[False] * (longest - len(prompt)), *[True] * len(prompt)] for prompt in prompts]
    return Prompts(torch.tensor(tokens, device=device), torch.tensor(real, device=device))


@torch.no_grad()
def sample(
    model: Model,
    prompts: Prompts,
    count: int,
    longest: int,
    ends: int,
    pad: int,
    random: torch.Generator,
) -> Responses:
    """`count` responses to each prompt, of `longest` tokens at most; a response is over after the token `ends`.

    Reproducible from `random`, a generator on the model's device. Draws end when every response is over.
    """
    rows = len(prompts.tokens)
    tokens, real = prompts.tokens.repeat(count, 1), prompts.real.repeat(count, 1)
    going = torch.ones_like(real[:, -1])
    fed, cache = tokens, None
    for _ in range(longest):
        given = {"attention_mask": real.long(), "position_ids": positions(real)[:, -fed.shape[1] :]}
        done = model(input_ids=fed, cache=cache, use_cache=True, **given)
        cache = done.cache
        drawn = torch.multinomial(done.logits[:, -1].float().softmax(-1), 1, generator=random)
        fed = drawn.where(going.unsqueeze(-1), torch.full_like(drawn, pad))
        tokens, real = torch.cat([tokens, fed], -1), torch.cat([real, going.unsqueeze(-1)], -1)
        going = going & (fed[:, 0] != ends)
        if not going.any():
            break
    shape = (count, rows, -1)
    return Responses(tokens.view(shape), real.view(shape), prompts.tokens.shape[1])
