"""Entropy, free energy and production of entropy of a law that the Fokker-Planck equation moves.

Fluxes between cells, J_i = right_i p_i - left_i p_(i+1), are those of a Markov chain, whose production of entropy

    P = sum_i J_i log(right_i p_i/(left_i p_(i+1))) >= 0

is (2/noise) int J^2/(lam Sigma) dw of the equation, and vanishes at a stationary law alone. Where Sigma is the same
for all w and at all times, F' = -T P. Else neither F nor another known function of the law falls at all times.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.meanfield.entropy import free_energy
from sgdsim.meanfield.limits import fokker_planck
from sgdsim.meanfield.limits.density import Density, ModelRates
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.problem import MeanField

_LEAST = 1e-200
"""Of masses whose logarithm is taken: what flows between less makes no difference."""


@jax.jit
def _of_law(
    rates: ModelRates, masses: Float[Array, " cells"], time: Float[Array, ""], dx: Float[Array, ""] | float
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """T = E D, and P."""
    v, D = rates(masses, time)
    to_right, to_left = fokker_planck.exchange(v, D, dx)
    right, left = to_right * masses[:-1], to_left * masses[1:]
    ratio = jnp.log(jnp.maximum(right, _LEAST)) - jnp.log(jnp.maximum(left, _LEAST))
    return jnp.sum(D * (masses[1:] + masses[:-1])) / 2, jnp.sum((right - left) * ratio)


def entropies(
    problem: MeanField, density: Density, times: Float[np.ndarray, " times"]
) -> dict[str, Float[np.ndarray, " times"]]:
    """All ENTROPIES, and `entropy_production`, of the law at `times`."""
    rates = ModelRates.of(problem.model, density.edges, problem.limit_noise, problem.schedule, problem.decay)
    dx, masses = float(density.edges[1] - density.edges[0]), density.masses_at(times)
    pairs = [_of_law(rates, jnp.asarray(law), jnp.asarray(t), dx) for law, t in zip(masses, times, strict=True)]
    temperature, production = (np.asarray([float(one) for one in part]) for part in zip(*pairs, strict=True))
    entropy = -np.sum(scipy.special.xlogy(masses, masses / dx), axis=1)
    square = masses @ density.centres**2 - dx**2 / 12
    m = jnp.asarray(masses @ np.asarray(rates.feature))
    risk = np.asarray(atoms_of(problem.model).risk(problem.model.loss, m.T)) - problem.model.least_risk
    decay = 0.0 if problem.decay is None else problem.decay
    r, q, S, T = (jnp.asarray(one) for one in (risk, square, entropy, temperature))
    found = free_energy(r, q, S, T, decay)
    return {name: np.asarray(value) for name, value in found.items()} | {"entropy_production": production}
