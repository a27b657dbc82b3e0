"""Several steps of SGD from the Gram matrix of their inputs: what the blocked simulators have in common.

The inputs x_1, ..., x_n of the next n samples meet the weights only through their fields on the present weights,
U = X w/sqrt(d), and, as the weights move along earlier inputs, through the inner products x_s.x_t. So the n samples
need one matrix product to make U, this short recursion, and one product to move the weights; the result is that of the
step-by-step loop to rounding.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.committee.activations import Activation


def backpropagated_errors(
    activation: Activation,
    student: Float[Array, "lanes samples p"],
    teacher: Float[Array, "lanes samples k"],
    noise: Float[Array, "lanes samples"],
    gram: Float[Array, "lanes samples samples"],
    step_size: Float[Array, ""],
    batch: int,
    n_steps: Int[Array, ""],
) -> Float[Array, "lanes samples p"]:
    """E_i^s = sigma'(lambda_i^s) e^s of consecutive samples, `batch` to a step; zero from step n_steps on.

    lambda_i^t = student_i^t + (c/batch) sum_s (x_s.x_t) E_i^s over the samples s of earlier steps, c = gamma/(p d).

    - `student`, `teacher`: fields of every sample on the weights at the beginning.
    - `noise`: label noise sqrt(Delta) zeta of every sample.
    - `gram`: inner products x_s.x_t.
    - `step_size`: c.
    """
    samples = student.shape[1]
    target = jnp.mean(activation.value(teacher), axis=-1) + noise
    reach = gram * (step_size / batch)

    def step(index: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        fields, errors = carry
        first = index * batch
        here = jax.lax.dynamic_slice_in_dim(fields, first, batch, axis=1)
        label = jax.lax.dynamic_slice_in_dim(target, first, batch, axis=1)
        error = jnp.where(index < n_steps, label - jnp.mean(activation.value(here), axis=-1), 0)
        E = activation.derivative(here) * error[:, :, None]
        column = jax.lax.dynamic_slice_in_dim(reach, first, batch, axis=2)
        fields = fields + jnp.sum(column[:, :, :, None] * E[:, None, :, :], axis=2)
        return fields, jax.lax.dynamic_update_slice_in_dim(errors, E, first, axis=1)

    return jax.lax.fori_loop(0, samples // batch, step, (student, jnp.zeros_like(student)))[1]


def block_steps(batch: int, target: int) -> int:
    """Steps of a block of about `target` samples: at least one step."""
    return max(1, target // batch)
