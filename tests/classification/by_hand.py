"""One network in NumPy, float64, unit by unit where it matters; and kernels started for a test."""

import jax
import numpy as np

from sgdsim.classification.network import NetworkKernel
from sgdsim.ensemble.random import replica_keys

advance = jax.jit(lambda kernel, state, n_steps: kernel.advance(state, n_steps))
begin = jax.jit(lambda kernel, keys: kernel.init((), keys))
observe = jax.jit(lambda kernel, state: kernel.observe(state))
chosen = jax.jit(lambda kernel, state, lane: kernel._chosen(state.keys[:, lane], state.step))


def started(problem, dtype="float64", lanes=2, seed=3):
    """A kernel and its state at step 0."""
    kernel = NetworkKernel.of(problem, dtype, lanes)
    return kernel, begin(kernel, replica_keys(seed, 0, 0, lanes))


def outputs(W1, W2, x):
    """out(x), (images, classes)."""
    return sum(np.outer(np.maximum(x @ w1, 0), w2) for w1, w2 in zip(W1, W2, strict=True)) / len(W1)


def losses(out, labels):
    """-log softmax of every image."""
    out = out - out.max(axis=1, keepdims=True)
    return np.log(np.exp(out).sum(axis=1)) - out[np.arange(len(out)), labels]


def step_by_hand(W1, W2, x, labels, eps):
    """Every hidden unit moves by -eps times the gradient of its own term of the output, image by image."""
    N, new1, new2 = len(W1), W1.copy(), W2.copy()
    for image, label, out in zip(x, labels, outputs(W1, W2, x), strict=True):
        error = np.exp(out - out.max())
        error /= error.sum()
        error[label] -= 1
        for k in range(N):
            hidden = W1[k] @ image
            if hidden > 0:
                new1[k] -= eps * (error @ W2[k]) * image / len(x)
                new2[k] -= eps * hidden * error / len(x)
    return new1, new2
