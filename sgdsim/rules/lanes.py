"""The exact chain of a rule for few vectors: unrolled arithmetic on lanes, one trajectory each, one sample a step.

For Gaussian inputs the overlaps are themselves a Markov chain (Saad & Solla 1995, at finite d): given G, the fields are
N(0, G) exactly, and |x|^2 is the square of the normals that made them plus an independent chi^2_{d-k-n}. A step costs
the same at d = 10^2 and at d = 10^9.

The state is m = M L_P^-T and S = Q - m m^T with P = L_P L_P^T: the moving vectors' overlaps with an orthonormal frame
of the fixed ones' span, and their Gram matrix outside that span, which goes to zero without cancellation as a student
learns. With z_t ~ N(0, I_k), z_s ~ N(0, I_n), B B^T = S, u = B z_s, kicks K_a = rate error slopes_a, and A = 1 + D:

    lambda* = L_P z_t,    lambda = m z_t + u
    m <- A m + K z_t^T
    S <- A S A^T + A u K^T + K u^T A^T + K K^T (|z_s|^2 + chi^2_{d-k-n})
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.lane_loop import LaneArrays, LaneForm, LaneLoop, Numbers, xla_form
from sgdsim.ensemble.pin import Pinning
from sgdsim.ensemble.random import Key, lane_normals
from sgdsim.ensemble.segments import segment_steps
from sgdsim.rules.lane_matrices import Numbered, dot, in_arrays, rows_of, triangle
from sgdsim.rules.lane_moves import drifted, mapped, placed, rescaled, with_parts
from sgdsim.rules.linear_algebra import Lanes, lane_root
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.radius import SMALLEST, chi_square, chi_square_by_squares, quantile_coefficients
from sgdsim.rules.rule import Rule, Sample, constant_count, constants_of, with_constants
from sgdsim.rules.state import ChainState, chain_observables, chain_state
from sgdsim.rules.units import UnitList


class RuleLanes(Kernel):
    """The chain of one rule, for batch 1 and few vectors. `small` says that d - k - n < 32."""

    lanes: int = eqx.field(static=True)
    small: bool = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    form: LaneForm = eqx.field(static=True)
    rule: Rule
    segment: int
    freedom: int
    radius: Float[np.ndarray, "degree_1 1"]

    @classmethod
    def of(cls, rule: Rule, d: int, dt: float, dtype: Any, lanes: int, form: LaneForm = xla_form) -> "RuleLanes":
        """The kernel of a rule in dimension d whose step takes the time dt, in a form of the loop."""
        freedom = d - rule.sizes.fixed - rule.sizes.moving
        return cls(
            lanes=lanes,
            small=freedom < SMALLEST,
            dtype=jnp.dtype(dtype),
            form=form,
            rule=rule,
            segment=segment_steps(dt),
            freedom=freedom,
            radius=quantile_coefficients(np.array([max(freedom, SMALLEST)])),
        )

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> ChainState:
        """The state at step 0."""
        return chain_state(self.rule, initial, keys)

    def observe(self, state: ChainState) -> Observables:
        """What the rule observes, float64, lanes last."""
        return chain_observables(self.rule, state)

    def advance(self, state: ChainState, n_steps: Int[Array, ""]) -> ChainState:
        """The state after n_steps more steps."""
        whole = self.form(self.loop, self._arrays(state), n_steps, self.segment)
        parts = in_arrays(whole, self.rule.sizes)
        return ChainState(*parts, teacher_root=state.teacher_root, keys=state.keys, step=state.step + n_steps)

    @property
    def loop(self) -> LaneLoop:
        """The step, of numbers that stand as in `_arrays`."""
        sizes = self.rule.sizes
        whole = sizes.moving * sizes.fixed + triangle(sizes.moving) + sizes.numbers + self.rule.timed
        constants = constant_count(self.rule) + 1 + len(self.radius)
        return LaneLoop(whole, triangle(sizes.fixed), constants, self.dtype, self._flat_step)

    def _arrays(self, state: ChainState) -> LaneArrays:
        """m, the lower triangle of S, numbers; that of the fixed vectors' root; the rule's constants, nu, and its q."""
        n, k = self.rule.sizes.moving, self.rule.sizes.fixed
        constants = [*constants_of(self.rule), self.freedom, *self.radius[:, 0]]
        lower = state.S[jnp.tril_indices(n)]
        return LaneArrays(
            whole=jnp.concatenate([state.m.reshape(-1, self.lanes), lower, state.numbers]),
            fixed=state.teacher_root[jnp.tril_indices(k)].astype(self.dtype),
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
        sizes = self.rule.sizes
        count = constant_count(self.rule)
        rule, (freedom, *radius) = with_constants(self.rule, constants[:count]), constants[count:]
        count = sizes.fixed + sizes.moving + sizes.normals + 1
        normals = lane_normals(key, index, count, self.dtype, pin)
        chi = partial(self._chi_square, normals[-1], freedom, radius, key, index)
        state, made = (Numbered.of(numbers, sizes) for numbers in (whole, change))
        return _step(rule, state, made, rows_of(fixed, sizes.fixed), normals[:-1], chi, pin).row()

    def _chi_square(
        self, radial: Array, freedom: Any, radius: Numbers, key: Key, index: UInt32[Array, ""]
    ) -> Float[Array, "*lanes"]:
        """chi^2_{d-k-n} of every lane."""
        if self.small:
            sizes = self.rule.sizes
            pairs = (sizes.fixed + sizes.moving + sizes.normals + 2) // 2
            first = (jnp.broadcast_to(index, radial.shape), jnp.full(radial.shape, pairs, jnp.uint32))
            return chi_square_by_squares(key, freedom, first, self.dtype)
        return chi_square(radial, freedom, radius)


def _step(
    rule: Rule, state: Numbered, change: Numbered, root: Lanes, normals: Numbers, chi: Callable[[], Any], pin: Pinning
) -> Numbered:
    """One step on every lane, from state + change to the new change.

    chi^2 is drawn where it is needed first: in the plain rule after the kicks. Where it stands decides which products
    a C++ compiler fuses with a sum, and so the last bits.
    """
    k, n = rule.sizes.fixed, rule.sizes.moving
    z_t, z_s, own = normals[:k], normals[k : k + n], normals[k + n :]
    scale: Any = 1.0
    if rule.clusters is not None:
        z_t, z_s, scale = placed(rule.clusters, root, z_t, z_s, own[-1], pin)
    now = state.plus(change)
    B = lane_root(pin(now.S), pin)
    u = pin([dot(B[i], z_s[: i + 1]) for i in range(n)])
    field = pin([dot(row, z_t) + u[i] for i, row in enumerate(now.m)])
    fixed = [dot(root[r], z_t[: r + 1]) for r in range(k)]
    squares = cache(lambda: pin(dot(z_s, z_s) + (chi() if rule.clusters is None else scale * scale * chi())))
    length = cache(lambda: squares() + dot(z_t, z_t))

    time = now.numbers[-1] * rule.dt if rule.timed else 0.0
    kick: list[Any] = []
    for visit in range(rule.visits):
        theta = state.plus(change).numbers[: rule.sizes.numbers]
        at = Sample(UnitList(fixed), UnitList(field), UnitList(own), UnitList(theta), time)
        new, moves = _kick(rule, at, length, pin)
        change = change.with_numbers(moves)
        if rule.drifts:
            change = with_parts(change, drifted(rule, state.plus(change), time))
            u, field, kick = (_sum(v, mapped(rule, v, time)) if v else v for v in (u, field, kick))
        kick = _sum(kick, new) if kick else new
        if visit + 1 < rule.visits:
            field = pin(_sum(field, [number * length() for number in new]))

    w = pin([u[i] + 0.5 * squares() * kick[i] for i in range(n)])
    dm = [[change.m[i][r] + kick[i] * z_t[r] for r in range(k)] for i in range(n)]
    dS = [[change.S[i][j] + (kick[i] * w[j] + w[i] * kick[j]) for j in range(i + 1)] for i in range(n)]
    change = Numbered(dm, dS, change.numbers)
    if rule.timed:
        change = change.with_numbers([0.0] * rule.sizes.numbers + [1.0])
    return with_parts(change, rescaled(rule, state.plus(change))) if rule.rescales else change


def _kick(rule: Rule, at: Sample, length: Callable[[], Any], pin: Pinning) -> tuple[list[Any], list[Any]]:
    """The kicks of a sample with |x|^2 = length(), and what it adds to the numbers."""
    move = rule.step(at)
    error = pin(move.error * rule.rate)
    kicks = UnitList(pin([move.slopes[i] * error for i in range(rule.sizes.moving)]))
    if rule.limits:
        limited = kicks * rule.limit(kicks * kicks * length(), at.time)
        kicks = UnitList([limited[i] for i in range(rule.sizes.moving)])
    moves = [] if move.numbers is None else [move.numbers[i] for i in range(rule.sizes.numbers)]
    return kicks.values, moves


def _sum(left: list[Any], right: list[Any]) -> list[Any]:
    return [a + b for a, b in zip(left, right, strict=True)]
