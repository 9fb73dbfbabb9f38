"""Streams of random numbers: independent, and never renumbered."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from algorithms.seeding import Purpose, environment_seeds, stream

# The first 64 bits of each stream of member seed 0 and 123, index 2. A change here changes every result.
GOLDEN = {
    (0, "INITIALISATION"): 11483890304390776576,
    (0, "ACTION_NOISE"): 16264559523293538914,
    (0, "MINIBATCHES"): 955431706376159757,
    (0, "TRAINING_ENVIRONMENT"): 17181388951885831745,
    (0, "EVALUATION_ENVIRONMENT"): 10569873907419624364,
    (0, "ADVANTAGE_NOISE"): 3296431467407710671,
    (0, "UPDATES"): 3139171314989754793,
    (0, "STARTING_POINTS"): 10438205481268172853,
    (123, "INITIALISATION"): 11196222835573693493,
    (123, "ACTION_NOISE"): 4499378125722690980,
    (123, "MINIBATCHES"): 4799994600270167198,
    (123, "TRAINING_ENVIRONMENT"): 1563345913619419374,
    (123, "EVALUATION_ENVIRONMENT"): 14718314921420875061,
    (123, "ADVANTAGE_NOISE"): 16522947208680745388,
    (123, "UPDATES"): 13503246098970246103,
    (123, "STARTING_POINTS"): 3887732958199041676,
}


@pytest.mark.parametrize(("seed", "name"), list(GOLDEN))
def test_first_numbers_never_change(seed: int, name: str) -> None:
    assert stream(seed, Purpose[name], 2).bit_generator.random_raw() == GOLDEN[seed, name]


def test_golden_numbers_cover_every_purpose() -> None:
    assert {name for _, name in GOLDEN} == set(Purpose.__members__)


def test_environment_seeds_never_change() -> None:
    assert environment_seeds(42, Purpose.TRAINING_ENVIRONMENT, 1, 3) == [
        811421884,
        381242008,
        770094631,
    ]
    assert environment_seeds(42, Purpose.EVALUATION_ENVIRONMENT, 0, 2) == [964687612, 865811779]


def test_streams_differ_in_seed_purpose_and_index() -> None:
    """400 streams for each purpose, 64 bits each: two alike by chance once in some 10¹²."""
    first = [
        stream(seed, purpose, index).bit_generator.random_raw()
        for seed, purpose, index in product((0, 1, 2, 10, 2**32 - 1), Purpose, range(80))
    ]
    assert len(set(first)) == len(first) == 400 * len(Purpose)


def test_neighbouring_streams_are_uncorrelated() -> None:
    """A thousand correlations of 4,000 normals, 5 standard errors: 1 in some 1,500 fails by chance."""
    draws = [
        stream(seed, purpose, index).standard_normal(4000)
        for seed, purpose, index in product((0, 1), Purpose, range(3))
    ]
    correlation = np.corrcoef(draws) - np.eye(len(draws))
    assert abs(correlation).max() < 5 / np.sqrt(4000)


def test_a_stream_repeats() -> None:
    first, again = (stream(7, Purpose.MINIBATCHES, 3).random(100) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_index_0_is_the_default() -> None:
    default, explicit = stream(7, Purpose.ACTION_NOISE), stream(7, Purpose.ACTION_NOISE, 0)
    assert default.random() == explicit.random()


def test_environment_seeds_fit_a_c_int_and_differ() -> None:
    seeds = environment_seeds(0, Purpose.TRAINING_ENVIRONMENT, 0, 1000)
    assert all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30
    assert len(set(seeds)) == 1000


def test_a_copys_seed_does_not_depend_on_how_many_there_are() -> None:
    few, many = (environment_seeds(9, Purpose.TRAINING_ENVIRONMENT, 4, n) for n in (3, 8))
    assert many[:3] == few
