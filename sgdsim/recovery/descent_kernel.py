"""GD and SGD at finite N: replicas that share their data, by matrix products over blocks of the data.

    r = scale J (phi(x) - phi(x*)),    x <- x - eta scale phi'(x)^T J^T (sigma r)

J (M, E) is the bulk of it: a step reads it once, block by block, for all lanes of a tile. It is kept in memory where
there is room, and drawn again from its key at every step where there is not; the numbers are bitwise the same. On a CPU
a matrix product is shared out among the cores of the machine, and rounds differently with another number of them.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.pin import Pin, once
from sgdsim.ensemble.random import Key, block_normals, fold, normal_pair
from sgdsim.recovery.features import Features
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.selection import Drawn, Selection
from sgdsim.recovery.starts import SignalOverlaps, exact_start, random_frame

_BLOCK = 2**21
"""Numbers of J in a block, about."""
_LEAST_ROWS = 64
"""Data of a block at least, so that it is no smaller than the arrays over the features that it is multiplied with."""
SELECTION, THERMAL = 0, 4
"""What a replica's key is folded with to select data, and for Langevin noise; its frame of vectors takes 1, 2 and 3,
its data 2^32 and more."""

Halves = tuple[Array, Array]
"""An array over the features in two halves, because normals are made in pairs: none is copied."""


class DescentState(eqx.Module):
    """A tile of replicas, in the precision of the loop. `step` counts the steps made.

    - `waiting`: x at min(t, t_w), for each waiting time.
    - `probe`, `tangents`: a direction v, and what has become of pushes along it, dx(t); None unless measured. The first
      is v at the first step, then come v at the step t_w of each waiting time, and v at every step from t_w on.
    - `J`: the data in blocks, None where they are drawn anew at every step.
    - `drawn`: what the selection remembers of every datum; None for a fresh one, which remembers nothing.
    """

    x: Float[Array, "N lanes"]
    signal: Float[Array, "N lanes"]
    start: Float[Array, "N lanes"]
    waiting: Float[Array, "waiting N lanes"]
    probe: Float[Array, "N lanes"] | None
    tangents: Float[Array, "pushes N lanes"] | None
    J: tuple[Float[Array, "blocks rows half"], Float[Array, "blocks rows half"]] | None
    drawn: Drawn | None
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class DescentKernel(Kernel):
    """SGD of one problem on a tile of replicas with common data, `rows` data to a block."""

    leads: ClassVar[bool] = True

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    features: Features
    data: int = eqx.field(static=True)
    rows: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    stored: bool = eqx.field(static=True)
    response: bool = eqx.field(static=True)
    level: float | None = eqx.field(static=True)
    thermal: bool = eqx.field(static=True)
    selection: Selection
    eta: float
    b: float
    temperature: float
    waiting_steps: tuple[int, ...]

    @classmethod
    def of(
        cls,
        problem: Recovery,
        dtype: Any,
        lanes: int,
        stored: bool,
        response: bool = False,
        rows: int | None = None,
        level: float | None = None,
    ) -> "DescentKernel":
        """The kernel of a problem, with blocks of at most `rows` data."""
        features = Features(problem.N, problem.degree)
        blocks = -(-problem.data // (rows or block_rows(features)))
        return cls(
            lanes=lanes,
            segment=1,
            features=features,
            data=problem.data,
            rows=-(-problem.data // blocks),
            dtype=jnp.dtype(dtype),
            stored=stored,
            response=response,
            level=level,
            thermal=problem.temperature > 0,
            selection=problem.selection_law,
            eta=problem.eta,
            b=problem.b,
            temperature=problem.temperature,
            waiting_steps=problem.waiting_steps,
        )

    @property
    def blocks(self) -> int:
        """Blocks of data."""
        return -(-self.data // self.rows)

    @property
    def _half(self) -> int:
        return (self.features.count + 1) // 2

    def init(self, initial: SignalOverlaps, keys: UInt32[Array, "2 lanes"]) -> DescentState:
        """x* uniform on its sphere, x(0) with exactly the given overlaps, and a probe orthogonal to both."""
        frame = random_frame((keys[0], keys[1]), self.features.N, 3 if self.response else 2)
        return self.begin(exact_start(initial, frame[0], frame[1]), frame[0], frame[2] if self.response else None, keys)

    def begin(
        self,
        start: Float[Array, "N lanes"],
        signal: Float[Array, "N lanes"],
        probe: Float[Array, "N lanes"] | None,
        keys: UInt32[Array, "2 lanes"],
    ) -> DescentState:
        """The state at step 0 from vectors in float64, and data from their key."""
        x = start.astype(self.dtype)
        J = jax.lax.map(lambda index: self._drawn(keys, index), jnp.arange(self.blocks)) if self.stored else None
        return DescentState(
            x=x,
            signal=signal.astype(self.dtype),
            start=x,
            waiting=jnp.broadcast_to(x, (len(self.waiting_steps), *x.shape)),
            probe=None if probe is None else probe.astype(self.dtype),
            tangents=None if probe is None else jnp.zeros((1 + 2 * len(self.waiting_steps), *x.shape), self.dtype),
            J=J,
            drawn=self.selection.begin(self.data, self.lanes),
            keys=keys,
            step=jnp.zeros((), jnp.int64),
        )

    def advance(self, state: DescentState, n_steps: Int[Array, ""]) -> DescentState:
        """The state after n_steps more steps."""
        n_steps = jnp.asarray(n_steps, jnp.int64)
        # J is no part of the carry: a loop would copy it, or keep it twice.
        moving = eqx.tree_at(lambda moved: moved.J, state, None, is_leaf=lambda leaf: leaf is None)
        moved = steps_loop(0, n_steps, lambda _, moving: self._step(moving, state.J), moving)
        return eqx.tree_at(lambda moved: moved.J, moved, state.J, is_leaf=lambda leaf: leaf is None)

    def observe(self, state: DescentState) -> Observables:
        """The observables of the system, float64, lanes last; the loss is over all data."""
        N = self.features.N
        x, signal, start = (part.astype(jnp.float64) for part in (state.x, state.signal, state.start))
        m, C = jnp.sum(x * signal, axis=0) / N, jnp.sum(x * x, axis=0) / N
        # -x* explains the data of degree 2 as well as x*.
        nearer = jnp.where(m < 0, -1.0, 1.0) if self.features.degree == 2 else jnp.ones_like(m)
        seen = {
            "distance": jnp.sum((x - nearer[None, :] * signal) ** 2, axis=0) / N,
            "loss": self._loss(state),
            "m": m,
            "C": C,
            "C_start": jnp.sum(x * start, axis=0) / N,
        }
        if self.level is not None:
            seen["recovered"] = (seen["distance"] < self.level).astype(jnp.float64)
        if state.probe is not None and state.tangents is not None:
            seen |= self._responses(state.probe.astype(jnp.float64), state.tangents.astype(jnp.float64))
        if self.waiting_steps:
            seen["C_waiting"] = jnp.sum(state.waiting.astype(jnp.float64) * x[None, :, :], axis=1) / N
        return seen

    def _responses(self, probe: Float[Array, "N lanes"], tangents: Float[Array, "pushes N lanes"]) -> Observables:
        """R(t,0), R(t,t_w) and chi(t,t_w), from the tangents along the probe."""
        along = jnp.sum(probe[None, :, :] * tangents, axis=1) / jnp.sum(probe * probe, axis=0)[None, :]
        count = len(self.waiting_steps)
        seen = {"R_start": along[0]}
        # A force h is a push by eta h.
        return (
            seen | {"R_waiting": along[1 : count + 1], "chi_waiting": self.eta * along[count + 1 :]} if count else seen
        )

    def _step(self, state: DescentState, J: Halves | None) -> DescentState:
        """One step, of the tangent too, and of the memory of the waiting times. `J` is that of the whole trajectory."""
        step, keys = state.step + 1, (state.keys[0], state.keys[1])
        eta, b = jnp.asarray(self.eta, self.dtype), jnp.asarray(self.b, jnp.float64)
        drawn = self.selection.drawn(state.drawn, fold(keys, SELECTION), b, state.step)

        def moved(x: Float[Array, "N lanes"]) -> Float[Array, "N lanes"]:
            return x - once(eta * self._gradient(state, J, drawn, x))

        if state.probe is not None and state.tangents is not None:
            # The step of x itself is the same for all tangents, and is made once.
            pushed = jax.vmap(lambda tangent: jax.jvp(moved, (state.x,), (tangent,)), out_axes=(None, 0))
            x, tangents = pushed(state.tangents)
            tangents = tangents + self._pushes(state.step)[:, None, None] * state.probe[None, :, :]
        else:
            x, tangents = moved(state.x), None
        if self.thermal:
            x = x + self._thermal_noise(keys, state.step)
        return DescentState(
            x=x,
            signal=state.signal,
            start=state.start,
            waiting=self._remembered(state.waiting, x, step),
            probe=state.probe,
            tangents=tangents,
            J=None,
            drawn=drawn,
            keys=state.keys,
            step=step,
        )

    def _thermal_noise(self, keys: Key, step: Int[Array, ""]) -> Float[Array, "N lanes"]:
        """sqrt(2 T eta) N(0, 1) for every coordinate."""
        # Pinned, as a product that is added without rounding is another number, and tiles side by side have it so.
        pin = Pin.of(keys[0][0].astype(jnp.int64), self.dtype)
        normals = block_normals(fold(fold(keys, THERMAL), step), self.features.N, self.dtype, pin).T
        size = jnp.sqrt(2.0 * jnp.asarray(self.temperature, jnp.float64) * self.eta)
        return pin(size.astype(self.dtype) * normals)

    def _pushes(self, step: Int[Array, ""]) -> Float[Array, " pushes"]:
        """Whether each tangent is pushed in this step: at t = 0, at each t_w, and from each t_w on."""
        waiting = jnp.asarray(self.waiting_steps, jnp.int64)
        pushes = jnp.concatenate([jnp.zeros(1, jnp.int64) == step, waiting == step, waiting <= step])
        return pushes.astype(self.dtype)

    def _remembered(
        self, waiting: Float[Array, "waiting N lanes"], x: Float[Array, "N lanes"], step: Int[Array, ""]
    ) -> Float[Array, "waiting N lanes"]:
        """x, until a waiting time has passed."""
        if not self.waiting_steps:
            return waiting
        before = jnp.stack([step <= jnp.asarray(last) for last in self.waiting_steps])
        return jnp.where(before[:, None, None], x[None, :, :], waiting)

    def _gradient(
        self, state: DescentState, J: Halves | None, drawn: Drawn | None, x: Float[Array, "N lanes"]
    ) -> Float[Array, "N lanes"]:
        """sum_mu sigma_mu r_mu grad h_mu(x), block by block."""
        phi = self._split(self.features.difference(x, state.signal))
        key = fold(fold((state.keys[0], state.keys[1]), SELECTION), state.step)

        def block(index: Int[Array, ""], sums: Halves) -> Halves:
            here = self._block(J, state.keys, index)
            weighted = self._weights(drawn, key, state.step, index) * self._residuals(here, phi)
            return sums[0] + _transposed(here[0], weighted), sums[1] + _transposed(here[1], weighted)

        left, right = jax.lax.fori_loop(0, self.blocks, block, (jnp.zeros_like(phi[0]), jnp.zeros_like(phi[1])))
        G = jnp.concatenate([left, right])[: self.features.count]
        return jnp.asarray(self.features.scale, self.dtype) * self.features.pull(G, x)

    def _loss(self, state: DescentState) -> Float[Array, " lanes"]:
        """H/N = sum_mu r_mu^2/(2N)."""
        phi = self._split(self.features.difference(state.x, state.signal))

        def block(index: Int[Array, ""], total: Float[Array, " lanes"]) -> Float[Array, " lanes"]:
            # Squares are summed in float64: there are M of them.
            residuals = self._residuals(self._block(state.J, state.keys, index), phi).astype(jnp.float64)
            return total + jnp.sum(jnp.where(self._exist(index), residuals**2, 0), axis=0)

        total = jax.lax.fori_loop(0, self.blocks, block, jnp.zeros(self.lanes))
        return total / (2 * self.features.N)

    def _residuals(self, J: Halves, phi: Halves) -> Float[Array, "rows lanes"]:
        """r_mu = h_mu(x) - h_mu(x*) of a block, from the difference of the features: small where x is near x*."""
        return jnp.asarray(self.features.scale, self.dtype) * (_product(J[0], phi[0]) + _product(J[1], phi[1]))

    def _split(self, phi: Float[Array, "features lanes"]) -> Halves:
        """Two halves; a zero is added where the number of features is odd."""
        phi = jnp.pad(phi, ((0, 2 * self._half - self.features.count), (0, 0)))
        return phi[: self._half], phi[self._half :]

    def _exist(self, index: Int[Array, ""]) -> Bool[Array, "rows 1"]:
        """Whether there is such a datum; the last block may be partly empty."""
        return (self._numbers(index) < self.data)[:, None]

    def _numbers(self, index: Int[Array, ""]) -> Int[Array, " rows"]:
        """The number mu of every datum in a block."""
        return jnp.arange(self.rows, dtype=jnp.int32) + (index * self.rows).astype(jnp.int32)

    def _weights(
        self, drawn: Drawn | None, key: Key, step: Int[Array, ""], index: Int[Array, ""]
    ) -> Float[Array, "rows lanes"]:
        """sigma = s/b of a block."""
        b, numbers = jnp.asarray(self.b, jnp.float64), self._numbers(index)
        here = None if drawn is None else drawn[jnp.minimum(numbers, self.data - 1)]
        selected = self.selection.used(here, key, b, step, numbers) & self._exist(index)
        return jnp.where(selected, (1 / b).astype(self.dtype), 0)

    def _block(self, J: Halves | None, keys: UInt32[Array, "2 lanes"], index: Int[Array, ""]) -> Halves:
        """A block of J, from memory or from its key."""
        if J is None:
            return self._drawn(keys, index)
        return J[0][index], J[1][index]

    def data_block(self, state: DescentState, index: Int[Array, ""]) -> Float[Array, "rows features"]:
        """A block of J as one array, float64; rows beyond the last datum are zero."""
        both = jnp.concatenate(self._block(state.J, state.keys, index), axis=1)[:, : self.features.count]
        return jnp.where(self._exist(index), both.astype(jnp.float64), 0.0)

    def _drawn(self, keys: UInt32[Array, "2 lanes"], index: Int[Array, ""]) -> Halves:
        """A block of J: counter words are (mu, e mod half), under the first replica's key, N, degree and M.

        Cells of a grid that differ in eta, b or the start only have the same J.
        """
        # J depends on its sizes and on nothing else: cells of different eta, b or start see the same data, so that
        # what they share drops out of their differences.
        identity = (self.data << 32) + (self.features.N << 2) + self.features.degree
        key = fold((keys[0, 0], keys[1, 0]), identity)
        shape = (self.rows, self._half)
        row, column = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) for axis in (0, 1))
        pin = Pin.of(keys[0, 0].astype(jnp.int64), self.dtype)
        counter = (row + (index * self.rows).astype(jnp.uint32), column)
        # Without a barrier the generator may be fused into both products that read the block, and be evaluated twice.
        return jax.lax.optimization_barrier(normal_pair(key, counter, self.dtype, pin))


def block_rows(features: Features) -> int:
    """Data of a block, where there are as many."""
    return max(_BLOCK // features.count, _LEAST_ROWS)


def _product(J: Float[Array, "rows half"], phi: Float[Array, "half lanes"]) -> Float[Array, "rows lanes"]:
    # A GPU would otherwise multiply in TF32, with 10 bits of the 24 of float32.
    return jnp.matmul(J, phi, precision="highest")


def _transposed(J: Float[Array, "rows half"], r: Float[Array, "rows lanes"]) -> Float[Array, "half lanes"]:
    return jax.lax.dot_general(J, r, (((0,), (0,)), ((), ())), precision="highest")
