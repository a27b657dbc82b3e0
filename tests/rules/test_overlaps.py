import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.rules.overlaps import Overlaps


def gram(k, p, d, seed):
    """Overlaps of normal vectors in d dimensions."""
    W = np.random.default_rng(seed).normal(size=(k + p, d))
    return Overlaps.from_gram(W @ W.T / d, k)


def combination(k, p, seed):
    """Overlaps of W0 = A W* for an oblique teacher."""
    P = gram(k, 1, 2 * k, seed).P
    A = np.random.default_rng(seed).normal(size=(p, k))
    return Overlaps(P=P, M=A @ P, Q=A @ P @ A.T)


def with_duplicates(overlaps):
    """Every student unit twice."""
    return Overlaps(
        P=overlaps.P, M=np.repeat(overlaps.M, 2, axis=0), Q=np.repeat(np.repeat(overlaps.Q, 2, axis=0), 2, axis=1)
    )


CASES = {
    "regular": (gram(3, 4, 50, 1), 50),
    "exactly as many dimensions as vectors": (gram(3, 4, 7, 2), 7),
    "p > d": (gram(2, 12, 9, 3), 9),
    "d = k": (gram(3, 5, 3, 4), 3),
    "inside the teacher's span": (combination(3, 6, 5), 20),
    "duplicated units": (with_duplicates(gram(2, 3, 30, 6)), 30),
    "a unit of length zero": (Overlaps(P=np.eye(2), M=np.zeros((2, 2)), Q=np.diag([0.0, 1.0])), 5),
    "one teacher, one student": (gram(1, 1, 4, 7), 4),
}


@pytest.mark.parametrize(("overlaps", "d"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("traced", [False, True])
def test_weights_have_the_overlaps(overlaps, d, traced):
    weights = jax.jit(Overlaps.frame_weights, static_argnums=1) if traced else Overlaps.frame_weights
    teacher, student = (np.asarray(part) for part in weights(overlaps, d))
    assert teacher.shape[1] == student.shape[1] == d
    assert teacher.dtype == student.dtype == np.float64
    np.testing.assert_allclose(teacher @ teacher.T / d, overlaps.P, rtol=0, atol=1e-12)
    np.testing.assert_allclose(student @ teacher.T / d, overlaps.M, rtol=0, atol=1e-12)
    np.testing.assert_allclose(student @ student.T / d, overlaps.Q, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("overlaps", "d"), CASES.values(), ids=CASES.keys())
def test_schur_splits_the_student(overlaps, d):
    m, S = overlaps.schur()
    np.testing.assert_allclose(m @ np.linalg.cholesky(overlaps.P).T, overlaps.M, rtol=0, atol=1e-12)
    np.testing.assert_allclose(m @ m.T + S, overlaps.Q, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(S, S.T)
    assert np.linalg.eigvalsh(S)[0] > -1e-13


def test_a_student_inside_the_span_has_no_part_outside():
    overlaps = combination(3, 6, 8)
    np.testing.assert_array_equal(overlaps.schur()[1], 0.0)
    np.testing.assert_array_equal(overlaps.frame_weights(40)[1][:, 3:], 0.0)


def test_a_small_part_outside_is_not_taken_for_rounding():
    overlaps = Overlaps(P=np.eye(1), M=np.ones((2, 1)), Q=np.ones((2, 2)) + 1e-9 * np.eye(2))
    np.testing.assert_allclose(overlaps.schur()[1], 1e-9 * np.eye(2), rtol=1e-6, atol=1e-22)


def test_a_replica_axis_is_carried():
    draws = [gram(2, 3, 10, seed) for seed in range(4)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts), *draws)
    many = (*stacked.schur(), *stacked.frame_weights(10))
    for replica, draw in enumerate(draws):
        for part, expected in zip(many, (*draw.schur(), *draw.frame_weights(10)), strict=True):
            np.testing.assert_allclose(part[replica], expected, rtol=0, atol=1e-13)
    on_device = jax.vmap(Overlaps.schur)(jax.tree.map(jnp.asarray, stacked))
    np.testing.assert_allclose(on_device[1], many[1], rtol=0, atol=1e-13)


BAD = {
    "finite": ("M0", np.eye(2), np.full((2, 2), np.nan), np.eye(2)),
    "symmetric": ("Q0", np.eye(2), np.zeros((2, 2)), np.array([[1.0, 0.1], [0.0, 1.0]])),
    "positive definite": ("P", np.ones((2, 2)), np.zeros((2, 2)), np.eye(2)),
    "semidefinite": ("Q0", np.eye(2), np.eye(2), 0.9 * np.eye(2)),
}


@pytest.mark.parametrize(("must", "case"), BAD.items(), ids=BAD.keys())
def test_overlaps_of_no_vectors_are_refused(must, case):
    argument, P, M, Q = case
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must .*{must}"):
        Overlaps(P=P, M=M, Q=Q).check()


@pytest.mark.parametrize(("overlaps", "d"), CASES.values(), ids=CASES.keys())
def test_overlaps_of_vectors_pass_in_their_dimension(overlaps, d):
    overlaps.check()
    overlaps.check_room(d)


def test_too_few_dimensions_are_refused():
    overlaps = gram(2, 5, 50, 9)
    overlaps.check_room(7)
    with pytest.raises(ArgumentError, match=r"Argument `d` must be >= 7.*but got 6"):
        overlaps.check_room(6)
    combination(3, 6, 1).check_room(3)
