"""Steps that fall with time: by hand, their limits, their noise, and what is refused."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import Partial
from scipy.integrate import solve_ivp
from scipy.special import ndtr

from sgdsim.ensemble.pin import no_pin
from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import Clt, NtkLimit, PowerSchedule, TwoLimits, solution
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel, drive_of
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.limits.linear_noise import linear_noise
from sgdsim.meanfield.limits.scheduled import elapsed
from sgdsim.meanfield.limits.sobol_particles import COLUMNS, one_step
from sgdsim.meanfield.models import teacher_model
from sgdsim.meanfield.particles import Approximation, Linearised, Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given, LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL, X, drift_and_variance, slopes

FALLING = PowerSchedule(t0=2.0, exponent=0.6)
N, LANES = 6, 4
KEYS = jnp.asarray(replica_keys(5, 0, 0, LANES))


def problem(dynamics: Dynamics = Sgd(), schedule: PowerSchedule | None = FALLING, **changes) -> MeanField:  # noqa: B008
    keys = {"model": MODEL, "N": N, "gamma": 0.6, "beta": 0.5, "dynamics": dynamics, "schedule": schedule}
    return MeanField(**keys | changes)


def s(t: float) -> float:
    return (1 + t / 2) ** -0.6


def test_rates_are_powers_of_the_step():
    """gamma N^beta s(n eps) = gamma' N^beta' (n + c)^-x with c = t0/eps, the steps of De Bortoli et al. at t0 = 1."""
    one, x, t0 = problem(), 0.6, 2.0
    prefactor, power = t0**x * 0.6 ** (1 - x), 1 - (1 - x) * (1 - 0.5)
    n = np.arange(5)
    paper = prefactor * N**power * (n + t0 / one.eps) ** -x / N
    np.testing.assert_allclose(one.eps * np.asarray(FALLING.value(jnp.asarray(n * one.dt))), paper, rtol=1e-12)
    assert {"schedule": "power", "t0": 2.0, "exponent": 0.6}.items() <= one.parameters().items()
    assert "t0" not in problem(schedule=None).parameters()


def test_steps_of_sgd_by_hand():
    kernel = ParticleKernel.of(problem(), "float64", LANES)
    state, key = kernel.init(Given(None), KEYS), fold((KEYS[0], KEYS[1]), DRIVEN)
    W, eps = np.asarray(state.W[0]), problem().eps
    for n in range(5):
        atoms = np.asarray(atoms_of(MODEL).draw_atom(fold(key, jnp.asarray(n)), jnp.uint32(0)))
        moved = [slopes(w, np.tanh(np.outer(X, w)).mean(axis=1))[:, j] for w, j in zip(W.T, atoms, strict=True)]
        W = W - eps * s(n * eps) * np.stack(moved, axis=1)
    np.testing.assert_allclose(eqx.filter_jit(kernel.advance)(state, jnp.asarray(5)).W[0], W, rtol=1e-11)


def test_a_step_of_the_sde_by_hand():
    """Drift and noise are multiplied alike: the fourth step, of dt and a strength of noise of their own."""
    kernel = ParticleKernel.of(problem(Sde(dt=0.05)), "float64", LANES)
    advance = eqx.filter_jit(kernel.advance)
    state = advance(kernel.init(Given(None), KEYS), jnp.asarray(3))
    (W,), (after,) = state.W, advance(state, jnp.asarray(1)).W
    z = kernel.drive.draw(MODEL, fold((KEYS[0], KEYS[1]), DRIVEN), state.step, N, kernel.dtype, no_pin)
    for w, moved, normals in zip(np.asarray(W).T, np.asarray(after).T, np.asarray(z).T, strict=True):
        h, Sigma = drift_and_variance(w, np.tanh(np.outer(X, w)).mean(axis=1))
        step = 0.05 * h + np.sqrt(problem().eps * Sigma * 0.05) * normals
        np.testing.assert_allclose(moved - w, -s(0.15) * step, rtol=1e-9)


def test_the_time_that_has_passed():
    """tau' = s and tau(0) = 0, at exponents below, at and above 1."""
    t = np.array([0.0, 0.3, 4.0])
    for x in (0.0, 0.6, 1.0, 1.0 + 1e-9, 1.7):
        schedule = PowerSchedule(t0=2.0, exponent=x)
        slope = (elapsed(schedule, t + 1e-5) - elapsed(schedule, t - 1e-5)) / 2e-5
        np.testing.assert_allclose(slope, (1 + t / 2) ** -x, rtol=1e-8)
        assert elapsed(schedule, t)[0] == 0
    np.testing.assert_array_equal(elapsed(None, t), t)


def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W at the times for 150 Gauss-Hermite nodes, by SciPy, the sum of W over time, and the nodes' weights."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / weights.sum()

    def velocity(time: float, y: np.ndarray) -> np.ndarray:
        w = y[:150]
        h, _ = drift_and_variance(w, np.tanh(np.outer(X, w)) @ weights)
        return np.concatenate([-s(time) * h, w])

    start = np.concatenate([0.5 + 0.5 * nodes, np.zeros(150)])
    y = solve_ivp(velocity, (0, t[-1]), start, "DOP853", t, rtol=1e-10, atol=1e-12).y
    return y[:150], y[150:], weights


