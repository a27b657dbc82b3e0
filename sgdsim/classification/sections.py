"""The tables [problem], [start], [theory] and [simulator] of an experiment file about classification."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from sgdsim.classification.images import DIGITS
from sgdsim.classification.problem import Classification, Init
from sgdsim.classification.simulator import Network
from sgdsim.classification.starts import RandomWeights
from sgdsim.classification.words import PROBLEM_WORDS
from sgdsim.contracts import Simulator, Start, Theory
from sgdsim.ensemble.section import Section


class ProblemSection(Section):
    """[problem]: the data, N, gamma0, beta, batch, init, and bins and window of the histograms of weights."""

    data: str = DIGITS
    N: int = Field(ge=1, le=10_000_000, examples=[1000])
    gamma0: float = Field(gt=0, le=1e6, examples=[1.0])
    beta: float = Field(ge=0, le=1, examples=[0.75])
    batch: int = Field(default=100, ge=1)
    init: Init = "torch"
    bins: int = Field(default=60, ge=1, le=10_000)
    window: list[float] = Field(default=[-0.6, 0.6], min_length=2, max_length=2)

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS

    def build(self) -> Classification:
        """The problem. **Raises:** ArgumentError where the keys do not fit together, or there are no such data."""
        values: dict[str, Any] = self.model_dump() | {"window": tuple(self.window)}
        return Classification(**values)


class StartSection(Section):
    """[start]: independent random weights, the only kind."""

    kind: Literal["random"] = "random"

    def build(self) -> Start:
        """The start."""
        return RandomWeights()


class TheorySection(Section):
    """[theory]: there is none of a classification."""

    kind: Literal["none"] = "none"

    def build(self) -> Theory | None:
        """No theory."""
        return None


class SimulatorSection(Section):
    """[simulator]: SGD of all weights of the network."""

    kind: Literal["network"] = "network"
    precision: Literal["float32", "float64"] = "float32"

    def build(self) -> Simulator:
        """The simulator."""
        return Network(precision=self.precision)
