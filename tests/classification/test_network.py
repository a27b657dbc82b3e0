"""The kernel against one network in NumPy, and against the gradient of its loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.classification import Network, RandomStart, network
from sgdsim.classification.problem import Classification
from sgdsim.ensemble.replicas import Ensemble
from tests.classification.by_hand import advance, begin, chosen, losses, observe, outputs, started, step_by_hand
from tests.helpers import run

PROBLEM = Classification(N=12, gamma=1.0, beta=0.75, bins=20)


@pytest.fixture(scope="module")
def trained():
    """A kernel, its state at step 0, and 30 steps later: in the third epoch of 12 batches."""
    kernel, state = started(PROBLEM)
    return kernel, state, advance(kernel, state, 30)


def of_lane(state, lane):
    return np.asarray(state.W1[lane]), np.asarray(state.W2[lane])


def test_it_is_sgd_of_a_network(trained):
    kernel, state, later = trained
    images = PROBLEM.images
    lane, seen = 1, []
    weights = of_lane(state, lane)
    for number in range(30):
        batch = np.asarray(chosen(kernel, advance(kernel, state, number), lane))
        weights = step_by_hand(*weights, images.train[batch], images.train_labels[batch], PROBLEM.eps)
        seen.append(batch)
    for mine, theirs in zip(weights, of_lane(later, lane), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-9, atol=1e-11)
    epochs = [np.concatenate(seen[first : first + 12]) for first in (0, 12)]
    assert all(len(set(epoch.tolist())) == 1200 for epoch in epochs)  # 97 images wait for the next epoch
    assert epochs[0].tolist() != epochs[1].tolist()


def test_every_seed_goes_through_the_images_in_an_order_of_its_own(trained):
    """In the first epoch and the third, of replicas of one run and of runs with other seeds."""
    kernel, state, later = trained
    _, other = started(PROBLEM, seed=4)
    for step in (state, later):
        others = network.NetworkState(W1=other.W1, W2=other.W2, keys=other.keys, step=step.step)
        orders = [np.asarray(chosen(kernel, one, lane)) for one in (step, others) for lane in range(2)]
        for i in range(4):
            for j in range(i):
                assert (orders[i] == orders[j]).mean() < 0.1
                assert len(np.intersect1d(orders[i], orders[j])) < 30  # of 100 out of 1297: 8 by chance


def test_a_step_is_the_learning_rate_times_the_gradient_of_the_loss(trained):
    kernel, _, state = trained
    images = PROBLEM.images
    batch = np.asarray(chosen(kernel, state, 0))
    x, labels = jnp.asarray(images.train[batch]), images.train_labels[batch]

    def loss(weights):
        out = jax.nn.relu(x @ weights[0].T) @ weights[1] / PROBLEM.N
        return -jax.nn.log_softmax(out)[jnp.arange(100), labels].mean()

    gradient = jax.grad(loss)((state.W1[0], state.W2[0]))
    later = advance(kernel, state, 1)
    rate = PROBLEM.gamma * PROBLEM.N**PROBLEM.beta
    np.testing.assert_allclose(later.W1[0], state.W1[0] - rate * gradient[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(later.W2[0], state.W2[0] - rate * gradient[1], rtol=1e-9, atol=1e-12)


def test_what_is_observed(trained):
    kernel, _, state = trained
    images, seen = PROBLEM.images, observe(kernel, state)
    for lane in range(2):
        W1, W2 = of_lane(state, lane)
        for part, x, labels in (
            ("train", images.train, images.train_labels),
            ("test", images.test, images.test_labels),
        ):
            out = outputs(W1, W2, x)
            assert seen[f"{part}_loss"][lane] == pytest.approx(losses(out, labels).mean(), rel=1e-9)
            assert seen[f"{part}_accuracy"][lane] == pytest.approx((out.argmax(axis=1) == labels).mean(), rel=1e-14)
        edges = PROBLEM.bin_edges
        np.testing.assert_allclose(seen["histogram"][:, lane], np.histogram(W1[:, 0], edges)[0] / 12, atol=1e-15)
        counts = np.histogram(W1[:, images.active], edges)[0]
        np.testing.assert_allclose(seen["active_histogram"][:, lane], counts / (12 * 61), atol=1e-15)
    assert set(kernel.kept) == set(seen)
    assert 0.3 < float(seen["train_accuracy"][0]) < 1  # it has learnt something
    assert all(value.dtype == jnp.float64 for value in seen.values())


def test_a_unit_is_dead_where_no_training_image_excites_it(trained):
    kernel, _, state = trained
    corner = PROBLEM.images.train[:, 0]
    assert (corner < 0).all()  # black in all images
    W1 = np.asarray(state.W1).copy()
    W1[0, :3], W1[0, :3, 0] = 0, 1
    dead = network.NetworkState(W1=jnp.asarray(W1), W2=state.W2, keys=state.keys, step=state.step)
    for one, least in ((state, 0), (dead, 3)):
        expected = [(PROBLEM.images.train @ np.asarray(W1).T <= 0).all(axis=0).mean() for W1 in one.W1]
        assert observe(kernel, one)["dead_fraction"].tolist() == pytest.approx(expected, abs=1e-15)
        assert expected[0] >= least / 12


def test_images_are_measured_in_parts(trained, monkeypatch):
    """Seven hundred at a time: the last of two parts of the training images, and none of the test images, overlaps."""
    kernel, _, state = trained
    whole = observe(kernel, state)
    monkeypatch.setattr(network, "_PASS", 700 * PROBLEM.N)
    for name, value in jax.jit(kernel.__class__.observe)(kernel, state).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-13)


def test_the_start_is_uniform():
    _, state = started(Classification(N=400, gamma=1, beta=1))
    _, fixed = started(Classification(N=400, gamma=1, beta=1, init="fixed"))
    _, narrow = started(Classification(N=100, gamma=1, beta=1))
    for weights, width in ((state.W1, 1 / 8), (state.W2, 1 / 20), (fixed.W2, 0.1), (narrow.W2, 0.1)):
        values = np.sort(np.asarray(weights).ravel()) / width
        uniform = np.linspace(-1, 1, len(values))
        assert abs(values - uniform).max() < 4 / len(values) ** 0.5
    np.testing.assert_array_equal(state.W1[:, :100], narrow.W1)
    np.testing.assert_array_equal(fixed.W1, state.W1)
    assert abs(np.corrcoef(np.asarray(state.W1).reshape(2, -1))[0, 1]) < 0.03


def test_seeds_are_compared_with_their_neighbours():
    kernel, state = started(PROBLEM, lanes=4)
    weights = np.sort(np.asarray(state.W1[:, :, 0]), axis=1)
    expected = [abs(weights[lane] - weights[(lane + 1) % 4]).mean() for lane in range(4)]
    np.testing.assert_allclose(observe(kernel, state)["seed_distance"], expected, rtol=1e-12)
    alone = begin(network.NetworkKernel.of(PROBLEM, "float64", 1), state.keys[:, :1])
    assert "seed_distance" not in jax.eval_shape(
        lambda state: network.NetworkKernel.of(PROBLEM, "float64", 1).observe(state), alone
    )


@pytest.mark.slow
def test_batch_and_division_change_no_bit():
    """Three tiles of four: at once, one by one, and in two parts; and a run divided in the midst of an epoch."""
    task = (PROBLEM, RandomStart(), Network())
    whole = run(*task, [1.0, 20.0], 10, 5)
    assert whole.count.tolist() == [4, 4, 2]
    ensemble = Ensemble(*task, None, np.array([1.0, 20.0]), 10, 5)
    parts = type(whole).concatenate([ensemble.run(range(1)), ensemble.run(range(1, 3))])
    for other in (run(*task, [1.0, 20.0], 10, 5, batch=1), parts):
        for name, value in whole.to_arrays().items():
            np.testing.assert_array_equal(value, other.to_arrays()[name])
    assert np.ptp(whole.mean["test_loss"][:, 1]) > 0
    kernel, state = started(PROBLEM, "float32")
    once, twice = advance(kernel, state, 17), advance(kernel, advance(kernel, state, 5), 12)
    np.testing.assert_array_equal(once.W1, twice.W1)


def test_float32_follows_float64(trained):
    kernel, state = started(PROBLEM, "float32")
    later = advance(kernel, state, 30)
    np.testing.assert_allclose(later.W1, trained[2].W1, atol=2e-5)
