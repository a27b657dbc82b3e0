"""Many descents of one problem: the lowest loss that is found, perfect fits, and flat directions."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.random import fold
from sgdsim.ensemble.statistics import tree_sum
from sgdsim.recovery.descent_kernel import DescentKernel, DescentState
from sgdsim.recovery.hessian import flat_modes, hessian
from sgdsim.recovery.starts import SignalOverlaps, exact_start, random_frame, transverse

PERFECT = 1e-9
"""A loss per dimension below is that of a perfect fit: it moves eigenvalues of the Hessian by about 9e-5."""
RESTART = 8
"""A replica's key is folded with this and more for its restarts."""


class RestartsKernel(Kernel):
    """A replica is one draw of data and signal, and `descent.lanes` descents of it from starts of their own.

    So a lowest loss is one number of each replica, whatever else is in its batch, and replicas are independent.
    """

    descent: DescentKernel
    lanes: int = eqx.field(static=True, default=1)
    segment: int = eqx.field(static=True, default=1)

    def init(self, initial: SignalOverlaps, keys: UInt32[Array, "2 1"]) -> DescentState:
        """One signal, and starts that have exactly the given overlaps with it and are independent otherwise."""
        kernel = self.descent
        # In a loop: fused into every number that is drawn, keys that are made here take long to compile.
        own = jax.lax.map(lambda restart: fold((keys[0, 0], keys[1, 0]), RESTART + restart), jnp.arange(kernel.lanes))
        frame = random_frame(own, kernel.features.N, 2)
        signal = jnp.broadcast_to(frame[0][:, :1], frame[0].shape)
        start = exact_start(initial, signal, transverse(signal, frame[1]))
        return kernel.begin(start, signal, None, jnp.stack(own))

    def advance(self, state: DescentState, n_steps: Int[Array, ""]) -> DescentState:
        """All descents side by side."""
        return self.descent.advance(state, n_steps)

    def observe(self, state: DescentState) -> Observables:
        """Means over the descents; `ground` is the lowest loss of those that are not at the signal."""
        seen = dict(self.descent.observe(state))
        elsewhere, loss = seen["recovered"] == 0, seen["loss"]
        seen["perfect"] = ((loss < PERFECT) & elsewhere).astype(jnp.float64)
        seen["zero_modes"] = self._zero_modes(state)
        means = {name: tree_sum(value)[..., None] / self.descent.lanes for name, value in seen.items()}
        # Where all are at the signal there is no other.
        lowest = jnp.min(jnp.where(elsewhere | ~elsewhere.any(), loss, jnp.inf))
        return means | {"ground": lowest[None]}

    def _zero_modes(self, state: DescentState) -> Float[Array, " lanes"]:
        """The part of flat directions about each descent, one after another: each takes a matrix (N, N)."""
        kernel = self.descent

        def flat(place: tuple[Float[Array, " N"], Float[Array, " N"]]) -> Float[Array, ""]:
            x, signal = (part.astype(jnp.float64) for part in place)

            def block(index: Int[Array, ""], total: Float[Array, "N N"]) -> Float[Array, "N N"]:
                return total + hessian(kernel.features, kernel.data_block(state, index), x, signal)

            none = jnp.zeros((kernel.features.N, kernel.features.N))
            return flat_modes(jax.lax.fori_loop(0, kernel.blocks, block, none))

        return jax.lax.map(flat, (state.x.T, state.signal.T))
