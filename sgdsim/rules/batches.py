"""The exact chain of a rule for any batch: one gradient per step, without the b x b inner products of its inputs.

A step needs of its inputs, in a frame of the fixed vectors' span (k), the rest of the moving vectors' span (n) and the
d-k-n directions outside, the normals Z_t (b, k) and Z_s (b, n), which make the fields, and of the rest X only K^T X for
the kicks K (b, n), in units of rate/batch. Given K, X^T K (d-k-n, n) has independent rows N(0, K^T K): its Gram matrix
is Wishart, K^T X X^T K = L T T^T L^T with L L^T = K^T K and Bartlett's T. With B B^T = S, R = K^T Z_s and A = 1 + D,

    m <- A m + K^T Z_t
    S <- A S A^T + A B R^T + R B^T A^T + R R^T + L T T^T L^T

at a cost of O(b (k + n)), for any b and every d >= k + n. Sums over samples are taken chunk by chunk.

Inputs may have blocks of directions of different variance, see `rules.inputs`: all of this once for each, with inputs
sqrt(s_l) times as large, fields that are sums over blocks, and kicks that are common.
"""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.pin import Pin, Pinning
from sgdsim.ensemble.random import Key, NormalsForm, block_normals, fold
from sgdsim.ensemble.segments import run_blocks
from sgdsim.rules.bartlett import Bartlett
from sgdsim.rules.block_inputs import normals_of_shapes
from sgdsim.rules.blocks import BlockState, begun_blocks
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.recursion import sample_kicks
from sgdsim.rules.rule import Rule, in_arrays
from sgdsim.rules.units import UnitArray, values_of

CHUNK = 128
"""Samples at a time at most: of p = k = 4 a chunk is 6 kB for each replica, and 16 of them stay in a core's cache. By
chunks of 256 a step of 1000 samples takes a third to a half longer (measured)."""


class _Sums(NamedTuple):
    """Sums over the samples of a step, with kicks in units of the rate."""

    with_fixed: Float[Array, "lanes L n k"]
    """K^T Z_t."""
    with_moving: Float[Array, "lanes L n n"]
    """K^T Z_s."""
    squares: Float[Array, "lanes n n"]
    """K^T K."""
    numbers: Float[Array, "lanes q"]


class _Frame(NamedTuple):
    """What the vectors are at the beginning of a step, in the precision of the loop; in units of the inputs' scale."""

    m: Float[Array, "lanes L n k"]
    B: Float[Array, "lanes L n n"]
    root: Float[Array, "lanes L k k"]
    theta: Float[Array, "lanes 1 q"]
    time: Any


