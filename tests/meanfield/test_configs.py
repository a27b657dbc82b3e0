"""An experiment on wide networks, cut down, finds what it is about, and its figure can be drawn."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sgdsim.experiment.experiment import load_experiment
from sgdsim.report import write_report
from tests.helpers import finish

FOLDER = Path(__file__).parents[2] / "configs" / "meanfield"


def run(name, folder, *overrides):
    """Results of a quick variant with overrides, and the names of what was drawn."""
    finish(load_experiment(FOLDER / f"{name}.toml", overrides, quick=True), folder)
    (folder / "provenance.json").write_text("{}")
    drawn = {path.stem for path in write_report(folder)}
    with xr.open_dataset(folder / "results.nc", engine="netcdf4") as results:
        return results.load(), drawn


@pytest.mark.slow
def test_runs_of_sgd_differ_at_beta_1_and_of_independent_particles_do_not(tmp_path):
    """Variance between runs of m(x = 1) at T = 5, N = 512: 7e-3 with common noise, 2.5e-5 with noise of their own."""
    results, drawn = run("noise", tmp_path, "grid.N=[512]", "grid.dynamics=['sgd']")
    assert drawn == {"noise", "report"}
    variances = results["m_final"].to_numpy()[:, :, 3].var(axis=1, ddof=1)
    for variance, expected in zip(variances, (7e-3, 2.5e-5), strict=True):
        assert variance == pytest.approx(expected, rel=5 * np.sqrt(2 / 63))
    assert np.isnan(results["histogram_theory"].to_numpy()[0]).all()
    assert np.isfinite(results["histogram_theory"].to_numpy()[1]).all()
