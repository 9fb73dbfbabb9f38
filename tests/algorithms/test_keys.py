"""Random numbers as functions of a key: known answers, the same alone and in company, and the right distributions.

Statistical tests use fixed seeds; each is made at the level LEVEL: it would fail that often although nothing is wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.func import vmap

from algorithms import keys
from algorithms.keys import Draws, integers, member_key, uniforms
from algorithms.seeding import Purpose

LEVEL = 0.001


def splitmix(seed: int, places: Iterable[int]) -> list[int]:
    """Those outputs of SplitMix64 as java.util.SplittableRandom has it, in Python's integers."""
    mask, found = 2**64 - 1, []
    for place in places:
        z = (seed + (place + 1) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        found.append(z ^ (z >> 31))
    return found


def number(value: int) -> Tensor:
    return torch.tensor(value)


def unsigned(tensor: Tensor) -> list[int]:
    return [int(word) % 2**64 for word in tensor.flatten()]


KEYS = torch.stack(
    [member_key(seed, Purpose.UPDATES) for seed in (0, 1, 2, 10, 77)]
    + [member_key(0, Purpose.ACTION_NOISE), torch.tensor(-(2**63))]
)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]),
        (
            1234567,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423,
                4593380528125082431,
                16408922859458223821,
            ],
        ),
    ],
)
def test_known_answers_of_splitmix64(seed: int, expected: list[int]) -> None:
    """The first outputs, as published with Vigna's splitmix64.c and Rosetta Code's task of that name."""
    assert unsigned(keys.splitmix(torch.tensor(seed), torch.arange(len(expected)))) == expected
    assert splitmix(seed, range(len(expected))) == expected


@pytest.mark.parametrize(("now", "use"), [(0, 0), (9, 3), (1_000_000, 1), (2**36 - 1, 7)])
def test_words_are_the_generators_at_places_of_their_own(now: int, use: int) -> None:
    """Number and use choose a stretch of 2²⁴ outputs; upper halves of them come first, then lower ones."""
    for key in KEYS:
        first = (now * 8 + use) * 2**24
        outputs = splitmix(int(key), range(first, first + 3))
        halves = [word >> 32 for word in outputs] + [word % 2**32 for word in outputs]
        assert keys.words(key, number(now), use, 6).tolist() == halves
        assert keys.words(key, number(now), use, 5).tolist() == halves[:5]


def everything(key: Tensor, now: Tensor) -> tuple[Tensor, ...]:
    """Integers below `now`, uniforms, and a little of every distribution."""
    numbers = uniforms(key, now, 1, 39)
    draws = Draws(numbers)
    bits = integers(key, now, 0, now, 16), numbers
    return (*bits, draws.normal(3, 7), draws.gumbel(11), draws.cauchy(5))


def test_alone_and_in_company_the_numbers_are_the_same() -> None:
    together = vmap(lambda key: everything(key, number(1234)))(KEYS)
    for index, key in enumerate(KEYS):
        for mine, alone in zip(together, everything(key, number(1234)), strict=True):
            assert torch.equal(mine[index], alone)


def test_compiled_the_numbers_are_the_same() -> None:
    """To the bit where they are bits; logarithms, cosines and tangents may round otherwise."""
    together = vmap(everything, in_dims=(0, None))
    compiled: Callable[..., Any] = torch.compile(together, dynamic=False, fullgraph=True)
    for now in (1, 1234, 2**31 - 1):
        fused, eager = compiled(KEYS, number(now)), together(KEYS, number(now))
        for mine, expected in zip(fused[:2], eager[:2], strict=True):
            assert torch.equal(mine, expected)
        for mine, expected in zip(fused[2:], eager[2:], strict=True):
            torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)


def test_another_key_number_or_use_gives_other_numbers() -> None:
    """63 streams of 1,000 words: a word alike in the same place of two streams once in 2,200 runs; two, once in 10⁷."""
    streams = {
        (int(key), now, use): keys.words(key, number(now), use, 1000)
        for key in KEYS
        for now in (0, 1, 2**31 - 1)
        for use in (0, 1, 7)
    }
    assert len(streams) == 63
    alike = [int((a == b).sum()) for a, b in itertools.combinations(streams.values(), 2)]
    assert sum(alike) < 2


