"""Observables of a caller's own: functions of the observables of a replica, or of a tile's state, beside the built-in.

A simulator and a theory are wrapped: their kernel and their curve observe what they observed, and the functions of it.
The statistics of an ensemble make no difference between the two.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Curve, Initial, Kernel, Observables, Problem, Simulator, Spread, Start, System, Theory
from sgdsim.cost import StepCost
from sgdsim.errors import ArgumentError

STATE = "state"
"""The argument of a function that takes the kernel's state."""
_TAKEN = ("t", "time", "step", "samples", "deviation", "max_deviation", "sup_deviation", "final_deviation", "replica")
_ENDINGS = ("_sem", "_std", "_theory", "_final", "_predicted", "_predicted_std", "_trajectory")


@dataclass(frozen=True)
class Own:
    """One observable of a caller's: its `name`, the `function`, and what that takes, by the names of its arguments."""

    name: str
    function: Callable[..., Any]
    takes: tuple[str, ...]

    def of_state(self) -> bool:
        """Whether it is a function of the kernel's state."""
        return STATE in self.takes

    def along(self, seen: Observables, axis: int) -> Array | None:
        """Its values where `seen` are known, one for each place of an axis, which it has too; None where one is not.

        So theory, which has no state, has no function of it.
        """
        if not all(name in seen for name in self.takes):
            return None
        arguments = [jnp.asarray(seen[name]) for name in self.takes]
        return _float64(jax.vmap(self.function, in_axes=axis, out_axes=axis)(*arguments))


def own_observables(functions: Mapping[str, Callable[..., Any]], system: System) -> tuple[Own, ...]:
    """The functions with what they take. **Raises:** ArgumentError for a name that is taken, or an unknown argument."""
    if not isinstance(functions, Mapping):
        raise ArgumentError("observables", 'be functions by names, e.g. {"cosine": cosine}', functions)
    found = []
    for name, function in functions.items():
        taken = name in system.variables or name in _TAKEN or str(name).endswith(_ENDINGS)
        if not isinstance(name, str) or not name.isidentifier() or taken:
            raise ArgumentError("observables", "have names of their own, which Python can have", name)
        found.append(Own(name, function, _takes(name, function, system)))
    return tuple(found)


def _takes(name: str, function: Any, system: System) -> tuple[str, ...]:
    argument = f"observables[{name!r}]"
    if not callable(function):
        raise ArgumentError(argument, "be a function", function)
    parameters = inspect.signature(function).parameters.values()
    names = tuple(one.name for one in parameters if one.default is one.empty)
    known = (*system.variables, STATE)
    strange = [one for one in names if one not in known]
    if strange or not names:
        remedy = f"Name its arguments as what it is a function of: {', '.join(known)}."
        raise ArgumentError(argument, "be a function of observables or of the state, by name", list(names), remedy)
    return names


def _float64(value: Any) -> Array:
    return jnp.asarray(value).astype(jnp.float64)


