"""The exact low-dimensional chain of any rule: the simulator whose cost per step does not depend on d."""

import abc
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from sgdsim.contracts import Kernel, Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.ensemble.lane_loop import LaneForm, xla_form
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Precision
from sgdsim.rules.batches import CHUNK, RuleBatches
from sgdsim.rules.blocks import RuleBlocks
from sgdsim.rules.forms import KERNEL, KernelChoice, check_fused, choose_form, fused_speedup, refused
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.inputs_forms import choose_normals, normal_operations
from sgdsim.rules.lanes import RuleLanes
from sgdsim.rules.mosaic import LoopShape
from sgdsim.rules.problem import RuleProblem
from sgdsim.rules.recursion import Recursion, block_steps, run_samples
from sgdsim.rules.rule import Rule

WIDEST_LANES = 16
"""Most vectors of either kind of the unrolled form: at 16 both forms are about equally fast (measured)."""
_BLOCKS = ((32, 16), (65, 32))
"""(n, samples of a block below so many moving vectors), where d allows: more samples share a root the more it costs
(measured)."""
_LONGEST_BLOCK = 64
"""Samples of a block for more of them."""
_PAIRED = 8
"""Blocks take the inner products of all samples up to a batch of n + 8, where d allows: of k = 4, 16 replicas, a step
of 16 samples takes 23, 24, 29, 53 and 98 us of a core in blocks for n = 2, 4, 8, 16 and 32, and 13, 18, 32, 70 and
186 us as a whole batch."""


_PRODUCTS = 0.4
"""Of the time that products of large networks take, see `cost`: these are of matrices in the nearest cache."""


