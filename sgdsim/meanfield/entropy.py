"""Entropy of the law of particles of one weight, and the free energy that noise of a constant strength lets fall.

    S = -int lam log lam dw,   U = R + (decay/2) E w^2,   F = U - T S,   T = (noise/2) E Sigma

Where Sigma is the same for all w and at all times, F falls with time, by T times the production of entropy, and its
minimum is the stationary law. SGD's Sigma depends on w and on the law: F then is a number like others.

Source: Vasicek 1976 (spacings); their bias is taken out as by Kozachenko & Leonenko 1987.
"""

import jax.numpy as jnp
from jax.scipy.special import digamma
from jaxtyping import Array, Float

from sgdsim.contracts import Observables

ENTROPIES = ("entropy", "temperature", "energy", "free_energy")
"""What is observed where an entropy is asked for."""


def spacing_entropy(w: Float[Array, "N lanes"], neighbours: int) -> Float[Array, " lanes"]:
    """S of the law of N particles, from those in order, w_(1) <= ... <= w_(N), and their k-th next neighbours.

        S = mean_i log(w_(i+k) - w_(i)) + log(N + 1) - psi(k),   i = 1, ..., N - k

    The mass between w_(i) and w_(i+k) has the law Beta(k, N + 1 - k), whose logarithm is psi(k) - psi(N + 1) on
    average. The bias that is left is that of a law that is not constant between neighbours, of order k/N in its tails.
    Particles that are all at one point have the entropy of minus infinity.
    """
    N = len(w)
    ordered = jnp.sort(w.astype(jnp.float64), axis=0)
    apart = ordered[neighbours:] - ordered[: N - neighbours]
    return jnp.mean(jnp.log(apart), axis=0) + digamma(N + 1.0) - digamma(float(neighbours))


def free_energy(
    risk: Float[Array, "*shape"],
    square: Float[Array, "*shape"],
    entropy: Float[Array, "*shape"],
    temperature: Float[Array, "*shape"],
    decay: Float[Array, ""] | float,
) -> Observables:
    """All ENTROPIES, from the risk R, E w^2, S and T."""
    energy = risk + decay / 2 * square
    found = (entropy, temperature, energy, energy - temperature * entropy)
    return dict(zip(ENTROPIES, found, strict=True))
