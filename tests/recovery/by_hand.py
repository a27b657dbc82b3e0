"""SGD for a hidden signal in NumPy, with explicit loops over data and pairs; and kernels started for a test."""

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.ensemble.random import fold, replica_keys
from sgdsim.recovery.descent_kernel import SELECTION, DescentKernel
from sgdsim.recovery.starts import ExactStart

advance = jax.jit(lambda kernel, state, n_steps: kernel.advance(state, n_steps))
begin = jax.jit(lambda kernel, initial, keys: kernel.init(initial, keys))
observe = jax.jit(lambda kernel, state: kernel.observe(state))


@jax.jit
def weights(kernel, state):
    """sigma of every block in the next step."""
    stream = fold((state.keys[0], state.keys[1]), SELECTION)
    drawn = kernel.selection.drawn(state.drawn, stream, jnp.asarray(kernel.b), state.step)
    key = fold(stream, state.step)
    blocks = jnp.arange(kernel.blocks)
    return jax.lax.map(lambda index: kernel._weights(drawn, key, state.step, index), blocks)


def started(problem, dtype="float64", lanes=2, stored=True, response=False, rows=None, seed=3):
    """A kernel and its state at step 0."""
    kernel = DescentKernel.of(problem, dtype, lanes, stored, response, rows)
    initial = ExactStart().draw(problem, np.random.default_rng(0), 1)
    return kernel, begin(kernel, initial, replica_keys(seed, 0, 0, lanes))


def data_of(kernel, state):
    """J (M, E), from the blocks of the state."""
    left, right = (np.asarray(part).reshape(-1, part.shape[-1]) for part in state.J)
    return np.hstack([left, right])[: kernel.data, : kernel.features.count]


def selection(kernel, state):
    """sigma (M, lanes) of the step that the state is about to make."""
    return np.concatenate(weights(kernel, state))[: kernel.data]


def pair(N, e):
    """The pair of sites that number e stands for."""
    return e % N, (e % N + e // N + 1) % N


def fields(J, x, degree):
    """h_mu(x), datum by datum."""
    N = len(x)
    if degree == 1:
        return np.array([sum(row[i] * x[i] for i in range(N)) for row in J]) / np.sqrt(N)
    pairs = [pair(N, e) for e in range(J.shape[1])]
    return np.array([sum(row[e] * x[i] * x[j] for e, (i, j) in enumerate(pairs)) for row in J]) / N


def step_by_hand(J, x, signal, sigma, eta, degree):
    """x - eta sum_mu sigma_mu r_mu grad h_mu(x)."""
    N, after = len(x), x.copy()
    r = fields(J, x, degree) - fields(J, signal, degree)
    for mu, row in enumerate(J):
        if degree == 1:
            after -= eta * sigma[mu] * r[mu] * row / np.sqrt(N)
            continue
        matrix = np.zeros((N, N))
        for e, value in enumerate(row):
            i, j = pair(N, e)
            assert matrix[i, j] == 0
            matrix[i, j] = matrix[j, i] = value
        after -= eta * sigma[mu] * r[mu] * matrix @ x / N
    return after
