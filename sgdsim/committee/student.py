"""The two-layer network as a model that is trained on data, and the teacher that labels them."""

from dataclasses import KW_ONLY
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from sgdsim.committee.frame import Frame, spread_frame, vectors_in
from sgdsim.committee.network_rule import NetworkRule
from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import network_of, observing_rule
from sgdsim.committee.sampled_risk import SampledRisk
from sgdsim.contracts import Observables
from sgdsim.ensemble.random import Key
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import Rule, in_arrays
from sgdsim.rules.schedule import Constant, Schedule
from sgdsim.rules.units import UnitArray
from sgdsim.training.inputs import InputLaw, LabelLaw, NormalInputs, NormalNoise
from sgdsim.training.model import Begun, TrainedModel


class TaughtModel(TrainedModel):
    """Any student of a teacher: y = f*(lambda*) + sqrt(noise) zeta with lambda*_r = w*_r.x/sqrt(d).

    `begin` has to put the teacher's weights, (lanes, k, d), in `Begun.fixed`.
    """

    d: int = eqx.field(static=True)
    network: NetworkRule
    """Of which it has the target and the noise."""
    inputs: InputLaw = NormalInputs()
    labels: LabelLaw = NormalNoise()

    def label(
        self,
        fixed: Float[Array, "lanes k d"],
        x: Float[Array, "lanes rows d"],
        zeta: Float[Array, "lanes rows"],
    ) -> Float[Array, "lanes rows"]:
        """The target of the teacher's fields, with noise."""
        fields = jnp.einsum("lsd,lkd->lsk", x, fixed) * jnp.asarray(self.d**-0.5, x.dtype)
        clean = in_arrays(self.network.target, x.dtype).value(UnitArray(fields))
        noise = jnp.asarray(self.network.noise_root, x.dtype) * zeta
        return self.network.made.kind(jnp.broadcast_to(clean, zeta.shape) + noise)

    @property
    def noise_risk(self) -> Any:
        """noise/2."""
        return 0.5 * self.network.noise_root**2


