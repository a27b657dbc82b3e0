"""The noise of SGD: covariance of what one step adds to the order parameters, for any activation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.problem import Committee
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.rules.linear_algebra import batched_root

POINTS_LOG2 = 15
"""2^15 points leave an error of 0.4 % in the variances (p = k = 4; root mean square)."""


class StepCovariance(eqx.Module):
    """dt D = Cov[Omega^(nu+1) - Omega^nu] / dt of the independent entries, at given order parameters.

    With c = gamma/(p d), one sample adds, before the mean over the batch is taken,

        dM_ir = c E_i l*_r,    dQ_ij = c (E_i l_j + E_j l_i) + (c^2/batch) E_i E_j |x|^2

    and the covariance of a step is that of a sample over `batch`. The average over the k + p normals z of the fields
    and the label noise zeta is randomised quasi-Monte Carlo with points that are the same everywhere; of
    |x|^2 = |z|^2 + chi^2 with d - k - p degrees of freedom, mean and variance of chi^2 enter exactly. Inner products
    of different samples of a batch are left out, as they are in the ODE: they add a part of order 1/d.
    """

    z: Float[Array, "points fields"]
    zeta: Float[Array, " points"]
    step_size: Float[Array, ""]
    freedom: Float[Array, ""]
    noise: Float[Array, ""]
    dt: Float[Array, ""]
    batch: int = eqx.field(static=True)
    activation: Activation

    @classmethod
    def of(cls, problem: Committee, points_log2: int = POINTS_LOG2) -> "StepCovariance":
        """The covariance of a problem, by 2^points_log2 points of a scrambled Sobol sequence. Needs d >= k + p."""
        fields = problem.k + problem.p
        normals = sobol_normals(fields + 1, points_log2)
        constants = (problem.step_size, problem.d - fields, problem.noise, problem.dt)
        return cls(
            jax.device_put(normals[:, :fields]),
            jax.device_put(normals[:, fields]),
            *(jax.device_put(np.float64(constant)) for constant in constants),
            batch=problem.batch,
            activation=problem.activation,
        )

    def __call__(self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]) -> Float[Array, "n n"]:
        """dt D at (P, M, Q); positive semidefinite. Omega may be singular."""
        k = P.shape[0]
        root = batched_root(jnp.block([[P, M.T], [M, Q]])[None])[0]
        # Points along the last axis, in all that follows: a vector of the processor then holds points, not units.
        fields = root @ self.z.T
        teacher, student = fields[:k], fields[k:]
        error = self._mean_output(teacher) + jnp.sqrt(self.noise) * self.zeta - self._mean_output(student)
        E = self.activation.derivative(student) * error[None, :]
        row, column = np.triu_indices(len(M))
        square = E[row] * E[column]
        length = jnp.sum(self.z**2, axis=1) + self.freedom
        kick = self.step_size**2 / self.batch
        dM = (E[:, None, :] * teacher[None, :, :]).reshape(M.size, -1)
        dQ = self.step_size * (E[row] * student[column] + E[column] * student[row]) + kick * square * length[None, :]
        steps = jnp.concatenate([self.step_size * dM, dQ])
        from_fields = steps - jnp.mean(steps, axis=1, keepdims=True)
        from_length = kick * jnp.sqrt(2.0 * self.freedom) * square
        covariance = from_fields @ from_fields.T
        covariance = covariance.at[M.size :, M.size :].add(from_length @ from_length.T) / len(self.zeta)
        return (covariance + covariance.T) / (2 * self.batch * self.dt)

    def _mean_output(self, fields: Float[Array, "units points"]) -> Float[Array, " points"]:
        return jnp.mean(self.activation.value(fields), axis=0)
