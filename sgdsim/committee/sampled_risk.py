"""The excess risk of a committee on inputs of any law, where no overlap says what it is: a mean over fresh inputs."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import network_of
from sgdsim.ensemble.random import Key, fold
from sgdsim.rules.rule import Sample, in_arrays
from sgdsim.rules.units import UnitArray
from sgdsim.training.inputs import InputLaw

TEST_INPUTS = 256
"""Of every replica and save time, where nothing else is asked for."""
AT_ONCE = 64
"""Test inputs that are held at once."""
TEST = np.uint64(2**64 - 4)
"""What a replica's key of a step is folded with for test inputs: beyond the number of any step, and of no other use."""


class SampledRisk(eqx.Module):
    """excess_risk = (1/n) sum_s (E[y|x_s] - f(x_s))^2/2 over n `count` inputs of a law.

    They are fresh for every key, so that the mean over replicas is the risk, without bias at any n. What a test input
    adds to a replica's scatter is the square's standard deviation over sqrt(n).
    """

    law: InputLaw
    network: NetworkRule
    d: int = eqx.field(static=True)
    count: int = eqx.field(static=True)

    @classmethod
    def of(cls, problem: Committee, count: int) -> "SampledRisk":
        """Of a problem with inputs of a law, or with classes."""
        assert problem.law is not None
        return cls(problem.law.at(problem.d), network_of(problem), problem.d, count)

    def __call__(
        self, key: Key, W: Float[Array, "lanes p d"], teacher: Float[Array, "lanes k d"], a: Float[Array, "lanes q"]
    ) -> Float[Array, " lanes"]:
        """Of students W with second layers a (q = 0 where it is not trained), under the key of this step."""

        def squares(x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows"]:
            return self._squares(x, W, teacher, a)

        return sum_over_inputs(self.law, self.d, self.count, W.dtype, key, squares) / (2 * self.count)

    def _squares(self, x: Array, W: Array, teacher: Array, a: Array) -> Float[Array, "lanes rows"]:
        """(E[y|x] - f(x))^2 of some inputs, float64."""
        fixed, moving = (
            UnitArray(jnp.einsum("lsd,lnd->lsn", x, vectors).astype(jnp.float64) * self.d**-0.5)
            for vectors in (teacher, W)
        )
        network = in_arrays(self.network, jnp.float64)
        sample = Sample(fixed, moving, moving[:0], UnitArray(a.astype(jnp.float64)[:, None]), 0.0)
        return network.excess(sample) ** 2


def sum_over_inputs(
    law: InputLaw,
    d: int,
    count: int,
    dtype: Any,
    key: Key,
    values: Callable[[Float[Array, "lanes rows d"]], Float[Array, "lanes rows"]],
) -> Float[Array, " lanes"]:
    """The sum of values(x) over `count` inputs of a law, fresh under the key of a step, some of them at once."""
    own = fold(key, TEST)

    def total(rows: Any) -> Float[Array, " lanes"]:
        return jnp.sum(values(law.draw(own, rows, d, dtype)), axis=1)

    rows = jnp.arange(count, dtype=jnp.uint32)
    whole = count // AT_ONCE * AT_ONCE
    found = jax.lax.map(total, rows[:whole].reshape(-1, AT_ONCE)).sum(axis=0)
    return found + total(rows[whole:]) if whole < count else found
