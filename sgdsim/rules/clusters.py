"""Gaussian mixtures: inputs whose mean and variance are those of a cluster, drawn anew for every sample.

    x = mu_c + sqrt(s_c) z,    z ~ N(0, I_d),    c with probability pi_c,    mu_c = sum_r A_cr v_r/sqrt(d)

The means are combinations of a rule's k fixed vectors v_r, of lengths |mu_c|^2 = A_c P A_c^T = O(1), and shift the
field of a vector w by mu_c.w/sqrt(d) = sum_r A_cr v_r.w/d = O(1). In the frame of a chain, in which L sqrt(d) are the
fixed vectors, a sample is the plain one with

    z_t -> A_c L + sqrt(s_c) z_t,    z_s -> sqrt(s_c) z_s,    and sqrt(s_c) times the rest

in place of its normals. Nothing else of a step is changed: the chain stays exact, at a cost free of d.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from sgdsim.checks import row
from sgdsim.errors import ArgumentError
from sgdsim.rules.units import Units

FURTHEST = 100.0
"""No normal is as far from 0."""
SURE = 1e-9
"""How far probabilities may add up from 1."""


class Clusters(eqx.Module):
    """C clusters of inputs. The last normal of a sample says to which it belongs.

    All are traced: one program serves any clusters of one number. In place of a row of C numbers a rule that is at work
    has `Units`, see `rule.with_constants`.
    """

    means: tuple[Any, ...]
    """A_cr: a row of C numbers for each fixed vector r."""
    roots: Any
    """sqrt(s_c)."""
    lower: Any
    """The normal from which on a sample belongs to cluster c."""
    upper: Any
    """The normal below which it does."""
    weights: Any
    """pi_c."""

    @classmethod
    def of(
        cls,
        means: Float[np.ndarray, "C k"],
        variances: Sequence[float] | Float[np.ndarray, " C"],
        weights: Sequence[float] | Float[np.ndarray, " C"],
    ) -> "Clusters":
        """Clusters of means sum_r A_cr v_r/sqrt(d), variances s_c and probabilities pi_c.

        **Raises:** ArgumentError unless there are as many of each, means are finite, the others positive and finite,
        and probabilities add up to 1.
        """
        means, s, pi = np.asarray(means, np.float64), row("variances", variances), row("weights", weights)
        if means.ndim != 2 or not len(means) or not np.isfinite(means).all():
            raise ArgumentError("means", "be a row of finite numbers for each cluster", means.tolist())
        for name, values in (("variances", s), ("weights", pi)):
            if values.shape != (len(means),):
                raise ArgumentError(name, f"be {len(means)} numbers, one for each cluster", values.tolist())
            if not (np.isfinite(values).all() and values.min() > 0):
                raise ArgumentError(name, "be finite and > 0", values.tolist())
        if abs(pi.sum() - 1) > SURE:
            raise ArgumentError("weights", "add up to 1", pi.tolist(), f"Divide them by their sum, {pi.sum():g}.")
        ends = ndtri(np.cumsum(pi)[:-1])
        lower, upper = np.append(-FURTHEST, ends), np.append(ends, FURTHEST)
        return cls(tuple(means.T), np.sqrt(s), lower, upper, pi)

    def __len__(self) -> int:
        return len(self.roots)

    def members(self, drawn: Any) -> Units:
        """For every sample 1 for its own cluster and 0 for the others, from its last normal."""

        def inside(lower: Any, upper: Any, normal: Any) -> Any:
            return (lower <= normal).astype(normal.dtype) - (upper <= normal).astype(normal.dtype)

        return self.lower.combined(inside, self.upper, drawn)

    def shifts(self, members: Units) -> list[Any]:
        """A_cr of every sample's cluster, for each fixed vector r."""
        return [(members * mean).sum() for mean in self.means]

    def placed(
        self,
        own: Float[Array, "lanes samples r"],
        root: Float[Array, "lanes k k"],
        z_t: Float[Array, "lanes samples k"],
        z_s: Float[Array, "lanes samples n"],
    ) -> tuple[Float[Array, "lanes samples k"], Float[Array, "lanes samples n"], Float[Array, "lanes samples 1"]]:
        """z_t and z_s of samples of the clusters, and sqrt(s_c), from their own normals; of a rule in arrays."""
        shifts, scale = self.moments(own)
        return shifts @ root + scale * z_t, scale * z_s, scale

    def moments(
        self, own: Float[Array, "lanes samples r"]
    ) -> tuple[Float[Array, "lanes samples k"], Float[Array, "lanes samples 1"]]:
        """A_c and sqrt(s_c) of samples, from their own normals; of a rule in arrays."""
        members = self.members(own[..., -1])
        return jnp.stack(self.shifts(members), axis=-1), (members * self.roots).sum()[..., None]

    @property
    def inside(self) -> Float[Array, " C"]:
        """A normal that is in each cluster."""
        lower, upper = jnp.asarray(self.lower), jnp.asarray(self.upper)
        return jnp.where(lower == -FURTHEST, upper - 1, jnp.where(upper == FURTHEST, lower + 1, (lower + upper) / 2))
