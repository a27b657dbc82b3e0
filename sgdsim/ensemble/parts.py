"""Whether a problem, a start, a simulator and a theory are what they should be, and belong together."""

import inspect
from collections.abc import Iterator
from typing import Any

from sgdsim.checks import positive
from sgdsim.contracts import Problem, Simulator, Start, Theory
from sgdsim.errors import ArgumentError


def check_problem(problem: Any) -> None:
    """**Raises:** ArgumentError unless this is a problem, whose steps take time."""
    if not isinstance(problem, Problem):
        remedy = "Make one, e.g. sgdsim.committee.Committee(d=1000, p=4, k=4, gamma=4.0)."
        raise ArgumentError("problem", "be a problem of one of the systems", problem, remedy)
    positive(f"{type(problem).__name__}.dt", problem.dt)
    positive(f"{type(problem).__name__}.samples_per_step", problem.samples_per_step)


def check_parts(problem: Any, start: Any, simulator: Any = None, theory: Any = None) -> None:
    """**Raises:** ArgumentError unless they all are of one system, and what is given fits the problem.

    Types come first, each by itself, so that a class, a name or a part of another system is told as what it is.
    """
    check_problem(problem)
    parts = (("simulator", simulator, Simulator), ("start", start, Start), ("theory", theory, Theory))
    given = [entry for entry in parts if entry[1] is not None or entry[0] == "start"]
    for argument, part, base in given:
        if not (isinstance(part, base) and isinstance(problem, part.takes)):
            raise ArgumentError(argument, f"be a {argument} of {_name(problem)}", part, _remedy(problem, part, base))
    for _, part, _ in given:
        part.check(problem)
    if theory is not None:
        theory.check_start(problem, start)


def _remedy(problem: Any, got: object, base: type[Any]) -> str:
    """What to write instead: the object that a class or a name stands for, or else all that there are."""
    known = {
        kind.__name__: kind for kind in _kinds(base) if kind.takes is not Problem and isinstance(problem, kind.takes)
    }
    meant = [
        kind for kind in known.values() if kind is got or (isinstance(got, str) and getattr(kind, "name", "") == got)
    ]
    if meant:
        return f"Write {_name(meant[0])}(...)." if _needs_arguments(meant[0]) else f"Write {_name(meant[0])}()."
    return f"{_room(type(problem))} has {', '.join(known)}." if known else ""


def _kinds(base: type[Any]) -> Iterator[type[Any]]:
    """All classes below a base that can be made objects of."""
    for kind in base.__subclasses__():
        if not inspect.isabstract(kind):
            yield kind
        yield from _kinds(kind)


def _needs_arguments(kind: type[Any]) -> bool:
    parameters = inspect.signature(kind).parameters.values()
    return any(parameter.default is parameter.empty for parameter in parameters)


def _room(kind: type[Any]) -> str:
    """The package that a system's classes are found in."""
    return ".".join(kind.__module__.split(".")[:2])


def _name(thing: Any) -> str:
    """sgdsim.committee.Committee, of a class or of its object."""
    kind = thing if isinstance(thing, type) else type(thing)
    return f"{_room(kind)}.{kind.__name__}"