@dataclass(frozen=True)
class AnyChain(Simulator):
    """The chain of problems that have a rule; see `RuleChain`."""

    precision: Precision = "float32"
    kernel: Annotated[KernelChoice, KERNEL] = "auto"

    name: ClassVar[str] = "chain"
    emitted: ClassVar[str] = "rule"
    """What of a step may have no form in C++, for a message."""

    @abc.abstractmethod
    def rule(self, problem: Any) -> Rule:
        """What a step of this problem does."""

    @abc.abstractmethod
    def example(self, problem: Any, d: int) -> Rule:
        """A rule of the same form in dimension d, whose steps are moderate there: for the check of a fused form."""

    def recursion(self, problem: Any) -> Recursion:
        """How the samples of a block are gone through."""
        return run_samples

    def inputs(self, problem: Any) -> InputBlocks | None:
        """Blocks of the inputs' variances; None of x ~ N(0, I)."""
        return None

    def check(self, problem: Any) -> None:
        """Raises ArgumentError where d leaves no room for vectors and a batch used again, or there is no kernel."""
        rule, (k, n) = self.rule(problem), _vectors(self.rule(problem))
        self._check_inputs(problem, rule)
        paired = problem.batch if rule.visits > 1 else 0
        if problem.d < k + n + paired:
            vectors = "k + p" if n == rule.given else "k + vectors that move"
            again = " + batch, where batches are used again," if paired else ""
            smaller = f", or a smaller batch (here {paired})" if paired > 1 else ""
            raise ArgumentError(
                "d",
                f"be >= {vectors}{again} = {k + n + paired} for the simulator `chain`",
                problem.d,
                f"Use the simulator `weights`, which takes any d{smaller}.",
            )
        if self.kernel == "fused":
            self._check_fused(problem)

    def _check_inputs(self, problem: Any, rule: Rule) -> None:
        """Raises ArgumentError where a block of inputs has too few directions, or its batches are used again."""
        blocks, least = self.inputs(problem), sum(_vectors(rule))
        if blocks is None:
            return
        if rule.visits > 1:
            remedy = "Use the simulator `weights`, or every batch once."
            raise ArgumentError("reuse", "be 1 beside inputs of several variances, for `chain`", rule.visits, remedy)
        if min(blocks.sizes) < least:
            remedy = "Take fewer blocks or a larger d, or the simulator `weights`."
            must = f"leave at least k + vectors that move = {least} directions to every block, for `chain`"
            raise ArgumentError("blocks", must, min(blocks.sizes), remedy)

    def _check_fused(self, problem: Any) -> None:
        if not self._unrolled(problem):
            sizes = self.rule(problem).sizes
            got = f"batch = {problem.batch}" if problem.batch > 1 else f"p = {sizes.moving}, k = {sizes.fixed}"
            raise refused(f"where the chain goes by matrix products ({got})")
        check_fused(self._lanes_kernel(problem, 1, xla_form).loop, self.loop_shape(problem), self.emitted)

    def bind(self, problem: Any, replicas: int, final: float) -> Kernel:
        """The unrolled form for few vectors, matrix products otherwise: of blocks, or of whole batches."""
        dtype = jnp.dtype(self.precision)
        if self._unrolled(problem):
            form = choose_form(self.loop_shape(problem), dtype, self.kernel)
            return self._lanes_kernel(problem, _lanes(replicas, 16, 256), form)
        rule, form, lanes = self.rule(problem), choose_normals(self.kernel), _lanes(replicas, 2, 16)
        if self._whole_batches(problem):
            return RuleBatches.of(rule, problem.d, problem.batch, dtype, lanes, self.inputs(problem), form)
        room = problem.d - sum(_vectors(rule))
        steps = min(block_steps(problem.batch, _block_samples(rule.sizes.moving)), room // problem.batch)
        return RuleBlocks.of(rule, problem.d, problem.batch, dtype, lanes, steps, self.recursion(problem), form)

    def bytes_per_replica(self, problem: Any) -> int:
        """A few copies of the state, and the inputs of a block."""
        k, n, samples = *_vectors(self.rule(problem)), self._samples(problem)
        if self._whole_batches(problem):
            return 8 * self._blocks(problem) * (8 * n * (n + k) + 6 * min(CHUNK, problem.batch) * (n + k + 1))
        return 8 * (4 * n * (n + k) + 2 * samples * (n + k + 2 * samples))

    def step_cost(self, problem: Any) -> StepCost:
        """A fused form has no loops within a step and launches nothing, and its operations are faster."""
        cost, faster = self.portable_cost(problem), self._fused_speedup(problem)
        if self._unrolled(problem) and faster is not None:
            return replace(cost, operations=cost.operations / faster, loops=0.0, launches=0.0)
        return cost

    def portable_cost(self, problem: Any) -> StepCost:
        """Normals, the root of S, and updates of M and S; the unrolled form has a loop for every nine operations."""
        rule = self.rule(problem)
        (k, n), samples = _vectors(rule), self._samples(problem)
        if self._unrolled(problem):
            operations = _operations(rule)
            return StepCost(operations, loops=operations / 9, launches=2.0 if n <= 4 else n / 2)
        batch, normal = problem.batch, normal_operations(self.kernel)
        if self._whole_batches(problem):
            chunks, L = -(-batch // CHUNK), float(self._blocks(problem))
            products = _PRODUCTS * L * (batch * 2 * (n + k) * (k + 3 * n) + 3 * n**3)
            operations = batch * (normal * L * (k + n + 1) + 50 * (k + n)) + (1 + L) * (400 * n + 25 * n * n)
            loops = 60 + 12 * n + 75 * (chunks - 1) + 4 * L
            return StepCost(operations, products, loops, launches=100 + 30 * (chunks + L))
        products = batch * (n**3 / samples + 6 * n * (k + n + samples)) + rule.drifts * 2 * n * n * (n + samples)
        blocks = batch / samples
        operations = normal * (k + n + rule.sizes.normals - 1 + samples / 2) + 40 * (k + n) + 400
        return StepCost(batch * operations, _PRODUCTS * products, loops=(100 + 15 * n) * blocks, launches=139 * blocks)

    def unrolled(self, problem: Any) -> float:
        """Operations of a step that is written out; other compilers take half of XLA's time for them (measured)."""
        operations = _operations(self.rule(problem)) if self._unrolled(problem) else 0.0
        return operations / (1 if self._fused_speedup(problem) is None else 2)

    def _fused_speedup(self, problem: Any) -> float | None:
        return fused_speedup(self.loop_shape(problem), jnp.dtype(self.precision), self.kernel)

    def loop_shape(self, problem: Any) -> LoopShape:
        """What the program of the unrolled loop depends on."""
        return LoopShape.of(self.rule(problem), problem.d, partial(self.example, problem))

    def _lanes_kernel(self, problem: Any, lanes: int, form: LaneForm) -> RuleLanes:
        return RuleLanes.of(self.rule(problem), problem.d, problem.dt, self.precision, lanes, form)

    def _unrolled(self, problem: Any) -> bool:
        few = max(_vectors(self.rule(problem))) <= WIDEST_LANES
        return problem.batch == 1 and self.inputs(problem) is None and few

    def _whole_batches(self, problem: Any) -> bool:
        """Whether a step is one gradient of a batch whose inputs' inner products nobody needs; see `batches`."""
        rule = self.rule(problem)
        if self._unrolled(problem) or rule.visits > 1:
            return False
        room = problem.d - sum(_vectors(rule))
        return self.inputs(problem) is not None or problem.batch > min(rule.sizes.moving + _PAIRED, room)

    def _blocks(self, problem: Any) -> int:
        """Blocks of inputs."""
        inputs = self.inputs(problem)
        return 1 if inputs is None else len(inputs.sizes)

    def _samples(self, problem: Any) -> int:
        return max(_block_samples(self.rule(problem).sizes.moving), problem.batch)


@dataclass(frozen=True)
class RuleChain(AnyChain):
    """The law of (G^0, G^1, ...) itself, without vectors: exact for Gaussian inputs, any batch and d >= k + n.

    States are float64 between segments, so that float32 loses no increment at any d. The forms of the unrolled loop
    have the same law and the same random numbers, and agree to rounding: `kernel` is "xla" as XLA compiles it, "fused"
    with the state in registers, "auto" fused where that can be had. Where the chain goes by matrix products, "auto"
    draws its normals in C++ on a CPU where a compiler is found.
    """

    takes: ClassVar[type[Problem]] = RuleProblem

    def rule(self, problem: RuleProblem) -> Rule:
        """That of the problem."""
        return problem.rule

    def example(self, problem: RuleProblem, d: int) -> Rule:
        """That of the problem in dimension d."""
        return problem.at(d).rule


def _vectors(rule: Rule) -> tuple[int, int]:
    """k fixed ones, and n that move."""
    return rule.sizes.fixed, rule.sizes.moving


def _operations(rule: Rule) -> float:
    """Of a step that is written out.

    Normals, the root of S, and what a kick adds; of clusters, which it is and what it makes of normals; for every visit
    the functions of fields and numbers; for a linear map of all vectors, or new lengths, what it does to m and S.
    """
    (k, n), sizes = _vectors(rule), rule.sizes
    step = 30.0 * (k + n + sizes.normals + 1) + n**3 / 3 + 4 * n * (k + n)
    visits = rule.visits * (20 * (k + n) + 5 * sizes.numbers)
    clusters = 0 if rule.clusters is None else len(rule.clusters) * (2 * k + 6) + k * k + k + n
    return (
        step
        + clusters
        + visits
        + rule.drifts * rule.visits * 4 * n * (k + 2 * n)
        + rule.rescales * (10 * n + 3 * n * (k + n))
    )


def _block_samples(n: int) -> int:
    return next((samples for below, samples in _BLOCKS if n < below), _LONGEST_BLOCK)


def _lanes(replicas: int, least: int, usual: int) -> int:
    """Replicas of a tile: `usual`, fewer where they would not make two tiles, but no fewer than `least`.

    A tile should stay in the cache and fill the vectors of a core, and few replicas should still keep two cores at
    work. Above `usual` replicas the width is the same, so that an ensemble that grows keeps its tiles.
    """
    lanes = least
    while lanes < usual and replicas > 2 * lanes:
        lanes *= 2
    return lanes
