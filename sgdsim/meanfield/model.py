"""What is learned by what: feature function, loss, data, and the law of the particles at t = 0."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms, Data
from sgdsim.meanfield.features import Components, Feature, dot
from sgdsim.meanfield.losses import Loss

MOST_WEIGHTS = 128
"""Particles are computed with weight by weight, and each is compiled by itself."""


class Law(eqx.Module):
    """The law of a particle at t = 0, as a function of standard normals: all samplers and quadratures use the same."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Number of weights of a particle."""

    @abc.abstractmethod
    def __call__(self, normals: Float[Array, "dim *batch"]) -> Float[Array, "dim *batch"]:
        """W_0 from N(0, I_dim)."""


class GaussianLaw(Law):
    """W_0 = mean + std z, componentwise. A std of 0 starts all particles at one point."""

    mean: Float[Array, " dim"]
    std: Float[Array, " dim"]

    def __init__(self, mean: np.ndarray, std: np.ndarray) -> None:
        self.mean, self.std = jnp.asarray(mean, jnp.float64), jnp.asarray(std, jnp.float64)

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return len(self.mean)

    def __call__(self, normals: Array) -> Array:
        """mean + std z."""
        shape = (-1, *[1] * (normals.ndim - 1))
        return self.mean.astype(normals.dtype).reshape(shape) + self.std.astype(normals.dtype).reshape(shape) * normals


def first_weight(w: Components) -> Float[Array, "*batch"]:
    """The first weight of a particle."""
    return w[0]


def radius(w: Components) -> Float[Array, "*batch"]:
    """|w|."""
    return jnp.sqrt(dot(w, w))


class Model(eqx.Module):
    """All that a wide network is, but its width and its learning rate.

    - `feature`: F(w, x); `loss`: l(prediction, label); `data`: the law of (x, y); `law`: of W_0.
    - `coordinate`: the number of a particle that histograms are of.
    - `window`: where the particles are, about: the range of histograms.
    - `least_risk`: the smallest risk of any function of the input; what is reported is the excess over it.

    **Raises:** ArgumentError where a particle has more than `MOST_WEIGHTS` weights.
    """

    data: Data
    law: Law
    least_risk: float
    feature: Feature = eqx.field(static=True)
    loss: Loss = eqx.field(static=True)
    name: str = eqx.field(static=True)
    coordinate: Callable[[Components], Array] = eqx.field(static=True)
    window: tuple[float, float] = eqx.field(static=True)

    def __init__(
        self,
        *,
        name: str,
        feature: Feature,
        loss: Loss,
        data: Data,
        law: Law,
        coordinate: Callable[[Components], Array] = first_weight,
        window: tuple[float, float] = (-5.0, 5.0),
    ) -> None:
        if law.dim > MOST_WEIGHTS:
            raise ArgumentError("law", f"give a particle at most {MOST_WEIGHTS} weights", law.dim)
        self.name, self.feature, self.loss, self.data, self.law = name, feature, loss, data, law
        self.coordinate, self.window = coordinate, window
        atoms = isinstance(data, Atoms)
        self.least_risk = loss.least(np.asarray(data.labels), np.asarray(data.weights)) if atoms else 0.0

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return self.law.dim

    @property
    def atoms(self) -> Atoms | None:
        """The data where they are atoms, so that averages over them are exact sums; None for a sampler."""
        return self.data if isinstance(self.data, Atoms) else None
