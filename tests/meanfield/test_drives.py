"""One step at a time: known answers, and drift and covariance of every drive against exact sums over the atoms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.pin import no_pin
from sgdsim.meanfield.limits.drives import (
    CommonSde,
    DriftAlone,
    Drive,
    OwnScalarSde,
    OwnSde,
    OwnSgd,
    SharedSgd,
    atoms_of,
    shrink,
)
from sgdsim.meanfield.models import output_model
from tests.meanfield.by_hand import LABELS, MODEL, X, drift_and_variance, sgd, slopes

M = np.full((8, 1), 0.1)
W = np.array([0.0, 0.5, 1.0, 2.0])
H = np.array([-0.28608325, -0.18828079, -0.08873339, -0.02516763])
SIGMA = np.array([0.4105852, 0.13967356, 0.02829346, 0.00398479])


def drive(kind: type[Drive], dt: float = 0.1, noise: float = 0.3, scale: float = 1.0, batch: int = 1) -> Drive:
    return kind(dt=dt, noise=noise, scale=scale, batch=batch)


@eqx.filter_jit
def move(step: Drive, *arguments) -> tuple:
    return step.move(*arguments)


@eqx.filter_jit
def one_step(step: Drive, model, w) -> tuple:
    """A step of four particles by their own law, the sixth of the replicas with these keys."""
    key = tuple(jnp.arange(w[0].shape[1], dtype=jnp.uint32) + np.uint32(word) for word in (0, 7))
    drawn = step.draw(model, key, jnp.asarray(5), 4, jnp.dtype("float64"), no_pin)
    return step.move(model, w, step.outputs(model, w, 0.25, drawn), drawn)


def particles(w: np.ndarray) -> tuple[jax.Array]:
    return (jnp.asarray(w)[:, None],)


def datum(atom: int) -> tuple:
    """What SharedSgd draws: one atom, in one lane."""
    return (jnp.full((1, 1), X[atom // 2]),), jnp.full((1, 1), LABELS[atom])


def test_sgd_on_given_atoms_known_answer():
    kind, w = drive(SharedSgd), particles(np.linspace(-1, 1, 5))
    atoms = 7 * np.arange(50) % 16

    @jax.jit
    def step(w, x, y):
        drawn = [((x,), y)]
        return kind.move(MODEL, w, kind.outputs(MODEL, w, 1 / 5, drawn), drawn)

    for atom in atoms:
        (x,), y = datum(int(atom))
        w = step(w, x, y)
    known = [-0.73837644, -0.11938552, 0.69480698, 0.95167782, 1.26653914]
    np.testing.assert_allclose(w[0][:, 0], known, atol=5e-9)
    np.testing.assert_allclose(w[0][:, 0], sgd(np.linspace(-1, 1, 5), 0.1, atoms), rtol=1e-13)


def test_drift_known_answer():
    moved = move(drive(DriftAlone), MODEL, particles(W), jnp.asarray(M), None)
    np.testing.assert_allclose((W - np.asarray(moved[0][:, 0])) / 0.1, H, atol=5e-9)
    np.testing.assert_allclose(drift_and_variance(W, M[:, 0])[0], H, atol=5e-9)


def test_scalar_noise_known_answer():
    """With z = -1 the increment is -h dt + sqrt(eps Sigma dt)."""
    moved = move(drive(OwnScalarSde), MODEL, particles(W), jnp.asarray(M), -jnp.ones((4, 1)))
    variance = (np.asarray(moved[0][:, 0]) - W + 0.1 * H) ** 2 / (0.3 * 0.1)
    np.testing.assert_allclose(variance, SIGMA, atol=1e-7)
    np.testing.assert_allclose(drift_and_variance(W, M[:, 0])[1], SIGMA, atol=5e-9)


@pytest.mark.parametrize("kind", [SharedSgd, OwnSgd])
def test_sgd_averages_to_drift_and_covariance(kind):
    """Over all atoms the increments have mean -eps h and variance eps^2 Sigma, with the outputs of any law."""
    step, atoms = drive(kind, dt=0.2), np.arange(16)
    if kind is OwnSgd:
        W16 = (jnp.asarray(np.repeat(W, 16))[:, None],)
        drawn, outputs = [jnp.asarray(np.tile(atoms, 4))[:, None]], jnp.asarray(M)
        moved = np.asarray(move(step, MODEL, W16, outputs, drawn)[0]).reshape(4, 16)
    else:
        lanes = (jnp.broadcast_to(jnp.asarray(W)[:, None], (4, 16)),)
        drawn = [((jnp.asarray(np.repeat(X, 2))[None],), jnp.asarray(LABELS)[None])]
        moved = np.asarray(move(step, MODEL, lanes, jnp.full((1, 16), 0.1), drawn)[0])
    increments = moved - W[:, None]
    np.testing.assert_allclose(increments, -0.2 * slopes(W, M[:, 0]), rtol=1e-12)
    np.testing.assert_allclose(increments.mean(axis=1), -0.2 * H, atol=5e-9)
    np.testing.assert_allclose(increments.var(axis=1), 0.04 * SIGMA, atol=5e-9)


def test_root_of_the_covariance_of_common_noise():
    """zeta is linear in z: its matrix L has L L^T = diag(s) - c c^T."""
    model = output_model()
    m = np.linspace(-0.5, 0.8, 12)
    c, s = (np.asarray(v)[:, 0] for v in atoms_of(model).coefficients(model.loss, jnp.asarray(m)[:, None]))
    step = drive(CommonSde, dt=1.0, noise=1.0)
    at = [np.asarray(step.pushes(model, jnp.asarray(m)[:, None], jnp.asarray(z)[:, None])[:, 0]) for z in np.eye(12)]
    L = np.stack(at, axis=1) - c[:, None]
    np.testing.assert_allclose(L @ L.T, np.diag(s) - np.outer(c, c), atol=1e-14)


def test_covariance_where_a_particle_has_noise_of_its_own():
    """The increments of OwnSde are -h dt - sqrt(eps dt) B z with B B^T = G S G^T, for an odd number of atoms too."""
    model = output_model()
    keep = [0, 2, 3, 6, 7, 9, 11]
    atoms = atoms_of(model)
    weights = np.asarray(atoms.weights)[keep]
    data = type(atoms)(np.asarray(atoms.points)[keep], np.asarray(atoms.labels)[keep], weights / weights.sum())
    odd = type(model)(name="odd", feature=model.feature, loss=model.loss, data=data, law=model.law)
    m, w = np.linspace(-0.4, 0.6, 7), np.array([0.7, -1.1, 0.4])
    step = drive(OwnSde, dt=0.25, noise=0.36)
    particle = tuple(jnp.full((1, 1), value) for value in w)

    @jax.jit
    def moved_by(padded):
        normals = padded[:, None, None]
        return step.move(odd, particle, jnp.asarray(m)[:, None], lambda pair: normals[2 * pair : 2 * pair + 2])

    def increment(z: np.ndarray) -> np.ndarray:
        moved = moved_by(jnp.asarray(np.append(z, 7.0)))  # the last is the normal of an atom that is not there
        return np.array([float(a[0, 0]) for a in moved]) - w

    x = np.asarray(data.points)[:, 0]
    t = np.tanh(w[1] * x + w[2])
    G = np.stack([t, w[0] * x * (1 - t**2), w[0] * (1 - t**2)])
    c, s = (np.asarray(v)[:, 0] for v in data.coefficients(odd.loss, jnp.asarray(m)[:, None]))
    drift = increment(np.zeros(7))
    np.testing.assert_allclose(drift, -0.25 * G @ c, rtol=1e-12)
    B = np.stack([(increment(z) - drift) / np.sqrt(0.25 * 0.36) for z in np.eye(7)], axis=1)
    np.testing.assert_allclose(B @ B.T, G @ (np.diag(s) - np.outer(c, c)) @ G.T, atol=1e-13)


def test_a_long_sum_is_a_loop_with_the_same_result():
    """More atoms than are written out: every atom in pieces of equal labels changes nothing."""
    atoms = atoms_of(MODEL)
    parts = [np.repeat(np.asarray(a), 3, axis=0) for a in (atoms.points, atoms.labels, atoms.weights / 3)]
    many = type(MODEL)(name="many", feature=MODEL.feature, loss=MODEL.loss, data=type(atoms)(*parts), law=MODEL.law)
    short, long = (one_step(drive(DriftAlone), model, particles(W)) for model in (MODEL, many))
    np.testing.assert_allclose(long[0], short[0], rtol=1e-13)


@pytest.mark.parametrize("kind", [SharedSgd, OwnSgd, DriftAlone, CommonSde, OwnScalarSde])
def test_the_lazy_scale_multiplies_every_increment(kind):
    w = (jnp.asarray(np.linspace(-1, 1, 12)).reshape(4, 3),)
    whole, quarter = (one_step(drive(kind, scale=scale), MODEL, w)[0] - w[0] for scale in (1.0, 0.25))
    np.testing.assert_allclose(quarter, whole / 4, rtol=1e-10)


def test_shrink_without_a_drift():
    np.testing.assert_allclose(shrink(jnp.zeros((3, 1))), 0.5)
    u = jnp.array([[0.6], [0.3]])
    length = 0.45
    np.testing.assert_allclose(shrink(u)[0], (1 - np.sqrt(1 - length)) / length, rtol=1e-14)


def test_batches_divide_the_variance():
    """Two data points a step, shared or a particle's own: the mean increment is that of one, the variance a half.

    An exact enumeration of the draws.
    """
    step = drive(SharedSgd, dt=0.2, batch=2)
    first, second = (a.ravel() for a in np.meshgrid(np.arange(16), np.arange(16)))
    lanes = (jnp.broadcast_to(jnp.asarray(W)[:, None], (4, 256)),)
    x = np.repeat(X, 2)
    drawn = [((jnp.asarray(x[a])[None],), jnp.asarray(LABELS[a])[None]) for a in (first, second)]
    increments = np.asarray(move(step, MODEL, lanes, jnp.full((2, 256), 0.1), drawn)[0]) - W[:, None]
    own = [jnp.asarray(np.tile(atoms, 4))[:, None] for atoms in (first, second)]
    moved = move(drive(OwnSgd, dt=0.2, batch=2), MODEL, (jnp.asarray(np.repeat(W, 256))[:, None],), jnp.asarray(M), own)
    for found in (increments, np.asarray(moved[0]).reshape(4, 256) - W[:, None]):
        np.testing.assert_allclose(found.mean(axis=1), -0.2 * H, atol=5e-9)
        np.testing.assert_allclose(found.var(axis=1), 0.04 * SIGMA / 2, atol=5e-9)
