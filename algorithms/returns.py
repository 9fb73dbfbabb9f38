"""Returns and advantages of one agent's stream of experience.

Shapes: T steps first, then any other dimensions (an agent's parallel environments).
"""

from __future__ import annotations

import torch
from torch import Tensor


def reverse_discounted_sum(x: Tensor, discount: Tensor) -> Tensor:
    """y_t = x_t + discount_t · y_{t+1}, with y_T = 0, for x and discount [T, …].

    By doubling: log₂ T rounds of whole-array operations in place of T steps, each of which joins every
    y_t with the part of the sum that starts where it stops.
    """
    span, steps = 1, x.shape[0]
    while span < steps:
        tail_x = torch.cat((x[span:], torch.zeros_like(x[:span])))
        tail_discount = torch.cat((discount[span:], torch.zeros_like(discount[:span])))
        x, discount, span = x + discount * tail_x, discount * tail_discount, 2 * span
    return x


def generalized_advantages(
    reward: Tensor,
    value: Tensor,
    next_value: Tensor,
    bootstrap: Tensor,
    carry_on: Tensor,
    gamma: Tensor,
    gae_lambda: Tensor,
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2016, Eq. 16): A_t = δ_t + γλ c_t A_{t+1}.

    δ_t = r_t + γ b_t V(s'_t) − V(s_t). All arguments are [T, …]; `next_value` is V at the successor s'_t,
    before any reset; `bootstrap` b_t is 1 where that value counts (0 at termination, and at truncation
    where a method does not bootstrap there); `carry_on` c_t is 0 where the episode ended.
    """
    delta = reward + gamma * bootstrap * next_value - value
    return reverse_discounted_sum(delta, gamma * gae_lambda * carry_on)
