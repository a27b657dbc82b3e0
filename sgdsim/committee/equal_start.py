"""A start defined for every width: all units of the student alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.checks import Real, lenient, number
from sgdsim.committee.problem import Committee
from sgdsim.committee.starts import NetworkStart
from sgdsim.committee.theory.equal_units import EqualUnits
from sgdsim.contracts import Problem
from sgdsim.ensemble.section import OneOrMore
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.overlaps import TOLERANCE, Overlaps
from sgdsim.tracing import any_traced


@lenient
@dataclass(frozen=True)
class EqualStart(NetworkStart):
    """Equal units: overlaps that are the same for all units and pairs of units, for any p and k.

        P = I,    M0_ir = M0_r,    Q0 = off_diagonal + (diagonal - off_diagonal) I

    Nothing but the number of units changes with p, so that what a sweep over p shows is due to p alone. Units that
    share nothing but the teacher, as those of W0 = M0 W* + orthogonal parts, have off_diagonal = sum_r M0_r^2, which
    is possible for every p as long as diagonal is not below it.

    **Raises:** ArgumentError where a value is no finite number; `check` also where Omega is not positive semidefinite
    for the problem's p.
    """

    M0: Annotated[
        Real | Sequence[Real] | ArrayLike,
        Parameter("M_0", "overlap with every teacher, or one number for each of them", written=OneOrMore, example=0.5),
    ]
    diagonal: Annotated[float, Parameter("", "squared length of a unit", example=1.0)]
    off_diagonal: Annotated[float, Parameter("", "overlap of two different units", example=0.25)]
    takes: ClassVar[type[Problem]] = Committee
    per_replica: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if any_traced(self.M0, self.diagonal, self.off_diagonal):
            must, remedy = "have numbers where JAX traces others", "Take an ExplicitStart with traced matrices."
            raise ArgumentError("start", must, "traced ones", remedy)
        given = self.M0 if isinstance(self.M0, list | tuple | np.ndarray) else (self.M0,)
        object.__setattr__(self, "M0", tuple(number("M0", m) for m in given))
        for name in ("diagonal", "off_diagonal"):
            object.__setattr__(self, name, number(name, getattr(self, name)))

    def row(self, k: int) -> Float[np.ndarray, " {k}"]:
        """The overlaps of a unit with the k teachers. **Raises:** ArgumentError for another number of them."""
        given = np.asarray(self.M0)
        if len(given) not in (1, k):
            raise ArgumentError("M0", f"be one number, or one for each of the k = {k} teachers", given.tolist())
        return np.broadcast_to(given, (k,)).copy()

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where Omega is not positive semidefinite for this p, or d is below its rank.

        Outside the span of the teacher the Gram matrix S = Q0 - M0 M0^T has the eigenvalue diagonal - off_diagonal
        p - 1 times, and diagonal - |M0|^2 + (p - 1) (off_diagonal - |M0|^2) once.
        """
        super().check(problem)
        p, k = problem.p, problem.k
        inside = float(np.sum(self.row(k) ** 2))
        apart, together = self.diagonal - self.off_diagonal, self.diagonal + (p - 1) * self.off_diagonal - p * inside
        scale = max(abs(self.diagonal), abs(self.off_diagonal), inside, 1.0)
        if p > 1 and apart < -TOLERANCE * scale:
            raise ArgumentError(
                "off_diagonal",
                f"be at most diagonal = {self.diagonal:g}, as overlaps of vectors are",
                self.off_diagonal,
            )
        if together < -TOLERANCE * p * scale:
            raise self._impossible(p, inside)
        rank = k + (p - 1) * (apart > TOLERANCE * scale) + (together > TOLERANCE * p * scale)
        if rank > problem.d:
            remedy = "Raise d, or lower p."
            what = f"be >= {rank}, the number of independent directions of teacher and student together"
            raise ArgumentError("d", what, problem.d, remedy)

    def _impossible(self, p: int, inside: float) -> ArgumentError:
        """That the mean of p such units would have a negative squared length outside the teacher's span."""
        if p == 1:
            return ArgumentError("diagonal", f"be at least sum_r M0_r^2 = {inside:g}", self.diagonal, "Or shrink M0.")
        least = (p * inside - self.diagonal) / (p - 1)
        remedy = (
            f"Raise it to {inside:g} = sum_r M0_r^2, which does for every p (with a diagonal not below), or shrink M0."
        )
        must = f"be at least {least:.6g} for p = {p}, so that Omega is positive semidefinite"
        return ArgumentError("off_diagonal", must, self.off_diagonal, remedy)

    def scale(self, problem: Committee) -> float:
        """The largest entry of Q0."""
        return max(abs(self.diagonal), abs(self.off_diagonal))

    def units(self, problem: Committee) -> EqualUnits:
        """The overlaps without the p^2 equal ones."""
        k, values = problem.k, (self.diagonal, self.off_diagonal)
        return EqualUnits(np.eye(k), self.row(k), *(np.asarray(value, np.float64) for value in values))

    def draw(self, problem: Committee, rng: np.random.Generator, size: int) -> Overlaps:
        """The given overlaps for every one of `size` replicas."""
        p, k = problem.p, problem.k
        Q = np.full((p, p), self.off_diagonal)
        np.fill_diagonal(Q, self.diagonal)
        M = np.broadcast_to(self.row(k), (size, p, k))
        return Overlaps(P=np.broadcast_to(np.eye(k), (size, k, k)), M=M, Q=np.broadcast_to(Q, (size, p, p)))
