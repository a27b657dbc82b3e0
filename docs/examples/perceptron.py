"""The perceptron rule: w <- w + (eta/sqrt(d)) y x where sgn(w.x) is not the label y = sgn(w*.x), with x ~ N(0, I_d).

With rho = M/sqrt(P Q) it errs on a part E = arccos(rho)/pi of the data, and in the mean (Biehl & Schwarze 1995), at
any d, since the length of x says nothing of the angle that E depends on:

    dM/dt = eta sqrt(P/2 pi) (1 - rho),    dQ/dt = -2 eta sqrt(Q/2 pi) (1 - rho) + eta^2 E
"""

from typing import Annotated, Any, ClassVar

import jax.numpy as jnp

from sgdsim.contracts import Variable
from sgdsim.parameters import Parameter
from sgdsim.rules import KickMoments, Move, Rule, RuleProblem, Sizes, rule_system


class PerceptronRule(Rule):
    step_size: Any
    sizes: ClassVar[Sizes] = Sizes(fixed=1, moving=1, normals=0)
    rate = property(lambda self: self.step_size)

    def step(self, at):  # the kick of w is error * slopes * rate
        label = jnp.sign(at.fixed[0])
        return Move(error=label, slopes=(at.moving * label).map(lambda agreed: (agreed < 0).astype(agreed.dtype)))

    def observe(self, P, M, Q, numbers):
        return {"M": M, "Q": Q, "error": jnp.arccos(self.rho(P, M, Q)[0, 0]) / jnp.pi}

    def moments(self, P, M, Q, numbers, time):
        rho = self.rho(P, M, Q)
        share = (1 - rho) / jnp.sqrt(2 * jnp.pi)
        return KickMoments(jnp.sqrt(P) * share, -jnp.sqrt(Q) * share, squares=jnp.arccos(rho) / jnp.pi, numbers=numbers)

    def rho(self, P, M, Q):
        return M / jnp.sqrt(P * Q)


class Perceptron(RuleProblem):
    system: ClassVar[str] = "perceptron"
    eta: Annotated[float, Parameter(r"\eta", "learning rate", above=0, example=1.0)]

    @property
    def rule(self):
        return PerceptronRule(self.eta / self.d)


VARIABLES = {"error": Variable("part of the data that is wrong", r"\epsilon")}
SYSTEM = rule_system(Perceptron, VARIABLES, risk="error")