def test_limit_without_noise():
    t = np.array([0.5, 2.0, 5.0])
    w, _, weights = path(t)
    solved = solution(problem(N=1000), 5.0)
    m = np.einsum("jnt,n->tj", np.tanh(X[:, None, None] * w), weights)
    np.testing.assert_allclose(solved.limit.m_at(jnp.asarray(t)), m, atol=2e-6)
    np.testing.assert_allclose(np.asarray(solved.limit.mean_at(jnp.asarray(t)))[:, 0], weights @ w, atol=2e-6)
    z = np.polynomial.hermite_e.hermegauss(150)[0]
    below = [np.interp(0.3, column, ndtr(z)) for column in w.T]
    np.testing.assert_allclose(solved.histogram(t, np.array([-5.0, 0.3]))[:, 0], below, atol=5e-3)
    assert solution(problem(N=20), 5.0) is solved


def test_particles_that_carry_a_limit_take_these_steps_too():
    """The fourth step of Sobol particles is s(3 dt) times that of constant steps, on the same draws."""
    W, m = (jnp.linspace(-1.0, 2.0, 2 * COLUMNS).reshape(2, COLUMNS),), jnp.full((8, 1), 0.2)
    for dynamics in (Sgd("per_particle"), Sde(dt=0.05)):
        drives = [drive_of(problem(dynamics, schedule, beta=1.0)) for schedule in (FALLING, None)]
        moved, constant = (one_step(MODEL, drive, W, jnp.asarray(3), m)[0] - W[0] for drive in drives)
        np.testing.assert_allclose(moved, s(3 * drives[0].dt) * constant, rtol=1e-11, atol=1e-15)


def falling_ou(faces, masses, time):
    """v = -s w, D = 0.3 s^2: the variance has v' = -2 s v + 0.6 s^2, with s = 1/(1 + t)."""
    factor = 1 / (1 + time)
    return -factor * faces, jnp.full(faces.shape, 0.3) * factor**2


def test_fokker_planck_with_coefficients_of_time():
    """With u = 1 + t and s = 1/u: v = (v0 + 0.6 (u - 1))/u^2, from N(1, 0.25); the mean is 1/u."""
    edges = np.linspace(-6, 8, 701)
    centres, dx = (edges[1:] + edges[:-1]) / 2, 14 / 700
    start = jnp.asarray(np.diff(ndtr((edges - 1) / 0.5)))
    for steps in (40, 80):
        found = fokker_planck.evolve(Partial(falling_ou, jnp.asarray(edges[1:-1])), start, dx, 2 / steps, steps // 4, 4)
        masses = np.asarray(found)[[2, 4]]
        u, mean = np.array([2.0, 3.0]), masses @ centres
        np.testing.assert_allclose(mean, 1 / u, atol=3e-4)
        variance = masses @ centres**2 - mean**2 - dx**2 / 12
        np.testing.assert_allclose(variance, (0.25 + 0.6 * (u - 1)) / u**2, atol=3e-4)


def test_particles_follow_the_limit_with_noise():
    """beta = 1, noise of their own: the noise falls by s^2 where the drift falls by s."""
    strong = problem(Sde(dt=0.02), PowerSchedule(t0=0.5, exponent=1.0), N=500, gamma=2.0, beta=1.0)
    tiles, limit = run(strong, LawStart(), Particles(), [1.0], 64), solution(strong, 1.0).limit
    for name, value in (("mean", limit.mean_at(1.0)), ("variance", limit.variance_at(1.0)), ("m", limit.m_at(1.0))):
        kept = tiles.kept[name]
        error = kept.std(axis=0, ddof=1) / len(kept) ** 0.5
        # Steps of dt and finite N shift the mean by some 1e-3; noise that fell by s would widen the law by 0.12.
        assert np.all(np.abs(kept.mean(axis=0) - np.asarray(value)) < 4 * error + 3e-3), name
        assert error.max() < 6e-3


@pytest.mark.slow
def test_deviations_have_the_constants_of_linear_noise():
    """E |W^N - W*|^2 = c eps + b/N at eps = 0.0125, N = 64, t = 2: with constant steps c would be 0.0058 more of it."""
    steep = PowerSchedule(t0=0.5, exponent=1.0)
    noisy = problem(Sde(dt=0.05), steep, N=64, gamma=0.1)
    kept = run(noisy, LawStart(), Pair(), [2.0], 1024).kept["distance"]
    known, error = linear_noise(MODEL, 2.0, steep), kept.std(ddof=1) / len(kept) ** 0.5
    expected = known.independent * 0.0125 + known.start / 64
    assert abs(kept.mean() - expected) < 0.03 * expected + 3 * error
    assert error < 0.02 * expected


@pytest.mark.parametrize(
    "part",
    [
        (Linearised(), {"a": 0.75, "dynamics": Sde("common")}),
        (Approximation(), {}),
        (Clt(), {}),
        (NtkLimit(), {"a": 0.75}),
        (TwoLimits(), {"model": teacher_model(5)}),
    ],
    ids=lambda part: part[0].name,
)
def test_what_has_constant_steps_only(part):
    kind, keys = part
    with pytest.raises(ArgumentError, match="schedule"):
        kind.check(problem(**keys))
    if not hasattr(kind, "precision"):
        assert not kind.exists(problem(**keys))
        assert kind.exists(problem(schedule=None, **keys)) or kind.name == "ntk"


def test_the_last_step_needs_float64_too():
    small = problem(schedule=PowerSchedule(t0=0.01, exponent=1.0), gamma=0.1)
    Particles().check(small)
    for simulator in (Particles(), Pair()):
        with pytest.raises(ArgumentError, match="float64"):
            simulator.bind(small, 4, 10.0)
    Particles("float64").bind(small, 4, 10.0)
