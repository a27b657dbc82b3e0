"""The checks of shapes and types that every test runs under, at a third of what they cost as jaxtyping makes them.

Its hook (`--jaxtyping-packages` in pyproject.toml) puts `jaxtyping.jaxtyped` on every function of sgdsim, which then
binds its arguments by name, has them checked twice, and has two functions of its own compiled: at import, and whenever
a function is defined within another. A call costs 0.1 ms, and the tests make millions while JAX traces.
"""

import functools
import inspect
import typing

import jaxtyping

jaxtyped = jaxtyping.jaxtyped


def checked(fn, *, typechecker):
    """What the hook puts on a function or class: the same checks, with no more than the annotations need.

    Without shapes it is left to the type checker. With shapes it has a scope of its own for their names, which is all
    that `jaxtyped` adds; a shape that is computed from arguments ("{k}+{p}"), and names that exist for static checkers
    only, are left to `jaxtyped`.
    """
    if not inspect.isfunction(fn):
        return jaxtyped(fn, typechecker=typechecker)
    parts = [part for annotation in fn.__annotations__.values() for part in _parts(annotation)]
    shapes = [part for part in parts if isinstance(part, type) and issubclass(part, jaxtyping.AbstractArray)]
    if any(isinstance(part, (str, typing.ForwardRef)) for part in parts) or any("{" in part.dim_str for part in shapes):
        return jaxtyped(fn, typechecker=typechecker)
    return _scoped(typechecker(fn)) if shapes else typechecker(fn)


def _scoped(fn):
    @functools.wraps(fn)
    def scoped(*args, **kwargs):
        with jaxtyped("context"):
            return fn(*args, **kwargs)

    return scoped


def _parts(annotation):
    """The annotation and all that it is made of."""
    yield annotation
    if typing.get_origin(annotation) is not typing.Literal:
        for part in typing.get_args(annotation):
            yield from _parts(part)


def install():
    """From here on the hook takes these; no module of sgdsim may be imported before."""
    jaxtyping.jaxtyped = lambda *, typechecker: functools.partial(checked, typechecker=typechecker)
