"""Normal inputs: those of the built-in kernel, in any order, and the same from C++."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.inputs import draw_inputs
from sgdsim.ensemble.random import replica_keys
from sgdsim.training.inputs import NormalInputs, NormalNoise

KEYS = replica_keys(0, 0, 0, 3)
drawn = jax.jit(lambda law, keys, rows, d: law.draw((keys[0], keys[1]), rows, d, "float32"), static_argnums=(0, 3))


@pytest.mark.parametrize("d", [1, 8, 37])
@pytest.mark.parametrize("native", [False, True], ids=["xla", "native"])
def test_a_datum_belongs_to_its_key_and_its_number(native, d):
    law, some = NormalInputs(native), np.array([5, 0, 3], np.uint32)
    every = np.asarray(drawn(law, KEYS, np.arange(8, dtype=np.uint32), d))
    np.testing.assert_array_equal(drawn(law, KEYS, some, d), every[:, some])
    np.testing.assert_array_equal(drawn(law, KEYS[:, 1:], some, d), every[1:, some])
    left, right, _ = jax.jit(lambda keys: draw_inputs((keys[0], keys[1]), 8, d, jnp.float32))(KEYS)
    np.testing.assert_allclose(every, np.concatenate([left, right], axis=2), rtol=0, atol=2e-6)
    assert len(np.unique(every)) == every.size


def test_moments_of_inputs_and_noise():
    """Mean 0, |x|^2 = d in the mean, noise of variance 1, and neither knows of the other."""
    rows = np.arange(4000, dtype=np.uint32)
    x = np.asarray(drawn(NormalInputs(), KEYS, rows, 8), float)
    noise = jax.jit(lambda keys: NormalNoise().draw((keys[0], keys[1]), jnp.asarray(rows), "float32"))
    zeta = np.asarray(noise(KEYS[::-1]), float)
    assert abs(x.mean()) < 5 / x.size**0.5
    assert abs((x**2).mean() - 1) < 5 * (2 / x.size) ** 0.5
    assert abs((zeta**2).mean() - 1) < 5 * (2 / zeta.size) ** 0.5
    assert np.abs((x * zeta[:, :, None]).mean(axis=(0, 1))).max() < 5 / zeta.size**0.5
