"""The tables [problem], [start], [theory] and [simulator] of an experiment file about the committee."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, RootModel, model_validator

from sgdsim.committee.averages.activations import Erf, Linear, Quadratic, Relu
from sgdsim.committee.averages.hermite_units import DEGREE, Hermite
from sgdsim.committee.chain import Chain
from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.law_section import (
    LAW_KEYS,
    OWN,
    OWN_KEYS,
    OWNERS,
    check_beside_none,
    law_of_inputs,
    law_of_noise,
)
from sgdsim.committee.mixture import Mixture
from sgdsim.committee.problem import MAX_WIDTH, Committee
from sgdsim.committee.realised import STEPS_PER_TIME
from sgdsim.committee.scaling import Scaling
from sgdsim.committee.second_layer import GAMMA_A0, SecondLayer
from sgdsim.committee.spectrum import GaussianInputs, PowerSpectrum
from sgdsim.committee.starts import CombinationStart, ExplicitStart, GaussianStart, OverlapStart, SphereStart
from sgdsim.committee.target import Products, SignTarget, product, staircase
from sgdsim.committee.teacher_start import TeacherStart
from sgdsim.committee.theory.ode import ExactODE, GradientFlow, LimitODE
from sgdsim.committee.weights import Weights
from sgdsim.committee.words import PROBLEM_WORDS, SMOOTH
from sgdsim.contracts import Start, Theory
from sgdsim.ensemble.section import PartSection, section_of, section_of_kinds
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter, declared
from sgdsim.rules.problem import MAX_BATCH

PLAIN = ("p", "gamma")
SCALING = ("p0", "gamma0", "kappa", "delta", "b0", "mu", "rho")
BATCH = ("b0", "mu")
SPECTRUM = ("spectrum", "blocks")
ACTIVATIONS = {"erf": Erf, "relu": Relu, "linear": Linear, "quadratic": Quadratic}
HERMITE = "hermite"
ACTIVATION = Parameter(r"\sigma", "activation of teacher and student; hermite: of a degree")
TARGETS = {"sign": lambda k: SignTarget(), "product": product, "staircase": staircase}
TARGET = Parameter("f^*", "in place of the mean of units: He_degree, sign, product or staircase of the k fields")
TEACHER_ACTIVATION = Parameter(r"\sigma^*", "activation of the teacher, where it is another")
LAYER, MIXTURE = (tuple(one.name for one in declared(owner)) for owner in (SecondLayer, Mixture))

_Keys = section_of(
    Committee,
    Scaling,
    SecondLayer,
    PowerSpectrum,
    Mixture,
    *OWNERS,
    own=dict(OWN)
    | {
        "steps_per_time": (Annotated[float | None, STEPS_PER_TIME], Field(default=None, examples=[1000])),
        "activation": (Annotated[Literal[(*ACTIVATIONS, HERMITE)], ACTIVATION], "erf"),  # type: ignore[valid-type]
        "target": (Annotated[Literal[(HERMITE, *TARGETS)] | None, TARGET], None),  # type: ignore[valid-type]
        "degree": (Annotated[int | None, DEGREE], Field(default=None, examples=[3])),
        "teacher_activation": (
            Annotated[Literal[tuple(ACTIVATIONS)] | None, TEACHER_ACTIVATION],  # type: ignore[valid-type]
            None,
        ),
        "gamma_a0": (Annotated[float | None, GAMMA_A0], None),
    },
    optional=("d", *PLAIN, *SCALING, "batch", *LAYER, *SPECTRUM, *MIXTURE, *OWN_KEYS, "labels"),
    order=(
        *("d", "steps_per_time", "k", *PLAIN, *SCALING, "noise", "activation", "batch"),
        *("teacher_activation", "target", "degree", *SPECTRUM, *MIXTURE, *LAW_KEYS, *OWN_KEYS),
    ),
)


class ProblemSection(_Keys):
    """[problem]: d, k, noise, activation, and either p and gamma, or p0, gamma0, kappa and delta.

    Beside p0, `steps_per_time` may stand in place of d, which then follows from it in every region.

    Of the scaling keys only p0 is needed: kappa = delta = 0, and gamma0 = p0. The samples of a step are `batch`, or
    beside p0 round(b0 d^mu), where b0 = 1 and mu = 0 if left out; gamma is multiplied by batch^rho. The second layer
    has the rate gamma_a or, beside p0, gamma_a0, which goes as gamma does. `spectrum` gives
    the inputs eigenvalues that fall like a power, in `blocks` blocks (8 if left out). `separation` makes them those of
    clusters, of which the other keys with `cluster` speak. `inputs` names another law of theirs, `label_noise` one of
    the noise, each with keys of its own.
    """

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "p": ("p0", "kappa"),
        "gamma": ("gamma0", "delta"),
        "batch": BATCH,
        "gamma_a": ("gamma_a0", "delta"),
        **dict.fromkeys(("theta", "region"), ("kappa", "delta", "mu", "rho")),
    }

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS
    otherwise: ClassVar[Mapping[str, str]] = {"activation": SMOOTH}

    @model_validator(mode="after")
    def _fill(self) -> "ProblemSection":
        """Writes out the defaults of a scaling; what does not fit together is left for `build` to refuse."""
        plain, scaling = self._given(PLAIN), self._given(SCALING)
        defaults: dict[str, Any] = {}
        if "p0" in scaling and not plain:
            defaults |= {"gamma0": scaling["p0"], "kappa": 0.0, "delta": 0.0}
        if not self._given(BATCH):
            defaults["batch"] = 1
        elif not plain:
            defaults |= {"b0": 1.0, "mu": 0.0}
        for name, value in defaults.items():
            if getattr(self, name) is None:
                setattr(self, name, value)
        return self

    def _given(self, keys: tuple[str, ...]) -> dict[str, Any]:
        return {key: getattr(self, key) for key in keys if getattr(self, key) is not None}

    def build(self) -> Committee:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        plain, scaling = self._given(PLAIN), self._given(SCALING)
        rest = self._given(("d", "steps_per_time", "k", "noise", "batch", "activation", "escape_level", "labels"))
        rest |= self._given(("noise_draws",))
        _check_one_way(plain, scaling)
        if "d" not in rest and (plain or "steps_per_time" not in rest):
            raise ArgumentError("d", "be given", None, "Add it, e.g. `d = 1000`.")
        if plain and "steps_per_time" in rest:
            remedy = "Remove it, or give p0 in place of p and gamma."
            raise ArgumentError("steps_per_time", "not be given beside p and gamma", rest["steps_per_time"], remedy)
        rest |= self._inputs()
        rest |= self._functions(rest["k"])
        rest |= self._second(plain)
        problem = (Committee if plain else Committee.from_scaling)(**plain, **scaling, **rest)
        for name, value, most in (("p", problem.p, MAX_WIDTH), ("batch", problem.batch, MAX_BATCH)):
            if value > most:
                raise ArgumentError(name, f"be at most {most}", value)
        return problem

    def _functions(self, k: int) -> dict[str, Any]:
        """Activations and the target. That of a Hermite polynomial is a mean of units too, with outputs a*."""
        names = self._given(("activation", "teacher_activation"))
        target, degree, outputs = (getattr(self, key) for key in ("target", "degree", "a_star"))
        if target is not None and "teacher_activation" in names:
            raise ArgumentError("teacher_activation", "not be given beside target", names["teacher_activation"])
        if target == HERMITE:
            names["teacher_activation"] = HERMITE
        if (degree is None) == (HERMITE in names.values()):
            must = "be given beside hermite" if degree is None else "not be given without hermite"
            raise ArgumentError("degree", must, degree, 'Write target = "hermite" and degree = 1, 2, 3, ...')
        if target not in (None, HERMITE) and outputs is not None:
            raise ArgumentError("a_star", f"not be given beside target = {target}", outputs, "It has no outputs.")
        if target in ("product", "staircase") and not 2 <= k <= Products.MOST:
            raise ArgumentError("k", f"be between 2 and {Products.MOST} beside target = {target}", k)
        made: dict[str, Any] = {
            key: Hermite(degree) if name == HERMITE else ACTIVATIONS[name]() for key, name in names.items()
        }
        return made if target in (None, HERMITE) else made | {"target": TARGETS[target](k)}

    def _second(self, plain: dict[str, Any]) -> dict[str, Any]:
        """The second layer, where any of its keys is given, and the prefactor of its rate."""
        layer, prefactor = self._given(LAYER), self._given(("gamma_a0",))
        if plain and prefactor:
            must, remedy = "not be given beside gamma", "Give gamma_a in its place."
            raise ArgumentError("gamma_a0", must, prefactor["gamma_a0"], remedy)
        if "gamma_a" in layer and not plain:
            raise ArgumentError("gamma_a", "not be given beside p0", layer["gamma_a"], "Give gamma_a0 in its place.")
        return prefactor | ({"second": SecondLayer(**layer)} if layer else {})

    def _inputs(self) -> dict[str, Any]:
        """`inputs` and `label_noise`, where the file has a law, a spectrum or clusters."""
        laws = self._given((*LAW_KEYS, *OWN_KEYS, "spectrum"))
        noise = {"label_noise": law_of_noise(laws)}
        if "inputs" not in laws:
            check_beside_none(laws)
            return noise | self._gaussian()
        for key, value in self._given(("blocks", *MIXTURE)).items():
            raise ArgumentError(key, "not be given beside inputs", value, "Inputs have one law or another.")
        return noise | {"inputs": law_of_inputs(laws)}

    def _gaussian(self) -> dict[str, GaussianInputs]:
        """`inputs`, where the file has a spectrum or clusters."""
        given, clusters = self._given(SPECTRUM), self._given(MIXTURE)
        if given and clusters:
            key, value = next(iter(clusters.items()))
            raise ArgumentError(key, f"not be given beside {next(iter(given))}", value, "Inputs have one or the other.")
        if clusters and "separation" not in clusters:
            key, value = next(iter(clusters.items()))
            raise ArgumentError(key, "be given beside separation", value, "Add `separation = 1.0`, or remove it.")
        if clusters:
            return {"inputs": Mixture(**clusters)}
        if "blocks" in given and "spectrum" not in given:
            remedy = "Add `spectrum = 0.5`, or remove it."
            raise ArgumentError("blocks", "be given beside spectrum", given["blocks"], remedy)
        return {"inputs": PowerSpectrum(**given)} if given else {}


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


def _start(kind: str, start: type[Start]) -> type[PartSection]:
    own = {"kind": (Literal[kind], ...)}  # type: ignore[valid-type]
    return section_of(start, own=own, order=("seed", "per_replica", "kind"))


class OverlapSection(_start("overlap", OverlapStart)):
    """A student that overlaps with the teacher by a given amount."""


class EqualSection(_start("equal", EqualStart)):
    """Equal units, for any p: M0 (one number, or one for each teacher), diagonal and off-diagonal entry of Q0."""


class ExplicitSection(_start("explicit", ExplicitStart)):
    """Given order parameters."""


class SphereSection(_start("sphere", SphereStart)):
    """Teacher and student random on the sphere |w|^2 = d."""


class GaussianSection(_start("gaussian", GaussianStart)):
    """Teacher and student with standard normal weights."""


class CombinationSection(_start("combination", CombinationStart)):
    """A student W0 = A W* of linear combinations of the teacher's units; random ones without A."""


