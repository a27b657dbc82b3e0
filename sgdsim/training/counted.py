"""What a function of JAX takes, counted from the operations that it is made of: for plans of what nobody has timed."""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import jaxprs_in_params

from sgdsim.training.module import ModuleStudent, skeleton_of

FEW = {"add", "sub", "mul", "neg", "max", "min", "select_n", "sign", "abs", "convert_element_type", "copy"}
FREE = {"reshape", "broadcast_in_dim", "squeeze", "transpose", "slice", "stop_gradient"}
FUNCTION = 10.0
"""Elementwise operations of a function such as erf; see `StepCost`."""


class Counted(NamedTuple):
    """Operations by element, those in matrix products, numbers that are made on the way, and how many steps it has."""

    operations: float
    products: float
    numbers: float
    steps: float


@lru_cache(maxsize=256)
def count_gradient(student: ModuleStudent, d: int, p: int) -> Counted:
    """Of the gradient of (y - f(x))^2/2 of one datum with respect to all parameters; the numbers are those of f alone.

    A gradient is added up over data, and so is not held for each of them.
    """
    skeleton = skeleton_of(student, d, p)

    def loss(parameters: Any, x: Any) -> Any:
        return eqx.combine(parameters, skeleton.static)(x) ** 2

    x = jax.ShapeDtypeStruct((d,), jnp.float32)
    alone, whole = (count(jax.make_jaxpr(one)(skeleton.shapes, x).jaxpr) for one in (loss, jax.value_and_grad(loss)))
    return whole._replace(numbers=alone.numbers)


def count(jaxpr: Any) -> Counted:
    """Of a jaxpr; loops of unknown length count once, and of branches all."""
    total = Counted(0.0, 0.0, 0.0, 0.0)
    for equation in jaxpr.eqns:
        inner = [count(one) for one in jaxprs_in_params(equation.params)]
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        found = [Counted(*(times * value for value in one)) for one in inner] or [_of(equation)]
        total = Counted(*(sum(values) for values in zip(total, *found, strict=True)))
    return total


def _of(equation: Any) -> Counted:
    """Of one operation."""
    name, size = equation.primitive.name, float(sum(math.prod(one.aval.shape) for one in equation.outvars))
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return Counted(0.0, 2 * size * math.prod(shape[axis] for axis in contracted), size, 1.0)
    if name in FREE:
        return Counted(0.0, 0.0, 0.0, 0.0)
    # A sum takes as many operations as it has terms.
    work = max(size, *(float(math.prod(getattr(one.aval, "shape", ()))) for one in equation.invars), 0.0)
    return Counted(work * (1.0 if name in FEW or name.startswith("reduce") else FUNCTION), 0.0, size, 1.0)
