"""The ODE at finite d tends to the leading ODE of its region, at the rate of the term that vanishes."""

from itertools import pairwise

import numpy as np
import pytest

from sgdsim.committee import Committee, ExactODE, LimitODE, OverlapStart
from sgdsim.ensemble.theory import solve_theory

TIMES = np.array([0.5, 1.0, 2.0, 5.0])


def distance(**scaling):
    """Largest difference between the two ODEs, over times and observables, from a start that is the same at every d."""
    problem = Committee.from_scaling(k=2, noise=0.1, **scaling)
    exact, limit = (solve_theory(problem, OverlapStart(0.5, 1), TIMES, theory) for theory in (ExactODE(), LimitODE()))
    return max(float(abs(exact[name] - limit[name]).max()) for name in exact)


@pytest.mark.parametrize("delta", [0.5, 0.25, 1.0, -0.25, -0.375, -0.49])
def test_the_difference_falls_like_the_vanishing_term(delta):
    """d^-theta in the green region (noise), d^theta in the orange one (drift): here theta = delta.

    At d^-|theta| = 10^-3 and 10^-4 the next order is a thousandth of it or less.
    """
    dims = [round(10 ** (power / abs(delta))) for power in (1, 2, 3, 4)]
    differences = [distance(d=d, p0=3, gamma0=1.5, delta=delta) for d in dims]
    assert all(after < before / 5 for before, after in pairwise(differences))
    slope = np.log(differences[3] / differences[2]) / np.log(dims[3] / dims[2])
    assert slope == pytest.approx(-abs(delta), rel=3e-3)
    assert differences[0] > 1e-3


@pytest.mark.parametrize("scaling", [{"d": 100, "p0": 3}, {"d": 10**7, "p0": 3}, {"d": 1024, "p0": 2, "kappa": 0.1}])
def test_there_is_no_difference_on_the_blue_line(scaling):
    """p is not rounded here: 2 * 1024^0.1 = 4."""
    assert distance(**scaling, delta=-scaling.get("kappa", 0.0), gamma0=1.5) < 1e-9


def test_on_the_blue_line_the_rounding_of_p_is_a_difference():
    """2 * 900^0.1 = 3.95 is rounded to 4, by 1.3 %."""
    assert 1e-4 < distance(d=900, p0=2, kappa=0.1, delta=-0.1, gamma0=1.5) < 2e-2
