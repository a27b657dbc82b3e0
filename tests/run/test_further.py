"""Theory beyond the cells of a grid: the predicted curve of the shipped theorem, up to 16 units."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sgdsim.committee import ExactODE
from sgdsim.committee.theory.wider import ROOM, WiderStudent
from sgdsim.errors import ArgumentError
from sgdsim.experiment.experiment import load_experiment
from sgdsim.run.further import further

CONFIG = Path(__file__).parents[2] / "configs" / "committee" / "log_p.toml"


@pytest.fixture(scope="module")
def experiment():
    return load_experiment(CONFIG, ["fits.growth.predict_to=16"], quick=True)


@pytest.mark.slow
def test_the_curve_is_what_theory_predicts_at_other_widths(experiment):
    """At gamma/p of the cell and d = 1000 or 100 p, whichever is larger; dt follows d."""
    cell = experiment.cells[0]
    rows = further(experiment, experiment.fits["growth"], [0])["theory_curve"]
    widths = [row[0] for row in rows]
    assert (widths[0], widths[-1]) == (4, 16)
    assert [1 / row[1] for row in rows] == pytest.approx([max(1000, ROOM * p) for p in widths])
    problem = WiderStudent().problem_at(cell.problem, 16)
    assert (problem.p, problem.d, problem.gamma, problem.noise, problem.k) == (16, 1600, 16.0, 0.01, 1)
    predicted = ExactODE(fluctuations=True).predicted_deviation(problem, cell.start, cell.times)
    assert rows[-1][2] == predicted.max() > predicted[0]
    scaled = [row[2] / row[1] ** 0.5 for row in rows]
    assert (np.diff(scaled) > 0).all()
    last = experiment.fits["growth"].model_copy(update={"quantity": "final_deviation", "predict_to": 4})
    assert further(experiment, last, [0])["theory_curve"][0][2] == pytest.approx(rows[0][2], rel=1e-12)


def test_there_is_no_curve_where_none_is_asked_for_or_there_is_no_theory(experiment):
    assert further(experiment, experiment.fits["growth"].model_copy(update={"predict_to": None}), [0]) == {}
    bare = replace(experiment, cells=tuple(replace(cell, theory=None) for cell in experiment.cells))
    assert further(bare, bare.fits["growth"], [0]) == {}


def test_a_curve_that_cannot_be_made_says_why(experiment, monkeypatch):
    def refuse(*arguments):
        raise ArgumentError("gamma", "be smaller", 1.0)

    monkeypatch.setattr(WiderStudent, "predict", refuse)
    found = further(experiment, experiment.fits["growth"], [0])
    assert found["theory_curve"] == []
    assert "`gamma` must be smaller" in found["theory_curve_problem"]
