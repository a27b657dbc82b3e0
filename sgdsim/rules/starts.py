"""Starts: the overlaps of k fixed and p moving vectors before the first step, of any problem that has d, k and p."""

import abc
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from sgdsim.checks import lenient
from sgdsim.contracts import Problem, Start
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.problem import RuleProblem
from sgdsim.tracing import any_traced, is_traced

Matrix = list[list[float]]
Seed = Annotated[int, Parameter("", "seed of the draw that all replicas share, or of all their draws", least=0)]
MAX_UNITS = 10_000
"""Fixed and moving vectors of a start that is drawn: the table of all their overlaps takes 0.8 GB then."""
PerReplica = Annotated[bool, Parameter("", "whether every replica has a start of its own")]


def _repeat(overlaps: Overlaps, size: int) -> Overlaps:
    """One start for `size` replicas, from arrays without a replica axis."""
    return jax.tree.map(lambda part: part.__array_namespace__().broadcast_to(part, (size, *part.shape)), overlaps)


def unit_rows(matrix: Float[np.ndarray, "... rows columns"]) -> Float[np.ndarray, "... rows columns"]:
    """Rows of length one."""
    return matrix / np.linalg.norm(matrix, axis=-1, keepdims=True)


def as_matrix(name: str, value: ArrayLike) -> Float[Array | np.ndarray, "rows columns"]:
    """A float64 matrix, or ArgumentError."""
    if any_traced(value):
        matrix = jnp.asarray(value, jnp.float64)
        if matrix.ndim != 2:
            raise ArgumentError(name, "be a matrix (a list of rows)", value)
        return matrix
    try:
        matrix = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(name, "be a matrix of numbers, with rows of equal length", value) from error
    if matrix.ndim != 2:
        raise ArgumentError(name, "be a matrix (a list of rows)", value)
    return matrix


def require_shape(name: str, matrix: Array | np.ndarray, shape: tuple[int, int], meaning: str) -> None:
    """**Raises:** ArgumentError for a matrix of another shape, whose letters are in `meaning`."""
    if matrix.shape != shape:
        raise ArgumentError(name, f"have shape {shape} = ({meaning})", matrix.shape)


@dataclass(frozen=True, eq=False)
class GivenOverlaps(Start):
    """Overlaps P (k, k), M0 (p, k) and Q0 (p, p) as they are given: see `ExplicitRuleStart`."""

    P: Annotated[ArrayLike, Parameter("P", "overlaps of the teacher, (k, k)", written=Matrix, example="[[1.0]]")]
    M0: Annotated[ArrayLike, Parameter("M_0", "student and teacher, (p, k)", written=Matrix, example="[[0.5]]")]
    Q0: Annotated[ArrayLike, Parameter("Q_0", "overlaps of the student, (p, p)", written=Matrix, example="[[1.0]]")]
    per_replica: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        for name in ("P", "M0", "Q0"):
            object.__setattr__(self, name, as_matrix(name, getattr(self, name)))

    def _overlaps(self) -> Overlaps:
        parts: tuple[Any, ...] = (self.P, self.M0, self.Q0)
        return Overlaps(*(part if is_traced(part) else np.asarray(part) for part in parts))

    def check(self, problem: Any) -> None:
        """Raises ArgumentError where shapes or values do not fit, or d is below the rank of Omega."""
        p, k = problem.p, problem.k
        for name, shape, meaning in (("P", (k, k), "k, k"), ("M0", (p, k), "p, k"), ("Q0", (p, p), "p, p")):
            require_shape(name, getattr(self, name), shape, meaning)
        overlaps = self._overlaps()
        overlaps.check()
        overlaps.check_room(problem.d)

    def scale(self, problem: Any) -> float:
        """The largest entry of Q0."""
        return float(np.abs(np.asarray(self.Q0)).max())

    def draw(self, problem: Any, rng: np.random.Generator, size: int) -> Overlaps:
        """The given overlaps, `size` times."""
        return _repeat(self._overlaps(), size)


class DrawnOverlaps(Start):
    """A random start: drawn once from its own `seed` for all replicas or, `per_replica`, for each of them.

    The draw of a replica depends on (ensemble's seed, `seed`, cell, replica): another `seed` gives other starts to the
    same noise of SGD, and more replicas keep the starts of those before.
    """

    seed: Seed
    per_replica: PerReplica

    @abc.abstractmethod
    def sample(self, problem: Any, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""

    def check(self, problem: Any) -> None:
        """Raises ArgumentError where d leaves no room for the start."""
        if problem.d < problem.k:
            raise ArgumentError("d", f"be >= k = {problem.k}, or teacher units depend on one another", problem.d)
        if problem.p + problem.k > MAX_UNITS:
            name, others = ("p", problem.k) if problem.p >= problem.k else ("k", problem.p)
            must = f"be at most {MAX_UNITS - others}, so that the overlaps of all pairs of units fit into memory"
            raise ArgumentError(name, must, getattr(problem, name))
        self.sample(problem, np.random.default_rng(self.seed)).check_room(problem.d)

    def draw(self, problem: Any, rng: np.random.Generator, size: int) -> Overlaps:
        """`size` overlaps; see `Start`."""
        if self.per_replica:
            draws = [self.sample(problem, rng) for _ in range(size)]
            return jax.tree.map(lambda *parts: np.stack(parts), *draws)
        return _repeat(self.sample(problem, np.random.default_rng(self.seed)), size)


@dataclass(frozen=True)
class AlignedOverlaps(DrawnOverlaps):
    """Vectors of length 1 that share a part with the fixed ones: see `AlignedRuleStart`."""

    overlap: Annotated[
        float,
        Parameter("", "overlap of a unit with the teacher", least=-1, most=1, must="be between -1 and 1", example=0.5),
    ] = 0.5
    seed: Seed = 1
    per_replica: PerReplica = False
    per: Annotated[
        Literal["root_d"] | None,
        Parameter("", "what the overlap is divided by: sqrt(d), by which it is as large as a random unit's"),
    ] = None

    def sample(self, problem: Any, rng: np.random.Generator) -> Overlaps:
        """One draw, without a replica axis."""
        A = unit_rows(rng.normal(size=(problem.p, problem.k)))
        overlap = self.overlap / problem.d**0.5 if self.per == "root_d" else self.overlap
        Q = overlap**2 * A @ A.T + (1 - overlap**2) * np.eye(problem.p)
        return Overlaps(P=np.eye(problem.k), M=overlap * A, Q=Q)


@dataclass(frozen=True, eq=False)
class ExplicitRuleStart(GivenOverlaps):
    """Given overlaps P (k, k) of the fixed vectors, M0 (p, k) and Q0 (p, p) of the moving ones, for all replicas.

    **Raises:** ArgumentError unless Omega is symmetric and positive semidefinite with a regular P.
    """

    takes: ClassVar[type[Problem]] = RuleProblem


@lenient
@dataclass(frozen=True)
class AlignedRuleStart(AlignedOverlaps):
    """Vectors of length 1 that each have the overlap's share of it in the span of orthonormal fixed ones.

        P = I,    M0 = overlap A,    Q0 = overlap^2 A A^T + (1 - overlap^2) I

    where the rows of A (p, k) are uniform on the unit sphere: the first normals of numpy.random.default_rng(seed).
    `per` = "root_d": with overlap/sqrt(d) in place of the overlap.
    """

    takes: ClassVar[type[Problem]] = RuleProblem
