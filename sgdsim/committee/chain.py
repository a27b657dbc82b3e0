"""The exact low-dimensional chain: the simulator whose cost per step does not depend on d."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import jax.numpy as jnp

from sgdsim.committee.chain_blocks import chain_blocks
from sgdsim.committee.chain_forms import KERNEL, KernelChoice, check_fused, choose_form, fused_speedup
from sgdsim.committee.chain_lanes import chain_lanes
from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import block_steps
from sgdsim.committee.rule_of import rule_of
from sgdsim.contracts import Kernel, Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Precision

WIDEST_LANES = 16
"""Largest p (and k) of the unrolled form: at p = 16 both forms are about equally fast (measured)."""
_BLOCKS = ((32, 16), (65, 32))
"""(p, samples of a block below this p), where d allows: more samples share a root the more it costs (measured)."""
_LONGEST_BLOCK = 64
"""Samples of a block for larger p."""


@dataclass(frozen=True)
class Chain(Simulator):
    """The law of (Omega^0, Omega^1, ...) itself, without weights: exact for Gaussian inputs and d >= k + p + batch.

    States are float64 between segments, so that float32 loses no increment at any d. The forms of the unrolled loop
    have the same law and the same random numbers, and agree to rounding: `kernel` is "xla" as XLA compiles it, "fused"
    with the state in registers, "auto" fused where that can be had.
    """

    precision: Precision = "float32"
    kernel: Annotated[KernelChoice, KERNEL] = "auto"

    takes: ClassVar[type[Problem]] = Committee
    name: ClassVar[str] = "chain"

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError where d < k + p + batch, or the kernel cannot be had."""
        sizes = rule_of(problem).sizes
        least = sizes.fixed + sizes.moving + problem.batch
        if problem.d < least:
            smaller = f", or a smaller batch (here {problem.batch})" if problem.batch > 1 else ""
            vectors = "k + p" if sizes.moving == problem.p else "k + vectors that move"
            raise ArgumentError(
                "d",
                f"be >= {vectors} + batch = {least} for the simulator `chain`",
                problem.d,
                f"Use the simulator `weights`, which takes any d{smaller}.",
            )
        if self.kernel == "fused":
            check_fused(problem, jnp.dtype(self.precision), _unrolled(problem))

    def bind(self, problem: Committee, replicas: int, final: float) -> Kernel:
        """The unrolled form for small p, matrix products otherwise."""
        dtype = jnp.dtype(self.precision)
        if _unrolled(problem):
            form = choose_form(problem, dtype, self.kernel)
            return chain_lanes(problem, dtype, _lanes(replicas, 16, 256), form)
        sizes = rule_of(problem).sizes
        room = problem.d - sizes.fixed - sizes.moving
        steps = min(block_steps(problem.batch, _block_samples(sizes.moving)), room // problem.batch)
        return chain_blocks(problem, dtype, _lanes(replicas, 2, 16), steps)

    def bytes_per_replica(self, problem: Committee) -> int:
        """A few copies of the state, and the inputs of a block."""
        k, p, samples = problem.k, problem.p, max(_block_samples(problem.p), problem.batch)
        return 8 * (4 * p * (p + k) + 2 * samples * (p + k + 2 * samples))

    def step_cost(self, problem: Committee) -> StepCost:
        """A fused form has no loops within a step and launches nothing, and its operations are faster."""
        cost, faster = self.portable_cost(problem), self._fused_speedup(problem)
        if _unrolled(problem) and faster is not None:
            return replace(cost, operations=cost.operations / faster, loops=0.0, launches=0.0)
        return cost

    def portable_cost(self, problem: Committee) -> StepCost:
        """Normals, the root of S, and updates of M and S; the unrolled form has a loop for every nine operations."""
        k, p, samples = problem.k, problem.p, max(_block_samples(problem.p), problem.batch)
        if _unrolled(problem):
            operations = self._operations(problem)
            return StepCost(operations, loops=operations / 9, launches=2.0 if p <= 4 else p / 2)
        root, batch = p**3 / samples, problem.batch
        products = batch * (root + 6 * p * (k + p + samples))
        blocks = batch / samples
        return StepCost(batch * 30.0 * (k + p + samples / 2), products, loops=200 * blocks, launches=139 * blocks)

    def unrolled(self, problem: Committee) -> float:
        """Operations of a step that is written out; other compilers take half of XLA's time for them (measured)."""
        return self._operations(problem) / (1 if self._fused_speedup(problem) is None else 2)

    def _fused_speedup(self, problem: Committee) -> float | None:
        return fused_speedup(problem, jnp.dtype(self.precision), self.kernel)

    def _operations(self, problem: Committee) -> float:
        k, p = problem.k, problem.p
        return 30.0 * (k + p + 2) + p**3 / 3 + 4 * p * (k + p) + 20 * (k + p) if _unrolled(problem) else 0.0


def _unrolled(problem: Committee) -> bool:
    sizes = rule_of(problem).sizes
    return problem.batch == 1 and max(sizes.moving, sizes.fixed) <= WIDEST_LANES


def _block_samples(p: int) -> int:
    return next((samples for below, samples in _BLOCKS if p < below), _LONGEST_BLOCK)


def _lanes(replicas: int, least: int, usual: int) -> int:
    """Replicas of a tile: `usual`, fewer where they would not make two tiles, but no fewer than `least`.

    A tile should stay in the cache and fill the vectors of a core, and few replicas should still keep two cores at
    work. Above `usual` replicas the width is the same, so that an ensemble that grows keeps its tiles.
    """
    lanes = least
    while lanes < usual and replicas > 2 * lanes:
        lanes *= 2
    return lanes
