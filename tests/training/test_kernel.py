"""Training in full weights: steps of every optimiser by hand, gradient descent, and the built-in step."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import erf

from sgdsim.committee import Committee, ExplicitStart, SecondLayer, Weights
from sgdsim.committee.training import training_kernel
from sgdsim.committee.weights import weights_kernel
from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.rules.schedule import PowerSchedule
from sgdsim.training.data import FiniteData
from sgdsim.training.kernel import ORDER
from sgdsim.training.optimiser import OPTIMISERS, SGD
from tests.compiled import advance, begin, folded, inputs_of_one, observe
from tests.training.by_hand import Hand

START = ExplicitStart(P=[[1.0, 0.3], [0.3, 0.8]], M0=[[0.4, 0.1], [-0.2, 0.5], [0.3, 0.0]], Q0=np.diag([0.9, 1.1, 0.7]))
LAYER = SecondLayer(gamma_a=4.0, a0=(0.6, 1.4, -0.7), a_star=(1.0, 2.0))
D, LANES, N, BATCH = 12, 2, 11, 4
KEYS = {
    "sgd": {"decay": 0.4},
    "momentum": {"momentum": 0.7, "clip": 0.02},
    "nesterov": {"momentum": 0.6, "decay": 0.3},
    "adam": {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.1, "decay": 0.5},
    "rmsprop": {"beta2": 0.8, "epsilon": 0.2, "clip": 0.03},
    "sign": {"decay": 0.2},
}
SCHEDULE = PowerSchedule(t0=0.2, exponent=1.5)


def problem(**more):
    return Committee(**{"d": D, "p": 3, "k": 2, "gamma": 3.0, "noise": 0.1, "second": LAYER} | more)


def started(net, block=4, lanes=LANES):
    """The kernel of a problem in float64, and its state at t = 0."""
    kernel = training_kernel(net, "float64", lanes, block, test_inputs=1)
    return kernel, begin(kernel, START.draw(net, np.random.default_rng(0), 1), replica_keys(3, 0, 0, lanes))


def rows_of(kernel, state, steps):
    """The data of every step, of every lane."""
    key, uses = (state.keys[0], state.keys[1]), np.arange(steps * kernel.batch)
    rows = jax.jit(kernel.choice, static_argnums=2)(fold(key, ORDER), jnp.asarray(uses), kernel.n)
    return np.asarray(rows).reshape(kernel.lanes, steps, kernel.batch)


def descended(kernel, state, hand_of, rates, steps, rows):
    """What plain NumPy makes of the data of a state, lane by lane."""
    x, y = np.asarray(state.x), np.asarray(state.y)
    W, a = (np.asarray(state.moving.parameters[name]) for name in ("W", "a"))
    hands = [hand_of(W[lane], a[lane]) for lane in range(kernel.lanes)]
    for lane, hand in enumerate(hands):
        for step in range(steps):
            here = rows[lane, step]
            hand.step(x[lane, here], y[lane, here], *rates(step))
    return hands


def test_data_are_those_of_the_teacher():
    """Labels by hand; their noise has the variance of the problem, and no datum is that of another lane."""
    _, state = started(problem(data=FiniteData(n=N), batch=BATCH))
    x, y, teacher = (np.asarray(part) for part in (state.x, state.y, state.fixed))
    assert x.shape == (LANES, N, D)
    clean = np.einsum("r,lrs->ls", [1.0, 2.0], erf(teacher @ x.mT / (2 * D) ** 0.5)) / 2
    zeta = (y - clean) / 0.1**0.5
    assert 0.4 < zeta.std() < 1.6
    assert len(np.unique(x)) == x.size
    assert abs(x.mean()) < 5 / x.size**0.5


def test_noise_knows_nothing_of_inputs():
    """The normals of a datum's label are none of its inputs'."""
    _, state = started(problem(data=FiniteData(n=N), batch=BATCH, gamma=1e-9))
    x, y, teacher = (np.asarray(part) for part in (state.x, state.y, state.fixed))
    clean = np.einsum("r,lrs->ls", [1.0, 2.0], erf(teacher @ x.mT / (2 * D) ** 0.5)) / 2
    zeta = (y - clean) / 0.1**0.5
    assert np.abs(x - zeta[:, :, None]).min() > 1e-6


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_of_an_optimiser_by_hand(name):
    """Three steps on batches of finite data, both layers, with a schedule."""
    net = problem(data=FiniteData(n=N), batch=BATCH, optimiser=OPTIMISERS[name](**KEYS[name]), schedule=SCHEDULE)
    kernel, state = started(net)
    after = advance(kernel, state, jnp.asarray(3))

    def rates(step):
        factor = (1 + step / D / 0.2) ** -1.5
        return 3.0 * factor, 4.0 * factor

    hands = descended(kernel, state, lambda W, a: Hand(name, W, a, **KEYS[name]), rates, 3, rows_of(kernel, state, 3))
    for lane, hand in enumerate(hands):
        np.testing.assert_allclose(after.moving.parameters["W"][lane], hand.W, rtol=0, atol=1e-12)
        np.testing.assert_allclose(after.moving.parameters["a"][lane], hand.a, rtol=0, atol=1e-12)


@pytest.mark.parametrize("draws", ["shuffled", "replacement"])
def test_gradient_descent_on_all_data(draws):
    """25 steps against NumPy; with replacement a batch of n is no gradient descent, but some data twice."""
    net = problem(data=FiniteData(n=N, draws=draws), batch=N)
    kernel, state = started(net)
    assert kernel.whole == (draws == "shuffled")
    rows = np.broadcast_to(np.arange(N), (LANES, 25, N)) if kernel.whole else rows_of(kernel, state, 25)
    after = advance(kernel, state, jnp.asarray(25))
    for lane, hand in enumerate(
        descended(kernel, state, lambda W, a: Hand("sgd", W, a), lambda _: (3.0, 4.0), 25, rows)
    ):
        np.testing.assert_allclose(after.moving.parameters["W"][lane], hand.W, rtol=0, atol=1e-11)


def test_what_is_observed_of_data():
    """Empirical risk, gap and distance by hand, after some steps; the population risk is excess risk and noise/2."""
    kernel, state = started(problem(data=FiniteData(n=N), batch=BATCH))
    begun = observe(kernel, state)
    assert (np.asarray(begun["distance"]) == 0).all()
    after = advance(kernel, state, jnp.asarray(9))
    seen = {name: np.asarray(value) for name, value in observe(kernel, after).items()}
    for lane in range(LANES):
        W, a = (np.asarray(after.moving.parameters[name])[lane] for name in ("W", "a"))
        f = a @ erf(W @ np.asarray(state.x)[lane].T / (2 * D) ** 0.5) / 3
        risk = ((np.asarray(state.y)[lane] - f) ** 2).mean() / 2
        moved = np.linalg.norm(W - np.asarray(state.start["W"])[lane]) / (3 * D) ** 0.5
        np.testing.assert_allclose(seen["empirical_risk"][lane], risk, rtol=1e-12)
        np.testing.assert_allclose(seen["distance"][lane], moved, rtol=1e-12)
        gap = seen["excess_risk"][lane] + 0.1 / 2 - risk
        np.testing.assert_allclose(seen["generalisation_gap"][lane], gap, rtol=1e-9)
        np.testing.assert_allclose(seen["Q"][..., lane], W @ W.T / D, rtol=1e-12)


def in_order(key, uses, n):
    """One datum after another."""
    return jnp.broadcast_to((uses % n).astype(jnp.int32), (key[0].shape[0], uses.shape[0]))


@pytest.mark.parametrize("second", [None, LAYER], ids=["plain", "second layer"])
def test_plain_sgd_is_the_built_in_step(second):
    """The samples of the built-in kernel, one after another, by `optax.sgd`: the same weights to rounding."""
    net = problem(second=second)
    built_in = weights_kernel(net, "float64", 1, 8)
    initial, keys = START.draw(net, np.random.default_rng(0), 1), replica_keys(3, 0, 0, 1)
    begun = begin(built_in, initial, keys)
    _, x, zeta = inputs_of_one(begun, 8, 8)
    kernel, _ = started(problem(second=second, data=FiniteData(n=8), optimiser=optax.sgd(1.0)), lanes=1)
    first = eqx.tree_at(lambda model: model.frame, kernel.model, None)  # coordinates, as the built-in kernel's vectors
    kernel = replace(kernel, choice=in_order, model=first)
    state = begin(kernel, initial, keys)
    y = jax.jit(lambda model, *of: model.label(*of))(kernel.model, state.fixed, x[None], zeta)
    state = eqx.tree_at(lambda state: (state.x, state.y), state, (x[None], y))
    after, expected = advance(kernel, state, jnp.asarray(8)), advance(built_in, begun, jnp.asarray(8))
    np.testing.assert_allclose(after.moving.parameters["W"], expected.W, rtol=0, atol=1e-13)
    if second is not None:
        np.testing.assert_allclose(after.moving.parameters["a"], expected.numbers, rtol=0, atol=1e-13)
    seen, built = observe(kernel, after), observe(built_in, expected)
    for name in built:
        np.testing.assert_allclose(seen[name], built[name], rtol=0, atol=1e-12)


def test_fresh_data_are_new_at_every_step():
    """Steps of fresh data by hand, over the end of a block; what is drawn belongs to the block that it is drawn in."""
    net = problem(optimiser=SGD())
    kernel, state = started(net, block=4)
    assert kernel.segment == 4
    key = (state.keys[0], state.keys[1])
    draw = jax.jit(lambda kernel, key, fixed: kernel._drawn(key, 4, fixed))
    blocks = [draw(kernel, tuple(folded(jnp.stack(key), first)), state.fixed) for first in (0, 4)]
    x, y = (np.concatenate([np.asarray(block[part]) for block in blocks], axis=1) for part in range(2))
    assert len(np.unique(x)) == x.size
    after = advance(kernel, state, jnp.asarray(6))
    hand = Hand("sgd", *(np.asarray(state.moving.parameters[name])[1] for name in ("W", "a")))
    for step in range(6):
        hand.step(x[1, step : step + 1], y[1, step : step + 1], 3.0, 4.0)
    np.testing.assert_allclose(after.moving.parameters["W"][1], hand.W, rtol=0, atol=1e-12)


def test_memory_of_the_data_is_told():
    """Of 10^4 data in d = 100 dimensions the data are most of it."""
    weights = Weights()
    small, large = (weights.bytes_per_replica(problem(d=100, data=FiniteData(n=n))) for n in (10_000, 20_000))
    assert 10_000 * 100 * 4 <= large - small <= 2.2 * 10_000 * 100 * 4
    adam, sgd = (weights.bytes_per_replica(problem(d=100, optimiser=OPTIMISERS[name]())) for name in ("adam", "sgd"))
    assert adam - sgd == 2 * 2 * 3 * 100 * 4
