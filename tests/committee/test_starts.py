import numpy as np
import pytest

from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import (
    CombinationStart,
    ExplicitStart,
    GaussianStart,
    OverlapStart,
    SphereStart,
    overlap_start,
)
from sgdsim.errors import ArgumentError


def problem(d=100, p=5, k=3):
    return Committee(d=d, p=p, k=k, gamma=1.0)


def one(start, problem, rng=None):
    overlaps = start.draw(problem, rng or np.random.default_rng(0), 1)
    return overlaps.P[0], overlaps.M[0], overlaps.Q[0]


DRAWN = [OverlapStart, SphereStart, GaussianStart, CombinationStart]


def test_overlap_start_is_the_reference_start():
    rng = np.random.default_rng(7)
    A = rng.normal(size=(5, 3))
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    P, M, Q = one(OverlapStart(0.5, seed=7), problem())
    np.testing.assert_array_equal(P, np.eye(3))
    np.testing.assert_array_equal(M, A / 2)
    np.testing.assert_allclose(Q, A @ A.T / 4 + 0.75 * np.eye(5), rtol=0, atol=1e-15)


@pytest.mark.parametrize("overlap", [-1.0, -0.3, 0.0, 1.0])
def test_overlap_start_has_unit_lengths_at_any_overlap(overlap):
    start, student = OverlapStart(overlap, seed=3), problem()
    start.check(student)
    _, M, Q = one(start, student)
    np.testing.assert_allclose(np.diag(Q), 1.0, rtol=0, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(M, axis=1), abs(overlap), rtol=0, atol=1e-15)
    if abs(overlap) == 1:
        np.testing.assert_array_equal(start.draw(student, np.random.default_rng(), 1).schur()[1], 0.0)


@pytest.mark.parametrize("kind", DRAWN)
def test_a_shared_start_depends_on_its_seed_alone(kind):
    first = kind(seed=4).draw(problem(), np.random.default_rng(1), 3)
    second = kind(seed=4).draw(problem(), np.random.default_rng(2), 2)
    other = kind(seed=5).draw(problem(), np.random.default_rng(1), 3)
    assert first.Q.shape == (3, 5, 5)
    for part in ("P", "M", "Q"):
        np.testing.assert_array_equal(getattr(first, part)[2], getattr(second, part)[0])
    assert (first.M != other.M).all()


@pytest.mark.parametrize("kind", DRAWN)
def test_a_start_per_replica_depends_on_the_stream_alone(kind):
    draw = kind(seed=4, per_replica=True).draw(problem(), np.random.default_rng(1), 3)
    again = kind(seed=9, per_replica=True).draw(problem(), np.random.default_rng(1), 3)
    np.testing.assert_array_equal(draw.Q, again.Q)
    assert (draw.M[0] != draw.M[1]).all()
    more = kind(per_replica=True).draw(problem(), np.random.default_rng(1), 5)
    np.testing.assert_array_equal(more.M[:3], draw.M)


@pytest.mark.parametrize("kind", DRAWN)
def test_draws_are_overlaps_of_vectors(kind):
    draw = kind(per_replica=True).draw(problem(), np.random.default_rng(3), 4)
    draw.check()
    teacher, student = draw.frame_weights(100)
    np.testing.assert_allclose(teacher @ teacher.mT / 100, draw.P, rtol=0, atol=1e-12)
    np.testing.assert_allclose(student @ teacher.mT / 100, draw.M, rtol=0, atol=1e-12)
    np.testing.assert_allclose(student @ student.mT / 100, draw.Q, rtol=0, atol=1e-12)


DIMENSIONS = [6, 20, pytest.param(1000, marks=pytest.mark.slow)]
"""k + p = 8: vectors at d = 6, Bartlett's factor otherwise."""


def z_of_mean(samples, expected):
    """Deviation of the mean from its expected value, in standard errors, of every column."""
    return (samples.mean(axis=0) - expected) / (samples.std(axis=0, ddof=1) / len(samples) ** 0.5)


@pytest.mark.parametrize("d", DIMENSIONS)
def test_law_of_the_sphere(d):
    draw = SphereStart(per_replica=True).draw(problem(d=d), np.random.default_rng(11), 4000)
    np.testing.assert_allclose(np.linalg.diagonal(draw.Q), 1.0, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.linalg.diagonal(draw.P), 1.0, rtol=0, atol=1e-14)
    pairs = np.stack([draw.P[:, 0, 1], draw.M[:, 0, 0], draw.M[:, 4, 2], draw.Q[:, 0, 4], draw.Q[:, 2, 3]], axis=1)
    assert np.abs(z_of_mean(pairs, 0.0)).max() < 5
    assert np.abs(z_of_mean(pairs**2, 1 / d)).max() < 5
    assert np.abs(z_of_mean(pairs**4, 3 / (d * (d + 2)))).max() < 5


