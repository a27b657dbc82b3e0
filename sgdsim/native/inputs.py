"""Inputs and their products as two calls of functions in C++: the random numbers are those of `ensemble.random`."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.ensemble.inputs import Inputs, xla_inputs
from sgdsim.ensemble.pin import Pinning
from sgdsim.ensemble.random import Key, normal_pair
from sgdsim.errors import ArgumentError
from sgdsim.native.build import BuildError
from sgdsim.native.emit import emit_function
from sgdsim.native.library import library_name, source_of
from sgdsim.native.primitives import cpp_type
from sgdsim.notices import notice

_ROW = 16
"""Rows of inputs are whole vectors of any processor."""


def pair_source(dtype: Any) -> str:
    """`pair`, two normals of a key and a counter: those of `ensemble.random`."""
    return emit_function(
        "pair",
        lambda key, counter: normal_pair((key[0], key[1]), (counter[0], counter[1]), dtype),
        [("key", np.uint32, 2), ("counter", np.uint32, 2)],
        out=cpp_type(np.dtype(dtype)),
    )


def inputs_source(dtype: Any) -> str:
    """What draws the inputs of a block and makes their products."""
    return source_of(dtype, pair_source(dtype), "products.h", "draw.h", "inputs.h")


def moved_source(dtype: Any) -> str:
    """What moves rows along the inputs."""
    return source_of(dtype, "products.h", "moved.h")


@dataclass(frozen=True)
class NativeInputs:
    """A form of the inputs that a C++ compiler makes when it is traced, where there is one: else `xla_inputs`.

    - `required`: where it cannot be had, that is an error.
    """

    required: bool = False

    def __call__(
        self,
        key: Key,
        student: Float[Array, "lanes p d"],
        teacher: Float[Array, "lanes k d"],
        samples: int,
        pin: Pinning,
    ) -> Inputs:
        """The products, as `xla_inputs` makes them to rounding.

        **Raises:** ArgumentError where it is required and cannot be had.
        """
        dtype = student.dtype
        try:
            drawing, moving = library_name(inputs_source(dtype)), library_name(moved_source(dtype))
        except BuildError as error:
            if self.required:
                raise ArgumentError("kernel", "be `auto` or `xla` here", "fused", f"There is {error}.") from error
            notice(f"inputs are made as XLA compiles it, at half the speed of C++: there is {error}")
            return xla_inputs(key, student, teacher, samples, pin)
        (lanes, p, d), k = student.shape, teacher.shape[1]
        shapes = ((samples, -(-d // _ROW) * _ROW), (samples,), (samples, samples), (samples, p), (samples, k))
        results = [jax.ShapeDtypeStruct((lanes, *shape), dtype) for shape in shapes]
        draw = jax.ffi.ffi_call(drawing, results, vmap_method="sequential")
        x, zeta, gram, fields, targets = draw(jnp.stack(key), student, teacher)
        move = jax.ffi.ffi_call(moving, jax.ShapeDtypeStruct(student.shape, dtype), vmap_method="sequential")
        return Inputs(student=fields, teacher=targets, gram=gram, zeta=zeta, moved=lambda E: move(student, x, E))
