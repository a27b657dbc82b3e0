"""A network of quadratic units beside what its features at the start could learn: neural tangent and random features.

Both are linear in what they train, so that their least risk on the population is a projection of B, with W the start:

    neural tangent     |QBQ|_F^2,                Q the projector on the complement of w_1, ..., w_N
    random features    |B|^2 - r.G^-1 r,         G_kl = (u_k.u_l)^2, r_k = u_k.B u_k, u_k = w_k/|w_k|
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.meanfield.kernels.particle import ParticleKernel, ParticleState
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.quadratic import GaussianQuadratic
from sgdsim.meanfield.starts import Given


class RegimesState(eqx.Module):
    """`system`: the particles; `tangent`, `features`: least risks of the models that are linear about the start."""

    system: ParticleState
    tangent: Float[Array, " lanes"]
    features: Float[Array, " lanes"]


class RegimesKernel(Kernel):
    """One problem's particles and the two linear models of their starts on a tile of replicas."""

    kept: ClassVar[tuple[str, ...]] = ("excess_risk", "m", "tangent_risk", "features_risk")

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    system: ParticleKernel
    b: Float[Array, " d"]

    @classmethod
    def of(cls, problem: MeanField, dtype: Any, lanes: int) -> "RegimesKernel":
        """The kernel of a problem with a quadratic target."""
        data = problem.model.data
        assert isinstance(data, GaussianQuadratic)
        return cls(lanes=lanes, segment=1, system=ParticleKernel.of(problem, dtype, lanes), b=data.b)

    def init(self, initial: Given, keys: UInt32[Array, "2 lanes"]) -> RegimesState:
        """Particles of the start, and what is linear about them."""
        system = self.system.init(initial, keys)
        W = jnp.moveaxis(jnp.stack(system.W).astype(jnp.float64), (0, 1, 2), (2, 1, 0))
        return RegimesState(system, tangent_left(W, self.b), features_left(W, self.b))

    def advance(self, state: RegimesState, n_steps: Int[Array, ""]) -> RegimesState:
        """n_steps of the particles."""
        return RegimesState(self.system.advance(state.system, n_steps), state.tangent, state.features)

    def observe(self, state: RegimesState) -> Observables:
        """What is observed of the particles, and the two risks, which stay."""
        return self.system.observe(state.system) | {"tangent_risk": state.tangent, "features_risk": state.features}


def tangent_left(W: Float[Array, "lanes N d"], b: Float[Array, " d"]) -> Float[Array, " lanes"]:
    """|QBQ|_F^2; nothing where N units span all directions."""
    lanes, N, d = W.shape
    if d <= N:
        return jnp.zeros(lanes)
    span, _ = jnp.linalg.qr(jnp.swapaxes(W, 1, 2))
    Q = jnp.eye(d)[None] - jnp.einsum("lik,ljk->lij", span, span)
    left = jnp.einsum("lij,j,ljk->lik", Q, b, Q)
    return jnp.sum(left**2, axis=(1, 2))


def features_left(W: Float[Array, "lanes N d"], b: Float[Array, " d"]) -> Float[Array, " lanes"]:
    """|B|^2 less its projection on the matrices u_k u_k^T."""
    u = W / jnp.sqrt(jnp.sum(W**2, axis=2, keepdims=True))
    gram = jnp.einsum("lki,lmi->lkm", u, u) ** 2
    along = jnp.einsum("lki,i->lk", u**2, b)
    weights = jnp.linalg.solve(gram, along[..., None])[..., 0]
    return jnp.sum(b**2) - jnp.sum(along * weights, axis=1)
