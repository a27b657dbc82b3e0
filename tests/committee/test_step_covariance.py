"""The covariance of one step against steps of the simulators themselves: no constant of it can be off alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import CombinationStart, OverlapStart
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.committee.weights import Weights
from sgdsim.ensemble.random import replica_keys
from sgdsim.rules.entries import full, independent

POINTS_LOG2 = 17


def shared(problem, start=None):
    start = start or OverlapStart(0.5, 1)
    return jax.tree.map(lambda part: jnp.asarray(part[0]), start.draw(problem, np.random.default_rng(0), 1))


def predicted(noise, at):
    """The covariance over dt at a point, compiled where it is the module's own."""
    call = eqx.filter_jit(noise) if isinstance(noise, StepCovariance) else noise
    return np.asarray(call(at.P, at.M, at.Q))


def one_step(problem, simulator, samples, start=None):
    """Independent entries of Omega^1 of that many replicas, (samples, n)."""
    kernel = simulator.bind(problem, samples, 1.0)
    initial = jax.tree.map(lambda part: part[None], shared(problem, start))

    @jax.jit
    def states(keys):
        seen = kernel.observe(kernel.advance(kernel.init(initial, keys), jnp.asarray(1)))
        return independent(jnp.moveaxis(seen["M"], -1, 0), jnp.moveaxis(seen["Q"], -1, 0))

    lanes = kernel.lanes
    keys = replica_keys(5, 0, 0, samples).reshape(2, samples // lanes, lanes)
    return np.concatenate([np.asarray(states(keys[:, tile])) for tile in range(samples // lanes)])


def scores(problem, simulator, samples, change=lambda noise: noise, start=None):
    """z of every element of the measured covariance of a step over dt against the predicted one, `change`d."""
    steps = one_step(problem, simulator, samples, start)
    steps -= steps.mean(axis=0)
    measured = steps.T @ steps / samples
    squares = steps**2
    error = np.sqrt(np.maximum(squares.T @ squares / samples - measured**2, 0) / samples)
    initial = shared(problem, start)
    noise = change(StepCovariance.of(problem, POINTS_LOG2))
    expected = predicted(noise, initial) * problem.dt
    return (measured - expected) / error


def without_noise(noise):
    return eqx.tree_at(lambda part: part.noise, noise, jnp.zeros(()))


def chi_square_part(noise, P, M, Q):
    """2 (d - k - p) (c^2/batch)^2 E[E_i E_j E_k E_l] / (batch dt), from plain Monte Carlo of its own."""
    p, k = M.shape
    rng = np.random.default_rng(3)
    omega = np.block([[np.asarray(P), np.asarray(M).T], [np.asarray(M), np.asarray(Q)]])
    fields = rng.multivariate_normal(np.zeros(k + p), omega, size=2**18, method="eigh")
    value, slope = noise.activation.value, noise.activation.derivative
    outputs = np.asarray(jax.jit(value)(fields))
    error = outputs[:, :k].mean(1) - outputs[:, k:].mean(1) + float(noise.noise) ** 0.5 * rng.normal(size=2**18)
    E = np.asarray(jax.jit(slope)(fields[:, k:])) * error[:, None]
    row, column = np.triu_indices(p)
    square = E[:, row] * E[:, column]
    part = np.zeros((p * k + row.size,) * 2)
    part[p * k :, p * k :] = square.T @ square / 2**18
    return 2 * float(noise.freedom) * float(noise.step_size) ** 4 / noise.batch**3 * part / float(noise.dt)


def without_length(noise):
    """A covariance that takes |x|^2 for |z|^2 alone."""
    return eqx.tree_at(lambda part: part.freedom, noise, jnp.zeros(()))


def a_tenth_more(noise):
    return lambda P, M, Q: 1.1 * eqx.filter_jit(noise)(P, M, Q)


def fixed_length(noise, share=1.0):
    """A covariance without the variance of chi^2, or without a share of it."""
    return lambda P, M, Q: eqx.filter_jit(noise)(P, M, Q) - share * chi_square_part(noise, P, M, Q)


def test_entries_and_matrices_are_inverse_to_one_another():
    rng = np.random.default_rng(0)
    M, Q = rng.normal(size=(5, 3, 2)), rng.normal(size=(5, 3, 3))
    Q = Q + np.swapaxes(Q, 1, 2)
    entries = independent(jnp.asarray(M), jnp.asarray(Q))
    assert entries.shape == (5, 12)
    for part, back in zip((M, Q), full(entries, 3, 2), strict=True):
        np.testing.assert_array_equal(part, back)


@pytest.mark.slow
def test_a_step_of_the_chain_has_the_predicted_covariance_and_no_other():
    """d = 12, where the variance of |x|^2 is felt; without it, without label noise or off by a tenth, it is seen."""
    problem = Committee(d=12, p=2, k=2, gamma=6.0, noise=0.1)
    chain, samples = Chain(precision="float64"), 2**17
    assert np.abs(scores(problem, chain, samples)).max() < 5
    for wrong in (without_noise, fixed_length, a_tenth_more, without_length):
        assert np.abs(scores(problem, chain, samples, wrong)).max() > 6


@pytest.mark.slow
def test_half_the_variance_of_the_length_is_too_little():
    """The variance of chi^2 is twice its degrees of freedom, not once."""
    problem = Committee(d=12, p=1, k=1, gamma=6.0, noise=0.1)
    chain, samples = Chain(precision="float64"), 2**18
    assert np.abs(scores(problem, chain, samples)).max() < 5
    assert np.abs(scores(problem, chain, samples, lambda noise: fixed_length(noise, 0.5))).max() > 6


@pytest.mark.parametrize(
    ("simulator", "samples"),
    [pytest.param(Chain("float64"), 2**15, marks=pytest.mark.slow), (Weights("float64"), 2**13)],
)
def test_a_step_of_a_batch(simulator, samples):
    """d = 300: products of different samples, which are left out, are hidden in the error bar."""
    problem = Committee(d=300, p=2, k=2, gamma=2.0, noise=0.1, batch=3)
    assert np.abs(scores(problem, simulator, samples)).max() < 5


def test_a_singular_start():
    """W0 = A W*: the student has no part outside the teacher's span, and two of its units are equal."""
    problem = Committee(d=50, p=3, k=2, gamma=3.0, noise=0.01)
    start = CombinationStart([[0.6, 0.8], [0.6, 0.8], [1.0, 0.0]])
    noise = StepCovariance.of(problem)
    initial = shared(problem, start)
    expected = predicted(noise, initial)
    assert np.isfinite(expected).all()
    steps = one_step(problem, Chain(precision="float64"), 2**16, start)
    measured = np.cov(steps.T) / problem.dt
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(measured - expected) < 0.04 * size + 1e-12).all()


def test_a_batch_divides_the_noise():
    """At small gamma the increments are means over the batch; dt D is a covariance over dt, of order dt."""
    initial, small = None, {}
    for batch in (1, 4):
        problem = Committee(d=1000, p=2, k=2, gamma=1e-3, noise=0.1, batch=batch)
        initial = initial or shared(problem)
        small[batch] = predicted(StepCovariance.of(problem), initial)
    np.testing.assert_allclose(small[1], 4 * small[4], rtol=2e-3, atol=1e-3 * np.abs(small[1]).max())
    larger = Committee(d=4000, p=2, k=2, gamma=1e-3, noise=0.1)
    at_larger = predicted(StepCovariance.of(larger), initial)
    np.testing.assert_allclose(small[1], 4 * at_larger, rtol=2e-3, atol=1e-3 * np.abs(small[1]).max())


def test_the_covariance_is_symmetric_and_positive_semidefinite():
    problem = Committee(d=1000, p=4, k=3, gamma=2.0, noise=1e-3)
    initial = shared(problem)
    covariance = predicted(StepCovariance.of(problem, 12), initial)
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-12, atol=1e-20)
    values = np.linalg.eigvalsh(covariance)
    assert values[0] > -1e-12 * values[-1]
