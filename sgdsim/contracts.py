"""The contracts between a system (problem, start, simulator, theory) and everything that is common to all systems.

A system is one problem, one or more simulators of it, and its theory. The ensemble, the sweep, the analysis and the
report know these classes only, so a new system moves in without a change to any of them.
"""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32
from pydantic import BaseModel

from sgdsim.checks import check_fields
from sgdsim.cost import Once, StepCost
from sgdsim.errors import ArgumentError
from sgdsim.parameters import given

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

    def scale(self, steps: int) -> float:
        """A size that order parameters may have after so many steps without having blown up."""
        return 1.0

    def cautions(self) -> list[str]:
        """What a user should know before this problem is run, e.g. that its step size is beyond a safe rule."""
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


class Kernel(eqx.Module):
    """A simulator bound to a problem: pure functions of an explicit state, on tiles of `lanes` replicas.

    Fields that are not static are traced, so one compilation serves every problem of the same shapes.

    Laws, of s = init(initial, keys), of the observables Omega_l(initial, keys) of lane l after any number of steps, and
    of any permutation pi of the lanes. All but the fourth hold bit for bit: results of different batches, devices and
    interruptions are equal because of them.

        advance(s, 0) = s
        advance(advance(s, n1), n2) = advance(s, n1 + n2)                for n1 a multiple of `segment`
        Omega_l(initial, keys) = Omega_l(initial', keys')                where these differ in other lanes than l only
        Omega_l(initial o pi, keys o pi) = Omega_pi(l)(initial, keys)    to rounding, as matrix products have it
        Omega_l != Omega_m                                               for keys that differ, where there is noise
        observe(s) = observe(s)                                          no random number and no effect of its own

    Shapes are checked at the door, whenever a simulator is bound; the laws by `sgdsim.testing.check_system`.
    """

    kept: ClassVar[tuple[str, ...]] = ()
    """Observables whose value at the last save time is kept for every replica, where they are observed."""
    joint: ClassVar[tuple[str, ...]] = ()
    """Observables of a replica and others of its tile, e.g. its distance from the next: these may depend on company."""
    leads: ClassVar[bool] = False
    """Whether the tile's replicas share something, e.g. data, that is drawn under the key of lane 0: the laws of lanes
    hold for what is done to the others then."""

    lanes: eqx.AbstractVar[int]
    """Replicas of a tile: a power of two, as they are added by halves. It does not depend on the machine."""
    segment: eqx.AbstractVar[int]
    """Steps after which a trajectory may be interrupted without a change of a bit, >= 1: see the laws."""

    @abc.abstractmethod
    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> Any:
        """The state of a tile at step 0, from a key per replica and initial values with a leading replica axis.

        That axis has length `lanes`, or 1 where all replicas start alike. Pure JAX.
        """

    @abc.abstractmethod
    def advance(self, state: Any, n_steps: Int[Array, ""]) -> Any:
        """The state after n_steps more steps of SGD."""

    @abc.abstractmethod
    def observe(self, state: Any) -> Observables:
        """The observables of every replica: variables of the system by name, float64, (*dims, lanes)."""


class Simulator(abc.ABC):
    """The choice of a simulator: a small frozen dataclass, e.g. Chain(precision="float32"), checked when it is made."""

    takes: ClassVar[type[Problem]] = Problem
    """The problems that it simulates."""
    name: ClassVar[str]
    paired: ClassVar[bool] = False
    """Whether all cells of a grid are given the same keys, so that what they share drops out of their differences."""

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, problem: Any) -> None:  # noqa: B027  (some simulators run any problem that they are of)
        """Raises ArgumentError where this simulator cannot run the problem, with what to do instead."""

    @abc.abstractmethod
    def bind(self, problem: Any, replicas: int, final: float) -> Kernel:
        """The kernel that runs this problem, with tiles of a size that suits so many replicas.

        `final` is the last save time, for a kernel that needs a curve up to it.
        """

    def outline(self, problem: Any, replicas: int, final: float) -> Kernel:
        """A kernel of the same lanes and observables as that of `bind`, made in no time; it is never advanced.

        For sizes and plans. A simulator whose kernel needs a curve that has to be solved first leaves it out here.
        """
        return self.bind(problem, replicas, final)

    def bytes_per_replica(self, problem: Any) -> int:
        """Device memory that one replica holds while it runs, in bytes; 0 for some copies of the kernel's state."""
        return 0

    @abc.abstractmethod
    def step_cost(self, problem: Any) -> StepCost:
        """What a step of one replica takes, counted by hand, for the time estimate of a plan."""

    def unrolled(self, problem: Any) -> float:
        """Operations of a step that are written out one by one, which take the compiler its time."""
        return 0.0

    def once(self, problem: Any, final: float) -> tuple[Once, ...]:
        """What is solved before the first step up to the time `final`, for all cells that share it."""
        return ()

    def portable_cost(self, problem: Any) -> StepCost:
        """The same where it must not depend on the machine, e.g. on its memory: cells are cut into blocks by it."""
        return self.step_cost(problem)


