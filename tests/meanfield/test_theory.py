"""The theories' curves, and where they are refused; the lazy limit against the matrix exponential."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from sgdsim.ensemble.theory import solve_theory
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.ntk import law_nodes, tangent_kernel
from sgdsim.meanfield.models import output_model, radial_model
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.starts import ExplicitStart, Given, LawStart
from sgdsim.meanfield.theory import MeanFieldLimit, NtkLimit
from tests.meanfield.by_hand import MODEL

TIMES = np.array([1.0, 5.0])


def problem(beta: float = 0.5, a: float = 1.0, model=MODEL, **keys) -> MeanField:
    return MeanField(model=model, N=20, gamma=0.1, beta=beta, a=a, **keys)


def test_curve_of_the_limit():
    found = solve_theory(problem(bins=10), LawStart(), TIMES, MeanFieldLimit())
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {"excess_risk": (2,), "m": (2, 8), "mean": (2, 1), "variance": (2, 1), "histogram": (2, 10)}
    np.testing.assert_allclose(found["excess_risk"][1], 0.0103964, atol=6e-8)


@pytest.mark.slow
def test_lazy_curve_is_the_matrix_exponential():
    """With a squared loss c = p (m - g): m = (1 - exp(-K diag(p) t)) g."""
    model = output_model()
    found = solve_theory(problem(a=0.75, model=model, bins=4), LawStart(), TIMES, NtkLimit())
    # A sum over a fine grid of (b, c), with E a^2 = 1: exact to rounding for a smooth integrand.
    grid = np.arange(-8, 8.01, 0.08)
    b, c = (part.ravel()[:, None] for part in np.meshgrid(grid, grid))
    x, weight = np.asarray(model.data.points)[:, 0], np.exp(-(b**2 + c**2) / 2)
    t = np.tanh(b * x + c)
    rest, weight = 1 - t**2, weight / weight.sum()
    K = t.T @ (weight * t) + rest.T @ (weight * rest) * (1 + np.outer(x, x))
    np.testing.assert_allclose(tangent_kernel(model, *law_nodes(model)), K, atol=1e-3 * np.abs(K).max())
    exact = np.asarray(tangent_kernel(model, *law_nodes(model)))
    p = np.asarray(model.data.weights).sum(axis=1)
    g = np.asarray(model.data.labels).mean(axis=1)
    for time, m in zip(TIMES, found["m"], strict=True):
        np.testing.assert_allclose(m, g - expm(-exact * p[None, :] * time) @ g, atol=1e-5)
    np.testing.assert_allclose(found["variance"], 1, atol=1e-3)
    np.testing.assert_allclose(found["histogram"][0], found["histogram"][1])


def test_the_cells_of_one_model_are_checked_once(monkeypatch):
    """And another model, equal to it, anew: nothing says that two are equal."""
    checked = []

    def noted(model):
        checked.append(model)
        return law_nodes(model)

    monkeypatch.setattr("sgdsim.meanfield.limits.ntk.law_nodes", noted)
    model, other = output_model(), output_model()
    for one in (model, model, other):
        for N in (20, 40):
            NtkLimit().check(dataclasses.replace(problem(a=0.75, model=one), N=N))
    assert [one is model for one in checked] == [True, False]


def test_where_theories_exist():
    limit, ntk = MeanFieldLimit(), NtkLimit()
    problems = (problem(), problem(1.0), problem(a=0.75), problem(a=0.5), problem(model=radial_model(10)))
    assert [limit.exists(one) for one in problems] == [True, False, False, False, True]
    assert [ntk.exists(one) for one in problems] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("theory", "given", "words"),
    [
        (MeanFieldLimit(), problem(1.0), "random"),
        (NtkLimit(), problem(), "above 1/2"),
        (NtkLimit(), problem(1.0, 0.75), "deterministic"),
        (NtkLimit(), problem(a=0.75), "E F = 0"),
    ],
)
def test_refusals(theory, given, words):
    with pytest.raises(ArgumentError, match=words):
        theory.check(given)


def test_given_particles_have_no_limit():
    with pytest.raises(ArgumentError, match="model's law"):
        MeanFieldLimit().check_start(problem(), ExplicitStart(((0.0,),) * 20))
    with pytest.raises(ArgumentError, match="shared"):
        MeanFieldLimit().bind(problem())(Given(None), jnp.asarray(TIMES))
