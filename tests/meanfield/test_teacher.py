"""Fresh Gaussian data of a teacher: averages by quadrature, a step by hand, and the law of the committee."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

import sgdsim
from sgdsim.committee.chain import Chain
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import ExplicitStart as OverlapsGiven
from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.erf_averages import product, strength
from sgdsim.meanfield.features import erf_unit, output_erf
from sgdsim.meanfield.kernels.particle import DRIVEN, ParticleKernel
from sgdsim.meanfield.losses import Logistic, Squared
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.models import teacher_model
from sgdsim.meanfield.particles import Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, Given
from sgdsim.meanfield.teacher import GaussianTeacher

P = np.array([[1.0, 0.3], [0.3, 0.7]])
"""Overlaps of a teacher that is not orthonormal."""
UNITS = np.pad(np.linalg.cholesky(P), ((0, 0), (0, 5)))
D, N, NOISE = 7, 3, 0.05
DATA = GaussianTeacher(D, 2, NOISE, P)
PARTICLES = np.random.default_rng(4).normal(0, 0.5, (N, D)) + np.array([[0.4], [0.1], [-0.2]])
MODEL = Model(
    name="teacher", feature=erf_unit, loss=Squared(), data=DATA, law=GaussianLaw(np.zeros(D), np.full(D, 0.4))
)


def sigma(u):
    return erf(u / 2**0.5)


def slope(u):
    return (2 / np.pi) ** 0.5 * np.exp(-u * u / 2)


def problem(**changes) -> MeanField:
    return MeanField(**{"model": MODEL, "N": N, "gamma": 0.2, "beta": 0.25} | changes)


def test_averages_by_quadrature():
    """Three inputs, two units of different length that are not orthogonal."""
    w, v = np.array([0.9, -0.3, 0.5]), np.array([0.2, 0.8, 1.1])
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    x = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij")).reshape(3, -1)
    chance = np.einsum("i,j,k->ijk", weights, weights, weights).ravel() / weights.sum() ** 3
    parts = tuple(jnp.asarray(value) for value in (w @ v, w @ w, v @ v))
    assert float(product(*parts)) == pytest.approx(chance @ (sigma(w @ x) * sigma(v @ x)), rel=1e-6)
    found = float(strength(*parts)) * (v - (w @ v) / (1 + w @ w) * w)
    np.testing.assert_allclose(found, x @ (chance * slope(w @ x) * sigma(v @ x)), atol=1e-7)


def test_what_is_drawn():
    """Inputs without correlations, the teacher's labels, and a noise of its own variance that no input knows of."""
    words = jnp.asarray(replica_keys(3, 0, 0, 20_000))
    draw = eqx.filter_jit(lambda data: data.draw((words[0], words[1]), jnp.uint32(9), np.dtype(np.float64)))
    x, y = draw(DATA)
    clean = np.asarray(draw(GaussianTeacher(D, 2, 0.0, P))[1])
    x, extra = np.stack(x), np.asarray(y) - clean
    np.testing.assert_allclose(clean, sigma(UNITS @ x).mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(np.cov(np.vstack([x, extra / NOISE**0.5])), np.eye(D + 1), atol=5 * (2 / 20_000) ** 0.5)


def test_risk_and_order_parameters_are_averages_over_data():
    """m and risk of three units against 2^20 normal inputs; the risk of the teacher's labels is noise/2 at least."""
    x = np.random.default_rng(0).normal(size=(D, 2**20))
    f, units = sigma(PARTICLES @ x).mean(axis=0), sigma(UNITS @ x)
    W = tuple(jnp.asarray(column)[:, None] for column in PARTICLES.T)
    m, risk = (np.asarray(value)[..., 0] for value in DATA.observed(Squared(3.0), W, 1 / N, lambda points: points))
    samples = np.vstack([f * units, f * f])
    error = samples.std(axis=1) / 2**10
    assert (abs(m - samples.mean(axis=1)) < 5 * error).all()
    excess = (f - units.mean(axis=0)) ** 2
    assert abs(risk - 1.5 * (excess.mean() + NOISE)) < 5 * 1.5 * excess.std() / 2**10
    assert DATA.least_risk(Squared(3.0)) == pytest.approx(1.5 * NOISE)


def test_a_step_by_hand():
    kernel = ParticleKernel.of(problem(), "float64", 4)
    keys = jnp.asarray(replica_keys(5, 0, 0, 4))
    state = kernel.init(Given(np.broadcast_to(PARTICLES, (1, N, D))), keys)
    after = np.stack(eqx.filter_jit(kernel.advance)(state, jnp.asarray(1)).W)
    key = fold(fold((keys[0], keys[1]), DRIVEN), state.step)
    x, y = jax.jit(lambda: DATA.draw(key, jnp.uint32(0), np.dtype(np.float64)))()
    eps = 0.2 * 3**-0.75
    for lane in range(4):
        one, label = np.stack(x)[:, lane], float(y[lane])
        fields = PARTICLES @ one
        error = label - sigma(fields).mean()
        moved = PARTICLES + eps * error * slope(fields)[:, None] * one
        np.testing.assert_allclose(after[:, :, lane].T, moved, rtol=1e-12)


@pytest.mark.slow
def test_it_has_the_law_of_the_committee():
    """eps = gamma/(p d): risk and overlaps with the teacher, their means and spreads, after 20, 50 and 100 steps."""
    committee = Committee(d=D, p=N, k=2, gamma=1.5, noise=NOISE)
    mine = problem(gamma=1.5 / D, beta=0.0)
    assert mine.eps == pytest.approx(committee.gamma / (committee.p * committee.d))
    steps = np.array([20, 50, 100])
    start = ExplicitStart(tuple(map(tuple, PARTICLES.tolist())))
    given = OverlapsGiven(P, PARTICLES @ UNITS.T, PARTICLES @ PARTICLES.T)
    here = sgdsim.simulate(mine, start, steps * mine.dt, replicas=4096, compare=False, seed=1)
    there = sgdsim.simulate(
        committee, given, steps * committee.dt, replicas=4096, compare=False, seed=2, simulator=Chain()
    )
    # The two have other times: by position, not by time.
    risks, errors, spreads = (
        [run[f"excess_risk{part}"].to_numpy() for run in (here, there)] for part in ("", "_sem", "_std")
    )
    error = np.hypot(*errors)
    assert (abs(risks[0] - risks[1]) < 4.5 * error).all()
    assert (error < 0.02 * risks[1]).all()
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.1)
    # The mean over particles of w.v_r; all are of one weight in the mean's error.
    along = UNITS[:, :2] @ here["mean"].to_numpy()[:, :2].T
    other = there["M"].to_numpy().mean(axis=1).T
    bound = 4.5 * (there["M_sem"].to_numpy().mean(axis=1).T * 2**0.5)
    assert (abs(along - other) < bound).all()


