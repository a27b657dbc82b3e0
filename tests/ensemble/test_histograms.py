"""Histograms as fractions."""

import jax.numpy as jnp
import numpy as np

from sgdsim.ensemble.histograms import bin_fractions


def test_histogram_counts_what_is_inside():
    values = jnp.array([[0.0, 0.5], [0.49, jnp.nan], [1.0, -0.1], [0.999, 0.75]])
    np.testing.assert_allclose(bin_fractions(values, jnp.array([0.0, 0.5, 1.0])), [[0.5, 0.0], [0.25, 0.5]])
