"""The mean step of sign descent, every weight moved by the sign of its gradient: an ODE for any activation.

Of one sample the gradient of unit i is along x, so that the step is w_i <- w_i + (gamma/(p sqrt(d))) S_i sign(x) with

    S_i = s_i sign(e),    s_i = sign(a_i sigma'(lambda_i)),    e = y - f

In components without a mark sign(x) is sqrt(2/pi) x, and a rest which knows nothing of any field. So in a step, with
c = gamma/(p d) and up to O(1/d) of each part,

    dM_ir = c sqrt(2/pi) E[S_i lambda*_r]
    dQ_ij = c sqrt(2/pi) (E[S_i lambda_j] + E[S_j lambda_i]) + c^2 d E[s_i s_j]

Units that rise have s_i = sign(a_i): those with a of one sign all move by the same vector, and stay as far apart as
they are. Of linear units and Gaussian noise, with C the covariance of the fields,

    E[sign(e) l_b] = sqrt(2/pi) Cov(e, l_b)/sd(e)

which for p = k = 1 is the theory of Xiao et al. (2024): the drift of SGD divided by sd(e), at 2/pi of the rate, and a
noise that does not fall with the risk. Given the errors e^s of a batch of n such samples, a component of its gradient
is normal with the variance |e|^2, so that E|chi_n| takes the place of E|chi_1|, the second sqrt(2/pi) of the drift.
"""

import math
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Linear
from sgdsim.committee.labels import Labels
from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import network_of, observing_rule
from sgdsim.committee.target import UnitMean, target_values
from sgdsim.contracts import Observables
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.errors import ArgumentError
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.mean_step import POINTS_ATOL, POINTS_RTOL, MeanStep, covariance
from sgdsim.rules.rule import KickMoments, Move, Rule, Sample
from sgdsim.rules.sample_points import LIMITED_LOG2
from sgdsim.rules.schedule import Timed
from sgdsim.rules.wrapped import Decay, Wrapped
from sgdsim.training.inputs import NormalInputs, NormalNoise
from sgdsim.training.optimiser import SignDescent

HALF_NORMAL = math.sqrt(2 / math.pi)
"""E|x_c| of a normal."""


class SignStep(Wrapped):
    """The moments of a step along sign(x), in place of those of the network's own along x.

    Of a step they are all there is: it is no kick along x, so that neither chain nor fluctuations can be made of it.

    The inner rule is the network's, and `observed` says what simulations observe of it.

    - `points`: normals that make the fields, where averages are sums; None of linear units, whose are closed.
    - `length`: E|chi_batch|, sqrt(2/pi) of one sample.
    """

    observed: Rule
    points: Float[Array, "points fields"] | None
    length: float = eqx.field(static=True)

    @property
    def network(self) -> NetworkRule:
        """Activation, target and noise."""
        assert isinstance(self.inner, NetworkRule)
        return self.inner

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """What is observed of the problem, whatever its update."""
        return self.observed.observe(P, M, Q, numbers)

    def step(self, at: Sample) -> Move:
        """**Raises:** NotImplementedError: see the class."""
        raise NotImplementedError("A step along sign(x) is no kick along x: it has moments only.")

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments:
        """sqrt(2/pi) E[S_i l_b] for kicks with fields, and E[s_i s_j] for their squares."""
        C, k = covariance(P, M, Q), P.shape[0]
        signs = jnp.sign(jnp.asarray(self.network.outputs))
        if self.points is None:
            fields, squares = jnp.broadcast_to(self._linear(C), (len(Q), len(C))), jnp.ones_like(Q)
        else:
            fields, squares = self._averaged(self.points, C, k)
        fields = signs[:, None] * fields
        return KickMoments(fields[:, :k], fields[:, k:], signs[:, None] * squares * signs[None, :], numbers)

    def _linear(self, C: Float[Array, "n n"]) -> Float[Array, " n"]:
        """sqrt(2/pi) E|chi| Cov(e, l_b)/sd(e), of all fields b; 0 where there is no error."""
        network = self.network
        assert isinstance(network.target, UnitMean)
        teacher = jnp.asarray(network.target.outputs) / network.k
        s = jnp.concatenate([teacher, -jnp.asarray(network.outputs) / network.p])
        variance = s @ C @ s + network.noise_root**2
        inverse = jnp.where(variance > 0, jnp.where(variance > 0, variance, 1) ** -0.5, 0)
        return HALF_NORMAL * self.length * inverse * (C @ s)

    def _averaged(
        self, z: Float[Array, "points fields"], C: Float[Array, "n n"], k: int
    ) -> tuple[Float[Array, "p n"], Float[Array, "p p"]]:
        """sqrt(2/pi) E[sign(sigma'_i) sign(e) l_b] and E[sign(sigma'_i) sign(sigma'_j)] over points.

        The label's noise is averaged over in closed form, which smooths the jump of sign(e).
        """
        network = self.network
        fields = z @ batched_root(C[None])[0].T
        fixed, moving = fields[:, :k], fields[:, k:]
        f = network.activation.value(moving) @ jnp.asarray(network.outputs) / network.p
        clean = target_values(network.target, fixed) - f
        error = Labels(network.made.law, classes=True).mean(clean, network.noise_root)
        slopes = jnp.sign(network.activation.derivative(moving))
        return HALF_NORMAL * (slopes * error[:, None]).T @ fields / len(z), slopes.T @ slopes / len(z)


