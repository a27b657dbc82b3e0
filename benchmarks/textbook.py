"""The same SGD as a theorist would write it, in NumPy and in JAX by vmap and scan: what sgdsim is measured against."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf

from sgdsim.classification import Classification
from sgdsim.committee import Committee
from sgdsim.meanfield.dynamics import Sgd
from sgdsim.meanfield.problem import MeanField
from sgdsim.recovery import Recovery


def numpy_loop(problem: Committee, steps: int, seed: int = 0) -> np.ndarray:
    """One trajectory of full weights, one step at a time; returns W."""
    rng = np.random.default_rng(seed)
    d, p, k = problem.d, problem.p, problem.k
    teacher, W = rng.normal(size=(k, d)), rng.normal(size=(p, d))
    rate = problem.gamma / (p * np.sqrt(d))
    for _ in range(steps):
        x = rng.normal(size=d)
        field = W @ x / np.sqrt(d)
        y = erf(teacher @ x / np.sqrt(2 * d)).mean() + np.sqrt(problem.noise) * rng.normal()
        error = y - erf(field / np.sqrt(2)).mean()
        W += rate * np.outer(np.sqrt(2 / np.pi) * np.exp(-field * field / 2) * error, x)
    return W


def numpy_descent(problem: Recovery, steps: int, seed: int = 0) -> Callable[[], np.ndarray]:
    """One trajectory of SGD for a quadratic signal, J kept as vectors over the pairs; a job that returns x."""
    rng = np.random.default_rng(seed)
    N = problem.N
    rows, columns = np.triu_indices(N, 1)
    J = rng.standard_normal((problem.data, len(rows)), np.float32)
    signal, start = rng.standard_normal((2, N), np.float32)
    y = J @ (signal[rows] * signal[columns]) / np.float32(N)
    gradient = np.zeros((N, N), np.float32)

    def run() -> np.ndarray:
        x = start
        for _ in range(steps):
            r = J @ (x[rows] * x[columns]) / np.float32(N) - y
            gradient[rows, columns] = ((rng.random(len(r)) < problem.b) * r / np.float32(problem.b)) @ J
            x = x - np.float32(problem.eta / N) * (gradient @ x + gradient.T @ x)
        return x

    return run


def numpy_particles(problem: MeanField, steps: int, seed: int = 0) -> Callable[[], np.ndarray]:
    """N particles of F = tanh(w x) in NumPy: SGD on one atom a step, or the SDE with noise of each particle's own."""
    atoms = problem.model.atoms
    assert atoms is not None
    x, labels = np.asarray(atoms.points)[:, 0], np.asarray(atoms.labels)
    eps, dt = problem.eps, problem.dt

    def run() -> np.ndarray:
        rng = np.random.default_rng(seed)
        w = rng.normal(0.5, 0.5, problem.N)
        for _ in range(steps):
            if isinstance(problem.dynamics, Sgd):
                j, k = rng.integers(len(x)), rng.integers(2)
                t = np.tanh(w * x[j])
                w = w - eps * (t.mean() - labels[j, k]) * (1 - t * t) * x[j]
            else:
                t = np.tanh(np.outer(x, w))
                residual = t.mean(axis=1)[:, None] - labels
                gradients = (1 - t * t) * x[:, None]
                h = residual.mean(axis=1) @ gradients / len(x)
                variance = (residual**2).mean(axis=1) @ gradients**2 / len(x) - h * h
                w = w - h * dt + np.sqrt(eps * dt * variance) * rng.standard_normal(problem.N)
        return w

    return run


