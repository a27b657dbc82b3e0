"""The experiments of classification, cut down, find what they are about."""

from pathlib import Path

import numpy as np
import pytest

from sgdsim.experiment.experiment import load_experiment
from sgdsim.figures.classification.small_gamma import distances
from sgdsim.report import write_report
from sgdsim.store.stored import Stored
from tests.drawn import draw
from tests.helpers import finish

SHAPE = ("problem.bins=75", "times.count=1", "ensemble.replicas=4")
"""Of all cuts: compiled programs depend on these and on N only."""
FOLDER = Path(__file__).parents[2] / "configs" / "classification"


def run(name, folder, *overrides):
    """A quick variant with overrides, and every figure drawn that it asks for."""
    experiment = load_experiment(FOLDER / f"{name}.toml", (*SHAPE, *overrides), quick=True)
    finish(experiment, folder)
    (folder / "provenance.json").write_text("{}")
    assert draw(folder) == set(experiment.figures)
    return Stored.load(folder)


@pytest.mark.slow
def test_seeds_agree_in_the_limit_below_beta_1_and_not_at_it(tmp_path):
    """Wasserstein distances between seeds of the physics page, which are means over a few seeds, within their scatter.

    At beta = 1 a few seeds far from the others make most of the mean: it is held to be large only.
    """
    stored = run("histograms", tmp_path, "grid.N=[100,1000]", "grid.beta=[0.5,1.0]")
    cells = {tuple(cell.axes.values()): cell.final["seed_distance"].mean for cell in stored.summary.cells}
    assert cells[100, 0.5] == pytest.approx(0.021, rel=0.4)
    assert cells[1000, 0.5] == pytest.approx(0.0058, rel=0.6)
    assert cells[1000, 0.5] < cells[100, 0.5] / 2
    for N in (100, 1000):
        assert 0.03 < cells[N, 1.0] < 0.3


@pytest.mark.slow
def test_the_limit_at_beta_1_becomes_that_below_for_small_steps(tmp_path):
    grid = "grid={zip=[{beta=[0.5,1.0,1.0,1.0],gamma=[1.0,1.0,0.5,0.2]}]}"
    stored = run("small_gamma", tmp_path, grid, "problem.N=1000")
    means = [distances(stored, "histogram", cell).mean() for cell in (1, 2, 3)]
    assert means[0] > 3 * means[1] > 9 * means[2]
    assert means[2] > distances(stored, "histogram", 0).mean()


@pytest.mark.slow
def test_it_learns_at_every_beta(tmp_path):
    stored = run("regularisation", tmp_path, "problem.N=100", "times.final=60")
    assert {path.suffix for path in write_report(tmp_path)} == {".png", ".pdf", ".html"}
    accuracy, loss = (stored.results[name].to_numpy() for name in ("test_accuracy", "train_loss"))
    assert (accuracy > 0.93).all()
    assert (loss < 0.1 * np.log(10)).all()
    final = stored.results["test_loss_final"].to_numpy()
    np.testing.assert_allclose(final.mean(axis=1), stored.results["test_loss"].to_numpy()[:, -1], rtol=1e-12)
