"""The tables [problem], [start], [theory] and [simulator] of an experiment file about wide networks."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import Field

from sgdsim.contracts import Simulator, Start, Theory
from sgdsim.ensemble.section import Section
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Dynamics, Sde, Sgd
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.models import LossName, output_model, radial_model, tanh_model
from sgdsim.meanfield.particles import Linearised, Pair, Particles
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import Explicit, FromLaw
from sgdsim.meanfield.theory import MeanFieldLimit, NtkLimit
from sgdsim.meanfield.words import PROBLEM_WORDS

ModelName = Literal["tanh", "output_tanh", "output_erf", "output_relu", "radial"]

_ACTIVATIONS: dict[str, Literal["tanh", "erf", "relu"]] = {
    "output_tanh": "tanh",
    "output_erf": "erf",
    "output_relu": "relu",
}


class ProblemSection(Section):
    """[problem]: model and loss, N, gamma, beta, a, the dynamics with their noise, batch and dt, and the histogram.

    With `dynamics = "sgd"` common noise is true SGD, all particles see the same data; independent noise has every
    particle draw its own. `dt` belongs to `dynamics = "sde"`, `d` to `model = "radial"`.
    """

    model: ModelName = "tanh"
    loss: LossName = "squared"
    d: int | None = Field(default=None, ge=2, le=128)
    N: int = Field(ge=2, le=10_000_000, examples=[1000])
    gamma: float = Field(gt=0, le=1e6, examples=[0.1])
    beta: float = Field(ge=0, le=1, examples=[0.5])
    a: float = Field(default=1.0, ge=0.5, le=1)
    dynamics: Literal["sgd", "sde"] = "sgd"
    noise: Literal["common", "independent"] = "common"
    batch: int = Field(default=1, ge=1, le=100_000)
    dt: float | None = Field(default=None, gt=0, lt=1)
    bins: int = Field(default=0, ge=0, le=10_000)
    window: list[float] | None = Field(default=None, min_length=2, max_length=2)

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS

    def build(self) -> MeanField:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        keys: dict[str, Any] = {name: getattr(self, name) for name in ("N", "gamma", "beta", "a", "bins")}
        window = None if self.window is None else (self.window[0], self.window[1])
        return MeanField(model=self._model(), dynamics=self._dynamics(), window=window, **keys)

    def _model(self) -> Model:
        if self.model == "radial":
            if self.loss != "squared":
                raise ArgumentError("loss", 'be "squared" for model = "radial"', self.loss)
            return _model(self.model, self.loss, self.d)
        if self.d is not None:
            raise ArgumentError("d", 'be left out unless model = "radial"', self.d)
        return _model(self.model, self.loss, None)

    def _dynamics(self) -> Dynamics:
        if self.dynamics == "sgd":
            if self.dt is not None:
                raise ArgumentError("dt", 'be left out unless dynamics = "sde": SGD steps by eps', self.dt)
            return Sgd("shared" if self.noise == "common" else "per_particle", self.batch)
        return Sde(self.noise, 0.02 if self.dt is None else self.dt, self.batch)


@lru_cache(maxsize=64)
def _model(name: ModelName, loss: LossName, d: int | None) -> Model:
    """A ready model; one for all cells of a grid, as checking one takes a tenth of a second."""
    if name == "radial":
        return radial_model() if d is None else radial_model(d)
    return tanh_model(loss) if name == "tanh" else output_model(_ACTIVATIONS[name], loss)


class StartSection(Section):
    """[start]: independent particles from the model's law, or N rows of given `particles`."""

    kind: Literal["law", "explicit"] = "law"
    particles: list[list[float]] | None = None

    def build(self) -> Start:
        """The start. **Raises:** ArgumentError where `particles` are missing or too many."""
        if (self.kind == "explicit") != (self.particles is not None):
            raise ArgumentError("particles", 'be given with kind = "explicit", and only then', self.particles)
        if self.particles is None:
            return FromLaw()
        return Explicit(tuple(tuple(row) for row in self.particles))


class TheorySection(Section):
    """[theory]: the mean-field limit (where it is deterministic), the tangent-kernel limit (a < 1), or none."""

    kind: Literal["limit", "ntk", "none"] = "limit"

    def build(self) -> Theory | None:
        """The theory, if any."""
        return {"limit": MeanFieldLimit(), "ntk": NtkLimit(), "none": None}[self.kind]


class SimulatorSection(Section):
    """[simulator]: the particles, alone or beside their limit or the linearised network; or the theory alone."""

    kind: Literal["particles", "pair", "linearised", "none"] = "particles"
    precision: Literal["float32", "float64"] = "float32"

    def build(self) -> Simulator | None:
        """The simulator, if any."""
        kinds = {"particles": Particles, "pair": Pair, "linearised": Linearised}
        return kinds[self.kind](precision=self.precision) if self.kind in kinds else None
