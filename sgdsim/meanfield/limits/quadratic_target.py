"""What a network of quadratic units learns of a quadratic target: fully trained, and by its features at the start.

The network is A = (1/N) sum_k w_k w_k^T, the target B, and the risk |A - B|_F^2. With rho = N/d and tau = (tr B)^2/(d
|B|_F^2)

- the network has rank N: the best one leaves sum_(i > N) b_i^2 (Eckart & Young; B is positive). Of exponential b_i that
  is 1 - rho (1 - log rho + (log rho)^2/2) of |B|^2 for d -> infinity, rho < 1. The flow w_k' = -4 (A - B) w_k comes to
  it.
- the neural tangent model, A = sum_k (w_k v_k^T + v_k w_k^T) with any v_k, leaves QBQ, Q the projector on the
  complement of the w_k. On average over projectors of rank r = d - N, and exactly,

      E |QBQ|^2 = (alpha + beta) |B|^2 + beta (tr B)^2
      beta = (r - r^2/d)/(d^2 + d - 2),   alpha = r^2/d^2 - 2 beta/d

  which is (1 - tau)(1 - rho)^2 + tau (1 - rho) of |B|^2 for d -> infinity.
- random features, A = sum_k a_k w_k w_k^T with any a_k, learn of the trace what a Wishart matrix has of it, and of the
  rest, in the (d + 2)(d - 1)/2 dimensions of matrices without a trace, a random part: to leading order of each they
  leave (1 - tau)(1 - 2 N/((d + 2)(d - 1))) + tau/(1 + rho), which is 1 - tau rho/(1 + rho) for d -> infinity.

Source: Ghorbani, Mei, Misiakiewicz & Montanari 2019 (arXiv:1906.08899).
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.meanfield.limits.characteristics import State

Spectrum = Float[np.ndarray, " d"]


def best_risk(b: Spectrum, N: int) -> float:
    """What the best positive matrix of rank N leaves, of b > 0 that falls."""
    return float(np.sum(b[N:] ** 2))


def tangent_risk(b: Spectrum, N: int) -> float:
    """What the neural tangent model leaves, the mean over starts, exact at any d."""
    d, r = len(b), max(len(b) - N, 0)
    beta = (r - r**2 / d) / (d**2 + d - 2)
    return float((r**2 / d**2 - 2 * beta / d + beta) * np.sum(b**2) + beta * np.sum(b) ** 2)


def features_risk(b: Spectrum, N: int) -> float:
    """What random features leave, to leading order in 1/d of the trace and of the rest."""
    d, trace = len(b), np.sum(b) ** 2 / len(b)
    return float((np.sum(b**2) - trace) * (1 - 2 * N / ((d + 2) * (d - 1))) + trace * d / (N + d))


class QuadraticFlow(eqx.Module):
    """The velocity -4 (A - B) w of units W (starts, N, d), of one network a start: descent of the population risk."""

    b: Float[Array, " d"]

    def __call__(self, W: State, t: Array) -> State:
        """Of every unit."""
        (w,) = W
        A = jnp.einsum("skd,ske->sde", w, w) / w.shape[1]
        return (-4 * jnp.einsum("skd,sde->ske", w, A - jnp.diag(self.b)[None]),)


class QuadraticOrders(eqx.Module):
    """The order parameters (tr AB, |A|^2) of `GaussianQuadratic`, the mean over starts."""

    b: Float[Array, " d"]

    def __call__(self, W: State) -> Float[Array, " m"]:
        """Of units W (starts, N, d)."""
        (w,) = W
        A = jnp.einsum("skd,ske->sde", w, w) / w.shape[1]
        along = jnp.einsum("sdd,d->s", A, self.b)
        return jnp.stack([jnp.mean(along), jnp.mean(jnp.sum(A**2, axis=(1, 2)))])
