"""The tables [problem], [start], [theory] and [simulator] of an experiment file about the committee."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, RootModel, model_validator

from sgdsim.committee.activations import Erf, Linear, Quadratic, Relu
from sgdsim.committee.chain import Chain
from sgdsim.committee.chain_forms import KernelChoice
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.problem import MAX_DIMENSION, Committee
from sgdsim.committee.starts import CombinationStart, ExplicitStart, GaussianStart, OverlapStart, SphereStart
from sgdsim.committee.weights import Weights
from sgdsim.committee.words import PROBLEM_WORDS, SMOOTH
from sgdsim.contracts import Simulator, Start, Theory
from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError

PLAIN = ("p", "gamma")
SCALING = ("p0", "gamma0", "kappa", "delta", "b0", "mu", "rho")
BATCH = ("b0", "mu")
ACTIVATIONS = {"erf": Erf, "relu": Relu, "linear": Linear, "quadratic": Quadratic}

MAX_WIDTH, MAX_BATCH = 100_000, 10**6
Width = Annotated[int, Field(ge=1, le=MAX_WIDTH)]
Prefactor = Annotated[float, Field(gt=0, le=1e12)]
Exponent = Annotated[float, Field(ge=-10, le=10)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]
Matrix = list[list[float]]


class ProblemSection(Section):
    """[problem]: d, k, noise, activation, and either p and gamma, or p0, gamma0, kappa and delta.

    Beside p0, `steps_per_time` may stand in place of d, which then follows from it in every region.

    Of the scaling keys only p0 is needed: kappa = delta = 0, and gamma0 = p0. The samples of a step are `batch`, or
    beside p0 round(b0 d^mu), where b0 = 1 and mu = 0 if left out; gamma is multiplied by batch^rho.
    """

    d: int | None = Field(default=None, ge=2, le=MAX_DIMENSION, examples=[1000])
    steps_per_time: float | None = Field(default=None, gt=0, examples=[1000])
    k: Width = Field(examples=[4])
    p: Width | None = None
    gamma: Prefactor | None = None
    p0: Prefactor | None = None
    gamma0: Prefactor | None = None
    kappa: Exponent | None = None
    delta: Exponent | None = None
    b0: Prefactor | None = None
    mu: Annotated[float, Field(ge=0, le=10)] | None = None
    rho: Exponent | None = None
    noise: float = Field(default=0.0, ge=0)
    activation: Literal["erf", "relu", "linear", "quadratic"] = "erf"
    batch: int | None = Field(default=None, ge=1, le=MAX_BATCH)

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "p": ("p0", "kappa"),
        "gamma": ("gamma0", "delta"),
        "batch": BATCH,
        **dict.fromkeys(("theta", "region"), ("kappa", "delta", "mu", "rho")),
    }

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS
    otherwise: ClassVar[Mapping[str, str]] = {"activation": SMOOTH}

    @model_validator(mode="after")
    def _fill(self) -> "ProblemSection":
        """Writes out the defaults of a scaling; what does not fit together is left for `build` to refuse."""
        if self.p0 is not None and not self._given(PLAIN):
            self.gamma0 = self.p0 if self.gamma0 is None else self.gamma0
            self.kappa, self.delta = self.kappa or 0.0, self.delta or 0.0
        if self._given(BATCH) and not self._given(PLAIN):
            self.b0, self.mu = 1.0 if self.b0 is None else self.b0, self.mu or 0.0
        elif self.batch is None and not self._given(BATCH):
            self.batch = 1
        return self

    def _given(self, keys: tuple[str, ...]) -> dict[str, Any]:
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def build(self) -> Committee:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        plain, scaling = self._given(PLAIN), self._given(SCALING)
        _check_one_way(plain, scaling)
        if self.d is None and (plain or self.steps_per_time is None):
            raise ArgumentError("d", "be given", None, "Add it, e.g. `d = 1000`.")
        if plain and self.steps_per_time is not None:
            remedy = "Remove it, or give p0 in place of p and gamma."
            raise ArgumentError("steps_per_time", "not be given beside p and gamma", self.steps_per_time, remedy)
        problem = (Committee if plain else Committee.from_scaling)(
            k=self.k,
            noise=self.noise,
            activation=ACTIVATIONS[self.activation](),
            **self._given(("d", "steps_per_time")),
            **plain,
            **scaling,
            **self._given(("batch",)),
        )
        for name, value, most in (("p", problem.p, MAX_WIDTH), ("batch", problem.batch, MAX_BATCH)):
            if value > most:
                raise ArgumentError(name, f"be at most {most}", value)
        return problem


def _check_one_way(plain: dict[str, Any], scaling: dict[str, Any]) -> None:
    """Raises unless there are both plain keys and no scaling, or a scaling with p0 and no plain key."""
    if plain and scaling:
        key, value = next(iter(plain.items()))
        remedy = "Keep either p and gamma, or p0, gamma0, kappa and delta."
        raise ArgumentError(key, f"not be given beside {', '.join(scaling)}", value, remedy)
    if len(plain) == 1:
        (missing,) = set(PLAIN) - set(plain)
        raise ArgumentError(missing, f"be given with {next(iter(plain))}", None)
    if not plain and "p0" not in scaling:
        raise ArgumentError("p0", "be given, for the student's width p = p0 d^kappa", None, "Or give p and gamma.")


class _RandomStart(Section):
    seed: Seed = 1
    per_replica: bool = False


class OverlapSection(_RandomStart):
    """A student that overlaps with the teacher by a given amount."""

    kind: Literal["overlap"]
    overlap: float = Field(ge=-1, le=1, examples=[0.5])

    def build(self) -> Start:
        """The start."""
        return OverlapStart(self.overlap, seed=self.seed, per_replica=self.per_replica)


class SphereSection(_RandomStart):
    """Teacher and student random on the sphere |w|^2 = d."""

    kind: Literal["sphere"]

    def build(self) -> Start:
        """The start."""
        return SphereStart(seed=self.seed, per_replica=self.per_replica)


class GaussianSection(_RandomStart):
    """Teacher and student with standard normal weights."""

    kind: Literal["gaussian"]

    def build(self) -> Start:
        """The start."""
        return GaussianStart(seed=self.seed, per_replica=self.per_replica)


class CombinationSection(_RandomStart):
    """A student W0 = A W* of linear combinations of the teacher's units; random ones without A."""

    kind: Literal["combination"]
    A: Matrix | None = None

    def build(self) -> Start:
        """The start. **Raises:** ArgumentError for what is no matrix."""
        return CombinationStart(self.A, seed=self.seed, per_replica=self.per_replica)