class RuleBatches(Kernel):
    """The chain of one rule whose step is one gradient of a batch; a rule with several visits is for `RuleBlocks`.

    Its state has an axis of the inputs' blocks behind the lanes: overlaps m, S of the vectors' parts in each.
    """

    small_products: ClassVar[bool] = True

    lanes: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    form: NormalsForm = eqx.field(static=True)
    rule: Rule
    inputs: InputBlocks
    outside: Bartlett

    @classmethod
    def of(
        cls,
        rule: Rule,
        d: int,
        batch: int,
        dtype: Any,
        lanes: int,
        inputs: InputBlocks | None = None,
        form: NormalsForm = block_normals,
    ) -> "RuleBatches":
        """The kernel of a rule in dimension d >= k + n, or with blocks of as many directions each."""
        n, k = rule.sizes.moving, rule.sizes.fixed
        inputs = InputBlocks.isotropic(d) if inputs is None else inputs
        outside = Bartlett.of(n, [size - k - n for size in inputs.sizes], dtype)
        return cls(lanes=lanes, batch=batch, segment=1, form=form, rule=rule, inputs=inputs, outside=outside)

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> BlockState:
        """The state at step 0, where every block has its share d_l/d of all overlaps."""
        state = begun_blocks(self.rule, initial, keys)
        share = jnp.asarray(self.inputs.shares)[None, :, None, None]
        m, S, root = (part[:, None] for part in (state.m, state.S, state.teacher_root))
        parts = (jnp.sqrt(share) * m, share * S, state.numbers, jnp.sqrt(share) * root)
        return BlockState(*parts, keys=keys, step=state.step)

    def observe(self, state: BlockState) -> Observables:
        """What the rule observes of the covariances of fields, sum_l s_l of the blocks' overlaps; float64."""
        m, S, root = state.m, state.S, state.teacher_root
        parts = (root @ root.mT, m @ root.mT, S + m @ m.mT)
        P, M, Q = (jnp.einsum("bLij,L->ijb", part, jnp.asarray(self.inputs.variances)) for part in parts)
        return self.rule.observe(P, M, Q, state.numbers.T[: self.rule.sizes.numbers])

    def advance(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """The state after n_steps more steps."""
        return run_blocks(state, n_steps, self.segment, self._step)

    def _step(self, state: BlockState, n_steps: Int[Array, ""]) -> BlockState:
        """One step, where n_steps is 1; none, where it is 0."""
        dtype = self.outside.dtype
        m, S, root, numbers = (part.astype(dtype) for part in (state.m, state.S, state.teacher_root, state.numbers))
        pin = Pin.of(n_steps, dtype)
        key = fold((state.keys[0], state.keys[1]), state.step)
        rule = in_arrays(self.rule, dtype)
        time = numbers[:, -1:] if rule.timed else 0.0
        scale = jnp.sqrt(jnp.asarray(self.inputs.variances, dtype))[None, :, None, None]
        B = batched_root(S.reshape(-1, *S.shape[2:]), pin).reshape(S.shape)
        theta = numbers[:, None, : rule.sizes.numbers]
        sums = self._sums(rule, _Frame(scale * m, scale * B, scale * root, theta, time), key, pin)

        unit = rule.rate / self.batch
        outside = unit * scale * (batched_root(sums.squares, pin)[:, None] @ self._wishart_factors(key, pin))
        KZ_t, R = unit * scale * sums.with_fixed, unit * scale * sums.with_moving
        if rule.limits:
            squares = jnp.sum(jnp.concatenate([KZ_t, R, outside], axis=3) ** 2, axis=(1, 3))
            factors = values_of(rule.limit(UnitArray(squares[:, None]), time))[:, :, :, None]
            KZ_t, R, outside = (part * factors for part in (KZ_t, R, outside))
        dm, dS = _drifted(rule, m, S, time)
        # Three terms in one product: B R^T + R B^T + R R^T = W R^T + R W^T with W = B + R / 2.
        half = (B + _drift(rule, B, time) + 0.5 * R) @ R.mT
        dm, dS = dm + KZ_t, dS + (half + half.mT) + outside @ outside.mT
        if rule.rescales:
            dm, dS = _rescaled(rule, m, S, dm, dS)
        moved = sums.numbers / self.batch
        if rule.timed:
            moved = jnp.concatenate([moved, jnp.broadcast_to(rule.dt, (len(moved), 1)).astype(dtype)], axis=1)

        def after(old: Array, change: Array) -> Array:
            return old + jnp.where(n_steps > 0, change, 0).astype(jnp.float64)

        return eqx.tree_at(
            lambda state: (state.m, state.S, state.numbers, state.step),
            state,
            (after(state.m, dm), after(state.S, dS), after(state.numbers, moved), state.step + n_steps),
        )

    def _sums(self, rule: Rule, frame: _Frame, key: Key, pin: Pinning) -> _Sums:
        """Over all samples, in equal chunks, of which the last may have some that do not count."""
        chunks = -(-self.batch // CHUNK)
        size = -(-self.batch // chunks)
        sizes, (lanes, L), dtype = rule.sizes, frame.m.shape[:2], frame.m.dtype
        shapes = ((L, size, sizes.fixed), (L, size, sizes.moving), (size, sizes.normals))

        def chunk(sums: _Sums, number: Int[Array, ""]) -> tuple[_Sums, None]:
            z_t, z_s, own = normals_of_shapes(fold(key, number + 1), shapes, dtype, pin, self.form)
            scale: Any = 1.0
            if rule.clusters is not None:
                (root,) = jnp.moveaxis(frame.root, 1, 0)
                placed = rule.clusters.placed(own, root, z_t[:, 0], z_s[:, 0])
                z_t, z_s, scale = placed[0][:, None], placed[1][:, None], placed[2]
            fixed = jnp.sum(z_t @ frame.root.mT, axis=1)
            moving = jnp.sum(z_t @ frame.m.mT + z_s @ frame.B.mT, axis=1)
            kicks, moves = sample_kicks(rule, fixed, moving, own, frame.theta, frame.time)
            counts = (number * size + jnp.arange(size) < self.batch)[None, :, None]
            K = jnp.where(counts, kicks, 0)
            across = K.mT[:, None]
            gained = jnp.zeros_like(sums.numbers) if moves is None else jnp.sum(jnp.where(counts, moves, 0), axis=1)
            outside = K if rule.clusters is None else scale * K
            new = _Sums(across @ z_t, across @ z_s, outside.mT @ outside, gained)
            return jax.tree.map(jnp.add, sums, new), None

        n, k, q = sizes.moving, sizes.fixed, sizes.numbers
        zero = _Sums(*(jnp.zeros((lanes, *shape), dtype) for shape in ((L, n, k), (L, n, n), (n, n), (q,))))
        if chunks == 1:
            return chunk(zero, jnp.asarray(0))[0]
        return jax.lax.scan(chunk, zero, jnp.arange(chunks))[0]

    def _wishart_factors(self, key: Key, pin: Pinning) -> Float[Array, "lanes L n n"]:
        """T of every block."""
        L, n = self.outside.freedom.shape
        # Folded twice, as it was when every block had a key: the bits of inputs without blocks stay.
        own = fold(fold(key, 0), 0)
        radial, off = normals_of_shapes(own, ((L, n), (L, (n + 1) // 2, n)), self.outside.dtype, pin, self.form)
        return self.outside.factor(radial, off, own, pin)


def _drift(rule: Rule, rows: Float[Array, "lanes L n r"], time: Any) -> Float[Array, "lanes L n r"]:
    """D of matrices whose rows are the vectors."""
    if not rule.drifts:
        return jnp.zeros_like(rows)
    across = rows.mT
    flat = values_of(rule.drift(UnitArray(across.reshape(len(rows), -1, across.shape[3])), time))
    return flat.reshape(across.shape).mT


def _drifted(
    rule: Rule, m: Float[Array, "lanes L n k"], S: Float[Array, "lanes L n n"], time: Any
) -> tuple[Float[Array, "lanes L n k"], Float[Array, "lanes L n n"]]:
    """What D adds: D m, and A S A^T - S = Y + D (S + Y) with Y = S D^T."""
    Y = _drift(rule, S, time).mT
    return _drift(rule, m, time), Y + _drift(rule, S + Y, time)


def _rescaled(
    rule: Rule,
    m: Float[Array, "lanes L n k"],
    S: Float[Array, "lanes L n n"],
    dm: Float[Array, "lanes L n k"],
    dS: Float[Array, "lanes L n n"],
) -> tuple[Float[Array, "lanes L n k"], Float[Array, "lanes L n n"]]:
    """The changes with the vectors' new lengths in them."""
    after, outside = m + dm, S + dS
    squares = jnp.sum(jnp.diagonal(outside, axis1=2, axis2=3) + jnp.sum(after * after, axis=3), axis=1)
    g = values_of(rule.rescale(UnitArray(squares[:, None])))
    rows, columns = g[:, :, :, None], g[:, :, None, :]
    return dm + rows * after, dS + (rows + columns + rows * columns) * outside
