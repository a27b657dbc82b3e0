"""The particles' kernel: against NumPy on the same data, its starts, its invariants, and what it refuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.pin import no_pin
from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.models import output_model, radial_model
from sgdsim.meanfield.particles import Linearised, Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, Given, LawStart
from tests.meanfield.by_hand import MODEL, G, X, drift_and_variance, sgd

N, LANES = 6, 4
SGD = Sgd()
KEYS = jnp.asarray(replica_keys(5, 0, 0, LANES))


def problem(dynamics: Dynamics = SGD, **changes) -> MeanField:
    return MeanField(**{"model": MODEL, "N": N, "gamma": 0.3, "beta": 0.5, "dynamics": dynamics} | changes)


@eqx.filter_jit
def after(kernel: ParticleKernel, start: Given, *steps: int) -> tuple:
    """W after several calls."""
    state = kernel.init(start, KEYS)
    for n in steps:
        state = kernel.advance(state, jnp.asarray(n))
    return state.W


def together(dynamics: Dynamics, steps: int = 20) -> np.ndarray:
    """W (N, lanes) of particles that start at one point."""
    start = ExplicitStart(((0.4,),) * N).draw(problem(), np.random.default_rng(0), 1)
    return np.asarray(after(ParticleKernel.of(problem(dynamics), "float64", LANES), start, steps)[0])


def test_sgd_is_numpys_on_the_same_data():
    kernel = ParticleKernel.of(problem(), "float64", LANES)
    (before,) = after(kernel, Given(None), 0)
    key = fold((KEYS[0], KEYS[1]), DRIVEN)
    draw = jax.vmap(lambda step: atoms_of(MODEL).draw_atom(fold(key, step), jnp.uint32(0)))
    atoms = np.asarray(jax.jit(draw)(jnp.arange(25)))
    (W,) = after(kernel, Given(None), 25)
    for lane in range(LANES):
        expected = sgd(np.asarray(before[:, lane]), problem().eps, atoms[:, lane])
        np.testing.assert_allclose(W[:, lane], expected, rtol=1e-11)


def test_a_step_of_the_sde_by_hand():
    """A lazy network, a batch of four and a dt of the scheme's own: every factor of a step is another number."""
    lazy = problem(Sde(dt=0.05, batch=4), a=0.75)
    kernel = ParticleKernel.of(lazy, "float64", LANES)
    state = kernel.init(Given(None), KEYS)
    (W,), (after,) = state.W, eqx.filter_jit(kernel.advance)(state, jnp.asarray(1)).W
    z = kernel.drive.draw(MODEL, fold((KEYS[0], KEYS[1]), DRIVEN), state.step, N, kernel.dtype, no_pin)
    for w, moved, normals in zip(np.asarray(W).T, np.asarray(after).T, np.asarray(z).T, strict=True):
        h, Sigma = drift_and_variance(w, N**-0.75 * np.tanh(np.outer(X, w)).sum(axis=1))
        noise = np.sqrt(0.3 * N**-0.5 / 4 * Sigma * 0.05) * normals
        np.testing.assert_allclose(moved - w, -(N**-0.25) * (0.05 * h + noise), rtol=1e-9)


