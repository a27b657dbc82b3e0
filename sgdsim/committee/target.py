"""What a teacher's fields make the label of."""

import abc
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from sgdsim.committee.activations import Activation
from sgdsim.rules.units import Units


class Target(eqx.Module):
    """f*(lambda*): a function of the k fields of the teacher. The label is y = f*(lambda*) + sqrt(noise) zeta."""

    @property
    def name(self) -> str:
        """As in a table of results."""
        return type(self).__name__.lower()

    @abc.abstractmethod
    def value(self, fields: Units) -> Any:
        """f* of every sample, by elementwise functions of JAX."""


class Mean(Target):
    """The mean of units: f* = (1/k) sum_r a*_r sigma*(lambda*_r)."""

    activation: Activation
    outputs: Float[Array, " k"] | Units

    @property
    def name(self) -> str:
        """That of the activation."""
        return self.activation.name

    def value(self, fields: Units) -> Any:
        """The mean of a*_r sigma*(lambda*_r)."""
        return (fields.map(self.activation.value) * self.outputs).mean()
