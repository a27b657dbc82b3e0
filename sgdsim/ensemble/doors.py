"""The door: whether what a system hands over is what its contract says, from shapes alone, before anything is compiled.

Everything here is looked at once for each bind. Observables are arrays, or what `jax.eval_shape` says of them. What
shapes cannot tell, `sgdsim.testing.check_system` does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from sgdsim.contracts import Initial, Kernel, Problem, Simulator, Start, Theory
from sgdsim.errors import ArgumentError
from sgdsim.systems import system_of


def check_kernel(kernel: Any, simulator: Simulator, lanes: int | None = None) -> None:
    """**Raises:** ArgumentError unless this is a kernel with lanes and segments as its contract has them.

    - `lanes`: those of the simulator's outline, by which tiles are cut; None for the outline itself.
    """
    name = type(kernel).__name__
    if not isinstance(kernel, Kernel):
        raise ArgumentError(f"{type(simulator).__name__}.bind", "return a Kernel", kernel)
    # Replicas of a tile are added by halves, in the same order on every device.
    if not _is_int(kernel.lanes) or kernel.lanes < 1 or kernel.lanes & (kernel.lanes - 1):
        remedy = f"Let {type(simulator).__name__}.bind choose 1, 2, 4, 8, ..., whatever the number of replicas."
        raise ArgumentError(f"{name}.lanes", "be a power of two", kernel.lanes, remedy)
    if lanes not in (None, kernel.lanes):
        remedy = f"Choose them in one function, for {type(simulator).__name__}.bind and outline."
        raise ArgumentError(f"{name}.lanes", f"be those of the outline, {lanes}", kernel.lanes, remedy)
    if np.ndim(kernel.segment) or int(kernel.segment) != kernel.segment or kernel.segment < 1:
        remedy = "Steps that do not come in segments have segment = 1."
        raise ArgumentError(f"{name}.segment", "be an integer >= 1", kernel.segment, remedy)


def check_drawn(start: Start, initial: Initial) -> None:
    """**Raises:** ArgumentError unless one state was drawn, with a leading replica axis in every array."""
    for leaf in jax.tree.leaves(initial):
        if np.shape(leaf)[:1] != (1,):
            remedy = "Stack the states along axis 0: of one replica too, (size, ...)."
            must = "give arrays with a leading replica axis, of length 1 for size = 1"
            raise ArgumentError(f"{type(start).__name__}.draw", must, np.shape(leaf), remedy)


def check_observed(seen: Any, kernel: Kernel, problem: Problem) -> None:
    """**Raises:** ArgumentError unless a tile's observables are named, shaped and typed as they must be."""
    _check_named(f"{type(kernel).__name__}.observe", seen, problem, kernel.added)
    _check_complete(f"{type(kernel).__name__}.observe", seen, problem)
    for name, value in seen.items():
        if value.shape[-1] != kernel.lanes:
            argument = f"{type(kernel).__name__}.observe"
            must = f"give {name!r} with the lanes, {kernel.lanes}, as the last axis"
            raise ArgumentError(argument, must, value.shape, "Move the replicas' axis to the end: jnp.moveaxis(...).")


def check_solved(solved: Any, theory: Theory, problem: Problem, times: int, seen: Any = None) -> None:
    """**Raises:** ArgumentError unless a theory's observables are named, shaped and typed as they must be.

    - `times`: the number of times; `seen`: what the simulator beside it observes, None where there is none.
    """
    argument = f"{type(theory).__name__}.bind"
    _check_named(argument, solved, problem, theory.added)
    if seen is not None:
        _check_complete(argument, solved, problem)
    for name, value in solved.items():
        if value.shape[0] != times:
            must = f"give a curve of {name!r} with the times, {times}, as the first axis"
            raise ArgumentError(argument, must, value.shape, "Stack the values along axis 0, one for each time.")
        if seen is not None and name in seen and value.shape[1:] != seen[name].shape[:-1]:
            must = f"give {name!r} at each time the shape that the simulator observes, {seen[name].shape[:-1]}"
            raise ArgumentError(argument, must, value.shape[1:])


def _check_named(argument: str, found: Any, problem: Problem, added: Sequence[str]) -> None:
    """What holds of the observables of a simulator and of a theory, which both have one axis more than a value.

    Those that are `added` are no variables of the system.
    """
    system = system_of(problem)
    if not isinstance(found, Mapping):
        raise ArgumentError(argument, "give a dict of observables by name", type(found).__name__)
    for name, value in found.items():
        if name not in system.variables and name not in added:
            remedy = f"The variables of the system {system.name} are {', '.join(system.variables)}: add it there."
            raise ArgumentError(argument, "give variables of its system only", name, remedy)
        if value.dtype != np.float64:
            remedy = "Averages are taken in float64: value.astype(jnp.float64)."
            raise ArgumentError(argument, f"give {name!r} in float64", str(value.dtype), remedy)
        if name in added:
            continue
        dims = system.variables[name].dims
        if len(value.shape) != len(dims) + 1:
            must = f"give {name!r} with {len(dims) + 1} axes: one more than its variable, {dims}"
            raise ArgumentError(argument, must, value.shape)


def _check_complete(argument: str, found: Any, problem: Problem) -> None:
    """What is measured against theory has to be there, in the simulation and in a theory beside one."""
    missing = [name for name in problem.order_parameters if name not in found]
    if missing or not problem.order_parameters:
        remedy = f"They are {type(problem).__name__}.order_parameters, whose distance from theory is measured."
        raise ArgumentError(argument, "give all order parameters of the problem", missing, remedy)


def _is_int(value: Any) -> bool:
    """Whether a value is static and whole: lanes are part of every shape."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
