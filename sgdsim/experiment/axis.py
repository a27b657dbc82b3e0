"""The values of one axis of a grid, from any of the ways to write it."""

from typing import Any, TypeGuard

import numpy as np

from sgdsim.contracts import Scalar
from sgdsim.errors import ArgumentError

Axis = list[Scalar]

MAX_CELLS = 100_000
"""Cells of an experiment at most, and so values of an axis."""

LARGEST = 1e100
"""Of the ends of a spaced axis, so that nothing in between overflows."""

_FORMS = "be a list, { log = [lo, hi, n] } or { linear = [lo, hi, n] }"


def read_axis(key: str, spec: Any, kind: type) -> Axis:
    """The values of `[v1, v2, ...]`, `{ log = [lo, hi, n] }` or `{ linear = [lo, hi, n] }`.

    `kind` is int or float for a key that takes such a number, else object: integers are written as floats where floats
    are meant, and spaced values are rounded where integers are.

    **Raises:** ArgumentError for anything else.
    """
    if isinstance(spec, dict):
        return _spaced(key, spec, kind)
    if not isinstance(spec, list):
        raise ArgumentError(key, _FORMS, spec, "Set a single value in [problem].")
    if not spec:
        raise ArgumentError(key, "have at least one value", spec)
    for value in spec:
        if not isinstance(value, Scalar):
            raise ArgumentError(key, "hold numbers or strings only", value)
    return [float(value) if kind is float and _is_int(value) else value for value in spec]


def _spaced(key: str, spec: dict[str, Any], kind: type) -> Axis:
    """Spaced values. Inner floats are rounded to 12 digits: they print well, and no machine's logarithm matters."""
    spacing = next(iter(spec), "")
    if len(spec) != 1 or spacing not in ("log", "linear"):
        raise ArgumentError(key, _FORMS, spec)
    low, high, count = _range(key, spacing, spec[spacing])
    values = (np.geomspace if spacing == "log" else np.linspace)(low, high, count).tolist()
    if kind is not int:
        # The ends as they were written; 12 digits between, so that 0.30000000000000004 is 0.3 in tables and labels.
        return [low, *(float(f"{value:.12g}") for value in values[1:-1]), high]
    integers = [round(value) for value in values]
    if len(set(integers)) < count:
        remedy = "Ask for fewer points or a wider range."
        raise ArgumentError(key, f"give {count} different integers", len(set(integers)), remedy)
    return list(integers)


def _range(key: str, spacing: str, entries: Any) -> tuple[float, float, int]:
    """lo, hi and n."""
    count = entries[2] if isinstance(entries, list) and len(entries) == 3 else None
    if not (_is_int(count) and 2 <= count <= MAX_CELLS and all(map(_is_number, entries[:2]))):
        must = f"be {{ {spacing} = [lo, hi, n] }} with numbers lo, hi and an integer n from 2 to {MAX_CELLS}"
        raise ArgumentError(key, must, entries)
    low, high = map(float, entries[:2])
    if spacing == "log" and min(low, high) <= 0:
        raise ArgumentError(key, "have lo and hi > 0 to be spaced in log", entries)
    return low, high, count


def _is_int(value: Any) -> TypeGuard[int]:
    # Beyond 2^53 a float no longer holds every integer: a value would change without a word.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and abs(value) < LARGEST)
