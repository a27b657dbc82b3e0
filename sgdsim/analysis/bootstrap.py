"""Standard errors over the replicas: of the mean, and of any statistic by drawing the replicas again."""

import math
from collections.abc import Callable
from typing import SupportsFloat

import numpy as np
from jaxtyping import Float

RESAMPLES = 400
"""Bootstrap experiments: the error of an error bar is then 4 %."""


def mean_and_sem(values: Float[np.ndarray, " replicas"]) -> tuple[float, float]:
    """Mean and standard error of the finite values; the error of fewer than two is NaN, as is the mean of none."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return float(finite[0]) if len(finite) else math.nan, math.nan
    return float(finite.mean()), float(finite.std(ddof=1) / math.sqrt(len(finite)))


def with_error(
    statistic: Callable[..., SupportsFloat | tuple[float, ...]],
    *samples: Float[np.ndarray, "replicas ..."],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """One or several statistics of replicas and their standard errors, by drawing the replicas again.

    - `statistic`: of arrays like the samples, whose leading axes are the replicas; all samples are drawn alike.

    The same data and seed give the same errors.
    """
    rng, count = np.random.default_rng(seed), len(samples[0])
    # The same picks for all samples: what is correlated within a replica stays so.
    picks = rng.integers(count, size=(resamples, count))
    again = np.array([statistic(*(sample[pick] for sample in samples)) for pick in picks], np.float64)
    return np.asarray(statistic(*samples), np.float64), np.asarray(again.std(axis=0, ddof=1))
