"""Low-discrepancy points: those of SciPy, bit for bit."""

import numpy as np
import pytest
from scipy.stats import kstest, qmc

from sgdsim.ensemble.sobol import sobol_normals, sobol_points


@pytest.mark.parametrize(("n", "log2"), [(1, 3), (2, 0), (9, 12), (48, 9), (49, 9)])
def test_the_points_are_those_of_scipy(n, log2):
    """Up to the last coordinate whose numbers are kept here, 48, and beyond; 2^9 points need all these numbers."""
    np.testing.assert_array_equal(sobol_points(n, log2), qmc.Sobol(n, scramble=True, rng=0).random_base2(log2))


def test_normals_are_normal():
    z = sobol_normals(3, 12)
    assert z.shape == (2**12, 3)
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.01)
    assert all(kstest(column, "norm").statistic < 0.001 for column in z.T)
