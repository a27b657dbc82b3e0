"""The problem: a hidden signal, random data about it, and gradient descent on the squared error."""

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Annotated, ClassVar, Literal

import equinox as eqx
import numpy as np

from sgdsim.checks import Row, check_fields, lenient, row
from sgdsim.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, given
from sgdsim.recovery.edge import edge_of_stability, sharpness
from sgdsim.recovery.selection import Fresh, Persistent, Selection, Shuffled

NEAR = 0.9
"""Part of the edge of stability from which on the mean C(t,t) of descents is near it: single ones are beyond."""


@lenient
class Recovery(Problem):
    """GD and SGD for a hidden signal x* in R^N, |x*|^2 = N (Kamali & Urbani, arXiv:2309.04788 and 2306.06420).

    There are M = round(alpha N) data. With J^mu_ij ~ N(0, 1) for i < j, or J^mu_i ~ N(0, 1):

        degree 2:  h_mu(x) = (1/N) sum_{i<j} J^mu_ij x_i x_j           (the quadratic signal)
        degree 1:  h_mu(x) = (1/sqrt(N)) sum_i J^mu_i x_i              (linear regression)
        r_mu = h_mu(x) - h_mu(x*),   H = (1/2) sum_mu r_mu^2
        x <- x - eta sum_mu sigma_mu r_mu grad h_mu(x) + sqrt(2 T eta) N(0, 1),   sigma_mu = s_mu/b,   E s_mu = b

    s_mu in {0, 1} says who is used: each datum with probability b, fresh in each step; or, shuffled, once in each epoch
    of 1/b steps; or, persistent, with s_mu drawn anew with probability eta/persistence. b = 1 is gradient descent, of
    temperature T > 0 Langevin dynamics. x(0) has exactly the overlaps m(0) = x.x*/N = m0 and C(0, 0) = |x|^2/N = C00.
    Time is t = nu eta after nu steps.

    **Raises:** ArgumentError where a value is out of range.
    """

    system: ClassVar[str] = "recovery"
    order_parameters: ClassVar[tuple[str, ...]] = ("m", "C")

    _: KW_ONLY
    alpha: Annotated[float, Parameter(r"\alpha", "data per dimension", above=0, limit=1e6, example=2.5)]
    eta: Annotated[float, Parameter(r"\eta", "step size", above=0, limit=1e3, example=0.1)]
    b: Annotated[float, Parameter("b", "part of the data that a step uses", above=0, most=1)] = 1.0
    m0: Annotated[float, Parameter("m_0", "overlap m(0) with the signal, at most sqrt(C00) in size")] = 0.2
    C00: Annotated[float, Parameter("C_0", "squared length per dimension, C(0, 0)", above=0)] = 1.0
    selection: Annotated[
        Literal["fresh", "shuffled", "persistent"],
        Parameter(
            "",
            "who is used: 'fresh' takes each datum with probability b in every step, 'shuffled' once in 1/b steps, "
            "'persistent' keeps it in or out for a while",
        ),
    ] = eqx.field(static=True, default="fresh")
    persistence: Annotated[
        float, Parameter(r"\tau", "time for which a persistent selection stays, on average; 0 for others", least=0)
    ] = 0.0
    temperature: Annotated[
        float, Parameter("T", "temperature of Langevin noise, sqrt(2 T eta) N(0, 1) in every step", least=0, limit=1e6)
    ] = 0.0
    N: Annotated[
        int, Parameter("N", "dimension; the theory, N to infinity, does not depend on it", least=2, limit=100_000)
    ] = eqx.field(static=True, default=200)
    degree: Annotated[Literal[1, 2], Parameter("", "2: the quadratic signal; 1: linear regression")] = eqx.field(
        static=True, default=2
    )
    waiting: Annotated[
        tuple[float, ...],
        Parameter(
            "t_w",
            "times for which C(t, t_w) is observed, increasing and > 0, realised as round(t_w/eta) steps",
            written=list[float],
        ),
    ] = eqx.field(static=True, default=())

    def __post_init__(self) -> None:
        check_fields(self)
        # M = 0 is a problem without data: every loss is 0 and nothing moves.
        if round(self.alpha * self.N) < 1:
            raise ArgumentError("alpha", f"give at least one datum at N = {self.N}, round(alpha N) >= 1", self.alpha)
        if self.m0 * self.m0 > self.C00:
            raise ArgumentError("m0", f"be at most sqrt(C00) = {self.C00**0.5:.6g} in size", self.m0)
        self.waiting = _increasing("waiting", self.waiting)
        if self.waiting and self.waiting[-1] / self.eta > 2**53:  # beyond, a number of steps is no integer of a float
            raise ArgumentError("waiting", f"be at most 2**53 steps of eta = {self.eta:g}", self.waiting[-1])
        self._check_selection()

    def _check_selection(self) -> None:
        """**Raises:** ArgumentError where b or `persistence` do not suit the kind of selection."""
        batches = min(1 / self.b, 2.0 * self.data)  # of the least numbers the inverse is infinite
        if self.selection == "shuffled" and (abs(round(batches) * self.b - 1) > 1e-9 or batches > self.data + 0.5):
            raise ArgumentError("b", f"be 1/n of a whole n <= {self.data} data where they are shuffled", self.b)
        if self.selection == "persistent" and self.persistence < self.eta:
            must = f"be at least a step, eta = {self.eta:g}, where a selection is persistent"
            raise ArgumentError("persistence", must, self.persistence)
        if self.selection != "persistent" and self.persistence:
            must = f"be 0 where the selection is '{self.selection}'"
            raise ArgumentError("persistence", must, self.persistence, "Write selection = 'persistent'.")

    @property
    def selection_law(self) -> Selection:
        """The law by which data are selected, in steps."""
        if self.selection == "shuffled":
            return Shuffled(batches=round(1 / self.b))
        if self.selection == "persistent":
            return Persistent(stay=1 - self.eta / self.persistence)
        return Fresh()

    @property
    def dt(self) -> float:
        """Time of one step, eta."""
        return self.eta

    @property
    def samples_per_step(self) -> float:
        """b M, the mean number of data whose gradient a step takes.

        The M data are fixed, and each is counted every time it is used: GD and SGD that have used as many have done as
        much work, and gone through the data nu b times.
        """
        return self.b * self.data

    @property
    def data(self) -> int:
        """M, the number of data."""
        return round(self.alpha * self.N)

    @property
    def waiting_steps(self) -> tuple[int, ...]:
        """The waiting times in steps."""
        return tuple(int(step) for step in self.steps(np.asarray(self.waiting, np.float64)))

    @property
    def sharpness(self) -> float:
        """The largest eigenvalue of the Hessian at x*, see `sharpness`."""
        return sharpness(self.alpha, self.degree)

    @property
    def edge(self) -> float:
        """C(t,t) up to which gradient descent of degree 2 is stable, see `edge_of_stability`."""
        return math.inf if self.degree == 1 else edge_of_stability(self.alpha, self.eta, self.b, self.temperature)

    @property
    def stable_eta(self) -> float:
        """A step size that is safe near x*, 0.8 min(2/sharpness, 1.4 b).

        Gradient descent is stable up to 2 over the largest eigenvalue of the Hessian. A single datum of weight 1/b is
        overshot from eta = 2b on; the 1.4 is what data together leave of it.
        """
        return 0.8 * min(2 / self.sharpness, 1.4 * self.b)

    def scale(self, steps: int) -> float:
        """The squared length at t = 0: a descent that is stable does not raise it by orders of magnitude."""
        return self.C00

    def cautions(self) -> list[str]:
        """A line where eta is beyond the safe rule, where m0 = 0 leaves the signal to chance, where data are large."""
        found, size = [], 4 * self.data * math.comb(self.N, self.degree)
        if self.m0 == 0 and self.degree == 2:
            found.append(
                f"m0 = 0 at N = {self.N}: in theory, N -> infinity at fixed t, m stays 0 for ever. At finite N the "
                "signal may be found from the fluctuations, m ~ 1/sqrt(N), by a time of order log N."
            )
        if self.eta > self.stable_eta:
            where = f"alpha = {self.alpha:g}, b = {self.b:g}"
            found.append(
                f"eta = {self.eta:g} is above the safe rule, {self.stable_eta:.3g} at {where}: runs may blow up."
            )
        if size >= 1e9:
            where = f"N = {self.N}, alpha = {self.alpha:g}"
            found.append(
                f"J is {size / 1e9:.1f} GB in float32 at {where}: drawn anew at every step where it does not fit."
            )
        return found

    def doubts(self, final: Mapping[str, float]) -> list[str]:
        """A line where descents have come to the edge of stability: they do not settle there."""
        C = final.get("C", 0.0)
        if NEAR * self.edge > C:
            return []
        edge = f"2/({self.sharpness:.4g} eta) = {self.edge:.4g}"
        line = f"C = {C:.3g} is near the edge of stability of gradient descent, {edge}: descents that come to it swing"
        return [f"{line}, and end at a higher loss than with a smaller eta, where they would settle."]

    def parameters(self) -> dict[str, Scalar]:
        """Constants and derived numbers by name; `eta_over_b` sets the strength of the noise of SGD."""
        return given(self) | {"M": self.data, "eta_over_b": self.eta / self.b, "dt": self.dt}


def _increasing(argument: str, times: Row) -> tuple[float, ...]:
    """The times as floats. **Raises:** ArgumentError unless they are numbers, finite, > 0 and increasing."""
    found = row(argument, times, "Write [t] for a single time.")
    if not np.isfinite(found).all() or (np.diff(found, prepend=0.0) <= 0).any():
        raise ArgumentError(argument, "be finite, > 0 and increasing", found.tolist())
    return tuple(found.tolist())
