"""Starts: the overlaps of teacher and student before the first step."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.checks import lenient
from sgdsim.committee.problem import Committee
from sgdsim.committee.scaling import MAX_PREFACTOR
from sgdsim.contracts import Problem, Start
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.starts import (
    AlignedOverlaps,
    DrawnOverlaps,
    GivenOverlaps,
    Matrix,
    PerReplica,
    Seed,
    as_matrix,
    require_shape,
    unit_rows,
)

Length = Annotated[
    float, Parameter("", "length of the student's units beside the teacher's", above=0, limit=MAX_PREFACTOR)
]


class NetworkStart(Start):
    """One that says how a committee begins, and nothing of another student."""

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError beside a module."""
        if problem.student is not None:
            remedy = 'It begins as its function makes it: take TeacherStart(), in a file kind = "teacher".'
            raise ArgumentError("start", "say nothing of the student beside a module", type(self).__name__, remedy)
        super().check(problem)


@dataclass(frozen=True, eq=False)
class ExplicitStart(NetworkStart, GivenOverlaps):
    """Given overlaps P (k, k), M0 (p, k) and Q0 (p, p), the same for all replicas.

    **Raises:** ArgumentError unless Omega is symmetric and positive semidefinite with a regular P.
    """

    takes: ClassVar[type[Problem]] = Committee


class DrawnStart(NetworkStart, DrawnOverlaps):
    """A random start: drawn once from its own `seed` for all replicas or, `per_replica`, for each of them.

    The draw of a replica depends on (ensemble's seed, `seed`, cell, replica): another `seed` gives other starts to the
    same noise of SGD, and more replicas keep the starts of those before.
    """

    takes: ClassVar[type[Problem]] = Committee


@lenient
@dataclass(frozen=True)
class OverlapStart(NetworkStart, AlignedOverlaps):
    """Units of length 1 that each have the overlap's share of it in the span of an orthonormal teacher.

        P = I,    M0 = overlap A,    Q0 = overlap^2 A A^T + (1 - overlap^2) I

    where the rows of A (p, k) are uniform on the unit sphere: the first normals of numpy.random.default_rng(seed).
    `per` = "root_d": with overlap/sqrt(d) in place of the overlap.
    """

    takes: ClassVar[type[Problem]] = Committee


def _gaussian_rows(rng: np.random.Generator, n: int, d: int) -> Float[np.ndarray, "n columns"]:
    """F such that F F^T has the law of the Gram matrix of n standard normal vectors of d components.

    For n <= d by Bartlett's decomposition of the Wishart law: F is triangular (n, n), with chi of d - i degrees of
    freedom on the diagonal and normals below, at no cost in d. For n > d the vectors themselves.
    """
    if n > d:
        return rng.normal(size=(n, d))
    return np.tril(rng.normal(size=(n, n)), -1) + np.diag(np.sqrt(rng.chisquare(d - np.arange(n))))


def _lengthened(overlaps: Overlaps, length: float) -> Overlaps:
    """The overlaps with a student so many times as long."""
    return Overlaps(P=overlaps.P, M=overlaps.M * length, Q=overlaps.Q * length**2)


@dataclass(frozen=True)
class SphereStart(DrawnStart):
    """Teacher and student units independent and uniform, the teacher on |w|^2 = d, the student on |w|^2 = length^2 d.

    `positive`: each student unit w is -w where its overlap with the first teacher would be negative, M_i1 >= 0.
    """

    seed: Seed = 1
    per_replica: PerReplica = False
    length: Length = 1.0
    positive: Annotated[bool, Parameter("", "whether units begin on the first teacher's side, M_i1 >= 0")] = False

    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        rows = unit_rows(_gaussian_rows(rng, problem.k + problem.p, problem.d))
        if self.positive:
            student = rows[problem.k :]
            student[student @ rows[0] < 0] *= -1
        return _lengthened(Overlaps.from_gram(rows @ rows.T, problem.k), self.length)

    def scale(self, problem: Committee) -> float:
        """The squared length of a unit of the student."""
        return self.length**2


@dataclass(frozen=True)
class GaussianStart(DrawnStart):
    """Teacher and student units independent, w* ~ N(0, I_d) and w ~ N(0, length^2 I_d)."""

    seed: Seed = 1
    per_replica: PerReplica = False
    length: Length = 1.0

    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        rows = _gaussian_rows(rng, problem.k + problem.p, problem.d)
        return _lengthened(Overlaps.from_gram(rows @ rows.T / problem.d, problem.k), self.length)

    def scale(self, problem: Committee) -> float:
        """The mean squared length of a unit of the student."""
        return self.length**2


@dataclass(frozen=True, eq=False)
class CombinationStart(DrawnStart):
    """A student inside the teacher's span, W0 = A W*, and P = I: overlaps M0 = A, Q0 = A A^T that do not depend on d.

    `A` (p, k) is taken as it is; without it, its rows are uniform on the unit sphere, drawn as in `OverlapStart`.
    """

    A: Annotated[ArrayLike | None, Parameter("A", "W0 = A W*, (p, k); drawn where left out", written=Matrix | None)] = (
        None
    )
    seed: Seed = 1
    per_replica: PerReplica = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.A is not None:
            object.__setattr__(self, "A", as_matrix("A", self.A))

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where A is not a finite (p, k) matrix, or is given and drawn per replica."""
        if self.A is not None:
            A = np.asarray(self.A)
            require_shape("A", A, (problem.p, problem.k), "p, k")
            if not np.isfinite(A).all():
                raise ArgumentError("A", "be finite", A.tolist())
            if self.per_replica:
                raise ArgumentError(
                    "per_replica", "be false when A is given", True, "Leave out A to draw one for each."
                )
        super().check(problem)

    def scale(self, problem: Committee) -> float:
        """The largest squared length of a row of A, which are of unit length where it is not given."""
        return 1.0 if self.A is None else float((np.asarray(self.A) ** 2).sum(axis=1).max())

    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        A = unit_rows(rng.normal(size=(problem.p, problem.k))) if self.A is None else np.asarray(self.A)
        return Overlaps(P=np.eye(problem.k), M=A, Q=A @ A.T)


def overlap_start(problem: Committee, overlap: float = 0.5, seed: int = 1, per_replica: bool = False) -> OverlapStart:
    """`OverlapStart`, checked against the problem."""
    start = OverlapStart(overlap, seed, per_replica)
    start.check(problem)
    return start
