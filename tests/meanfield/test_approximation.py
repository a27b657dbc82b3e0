"""SGD beside its SDE: couplings by hand and in closed form, one step of each, and the constants of linear noise."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtri

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.kernels import approximation
from sgdsim.meanfield.kernels.approximation import transported
from sgdsim.meanfield.models import output_model, radial_model
from sgdsim.meanfield.particles import Approximation, Copies
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, LawStart
from tests.helpers import run
from tests.meanfield.batches import check_batches
from tests.meanfield.by_hand import LABELS, MODEL, X, drift_and_variance


def test_distances_by_hand():
    """Two particles, two folds of three copies, in one lane: sorted, then multiplied across the folds."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 2, 2, 3))
    D = np.sort(b) - np.sort(a)
    floor = [(np.sort(one)[:, 0] - np.sort(one)[:, 1]) ** 2 for one in (a, b)]
    found = transported(jnp.asarray(a)[..., None], jnp.asarray(b)[..., None])
    np.testing.assert_allclose(
        np.concatenate(found), [(D[:, 0] * D[:, 1]).mean(), (D**2).mean(), np.mean(floor)], rtol=1e-12
    )


@pytest.mark.parametrize(("shift", "width"), [(0.0, 1.0), (0.05, 1.0), (-0.1, 1.2)])
def test_floor_is_left_out(shift, width):
    """Gaussian laws: W_2^2 = shift^2 + (width - 1)^2, the latter times the mean squared score of so many copies."""
    rng, copies = np.random.default_rng(5), 64
    a, b = rng.standard_normal((2, 1, 2, copies, 4000))
    crossed, raw, floor = (np.asarray(one) for one in transported(jnp.asarray(a), jnp.asarray(shift + width * b)))
    # Blom's scores are right to 1e-3 of their mean square here.
    scores = ndtri((np.arange(1, copies + 1) - 0.375) / (copies + 0.25))
    expected = shift**2 + (width - 1) ** 2 * (scores**2).mean()
    error = crossed.std(ddof=1) / len(crossed) ** 0.5
    assert abs(crossed.mean() - expected) < 5 * error + 2e-3 * expected
    assert raw.mean() > 1.5 * expected + 0.02  # as it is, the floor would be taken for a distance
    assert abs((raw - floor - crossed).mean()) < 5 * (raw - floor - crossed).std() / len(raw) ** 0.5


def by_heun(w: np.ndarray, eps: float) -> np.ndarray:
    """A step of the drift at the particles' own law."""

    def drift(w: np.ndarray) -> np.ndarray:
        return -drift_and_variance(w, np.tanh(np.outer(w, X)).mean(axis=0))[0]

    first = drift(w)
    return w + eps * (first + drift(w + eps * first)) / 2


@pytest.mark.parametrize("data", ["shared", "per_particle"])
def test_a_step_of_each_by_hand(data, monkeypatch):
    """From four given particles: SGD goes to one of 16 places, the SDE to Heun's with the variance of the data."""
    monkeypatch.setattr(approximation, "COPIES", 256)
    w, eps = np.array([-0.5, 0.2, 0.9, 1.6]), 0.4
    problem = MeanField(model=MODEL, N=4, gamma=eps, beta=1.0, dynamics=Sgd(data))
    kernel = Approximation("float64").bind(problem, 1, eps)
    initial = ExplicitStart(tuple((x,) for x in w)).draw(problem, np.random.default_rng(0), 1)
    first = kernel.init(initial, jnp.asarray(replica_keys(2, 0, 0, 1)))
    state = eqx.filter_jit(kernel.advance)(first, jnp.asarray(1))
    sgd, sde = (np.asarray(part.W[0]) for part in (state.sgd, state.sde))
    m = np.tanh(np.outer(w, X)).mean(axis=0)
    places = (
        w[:, None] - eps * (np.repeat(m, 2) - LABELS) * np.repeat(X, 2) / np.cosh(np.outer(w, np.repeat(X, 2))) ** 2
    )
    for k in range(4):
        assert np.abs(sgd[k][:, None] - places[k]).min(axis=1).max() < 1e-12
        assert len(np.unique(sgd[k].round(9))) == 16
    still = eqx.tree_at(lambda one: one.sde.noise, kernel, 0.0)
    moved = np.asarray(eqx.filter_jit(still.advance)(first, jnp.asarray(1)).sde.W[0])
    np.testing.assert_allclose(moved, np.broadcast_to(by_heun(w, eps)[:, None], moved.shape), rtol=1e-12)
    variance = eps**2 * drift_and_variance(w, m)[1]
    z = (sde.mean(axis=1) - by_heun(w, eps)) / (variance / sde.shape[1]) ** 0.5
    assert np.abs(z).max() < 5
    assert np.abs(sde.var(axis=1) / variance - 1).max() < 5 * (2 / sde.shape[1]) ** 0.5
    together = np.corrcoef(sde[0], sde[3])[0, 1]
    assert (abs(together) > 0.3) == (data == "shared")


@pytest.mark.slow
@pytest.mark.parametrize(("data", "c"), [("shared", 0.1590), ("per_particle", 1.0003)])
def test_runs_that_are_apart_are_so_by_the_noise_of_both(data, c, monkeypatch):
    """E |W_sde - W_sgd|^2 = 2 c eps from one start; the best assignment is far below, and the floor between."""
    monkeypatch.setattr(approximation, "COPIES", 64)
    problem = MeanField(model=MODEL, N=64, gamma=0.02, beta=1.0, dynamics=Sgd(data))
    tiles = run(problem, LawStart(), Approximation(), [5.0], 48)
    values = tiles.kept["apart"]
    error = values.std(ddof=1) / len(values) ** 0.5
    assert abs(values.mean() - 2 * c * 0.02) < 5 * error + (2 / 64 + 4 * 0.02) * 2 * c * 0.02
    assert tiles.kept["assigned"].mean() < 0.1 * tiles.kept["assigned_floor"].mean() < 0.01 * values.mean() * 2


@pytest.mark.slow
@pytest.mark.parametrize(("simulator", "N"), [(Approximation(), 200), (Copies(), 4000)])
def test_batch_and_division_into_blocks_change_no_bit(simulator, N, monkeypatch):
    monkeypatch.setattr(approximation, "COPIES", 8)
    problem = MeanField(model=MODEL, N=N, gamma=0.1, beta=1.0)

    check_batches(problem, simulator, 20)


@pytest.mark.parametrize(
    ("keys", "argument"),
    [
        ({"dynamics": Sde("common")}, "dynamics"),
        ({"model": output_model()}, "model"),
        ({"model": radial_model(4)}, "model"),
        ({"a": 0.75}, "model"),
    ],
)
def test_what_has_no_such_coupling_is_refused(keys, argument):
    problem = MeanField(**({"model": MODEL, "N": 9, "gamma": 0.1, "beta": 0.5} | keys))
    with pytest.raises(ArgumentError) as caught:
        Approximation().check(problem)
    assert caught.value.argument == argument
