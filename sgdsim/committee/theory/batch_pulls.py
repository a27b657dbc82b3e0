"""What the samples of one batch do together: the terms of the ODE that are of order dt, at any number of samples."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.problem import Committee
from sgdsim.rules.mean_step import stepwise


class BatchPulls(eqx.Module):
    """Two terms of order dt, which the ODE of the leading order lacks.

        dQ_ij/dt gains (gamma/p)^2 (1 - 1/batch)/(d^2 dt) v_i.v_j,    v_i = E[E_i x]

    since two samples of a batch pull alike; and the whole flow f loses (1 - 1/batch) (dt/2) f' f, by which steps of
    f dt go beside it. Both vanish at a batch of one sample, where the noise of single samples has as large a share at
    this order; at large batches that share is O(1/(batch d)), and the ODE follows batches up to b ~ d and above.

    - `weight`: that of v_i.v_j. - `dt`: time of a step.
    """

    weight: Float[Array, ""]
    dt: Float[Array, ""]
    many: Float[Array, ""]
    """1 - 1/batch."""

    @classmethod
    def of(cls, problem: Committee) -> "BatchPulls":
        """Those of a problem."""
        many = 1 - 1 / problem.batch
        weight = (problem.step_size**2) * many / problem.dt
        return cls(*(jnp.asarray(number, jnp.float64) for number in (weight, problem.dt, many)))

    def stepwise(self, velocity: Callable[[Any], Any], point: Any) -> Any:
        """The velocity of the flow that goes through steps of velocity * dt."""
        return stepwise(velocity, point, self.many * self.dt / 2)
