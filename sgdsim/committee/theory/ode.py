"""The deterministic limit of one-pass SGD: the ODE of the order parameters, in three kinds."""

import abc
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeGuard

import jax
import numpy as np
from jaxtyping import Float

from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import accuracy_of, rule_of
from sgdsim.committee.scaling import Region
from sgdsim.committee.theory.batch_pulls import BatchPulls
from sgdsim.committee.theory.equal_fluctuations import mode_law
from sgdsim.committee.theory.fluctuations import check_room, check_size, predict_spread
from sgdsim.committee.theory.largest import mean_largest, predict_equal_spread
from sgdsim.committee.theory.noise_curve import NoiseCurve
from sgdsim.committee.theory.overlap_curve import OverlapCurve
from sgdsim.committee.theory.sign_descent import check_sign_descent, is_linear, sign_curve, sign_rule
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.contracts import Curve, Problem, Spread, Start, Theory
from sgdsim.cost import Once
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.fluctuations import check_fluctuations
from sgdsim.rules.fluctuations import predict_spread as predict_rule_spread
from sgdsim.rules.mean_step import MeanStep
from sgdsim.rules.ode import ATOL, RTOL, rule_once, rule_seconds
from sgdsim.rules.sample_points import points_log2
from sgdsim.rules.structured_step import StructuredStep
from sgdsim.tracing import is_traced
from sgdsim.training.optimiser import SignDescent

LEAST_PREDICTED = 8
"""Least number of equal units whose fluctuations are predicted as those of equal units; fewer are taken one by one."""

SOLVED, ROUGH, SAMPLED, ALIKE, COMPILED, LINEARISED = 0.05, 1.75, 0.8, 4.0, 3.0, 5.0
"""Seconds, for a plan: of a solution; where averages are sums over points, for each unit and unit of time (relu, p = 2
and 4); of predicted fluctuations, and those of equal units; of compiling the ODE, and its linearisation."""

SERIES = 2**16
"""Averages that are series or sums take about as long as these points over samples."""
OWN_SHARE = 0.1
"""Of the error of an activation's averages, which the solver need not go below: it would follow their error."""


def _alike(start: Start, problem: Committee) -> TypeGuard[EqualStart]:
    """Whether the fluctuations are those of equal units, on modes."""
    return problem.plain and isinstance(start, EqualStart) and problem.p >= LEAST_PREDICTED


def _descends_by_sign(problem: Committee) -> bool:
    """Whether the ODE is that of signs of gradients."""
    return isinstance(problem.optimiser, SignDescent)


def _constant(value: Any) -> jax.Array:
    """On the device as it is, without a program of its own; one that is traced is there."""
    return value if is_traced(value) else jax.device_put(np.float64(value))


