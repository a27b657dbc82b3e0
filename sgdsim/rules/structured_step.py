"""The mean step of a rule whose inputs have blocks of variances: coupled overlaps, one Gram matrix for each block.

With C = sum_l s_l C_l the covariance of the fields and J = E[dK/dl] at C (Stein's lemma), a step moves the overlaps of
block l by what `mean_step` has, with

    E[K lambda_l^T] = s_l J C_l    in place of E[K lambda^T],    lambda_l the block's own part of the fields
    G_l = s_l (d_l/d) E[K K^T]/batch + (1 - 1/batch) s_l^2 J C_l J^T/d    in place of G

The part O(1/d) of E[K K^T |x_l|^2] is left out.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.contracts import Curve, Observables
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.mean_step import MeanStep, Point, changes, pairs_of, stepwise, together
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.solver import integrate


class BlockPoint(NamedTuple):
    """Where the means are: overlaps of every block, numbers, and the time."""

    M: Float[Array, "L n k"]
    Q: Float[Array, "L n n"]
    numbers: Float[Array, " q"]
    time: Float[Array, ""]


class StructuredStep(Curve):
    """The ODE of one rule, with the averages of `mean`. Rules that limit or use a batch again are not for it."""

    mean: MeanStep
    inputs: InputBlocks

    def __call__(self, initial: Overlaps, times: Float[Array | np.ndarray, " times"]) -> Observables:
        """What the rule observes of the fields' covariances, at increasing times >= 0, from `initial` at 0."""
        times = jnp.asarray(times, jnp.float64)
        P, point = self.begin(initial)
        rate = self.mean.rule.rate / self.mean.dt
        first_step = 0.01 / (rate + rate * self.mean.rule.rate * self.mean.d) / jnp.max(self.variances)
        path = integrate(lambda y: self.velocity(P, y), point, times, first_step, self.mean.rtol, self.mean.atol)
        M, Q = (jnp.einsum("tLij,L->tij", part, self.variances) for part in (path.M, path.Q))
        observe = jax.vmap(self.mean.rule.observe, in_axes=(None, 0, 0, 0))
        return observe(self._weighted(P), M, Q, path.numbers)

    @property
    def variances(self) -> Float[Array, " L"]:
        """s_l."""
        return jnp.asarray(self.inputs.variances, jnp.float64)

    def begin(self, initial: Overlaps) -> tuple[Float[Array, "L k k"], BlockPoint]:
        """P of every block, and the means at t = 0: a share d_l/d of all overlaps."""
        P, point = self.mean.begin(initial)
        P, M, Q = (jnp.tensordot(jnp.asarray(self.inputs.shares), part, 0) for part in (P, point.M, point.Q))
        return P, BlockPoint(M, Q, point.numbers, point.time)

    def velocity(self, P: Float[Array, "L k k"], point: BlockPoint) -> BlockPoint:
        """As `MeanStep.velocity`."""
        dt, batch = self.mean.dt, self.mean.batch

        def mean(point: BlockPoint) -> BlockPoint:
            return jax.tree.map(lambda change: change / dt, self.step(P, point)._replace(time=dt))

        return mean(point) if batch == 1 else stepwise(mean, point, (1 - 1 / batch) * dt / 2)

    def step(self, P: Float[Array, "L k k"], point: BlockPoint) -> BlockPoint:
        """What one step changes, in the mean."""
        rule, batch, k = self.mean.rule, self.mean.batch, P.shape[1]
        whole = Point(self._weighted(point.M), self._weighted(point.Q), point.numbers, point.time)
        moments, D = self.mean.moments(self._weighted(P), whole), self.mean.linear(whole)
        assert moments.slopes is not None

        def block(s: Array, share: Array, P: Array, M: Array, Q: Array) -> tuple[Array, Array]:
            C = s * jnp.block([[P, M.T], [M, Q]])
            fields = rule.rate * moments.slopes @ C  # type: ignore[operator]
            squares = share * moments.squares / batch + (1 - 1 / batch) * together(moments, C) / self.mean.d
            return changes(D, M, Q, fields[:, :k], fields[:, k:], s * rule.rate**2 * self.mean.d * squares)

        dM, dQ = jax.vmap(block)(self.variances, jnp.asarray(self.inputs.shares), P, point.M, point.Q)
        if rule.rescales:
            Q = point.Q + dQ
            g = self.mean.relengthening(*(jnp.diagonal(jnp.sum(part, axis=0)) for part in (Q, point.Q)))
            dM, dQ = dM + g[None, :, None] * (point.M + dM), dQ + pairs_of(g)[None] * Q
        return BlockPoint(dM, dQ, moments.numbers, jnp.zeros(()))

    def _weighted(self, parts: Float[Array, "L a b"]) -> Float[Array, "a b"]:
        """sum_l s_l of parts: covariances of fields."""
        return jnp.einsum("Lij,L->ij", parts, self.variances)
