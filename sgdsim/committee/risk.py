"""Excess risk of the student as a function of the order parameters."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation


def _kernel_sum(
    activation: Activation,
    cross: Float[Array, "rows columns *#batch"],
    row: Float[Array, "rows *#batch"],
    column: Float[Array, "columns *#batch"],
) -> Float[Array, "..."]:
    """Mean over all pairs of fields of E[sigma(l_a) sigma(l_b)], from covariances and variances."""
    return jnp.mean(activation.I2(cross, row[:, None], column[None, :]), axis=(0, 1))


def excess_risk(
    P: Float[Array, "k k *#batch"],
    M: Float[Array, "p k *#batch"],
    Q: Float[Array, "p p *#batch"],
    activation: Activation,
) -> Float[Array, "..."]:
    """Excess risk (1/2) E[(f* - f)^2] of a student with overlaps M, Q on a teacher with overlaps P.

        (1/2) [k^-2 sum_rs I2(P_rs) + p^-2 sum_ij I2(Q_ij) - 2 (pk)^-1 sum_ir I2(M_ir)],
        I2(C_12) = E[sigma(l_1) sigma(l_2)], which depends on C_11 and C_22 too

    The risk itself is this plus noise/2. Trailing axes (replicas, times) are carried along, and one of length 1 is
    broadcast. Near perfect learning the terms, of order one, cancel: float64 leaves an absolute error near 1e-16.
    """
    teacher, student = jnp.einsum("rr...->r...", P), jnp.einsum("ii...->i...", Q)
    squares = _kernel_sum(activation, P, teacher, teacher) + _kernel_sum(activation, Q, student, student)
    return 0.5 * squares - _kernel_sum(activation, M, student, teacher)
