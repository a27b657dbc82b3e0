"""The teacher-student problem: one-pass SGD of a two-layer network with p hidden units, taught by one with k."""

import math
from dataclasses import KW_ONLY, replace
from typing import Annotated, Any, ClassVar

import equinox as eqx

from sgdsim.checks import Integer, Real, as_declared, check_fields, lenient, real
from sgdsim.committee.activations import Activation, Erf, check_activation
from sgdsim.committee.scaling import MAX_PREFACTOR, Region, Scaling
from sgdsim.committee.second_layer import GAMMA_A0, SecondLayer
from sgdsim.committee.specialisation import MOST_ASSIGNMENTS, assignments
from sgdsim.committee.spectrum import PowerSpectrum, Spectrum
from sgdsim.committee.stability import LARGE, LARGEST_STEP, largest_ratio
from sgdsim.committee.target import Target
from sgdsim.committee.update import Update
from sgdsim.contracts import Problem, Scalar
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, given
from sgdsim.rules.inputs import InputBlocks
from sgdsim.rules.schedule import Constant, Schedule, as_schedule

MAX_DIMENSION = 10**15
"""The largest input dimension: below 2^53, so that it is a number of every precision that counts it."""
MAX_WIDTH, MAX_BATCH = 100_000, 10**6
"""The largest in experiment files."""
STEPS_PER_TIME = Parameter("", "steps of a unit of time, in place of d", above=0)


