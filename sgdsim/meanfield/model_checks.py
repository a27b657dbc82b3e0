"""What a user hands over as a part of a model, tried on shapes alone: nothing is computed.

Particles and inputs come in several shapes and in both precisions, and a function has to give what they broadcast to.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sgdsim.errors import ArgumentError

_SHAPES = (((3, 1), (1, 2)), ((3, 2), ()))
"""Of a weight and an input, or of a prediction and a label; both give (3, 2)."""
_WRITE = "Write it with jax.numpy, elementwise, and with numbers of Python: constants of NumPy widen the precision."


def check_kind(argument: str, value: object, kind: type[Any], remedy: str) -> None:
    """**Raises:** ArgumentError unless the value is of a kind."""
    if not isinstance(value, kind):
        raise ArgumentError(argument, f"be a {kind.__name__}", value, remedy)


def check_function(argument: str, value: object, of: str) -> None:
    """**Raises:** ArgumentError unless the value can be called."""
    if not callable(value):
        raise ArgumentError(argument, f"be a function of {of}", value, "Give the function itself.")


def check_feature(feature: Callable[..., Any], weights: int, inputs: int) -> None:
    """**Raises:** ArgumentError unless F(w, x) has the shape that `weights` and `inputs` components broadcast to."""
    last = [f"w[{weights - 1}]", f"x[{inputs - 1}]"]
    remedy = f"Components are w[0] to {last[0]} and x[0] to {last[1]}. {_WRITE}"
    for dtype in (jnp.float32, jnp.float64):
        for w, x in _SHAPES:
            arguments = (_components(weights, w, dtype), _components(inputs, x, dtype))
            _check_result("feature", feature, arguments, (3, 2), dtype, remedy)


def check_coordinate(coordinate: Callable[..., Any], weights: int) -> None:
    """**Raises:** ArgumentError unless it is a number of every particle."""
    remedy = f"Components are w[0] to w[{weights - 1}]. {_WRITE}"
    _check_result("coordinate", coordinate, (_components(weights, (3, 2), jnp.float64),), (3, 2), jnp.float64, remedy)


def check_loss(loss: Any) -> None:
    """**Raises:** ArgumentError unless value and slope of a loss have the shape that its arguments broadcast to."""
    for dtype in (jnp.float32, jnp.float64):
        for prediction, label in _SHAPES:
            arguments = (_array(prediction, dtype), _array(label, dtype))
            for function in (loss, loss.slope):
                _check_result("loss", function, arguments, (3, 2), dtype, _WRITE)


def check_law(law: Any) -> None:
    """**Raises:** ArgumentError unless W_0 has as many components as it is made from."""
    remedy = "A law makes W_0 (dim, ...) from standard normals (dim, ...)."
    _check_result("law", law, (_array((law.dim, 3, 2), jnp.float64),), (law.dim, 3, 2), jnp.float64, remedy)


def check_draw(data: Any) -> None:
    """**Raises:** ArgumentError unless a datum is x, by component or joined, and y, in the shape of the key's words."""
    inputs, word = data.inputs, _array((3,), jnp.uint32)
    parts = "one array of them" if data.joined else f"{inputs} arrays"
    remedy = f"`draw` gives ({parts}, an array), each in the shape of a word of the key and of the dtype."
    drawn = _tried("data", lambda k: data.draw((k, k), jnp.uint32(0), np.dtype(np.float32)), (word,), remedy)
    found = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(drawn)]
    x = [(inputs, 3)] if data.joined else [(3,)] * inputs
    if found != [(shape, jnp.float32) for shape in (*x, (3,))]:
        raise ArgumentError("data", f"draw {inputs} inputs and a label", found, remedy)


def _check_result(
    argument: str,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    shape: tuple[int, ...],
    dtype: Any,
    remedy: str,
) -> None:
    result = _tried(argument, function, arguments, remedy)
    got = (getattr(result, "shape", None), getattr(result, "dtype", None))
    if got != (shape, dtype):
        of = " and ".join(str(jax.tree.leaves(part)[0].shape) for part in arguments)
        name = jnp.dtype(dtype).name
        found = f"{got[0]} in {got[1]}" if got[0] is not None else f"a {type(result).__name__}"
        raise ArgumentError(argument, f"give an array {shape} in {name} for arrays {of} in {name}", found, remedy)


def _tried(argument: str, function: Callable[..., Any], arguments: Sequence[Any], remedy: str) -> Any:
    """The shapes of what a function gives; whatever it raises is told as the fault of the argument."""
    try:
        return jax.eval_shape(function, *arguments)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        raise ArgumentError(argument, "work on arrays of JAX", f"{type(error).__name__}: {first}", remedy) from error


def _components(count: int, shape: tuple[int, ...], dtype: Any) -> tuple[jax.ShapeDtypeStruct, ...]:
    return tuple(_array(shape, dtype) for _ in range(count))


def _array(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
