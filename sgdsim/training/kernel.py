"""The kernel: gradient descent of any model by any optimiser, on data that are drawn once or fresh at every step."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.contracts import Initial, Kernel, Observables
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.random import Key, fold
from sgdsim.ensemble.segments import run_blocks
from sgdsim.training.data import Choice
from sgdsim.training.model import TrainedModel
from sgdsim.training.optimiser import Optimiser

DATA, LABELS, ORDER = (np.uint64(2**64 - number) for number in (1, 2, 3))
"""What the replica's key is folded with for its data, their noise, and their order: beyond the number of any step."""

Batches = Callable[[Int[Array, ""]], tuple[Float[Array, "lanes batch d"], Float[Array, "lanes batch"]]]
"""The batch of the step with this number in a block."""


class Moving(NamedTuple):
    """What a step changes."""

    parameters: Any
    optimiser: Any
    step: Int[Array, ""]


class TrainingState(eqx.Module):
    """A tile of replicas; every array but the keys and the step has the lanes as its first axis.

    - `start`: the parameters at t = 0. - `x`, `y`: the data, None where every step draws its own.
    """

    moving: Moving
    start: Any
    fixed: Any
    x: Float[Array, "lanes n d"] | None
    y: Float[Array, "lanes n"] | None
    keys: UInt32[Array, "2 lanes"]


class TrainingKernel(Kernel):
    """One model, `batch` data to a step.

    - `n`: data of every replica; None where they are fresh. - `choice`: their order. - `block`: steps whose data are
    drawn or chosen at once. Only fresh data depend on where a block begins: there it is a segment, but with n data a
    trajectory may be interrupted after any step.
    """

    lanes: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    block: int = eqx.field(static=True)
    n: int | None = eqx.field(static=True)
    choice: Choice = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    dt: Any
    model: TrainedModel
    optimiser: Optimiser

    @property
    def _update(self) -> optax.GradientTransformation:
        return self.optimiser.transformation(*self.model.scales)

    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> TrainingState:
        """The model at t = 0, and the data."""
        parameters, fixed = jax.tree.map(partial(_each_its_own, keys), self.model.begin(initial, keys, self.dtype))
        moving = Moving(parameters, jax.vmap(self._update.init)(parameters), jnp.zeros((), jnp.int64))
        x, y = (None, None) if self.n is None else self._drawn((keys[0], keys[1]), self.n, fixed)
        return TrainingState(moving=moving, start=parameters, fixed=fixed, x=x, y=y, keys=keys)

    def _drawn(self, key: Key, count: int, fixed: Any) -> tuple[Float[Array, "lanes n d"], Float[Array, "lanes n"]]:
        """So many data under a key."""
        rows = jnp.arange(count, dtype=jnp.uint32)
        x = self.model.inputs.draw(fold(key, DATA), rows, self.model.d, self.dtype)
        return x, self.model.label(fixed, x, self.model.labels.draw(fold(key, LABELS), rows, self.dtype))

    def advance(self, state: TrainingState, n_steps: Int[Array, ""]) -> TrainingState:
        """The state after n_steps more steps."""
        moving = run_blocks(state.moving, n_steps, self.block, partial(self._block, state))
        return eqx.tree_at(lambda state: state.moving, state, moving)

    def _block(self, state: TrainingState, moving: Moving, n_steps: Int[Array, ""]) -> Moving:
        """One block, of which the first n_steps steps are made."""
        batches = self._batches(state, moving.step)
        return steps_loop(0, n_steps, lambda index, moving: self._step(moving, *batches(index)), moving)

    def _batches(self, state: TrainingState, first: Int[Array, ""]) -> Batches:
        """The batches of the block that begins after `first` steps."""
        key, uses = (state.keys[0], state.keys[1]), self.block * self.batch
        if state.x is None or state.y is None:
            x, y = self._drawn(fold(key, first), uses, state.fixed)
            return lambda index: (self._part(x, index), self._part(y, index))
        x, y = state.x, state.y
        if self.whole:
            return lambda index: (x, y)
        rows = self.choice(fold(key, ORDER), first * self.batch + jnp.arange(uses), x.shape[1])

        def chosen(index: Int[Array, ""]) -> tuple[Array, Array]:
            own = self._part(rows, index)
            take = jax.vmap(lambda data, row: data.at[row].get(mode="promise_in_bounds"))
            return take(x, own), take(y, own)

        return chosen

    @property
    def whole(self) -> bool:
        """Whether every batch has all data, in any order: gradient descent."""
        return self.batch == self.n and self.block == 1

    def _part(self, values: Array, index: Int[Array, ""]) -> Array:
        """The batch with this number, of values with an axis of uses behind the lanes."""
        return jax.lax.dynamic_slice_in_dim(values, index * self.batch, self.batch, axis=1)

    def _step(self, moving: Moving, x: Float[Array, "lanes batch d"], y: Float[Array, "lanes batch"]) -> Moving:
        """theta + rates(t) U, of one batch for every replica; the optimiser's lengths and counts are a replica's."""
        gradient = self.model.gradient(moving.parameters, x, y)
        updates, optimiser = jax.vmap(self._update.update)(gradient, moving.optimiser, moving.parameters)
        rates = self.model.rates((moving.step * self.dt).astype(self.dtype))
        change = jax.tree.map(lambda rate, part: jax.tree.map(lambda u: rate * u, part), rates, updates)
        parameters = jax.tree.map(lambda old, move: old + move.astype(old.dtype), moving.parameters, change)
        return Moving(parameters, optimiser, moving.step + 1)

    def observe(self, state: TrainingState) -> Observables:
        """What the model observes, the distance from the start and, of n data, the risk on them and the gap to it."""
        parameters = state.moving.parameters
        seen = self.model.observe(parameters, state.fixed, fold((state.keys[0], state.keys[1]), state.moving.step))
        seen = seen | {"distance": self.model.distance(parameters, state.start)}
        if state.x is None or state.y is None:
            return seen
        errors = (state.y - self.model.output(parameters, state.x)).astype(jnp.float64)
        risk = 0.5 * jnp.mean(errors**2, axis=1)
        seen = seen | {"empirical_risk": risk}
        if "excess_risk" not in seen:
            return seen
        return seen | {"generalisation_gap": seen["excess_risk"] + self.model.noise_risk - risk}


def _each_its_own(keys: UInt32[Array, "2 lanes"], values: Array) -> Array:
    """An array of lanes, which the compiler may not know to be the same in all of them.

    XLA's CPU compiler (jaxlib 0.10.2) makes a product wrong whose factor it knows to be one row repeated, where it
    fuses it with the mean over its columns: every unit of a teacher would be the first. So all is divided by ones that
    it cannot know to be ones.
    """
    ones = (keys[0].astype(jnp.int64) >= 0).astype(values.dtype)
    return values / ones.reshape(-1, *[1] * (values.ndim - 1))
