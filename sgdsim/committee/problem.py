"""The teacher-student problem: one-pass SGD of a two-layer network with p hidden units, taught by one with k."""

import math
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx

from sgdsim.checks import Integer, Real, as_declared, check_fields, lenient
from sgdsim.committee.averages.activations import Activation, Erf, check_activation
from sgdsim.committee.cautions import cautions
from sgdsim.committee.extras import check_extras, extras
from sgdsim.committee.mixture import Mixture
from sgdsim.committee.realised import chosen_dimension, scaled_batch, scaled_second
from sgdsim.committee.scaling import MAX_PREFACTOR, Region, Scaling
from sgdsim.committee.second_layer import SecondLayer
from sgdsim.committee.spectrum import GaussianInputs, PowerSpectrum
from sgdsim.committee.stability import LARGEST_STEP, largest_ratio
from sgdsim.committee.target import Target
from sgdsim.committee.theory.search import recovery_rate
from sgdsim.committee.update import Update
from sgdsim.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, given
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.problem import MAX_BATCH, MAX_DIMENSION
from sgdsim.rules.schedule import Constant, Schedule, as_schedule
from sgdsim.training.data import FiniteData
from sgdsim.training.inputs import InputLaw, LabelLaw, NormalInputs
from sgdsim.training.module import ModuleStudent, skeleton_of
from sgdsim.training.optimiser import as_optimiser

LabelKind = Literal["real", "sign"]
MAX_WIDTH = 100_000
"""The largest in experiment files."""


