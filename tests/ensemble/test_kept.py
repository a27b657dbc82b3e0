"""What a kernel keeps of every replica: the last values, whatever the batch, and through a store and back."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from sgdsim.analysis.dataset import merge_cells, to_dataset
from sgdsim.analysis.moments import merge
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.statistics import tile_statistics
from sgdsim.ensemble.tiles import Tiles
from tests.toy import SYSTEM, Origin, Walk, Walker

TIMES = np.array([0.5, 1.0])


def ensemble(batch: int | None = None) -> Ensemble:
    return Ensemble(Walk(d=20, p=2), Origin(), Walker(), None, TIMES, replicas=19, seed=4, batch=batch)


def dataset(problem: Walk, tiles: Tiles) -> xr.Dataset:
    return to_dataset(SYSTEM, problem, TIMES, problem.steps(TIMES), merge(tiles), tiles)


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    return ensemble().run()


def test_every_replica_is_there_and_averages_to_the_mean(tiles):
    assert tiles.kept["risk"].shape == (19,)
    weights = tiles.count / tiles.count.sum()
    assert tiles.kept["risk"].mean() == pytest.approx(float(weights @ tiles.mean["risk"][:, -1]), rel=1e-13)
    assert tiles.kept["x"].shape == (19, 2)
    np.testing.assert_allclose((tiles.kept["x"] ** 2).sum(axis=1) / 2, tiles.kept["risk"], rtol=1e-13)


def test_the_batch_changes_no_bit(tiles):
    np.testing.assert_array_equal(ensemble(batch=8).run().kept["x"], tiles.kept["x"])


def test_flat_arrays_and_back(tiles):
    again = Tiles.from_arrays(tiles.to_arrays())
    np.testing.assert_array_equal(again.kept["x"], tiles.kept["x"])


def test_a_diverged_replica_is_nan():
    saved = {"x": jnp.array([[[1.0, jnp.inf], [2.0, 5.0]], [[3.0, 4.0], [6.0, 7.0]]])}
    kept = tile_statistics(saved, jnp.array([True, True]), None, (), ("x", "not observed"))["kept"]
    assert list(kept) == ["x"]
    np.testing.assert_array_equal(kept["x"], [[3.0, 6.0], [np.nan, np.nan]])


def test_what_keeps_nothing_is_stored_as_before(tiles):
    plain = replace(tiles, kept={})
    assert set(tiles.to_arrays()) - set(plain.to_arrays()) == {"kept.risk", "kept.x"}
    assert not Tiles.from_arrays(plain.to_arrays()).kept


def test_the_dataset_has_the_last_values(tiles):
    data = dataset(Walk(d=20, p=2), tiles)
    assert data["x_final"].dims == ("replica", "component")
    np.testing.assert_array_equal(data["risk_final"], tiles.kept["risk"])
    longer = Ensemble(Walk(d=20, p=3), Origin(), Walker(), None, TIMES, replicas=21, seed=4)
    wide = merge_cells([data, dataset(longer.problem, longer.run())], [{"p": 2}, {"p": 3}])
    assert wide["x_final"].dims == ("cell", "replica", "component")
    assert np.isnan(wide["x_final"][0, :, 2]).all()
    assert np.isnan(wide["x_final"][0, 19:]).all()
    np.testing.assert_array_equal(wide["x_final"][0, :19, :2], tiles.kept["x"])
