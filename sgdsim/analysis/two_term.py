"""A sum of two terms: weighted least squares on the values, with error bars from the replicas where they are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.analysis.bootstrap import RESAMPLES
from sgdsim.analysis.fits import finite_samples, resampled_means
from sgdsim.analysis.goodness import judged
from sgdsim.errors import ArgumentError

PROPORTIONAL = 1e-6
"""Two columns, scaled to length 1, are taken as proportional where the angle between them is no larger than this."""


@dataclass(frozen=True)
class TwoTermLaw:
    """The fitted law y = first_coefficient * u + second_coefficient * v.

    `chi2` is the sum of squared residuals in units of their standard errors; it is close to `dof` (points - 2) where
    the law describes the points. `p_value`: the probability of a chi2 no smaller, where it does; below 1e-3 the
    `_error` are the `_statistical_error` times `widening` = sqrt(chi2/dof), elsewhere the same.
    """

    first_coefficient: float
    first_error: float
    first_statistical_error: float
    second_coefficient: float
    second_error: float
    second_statistical_error: float
    chi2: float
    dof: int
    p_value: float
    widening: float


def fit_two_term(
    u: ArrayLike,
    v: ArrayLike,
    samples: Sequence[Float[np.ndarray, " replicas"]],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> TwoTermLaw:
    """Fits mean(y) = a u + b v to points of which every replica is known.

    Minimises sum_i (mean_i - a u_i - b v_i)^2 / sem_i^2. The error bars are the standard deviations over `resamples`
    bootstrap experiments, in which the replicas of each point are drawn again with replacement, independently of the
    other points; the weights stay those of the data. The result depends on the data and `seed` only.

    **Arguments:**

    - `u`, `v`: the two terms, shape (points,), any sign.
    - `samples`: for each point, the values of its replicas, shape (replicas,); NaN (a diverged replica) is left out.
    - `resamples`, `seed`: number of bootstrap experiments, and of their random numbers.

    **Raises:** ArgumentError where u and v are proportional over the points, or a point has fewer than two finite
    replicas or no spread.
    """
    finite, mean, sem = finite_samples(samples)
    design = _Design.of(u, v, mean, sem)
    rng = np.random.default_rng(seed)
    means = np.stack([resampled_means(sample, resamples, rng) for sample in finite])  # (points, resamples)
    return design.law(mean, design.estimate(means).std(axis=1, ddof=1))


def fit_two_term_to_means(u: ArrayLike, v: ArrayLike, mean: ArrayLike, sem: ArrayLike) -> TwoTermLaw:
    """Fits two terms to points of which only mean and standard error are known.

    The error bars are those of weighted least squares, Cov = (X^T W X)^-1 with X = (u, v), W = diag(sem^-2).

    **Raises:** ArgumentError where u and v are proportional over the points, a value is not finite or an error not > 0.
    """
    mean = np.asarray(mean, np.float64)
    design = _Design.of(u, v, mean, np.asarray(sem, np.float64))
    return design.law(mean, design.errors)


def weighted_two_term(
    u: ArrayLike, v: ArrayLike, mean: ArrayLike, sem: ArrayLike, values: ArrayLike
) -> tuple[float, float]:
    """(a, b) that the fit to (u, v, mean, sem) would find if it met `values` there: theory, seen as data are.

    **Raises:** ArgumentError as `fit_two_term_to_means` does, and where a value is not finite.
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise ArgumentError("values", "be finite at every point", values.tolist())
    design = _Design.of(u, v, np.asarray(mean, np.float64), np.asarray(sem, np.float64))
    a, b = design.estimate(values[:, None])[:, 0].tolist()
    return a, b


@dataclass(frozen=True)
class _Design:
    """Weighted least squares of y on two columns, each divided by its length in units of the errors."""

    columns: Float[np.ndarray, "points 2"]
    lengths: Float[np.ndarray, " 2"]
    sem: Float[np.ndarray, " points"]

    @classmethod
    def of(cls, u: ArrayLike, v: ArrayLike, mean: np.ndarray, sem: np.ndarray) -> "_Design":
        terms = {name: np.asarray(value, np.float64) for name, value in (("u", u), ("v", v))}
        for name, value in terms.items():
            if value.shape != mean.shape:
                raise ArgumentError(name, f"have one value for each of the {mean.size} points", value.shape)
        for name, value in (*terms.items(), ("mean", mean)):
            if not np.isfinite(value).all():
                raise ArgumentError(name, "be finite at every point", value.tolist())
        if sem.shape != mean.shape or not (np.isfinite(sem) & (sem > 0)).all():
            raise ArgumentError("sem", "be finite and > 0 at every point", sem.tolist())
        for name, value in terms.items():
            if not value.any():
                raise ArgumentError(name, "not be 0 at every point", value.tolist())
        scaled = np.stack([value / sem for value in terms.values()], axis=1)
        # Columns of length 1: whether they are proportional does not depend on the units of u and v.
        lengths = np.linalg.norm(scaled, axis=0)
        columns = scaled / lengths
        if len(mean) < 2 or np.linalg.svd(columns, compute_uv=False)[1] <= PROPORTIONAL:
            got = [terms["u"].tolist(), terms["v"].tolist()]
            raise ArgumentError("u and v", "not be proportional over the points: their sum is then one term only", got)
        return cls(columns=columns, lengths=lengths, sem=sem)

    def estimate(self, values: Float[np.ndarray, "points experiments"]) -> Float[np.ndarray, "2 experiments"]:
        """Both coefficients of every experiment."""
        return np.linalg.lstsq(self.columns, values / self.sem[:, None], rcond=None)[0] / self.lengths[:, None]

    @property
    def errors(self) -> Float[np.ndarray, " 2"]:
        """Standard errors of both coefficients."""
        return np.sqrt(np.diag(np.linalg.inv(self.columns.T @ self.columns))) / self.lengths

    def law(self, mean: Float[np.ndarray, " points"], errors: Float[np.ndarray, " 2"]) -> TwoTermLaw:
        """The law through the means, with these statistical errors."""
        found = self.estimate(mean[:, None])[:, 0]
        residual = mean / self.sem - self.columns @ (found * self.lengths)
        judgement = judged(float(residual @ residual), len(mean) - 2, first=errors[0], second=errors[1])
        return TwoTermLaw(first_coefficient=float(found[0]), second_coefficient=float(found[1]), **judgement)