@lenient
class Committee(Problem):
    """One-pass SGD in a teacher-student problem (Saad & Solla 1995; Veiga et al. 2022, section 2).

    With x ~ N(0, I_d), zeta ~ N(0, 1), local fields lambda*_r = w*_r.x/sqrt(d) and lambda_i = w_i.x/sqrt(d):

        y = (1/k) sum_r sigma(lambda*_r) + sqrt(noise) zeta,    f = (1/p) sum_i sigma(lambda_i),    e = y - f
        w_i <- w_i + (gamma/(p sqrt(d))) (1/batch) sum_s sigma'(lambda_i^s) e^s x^s

    With a `second` layer f = (1/p) sum_i a_i sigma(lambda_i), see `SecondLayer`; `teacher_activation` is that of the
    teacher where it is another. A `target` takes the place of the teacher's mean, see `Target`, and an `update` that of
    the plain step, see `Update`. A `schedule` s(t), or any function of t, multiplies gamma and gamma_a, which may have
    one of its own, `schedule_a`. `inputs` have another covariance than I, see `Spectrum`, clusters, see `Mixture`, or
    any law of mean 0 with E|x|^2 = d, see `InputLaw`. `label_noise` is another law of zeta, of variance 1, and with
    `labels` = "sign" the label is the class sign(y), learned by the same squared loss. `escape_level` asks for the
    observables of `specialisation`, `noise_draws` for those of `effective_noise`. `scaling` says how p, gamma and batch
    grow with d. Without it they do not (kappa = delta = mu = 0), and dt = 1/d.

    Of finite `data`, see `FiniteData`, batches are drawn, and an `optimiser`, see `Optimiser`, takes the place of the
    plain step. A `student` is any equinox module in place of the network, see `ModuleStudent`: theta <- theta - gamma
    grad R for all its parameters, `p` is the width that its function is given, and `activation` the teacher's. All
    three, as inputs of a law and classes, are for the simulator `weights` alone.

    **Raises:** ArgumentError where a value is out of range.
    """

    system: ClassVar[str] = "committee"
    _: KW_ONLY
    d: Annotated[int, Parameter("d", "input dimension", least=2, limit=MAX_DIMENSION, example=1000)]
    p: Annotated[int, Parameter("p", "width of the student", least=1, limit=MAX_WIDTH)] = eqx.field(static=True)
    k: Annotated[int, Parameter("k", "width of the teacher", least=1, limit=MAX_WIDTH, example=4)] = eqx.field(
        static=True
    )
    gamma: Annotated[float, Parameter(r"\gamma", "learning rate", above=0, limit=MAX_PREFACTOR)]
    noise: Annotated[float, Parameter(r"\Delta", "variance of the label noise", least=0)] = 0.0
    batch: Annotated[int, Parameter("", "fresh samples per step", least=1, limit=MAX_BATCH)] = eqx.field(
        static=True, default=1
    )
    activation: Activation = Erf()
    teacher_activation: Activation | None = None
    second: SecondLayer | None = eqx.field(static=True, default=None)
    target: Target | None = None
    update: Update | None = eqx.field(static=True, default=None)
    schedule: Any = None
    schedule_a: Any = None
    escape_level: Annotated[
        float | None,
        Parameter("", "specialisation from which on a replica counts as escaped; observes both", above=0, below=1),
    ] = eqx.field(static=True, default=None)
    noise_draws: Annotated[
        int | None,
        Parameter("", "fresh batches at every save time by which drift and noise of a step are measured", least=2),
    ] = eqx.field(static=True, default=None)
    data: FiniteData | None = eqx.field(static=True, default=None)
    optimiser: Any = None
    student: ModuleStudent | None = eqx.field(static=True, default=None)
    inputs: GaussianInputs | InputLaw | None = None
    label_noise: LabelLaw | None = None
    labels: Annotated[LabelKind, Parameter("", "labels y, or the classes sign(y)", in_results=False)] = eqx.field(
        static=True, default="real"
    )
    scaling: Scaling = eqx.field(default=None)

    def __post_init__(self) -> None:
        check_fields(self)
        check_activation(self.activation)
        self.schedule = None if self.schedule is None else as_schedule(self.schedule)
        self.schedule_a = None if self.schedule_a is None else as_schedule(self.schedule_a)
        self.optimiser = None if self.optimiser is None else as_optimiser(self.optimiser)
        check_extras(self)
        if not isinstance(self.scaling, Scaling | None):
            remedy = "Write Scaling(...), or Committee.from_scaling(...) for p and gamma that follow from it."
            raise ArgumentError("scaling", "be a Scaling", self.scaling, remedy)
        if self.scaling is None:
            self.scaling = Scaling(0.0, 0.0, p0=float(self.p), gamma0=self.gamma, b0=float(self.batch))

    @classmethod
    def from_scaling(
        cls,
        *,
        k: Integer,
        d: Integer | None = None,
        steps_per_time: Real | None = None,
        kappa: Real = 0.0,
        delta: Real = 0.0,
        p0: Real = 1.0,
        gamma0: Real | None = None,
        noise: Real = 0.0,
        activation: Activation | None = None,
        teacher_activation: Activation | None = None,
        second: SecondLayer | None = None,
        gamma_a0: Real | None = None,
        target: Target | None = None,
        update: Update | None = None,
        schedule: Any = None,
        schedule_a: Any = None,
        escape_level: Real | None = None,
        noise_draws: Integer | None = None,
        data: FiniteData | None = None,
        optimiser: Any = None,
        student: ModuleStudent | None = None,
        inputs: GaussianInputs | InputLaw | None = None,
        label_noise: LabelLaw | None = None,
        labels: LabelKind = "real",
        batch: Integer | None = None,
        b0: Real | None = None,
        mu: Real | None = None,
        rho: Real = 0.0,
    ) -> "Committee":
        """The problem at dimension d of the scaling p = round(p0 d^kappa), gamma = gamma0 d^-delta batch^rho.

        `steps_per_time` may stand in place of d: the dimension is then that at which 1/dt comes closest to it (see
        `Scaling.dimension`), so that cells of different regions take equally many steps. gamma0 defaults to p0, the
        choice of Veiga et al. The batch is fixed (1 if it is left out), or round(b0 d^mu),
        where b0 defaults to 1 and mu to 0. `gamma_a0` is the prefactor of the second layer's rate, gamma_a = gamma_a0
        d^-delta batch^rho, so that gamma_a/gamma is the same at every d; the rest of that layer is `second`. The
        exponents that p and batch realise are in `parameters()`.
        """
        laws: dict[str, Any] = {"kappa": kappa, "delta": delta, "mu": 0.0 if mu is None else mu, "rho": rho}
        laws |= {"p0": p0, "gamma0": p0 if gamma0 is None else gamma0, "b0": 1.0 if b0 is None else b0}
        scaling = Scaling(**laws)
        given_d = None if d is None else as_declared(cls, "d", d)
        d = chosen_dimension(given_d, steps_per_time, scaling)
        p = round(scaling.p0 * float(d) ** scaling.kappa)
        if p < 1:
            raise ArgumentError("p0", "give a student of at least one unit, p = round(p0 d^kappa) >= 1", p0)
        if b0 is None and mu is None:
            realised = as_declared(cls, "batch", 1 if batch is None else batch)
            scaling = replace(scaling, b0=float(realised))
        else:
            realised = scaled_batch(d, batch, scaling)
        gamma = scaling.gamma0 * float(d) ** -scaling.delta * float(realised) ** scaling.rho
        parts: dict[str, Any] = {"k": k, "noise": noise, "activation": Erf() if activation is None else activation}
        second = scaled_second(second, gamma_a0, gamma / scaling.gamma0)
        parts |= {"teacher_activation": teacher_activation, "second": second, "target": target, "update": update}
        parts |= {"data": data, "optimiser": optimiser, "student": student}
        parts |= {"label_noise": label_noise, "labels": labels}
        parts |= {"inputs": inputs, "schedule": schedule, "schedule_a": schedule_a, "escape_level": escape_level}
        parts["noise_draws"] = noise_draws
        return cls(d=d, p=p, gamma=gamma, batch=realised, scaling=scaling, **parts)

    @property
    def schedules(self) -> tuple[Schedule, Schedule] | None:
        """Those of both layers; None where both rates are constant."""
        first = self.schedule or Constant()
        both = (first, self.schedule_a or first)
        return None if all(one.plain for one in both) else both

    @property
    def order_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """M and Q, of a mixture B, and the second layer where it is trained; of a module without them the risk."""
        if self.student is not None and skeleton_of(self.student, self.d, self.p).rows is None:
            return ("excess_risk",)
        trained = self.second is not None and self.second.gamma_a > 0
        return ("M", "Q", *("B",) * isinstance(self.inputs, Mixture), *("a",) * trained)

    @property
    def extras(self) -> tuple[str, ...]:
        """What the network has beyond the plain one, by the name of its argument or key."""
        return extras(self)

    @property
    def input_blocks(self) -> InputBlocks | None:
        """Blocks of the inputs' variances; None of x ~ N(0, I_d), and of other laws."""
        return self.inputs.blocks_at(self.d) if isinstance(self.inputs, GaussianInputs) else None

    @property
    def law(self) -> InputLaw | None:
        """The law of the inputs where overlaps do not say what the risk is: of any `InputLaw`, and of classes."""
        if isinstance(self.inputs, InputLaw):
            return self.inputs
        return NormalInputs() if self.labels == "sign" else None

    @property
    def plain(self) -> bool:
        """Whether the network is the plain one: means of the same units, a fixed second layer of ones."""
        return not self.extras

    @property
    def dt(self) -> float:
        """Time of one step; see `Scaling`."""
        return self.scaling.time_step(self.d)

    @property
    def samples_per_step(self) -> float:
        """The batch: every sample is fresh and used once or, of finite data, used again and counted again."""
        return float(self.batch)

    @property
    def region(self) -> Region:
        """Region of the phase diagram."""
        return self.scaling.region

    @property
    def n(self) -> int | None:
        """Data of every replica; None where they are fresh."""
        return None if self.data is None else self.data.count(self.d)

    @property
    def trains(self) -> bool:
        """Whether there are finite data, an optimiser or a module, so that only full weights can be simulated."""
        return self.trained_by is not None

    @property
    def trained_by(self) -> str | None:
        """The name of what asks for full weights."""
        return next((name for name in ("student", "data", "optimiser") if getattr(self, name) is not None), None)

    @property
    def step_size(self) -> Any:
        """c = gamma/(p d): the size of one step's change of M."""
        return self.gamma / (self.p * self.d)

    @property
    def effective_gamma(self) -> float:
        """gamma/(1 - mu): that of plain SGD which to leading order in 1/d does the same without momentum mu."""
        return self.gamma if self.update is None else self.gamma / self.update.gap(self.d)

    @property
    def has_small_steps(self) -> bool:
        """Whether A dt = gamma/(p d) is so small that terms of order dt correct the ODE."""
        return self.step_size <= LARGEST_STEP

    def scale(self, steps: int) -> float:
        """What Q gains in so many steps where nothing holds it back: (gamma a/p)^2 (a^2 + noise)/d in each.

        With a the largest of either second layer, 1 without, and of a mixture the largest label and variance. In the
        red region Q grows without end, but no faster.
        """
        rate, square = self.gamma / self.p, self._largest_square
        label, variance = self.inputs.largest if isinstance(self.inputs, Mixture) else (square, 1.0)
        return rate * rate * square * variance * (max(square, label) + self.noise) / self.d * steps

    @property
    def _largest_square(self) -> float:
        if self.second is None:
            return 1.0
        return float(max((self.second.student(self.p) ** 2).max(), (self.second.teacher(self.k) ** 2).max()))

    @property
    def mean_square(self) -> float:
        """The mean of a^2: gamma/p times it is the share of an error that one sample takes away, up to sigma'^2."""
        return 1.0 if self.second is None else float((self.second.student(self.p) ** 2).mean())

    @property
    def stable_gamma(self) -> float:
        """gamma up to which a unit that has nearly learned the teacher goes on to: p r/(1/d + 1/batch).

        r is `largest_ratio`, the bound on gamma/(p batch); the 1/d is what drift adds to the noise of a step. Exact for
        linear units, a rule for others. A second layer divides it by the mean of its squares.
        """
        plain = self.p * largest_ratio(self.activation) / (1 / self.d + 1 / self.batch)
        return plain / self.mean_square if self.mean_square else math.inf

    def digests(self) -> dict[str, str]:
        """Of the data that inputs are rows of."""
        return self.inputs.digests() if isinstance(self.inputs, InputLaw) else {}

    def code_modules(self) -> tuple[str, ...]:
        """Those of a module that is the student: of its function, and of the classes that it is made of."""
        if self.student is None:
            return ()
        return (*self.student.modules, *skeleton_of(self.student, self.d, self.p).modules)

    def cautions(self) -> list[str]:
        """What should be known of the step size; see `cautions`."""
        return cautions(self)

    def parameters(self) -> dict[str, Scalar]:
        """Constants, realised exponents and time scale, by name.

        `kappa_realised` is log(p/p0)/log(d): the exponent of the rounded p; `mu_realised` that of the batch. `log_p` is
        the theorem's factor beside sqrt(dt), `memory` = 1/(1 - mu) the steps for which a velocity lasts, and
        `inverse_step` = p d/gamma, beside data or an optimiser, the steps in a unit of time of the gradient flow.
        `gamma_squared` stands beside a second layer, for laws of two terms, and `recovery_rate`, see `search`, where a
        unit looks for one direction.
        """
        scaling = self.scaling
        # theta stands beside the exponents that it is the sum of.
        exponents = {"kappa": scaling.kappa, "delta": scaling.delta, "theta": scaling.theta}
        found = recovery_rate(self)
        return {
            **({} if self.student is None else self.student.told),
            **given(self),
            "activation": self.activation.name,
            **({} if self.teacher_activation is None else {"teacher_activation": self.teacher_activation.name}),
            **({} if self.target is None else {"target": self.target.name}),
            **({} if self.second is None else self.second.parameters | {"gamma_squared": self.gamma**2}),
            **({} if self.update is None else given(self.update) | {"memory": 1 / self.update.gap(self.d)}),
            **({} if self.schedule is None else {"schedule": self.schedule.name} | given(self.schedule)),
            **({} if self.data is None else given(self.data) | {"n": self.data.count(self.d)}),
            **({"inverse_step": 1 / self.step_size} if self.trains else {}),
            **({} if self.optimiser is None else {"optimiser": self.optimiser.name} | given(self.optimiser)),
            **(given(self.inputs) if isinstance(self.inputs, PowerSpectrum | Mixture) else {}),
            **({"inputs": self.inputs.name} | given(self.inputs) if isinstance(self.inputs, InputLaw) else {}),
            **({} if self.label_noise is None else {"label_noise": self.label_noise.name} | given(self.label_noise)),
            **({} if self.labels == "real" else {"labels": self.labels}),
            **exponents,
            **given(scaling),
            "mu_realised": math.log(self.batch / scaling.b0) / math.log(self.d),
            "kappa_realised": math.log(self.p / scaling.p0) / math.log(self.d),
            "log_p": math.log(self.p),
            **({} if found is None else {"recovery_rate": found}),
            "dt": self.dt,
            "region": str(self.region),
        }