class TeacherSection(_start("teacher", TeacherStart)):
    """The teacher alone, beside a [student] that begins as its function makes it: overlaps P, I where left out."""


AnyStart = Annotated[
    OverlapSection
    | EqualSection
    | ExplicitSection
    | SphereSection
    | GaussianSection
    | CombinationSection
    | TeacherSection,
    Field(discriminator="kind"),
]


class StartSection(RootModel[AnyStart]):
    """[start]: one of the kinds above."""

    def build(self) -> Start:
        """The start of that kind, with the values of its keys."""
        return self.root.build()


_THEORIES = {"exact": ExactODE, "limit": LimitODE, "gradient_flow": GradientFlow, "none": None}


class TheorySection(section_of_kinds(_THEORIES)):
    """[theory]: the ODE at the actual d (`exact`), its leading part (`limit`), that of gamma -> 0, or none.

    `fluctuations` adds the predicted spread of the replicas about it.
    """

    def build(self) -> Theory | None:
        """The theory, if any. **Raises:** ArgumentError for fluctuations about none."""
        theory = super().build()
        if theory is None and self.of(ExactODE)["fluctuations"]:
            raise ArgumentError("fluctuations", "be false without a theory", True, "Choose a kind of theory.")
        return theory


class SimulatorSection(section_of_kinds({"chain": Chain, "weights": Weights, "none": None})):
    """[simulator]: the exact low-dimensional chain, the full weights, or none: theory alone."""
