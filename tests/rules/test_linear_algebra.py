"""Semidefinite-safe roots, on lanes and in batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.pin import no_pin
from sgdsim.rules.linear_algebra import batched_root, lane_root

root_of_lanes = jax.jit(lambda lanes: lane_root(lanes, no_pin))


def lanes_of(matrices):
    p = matrices.shape[-1]
    return [[jnp.asarray(matrices[:, i, j]) for j in range(i + 1)] for i in range(p)]


def as_batch(root):
    p = len(root)
    zero = np.zeros_like(root[0][0])
    return np.stack([np.stack([root[i][j] if j <= i else zero for j in range(p)], -1) for i in range(p)], 1)


def covariances(p, rank, seed=0, count=16):
    factor = np.random.default_rng(seed).normal(size=(count, p, rank))
    return factor @ factor.swapaxes(1, 2) / rank


@pytest.mark.parametrize(("p", "rank"), [(1, 1), (4, 4), (5, 2), (6, 1)])
def test_lane_root(p, rank):
    matrices = covariances(p, rank)
    root = as_batch(root_of_lanes(lanes_of(matrices)))
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), matrices, atol=1e-7 if rank < p else 1e-12)
    if rank == p:
        np.testing.assert_allclose(root, np.linalg.cholesky(matrices), atol=1e-10)


@pytest.mark.parametrize(
    ("p", "rank"),
    [
        (3, 3),
        (8, 8),
        (9, 9),
        (20, 6),
        *(pytest.param(p, r, marks=pytest.mark.slow) for p, r in ((20, 20), (32, 32), (77, 77), (77, 9))),
    ],
)
def test_batched_root(p, rank):
    """Sizes on both sides of a split, regular and singular."""
    matrices = covariances(p, rank)
    root = np.asarray(batched_root(jnp.asarray(matrices)))
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), matrices, atol=1e-6 if rank < p else 1e-11)
    assert np.array_equal(np.triu(root, 1), np.zeros_like(root))
    if rank == p:
        np.testing.assert_allclose(root, np.linalg.cholesky(matrices), atol=1e-9)


@pytest.mark.parametrize("root_of", ["lanes", "batch"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_or_duplicated_row_gives_zeros_not_infinities(root_of, dtype):
    matrix = np.zeros((2, 3, 3), dtype)
    matrix[:, :2, :2] = 0.3  # two equal units and one of length zero
    root = as_batch(root_of_lanes(lanes_of(matrix))) if root_of == "lanes" else batched_root(jnp.asarray(matrix))
    np.testing.assert_allclose(root @ np.swapaxes(root, 1, 2), matrix, atol=1e-6)
    assert np.array_equal(np.asarray(root)[:, :, 1:], np.zeros((2, 3, 2)))


@pytest.mark.parametrize("p", [16, *(pytest.param(p, marks=pytest.mark.slow) for p in (64, 128))])
@pytest.mark.parametrize("smallest", [1e-5, 1e-4, 1e-2])
def test_nearly_singular_matrices_in_float32(p, smallest):
    """Inverses of ill-conditioned blocks do not amplify rounding beyond the tolerance of a pivot."""
    matrices = (covariances(p, 6) + smallest * np.eye(p)).astype(np.float32)
    root = np.asarray(batched_root(jnp.asarray(matrices)), np.float64)
    assert np.max(np.abs(root @ root.swapaxes(1, 2) - matrices)) < 2e-4
