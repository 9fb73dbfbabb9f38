"""Generalised advantages by hand, and the doubling scan against the loop that it replaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from algorithms.returns import generalized_advantages, reverse_discounted_sum


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# γ = λ = ½; without an end δ = (1 + ½·1 − ½, 2 + ½·1.5 − 1, 3 + ½·2 − 1.5) = (1, 1.75, 2.5) and
# A = (1 + ¼·2.375, 1.75 + ¼·2.5, 2.5). An end after the second step leaves A₂ alone; there A₁ = δ₁, which is
# 2 − 1 = 1 where the successor's value does not count and 1.75 where it does; A₀ = 1 + ¼·A₁.
@pytest.mark.parametrize(
    ("bootstrap", "carry_on", "expected"),
    [
        pytest.param((1, 1, 1), (1, 1, 1), (1.59375, 2.375, 2.5), id="no end"),
        pytest.param(
            (1, 0, 1), (1, 0, 1), (1.25, 1.0, 2.5), id="terminated, or cut without bootstrap"
        ),
        pytest.param((1, 1, 1), (1, 0, 1), (1.4375, 1.75, 2.5), id="truncated with bootstrap"),
        pytest.param((1, 1, 0), (1, 1, 0), (1.53125, 2.125, 1.5), id="terminated at the last step"),
    ],
)
def test_advantages_by_hand(
    bootstrap: tuple[float, ...], carry_on: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    half = torch.tensor(0.5, dtype=torch.float64)
    reward, value, next_value = tensor(1, 2, 3), tensor(0.5, 1, 1.5), tensor(1, 1.5, 2)
    advantage = generalized_advantages(
        reward, value, next_value, tensor(*bootstrap), tensor(*carry_on), half, half
    )
    assert advantage.tolist() == list(expected)


def test_lambda_1_is_the_discounted_return_minus_value() -> None:
    rng = np.random.default_rng(0)
    reward, value, following = rng.normal(size=(3, 20))
    carry = np.ones(20)
    carry[[7, 19]] = 0
    expected = np.zeros(20)
    for first, last in ((0, 7), (8, 19)):
        for t in range(first, last + 1):
            powers = 0.9 ** np.arange(last - t + 1)
            expected[t] = (powers * reward[t : last + 1]).sum() - value[t]
    following[:-1] = value[1:]
    columns = [torch.from_numpy(x) for x in (reward, value, following, carry, carry)]
    advantage = generalized_advantages(*columns, *tensor(0.9, 1.0))
    np.testing.assert_allclose(advantage, expected, rtol=1e-12, atol=1e-12)


def test_advantages_agree_with_cleanrls_loop() -> None:
    """CleanRL keeps `dones[t]` of the state that step t starts from; 3 environments, 50 steps."""
    rng = np.random.default_rng(1)
    steps, gamma, gae_lambda = 50, 0.99, 0.95
    rewards, values = rng.normal(size=(2, steps, 3))
    dones = (rng.random((steps, 3)) < 0.1).astype(float)
    next_value, next_done = rng.normal(size=3), (rng.random(3) < 0.5).astype(float)
    expected, last = np.zeros((steps, 3)), np.zeros(3)
    for t in reversed(range(steps)):
        if t == steps - 1:
            nonterminal, following = 1.0 - next_done, next_value
        else:
            nonterminal, following = 1.0 - dones[t + 1], values[t + 1]
        delta = rewards[t] + gamma * following * nonterminal - values[t]
        expected[t] = last = delta + gamma * gae_lambda * nonterminal * last
    going = 1 - np.vstack((dones[1:], next_done))
    successors = np.vstack((values[1:], next_value))
    columns = [torch.from_numpy(x) for x in (rewards, values, successors, going, going)]
    advantage = generalized_advantages(*columns, *tensor(gamma, gae_lambda))
    np.testing.assert_allclose(advantage, expected, rtol=1e-10)


@settings(deadline=None, derandomize=True)
@given(
    steps=st.one_of(st.sampled_from([1, 2, 3, 63, 64, 65, 127]), st.integers(1, 130)),
    copies=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    ends=st.floats(0, 1),
)
def test_doubling_equals_the_plain_loop(steps: int, copies: int, seed: int, ends: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(steps, copies))
    discount = rng.uniform(0, 1, (steps, copies)) * (rng.random((steps, copies)) >= ends)
    expected, following = np.empty_like(x), np.zeros(copies)
    for t in reversed(range(steps)):
        following = expected[t] = x[t] + discount[t] * following
    total = reverse_discounted_sum(torch.from_numpy(x), torch.from_numpy(discount))
    np.testing.assert_allclose(total, expected, rtol=1e-11, atol=1e-12)


def test_one_step_is_its_own_sum() -> None:
    assert reverse_discounted_sum(tensor(3.0), tensor(0.9)).tolist() == [3.0]


def test_undiscounted_sum_counts_down() -> None:
    ones = torch.ones(5, dtype=torch.float64)
    assert reverse_discounted_sum(ones, ones).tolist() == [5, 4, 3, 2, 1]