CURVE = 1.5
"""Seconds that compiling a theory's curve takes, where its class does not know better."""


class Curve(eqx.Module):
    """A theory bound to a problem. Its constants are traced, so one compilation serves a whole axis of the grid.

    Laws: with Omega of a simulator from the same start, for every observable that both have, all order parameters among
    them,

        curve(initial, times)[name][0] = E Omega(name), of step 0    where times[0] = 0, exactly or in the limit
        solve(initial, times) = curve(initial, times)                for one start, to rounding
    """

    @property
    def least_times(self) -> int:
        """`solve` is compiled for no fewer times than these, a power of two."""
        return 64

    @abc.abstractmethod
    def __call__(self, initial: Initial, times: Float[Array, " times"]) -> Observables:
        """Observables at `times` (>= 0, not decreasing): variables of the system, float64, (times, *dims).

        `initial` is one start without a replica axis.

        Pure JAX: the ensemble maps it over replicas where each has a start of its own.
        """

    def solve(self, initial: Initial, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """The same for one start, on the host: for a curve whose work depends on the times, the method to override.

        The last time is repeated up to a power of two, so that one compilation serves almost any number of times.
        """
        room = max(self.least_times, 1 << (len(times) - 1).bit_length())
        padded = np.pad(np.asarray(times, np.float64), (0, room - len(times)), mode="edge")
        solved = _compiled(self, initial, jnp.asarray(padded))
        for name, value in solved.items():
            if value.shape[:1] != (room,):  # the times that are cut off below would be something else
                must = f"give {name!r} with the times, {room}, as the first axis"
                raise ArgumentError(f"{type(self).__name__}.__call__", must, value.shape)
        return {name: np.asarray(value)[: len(times)] for name, value in solved.items()}


@jax.jit
def _compiled(curve: Any, initial: Initial, times: Float[Array, " times"]) -> Observables:
    return curve(initial, times)


@dataclass(frozen=True)
class Spread:
    """What a theory predicts of the fluctuations of one replica about it, when all replicas start alike.

    - `std`: standard deviation of each observable at the save times, time axis first.
    - `deviation`: E |Omega - Omega_bar|_inf at every save time, the mean over replicas.
    - `sup_deviation`: E max_t |Omega - Omega_bar|_inf, the mean of every replica's maximum over the save times.
    """

    std: Mapping[str, Float[np.ndarray, "times ..."]]
    deviation: Float[np.ndarray, " times"]
    sup_deviation: float

    @property
    def max_deviation(self) -> float:
        """max_t E |Omega - Omega_bar|_inf over the save times."""
        return float(self.deviation.max())

    @property
    def final_deviation(self) -> float:
        """E |Omega - Omega_bar|_inf at the last save time."""
        return float(self.deviation[-1])


class Theory(abc.ABC):
    """The deterministic limit of a problem, and where it can, the fluctuations about it: a small frozen dataclass."""

    takes: ClassVar[type[Problem]] = Problem
    """The problems that it is a theory of."""
    name: ClassVar[str]
    on_accelerator: ClassVar[bool] = False
    """Whether an accelerator solves it faster than the CPU beside it, where others are solved."""

    def __post_init__(self) -> None:
        check_fields(self)

    def check_start(self, problem: Any, start: Start) -> None:  # noqa: B027  (most theories take any start)
        """Raises ArgumentError where the theory of the problem cannot give what it was asked for from this start."""

    def spread(self, problem: Any, start: Start, times: Float[np.ndarray, " times"]) -> Spread | None:
        """Predicted fluctuations at `times` (>= 0, not decreasing); None from a theory that was not asked for them."""
        return None

    def memory(self, problem: Any, times: Float[np.ndarray, " times"]) -> int:
        """Bytes that solving it takes, where that is worth a word in a plan; else 0."""
        return 0

    def cost(self, problem: Any, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Seconds that one cell's curve and fluctuations take, for the time estimate of a plan; 0 if hardly any."""
        return 0.0

    def once(self, problem: Any, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """What is compiled or solved for all cells that share it."""
        return (Once(type(self), compile=CURVE),)

    def exists(self, problem: Any) -> bool:
        """Whether there is such a theory of the problem. In a grid, a problem without one is simulated on its own."""
        return True

    def check(self, problem: Any) -> None:  # noqa: B027  (some theories are of any problem that they are of)
        """Raises ArgumentError where the problem has no such theory, or none that can be computed."""

    def unreached(self, problem: Any, last: float, final: float) -> ArgumentError:
        """What to tell where the solver stopped: it got to time `last`, and `final` was asked for."""
        remedy = "The solver stopped there: the solution grows without bound, or its tolerances are too small."
        return ArgumentError("times", f"end at or before t = {last:g}", final, remedy)

    @abc.abstractmethod
    def bind(self, problem: Any) -> Curve:
        """The theory's curve for this problem."""


class Prediction(abc.ABC):
    """Theory of a quantity at values of one parameter that no cell of a grid has, for the curve beside measured points.

    It is for deviations from theory, whose predictions are not part of a theory's curve.
    """

    parameter: ClassVar[str]
    """The parameter that it is a function of, e.g. the width p."""
    least: ClassVar[int]
    """Its least value."""

    @abc.abstractmethod
    def lacks(self, quantity: str, start: Start, theory: Theory) -> str:
        """What is missing for it, as an advice; empty where nothing is."""

    @abc.abstractmethod
    def problem_at(self, problem: Any, value: int) -> Problem:
        """The problem with another value of the parameter, and all else of it that matters."""

    @abc.abstractmethod
    def predict(
        self, quantity: str, problem: Any, start: Any, theory: Any, times: Float[np.ndarray, " times"]
    ) -> float:
        """The predicted mean of the quantity. **Raises:** ArgumentError where there is none."""


@dataclass(frozen=True)
class System:
    """What a system hands to the common rooms.

    The sections are pydantic models of the tables [problem], [start], [theory], [simulator] of an experiment file; each
    has `build()`, which returns the object and raises ArgumentError where the values do not fit together.
    """

    name: str
    variables: Mapping[str, Variable]
    """All observables by name. The first without dims is the risk: plateaus and levels are looked for in it."""
    problem_section: type[BaseModel]
    start_section: type[BaseModel]
    theory_section: type[BaseModel]
    simulator_section: type[BaseModel]
    default_simulator: Simulator
    default_theory: Theory | None
    """None where the system has no theory at all."""
    telling: tuple[str, ...] = ()
    """Derived parameters that a plan shows of every cell, where they are no axis of the grid."""
    figures: tuple[str, ...] = ()
    """Figures of the report that are drawn for this system only."""
    expected_slope: Any = None
    """(quantity, against, list of problems) -> the slope theory predicts for a log-log fit, or None."""
    rule_section: type[BaseModel] | None = None
    """Of the table [rule], in systems whose update is chosen apart from the problem: its `apply` takes a problem and
    returns the problem with this update. No key of it is one of [problem]."""
    slope_assumes: Any = None
    """(quantity, against, list of problems) -> what the expected slope takes for granted, in words, or None."""
    expected_onset: Any = None
    """(quantity, against, list of problems) -> where the quantity is expected to rise through a level, or None."""
    prediction: Prediction | None = None
    """Theory beyond a grid, of the systems that have it."""
    expected_two_term: Any = None
    """(quantity, against, second, list of problems) -> both coefficients of a law of two terms, or None."""
