"""The limits of benchmark A: known answers, one solution for all N, and histograms and errors of each kind."""

import jax.numpy as jnp
import numpy as np
import pytest

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.dynamics import Sde, Sgd
from sgdsim.meanfield.limits.characteristics import fractions
from sgdsim.meanfield.limits.limit import solution, solve_limit
from sgdsim.meanfield.limits.solution import Limit
from sgdsim.meanfield.models import output_model
from sgdsim.meanfield.problem import MeanField
from tests.meanfield.by_hand import MODEL


def problem(beta: float = 0.5, N: int = 100, **keys) -> MeanField:
    return MeanField(model=MODEL, N=N, gamma=0.1, beta=beta, **keys)


def test_ode_known_answer():
    limit = solve_limit(problem(), 5.0)
    known = [0.112280, 0.208901, 0.283410, 0.337288, 0.374963, 0.400870, 0.418526, 0.430476]
    np.testing.assert_allclose(limit.m_at(5.0), known, atol=6e-7)
    np.testing.assert_allclose([limit.mean_at(5.0)[0], limit.variance_at(5.0)[0] ** 0.5], [0.46137, 0.59243], atol=6e-6)
    risks = [MODEL.data.risk(MODEL.loss, limit.m_at(t)) - MODEL.least_risk for t in (0.0, 5.0)]
    np.testing.assert_allclose(risks, [0.0148689, 0.0103964], atol=6e-8)


def test_one_solution_for_all_widths():
    assert solution(problem(N=100), 5.0) is solution(problem(N=400, beta=0.25), 5.0 - 1e-3)
    assert solution(problem(), 5.0) is not solution(problem(), 2.0)


@pytest.mark.slow
def test_particles_with_noise_of_their_own_follow_the_density():
    """SGD with a datum for each particle, at beta = 1, against Fokker-Planck: they differ by O(gamma)."""
    density, particles = (solution(problem(1.0, dynamics=d), 5.0) for d in (Sde(), Sgd("per_particle")))
    np.testing.assert_allclose(particles.limit.m_at(5.0), density.limit.m_at(5.0), atol=2e-3)
    np.testing.assert_allclose(density.limit.mean_at(5.0), 0.47413, atol=2e-5)
    edges, at = np.linspace(-4, 5, 19), np.array([1.0, 5.0])
    np.testing.assert_allclose(particles.histogram(at, edges), density.histogram(at, edges), atol=8e-3)


def test_histogram_of_characteristics_has_the_moments():
    solved = solution(problem(), 5.0)
    edges = np.linspace(-4, 5, 901)
    found, centres = solved.histogram(np.array([0.0, 5.0]), edges), (edges[1:] + edges[:-1]) / 2
    mean = found @ centres
    np.testing.assert_allclose(mean, [0.5, 0.461372], atol=1e-5)
    np.testing.assert_allclose(found @ centres**2 - mean**2, [0.25, 0.592434**2], atol=2e-5)


def test_values_between_times_and_beyond():
    bent = jnp.array([0.0, 1.0, 4.0, 9.0])[:, None]
    limit = Limit(0.5, bent, 10 + bent, 20 + bent)
    at, expected = jnp.array([0.25, 0.5, 0.75, 1.5, 7.0]), np.array([0.5, 1.0, 2.5, 9.0, 9.0])
    for more, found in enumerate((limit.m_at(at), limit.mean_at(at), limit.variance_at(at))):
        np.testing.assert_allclose(found[:, 0], 10 * more + expected)


def test_fractions_outside_the_bins_are_in_none():
    found = fractions(np.linspace(0, 1, 11)[None], np.linspace(0, 1, 11), np.array([0.5, 0.75, 2.0]))
    np.testing.assert_allclose(found, [[0.25, 0.25]])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"beta": 1.0}, "random"),
        ({"beta": 0.5, "a": 0.75}, "ntk"),
    ],
)
def test_no_limit(keys, words):
    with pytest.raises(ArgumentError, match=words):
        solve_limit(problem(**keys), 1.0)


@pytest.mark.slow
def test_symmetry_of_particles_with_three_weights():
    """The target is odd and the law symmetric: so is m(t), to the accuracy of 2^17 Sobol points."""
    limit = solve_limit(MeanField(model=output_model(), N=100, gamma=0.1, beta=0.5), 0.5)
    m = np.asarray(limit.m_at(0.5))
    np.testing.assert_allclose(m, -m[::-1], atol=1e-4)
    assert abs(m).max() > 0.03