@lenient
class Committee(Problem):
    """One-pass SGD in a teacher-student problem (Saad & Solla 1995; Veiga et al. 2022, section 2).

    With x ~ N(0, I_d), zeta ~ N(0, 1), local fields lambda*_r = w*_r.x/sqrt(d) and lambda_i = w_i.x/sqrt(d):

        y = (1/k) sum_r sigma(lambda*_r) + sqrt(noise) zeta,    f = (1/p) sum_i sigma(lambda_i),    e = y - f
        w_i <- w_i + (gamma/(p sqrt(d))) (1/batch) sum_s sigma'(lambda_i^s) e^s x^s

    With a `second` layer f = (1/p) sum_i a_i sigma(lambda_i), see `SecondLayer`; `teacher_activation` is that of the
    teacher where it is another. A `target` takes the place of the teacher's mean, see `Target`, and an `update` that of
    the plain step, see `Update`. A `schedule` s(t), or any function of t, multiplies gamma and gamma_a, which may have
    one of its own, `schedule_a`. `inputs` have another covariance than I, see `Spectrum`. `escape_level` asks for the
    observables of `specialisation`. `scaling` says how p, gamma and batch grow with d. Without it they do not
    (kappa = delta = mu = 0), and dt = 1/d.

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
    inputs: Spectrum | None = None
    scaling: Scaling = eqx.field(default=None)

    def __post_init__(self) -> None:
        check_fields(self)
        check_activation(self.activation)
        self._check_extras()
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
        inputs: Spectrum | None = None,
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
        d = _choose_dimension(d, steps_per_time, scaling)
        p = round(scaling.p0 * float(d) ** scaling.kappa)
        if p < 1:
            raise ArgumentError("p0", "give a student of at least one unit, p = round(p0 d^kappa) >= 1", p0)
        if b0 is None and mu is None:
            realised = as_declared(cls, "batch", 1 if batch is None else batch)
            scaling = replace(scaling, b0=float(realised))
        else:
            realised = _scaled_batch(d, batch, scaling)
        gamma = scaling.gamma0 * float(d) ** -scaling.delta * float(realised) ** scaling.rho
        parts: dict[str, Any] = {"k": k, "noise": noise, "activation": Erf() if activation is None else activation}
        second = _scaled_second(second, gamma_a0, gamma / scaling.gamma0)
        parts |= {"teacher_activation": teacher_activation, "second": second, "target": target, "update": update}
        parts |= {"inputs": inputs, "schedule": schedule, "schedule_a": schedule_a, "escape_level": escape_level}
        return cls(d=d, p=p, gamma=gamma, batch=realised, scaling=scaling, **parts)

    def _check_extras(self) -> None:
        if not isinstance(self.second, SecondLayer | None):
            raise ArgumentError("second", "be a SecondLayer", self.second, "Write SecondLayer(gamma_a=...).")
        if not isinstance(self.target, Target | None):
            raise ArgumentError("target", "be a Target of sgdsim.committee", self.target)
        if self.target is not None:
            self.target.check(self.k)
        if not isinstance(self.update, Update | None):
            raise ArgumentError("update", "be an Update", self.update, "Write Update(momentum=0.9).")
        if self.update is not None:
            self.update.gap(self.d)
        if not isinstance(self.inputs, Spectrum | None):
            remedy = "Write PowerSpectrum(spectrum=0.5, blocks=8) or Blocks(sizes, variances)."
            raise ArgumentError("inputs", "be a Spectrum", self.inputs, remedy)
        if self.inputs is not None:
            self.inputs.blocks_at(self.d)
        if self.second is not None:
            self.second.student(self.p)
            self.second.teacher(self.k)
        self._check_schedules()
        if self.escape_level is not None and assignments(self.p, self.k) > MOST_ASSIGNMENTS:
            must = f"be left out where units can be assigned to teachers in more than {MOST_ASSIGNMENTS} ways"
            raise ArgumentError("escape_level", must, self.escape_level, "It is for narrow networks, e.g. p = k = 7.")
        if self.teacher_activation is not None:
            check_activation(self.teacher_activation, "teacher_activation")
            if self.target is not None:
                remedy = "A target has activations of its own."
                raise ArgumentError(
                    "teacher_activation", "not be given beside a target", self.teacher_activation, remedy
                )

    def _check_schedules(self) -> None:
        for name in ("schedule", "schedule_a"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, as_schedule(getattr(self, name)))
        if self.schedule_a is not None and (self.second is None or not self.second.gamma_a):
            remedy = "Train it, with gamma_a > 0, or give `schedule` alone."
            raise ArgumentError(
                "schedule_a", "be left out where the second layer is not trained", self.schedule_a, remedy
            )

    @property
    def schedules(self) -> tuple[Schedule, Schedule] | None:
        """Those of both layers; None where both rates are constant."""
        first = self.schedule or Constant()
        both = (first, self.schedule_a or first)
        return None if all(one.plain for one in both) else both

    @property
    def order_parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """M and Q, and the second layer where it is trained."""
        trained = self.second is not None and self.second.gamma_a > 0
        return ("M", "Q", "a") if trained else ("M", "Q")

    @property
    def extras(self) -> tuple[str, ...]:
        """What the network has beyond the plain one, by the name of its argument or key."""
        layer = () if self.second is None else self.second.extras(self.p, self.k)
        other = ("teacher_activation",) * (self.teacher_activation not in (None, self.activation))
        own = {"target": self.target, "update": self.update, "schedule": self.schedules, "inputs": self.inputs}
        named = (name for name, part in own.items() if part is not None and not getattr(part, "plain", False))
        return (*layer, *other, *named)

    @property
    def input_blocks(self) -> InputBlocks | None:
        """Blocks of the inputs' variances; None of x ~ N(0, I_d)."""
        return None if self.inputs is None else self.inputs.blocks_at(self.d)

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
        """The batch: every sample is fresh and used once."""
        return float(self.batch)

    @property
    def region(self) -> Region:
        """Region of the phase diagram."""
        return self.scaling.region

    @property
    def step_size(self) -> float:
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

        With a the largest of either second layer, 1 without. In the red region Q grows without end, but no faster.
        """
        rate, square = self.gamma / self.p, self._largest_square
        return rate * rate * square * (square + self.noise) / self.d * steps

    @property
    def _largest_square(self) -> float:
        if self.second is None:
            return 1.0
        return float(max((self.second.student(self.p) ** 2).max(), (self.second.teacher(self.k) ** 2).max()))

    @property
    def _mean_square(self) -> float:
        """The mean of a^2: gamma/p times it is the share of an error that one sample takes away, up to sigma'^2."""
        return 1.0 if self.second is None else float((self.second.student(self.p) ** 2).mean())

    @property
    def stable_gamma(self) -> float:
        """gamma up to which a unit that has nearly learned the teacher goes on to: p r/(1/d + 1/batch).

        r is `largest_ratio`, the bound on gamma/(p batch); the 1/d is what drift adds to the noise of a step. Exact for
        linear units, a rule for others. A second layer divides it by the mean of its squares.
        """
        plain = self.p * largest_ratio(self.activation) / (1 / self.d + 1 / self.batch)
        return plain / self._mean_square if self._mean_square else math.inf

    def cautions(self) -> list[str]:
        """A line where gamma is above the stable rule although the region learns, and one where steps are large."""
        found, gamma = [], self.effective_gamma
        rate = gamma / self.p * self._mean_square
        with_momentum = "" if gamma == self.gamma else "/(1 - mu)"
        where = f"d = {self.d}, p = {self.p}, batch = {self.batch}, {self.activation.name}"
        free = self.update is None or not self.update.spherical
        if free and self.region in (Region.GREEN, Region.BLUE) and gamma > self.stable_gamma:
            found.append(
                f"gamma{with_momentum} = {gamma:g} is above the stable rule, {self.stable_gamma:.3g} at {where}: "
                "SGD may not learn, or its weights grow without bound."
            )
        drift, noise = rate / self.d, rate**2 / (self.batch * self.d)
        if self.region is not Region.RED and max(drift, noise) > LARGE:
            found.append(
                f"Steps are large at gamma{with_momentum} = {gamma:g}, {where}: A dt = {drift:.2g} (drift), "
                f"B dt = {noise:.2g} (noise), and above {LARGE:g} SGD visibly leaves the ODE. Lower gamma or raise d."
            )
        if self.region is not Region.RED and self.plain and self.batch > 1 and not self.has_small_steps:
            found.append(
                f"A dt = {self.step_size:.3g} is above {LARGEST_STEP:g}, {where}: the theory `exact` leaves out "
                "what the samples of a batch do together, which corrects it below."
            )
        return found

    def parameters(self) -> dict[str, Scalar]:
        """Constants, realised exponents and time scale, by name.

        `kappa_realised` is log(p/p0)/log(d): the exponent of the rounded p; `mu_realised` that of the batch. `log_p` is
        the theorem's factor beside sqrt(dt), and `memory` = 1/(1 - mu) the steps for which a velocity lasts.
        `gamma_squared` stands beside a second layer, for laws of two terms.
        """
        scaling = self.scaling
        # theta stands beside the exponents that it is the sum of.
        exponents = {"kappa": scaling.kappa, "delta": scaling.delta, "theta": scaling.theta}
        return {
            **given(self),
            "activation": self.activation.name,
            **({} if self.teacher_activation is None else {"teacher_activation": self.teacher_activation.name}),
            **({} if self.target is None else {"target": self.target.name}),
            **({} if self.second is None else self.second.parameters | {"gamma_squared": self.gamma**2}),
            **({} if self.update is None else given(self.update) | {"memory": 1 / self.update.gap(self.d)}),
            **({} if self.schedule is None else {"schedule": self.schedule.name} | given(self.schedule)),
            **(given(self.inputs) if isinstance(self.inputs, PowerSpectrum) else {}),
            **exponents,
            **given(scaling),
            "mu_realised": math.log(self.batch / scaling.b0) / math.log(self.d),
            "kappa_realised": math.log(self.p / scaling.p0) / math.log(self.d),
            "log_p": math.log(self.p),
            "dt": self.dt,
            "region": str(self.region),
        }


