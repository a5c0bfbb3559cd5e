"""The compiled generator gives numpy's numbers."""

import numpy as np
import pytest

from lpi.uniforms import LANES, advance, fill, stream


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


def test_other_generators_are_refused():
    with pytest.raises(ValueError, match="MT19937 is not allowed; numpy.random.default_rng"):
        stream(np.random.Generator(np.random.MT19937(0)))
