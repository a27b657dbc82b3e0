"""SGD on the full weights of a committee: p x d numbers per replica, for any d and p; see `rules.weights`."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from sgdsim.committee.chain_forms import KERNEL, KernelChoice
from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import block_steps, recursion_of
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.weights_forms import check_fused_inputs, choose_inputs
from sgdsim.contracts import Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.ensemble.inputs import InputsForm, xla_inputs
from sgdsim.parameters import Parameter, Precision
from sgdsim.rules.weights import RuleWeights


def weights_kernel(
    problem: Committee, dtype: Any, lanes: int, steps: int, form: InputsForm = xla_inputs
) -> RuleWeights:
    """The kernel of a problem, with blocks of `steps` steps and a form of their inputs."""
    return RuleWeights.of(rule_of(problem), problem.d, problem.batch, dtype, lanes, steps, form, recursion_of(problem))


@dataclass(frozen=True)
class Weights(Simulator):
    """SGD on the full p x d weights: the choice where p + k > d, and the check on the chain elsewhere.

    The forms of the inputs and their products have the same random numbers, and agree to rounding: `kernel` is "xla" as
    XLA compiles it, "fused" in one pass, "auto" fused where that can be had and is faster.
    """

    precision: Precision = "float32"
    block: Annotated[
        int,
        Parameter("", "samples drawn at once; it changes results by rounding only", least=1, in_files=False),
    ] = 16
    kernel: Annotated[KernelChoice, KERNEL] = "auto"

    takes: ClassVar[type[Problem]] = Committee
    name: ClassVar[str] = "weights"

    def check(self, problem: Committee) -> None:
        """Any problem will do. Raises ArgumentError where the kernel cannot be had."""
        if self.kernel == "fused":
            check_fused_inputs()

    def bind(self, problem: Committee, replicas: int, final: float) -> RuleWeights:
        """The kernel of a problem, with tiles of a size that fits the cache."""
        steps = block_steps(problem.batch, self.block)
        form = choose_inputs(steps * problem.batch, max(problem.p, problem.k), self.kernel)
        return weights_kernel(problem, self.precision, self._lanes(problem, replicas), steps, form)

    def _lanes(self, problem: Committee, replicas: int) -> int:
        """Replicas of a tile: a power of two, with about 2^17 inputs to a block."""
        inputs = problem.d * max(self.block, problem.batch)
        return min(_power_of_two(2**17 // inputs), _power_of_two(replicas), 64)

    def bytes_per_replica(self, problem: Committee) -> int:
        """Weights of student and teacher, and the inputs of a block, twice."""
        rows = problem.p + problem.k + max(self.block, problem.batch)
        return 2 * rows * problem.d * jnp.dtype(self.precision).itemsize

    def step_cost(self, problem: Committee) -> StepCost:
        """Normals, the matrix products of a block, and the recursion over its samples."""
        samples = max(self.block, problem.batch)
        products = problem.batch * problem.d * (4.0 * problem.p + 2 * problem.k + 2 * samples)
        blocks = problem.batch / samples
        return StepCost(30.0 * problem.batch * problem.d, products, loops=100 * blocks, launches=34 * blocks)


def _power_of_two(number: int) -> int:
    """The largest power of two up to a number, at least 1."""
    return 1 << max(0, number.bit_length() - 1)
