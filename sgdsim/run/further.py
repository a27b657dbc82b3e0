"""Theory beyond the cells of a grid: what it predicts along the law of a grid, where nothing was simulated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from sgdsim.contracts import Prediction
from sgdsim.ensemble.backend import beside
from sgdsim.errors import ArgumentError
from sgdsim.experiment.cells import Cell
from sgdsim.experiment.experiment import Experiment
from sgdsim.laws.catalogue import LAWS
from sgdsim.laws.law import Fit

PER_DECADE = 3
"""Points of a predicted curve."""


def further(experiment: Experiment, fit: Fit, members: Sequence[int]) -> dict[str, Any]:
    """The predicted curve of a law as far as it asks for one, from its first cell that has a theory, or nothing.

    `theory_curve`: rows (second, against, prediction); `theory_curve_problem` says where there is none.
    """
    most = LAWS[fit.law].reaches(fit)
    cell = next((experiment.cells[index] for index in members if experiment.cells[index].theory is not None), None)
    prediction = experiment.system.prediction
    if most is None or cell is None or prediction is None:
        return {}
    try:
        return {"theory_curve": _curve(prediction, fit, cell, most)}
    except ArgumentError as error:
        return {"theory_curve": [], "theory_curve_problem": str(error)}


def _curve(prediction: Prediction, fit: Fit, cell: Cell, most: int) -> list[list[float]]:
    times = cell.problem.steps(cell.times) * cell.problem.dt
    rows = []
    for value in _spaced(prediction.least, most):
        problem = prediction.problem_at(cell.problem, int(value))
        with beside():
            predicted = prediction.predict(fit.quantity, problem, cell.start, cell.theory, times)
        rows.append([float(value), float(problem.parameters()[fit.against]), predicted])
    return rows


def _spaced(least: int, most: int) -> Int[np.ndarray, " values"]:
    """Integers from least to most, equally spaced in the logarithm as far as integers are."""
    count = 1 + int(np.ceil(PER_DECADE * np.log10(most / least)))
    return np.unique(np.rint(np.geomspace(least, most, count)).astype(np.int64))
