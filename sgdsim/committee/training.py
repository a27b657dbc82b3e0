"""Training of a committee on finite data or by an optimiser: its kernel, and what that takes."""

from typing import Any

import jax.numpy as jnp

from sgdsim.committee.problem import Committee
from sgdsim.committee.sampled_risk import AT_ONCE
from sgdsim.committee.student import NetworkStudent
from sgdsim.committee.taught_module import TaughtModule
from sgdsim.cost import StepCost
from sgdsim.ensemble.shuffle import ROUNDS
from sgdsim.rules.recursion import block_steps
from sgdsim.training.counted import count_gradient
from sgdsim.training.data import epoch_rows
from sgdsim.training.inputs import NormalInputs
from sgdsim.training.kernel import TrainingKernel
from sgdsim.training.module import ModuleStudent, skeleton_of
from sgdsim.training.optimiser import SGD

CHOSEN = 2048
"""Data of a tile that are chosen at once: their order is made in loops, which would count beside fewer, and what is
chosen beyond a save time is chosen again."""
OWN_LOOPS = 0.5
"""Compiled loops for each operation of a module's gradient: about half of them are fused with others."""
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
        model=(TaughtModule if problem.student else NetworkStudent).of(problem, test_inputs, native),
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
    if problem.student is not None:
        return _module_bytes(problem, problem.student, dtype, block)
    d, p, n = problem.d, problem.p, problem.n or 0
    vectors = p * (3 + (problem.optimiser.copies if problem.optimiser else 0)) + problem.k
    rows = 2 * (n + vectors + _at_once(problem, block))
    return (rows * d + n * (2 * p + 2)) * jnp.dtype(dtype).itemsize


def _at_once(problem: Committee, block: int) -> int:
    """Inputs beside the data that are held at once."""
    return 0 if _whole(problem) else max(problem.batch, block if problem.data is None else 0)


def _module_bytes(problem: Committee, student: ModuleStudent, dtype: Any, block: int) -> int:
    """Of a module: the same, and what f makes on the way, twice of a batch, and of all data that are looked at."""
    n, size = problem.n or 0, skeleton_of(student, problem.d, problem.p).size
    copies = 3 + (problem.optimiser.copies if problem.optimiser else 0)
    rows = 2 * (n + problem.k + _at_once(problem, block))
    made = count_gradient(student, problem.d, problem.p).numbers * max(2 * problem.batch, AT_ONCE, n)
    return int(rows * problem.d + 2 * size * copies + made) * jnp.dtype(dtype).itemsize


def observing_cost(problem: Committee, student: ModuleStudent, test_inputs: int) -> StepCost:
    """What f takes on the test inputs, which are drawn, and on the data: a third of what its gradient does."""
    counted, (drawn, multiplied) = count_gradient(student, problem.d, problem.p), NormalInputs().cost(problem.d)
    seen = test_inputs + (problem.n or 0)
    operations = seen * counted.operations / 3 + test_inputs * drawn
    return StepCost(operations, seen * counted.products / 3 + test_inputs * multiplied)


def training_cost(problem: Committee, block: int, lanes: int) -> StepCost:
    """Products of the gradient, and the inputs or their choice; an optimiser passes over the weights."""
    batch, d, p, k = problem.batch, problem.d, problem.p, problem.k
    steps, passes = _block(problem, block, lanes), 2.0 + 10 * (problem.optimiser.copies if problem.optimiser else 0)
    if problem.student is None:
        moving, products, own = p * d * passes + 20.0 * batch * (p + k), 4.0 * batch * d * p, 0.0
    else:
        counted = count_gradient(problem.student, d, p)
        size = skeleton_of(problem.student, d, p).size
        moving, products = size * passes + batch * (counted.operations + 20.0 * k), batch * counted.products
        own = counted.steps * OWN_LOOPS
    if problem.data is None:
        return StepCost(moving + 30.0 * batch * d, products + 2.0 * batch * d * k, 4 + own + 12 / steps, 8.0 + own)
    if _whole(problem):
        return StepCost(moving, products, loops=6.0 + own, launches=8.0 + own)
    order = WORDS * ROUNDS * batch if problem.data.draws == "shuffled" else 110.0 * batch
    return StepCost(moving + order + batch * d, products, 6 + own + 4 * ROUNDS / steps, 12.0 + own)
