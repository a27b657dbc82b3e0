"""The ODE of sign descent: averages against numbers of other code, a step by hand, known answers, and simulations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import erf

from sgdsim.committee import (
    Committee,
    Erf,
    ExactODE,
    ExplicitStart,
    GradientFlow,
    Linear,
    NormalInputs,
    Quadratic,
    Rademacher,
    RademacherNoise,
    Relu,
    SecondLayer,
    Weights,
)
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.frame import spread_frame, vectors_in
from sgdsim.committee.system import SYSTEM, CommitteeSlopes
from sgdsim.committee.theory.sign_descent import sign_curve, sign_rule
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.mean_step import Point
from sgdsim.rules.schedule import PowerSchedule
from sgdsim.testing import check_system
from sgdsim.training.data import FiniteData
from sgdsim.training.optimiser import SGD, Adam, HeavyBall, Nesterov, OptaxUpdate, RMSProp, SignDescent
from tests.helpers import mean_of, run, worst, z_from_theory

P, M0, Q0 = [[1.0, 0.2], [0.2, 0.8]], [[0.4, 0.1], [-0.2, 0.5], [0.3, 0.2]], np.diag([0.9, 1.1, 0.7])
START = ExplicitStart(P, M0, Q0)
C = np.block([[np.array(P), np.array(M0).T], [np.array(M0), Q0]])
A, A_STAR = np.array([0.6, 1.4, -0.8]), np.array([1.5, 0.7])
LAYER = SecondLayer(a0=tuple(A), a_star=tuple(A_STAR))
FUNCTIONS = {
    Erf: (lambda x: erf(x / 2**0.5), lambda x: np.ones_like(x)),
    Relu: (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    Quadratic: (lambda x: x * x, np.sign),
}
"""Of each activation in NumPy: itself, and the sign of its slope."""


def problem(**more):
    usual = {"d": 100, "p": 3, "k": 2, "gamma": 1.0, "noise": 0.05, "second": LAYER}
    return Committee(**usual | {"optimiser": SignDescent()} | more)


def moments(net):
    found = sign_rule(net).moments(jnp.asarray(P), jnp.asarray(M0), jnp.asarray(Q0), jnp.zeros(0), 0.0)
    assert found is not None
    return found


def begun(net, start=START):
    return jax.tree.map(lambda part: part[0], start.draw(net, np.random.default_rng(0), 1))


def test_linear_units_against_an_integral_over_angles():
    """E[sign(e) l] of two normals in polar coordinates, where the sign depends on the angle alone."""
    angles = 2 * np.pi * (np.arange(400_000) + 0.5) / 400_000
    turned = np.array([np.cos(angles), np.sin(angles)])
    s = np.concatenate([A_STAR / 2, -A / 3])
    expected = []
    for b in range(5):
        pair = np.array([[s @ C @ s + 0.05, (C @ s)[b]], [(C @ s)[b], C[b, b]]])
        e, field = np.linalg.cholesky(pair) @ turned
        expected.append((np.sign(e) * field).mean() * np.sqrt(np.pi / 2))
    found = moments(problem(activation=Linear()))
    both = np.concatenate([found.with_fixed, found.with_moving], axis=1)
    np.testing.assert_allclose(both, np.sqrt(2 / np.pi) * np.outer(np.sign(A), expected), atol=1e-5)
    np.testing.assert_array_equal(found.squares, np.outer(np.sign(A), np.sign(A)))


@pytest.mark.parametrize(
    ("kind", "noise", "law"),
    [pytest.param(Erf, 0.05, None, marks=pytest.mark.slow), (Relu, 0.0, None), (Quadratic, 0.3, RademacherNoise())],
)
def test_averages_against_random_numbers(kind, noise, law):
    """Of fields and noise drawn by NumPy: within five errors, and those of the points."""
    rng, count = np.random.default_rng(1), 10**6
    sigma, rises = FUNCTIONS[kind]
    fields = rng.normal(size=(count, 5)) @ np.linalg.cholesky(C).T
    zeta = rng.normal(size=count) if law is None else rng.choice([-1.0, 1.0], size=count)
    e = sigma(fields[:, :2]) @ A_STAR / 2 + noise**0.5 * zeta - sigma(fields[:, 2:]) @ A / 3
    S = np.sign(A) * rises(fields[:, 2:]) * np.sign(e)[:, None]
    found = moments(problem(activation=kind(), noise=noise, label_noise=law))
    both = np.concatenate([found.with_fixed, found.with_moving], axis=1)
    expected, error = np.sqrt(2 / np.pi) * S.T @ fields / count, 1.2 / count**0.5
    assert np.abs(both - expected).max() < 5 * error + 1e-3
    assert np.abs(expected).max() > 0.1
    assert np.abs(found.squares - S.T @ S / count).max() < 5 * error + 1e-3


def test_a_batch_of_linear_units_against_random_numbers():
    """Given the fields a component of the gradient is normal: E[sum_s e^s l^s/|e|]."""
    rng, count, batch = np.random.default_rng(2), 200_000, 5
    fields = rng.normal(size=(count, batch, 5)) @ np.linalg.cholesky(C).T
    e = fields[..., :2] @ A_STAR / 2 - fields[..., 2:] @ A / 3 + 0.05**0.5 * rng.normal(size=(count, batch))
    drawn = (e[:, :, None] * fields).sum(axis=1) / np.linalg.norm(e, axis=1)[:, None]
    found = moments(problem(activation=Linear(), batch=batch))
    both = np.concatenate([found.with_fixed, found.with_moving], axis=1)
    z = (both[0] - np.sqrt(2 / np.pi) * drawn.mean(axis=0)) / (drawn.std(axis=0) / count**0.5)
    assert np.abs(z).max() < 5
    np.testing.assert_array_equal(found.squares, np.outer(np.sign(A), np.sign(A)))


def test_a_step_by_hand():
    """Of explicit weights, in NumPy, with decay and schedule: what one step adds to M and Q, in the mean."""
    d, count, decay, t = 150, 40_000, 0.5, 0.3
    net = problem(d=d, optimiser=SignDescent(decay=decay, clip=1e-3), schedule=PowerSchedule(t0=0.5, exponent=1.0))
    teacher, W = map(np.asarray, vectors_in(begun(net), spread_frame(5, d)))
    rng, s = np.random.default_rng(3), 1 / (1 + t / 0.5)
    x, zeta = rng.normal(size=(count, d)), rng.normal(size=count)
    fixed, fields, root = x @ teacher.T / d**0.5, x @ W.T / d**0.5, 1.0 * s / (3 * d**0.5)
    e = erf(fixed / 2**0.5) @ A_STAR / 2 + 0.05**0.5 * zeta - erf(fields / 2**0.5) @ A / 3
    kept, kicks = 1 - root * decay / d**0.5, root * np.sign(A) * np.sign(e)[:, None]
    seen = [kicks[:, :, None] * (np.sign(x) @ other.T)[:, None, :] / d for other in (teacher, W)]
    dM = (kept - 1) * np.array(M0) + seen[0]
    across = kept * (seen[1] + seen[1].swapaxes(1, 2))
    dQ = (kept**2 - 1) * Q0 + across + kicks[:, :, None] * kicks[:, None, :]
    curve = sign_curve(net, 1e-8, 1e-11)
    found = curve.step(jnp.asarray(P), Point(jnp.asarray(M0), jnp.asarray(Q0), jnp.zeros(0), jnp.asarray(t)))
    for drawn, change in ((dM, found.M), (dQ, found.Q)):
        assert np.abs((drawn.mean(axis=0) - change) / (drawn.std(axis=0) / count**0.5)).max() < 4.5


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_one_linear_unit_is_linear_regression(noise):
    """r = |w* - w|^2/d obeys r' = -(4/pi) gamma r/sqrt(r + noise) + gamma^2, which ends where that is 0."""
    gamma, times = 0.7, np.array([0.5, 1.0, 3.0, 40.0])
    net = Committee(d=10**6, p=1, k=1, gamma=gamma, noise=noise, activation=Linear(), optimiser=SignDescent())
    found = ExactODE().bind(net).solve(begun(net, ExplicitStart([[1.0]], [[0.2]], [[0.9]])), times)

    def rate(_, r):
        return -4 / np.pi * gamma * r / np.sqrt(r + noise) + gamma**2

    by_hand = solve_ivp(rate, (0, 40), [1.5], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
    np.testing.assert_allclose(2 * found["excess_risk"], by_hand, rtol=1e-6)
    c = np.pi * gamma / 4
    np.testing.assert_allclose(2 * found["excess_risk"][-1], (c**2 + np.sqrt(c**4 + 4 * c**2 * noise)) / 2, rtol=1e-5)


@pytest.mark.parametrize(("noise", "slope"), [(0.0, 2.0), (0.3, 1.0)])
def test_the_floor_goes_like_gamma_squared_and_with_noise_like_gamma(noise, slope):
    """Of linear units with outputs of both signs, where drift and noise of the rate by hand are equal."""
    # The mean of a_i w_i/p moves by a sum of |a_i|/p where one unit alone would move by 1.
    floors, gammas, moves = [], np.array([0.01, 0.02]), np.abs(A).sum() / 9
    for gamma in gammas:
        c = gamma * moves
        floors.append(brentq(lambda r, c=c: c**2 - 4 / np.pi * c * r / np.sqrt(r + noise), 1e-12, 1.0, xtol=1e-15))
    np.testing.assert_allclose(np.diff(np.log(floors)) / np.log(2), slope, atol=0.01)
    nets = [problem(gamma=gamma, noise=noise, activation=Linear()) for gamma in gammas]
    slopes = CommitteeSlopes()
    assert slopes.slope("excess_risk", "gamma", nets) == slope
    said = "to leading order in gamma/sqrt(noise)" if noise else None
    assert slopes.assumes("excess_risk", "gamma", nets) == said
    risk = ExactODE().bind(nets[1]).solve(begun(nets[1]), np.array([2000.0]))["excess_risk"][-1]
    np.testing.assert_allclose(2 * risk, floors[1], rtol=1e-4)


@pytest.mark.parametrize(
    "more",
    [
        {"activation": Erf()},
        {"optimiser": Adam()},
        {"optimiser": SignDescent(decay=0.1)},
        {"schedule": PowerSchedule(t0=0.5, exponent=1.0)},
        {"data": FiniteData(n=500)},
        {"second": SecondLayer(gamma_a=1.0)},
        {"label_noise": RademacherNoise()},
        {"d": 200},
        {"noise": 0.3},
    ],
)
def test_of_other_floors_no_slope_is_expected(more):
    nets = [problem(gamma=0.1, activation=Linear()), problem(**{"gamma": 0.2, "activation": Linear()} | more)]
    assert CommitteeSlopes().slope("excess_risk", "gamma", nets) is None
    assert CommitteeSlopes().slope("excess_risk", "gamma", [nets[1], nets[1]]) is None or "d" in more or "noise" in more


@pytest.fixture(scope="module")
def followed():
    """An ensemble beside its ODE, of the units whose averages are closed."""
    return run(problem(d=48, activation=Linear()), START, Weights(test_inputs=8), [0.5, 1.0], 256, theory=ExactODE())


def test_simulations_follow_it(followed):
    assert worst({name: z_from_theory(followed, name) for name in ("M", "Q")}) < 5


def test_units_with_outputs_of_one_sign_stay_as_far_apart_as_they_are(followed):
    """One sample moves all of them by the same vector, the others by its opposite: in every replica, and in the ODE."""
    for Q, to in ((mean_of(followed, "Q")[0], 1e-5), (followed.theory["Q"][0], 1e-9)):
        np.testing.assert_allclose(Q[:, 0, 0] + Q[:, 1, 1] - 2 * Q[:, 0, 1], 0.9 + 1.1, rtol=to)
        np.testing.assert_allclose(Q[:, 0, 0] + Q[:, 2, 2] + 2 * Q[:, 0, 2], 0.9 + 0.7, rtol=to)


@pytest.mark.slow
def test_the_mean_comes_to_it_like_one_over_d():
    """The largest difference stands above its error, and halves or so: by how much is a matter of the frame."""
    far = []
    for d, replicas in ((16, 2048), (32, 4096)):
        tiles = run(problem(d=d), START, Weights(test_inputs=1), [3.0], replicas, theory=ExactODE())
        mean, sem = mean_of(tiles, "M")
        off = np.abs(mean - tiles.theory["M"][0])[0]
        far.append(off.max())
        assert off.max() > 5 * sem.max()
    assert 1.5 < far[0] / far[1] < 3.5


@pytest.mark.slow
def test_the_risk_is_within_two_percent():
    """At d = 1000, of erf units; and batches of linear ones."""
    tiles = run(problem(d=1000), START, Weights(test_inputs=1024), [1.0, 3.0], 64, theory=ExactODE())
    batches = run(problem(d=64, batch=3, activation=Linear()), START, Weights(), [1.0], 256, theory=ExactODE())
    assert worst({name: z_from_theory(batches, name) for name in ("M", "Q")}) < 5
    risk, sem = mean_of(tiles, "excess_risk")
    assert (sem < 0.01 * risk).all()
    assert np.abs(risk / tiles.theory["excess_risk"][0] - 1).max() < 0.02
    assert worst({name: z_from_theory(tiles, name) for name in ("M", "Q")}) < 5


def test_the_contract_holds():
    check_system(SYSTEM, problem(d=8, activation=Linear()), START, simulator=Weights())


REFUSED = {
    "inputs": [{"inputs": Rademacher()}],
    "gamma_a": [{"second": SecondLayer(gamma_a=1.0)}],
    "batch": [{"batch": 2}, {"batch": 2, "activation": Linear(), "label_noise": RademacherNoise()}],
    "noise_draws": [{"second": None, "noise_draws": 4}],
    "theory": [{"optimiser": Adam()}],
}


@pytest.mark.parametrize(("name", "more"), [(name, more) for name, cases in REFUSED.items() for more in cases])
def test_what_does_not_close_is_refused(name, more):
    net = problem(**more)
    assert not ExactODE().exists(net)
    with pytest.raises(ArgumentError, match=f"`{name}` must be"):
        ExactODE().check(net)


def test_other_theories_and_fluctuations_are_refused():
    net = problem()
    assert ExactODE(fluctuations=True).exists(net)
    assert not GradientFlow().exists(net)
    with pytest.raises(ArgumentError, match="`theory` must be exact or none beside optimiser = sign"):
        GradientFlow().check(net)
    with pytest.raises(ArgumentError, match="`fluctuations` must be false beside optimiser = sign"):
        ExactODE(fluctuations=True).check(net)
    with pytest.raises(ArgumentError, match="`fluctuations` must be false beside optimiser = sign"):
        ExactODE().predicted_deviation(
            problem(p=3, second=None), EqualStart(M0=0.1, diagonal=1.0, off_diagonal=0.2), np.array([1.0])
        )


def test_weights_begin_in_no_marked_direction_beside_who_knows_coordinates():
    """In the first coordinates beside what turns with them."""

    def entries(optimiser):
        kernel = Weights().bind(problem(optimiser=optimiser), 8, 1.0)
        initial = START.draw(problem(), np.random.default_rng(0), 1)
        return np.asarray(kernel.init(initial, jnp.asarray(replica_keys(1, 0, 0, 8))).moving.parameters["W"])[0]

    for optimiser in (SGD(), HeavyBall(momentum=0.5), Nesterov(momentum=0.5)):
        assert not entries(optimiser)[:, 5:].any()
    for optimiser in (SignDescent(), Adam(), RMSProp(), OptaxUpdate(optax.lion(1.0))):
        W = entries(optimiser)
        np.testing.assert_allclose(W @ W.T / 100, Q0, atol=1e-6)
        assert np.abs(W).max() < 5


def test_theory_is_of_gaussian_inputs_and_of_fresh_data():
    assert ExactODE().exists(problem(inputs=NormalInputs()))
    fresh = problem(data=FiniteData(n=500))
    assert ExactODE().exists(fresh)
    assert any("n = 500 data" in line for line in fresh.cautions())
