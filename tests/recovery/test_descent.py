"""The descent: against loops in NumPy, exact starts, honest data and selection, and the same bits however it runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgdsim.ensemble.random import replica_keys
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError
from sgdsim.recovery.descent import Descent
from sgdsim.recovery.descent_kernel import DescentKernel
from sgdsim.recovery.problem import Recovery
from sgdsim.recovery.starts import ExactStart, SignalOverlaps, exact_start, random_frame
from tests.helpers import run
from tests.recovery.by_hand import advance, data_of, fields, observe, pair, selection, started, step_by_hand


@pytest.mark.parametrize(
    ("degree", "b", "eta", "N"),
    [
        (1, 0.4, 0.25, 9),
        pytest.param(2, 1.0, 0.1, 9, marks=pytest.mark.slow),
        (2, 0.4, 0.25, 10),
        pytest.param(2, 0.7, 0.1, 2, marks=pytest.mark.slow),
        (2, 0.5, 0.3, 3),
    ],
)
def test_steps_are_those_of_explicit_loops(degree, b, eta, N):
    problem = Recovery(alpha=2.5, eta=eta, b=b, N=N, degree=degree, m0=0.3, C00=1.2)
    kernel, state = started(problem, rows=4)
    assert state.J[0].shape[0] > 1
    J = data_of(kernel, state)
    assert J.shape == (problem.data, N if degree == 1 else N * (N - 1) // 2)
    for _ in range(3):
        sigma, before = selection(kernel, state), np.asarray(state.x)
        state = advance(kernel, state, 1)
        for lane in range(2):
            signal = np.asarray(state.signal[:, lane])
            expected = step_by_hand(J, before[:, lane], signal, sigma[:, lane], eta, degree)
            np.testing.assert_allclose(state.x[:, lane], expected, rtol=0, atol=1e-12)
    assert int(state.step) == 3


@pytest.mark.parametrize("N", [2, 3, 8, 9])
def test_every_pair_has_one_number(N):
    pairs = {frozenset(pair(N, e)) for e in range(N * (N - 1) // 2)}
    assert len(pairs) == N * (N - 1) // 2
    assert all(len(both) == 2 for both in pairs)


@pytest.mark.parametrize("degree", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_observables_by_hand(degree):
    problem = Recovery(alpha=2, eta=0.1, b=0.5, N=11, degree=degree, m0=-0.3, waiting=(0.2, 0.5))
    kernel, state = started(problem, rows=5)
    paths = [np.asarray(state.x)]
    for _ in range(4):
        state = advance(kernel, state, 1)
        paths.append(np.asarray(state.x))
    seen, J = observe(kernel, state), data_of(kernel, state)
    for lane in range(2):
        x, signal, N = paths[4][:, lane], np.asarray(state.signal[:, lane]), 11
        r = fields(J, x, degree) - fields(J, signal, degree)
        m, C = x @ signal / N, x @ x / N
        expected = {
            "distance": 1 - 2 * (abs(m) if degree == 2 else m) + C,
            "loss": r @ r / 2 / N,
            "m": m,
            "C": C,
            "C_start": x @ paths[0][:, lane] / N,
            "C_waiting": [x @ paths[2][:, lane] / N, C],
        }
        assert set(seen) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(seen[name][..., lane], value, rtol=1e-12, err_msg=name)


frames, started_at = jax.jit(random_frame, static_argnums=(1, 2)), jax.jit(exact_start)


@settings(max_examples=20)
@given(
    N=st.sampled_from([2, 3, 40]),
    cosine=st.floats(-1, 1),
    C00=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**32),
)
def test_starts_have_exactly_the_overlaps(N, cosine, C00, seed):
    m0 = cosine * C00**0.5
    m0 = m0 if m0**2 <= C00 else 0.0
    start = ExactStart().draw(Recovery(alpha=2, eta=0.1, m0=m0, C00=C00, N=N), np.random.default_rng(), 3)
    keys = replica_keys(seed, 0, 0, 3)
    frame = np.asarray(frames((keys[0], keys[1]), N, min(N, 3)))
    gram = np.einsum("ail,bil->abl", frame, frame) / N
    np.testing.assert_allclose(gram, np.repeat(np.eye(len(frame))[:, :, None], 3, axis=2), atol=1e-13)
    x = np.asarray(started_at(SignalOverlaps(m=jnp.asarray(start.m), C=jnp.asarray(start.C)), frame[0], frame[1]))
    np.testing.assert_allclose((x * frame[0]).sum(0) / N, m0, atol=1e-12 * max(1, C00**0.5))
    np.testing.assert_allclose((x * x).sum(0) / N, C00, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-14), ("float32", 2e-7)])
def test_a_tile_begins_with_the_overlaps(dtype, error):
    kernel, state = started(Recovery(alpha=2, eta=0.1, m0=0.37, C00=0.8, N=30), dtype, lanes=4)
    seen = observe(kernel, state)
    for name, value in {"m": 0.37, "C": 0.8, "C_start": 0.8, "distance": 1 - 0.74 + 0.8}.items():
        np.testing.assert_allclose(seen[name], np.full(4, value), rtol=0, atol=error)
    assert state.x.dtype == dtype


def test_signals_are_uniform_and_independent():
    """Each coordinate has mean 0 and variance 1, and so does u's; lanes and cells of other keys differ."""
    keys = replica_keys(0, 0, 0, 4096)
    frame = np.asarray(random_frame((keys[0], keys[1]), 8, 2))
    assert abs(frame.mean(axis=2)).max() < 5 / 64
    assert abs((frame**2).mean(axis=2) - 1).max() < 5 * 2**0.5 / 64
    assert abs((frame[:, :-1] * frame[:, 1:]).mean(axis=2)).max() < 5 / 64


