"""The step of a two-layer network with a second layer, on any target."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import network as averages
from sgdsim.committee.averages import target_averages
from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.averages.mixed import Mixed
from sgdsim.committee.labels import Labels
from sgdsim.committee.observables import recovery
from sgdsim.committee.specialisation import with_specialisation
from sgdsim.committee.target import Target, UnitMean
from sgdsim.contracts import Observables
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import KickMoments, Move, Rule, Sample, Sizes


class NetworkRule(Rule):
    """SGD on (y - f)^2/2 of both layers.

        y = f*(lambda*) + sqrt(noise) zeta,    f = (1/p) sum_i a_i sigma(lambda_i)
        w_i <- w_i + (gamma/(p sqrt(d))) a_i sigma'(lambda_i) (y - f) x
        a_i <- a_i + (gamma_a/(p d)) sigma(lambda_i) (y - f)

    `outputs` are the a_i at t = 0; where they are not `trained`, at all times. What is observed is a_i/`output_unit`.
    With `correlation` y stands in place of y - f in both steps: SGD on the loss -y f. `made` is what y is made by,
    where its noise is not Gaussian, or where it is a class.
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
    made: Labels = Labels()

    @property
    def sizes(self) -> Sizes:
        """k teachers, p students, normals for the label's noise, and the second layer where it is trained."""
        return Sizes(self.k, self.p, self.p * self.trained, self.made.law.normals)

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

    def label(self, at: Sample) -> Any:
        """f*, the label without its noise."""
        return self.target.value(at.fixed)

    def step(self, at: Sample) -> Move:
        """error = y - f, slopes = a sigma'(lambda)."""
        a: Any = at.numbers if self.trained else self.outputs
        sigma = at.moving.map(self.activation.value)
        error = self.made.value(self.label(at), self.noise_root, at.normals)
        if not self.correlation:
            error = error - (sigma * a).mean()
        slopes = at.moving.map(self.activation.derivative) * a
        return Move(error, slopes, sigma * error * self.output_step if self.trained else None)

    def excess(self, at: Sample) -> Any:
        """E[y] given the fields, less f."""
        a: Any = at.numbers if self.trained else self.outputs
        return self.made.mean(self.label(at), self.noise_root) - (at.moving.map(self.activation.value) * a).mean()

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
        seen = {"M": M, "Q": Q, "excess_risk": self._risk(P, M, Q, a)} | recovery(P, M, Q)
        seen = with_specialisation(seen, P, self.escape_level)
        return seen | {"a": numbers / self.output_unit} if self.trained else seen

    def moments(
        self,
        P: Float[Array, "k k"],
        M: Float[Array, "n k"],
        Q: Float[Array, "n n"],
        numbers: Float[Array, " q"],
        time: Any,
    ) -> KickMoments | None:
        """In closed form, or by series, where the target is a mean of units: see `averages`.

        Elsewhere fields and outputs by Hermite series, and squares as the target has them, see `target_averages`.
        """
        a = numbers if self.trained else jnp.asarray(self.outputs)
        C, k, noise = averages.covariance(P, M, Q), self.k, self.noise_root**2
        felt = jnp.zeros_like(a) if self.correlation else a
        s, units = self._signs(felt), self._averages or self.activation
        fields, moved = averages.with_fields(C, s, k, units), averages.with_outputs(C, s, k, units)
        # Units of two kinds would need J2 of either: such a batch takes its slopes over points.
        slopes = averages.slopes(C, s, k, units, fields) if isinstance(units, Activation) else None
        if self._averages is not None:
            squares = averages.with_errors(C, s, k, noise, units)
        else:
            outputs, pull, own = target_averages.with_fields(self.target, self.activation, P, M, Q)
            assert slopes is not None
            fields, moved, slopes = fields + pull, moved + outputs, slopes + own
            squares = target_averages.with_errors(self.target, self.activation, C, felt)
            squares = squares + noise * averages.with_slopes(C, k, self.activation)
        fields = a[:, None] * fields
        squares = a[:, None] * squares * a[None, :]
        slopes = None if slopes is None else a[:, None] * slopes
        moved = (self.output_step * moved)[: self.sizes.numbers]
        return KickMoments(fields[:, :k], fields[:, k:], squares, moved, slopes)

    @property
    def accuracy(self) -> float:
        """Relative error of the averages, 0 for rounding or, where they are over points, unknown."""
        return 0.0 if self._averages is None else self._averages.accuracy

    @property
    def _averages(self) -> averages.Averages | None:
        """What knows the averages of a mean of units; None of another target, and of relu beside another."""
        if not isinstance(self.target, UnitMean):
            return None
        pair = (self.target.activation, self.activation)
        if pair[0] == pair[1]:
            return self.activation
        return Mixed(*pair, self.k) if Mixed.known(*pair) else None

    def _signs(self, a: Float[Array, "p *batch"]) -> Float[Array, "n *batch"]:
        """s with f* - f = sum_a s_a sigma(l_a), or -f where f* is no such sum."""
        outputs = self.target.outputs if self._averages and isinstance(self.target, UnitMean) else np.zeros(self.k)
        teacher = jnp.reshape(jnp.asarray(outputs) / self.k, (-1, *[1] * (a.ndim - 1)))
        return jnp.concatenate([jnp.broadcast_to(teacher, (self.k, *a.shape[1:])), -a / self.p])

    def _risk(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        a: Float[Array, "p *batch"],
    ) -> Float[Array, "*batch"]:
        batch = Q.shape[2:]
        P = jnp.broadcast_to(P, (self.k, self.k, *batch))
        if self._averages is not None:
            left, right = jnp.concatenate([P, M]), jnp.concatenate([jnp.swapaxes(M, 0, 1), Q])
            C = jnp.concatenate([left, right], axis=1)
            return averages.half_square(C, self._signs(a), self._averages)
        rows = [part.reshape(*part.shape[: part.ndim - len(batch)], -1) for part in (P, M, Q, a)]
        average = partial(target_averages.half_square, self.target, self.activation)
        return jax.vmap(average, in_axes=-1)(*rows).reshape(batch)
