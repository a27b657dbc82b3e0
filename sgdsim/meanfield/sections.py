"""The tables [problem], [start], [theory] and [simulator] of an experiment file about wide networks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from sgdsim.contracts import Start
from sgdsim.ensemble.section import section_of, section_of_kinds
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.averaged import AveragedLimit
from sgdsim.meanfield.bridge import TwoLimits
from sgdsim.meanfield.clt import Clt
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.model import MOST_WEIGHTS, Model
from sgdsim.meanfield.models import (
    LossName,
    Support,
    output_model,
    quadratic_model,
    radial_model,
    tanh_model,
    teacher_model,
)
from sgdsim.meanfield.particles import Approximation, Averaged, Copies, Linearised, Pair, Particles, Regimes
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.regimes import RegimesLimit
from sgdsim.meanfield.starts import ExplicitStart, LawStart, PointStart
from sgdsim.meanfield.stationary import StationaryLimit
from sgdsim.meanfield.theory import MeanFieldLimit, NtkLimit
from sgdsim.meanfield.words import PROBLEM_WORDS
from sgdsim.parameters import Parameter

ModelName = Literal["tanh", "output_tanh", "output_erf", "output_relu", "radial", "teacher", "quadratic"]

_ACTIVATIONS: dict[str, Literal["tanh", "erf", "relu"]] = {
    "output_tanh": "tanh",
    "output_erf": "erf",
    "output_relu": "relu",
}


_SIZES = ("d", "k", "overlap", "label_noise")
_TAKES: dict[str, tuple[str, ...]] = {"radial": _SIZES[:1], "teacher": _SIZES, "quadratic": _SIZES[:1]}
"""Models with sizes of their own, and the keys that say them."""

MODEL = Parameter("", "feature function, data and law of the start")
LOSS = Parameter("", "loss of a prediction")
_WIDTHS = "inputs of the models radial, 40 if left out, quadratic, 20, and teacher, 16"
INPUTS = Parameter("d", _WIDTHS, least=2, limit=MOST_WEIGHTS)
UNITS = Parameter("k", "units of the model teacher, 2 if left out", least=1, limit=MOST_WEIGHTS - 1)
OVERLAP = Parameter("", "standard deviation of w.v_r at t = 0, d^-1/2 if left out: model teacher", above=0)
LABEL_NOISE = Parameter(r"\Delta", "variance of the label noise of the model teacher, 0 if left out", least=0)
SUPPORT = Parameter("", "of the start of models output_*: cone a >= |(b, c)|, subspace c = 0")
DYNAMICS = Parameter("", "SGD or its SDE")
NOISE = Parameter("", "common to all particles, or independent: every particle draws its own")


class ProblemSection(section_of(MeanField, Sgd, Sde, optional=("dt",))):
    """[problem]: model and loss, N, gamma, beta, a, the dynamics with their noise, batch and dt, and the histogram.

    With `dynamics = "sgd"` common noise is true SGD, all particles see the same data; independent noise has every
    particle draw its own. `dt` belongs to `dynamics = "sde"`, `d` to `model = "radial"`, "quadratic" and "teacher",
    `k`, `overlap` and `label_noise` to "teacher", and a `support` other than "all" to the models output_*.
    """

    model: Annotated[ModelName, MODEL] = "tanh"
    loss: Annotated[LossName, LOSS] = "squared"
    support: Annotated[Support, SUPPORT] = "all"
    d: Annotated[int | None, INPUTS] = None
    k: Annotated[int | None, UNITS] = None
    overlap: Annotated[float | None, OVERLAP] = None
    label_noise: Annotated[float | None, LABEL_NOISE] = None
    dynamics: Annotated[Literal["sgd", "sde"], DYNAMICS] = "sgd"
    noise: Annotated[Literal["common", "independent"], NOISE] = "common"

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS

    def build(self) -> MeanField:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        return MeanField(model=self._model(), dynamics=self._dynamics(), **self.of(MeanField))

    def _model(self) -> Model:
        takes = _TAKES.get(self.model, ())
        given = {key: getattr(self, key) for key in _SIZES if getattr(self, key) is not None}
        for key, value in given.items():
            if key not in takes:
                models = " or ".join(f'"{name}"' for name, keys in _TAKES.items() if key in keys)
                raise ArgumentError(key, f"be left out unless model = {models}", value)
        if self.model in _TAKES and self.loss != "squared":
            raise ArgumentError("loss", f'be "squared" for model = "{self.model}"', self.loss)
        if self.support != "all" and self.model not in _ACTIVATIONS:
            raise ArgumentError("support", 'be "all" unless the model is one of output_*', self.support)
        return _model(self.model, self.loss, self.support, tuple(given.items()))

    def _dynamics(self) -> Dynamics:
        if self.dynamics == "sde":
            return Sde(self.noise, **self.of(Sde))
        if "dt" in self.of(Sde):
            raise ArgumentError("dt", 'be left out unless dynamics = "sde": SGD steps by eps', self.of(Sde)["dt"])
        return Sgd("shared" if self.noise == "common" else "per_particle", **self.of(Sgd))


@lru_cache(maxsize=64)
def _model(name: ModelName, loss: LossName, support: Support, sizes: tuple[tuple[str, Any], ...]) -> Model:
    """A ready model; one for all cells of a grid, as checking one takes a tenth of a second."""
    if name in _TAKES:
        sized = {"radial": radial_model, "teacher": teacher_model, "quadratic": quadratic_model}
        return sized[name](**dict(sizes))
    return tanh_model(loss) if name == "tanh" else output_model(_ACTIVATIONS[name], loss, support)


class StartSection(section_of(ExplicitStart, PointStart, optional=("particles", "point"))):
    """[start]: independent particles from the model's law, all at one `point`, or N rows of given `particles`."""

    kind: Literal["law", "explicit", "point"] = "law"

    def build(self) -> Start:
        """The start. **Raises:** ArgumentError where `particles` or a `point` are missing or too many."""
        particles, point = self.of(ExplicitStart).get("particles"), self.of(PointStart).get("point")
        # Both mistakes are one: rows without their kind, and a kind without its rows.
        for name, kind, given in (("particles", "explicit", particles), ("point", "point", point)):
            if (self.kind == kind) != (given is not None):
                raise ArgumentError(name, f'be given with kind = "{kind}", and only then', given)
        if point is not None:
            return PointStart(tuple(point))
        return LawStart() if particles is None else ExplicitStart(tuple(tuple(row) for row in particles))


