"""Statistics of a tile, number by number, of replicas of which one blew up and one is a copy that fills the tile."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.ensemble.statistics import tile_statistics, tree_sum

TIMES, LANES, BOUND = 3, 8, 50.0
VALID = jnp.array([False, *[True] * 6, False])
"""Lane 0 is nobody's, and as finite as others."""
WHOLE = [1, 2, 4, 6]
"""Lane 3 is beyond the bound at the first time, lane 5 is infinite at the second, lane 7 holds no replica."""


@pytest.fixture(scope="module")
def saved():
    rng = np.random.default_rng(4)
    seen = {
        "M": rng.normal(size=(TIMES, 2, 3, LANES)),
        "Q": rng.normal(size=(TIMES, 2, 2, LANES)),
        "R": 3 + rng.normal(size=(TIMES, LANES)),
    }
    seen["Q"][0, 1, 0, 3] = -2 * BOUND
    seen["R"][1, 5] = np.inf
    seen["R"][2, 7] = np.nan  # nobody, who cannot diverge either
    seen["R"][:, 6] = 10 * BOUND  # no order parameter: it may be as large
    return seen


@pytest.fixture(scope="module", params=["shared", "own"])
def curve(request):
    """The theory of a start that all share, and of one for each."""
    lanes = 1 if request.param == "shared" else LANES
    rng = np.random.default_rng(5)
    return {name: rng.normal(size=(TIMES, *dims, lanes)) for name, dims in (("M", (2, 3)), ("Q", (2, 2)), ("R", ()))}


@pytest.fixture(scope="module")
def found(saved, curve):
    arrays = ({name: jnp.asarray(value) for name, value in part.items()} for part in (saved, curve))
    seen, reference = arrays
    return tile_statistics(seen, VALID, reference, ("M", "Q"), ("R",), BOUND)


def test_who_is_averaged(found):
    assert (int(found["count"]), int(found["diverged"])) == (len(WHOLE), 2)


@pytest.mark.parametrize("name", ["M", "Q", "R"])
def test_means_and_squares_are_about_the_mean_of_those(saved, curve, found, name):
    values = saved[name][..., WHOLE]
    np.testing.assert_allclose(found["mean"][name], values.mean(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(found["m2"][name], values.var(axis=-1) * len(WHOLE), rtol=1e-13)
    expected = curve[name][..., WHOLE if curve[name].shape[-1] > 1 else [0]].mean(axis=-1)
    np.testing.assert_allclose(found["theory"][name], expected, rtol=1e-13)


def test_distances_from_the_theory_are_the_largest_over_all_entries(saved, curve, found):
    apart = [np.abs(saved[name] - curve[name]).reshape(TIMES, -1, LANES) for name in ("M", "Q")]
    paths = np.concatenate(apart, axis=1).max(axis=1)[:, WHOLE]
    np.testing.assert_array_equal(np.asarray(found["sup_deviation"])[WHOLE], paths.max(axis=0))
    np.testing.assert_array_equal(np.asarray(found["final_deviation"])[WHOLE], paths[-1])
    np.testing.assert_allclose(found["mean"]["deviation"], paths.mean(axis=-1), rtol=1e-13)
    np.testing.assert_allclose(found["m2"]["deviation"], paths.var(axis=-1) * len(WHOLE), rtol=1e-12)


def test_of_every_replica_what_is_kept_is_its_last_value(saved, found):
    np.testing.assert_array_equal(np.asarray(found["kept"]["R"])[WHOLE], saved["R"][-1, WHOLE])
    for name in ("sup_deviation", "final_deviation"):
        assert np.isnan(np.asarray(found[name])[[3, 5]]).all()


def test_a_tree_of_sums_has_every_value_once():
    values = np.arange(1.0, 49.0).reshape(3, 16)
    np.testing.assert_array_equal(tree_sum(jnp.asarray(values)), values.sum(axis=1))
