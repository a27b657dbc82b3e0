"""Where the data come from: finitely many atoms, over which averages are exact sums, or a sampler."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.checks import integer
from sgdsim.contracts import Scalar
from sgdsim.ensemble.random import Key, column_normals, threefry
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.features import Components, Feature
from sgdsim.meanfield.losses import Loss

Predict = Callable[[Float[Array, "points inputs"]], Float[Array, "points lanes"]]
"""The predictions of a network at inputs."""


class Data(eqx.Module):
    """A law of (x, y).

    - `joined`: a drawn x is one array, its components along the first axis. Of many components that is a shorter
      program; few that come one by one are fused better.
    """

    joined: ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """Number of components of x."""

    @property
    def parameters(self) -> dict[str, Scalar]:
        """What a table of results says of the data beside the model's name."""
        return {}

    @property
    def known_labels(self) -> np.ndarray:
        """Labels that there are, as far as they are known beforehand: a loss may ask for certain ones."""
        return np.empty(0)

    def check(self, feature: Feature, loss: Loss) -> None:
        """Raises ArgumentError where the data do not suit a feature or a loss."""
        loss.check_labels(self.known_labels)

    def least_risk(self, loss: Loss) -> float:
        """The smallest risk of any function of x; 0 of a sampler whose best function is not known."""
        return 0.0

    @abc.abstractmethod
    def observed(
        self, loss: Loss, W: Components, weights: Any, predict: Predict
    ) -> tuple[Float[Array, "m lanes"], Float[Array, " lanes"]]:
        """Order parameters m and risk of a network.

        - `W`, `weights`: its particles, by component, and what each counts; `predict`: its predictions at given inputs.
        """

    @abc.abstractmethod
    def draw(self, key: Key, number: Array, dtype: np.dtype) -> tuple[Components, Float[Array, "*lanes"]]:
        """One datum (x by component, y) for every key, of words (*lanes).

        The key is that of a step; `number`, of 32 bits, tells the data of the step apart.
        """


class PointData(Data):
    """Data that are seen through predictions at fixed points."""

    points: eqx.AbstractVar[Float[Array, "points inputs"]]

    @property
    def inputs(self) -> int:
        """Number of components of x."""
        return self.points.shape[1]

    @abc.abstractmethod
    def order_parameters(self, predictions: Float[Array, "points *lanes"]) -> Float[Array, "m *lanes"]:
        """m, from the predictions at the points."""

    @abc.abstractmethod
    def risk(self, loss: Loss, predictions: Float[Array, "points *lanes"]) -> Float[Array, "*lanes"]:
        """E l(prediction, y), from the predictions at the points."""

    def observed(self, loss: Loss, W: Components, weights: Any, predict: Predict) -> tuple[Array, Array]:
        """m and risk, from the predictions at the points."""
        predictions = predict(self.points)
        return self.order_parameters(predictions), self.risk(loss, predictions)


