"""The exact low-dimensional chain for small p: unrolled arithmetic on lanes, one trajectory each.

For Gaussian inputs the order parameters are themselves a Markov chain (Saad & Solla 1995, at finite d): given Omega,
the fields are N(0, Omega) exactly, and |x|^2 is the square of the normals that made them plus an independent
chi^2_{d-k-p}. A step costs the same at d = 10^2 and at d = 10^9.

The state is m = M L_P^-T and S = Q - m m^T with P = L_P L_P^T: the student's overlaps with an orthonormal frame of the
teacher's span, and its Gram matrix outside that span, which goes to zero without cancellation as the student learns.
With z_t ~ N(0, I_k), z_s ~ N(0, I_p), B B^T = S, u = B z_s, c = gamma/(p d), and E_i = sigma'(lambda_i) e:

    lambda* = L_P z_t,    lambda = m z_t + u
    dm_ir = c E_i z_t,r
    dS_ij = c (E_i u_j + u_i E_j) + c^2 E_i E_j (|z_s|^2 + chi^2_{d-k-p})
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.committee.activations import Activation
from sgdsim.committee.linear_algebra import Lanes, lane_root
from sgdsim.committee.observables import observables
from sgdsim.committee.overlaps import Overlaps
from sgdsim.committee.problem import Committee
from sgdsim.committee.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients
from sgdsim.ensemble.contracts import Kernel, Observables
from sgdsim.ensemble.pin import Pin, Pinning
from sgdsim.ensemble.random import Key, fold, lane_normals
from sgdsim.ensemble.segments import run_segments, segment_steps


class ChainState(eqx.Module):
    """State of a tile of the chain: float64, lanes last. `step` counts the steps made."""

    m: Float[Array, "p k lanes"]
    S: Float[Array, "p p lanes"]
    teacher_root: Float[Array, "k k lanes"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


def chain_state(initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> ChainState:
    """The state of replicas that start at the given overlaps, with a replica axis in front (of length 1: all alike)."""
    root = jnp.linalg.cholesky(jnp.asarray(initial.P))
    m, S = initial.schur()
    last = (jnp.moveaxis(jnp.asarray(part, jnp.float64), 0, -1) for part in (m, S, root))
    wide = [jnp.broadcast_to(part, (*part.shape[:2], keys.shape[1])) for part in last]
    return ChainState(*wide, keys=keys, step=jnp.zeros((), jnp.int64))


def chain_observables(state: ChainState, activation: Activation) -> Observables:
    """M = m L_P^T, Q = S + m m^T and the excess risk, float64."""
    m, root = state.m, state.teacher_root
    teacher = jnp.einsum("irl,jrl->ijl", root, root)
    M = jnp.einsum("irl,jrl->ijl", m, root)
    Q = state.S + jnp.einsum("irl,jrl->ijl", m, m)
    return observables(teacher, M, Q, activation)


class ChainLanes(Kernel):
    """The chain of one problem, for batch 1 and small p. `small` says that d - k - p < 32."""

    lanes: int = eqx.field(static=True)
    k: int = eqx.field(static=True)
    p: int = eqx.field(static=True)
    small: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    activation: Activation
    segment: int
    step_size: float
    noise_root: float
    freedom: int
    radius: Float[np.ndarray, "degree_1 1"]

    @classmethod
    def of(cls, problem: Committee, dtype: Any, lanes: int) -> "ChainLanes":
        """The kernel of a problem."""
        freedom = problem.d - problem.k - problem.p
        return cls(
            lanes=lanes,
            k=problem.k,
            p=problem.p,
            small=freedom < SMALLEST,
            dtype=jnp.dtype(dtype),
            activation=problem.activation,
            segment=segment_steps(problem.dt),
            step_size=problem.step_size,
            noise_root=problem.noise**0.5,
            freedom=freedom,
            radius=quantile_coefficients(np.array([max(freedom, SMALLEST)])),
        )

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> ChainState:
        """The state at step 0."""
        return chain_state(initial, keys)

    def observe(self, state: ChainState) -> Observables:
        """M, Q and excess_risk, float64, lanes last."""
        return chain_observables(state, self.activation)

    def advance(self, state: ChainState, n_steps: Int[Array, ""]) -> ChainState:
        """The state after n_steps more steps."""
        return run_segments(state, n_steps, self.segment, self._segment)

    def _segment(self, state: ChainState, n_steps: Int[Array, ""]) -> ChainState:
        """n_steps steps with their increments summed from zero in the precision of the loop."""
        key = fold((state.keys[0], state.keys[1]), state.step)
        # A GPU kernel takes at most 96 arrays: what the loop only reads is one array each, divided inside the loop.
        whole = [part.astype(self.dtype) for part in (state.m, state.S, state.teacher_root)]
        pin = Pin.of(n_steps, self.dtype)

        def step(index: Array, change: tuple[Lanes, Lanes]) -> tuple[Lanes, Lanes]:
            m, S, root = map(_unpack, whole)
            return self._step(m, _lower(S), _lower(root), change, key, index.astype(jnp.uint32), pin)

        zero = jax.tree.map(jnp.zeros_like, (_unpack(whole[0]), _lower(_unpack(whole[1]))))
        dm, dS = jax.lax.fori_loop(0, n_steps, step, zero)
        return ChainState(
            m=state.m + _pack(dm),
            S=state.S + _pack(_symmetric(dS)),
            teacher_root=state.teacher_root,
            keys=state.keys,
            step=state.step + n_steps,
        )

    def _step(
        self,
        m: Lanes,
        S: Lanes,
        root: Lanes,
        change: tuple[Lanes, Lanes],
        key: Key,
        index: UInt32[Array, ""],
        pin: Pinning,
    ) -> tuple[Lanes, Lanes]:
        """One step of SGD on every lane, from state m + dm, S + dS to new dm, dS."""
        dm, dS = change
        k, p, constant = self.k, self.p, lambda number: jnp.asarray(number, self.dtype)
        normals = lane_normals(key, index, k + p + 2, self.dtype, pin)
        z_t, z_s, zeta, radial = normals[:k], normals[k : k + p], normals[k + p], normals[k + p + 1]
        B = lane_root(pin(_add(S, dS)), pin)
        u = pin([_dot(B[i], z_s[: i + 1]) for i in range(p)])
        field = pin([_dot(row, z_t) + u[i] for i, row in enumerate(_add(m, dm))])
        teacher = [_dot(root[r], z_t[: r + 1]) for r in range(k)]

        sigma, slope = self.activation.value, self.activation.derivative
        error = sum(map(sigma, teacher)) * (1 / k) - sum(map(sigma, field)) * (1 / p)
        error = pin((error + constant(self.noise_root) * zeta) * constant(self.step_size))
        cE = pin([slope(x) * error for x in field])

        squares = pin(_dot(z_s, z_s) + self._chi_square(radial, key, index))
        w = pin([u[i] + 0.5 * squares * cE[i] for i in range(p)])
        dm = [[dm[i][r] + cE[i] * z_t[r] for r in range(k)] for i in range(p)]
        dS = [[dS[i][j] + (cE[i] * w[j] + w[i] * cE[j]) for j in range(i + 1)] for i in range(p)]
        return dm, dS

    def _chi_square(self, radial: Array, key: Key, index: UInt32[Array, ""]) -> Float[Array, " lanes"]:
        """chi^2_{d-k-p} of every lane."""
        if self.small:
            pairs = (self.k + self.p + 3) // 2
            first = (jnp.broadcast_to(index, radial.shape), jnp.full(radial.shape, pairs, jnp.uint32))
            return chi_square_by_squares(key, jnp.asarray(self.freedom), first, self.dtype)
        coefficients = [jnp.asarray(row[0], self.dtype) for row in self.radius]
        return chi_square(radial, jnp.asarray(self.freedom, self.dtype), coefficients)


def _dot(left: list[Any], right: list[Any]) -> Any:
    return sum(a * b for a, b in zip(left[1:], right[1:], strict=True)) + left[0] * right[0]


def _add(left: Lanes, right: Lanes) -> Lanes:
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def _lower(matrix: Lanes) -> Lanes:
    return [row[: i + 1] for i, row in enumerate(matrix)]


def _symmetric(lower: Lanes) -> Lanes:
    return [[lower[max(i, j)][min(i, j)] for j in range(len(lower))] for i in range(len(lower))]


def _unpack(array: Float[Array, "rows columns lanes"]) -> Lanes:
    return [[array[i, j] for j in range(array.shape[1])] for i in range(array.shape[0])]


def _pack(matrix: Lanes) -> Float[Array, "rows columns lanes"]:
    return jnp.stack([jnp.stack(row) for row in matrix]).astype(jnp.float64)
