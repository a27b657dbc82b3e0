"""Fresh Gaussian inputs with the labels of a teacher: the problem of `sgdsim.committee`, for particles."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from sgdsim.checks import integer, number
from sgdsim.contracts import Scalar
from sgdsim.ensemble.random import Key, column_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Data, Predict
from sgdsim.meanfield.erf_averages import product
from sgdsim.meanfield.features import Components, Feature, erf_unit
from sgdsim.meanfield.losses import Loss, Squared


class GaussianTeacher(Data):
    """x ~ N(0, I_d), y = (1/k) sum_r sigma(v_r.x) + sqrt(noise) zeta with sigma = erf(./sqrt(2)), zeta ~ N(0, 1).

    The teacher's units v_r have the overlaps P_rs = v_r.v_s and lie in the first k coordinates, V = [chol(P), 0]: any
    other teacher with these overlaps is a rotation of this one. For the feature `erf_unit` and the loss `Squared` risk
    and order parameters are closed, of particles with weights p_i,

        m = (E f sigma(v_1.x), ..., E f sigma(v_k.x), E f^2),    f = sum_i p_i sigma(W^i.x),    f* = (1/k) sum_r sigma
        risk = (scale/2) [E f^2 - (2/k) sum_r m_r + E f*^2 + noise]

    - `d`, `k`, `noise`; `overlaps`: P (k, k), the identity where it is left out.

    **Raises:** ArgumentError unless d > k >= 1, noise >= 0, and P is symmetric and positive definite.
    """

    joined: ClassVar[bool] = True

    root: Float[Array, "k k"]
    noise: float
    d: int = eqx.field(static=True)

    def __init__(self, d: int, k: int = 1, noise: float = 0.0, overlaps: ArrayLike | None = None) -> None:
        k = integer("k", k, 1)
        self.d = integer("d", d, 2)
        if self.d <= k:
            raise ArgumentError("d", f"be above the teacher's k = {k}", self.d)
        self.noise = number("noise", noise, "be finite and >= 0", lambda value: 0 <= value < math.inf)
        self.root = jnp.asarray(_root(np.eye(k) if overlaps is None else overlaps, k))

    @property
    def inputs(self) -> int:
        """Number of components of x."""
        return self.d

    @property
    def parameters(self) -> dict[str, Scalar]:
        """The constants d, k and the variance of the labels' noise."""
        return {"d": self.d, "k": self.k, "label_noise": self.noise}

    @property
    def k(self) -> int:
        """Number of the teacher's units."""
        return len(self.root)

    def check(self, feature: Feature, loss: Loss) -> None:
        """Raises ArgumentError unless feature and loss are those of the closed averages."""
        if feature is not erf_unit:
            raise ArgumentError("feature", "be erf_unit for a teacher's Gaussian data", feature)
        if not isinstance(loss, Squared):
            raise ArgumentError("loss", "be Squared for a teacher's Gaussian data", loss)

    def least_risk(self, loss: Loss) -> float:
        """The risk of the teacher itself, scale noise/2."""
        return _scale(loss) * self.noise / 2

    def correlations(self, span: Float[Array, "k *rest"], squares: Float[Array, "*rest"]) -> Float[Array, "k *rest"]:
        """E sigma(W.x) sigma(v_r.x) of units, from their first k weights and the squares of their lengths."""
        cross = jnp.tensordot(self.root, span, axes=1)
        own = jnp.sum(self.root**2, axis=1).reshape(-1, *[1] * squares.ndim)
        return product(cross, squares[None], own)

    def risk(self, loss: Loss, m: Float[Array, "m *rest"]) -> Float[Array, "*rest"]:
        """The risk, from the order parameters m."""
        own = jnp.sum(self.root**2, axis=1)
        teacher = jnp.mean(product(self.root @ self.root.T, own[:, None], own[None, :]))
        return _scale(loss) / 2 * (m[-1] - 2 * jnp.mean(m[:-1], axis=0) + teacher + self.noise)

    def observed(self, loss: Loss, W: Components, weights: Any, predict: Predict) -> tuple[Array, Array]:
        """m and risk in closed form, over all pairs of particles."""
        stacked = jnp.stack(W)
        squares, weights = jnp.sum(stacked**2, axis=0), jnp.asarray(weights)

        def beside(i: Array) -> Float[Array, " lanes"]:
            cross = jnp.sum(stacked[:, i, None] * stacked, axis=0)
            return jnp.sum(weights * product(cross, squares[i][None], squares), axis=0)

        # A row of pairs at a time: never N^2 numbers of a replica.
        rows = jax.lax.map(beside, jnp.arange(len(squares)))
        along = self.correlations(stacked[: self.k], squares)
        m = jnp.stack([jnp.sum(weights * values, axis=0) for values in (*along, rows)])
        return m, self.risk(loss, m)

    def draw(self, key: Key, number: Array, dtype: np.dtype) -> tuple[Array, Array]:
        """d normals, and one more for the label."""
        normals = column_normals(key, self.d + 1, dtype, second=number)
        x, zeta = normals[:-1], normals[-1]
        return x, self.label(x, zeta)

    def label(self, x: Float[Array, "d *lanes"], zeta: Float[Array, "*lanes"]) -> Float[Array, "*lanes"]:
        """(1/k) sum_r sigma(v_r.x) + sqrt(noise) zeta."""
        rows = self.root.astype(zeta.dtype)
        units = [erf_unit(tuple(row[: r + 1]), x[: r + 1]) for r, row in enumerate(rows)]
        deviation = jnp.sqrt(jnp.asarray(self.noise, zeta.dtype))
        return sum(units[1:], units[0]) / self.k + deviation * zeta


def _root(overlaps: ArrayLike, k: int) -> Float[np.ndarray, "k k"]:
    """The lower triangular root of P. **Raises:** ArgumentError where there is none."""
    P = np.asarray(overlaps, np.float64)
    good = P.shape == (k, k) and np.isfinite(P).all() and np.array_equal(P, P.T)
    if not good or np.linalg.eigvalsh(P)[0] <= 1e-12 * np.trace(P):
        raise ArgumentError("overlaps", f"be a symmetric, positive definite matrix ({k}, {k})", P.tolist())
    return np.linalg.cholesky(P)


def _scale(loss: Loss) -> float:
    assert isinstance(loss, Squared)
    return loss.scale
