"""The tables [problem], [start], [theory] and [simulator] of an experiment file about wide networks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

from sgdsim.contracts import Start
from sgdsim.ensemble.section import section_of, section_of_kinds
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.model import MOST_WEIGHTS, Model
from sgdsim.meanfield.models import LossName, output_model, radial_model, tanh_model
from sgdsim.meanfield.particles import Linearised, Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, LawStart
from sgdsim.meanfield.theory import MeanFieldLimit, NtkLimit
from sgdsim.meanfield.words import PROBLEM_WORDS
from sgdsim.parameters import Parameter

ModelName = Literal["tanh", "output_tanh", "output_erf", "output_relu", "radial"]

_ACTIVATIONS: dict[str, Literal["tanh", "erf", "relu"]] = {
    "output_tanh": "tanh",
    "output_erf": "erf",
    "output_relu": "relu",
}


MODEL = Parameter("", "feature function, data and law of the start")
LOSS = Parameter("", "loss of a prediction")
INPUTS = Parameter("d", "inputs of the model radial, 40 if left out", least=2, limit=MOST_WEIGHTS)
DYNAMICS = Parameter("", "SGD or its SDE")
NOISE = Parameter("", "common to all particles, or independent: every particle draws its own")


class ProblemSection(section_of(MeanField, Sgd, Sde, optional=("dt",))):
    """[problem]: model and loss, N, gamma, beta, a, the dynamics with their noise, batch and dt, and the histogram.

    With `dynamics = "sgd"` common noise is true SGD, all particles see the same data; independent noise has every
    particle draw its own. `dt` belongs to `dynamics = "sde"`, `d` to `model = "radial"`.
    """

    model: Annotated[ModelName, MODEL] = "tanh"
    loss: Annotated[LossName, LOSS] = "squared"
    d: Annotated[int | None, INPUTS] = None
    dynamics: Annotated[Literal["sgd", "sde"], DYNAMICS] = "sgd"
    noise: Annotated[Literal["common", "independent"], NOISE] = "common"

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS

    def build(self) -> MeanField:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        return MeanField(model=self._model(), dynamics=self._dynamics(), **self.of(MeanField))

    def _model(self) -> Model:
        if self.model == "radial":
            if self.loss != "squared":
                raise ArgumentError("loss", 'be "squared" for model = "radial"', self.loss)
            return _model(self.model, self.loss, self.d)
        if self.d is not None:
            raise ArgumentError("d", 'be left out unless model = "radial"', self.d)
        return _model(self.model, self.loss, None)

    def _dynamics(self) -> Dynamics:
        if self.dynamics == "sde":
            return Sde(self.noise, **self.of(Sde))
        if "dt" in self.of(Sde):
            raise ArgumentError("dt", 'be left out unless dynamics = "sde": SGD steps by eps', self.of(Sde)["dt"])
        return Sgd("shared" if self.noise == "common" else "per_particle", **self.of(Sgd))


@lru_cache(maxsize=64)
def _model(name: ModelName, loss: LossName, d: int | None) -> Model:
    """A ready model; one for all cells of a grid, as checking one takes a tenth of a second."""
    if name == "radial":
        return radial_model() if d is None else radial_model(d)
    return tanh_model(loss) if name == "tanh" else output_model(_ACTIVATIONS[name], loss)


class StartSection(section_of(ExplicitStart, optional=("particles",))):
    """[start]: independent particles from the model's law, or N rows of given `particles`."""

    kind: Literal["law", "explicit"] = "law"

    def build(self) -> Start:
        """The start. **Raises:** ArgumentError where `particles` are missing or too many."""
        particles = self.of(ExplicitStart).get("particles")
        # Both mistakes are one: rows without their kind, and a kind without its rows.
        if (self.kind == "explicit") != (particles is not None):
            raise ArgumentError("particles", 'be given with kind = "explicit", and only then', particles)
        return LawStart() if particles is None else ExplicitStart(tuple(tuple(row) for row in particles))


class TheorySection(section_of_kinds({"limit": MeanFieldLimit, "ntk": NtkLimit, "none": None})):
    """[theory]: the mean-field limit (where it is deterministic), the tangent-kernel limit (a < 1), or none."""


_SIMULATORS = {"particles": Particles, "pair": Pair, "linearised": Linearised, "none": None}


class SimulatorSection(section_of_kinds(_SIMULATORS)):
    """[simulator]: the particles, alone or beside their limit or the linearised network; or the theory alone."""
