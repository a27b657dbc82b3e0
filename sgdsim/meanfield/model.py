"""What is learned by what: feature function, loss, data, and the law of the particles at t = 0."""

import abc
import math
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import integer, interval, row
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Atoms, Data
from sgdsim.meanfield.features import JOINED, Components, Feature, dot
from sgdsim.meanfield.losses import Loss
from sgdsim.meanfield.model_checks import (
    check_coordinate,
    check_draw,
    check_feature,
    check_function,
    check_kind,
    check_law,
    check_loss,
)

MOST_WEIGHTS = 128
"""Particles are computed with weight by weight, and each is compiled by itself."""


class ParticleLaw(eqx.Module):
    """The law of a particle at t = 0, as a function of standard normals: all samplers and quadratures use the same."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Number of weights of a particle."""

    @abc.abstractmethod
    def __call__(self, normals: Float[Array, "dim *batch"]) -> Float[Array, "dim *batch"]:
        """W_0 from N(0, I_dim)."""


class GaussianLaw(ParticleLaw):
    """W_0 = mean + std z, componentwise. A std of 0 starts all particles at one point.

    **Raises:** ArgumentError unless they are rows of as many finite numbers, and std >= 0.
    """

    mean: Float[Array, " dim"]
    std: Float[Array, " dim"]

    def __init__(self, mean: np.ndarray, std: np.ndarray) -> None:
        mean, std = row("mean", mean), row("std", std)
        if len(mean) != len(std) or not len(mean):
            raise ArgumentError("std", f"have the length {len(mean)} of the mean, >= 1", len(std))
        if not np.isfinite(mean).all():
            raise ArgumentError("mean", "be finite", mean.tolist())
        if not (np.isfinite(std) & (std >= 0)).all():
            raise ArgumentError("std", "be finite and >= 0", std.tolist())
        self.mean, self.std = jnp.asarray(mean), jnp.asarray(std)

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return len(self.mean)

    def __call__(self, normals: Array) -> Array:
        """mean + std z."""
        # Ranks are not promoted silently: mean and std are given the axes of the normals.
        shape = (-1, *[1] * (normals.ndim - 1))
        return self.mean.astype(normals.dtype).reshape(shape) + self.std.astype(normals.dtype).reshape(shape) * normals


class ConeLaw(ParticleLaw):
    """Another law, with |w_0| + |(w_1, w_2, ...)| in place of w_0: its support is the cone w_0 >= |(w_1, w_2, ...)|.

    - `law`: the other one.
    """

    law: ParticleLaw

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return self.law.dim

    def __call__(self, normals: Array) -> Array:
        """The other law's weights, with the first of them moved into the cone."""
        w = self.law(normals)
        return w.at[0].set(jnp.abs(w[0]) + jnp.sqrt(jnp.sum(w[1:] ** 2, axis=0)))


class SubspaceLaw(ParticleLaw):
    """Another law, with 0 in place of w_j.

    - `law`: the other one; `held`: j.

    **Raises:** ArgumentError unless j is the number of a weight.
    """

    law: ParticleLaw
    held: int = eqx.field(static=True)

    def __init__(self, law: ParticleLaw, held: int) -> None:
        check_kind("law", law, ParticleLaw, "Take GaussianLaw(mean, std).")
        self.law, self.held = law, integer("held", held, 0)
        if self.held >= law.dim:
            raise ArgumentError("held", f"be the number of a weight, 0 to {law.dim - 1}", held)

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return self.law.dim

    def __call__(self, normals: Array) -> Array:
        """The other law's weights, with one of them at 0."""
        return self.law(normals).at[self.held].set(0)


def first_weight(w: Components) -> Float[Array, "*batch"]:
    """The first weight of a particle."""
    return w[0]


def radius(w: Components) -> Float[Array, "*batch"]:
    """|w|, the Euclidean norm of the weights of a particle, by which the radial model is told apart."""
    return jnp.sqrt(dot(w, w))


class Model(eqx.Module):
    """All that a wide network is, but its width and its learning rate.

    - `feature`: F(w, x); `loss`: l(prediction, label); `data`: the law of (x, y); `law`: of W_0.
    - `coordinate`: the number of a particle that histograms are of.
    - `window`: where the particles are, about: the range of histograms.
    - `least_risk`: the smallest risk of any function of the input; what is reported is the excess over it.

    **Raises:** ArgumentError where a part is of another kind or gives arrays of a wrong shape, where labels do not
    suit the loss, and where a particle has more than `MOST_WEIGHTS` weights.
    """

    data: Data
    law: ParticleLaw
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
        law: ParticleLaw,
        coordinate: Callable[[Components], Array] = first_weight,
        window: tuple[float, float] = (-5.0, 5.0),
    ) -> None:
        check_kind("name", name, str, 'Write name="mine".')
        check_function("feature", feature, "weights and inputs, F(w, x)")
        check_function("coordinate", coordinate, "weights")
        check_kind("loss", loss, Loss, "Take Squared(), Logistic(), CrossEntropy(), or CallableLoss(function).")
        check_kind("data", data, Data, "Take Atoms(inputs, labels, weights), or TwoGaussians(d).")
        check_kind("law", law, ParticleLaw, "Take GaussianLaw(mean, std).")
        if not 1 <= integer("law", law.dim, 1) <= MOST_WEIGHTS:
            raise ArgumentError("law", f"give a particle at most {MOST_WEIGHTS} weights", law.dim)
        for check, part in ((check_law, law), (check_draw, data), (check_loss, loss)):
            check(part)
        # On shapes alone, here: inside a loop a wrong shape would broadcast to numbers that look right.
        check_feature(feature, law.dim, data.inputs)
        check_coordinate(coordinate, law.dim)
        data.check(feature, loss)
        self.name, self.feature, self.loss, self.data, self.law = name, feature, loss, data, law
        self.coordinate, self.window = coordinate, interval("window", window)
        self.least_risk = data.least_risk(loss)
        if not math.isfinite(self.least_risk):
            raise ArgumentError("loss", "have a finite least risk on the data", self.least_risk)

    @property
    def dim(self) -> int:
        """Number of weights of a particle."""
        return self.law.dim

    @property
    def joined(self) -> bool:
        """Whether particles are one array of all weights while they move: of such data, by features made for it."""
        return self.data.joined and self.feature in JOINED

    @property
    def atoms(self) -> Atoms | None:
        """The data where they are atoms, so that averages over them are exact sums; None for a sampler."""
        return self.data if isinstance(self.data, Atoms) else None