@pytest.mark.parametrize(
    ("attempt", "argument"),
    [
        (lambda: GaussianTeacher(2, 2), "d"),
        (lambda: GaussianTeacher(5, 0), "k"),
        (lambda: GaussianTeacher(5, 2, -0.1), "noise"),
        (lambda: GaussianTeacher(5, 2, 0.0, [[1.0, 0.5], [0.4, 1.0]]), "overlaps"),
        (lambda: GaussianTeacher(5, 2, 0.0, [[1.0, 1.0], [1.0, 1.0]]), "overlaps"),
        (lambda: teacher_model(8, 2, overlap=0.0), "overlap"),
        (lambda: teacher_model(129), "law"),
    ],
)
def test_wrong_teachers_are_refused(attempt, argument):
    with pytest.raises(ArgumentError) as caught:
        attempt()
    assert caught.value.argument == argument


@pytest.mark.parametrize("parts", [{"feature": output_erf}, {"loss": Logistic()}])
def test_closed_averages_are_of_one_feature_and_loss(parts):
    given = {"feature": erf_unit, "loss": Squared(), "data": DATA, "law": MODEL.law, "name": "mine"} | parts
    with pytest.raises(ArgumentError, match="for a teacher's Gaussian data"):
        Model(**given)


def test_starts_of_the_ready_model():
    """N(0, I/d), or the overlap along the teacher and a rest of mean squared length 1."""
    np.testing.assert_allclose(teacher_model(16, 3).law.std, np.full(16, 0.25))
    std = np.asarray(teacher_model(18, 2, overlap=0.6).law.std)
    np.testing.assert_allclose(std, [0.6, 0.6, *[0.25] * 16])
    assert Particles().bind(problem(), 4, 1.0).lanes == 4
    assert problem().parameters()["label_noise"] == NOISE
