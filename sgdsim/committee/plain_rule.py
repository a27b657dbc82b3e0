"""The committee as a rule: the step of the plain network."""

from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.observables import observables
from sgdsim.committee.problem import Committee
from sgdsim.committee.specialisation import with_specialisation
from sgdsim.contracts import Observables
from sgdsim.rules.rule import Move, Rule, Sample, Sizes


class PlainRule(Rule):
    """SGD on (y - f)^2/2 of a student with a fixed second layer.

    y = (1/k) sum_r sigma(lambda*_r) + sqrt(noise) zeta,    f = (1/p) sum_i sigma(lambda_i)
    w_i <- w_i + (gamma/(p sqrt(d))) sigma'(lambda_i) (y - f) x
    """

    k: int = eqx.field(static=True)
    p: int = eqx.field(static=True)
    activation: Activation
    step_size: float
    noise_root: float
    escape_level: float | None = eqx.field(static=True, default=None)

    @classmethod
    def of(cls, problem: Committee) -> "PlainRule":
        """The rule of a problem."""
        return cls(
            problem.k, problem.p, problem.activation, problem.step_size, problem.noise**0.5, problem.escape_level
        )

    @property
    def sizes(self) -> Sizes:
        """k teachers, p students, and a normal for the label's noise."""
        return Sizes(fixed=self.k, moving=self.p)

    @property
    def rate(self) -> Any:
        """gamma/(p d)."""
        return self.step_size

    def step(self, at: Sample) -> Move:
        """error = y - f, slopes = sigma'(lambda)."""
        sigma = self.activation.value
        error = at.fixed.map(sigma).mean() - at.moving.map(sigma).mean() + self.noise_root * at.normals[0]
        return Move(error, at.moving.map(self.activation.derivative))

    def observe(
        self,
        P: Float[Array, "k k *batch"],
        M: Float[Array, "n k *batch"],
        Q: Float[Array, "n n *batch"],
        numbers: Float[Array, "q *batch"],
    ) -> Observables:
        """M, Q and excess_risk, and with a level specialisation and escaped."""
        return with_specialisation(observables(P, M, Q, self.activation), P, self.escape_level)
