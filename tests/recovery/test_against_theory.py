"""Descent against the theories: the bias is c0 + c1/N with c0 = 0, for every observable at every step."""

from functools import cache

import numpy as np
import pytest

from sgdsim.analysis.bias import fit_bias
from sgdsim.analysis.moments import merge
from sgdsim.ensemble.theory import solve_theory
from sgdsim.recovery import Descent, Dmft, ExactStart, LinearRegression, Recovery
from tests.helpers import run

STEPS = np.arange(1, 11)
QUADRATIC = {40: 2048, 120: 1024}
LINEAR = {60: 3072, 200: 1536}
"""Replicas at each N."""


def problem_of(N, alpha, eta, b, degree):
    return Recovery(alpha=alpha, eta=eta, b=b, N=N, degree=degree, m0=0.2, waiting=(3 * eta,))


@cache
def simulated(alpha, eta, b, degree, response):
    """Mean and standard error of every observable at each N."""
    found = []
    for N, replicas in (QUADRATIC if degree == 2 else LINEAR).items():
        problem = problem_of(N, alpha, eta, b, degree)
        # In degree 1 a tile is one replica: without a batch of its own it would be many calls of little work.
        options = {"batch": None if degree == 2 else 512}
        tiles = run(problem, ExactStart(), Descent(response=response), STEPS * eta, replicas, seed=1, **options)
        moments = merge(tiles)
        # Small batches at a large step size blow up once in a thousand runs of N = 50.
        assert moments.diverged <= replicas / 500
        found.append((N, moments.mean, moments.sem))
    return found


def intercepts(found, theory):
    """c0 over its standard error, of each observable and step that fluctuates."""
    scores = {}
    for name, curve in theory.items():
        if name not in found[0][1]:
            continue
        points = [(N, mean[name] - curve, sem[name]) for N, mean, sem in found]
        z = []
        for index in np.ndindex(curve.shape):
            sem = [error[index] for _, _, error in points]
            if min(sem) > 1e-6:
                fit = fit_bias([N for N, _, _ in points], [difference[index] for _, difference, _ in points], sem)
                z.append(fit.intercept / fit.intercept_error)
        scores[name] = np.array(z)
    return scores


def worst(scores):
    return max(np.abs(z).max() for z in scores.values())


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "b", "eta"), [(2.5, 1.0, 0.2), (2.5, 0.2, 0.1), (1.5, 0.5, 0.1)])
def test_mean_field_theory(alpha, b, eta):
    """A theory without the noise of SGD, of strength eta^2 (1/b - 1), fails. At 2.5 the response is measured too."""
    found = simulated(alpha, eta, b, 2, alpha == 2.5)
    theories = {
        kept: solve_theory(problem_of(200, alpha, eta, kept, 2), ExactStart(), STEPS * eta, Dmft()) for kept in (b, 1.0)
    }
    scores = intercepts(found, theories[b])
    expected = {"distance", "loss", "m", "C", "C_start", "C_waiting"}
    expected |= {"R_start", "R_waiting", "chi_waiting"} if alpha == 2.5 else set()
    assert scores.keys() == expected
    assert min(len(z) for z in scores.values()) >= 6  # R(t,t_w) is 1 exactly in its first step
    assert worst(scores) < 4, scores
    if b < 1:
        assert worst(intercepts(found, theories[1.0])) > (10 if b == 0.2 else 5)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "b"), [(2.0, 0.3), (0.5, 1.0)])
def test_linear_regression(alpha, b):
    found = simulated(alpha, 0.1, b, 1, False)
    theories = {
        kept: solve_theory(problem_of(200, alpha, 0.1, kept, 1), ExactStart(), STEPS * 0.1, LinearRegression())
        for kept in (b, 1.0)
    }
    assert worst(intercepts(found, theories[b])) < 4
    if b < 1:
        assert worst(intercepts(found, theories[1.0])) > 10
