"""A rule on the full weights: n x d numbers per replica, for any d, blocked into matrix products.

N consecutive samples X (N, d) are drawn at once; their fields on the present vectors, their Gram matrix and the final
update are matrix products, so that drawing the inputs is nearly all of the cost.
"""

from functools import partial
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Kernel, Observables
from sgdsim.ensemble.inputs import InputsForm, more_normals, scaled_inputs, shifted_inputs, xla_inputs
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold
from sgdsim.ensemble.segments import run_blocks
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.recursion import Drawn, Recursion, run_samples
from sgdsim.rules.rule import Rule, in_arrays
from sgdsim.rules.state import begun


class WeightsState(eqx.Module):
    """Vectors of a tile of replicas, in the precision of the loop, and numbers. `step` counts the steps made."""

    W: Float[Array, "lanes n d"]
    teacher: Float[Array, "lanes k d"]
    numbers: Float[Array, "lanes q"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class RuleWeights(Kernel):
    """One rule on the full weights, `segment` steps to a block."""

    lanes: int = eqx.field(static=True)
    d: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    form: InputsForm = eqx.field(static=True)
    recursion: Recursion = eqx.field(static=True)
    rule: Rule
    inputs: InputBlocks | None = None
    """Where inputs are not N(0, I_d)."""

    @classmethod
    def of(
        cls,
        rule: Rule,
        d: int,
        batch: int,
        dtype: Any,
        lanes: int,
        steps: int,
        form: InputsForm = xla_inputs,
        recursion: Recursion = run_samples,
        inputs: InputBlocks | None = None,
    ) -> "RuleWeights":
        """The kernel of a rule in dimension d, with blocks of `steps` steps and a form of their inputs."""
        parts = {"lanes": lanes, "d": d, "batch": batch, "segment": steps, "dtype": jnp.dtype(dtype)}
        return cls(form=form, recursion=recursion, rule=rule, inputs=inputs, **parts)

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> WeightsState:
        """Vectors with exactly the given overlaps, of which every block of inputs has its share."""
        start, numbers = begun(self.rule, initial)
        teacher, W = (
            jnp.broadcast_to(jnp.asarray(part, self.dtype), (self.lanes, *part.shape[1:]))
            for part in self._vectors(start)
        )
        numbers = jnp.broadcast_to(jnp.asarray(numbers, jnp.float64), (self.lanes, numbers.shape[-1]))
        return WeightsState(W=W, teacher=teacher, numbers=numbers, keys=keys, step=jnp.zeros((), jnp.int64))

    def _vectors(self, start: Overlaps) -> tuple[Float[Array, "*replicas k d"], Float[Array, "*replicas n d"]]:
        """Teacher and moving vectors at t = 0, in the first coordinates of every block."""
        sizes = (self.d,) if self.inputs is None else self.inputs.sizes
        teachers, moving = zip(*(start.frame_weights(size) for size in sizes), strict=True)
        return (
            jnp.concatenate([jnp.asarray(part) for part in teachers], axis=-1),
            jnp.concatenate([jnp.asarray(part) for part in moving], axis=-1),
        )

    def observe(self, state: WeightsState) -> Observables:
        """What the rule observes, float64, lanes last."""
        scales = self._scales(jnp.float64)
        W, teacher = (part.astype(jnp.float64) * scales for part in (state.W, state.teacher))
        P, M, Q = (
            jnp.einsum("lid,ljd->ijl", left, right) / self.d
            for left, right in ((teacher, teacher), (W, teacher), (W, W))
        )
        return self.rule.observe(P, M, Q, state.numbers.T[: self.rule.sizes.numbers])

    def _scales(self, dtype: Any) -> Float[Array, "1 1 d_1"]:
        """sqrt(s) of every component, or of all."""
        if self.inputs is None:
            return jnp.ones((1, 1, 1), dtype)
        return jnp.concatenate(
            [
                jnp.full((1, 1, size), variance**0.5)
                for size, variance in zip(self.inputs.sizes, jnp.asarray(self.inputs.variances, dtype), strict=True)
            ],
            axis=2,
        )

    def advance(self, state: WeightsState, n_steps: Int[Array, ""]) -> WeightsState:
        """The state after n_steps more steps."""
        return run_blocks(state, n_steps, self.segment, self._block)

    def _form(self) -> InputsForm:
        """That of the inputs' law."""
        if self.rule.clusters is not None:
            clusters = in_arrays(self.rule.clusters, self.dtype)
            return partial(shifted_inputs, normals=self.rule.sizes.normals, placed=clusters.moments)
        if self.inputs is not None:
            return partial(scaled_inputs, scales=self._scales(self.dtype)[0, 0])
        return self.form

    def _block(self, state: WeightsState, n_steps: Int[Array, ""]) -> WeightsState:
        """One block, of which the first n_steps steps count."""
        pin = Pin.of(n_steps, self.dtype)
        key = fold((state.keys[0], state.keys[1]), state.step)
        samples = self.segment * self.batch
        inputs = self._form()(key, state.W, state.teacher, samples, pin)
        scale = jnp.asarray(self.d**-0.5, self.dtype)
        drawn = Drawn(
            fixed=inputs.teacher * scale,
            moving=inputs.student * scale,
            normals=more_normals(key, inputs.zeta, self.d, self.rule.sizes.normals),
            gram=inputs.gram,
        )
        # Q is an n x n product of n x d arrays: the compiler leaves it out where the rule does not look at it.
        Q = state.W @ jnp.swapaxes(state.W, 1, 2) / self.d
        block = self.recursion(self.rule, drawn, state.numbers, Q, self.batch, n_steps, pin)
        rate = jnp.asarray(self.rule.rate * self.d**0.5 / self.batch, self.dtype)
        W = inputs.moved(rate * block.kicks)
        if block.linear is not None:
            W = W + jnp.swapaxes(block.linear, 1, 2) @ state.W
        numbers = state.numbers + block.numbers.astype(jnp.float64)
        return WeightsState(W=W, teacher=state.teacher, numbers=numbers, keys=state.keys, step=state.step + n_steps)