def _scaled_second(second: SecondLayer | None, gamma_a0: Real | None, growth: float) -> SecondLayer | None:
    """The second layer with the rate gamma_a0 d^-delta batch^rho, `growth` being the powers."""
    if gamma_a0 is None:
        return second
    second = SecondLayer() if second is None else second
    if second.gamma_a > 0:
        raise ArgumentError("gamma_a", "not be given beside gamma_a0", second.gamma_a, "Keep one of the two.")
    return replace(second, gamma_a=real("gamma_a0", gamma_a0, GAMMA_A0) * growth)


def _choose_dimension(d: Integer | None, steps_per_time: Real | None, scaling: Scaling) -> int:
    """d as it was given, or as it follows from the number of steps of a unit of time."""
    if steps_per_time is None:
        if d is None:
            raise ArgumentError("d", "be given", None, "Add d = 1000, or steps_per_time = 1000 in its place.")
        return as_declared(Committee, "d", d)
    if d is not None:
        raise ArgumentError("steps_per_time", "not be given beside d", steps_per_time, "Keep one of the two.")
    found = scaling.dimension(real("steps_per_time", steps_per_time, STEPS_PER_TIME))
    if not 2 <= found <= MAX_DIMENSION * (1 + 1e-9):  # 1000^5 is a power that rounding may leave above 1e15
        remedy = f"At theta = {scaling.theta:g} a unit of time takes d^{scaling.steps_exponent:g} steps."
        must = f"give a dimension between 2 and {MAX_DIMENSION:g}, but that is {found:.3g} here"
        raise ArgumentError("steps_per_time", must, steps_per_time, remedy)
    return min(round(found), MAX_DIMENSION)


def _scaled_batch(d: int, batch: Integer | None, scaling: Scaling) -> int:
    """The batch at dimension d of a scaling of it, beside which none may be fixed."""
    if batch is not None:
        raise ArgumentError("batch", "not be given beside b0 or mu", batch, "Keep either batch, or b0 and mu.")
    realised = round(scaling.b0 * float(d) ** scaling.mu)
    if realised < 1:
        raise ArgumentError("b0", "give a batch of at least one sample, batch = round(b0 d^mu) >= 1", scaling.b0)
    return realised
