"""Excess risk of the student as a function of the order parameters."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.integrals import I2


def _kernel_sum(
    cross: Float[Array, "rows columns *#batch"],
    row: Float[Array, "rows *#batch"],
    column: Float[Array, "columns *#batch"],
) -> Float[Array, "..."]:
    """Mean over all pairs of fields of E[sigma(l_a) sigma(l_b)], from covariances and variances."""
    return jnp.mean(I2(cross, row[:, None], column[None, :]), axis=(0, 1))


def excess_risk(
    P: Float[Array, "k k *#batch"], M: Float[Array, "p k *#batch"], Q: Float[Array, "p p *#batch"]
) -> Float[Array, "..."]:
    """Excess risk (1/2) E[(f* - f)^2] of a student with overlaps M, Q on a teacher with overlaps P, for erf.

        (1/2) [k^-2 sum_rs g(P_rs) + p^-2 sum_ij g(Q_ij) - 2 (pk)^-1 sum_ir g(M_ir)],
        g(C_12) = (2/pi) asin(C_12 / sqrt((1 + C_11) (1 + C_22)))

    The risk itself is this plus noise/2. Trailing axes (replicas, times) are carried along, and one of length 1 is
    broadcast. Near perfect learning the terms, of order one, cancel: float64 leaves an absolute error near 1e-16.
    """
    teacher, student = jnp.einsum("rr...->r...", P), jnp.einsum("ii...->i...", Q)
    squares = _kernel_sum(P, teacher, teacher) + _kernel_sum(Q, student, student)
    return 0.5 * squares - _kernel_sum(M, student, teacher)
