"""Which data a step uses: fresh, shuffled or persistent; Langevin noise; and the mean-field theory of all of them."""

import numpy as np
import pytest

from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.recovery import CoarseDmft, Descent, Dmft, ExactStart, LinearRegression, Recovery, integrate
from sgdsim.recovery.selection import Fresh, Persistent, Shuffled
from tests.helpers import run
from tests.recovery.by_hand import advance, data_of, selection, started, step_by_hand

KINDS = {
    "fresh": (Fresh(), {}),
    "shuffled": (Shuffled(batches=4), {"selection": "shuffled"}),
    "persistent": (Persistent(stay=0.75), {"selection": "persistent", "persistence": 1.0}),
}
"""At b = 1/4 and eta = 1/4."""


def paths(kind, b, steps, count, rng):
    """sigma of independent data, step by step as words say it."""
    if kind == "shuffled":
        batches = round(1 / b)
        mine = np.repeat(rng.integers(batches, size=(count, -(-steps // batches))), batches, axis=1)[:, :steps]
        return (mine == np.arange(steps) % batches) / b
    s = rng.random((count, steps)) < b
    if kind == "persistent":
        for t in range(1, steps):
            s[:, t] = np.where(rng.random(count) < 0.75, s[:, t - 1], s[:, t])
    return s / b


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_are_those_of_a_single_datum(kind):
    """Lambda_R, Lambda_C and e2 by Monte Carlo of r = xi - eta K sigma r, with K and Q of the solution."""
    b, eta, T, count, rng = 0.25, 0.25, 9, 100_000, np.random.default_rng(5)
    s = integrate(1.5, eta, b, 0.4, 1.1, T - 1, selection=KINDS[kind][0], temperature=0.02)
    K, Q = s.R * s.C, 0.5 * (1 - s.m[:, None] ** 2 - s.m**2 + s.C**2)
    sigma = paths(kind, b, T, count, rng)
    values, vectors = np.linalg.eigh(Q)
    xi = rng.normal(size=(count, T)) @ (vectors * np.maximum(values, 0) ** 0.5).T
    forces = np.concatenate([xi[:, :, None], np.broadcast_to(np.eye(T), (count, T, T))], axis=2)
    r = np.zeros_like(forces)  # r itself, and its responses
    for t in range(T):
        r[:, t] = forces[:, t] - eta * np.einsum("u,pu,puf->pf", K[t, :t], sigma[:, :t], r[:, :t])
    used = sigma[:, :, None] * r

    def z(samples, expected):
        sem = samples.std(axis=0) / count**0.5
        certain = sem < 1e-12
        np.testing.assert_allclose(samples.mean(axis=0)[certain], expected[certain], rtol=0, atol=1e-12)
        return np.abs((samples.mean(axis=0) - expected)[~certain] / sem[~certain]).max()

    assert z(used[:, :, 1:], s.LR) < 4.5
    assert z(used[:, :, None, 0] * used[:, None, :, 0], s.LC) < 4.5
    assert z(r[:, :, 0] ** 2, s.e2) < 4.5


def test_a_selection_without_memory_is_fresh():
    """Theory, and to the bit the simulation."""
    fresh = integrate(2.5, 0.1, 0.2, 0.2, 1.0, 30)
    renewed = integrate(2.5, 0.1, 0.2, 0.2, 1.0, 30, selection=Persistent(stay=0.0))
    for name in ("m", "e2", "C", "R", "LC", "LR"):
        np.testing.assert_allclose(getattr(renewed, name), getattr(fresh, name), rtol=0, atol=1e-13)
    problem = {"alpha": 2.5, "eta": 0.1, "b": 0.4, "N": 20}
    ends = [
        advance(*started(Recovery(**problem, **more)), 7).x
        for more in ({}, {"selection": "persistent", "persistence": 0.1})
    ]
    np.testing.assert_array_equal(*ends)


def used_in(problem, steps, lanes=2):
    """s (steps, M, lanes) of the first steps of a run."""
    kernel, state = started(problem, lanes=lanes, rows=7)
    found = []
    for _ in range(steps):
        found.append(selection(kernel, state) > 0)
        state = advance(kernel, state, 1)
    return np.array(found)


@pytest.mark.parametrize(("branches", "alpha"), [(True, 3.1), (False, 3.2)])
def test_shuffled_data_are_used_once_in_an_epoch(branches, alpha, monkeypatch):
    """On a CPU, and as a GPU draws them, without a branch; of other data, since compiled functions are kept."""
    monkeypatch.setattr("sgdsim.recovery.selection.host_drives_loops", lambda: not branches)
    problem = Recovery(alpha=alpha, eta=0.1, b=0.25, N=11, selection="shuffled")
    epochs = used_in(problem, 12).reshape(3, 4, problem.data, 2)
    for epoch in epochs:
        assert (epoch.sum(axis=0) == 1).all()
        assert set(epoch.sum(axis=1).ravel()) == {8, 9}
    orders = epochs.argmax(axis=1)
    # Two orders agree on a quarter of the data, about.
    for one, other in ((orders[0], orders[1]), (orders[1], orders[2]), (orders[..., 0], orders[..., 1])):
        assert abs((one == other).mean() - 0.25) < 5 * (0.25 * 0.75 / one.size) ** 0.5


def test_persistent_data_stay():
    stay, b = 0.75, 0.25
    problem = Recovery(alpha=20, eta=0.25, b=b, N=30, degree=1, selection="persistent", persistence=1.0)
    used = used_in(problem, 6, lanes=4)
    samples = used[0].size
    assert abs(used[0].mean() - b) < 5 * (b * (1 - b) / samples) ** 0.5  # stationary from the start
    for since in (1, 3, 5):
        both = (used[0] & used[since]).mean()
        expected = b * (b + (1 - b) * stay**since)
        assert abs(both - expected) < 5 * (expected * (1 - expected) / samples) ** 0.5


@pytest.mark.parametrize("kind", ["shuffled", "persistent"])
def test_steps_are_those_of_explicit_loops(kind):
    problem = Recovery(alpha=2.4, eta=0.1, b=0.25, N=9, m0=0.3, C00=1.2, **KINDS[kind][1])
    kernel, state = started(problem, rows=4)
    J = data_of(kernel, state)
    for _ in range(5):
        sigma, before = selection(kernel, state), np.asarray(state.x)
        state = advance(kernel, state, 1)
        for lane in range(2):
            expected = step_by_hand(J, before[:, lane], np.asarray(state.signal[:, lane]), sigma[:, lane], 0.1, 2)
            np.testing.assert_allclose(state.x[:, lane], expected, rtol=0, atol=1e-12)


def test_langevin_noise():
    """sqrt(2 T eta) N(0, 1) beside the descent, anew in every step and lane."""
    cold, warm = (Recovery(alpha=0.1, eta=0.2, b=0.5, N=500, degree=1, temperature=T) for T in (0.0, 0.3))
    kernel, state = started(warm, lanes=4)
    kicks = []
    for _ in range(3):
        after = advance(kernel, state, 1)
        plain = advance(started(cold, lanes=4)[0], state, 1)
        kicks.append(np.asarray(after.x - plain.x) / (2 * 0.3 * 0.2) ** 0.5)
        state = after
    kicks = np.array(kicks)
    assert abs(kicks.mean()) < 5 / kicks.size**0.5
    assert abs((kicks**2).mean() - 1) < 5 * (2 / kicks.size) ** 0.5
    for one, other in ((kicks[0], kicks[1]), (kicks[..., 0], kicks[..., 1]), (kicks[:, 1:], kicks[:, :-1])):
        assert abs((one * other).mean()) < 5 / one.size**0.5


@pytest.mark.slow
def test_langevin_dynamics_of_linear_regression_ends_in_equipartition():
    """E |x - x*|^2/N = T int rho(l) 2/(2 l - eta l^2) dl: T/(alpha - 1) for small steps. By a plain sum over l."""
    alpha, eta, T = 2.5, 0.1, 0.4
    problem = Recovery(alpha=alpha, eta=eta, degree=1, temperature=T)
    low, high = (alpha**0.5 - 1) ** 2, (alpha**0.5 + 1) ** 2
    l = np.linspace(low, high, 400_001)  # noqa: E741
    rho = np.sqrt(np.maximum((high - l) * (l - low), 0)) / (2 * np.pi * l)
    expected = {
        name: T * np.trapezoid(rho * value, l)
        for name, value in (("distance", 2 / (2 * l - eta * l**2)), ("loss", 1 / (2 - eta * l)))
    }
    curve = solve_theory(problem, ExactStart(), np.array([150.0]), LinearRegression())
    for name, value in expected.items():
        assert curve[name][0] == pytest.approx(value, rel=1e-5)
    small = solve_theory(
        Recovery(alpha=alpha, eta=1e-2, degree=1, temperature=T), ExactStart(), np.array([40.0]), LinearRegression()
    )
    assert small["distance"][0] == pytest.approx(T / (alpha - 1), rel=0.03)


def test_a_coarse_memory_of_langevin_dynamics():
    problem = Recovery(alpha=1.4, eta=0.2, m0=0.1, temperature=0.05, waiting=(2.0,))
    times = np.array([3.0, 20.0])
    coarse = solve_theory(problem, ExactStart(), times, CoarseDmft(spacing=0.1))
    for name, values in solve_theory(problem, ExactStart(), times, Dmft()).items():
        np.testing.assert_allclose(coarse[name], values, rtol=0, atol=2e-7, err_msg=name)


STEPS = np.arange(1, 11)
WARM = {"temperature": 0.1, "b": 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["shuffled", "persistent", "langevin"])
def test_simulation_follows_the_theory(kind):
    """The bias goes as 1/N, with no intercept; theory of a fresh selection at temperature 0 fails."""
    from tests.recovery.test_against_theory import intercepts, worst

    more = WARM if kind == "langevin" else KINDS[kind][1] | {"b": 0.25}
    given = {"alpha": 2.5, "eta": 0.2, "m0": 0.2, "waiting": (0.6,)} | more
    found = []
    for N, replicas in {40: 2048, 120: 1024}.items():
        moments = run_moments(Recovery(N=N, **given), replicas)
        found.append((N, moments.mean, moments.sem))
    other = {key: value for key, value in given.items() if key not in ("selection", "persistence", "temperature")}
    right, wrong = (solve_theory(Recovery(**one), ExactStart(), STEPS * 0.2, Dmft()) for one in (given, other))
    assert worst(intercepts(found, right)) < 4
    assert worst(intercepts(found, wrong)) > 8


def run_moments(problem, replicas):
    from sgdsim.analysis.moments import merge

    return merge(run(problem, ExactStart(), Descent(), STEPS * problem.eta, replicas, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        KINDS["shuffled"][1],
        KINDS["persistent"][1],
        {"temperature": 0.1, "N": 31},
        KINDS["persistent"][1] | {"temperature": 0.1, "m0": 0.1},
    ],
    ids=str,
)
def test_batch_changes_no_bit(more):
    """Of 23 replicas, seven of them in the last tile: a division by 7 rounds, a product with its inverse otherwise."""
    problem = Recovery(**{"alpha": 2.5, "eta": 0.25, "b": 0.25, "N": 30} | more)
    simulator, times = Descent(lanes=8), [0.5, 1.5]
    one, other = (run(problem, ExactStart(), simulator, times, 23, 3, batch=batch) for batch in (1, None))
    for name, mean in one.mean.items():
        np.testing.assert_array_equal(mean, other.mean[name])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"b": 0.3, "selection": "shuffled"}, "1/n"),
        ({"b": 0.002, "N": 10, "selection": "shuffled"}, "<= 20 data"),
        ({"b": 5e-324, "selection": "shuffled"}, "1/n"),
        ({"selection": "persistent"}, "at least a step"),
        ({"selection": "persistent", "persistence": 0.05}, "at least a step"),
        ({"persistence": 1.0}, "selection is 'fresh'"),
        ({"temperature": -0.1}, "temperature"),
        ({"selection": "cyclic"}, "selection"),
    ],
)
def test_what_cannot_be_selected_is_refused(given, match):
    with pytest.raises(ArgumentError, match=match):
        Recovery(**{"alpha": 2.0, "eta": 0.1, "b": 0.5} | given)


def test_theories_that_do_not_close_are_refused():
    for theory, degree in ((CoarseDmft(), 2), (LinearRegression(), 1)):
        problem = Recovery(alpha=2, eta=0.1, b=0.5, degree=degree, selection="shuffled")
        with pytest.raises(ArgumentError, match="shuffled selection"):
            theory.check(problem)


@pytest.mark.slow
def test_noise_of_every_kind_finds_what_descent_does_not():
    """At alpha = 2, m0 = 0.01, as `which_noise` has it; what is found at a temperature stays warm."""
    given = {"alpha": 2.0, "eta": 0.2, "m0": 0.01, "C00": 1.0, "steps": 400}

    def end(b, **more):
        s = integrate(b=b, **given, **more)
        return 1 - 2 * abs(s.m[-1]) + s.C[-1, -1]

    assert end(1.0) > 2
    assert end(0.2) < 1e-3
    assert end(0.2, selection=Shuffled(batches=5)) < 1e-3
    assert end(0.2, selection=Persistent(stay=0.8)) < 0.2
    assert 0.1 < end(1.0, temperature=0.17) < 0.5
