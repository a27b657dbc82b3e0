"""What trajectories should follow: a theory, the curve that it is once bound to a problem, and the spread about it."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import check_fields
from sgdsim.contracts.problem import Initial, Observables, Problem, Start
from sgdsim.cost import Once
from sgdsim.errors import ArgumentError

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
        # As NumPy has them: `jnp.asarray` would compile a program of its own for every shape.
        solved = _compiled(self, initial, padded)
        for name, value in solved.items():
            if value.shape[:1] != (room,):  # the times that are cut off below would be something else
                must = f"give {name!r} with the times, {room}, as the first axis"
                raise ArgumentError(f"{type(self).__name__}.__call__", must, value.shape)
        return {name: np.asarray(value)[: len(times)] for name, value in solved.items()}


@jax.jit
def _compiled(curve: Any, initial: Initial, times: Float[Array | np.ndarray, " times"]) -> Observables:
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
    added: ClassVar[tuple[str, ...]] = ()
    """As `Kernel.added`."""
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
