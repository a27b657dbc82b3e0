"""The steps of a rule on a block of samples whose inputs were drawn at once, from their inner products alone.

The inputs x_1, ..., x_N of the next samples meet the vectors only through their fields on the present vectors,
U = X v/sqrt(d), and, as the vectors move along earlier inputs, through the inner products x_s.x_t. So N samples need
one matrix product to make U, this short recursion, and one product to move the vectors,

    v_b <- v_b + sum_a v_a linear_ab + sqrt(d) (rate/batch) sum_s kicks_sb x_s

which is what the step-by-step loop gives, to rounding.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.rules.rule import Rule, Sample, in_arrays
from sgdsim.rules.units import UnitArray, values_of


class BlockMoves(NamedTuple):
    """What a block of samples does, to be added; see the module."""

    linear: Float[Array, "lanes n n"] | None
    """None where the rule neither drifts nor rescales."""
    kicks: Float[Array, "lanes samples n"]
    numbers: Float[Array, "lanes q"]


class Drawn(NamedTuple):
    """What is known of the samples of a block, in the precision of the loop."""

    fixed: Float[Array, "lanes samples k"]
    """Fields of the fixed vectors."""
    moving: Float[Array, "lanes samples n"]
    """Fields of the moving vectors as they are at the beginning."""
    normals: Float[Array, "lanes samples r"]
    gram: Float[Array, "lanes samples samples"]
    """x_s.x_t, about d on the diagonal."""


Recursion = Callable[
    [Any, Drawn, Float[Array, "lanes q"], Float[Array, "lanes n n"], int, Int[Array, ""], Pinning], BlockMoves
]
"""What makes a `BlockMoves` of the samples: `run_samples`, or a rule's own form of it."""


class _Carry(NamedTuple):
    fields: Float[Array, "lanes samples n"]
    kicks: Float[Array, "lanes samples n"]
    numbers: Float[Array, "lanes q"]
    linear: Float[Array, "lanes n n"]
    Q: Float[Array, "lanes n n"]


