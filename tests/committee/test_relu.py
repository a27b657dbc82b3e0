"""relu: averages of four fields against quadratures that share no code with them, also where fields coincide."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from sgdsim.committee import Relu
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import OverlapStart
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.ensemble.theory import solve_theory
from sgdsim.rules import solver

SIGNS = np.array([0.5, 0.5, -0.5, -0.5])
sums = jax.jit(lambda C, s: Relu().I4_sums(C, s, 2))
slopes = jax.jit(jax.jacfwd(lambda C: Relu().I4_sums(C, jnp.asarray(SIGNS), 2)))


def positive_part(mean, deviation):
    """E[max(x, 0)] for x ~ N(mean, deviation^2)."""
    ratio = mean / deviation
    return mean * ndtr(ratio) + deviation * np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)


def on_the_octant(C, i, j, a, b):
    """E[H(l_i) H(l_j) sigma(l_a) sigma(l_b)]: Gauss-Legendre over l_i, l_j, l_a > 0, and l_b given these by hand."""
    inside = sorted({i, j, a})
    root = np.sqrt(np.diag(C)[inside])
    nodes, weights = np.polynomial.legendre.leggauss(48)
    axes = [4.25 * size * (nodes + 1) for size in root]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(len(inside), -1)
    weight = math.prod(np.meshgrid(*[4.25 * size * weights for size in root], indexing="ij")).ravel()
    inner = C[np.ix_(inside, inside)]
    density = np.exp(-0.5 * np.sum(grid * np.linalg.solve(inner, grid), axis=0))
    density /= math.sqrt((2 * math.pi) ** len(inside) * np.linalg.det(inner))
    if b in inside:
        last = grid[inside.index(b)]
    else:
        slope = np.linalg.solve(inner, C[inside, b])
        last = positive_part(slope @ grid, math.sqrt(C[b, b] - slope @ C[inside, b]))
    return float(weight @ (density * grid[inside.index(a)] * last))


def summed(C, s, i, j):
    fields = range(len(s))
    return sum(s[a] * s[b] * on_the_octant(C, i, j, a, b) for a in fields for b in fields)


def in_the_plane(loadings, s, i, j):
    """E[H(l_i) H(l_j) (sum_a s_a sigma(l_a))^2] of fields that are linear in two normals: E[r^2] = 2 times the mean
    over the angle, between the kinks."""

    def integrand(angle):
        fields = loadings @ np.array([np.cos(angle), np.sin(angle)])
        return float((fields[i] > 0) * (fields[j] > 0) * (np.maximum(fields, 0) @ s) ** 2)

    kinks = np.arctan2(-loadings[:, 0], loadings[:, 1])
    corners = np.unique(np.concatenate([[0, 2 * np.pi], kinks % np.pi, kinks % np.pi + np.pi]))
    pieces = [quad(integrand, *ends, epsabs=1e-13)[0] for ends in itertools.pairwise(corners)]
    return 2 * sum(pieces) / (2 * np.pi)


@pytest.mark.parametrize("seed", range(3))
def test_four_fields_by_quadrature(seed):
    loadings = np.random.default_rng(seed).normal(size=(4, 5)) / 2
    C, s = loadings @ loadings.T, np.array([0.7, 0.3, -0.6, -0.4])
    found = np.asarray(sums(jnp.asarray(C), jnp.asarray(s)))
    expected = [[summed(C, s, i, j) for j in (2, 3)] for i in (2, 3)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


PLANE = np.array([[1.0, 0.2], [-0.3, 1.1]])
STUDENTS = {
    "combinations": [[0.6, 0.8], [0.2, -0.5]],
    "one is a teacher": [[1.0, 0.2], [0.4, 0.3]],
    "duplicates": [[0.5, 0.4], [0.5, 0.4]],
    "opposite to one another": [[0.5, 0.4], [-0.7, -0.56]],
    "opposite to a teacher": [[-1.0, -0.2], [0.5, 0.4]],
    "nearly a teacher": [[1.0, 0.21], [-0.3, 1.1001]],
    "nearly duplicates": [[0.5, 0.4], [0.5, 0.4003]],
    "small": [[1e-3, 2e-3], [0.3, 0.1]],
}


@pytest.mark.parametrize("students", STUDENTS.values(), ids=STUDENTS.keys())
def test_fields_that_depend_on_one_another(students):
    loadings = np.concatenate([PLANE, np.array(students)])
    found = np.asarray(sums(jnp.asarray(loadings @ loadings.T), jnp.asarray(SIGNS)))
    expected = [[in_the_plane(loadings, SIGNS, i, j) for j in (2, 3)] for i in (2, 3)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)
    assert np.isfinite(slopes(jnp.asarray(loadings @ loadings.T))).all()


def test_a_silent_teacher_counts_for_nothing():
    loadings = np.array([[0.0, 0.0], [1.0, 0.2], [0.5, 0.4], [-0.3, 0.9]])
    found = np.asarray(sums(jnp.asarray(loadings @ loadings.T), jnp.asarray(SIGNS)))
    expected = [[in_the_plane(loadings, SIGNS, i, j) for j in (2, 3)] for i in (2, 3)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("distance", [1e-2, 1e-3])
def test_near_perfect_learning_the_sum_vanishes_like_the_square_of_the_distance(distance):
    """The sum is 1e-5 and 1e-7 times its terms, and right to 3e-5 of itself (measured 1.3e-5, of the 16 nodes)."""
    loadings = np.concatenate([PLANE, PLANE + distance * np.array([[0.3, -0.9], [0.8, 0.5]])])
    found = np.asarray(sums(jnp.asarray(loadings @ loadings.T), jnp.asarray(SIGNS)))
    expected = [[in_the_plane(loadings, SIGNS, i, j) for j in (2, 3)] for i in (2, 3)]
    np.testing.assert_allclose(found, expected, rtol=3e-5)


def test_slopes_are_those_of_finite_differences():
    loadings = np.random.default_rng(5).normal(size=(4, 5)) / 2
    C, direction = loadings @ loadings.T, np.random.default_rng(6).normal(size=(4, 4))
    direction, h, s = direction + direction.T, 1e-5, jnp.asarray(SIGNS)
    slope = jnp.tensordot(slopes(jnp.asarray(C)), jnp.asarray(direction), 2)
    difference = (sums(jnp.asarray(C + h * direction), s) - sums(jnp.asarray(C - h * direction), s)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=0, atol=1e-8)


@pytest.mark.slow
def test_the_solver_takes_as_few_steps_as_for_erf(monkeypatch):
    """p = 3, k = 1 are of this test alone: a program that is compiled keeps its number of steps."""
    monkeypatch.setattr(solver, "MAX_STEPS", 40)
    problem = Committee(d=1000, p=3, k=1, gamma=3.0, noise=1e-3, activation=Relu())
    solved = solve_theory(problem, OverlapStart(0.5, seed=1), np.array([1.0, 5.0]), ExactODE())
    assert 0 < solved["excess_risk"][1] < solved["excess_risk"][0] < 0.1
