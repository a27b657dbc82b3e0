"""Many descents of one problem: one signal, starts of their own, the Hessian, flat modes and the lowest loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.features import Features
from sgdsim.recovery.hessian import FLAT, flat_modes, hessian
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.restarts_kernel import PERFECT, RestartsKernel
from sgdsim.recovery.starts import ExactStart
from sgdsim.recovery.system import SYSTEM, Counting, DescentOnset
from tests.helpers import run
from tests.recovery.by_hand import advance, begin, data_of, observe, pair
from tests.recovery.test_descent import identical

RESTARTS = Descent(restarts=4, recovered_below=0.1, precision="float64")
PROBLEM = Recovery(alpha=0.6, eta=0.3, N=10, m0=0.2, C00=1.3, b=0.7)


def started(problem=PROBLEM, seed=3):
    kernel = RESTARTS.bind(problem, 1, 1.0)
    assert isinstance(kernel, RestartsKernel)
    return kernel, begin(kernel, ExactStart().draw(problem, np.random.default_rng(0), 1), replica_keys(seed, 0, 0, 1))


def hessian_by_hand(J, x, signal, degree):
    """sum_mu (g g^T + r h''), with explicit symmetric matrices."""
    N, total = len(x), np.zeros((len(x), len(x)))
    for row in J:
        if degree == 1:
            total += np.outer(row, row) / N
            continue
        matrix = np.zeros((N, N))
        for e, value in enumerate(row):
            i, j = pair(N, e)
            matrix[i, j] = matrix[j, i] = value / N
        r = (x @ matrix @ x - signal @ matrix @ signal) / 2
        total += np.outer(matrix @ x, matrix @ x) + r * matrix
    return total


@pytest.mark.parametrize(("degree", "N"), [(2, 7), (2, 8), (1, 7)])
def test_hessian_by_hand(degree, N):
    features, rng = Features(N, degree), np.random.default_rng(N)
    J, x, signal = rng.normal(size=(5, features.count)), rng.normal(size=N), rng.normal(size=N)
    found = jax.jit(hessian, static_argnums=0)(features, jnp.asarray(J), jnp.asarray(x), jnp.asarray(signal))
    np.testing.assert_allclose(found, hessian_by_hand(J, x, signal, degree), atol=1e-13)


def test_flat_modes_are_small_in_size():
    matrix = np.diag([1.0, 0.9 * FLAT, -0.9 * FLAT, 1.1 * FLAT, -1.1 * FLAT])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    assert float(flat_modes(jnp.asarray(turn @ matrix @ turn.T))) == 0.4


def test_one_signal_and_starts_of_their_own():
    _, state = started()
    x, signal = np.asarray(state.x), np.asarray(state.signal)
    assert x.shape == (10, 4)
    np.testing.assert_array_equal(signal, np.broadcast_to(signal[:, :1], signal.shape))
    np.testing.assert_allclose((x * signal).sum(0) / 10, 0.2, atol=1e-13)
    np.testing.assert_allclose((x * x).sum(0) / 10, 1.3, atol=1e-13)
    assert np.abs(np.corrcoef(x.T) - np.eye(4)).max() < 0.9
    np.testing.assert_array_equal(state.start, state.x)
    other = started(seed=4)[1]
    assert (np.asarray(other.signal) != signal).all()
    assert (np.asarray(other.J[0]) != np.asarray(state.J[0])).all()


def test_starts_are_uniform_about_the_signal():
    """Of many restarts the part across the signal has mean 0 and covariance (1 - s s^T/N) N/(N - 1)."""
    kernel = Descent(restarts=1024, recovered_below=0.1).bind(Recovery(alpha=1, eta=0.1, N=6, m0=0.0), 1, 1.0)
    keys = replica_keys(1, 0, 0, 1)
    state = begin(kernel, ExactStart().draw(Recovery(alpha=1, eta=0.1, N=6, m0=0.0), np.random.default_rng(0), 1), keys)
    x, s = np.asarray(state.x, float), np.asarray(state.signal[:, 0], float)
    assert np.abs(x.mean(axis=1)).max() < 5 / 32
    expected = (np.eye(6) - np.outer(s, s) / 6) * 6 / 5
    assert np.abs(x @ x.T / 1024 - expected).max() < 5 * 1.5 / 32


def test_observed_are_means_and_the_lowest_loss():
    kernel, state = started()
    state = advance(kernel, state, 6)
    each, seen = observe(kernel.descent, state), observe(kernel, state)
    for name in ("loss", "distance", "m", "C", "C_start", "recovered"):
        np.testing.assert_allclose(seen[name], [np.mean(each[name])], rtol=1e-12)
    np.testing.assert_array_equal(seen["ground"], [np.min(each["loss"])])
    assert np.ptp(each["loss"]) > 0.01
    assert float(seen["perfect"][0]) == 0
    J, flat = data_of(kernel.descent, state), 0
    for x, signal in zip(np.asarray(state.x).T, np.asarray(state.signal).T, strict=True):
        flat += (np.abs(np.linalg.eigvalsh(hessian_by_hand(J, x, signal, 2))) < FLAT).sum()
    assert float(seen["zero_modes"][0]) == pytest.approx(flat / 40)


def test_what_has_found_the_signal_is_no_ground_state():
    """One restart is put on the signal: the lowest loss is that of the others; all of them: there is no other."""
    kernel, state = started()
    fields = {"step": state.step, "J": state.J}
    first = type(state)(**{**vars(state), **fields, "x": state.x.at[:, 0].set(state.signal[:, 0])})
    each, seen = observe(kernel.descent, first), observe(kernel, first)
    assert float(each["loss"][0]) == 0 < float(seen["ground"][0]) == float(each["loss"][1:].min())
    assert float(seen["perfect"][0]) == 0
    assert float(seen["recovered"][0]) == 0.25
    every = type(state)(**{**vars(state), **fields, "x": state.signal})
    assert float(observe(kernel, every)["ground"][0]) == 0


FITTING = {"eta": 0.25, "N": 20, "m0": 0.0}
SIMULATOR = Descent(restarts=4, recovered_below=0.1)


@pytest.mark.parametrize("degree", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_fitted_data_leave_as_many_flat_directions_as_there_are_dimensions_more(degree):
    """N - M of them, and a perfect fit that is not the signal."""
    tiles = run(Recovery(alpha=0.5, degree=degree, **FITTING), ExactStart(), SIMULATOR, [400.0], 2, 1)
    np.testing.assert_array_equal(tiles.mean["perfect"], 1)
    np.testing.assert_array_equal(tiles.mean["zero_modes"], 0.5)
    assert tiles.mean["ground"].max() < PERFECT
    assert tiles.mean["distance"].min() > 0.3


@pytest.mark.slow
def test_more_data_than_dimensions_are_fitted_by_the_signal_alone():
    tiles = run(Recovery(alpha=1.5, **FITTING), ExactStart(), SIMULATOR, [400.0], 2, 1)
    assert tiles.mean["zero_modes"].max() == 0 < tiles.mean["ground"].min()


def test_what_counting_says():
    few, more = (Recovery(alpha=alpha, eta=0.1, N=21) for alpha in (0.5, 1.5))
    known, onset = Counting(), DescentOnset()
    assert SYSTEM.expectations == {"known": known, "onset": onset}
    assert (known.value("zero_modes", few), known.value("zero_modes", more)) == (11 / 21, 0)
    assert known.value("loss", few) is None
    assert onset.onset("ground", "alpha", [few, more]) == 1
    assert onset.onset("ground", "alpha", [Recovery(alpha=0.5, eta=0.1, N=20, degree=1)]) is None


@pytest.mark.bits
def test_batch_and_division_into_blocks_change_no_bit():
    whole = run(PROBLEM, ExactStart(), RESTARTS, [0.3, 1.5], 3, 3)
    assert whole.count.tolist() == [1, 1, 1]
    assert identical(run(PROBLEM, ExactStart(), RESTARTS, [0.3, 1.5], 3, 3, batch=1), whole)
    fewer = run(PROBLEM, ExactStart(), RESTARTS, [0.3, 1.5], 2, 3)
    np.testing.assert_array_equal(fewer.mean["ground"], whole.mean["ground"][:2])


def test_memory_and_work_are_those_of_all_descents():
    problem, one = Recovery(alpha=1, eta=0.1, N=100), Descent(recovered_below=0.1)
    many = Descent(restarts=16, recovered_below=0.1)
    assert many.step_cost(problem).products == 16 * one.step_cost(problem).products
    loss = 2 * 100 * (100 * 99 / 2)
    assert many.observe_cost(problem).products == 16 * (2 * 100**3 + 10 * 100**3 + loss)
    assert one.observe_cost(problem).products == loss
    assert many.bytes_per_replica(problem) > many.data_bytes(problem) > one.bytes_per_replica(problem)
    assert many.bind(problem, 100, 1.0).lanes == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restarts": 6}, "`restarts` must be a power of two"),
        ({"restarts": 4, "recovered_below": None}, "`recovered_below` must be given"),
        ({"restarts": 4, "lanes": 4}, "`lanes` must be left out"),
        ({"restarts": 4, "response": True}, "`response` must be false"),
    ],
)
def test_what_restarts_cannot_do_is_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        Descent(**{"recovered_below": 0.1} | options).check(PROBLEM)