@pytest.mark.parametrize(("degree", "N"), [(1, 401), (2, 60)])
def test_data_are_standard_normals(degree, N):
    kernel, state = started(Recovery(alpha=3, eta=0.1, N=N, degree=degree), "float32", rows=50)
    J = data_of(kernel, state).astype(float)
    assert len(np.unique(J)) > 0.99 * J.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((J**power).mean() - moment) < 5 * (variance / J.size) ** 0.5
    for shifted in (J[1:] * J[:-1], J[:, 1:] * J[:, :-1]):
        assert abs(shifted.mean()) < 5 / shifted.size**0.5
    if degree == 2:
        h = fields(J, np.asarray(state.signal[:, 0], float), 2)
        assert abs(h.var() - (1 - 1 / N) / 2) < 5 * (0.5 / len(h)) ** 0.5


@pytest.mark.parametrize(
    ("degree", "N", "dtype"), [pytest.param(1, 31, "float64", marks=pytest.mark.slow), (2, 24, "float32")]
)
def test_stored_and_drawn_data_are_the_same_bits(degree, N, dtype):
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, N=N, degree=degree)
    ends = []
    for stored in (True, False):
        kernel, state = started(problem, dtype, lanes=4, stored=stored, rows=7)
        assert (state.J is not None) == stored
        state = advance(kernel, state, 12)
        ends.append((state.x, observe(kernel, state)["loss"]))
    for kept, drawn in zip(*ends, strict=True):
        np.testing.assert_array_equal(kept, drawn)


@pytest.mark.slow
def test_the_size_of_a_block_changes_rounding_only():
    problem = Recovery(alpha=2.5, eta=0.1, b=0.5, N=24)
    ends = [advance(*started(problem, rows=rows), 10).x for rows in (7, 60)]
    np.testing.assert_allclose(*ends, rtol=0, atol=1e-12)


PAIRED = {"alpha": 2.5, "N": 30, "waiting": (0.4,)}
SHARING = Descent(stored=True, lanes=8, response=True)
"""One compiled program serves all tests with these, three save times and 20 replicas."""


@pytest.mark.parametrize(("degree", "stored"), [pytest.param(1, False, marks=pytest.mark.slow), (2, True)])
def test_batch_and_division_into_blocks_change_no_bit(degree, stored):
    problem = Recovery(**PAIRED, eta=0.1, b=0.5, degree=degree)
    simulator, times = Descent(stored=stored, lanes=8, response=stored), [0.3, 0.5, 1.2]
    whole = run(problem, ExactStart(), simulator, times, 20, 3)
    assert whole.count.tolist() == [8, 8, 4]
    assert identical(run(problem, ExactStart(), simulator, times, 20, 3, batch=1), whole)
    ensemble = Ensemble(problem, ExactStart(), simulator, None, np.array(times), 20, 3)
    parts = [ensemble.run(range(1)), ensemble.run(range(1, 3))]
    assert identical(type(whole).concatenate(parts), whole)


def test_cells_of_a_grid_are_paired():
    """The same problem in two cells is the same run; with another b, the difference of m scatters less than m does."""
    task = (ExactStart(), SHARING, [0.3, 0.5, 1.2], 20, 3)
    problem, other = (Recovery(**PAIRED, eta=0.1, b=b) for b in (0.9, 0.8))
    first, second, third = (run(at, *task, cell=cell) for at, cell in ((problem, 0), (problem, 1), (other, 2)))
    assert identical(first, second)
    apart = (first.mean["m"] - third.mean["m"])[:2]  # the two full tiles
    assert 0 < np.abs(apart).max() < 0.5 * np.abs(np.diff(first.mean["m"][:2], axis=0)).max()


