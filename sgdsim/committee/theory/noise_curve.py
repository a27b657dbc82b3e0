"""The curve of the ODE with the drift and the noise of a step along it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.effective_noise import noise_observables
from sgdsim.committee.theory.overlap_curve import OverlapCurve
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.contracts import Curve, Observables
from sgdsim.rules.entries import independent
from sgdsim.rules.overlaps import Overlaps


class NoiseCurve(Curve):
    """The ODE, its right-hand side as the drift, and `StepCovariance` as the covariance of a step over dt."""

    inner: OverlapCurve
    noise: StepCovariance

    def __call__(self, initial: Overlaps, times: Float[Array | np.ndarray, " times"]) -> Observables:
        """As the inner curve, with the observables of `effective_noise`."""
        seen = self.inner(initial, times)
        return seen | self._along(jnp.asarray(initial.P), seen["M"], seen["Q"])

    def solve(self, initial: Overlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """The same on the host. The inner curve has points to spare, at which nothing is averaged."""
        seen = self.inner.solve(initial, times)
        along = _along(self, np.asarray(initial.P), seen["M"], seen["Q"])
        return seen | {name: np.asarray(value) for name, value in along.items()}

    def _along(self, P: Float[Array, "k k"], M: Float[Array, "times p k"], Q: Float[Array, "times p p"]) -> Observables:
        def at(point: tuple[Any, Any]) -> Observables:
            return noise_observables(independent(*self.inner.step_velocity(P, *point)), self.noise(P, *point))

        # One time after another: the points of an average are 2^15.
        return jax.lax.map(at, (M, Q))


@eqx.filter_jit
def _along(curve: NoiseCurve, P: Any, M: Any, Q: Any) -> Observables:
    return curve._along(*(jnp.asarray(part) for part in (P, M, Q)))