class Atoms(PointData):
    """Finitely many inputs x_j, each with labels y_jk of probability p_jk; the p_jk sum to 1 over j and k.

    The law of the particles enters drift and noise through m_j = nu[F(., x_j)] only.

    **Raises:** ArgumentError where shapes do not agree, a number is not finite, or the weights are no probabilities.
    """

    points: Float[Array, "J inputs"]
    labels: Float[Array, "J K"]
    weights: Float[Array, "J K"]

    def __init__(self, inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> None:
        given = {"inputs": inputs, "labels": labels, "weights": weights}
        inputs, labels, weights = (_table(name, values) for name, values in given.items())
        if labels.shape != weights.shape or len(labels) != len(inputs) or not inputs.size or not labels.size:
            shapes = [array.shape for array in (inputs, labels, weights)]
            raise ArgumentError("inputs, labels, weights", "have shapes (J, inputs), (J, K), (J, K)", shapes)
        # A sum of J K probabilities rounds to 1e-15 or so: what is further off than 1e-12 was not meant to be 1.
        if np.any(weights < 0) or abs(weights.sum() - 1) > 1e-12:
            raise ArgumentError("weights", "be >= 0 and sum to 1", weights.tolist(), "Divide them by their sum.")
        self.points, self.labels, self.weights = (
            jnp.asarray(array, jnp.float64) for array in (inputs, labels, weights)
        )

    @property
    def known_labels(self) -> np.ndarray:
        """The labels of the atoms."""
        return np.asarray(self.labels)

    def least_risk(self, loss: Loss) -> float:
        """That of the best prediction at every input."""
        return loss.least(np.asarray(self.labels), np.asarray(self.weights))

    def order_parameters(self, predictions: Array) -> Array:
        """m_j: the predictions themselves."""
        return predictions

    def risk(self, loss: Loss, predictions: Array) -> Array:
        """sum_jk p_jk l(m_j, y_jk)."""
        labels, weights = self._beside(predictions)
        return jnp.sum(weights * loss(predictions[:, None], labels), axis=(0, 1))

    def coefficients(
        self, loss: Loss, m: Float[Array, "J *lanes"]
    ) -> tuple[Float[Array, "J *lanes"], Float[Array, "J *lanes"]]:
        """c_j = sum_k p_jk l'(m_j, y_jk) and s_j = sum_k p_jk l'(m_j, y_jk)^2.

        The drift is h = sum_j c_j grad F_j, the covariance of H is sum_j s_j grad F_j grad F_j^T - h h^T.
        """
        labels, weights = self._beside(m)
        slopes = loss.slope(m[:, None], labels)
        return jnp.sum(weights * slopes, axis=1), jnp.sum(weights * slopes**2, axis=1)

    def _beside(self, m: Array) -> tuple[Array, Array]:
        """Labels and weights (J, K, 1, ...) in the precision of m (J, ...)."""
        shape = (*self.labels.shape, *[1] * (m.ndim - 1))
        return self.labels.astype(m.dtype).reshape(shape), self.weights.astype(m.dtype).reshape(shape)

    def draw_atom(
        self, key: Key, number: UInt32[Array, ""], particle: UInt32[Array, "*lanes"] | None = None
    ) -> Int[Array, "*lanes"]:
        """The index of an atom in the order (j, k), for every key; counter words are (number, particle)."""
        second = jnp.zeros(key[0].shape, jnp.uint32) if particle is None else particle
        bits = threefry(key, (jnp.broadcast_to(number, key[0].shape), second))[0]
        # The middle of each of 2^32 equal parts: neither 0 nor 1 comes, and the mean is exactly 1/2.
        uniform = (bits.astype(jnp.float64) + 0.5) * 2.0**-32
        # The last bound is 1 but for rounding: without it every number finds an atom.
        bounds = jnp.cumsum(self.weights.reshape(-1))[:-1]
        # Counting the bounds below is elementwise for a few atoms; a search would be a loop in every lane.
        return jnp.sum(uniform[None] >= bounds.reshape(-1, *[1] * uniform.ndim), axis=0)

    def draw(self, key: Key, number: Array, dtype: np.dtype) -> tuple[tuple[Array, ...], Array]:
        """The atom of `draw_atom`."""
        return self.atom(self.draw_atom(key, number), dtype)

    def atom(self, index: Int[Array, "*lanes"], dtype: np.dtype) -> tuple[tuple[Array, ...], Array]:
        """x, by component, and y, both (*lanes), of the atom with this index."""
        point = index // self.labels.shape[1]
        return tuple(column.astype(dtype)[point] for column in self.points.T), self.labels.astype(dtype).reshape(-1)[
            index
        ]


class TwoGaussians(PointData):
    """y = +-1 with equal chance, x ~ N(0, (1 + 0.8 y)^2 I_d) (Mei, Montanari & Nguyen 2018).

    Risk and order parameters are averages over `points`, a fixed sample with the labels in turn: m = (Q+, Q-), the mean
    prediction in each class.

    **Raises:** ArgumentError unless d >= 1 and the number of points is even.
    """

    joined: ClassVar[bool] = True

    points: Float[Array, "points d"]

    def __init__(self, d: int, count: int = 2048) -> None:
        d, count = integer("d", d, 1), integer("count", count, 2)
        if count % 2:
            raise ArgumentError("count", "be even, with as many points of each label", count)
        # One sample for all runs, whatever their seed: their risks are measured with the same ruler.
        normals = np.random.default_rng(20180418).standard_normal((count, d))
        self.points = jnp.asarray(normals * (1 + 0.8 * _turns(count))[:, None])

    @property
    def known_labels(self) -> np.ndarray:
        """The two labels, 1 and -1."""
        return _turns(2)

    def order_parameters(self, predictions: Array) -> Array:
        """(Q+, Q-): the mean predictions for y = 1 and y = -1."""
        return jnp.stack([jnp.mean(predictions[0::2], axis=0), jnp.mean(predictions[1::2], axis=0)])

    def risk(self, loss: Loss, predictions: Array) -> Array:
        """The mean loss of the points."""
        labels = jnp.asarray(_turns(len(predictions))).reshape(-1, *[1] * (predictions.ndim - 1))
        return jnp.mean(loss(predictions, labels), axis=0)

    def draw(self, key: Key, number: Array, dtype: np.dtype) -> tuple[Array, Array]:
        """A label by one bit, and normals scaled by it."""
        zero = jnp.zeros(key[0].shape, jnp.uint32)
        label = jnp.where(threefry(key, (zero, zero + number))[0] & np.uint32(1), 1.0, -1.0).astype(dtype)
        # Pair 0 of the counter was the bit of the label.
        normals = column_normals(key, self.inputs, dtype, first=1, second=number)
        return normals * (1 + dtype.type(0.8) * label)[None], label


def _table(argument: str, values: Any) -> Float[np.ndarray, "rows columns"]:
    """A table of finite numbers, of lists or an array. **Raises:** ArgumentError for anything else."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or not np.isfinite(array).all():
        got = array.shape if array.size else values
        raise ArgumentError(argument, "be a table of finite numbers, (J, inputs) or (J, K)", got)
    return array


def _turns(count: int) -> Float[np.ndarray, " count"]:
    """1, -1, 1, -1, ..."""
    return np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
