"""What a step adds in the mean, against averages over steps of explicit vectors, to rounding."""

import jax
import numpy as np

from sgdsim.rules.mean_step import MeanStep, changes
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.wrapped import Spherical
from tests.rules.nets import OUTPUTS, line

N, K, D, SAMPLES = 3, 2, 7, 5


def vectors(seed):
    """Fixed and moving ones, of whose lengths none is sqrt(D)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(K, D)) + 0.3, rng.normal(size=(N, D)) - 0.2


def overlaps(fixed, moving):
    return moving @ fixed.T / D, moving @ moving.T / D


def test_kicks_and_drift_are_those_of_vectors():
    """w <- w + D w + c K x/sqrt(d), with x a row of numbers at random, averaged over five of them."""
    rng = np.random.default_rng(1)
    fixed, moving = vectors(0)
    drift, c = rng.normal(size=(N, N)) / 3, 0.7
    x, kicks = rng.normal(size=(SAMPLES, D)), rng.normal(size=(SAMPLES, N))
    after = [moving + drift @ moving + c * D**0.5 * np.outer(k, one) for k, one in zip(kicks, x, strict=True)]
    M, Q = overlaps(fixed, moving)
    moved = [np.mean(parts, axis=0) for parts in zip(*(overlaps(fixed, W) for W in after), strict=True)]
    with_fixed, with_moving = (c * kicks.T @ (x @ part.T) / (SAMPLES * D**0.5) for part in (fixed, moving))
    noise = c**2 * (kicks.T * (x**2).sum(axis=1)) @ kicks / SAMPLES
    dM, dQ = jax.jit(changes)(drift, M, Q, with_fixed, with_moving, noise)
    np.testing.assert_allclose(dM, moved[0] - M, atol=1e-13)
    np.testing.assert_allclose(dQ, moved[1] - Q, atol=1e-13)


def test_new_lengths_are_those_of_vectors():
    """After a step every vector is as long as it was before."""
    fixed, before = vectors(2)
    _, moving = vectors(3)
    lengths = [np.linalg.norm(part, axis=1, keepdims=True) for part in (before, moving)]
    expected = overlaps(fixed, moving * lengths[0] / lengths[1])
    M, Q = overlaps(fixed, moving)
    curve = MeanStep.of(Spherical(line()), 1000, 1.0, 1, 1e-8, 1e-10, 4)
    gained = jax.jit(MeanStep.rescaled)(curve, M, Q, overlaps(fixed, before)[1])
    for start, more, end in zip((M, Q), gained, expected, strict=True):
        np.testing.assert_allclose(start + more, end, rtol=1e-12)


def test_samples_of_a_batch_pull_along_their_mean():
    """Linear units: of v_s = sqrt(d) K_s x_s/batch all pairs s != t are E[v].E[v], and each v_s is alone batch times.

    E[K K^T |x|^2] is taken as d E[K K^T], as closed forms have it.
    """
    fixed, moving = vectors(4)
    rule, batch = line(rate=0.3), 4
    P, (M, Q) = fixed @ fixed.T / D, overlaps(fixed, moving)
    w = [0.7, -0.4] @ fixed - OUTPUTS @ moving  # the error is w.x/sqrt(d) + 0.3 zeta - 0.4
    pull = rule.rate * np.outer(OUTPUTS, w)
    alone = D * rule.rate**2 * np.outer(OUTPUTS, OUTPUTS) * (w @ w / D + 0.09 + 0.16)
    curve = MeanStep.of(rule, D, 1.0, batch, 1e-8, 1e-10, 4)
    step = curve.step(*curve.begin(Overlaps(P, M, Q)))
    after = moving + pull
    np.testing.assert_allclose(M + step.M, after @ fixed.T / D, rtol=1e-12)
    expected = after @ after.T / D + (alone - pull @ pull.T / D) / batch
    np.testing.assert_allclose(Q + step.Q, expected, rtol=1e-12)