def numpy_network(problem: Classification, steps: int, seed: int = 0) -> Callable[[], np.ndarray]:
    """SGD of one relu network on images in NumPy, float32; a job that returns W1."""
    rng = np.random.default_rng(seed)
    images, eps = problem.images, np.float32(problem.eps)
    x, labels = np.asarray(images.train, np.float32), np.asarray(images.train_labels)
    shapes = ((problem.N, x.shape[1]), (problem.N, int(labels.max()) + 1))
    start = [
        rng.uniform(-scale, scale, shape).astype(np.float32)
        for scale, shape in zip(problem.scales, shapes, strict=True)
    ]

    def run() -> np.ndarray:
        W1, W2 = start
        for _ in range(steps):
            batch = rng.integers(len(x), size=problem.batch)
            inputs = x[batch]
            hidden = np.maximum(inputs @ W1.T, 0)
            out = hidden @ W2 / problem.N
            error = np.exp(out - out.max(axis=1, keepdims=True))
            error /= error.sum(axis=1, keepdims=True)
            error[np.arange(len(batch)), labels[batch]] -= 1
            back = (error @ W2.T) * (hidden > 0) / len(batch)
            W1, W2 = W1 - eps * (back.T @ inputs), W2 - eps * (hidden.T @ error) / len(batch)
        return W1

    return run


def vmapped_weights(problem: Committee, replicas: int, steps: int):  # noqa: ANN201
    """Full weights of many replicas by vmap(scan); returns a compiled job."""
    d, p, k = problem.d, problem.p, problem.k

    def step(carry: tuple[jax.Array, jax.Array, jax.Array], key: jax.Array) -> tuple[tuple, None]:
        W, teacher, _ = carry
        key_x, key_z = jax.random.split(key)
        x = jax.random.normal(key_x, (d,), jnp.float32)
        field = W @ x / np.float32(d) ** 0.5
        y = jnp.mean(jax.lax.erf(teacher @ x / np.float32(2 * d) ** 0.5))
        error = (
            y + problem.noise**0.5 * jax.random.normal(key_z, (), jnp.float32) - jnp.mean(jax.lax.erf(field / 2**0.5))
        )
        E = (2 / jnp.pi) ** 0.5 * jnp.exp(-field * field / 2) * error
        return (W + jnp.float32(problem.gamma / (p * d**0.5)) * E[:, None] * x[None, :], teacher, error), None

    @jax.jit
    def run(keys: jax.Array) -> jax.Array:
        def one(key: jax.Array) -> jax.Array:
            key_w, key_t, key_s = jax.random.split(key, 3)
            W, teacher = jax.random.normal(key_w, (p, d), jnp.float32), jax.random.normal(key_t, (k, d), jnp.float32)
            return jax.lax.scan(step, (W, teacher, jnp.float32(0)), jax.random.split(key_s, steps))[0][0]

        return jax.vmap(one)(keys)

    keys = jax.random.split(jax.random.key(0), replicas)
    return lambda: jax.block_until_ready(run(keys))


def vmapped_chain(problem: Committee, replicas: int, steps: int):  # noqa: ANN201
    """The low-dimensional chain in Omega itself, by vmap(scan), one Cholesky factorisation per step; a compiled job."""
    d, p, k = problem.d, problem.p, problem.k
    c = problem.gamma / (p * d)

    def step(Omega: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        key_z, key_c, key_n = jax.random.split(key, 3)
        z = jax.random.normal(key_z, (k + p,), jnp.float32)
        fields = jnp.linalg.cholesky(Omega) @ z
        squares = z @ z + jax.random.chisquare(key_c, jnp.float32(d - k - p), (), jnp.float32)
        sigma = jax.lax.erf(fields / 2**0.5)
        noise = problem.noise**0.5 * jax.random.normal(key_n, (), jnp.float32)
        error = jnp.mean(sigma[:k]) + noise - jnp.mean(sigma[k:])
        E = (2 / jnp.pi) ** 0.5 * jnp.exp(-fields * fields / 2) * error * jnp.where(jnp.arange(k + p) < k, 0, 1)
        change = (
            c * (E[:, None] * fields[None, :] + fields[:, None] * E[None, :])
            + c * c * squares * E[:, None] * E[None, :]
        )
        return Omega + change.astype(jnp.float32), None

    @jax.jit
    def run(keys: jax.Array) -> jax.Array:
        def one(key: jax.Array) -> jax.Array:
            return jax.lax.scan(step, jnp.eye(k + p, dtype=jnp.float32), jax.random.split(key, steps))[0]

        return jax.vmap(one)(keys)

    keys = jax.random.split(jax.random.key(0), replicas)
    return lambda: jax.block_until_ready(run(keys))
