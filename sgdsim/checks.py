"""Arguments checked at the door, by plain Python, before anything is compiled: each mistake is one ArgumentError."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, SupportsFloat, SupportsIndex, TypeVar, Union, get_args, get_origin

import numpy as np
from jaxtyping import Array, Float, Num

from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared, split
from sgdsim.tracing import is_traced

Integer = SupportsIndex
"""What is taken for an integer: Python's or NumPy's; `integer` makes it Python's."""
Real = SupportsFloat
"""What is taken for a real number: Python's or NumPy's, with or without a decimal point; `number` makes it a float."""


LARGEST = 2**63 - 1
"""The largest 64-bit integer: what is beyond has no place in an array, and a seed beyond would be cut off."""

Row = Sequence[Real] | Num[np.ndarray | Array, " n"]
"""What is taken for a row of real numbers; `row` makes it an array."""


def integer(argument: str, value: object, least: int | None = None) -> int:
    """A whole number, >= `least` where there is one, below 2^63, as Python's int. True is none, and neither is 3.0.

    **Raises:** ArgumentError for anything else.
    """
    try:
        found = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or (least is not None and found < least):
        remedy = f"Write {value:.0f}." if isinstance(value, float) and value.is_integer() else ""
        raise ArgumentError(argument, "be an integer" + ("" if least is None else f" >= {least}"), value, remedy)
    if found > LARGEST:
        raise ArgumentError(argument, "be below 2**63", value)
    return found


def number(
    argument: str,
    value: object,
    must: str = "be finite",
    good: Callable[[float], bool] = math.isfinite,
    remedy: str = "",
) -> float:
    """A real number for which `good` holds, as Python's float; `must` says in words what `good` asks for.

    **Raises:** ArgumentError for anything else.
    """
    array = _array(value)
    if array.ndim or array.dtype.kind not in "iuf":
        raise ArgumentError(argument, "be a number", value)
    if not good(float(array)):
        raise ArgumentError(argument, must, value, remedy)
    return float(array)


def positive(argument: str, value: object) -> float:
    """A finite number > 0. **Raises:** ArgumentError for anything else."""
    return number(argument, value, "be finite and > 0", lambda x: math.isfinite(x) and x > 0)


def row(argument: str, value: Any, remedy: str = "") -> Float[np.ndarray, " n"]:
    """A row of real numbers, a list or an array, as an array, float64. **Raises:** ArgumentError for anything else."""
    array = _array(value)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        raise ArgumentError(argument, "be a row of numbers", value, remedy)
    return array.astype(np.float64)


def interval(argument: str, value: Row) -> tuple[float, float]:
    """Two finite increasing numbers. **Raises:** ArgumentError for anything else."""
    ends = row(argument, value)
    if len(ends) != 2 or not np.isfinite(ends).all() or not ends[0] < ends[1]:
        raise ArgumentError(argument, "be two increasing numbers", ends.tolist())
    return float(ends[0]), float(ends[1])


def _array(value: Any) -> np.ndarray:
    """The value as an array, without a dimension and of type object where it is none."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):  # a ragged list, or a value that JAX is tracing
        return np.asarray(None)


def choice(argument: str, value: object, known: tuple[object, ...], remedy: str = "") -> None:
    """**Raises:** ArgumentError unless the value is one of the known ones, of the same type: 1 is not True."""
    if not any(isinstance(value, type(one)) and value == one for one in known):
        words = [f'"{one}"' if isinstance(one, str) else str(one) for one in known]
        raise ArgumentError(
            argument, f"be {' or '.join(filter(None, [', '.join(words[:-1]), words[-1]]))}", value, remedy
        )


Class = TypeVar("Class", bound=type)
Number = TypeVar("Number", int, float)


def lenient(owner: Class) -> Class:
    """Of a class that makes its fields Python's own: the constructor takes what it converts, NumPy's numbers and lists.

    To type checkers of source a parameter is of its field's type; to one at run time, as the tests have, of any.
    """
    for one in declared(owner):
        owner.__init__.__annotations__[one.name] = Any
    return owner


def check_fields(part: Any) -> None:
    """Checks the fields of a dataclass that are annotated with a Literal, bool, int or float, or None beside it.

    A field that declares a `Parameter` has to be in its range. Numbers of NumPy become Python's.

    **Raises:** ArgumentError naming the field.
    """
    for name, kinds, parameter in _kinds_of(type(part)):
        value = getattr(part, name)
        if not (value is None and NoneType in kinds):
            for kind in kinds:
                object.__setattr__(part, name, _as_kind(name, value, kind, parameter))


@lru_cache
def _kinds_of(owner: type) -> tuple[tuple[str, tuple[Any, ...], Parameter | None], ...]:
    """Name, types and parameter of every field, read once: a grid has thousands of problems of one class."""
    found = []
    for field in fields(owner):
        annotation, parameter = split(field.type)
        kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
        found.append((field.name, kinds, parameter))
    return tuple(found)


def as_declared(owner: type, name: str, value: object) -> Any:
    """A value as the parameter of this name of a class, where there is no object yet.

    **Raises:** ArgumentError where it is of another type or out of range.
    """
    (one,) = (one for one in declared(owner) if one.name == name)
    return _as_kind(name, value, one.kind, one.parameter)


def _as_kind(argument: str, value: Any, kind: Any, parameter: Parameter | None) -> Any:
    """The value as one of a kind that is known here; of another kind as it is."""
    if get_origin(kind) is Literal:
        known = get_args(kind)
        value = integer(argument, value) if type(known[0]) is int else value
        choice(argument, value, known)
    elif kind is bool:
        value = bool(value) if isinstance(value, np.bool_) else value
        choice(argument, value, (True, False))
    elif kind is int:
        least = None if parameter is None or parameter.least is None else int(parameter.least)
        found = integer(argument, value, least)
        return found if parameter is None else _in_range(argument, found, parameter)
    elif kind is float and is_traced(value) and not value.ndim:
        return value  # of `solve` within jit, vmap or grad: it has no number yet
    elif kind is float:
        return real(argument, value, parameter)
    return value


def real(argument: str, value: Any, parameter: Parameter | None) -> float:
    """A number in the range of its parameter; without one, any but nan. **Raises:** ArgumentError for anything else."""
    remedy = "" if parameter is None else f"It must {parameter.asks}."
    found = number(argument, value, "be a number, not nan", lambda x: not math.isnan(x), remedy)
    return found if parameter is None else _in_range(argument, found, parameter)


def _in_range(argument: str, value: Number, parameter: Parameter) -> Number:
    if not (math.isfinite(value) and parameter.holds(value)):
        raise ArgumentError(argument, parameter.asks, value)
    return value
