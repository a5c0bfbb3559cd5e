"""The compiled generator gives numpy's numbers."""

import numpy as np
import pytest

from lpi.uniforms import LANES, advance, fill, stream, streams


@pytest.mark.parametrize("seed", [0, 1, 2**40])
@pytest.mark.parametrize("before", [0, 1, 13])
def test_the_numbers_of_numpy(seed, before):
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    rng.random(before)
    numbers, found = stream(rng), np.empty(500 * LANES)
    for part in np.split(found, [LANES, 9 * LANES]):
        fill(numbers, part)
    same = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    np.testing.assert_array_equal(found, same.random(before + len(found))[before:])
    advance(rng, len(found))
    assert rng.random() == same.random()


@pytest.mark.parametrize("apart", [1, 5, 336])
def test_lanes_that_stand_apart(apart):
    """Two rounds, each of `apart` numbers of every lane and the leap over what the other lanes took."""
    numbers, leap = streams(np.random.default_rng(3), apart)
    expected = np.random.default_rng(3).random((2, LANES, apart))
    for block in expected:
        found, thrown = np.empty(apart * LANES), np.empty(LANES)
        fill(numbers, found)
        fill(leap, thrown)
        np.testing.assert_array_equal(found.reshape(apart, LANES).T, block)


def test_other_generators_are_refused():
    with pytest.raises(ValueError, match="MT19937 is not allowed; numpy.random.default_rng"):
        stream(np.random.Generator(np.random.MT19937(0)))