def identical(left, right):
    pairs = zip(left.to_arrays().items(), right.to_arrays().items(), strict=True)
    return all(a == b and np.array_equal(x, y, equal_nan=True) for (a, x), (b, y) in pairs)


def test_a_trajectory_may_be_interrupted_anywhere():
    kernel, state = started(Recovery(alpha=2.5, eta=0.1, b=0.5, N=20, waiting=(0.3,)), "float32", response=True)
    at_once = advance(kernel, state, 9)
    in_parts = advance(kernel, advance(kernel, advance(kernel, state, 2), 0), 7)
    for left, right in zip(jax.tree.leaves(at_once), jax.tree.leaves(in_parts), strict=True):
        np.testing.assert_array_equal(left, right)


def test_cells_that_differ_in_b_eta_or_start_share_data_and_signal():
    """What is paired drops out of differences; another N or alpha has data of its own."""
    base = {"alpha": 2.5, "eta": 0.1, "b": 1.0, "N": 20}
    _, state = started(Recovery(**base))
    for change in ({"b": 0.2}, {"eta": 0.3}, {"m0": 0.5}, {"C00": 2.0}):
        _, other = started(Recovery(**(base | change)))
        np.testing.assert_array_equal(state.J[0], other.J[0])
        np.testing.assert_array_equal(state.signal, other.signal)
    _, longer = started(Recovery(**(base | {"alpha": 3.0})))
    assert (state.J[0][0] != longer.J[0][0, : state.J[0].shape[1]]).all()


def test_the_data_used_for_b_are_among_those_used_for_larger_b():
    used = {}
    for b in (0.2, 0.5, 1.0):
        kernel, state = started(Recovery(alpha=200, eta=0.1, b=b, N=20, degree=1))
        sigma = selection(kernel, state)
        assert set(np.unique(sigma)) <= {0.0, 1 / b}
        used[b] = sigma > 0
        assert abs(used[b].mean() - b) < 5 * (b * (1 - b) / sigma.size) ** 0.5 + 1e-15
    assert used[1.0].all()
    assert not (used[0.2] & ~used[0.5]).any()


def test_a_selected_datum_weighs_one_over_b():
    kernel, state = started(Recovery(alpha=2.5, eta=0.1, b=0.4, N=20))
    assert np.unique(selection(kernel, state)).tolist() == [0, 2.5]


def test_selections_of_steps_lanes_and_data_are_independent():
    kernel, state = started(Recovery(alpha=200, eta=1e-9, b=0.3, N=20, degree=1))
    first, second = selection(kernel, state), selection(kernel, advance(kernel, state, 1))
    for left, right in ((first, second), (first[:, 0], first[:, 1]), (first[1:], first[:-1])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 5 / left.size**0.5


def test_gradient_descent_uses_all_data_and_lowers_the_loss():
    """b = 1 is exact: the same step as with sigma = 1, to the last bit, whatever the key of the selection."""
    kernel, state = started(Recovery(alpha=2.5, eta=0.02, b=1.0, N=24), rows=60)
    assert (selection(kernel, state) == 1).all()
    losses = []
    for _ in range(30):
        losses.append(observe(kernel, state)["loss"])
        state = advance(kernel, state, 1)
    assert (np.diff(losses, axis=0) < 0).all()


def test_the_signal_is_a_fixed_point_of_sgd():
    problem = Recovery(alpha=2.5, eta=0.1, b=0.3, N=20, m0=1.0, C00=1.0, waiting=(0.3,))
    kernel, state = started(problem, "float32", response=True)
    after = advance(kernel, state, 20)
    np.testing.assert_array_equal(after.x, state.signal)
    assert float(observe(kernel, after)["loss"].max()) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "b"), [(2, 1.0), (2, 0.2), (1, 1.0)])
def test_error_bars_that_take_replicas_as_independent_are_honest(degree, b):
    """Means of tiles scatter as those of independent replicas do, within 4 standard errors of a variance.

    For degree 1 they do not, which shows that the test can see it; so by default no replica shares its data.
    """
    problem = Recovery(alpha=2.5, eta=0.1, b=b, N=48, degree=degree)
    simulator = Descent(lanes=32) if degree == 1 else Descent()
    tiles = run(problem, ExactStart(), simulator, [0.1, 0.5, 2.0], 128 * simulator.most_lanes(problem))
    lanes = tiles.count[0]
    ratios = {
        name: tiles.mean[name].var(axis=0, ddof=1) / (tiles.m2[name].sum(axis=0) / 128 / (lanes - 1) / lanes)
        for name in ("m", "C", "C_start", "loss", "distance")
    }
    worst = max(float(ratio.max()) for ratio in ratios.values())
    if degree == 2:
        assert worst < 1.2 + 4 * (2 / 127) ** 0.5
    else:
        assert worst > 1.2 + 4 * (2 / 127) ** 0.5
        assert Descent().most_lanes(problem) == 1


