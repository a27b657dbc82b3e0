"""The products of triangular matrices in C++ against NumPy's, and what they need and leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.native.build import find_compiler
from sgdsim.native.triangles import triangle_products

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="there is no C++ compiler")


@needs_compiler
def test_products_from_both_sides_are_those_of_numpy():
    """Sizes that end before, at and after a whole vector, side by side in one batch; two unlike matrices and vectors.

    Vectors go on beyond the size, as one of the mean-field theory does.
    """
    sizes, n = np.array([1, 3, 4, 7, 8, 9, 17, 32]), 32
    rng = np.random.default_rng(0)
    inside = np.arange(n) < sizes[:, None]
    matrices = [np.tril(rng.normal(size=(8, n, n))) * inside[:, :, None] for _ in range(2)]
    left, right = rng.normal(size=(2, 2, 8, n))
    job = jax.jit(jax.vmap(triangle_products))
    from_left, from_right = job(tuple(matrices), tuple(left), tuple(right), jnp.asarray(sizes))
    for found, expected in zip(from_left, np.einsum("ket,ketu->keu", left, np.stack(matrices)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    for found, expected in zip(from_right, np.einsum("ketu,keu->ket", np.stack(matrices), right), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    for found in (*from_left, *from_right):
        assert not np.asarray(found)[~inside].any()


@needs_compiler
def test_no_matrix_is_copied():
    """What the call of a batch needs beside arguments and results is less than half of one of its matrices."""
    matrix, vector = (jax.ShapeDtypeStruct((2, *shape), jnp.float64) for shape in ((256, 256), (256,)))
    sizes = jax.ShapeDtypeStruct((2,), jnp.int64)
    job = jax.jit(jax.vmap(triangle_products)).lower((matrix,), (vector,), (vector,), sizes)
    memory = job.compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 4 * 256**2


def test_sides_that_are_no_whole_vectors_are_refused():
    matrix, vector = jnp.zeros((24, 24)), jnp.zeros(24)
    with pytest.raises(ArgumentError, match=r"multiples of 16, but got 24"):
        triangle_products((matrix,), (vector,), (vector,), jnp.asarray(3))
