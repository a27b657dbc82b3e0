"""What each operation of a jaxpr is in C++: an expression in the names of its operands (functions are in lanes.h)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Params = dict[str, Any]
Operation = Callable[[list["Operand"], str, Params], str]
"""(operands, type of the result, parameters of the equation) -> expression."""


class Unsupported(Exception):
    """What has no form in C++; the message names it."""


@dataclass(frozen=True)
class Operand:
    """A named vector, of a type of lanes.h; `number` is its value where every lane has the same, known one."""

    text: str
    kind: str
    number: Any = None


_KINDS = {
    "bool": "mask",
    "float32": "f32",
    "float64": "f64",
    "int32": "i32",
    "int64": "i64",
    "uint32": "u32",
    "uint64": "u64",
}
FLOATS = ("f32", "f64")


def cpp_type(aval: Any) -> str:
    """The vector type of a scalar, or of a dtype. **Raises:** Unsupported for arrays and other types."""
    shape, dtype = getattr(aval, "shape", ()), np.dtype(getattr(aval, "dtype", aval))
    if shape != ():
        raise Unsupported(f"an array of shape {shape}")
    if dtype.name not in _KINDS:
        raise Unsupported(f"numbers of type {dtype.name}")
    return _KINDS[dtype.name]


def literal(number: Any) -> str:
    """A number as C++ writes it, to the bit."""
    if number.dtype.kind == "b":
        return "-1" if number else "0"
    if number.dtype.kind in "iu":
        return f"{int(number)}{'u' if number.dtype.kind == 'u' else ''}{'ll' if number.dtype.itemsize == 8 else ''}"
    value, suffix = float(number), "f" if number.dtype.itemsize == 4 else ""
    if math.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}__builtin_inf{suffix}()"
    return value.hex() + suffix


def _infix(sign: str) -> Operation:
    return lambda operands, kind, params: f"{operands[0].text} {sign} {operands[1].text}"


def _prefix(sign: str) -> Operation:
    return lambda operands, kind, params: f"{sign}{operands[0].text}"


def _function(name: str) -> Operation:
    return lambda operands, kind, params: f"{name}({', '.join(operand.text for operand in operands)})"


def _of_floats(operation: Operation, name: str) -> Operation:
    """An operation on floats, where integers would need another form that nobody has asked for."""

    def checked(operands: list[Operand], kind: str, params: Params) -> str:
        if operands[0].kind not in FLOATS:
            raise Unsupported(f"the operation `{name}` of type {operands[0].kind}")
        return operation(operands, kind, params)

    return checked


def _comparison(sign: str) -> Operation:
    return lambda operands, kind, params: f"as_mask({operands[0].text} {sign} {operands[1].text})"


def _shift(sign: str) -> Operation:
    """Bits that leave are lost; a shift by all bits or more gives zero in JAX and nothing defined in C++."""

    def shifted(operands: list[Operand], kind: str, params: Params) -> str:
        number = operands[1].number
        bits = 64 if kind in ("i64", "u64") else 32
        if number is None or not 0 <= int(number) < bits:
            raise Unsupported("a shift by a number of bits that is not a constant within the word")
        unsigned = kind.replace("i", "u")
        return f"({kind})(({unsigned}){operands[0].text} {sign} {int(number)})"

    return shifted


def _select(operands: list[Operand], kind: str, params: Params) -> str:
    """select_n(which, case_of_false, case_of_true)."""
    if operands[0].kind != "mask" or len(operands) != 3:
        raise Unsupported("a selection among more than two")
    which, false, true = operands
    return f"pick({which.text}, {true.text}, {false.text})"


def _convert(operands: list[Operand], kind: str, params: Params) -> str:
    (value,) = operands
    if value.kind == kind:
        return value.text
    if value.number is not None:
        dtype = next(np.dtype(name) for name, known in _KINDS.items() if known == kind)
        return f"splat<{kind}>({literal(np.asarray(value.number).astype(dtype))})"
    if value.kind == "mask":
        return f"pick({value.text}, splat<{kind}>(1), splat<{kind}>(0))"
    if kind == "mask":
        return f"as_mask({value.text} != 0)"
    if value.kind in FLOATS and kind not in FLOATS:
        raise Unsupported("a conversion of real numbers to integers")
    return f"__builtin_convertvector({value.text}, {kind})"


def _bitcast(operands: list[Operand], kind: str, params: Params) -> str:
    if kind == "mask" or operands[0].kind == "mask" or kind[1:] != operands[0].kind[1:]:
        raise Unsupported(f"the bits of {operands[0].kind} as {kind}")
    return f"({kind}){operands[0].text}"


def _power(operands: list[Operand], kind: str, params: Params) -> str:
    """x^y for an integer y, by squaring."""
    exponent = int(params["y"])
    if kind not in FLOATS and exponent < 0:
        raise Unsupported("a negative power of integers")
    power = f"power<{abs(exponent)}>({operands[0].text})"
    return power if exponent >= 0 else f"splat<{kind}>(1) / {power}"


def _round(operands: list[Operand], kind: str, params: Params) -> str:
    """To the nearest integer, ties to even; JAX can also round ties away from zero."""
    return f"{'round_even' if int(params['rounding_method']) == 1 else 'round_away'}({operands[0].text})"


def _plain(operands: list[Operand], kind: str, params: Params) -> str:
    """Hands a number on where only a shape changes: every shape is a scalar's here."""
    return operands[0].text


def _clamp(operands: list[Operand], kind: str, params: Params) -> str:
    low, value, high = (operand.text for operand in operands)
    return f"minimum(maximum({value}, {low}), {high})"


_OF_FLOATS = (
    "sqrt", "rsqrt", "cbrt", "exp", "exp2", "expm1", "log", "log1p", "logistic", "erf", "erfc", "tanh", "sinh", "cosh",
    "sin", "cos", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh", "atan2", "pow", "floor", "ceil", "sign",
)  # fmt: skip
"""Functions of lanes.h whose name is that of JAX and an underscore."""

OPERATIONS: dict[str, Operation] = {
    **{name: _infix(sign) for name, sign in {"add": "+", "add_any": "+", "sub": "-", "mul": "*"}.items()},
    **{name: _infix(sign) for name, sign in {"and": "&", "or": "|", "xor": "^"}.items()},
    **{name: _comparison(sign) for name, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()},
    **{name: _comparison(sign) for name, sign in {"eq": "==", "ne": "!="}.items()},
    **{name: _of_floats(_function(f"{name}_"), name) for name in _OF_FLOATS},
    "not": _prefix("~"),
    "neg": _prefix("-"),
    "div": _of_floats(_infix("/"), "div"),
    "abs": _of_floats(_function("absolute"), "abs"),
    "max": _function("maximum"),
    "min": _function("minimum"),
    "clamp": _clamp,
    "square": lambda operands, kind, params: f"{operands[0].text} * {operands[0].text}",
    "integer_pow": _power,
    "round": _of_floats(_round, "round"),
    "is_finite": _of_floats(_function("is_finite"), "is_finite"),
    "select_n": _select,
    "shift_left": _shift("<<"),
    "shift_right_logical": _shift(">>"),
    "convert_element_type": _convert,
    "bitcast_convert_type": _bitcast,
    **dict.fromkeys(
        ("broadcast_in_dim", "reshape", "squeeze", "stop_gradient", "copy", "optimization_barrier"), _plain
    ),
}
"""Operations of one result. `optimization_barrier` of several results is not among them."""