@dataclass(frozen=True)
class OverlapODE(Theory):
    """The ODE of the order parameters, solved in float64 by an adaptive method of order 8 (Dormand & Prince).

    `rtol` and `atol` bound the error of one step in every order parameter, which is O(1) where the excess risk is the
    small difference. With the defaults the risk of a noise-free student is right to 2e-8 relative where it is above
    1e-4, to 1e-6 above 1e-8, to 3e-5 above 1e-10 and to 0.4 % above 1e-12; at 1e-14 only its size is (p = k = 2,
    gamma/p = 1). An activation whose averages are less accurate has tolerances to match, see `Activation.accuracy`.
    `fluctuations` asks for the spread of replicas about it too, predicted along the ODE at the actual d.
    """

    rtol: Annotated[float, RTOL] = 1e-10
    atol: Annotated[float, ATOL] = 1e-13
    fluctuations: Annotated[
        bool, Parameter("", "whether the spread of the replicas is predicted too", in_identity=False)
    ] = False
    takes: ClassVar[type[Problem]] = Committee

    @abc.abstractmethod
    def coefficients(self, problem: Committee) -> tuple[Any, Any]:
        """A and B, the weights of drift and noise in the time of the problem: numbers, traced ones too."""

    def exists(self, problem: Committee) -> bool:
        """Not in the red region, not of classes or a module, and of no optimiser but the plain step and sign descent.

        Of finite data it is the ODE of fresh ones, which one pass follows.
        """
        try:
            self._check_student(problem)
        except ArgumentError:
            return False
        return problem.labels == "real" and problem.region is not Region.RED

    def check(self, problem: Committee) -> None:
        """Raises ArgumentError in the red region, of classes, modules, other optimisers, where no ODE exists."""
        self._check_student(problem)
        if problem.labels == "sign":
            remedy = "Ask for no theory: the averages of sign(y) are not those of a function of fields alone."
            raise ArgumentError("theory", "be none beside labels that are classes", self.name, remedy)
        if not self.exists(problem):
            red = "-1/2" if problem.scaling.mu == 0 else f"{problem.scaling.boundaries[1]:g}"
            theta = "theta = kappa + delta" + " - rho mu" * (problem.scaling.rho * problem.scaling.mu != 0)
            raise ArgumentError(
                "theory",
                f"be none in the red region, where {theta} <= {red} (here {problem.scaling.theta:g})",
                self.name,
                f"There is no ODE: ask for no theory, or raise kappa or delta until theta > {red}.",
            )
        if not problem.plain:
            self._check_rule(problem)
        if self.fluctuations:
            if problem.data is not None:
                remedy = "Predicted fluctuations are those of fresh data: set it to false."
                raise ArgumentError("fluctuations", "be false beside finite data", True, remedy)
            self._check_noise(problem)
            check_room(problem)

    def _check_student(self, problem: Committee) -> None:
        """Raises ArgumentError beside a module, or an optimiser of another step, unless this knows its ODE."""
        if problem.student is not None:
            remedy = 'Ask for no theory, kind = "none".'
            raise ArgumentError("theory", f"be none beside student = {problem.student.name}", self.name, remedy)
        if problem.optimiser is None or problem.optimiser.plain:
            return
        signs, name = _descends_by_sign(problem), problem.optimiser.name
        if not signs or not isinstance(self, ExactODE):
            remedy = 'Take the theory "exact".' if signs else 'Ask for none, or for optimiser = "sgd" plain.'
            must = f"be {'exact or ' * signs}none beside optimiser = {name}"
            raise ArgumentError("theory", must, self.name, remedy)
        check_sign_descent(problem)

    def _check_noise(self, problem: Committee) -> None:
        """Raises ArgumentError where the spread would be that of other labels, whose E zeta^4 is in it, or steps."""
        if _descends_by_sign(problem):
            remedy = "Ask for the theory alone: the noise of a step along signs is not that of SGD."
            raise ArgumentError("fluctuations", "be false beside optimiser = sign", True, remedy)
        if problem.label_noise is not None:
            remedy = "Ask for the theory alone: the mean depends on the noise's variance only."
            raise ArgumentError("fluctuations", "be false beside label_noise", True, remedy)

    def _check_rule(self, problem: Committee) -> None:
        """Raises ArgumentError where the network is not the plain one, and this is not the ODE of any rule."""
        what = ", ".join(problem.extras)
        if not isinstance(self, ExactODE):
            remedy = 'Take the theory "exact", which knows every rule.'
            raise ArgumentError("theory", f"be exact or none beside {what}", self.name, remedy)
        rule = rule_of(problem)
        if problem.input_blocks is not None and (rule.limits or rule.visits > 1):
            remedy = "Ask for no theory, or for inputs of one variance."
            raise ArgumentError("theory", "be none where such inputs are used again or limited", self.name, remedy)
        if self.fluctuations:
            check_fluctuations(rule_of(problem), problem.d)
        if problem.batch > 1 and problem.update is not None and problem.update.limits:
            remedy = 'The length is that of the whole batch: take batch = 1, or the theory "none".'
            raise ArgumentError("batch", "be 1 beside normalised or clip, for an ODE", problem.batch, remedy)

    def check_start(self, problem: Committee, start: Start) -> None:
        """Raises ArgumentError for fluctuations about a curve that is not the same for all replicas, or of many units.

        Equal units, as from `EqualStart`, may be any number.
        """
        if not self.fluctuations:
            return
        if start.per_replica:
            remedy = "Set per_replica = false, or ask for the theory alone."
            raise ArgumentError("fluctuations", "be false where every replica has a start of its own", True, remedy)
        if problem.plain and not _alike(start, problem):
            check_size(problem)

    def spread(self, problem: Committee, start: Start, times: Float[np.ndarray, " times"]) -> Spread | None:
        """Fluctuations at `times` (>= 0, not decreasing), if asked for. **Raises:** ArgumentError; see `check`."""
        if not self.fluctuations:
            return None
        self.check(problem)
        self.check_start(problem, start)
        initial = jax.tree.map(lambda part: part[0], start.draw(problem, np.random.default_rng(0), 1))
        curve = self.bind(problem)
        if isinstance(curve, MeanStep):
            return predict_rule_spread(curve, problem.order_parameters, initial, times)
        flow, theory = self._curves(problem)
        if _alike(start, problem):
            parts = (flow.of_equal_units(), theory.of_equal_units(), start.units(problem))
            return predict_equal_spread(problem, *parts, times)
        return predict_spread(problem, flow, theory, initial, times)

    def predicted_deviation(
        self, problem: Committee, start: EqualStart, times: Float[np.ndarray, " times"]
    ) -> Float[np.ndarray, " times"]:
        """E |Omega - Omega_bar|_inf at `times` (>= 0, not decreasing) from equal units, whatever `fluctuations` is.

        Like `spread(...).deviation`, but without anything of size p^2: p = 10^4 and more take as long as p = 100.

        **Raises:** ArgumentError where problem, start or times do not fit; see `check`.
        """
        self.check(problem)
        self._check_noise(problem)
        check_room(problem)
        start.check(problem)
        flow, theory = self._curves(problem)
        if problem.p >= LEAST_PREDICTED:
            return mean_largest(
                mode_law(problem, flow.of_equal_units(), theory.of_equal_units(), start.units(problem), times)
            )
        check_size(problem)
        initial = jax.tree.map(lambda part: part[0], start.draw(problem, np.random.default_rng(0), 1))
        return predict_spread(problem, flow, theory, initial, times).deviation

    def _curves(self, problem: Committee) -> tuple[OverlapCurve, OverlapCurve]:
        """The ODE at the actual d, about which replicas stray, and this one."""
        flow = ExactODE(self.rtol, self.atol).plain_curve(problem)
        return flow, flow if isinstance(self, ExactODE) else self.plain_curve(problem)

    def cost(self, problem: Committee, start: Start, times: Float[np.ndarray, " times"]) -> float:
        """Nearly nothing where averages are closed; where they are sums over many points, the solver's own steps count.

        Predicted fluctuations are sampled.
        """
        if _descends_by_sign(problem):
            return rule_seconds(sign_rule(problem), float(times[-1]), False, 0 if is_linear(problem) else SERIES)
        if not problem.plain:
            series = SERIES if accuracy_of(problem) else 0
            return rule_seconds(rule_of(problem), float(times[-1]), self.fluctuations, series)
        rough = ROUGH * problem.p * float(times[-1]) if problem.activation.accuracy > 0 else 0.0
        sampled = ALIKE if _alike(start, problem) else SAMPLED
        return rough + SOLVED + sampled * self.fluctuations

    def once(self, problem: Committee, start: Start, times: Float[np.ndarray, " times"]) -> tuple[Once, ...]:
        """The ODE of this p and k, of any p from equal units; and its linearisation for the fluctuations."""
        if _descends_by_sign(problem):
            return rule_once(sign_rule(problem), False)
        if not problem.plain:
            return rule_once(rule_of(problem), self.fluctuations)
        shape = (type(problem.activation), problem.k, _alike(start, problem) or problem.p)
        curve = Once(("ode", shape), compile=COMPILED)
        return (curve, Once(("fluctuations", shape), compile=LINEARISED)) if self.fluctuations else (curve,)

    def unreached(self, problem: Committee, last: float, final: float) -> ArgumentError:
        """The learning rate's fault: without the noise term, of order gamma^2, the risk falls and nothing grows."""
        A, B = self.coefficients(problem)
        if B == 0:
            return super().unreached(problem, last, final)
        remedy = (
            f"From there on the ODE grows without bound, as B = {B:.3g} (noise) is too large for A = {A:.3g} (drift); "
            "or the solver has come to the end of its steps: then let the times end there."
        )
        return ArgumentError("gamma", f"be smaller to reach t = {final:g} from t = {last:g}", problem.gamma, remedy)

    def bind(self, problem: Committee) -> Curve:
        """The curve of this problem, with drift and noise along it where they are asked for."""
        curve = self.plain_curve(problem)
        return curve if problem.noise_draws is None else NoiseCurve(curve, StepCovariance.of(problem))

    def plain_curve(self, problem: Committee) -> OverlapCurve:
        """The curve of a plain network."""
        A, B = self.coefficients(problem)
        least = OWN_SHARE * problem.activation.accuracy
        return OverlapCurve(
            *(_constant(value) for value in (A, B, problem.noise)),
            activation=problem.activation,
            p=problem.p,
            k=problem.k,
            rtol=max(self.rtol, least),
            atol=max(self.atol, 1e-3 * least),
            escape_level=problem.escape_level,
            pulls=self.pulls(problem),
        )

    def pulls(self, problem: Committee) -> BatchPulls | None:
        """What the samples of a batch do together, where this ODE knows of steps."""
        return None


