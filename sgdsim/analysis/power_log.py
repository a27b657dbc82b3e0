"""A power and a power of a logarithm, y = C x^s log(1 + 1/x)^q: weighted least squares on logs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.analysis.goodness import judged
from sgdsim.errors import ArgumentError


@dataclass(frozen=True)
class PowerLogLaw:
    """The fitted law y = constant * x^slope * log(1 + 1/x)^log_slope.

    Errors and `chi2` as those of `analysis.fits.PowerLaw`, with dof = points - 3; `correlation`: of slope and
    log_slope, near 1 where points over few decades do not tell a power from a logarithm.
    """

    slope: float
    slope_error: float
    slope_statistical_error: float
    log_slope: float
    log_slope_error: float
    log_slope_statistical_error: float
    constant: float
    constant_error: float
    constant_statistical_error: float
    correlation: float
    chi2: float
    dof: int
    p_value: float
    widening: float


def fit_power_log(
    x: Sequence[float] | Float[np.ndarray, " points"],
    mean: Float[np.ndarray, " points"],
    sem: Float[np.ndarray, " points"],
) -> PowerLogLaw:
    """Fits the law to points with these means and standard errors.

    Minimises sum_i w_i (log mean_i - log C - s log x_i - q log log(1 + 1/x_i))^2 with w_i = (mean_i/sem_i)^2; the
    errors are those of weighted least squares, (X^T W X)^-1, and that of C to first order C times that of log C.

    **Raises:** ArgumentError with fewer than three distinct x, or where an x, a mean or an error is not > 0.
    """
    x, mean, sem = (np.asarray(values, np.float64) for values in (x, mean, sem))
    for name, value in (("x", x), ("mean", mean), ("sem", sem)):
        if not (np.isfinite(value) & (value > 0)).all():
            raise ArgumentError(name, "be finite and > 0 at every point", value.tolist())
    if len(np.unique(x)) < 3:
        raise ArgumentError("x", "have at least three distinct values: a power, a logarithm and a constant", x.tolist())
    columns = np.column_stack([np.ones_like(x), np.log(x), np.log(np.log1p(1 / x))])
    weights = mean / sem
    # A QR, not the normal equations: over few decades both logarithms are nearly proportional.
    Q, R = np.linalg.qr(columns * weights[:, None])
    found = np.linalg.solve(R, Q.T @ (np.log(mean) * weights))
    inverse = np.linalg.inv(R)
    variances = inverse @ inverse.T
    errors = np.sqrt(np.diag(variances))
    residual = (np.log(mean) - columns @ found) * weights
    constant = math.exp(found[0])
    judgement = judged(
        float(residual @ residual), len(x) - 3, slope=errors[1], log_slope=errors[2], constant=constant * errors[0]
    )
    return PowerLogLaw(
        slope=float(found[1]),
        log_slope=float(found[2]),
        constant=constant,
        correlation=float(variances[1, 2] / (errors[1] * errors[2])),
        **judgement,
    )
