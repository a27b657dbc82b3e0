"""A quadratic target on Gaussian inputs, and particles with quadratic features: all averages are of matrices."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import integer
from sgdsim.contracts import Scalar
from sgdsim.ensemble.random import Key, column_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.data import Data, Predict
from sgdsim.meanfield.features import Components, Feature, square_unit
from sgdsim.meanfield.losses import Loss, Squared


class GaussianQuadratic(Data):
    """x ~ N(0, I_d), y = x.Bx - tr B with B = diag(b): quantiles of the exponential law, scaled so that |B|_F = 1.

    Particles with the feature `square_unit` and weights p_i are a matrix A = sum_i p_i W^i W^i^T. With `Squared`

        risk = scale |A - B|_F^2,   m = (tr AB, |A|_F^2),

    by E (x.Mx - tr M)^2 = 2 |M|_F^2: without a network it is the loss's scale.

    - `d`; `b`: the eigenvalues of B, (d,), falling.

    **Raises:** ArgumentError unless d is an integer >= 2.
    """

    joined: ClassVar[bool] = True

    b: Float[Array, " d"]
    d: int = eqx.field(static=True)

    def __init__(self, d: int) -> None:
        self.d = integer("d", d, 2)
        # At the middles of d equal parts of the law, the largest first.
        b = -np.log((np.arange(self.d) + 0.5) / self.d)
        self.b = jnp.asarray(b / np.linalg.norm(b))

    @property
    def inputs(self) -> int:
        """Number of components of x."""
        return self.d

    @property
    def parameters(self) -> dict[str, Scalar]:
        """The constant d, and (tr B)^2/(d |B|_F^2), the part of the target that is |x|^2."""
        return {"d": self.d, "trace_part": float(jnp.sum(self.b)) ** 2 / self.d}

    def check(self, feature: Feature, loss: Loss) -> None:
        """Raises ArgumentError unless feature and loss are those of the closed averages."""
        if feature is not square_unit:
            raise ArgumentError("feature", "be square_unit for a quadratic target", feature)
        if not isinstance(loss, Squared):
            raise ArgumentError("loss", "be Squared for a quadratic target", loss)

    def risk(self, loss: Loss, m: Float[Array, "2 *rest"]) -> Float[Array, "*rest"]:
        """scale (|A|^2 - 2 tr AB + |B|^2), from the order parameters."""
        assert isinstance(loss, Squared)
        return loss.scale * (m[1] - 2 * m[0] + jnp.sum(self.b**2))

    def observed(self, loss: Loss, W: Components, weights: Any, predict: Predict) -> tuple[Array, Array]:
        """m and risk, by the matrix A of every lane."""
        stacked, weights = jnp.stack(W), jnp.asarray(weights)
        A = jnp.einsum("iNl,jNl->ijl", weights * stacked, stacked)
        along = jnp.sum(self.b[:, None] * jnp.diagonal(A).T, axis=0)
        m = jnp.stack([along, jnp.sum(A**2, axis=(0, 1))])
        return m, self.risk(loss, m)

    def draw(self, key: Key, number: Array, dtype: np.dtype) -> tuple[Array, Array]:
        """d normals, and the label."""
        x = column_normals(key, self.d, dtype, second=number)
        return x, self.label(x)

    def label(self, x: Float[Array, "d *lanes"]) -> Float[Array, "*lanes"]:
        """sum_i b_i (x_i^2 - 1)."""
        b = self.b.astype(x[0].dtype)
        return sum((b[i] * (x[i] ** 2 - 1) for i in range(1, self.d)), b[0] * (x[0] ** 2 - 1))
