"""The order parameters as a state: overlaps of teacher and student, and weights that have them."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from sgdsim.errors import ArgumentError
from sgdsim.tracing import any_traced

ROUNDING = 1e-13
"""A part of a squared length below this, relative to the whole, is rounding of a zero."""

TOLERANCE = 1e-10
"""How far given overlaps may be from symmetric and positive semidefinite, relative to their largest value."""


class Overlaps(eqx.Module):
    """P = W* W*^T/d, M = W W*^T/d, Q = W W^T/d, float64, with or without a leading replica axis.

    Together they are Omega = [[P, M^T], [M, Q]], the covariance of the k + p local fields. P must be regular: no
    teacher unit is a combination of the others. Omega itself may be singular, as it is for W0 = A W*.
    Methods compute where the arrays live: NumPy on the host, JAX (also traced) otherwise.
    """

    P: Float[Array | np.ndarray, "*replicas k k"]
    M: Float[Array | np.ndarray, "*replicas p k"]
    Q: Float[Array | np.ndarray, "*replicas p p"]

    @classmethod
    def from_gram(cls, omega: Float[Array | np.ndarray, "*replicas fields fields"], k: int) -> "Overlaps":
        """The blocks of Omega, whose first k fields are the teacher's."""
        return cls(P=omega[..., :k, :k], M=omega[..., k:, :k], Q=omega[..., k:, k:])

    def schur(self) -> tuple[Float[Array | np.ndarray, "*replicas p k"], Float[Array | np.ndarray, "*replicas p p"]]:
        """(m, S): the student inside the teacher's span, m = M L^-T with P = L L^T, and outside, S = Q - m m^T.

        S is the Gram matrix of the parts of the student's units that are orthogonal to all teachers. The row and the
        column of a unit without such a part are exactly zero.
        """
        xp = self.P.__array_namespace__()
        m = xp.linalg.solve(xp.linalg.cholesky(self.P), self.M.mT).mT
        S = self.Q - m @ m.mT
        outside = xp.linalg.diagonal(S) > ROUNDING * xp.linalg.diagonal(self.Q)
        return m, xp.where(outside[..., :, None] & outside[..., None, :], 0.5 * (S + S.mT), 0.0)

    def with_zeros(self) -> "Overlaps":
        """As many student vectors again, that are zero."""
        xp, p = self.P.__array_namespace__(), self.Q.shape[-1]
        blank = [(0, 0)] * (self.Q.ndim - 2)
        M, Q = xp.pad(self.M, [*blank, (0, p), (0, 0)]), xp.pad(self.Q, [*blank, (0, p), (0, p)])
        return Overlaps(self.P, M, Q)

    def with_copies(self, count: int) -> "Overlaps":
        """The first `count` student vectors again, behind all of them."""
        xp = self.P.__array_namespace__()
        M = xp.concat([self.M, self.M[..., :count, :]], axis=-2)
        rows = xp.concat([self.Q, self.Q[..., :count, :]], axis=-2)
        return Overlaps(self.P, M, xp.concat([rows, rows[..., :count]], axis=-1))

    def normalised(self) -> "Overlaps":
        """Every student vector with the length |w|^2 = d."""
        xp = self.P.__array_namespace__()
        scale = 1 / xp.sqrt(xp.linalg.diagonal(self.Q))
        return Overlaps(self.P, self.M * scale[..., None], self.Q * scale[..., None] * scale[..., None, :])

    def frame_weights(
        self, d: int
    ) -> tuple[Float[Array | np.ndarray, "*replicas k {d}"], Float[Array | np.ndarray, "*replicas p {d}"]]:
        """(W*, W0) with exactly these overlaps, in the first coordinates: W* = sqrt(d) [L, 0], W0 = sqrt(d) [m, R, 0].

        R R^T = S by eigenvectors, where an eigenvalue that is rounding gives a column of zeros. The inputs are
        Gaussian, so their law is the same in every rotated frame and nothing is lost by choosing this one. R has at
        most d - k columns, enough wherever `check_room(d)` passes, so p > d is welcome.
        """
        xp = self.P.__array_namespace__()
        k, p = self.P.shape[-1], self.Q.shape[-1]
        m, S = self.schur()
        values, vectors = xp.linalg.eigh(S)
        largest = xp.max(xp.linalg.diagonal(self.Q), axis=-1, keepdims=True)
        root = vectors * xp.sqrt(xp.where(values > ROUNDING * largest, values, 0.0))[..., None, :]
        columns = min(p, d - k)
        student = xp.concat([m, root[..., p - columns :]], axis=-1)  # eigenvalues ascend: the last are the largest
        blank = [(0, 0)] * (self.P.ndim - 1)
        teacher = xp.pad(xp.linalg.cholesky(self.P), [*blank, (0, d - k)])
        return d**0.5 * teacher, d**0.5 * xp.pad(student, [*blank, (0, d - k - columns)])

    def check(self) -> None:
        """Raises ArgumentError unless the overlaps are finite and symmetric, P regular and Omega positive semidefinite.

        The arguments are named as in a start: P, M0, Q0. What is traced has no value to be checked.
        """
        if any_traced(self):
            return
        P, M, Q = (np.asarray(part) for part in (self.P, self.M, self.Q))
        for name, part in (("P", P), ("M0", M), ("Q0", Q)):
            if not np.isfinite(part).all():
                raise ArgumentError(name, "be finite", part.tolist())
        for name, part in (("P", P), ("Q0", Q)):
            if np.abs(part - part.mT).max() > TOLERANCE * np.abs(part).max():
                raise ArgumentError(name, "be symmetric", part.tolist())
        teacher = np.linalg.eigvalsh(P)
        if (teacher[..., 0] <= TOLERANCE * teacher[..., -1]).any():
            remedy = "Leave out teacher units that are combinations of the others."
            raise ArgumentError("P", "be positive definite", P.tolist(), remedy)
        omega = np.linalg.eigvalsh(np.block([[P, M.mT], [M, Q]]))
        if (omega[..., 0] < -TOLERANCE * omega[..., -1]).any():
            raise ArgumentError(
                "Q0",
                "make Omega = [[P, M0^T], [M0, Q0]] positive semidefinite, as overlaps of vectors are",
                Q.tolist(),
                f"The smallest eigenvalue is {omega[..., 0].min():.3g}: raise the diagonal of Q0 or shrink M0.",
            )

    def check_room(self, d: int) -> None:
        """Raises ArgumentError unless vectors of d components can have these overlaps: rank of Omega <= d."""
        if any_traced(self):
            return
        outside = np.linalg.eigvalsh(np.asarray(self.schur()[1]))
        largest = np.linalg.diagonal(np.asarray(self.Q)).max(axis=-1, keepdims=True)
        rank = self.P.shape[-1] + int((outside > TOLERANCE * largest).sum(axis=-1).max())
        if rank > d:
            raise ArgumentError(
                "d",
                f"be >= {rank}, the number of independent directions of teacher and student together",
                d,
                "Raise d, or take a start that fits in any d >= k: sphere, gaussian or combination.",
            )
