"""Ensembles: bitwise the same however they are divided, honest about divergence, and each start with its own theory."""

import hashlib
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart, SphereStart, TeacherStart, Weights
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.ensemble.statistics import tile_statistics, tree_sum
from sgdsim.ensemble.times import linear_times
from sgdsim.errors import ArgumentError
from sgdsim.meanfield import LawStart, MeanField, Pair, Sde
from sgdsim.training import Adam, FiniteData, ModuleStudent
from sgdsim.training.components import Laplace
from tests.helpers import run
from tests.meanfield.test_reproducible import THREE

PROBLEM = Committee.from_scaling(d=100, k=2, p0=2, noise=0.01)
TIMES = linear_times(1.0, 4)


def identical(left, right):
    pairs = zip(left.to_arrays().items(), right.to_arrays().items(), strict=True)
    return all(a == b and np.array_equal(x, y, equal_nan=True) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize(
    ("simulator", "start", "replicas"),
    [
        (Chain(), OverlapStart(0.5, 1), 700),
        pytest.param(Weights(block=4), OverlapStart(0.5, 1), 180, marks=pytest.mark.slow),
        pytest.param(Chain(), SphereStart(1, per_replica=True), 700, marks=pytest.mark.slow),
    ],
)
def test_batch_and_division_into_blocks_change_no_bit(simulator, start, replicas):
    """Three tiles: one by one, two and one, all at once, and in two parts."""
    ensemble = Ensemble(PROBLEM, start, simulator, ExactODE(), TIMES, replicas, 3)
    whole = ensemble.run()
    assert whole.count.sum() == replicas
    assert ensemble.n_tiles == 3
    for batch in (1, 2 * ensemble.lanes):
        assert identical(run(PROBLEM, start, simulator, TIMES, replicas, 3, ExactODE(), batch=batch), whole)
    parts = [ensemble.run(range(1)), ensemble.run(range(1, 3))]
    assert identical(type(whole).concatenate(parts), whole)


def plain_tasks():
    """Matrix products, and particles."""
    wide = MeanField(model=THREE, N=50, gamma=0.1, beta=0.5, dynamics=Sde())
    return [(PROBLEM, OverlapStart(0.5, 1), Weights(block=4)), (wide, LawStart(), Pair())]


def trained_tasks():
    """Finite data of a law with an optimiser, and a module."""
    keys = {"d": 12, "p": 3, "k": 2, "gamma": 1.0, "noise": 0.1}
    data = Committee(**keys, inputs=Laplace(), data=FiniteData(n=20), batch=3, optimiser=Adam())
    module = Committee(**keys, student=ModuleStudent("attention", tokens=3))
    few = Weights(test_inputs=4)
    return [(data, OverlapStart(0.5, 1), few), (module, TeacherStart(), few)]


def digests(tasks):
    """Number of devices, and a digest of every number of some ensembles, the last tile of which is not full."""
    found = []
    for task in tasks():
        tiles = run(*task, TIMES, 1020, 3)
        data = b"".join(array.tobytes() for _, array in sorted(tiles.to_arrays().items()))
        found.append(hashlib.sha256(data).hexdigest())
    return [jax.local_device_count(), found]


SCRIPT = """
import json
from tests.ensemble import test_replicas as tests
print(json.dumps(tests.digests(tests.{tasks})))
"""


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [plain_tasks, trained_tasks])
def test_the_number_of_devices_changes_no_bit(tasks):
    """tests/run/test_resume.py has the chain, in real runs.

    The devices of this process, one for each core, against four or three. A tile alone, above, is on one device.
    """
    devices, here = digests(tasks)
    other = 4 if devices != 4 else 3
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tasks=tasks.__name__)],
        env=os.environ
        | {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={other}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [other, here]


def test_more_replicas_keep_the_old_ones():
    few = run(PROBLEM, OverlapStart(0.5, 1), Chain(), TIMES, 300, 3, ExactODE())
    many = run(PROBLEM, OverlapStart(0.5, 1), Chain(), TIMES, 700, 3, ExactODE())
    assert np.array_equal(many.sup_deviation[:300], few.sup_deviation)


def test_seeds_and_cells_are_independent():
    runs = [
        run(PROBLEM, OverlapStart(0.5, 1), Chain(), TIMES, 300, seed, ExactODE(), cell=cell)
        for seed, cell in ((0, 0), (1, 0), (0, 1))
    ]
    for i in range(3):
        for j in range(i):
            correlation = np.corrcoef(runs[i].sup_deviation, runs[j].sup_deviation)[0, 1]
            assert abs(correlation) < 5 / 300**0.5


def test_every_replica_is_compared_with_the_theory_of_its_own_start():
    """At d = 100 the starts on the sphere differ by 0.1, far more than SGD departs from its ODE until t = 0.04."""
    start = SphereStart(seed=1, per_replica=True)
    own = run(PROBLEM, start, Chain(), linear_times(0.04, 4), 300, 0, ExactODE())
    assert own.sup_deviation.max() < 0.2
    assert np.sqrt(own.m2["Q"][0, 0, 0, 1] / (own.count[0] - 1)) > 0.05
    assert abs(own.mean["Q"][0] - own.theory["Q"][0]).max() < 0.01


def test_a_diverged_replica_is_counted_and_left_out_everywhere():
    x = np.arange(12.0).reshape(3, 4)
    x[1, 2] = np.nan
    saved = {"x": jnp.asarray(x)}
    result = tile_statistics(saved, jnp.array([True, True, True, False]), {"x": jnp.zeros((3, 1))}, ("x",), ())
    assert int(result["count"]) == 2
    assert int(result["diverged"]) == 1
    np.testing.assert_array_equal(result["mean"]["x"], [0.5, 4.5, 8.5])
    np.testing.assert_array_equal(result["m2"]["x"], [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(result["sup_deviation"], [8.0, 9.0, np.nan, 11.0])
    np.testing.assert_array_equal(result["final_deviation"], [8.0, 9.0, np.nan, 11.0])


def test_the_mean_distance_at_every_time_and_the_mean_of_every_largest_distance_differ():
    """Two replicas that are far from theory at different times: 3 and 1, then 1 and 5."""
    saved = {"x": jnp.asarray([[-2.0, 2.0], [4.0, 0.0]])}
    reference = {"x": jnp.asarray([[1.0], [5.0]])}
    result = tile_statistics(saved, jnp.ones(2, bool), reference, ("x",), ())
    np.testing.assert_array_equal(result["mean"]["deviation"], [2.0, 3.0])
    np.testing.assert_array_equal(result["m2"]["deviation"], [2.0, 8.0])
    np.testing.assert_array_equal(result["sup_deviation"], [3.0, 5.0])
    np.testing.assert_array_equal(result["final_deviation"], [1.0, 5.0])


def test_without_a_theory_there_is_no_distance_from_it():
    result = tile_statistics({"x": jnp.ones((2, 2))}, jnp.ones(2, bool), None, ("x",), ())
    assert set(result["mean"]) == {"x"}
    assert np.isnan(result["sup_deviation"]).all()


def test_a_tile_of_which_all_diverge_is_empty_not_nan():
    saved = {"x": jnp.full((1, 2), jnp.inf)}
    result = tile_statistics(saved, jnp.ones(2, bool), None, ("x",), ())
    assert int(result["count"]) == 0
    assert int(result["diverged"]) == 2
    assert float(result["mean"]["x"][0]) == 0


def test_tree_sum_adds():
    values = np.random.default_rng(0).normal(size=(3, 64))
    np.testing.assert_allclose(tree_sum(jnp.asarray(values)), values.sum(axis=1), atol=1e-12)


def test_progress_counts_every_replica_step():
    told = []
    ensemble = Ensemble(PROBLEM, OverlapStart(0.5, 1), Chain(), None, TIMES, 300, 0)
    ensemble.run(progress=told.append)
    assert sum(told) == 300 * ensemble.total_steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"replicas": 0}, "`replicas` must be an integer >= 1"),
        ({"seed": -1}, "`seed` must be an integer >= 0"),
        ({"batch": 0}, "`batch` must be an integer >= 1"),
        ({"times": np.array([1.0, 0.5])}, "`times` must be finite and strictly increasing"),
        ({"times": np.array([-0.1, 0.5])}, "`times` must be >= 0"),
        ({"times": np.array([0.001])}, "reach at least one step"),
    ],
)
def test_bad_arguments(change, message):
    good = {"replicas": 8, "seed": 0, "times": TIMES, "batch": None}
    with pytest.raises(ArgumentError, match=message):
        Ensemble(PROBLEM, OverlapStart(0.5, 1), Chain(), None, **(good | change))


