"""Losses l(prediction, label), their slopes in the prediction, and the least risk that data allow."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float
from scipy.special import entr

from sgdsim.checks import positive
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.model_checks import check_function


class Loss(abc.ABC):
    """A loss of one prediction. Predictions and labels broadcast."""

    @abc.abstractmethod
    def __call__(self, prediction: Float[Array, "*#batch"], label: Float[Array, "*#batch"]) -> Float[Array, "*batch"]:
        """l(prediction, label)."""

    @abc.abstractmethod
    def slope(self, prediction: Float[Array, "*#batch"], label: Float[Array, "*#batch"]) -> Float[Array, "*batch"]:
        """d1 l, the derivative in the prediction."""

    @abc.abstractmethod
    def least(self, labels: Float[np.ndarray, "inputs labels"], weights: Float[np.ndarray, "inputs labels"]) -> float:
        """min over all predictions m_j of sum_jk p_jk l(m_j, y_jk): the risk of the best function of the input."""

    def check_labels(self, labels: Float[np.ndarray, "*labels"]) -> None:  # noqa: B027  (most losses take any)
        """Raises ArgumentError where the loss is not meant for these labels."""


@dataclass(frozen=True)
class Squared(Loss):
    """l = scale (prediction - label)^2 / 2.

    **Raises:** ArgumentError unless scale > 0.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", positive("scale", self.scale))

    def __call__(self, prediction: Array, label: Array) -> Array:
        """scale (prediction - label)^2 / 2."""
        return self.scale / 2 * (prediction - label) ** 2

    def slope(self, prediction: Array, label: Array) -> Array:
        """scale (prediction - label)."""
        return self.scale * (prediction - label)

    def least(self, labels: np.ndarray, weights: np.ndarray) -> float:
        """The variance of the label given the input."""
        return self.scale / 2 * float(np.sum(weights * (labels - _mean(labels, weights)[:, None]) ** 2))


@dataclass(frozen=True)
class Logistic(Loss):
    """l = log(1 + exp(-label prediction)), label = +-1."""

    def __call__(self, prediction: Array, label: Array) -> Array:
        """log(1 + exp(-label prediction))."""
        # log(1 + exp(z)) itself overflows from z = 710 on.
        return jax.nn.softplus(-label * prediction)

    def slope(self, prediction: Array, label: Array) -> Array:
        """-label / (1 + exp(label prediction))."""
        return -label * jax.nn.sigmoid(-label * prediction)

    def least(self, labels: np.ndarray, weights: np.ndarray) -> float:
        """The entropy of the label given the input, in nats."""
        return _entropy((1 + _mean(labels, weights)) / 2, weights)

    def check_labels(self, labels: np.ndarray) -> None:
        """Raises ArgumentError unless all are 1 or -1."""
        _check_labels(labels, np.abs(labels) == 1, "be 1 or -1 for the logistic loss")


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """l = log(1 + exp(prediction)) - label prediction: the logit of a probability, label in [0, 1]."""

    def __call__(self, prediction: Array, label: Array) -> Array:
        """log(1 + exp(prediction)) - label prediction."""
        return jax.nn.softplus(prediction) - label * prediction

    def slope(self, prediction: Array, label: Array) -> Array:
        """1 / (1 + exp(-prediction)) - label."""
        return jax.nn.sigmoid(prediction) - label

    def least(self, labels: np.ndarray, weights: np.ndarray) -> float:
        """The entropy of the label given the input, in nats."""
        return _entropy(_mean(labels, weights), weights)

    def check_labels(self, labels: np.ndarray) -> None:
        """Raises ArgumentError unless all are from 0 to 1."""
        _check_labels(labels, (labels >= 0) & (labels <= 1), "be from 0 to 1 for the cross-entropy")


@dataclass(frozen=True)
class CallableLoss(Loss):
    """Any smooth function of (prediction, label) that works elementwise; its slope is taken by JAX.

    **Raises:** ArgumentError unless it can be called.
    """

    function: Callable[[Array, Array], Array]

    def __post_init__(self) -> None:
        check_function("function", self.function, "prediction and label, l(m, y)")

    def __call__(self, prediction: Array, label: Array) -> Array:
        """The function itself."""
        return self.function(prediction, label)

    def slope(self, prediction: Array, label: Array) -> Array:
        """Its derivative, by a forward derivative along 1."""
        return jax.jvp(lambda m: self.function(m, label), (prediction,), (jnp.ones_like(prediction),))[1]

    def least(self, labels: np.ndarray, weights: np.ndarray) -> float:
        """By Brent's method, input by input, with predictions up to 50 beyond the labels."""
        # A loss of labels that are certain may fall for ever, so that the search has to end: exp(-50) is below
        # rounding.
        bounds = float(labels.min()) - 50, float(labels.max()) + 50

        def risk(m: float, y: np.ndarray, p: np.ndarray) -> float:
            return float(jnp.sum(p * self.function(jnp.asarray(m), jnp.asarray(y))))

        pairs = zip(labels, weights, strict=True)
        minimise = scipy.optimize.minimize_scalar
        found: list[Any] = [minimise(risk, bounds=bounds, args=pair, method="bounded") for pair in pairs]
        return float(sum(result.fun for result in found))


def _check_labels(labels: np.ndarray, good: np.ndarray, must: str) -> None:
    if not good.all():
        raise ArgumentError("labels", must, np.unique(labels[~good]).tolist(), "Take Squared() for labels of any kind.")


def _mean(labels: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, " inputs"]:
    """E[label | input]."""
    return np.sum(weights * labels, axis=1) / np.sum(weights, axis=1)


def _entropy(chance: Float[np.ndarray, " inputs"], weights: np.ndarray) -> float:
    """The mean entropy of a coin, with its chance at every input."""
    return float(np.sum(np.sum(weights, axis=1) * (entr(chance) + entr(1 - chance))))
