"""Random labels in the first epochs, and the decay that comes with the right ones."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.classification import Classification
from sgdsim.classification.labels import random_labels
from sgdsim.errors import ArgumentError
from sgdsim.sources import sources_of
from tests.classification.by_hand import advance, chosen, observe, outputs, started, step_by_hand

# Shapes and programs of test_network.py: both keys are traced. An epoch has 12 steps.
PROBLEM = Classification(N=12, gamma=1.0, beta=0.75, bins=20, random_labels=1, weight_decay=0.3)


def labels_of(state, lane, images):
    key = (state.keys[0, lane], state.keys[1, lane])
    return np.asarray(random_labels(key, jnp.asarray(images), PROBLEM.images.classes))


@pytest.fixture(scope="module")
def trained():
    """A kernel, its state at step 0, at the end of the epoch of random labels, and six steps later."""
    kernel, state = started(PROBLEM)
    end = advance(kernel, state, 12)
    return kernel, state, end, advance(kernel, end, 6)


def test_an_epoch_of_random_labels_then_right_ones_with_decay(trained):
    kernel, state, end, later = trained
    images, lane = PROBLEM.images, 1
    weights = np.asarray(state.W1[lane]), np.asarray(state.W2[lane])
    for number in range(18):
        batch = np.asarray(chosen(kernel, advance(kernel, state, number), lane))
        labels, shrink = labels_of(state, lane, batch), 1.0
        if number >= 12:
            labels, shrink = images.train_labels[batch], 1 - PROBLEM.eps * 0.3
        before = weights
        moved = step_by_hand(*before, images.train[batch], labels, PROBLEM.eps)
        # The decay is of the weights before the step, as the gradient is.
        weights = tuple(new - (1 - shrink) * old for new, old in zip(moved, before, strict=True))
        if number == 11:
            np.testing.assert_allclose(end.W1[lane], weights[0], rtol=1e-9, atol=1e-11)
    for mine, theirs in zip(weights, (later.W1[lane], later.W2[lane]), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-9, atol=1e-11)


def test_accuracy_on_the_labels_of_the_last_step_and_the_norm(trained):
    kernel, state, end, later = trained
    images, count = PROBLEM.images, len(PROBLEM.images.train)
    for one, random in ((state, True), (end, True), (later, False)):
        seen = observe(kernel, one)
        for lane in range(2):
            W1, W2 = np.asarray(one.W1[lane]), np.asarray(one.W2[lane])
            right = outputs(W1, W2, images.train).argmax(axis=1)
            labels = labels_of(one, lane, np.arange(count)) if random else images.train_labels
            assert float(seen["fit_accuracy"][lane]) == pytest.approx((right == labels).mean(), rel=1e-14)
            assert float(seen["train_accuracy"][lane]) == pytest.approx((right == images.train_labels).mean())
            norm = (((W1**2).sum() + (W2**2).sum()) / 12) ** 0.5
            assert float(seen["weight_norm"][lane]) == pytest.approx(norm, rel=1e-12)
    assert not np.array_equal(observe(kernel, end)["fit_accuracy"], observe(kernel, end)["train_accuracy"])


def test_random_labels_are_uniform_and_a_replicas_own(trained):
    _, state, *_ = trained
    count, classes = len(PROBLEM.images.train), PROBLEM.images.classes
    mine, other = (labels_of(state, lane, np.arange(count)) for lane in range(2))
    for labels in (mine, other):
        shares = np.bincount(labels, minlength=classes)
        assert ((shares - count / classes) ** 2 / (count / classes)).sum() < 28  # chi2 of 9: p = 0.001
    for labels in (other, PROBLEM.images.train_labels, np.roll(mine, 1)):
        assert abs((mine == labels).mean() - 1 / classes) < 4 * (0.09 / count) ** 0.5
    np.testing.assert_array_equal(labels_of(state, 0, np.arange(500, 520)), mine[500:520])


def test_what_is_refused_and_what_is_cited():
    with pytest.raises(ArgumentError, match=r"at most 1/eps = 2, as a step takes eps weight_decay of a weight"):
        Classification(N=12, gamma=0.5, beta=1, weight_decay=2.1)
    for change in ({"random_labels": -1}, {"random_labels": 1.5}, {"weight_decay": -0.1}):
        with pytest.raises(ArgumentError) as caught:
            Classification(N=12, gamma=0.5, beta=1, **change)
        assert caught.value.argument in change
    assert Classification(N=12, gamma=0.5, beta=1, random_labels=3, batch=50).random_steps == 75
    keys = [
        [paper.key for paper in sources_of({"system": "classification", "problem": problem})]
        for problem in ({}, {"random_labels": 1})
    ]
    assert ["liu2020" in found for found in keys] == [False, True]
