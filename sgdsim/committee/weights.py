"""SGD on the full weights of a committee: p x d numbers per replica, for any d and p; see `rules.full_weights`."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from sgdsim.committee.effective_noise import NoiseKernel, measuring_cost
from sgdsim.committee.frame import spread_frame
from sgdsim.committee.law_weights import LawWeights
from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import recursion_of
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.sampled_risk import TEST_INPUTS, SampledRisk
from sgdsim.committee.training import CHOSEN, observing_cost, training_bytes, training_cost, training_kernel
from sgdsim.contracts import Kernel, Problem
from sgdsim.cost import StepCost
from sgdsim.ensemble.inputs import InputsForm, xla_inputs
from sgdsim.parameters import Parameter
from sgdsim.rules.forms import refused
from sgdsim.rules.full_weights import AnyWeights
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.recursion import Recursion, block_steps
from sgdsim.rules.rule import Rule
from sgdsim.rules.weights import RuleWeights
from sgdsim.training.inputs import NormalInputs

PAIRED = Parameter("", "whether all cells have the same random numbers, so the same data where n and d agree")

TESTED = Parameter(
    "",
    f"fresh inputs of a law for every replica and save time, to observe the risk; {TEST_INPUTS} if left out",
    least=1,
)


def weights_kernel(
    problem: Committee, dtype: Any, lanes: int, steps: int, form: InputsForm = xla_inputs
) -> RuleWeights:
    """The kernel of a problem, with blocks of `steps` steps and a form of their inputs."""
    return RuleWeights.of(rule_of(problem), problem.d, problem.batch, dtype, lanes, steps, form, recursion_of(problem))


def law_weights(problem: Committee, dtype: Any, lanes: int, block: int, test_inputs: int) -> LawWeights:
    """The kernel of a problem with inputs of a law, or with classes."""
    rule, d, risk = rule_of(problem), problem.d, SampledRisk.of(problem, test_inputs)
    moving = rule.sizes.moving
    return LawWeights(
        lanes=lanes,
        d=d,
        batch=problem.batch,
        segment=block_steps(problem.batch, block),
        dtype=jnp.dtype(dtype),
        form=xla_inputs,
        recursion=recursion_of(problem),
        rule=rule,
        risk=risk,
        frame=spread_frame(problem.k + min(moving, d - problem.k), d),
    )


@dataclass(frozen=True)
class Weights(AnyWeights):
    """SGD on the full p x d weights: the choice where p + k > d, and the check on the chain elsewhere.

    The forms of the inputs and their products have the same random numbers, and agree to rounding: `kernel` is "xla" as
    XLA compiles it, "fused" in one pass, "auto" fused where that can be had and is faster.

    Finite data and optimisers have a kernel of their own, see `TrainingKernel`, and so have inputs of a law and labels
    that are classes, see `LawWeights`. Where the noise of a step is asked for, `NoiseKernel` measures it.
    """

    takes: ClassVar[type[Problem]] = Committee
    paired: Annotated[bool | None, PAIRED] = None  # type: ignore[assignment]
    test_inputs: Annotated[int | None, TESTED] = None

    def check(self, problem: Committee) -> None:
        """Any problem will do. Raises ArgumentError where the kernel cannot be had."""
        if self.kernel == "fused" and problem.trains:
            raise refused("for finite data and optimisers" if problem.student is None else "for a student of one's own")
        if self.kernel == "fused" and problem.law is not None:
            raise refused("for full weights on inputs of a law, and for classes")
        super().check(problem)

    def bind(self, problem: Committee, replicas: int, final: float) -> Kernel:  # type: ignore[override]
        """The kernel of a problem, with tiles of a size that fits the cache."""
        lanes = self._lanes(problem, replicas)
        if problem.trains:
            sizes = (lanes, self.block, self.test_inputs or TEST_INPUTS)
            return training_kernel(problem, self.precision, *sizes, native=self.kernel != "xla")
        if problem.law is not None:
            return law_weights(problem, self.precision, lanes, self.block, self.test_inputs or TEST_INPUTS)
        kernel = super().bind(problem, replicas, final)
        if problem.noise_draws is None:
            return kernel
        return NoiseKernel(inner=kernel, dt=problem.dt, draws=problem.noise_draws)  # type: ignore[call-arg]

    def bytes_per_replica(self, problem: Committee) -> int:
        """All vectors and the inputs of a block twice; of training, the data and what goes with them."""
        if not problem.trains:
            return super().bytes_per_replica(problem)
        return training_bytes(problem, self.precision, self.block)

    def step_cost(self, problem: Committee) -> StepCost:
        """Normals, matrix products and the recursion over samples; of training, products and the choice of data."""
        if problem.trains:
            cost = training_cost(problem, self.block, self._lanes(problem, replicas=CHOSEN))
        else:
            cost = super().step_cost(problem)
        if problem.law is None or problem.data is not None:
            return cost
        (drawn, multiplied), (normal, _) = problem.law.cost(problem.d), NormalInputs().cost(problem.d)
        operations = cost.operations + problem.batch * (drawn - normal)
        return replace(cost, operations=operations, products=cost.products + problem.batch * multiplied)

    def rule(self, problem: Committee) -> Rule:
        """That of the problem."""
        return rule_of(problem)

    def recursion(self, problem: Committee) -> Recursion:
        """Matrix products for the plain network."""
        return recursion_of(problem)

    def observe_cost(self, problem: Committee) -> StepCost:
        """That of the fresh batches, if any; of a module that of its test inputs and data."""
        if problem.student is not None:
            return observing_cost(problem, problem.student, self.test_inputs or TEST_INPUTS)
        return measuring_cost(problem)

    def inputs(self, problem: Committee) -> InputBlocks | None:
        """Those of the problem."""
        return problem.input_blocks
