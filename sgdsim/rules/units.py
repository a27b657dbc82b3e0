"""A number for each unit (or vector, or output), whatever they are kept in: so that a rule is written once.

The unrolled chain keeps a list, a lane array for each unit, and everything is elementwise; matrix products keep an
array whose last axis is the units.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Any, Union

import jax.numpy as jnp
from jaxtyping import Array, Float

Operand = Union["Units", Array, float]
"""What units are combined with: one number for each of them, or one for all (per sample, or a constant)."""


class Units(abc.ABC):
    """One number for each unit, of every sample and replica. Arithmetic is by unit.

        error = target - at.moving.map(jnp.tanh).mean()      one number for each sample
        slopes = at.moving.map(lambda x: 1 - jnp.tanh(x) ** 2) * at.numbers

    `units[i]` is the number of one unit, `units[i:j]` some of the units, `units.join(more)` both together.
    """

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many units there are."""

    @abc.abstractmethod
    def __getitem__(self, which: Any) -> Any:
        """The number of one unit, or the units of a slice."""

    @abc.abstractmethod
    def combined(self, function: Callable[..., Any], *others: Operand) -> "Units":
        """function(own, *others) of every unit, elementwise."""

    @abc.abstractmethod
    def join(self, more: "Units") -> "Units":
        """These units, and then those."""

    @abc.abstractmethod
    def sum(self) -> Any:
        """The sum over units."""

    @abc.abstractmethod
    def mean(self) -> Any:
        """The mean over units."""

    def map(self, function: Callable[[Any], Any]) -> "Units":
        """function(own) of every unit, elementwise."""
        return self.combined(function)

    def __add__(self, other: Operand) -> "Units":
        return self.combined(lambda a, b: a + b, other)

    def __sub__(self, other: Operand) -> "Units":
        return self.combined(lambda a, b: a - b, other)

    def __mul__(self, other: Operand) -> "Units":
        return self.combined(lambda a, b: a * b, other)

    def __truediv__(self, other: Operand) -> "Units":
        return self.combined(lambda a, b: a / b, other)

    def __neg__(self) -> "Units":
        return self.map(lambda a: -a)

    __radd__, __rmul__ = __add__, __mul__


class UnitList(Units):
    """Units as a list, of lanes: what the unrolled chain computes with."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, which: Any) -> Any:
        return UnitList(self.values[which]) if isinstance(which, slice) else self.values[which]

    def combined(self, function: Callable[..., Any], *others: Operand) -> "UnitList":
        """function(own, *others) of every unit, one lane at a time."""
        columns = [other.values if isinstance(other, UnitList) else [other] * len(self) for other in others]
        return UnitList([function(*row) for row in zip(self.values, *columns, strict=True)])

    def join(self, more: Units) -> "UnitList":
        """These units, and then those, in one list."""
        return UnitList([*self.values, *(more[i] for i in range(len(more)))])

    def sum(self) -> Any:
        """The sum over units, from the first on."""
        return sum(self.values)

    def mean(self) -> Any:
        """The mean over units: their sum times 1/n."""
        return sum(self.values) * (1 / len(self))


class UnitArray(Units):
    """Units as the last axis of an array, (..., units): what matrix products are made of."""

    def __init__(self, values: Float[Array, "*samples units"]) -> None:
        self.values = values

    def __len__(self) -> int:
        return self.values.shape[-1]

    def __getitem__(self, which: Any) -> Any:
        return UnitArray(self.values[..., which]) if isinstance(which, slice) else self.values[..., which]

    def combined(self, function: Callable[..., Any], *others: Operand) -> "UnitArray":
        """function(own, *others) of the whole array, the units on its last axis."""
        return UnitArray(function(self.values, *(self._beside(other) for other in others)))

    def join(self, more: Units) -> "UnitArray":
        """These units, and then those, on the last axis."""
        assert isinstance(more, UnitArray)
        shape = jnp.broadcast_shapes(self.values.shape[:-1], more.values.shape[:-1])
        wide = [jnp.broadcast_to(part, (*shape, part.shape[-1])) for part in (self.values, more.values)]
        return UnitArray(jnp.concatenate(wide, axis=-1))

    def sum(self) -> Any:
        """The sum over the last axis."""
        return jnp.sum(self.values, axis=-1)

    def mean(self) -> Any:
        """The mean over the last axis."""
        return jnp.mean(self.values, axis=-1)

    def _beside(self, other: Operand) -> Any:
        """A number for all units gets their axis; a constant has none to get."""
        if isinstance(other, UnitArray):
            return other.values
        return other if jnp.ndim(other) == 0 else other[..., None]  # type: ignore[index]


def values_of(units: Units) -> Float[Array, "*samples units"]:
    """The array of units that are one."""
    assert isinstance(units, UnitArray)
    return units.values
