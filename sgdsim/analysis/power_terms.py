"""Terms times a power of x, y = (sum_j c_j f_j) x^s: weighted least squares of many experiments at once."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sgdsim.errors import ArgumentError

PROPORTIONAL = 1e-6
"""Parameters are not settled where their effects on the points, scaled to length 1, are this close to dependent."""
STEPS, SETTLED = 100, 1e-9
"""Gauss-Newton steps at most; the last moves the law by no more than this part of the points, in errors of these."""

Values = Float[np.ndarray, "experiments points"]
Parameters = Float[np.ndarray, "experiments parameters"]
"""The coefficients c_j and then s; the c_j are those of x over its geometric mean."""
Best = Float[np.ndarray, "1 parameters"]
"""The same of one experiment: that of the means."""


@dataclass(frozen=True)
class PowerTerms:
    """The law with these terms f_j, shape (points, terms), at points with these means and standard errors.

    - `log_x`: log x less its mean over the points; then the coefficients hardly depend on s.
    - `centre`: that mean.
    - `exponent`: s where it is given, None where it is fitted.
    """

    terms: Float[np.ndarray, "points terms"]
    log_x: Float[np.ndarray, " points"]
    centre: float
    mean: Float[np.ndarray, " points"]
    sem: Float[np.ndarray, " points"]
    exponent: float | None

    @property
    def fitted(self) -> int:
        """The number of fitted parameters."""
        return self.terms.shape[1] + (self.exponent is None)

    def best(self) -> Best:
        """The parameters of the means, one experiment.

        **Raises:** ArgumentError where the points do not settle them.
        """
        start = self._start()
        _, jacobian = self._linearise(start)
        lengths = np.linalg.norm(jacobian[0], axis=0)
        if not lengths.all() or np.linalg.svd(jacobian[0] / lengths, compute_uv=False)[-1] <= PROPORTIONAL:
            raise ArgumentError("x and v", "settle the coefficients of all terms, and the exponent", len(self.mean))
        return self.settle(self.mean[None], start)

    def settle(self, values: Values, start: Best) -> Parameters:
        """The parameters of every experiment, by Gauss-Newton steps from `start`.

        **Raises:** ArgumentError where they do not come to rest.
        """
        # All begin at the best fit to the means, from which an experiment is a few errors away.
        found = np.repeat(start, len(values), axis=0)
        target = values / self.sem
        near = SETTLED * np.linalg.norm(target, axis=1)
        for _ in range(STEPS):
            model, jacobian = self._linearise(found)
            if not np.isfinite(jacobian).all():
                break
            # By the pseudo-inverse, which takes all experiments in one call and is at home where columns are nearly
            # dependent.
            step = np.linalg.pinv(jacobian) @ (target - model)[:, :, None]
            found[:, : self.fitted] += step[:, :, 0]
            if (np.linalg.norm((jacobian @ step)[:, :, 0], axis=1) <= near).all():
                return found
        raise ArgumentError("exponent", "be settled by the points, or given", self.exponent)

    def errors(self, best: Best) -> Float[np.ndarray, " parameters"]:
        """Standard errors of the parameters as they are told, (J^T J)^-1; NaN of an exponent that was given."""
        _, jacobian = self._linearise(best)
        inverse = np.linalg.pinv(jacobian[0])
        turn = self._turn(best[0])[:, : self.fitted]
        return self.without_given(np.sqrt(np.diag(turn @ (inverse @ inverse.T) @ turn.T)))

    def without_given(self, errors: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, " parameters"]:
        """Standard errors, with NaN for an exponent that was given."""
        return errors if self.exponent is None else np.append(errors[:-1], math.nan)

    def chi2(self, best: Best) -> float:
        """The sum of squared residuals of the means, in units of their errors."""
        model, _ = self._linearise(best)
        return float(((self.mean / self.sem - model[0]) ** 2).sum())

    def told(self, found: Parameters) -> Parameters:
        """The fit with the coefficients of x itself, not of x over its centre: c_j exp(-s centre)."""
        return np.column_stack([found[:, :-1] * np.exp(-found[:, -1:] * self.centre), found[:, -1]])

    def _turn(self, best: Float[np.ndarray, " parameters"]) -> Float[np.ndarray, "parameters parameters"]:
        """The derivatives of `told` by the parameters."""
        scale = math.exp(-best[-1] * self.centre)
        turn = np.diag(np.append(np.full(len(best) - 1, scale), 1.0))
        turn[:-1, -1] = -self.centre * scale * best[:-1]
        return turn

    def _start(self) -> Best:
        """s from a straight line of log y in log x and the terms, then the coefficients by least squares."""
        # The error of log y is sem/mean: this is least squares in the logarithm, good enough to begin with.
        weights = self.mean / self.sem
        if self.exponent is None:
            columns = np.column_stack([self.terms, self.log_x]) * weights[:, None]
            exponent = np.linalg.lstsq(columns, np.log(self.mean) * weights, rcond=None)[0][-1]
        else:
            exponent = self.exponent
        columns = self.terms * (np.exp(exponent * self.log_x) / self.sem)[:, None]
        return np.append(np.linalg.lstsq(columns, weights, rcond=None)[0], exponent)[None]

    def _linearise(self, found: Parameters) -> tuple[Values, Float[np.ndarray, "experiments points fitted"]]:
        """The law at the points, and its derivatives by the fitted parameters, in units of the errors."""
        with np.errstate(over="ignore", invalid="ignore"):  # of a step too far, which `settle` gives up at
            power = np.exp(found[:, -1:] * self.log_x) / self.sem
            model = (found[:, :-1] @ self.terms.T) * power
            jacobian = np.concatenate([power[:, :, None] * self.terms, (model * self.log_x)[:, :, None]], axis=2)
        return model, jacobian[:, :, : self.fitted]
