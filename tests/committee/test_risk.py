import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from sgdsim.committee.averages.activations import Erf
from sgdsim.committee.risk import excess_risk
from sgdsim.rules.overlaps import Overlaps

compiled = jax.jit(excess_risk)


def random_overlaps(k, p, seed):
    W = np.random.default_rng(seed).normal(size=(k + p, 9)) / 2
    return Overlaps.from_gram(W @ W.T, k)


def risk_of(overlaps):
    return float(compiled(*(jnp.asarray(part) for part in (overlaps.P, overlaps.M, overlaps.Q)), Erf()))


def extended_risk(P, M, Q):
    """The same sum in extended precision."""

    def mean(cross, row, column):
        row, column = np.asarray(row, np.longdouble), np.asarray(column, np.longdouble)
        return (np.arcsin(cross / np.sqrt(np.outer(1 + row, 1 + column))) * 2).mean() / np.longdouble(np.pi)

    teacher, student = np.diagonal(P), np.diagonal(Q)
    return float(mean(P, teacher, teacher) / 2 + mean(Q, student, student) / 2 - mean(M, student, teacher))


@pytest.mark.parametrize(("k", "p"), [(1, 1), (2, 3), (4, 1)])
def test_risk_is_the_mean_squared_difference_of_the_networks(k, p):
    """Against samples of the networks themselves, with antithetic pairs and 5 standard errors."""
    W = np.random.default_rng(k).normal(size=(k + p, 9)) / 2
    outputs = erf(np.random.default_rng(p).normal(size=(200_000, 9)) @ W.T / math.sqrt(2))
    losses = (outputs[:, :k].mean(axis=1) - outputs[:, k:].mean(axis=1)) ** 2 / 2
    error = losses.std() / len(losses) ** 0.5
    assert abs(losses.mean() - risk_of(Overlaps.from_gram(W @ W.T, k))) < 5 * error
    assert error < 0.005 * losses.mean()


def test_a_perfect_student_has_no_risk():
    P = random_overlaps(4, 1, 2).P
    assert abs(risk_of(Overlaps(P=P, M=P, Q=P))) < 1e-16
    order = np.array([2, 0, 3, 1])
    assert abs(risk_of(Overlaps(P=P, M=P[order], Q=P[np.ix_(order, order)]))) < 2e-16
    twice = np.repeat(np.arange(4), 2)
    assert abs(risk_of(Overlaps(P=P, M=P[twice], Q=P[np.ix_(twice, twice)]))) < 2e-16


def test_a_silent_student_misses_the_whole_teacher():
    teacher = 0.5 * (2 / math.pi) * math.asin(0.5) / 3
    assert risk_of(Overlaps(P=np.eye(3), M=np.zeros((2, 3)), Q=np.zeros((2, 2)))) == pytest.approx(teacher, rel=1e-15)


@pytest.mark.parametrize("distance", [1e-1, 1e-2, 1e-3, 1e-4])
def test_absolute_error_near_perfect_learning(distance):
    P = random_overlaps(4, 1, 5).P
    Q = P + distance**2 * np.eye(4)
    risk = risk_of(Overlaps(P=P, M=P, Q=Q))
    assert risk == pytest.approx(extended_risk(P, P, Q), abs=3e-16)
    assert 0.01 * distance**2 < risk < distance**2


def test_trailing_axes_are_carried():
    many = [[random_overlaps(2, 3, 10 * i + j) for j in range(4)] for i in range(2)]
    stacked = jax.tree.map(lambda *parts: np.stack(parts, axis=-1), *many[0])
    both = jax.tree.map(lambda *parts: np.stack(parts, axis=-1), *many[1])
    grid = jax.tree.map(lambda first, second: np.stack([first, second], axis=-2), stacked, both)
    expected = np.array([[risk_of(overlaps) for overlaps in row] for row in many])
    np.testing.assert_allclose(compiled(grid.P, grid.M, grid.Q, Erf()), expected, rtol=0, atol=1e-16)


def test_one_teacher_serves_all_replicas():
    draws = [random_overlaps(2, 3, seed) for seed in range(4)]
    M, Q = (np.stack([getattr(draw, part) for draw in draws], axis=-1) for part in ("M", "Q"))
    shared = compiled(draws[0].P[..., None], M, Q, Erf())
    expected = [risk_of(Overlaps(P=draws[0].P, M=draw.M, Q=draw.Q)) for draw in draws]
    np.testing.assert_allclose(shared, expected, rtol=0, atol=1e-16)
