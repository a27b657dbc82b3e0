"""Entropy, free energy and stationary laws: closed forms of linear features, and the particles themselves."""

from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import Clt, MeanFieldLimit, StationaryLimit, output_model
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.entropy import ENTROPIES, spacing_entropy
from sgdsim.meanfield.kernels.particle import ParticleKernel
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.density import Density, ModelRates, solve_density
from sgdsim.meanfield.limits.free_energy import entropies
from sgdsim.meanfield.limits.stationary import solve_stationary
from sgdsim.meanfield.losses import Squared
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.particles import Approximation, Linearised, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Given, LawStart
from tests.helpers import run
from tests.meanfield.by_hand import MODEL, G, X, drift_and_variance

KEYS = jnp.asarray(replica_keys(5, 0, 0, 4))
SDE = Sde(dt=0.02)
DECAY, GAMMA = 0.7, 0.4
INPUTS, LABELS = np.array([0.5, 2.0]), np.array([1.0, -0.5])


def problem(dynamics: Dynamics = SDE, **changes) -> MeanField:
    keys = {"model": MODEL, "N": 6, "gamma": GAMMA, "beta": 1.0, "dynamics": dynamics, "decay": DECAY, "neighbours": 2}
    return MeanField(**keys | changes)


def linear(mean: float, std: float) -> Model:
    """F = w x: h and Sigma are the same for all w, and know of the law by its mean alone."""
    data = Atoms(INPUTS[:, None], LABELS[:, None], np.full((2, 1), 0.5))
    law = GaussianLaw(np.array([mean]), np.array([std]))
    return Model(name="linear", feature=lambda w, x: w[0] * x[0], loss=Squared(), data=data, law=law)


def balance() -> tuple[float, float]:
    """The stationary mean, E xy/(E x^2 + decay), and Sigma at it."""
    mean = (INPUTS * LABELS).mean() / ((INPUTS**2).mean() + DECAY)
    return float(mean), float(((mean * INPUTS - LABELS) * INPUTS).var())


def test_spacings_by_hand():
    w = np.array([[0.3, 2.0], [-1.0, 0.0], [0.9, 0.1], [2.9, 7.0]])
    digamma = {2: 1 - np.euler_gamma, 5: 25 / 12 - np.euler_gamma}
    for lane in range(2):
        ordered = np.sort(w[:, lane])
        expected = np.log(ordered[2:] - ordered[:2]).mean() + digamma[5] - digamma[2]
        assert float(spacing_entropy(jnp.asarray(w), 2)[lane]) == pytest.approx(expected, rel=1e-12)


def test_entropies_of_known_laws():
    """Of a uniform law on [0, 1] it has no bias; of a Gaussian a small one, of its tails."""
    rng = np.random.default_rng(3)
    for sample, S, bias in ((rng.random((400, 2000)), 0.0, 0.0), (rng.normal(0, 2, (400, 2000)), 2.1121, 0.02)):
        found = np.asarray(spacing_entropy(jnp.asarray(sample), 2))
        assert abs(found.mean() - S) < 5 * found.std() / 2000**0.5 + bias


def test_what_is_observed_by_hand():
    kernel = ParticleKernel.of(problem(), "float64", 4)
    state = kernel.init(Given(None), KEYS)
    seen, (W,) = eqx.filter_jit(kernel.observe)(state), state.W
    for lane, w in enumerate(np.asarray(W).T):
        m = np.tanh(np.outer(X, w)).mean(axis=1)
        temperature = GAMMA / 2 * drift_and_variance(w, m)[1].mean()
        energy = ((m - G) ** 2).mean() / 2 + DECAY / 2 * (w**2).mean()
        assert float(seen["temperature"][lane]) == pytest.approx(temperature, rel=1e-10)
        assert float(seen["energy"][lane]) == pytest.approx(energy, rel=1e-10)
        free = energy - temperature * float(seen["entropy"][lane])
        assert float(seen["free_energy"][lane]) == pytest.approx(free, rel=1e-9)


def test_a_step_with_decay_by_hand():
    """Beside the step without it, w loses decay dt w; of SGD dt is eps."""
    for dynamics in (SDE, Sgd(), Sde("common", dt=0.05)):
        kernels = [ParticleKernel.of(problem(dynamics, decay=decay), "float64", 4) for decay in (DECAY, None)]
        state = kernels[0].init(Given(None), KEYS)
        (with_decay,), (without,) = (eqx.filter_jit(k.advance)(state, jnp.asarray(1)).W for k in kernels)
        expected = without - DECAY * problem(dynamics).dt * state.W[0]
        np.testing.assert_allclose(with_decay, expected, rtol=1e-11, atol=1e-15)


def test_stationary_law_of_linear_features():
    """Gaussian, of variance gamma Sigma/(2 decay), at the mean where pull and decay balance."""
    mean, Sigma = balance()
    law = solve_stationary(linear(0.5, 0.5), GAMMA, DECAY)
    variance = GAMMA * Sigma / (2 * DECAY)
    assert float(law.mean[0]) == pytest.approx(mean, abs=1e-6)
    assert float(law.variance[0]) == pytest.approx(variance, rel=1e-3)
    assert float(law.entropy[0]) == pytest.approx(0.5 * np.log(2 * np.pi * np.e * variance), abs=1e-3)


