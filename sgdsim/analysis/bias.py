"""The bias of a finite system against its limit: a straight line in 1/x, and where it meets 1/x = 0."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sgdsim.analysis.two_term import fit_two_term_to_means
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class BiasLaw:
    """The fitted law difference = intercept + coefficient / x.

    Where the limit is right, `intercept` is 0 within its error. `chi2` is the sum of squared residuals in units of
    their standard errors, close to `dof` (points - 2) where the law describes the points. `p_value`: the probability of
    a chi2 no smaller, where it does; below 1e-3 the `_error` are the `_statistical_error` times `widening` =
    sqrt(chi2/dof), elsewhere the same.
    """

    intercept: float
    intercept_error: float
    intercept_statistical_error: float
    coefficient: float
    coefficient_error: float
    coefficient_statistical_error: float
    chi2: float
    dof: int
    p_value: float
    widening: float


def fit_bias(x: ArrayLike, difference: ArrayLike, sem: ArrayLike) -> BiasLaw:
    """Fits difference = intercept + coefficient / x by weighted least squares: the two terms are 1 and 1/x.

    **Arguments:**

    - `x`: sizes, > 0.
    - `difference`, `sem`: simulation minus theory, and its standard error.

    **Raises:** ArgumentError with fewer than two distinct x, or where a value is not finite or an error not > 0.
    """
    x, difference, sem = (np.asarray(part, np.float64) for part in (x, difference, sem))
    if not x.shape == difference.shape == sem.shape:
        raise ArgumentError("x", f"have one value for each of the {difference.size} points", x.shape)
    if not (np.isfinite(x) & (x > 0)).all() or len(np.unique(x)) < 2:
        raise ArgumentError("x", "have at least two distinct values, all finite and > 0", x.tolist())
    if not np.isfinite(difference).all():
        raise ArgumentError("difference", "be finite at every point", difference.tolist())
    if not (np.isfinite(sem) & (sem > 0)).all():
        raise ArgumentError("sem", "be finite and > 0 at every point", sem.tolist())
    line = fit_two_term_to_means(np.ones_like(x), 1 / x, difference, sem)
    return BiasLaw(*dataclasses.astuple(line))
