"""A head of attention on a few tokens."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sgdsim.errors import ArgumentError


class Attention(eqx.Module):
    """x in T tokens x_t of e = d/T inputs each; one head of p dimensions and a readout a of units erf.

        q_t = A x_t/sqrt(e),   k_t = B x_t/sqrt(e),   v_t = C x_t/sqrt(e)
        f(x) = (1/sqrt(p d)) a.(1/T) sum_t erf(sum_s softmax_s(q_t.k_s/sqrt(p)) v_s/sqrt(2))

    A, B and C (p, e) begin as N(0, 1), a (p,) as sqrt(d) N(0, 1), see `Layers`. Tokens know no place. - `key`: of this
    replica.
    """

    queries: Float[Array, "p e"]
    keys: Float[Array, "p e"]
    values: Float[Array, "p e"]
    readout: Float[Array, " p"]

    def __init__(self, d: int, p: int, tokens: int, key: PRNGKeyArray) -> None:
        own = jax.random.split(key, 4)
        self.queries, self.keys, self.values = (jax.random.normal(one, (p, d // tokens)) for one in own[:3])
        self.readout = d**0.5 * jax.random.normal(own[3], (p,))

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        """f(x)."""
        p, e = self.queries.shape
        tokens = x.reshape(-1, e) * e**-0.5
        q, k, v = (tokens @ matrix.T for matrix in (self.queries, self.keys, self.values))
        mixed = jax.nn.softmax(q @ k.T * p**-0.5, axis=1) @ v
        units = jnp.mean(jax.lax.erf(mixed * 0.5**0.5), axis=0)
        return (self.readout @ units) * (p * x.shape[0]) ** -0.5


def attention(d: int, *, key: PRNGKeyArray, p: int, tokens: int = 4) -> Attention:
    """One head of p dimensions on so many tokens; see `Attention`. **Raises:** ArgumentError unless they divide d."""
    if tokens < 1 or d % tokens:
        raise ArgumentError("tokens", f"divide d = {d}", tokens, "All tokens have d/tokens inputs.")
    return Attention(d, p, tokens, key)