@dataclass(frozen=True)
class ExactODE(OverlapODE):
    """The ODE with both terms at the actual d, gamma and p, as in the theorem of Veiga et al. (2022).

        A = (gamma/p) / (d dt),    B = (gamma/p)^2 / (batch d dt)

    A step adds (gamma/p)^2/d times (1/batch^2) sum_ss' E_i^s E_j^s' x^s.x^s'/d to Q_ij. The `batch` equal pairs give
    E[E_i E_j] + O(1/d) each. Two different samples give v_i.v_j/d, where v_i = E[E_i x] has length O(1): together a
    part batch/d of the noise term, and A dt of the drift. So a batch, be it fixed or b0 d^mu, divides B and leaves A;
    where it has more than one sample the terms of order dt that remain at any batch are taken in, see `BatchPulls`.
    """

    name: ClassVar[str] = "exact"

    def bind(self, problem: Committee) -> Curve:
        """The curve of this problem: of the plain network, of sign descent or, see `rules.mean_step`, of any rule."""
        if _descends_by_sign(problem):
            return sign_curve(problem, self.rtol, self.atol)
        if problem.plain:
            return super().bind(problem)
        least = OWN_SHARE * accuracy_of(problem)
        tolerances = (max(self.rtol, least), max(self.atol, 1e-3 * least))
        rule = rule_of(problem)
        blocks, numbers = problem.input_blocks, (problem.d, problem.dt, problem.batch)
        mean = MeanStep.of(rule, *numbers, *tolerances, points_log2(rule), sloped=blocks is not None)
        return mean if blocks is None else StructuredStep(mean, blocks)

    def coefficients(self, problem: Committee) -> tuple[Any, Any]:
        """A and B at the problem's own d."""
        rate = problem.gamma / problem.p
        scale = 1.0 / (problem.d * problem.dt)
        return rate * scale, rate**2 * scale / problem.batch

    def pulls(self, problem: Committee) -> BatchPulls | None:
        """Those of the problem's own batch, where its steps are small enough for them to be corrections."""
        return BatchPulls.of(problem) if problem.batch > 1 and problem.has_small_steps else None


