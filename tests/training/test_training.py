"""Training held against laws: one pass against fresh data, limits of small steps, and the contract of a system."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sgdsim.committee import Chain, Committee, ExactODE, ExplicitStart, GradientFlow, OverlapStart, SecondLayer, Weights
from sgdsim.committee.mixture import Mixture
from sgdsim.committee.system import SYSTEM
from sgdsim.committee.training import training_kernel
from sgdsim.committee.update import Update
from sgdsim.ensemble.random import replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.testing import check_system
from sgdsim.training.data import FiniteData
from sgdsim.training.optimiser import SGD, Adam, HeavyBall
from tests.compiled import advance, begin
from tests.helpers import mean_of, run
from tests.training.by_hand import gradients

START = ExplicitStart(P=[[1.0, 0.3], [0.3, 0.8]], M0=[[0.4, 0.1], [-0.2, 0.5]], Q0=[[0.9, 0.2], [0.2, 1.1]])


def problem(**more):
    return Committee(**{"d": 8, "p": 2, "k": 2, "gamma": 1.5, "noise": 0.2} | more)


@pytest.mark.parametrize(
    ("data", "batch"),
    [
        pytest.param(FiniteData(n=20), 1, id="one pass", marks=pytest.mark.slow),
        pytest.param(FiniteData(n=60), 3, id="one pass in batches", marks=pytest.mark.slow),
        pytest.param(FiniteData(n=4000, draws="replacement"), 1, id="more and more data", marks=pytest.mark.slow),
    ],
)
def test_one_pass_is_sgd_on_fresh_data_in_law(data, batch):
    """20 steps: no datum is used twice, or hardly any, so the law is that of the built-in step."""
    times, replicas = [1.25, 2.5], 1024
    fresh = run(problem(batch=batch), START, Weights(), times, replicas, seed=1)
    tiles = run(problem(batch=batch, data=data), START, Weights(), times, replicas, seed=2)
    for name in ("M", "Q", "excess_risk"):
        (mean, sem), (expected, error) = mean_of(tiles, name), mean_of(fresh, name)
        z = (mean - expected) / np.hypot(sem, error)
        assert np.abs(z).max() < 4.5, name
        assert (sem < 1.15 * error).all()
        assert (sem > error / 1.15).all()


def test_small_steps_on_all_data_follow_the_flow_of_the_empirical_risk():
    """GD at nu gamma fixed against scipy's solution for the same data: the distance falls like gamma."""
    d, n, reach = 8, 12, 48.0
    gammas, errors = [1.6, 0.8, 0.4], []
    for gamma in gammas:
        kernel = training_kernel(
            problem(d=d, gamma=gamma, data=FiniteData(n=n), batch=n), "float64", 1, 1, test_inputs=1
        )
        state = begin(kernel, START.draw(problem(), np.random.default_rng(0), 1), replica_keys(5, 0, 0, 1))
        x, y, W = (np.asarray(part)[0] for part in (state.x, state.y, state.start["W"]))
        after = np.asarray(advance(kernel, state, jnp.asarray(round(reach / gamma))).moving.parameters["W"])[0]

        def flow(_, w, x=x, y=y):
            return -gradients(w.reshape(2, d), np.ones(2), x, y)[0].ravel()

        end = solve_ivp(flow, (0, reach), W.ravel(), rtol=1e-9, atol=1e-11).y[:, -1].reshape(2, d)
        errors.append(np.linalg.norm(after - end))
    slopes = np.diff(np.log(errors)) / np.diff(np.log(gammas))
    assert abs(slopes - 1).max() < 0.1


@pytest.mark.slow
def test_small_steps_of_one_pass_follow_the_flow_of_the_population_risk():
    """Means over replicas of one pass at nu gamma fixed against the gradient flow: the distance falls like gamma."""
    gammas, replicas, found = [0.8, 0.4, 0.2], 2**15, []
    for gamma in gammas:
        net = problem(d=6, gamma=gamma, noise=0.5)
        tiles = run(net, START, Chain(precision="float64"), [2.0 / gamma], replicas, theory=GradientFlow())
        mean, sem = mean_of(tiles, "Q")
        far = (mean - tiles.theory["Q"][0])[0]
        found.append((np.trace(far), 1.5 * np.trace(sem[0])))
    far, error = np.array(found).T
    assert (far > 20 * error).all()
    slope, _ = np.polyfit(np.log(gammas), np.log(far), 1)
    assert abs(slope - 1) < 0.1