class ObservingKernel(Kernel):
    """A kernel that observes the caller's `own` too."""

    inner: Kernel
    own: tuple[Own, ...] = eqx.field(static=True)

    @property
    def kept(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the inner kernel."""
        return self.inner.kept

    @property
    def joint(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the inner kernel, and what is a function of the state: of a replica's company, for all one knows."""
        return (*self.inner.joint, *(one.name for one in self.own if one.of_state()))

    @property
    def leads(self) -> bool:  # type: ignore[override]
        """As the inner kernel."""
        return self.inner.leads

    @property
    def added(self) -> tuple[str, ...]:  # type: ignore[override]
        """The caller's."""
        return tuple(one.name for one in self.own)

    @property
    def lanes(self) -> int:  # type: ignore[override]
        """Those of the inner kernel."""
        return self.inner.lanes

    @property
    def segment(self) -> int:  # type: ignore[override]
        """That of the inner kernel."""
        return self.inner.segment

    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> Any:
        """As the inner kernel."""
        return self.inner.init(initial, keys)

    def advance(self, state: Any, n_steps: Int[Array, ""]) -> Any:
        """As the inner kernel."""
        return self.inner.advance(state, n_steps)

    def observe(self, state: Any) -> Observables:
        """What the inner kernel observes, and the functions of it."""
        seen = self.inner.observe(state)
        return seen | {one.name: self._value(one, seen, state) for one in self.own}

    def _value(self, one: Own, seen: Observables, state: Any) -> Array:
        if one.of_state():
            return _float64(one.function(*((seen | {STATE: state})[name] for name in one.takes)))
        found = one.along(seen, -1)
        if found is None:
            remedy = f"This simulator observes {', '.join(seen)}."
            raise ArgumentError(f"observables[{one.name!r}]", "take what is observed", list(one.takes), remedy)
        return found


@dataclass(frozen=True)
class ObservingSimulator(Simulator):
    """A simulator whose kernel observes the caller's `own` too."""

    inner: Simulator
    own: tuple[Own, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the inner simulator."""
        return self.inner.name

    @property
    def paired(self) -> bool:  # type: ignore[override]
        """As the inner simulator."""
        return bool(self.inner.paired)

    def check(self, problem: Any) -> None:
        """As the inner simulator."""
        self.inner.check(problem)

    def bind(self, problem: Any, replicas: int, final: float) -> ObservingKernel:
        """Around the inner simulator's kernel."""
        return ObservingKernel(inner=self.inner.bind(problem, replicas, final), own=self.own)  # type: ignore[call-arg]

    def outline(self, problem: Any, replicas: int, final: float) -> ObservingKernel:
        """Around the inner simulator's outline."""
        return ObservingKernel(inner=self.inner.outline(problem, replicas, final), own=self.own)  # type: ignore[call-arg]

    def bytes_per_replica(self, problem: Any) -> int:
        """As the inner simulator."""
        return self.inner.bytes_per_replica(problem)

    def step_cost(self, problem: Any) -> StepCost:
        """As the inner simulator."""
        return self.inner.step_cost(problem)

    def observe_cost(self, problem: Any) -> StepCost:
        """As the inner simulator."""
        return self.inner.observe_cost(problem)


class ObservingCurve(Curve):
    """A curve with the functions of what it has."""

    inner: Curve
    own: tuple[Own, ...] = eqx.field(static=True)

    def __call__(self, initial: Initial, times: Float[Array, " times"]) -> Observables:
        """As the inner curve, and the functions of it."""
        return self._with_own(self.inner(initial, times))

    def solve(self, initial: Initial, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """The same on the host, as the inner curve does it."""
        return {name: np.asarray(value) for name, value in self._with_own(self.inner.solve(initial, times)).items()}

    def _with_own(self, solved: Observables) -> Observables:
        found = {one.name: one.along(solved, 0) for one in self.own}
        return solved | {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class ObservingTheory(Theory):
    """A theory of the caller's `own` too, where they are functions of what it has."""

    inner: Theory
    own: tuple[Own, ...]
    takes: ClassVar[type[Problem]] = Problem

    @property
    def name(self) -> str:  # type: ignore[override]
        """That of the inner theory."""
        return self.inner.name

    @property
    def added(self) -> tuple[str, ...]:  # type: ignore[override]
        """The caller's."""
        return tuple(one.name for one in self.own)

    @property
    def on_accelerator(self) -> bool:  # type: ignore[override]
        """As the inner theory."""
        return self.inner.on_accelerator

    def check(self, problem: Any) -> None:
        """As the inner theory."""
        self.inner.check(problem)

    def check_start(self, problem: Any, start: Start) -> None:
        """As the inner theory."""
        self.inner.check_start(problem, start)

    def exists(self, problem: Any) -> bool:
        """As the inner theory."""
        return self.inner.exists(problem)

    def spread(self, problem: Any, start: Start, times: Float[np.ndarray, " times"]) -> Spread | None:
        """As the inner theory: of the caller's own it predicts none."""
        return self.inner.spread(problem, start, times)

    def memory(self, problem: Any, times: Float[np.ndarray, " times"]) -> int:
        """As the inner theory."""
        return self.inner.memory(problem, times)

    def unreached(self, problem: Any, last: float, final: float) -> ArgumentError:
        """As the inner theory."""
        return self.inner.unreached(problem, last, final)

    def bind(self, problem: Any) -> ObservingCurve:
        """Around the inner theory's curve."""
        return ObservingCurve(self.inner.bind(problem), self.own)