_THEORIES = {
    "limit": MeanFieldLimit,
    "averaged": AveragedLimit,
    "stationary": StationaryLimit,
    "regimes": RegimesLimit,
    "clt": Clt,
    "bridge": TwoLimits,
    "ntk": NtkLimit,
    "none": None,
}


class TheorySection(section_of_kinds(_THEORIES)):
    """[theory]: the mean-field limit (where it is deterministic), the tangent-kernel limit (a < 1), or none.

    With `kind = "averaged"` the mean-field limit and that of averaged trajectories, with `kind = "clt"` the
    fluctuations about it, both for beta < 1; with `kind = "stationary"`, at beta = 1 with weight decay, the law that
    the limit comes to; with `kind = "bridge"`, of the model teacher, the limit and that of d -> infinity.
    """


_SIMULATORS = {
    "particles": Particles,
    "pair": Pair,
    "averaged": Averaged,
    "regimes": Regimes,
    "copies": Copies,
    "approximation": Approximation,
    "linearised": Linearised,
    "none": None,
}


class SimulatorSection(section_of_kinds(_SIMULATORS)):
    """[simulator]: the particles, alone or beside their limit or the linearised network; or the theory alone.

    With `kind = "averaged"` the network of averaged weights beside; with `kind = "copies"` seven runs a replica, for
    the dependence of two particles; with `kind = "approximation"` SGD beside its SDE.
    """
