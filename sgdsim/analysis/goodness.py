"""Whether a fitted law holds, by its chi2, and what that does to the errors that are quoted."""

import math
from typing import Any

from scipy.special import chdtrc

DOUBT = 1e-3
"""A law does not hold where chi2 as large as its own has a probability below this."""
LEAST = 1e-16
"""Probabilities below this are not told apart in words."""


def p_value(chi2: float, dof: int) -> float:
    """The probability of a chi2 no smaller than this where the law holds: Gamma(dof/2, chi2/2)/Gamma(dof/2).

    NaN where no degree of freedom is left, or there is no chi2. With errors estimated from R replicas the mean of chi2
    is about dof (R - 1)/(R - 3): below some 20 replicas the probability comes out too small.
    """
    return float(chdtrc(dof, chi2)) if dof > 0 and math.isfinite(chi2) else math.nan


def widening(chi2: float, dof: int) -> float:
    """The factor of the quoted errors: sqrt(chi2/dof) where the law does not hold, 1 elsewhere.

    It is the factor by which the errors of the points would have to be larger for chi2 to be dof: an honest scale of
    what the law leaves unsaid, as long as the points lie off it at random (Birge 1932).
    """
    return math.sqrt(chi2 / dof) if p_value(chi2, dof) < DOUBT else 1.0


def judged(chi2: float, dof: int, **statistical: float) -> dict[str, Any]:
    """The fields that all laws with a chi2 have: it, `dof`, `p_value`, `widening`, and every error twice.

    Of each statistical error NAME = value there are `NAME_statistical_error` and `NAME_error`, which is to be quoted:
    `widening` times as large. A law through all of its points, dof = 0, has a chi2 of 0, not that of its rounding.
    """
    chi2 = 0.0 if dof == 0 and math.isfinite(chi2) else float(chi2)
    factor = widening(chi2, dof)
    errors: dict[str, Any] = {}
    for name, error in statistical.items():
        errors |= {f"{name}_error": float(error) * factor, f"{name}_statistical_error": float(error)}
    return errors | {"chi2": chi2, "dof": dof, "p_value": p_value(chi2, dof), "widening": factor}


def in_words(chi2: float, dof: int, widened: float = 1.0) -> str:
    """`chi2/dof = 3.2/4`; where the law does not hold, that too, and by how much its errors were widened."""
    quality = f"chi2/dof = {chi2:.3g}/{dof}"
    p = p_value(chi2, dof)
    if not p < DOUBT:
        return quality
    probability = f"p < {LEAST:.0e}" if p < LEAST else f"p = {p:.0e}"
    errors = f", errors widened by {widened:.3g}" if widened > 1 else ""
    return f"{quality}, {probability}: the law does not hold{errors}"
