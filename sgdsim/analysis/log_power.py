"""A logarithm beside a power, y = (a + b log v) x^s, and its rival with sqrt(log v): which of the two the data exclude.

Both forms have the same number of parameters and neither is a special case of the other, so that their chi2 alone do
not say how sure it is that one is better. The mixture of both,

    y = (a + b log v + c sqrt(log v)) x^s,

has each as the special case in which one coefficient is 0. The law with log v is excluded at |c|/error(c) standard
errors, the rival at |b|/error(b): where a form is true, its number is that of a standard normal variable. To the order
of weighted least squares the square of the number is the chi2 that the form loses against the mixture (Wilks). It may
be that both are excluded, and neither is the law, or none, and the data cannot tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from sgdsim.analysis.bootstrap import RESAMPLES
from sgdsim.analysis.fits import finite_samples, resampled_means
from sgdsim.analysis.goodness import judged
from sgdsim.analysis.power_terms import Best, PowerTerms
from sgdsim.errors import ArgumentError

Scatter = Callable[[PowerTerms, Best], Float[np.ndarray, " parameters"]]
"""The standard errors of the parameters of a law around its best ones."""


@dataclass(frozen=True)
class LogPowerLaw:
    """The fitted law y = (a + b g(v)) x^exponent, with g(v) = log v or, of the rival, sqrt(log v).

    `chi2` is the sum of squared residuals in units of their standard errors; it is close to `dof` (points less fitted
    parameters) where the law describes the points. `p_value`: the probability of a chi2 no smaller, where it does;
    below 1e-3 the `_error` are the `_statistical_error` times `widening` = sqrt(chi2/dof), elsewhere the same. An
    exponent that was given has no error (NaN).
    """

    a: float
    a_error: float
    a_statistical_error: float
    b: float
    b_error: float
    b_statistical_error: float
    exponent: float
    exponent_error: float
    exponent_statistical_error: float
    chi2: float
    dof: int
    p_value: float
    widening: float


@dataclass(frozen=True)
class Exclusion:
    """Standard errors at which the mixture excludes either form, and the mixture's own chi2.

    Where the mixture itself does not hold (`p_value` below 1e-3), its errors are wider by `widening`, and the numbers
    of standard errors smaller.
    """

    log: float
    sqrt_log: float
    chi2: float
    dof: int
    p_value: float
    widening: float


@dataclass(frozen=True)
class Growth:
    """The law with log v, its rival with sqrt(log v), and how far each is excluded.

    `excluded` is None where the points do not settle the mixture, as with fewer than three values of v: then both forms
    go through the same points. `rival` is None where it was not fitted.
    """

    law: LogPowerLaw
    rival: LogPowerLaw | None
    excluded: Exclusion | None


def fit_log_power(
    x: ArrayLike,
    v: ArrayLike,
    samples: Sequence[Float[np.ndarray, " replicas"]],
    exponent: float | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Growth:
    """Fits mean(y) = (a + b log v) x^exponent, its rival and their mixture to points of which all replicas are known.

    Minimises sum_i (mean_i - (a + b g(v_i)) x_i^exponent)^2 / sem_i^2. The error bars are the standard deviations over
    `resamples` bootstrap experiments, in which the replicas of each point are drawn again with replacement,
    independently of the other points; the weights stay those of the data, and all three forms see the same experiments.
    The result depends on the data and `seed` only.

    **Arguments:**

    - `x`: > 0, shape (points,).
    - `v`: >= 1, shape (points,).
    - `samples`: for each point, the values of its replicas, shape (replicas,); NaN (a diverged replica) is left out.
    - `exponent`: s, where it is not to be fitted. It has to be given where x is the same at all points.
    - `resamples`, `seed`: number of bootstrap experiments, and of their random numbers.

    **Raises:** ArgumentError where x, v, a mean or its error is out of range, where the points do not settle the
    parameters, or one has fewer than two finite replicas.
    """
    finite, mean, sem = finite_samples(samples)
    rng = np.random.default_rng(seed)
    points = _Points.of(x, v, mean, sem, exponent)
    means = np.stack([resampled_means(sample, resamples, rng) for sample in finite], axis=1)

    def scatter(form: PowerTerms, best: Best) -> Float[np.ndarray, " parameters"]:
        return form.without_given(form.told(form.settle(means, best)).std(axis=0, ddof=1))

    return points.growth(scatter)


def fit_log_power_to_means(
    x: ArrayLike, v: ArrayLike, mean: ArrayLike, sem: ArrayLike, exponent: float | None = None
) -> Growth:
    """Fits the law to points of which only mean and standard error are known.

    The error bars are those of weighted least squares, Cov = (J^T J)^-1 with J the derivatives of the law at the points
    by its parameters, in units of sem.

    **Raises:** ArgumentError as `fit_log_power` does.
    """
    return _Points.of(x, v, mean, sem, exponent).growth(PowerTerms.errors)


def weighted_log_power(
    x: ArrayLike, v: ArrayLike, sem: ArrayLike, values: ArrayLike, exponent: float | None = None
) -> tuple[float, float, float]:
    """(a, b, exponent) that the law with log v would find at (x, v, sem) if it met `values`: theory, seen as data are.

    **Raises:** ArgumentError as `fit_log_power_to_means` does.
    """
    form = _Points.of(x, v, values, sem, exponent).form(np.log)
    a, b, s = form.told(form.best())[0].tolist()
    return a, b, s


def _root(v: Float[np.ndarray, " points"]) -> Float[np.ndarray, " points"]:
    return np.sqrt(np.log(v))


@dataclass(frozen=True)
class _Points:
    """What is fitted, in range."""

    log_x: Float[np.ndarray, " points"]
    v: Float[np.ndarray, " points"]
    mean: Float[np.ndarray, " points"]
    sem: Float[np.ndarray, " points"]
    exponent: float | None

    @classmethod
    def of(cls, x: ArrayLike, v: ArrayLike, mean: ArrayLike, sem: ArrayLike, exponent: float | None) -> "_Points":
        x, v, mean, sem = (np.asarray(values, np.float64) for values in (x, v, mean, sem))
        for name, values, least in (("x", x, 0), ("v", v, 1), ("mean", mean, 0), ("sem", sem, 0)):
            if values.shape != mean.shape:
                raise ArgumentError(name, f"have one value for each of the {mean.size} points", values.shape)
            if not (np.isfinite(values) & (values >= 1 if least else values > 0)).all():
                raise ArgumentError(name, f"be finite and {'>= 1' if least else '> 0'} at every point", values.tolist())
        if len(np.unique(v)) < 2:
            raise ArgumentError("v", "take at least two values", v.tolist())
        if exponent is None and len(np.unique(x)) < 2:
            raise ArgumentError("exponent", "be given where x is the same at every point, e.g. exponent = 0.5", None)
        return cls(np.log(x), v, mean, sem, exponent)

    def form(self, *growths: Callable[[np.ndarray], np.ndarray]) -> PowerTerms:
        """The law with these functions of v, and a constant."""
        terms = np.column_stack([np.ones_like(self.v), *(growth(self.v) for growth in growths)])
        centre = float(self.log_x.mean())
        form = PowerTerms(terms, self.log_x - centre, centre, self.mean, self.sem, self.exponent)
        if len(self.mean) < form.fitted:
            raise ArgumentError("x", f"have at least {form.fitted} points", len(self.mean))
        return form

    def growth(self, scatter: Scatter) -> Growth:
        """Both forms, and their mixture where the points settle it."""
        law, rival = (self._fit(self.form(growth), scatter) for growth in (np.log, _root))
        try:
            excluded = self._exclusion(scatter)
        except ArgumentError:
            excluded = None
        return Growth(law, rival, excluded)

    def _fit(self, form: PowerTerms, scatter: Scatter) -> LogPowerLaw:
        best = form.best()
        a, b, exponent = form.told(best)[0].tolist()
        errors = dict(zip(("a", "b", "exponent"), scatter(form, best).tolist(), strict=True))
        judgement = judged(form.chi2(best), len(self.mean) - form.fitted, **errors)
        return LogPowerLaw(a=a, b=b, exponent=exponent, **judgement)

    def _exclusion(self, scatter: Scatter) -> Exclusion:
        form = self.form(np.log, _root)
        best = form.best()
        (_, log, root, _), (_, log_error, root_error, _) = form.told(best)[0], scatter(form, best)
        judgement = judged(form.chi2(best), len(self.mean) - form.fitted)
        widened = judgement["widening"]
        at = {"log": abs(root) / (widened * root_error), "sqrt_log": abs(log) / (widened * log_error)}
        return Exclusion(**{name: float(value) for name, value in at.items()}, **judgement)