@dataclass(frozen=True)
class LimitODE(OverlapODE):
    """The leading ODE of the region as d -> infinity, with r = gamma0 b0^rho/p0 for gamma/p (Veiga et al. 2022).

    green   A = r, B = 0           drift only
    blue    A = r, B = r^2 / b0    both (Saad & Solla)
    orange  A = 0, B = r^2 / b0    noise only, M frozen

    b0 is the batch itself where it does not grow with d (mu = 0). Where it does, what is left of batch = b0 d^mu: the
    regions and the time are those of `Scaling`, in which theta = 0 is green at any mu > 0, as the noise of a step falls
    behind the drift like d^-mu.
    """

    name: ClassVar[str] = "limit"

    def coefficients(self, problem: Committee) -> tuple[Any, Any]:
        """A and B of the region; one of them is 0 off the blue line."""
        scaling = problem.scaling
        batch = scaling.b0 if scaling.mu else problem.batch  # at mu = 0, b0 = 1.4 is a batch of 1
        rate = scaling.gamma0 * batch**scaling.rho / scaling.p0
        A = 0.0 if problem.region is Region.ORANGE else rate
        B = 0.0 if problem.region is Region.GREEN else rate**2 / batch
        return A, B


@dataclass(frozen=True)
class GradientFlow(OverlapODE):
    """Gradient flow on the population risk: gamma -> 0 at fixed gamma nu, where the noise term vanishes.

        A = (gamma/p) / (d dt),    B = 0

    with the actual d, gamma and p, so that its time is that of the problem. The risk never increases along it, label
    noise has no influence, and `ExactODE` tends to it linearly in gamma. In green it is `LimitODE`.
    """

    name: ClassVar[str] = "gradient_flow"

    def coefficients(self, problem: Committee) -> tuple[Any, Any]:
        """A at the problem's own d, and no noise."""
        return problem.gamma / problem.p / (problem.d * problem.dt), 0.0