def test_member_keys_differ_by_seed_and_purpose_and_never_change() -> None:
    found = {int(member_key(seed, purpose)) for seed in range(200) for purpose in Purpose}
    assert len(found) == 200 * len(Purpose)
    high, low = 2617721224, 1702711595
    assert int(member_key(0, Purpose.UPDATES)) == (high << 32) + low - 2**63


@pytest.mark.parametrize(("bit", "what"), [(0, "key"), (40, "key"), (0, "number"), (13, "number")])
def test_one_bit_of_key_or_number_changes_half_of_the_bits(bit: int, what: str) -> None:
    """Each of 32 bits flips in half of 100,000 words: ± 5 deviations, which fails once in 50,000 such tests."""
    flip = 1 << bit
    key = KEYS[0] ^ (flip if what == "key" else 0)
    before = keys.words(KEYS[0], number(6), 1, 100_000)
    after = keys.words(key, number(6 ^ (flip if what == "number" else 0)), 1, 100_000)
    flipped = before ^ after
    shares = torch.stack([((flipped >> place) & 1).double().mean() for place in range(32)])
    assert float((shares - 0.5).abs().max()) < 5 * 0.5 / 100_000**0.5


def test_one_place_over_numbers_is_uniform_and_uncorrelated() -> None:
    """What one draw is over 20,000 updates, as a member sees it."""
    drawn = vmap(lambda now: uniforms(KEYS[1], now, 1, 64))(torch.arange(20_000)).double().numpy()
    for series in drawn[:, [0, 1, 63]].T:
        assert stats.kstest(series, stats.uniform.cdf).pvalue > LEVEL
        for lag in (1, 2, 8):
            correlation = np.corrcoef(series[lag:], series[:-lag])[0, 1]
            assert abs(correlation) < stats.norm.isf(LEVEL / 2) / np.sqrt(len(series) - lag)


# Distributions


SAMPLE = 200_000
NUMBERS = uniforms(KEYS[0], number(0), 1, SAMPLE)


def fits(sample: Tensor, distribution: Any) -> None:
    """Kolmogorov and Smirnov's test at LEVEL."""
    assert stats.kstest(sample.double().flatten().numpy(), distribution.cdf).pvalue > LEVEL