@pytest.mark.parametrize("d", DIMENSIONS)
def test_law_of_gaussian_weights(d):
    draw = GaussianStart(per_replica=True).draw(problem(d=d), np.random.default_rng(12), 4000)
    lengths = np.stack([draw.P[:, 0, 0], draw.Q[:, 0, 0], draw.Q[:, 4, 4]], axis=1)
    pairs = np.stack([draw.P[:, 1, 2], draw.M[:, 3, 1], draw.Q[:, 1, 4]], axis=1)
    assert np.abs(z_of_mean(lengths, 1.0)).max() < 5
    assert np.abs(z_of_mean((lengths - 1) ** 2, 2 / d)).max() < 5
    assert np.abs(z_of_mean(pairs, 0.0)).max() < 5
    assert np.abs(z_of_mean(pairs**2, 1 / d)).max() < 5


def test_a_billion_dimensions_cost_nothing():
    _, M, Q = one(SphereStart(seed=1), problem(d=10**9))
    assert 0 < np.abs(M).max() < 1e-3
    assert np.abs(Q - np.eye(5)).max() < 1e-3


def test_combinations_stay_inside_the_span():
    A = np.arange(15.0).reshape(5, 3) / 10
    P, M, Q = one(CombinationStart(A), problem())
    np.testing.assert_array_equal(P, np.eye(3))
    np.testing.assert_array_equal(M, A)
    np.testing.assert_allclose(Q, A @ A.T, rtol=1e-15)
    _, drawn, _ = one(CombinationStart(seed=2), problem())
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(CombinationStart(seed=2).draw(problem(), np.random.default_rng(), 2).schur()[1], 0.0)


def test_explicit_start_is_what_was_given():
    start = ExplicitStart([[1]], [[0.5], [0.0]], [[1.0, 0.0], [0.0, 2.0]])
    student = problem(p=2, k=1)
    start.check(student)
    draw = start.draw(student, np.random.default_rng(), 3)
    np.testing.assert_array_equal(draw.M, np.tile([[0.5], [0.0]], (3, 1, 1)))
    assert draw.Q.dtype == np.float64
    assert not start.per_replica


def test_overlap_start_is_checked_against_the_problem():
    assert overlap_start(problem(), 0.25, seed=3) == OverlapStart(0.25, seed=3)
    assert overlap_start(problem(), per_replica=True) == OverlapStart(0.5, seed=1, per_replica=True)
    with pytest.raises(ArgumentError, match="overlap"):
        overlap_start(problem(), 1.5)


EYE = np.eye(2)
WRONG = [
    ("overlap", lambda: OverlapStart(1.01), {}),
    ("overlap", lambda: OverlapStart(float("nan")), {}),
    ("seed", lambda: SphereStart(seed=-1), {}),
    ("seed", lambda: GaussianStart(seed=True), {}),
    ("d", lambda: OverlapStart(0.5), {"d": 3}),
    ("d", lambda: SphereStart(), {"d": 2, "k": 3}),
    ("d", lambda: ExplicitStart(EYE, 0 * EYE, EYE), {"d": 3}),
    ("A", lambda: CombinationStart(np.ones((2, 3))), {}),
    ("A", lambda: CombinationStart([[1.0, 2.0], [3.0]]), {}),
    ("A", lambda: CombinationStart([1.0, 2.0]), {}),
    ("A", lambda: CombinationStart([[np.inf, 0.0], [0.0, 1.0]]), {}),
    ("per_replica", lambda: CombinationStart(EYE, per_replica=True), {}),
    ("P", lambda: ExplicitStart(np.eye(3), EYE, EYE), {}),
    ("M0", lambda: ExplicitStart(EYE, np.zeros((3, 2)), EYE), {}),
    ("Q0", lambda: ExplicitStart(EYE, EYE, np.eye(3)), {}),
    ("Q0", lambda: ExplicitStart(EYE, EYE, 0.5 * EYE), {}),
    ("P", lambda: ExplicitStart("abc", EYE, EYE), {}),
]


@pytest.mark.parametrize(("argument", "make", "sizes"), WRONG)
def test_a_start_that_does_not_fit_is_named(argument, make, sizes):
    with pytest.raises(ArgumentError, match=f"Argument `{argument}` must") as caught:
        make().check(problem(**{"d": 100, "p": 2, "k": 2} | sizes))
    assert caught.value.argument == argument


def test_starts_that_fit_where_k_plus_p_exceeds_d():
    small = problem(d=4, p=9, k=3)
    for start in (SphereStart(), GaussianStart(), CombinationStart(), OverlapStart(1.0)):
        start.check(small)
        draw = start.draw(small, np.random.default_rng(), 1)
        teacher, student = draw.frame_weights(4)
        np.testing.assert_allclose(student @ student.mT / 4, draw.Q, rtol=0, atol=1e-12)
        np.testing.assert_allclose(student @ teacher.mT / 4, draw.M, rtol=0, atol=1e-12)