def test_what_is_observed_by_hand():
    """Excess risk over that of the target, E (m - g)^2/2, as labels g +- 1/2 cost 1/8 whatever is predicted."""
    kernel = ParticleKernel.of(problem(bins=3, window=(-1.0, 2.0)), "float32", LANES)
    state = kernel.init(Given(None), KEYS)
    W, seen = np.asarray(state.W[0], np.float64), eqx.filter_jit(kernel.observe)(state)
    m = np.tanh(X[:, None, None] * W).mean(axis=1)
    np.testing.assert_allclose(seen["m"], m, rtol=1e-12)
    np.testing.assert_allclose(seen["excess_risk"], ((m - G[:, None]) ** 2).mean(axis=0) / 2, atol=1e-14)
    np.testing.assert_allclose(seen["mean"][0], W.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(seen["variance"][0], W.var(axis=0), rtol=1e-12)
    shares = [np.histogram(lane, np.linspace(-1, 2, 4))[0] / N for lane in W.T]
    np.testing.assert_allclose(np.asarray(seen["histogram"]).T, shares)


@pytest.mark.parametrize("dynamics", [Sgd(), Sde("common")])
def test_common_noise_keeps_equal_particles_equal(dynamics):
    """Exactly: all particles started at one point stay together, however the noise moves them."""
    W = together(dynamics)
    assert np.ptp(W, axis=0).max() == 0
    assert np.abs(W - 0.4).max() > 0.01
    assert np.ptp(W[0]) > 0.01


@pytest.mark.parametrize("dynamics", [Sgd("per_particle"), Sde()])
def test_noise_of_their_own_drives_them_apart(dynamics):
    assert np.ptp(together(dynamics), axis=0).min() > 0.01


@pytest.mark.parametrize(
    "dynamics",
    [
        Sgd(batch=3),
        pytest.param(Sgd("per_particle"), marks=pytest.mark.slow),
        pytest.param(Sde(), marks=pytest.mark.slow),
        pytest.param(Sde("common"), marks=pytest.mark.slow),
    ],
)
def test_a_run_may_be_divided_anywhere(dynamics):
    kernel = ParticleKernel.of(problem(dynamics), "float32", LANES)
    np.testing.assert_array_equal(after(kernel, Given(None), 5, 8)[0], after(kernel, Given(None), 13)[0])


def test_starts_have_the_models_law():
    wide = problem(N=5000, model=output_model())
    W = np.stack(after(ParticleKernel.of(wide, "float64", LANES), Given(None), 0)).reshape(3, -1)
    np.testing.assert_allclose(np.cov(W), np.eye(3), atol=5 * (2 / W.shape[1]) ** 0.5)
    assert np.abs(W.mean(axis=1)).max() < 5 / W.shape[1] ** 0.5
    (one,) = after(ParticleKernel.of(problem(N=5000), "float64", LANES), Given(None), 0)
    assert abs(float(one.mean()) - 0.5) < 5 * 0.5 / 20_000**0.5
    assert abs(float(one.std()) - 0.5) < 5 * 0.5 / 40_000**0.5


def test_given_particles_must_fit():
    ExplicitStart(((0.4,),) * N).check(problem())
    for particles in (((0.4,),), ((0.4, 1.0),) * N):
        with pytest.raises(ArgumentError, match="shape"):
            ExplicitStart(particles).check(problem())
    LawStart().check(problem())


def test_small_steps_need_float64():
    tiny = problem(N=10_000, beta=0, gamma=0.5)
    with pytest.raises(ArgumentError, match="float64"):
        Particles().check(tiny)
    Particles(precision="float64").check(tiny)
    Particles().check(problem(Sde(), N=10_000, beta=0, gamma=0.5))


@pytest.mark.parametrize("simulator", [Pair(), Linearised()])
def test_a_sampler_has_no_exact_drift(simulator):
    with pytest.raises(ArgumentError, match="atoms"):
        simulator.check(problem(model=radial_model(3)))


def test_other_simulators_refuse_what_they_cannot_follow():
    with pytest.raises(ArgumentError, match="linearised"):
        Pair().check(problem(a=0.75))
    with pytest.raises(ArgumentError, match="common"):
        Linearised().check(problem(Sde(), a=0.75))


@pytest.mark.parametrize(("N", "replicas", "lanes"), [(64, 1000, 256), (64, 5, 8), (10_000, 64, 8), (4096, 1000, 16)])
def test_tiles_stay_in_the_cache(N, replicas, lanes):
    assert Particles().bind(problem(N=N), replicas, 1.0).lanes == lanes


def temporary_arrays(atoms: Atoms) -> float:
    """What a step of the SDE holds beside its state, in arrays of a number per particle."""
    model = output_model()
    many = type(model)(name="many", feature=model.feature, loss=model.loss, data=atoms, law=model.law)
    wide = problem(Sde(), N=1024, model=many)
    kernel = ParticleKernel.of(wide, "float32", 16)
    state = jax.eval_shape(kernel.init, Given(None), jax.ShapeDtypeStruct((2, 16), jnp.uint32))
    steps = jax.ShapeDtypeStruct((), jnp.int64)
    compiled = jax.jit(lambda kernel, state, n: kernel.advance(state, n)).lower(kernel, state, steps).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 16 * Particles().bytes_per_replica(wide)
    return compiled.memory_analysis().temp_size_in_bytes / (1024 * 16 * 4)


@pytest.mark.slow
def test_memory_does_not_grow_with_replicas_times_atoms():
    few = atoms_of(output_model())
    parts = [np.repeat(np.asarray(a), 8, axis=0) for a in (few.points, few.labels, few.weights / 8)]
    assert temporary_arrays(few) < 45
    assert temporary_arrays(Atoms(*parts)) < 45
