"""The noise of SGD by any rule: covariance of what one step adds to overlaps and numbers."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.rules.entries import full, independent
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.mean_step import MeanStep, Point
from sgdsim.rules.sample_points import Normals, Samples, mixed, samples_of

NOISE_LOG2 = 15
"""2^15 points leave an error of 0.4 % in the variances (p = k = 4; root mean square)."""


def entries_of(point: Point) -> Float[Array, "*times entries"]:
    """The independent entries of a point: M by rows, the upper triangle of Q by rows, numbers."""
    return jnp.concatenate([independent(point.M, point.Q), point.numbers], axis=-1)


def point_of(entries: Float[Array, " entries"], n: int, k: int, time: Float[Array, ""]) -> Point:
    """The point with these entries, at a time."""
    overlaps = n * k + n * (n + 1) // 2
    return Point(*full(entries[:overlaps], n, k), entries[overlaps:], time)


class StepNoise(eqx.Module):
    """dt D = Cov[one step's change of all entries]/dt, at given means.

    With the kick K of a sample (of all its visits), c = rate, and A = 1 + D of the drift, one sample adds, before the
    mean over the batch is taken,

        dM_ar = c K_a l*_r,    dQ_ab = c (K_a (A l)_b + K_b (A l)_a) + (c^2/batch) K_a K_b |x|^2,    Theta

    and the covariance of a step is that of a sample over `batch`. The average is over points that are the same
    everywhere; of |x|^2 = |z|^2 + chi^2 with d - k - n degrees of freedom, mean and variance of chi^2 enter exactly in
    the last term of dQ. Inner products of different samples of a batch are left out, as they are where the ODE has
    closed forms: they add a part of order batch/d. New lengths act on the changes by their derivative.
    """

    curve: MeanStep
    normals: Normals

    @classmethod
    def of(cls, curve: MeanStep, log2: int = NOISE_LOG2) -> "StepNoise":
        """The noise about a curve, by 2^log2 points of a scrambled Sobol sequence."""
        return cls(curve, Normals.of(curve.rule, log2))

    def __call__(self, P: Float[Array, "k k"], point: Point) -> Float[Array, "entries entries"]:
        """dt D at a point; positive semidefinite. The overlaps of all vectors may be singular."""
        curve, count = self.curve, len(self.normals.z)
        root = batched_root(jnp.block([[P, point.M.T], [point.M, point.Q]])[None])[0]
        parts = [self._changes(samples, root, point) for samples in samples_of(curve.rule, self.normals, root)]
        mean = mixed(curve.rule, [jnp.mean(steps, axis=1, keepdims=True) for steps, _ in parts])
        covariance = mixed(curve.rule, [_squares(steps - mean, radial, point.M.size) for steps, radial in parts])
        covariance = covariance / (count * curve.batch * curve.dt)
        if curve.rule.rescales:
            T = self._lengths(point)
            covariance = T @ covariance @ T.T
        return 0.5 * (covariance + covariance.T)

    def _changes(
        self, samples: Samples, root: Float[Array, "fields fields"], point: Point
    ) -> tuple[Float[Array, "entries points"], Float[Array, "pairs points"]]:
        """What a sample adds, and what one standard deviation of chi^2 adds to Q."""
        curve, z, k = self.curve, samples.z, point.M.shape[1]
        fields, length = z @ root.T, samples.length(curve.d)
        freedom = samples.scale**4 * (curve.d - z.shape[1])
        kicks, moves = curve.kicks(samples.own, fields[:, :k], fields[:, k:], length, point)
        # Points along the last axis, in all that follows: a vector of the processor then holds points, not units.
        K, fixed, moving = kicks.T, fields[:, :k].T, fields[:, k:].T
        reached = moving + curve.drift(point) @ moving
        row, column = np.triu_indices(len(K))
        c = curve.rule.rate
        square = (c**2 / curve.batch) * K[row] * K[column]
        dM = c * (K[:, None] * fixed[None]).reshape(point.M.size, -1)
        dQ = c * (K[row] * reached[column] + K[column] * reached[row]) + square * length[None]
        return jnp.concatenate([dM, dQ, moves.T]), jnp.sqrt(2.0 * freedom) * square

    def _lengths(self, point: Point) -> Float[Array, "entries entries"]:
        """How changes go on where lengths are set anew: the derivative of the entries then by those before."""
        n, k = point.M.shape

        def after(entries: Float[Array, " entries"]) -> Float[Array, " entries"]:
            here = point_of(entries, n, k, point.time)
            dM, dQ = self.curve.rescaled(here.M, here.Q, point.Q)
            return entries_of(here._replace(M=here.M + dM, Q=here.Q + dQ))

        return jax.jacfwd(after)(entries_of(point))


def _squares(
    centred: Float[Array, "entries points"], radial: Float[Array, "pairs points"], first: int
) -> Float[Array, "entries entries"]:
    """Sums over points of the products of changes, those of Q with what chi^2 adds, from entry `first` on."""
    after = first + len(radial)
    return (centred @ centred.T).at[first:after, first:after].add(radial @ radial.T)
