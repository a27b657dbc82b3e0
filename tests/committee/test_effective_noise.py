"""The effective noise of a step, measured: against a step by hand, the theory of one step, and along trajectories."""

from dataclasses import replace
from math import erf

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sgdsim
from sgdsim.committee import Chain, Committee, ExactODE, OverlapStart, SecondLayer, Weights, measure_noise
from sgdsim.committee.effective_noise import step_changes
from sgdsim.committee.rule_of import rule_of
from sgdsim.committee.system import SYSTEM
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.ensemble.random import block_normals, fold, replica_keys
from sgdsim.ensemble.replicas import Ensemble
from sgdsim.errors import ArgumentError
from sgdsim.rules.entries import independent
from sgdsim.testing import check_system

PROBLEM = Committee(d=300, p=3, k=2, gamma=2.0, noise=0.1, batch=2)
START = OverlapStart(0.4, 1)
NAMES = ("drift", "noise_covariance", "noise_trace")


def weights(problem):
    """W and W* of given overlaps, of unequal units."""
    initial = START.draw(problem, np.random.default_rng(0), 1)
    return initial, *(np.asarray(part)[0] for part in initial.frame_weights(problem.d)[::-1])


def overlaps(W, teacher, d):
    return independent(W @ teacher.T / d, W @ W.T / d)


@pytest.mark.slow
def test_what_fresh_batches_add_is_a_step_of_sgd_by_hand():
    problem = replace(PROBLEM, d=40)
    _, W, teacher = weights(problem)
    keys = replica_keys(7, 0, 0, 2)
    both = (np.stack([W, 1.3 * W]), np.stack([teacher, teacher]))
    found = np.asarray(step_changes(rule_of(problem), *map(jnp.asarray, both), (keys[0], keys[1]), 2, 3))
    sigma = np.vectorize(lambda field: erf(field / 2**0.5))
    for draw in range(3):
        drawn = np.asarray(block_normals(fold((keys[0], keys[1]), draw), 2 * 41, jnp.float64))
        for lane in range(2):
            W, teacher = both[0][lane], both[1][lane]
            x, zeta = drawn[lane, :80].reshape(2, 40), drawn[lane, 80:]
            fields, wanted = x @ W.T / 40**0.5, x @ teacher.T / 40**0.5
            error = sigma(wanted).mean(1) + 0.1**0.5 * zeta - sigma(fields).mean(1)
            slope = (2 / np.pi) ** 0.5 * np.exp(-(fields**2) / 2)
            after = W + 2.0 / (3 * 40**0.5) * ((slope * error[:, None]).T @ x) / 2
            expected = overlaps(after, teacher, 40) - overlaps(W, teacher, 40)
            np.testing.assert_allclose(found[draw, lane], expected, rtol=1e-9, atol=1e-14)


def test_drift_and_covariance_are_those_of_theory_and_no_others():
    """At given weights, entry by entry; a tenth more of either is seen. Constants are held exactly above."""
    problem = replace(PROBLEM, d=100, batch=1)
    initial, W, teacher = weights(problem)
    found = measure_noise(problem, W, teacher, 2**14)
    P, M, Q = (jnp.asarray(part[0]) for part in (initial.P, initial.M, initial.Q))
    curve = ExactODE().bind(problem)
    drift = np.asarray(jax.jit(lambda P, M, Q: independent(*curve.step_velocity(P, M, Q)))(P, M, Q))
    noise = StepCovariance.of(problem)
    covariance = np.asarray(jax.jit(lambda P, M, Q: noise(P, M, Q))(P, M, Q))
    assert np.abs((found.drift - drift) / found.drift_sem).max() < 5
    z = [(found.covariance - factor * covariance) / found.covariance_sem for factor in (1.0, 1.1)]
    assert np.abs(z[0]).max() < 5 < np.abs(z[1]).max()
    assert np.abs((found.drift - 1.1 * drift) / found.drift_sem).max() > 5


@pytest.fixture(scope="module")
def measured():
    """Two draws a replica, where a covariance about their own mean is off by a factor of two without its divisor."""
    return sgdsim.simulate(
        replace(PROBLEM, noise_draws=2), START, [0.5, 1.5], replicas=128, simulator=Weights("float64"), progress=False
    )


@pytest.mark.slow
def test_along_trajectories_theory_has_them_too(measured):
    n = 3 * 2 + 6
    assert measured.noise_covariance.shape == (2, n, n)
    for name in NAMES:
        z = (measured[name] - measured[f"{name}_theory"]) / measured[f"{name}_sem"]
        assert np.abs(z).max() < 5
    trace = np.einsum("taa->t", measured.noise_covariance.to_numpy())
    np.testing.assert_allclose(measured.noise_trace, trace, rtol=1e-12)


def test_a_trajectory_keeps_its_bits(measured):
    plain = sgdsim.simulate(PROBLEM, START, [0.5, 1.5], replicas=128, simulator=Weights("float64"), progress=False)
    for name in ("M", "Q", "excess_risk", "M_std", "sup_deviation", "M_theory"):
        np.testing.assert_array_equal(plain[name], measured[name])
    assert not set(NAMES) & set(plain)


def test_the_laws_of_a_kernel_hold():
    problem = replace(PROBLEM, d=40, noise_draws=3)
    check_system(SYSTEM, problem, START, simulator=Weights("float64"), compare=False, replicas=4)


def test_what_is_refused_and_what_it_costs():
    asked = replace(PROBLEM, noise_draws=1000)
    with pytest.raises(ArgumentError, match="take the simulator `weights`"):
        Chain().check(asked)
    with pytest.raises(ArgumentError, match="`noise_draws` must be left out beside gamma_a"):
        Committee(d=100, p=2, k=2, gamma=1.0, noise_draws=8, second=SecondLayer(gamma_a=0.1))
    with pytest.raises(ArgumentError, match="more than 400 entries"):
        Committee(d=100, p=24, k=8, gamma=1.0, noise_draws=8)
    with pytest.raises(ArgumentError, match=r"where d < k \+ p"):
        Committee(d=4, p=3, k=2, gamma=1.0, noise_draws=8)
    with pytest.raises(ArgumentError, match=r"`noise_draws` must"):
        Committee(d=100, p=2, k=2, gamma=1.0, noise_draws=1)
    _, W, teacher = weights(PROBLEM)
    for change, argument in (({"W": W[:2]}, "W"), ({"teacher": W}, "teacher"), ({"draws": 1}, "draws")):
        with pytest.raises(ArgumentError) as caught:
            measure_noise(**{"problem": PROBLEM, "W": W, "teacher": teacher, "draws": 8} | change)
        assert caught.value.argument == argument
    plain, more = (
        Ensemble(problem, START, Weights(), None, np.array([0.1, 0.2]), 8, 0).tile_seconds
        for problem in (PROBLEM, asked)
    )
    assert more > 10 * plain  # 2000 draws beside 60 steps
