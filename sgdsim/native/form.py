"""The loop of `ensemble.lane_loop` as one call of a function in C++, made from the loop's own step."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.lane_loop import LaneArrays, LaneLoop, xla_form
from sgdsim.ensemble.pin import no_pin
from sgdsim.ensemble.random import fold
from sgdsim.errors import ArgumentError
from sgdsim.native.build import BuildError
from sgdsim.native.emit import emit_function
from sgdsim.native.library import library_name, source_of
from sgdsim.native.primitives import Unsupported, cpp_type
from sgdsim.notices import notice


def loop_source(loop: LaneLoop) -> str:
    """The loop in C++. **Raises:** Unsupported where its step has no form there."""
    real = cpp_type(np.dtype(loop.dtype))
    step = emit_function(
        "step",
        lambda whole, fixed, constants, change, key, index: loop.step(
            whole, fixed, constants, change, (key[0], key[1]), index[0], no_pin
        ),
        [
            ("whole", loop.dtype, loop.whole),
            ("fixed", loop.dtype, loop.fixed),
            ("constants", loop.dtype, loop.constants),
            ("change", loop.dtype, loop.whole),
            ("key", np.uint32, 2),
            ("index", np.uint32, 1),
        ],
        out=real,
    )
    folded = emit_function(
        "fold",
        lambda key, number: fold((key[0], key[1]), number[0]),
        [("key", np.uint32, 2), ("number", np.uint64, 1)],
        out="u32",
    )
    counts = f"enum {{ WHOLE = {loop.whole}, FIXED = {loop.fixed}, CONSTANTS = {loop.constants} }};\n"
    return source_of(loop.dtype, folded, step, counts, "lane_loop.h")


@dataclass(frozen=True)
class NativeForm:
    """A form of the loop that a C++ compiler makes when it is traced, where there is one: else `xla_form`.

    - `required`: where it cannot be had, that is an error.
    """

    required: bool = False

    def __call__(
        self, loop: LaneLoop, arrays: LaneArrays, n_steps: Int[Array, ""], segment: Int[Array, ""] | int
    ) -> Float[Array, "whole lanes"]:
        """The state after n_steps more steps, as `xla_form` makes it to rounding.

        **Raises:** ArgumentError where it is required and cannot be had.
        """
        try:
            name = library_name(loop_source(loop))
        except (Unsupported, BuildError) as error:
            lacking = f"no C++ for {error}" if isinstance(error, Unsupported) else str(error)
            if self.required:
                raise ArgumentError("kernel", "be `auto` or `xla` here", "fused", f"There is {lacking}.") from error
            notice(f"a loop runs as XLA compiles it, several times slower than as C++: there is {lacking}")
            return xla_form(loop, arrays, n_steps, segment)
        shape = jax.ShapeDtypeStruct(arrays.whole.shape, jnp.float64)
        call = jax.ffi.ffi_call(name, shape, vmap_method="sequential")
        counts = (jnp.asarray(number, jnp.int64) for number in (arrays.step, n_steps, segment))
        return call(arrays.whole, arrays.fixed, arrays.constants, arrays.keys, *counts)