class ExplicitSection(Section):
    """Given order parameters."""

    kind: Literal["explicit"]
    P: Matrix = Field(examples=["[[1.0]]"])
    M0: Matrix = Field(examples=["[[0.5]]"])
    Q0: Matrix = Field(examples=["[[1.0]]"])

    def build(self) -> Start:
        """The start. **Raises:** ArgumentError for what is no matrix."""
        return ExplicitStart(self.P, self.M0, self.Q0)


def _listed(value: object) -> object:
    """One number as a list of one, so that a mistake in it is told once."""
    return value if isinstance(value, list) else [value]


class EqualSection(Section):
    """Equal units, for any p: M0 (one number, or one for each teacher), diagonal and off-diagonal entry of Q0."""

    kind: Literal["equal"]
    M0: Annotated[list[float], BeforeValidator(_listed)] = Field(examples=[0.5])
    diagonal: float = Field(examples=[1.0])
    off_diagonal: float = Field(examples=[0.25])

    def build(self) -> Start:
        """The start."""
        return EqualStart(self.M0, self.diagonal, self.off_diagonal)


AnyStart = Annotated[
    OverlapSection | EqualSection | ExplicitSection | SphereSection | GaussianSection | CombinationSection,
    Field(discriminator="kind"),
]


class StartSection(RootModel[AnyStart]):
    """[start]: one of the kinds above."""

    def build(self) -> Start:
        """The start."""
        return self.root.build()


class TheorySection(Section):
    """[theory]: the ODE at the actual d (`exact`), its leading part (`limit`), that of gamma -> 0, or none.

    `fluctuations` adds the predicted spread of the replicas about it.
    """

    kind: Literal["exact", "limit", "gradient_flow", "none"] = "exact"
    fluctuations: bool = False

    def build(self) -> Theory | None:
        """The theory, if any. **Raises:** ArgumentError for fluctuations about none."""
        if self.kind == "none":
            if self.fluctuations:
                raise ArgumentError("fluctuations", "be false without a theory", True, "Choose a kind of theory.")
            return None
        kinds = {"exact": ExactODE, "limit": LimitODE, "gradient_flow": GradientFlow}
        return kinds[self.kind](fluctuations=self.fluctuations)


class SimulatorSection(Section):
    """[simulator]: the exact low-dimensional chain, the full weights, or none: theory alone."""

    kind: Literal["chain", "weights", "none"] = "chain"
    precision: Literal["float32", "float64"] = "float32"
    kernel: KernelChoice = "auto"

    def build(self) -> Simulator | None:
        """The simulator, if any."""
        kinds = {"chain": Chain, "weights": Weights}
        return None if self.kind == "none" else kinds[self.kind](precision=self.precision, kernel=self.kernel)
