"""Which of the fixed data a step of SGD uses: sigma_mu = s_mu/b, drawn anew, batch after batch, or for a while."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sgdsim.ensemble.backend import host_drives_loops
from sgdsim.ensemble.random import Key, fold, threefry
from sgdsim.ensemble.shuffle import shuffled

Drawn = Int[Array, "size lanes"]
"""What is remembered of the selection of every datum."""


class Selection(eqx.Module):
    """The law of the variables s_mu(t) in {0, 1} of a datum, E s = b, independent of one another for M to infinity.

    Where it is known that a datum is used at step u, no more need be known of the steps before u to tell who is used
    after it. So all averages of the mean-field theory close on the correlation E sigma(t) sigma(u), see `dmft_step`.
    """

    @abc.abstractmethod
    def correlation(
        self, b: Float[Array, ""], t: Int[Array, ""], steps: Int[Array, " n"]
    ) -> Float[Array, " n"] | float:
        """c(t,u) = E sigma(t) sigma(u) at the steps u < t; anything beyond."""

    @abc.abstractmethod
    def begin(self, size: int, lanes: int) -> Drawn | None:
        """What is remembered of every datum before step 0; None where nothing ever is."""

    @abc.abstractmethod
    def drawn(self, before: Drawn | None, keys: Key, b: Float[Array, ""], step: Int[Array, ""]) -> Drawn | None:
        """What is remembered at a step, from the step before, under every lane's key."""

    @abc.abstractmethod
    def used(
        self, remembered: Drawn | None, key: Key, b: Float[Array, ""], step: Int[Array, ""], rows: Int[Array, " rows"]
    ) -> Bool[Array, "rows lanes"]:
        """s of the data of these numbers; `remembered` is theirs alone, and `key` that of the step."""


class Fresh(Selection):
    """Every datum with probability b in every step: c = 1."""

    def correlation(
        self, b: Float[Array, ""], t: Int[Array, ""], steps: Int[Array, " n"]
    ) -> Float[Array, " n"] | float:
        """One: different steps are independent."""
        return 1.0

    def begin(self, size: int, lanes: int) -> Drawn | None:
        """Nothing is remembered."""
        return None

    def drawn(self, before: Drawn | None, keys: Key, b: Float[Array, ""], step: Int[Array, ""]) -> Drawn | None:
        """Nothing is remembered."""
        return None

    def used(
        self, remembered: Drawn | None, key: Key, b: Float[Array, ""], step: Int[Array, ""], rows: Int[Array, " rows"]
    ) -> Bool[Array, "rows lanes"]:
        """Where a uniform number is below b, so that different b select alike."""
        return uniforms(key, rows)[0] < b


class Shuffled(Selection):
    """Every datum once in each epoch of `batches` = 1/b steps, in an order drawn anew: c = 0 within an epoch, else 1.

    The batches of an epoch are cut from a random permutation of the M data, and differ in size by one at most. Of
    every datum its batch is remembered, from 0 to `batches` - 1.
    """

    batches: int = eqx.field(static=True)

    def correlation(
        self, b: Float[Array, ""], t: Int[Array, ""], steps: Int[Array, " n"]
    ) -> Float[Array, " n"] | float:
        """Zero for steps of the same epoch, one for others."""
        return jnp.where(steps // self.batches == t // self.batches, 0.0, 1.0)

    def begin(self, size: int, lanes: int) -> Drawn | None:
        """Zeros: the first step draws the order."""
        return jnp.zeros((size, lanes), jnp.int32)

    def drawn(self, before: Drawn | None, keys: Key, b: Float[Array, ""], step: Int[Array, ""]) -> Drawn | None:
        """Another order where an epoch begins."""
        assert before is not None
        size = before.shape[0]

        def anew() -> Drawn:
            epoch = fold(keys, step // self.batches)
            place = jax.vmap(lambda key: shuffled(key, jnp.arange(size), size), out_axes=1)(epoch)
            return (place.astype(jnp.int64) * self.batches // size).astype(jnp.int32)

        begins = step % self.batches == 0
        if host_drives_loops():  # a branch would have the host wait in every step: the order is made and left
            return jnp.where(begins, anew(), before)
        return jax.lax.cond(begins, anew, lambda: before)

    def used(
        self, remembered: Drawn | None, key: Key, b: Float[Array, ""], step: Int[Array, ""], rows: Int[Array, " rows"]
    ) -> Bool[Array, "rows lanes"]:
        """Those whose batch it is."""
        return remembered == (step % self.batches).astype(jnp.int32)


class Persistent(Selection):
    """A datum keeps s with probability `stay` in every step, and has it drawn anew else: c = 1 + (1/b - 1) stay^(t-u).

    With `stay` = 0 it is `Fresh`, to the bit. Of every datum s is remembered.
    """

    stay: float | Float[Array, ""]

    def correlation(
        self, b: Float[Array, ""], t: Int[Array, ""], steps: Int[Array, " n"]
    ) -> Float[Array, " n"] | float:
        """It falls exponentially, from 1/b."""
        since = jnp.maximum(t - steps, 0).astype(jnp.float64)
        return 1.0 + (1.0 / b - 1.0) * jnp.asarray(self.stay, jnp.float64) ** since

    def begin(self, size: int, lanes: int) -> Drawn | None:
        """None is used yet."""
        return jnp.zeros((size, lanes), jnp.int32)

    def drawn(self, before: Drawn | None, keys: Key, b: Float[Array, ""], step: Int[Array, ""]) -> Drawn | None:
        """All at step 0, and later those whose time it is."""
        assert before is not None
        chosen, again = uniforms(fold(keys, step), jnp.arange(before.shape[0]))
        renewed = (again >= jnp.asarray(self.stay, jnp.float64)) | (step == 0)
        return jnp.where(renewed, (chosen < b).astype(jnp.int32), before)

    def used(
        self, remembered: Drawn | None, key: Key, b: Float[Array, ""], step: Int[Array, ""], rows: Int[Array, " rows"]
    ) -> Bool[Array, "rows lanes"]:
        """Those with s = 1."""
        return remembered == 1


def uniforms(key: Key, rows: Int[Array, " rows"]) -> tuple[Float[Array, "rows lanes"], Float[Array, "rows lanes"]]:
    """Two uniform numbers in [0, 1), float64, for each of the data and every lane's key.

    32 bits each: they do not fit into a float32, of which one could be rounded to 1.
    """
    shape = (len(rows), key[0].shape[0])
    numbers = jnp.broadcast_to(rows.astype(jnp.uint32)[:, None], shape)
    wide = (jnp.broadcast_to(word, shape) for word in key)
    first, second = threefry((next(wide), next(wide)), (numbers, jnp.zeros_like(numbers)))
    return first.astype(jnp.float64) * 2.0**-32, second.astype(jnp.float64) * 2.0**-32
