"""What is asked: a problem, which holds all constants of the physics, and the start of its trajectories."""

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from sgdsim.checks import check_fields
from sgdsim.parameters import declared, given
from sgdsim.printable import html_card, one_line

if TYPE_CHECKING:
    from sgdsim.contracts.system import System

Scalar = int | float | str
"""A plain parameter value, as it stands in a table of results."""

Observables = dict[str, Any]
"""Named observables, float64. A simulator's carry a trailing lane axis, (*dims, lanes), a theory's a leading time axis,
(times, *dims), where `dims` are those of the system's `Variable`."""

Initial = Any
"""The state at t = 0 as a pytree of arrays; from `Start.draw` every leaf has a leading replica axis."""


@dataclass(frozen=True)
class Variable:
    """How one observable is named, shaped and drawn.

    `dims` names the axes of one value, e.g. ("student", "teacher"); `units` is "1" for a pure number.
    """

    long_name: str
    symbol: str
    dims: tuple[str, ...] = ()
    units: str = "1"


class Problem(eqx.Module):
    """All constants of the physics. Simulator and theory take the same object, so they cannot disagree.

    Laws, for every problem (dt is checked at the door, the rest by `sgdsim.testing.check_system`):

        0 < dt < infinity,    t = nu dt,    samples = nu samples_per_step
        parameters() = {name: int, finite float or str}
    """

    system: ClassVar[str]
    """The name of its `System`, in files and data sets."""
    order_parameters: ClassVar[tuple[str, ...]]
    """The observables that |Omega - Omega_bar|_inf runs over: at least one, known to every simulator and theory."""

    @property
    @abc.abstractmethod
    def dt(self) -> float:
        """Time of one step of SGD, in the units of the theory's time t = nu dt."""

    @property
    @abc.abstractmethod
    def samples_per_step(self) -> float:
        """Data that one step of SGD uses, counted every time that they are used; nu steps use nu times as many.

        In one-pass SGD they are fresh, so that this is what learning costs in data; where the data are fixed, the same
        ones come again, and it is what learning costs in gradients of one datum. A mean where the number is random.
        """

    def parameters(self) -> dict[str, Scalar]:
        """Every constant and derived number worth a column in a table of results (d, p, dt, ...).

        Cells are drawn in the colours of a parameter whose values are green, blue, orange or red, e.g. of a region.
        """
        return given(self) | {"dt": self.dt}

    def own_system(self) -> "System | None":
        """The system that the problem belongs to, where its name alone does not find it.

        A problem of a script, or of a package that is not installed, returns its `System`; None leaves it to the name.
        """
        return None

    def steps(self, times: Float[np.ndarray, " times"]) -> Int[np.ndarray, " times"]:
        """The number of steps nu = round(t / dt) at each save time. The realised save times are nu dt."""
        return np.rint(np.asarray(times, np.float64) / self.dt).astype(np.int64)

    def digests(self) -> dict[str, str]:
        """A checksum of everything that the problem takes from outside the experiment, e.g. data, by its name."""
        return {}

    def code_modules(self) -> tuple[str, ...]:
        """Modules of Python beside the system's that have a hand in the numbers: a run folder knows their code."""
        return ()

    def scale(self, steps: int) -> float:
        """A size that order parameters may have after so many steps without having blown up."""
        return 1.0

    def _repr_html_(self) -> str:
        """For a notebook: every parameter with its value, and what it is."""
        words = {one.name: one.parameter.words for one in declared(type(self))}
        values = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in self._told()}
        rows = {name: f"{value}  ({words[name]})" if words.get(name) else value for name, value in values.items()}
        return html_card(f"{type(self).__name__}, of the system {self.system}", rows)

    def _told(self) -> Iterator[tuple[str, Scalar]]:
        """Parameters by name, and the fields that are no numbers in Python's words."""
        yield from self.parameters().items()
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in self.parameters() and value is not None:
                yield field.name, one_line(repr(value))

    def cautions(self) -> list[str]:
        """What a user should know before this problem is run, e.g. that its step size is beyond a safe rule."""
        return []

    def doubts(self, final: Mapping[str, float]) -> list[str]:
        """What a user should know once it has been run, from the final means of the scalar observables that it has."""
        return []


class Start(abc.ABC):
    """The law of the state at t = 0: a small frozen dataclass, whose plain fields are checked when it is made.

    Laws, with draws along the leading axis:

        draw(problem, rng, size)[i] = draw(problem, rng', 1)[0]      for all i, rng, rng', unless `per_replica`
        draw(problem, rng, 1) = draw(problem, rng', 1)               for equal rng and rng'
    """

    takes: ClassVar[type[Problem]] = Problem
    """The problems that it is a start of."""
    per_replica: bool = False
    """Whether every replica has a start of its own."""
    seed: int = 0
    """Of a random start: it selects the draw that all replicas share or, `per_replica`, the draws of all of them."""

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, problem: Any) -> None:  # noqa: B027  (some starts take any problem that they are of)
        """Raises ArgumentError where this start does not fit the problem."""

    def scale(self, problem: Any) -> float:
        """A size of the order parameters at t = 0, where they may be large."""
        return 1.0

    @abc.abstractmethod
    def draw(self, problem: Any, rng: np.random.Generator, size: int) -> Initial:
        """`size` states, stacked along a leading axis: all equal, unless `per_replica`.

        `rng` is used only by a per-replica start, and then is the replica's own, of (ensemble's seed, the start's seed,
        cell, replica); a shared one depends on its own seed alone.
        """
