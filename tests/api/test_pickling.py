"""What goes to another process and comes back from it: problems, parts, results and errors, also by `spawn`."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import sgdsim
from sgdsim import classification, committee, meanfield, recovery
from sgdsim.committee import Committee, OverlapStart
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError, ExperimentError
from sgdsim.rules.schedule import Cosine, PowerSchedule
from sgdsim.systems import SYSTEMS, load_system

PROBLEM = Committee(d=20, p=2, k=1, gamma=0.5, noise=0.1)
START = OverlapStart(0.3)
TIMES = np.array([0.5, 1.0])
MATRICES = (np.eye(1), np.full((2, 1), 0.1), np.eye(2))


def sent(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize(
    "thing",
    [
        PROBLEM,
        Committee(d=20, p=2, k=1, gamma=0.5, schedule=PowerSchedule(1.0, 0.5)),
        Committee(d=20, p=2, k=1, gamma=0.5, schedule=Cosine(1.0), activation=committee.Custom(jnp.tanh)),
        Committee(d=20, p=2, k=1, gamma=0.5, activation=committee.Custom(jax.nn.gelu)),
        Committee(d=20, p=2, k=1, gamma=0.5, second=committee.SecondLayer(gamma_a=0.1)),
        Committee(d=20, p=2, k=1, gamma=0.5, inputs=committee.PowerSpectrum(0.5)),
        meanfield.MeanField(model=meanfield.tanh_model(), N=100, gamma=0.1, beta=0.5),
        recovery.Recovery(alpha=2.5, eta=0.1, b=0.2, m0=0.2, N=200),
        START,
        committee.ExplicitStart(*MATRICES),
        committee.Chain(),
        committee.ExactODE(fluctuations=True),
        committee.Chain().bind(PROBLEM, 8, 1.0),
        committee.ExactODE().bind(PROBLEM),
        Ensemble(PROBLEM, START, committee.Chain(), committee.ExactODE(), TIMES, 8, 0),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_a_part_comes_back_as_it_went(thing):
    assert pickle.dumps(sent(thing)) == pickle.dumps(sent(sent(thing)))
    assert type(sent(thing)) is type(thing)


def test_numbers_and_functions_come_back():
    problem = sent(Committee(d=20, p=2, k=1, gamma=0.5, noise=0.1, activation=committee.Custom(jnp.tanh)))
    assert (problem.d, problem.gamma, problem.noise) == (20, 0.5, 0.1)
    assert problem.activation.function is jnp.tanh
    np.testing.assert_array_equal(sent(committee.ExplicitStart(*MATRICES)).M0, MATRICES[1])


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_come_back(name):
    assert sent(load_system(name)).variables == load_system(name).variables
    assert {committee, meanfield, recovery, classification}  # imported: their plots and sections are of the system


def test_errors_come_back_with_what_they_know():
    error = sent(ArgumentError("gamma", "be > 0", -1.0, "Raise it."))
    assert str(error) == "Argument `gamma` must be > 0, but got -1.0. Raise it."
    assert (error.argument, error.must, error.got, error.remedy) == ("gamma", "be > 0", -1.0, "Raise it.")
    stuck = ArgumentError("f", "be a function of JAX", lambda: 0)
    assert str(sent(stuck)) == str(stuck)
    assert sent(ExperimentError(["a: b", "c: d"])).problems == ["a: b", "c: d"]


def test_a_function_of_jax_without_a_name_goes_its_own_way():
    with pytest.raises(TypeError, match="cannot pickle"):
        sent(jax.jit(jnp.tanh))


def task(problem, start):
    return sgdsim.simulate(problem, start, TIMES, replicas=8, compare=False)


def wrong(problem):
    return sgdsim.simulate(problem, START, [-1.0], replicas=8)


@pytest.mark.slow
def test_a_pool_of_spawned_processes():
    """Which share nothing with this one: problem and start go there, a Dataset and an error come back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(task, PROBLEM, START).result()
        with pytest.raises(ArgumentError, match="`times` must be >= 0"):
            pool.submit(wrong, PROBLEM).result()
    here = task(PROBLEM, START)
    xr.testing.assert_equal(found, here)
    assert found.attrs["start"] == here.attrs["start"]
