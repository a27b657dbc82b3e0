"""One step of the dynamical mean-field theory of signal recovery, on padded arrays."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sgdsim.recovery.dmft_products import Products
from sgdsim.recovery.selection import Selection


class Rates(eqx.Module):
    """The constants of one element or, with a leading axis, of several."""

    alpha: Float[Array, "*batch"]
    eta: Float[Array, "*batch"]
    b: Float[Array, "*batch"]
    temperature: Float[Array, "*batch"]
    tolerance: Float[Array, "*batch"]


class Kernels(eqx.Module):
    """Everything known at step t of one element or, with a leading axis, of several; zero beyond t.

    All matrices hold their lower triangle only: R and Lambda_R have no other, C and Lambda_C are symmetric.

    - `m`, `norm`, `used2`: m(s), C(s,s) and E[sigma(s) r(s)^2]; of a fresh selection that is e2(s) = E r(s)^2.
    - `C`, `R`, `LC`, `LR`: C(s,u), R(s,u), Lambda_C(s,u) and Lambda_R(s,u) for u <= s.
    - `last`: the last step of this element. `stopped`: whether it goes no further, see `finished`.
    """

    m: Float[Array, "*batch n"]
    norm: Float[Array, "*batch n"]
    used2: Float[Array, "*batch n"]
    C: Float[Array, "*batch n n"]
    R: Float[Array, "*batch n n"]
    LC: Float[Array, "*batch n n"]
    LR: Float[Array, "*batch n n"]
    last: Int[Array, "*batch"]
    stopped: Bool[Array, "*batch"]


def finished(m: Float[Array, ""], norm: Float[Array, ""], tolerance: Float[Array, ""]) -> Bool[Array, ""]:
    """Whether the distance Delta = 1 - 2 |m| + C(t,t) is below the tolerance, or not a finite number.

    Near the signal it may round to -1e-17, which is not below a tolerance of zero.
    """
    distance = 1.0 - 2.0 * jnp.abs(m) + norm
    return (jnp.abs(distance) < tolerance) | ~jnp.isfinite(distance)


def begin(rates: Rates, m0: Float[Array, ""], C00: Float[Array, ""], n: int) -> Kernels:
    """Step 0 of one element, in arrays of size n: r(0) = xi(0), so that e2(0) = Q(0,0) and Lambda_R(0,0) = 1."""
    e2 = 0.5 * (1.0 - 2.0 * m0**2 + C00**2)
    row, square = jnp.zeros(n), jnp.zeros((n, n))
    return Kernels(
        m=row.at[0].set(m0),
        norm=row.at[0].set(C00),
        used2=row.at[0].set(e2),
        C=square.at[0, 0].set(C00),
        R=square,
        LC=square.at[0, 0].set(e2 / rates.b),
        LR=square.at[0, 0].set(1.0),
        last=jnp.zeros((), jnp.int64),
        stopped=finished(m0, C00, rates.tolerance),
    )


def _row(matrix: Float[Array, "n n"], index: Int[Array, ""]) -> Float[Array, " n"]:
    return jax.lax.dynamic_index_in_dim(matrix, index, keepdims=False)


def step(rates: Rates, selection: Selection, known: Kernels, t: Int[Array, ""], products: Products) -> Kernels:
    """One element from step t to t + 1, unless it has stopped: then its row t + 1 stays zero.

        A(t,s) = Lambda_R(t,s) C(t,s) - eta Lambda_C(t,s) R(t,s),  B(s) = eta Lambda_C(t,s) C(t,s)
        m(t+1)    = m(t) + eta alpha [S m(t) - sum_s A(t,s) m(s)],  S = sum_s Lambda_R(t,s)
        R(t+1,t') = R(t,t') + delta_{t,t'} - eta alpha sum_s A(t,s) R(s,t')
        C(t+1,t') = C(t,t') + eta alpha [S m(t) m(t') - sum_s A(t,s) C(s,t') + sum_s R(t',s) B(s)]
                    + 2 T eta delta_{t',t+1},  t' <= t + 1

    and then, with K(t+1,u) = R(t+1,u) C(t+1,u), the same rows of Lambda_R and Lambda_C; see `_memory_kernels`.
    """
    g, steps = rates.eta * rates.alpha, jnp.arange(known.m.shape[0])
    C, R, LC, LR = (_row(matrix, t) for matrix in (known.C, known.R, known.LC, known.LR))
    A, B = LR * C - rates.eta * LC * R, rates.eta * LC * C
    (AC, AR), (CA, RB) = products((known.C, known.R), (A, A), (A, B), t + 1)
    drift = LR.sum() * known.m[t]
    m_next = known.m[t] + g * (drift - A @ known.m)
    R = R + jnp.where(steps == t, 1.0, -g * AR)  # A R vanishes at s = t
    C = jnp.where(steps <= t, C + g * (drift * known.m - (AC + CA - A * known.norm) + RB), 0.0)
    # C(t+1,t+1) from the same formula, with the new row in the place of C(s,t+1) and R(t+1,s).
    norm = C[t] + g * (drift * m_next - A @ C + B @ R) + 2.0 * rates.temperature * rates.eta
    C = C.at[t + 1].set(norm)
    m, norms = known.m.at[t + 1].set(m_next), known.norm.at[t + 1].set(norm)
    LC, LR, used2 = _memory_kernels(rates, selection, known, m, C, R, t + 1, products)

    # An element that has stopped writes zeros: all of a batch make the same step, and nothing beyond `last` may
    # count.
    def write(matrix: Array, row: Array) -> Array:
        return jax.lax.dynamic_update_index_in_dim(matrix, jnp.where(known.stopped, 0.0, row), t + 1, 0)

    return Kernels(
        m=jnp.where(known.stopped, known.m, m),
        norm=jnp.where(known.stopped, known.norm, norms),
        used2=jnp.where(known.stopped, known.used2, known.used2.at[t + 1].set(used2)),
        C=write(known.C, C),
        R=write(known.R, R),
        LC=write(known.LC, LC),
        LR=write(known.LR, LR),
        last=jnp.where(known.stopped, known.last, t + 1),
        stopped=known.stopped | finished(m_next, norm, rates.tolerance),
    )


def _memory_kernels(
    rates: Rates,
    selection: Selection,
    known: Kernels,
    m: Float[Array, " n"],
    C: Float[Array, " n"],
    R: Float[Array, " n"],
    t: Int[Array, ""],
    products: Products,
) -> tuple[Float[Array, " n"], Float[Array, " n"], Float[Array, ""]]:
    """Row t of Lambda_C and Lambda_R, and E[sigma r^2], from the rows t of C and R; `known` reaches to t - 1.

    With c(t,u) = E sigma(t) sigma(u), which is 1 where data are selected fresh,

        Lambda_R(t,s) = delta_ts - eta sum_u K(t,u) c(t,u) Lambda_R(u,s),    K(t,u) = R(t,u) C(t,u)
        d(s) = E xi(t) sigma(s) r(s) = sum_u Lambda_R(s,u) Q(t,u),    Q(t,u) = (1 - m(t)^2 - m(u)^2 + C(t,u)^2)/2
        Lambda_C(t,s) = c(t,s) [d(s) - eta sum_{u<s} K(t,u) Lambda_C(s,u)]
                        - eta sum_{s<=u<t} K(t,u) c(t,u) Lambda_C(u,s),  s < t
        E[sigma(t) r(t)^2] = d(t) - eta sum_u K(t,u) Lambda_C(t,u) = b Lambda_C(t,t)

    sigma^2 = sigma/b makes the 1/b: all of the noise of a fresh selection. Given that a datum is used at u, what
    follows does not depend on what was before, see `Selection`: hence E[sigma(t) sigma(u) ...] = c(t,u) E[sigma(u) ...]
    for all that precedes u.
    """
    steps = jnp.arange(m.shape[0])
    K, c = R * C, selection.correlation(rates.b, t, steps)
    Q = jnp.where(steps <= t, 0.5 * (1.0 - m[t] ** 2 - m**2 + C**2), 0.0)
    (K_LR, K_LC), (d, LC_K) = products((known.LR, known.LC), (K * c, K * c), (Q, K), t)
    LR = jnp.where(steps == t, 1.0, -rates.eta * K_LR)
    # The products hold the diagonal twice: it belongs to the sum from s on.
    LC = jnp.where(steps < t, c * d - rates.eta * (K_LC + c * LC_K - c * K * known.used2 / rates.b), 0.0)
    used2 = jnp.maximum(LR @ Q - rates.eta * (K @ LC), 0.0)  # near recovery it may round to -1e-17
    return LC.at[t].set(used2 / rates.b), LR, used2