def test_free_energy_falls_by_the_production_of_entropy():
    """Where Sigma is constant: F' = -T P for linear features from the stationary mean, of another width.

    There v' = -2 decay v + gamma Sigma, S = log(2 pi e v)/2, and P = v'^2/(2 gamma Sigma v).
    """
    mean, Sigma = balance()
    model = linear(mean, 0.3)
    density = solve_density(model, GAMMA, 0.5, 0.01, decay=DECAY)
    t = np.array([0.1, 0.2, 0.21])
    found = entropies(problem(model=model), density, t)
    end = GAMMA * Sigma / (2 * DECAY)
    v = end + (0.09 - end) * np.exp(-2 * DECAY * t)
    np.testing.assert_allclose(found["temperature"], GAMMA * Sigma / 2, rtol=1e-6)
    np.testing.assert_allclose(found["entropy"], 0.5 * np.log(2 * np.pi * np.e * v), atol=1e-3)
    production = (GAMMA * Sigma - 2 * DECAY * v) ** 2 / (2 * GAMMA * Sigma * v)
    np.testing.assert_allclose(found["entropy_production"], production, rtol=5e-3)
    slope = (found["free_energy"][2] - found["free_energy"][1]) / 0.01
    assert slope == pytest.approx(-found["temperature"][1] * production[1], rel=0.02)


@pytest.fixture(scope="module")
def density() -> Density:
    return solve_density(MODEL, 1.5, 6.0, 0.02, decay=0.5)


def test_a_law_comes_to_the_stationary_one(density):
    """By the time-dependent solver, whose fluxes do not change it; no entropy is produced then."""
    law = solve_stationary(MODEL, 1.5, 0.5)
    np.testing.assert_array_equal(law.edges, density.edges)
    assert np.abs(density.masses[-1] - law.masses[0]).sum() < 2e-3 < np.abs(density.masses[100] - law.masses[0]).sum()
    rates, dx = ModelRates.of(MODEL, law.edges, 1.5, decay=0.5), float(law.edges[1] - law.edges[0])
    after = fokker_planck.step(rates, jnp.asarray(law.masses[0]), 0.0, dx, 0.1, 1.0)
    np.testing.assert_allclose(after, law.masses[0], atol=1e-9)
    noisy = problem(gamma=1.5, decay=0.5)
    assert abs(entropies(noisy, law, np.zeros(1))["entropy_production"][0]) < 1e-9


def test_the_free_energy_of_sgd_noise_may_rise():
    """Sigma depends on w and on the law: entropy is produced at all times, and F rises all the same, T fixed or not."""
    weak = solve_density(MODEL, 0.3, 10.0, 0.1, 1200, decay=0.05)
    found = entropies(problem(gamma=0.3, decay=0.05), weak, np.array([2.0, 4.0, 8.0]))
    assert (found["entropy_production"] > 0).all()
    assert (np.diff(found["free_energy"]) > 1e-4).all()
    assert (np.diff(found["energy"] - found["temperature"][-1] * found["entropy"]) > 1e-4).all()


def test_particles_come_to_the_stationary_law():
    noisy = problem(Sde(dt=0.05), gamma=1.5, decay=0.5, N=400, neighbours=2)
    kept = run(noisy, LawStart(), Particles(), [5.0], 32).kept
    known = entropies(noisy, solve_stationary(MODEL, 1.5, 0.5), np.zeros(1))
    for name, bias in (("entropy", 0.02), ("energy", 2e-3), ("temperature", 1e-3), ("free_energy", 3e-3)):
        mean, error = kept[name].mean(), kept[name].std(ddof=1) / 32**0.5
        assert abs(mean - known[name][0]) < 4 * error + bias, name
        assert error < 0.05 * abs(mean)
    found = StationaryLimit().bind(replace(noisy, bins=4)).solve(Given(None), np.array([0.05, 0.1]))
    for name in ENTROPIES:
        np.testing.assert_allclose(found[f"stationary_{name}"], known[name][0], rtol=1e-9)
        assert found[name].shape == (2,)
    assert found["stationary_histogram"].shape == (2, 4)
    m = found["m"][1]
    assert found["stationary_risk"][0] != pytest.approx(((m - G) ** 2).mean() / 2, rel=0.02)


@pytest.mark.parametrize(
    ("keys", "argument"),
    [
        ({"neighbours": 6}, "neighbours"),
        ({"model": output_model()}, "neighbours"),
        ({"a": 0.75, "beta": 0.5, "dynamics": Sgd()}, "decay"),
        ({"decay": -1.0}, "decay"),
    ],
)
def test_keys_that_do_not_fit(keys, argument):
    with pytest.raises(ArgumentError) as caught:
        problem(**keys)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        (Linearised(), {"dynamics": Sgd(), "beta": 0.5}),
        (Approximation(), {"dynamics": Sgd(), "beta": 0.5}),
        (Clt(), {"beta": 0.5}),
        (MeanFieldLimit(), {"beta": 0.5}),
        (StationaryLimit(), {"decay": None}),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_what_has_no_decay_or_needs_one(part, keys):
    with pytest.raises(ArgumentError, match="decay"):
        part.check(problem(**keys))
    if not isinstance(part, Linearised | Approximation):
        assert not part.exists(problem(**keys))
    StationaryLimit().check(problem())
