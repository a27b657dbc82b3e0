"""SGD on the full vectors of any rule: n x d numbers per replica, for any d and n; see `weights`."""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from sgdsim.contracts import Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.parameters import Parameter, Precision
from sgdsim.rules.forms import KERNEL, KernelChoice, refused
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.inputs_forms import check_fused_inputs, choose_inputs
from sgdsim.rules.problem import RuleProblem
from sgdsim.rules.recursion import Recursion, block_steps, run_samples
from sgdsim.rules.rule import Rule
from sgdsim.rules.weights import RuleWeights


@dataclass(frozen=True)
class AnyWeights(Simulator):
    """The full vectors of problems that have a rule; see `RuleFullWeights`."""

    precision: Precision = "float32"
    block: Annotated[
        int,
        Parameter("", "samples drawn at once; it changes results by rounding only", least=1, in_files=False),
    ] = 16
    kernel: Annotated[KernelChoice, KERNEL] = "auto"

    name: ClassVar[str] = "weights"

    @abc.abstractmethod
    def rule(self, problem: Any) -> Rule:
        """What a step of this problem does."""

    def recursion(self, problem: Any) -> Recursion:
        """How the samples of a block are gone through."""
        return run_samples

    def inputs(self, problem: Any) -> InputBlocks | None:
        """Blocks of the inputs' variances; None of x ~ N(0, I)."""
        return None

    def check(self, problem: Any) -> None:
        """Any problem will do. Raises ArgumentError where the kernel cannot be had."""
        if self.kernel == "fused":
            if self.inputs(problem) is not None:
                raise refused("for full weights on inputs of several variances")
            if self.rule(problem).clusters is not None:
                raise refused("for full weights on inputs of clusters")
            check_fused_inputs()

    def bind(self, problem: Any, replicas: int, final: float) -> RuleWeights:
        """The kernel of a problem, with tiles of a size that fits the cache."""
        rule, steps = self.rule(problem), block_steps(problem.batch, self.block)
        form = choose_inputs(steps * problem.batch, max(rule.sizes.moving, rule.sizes.fixed), self.kernel)
        lanes, recursion = self._lanes(problem, replicas), self.recursion(problem)
        sizes = (problem.d, problem.batch)
        return RuleWeights.of(rule, *sizes, self.precision, lanes, steps, form, recursion, self.inputs(problem))

    def _lanes(self, problem: Any, replicas: int) -> int:
        """Replicas of a tile: a power of two, with about 2^17 inputs to a block."""
        inputs = problem.d * max(self.block, problem.batch)
        return min(_power_of_two(2**17 // inputs), _power_of_two(replicas), 64)

    def bytes_per_replica(self, problem: Any) -> int:
        """All vectors, and the inputs of a block, twice."""
        sizes = self.rule(problem).sizes
        rows = sizes.moving + sizes.fixed + max(self.block, problem.batch)
        return 2 * rows * problem.d * jnp.dtype(self.precision).itemsize

    def step_cost(self, problem: Any) -> StepCost:
        """Normals, the matrix products of a block, and the recursion over its samples."""
        sizes, samples = self.rule(problem).sizes, max(self.block, problem.batch)
        products = problem.batch * problem.d * (4.0 * sizes.moving + 2 * sizes.fixed + 2 * samples)
        blocks = problem.batch / samples
        return StepCost(30.0 * problem.batch * problem.d, products, loops=100 * blocks, launches=34 * blocks)


@dataclass(frozen=True)
class RuleFullWeights(AnyWeights):
    """SGD on the full vectors: the choice where d is below k + n + batch, and the check on the chain elsewhere.

    The forms of the inputs and their products have the same random numbers, and agree to rounding: `kernel` is "xla" as
    XLA compiles it, "fused" in one pass, "auto" fused where that can be had and is faster.
    """

    takes: ClassVar[type[Problem]] = RuleProblem

    def rule(self, problem: RuleProblem) -> Rule:
        """That of the problem."""
        return problem.rule


def _power_of_two(number: int) -> int:
    """The largest power of two up to a number, at least 1."""
    return 1 << max(0, number.bit_length() - 1)
