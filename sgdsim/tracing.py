"""Whether a value is one that JAX is tracing: it has no number yet, so nobody can look whether it is in its range."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any, TypeGuard

from jax.core import Tracer


def is_traced(value: Any) -> TypeGuard[Any]:
    """Whether this is a traced array."""
    return isinstance(value, Tracer)


def any_traced(*parts: Any) -> bool:
    """Whether anything in these is traced: in lists, fields of dataclasses, or what a function has from around it."""
    todo, seen = list(parts), set[int]()
    while todo:
        part = todo.pop()
        if is_traced(part):
            return True
        if id(part) not in seen:  # a function may have itself from around it
            seen.add(id(part))
            todo += _within(part)
    return False


def _within(part: Any) -> Iterator[Any]:
    if isinstance(part, list | tuple):
        yield from part
    elif isinstance(part, dict):
        yield from part.values()
    elif isinstance(part, partial):
        yield from (part.func, part.args, part.keywords)
    elif isinstance(part, FunctionType):
        yield part.__defaults__
        for cell in part.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # it has no content yet
                continue
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        yield from (getattr(part, field.name) for field in dataclasses.fields(part))
