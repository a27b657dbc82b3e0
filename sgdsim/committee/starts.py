"""Starts: the overlaps of teacher and student before the first step."""

import abc
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import jax
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.committee.problem import Committee
from sgdsim.committee.scaling import MAX_PREFACTOR
from sgdsim.contracts import Problem, Start
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.overlaps import Overlaps

Matrix = list[list[float]]
Seed = Annotated[int, Parameter("", "seed of the draw that all replicas share, or of all their draws", least=0)]
Length = Annotated[
    float, Parameter("", "length of the student's units beside the teacher's", above=0, limit=MAX_PREFACTOR)
]
PerReplica = Annotated[bool, Parameter("", "whether every replica has a start of its own")]


def _repeat(overlaps: Overlaps, size: int) -> Overlaps:
    """One start for `size` replicas, from arrays without a replica axis."""
    return jax.tree.map(lambda part: np.broadcast_to(part, (size, *part.shape)), overlaps)


def _unit_rows(matrix: Float[np.ndarray, "... rows columns"]) -> Float[np.ndarray, "... rows columns"]:
    return matrix / np.linalg.norm(matrix, axis=-1, keepdims=True)


def _matrix(name: str, value: ArrayLike) -> Float[np.ndarray, "rows columns"]:
    """A float64 matrix, or ArgumentError."""
    try:
        matrix = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(name, "be a matrix of numbers, with rows of equal length", value) from error
    if matrix.ndim != 2:
        raise ArgumentError(name, "be a matrix (a list of rows)", value)
    return matrix


def _require_shape(name: str, matrix: np.ndarray, shape: tuple[int, int], meaning: str) -> None:
    if matrix.shape != shape:
        raise ArgumentError(name, f"have shape {shape} = ({meaning})", matrix.shape)


@dataclass(frozen=True, eq=False)
class ExplicitStart(Start):
    """Given overlaps P (k, k), M0 (p, k) and Q0 (p, p), the same for all replicas.

    **Raises:** ArgumentError unless Omega is symmetric and positive semidefinite with a regular P.
    """

    P: Annotated[ArrayLike, Parameter("P", "overlaps of the teacher, (k, k)", written=Matrix, example="[[1.0]]")]
    M0: Annotated[ArrayLike, Parameter("M_0", "student and teacher, (p, k)", written=Matrix, example="[[0.5]]")]
    Q0: Annotated[ArrayLike, Parameter("Q_0", "overlaps of the student, (p, p)", written=Matrix, example="[[1.0]]")]
    takes: ClassVar[type[Problem]] = Committee
    per_replica: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        for name in ("P", "M0", "Q0"):
            object.__setattr__(self, name, _matrix(name, getattr(self, name)))

    def _overlaps(self) -> Overlaps:
        return Overlaps(P=np.asarray(self.P), M=np.asarray(self.M0), Q=np.asarray(self.Q0))

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where shapes or values do not fit, or d is below the rank of Omega."""
        p, k = problem.p, problem.k
        for name, shape, meaning in (("P", (k, k), "k, k"), ("M0", (p, k), "p, k"), ("Q0", (p, p), "p, p")):
            _require_shape(name, getattr(self, name), shape, meaning)
        overlaps = self._overlaps()
        overlaps.check()
        overlaps.check_room(problem.d)

    def scale(self, problem: Committee) -> float:
        """The largest entry of Q0."""
        return float(np.abs(np.asarray(self.Q0)).max())

    def draw(self, problem: Committee, rng: np.random.Generator, size: int) -> Overlaps:
        """The given overlaps, `size` times."""
        return _repeat(self._overlaps(), size)


class DrawnStart(Start):
    """A random start: drawn once from its own `seed` for all replicas or, `per_replica`, for each of them.

    The draw of a replica depends on (ensemble's seed, `seed`, cell, replica): another `seed` gives other starts to the
    same noise of SGD, and more replicas keep the starts of those before.
    """

    takes: ClassVar[type[Problem]] = Committee
    seed: Seed
    per_replica: PerReplica

    @abc.abstractmethod
    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where d leaves no room for the start."""
        if problem.d < problem.k:
            raise ArgumentError("d", f"be >= k = {problem.k}, or teacher units depend on one another", problem.d)
        self.sample(problem, np.random.default_rng(self.seed)).check_room(problem.d)

    def draw(self, problem: Committee, rng: np.random.Generator, size: int) -> Overlaps:
        """`size` overlaps; see `Start`."""
        if self.per_replica:
            draws = [self.sample(problem, rng) for _ in range(size)]
            return jax.tree.map(lambda *parts: np.stack(parts), *draws)
        return _repeat(self.sample(problem, np.random.default_rng(self.seed)), size)


@dataclass(frozen=True)
class OverlapStart(DrawnStart):
    """Units of length 1 that each have the overlap's share of it in the span of an orthonormal teacher.

        P = I,    M0 = overlap A,    Q0 = overlap^2 A A^T + (1 - overlap^2) I

    where the rows of A (p, k) are uniform on the unit sphere: the first normals of numpy.random.default_rng(seed).
    """

    overlap: Annotated[
        float,
        Parameter("", "overlap of a unit with the teacher", least=-1, most=1, must="be between -1 and 1", example=0.5),
    ] = 0.5
    seed: Seed = 1
    per_replica: PerReplica = False

    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        A = _unit_rows(rng.normal(size=(problem.p, problem.k)))
        Q = self.overlap**2 * A @ A.T + (1 - self.overlap**2) * np.eye(problem.p)
        return Overlaps(P=np.eye(problem.k), M=self.overlap * A, Q=Q)


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
    """Teacher and student units independent and uniform, the teacher on |w|^2 = d, the student on |w|^2 = scale^2 d."""

    seed: Seed = 1
    per_replica: PerReplica = False
    length: Length = 1.0

    def sample(self, problem: Committee, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        rows = _unit_rows(_gaussian_rows(rng, problem.k + problem.p, problem.d))
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
            object.__setattr__(self, "A", _matrix("A", self.A))

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where A is not a finite (p, k) matrix, or is given and drawn per replica."""
        if self.A is not None:
            A = np.asarray(self.A)
            _require_shape("A", A, (problem.p, problem.k), "p, k")
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
        A = _unit_rows(rng.normal(size=(problem.p, problem.k))) if self.A is None else np.asarray(self.A)
        return Overlaps(P=np.eye(problem.k), M=A, Q=A @ A.T)


def overlap_start(problem: Committee, overlap: float = 0.5, seed: int = 1, per_replica: bool = False) -> OverlapStart:
    """`OverlapStart`, checked against the problem."""
    start = OverlapStart(overlap, seed, per_replica)
    start.check(problem)
    return start
