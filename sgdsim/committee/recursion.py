"""Several steps of SGD from the Gram matrix of their inputs: what the blocked simulators have in common.

The inputs x_1, ..., x_n of the next n samples meet the weights only through their fields on the present weights,
U = X w/sqrt(d), and, as the weights move along earlier inputs, through the inner products x_s.x_t. So the n samples
need one matrix product to make U, this short recursion, and one product to move the weights; the result is that of the
step-by-step loop to rounding.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.plain_rule import PlainRule
from sgdsim.committee.problem import Committee
from sgdsim.ensemble.pin import Pinning, no_pin
from sgdsim.rules.recursion import BlockMoves, Drawn, Recursion, run_samples

_PANEL_STEPS = 16
"""Steps that are unrolled one by one; the pull of the steps of earlier panels is a matrix product."""


def plain_block(
    rule: PlainRule,
    drawn: Drawn,
    numbers: Float[Array, "lanes q"],
    Q: Float[Array, "lanes p p"],
    batch: int,
    n_steps: Int[Array, ""],
    pin: Pinning,
) -> BlockMoves:
    """`rules.recursion.run_samples` of the plain rule, by matrix products.

    Where every step moves the weights along its inputs and does nothing else, the pull of earlier steps on the fields
    can wait until they are needed: a sum over 16 steps at a time, in place of a pass over all fields at every step.
    """
    dtype = drawn.moving.dtype
    E = backpropagated_errors(
        rule.activation,
        student=drawn.moving,
        teacher=drawn.fixed,
        noise=jnp.asarray(rule.noise_root, dtype) * drawn.normals[..., 0],
        gram=drawn.gram,
        step_size=jnp.asarray(rule.step_size, dtype),
        batch=batch,
        n_steps=n_steps,
        pin=pin,
    )
    return BlockMoves(linear=None, kicks=E, numbers=jnp.zeros_like(numbers, dtype))


def recursion_of(problem: Committee) -> Recursion:
    """How the blocks of a problem are made."""
    return plain_block if problem.plain else run_samples


def backpropagated_errors(
    activation: Activation,
    student: Float[Array, "lanes samples p"],
    teacher: Float[Array, "lanes samples k"],
    noise: Float[Array, "lanes samples"],
    gram: Float[Array, "lanes samples samples"],
    step_size: Float[Array, ""],
    batch: int,
    n_steps: Int[Array, ""],
    pin: Pinning = no_pin,
) -> Float[Array, "lanes samples p"]:
    """E_i^s = sigma'(lambda_i^s) e^s of consecutive samples, `batch` to a step; zero from step n_steps on.

    lambda_i^t = student_i^t + (c/batch) sum_s (x_s.x_t) E_i^s over the samples s of earlier steps, c = gamma/(p d).

    - `student`, `teacher`: fields of every sample on the weights at the beginning.
    - `noise`: label noise sqrt(Delta) zeta of every sample.
    - `gram`: inner products x_s.x_t.
    - `step_size`: c.
    """
    target = jnp.mean(activation.value(teacher), axis=-1) + noise
    reach = gram * (step_size / batch)
    panels: list[Array] = []
    panel = _PANEL_STEPS * batch
    for first in range(0, student.shape[1], panel):
        here = slice(first, min(first + panel, student.shape[1]))
        field = student[:, here]
        if panels:
            field = field + reach[:, here, :first] @ jnp.concatenate(panels, axis=1)
        left = n_steps - first // batch
        panels.append(_panel_errors(activation, field, target[:, here], reach[:, here, here], batch, left, pin))
    return jnp.concatenate(panels, axis=1)


def _panel_errors(
    activation: Activation,
    student: Float[Array, "lanes samples p"],
    target: Float[Array, "lanes samples"],
    reach: Float[Array, "lanes samples samples"],
    batch: int,
    n_steps: Int[Array, ""],
    pin: Pinning,
) -> Float[Array, "lanes samples p"]:
    """The recursion within a panel, unrolled; `student` has the pull of earlier panels in it."""
    errors: list[Array] = []
    for step in range(student.shape[1] // batch):
        here = slice(step * batch, (step + 1) * batch)
        field = student[:, here]
        for before, E in enumerate(errors):
            pull = reach[:, here, before * batch : (before + 1) * batch]
            field = field + jnp.sum(pull[:, :, :, None] * E[:, None, :, :], axis=2)
        field = pin(field)
        error = jnp.where(step < n_steps, target[:, here] - jnp.mean(activation.value(field), axis=-1), 0)
        errors.append(pin(activation.derivative(field) * error[:, :, None]))
    return jnp.concatenate(errors, axis=1)
