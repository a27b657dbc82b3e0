"""The step of a two-layer network on a Gaussian mixture.

A cluster has fields of means b = G A_c, G the Gram matrix of all vectors whose first k columns count, and covariance
C = s_c G. Averages over a sample are those in each cluster, with the weights pi_c. In a cluster f* - f is the label y_c
plus sum_a s_a sigma(l_a); where the activation tilts a Gaussian, see `shifted`, E[sigma'(l_i) F] = Z E'[F], and so

    E[sigma'_i l_j e] = Z (b'_j E'[e] + sum_a C'_ja s_a E'[sigma'_a])
    E[sigma'_i sigma'_j e^2] = Z Z' E''[e^2]

have closed forms.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages.shifted import Shifted, Tilted, shifted
from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.observables import RECOVERED
from sgdsim.contracts import Observables
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.mean_step import covariance
from sgdsim.rules.rule import KickMoments, Sample, Sizes

SMALLEST = 1e-12
"""Eigenvalues of a Gram matrix below this part of the largest are zero, as of vectors that coincide."""


class Cluster(NamedTuple):
    """A cluster's fields, and what f* - f is of them; with any trailing axes."""

    C: Float[Array, "n n *batch"]
    b: Float[Array, "n *batch"]
    s: Float[Array, "n *batch"]
    label: Float[Array, ""]

    def error(self, of: Shifted) -> Float[Array, "*batch"]:
        """E[f* - f]."""
        return self.label + jnp.sum(self.s * of.mean(self._variances, self.b), axis=0)

    def square(self, of: Shifted) -> Float[Array, "*batch"]:
        """E[(f* - f)^2]."""
        alone = self.label**2 + 2 * self.label * jnp.sum(self.s * of.mean(self._variances, self.b), axis=0)
        return alone + jnp.einsum("a...,ab...,b...->...", self.s, self.pairs(of), self.s)

    def pairs(self, of: Shifted) -> Float[Array, "n n *batch"]:
        """E[sigma(l_a) sigma(l_b)]."""
        v = self._variances
        return of.pair(self.C, v[:, None], v[None, :], self.b[:, None], self.b[None, :])

    def fields(self, of: Tilted) -> Float[Array, " n"]:
        """E[l_j (f* - f)]."""
        return self.b * self.error(of) + self.C @ (self.s * of.slope(self._variances, self.b))

    def tilted(self, of: Tilted, i: Any) -> tuple[Float[Array, ""], "Cluster"]:
        """See `Tilted`."""
        Z, C, b = of.tilt(self.C, self.b, i)
        return Z, self._replace(C=C, b=b)

    @property
    def _variances(self) -> Float[Array, "n *batch"]:
        return jnp.einsum("aa...->a...", self.C)


class MixtureRule(NetworkRule):
    """`NetworkRule` on the clusters of a mixture, whose labels are `labels` or, where these are None, the target's."""

    mixture: Clusters = eqx.field(kw_only=True)
    labels: Float[Array | np.ndarray, " C"] | None = eqx.field(kw_only=True)

    @property
    def clusters(self) -> Clusters | None:
        """Those of the mixture."""
        return self.mixture

    @property
    def sizes(self) -> Sizes:
        """With the normal that draws a sample's cluster, the last one."""
        sizes = super().sizes
        return sizes._replace(normals=sizes.normals + 1)

    def label(self, at: Sample) -> Any:
        """The cluster's, or the teacher's."""
        if self.labels is None:
            return super().label(at)
        return (self.mixture.members(at.normals[-1]) * self.labels).sum()

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """B = M A^T too, the overlaps with the means of clusters; not those of `recovery`, of teachers alone."""
        seen = super().observe(P, M, Q, numbers) | {"B": jnp.einsum("ir...,cr->ic...", M, self._means)}
        return {name: value for name, value in seen.items() if name not in ("overlap", RECOVERED)}

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """In closed form for linear units and those of erf; over points for others.

        `slopes` are J with E[K l^T] = J G, of inputs that are not N(0, I) too.
        """
        of = shifted(self.activation)
        if not isinstance(of, Tilted):
            return None
        a, G = numbers if self.trained else jnp.asarray(self.outputs), covariance(P, M, Q)
        felt = self._signs(jnp.zeros_like(a) if self.correlation else a)
        fields, squares, outputs = self._mixed(lambda cluster, s: self._averages_in(of, cluster, s), G, felt)
        fields, squares = a[:, None] * fields, a[:, None] * squares * a[None, :]
        moved = (self.output_step * outputs)[: self.sizes.numbers]
        slopes = fields @ jnp.linalg.pinv(G, rtol=SMALLEST)
        return KickMoments(fields[:, : self.k], fields[:, self.k :], squares, moved, slopes)

    @property
    def accuracy(self) -> float:
        """Of rounding."""
        return 0.0

    def _averages_in(
        self, of: Tilted, cluster: Cluster, variance: Float[Array, ""]
    ) -> tuple[Float[Array, "p n"], Float[Array, "p p"], Float[Array, " p"]]:
        """E[sigma'_i l_j e], E[sigma'_i sigma'_j (e^2 + noise)] |x|^2/d, and E[sigma_i e]."""
        students = jnp.arange(self.k, len(cluster.b))

        def pair(i: Any, j: Any) -> Float[Array, ""]:
            first, once = cluster.tilted(of, i)
            second, twice = once.tilted(of, j)
            return first * second * (twice.square(of) + self.noise_root**2)

        def fields(i: Any) -> Float[Array, " n"]:
            Z, tilted = cluster.tilted(of, i)
            return Z * tilted.fields(of)

        squares = jax.vmap(lambda i: jax.vmap(lambda j: pair(i, j))(students))(students)
        means = of.mean(jnp.diagonal(cluster.C), cluster.b)
        outputs = cluster.label * means + cluster.pairs(of) @ cluster.s
        return jax.vmap(fields)(students), variance * squares, outputs[self.k :]

    def _mixed(self, average: Any, G: Float[Array, "n n *batch"], s: Float[Array, "n *batch"]) -> Any:
        """The mean over clusters of average(cluster, s_c)."""
        labels = np.zeros(len(self.mixture)) if self.labels is None else self.labels
        rows = (self._means, jnp.asarray(self.mixture.roots) ** 2, jnp.asarray(labels))

        def one(row: tuple[Array, Array, Array]) -> Any:
            mean, variance, label = row
            b = jnp.einsum("ar...,r->a...", G[:, : self.k], mean)
            return average(Cluster(variance * G, b, s, label), variance)

        weights = jnp.asarray(self.mixture.weights)
        return jax.tree.map(lambda each: jnp.tensordot(weights, each, 1), jax.lax.map(one, rows))

    @property
    def _means(self) -> Float[Array, "C k"]:
        return jnp.stack([jnp.asarray(mean) for mean in self.mixture.means], axis=1)

    def _signs(self, a: Float[Array, "p *batch"]) -> Float[Array, "n *batch"]:
        """Without the teacher where labels are those of clusters."""
        signs = super()._signs(a)
        return signs if self.labels is None else signs.at[: self.k].set(0.0)

    def _risk(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        a: Float[Array, "p *batch"],
    ) -> Float[Array, "*batch"]:
        of, P = shifted(self.activation), jnp.broadcast_to(P, (self.k, self.k, *Q.shape[2:]))
        left, right = jnp.concatenate([P, M]), jnp.concatenate([jnp.swapaxes(M, 0, 1), Q])
        G = jnp.concatenate([left, right], axis=1)
        return 0.5 * self._mixed(lambda cluster, variance: cluster.square(of), G, self._signs(a))
