"""The step of a two-layer network with a second layer, on any target."""

from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee import averages
from sgdsim.committee.activations import Activation
from sgdsim.committee.mixed import Mixed
from sgdsim.committee.specialisation import with_specialisation
from sgdsim.committee.target import Mean, Target
from sgdsim.contracts import Observables
from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.rules.linear_algebra import batched_root
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import Moments, Move, Rule, Sample, Sizes, in_arrays
from sgdsim.rules.units import UnitArray

RISK_LOG2 = 11
"""2^11 points of the excess risk, where it has no closed form."""


class NetworkRule(Rule):
    """SGD on (y - f)^2/2 of both layers.

        y = f*(lambda*) + sqrt(noise) zeta,    f = (1/p) sum_i a_i sigma(lambda_i)
        w_i <- w_i + (gamma/(p sqrt(d))) a_i sigma'(lambda_i) (y - f) x
        a_i <- a_i + (gamma_a/(p d)) sigma(lambda_i) (y - f)

    `outputs` are the a_i at t = 0; where they are not `trained`, at all times. What is observed is a_i/`output_unit`.
    With `correlation` y stands in place of y - f in both steps: SGD on the loss -y f.
    """

    k: int = eqx.field(static=True)
    p: int = eqx.field(static=True)
    trained: bool = eqx.field(static=True)
    output_unit: float = eqx.field(static=True)
    activation: Activation
    target: Target
    outputs: Float[Array | np.ndarray, " p"]
    step_size: Any
    output_step: Any
    noise_root: Any
    time_step: Any
    correlation: bool = eqx.field(static=True, default=False)
    escape_level: float | None = eqx.field(static=True, default=None)

    @property
    def sizes(self) -> Sizes:
        """k teachers, p students, a normal for the label's noise, and the second layer where it is trained."""
        return Sizes(fixed=self.k, moving=self.p, numbers=self.p * self.trained)

    @property
    def rate(self) -> Any:
        """gamma/(p d)."""
        return self.step_size

    @property
    def dt(self) -> Any:
        """Time of a step."""
        return self.time_step

    def begin(self, initial: Overlaps) -> tuple[Overlaps, Float[Array | np.ndarray, "*replicas q"]]:
        """The second layer at t = 0, where it is trained."""
        numbers = self.outputs[: self.sizes.numbers]
        return initial, jnp.broadcast_to(jnp.asarray(numbers), (*initial.Q.shape[:-2], len(numbers)))

    def step(self, at: Sample) -> Move:
        """error = y - f, slopes = a sigma'(lambda)."""
        a: Any = at.numbers if self.trained else self.outputs
        sigma = at.moving.map(self.activation.value)
        error = self.target.value(at.fixed) + self.noise_root * at.normals[0]
        if not self.correlation:
            error = error - (sigma * a).mean()
        slopes = at.moving.map(self.activation.derivative) * a
        return Move(error, slopes, sigma * error * self.output_step if self.trained else None)

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """M, Q, excess_risk, and a where it is trained."""
        a = numbers if self.trained else jnp.reshape(jnp.asarray(self.outputs), (-1, *[1] * (Q.ndim - 2)))
        a = jnp.broadcast_to(a, (self.p, *Q.shape[2:]))
        seen = {"M": M, "Q": Q, "excess_risk": self._risk(P, M, Q, a)}
        seen = with_specialisation(seen, P, self.escape_level)
        return seen | {"a": numbers / self.output_unit} if self.trained else seen

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> Moments | None:
        """In closed form, or by series, where the target is a mean of units: see `averages`."""
        activation = self._averages
        if activation is None:
            return None
        a = numbers if self.trained else jnp.asarray(self.outputs)
        C, k, noise = averages.covariance(P, M, Q), self.k, self.noise_root**2
        s = self._signs(jnp.zeros_like(a) if self.correlation else a)
        seen = averages.with_fields(C, s, k, activation)
        fields = a[:, None] * seen
        # Units of two kinds would need J2 of either: such a batch takes its slopes over points.
        alike = isinstance(activation, Activation)
        slopes = a[:, None] * averages.slopes(C, s, k, activation, seen) if alike else None
        squares = a[:, None] * averages.with_errors(C, s, k, noise, activation) * a[None, :]
        moved = self.output_step * averages.with_outputs(C, s, k, activation)
        return Moments(fields[:, :k], fields[:, k:], squares, moved[: self.sizes.numbers], slopes)

    @property
    def accuracy(self) -> float:
        """Relative error of the averages, 0 for rounding or, where they are over points, unknown."""
        return 0.0 if self._averages is None else self._averages.accuracy

    @property
    def _averages(self) -> averages.Averages | None:
        """What knows the averages of a mean of units; None of another target, and of relu beside another."""
        if not isinstance(self.target, Mean):
            return None
        pair = (self.target.activation, self.activation)
        if pair[0] == pair[1]:
            return self.activation
        return Mixed(*pair, self.k) if Mixed.known(*pair) else None

    def _signs(self, a: Float[Array, "p *batch"]) -> Float[Array, "n *batch"]:
        """s with f* - f = sum_a s_a sigma(l_a)."""
        assert isinstance(self.target, Mean)
        teacher = jnp.reshape(jnp.asarray(self.target.outputs) / self.k, (-1, *[1] * (a.ndim - 1)))
        return jnp.concatenate([jnp.broadcast_to(teacher, (self.k, *a.shape[1:])), -a / self.p])

    def _risk(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        a: Float[Array, "p *batch"],
    ) -> Float[Array, "*batch"]:
        P = jnp.broadcast_to(P, (self.k, self.k, *Q.shape[2:]))
        C = jnp.concatenate(
            [jnp.concatenate([P, jnp.swapaxes(M, 0, 1)], axis=1), jnp.concatenate([M, Q], axis=1)], axis=0
        )
        if self._averages is not None:
            return averages.half_square(C, self._signs(a), self._averages)
        flat = jnp.moveaxis(C.reshape(*C.shape[:2], -1), -1, 0)
        outputs = jnp.moveaxis(a.reshape(self.p, -1), -1, 0)
        z = jnp.asarray(_points(self.k + self.p))
        risk = jax.lax.map(lambda pair: self._averaged_risk(z, *pair), (flat, outputs))
        return risk.reshape(Q.shape[2:])

    def _averaged_risk(
        self, z: Float[Array, "points n"], C: Float[Array, "n n"], a: Float[Array, " p"]
    ) -> Float[Array, ""]:
        fields = z @ batched_root(C[None])[0].T
        f = jnp.mean(self.activation.value(fields[:, self.k :]) * a[None], axis=1)
        target = in_arrays(self, jnp.float64).target.value(UnitArray(fields[None, :, : self.k]))[0]
        return 0.5 * jnp.mean((target - f) ** 2)


@lru_cache(maxsize=4)
def _points(fields: int) -> Float[np.ndarray, "points fields"]:
    return sobol_normals(fields, RISK_LOG2)
