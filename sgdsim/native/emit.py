"""C++ from a jaxpr of scalars: every operation becomes one statement on vectors of lanes (see lanes.h).

So the arithmetic is that of the Python function which was traced, and is written nowhere else.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

from sgdsim.native.primitives import OPERATIONS, Operand, Unsupported, cpp_type, literal

_CALLS = {"jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr"}
_RULED = {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr", "remat": "jaxpr", "checkpoint": "jaxpr"}
_INLINED = _CALLS | _RULED
"""Primitives that do what a jaxpr does, and the parameter that holds it."""


def emit_function(name: str, function: Callable[..., Any], groups: Sequence[tuple[str, Any, int]], out: str) -> str:
    """A C++ function that does what `function` does to every lane.

    - `groups`: name, type and length of each list of numbers that `function` takes.
    - `out`: type of the numbers that it returns in a row.

    The C++ function takes a pointer to vectors for each group, and one to which results go; it may be one of those.

    **Raises:** Unsupported where an operation has no form in C++.
    """
    lists = [[jax.ShapeDtypeStruct((), np.dtype(dtype))] * count for _, dtype, count in groups]
    jaxpr = jax.make_jaxpr(function)(*lists)
    emitter = _Emitter()
    given = [f"{group}[{i}]" for group, _, count in groups for i in range(count)]
    arguments = [emitter.name(cpp_type(var.aval), place) for var, place in zip(jaxpr.jaxpr.invars, given, strict=True)]
    results = emitter.inline(jaxpr, arguments)
    stores = [f"out[{i}] = {result.text};" for i, result in enumerate(results)]
    head = ", ".join(f"const {cpp_type(np.dtype(dtype))} *{group}" for group, dtype, _ in groups)
    body = "\n  ".join(emitter.lines + stores)
    return f"INLINE void {name}({head}, {out} *out) {{\n  {body}\n}}\n"


class _Emitter:
    """Statements in order, and the names that they gave."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._literals: dict[tuple[str, str], Operand] = {}

    def name(self, kind: str, text: str) -> Operand:
        """A name for the value of an expression."""
        operand = Operand(f"v{len(self.lines)}", kind)
        self.lines.append(f"const {kind} {operand.text} = {text};")
        return operand

    def inline(self, closed: ClosedJaxpr, arguments: Sequence[Operand]) -> list[Operand]:
        """The results of a jaxpr."""
        known: dict[Var, Operand] = {}
        for var, value in zip(closed.jaxpr.constvars, closed.consts, strict=True):
            known[var] = self._constant(value)
        known.update(zip(closed.jaxpr.invars, arguments, strict=True))
        self._run(closed.jaxpr, known)
        return [self._read(atom, known) for atom in closed.jaxpr.outvars]

    def _run(self, jaxpr: Jaxpr, known: dict[Var, Operand]) -> None:
        for equation in jaxpr.eqns:
            operands = [self._read(atom, known) for atom in equation.invars]
            primitive = equation.primitive.name
            if primitive in _INLINED:
                inner = equation.params[_INLINED[primitive]]
                closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
                known.update(zip(equation.outvars, self.inline(closed, operands), strict=True))
            elif primitive in OPERATIONS:
                (out,) = equation.outvars
                known[out] = self._operation(primitive, cpp_type(out.aval), operands, equation.params)
            else:
                raise Unsupported(f"the operation `{primitive}`")

    def _operation(self, primitive: str, kind: str, operands: list[Operand], params: dict[str, Any]) -> Operand:
        text = OPERATIONS[primitive](operands, kind, params)
        # What changes nothing, e.g. a broadcast of a scalar to no axis, needs no name of its own.
        return operands[0] if text == operands[0].text and kind == operands[0].kind else self.name(kind, text)

    def _read(self, atom: Any, known: dict[Var, Operand]) -> Operand:
        if not isinstance(atom, Literal):
            return known[atom]
        aval: Any = atom.aval
        return self._constant(np.asarray(atom.val, aval.dtype))

    def _constant(self, value: Any) -> Operand:
        """A number, once for all who use it. Its value stays at hand for who can use it better than a vector."""
        if isinstance(value, Tracer):
            raise Unsupported("a value of a function around it")
        number = np.asarray(value)
        kind, text = cpp_type(number), literal(number)
        if (kind, text) not in self._literals:
            named = self.name(kind, f"splat<{kind}>({text})")
            self._literals[kind, text] = Operand(named.text, kind, number)
        return self._literals[kind, text]
