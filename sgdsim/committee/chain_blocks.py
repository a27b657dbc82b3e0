"""The exact low-dimensional chain for any p and batch: n samples at once, by matrix products.

In an orthonormal frame of the teacher's span (k), the rest of the student's span (p) and n fresh directions, the inputs
of n consecutive samples are X = (Z_t, Z_s, T): Z_t and Z_s standard normal, and T the lower-triangular Bartlett factor
of a Wishart matrix with d - k - p degrees of freedom, since T T^T has the law of the Gram matrix of the inputs'
components outside both spans. One root B of S serves n samples. With E (n, p) the back-propagated errors and
c' = gamma/(p d batch):

    dm = c' E^T Z_t
    dS = c' (E^T Z_s B^T + B Z_s^T E) + c'^2 E^T (Z_s Z_s^T + T T^T) E
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.committee.activations import Activation
from sgdsim.committee.chain_lanes import ChainState, chain_observables, chain_state
from sgdsim.committee.linear_algebra import batched_root
from sgdsim.committee.overlaps import Overlaps
from sgdsim.committee.problem import Committee
from sgdsim.committee.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients
from sgdsim.committee.recursion import backpropagated_errors
from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.pin import Pin, Pinning, no_pin
from sgdsim.ensemble.random import Key, block_normals, fold
from sgdsim.ensemble.segments import run_blocks


class BlockState(eqx.Module):
    """State of a tile of the chain, as `ChainState` but with the lanes first, as matrix products want them."""

    m: Float[Array, "lanes p k"]
    S: Float[Array, "lanes p p"]
    teacher_root: Float[Array, "lanes k k"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class ChainBlocks(Kernel):
    """The chain of one problem, `segment` steps to a block. `small` says that a chi^2 has fewer than 32 degrees."""

    lanes: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    p: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    small: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    activation: Activation
    step_size: float
    noise_root: float
    freedom: Int[np.ndarray, " samples"]
    radius: Float[np.ndarray, "degree_1 samples"]

    @classmethod
    def of(cls, problem: Committee, dtype: Any, lanes: int, steps: int) -> "ChainBlocks":
        """The kernel of a problem, with blocks of `steps` steps; needs d - k - p >= steps * batch."""
        samples = steps * problem.batch
        freedom = problem.d - problem.k - problem.p - np.arange(samples)
        return cls(
            lanes=lanes,
            k=problem.k,
            p=problem.p,
            batch=problem.batch,
            segment=steps,
            small=bool(freedom[-1] < SMALLEST),
            dtype=jnp.dtype(dtype),
            activation=problem.activation,
            step_size=problem.step_size,
            noise_root=problem.noise**0.5,
            freedom=freedom,
            radius=quantile_coefficients(np.maximum(freedom, SMALLEST)),
        )

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> BlockState:
        """The state at step 0."""
        state = chain_state(initial, keys)
        m, S, root = (jnp.moveaxis(part, -1, 0) for part in (state.m, state.S, state.teacher_root))
        return BlockState(m=m, S=S, teacher_root=root, keys=keys, step=state.step)

    def observe(self, state: BlockState) -> Observables:
        """M, Q and excess_risk, float64, lanes last."""
        m, S, root = (jnp.moveaxis(part, 0, -1) for part in (state.m, state.S, state.teacher_root))
        lanes = ChainState(m=m, S=S, teacher_root=root, keys=state.keys, step=state.step)
        return chain_observables(lanes, self.activation)

    def advance(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """The state after n_steps more steps."""
        return run_blocks(state, n_steps, self.segment, self._block)

    def _block(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """One block, of which the first n_steps steps count."""
        m, S, root = (part.astype(self.dtype) for part in (state.m, state.S, state.teacher_root))
        pin = Pin.of(n_steps, self.dtype)
        key = fold((state.keys[0], state.keys[1]), state.step)
        B = batched_root(S, pin)
        z_t, z_s, T, zeta = self._inputs(key, pin)
        u = z_s @ jnp.swapaxes(B, 1, 2)
        outside = _gram(z_s) + _gram(T)
        E = backpropagated_errors(
            self.activation,
            student=z_t @ jnp.swapaxes(m, 1, 2) + u,
            teacher=z_t @ jnp.swapaxes(root, 1, 2),
            noise=jnp.asarray(self.noise_root, self.dtype) * zeta,
            gram=_gram(z_t) + outside,
            step_size=jnp.asarray(self.step_size, self.dtype),
            batch=self.batch,
            n_steps=n_steps,
            pin=pin,
        )
        cE = jnp.swapaxes(E, 1, 2) * (jnp.asarray(self.step_size, self.dtype) / self.batch)
        # Both terms of dS in one product: E^T u + u^T E + E^T G E = E^T w + w^T E with w = u + G E / 2.
        half = cE @ (u + 0.5 * (outside @ jnp.swapaxes(cE, 1, 2)))
        return BlockState(
            m=state.m + (cE @ z_t).astype(jnp.float64),
            S=state.S + (half + jnp.swapaxes(half, 1, 2)).astype(jnp.float64),
            teacher_root=state.teacher_root,
            keys=state.keys,
            step=state.step + n_steps,
        )

    def _inputs(self, key: Key, pin: Pinning = no_pin) -> tuple[Array, Array, Array, Array]:
        """Z_t (lanes, n, k), Z_s (lanes, n, p), T (lanes, n, n) and zeta (lanes, n) of one block."""
        k, p, n = self.k, self.p, self.segment * self.batch
        shapes = ((n, p), (n, k), (n,), (n,), ((n + 1) // 2, n))
        sizes = [math.prod(shape) for shape in shapes]
        parts = jnp.split(block_normals(key, sum(sizes), self.dtype, pin), np.cumsum(sizes)[:-1], axis=1)
        z_s, z_t, zeta, radial, off = (part.reshape(-1, *shape) for part, shape in zip(parts, shapes, strict=True))
        diagonal = jnp.sqrt(self._chi_squares(radial, key))
        T = _below_diagonal(off, n) + diagonal[:, :, None] * jnp.eye(n, dtype=self.dtype)[None]
        return z_t, z_s, T, zeta

    def _chi_squares(self, normals: Float[Array, "lanes samples"], key: Key) -> Float[Array, "lanes samples"]:
        """Squares of the diagonal of T: chi^2 with d-k-p, d-k-p-1, ... degrees of freedom."""
        shape = normals.shape
        coefficients = [jnp.asarray(row, self.dtype)[None, :] for row in self.radius]
        large = chi_square(normals, jnp.asarray(self.freedom, self.dtype)[None, :], coefficients)
        if not self.small:
            return large
        sample = jnp.broadcast_to(jnp.arange(shape[1], dtype=jnp.uint32)[None, :], shape)
        first = (sample, jnp.ones(shape, jnp.uint32))
        wide = (jnp.broadcast_to(key[0][:, None], shape), jnp.broadcast_to(key[1][:, None], shape))
        freedom = jnp.asarray(self.freedom)[None, :]
        return jnp.where(freedom < SMALLEST, chi_square_by_squares(wide, freedom, first, self.dtype), large)


def _below_diagonal(folded: Float[Array, "lanes rows n"], n: int) -> Float[Array, "lanes n n"]:
    """A strictly lower-triangular matrix, row n-1-s of which was kept, turned round, behind row s."""
    rest = jnp.flip(folded[:, : n - folded.shape[1]], axis=(1, 2))
    return jnp.tril(jnp.concatenate([folded, rest], axis=1), -1)


def _gram(rows: Float[Array, "lanes rows columns"]) -> Float[Array, "lanes rows rows"]:
    return rows @ jnp.swapaxes(rows, 1, 2)
