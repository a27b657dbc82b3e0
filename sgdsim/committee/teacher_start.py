"""The start beside a student of one's own: of the teacher alone, as the student begins as its function makes it."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from sgdsim.committee.problem import Committee
from sgdsim.contracts import Problem, Start
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.starts import Matrix, as_matrix, require_shape


@dataclass(frozen=True, eq=False)
class TeacherStart(Start):
    """Teachers with the overlaps P (k, k), orthonormal where left out; every replica's student is its function's.

    **Raises:** ArgumentError unless P is symmetric and positive definite.
    """

    P: Annotated[
        ArrayLike | None, Parameter("P", "overlaps of the teacher, (k, k); I where left out", written=Matrix | None)
    ] = None
    per_replica: bool = field(default=False, init=False)
    takes: ClassVar[type[Problem]] = Committee

    def __post_init__(self) -> None:
        if self.P is not None:
            object.__setattr__(self, "P", as_matrix("P", self.P))

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError beside a committee, and where P does not fit or d is below k."""
        if problem.student is None:
            raise ArgumentError("start", "say how the student begins", "a TeacherStart", "It is for a `student`.")
        if self.P is not None:
            require_shape("P", self.P, (problem.k, problem.k), "k, k")  # type: ignore[arg-type]
        overlaps = self._overlaps(problem)
        overlaps.check()
        overlaps.check_room(problem.d)

    def _overlaps(self, problem: Committee) -> Overlaps:
        """With a unit of the student of length 1 beside all teachers, which nobody looks at."""
        k = problem.k
        P = np.eye(k) if self.P is None else np.asarray(self.P)
        return Overlaps(P=P, M=np.zeros((1, k)), Q=np.zeros((1, 1)))

    def draw(self, problem: Committee, rng: np.random.Generator, size: int) -> Overlaps:
        """The overlaps of the teacher, `size` times, beside a student of one unit that is 0."""
        parts = self._overlaps(problem)
        P, M, Q = (np.broadcast_to(part, (size, *part.shape)) for part in (parts.P, parts.M, parts.Q))
        return Overlaps(P=P, M=M, Q=Q)