def test_uniforms_are_uniform_odd_multiples_and_never_0_or_1() -> None:
    fits(NUMBERS, stats.uniform)
    odd = NUMBERS.double() * 2**24
    assert torch.equal(odd % 2, torch.ones_like(odd))
    words = keys.words(KEYS[0], number(0), 1, SAMPLE)
    assert torch.equal(odd, ((words >> 9) * 2 + 1).double())
    assert 0 < float(NUMBERS.min()) < 1e-4
    assert 1 - 1e-4 < float(NUMBERS.max()) < 1


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("uniform", stats.uniform),
        ("normal", stats.norm),
        ("gumbel", stats.gumbel_r),
        ("cauchy", stats.cauchy),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_distributions_are_what_they_are_called(name: str, distribution: Any, seed: int) -> None:
    key = member_key(seed, Purpose.UPDATES)
    draws = Draws(uniforms(key, number(7), 2, SAMPLE))
    fits(getattr(draws, name)(SAMPLE // 100, 100), distribution)


@pytest.mark.parametrize(
    ("name", "distribution", "far"),
    [
        ("normal", stats.norm, (2.5, 3.0, 3.5)),
        ("gumbel", stats.gumbel_r, (4.0, 7.0, 9.0)),
        ("cauchy", stats.cauchy, (30.0, 300.0, 3000.0)),
    ],
)
def test_tails_are_as_heavy_as_they_should_be(
    name: str, distribution: Any, far: tuple[float, ...]
) -> None:
    sample = getattr(Draws(uniforms(KEYS[1], number(0), 1, 2_000_000)), name)(2_000_000)
    assert sample.isfinite().all()
    for limit in far:
        tails = [(int((sample > limit).sum()), distribution.sf(limit))]
        if name != "gumbel":
            tails.append((int((sample < -limit).sum()), distribution.cdf(-limit)))
        for count, chance in tails:
            assert stats.binomtest(count, len(sample), chance).pvalue > LEVEL, (limit, count)


def test_the_most_extreme_numbers_are_finite() -> None:
    ends = torch.tensor([2.0**-24, 0.5, 1 - 2.0**-24])
    pairs = torch.tensor([(a, b) for a in ends for b in ends])
    normal = torch.cat([Draws(pair).normal(2) for pair in pairs])
    assert 5.7 < float(normal.abs().max()) < 5.8
    for name, largest in (("gumbel", 17), ("cauchy", 6e6)):
        sample = getattr(Draws(ends), name)(3)
        assert sample.isfinite().all()
        assert torch.equal(sample.sort().values, sample)
        assert float(sample.abs().max()) < largest


def test_halves_of_a_normal_pair_are_independent() -> None:
    """Both come from the same two uniforms. The correlation, and that of the squares, has deviation n^(−½)."""
    pairs = Draws(NUMBERS).normal(2, SAMPLE // 2).double().numpy()
    bound = stats.norm.isf(LEVEL / 4) / np.sqrt(SAMPLE // 2)
    assert abs(np.corrcoef(pairs)[0, 1]) < bound
    assert abs(np.corrcoef(pairs**2)[0, 1]) < bound


@pytest.mark.parametrize("high", [2, 7, 100, 1013])
def test_integers_are_uniform_below_an_uneven_limit(high: int) -> None:
    drawn = integers(KEYS[0], number(3), 0, number(high), 100_000)
    assert drawn.dtype == torch.int64
    counts = torch.bincount(drawn, minlength=high).numpy()
    assert len(counts) == high
    assert stats.chisquare(counts).pvalue > LEVEL


def test_integers_reach_both_ends_of_a_large_range() -> None:
    """100,000 draws: that none falls into the first or last thousandth has chance e⁻¹⁰⁰."""
    high = 2**31 - 1
    drawn = integers(KEYS[2], number(3), 0, number(high), 100_000)
    assert 0 <= int(drawn.min()) < high // 1000
    assert high - high // 1000 < int(drawn.max()) < high
    assert stats.kstest(drawn.numpy() / high, stats.uniform.cdf).pvalue > LEVEL


def test_integers_follow_a_limit_that_grows() -> None:
    """`high` is a tensor so that a compiled update serves a replay that fills."""
    for high in (1, 2, 3):
        drawn = integers(KEYS[0], number(1), 0, number(high), 64)
        assert sorted(set(drawn.tolist())) == list(range(high))


# Draws


def test_draws_hand_out_in_order_and_count() -> None:
    numbers = torch.linspace(0.05, 0.95, 19)
    draws = Draws(numbers)
    assert torch.equal(draws.uniform(2, 2), numbers[:4].view(2, 2))
    assert draws.taken == 4
    gumbel = draws.gumbel(3)
    torch.testing.assert_close(gumbel, -(-numbers[4:7].log()).log())
    assert draws.taken == 7
    cauchy = draws.cauchy(1, 2)
    torch.testing.assert_close(cauchy[0], (torch.pi * (numbers[7:9] - 0.5)).tan())
    normal = draws.normal(5)
    radius, angle = (-2 * numbers[9:12].log()).sqrt(), 2 * torch.pi * numbers[12:15]
    expected = torch.cat((radius * angle.cos(), radius * angle.sin()))[:5]
    torch.testing.assert_close(normal, expected)
    assert draws.taken == 15
    assert draws.uniform().shape == ()
    assert draws.taken == 16


def test_draws_without_numbers_count_what_is_asked_for() -> None:
    asked, given = Draws(None), Draws(NUMBERS)
    for draws in (asked, given):
        draws.normal(3, 5)
        draws.gumbel(2)
        draws.cauchy(4)
        draws.uniform(7)
    assert asked.taken == given.taken == 2 * 8 + 2 + 4 + 7
    assert Draws(None).uniform(2, 3).tolist() == [[0.5] * 3] * 2


def test_draws_do_not_hand_out_what_they_do_not_have() -> None:
    draws = Draws(torch.full((5,), 0.5))
    draws.uniform(3)
    with pytest.raises(RuntimeError):
        draws.uniform(3)
