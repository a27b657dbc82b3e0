"""Training of a committee on finite data or by an optimiser: its kernel, and what that takes."""

from typing import Any

import jax.numpy as jnp

from sgdsim.committee.problem import Committee
from sgdsim.committee.student import NetworkStudent
from sgdsim.cost import StepCost
from sgdsim.ensemble.shuffle import ROUNDS
from sgdsim.rules.recursion import block_steps
from sgdsim.training.data import epoch_rows
from sgdsim.training.kernel import TrainingKernel
from sgdsim.training.optimiser import SGD

CHOSEN = 2048
"""Data of a tile that are chosen at once: their order is made in loops, which would count beside fewer, and what is
chosen beyond a save time is chosen again."""
WORDS = 2 * 110.0
"""Operations of a round of a random order: two words of Threefry."""


def training_kernel(
    problem: Committee, dtype: Any, lanes: int, block: int, test_inputs: int, native: bool = False
) -> TrainingKernel:
    """The kernel of a problem, in tiles of so many replicas; `block` samples are drawn at once where they are fresh.

    - `test_inputs`: as in `Weights`.
    - `native`: whether inputs may be drawn in C++.
    """
    steps = _block(problem, block, lanes)
    return TrainingKernel(
        lanes=lanes,
        segment=steps if problem.data is None else 1,
        batch=problem.batch,
        block=steps,
        n=problem.n,
        choice=epoch_rows if problem.data is None else problem.data.choice,
        dtype=jnp.dtype(dtype),
        dt=problem.dt,
        model=NetworkStudent.of(problem, test_inputs, native),
        optimiser=problem.optimiser or SGD(),
    )


def _whole(problem: Committee) -> bool:
    """Whether every step takes all data."""
    return problem.data is not None and problem.data.draws == "shuffled" and problem.batch == problem.n


def _block(problem: Committee, block: int, lanes: int) -> int:
    """Steps whose data are drawn or chosen at once."""
    if _whole(problem):
        return 1
    return block_steps(problem.batch, block if problem.data is None else CHOSEN // lanes)


def training_bytes(problem: Committee, dtype: Any, block: int) -> int:
    """Bytes of a replica: the data twice, as they are drawn; weights, those at t = 0 and the optimiser's; a batch.

    The second copy of the data is what they are drawn in, and what passes over them to be observed.
    """
    d, p, n = problem.d, problem.p, problem.n or 0
    vectors = p * (3 + (problem.optimiser.copies if problem.optimiser else 0)) + problem.k
    batch = 0 if _whole(problem) else max(problem.batch, block if problem.data is None else 0)
    rows = 2 * (n + vectors + batch)
    return (rows * d + n * (2 * p + 2)) * jnp.dtype(dtype).itemsize


def training_cost(problem: Committee, block: int, lanes: int) -> StepCost:
    """Products of the gradient, and the inputs or their choice; an optimiser passes over the weights."""
    batch, d, p, k = problem.batch, problem.d, problem.p, problem.k
    steps = _block(problem, block, lanes)
    moving = p * d * (2.0 + 10 * (problem.optimiser.copies if problem.optimiser else 0))
    fields = 20.0 * batch * (p + k)
    if problem.data is None:
        return StepCost(moving + fields + 30.0 * batch * d, batch * d * (4.0 * p + 2 * k), 4 + 12 / steps, 8.0)
    if _whole(problem):
        return StepCost(moving + fields, 4.0 * batch * d * p, loops=6.0, launches=8.0)
    order = WORDS * ROUNDS * batch if problem.data.draws == "shuffled" else 110.0 * batch
    return StepCost(moving + fields + order + batch * d, 4.0 * batch * d * p, 6 + 4 * ROUNDS / steps, 12.0)
