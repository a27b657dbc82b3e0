"""Data that are finite: how many every replica has, and in which order they are used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from sgdsim.checks import check_fields, lenient
from sgdsim.ensemble.random import Key, fold, threefry, words
from sgdsim.ensemble.shuffle import shuffled
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter

MAX_DATA = 2**31 - 1
"""Data of a replica at most: their numbers are 32-bit integers."""

Choice = Callable[[Key, Int[Array, " uses"], int], Int[Array, "lanes uses"]]
"""(key of the order, numbers of uses, n) -> the data that are used then, of every lane."""


def epoch_rows(key: Key, uses: Int[Array, " uses"], n: int) -> Int[Array, "lanes uses"]:
    """Use s is at place s mod n of a random order that belongs to the lane and the epoch s // n.

    So every datum is used once in an epoch, whether or not a batch divides n: one may have the end of an epoch and the
    beginning of the next.
    """

    def of_lane(word0: Array, word1: Array) -> Array:
        epochs = fold((jnp.broadcast_to(word0, uses.shape), jnp.broadcast_to(word1, uses.shape)), uses // n)
        return jax.vmap(lambda key, place: shuffled(key, place[None], n)[0])(epochs, uses % n)

    return jax.vmap(of_lane)(*key)


def any_rows(key: Key, uses: Int[Array, " uses"], n: int) -> Int[Array, "lanes uses"]:
    """Every use has a datum of its own, uniform among all n."""
    low, high = words(uses)
    drawn, _ = threefry((key[0][:, None], key[1][:, None]), (low[None], high[None]))
    return ((drawn.astype(jnp.uint64) * np.uint64(n)) >> np.uint64(32)).astype(jnp.int32)


ORDERS: dict[str, Choice] = {"shuffled": epoch_rows, "replacement": any_rows}


@lenient
@dataclass(frozen=True)
class FiniteData:
    """n data for every replica, drawn once from its key; n itself, or n = round(n0 d^n_exponent).

    Steps take batches of them: `shuffled`, without replacement, so that every datum is used once in an epoch, or with
    `replacement`, each use uniform among all. A batch of all n, shuffled, is gradient descent; steps x batch = n is one
    pass.

    **Raises:** ArgumentError unless there is either n or n0.
    """

    n: Annotated[int | None, Parameter("n", "data of every replica", least=1, most=MAX_DATA, example=2000)] = None
    n0: Annotated[
        float | None, Parameter("n_0", "prefactor of the data, n = round(n0 d^n_exponent)", above=0, limit=1e9)
    ] = None
    n_exponent: Annotated[float, Parameter("", "exponent of the data in d", least=0, limit=10)] = 1.0
    draws: Annotated[
        Literal["shuffled", "replacement"], Parameter("", "how batches are drawn from the data", in_results=False)
    ] = "shuffled"

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.n is None) == (self.n0 is None):
            must = "be given, or n0" if self.n is None else "not be given beside n0"
            raise ArgumentError("n", must, self.n, "Write n = 2000, or n0 = 2.0 for n = 2 d.")
        if self.n is not None and self.n_exponent != 1.0:
            raise ArgumentError("n_exponent", "not be given beside n", self.n_exponent, "It belongs to n0.")

    def count(self, d: int) -> int:
        """n in d dimensions. **Raises:** ArgumentError where it is no number of data."""
        if self.n is not None:
            return self.n
        found = round(self.n0 * float(d) ** self.n_exponent)  # type: ignore[operator]
        if not 1 <= found <= MAX_DATA:
            raise ArgumentError("n0", f"give from 1 to {MAX_DATA} data, n = round(n0 d^n_exponent)", self.n0)
        return found

    @property
    def choice(self) -> Choice:
        """What chooses the data of every use."""
        return ORDERS[self.draws]
