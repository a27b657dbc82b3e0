"""The stationary law of particles of one weight, at beta = 1 with noise of their own and weight decay.

Without a flux, J = v lam - D d_w lam = 0, so that

    lam(w) ~ (1/Sigma) exp(-(2/noise) int^w (h + decay w')/Sigma dw'),   h and Sigma by m,   m_j = lam[F_j]

a fixed point in the few numbers m. On the cells of the Fokker-Planck solver it is exactly the law that its fluxes keep:
masses of neighbours have the ratio exp(v dx/D). Other fixed points may exist: this is the one that is reached from the
law at t = 0 by lowering the noise step by step.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.density import Density, ModelRates, grids
from sgdsim.meanfield.model import Model

_STEPS = 8
"""Of the noise from 2^8 times its own down to it."""
_CLOSE = 1e-8
"""What is left of m - lam[F] at a fixed point."""


@jax.jit
def zero_flux(rates: ModelRates, dx: Float[Array, ""] | float, m: Float[Array, " J"]) -> Float[Array, " cells"]:
    """Masses of the cells whose fluxes vanish, with the coefficients of given m."""
    v, D = rates.at(m, 0.0)
    # The logarithm of Bern(-P)/Bern(P) is P: no overflow where D vanishes.
    steps = v * dx / jnp.maximum(D, fokker_planck.SMALLEST)
    logs = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
    masses = jnp.exp(logs - jnp.max(logs))
    return masses / jnp.sum(masses)


def solve_stationary(model: Model, noise: float, decay: float) -> Density:
    """The stationary law, as a density at one time; the interval is that of `solve_density`.

    **Raises:** ArgumentError where the law at t = 0 is a point, and where no fixed point is found, or one that reaches
    the ends.
    """
    for edges, start in grids(model):
        rates = ModelRates.of(model, edges, noise, decay=decay)
        masses = _fixed_point(rates, float(edges[1] - edges[0]), start)
        if max(masses[0], masses[-1]) < 1e-14:
            return Density(edges, masses[None], (masses @ np.asarray(rates.feature))[None], 1.0)
    raise ArgumentError("decay", "keep the particles within a bounded interval", decay, "Take a larger one.")


def _fixed_point(rates: ModelRates, dx: float, start: Float[np.ndarray, " cells"]) -> Float[np.ndarray, " cells"]:
    """Masses of zero flux at the m that they have."""
    m = start @ np.asarray(rates.feature)
    for power in range(_STEPS, -1, -1):
        solved = scipy.optimize.root(partial(_residual, rates.stronger(2.0**power), dx), m, tol=1e-12)
        m = solved.x if power or np.isfinite(solved.x).all() else m
    if np.abs(_residual(rates, dx, m)).max() > _CLOSE:
        raise ArgumentError("gamma", "have a stationary law that is found", rates.noise, "Take another one.")
    return np.asarray(zero_flux(rates, dx, jnp.asarray(m)))


def _residual(rates: ModelRates, dx: float, m: Float[np.ndarray, " J"]) -> Float[np.ndarray, " J"]:
    return np.asarray(zero_flux(rates, dx, jnp.asarray(m)) @ rates.feature) - m
