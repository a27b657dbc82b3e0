"""The numbers that a block of samples is made of."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.inputs import draw_inputs, more_normals
from sgdsim.ensemble.random import replica_keys


@pytest.mark.parametrize("d", [6, 7])
def test_inputs_and_the_normals_beside_them_are_numbers_of_their_own(d):
    """d numbers of a sample and four more, of which the first is that of the label's noise: none is there twice."""
    keys = replica_keys(3, 0, 0, 4)
    key = keys[0], keys[1]
    left, right, zeta = draw_inputs(key, 5, d, jnp.float64)
    more = more_normals(key, zeta, d, 4)
    numbers = np.concatenate([left, right, more], axis=2)
    assert numbers.shape == (4, 5, d + 4)
    assert len(np.unique(numbers)) == numbers.size
    np.testing.assert_array_equal(more[:, :, 0], zeta)