def is_linear(problem: Committee) -> bool:
    """Whether the error is Gaussian: of linear units that learn from linear ones, with Gaussian label noise."""
    target = network_of(problem).target
    units = isinstance(target, UnitMean) and isinstance(target.activation, Linear)
    noise = isinstance(problem.label_noise, NormalNoise | None)
    return units and noise and isinstance(problem.activation, Linear)


def check_sign_descent(problem: Committee) -> None:
    """**Raises:** ArgumentError where the mean step does not close in the overlaps."""
    if problem.law is not None and not isinstance(problem.law, NormalInputs):
        remedy = "Leave them out, or ask for no theory: of other inputs sign(x) is another part of x."
        raise ArgumentError("inputs", "be Gaussian beside optimiser = sign, for an ODE", problem.law.name, remedy)
    if problem.second is not None and problem.second.gamma_a > 0:
        remedy = "Leave the second layer as it is, or ask for no theory."
        raise ArgumentError("gamma_a", "be 0 beside optimiser = sign, for an ODE", problem.second.gamma_a, remedy)
    if problem.batch > 1 and not is_linear(problem):
        remedy = "The sign is that of a sum over the batch: take batch = 1, linear units, or no theory."
        raise ArgumentError("batch", "be 1 beside optimiser = sign, for an ODE", problem.batch, remedy)
    if problem.noise_draws is not None:
        remedy = "Drift and noise of a step are measured of SGD."
        raise ArgumentError("noise_draws", "be left out beside optimiser = sign", problem.noise_draws, remedy)


def sign_rule(problem: Committee) -> Rule:
    """What a step does in the mean, with decay and schedule; limited lengths have the same signs."""
    network, optimiser, n = network_of(problem), problem.optimiser, problem.batch
    assert isinstance(optimiser, SignDescent)
    closed = is_linear(problem)
    points = None if closed else jnp.asarray(sobol_normals(network.k + network.p, LIMITED_LOG2))
    length = math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))
    rule: Rule = SignStep(network, observing_rule(problem), points, length)
    if optimiser.decays:
        rule = Decay(rule, optimiser.decay * network.rate)
    return rule if problem.schedules is None else Timed(rule, *problem.schedules)


def sign_curve(problem: Committee, rtol: float, atol: float) -> MeanStep:
    """The ODE of a problem whose optimiser is `SignDescent`, of a whole batch at once."""
    if not is_linear(problem):
        rtol, atol = max(rtol, POINTS_RTOL), max(atol, POINTS_ATOL)
    return MeanStep.of(sign_rule(problem), problem.d, problem.dt, 1, rtol, atol, LIMITED_LOG2)


def floor_slope(quantity: str, against: str, problems: Sequence[Committee]) -> float | None:
    """Slope of log(excess_risk) against log(gamma) once it has settled, of linear units; None of all else.

    Linear units move along one vector, so that their mean is one unit of linear regression, whose r = |w* - w|^2/d ends
    at (c^2 + sqrt(c^4 + 4 c^2 noise))/2, c ~ gamma: 2 without label noise, and with it 1 to leading order in gamma.
    """
    alike = {(one.d, one.p, one.k, one.batch, one.noise, one.second, one.optimiser) for one in problems}
    if (quantity, against) != ("excess_risk", "gamma") or len(alike) > 1 or not all(map(_settles, problems)):
        return None
    return 1.0 if problems[0].noise > 0 else 2.0


def _settles(problem: Committee) -> bool:
    """Whether signs of linear units take the risk to a floor that they alone make."""
    optimiser = problem.optimiser
    signs = isinstance(optimiser, SignDescent) and not optimiser.decays and problem.data is None
    fixed = problem.second is None or problem.second.gamma_a == 0
    return signs and fixed and problem.schedules is None and is_linear(problem)