def run_samples(
    rule: Rule,
    drawn: Drawn,
    numbers: Float[Array, "lanes q"],
    Q: Float[Array, "lanes n n"],
    batch: int,
    n_steps: Int[Array, ""],
    pin: Pinning = no_pin,
) -> BlockMoves:
    """What the first n_steps steps of a block do, `batch` samples to a step.

    - `numbers`: theta, and the count of steps where the rule is `timed`, at the beginning.
    - `Q`: v_a.v_b/d at the beginning.
    - `pin`: for recursions that are unrolled; the steps of this one are a loop, whose carry nothing is fused into.
    """
    dtype = drawn.moving.dtype
    steps = _Steps(in_arrays(rule, dtype), drawn, numbers.astype(dtype), batch)
    carry = _Carry(
        fields=drawn.moving,
        kicks=jnp.zeros_like(drawn.moving),
        numbers=jnp.zeros_like(steps.numbers),
        linear=jnp.zeros(Q.shape, dtype),
        Q=Q.astype(dtype),
    )

    def one(carry: _Carry, number: Int[Array, ""]) -> tuple[_Carry, None]:
        after = steps.step(carry, number * batch)
        return jax.tree.map(lambda new, old: jnp.where(number < n_steps, new, old), after, carry), None

    carry, _ = jax.lax.scan(one, carry, jnp.arange(drawn.moving.shape[1] // batch))
    return BlockMoves(carry.linear if rule.drifts or rule.rescales else None, carry.kicks, carry.numbers)


def sample_kicks(
    rule: Rule,
    fixed: Float[Array, "lanes samples k"],
    moving: Float[Array, "lanes samples n"],
    normals: Float[Array, "lanes samples r"],
    theta: Float[Array, "lanes 1 q"],
    time: Any,
) -> tuple[Float[Array, "lanes samples n"], Float[Array, "lanes samples q"] | None]:
    """error slopes of samples, not limited yet, and what each adds to the numbers, if anything."""
    move = rule.step(Sample(UnitArray(fixed), UnitArray(moving), UnitArray(normals), UnitArray(theta), time))
    # A rule may move a vector by the same number for all samples, which has no axis of lanes of its own.
    kicks = jnp.broadcast_to(values_of(move.slopes * move.error), moving.shape)
    return kicks, None if move.numbers is None else values_of(move.numbers)


class _Steps(NamedTuple):
    """The steps of one block."""

    rule: Rule
    drawn: Drawn
    numbers: Float[Array, "lanes q"]
    batch: int

    @property
    def unit(self) -> Any:
        """What kicks are in units of."""
        return self.rule.rate / self.batch

    def step(self, carry: _Carry, first: Int[Array, ""]) -> _Carry:
        """One step, of the samples from `first` on."""
        rule, now = self.rule, self.numbers + carry.numbers
        time = now[:, -1:] * rule.dt if rule.timed else 0.0
        for _ in range(rule.visits):
            kicks, moves = self._kicks(carry, first, time)
            carry = self._moved(carry, kicks, first, time)
            carry = carry._replace(numbers=carry.numbers.at[:, : rule.sizes.numbers].add(moves))
        if rule.timed:
            carry = carry._replace(numbers=carry.numbers.at[:, -1].add(1.0))
        return self._rescaled(carry) if rule.rescales else carry

    def _kicks(self, carry: _Carry, first: Int[Array, ""], time: Any) -> tuple[Array, Array]:
        """error slopes of every sample (lanes, batch, n), and what the numbers gain (lanes, q)."""
        rule = self.rule
        theta = (self.numbers + carry.numbers)[:, None, : rule.sizes.numbers]
        fixed, moving, normals = (
            self._here(part, first) for part in (self.drawn.fixed, carry.fields, self.drawn.normals)
        )
        kicks, moves = sample_kicks(rule, fixed, moving, normals, theta, time)
        if rule.limits:
            pairs = jnp.einsum("lsa,lst,lta->la", kicks, self._pairs(first), kicks)
            kicks = kicks * values_of(rule.limit(UnitArray(self.unit**2 * pairs[:, None]), time))
        if moves is None:
            return kicks, jnp.zeros((len(kicks), rule.sizes.numbers), kicks.dtype)
        return kicks, jnp.mean(moves, axis=1)

    def _moved(self, carry: _Carry, kicks: Float[Array, "lanes batch n"], first: Int[Array, ""], time: Any) -> _Carry:
        """After the vectors have drifted and been kicked."""
        if self.rule.drifts:
            carry = self._drifted(carry, time)
        reach = self.unit * jax.lax.dynamic_slice_in_dim(self.drawn.gram, first, self.batch, axis=2)
        if self.rule.rescales:
            cross = self.unit * jnp.einsum("lsa,lsb->lab", self._here(carry.fields, first), kicks)
            square = self.unit**2 * jnp.einsum("lsa,lst,ltb->lab", kicks, self._pairs(first), kicks)
            carry = carry._replace(Q=carry.Q + cross + jnp.swapaxes(cross, 1, 2) + square)
        here = self._here(carry.kicks, first) + kicks
        return carry._replace(
            fields=carry.fields + reach @ kicks,
            kicks=jax.lax.dynamic_update_slice_in_dim(carry.kicks, here, first, axis=1),
        )

    def _drifted(self, carry: _Carry, time: Any) -> _Carry:
        def drift(values: Float[Array, "lanes rows n"]) -> Float[Array, "lanes rows n"]:
            return values_of(self.rule.drift(UnitArray(values), time))

        half = jnp.swapaxes(carry.Q + drift(carry.Q), 1, 2)
        return carry._replace(
            fields=carry.fields + drift(carry.fields),
            kicks=carry.kicks + drift(carry.kicks),
            linear=carry.linear + drift(carry.linear + self._one(carry)),
            Q=half + drift(half),
        )

    def _rescaled(self, carry: _Carry) -> _Carry:
        g = values_of(self.rule.rescale(UnitArray(jnp.diagonal(carry.Q, axis1=1, axis2=2)[:, None])))
        return carry._replace(
            fields=carry.fields + g * carry.fields,
            kicks=carry.kicks + g * carry.kicks,
            linear=carry.linear + g * (carry.linear + self._one(carry)),
            Q=carry.Q * ((1 + g) * (1 + jnp.swapaxes(g, 1, 2))),
        )

    def _here(self, values: Float[Array, "lanes samples n"], first: Int[Array, ""]) -> Float[Array, "lanes batch n"]:
        return jax.lax.dynamic_slice_in_dim(values, first, self.batch, axis=1)

    def _pairs(self, first: Int[Array, ""]) -> Float[Array, "lanes batch batch"]:
        rows = self._here(self.drawn.gram, first)
        return jax.lax.dynamic_slice_in_dim(rows, first, self.batch, axis=2)

    def _one(self, carry: _Carry) -> Float[Array, "1 n n"]:
        return jnp.eye(carry.fields.shape[2], dtype=carry.fields.dtype)[None]


def block_steps(batch: int, target: int) -> int:
    """Steps of a block of about `target` samples: at least one step."""
    return max(1, target // batch)
