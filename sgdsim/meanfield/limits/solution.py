"""A solved limit: the order parameters of the law against time, and what else is known of it."""

import abc
import math
from collections.abc import Hashable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.meanfield.model import Model
from sgdsim.meanfield.problem import MeanField

SPACING = 2.5e-3
"""Longest distance of the times at which a limit is known: straight lines between them are off by less than 1e-6."""


class Limit(eqx.Module):
    """m(t), and mean and variance of the law, on the uniform times 0, spacing, 2 spacing, ...

    Between them values are on a straight line, beyond the last time they stay.
    """

    spacing: float
    m: Float[Array, "grid J"]
    mean: Float[Array, "grid dim"]
    variance: Float[Array, "grid dim"]

    def m_at(self, t: Float[Array, "*times"] | float) -> Float[Array, "*times J"]:
        """The limit's m(t): what the drift needs to know of the law."""
        return self._at(self.m, t)

    def mean_at(self, t: Float[Array, "*times"] | float) -> Float[Array, "*times dim"]:
        """The mean of the law."""
        return self._at(self.mean, t)

    def variance_at(self, t: Float[Array, "*times"] | float) -> Float[Array, "*times dim"]:
        """The variance of the law, weight by weight."""
        return self._at(self.variance, t)

    def _at(self, values: Array, t: Array | float) -> Array:
        place = jnp.clip(jnp.asarray(t, jnp.float64) / self.spacing, 0, len(values) - 1)
        # At the last time the share of the right neighbour is 1: there must be one.
        left = jnp.minimum(place.astype(jnp.int32), len(values) - 2)
        share = (place - left)[..., None]
        return (1 - share) * values[left] + share * values[left + 1]


class Solution(abc.ABC):
    """A limit that is solved up to a time, on the host.

    - `compiling`, `seconds`: what that takes, for a plan: at once, and for every unit of time.
    """

    limit: Limit
    compiling: ClassVar[float] = 1.5
    seconds: ClassVar[float]

    @abc.abstractmethod
    def __init__(self, problem: MeanField, final: float) -> None:
        """Solves the limit of a problem."""

    @abc.abstractmethod
    def histogram(
        self, times: Float[np.ndarray, " times"], edges: Float[np.ndarray, " edges"]
    ) -> Float[np.ndarray, "times bins"]:
        """Expected fractions of the particles, by the model's coordinate, in bins of equal width at `times`."""


def refined(dt: float, coarse: tuple[Array, Array, Array]) -> Limit:
    """By a cubic spline through values at multiples of dt."""
    parts = math.ceil(dt / SPACING)
    count = len(coarse[0])
    fine = np.arange(parts * (count - 1) + 1) / parts
    # scipy.interpolate takes long to import: by this name it is imported when it is used.
    splines = (scipy.interpolate.CubicSpline(np.arange(count), np.asarray(values)) for values in coarse)
    m, mean, variance = (jnp.asarray(spline(fine)) for spline in splines)
    return Limit(dt / parts, m, mean, variance)


def identity(model: Model) -> Hashable:
    """Equal for models of equal content."""
    leaves, structure = jax.tree.flatten(model)
    return structure, tuple(np.asarray(leaf).tobytes() for leaf in leaves)


def rounded_up(final: float) -> float:
    """The time up to which a limit is solved for one up to `final`.

    Last times of SGD differ by a step with N: rounded up, they share a solution.
    """
    unit = 2.0 ** (math.floor(math.log2(final)) - 4)
    return math.ceil(final / unit - 1e-9) * unit
