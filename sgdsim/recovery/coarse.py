"""The dynamical mean-field theory of signal recovery over long times: its past is kept at few old times."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Problem, Start, Theory
from sgdsim.cost import THEORY_OPERATION, Once
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.recovery.coarse_memory import MATRICES, Memory
from sgdsim.recovery.coarse_step import CoarseRates, Now, begin, step
from sgdsim.recovery.dmft import Tolerance, check_quadratic
from sgdsim.recovery.edge import Excursion, past_the_edge
from sgdsim.recovery.old_times import PERIOD, most_times
from sgdsim.recovery.path import Path, SharedCurve
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import SignalOverlaps

CALLS = 1.2e-4
"""Seconds that a step takes beside its products."""
_RISE = 1e-5
"""A rise of the loss over its first value that is no rounding: errors of interpolation are 1e-7 where all is well."""


class CoarseCurve(SharedCurve):
    """The theory of one problem, on the host, for one start."""

    problem: Recovery
    spacing: float = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)

    def solve(self, initial: SignalOverlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """Observables at the steps rint(t/eta). After an early stop the last values are held.

        Where the solution has grown beyond all numbers, distance, C and loss are infinite, and the rest is NaN.
        """
        problem, at, tolerance = self.problem, self.problem.steps(times), self.tolerance
        rates = CoarseRates(problem.alpha, problem.eta, problem.b, problem.temperature)
        memory = Memory(int(at.max()), self.spacing, (0, *problem.waiting_steps))
        now, t, points = begin(rates, float(initial.m), float(initial.C)), 0, []
        watch = _Watch(problem, now)
        memory.append(now.m, now.rows)
        # A blow-up ends in numbers that are not finite, which `Path.observe` marks.
        with np.errstate(over="ignore", invalid="ignore"):
            for save in at.tolist():
                while t < save and not _stops(now, tolerance):
                    now, t = step(rates, memory, now), t + 1
                    if watch.lost(memory, now, t):
                        now = now.ended()
                    memory.append(now.m, now.rows)
                    now = now if t % PERIOD else now.thinned(memory)
                points.append(_seen(memory, now, problem))
        return Path(*(np.array(values) for values in zip(*points, strict=True))).observe(problem)


class _Watch:
    """Sees where the solution of a descent is lost: none goes up, and none is followed far beyond the edge."""

    def __init__(self, problem: Recovery, now: Now) -> None:
        self._falls = math.isfinite(problem.edge) and problem.eta <= problem.stable_eta
        self._first = self._least = now.e2
        self._excursion = Excursion(problem.edge, now.rows.C[-1])

    def lost(self, memory: Memory, now: Now, t: int) -> bool:
        """Whether it is at step t, the one after the last of the memory."""
        self._least = min(self._least, now.e2)
        # Where the loss of a descent rises, what is remembered has become wrong.
        rises = self._falls and now.e2 > self._least + _RISE * self._first
        return self._excursion.lost(t, now.rows.C[-1], memory.times, now.rows.R) or rises


def _stops(now: Now, tolerance: float) -> bool:
    """Whether it is not followed further, see `dmft_step.finished`."""
    return abs(now.distance) < tolerance or not np.isfinite(now.distance)


def _seen(memory: Memory, now: Now, problem: Recovery) -> tuple[float | np.ndarray, ...]:
    """One time of the fields of `Path`."""
    places = memory.places(np.array([0, *problem.waiting_steps]))
    R, chi = now.rows.R[places], problem.eta * (memory.weights[2:] @ now.rows.R)
    return now.m, now.rows.C[-1], now.e2, now.rows.C[places], R[0], R[1:], chi


@dataclass(frozen=True)
class CoarseDmft(Theory):
    """The mean-field theory `Dmft` over long times: steps are as many, but old ones are remembered by few of them.

    The last 32 steps are all kept. Of the even steps before, and of the odd ones, neighbours that are kept are up to
    `spacing` times their distance from these or from the start apart, whichever is shorter, and functions of old times
    are interpolated between them. So T = 1e5 steps keep about 530 times, and the memory and work of a step grow with
    the square of log T where those of `Dmft` grow with T^2. Errors against it go as spacing^8: docs/exact.md has what
    was measured. Where the dynamics freezes (GD, or SGD that fits its data), errors may grow after some ten thousand
    steps, sooner the wider the spacing: look whether half of it gives the same. Where a mean square has become negative
    by them, the loss of a descent of stable step size has risen, or one beyond the edge of stability is lost to them as
    that of `Dmft` to rounding, the solution ends.
    """

    spacing: Annotated[
        float,
        Parameter(
            "",
            "distance of old times that are kept, over their distance from the present or the start",
            above=0,
            most=0.3,
        ),
    ] = 0.1
    tolerance: Tolerance = 1e-12
    takes: ClassVar[type[Problem]] = Recovery
    name: ClassVar[str] = "coarse_dmft"

    def exists(self, problem: Recovery) -> bool:
        """For the quadratic problem."""
        return problem.degree == 2

    def check(self, problem: Recovery) -> None:
        """Raises ArgumentError for another degree, and where data are not selected fresh in each step."""
        check_quadratic(problem, self.name)
        if problem.selection != "fresh":
            remedy = "Correlations of a selection fall too fast for few old times: take 'dmft'."
            raise ArgumentError("theory", f"be 'dmft' for a {problem.selection} selection", self.name, remedy)

    def memory(self, problem: Recovery, times: Float[np.ndarray, " times"]) -> int:
        """Six matrices of float64 between the kept times."""
        return 8 * MATRICES * self._most(problem, times) ** 2

    def cost(self, problem: Recovery, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Of six products of a matrix and a vector per step, 12 n^2 operations, and the calls that make them."""
        products = 2 * MATRICES * THEORY_OPERATION * self._most(problem, times) ** 2
        return float(problem.steps(times).max()) * (CALLS + products)

    def once(self, problem: Recovery, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """Nothing: it is all NumPy."""
        return ()

    def unreached(self, problem: Recovery, last: float, final: float) -> ArgumentError:
        """What to tell where the solution ends: of a descent, why; its own error may have done it too."""
        grows = "The solution grows without bound from there."
        if math.isfinite(problem.edge):
            grows = past_the_edge(problem.sharpness, problem.edge)
        error = "Where the dynamics freezes that may be an error of the interpolation: take a smaller `spacing`."
        return ArgumentError("times", f"end at or before t = {last:g}", final, f"{grows} {error}")

    def bind(self, problem: Recovery) -> CoarseCurve:
        """The curve of this problem."""
        return CoarseCurve(problem=problem, spacing=self.spacing, tolerance=self.tolerance)

    def _most(self, problem: Recovery, times: Float[np.ndarray, " times"]) -> int:
        """Times that are kept at once, at most."""
        return most_times(int(problem.steps(times).max()), self.spacing) + 1 + len(problem.waiting)