@pytest.mark.parametrize(("p", "times"), [(2, TIMES), pytest.param(20, linear_times(0.2, 2), marks=pytest.mark.slow)])
def test_one_compilation_serves_an_axis_of_the_grid(p, times):
    """d, noise, gamma and delta are traced: nine problems, one program (unrolled and blocked chain)."""
    from sgdsim.ensemble.devices import tile_mesh
    from sgdsim.ensemble.propagate import make_propagator

    programs = make_propagator(tile_mesh(1)[0], small_products=p > 16)
    run(Committee.from_scaling(d=100, k=2, p0=p, noise=0.01), OverlapStart(0.5, 1), Chain(), times, 8)
    before = programs._cache_size()
    for d in (200, 500, 900):
        for noise, delta in ((0.0, 0.0), (0.5, 0.1), (0.1, -0.1)):
            run(Committee.from_scaling(d=d, k=2, p0=p, noise=noise, delta=delta), OverlapStart(), Chain(), times, 8)
    assert programs._cache_size() == before


def test_a_problem_too_large_for_the_device_is_refused_with_its_size():
    problem = Committee(d=10**8, p=1000, k=2, gamma=1.0)
    with pytest.raises(ArgumentError, match=r"hold 1 replica at once on a device of [\d.]+ GiB, but got .* GiB"):
        Ensemble(problem, OverlapStart(0.5, 1), Weights(), None, np.array([1e-7]), 1, 0).check_memory()