@pytest.mark.parametrize(
    "more",
    [
        {"data": FiniteData(n=10), "batch": 3},
        {"data": FiniteData(n=10), "batch": 10, "optimiser": Adam()},
        {"optimiser": HeavyBall()},
    ],
    ids=["data", "descent", "fresh"],
)
def test_the_contract_holds(more):
    second = SecondLayer(gamma_a=1.0) if "optimiser" in more else None
    check_system(SYSTEM, problem(second=second, **more), START, simulator=Weights(), compare=second is None)


def test_bits_do_not_depend_on_the_batch_of_replicas():
    """Nor on where the save times are, where data are finite."""
    net = problem(data=FiniteData(n=10), batch=3, optimiser=HeavyBall())
    whole = run(net, START, Weights(), [1.0, 2.0], 256)
    parts = run(net, START, Weights(), [2.0], 256, batch=64)
    for name in ("M", "empirical_risk"):
        np.testing.assert_array_equal(mean_of(whole, name)[0][-1], mean_of(parts, name)[0][-1])


def test_paired_cells_have_the_same_data():
    """The first risk on the data of another cell, of another step size, is the same; else it is another."""
    seen = {}
    for paired in (None, True):
        tiles = [
            run(problem(gamma=gamma, data=FiniteData(n=10)), START, Weights(paired=paired), [0.0, 0.25], 64, cell=cell)
            for cell, gamma in enumerate((1.0, 2.0))
        ]
        seen[paired] = [mean_of(one, "empirical_risk")[0][0] for one in tiles]
    assert seen[True][0] == seen[True][1]
    assert seen[None][0] != seen[None][1]


def test_theory_beside_data_is_that_of_fresh_ones():
    """An optimiser that makes another step has none, and the fluctuations are not those of finite data."""
    plain, data, sgd = problem(), problem(data=FiniteData(n=30)), problem(optimiser=SGD())
    for net in (data, sgd):
        assert ExactODE().exists(net)
        ExactODE().check(net)
        initial = jax.tree.map(lambda part: part[0], START.draw(net, np.random.default_rng(0), 1))
        curves = [ExactODE().bind(one).solve(initial, np.array([1.0, 3.0])) for one in (net, plain)]
        np.testing.assert_array_equal(curves[0]["Q"], curves[1]["Q"])
    assert any("n = 30 data" in line for line in data.cautions())
    assert not ExactODE().exists(problem(optimiser=Adam()))
    with pytest.raises(ArgumentError, match=r"`theory` must be none beside optimiser = adam"):
        ExactODE().check(problem(optimiser=Adam()))
    with pytest.raises(ArgumentError, match=r"`fluctuations` must be false beside finite data"):
        ExactODE(fluctuations=True).check(data)


def test_what_does_not_go_together_is_refused():
    for keys, argument in (
        ({"data": FiniteData(n=3), "batch": 4}, "batch"),
        ({"data": FiniteData(n=9), "update": Update(momentum=0.5)}, "update"),
        ({"optimiser": SGD(), "inputs": Mixture(separation=1.0)}, "inputs"),
        ({"optimiser": "adam"}, "optimiser"),
    ):
        with pytest.raises(ArgumentError, match=f"`{argument}` must"):
            problem(**keys)
    for keys, name in (({"data": FiniteData(n=9)}, "data"), ({"optimiser": SGD()}, "optimiser")):
        with pytest.raises(ArgumentError, match=f"`{name}` must be left out for the simulator `chain`"):
            Chain().check(problem(**keys))
        with pytest.raises(ArgumentError, match="for finite data and optimisers"):
            Weights(kernel="fused").check(problem(**keys))


def test_risk_on_few_data_falls_below_that_of_the_population():
    """GD on few data overfits: the gap grows from about nothing, and risks are those of the data."""
    net = problem(d=30, gamma=4.0, data=FiniteData(n=30), batch=30)
    tiles = run(net, OverlapStart(0.5, 1), Weights(), [0.0, 40.0], 64)
    gap, _ = mean_of(tiles, "generalisation_gap")
    risk, _ = mean_of(tiles, "empirical_risk")
    assert abs(gap[0]) < 0.05
    assert gap[1] > 0.1
    assert risk[1] < 0.5 * risk[0]
