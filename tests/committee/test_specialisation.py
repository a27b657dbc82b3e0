"""Specialisation: by hand, on the way through the plateau, and the rate at which differences between units grow."""

import dataclasses
from itertools import permutations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee.averages.activations import Erf
from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.specialisation import specialisation
from sgdsim.committee.starts import ExplicitStart, GaussianStart, SphereStart
from sgdsim.committee.theory.ode import ExactODE, LimitODE
from sgdsim.committee.theory.plateau import PlateauGrowth, escape_rate
from sgdsim.errors import ArgumentError
from tests.helpers import run, worst, z_from_theory

SLOW = Committee(d=2000, p=2, k=2, gamma=2.0, noise=0.01, escape_level=0.5)


def by_hand(P, M, Q):
    """Over all lists of pairs, one loop each."""
    p, k = M.shape
    cosine = M / np.sqrt(np.outer(np.diag(Q), np.diag(P)))
    found = []
    for chosen in permutations(range(max(p, k)), min(p, k)):
        pairs = [(i, r) for r, i in enumerate(chosen)] if p >= k else list(enumerate(chosen))
        rest = [(i, r) for i in range(p) for r in range(k) if (i, r) not in pairs]
        found.append(np.mean([cosine[pair] for pair in pairs]) - np.mean([cosine[pair] for pair in rest]))
    return max(found)


@pytest.mark.parametrize(("p", "k"), [pytest.param(3, 3, marks=pytest.mark.slow), (4, 2), (2, 3)])
def test_it_is_the_best_assignment(p, k):
    """Of three random students at once, and in whatever order the units are."""
    rows = np.random.default_rng(p + 10 * k).normal(size=(3, p + k, 9))
    omega = rows @ rows.swapaxes(1, 2)
    P, M, Q = omega[:, :k, :k], omega[:, k:, :k], omega[:, k:, k:]
    batch = [jnp.asarray(np.moveaxis(part, 0, -1)) for part in (P, M, Q)]
    expected = [by_hand(*parts) for parts in zip(P, M, Q, strict=True)]
    np.testing.assert_allclose(specialisation(*batch), expected, rtol=1e-12)
    order = np.random.default_rng(1).permutation(p)
    turned = specialisation(batch[0], batch[1][order], batch[2][order][:, order])
    np.testing.assert_allclose(turned, expected, rtol=1e-12)


def test_units_that_are_alike_have_none_and_teachers_have_all():
    P = jnp.eye(2)
    assert float(specialisation(P, jnp.full((2, 2), 0.4), jnp.eye(2))) == pytest.approx(0, abs=1e-15)
    assert float(specialisation(P, jnp.array([[0.0, 3.0], [2.0, 0.0]]), jnp.diag(jnp.array([9.0, 4.0])))) == 1
    zero = specialisation(P, jnp.zeros((2, 2)), jnp.diag(jnp.array([0.0, 1.0])))
    assert float(zero) == 0
    assert float(specialisation(jnp.eye(1), jnp.ones((1, 1)), jnp.ones((1, 1)))) == 0


@pytest.mark.slow
def test_the_chain_and_the_ode_observe_it_alike():
    """From equal starts, before any replica has escaped and after all have."""
    start = ExplicitStart(np.eye(2), [[0.3, 0.1], [0.1, 0.25]], [[0.4, 0.05], [0.05, 0.3]])
    tiles = run(SLOW, start, Chain(kernel="xla"), [2.0, 150.0], 64, seed=2, theory=ExactODE())
    assert worst({"specialisation": z_from_theory(tiles, "specialisation")[:1]}) < 4.5
    for name, values in {"escaped": [0, 1], "specialisation": [0.26, 0.99]}.items():
        for found in (tiles.mean[name].mean(axis=0), tiles.theory[name][0]):
            np.testing.assert_allclose(found, values, atol=0.05)
    assert (
        "escaped"
        not in run(dataclasses.replace(SLOW, escape_level=None), start, Chain(kernel="xla"), [2.0, 150.0], 64).mean
    )


