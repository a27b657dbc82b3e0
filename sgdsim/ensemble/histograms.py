"""Histograms of what a replica holds, as fractions."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def bin_fractions(values: Float[Array, "N lanes"], edges: Float[Array, " edges"]) -> Float[Array, "bins lanes"]:
    """Fractions of the values in bins of equal width; those outside are in none."""
    bins = len(edges) - 1
    place = jnp.floor((values - edges[0]) / (edges[1] - edges[0]))
    # What is outside is counted in a bin of its own, which is cut off: also what is not finite.
    index = jnp.where((place >= 0) & (place < bins), place, bins).astype(jnp.int32)
    lanes = jnp.broadcast_to(jnp.arange(values.shape[1])[None, :], index.shape)
    counts = jnp.zeros((bins + 1, values.shape[1])).at[index, lanes].add(1.0)
    return counts[:bins] / values.shape[0]
