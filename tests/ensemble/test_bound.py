"""Replicas that blow up while their numbers are still finite: counted beyond a bound that is told, and in no mean."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim.api as api
from sgdsim.committee import Committee, EqualStart, ExplicitStart, OverlapStart
from sgdsim.ensemble.batch import Batch
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.statistics import LARGEST, divergence_bound, tile_statistics
from sgdsim.recovery import Descent, ExactStart, Recovery
from tests.helpers import finish, run
from tests.toy import Origin, Walk, Walker, make_experiment

TIMES = np.array([0.5, 1.0])
WILD = Walk(d=20, p=2, noise=2e13)
"""A walk of which some components are beyond 1e6 at t = 1 and some are not: their standard deviation is 7e5."""


def test_only_order_parameters_have_the_bound():
    """Lanes: within the bound; beyond it at first; beyond it in what is no order parameter; beyond it, < 0."""
    x = jnp.array([[1.0, 2e6, 3.0, 5.0], [9e5, 1.0, 4.0, -1e7]])
    risk = jnp.array([[1.0, 1.0, 1e9, 1.0], [1.0, 1.0, 1.0, 1.0]])
    found = tile_statistics({"x": x, "risk": risk}, jnp.ones(4, bool), None, ("x",), ("risk",), 1e6)
    assert (int(found["count"]), int(found["diverged"])) == (2, 2)
    np.testing.assert_allclose(found["mean"]["x"], [2.0, (9e5 + 4) / 2])
    np.testing.assert_array_equal(np.isnan(found["kept"]["risk"]), [False, True, False, True])


def test_a_walk_beyond_a_million_is_in_no_mean():
    tiles = run(WILD, Origin(), Walker(), TIMES, 96)
    free = dataclasses.replace(Ensemble(WILD, Origin(), Walker(), None, TIMES, 96, 0).begin(range(24)), bound=LARGEST)
    x = Batch([free]).run(lambda steps: None)[0].kept["x"]
    assert tiles.diverged.sum() > 20
    assert tiles.count.sum() > 20
    within = (abs(x) < 1e6).all(axis=1)
    assert tiles.diverged.sum() >= (~within).sum() > 10
    assert np.nanmax(abs(tiles.kept["x"])) < 1e6
    assert set(np.flatnonzero(np.isnan(tiles.kept["x"][:, 0]))) >= set(np.flatnonzero(~within))


def test_the_bound_is_told(tmp_path):
    data = api.simulate(WILD, Origin(), TIMES, replicas=8, compare=False)
    assert float(data["divergence_bound"]) == 1e6
    summary = finish(make_experiment(d=(20,), noise=(1.0, 2e13)), tmp_path)
    assert summary.divergence == "not finite, or |x| > 1e+06"
    assert [cell.divergence_bound for cell in summary.cells] == [1e6, 1e6]
    assert [cell.n_diverged > 0 for cell in summary.cells] == [False, True]


def test_bounds_grow_with_what_may_grow():
    blue = Committee.from_scaling(d=100, k=2, p0=2, noise=0.5)
    assert divergence_bound(blue, OverlapStart(0.5), 100) == pytest.approx(1.5e6)
    assert divergence_bound(blue, OverlapStart(0.5), 10) == 1e6
    red = Committee.from_scaling(d=10_000, k=2, p0=2, delta=-1.0)
    assert divergence_bound(red, OverlapStart(0.5), 50) == pytest.approx(50 * 1e4 * 1e6)
    eye = np.eye(2)
    assert divergence_bound(blue, ExplicitStart(eye, 0 * eye, 7 * eye), 1) == 7e6
    assert divergence_bound(blue, EqualStart(0.5, 9.0, 0.25), 1) == 9e6
    assert divergence_bound(Recovery(alpha=2, eta=0.1, C00=3.0), ExactStart(), 10**9) == 3e6
    assert divergence_bound(Committee(d=50, k=2, p=2, gamma=1e200), OverlapStart(0.5), 4) == LARGEST


@pytest.mark.slow
def test_a_descent_that_is_about_to_overflow_has_diverged():
    """Steps of linear regression far beyond stability: C grows by a factor of about 200 in each, to 1e9 or so."""
    problem = Recovery(alpha=3, eta=2.0, N=30, degree=1)
    tiles, calm = (run(problem, ExactStart(), Descent(), np.arange(1, 1 + n) * 2.0, 16) for n in (5, 1))
    assert tiles.diverged.sum() == 16
    assert calm.diverged.sum() == 0
