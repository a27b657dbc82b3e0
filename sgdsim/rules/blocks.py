"""The exact chain of a rule for any number of vectors and any batch: N samples at once, by matrix products.

With the inputs X = (Z_t, Z_s, T) of `block_inputs`, one root B of S, B B^T = S, serves N samples. A block adds
`linear` D and kicks K (N, n), see `recursion`; with u = Z_s B^T and A = 1 + D:

    m <- A^T m + K^T Z_t
    S <- A^T S A + A^T u^T K + K^T u A + K^T (Z_s Z_s^T + T T^T) K
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import NormalsForm, block_normals, fold
from sgdsim.ensemble.segments import run_blocks
from sgdsim.rules.block_inputs import BlockInputs, gram
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.recursion import Drawn, Recursion, run_samples
from sgdsim.rules.rule import Rule, in_arrays
from sgdsim.rules.state import ChainState, chain_observables, chain_state


class BlockState(eqx.Module):
    """State of a tile of the chain, as `ChainState` but with the lanes first, as matrix products want them."""

    m: Float[Array, "lanes *blocks n k"]
    S: Float[Array, "lanes *blocks n n"]
    numbers: Float[Array, "lanes q"]
    teacher_root: Float[Array, "lanes *blocks k k"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


def begun_blocks(rule: Rule, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> BlockState:
    """The state at step 0."""
    state = chain_state(rule, initial, keys)
    parts = (state.m, state.S, state.numbers, state.teacher_root)
    return BlockState(*(jnp.moveaxis(part, -1, 0) for part in parts), keys=keys, step=state.step)


class RuleBlocks(Kernel):
    """The chain of one rule, `segment` steps to a block."""

    small_products: ClassVar[bool] = True

    lanes: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    recursion: Recursion = eqx.field(static=True)
    rule: Rule
    inputs: BlockInputs

    @classmethod
    def of(
        cls,
        rule: Rule,
        d: int,
        batch: int,
        dtype: Any,
        lanes: int,
        steps: int,
        recursion: Recursion = run_samples,
        form: NormalsForm = block_normals,
    ) -> "RuleBlocks":
        """The kernel of a rule in dimension d, with blocks of `steps` steps; needs d - k - n >= steps * batch."""
        inputs = BlockInputs.of(rule.sizes, d, steps * batch, dtype, form)
        return cls(lanes=lanes, batch=batch, segment=steps, recursion=recursion, rule=rule, inputs=inputs)

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> BlockState:
        """The state at step 0."""
        return begun_blocks(self.rule, initial, keys)

    def observe(self, state: BlockState) -> Observables:
        """What the rule observes, float64, lanes last."""
        parts = (state.m, state.S, state.numbers, state.teacher_root)
        lanes = ChainState(*(jnp.moveaxis(part, 0, -1) for part in parts), keys=state.keys, step=state.step)
        return chain_observables(self.rule, lanes)

    def advance(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """The state after n_steps more steps."""
        return run_blocks(state, n_steps, self.segment, self._block)

    def _block(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """One block, of which the first n_steps steps count."""
        dtype = self.inputs.dtype
        m, S, root = (part.astype(dtype) for part in (state.m, state.S, state.teacher_root))
        pin = Pin.of(n_steps, dtype)
        key = fold((state.keys[0], state.keys[1]), state.step)
        B = batched_root(S, pin)
        z_t, z_s, T, normals = self.inputs.draw(key, pin)
        if self.rule.clusters is not None:
            clusters = in_arrays(self.rule.clusters, dtype)
            z_t, z_s, scale = clusters.placed(normals, root, z_t, z_s)
            T = scale * T
        u = z_s @ jnp.swapaxes(B, 1, 2)
        outside = gram(z_s) + gram(T)
        drawn = Drawn(
            fixed=z_t @ jnp.swapaxes(root, 1, 2),
            moving=z_t @ jnp.swapaxes(m, 1, 2) + u,
            normals=normals,
            gram=gram(z_t) + outside,
        )
        Q = S + m @ jnp.swapaxes(m, 1, 2)
        block = self.recursion(self.rule, drawn, state.numbers, Q, self.batch, n_steps, pin)
        K = jnp.swapaxes(block.kicks, 1, 2) * (jnp.asarray(self.rule.rate, dtype) / self.batch)
        dm, dS = K @ z_t, jnp.zeros_like(S)
        if block.linear is not None:
            turned = jnp.swapaxes(block.linear, 1, 2)
            dm, u, dS = dm + turned @ m, u + u @ block.linear, turned @ (S + S @ block.linear) + S @ block.linear
        # Both terms in one product: K^T u + u^T K + K^T G K = K^T w + w^T K with w = u + G K / 2.
        half = K @ (u + 0.5 * (outside @ jnp.swapaxes(K, 1, 2)))
        dS = dS + (half + jnp.swapaxes(half, 1, 2))
        return BlockState(
            m=state.m + dm.astype(jnp.float64),
            S=state.S + dS.astype(jnp.float64),
            numbers=state.numbers + block.numbers.astype(jnp.float64),
            teacher_root=state.teacher_root,
            keys=state.keys,
            step=state.step + n_steps,
        )
