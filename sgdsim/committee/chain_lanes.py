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
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.committee.activations import Activation
from sgdsim.committee.linear_algebra import Lanes, lane_root
from sgdsim.committee.observables import observables
from sgdsim.committee.overlaps import Overlaps
from sgdsim.committee.problem import Committee
from sgdsim.committee.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients
from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.lane_loop import LaneArrays, LaneForm, LaneLoop, Numbers, xla_form
from sgdsim.ensemble.pin import Pinning
from sgdsim.ensemble.random import Key, lane_normals
from sgdsim.ensemble.segments import segment_steps


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
    form: LaneForm = eqx.field(static=True)
    activation: Activation
    segment: int
    step_size: float
    noise_root: float
    freedom: int
    radius: Float[np.ndarray, "degree_1 1"]

    @classmethod
    def of(cls, problem: Committee, dtype: Any, lanes: int, form: LaneForm = xla_form) -> "ChainLanes":
        """The kernel of a problem, in a form of the loop."""
        freedom = problem.d - problem.k - problem.p
        return cls(
            lanes=lanes,
            k=problem.k,
            p=problem.p,
            small=freedom < SMALLEST,
            dtype=jnp.dtype(dtype),
            form=form,
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
        whole = self.form(self.loop, self._arrays(state), n_steps, self.segment)
        m, S = _square(whole, self.p, self.k)
        return ChainState(m=m, S=S, teacher_root=state.teacher_root, keys=state.keys, step=state.step + n_steps)

    @property
    def loop(self) -> LaneLoop:
        """The step, of numbers that stand as in `_arrays`."""
        k, p = self.k, self.p
        return LaneLoop(p * k + _triangle(p), _triangle(k), 3 + len(self.radius), self.dtype, self._flat_step)

    def _arrays(self, state: ChainState) -> LaneArrays:
        """m and the lower triangle of S; that of the teacher's root; step size, root of the noise, nu, and its q."""
        constants = [self.step_size, self.noise_root, self.freedom, *self.radius[:, 0]]
        return LaneArrays(
            whole=jnp.concatenate([state.m.reshape(-1, self.lanes), state.S[jnp.tril_indices(self.p)]]),
            fixed=state.teacher_root[jnp.tril_indices(self.k)].astype(self.dtype),
            constants=jnp.stack([jnp.asarray(number, self.dtype) for number in constants]),
            keys=state.keys,
            step=state.step,
        )

    def _flat_step(
        self,
        whole: Numbers,
        fixed: Numbers,
        constants: Numbers,
        change: Numbers,
        key: Key,
        index: UInt32[Array, ""],
        pin: Pinning,
    ) -> Numbers:
        """`_step` of numbers in a row."""
        (m, S), (dm, dS) = (_matrices(numbers, self.p, self.k) for numbers in (whole, change))
        dm, dS = self._step(m, S, _rows(fixed, self.k), (dm, dS), constants, key, index, pin)
        return [number for row in (*dm, *dS) for number in row]

    def _step(
        self,
        m: Lanes,
        S: Lanes,
        root: Lanes,
        change: tuple[Lanes, Lanes],
        constants: Numbers,
        key: Key,
        index: UInt32[Array, ""],
        pin: Pinning,
    ) -> tuple[Lanes, Lanes]:
        """One step of SGD on every lane, from state m + dm, S + dS to new dm, dS."""
        dm, dS = change
        k, p = self.k, self.p
        step_size, noise_root, freedom, *radius = constants
        normals = lane_normals(key, index, k + p + 2, self.dtype, pin)
        z_t, z_s, zeta, radial = normals[:k], normals[k : k + p], normals[k + p], normals[k + p + 1]
        B = lane_root(pin(_add(S, dS)), pin)
        u = pin([_dot(B[i], z_s[: i + 1]) for i in range(p)])
        field = pin([_dot(row, z_t) + u[i] for i, row in enumerate(_add(m, dm))])
        teacher = [_dot(root[r], z_t[: r + 1]) for r in range(k)]

        sigma, slope = self.activation.value, self.activation.derivative
        error = sum(map(sigma, teacher)) * (1 / k) - sum(map(sigma, field)) * (1 / p)
        error = pin((error + noise_root * zeta) * step_size)
        cE = pin([slope(x) * error for x in field])

        squares = pin(_dot(z_s, z_s) + self._chi_square(radial, freedom, radius, key, index))
        w = pin([u[i] + 0.5 * squares * cE[i] for i in range(p)])
        dm = [[dm[i][r] + cE[i] * z_t[r] for r in range(k)] for i in range(p)]
        dS = [[dS[i][j] + (cE[i] * w[j] + w[i] * cE[j]) for j in range(i + 1)] for i in range(p)]
        return dm, dS

    def _chi_square(
        self, radial: Array, freedom: Any, radius: Numbers, key: Key, index: UInt32[Array, ""]
    ) -> Float[Array, "*lanes"]:
        """chi^2_{d-k-p} of every lane."""
        if self.small:
            pairs = (self.k + self.p + 3) // 2
            first = (jnp.broadcast_to(index, radial.shape), jnp.full(radial.shape, pairs, jnp.uint32))
            return chi_square_by_squares(key, freedom, first, self.dtype)
        return chi_square(radial, freedom, radius)


def _dot(left: list[Any], right: list[Any]) -> Any:
    return sum(a * b for a, b in zip(left[1:], right[1:], strict=True)) + left[0] * right[0]


def _add(left: Lanes, right: Lanes) -> Lanes:
    return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(left, right, strict=True)]


def _triangle(n: int) -> int:
    """Numbers in the lower triangle of an n x n matrix."""
    return n * (n + 1) // 2


def _rows(numbers: Numbers, n: int) -> Lanes:
    """The rows of a lower triangle from its numbers in a row."""
    return [numbers[_triangle(i) : _triangle(i + 1)] for i in range(n)]


def _matrices(numbers: Numbers, p: int, k: int) -> tuple[Lanes, Lanes]:
    """m and the lower triangle of S from their numbers in a row."""
    return [numbers[i * k : (i + 1) * k] for i in range(p)], _rows(numbers[p * k :], p)


def _square(whole: Float[Array, "whole lanes"], p: int, k: int) -> tuple[Array, Array]:
    """m and the whole of S from their numbers in a row."""
    places = [[p * k + _triangle(max(i, j)) + min(i, j) for j in range(p)] for i in range(p)]
    return whole[: p * k].reshape(p, k, -1), whole[np.array(places)]