def test_runs_that_blow_up_are_counted_and_in_no_average():
    steep, fine = (
        run(Recovery(**PAIRED, eta=eta, b=0.2, C00=C00), ExactStart(), SHARING, np.array([1, 2, 20]) * eta, 20)
        for eta, C00 in ((1.2, 3.0), (0.02, 1.0))
    )
    assert steep.diverged.sum() == 20
    assert all((value == 0).all() for value in steep.mean.values())
    assert fine.diverged.sum() == 0


@pytest.mark.parametrize(
    ("degree", "N", "replicas", "lanes"),
    [(2, 200, 100, 32), (2, 50, 100, 16), (2, 200, 5, 8), (2, 2, 100, 1), (1, 200, 100, 1)],
)
def test_replicas_that_share_data(degree, N, replicas, lanes):
    assert Descent().bind(Recovery(alpha=2, eta=0.1, N=N, degree=degree), replicas, 1.0).lanes == lanes


def test_memory_and_work_are_those_of_the_data():
    """4.6 GB at N = 1000, alpha = 2.3; a step is two products with J."""
    problem = Recovery(alpha=2.3, eta=0.1, N=1000)
    size = 2300 * 1000 * 999 / 2
    assert 32 * Descent(stored=True).bytes_per_replica(problem) == pytest.approx(4 * size, rel=0.15)
    assert 32 * Descent(stored=False).bytes_per_replica(problem) < 0.15 * 4 * size
    assert Descent(stored=True).step_cost(problem).products == pytest.approx(4 * size)
    assert Descent(stored=True, response=True).step_cost(problem).products == pytest.approx(8 * size)
    assert Descent(stored=True).step_cost(problem).operations == 0
    assert Descent(stored=False).step_cost(problem).operations == pytest.approx(30 * size / 32)
    assert Descent(stored=True).observe_cost(problem).products == pytest.approx(2 * size)


def test_a_replica_with_data_of_its_own_costs_more():
    """Of degree 1, where no other vector shares what is read; blocks of a run are cut as ever."""
    problem = Recovery(alpha=2.0, eta=0.1, N=400, degree=1)
    alone, shared = Descent(), Descent(lanes=8)
    assert alone.step_cost(problem).products == 3.5 * shared.step_cost(problem).products
    assert alone.portable_cost(problem) == shared.portable_cost(problem)
    assert alone.observe_cost(problem).products == 3.5 * 2 * 800 * 400


def test_small_data_are_kept_and_huge_ones_are_not():
    assert Descent().keeps(Recovery(alpha=2, eta=0.1, N=100))
    assert not Descent().keeps(Recovery(alpha=4, eta=0.1, N=10_000))
    kernel = Descent().bind(Recovery(alpha=4, eta=0.1, N=10_000), 32, 1.0)
    assert isinstance(kernel, DescentKernel)
    assert not kernel.stored


def test_what_the_simulator_cannot_do_is_refused():
    with pytest.raises(ArgumentError, match="`lanes` must be a power of two"):
        Descent(lanes=12).check(Recovery(alpha=2, eta=0.1))
    with pytest.raises(ArgumentError, match="`N` must be >= 3"):
        Descent(response=True).check(Recovery(alpha=2, eta=0.1, N=2))


def test_runs_that_have_found_the_signal_are_counted():
    """From near the signal and from far, by its distance; nothing is said of it without a level."""
    rates = {}
    for m0, C00 in ((0.99, 1.0), (0.1, 1.0)):
        problem = Recovery(alpha=2.5, eta=0.1, N=20, m0=m0, C00=C00)
        moments = run(problem, ExactStart(), Descent(lanes=4, recovered_below=0.1), [0.1], 8, 3)
        assert np.array_equal(moments.mean["recovered"], moments.mean["distance"] < 0.1)
        rates[m0] = moments.mean["recovered"].mean()
    assert rates == {0.99: 1.0, 0.1: 0.0}
    assert "recovered" not in run(problem, ExactStart(), Descent(lanes=4), [0.1], 8, 3).mean


@pytest.mark.parametrize("waiting", [(1e300,), (0.5, 2.0**53), (0.5, float("inf")), (0.5, 0.5), (-1.0,)])
def test_waiting_times_that_cannot_be_are_refused(waiting):
    """One of more steps than an integer holds was taken for a negative one, and seen as the start."""
    with pytest.raises(ArgumentError, match=r"`waiting` must be (at most 2|finite, > 0 and increasing)"):
        Recovery(alpha=2.5, eta=0.1, b=0.5, waiting=waiting)