class NetworkStudent(TaughtModel):
    """f(x) = (1/p) sum_i a_i sigma(lambda_i), lambda_i = w_i.x/sqrt(d), with the steps of `Committee`.

    The parameters are W and, where the second layer is trained, a. Gradients are p sqrt(d) and p times those of R, and
    rates gamma/(p sqrt(d)) and gamma_a/(p d),

        G_i = -(1/batch) sum_s a_i sigma'(lambda_i^s) e^s x^s,    w_i <- w_i + (gamma/(p sqrt(d))) s(t) U(G)_i
        g_i = -(1/batch) sum_s sigma(lambda_i^s) e^s,             a_i <- a_i + (gamma_a/(p d)) s_a(t) U(g)_i

    so that U = -G, -g is the step without an optimiser, and an optimiser that takes lengths out of gradients moves
    weights, of order 1, by gamma/(p sqrt(d)) in every entry: as far in the time of the problem as a noisy step does.
    """

    _: KW_ONLY
    observed: Rule
    schedules: tuple[Schedule, Schedule]
    frame: Frame | None = None
    """Where inputs or the optimiser know coordinates, see `spread_frame`."""
    risk: SampledRisk | None = None
    """Where overlaps do not say what it is."""

    @classmethod
    def of(cls, problem: Committee, test_inputs: int, native: bool = False) -> "NetworkStudent":
        """The student of a problem; of inputs of a law it observes the risk over so many.

        - `native`: as in `NormalInputs`.
        """
        law, d = problem.law, problem.d
        count = problem.k + min(problem.p, d - problem.k)
        turns = law is None and (problem.optimiser is None or problem.optimiser.turns)
        return cls(
            d=d,
            network=network_of(problem),
            inputs=NormalInputs(native) if law is None else law.at(d),
            labels=problem.label_noise or NormalNoise(),
            frame=None if turns else spread_frame(count, d),
            risk=None if law is None else SampledRisk.of(problem, test_inputs),
            observed=observing_rule(problem),
            schedules=problem.schedules or (Constant(), Constant()),
        )

    def begin(self, initial: Overlaps, keys: UInt32[Array, "2 lanes"], dtype: Any) -> Begun:
        """Weights with exactly the given overlaps, and the second layer where it is trained."""
        lanes = keys.shape[1]
        vectors = initial.frame_weights(self.d) if self.frame is None else vectors_in(initial, self.frame)
        teacher, W = (jnp.broadcast_to(jnp.asarray(part, dtype), (lanes, *part.shape[1:])) for part in vectors)
        a = jnp.broadcast_to(jnp.asarray(self.network.outputs, dtype), (lanes, self.network.p))
        return Begun({"W": W} | ({"a": a} if self.network.trained else {}), teacher)

    def _layer(self, parameters: Any, dtype: Any) -> Float[Array, "#lanes 1 p"]:
        outputs = jnp.asarray(self.network.outputs, dtype)[None]
        return (parameters["a"] if self.network.trained else outputs)[:, None]

    def _fields(self, W: Float[Array, "lanes p d"], x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows p"]:
        return jnp.einsum("lsd,lpd->lsp", x, W) * jnp.asarray(self.d**-0.5, x.dtype)

    def output(self, parameters: Any, x: Float[Array, "lanes rows d"]) -> Float[Array, "lanes rows"]:
        """f(x)."""
        sigma = self.network.activation.value(self._fields(parameters["W"], x))
        return jnp.mean(sigma * self._layer(parameters, x.dtype), axis=2)

    def gradient(self, parameters: Any, x: Float[Array, "lanes rows d"], y: Float[Array, "lanes rows"]) -> Any:
        """G and g in closed form."""
        fields, a = self._fields(parameters["W"], x), self._layer(parameters, x.dtype)
        sigma, slope = self.network.activation.value(fields), self.network.activation.derivative(fields)
        error = (jnp.mean(sigma * a, axis=2) - y)[:, :, None] * jnp.asarray(1 / x.shape[1], x.dtype)
        first = {"W": jnp.einsum("lsp,lsd->lpd", slope * a * error, x)}
        return first | ({"a": jnp.sum(sigma * error, axis=1)} if self.network.trained else {})

    def rates(self, time: Float[Array, ""]) -> dict[str, Any]:
        """gamma s/(p sqrt(d)) and gamma_a s_a/(p d)."""
        of_W, of_a = (in_arrays(schedule, time.dtype).value(time) for schedule in self.schedules)
        first = {"W": of_W * jnp.asarray(self.network.step_size * self.d**0.5, time.dtype)}
        second = {"a": of_a * jnp.asarray(self.network.output_step, time.dtype)}
        return first | (second if self.network.trained else {})

    @property
    def scales(self) -> tuple[Any, Any]:
        """p sqrt(d) and sqrt(d): |grad| and decay are those of `Update`."""
        return self.network.p * self.d**0.5, self.d**0.5

    def observe(self, parameters: Any, fixed: Float[Array, "lanes k d"], key: Key) -> Observables:
        """M, Q, excess_risk and what else the network observes of them."""
        W, teacher = parameters["W"].astype(jnp.float64), fixed.astype(jnp.float64)
        pairs = ((teacher, teacher), (W, teacher), (W, W))
        P, M, Q = (jnp.einsum("lid,ljd->ijl", left, right) / self.d for left, right in pairs)
        a = parameters["a"].T if self.network.trained else jnp.zeros((0, W.shape[0]))
        seen = self.observed.observe(P, M, Q, a.astype(jnp.float64))
        return seen if self.risk is None else seen | {"excess_risk": self.risk(key, parameters["W"], fixed, a.T)}

    def distance(self, parameters: Any, start: Any) -> Float[Array, " lanes"]:
        """|W - W_0|/sqrt(p d), whatever the second layer does."""
        return super().distance(parameters["W"], start["W"])
