"""The mean square residual over all data of signal recovery, where the selection of data has a memory."""

import numpy as np
from jaxtyping import Float

from sgdsim.recovery.dmft_step import Kernels
from sgdsim.recovery.selection import Fresh, Selection


def mean_squares(known: Kernels, eta: float, selection: Selection) -> Float[np.ndarray, " n"]:
    """e2(t) = E r(t)^2 over all data at all steps, from the kernels of one element, float64.

    Beside those that are used, whose mean square is `known.used2`, there are those that wait:

        r(t) = xi(t) - eta sum_u K(t,u) sigma(u) r(u)
        E dr(t)/dxi(s) = delta_ts - eta sum_u K(t,u) Lambda_R(u,s)
        E r(t) sigma(s) r(s) = sum_u Q(t,u) Lambda_R(s,u) - eta sum_u K(t,u) Lambda_C(u,s)
        e2(t) = sum_s Q(t,s) E dr(t)/dxi(s) - eta sum_s K(t,s) E r(t) sigma(s) r(s)

    Of a fresh selection both are the same, and nothing is computed.
    """
    used2 = np.asarray(known.used2)
    if isinstance(selection, Fresh):
        return used2
    # The last step of a solution that grows beyond all numbers would spoil the sums of all others.
    n = int(known.last) + int(np.isfinite(np.asarray(known.norm)[int(known.last)]))
    m, C, R, LC, LR = (np.asarray(part)[:n, ...] for part in (known.m, known.C, known.R, known.LC, known.LR))
    C, R, LC, LR = (part[:, :n] for part in (C, R, LC, LR))
    K, Q = R * C, np.tril(0.5 * (1 - m[:, None] ** 2 - m**2 + C**2))
    response = np.eye(n) - eta * K @ LR
    crossed = Q @ LR.T - eta * K @ (LC + np.tril(LC, -1).T)
    e2 = np.einsum("ts,ts->t", response, Q) - eta * np.einsum("ts,ts->t", K, crossed)
    return np.concatenate([np.maximum(e2, 0.0), used2[n:]])
