"""Activation functions of teacher and student, with what the theory needs to know of them."""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Activation(eqx.Module):
    """sigma and its derivative, elementwise on any array, in the array's own precision."""

    name: ClassVar[str]

    @abc.abstractmethod
    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sigma(lambda)."""

    @abc.abstractmethod
    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sigma'(lambda)."""


class Erf(Activation):
    """sigma(x) = erf(x / sqrt(2)), sigma'(x) = sqrt(2/pi) exp(-x^2/2). All Gaussian averages have closed forms."""

    name: ClassVar[str] = "erf"

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """erf(lambda / sqrt(2))."""
        return jax.lax.erf(field * (0.5**0.5))

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sqrt(2/pi) exp(-lambda^2/2)."""
        return jnp.exp(-0.5 * field * field) * ((2.0 / jnp.pi) ** 0.5)