def test_a_second_layer_has_it_too():
    problem = dataclasses.replace(SLOW, second=SecondLayer(gamma_a=0.1))
    start = jax.tree.map(lambda part: part[0], SphereStart().draw(problem, np.random.default_rng(0), 1))
    seen = ExactODE().bind(problem).rule.observe(*map(jnp.asarray, (start.P, start.M, start.Q)), jnp.ones(2))
    assert float(seen["specialisation"]) == pytest.approx(by_hand(start.P, start.M, start.Q))


@pytest.mark.slow
def test_differences_between_units_grow_at_the_rate_of_the_linearised_ode():
    """d ln|M_11 - M_22 ...|/dt of the limit ODE, between two times on the plateau, is lambda."""
    problem = Committee(d=10**9, p=2, k=2, gamma=2.0, noise=0.01)
    apart = 1e-11 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    M = np.full((2, 2), 0.1) + apart
    start = ExplicitStart(np.eye(2), M, 0.3 * np.eye(2))
    overlaps = jax.tree.map(lambda part: part[0], start.draw(problem, np.random.default_rng(0), 1))
    solved = LimitODE().bind(problem).solve(overlaps, np.array([500.0, 550.0]))["M"]
    difference = solved[:, 0, 0] - solved[:, 0, 1]
    assert 1e-7 < difference[0] < difference[1] < 1e-3
    assert escape_rate(problem) == pytest.approx(np.log(difference[1] / difference[0]) / 50, rel=2e-3)
    assert PlateauGrowth().growth("escape_time", "d", "d", [problem]) == pytest.approx(0.5 / escape_rate(problem))


def test_what_has_no_rate_or_no_law():
    problem = Committee(d=100, p=2, k=2, gamma=2.0)
    assert escape_rate(dataclasses.replace(problem, p=1)) is None
    assert PlateauGrowth().growth("excess_risk", "d", "d", [problem]) is None
    assert PlateauGrowth().growth("escape_time", "d", "p", [problem]) is None
    assert PlateauGrowth().growth("escape_time", "d", "d", [problem, Committee(d=100, p=2, k=2, gamma=3.0)]) is None
    assert (
        PlateauGrowth().growth("escape_time", "d", "d", [dataclasses.replace(problem, second=SecondLayer(a0=2.0))])
        is None
    )
    with pytest.raises(ArgumentError, match="`escape_level` must be left out where units"):
        Committee(d=100, p=8, k=8, gamma=1.0, escape_level=0.5)
    with pytest.raises(ArgumentError, match="`escape_level` must"):
        Committee(d=100, p=2, k=2, gamma=1.0, escape_level=1.5)


@pytest.mark.parametrize("kind", [SphereStart, GaussianStart])
def test_random_students_of_any_length(kind):
    problem = Committee(d=50, p=3, k=2, gamma=1.0)
    one, other = (kind(seed=4, **given).sample(problem, np.random.default_rng(4)) for given in ({}, {"length": 1.0}))
    for name in ("P", "M", "Q"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    long = kind(seed=4, length=0.2).sample(problem, np.random.default_rng(4))
    np.testing.assert_array_equal(long.P, one.P)
    np.testing.assert_allclose(long.M, 0.2 * one.M)
    np.testing.assert_allclose(long.Q, 0.04 * one.Q)
    assert kind(length=30.0).scale(problem) == 900
    with pytest.raises(ArgumentError, match="`length` must be finite and > 0"):
        kind(length=0.0)


def test_levels_do_not_touch_the_numbers():
    """A level is no part of the dynamics: M and Q of the theory are the same, bit for bit."""
    with_, without = (ExactODE().bind(dataclasses.replace(SLOW, escape_level=level)) for level in (0.5, None))
    start = jax.tree.map(lambda part: part[0], SphereStart().draw(SLOW, np.random.default_rng(0), 1))
    times = np.array([1.0, 5.0])
    left, right = with_.solve(start, times), without.solve(start, times)
    assert set(left) - set(right) == {"specialisation", "escaped"}
    np.testing.assert_array_equal(left["M"], right["M"])
    assert isinstance(with_.activation, Erf)
    assert eqx.tree_equal(with_.A, without.A)
