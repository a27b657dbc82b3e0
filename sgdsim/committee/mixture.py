"""A Gaussian mixture as the inputs of a committee: clusters with means, and labels by cluster."""

from typing import Annotated, Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from sgdsim.checks import check_fields, lenient, row
from sgdsim.committee.spectrum import GaussianInputs
from sgdsim.ensemble.section import OneOrMore
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.rules.clusters import Clusters
from sgdsim.rules.starts import Matrix, as_matrix

MAX_CLUSTERS = 64


@lenient
class Mixture(GaussianInputs):
    """Inputs of C clusters, x = mu_c + sqrt(s_c) z with z ~ N(0, I_d), of which c is drawn with probability pi_c.

    The means lie in the span of the k fixed vectors that the teacher is made of, and have lengths of order one,

        mu_c = separation sum_r A_cr w*_r/sqrt(d),    |mu_c|^2 = separation^2 A_c P A_c^T

    They shift the field of a unit by B_ic = w_i.mu_c/sqrt(d) = separation sum_r A_cr M_ir. With `cluster_labels` y is a
    number of the cluster, and no function of fields: the k vectors are then there for the means alone. Without, y is
    the teacher's. A vector that is there for a mean alone has a* = 0.

    - `cluster_means`: A (C, k), a row for each cluster; two clusters, at w*_1 and -w*_1, where left out.
    - `cluster_weights`: pi, equal where left out. - `cluster_variances`: s, C numbers or one for all.

    **Raises:** ArgumentError where a value is out of range, or there is not one for each cluster.
    """

    separation: Annotated[float, Parameter("", "factor of all means of the clusters", above=0, limit=1e6)]
    cluster_means: Annotated[
        Any, Parameter("A", "means of the clusters in units of the k fixed vectors, (C, k)", written=Matrix)
    ] = eqx.field(static=True, default=None)
    cluster_weights: Annotated[
        Any, Parameter(r"\pi", "share of every cluster, C numbers; equal where left out", written=OneOrMore)
    ] = eqx.field(static=True, default=None)
    cluster_variances: Annotated[
        Any, Parameter("s", "variance of every cluster, C numbers or one for all", written=OneOrMore)
    ] = eqx.field(static=True, default=1.0)
    cluster_labels: Annotated[
        Any, Parameter("y_c", "label of every cluster, in place of the teacher's", written=OneOrMore)
    ] = eqx.field(static=True, default=None)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.cluster_means is not None:
            means = as_matrix("cluster_means", self.cluster_means)
            if not 1 <= len(means) <= MAX_CLUSTERS:
                raise ArgumentError("cluster_means", f"be 1 to {MAX_CLUSTERS} rows", len(means))
            self.cluster_means = tuple(map(tuple, means.tolist()))
        for name in ("cluster_weights", "cluster_variances", "cluster_labels"):
            if getattr(self, name) is not None:
                setattr(self, name, tuple(row(name, np.atleast_1d(getattr(self, name))).tolist()))

    def means_at(self, k: int) -> Float[np.ndarray, "C k"]:
        """separation A. **Raises:** ArgumentError where it is not for k vectors."""
        if self.cluster_means is None:
            means = np.zeros((2, k))
            means[:, 0] = 1, -1
        else:
            means = np.array(self.cluster_means)
        if means.shape[1] != k:
            must = f"have k = {k} numbers in a row, one for each fixed vector"
            raise ArgumentError("cluster_means", must, means.shape[1])
        return self.separation * means

    def clusters_at(self, k: int) -> Clusters:
        """The clusters beside k fixed vectors. **Raises:** ArgumentError where there are none."""
        means = self.means_at(k)
        count, variances = len(means), self.cluster_variances
        weights = np.full(count, 1 / count) if self.cluster_weights is None else self.cluster_weights
        try:
            return Clusters.of(means, variances * count if len(variances) == 1 else variances, weights)
        except ArgumentError as error:
            raise ArgumentError(f"cluster_{error.argument}", error.must, error.got, error.remedy) from None

    def labels_at(self, k: int) -> Float[np.ndarray, " C"] | None:
        """y_c, where labels are those of clusters. **Raises:** ArgumentError where there is not one for each."""
        if self.cluster_labels is None:
            return None
        labels, count = np.array(self.cluster_labels), len(self.means_at(k))
        if labels.shape != (count,) or not np.isfinite(labels).all():
            raise ArgumentError("cluster_labels", f"be {count} finite numbers, one for each cluster", labels.tolist())
        return labels

    @property
    def largest(self) -> tuple[float, float]:
        """The largest y_c^2, and s_c."""
        labels = (0.0,) if self.cluster_labels is None else self.cluster_labels
        return max(label**2 for label in labels), max(self.cluster_variances)

    def check(self, problem: Any) -> None:
        """Raises ArgumentError where clusters do not fit k, or the label is another function than theory knows."""
        self.clusters_at(problem.k)
        labels = self.labels_at(problem.k)
        for name in ("target", "teacher_activation"):
            if (other := getattr(problem, name)) not in (None, problem.activation):
                remedy = "Give `cluster_labels`, or let the teacher have the student's activation."
                raise ArgumentError(name, "be left out beside a mixture", other.name, remedy)
        if labels is not None and problem.second is not None and (problem.second.teacher(problem.k) != 1).any():
            remedy = "Labels of clusters are no outputs of a teacher: leave out one of the two."
            raise ArgumentError("a_star", "be left out beside cluster_labels", problem.second.a_star, remedy)
