"""SGD on the full weights: p x d numbers per replica, for any d and p, blocked into matrix products.

n consecutive samples X (n, d) are drawn at once; their fields on the present weights, their Gram matrix and the final
update are matrix products, so that drawing the inputs is nearly all of the cost.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.committee.activations import Activation
from sgdsim.committee.chain_forms import KERNEL, KernelChoice
from sgdsim.committee.observables import observables
from sgdsim.committee.overlaps import Overlaps
from sgdsim.committee.problem import Committee
from sgdsim.committee.recursion import backpropagated_errors, block_steps
from sgdsim.committee.weights_forms import check_fused_inputs, choose_inputs
from sgdsim.contracts import Kernel, Observables, Problem, Simulator
from sgdsim.cost import StepCost
from sgdsim.ensemble.inputs import InputsForm, xla_inputs
from sgdsim.ensemble.pin import Pin
from sgdsim.ensemble.random import fold
from sgdsim.ensemble.segments import run_blocks
from sgdsim.parameters import Parameter, Precision


class WeightsState(eqx.Module):
    """Weights of a tile of replicas, in the precision of the loop. `step` counts the steps made."""

    W: Float[Array, "lanes p d"]
    teacher: Float[Array, "lanes k d"]
    keys: UInt32[Array, "2 lanes"]
    step: Int[Array, ""]


class WeightsKernel(Kernel):
    """SGD of one problem on the full weights, `segment` steps to a block."""

    lanes: int = eqx.field(static=True)
    d: int = eqx.field(static=True)
    batch: int = eqx.field(static=True)
    segment: int = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    form: InputsForm = eqx.field(static=True)
    activation: Activation
    step_size: float
    noise_root: float

    @classmethod
    def of(
        cls, problem: Committee, dtype: Any, lanes: int, steps: int, form: InputsForm = xla_inputs
    ) -> "WeightsKernel":
        """The kernel of a problem, with blocks of `steps` steps and a form of their inputs."""
        return cls(
            lanes=lanes,
            d=problem.d,
            batch=problem.batch,
            segment=steps,
            dtype=jnp.dtype(dtype),
            form=form,
            activation=problem.activation,
            step_size=problem.step_size,
            noise_root=problem.noise**0.5,
        )

    def init(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"]) -> WeightsState:
        """Weights with exactly the given overlaps."""
        teacher, W = (
            jnp.broadcast_to(jnp.asarray(part, self.dtype), (self.lanes, *part.shape[1:]))
            for part in initial.frame_weights(self.d)
        )
        return WeightsState(
            W=W,
            teacher=teacher,
            keys=keys,
            step=jnp.zeros((), jnp.int64),
        )

    def observe(self, state: WeightsState) -> Observables:
        """M, Q and excess_risk, float64, lanes last."""
        W, teacher = state.W.astype(jnp.float64), state.teacher.astype(jnp.float64)
        P, M, Q = (
            jnp.einsum("lid,ljd->ijl", left, right) / self.d
            for left, right in ((teacher, teacher), (W, teacher), (W, W))
        )
        return observables(P, M, Q, self.activation)

    def advance(self, state: WeightsState, n_steps: Int[Array, ""]) -> WeightsState:
        """The state after n_steps more steps."""
        return run_blocks(state, n_steps, self.segment, self._block)

    def _block(self, state: WeightsState, n_steps: Int[Array, ""]) -> WeightsState:
        """One block, of which the first n_steps steps count: w_i += (gamma/(p sqrt(d) batch)) sum_s E_i^s x^s."""
        pin = Pin.of(n_steps, self.dtype)
        key = fold((state.keys[0], state.keys[1]), state.step)
        inputs = self.form(key, state.W, state.teacher, self.segment * self.batch, pin)
        scale = jnp.asarray(self.d**-0.5, self.dtype)
        E = backpropagated_errors(
            self.activation,
            student=inputs.student * scale,
            teacher=inputs.teacher * scale,
            noise=jnp.asarray(self.noise_root, self.dtype) * inputs.zeta,
            gram=inputs.gram,
            step_size=jnp.asarray(self.step_size, self.dtype),
            batch=self.batch,
            n_steps=n_steps,
            pin=pin,
        )
        rate = jnp.asarray(self.step_size * self.d**0.5 / self.batch, self.dtype)
        W = inputs.moved(rate * E)
        return WeightsState(W=W, teacher=state.teacher, keys=state.keys, step=state.step + n_steps)


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

    def bind(self, problem: Committee, replicas: int, final: float) -> WeightsKernel:
        """The kernel of a problem, with tiles of a size that fits the cache."""
        steps = block_steps(problem.batch, self.block)
        form = choose_inputs(steps * problem.batch, max(problem.p, problem.k), self.kernel)
        return WeightsKernel.of(problem, self.precision, self._lanes(problem, replicas), steps, form)

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
