"""The path of a theory at the save times, and what is observed along it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Curve, Observables
from sgdsim.errors import ArgumentError
from sgdsim.recovery.observables import distance
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import SignalOverlaps


class SharedCurve(Curve):
    """A curve that is solved on the host, step by step, for one start that all replicas share."""

    def __call__(self, initial: SignalOverlaps, times: Float[Array, " times"]) -> Observables:
        """**Raises:** ArgumentError: there is no curve per replica, as all starts are shared."""
        raise ArgumentError("start", "be shared by all replicas", "a start per replica", "Solve it for each start.")


@dataclass(frozen=True)
class Path:
    """m(t), C(t,t), e2(t), C(t, min(t, t')) for t' = 0 and each waiting time, and the responses, of one start.

    - `R_waiting`: R(t,t_w), 0 for t <= t_w. `chi_waiting`: chi(t,t_w) = eta sum_{t_w<=s<t} R(t,s).
    """

    m: Float[np.ndarray, " times"]
    C: Float[np.ndarray, " times"]
    e2: Float[np.ndarray, " times"]
    earlier: Float[np.ndarray, "times earlier"]
    R_start: Float[np.ndarray, " times"]
    R_waiting: Float[np.ndarray, "times waiting"]
    chi_waiting: Float[np.ndarray, "times waiting"]

    def observe(self, problem: Recovery) -> dict[str, np.ndarray]:
        """The observables of the system; those of waiting times only where the problem has any.

        Where the path has grown beyond all numbers, distance, C and loss are infinite, and the rest is NaN.
        """
        observed = {
            "distance": np.asarray(distance(self.m, self.C, problem.degree)),
            "loss": problem.alpha / 2 * self.e2,
            "m": self.m,
            "C": self.C,
            "C_start": self.earlier[:, 0],
            "R_start": self.R_start,
        }
        if problem.waiting:
            waiting = {"C": self.earlier[:, 1:], "R": self.R_waiting, "chi": self.chi_waiting}
            observed |= {f"{name}_waiting": values for name, values in waiting.items()}
        # The distance is the first to go: it has m and C in it.
        good = np.isfinite(observed["distance"])

        def mark(name: str, value: np.ndarray) -> np.ndarray:
            beyond = np.inf if name in ("distance", "loss", "C") else np.nan
            return np.where(good.reshape(-1, *[1] * (value.ndim - 1)), value, beyond)

        return {name: mark(name, value) for name, value in observed.items()}
