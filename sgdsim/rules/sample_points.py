"""Points over what is random in a sample: its fields, by the normals that make them, and normals of its own."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.rules.rule import Rule

POINTS_LOG2 = 13
"""2^13 points of a scrambled Sobol sequence."""
LIMITED_LOG2 = 16
"""2^16 points where lengths of gradients are limited: normalised, a gradient jumps where the error changes its sign.
What 2^13 give is off by 0.6 % of a velocity (measured)."""


def points_log2(rule: Rule) -> int:
    """The logarithm of the number of points over which the averages of a rule without closed ones are taken."""
    return LIMITED_LOG2 if rule.limits else POINTS_LOG2


class Normals(eqx.Module):
    """Points over the normals of a sample."""

    z: Float[Array, "points fields"]
    own: Float[Array, "points r"]

    @classmethod
    def of(cls, rule: Rule, log2: int = POINTS_LOG2) -> "Normals":
        """2^log2 of them, the same everywhere."""
        sizes = rule.sizes
        fields = sizes.fixed + sizes.moving
        normals = sobol_normals(fields + sizes.normals, log2)
        return cls(jnp.asarray(normals[:, :fields]), jnp.asarray(normals[:, fields:]))


class Samples(NamedTuple):
    """Points in the frame in which all vectors are the rows of a root of their Gram matrix."""

    z: Float[Array, "points fields"]
    """The part in the vectors' span."""
    own: Float[Array, "points r"]
    scale: Float[Array, ""]
    """Standard deviation of the rest."""

    def length(self, d: Float[Array, ""]) -> Float[Array, " points"]:
        """E|x|^2 given z."""
        return jnp.sum(self.z**2, axis=1) + self.scale**2 * (d - self.z.shape[1])


def samples_of(rule: Rule, normals: Normals, root: Float[Array, "fields fields"]) -> list[Samples]:
    """Those of each cluster, one after the other; of inputs N(0, I) all in one."""
    clusters = rule.clusters
    if clusters is None:
        return [Samples(normals.z, normals.own, jnp.ones(()))]
    means = jnp.stack([jnp.asarray(mean) for mean in clusters.means], axis=1) @ root[: rule.sizes.fixed]
    made = zip(means, jnp.asarray(clusters.roots), clusters.inside, strict=True)
    return [Samples(mean[None] + s * normals.z, normals.own.at[:, -1].set(drawn), s) for mean, s, drawn in made]


def mixed(rule: Rule, parts: list[Any]) -> Any:
    """The average over clusters of averages in each."""
    if rule.clusters is None:
        return parts[0]
    weights = jnp.asarray(rule.clusters.weights)
    return jax.tree.map(lambda *of: jnp.tensordot(weights, jnp.stack(of), 1), *parts)
