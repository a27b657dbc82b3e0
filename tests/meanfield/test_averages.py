"""Averaged trajectories and starts at a point."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import Averaged, AveragedLimit, Clt, MeanFieldLimit, Pair, PointStart, output_model
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given, LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL, G, X, drift_and_variance
from tests.meanfield.test_falling_steps import FALLING, path, s

KEYS = jnp.asarray(replica_keys(5, 0, 0, 4))
POINT = PointStart((0.4,))


def problem(dynamics=None, **changes) -> MeanField:
    dynamics = dynamics or Sgd()
    keys = {"model": MODEL, "N": 6, "gamma": 0.6, "beta": 0.5, "dynamics": dynamics, "schedule": FALLING}
    return MeanField(**keys | changes)


def test_means_of_all_steps_by_hand():
    """After n steps V is the mean of W_0, ..., W_(n-1), and W_0 before the first."""
    kernel = Averaged("float64").bind(problem(), 4, 1.0)
    advance, state = eqx.filter_jit(kernel.advance), kernel.init(Given(None), KEYS)
    np.testing.assert_array_equal(state.average[0], state.system.W[0])
    seen = []
    for n in (1, 1, 2, 3):
        for one in range(n):
            part = advance(state, jnp.asarray(one))
            seen.append(np.asarray(part.system.W[0]))
        state = advance(state, jnp.asarray(n))
    (V,) = state.average
    np.testing.assert_allclose(V, np.mean(seen, axis=0), rtol=1e-12)
    assert np.abs(np.asarray(V) - np.asarray(state.system.W[0])).max() > 0.01
    found = kernel.observe(state)
    m = np.tanh(X[:, None, None] * np.asarray(V)).mean(axis=1)
    np.testing.assert_allclose(found["m_average"], m, rtol=1e-12)
    np.testing.assert_allclose(found["excess_risk_average"], ((m - G[:, None]) ** 2).mean(axis=0) / 2, atol=1e-14)
    np.testing.assert_allclose(found["variance_average"][0], np.asarray(V).var(axis=0), rtol=1e-11)
    assert np.abs(np.asarray(found["m_average"] - found["m"])).max() > 0.01


def test_averages_of_the_limit():
    """By SciPy on 60 nodes: V = (1/t) int_0^t W, and m = E F(V); at t = 0 they are the start's."""
    t = np.array([0.5, 2.0, 5.0])
    _, total, weights = path(t)
    V = total / t
    found = AveragedLimit().bind(problem(N=1000)).solve(Given(None), np.concatenate([[0.0], t]))
    m = np.einsum("jnt,n->tj", np.tanh(X[:, None, None] * V), weights)
    np.testing.assert_allclose(found["m_average"][1:], m, atol=2e-6)
    np.testing.assert_allclose(found["excess_risk_average"][1:], ((m - G) ** 2).mean(axis=1) / 2, atol=1e-6)
    np.testing.assert_allclose(found["variance_average"][1:, 0], weights @ (V - weights @ V) ** 2, atol=2e-6)
    for name in ("m", "excess_risk", "variance"):
        np.testing.assert_allclose(found[f"{name}_average"][0], found[name][0], rtol=1e-9)
    assert np.abs(found["m_average"] - found["m"])[1:].max() > 0.01


@pytest.mark.slow
def test_averages_of_runs_come_to_those_of_the_limit():
    """SGD at eps = 0.03, N = 400, whose averages lag by half a step, and scatter less than the last weights do."""
    fine = problem(N=400, beta=0.5)
    kept = run(fine, LawStart(), Averaged(), [2.0], 64).kept
    limit = AveragedLimit().bind(fine).solve(Given(None), np.array([2.0]))
    error = kept["m_average"].std(axis=0, ddof=1) / 8
    assert np.all(np.abs(kept["m_average"].mean(axis=0) - limit["m_average"][0]) < 4 * error + 4e-3)
    assert np.abs(limit["m_average"] - limit["m"]).max() > 0.01
    assert np.all(kept["m_average"].std(axis=0) < 0.9 * kept["m"].std(axis=0))


def test_from_one_point_they_stay_together_and_so_do_their_means():
    """Exactly, under the data that all share; data of their own part them."""
    for dynamics, together in ((Sgd(), True), (Sgd("per_particle"), False)):
        kernel = Averaged().bind(problem(dynamics), 4, 2.0)
        initial = POINT.draw(problem(), np.random.default_rng(0), 1)
        found = kernel.observe(eqx.filter_jit(kernel.advance)(kernel.init(initial, KEYS), jnp.asarray(12)))
        assert (found["variance"].max() == 0) == together
        assert (found["variance_average"].max() == 0) == together
        assert np.ptp(found["mean"]) > 0.01


def test_the_limit_from_a_point():
    """One ordinary differential equation, w' = -s(t) h(w, tanh(w x))."""

    def velocity(t: float, w: np.ndarray) -> np.ndarray:
        return -s(t) * drift_and_variance(w, np.tanh(X * w))[0]

    times = np.array([1.0, 3.0])
    w = solve_ivp(velocity, (0, 3), [0.4], "DOP853", times, rtol=1e-10, atol=1e-12).y[0]
    initial = Given(POINT.draw(problem(), np.random.default_rng(0), 1).particles[0])
    found = MeanFieldLimit().bind(problem()).solve(initial, times)
    np.testing.assert_allclose(found["m"], np.tanh(np.outer(w, X)), atol=1e-6)
    np.testing.assert_allclose(found["mean"][:, 0], w, atol=1e-6)
    np.testing.assert_allclose(found["variance"], 0, atol=1e-12)
    MeanFieldLimit().check_start(problem(), POINT)


def test_points_and_averages_that_are_refused():
    for point in ((0.4, 0.1), (np.nan,)):
        with pytest.raises(ArgumentError, match="point"):
            PointStart(point).check(problem())
    PointStart((0.4, 0.1, 0.0)).check(problem(model=output_model()))
    with pytest.raises(ArgumentError, match="start"):
        Clt().check_start(problem(schedule=None), POINT)
    with pytest.raises(ArgumentError, match="law beside the limit"):
        run(problem(), POINT, Pair(), [1.0], 4)
    with pytest.raises(ArgumentError, match="beta"):
        AveragedLimit().check(problem(Sde(), beta=1.0))
    assert not AveragedLimit().exists(problem(Sde(), beta=1.0))
