"""Modules of equinox, as users write them, for the tests of students of one's own."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import erf


class Mean(eqx.Module):
    """f = (1/p) sum_i erf(w_i.x/sqrt(2 d)): the committee."""

    W: jax.Array

    def __call__(self, x):
        return jnp.mean(jax.lax.erf(self.W @ x * (2 * len(x)) ** -0.5))

    def first_layer(self):
        return self.W


def committee(d, *, key, p, length: float = 1.0):
    """Units N(0, length^2 I)."""
    return Mean(length * jax.random.normal(key, (p, d)))


class Line(eqx.Module):
    """f = theta.x, of which nobody knows a first layer."""

    theta: jax.Array

    def __call__(self, x):
        return self.theta @ x


def line(d, *, key):
    return Line(jax.random.normal(key, (d,)) / d)


class Words(eqx.Module):
    """The two words of a key, as parameters."""

    theta: jax.Array

    def __call__(self, x):
        return jnp.sum(self.theta) * x[0]


def key_itself(d, *, key):
    return Words(jax.random.key_data(key).astype(float))


def noisy(d, *, key, noise: float = 0.0):
    """A parameter that is a key of [problem]."""
    return line(d, key=key)


def perceptron(d, *, key, width=5, depth: int = 2):
    """As it comes with equinox, with its own start."""
    return eqx.nn.MLP(d, "scalar", width, depth, activation=jnp.tanh, key=key)


class Counting(eqx.Module):
    theta: jax.Array
    count: jax.Array

    def __call__(self, x):
        return self.theta @ x


class Noisy(eqx.Module):
    theta: jax.Array
    dropout: eqx.nn.Dropout = eqx.nn.Dropout(0.5)

    def __call__(self, x):
        return self.theta @ self.dropout(x)


class Batched(eqx.Module):
    theta: jax.Array
    norm: eqx.nn.BatchNorm

    def __call__(self, x):
        return self.theta @ self.norm(x, None)[0]


class Empty(eqx.Module):
    def __call__(self, x):
        return x[0]


class Short(Line):
    def first_layer(self):
        return self.theta[None, :-1]


def of(make):
    """A function of d and a key for a module that is made of d."""
    return lambda d, *, key: make(d)


WRONG = {
    "hold arrays of floats alone, .*Counting.count, int": of(lambda d: Counting(jnp.ones(d), jnp.zeros((), int))),
    "map one x of shape .12,. to a number, .*key": of(lambda d: Noisy(jnp.ones(d))),
    "be without a state, .*Batched.norm.*LayerNorm": of(
        lambda d: Batched(jnp.ones(d), eqx.nn.BatchNorm(d, "batch", mode="batch"))
    ),
    "hold an array of floats to be trained": of(lambda d: Empty()),
    "have a first layer of d = 12 columns": of(lambda d: Short(jnp.ones(d))),
    "map one x of shape .12,. to a number, of shape .*out_size": lambda d, *, key: eqx.nn.MLP(d, 1, 3, 1, key=key),
    "return an equinox module, .*tuple.*make_with_state": lambda d, *, key: eqx.nn.make_with_state(Line)(jnp.ones(d)),
    "make a module of d = 12 and a key by JAX, .*TracerBool": lambda d, *, key: Line(
        jnp.ones(d) if jax.random.normal(key) > 0 else jnp.zeros(d)
    ),
    "be a function of d and a key": lambda d: Line(jnp.ones(d)),
}
"""What cannot be a student, by what is said of it."""


def by_hand(weights, biases, x):
    """f(x) and its gradient with respect to all weights and biases, of `Layers`, by back-propagation in NumPy."""
    d, g, inputs, slopes = len(x), x, [], []
    for V, c in zip(weights, biases, strict=True):
        z = (V @ g + c) / np.sqrt(d)
        inputs.append(g)
        slopes.append(np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2) / np.sqrt(len(z)))
        g = erf(z / np.sqrt(2)) / np.sqrt(len(z))
    value, back, of_weights, of_biases = z[0], np.ones(1) / np.sqrt(d), [], []
    for level in range(len(weights) - 1, -1, -1):
        of_weights.insert(0, np.outer(back, inputs[level]))
        of_biases.insert(0, back)
        if level:
            back = weights[level].T @ back * slopes[level - 1] / np.sqrt(d)
    return value, of_weights, of_biases
