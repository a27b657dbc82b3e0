"""The predicted distance from the ODE at widths that were not simulated: E|Omega - Omega_bar|_inf against p."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from sgdsim.committee.equal_start import EqualStart
from sgdsim.committee.problem import Committee
from sgdsim.committee.theory.equal_units import LEAST_WIDTH
from sgdsim.committee.theory.ode import ExactODE
from sgdsim.contracts import Prediction, Start, Theory
from sgdsim.errors import ArgumentError

ROOM = 100
"""Least d/p of a predicted problem: there the deviations over sqrt(dt) do not depend on d any more."""

PREDICTED = {"max_deviation": np.max, "final_deviation": lambda values: values[-1]}
"""The deviations that follow from the means at the save times, and how."""


class WiderStudent(Prediction):
    """Deviations of a student of another width p at the same gamma/p, from equal units."""

    parameter: ClassVar[str] = "p"
    least: ClassVar[int] = LEAST_WIDTH

    def lacks(self, quantity: str, start: Start, theory: Theory) -> str:
        """Equal units, predicted fluctuations, and a mean over replicas at one time."""
        if quantity not in PREDICTED:
            return f"choose quantity = {' or '.join(map(repr, PREDICTED))}".replace("'", '"')
        if not isinstance(start, EqualStart):
            return 'choose start.kind = "equal", which is defined for every p'
        if not (isinstance(theory, ExactODE) and theory.fluctuations):
            return 'choose theory.kind = "exact" with theory.fluctuations = true'
        return ""

    def problem_at(self, problem: Committee, value: int) -> Committee:
        """The problem with p = value, gamma/p unchanged, at a d of at least `ROOM` p and dt = 1/d.

        **Raises:** ArgumentError where the network is not the plain one.
        """
        if not problem.plain:
            what = problem.extras[0]
            raise ArgumentError(what, "be left out for predictions at other widths", getattr(problem, what))
        return Committee(
            d=max(problem.d, ROOM * value),
            p=value,
            k=problem.k,
            gamma=problem.gamma / problem.p * value,
            noise=problem.noise,
            activation=problem.activation,
            batch=problem.batch,
        )

    def predict(
        self, quantity: str, problem: Committee, start: EqualStart, theory: ExactODE, times: Float[np.ndarray, " times"]
    ) -> float:
        """The mean at the time where it is largest, or at the last."""
        return float(PREDICTED[quantity](theory.predicted_deviation(problem, start, times)))
