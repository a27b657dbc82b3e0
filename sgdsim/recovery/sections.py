"""The tables [problem], [start], [theory] and [simulator] of an experiment file about recovery."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sgdsim.contracts import Simulator, Start, Theory
from sgdsim.ensemble.section import Section
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.dmft import Dmft
from sgdsim.recovery.linear_regression import LinearRegression
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import ExactStart
from sgdsim.recovery.words import PROBLEM_WORDS

Time = Annotated[float, Field(gt=0)]


class ProblemSection(Section):
    """[problem]: alpha, eta, b, m0, C00, N, degree and the waiting times."""

    alpha: float = Field(gt=0, le=1e6, examples=[2.5])
    eta: float = Field(gt=0, le=1e3, examples=[0.1])
    b: float = Field(default=1.0, gt=0, le=1)
    m0: float = 0.2
    C00: float = Field(default=1.0, gt=0)
    N: int = Field(default=200, ge=2, le=100_000)
    degree: Literal[1, 2] = 2
    waiting: list[Time] = Field(default_factory=list)

    words: ClassVar[Mapping[str, str]] = PROBLEM_WORDS

    def build(self) -> Recovery:
        """The problem. **Raises:** ArgumentError where the keys do not fit together."""
        return Recovery(**self.model_dump())


class StartSection(Section):
    """[start]: exactly the problem's m0 and C00, the only kind."""

    kind: Literal["exact"] = "exact"

    def build(self) -> Start:
        """The start."""
        return ExactStart()


class TheorySection(Section):
    """[theory]: dynamical mean-field theory (degree 2), the closed form of linear regression (degree 1), or none.

    The mean-field equations are followed until the distance from the signal is below `tolerance`.
    """

    kind: Literal["dmft", "linear", "none"] = "dmft"
    tolerance: float = Field(default=1e-12, ge=0, lt=1)

    def build(self) -> Theory | None:
        """The theory, if any."""
        return {"dmft": Dmft(tolerance=self.tolerance), "linear": LinearRegression(), "none": None}[self.kind]


class SimulatorSection(Section):
    """[simulator]: gradient descent at finite N, or none where the theory alone is asked for."""

    kind: Literal["descent", "none"] = "descent"
    precision: Literal["float32", "float64"] = "float32"
    response: bool = False

    def build(self) -> Simulator | None:
        """The simulator, if any."""
        return None if self.kind == "none" else Descent(precision=self.precision, response=self.response)
