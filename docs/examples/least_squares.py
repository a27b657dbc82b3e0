"""One-pass least squares: w <- w - (gamma/d) (w.x - y) x, with x ~ N(0, I_d), y = w*.x + sqrt(noise) xi, |w*| = 1.

With R = |w - w*|^2/2, the excess risk, m = w.w*, t = nu gamma/d, and E (v.x)^2 |x|^2 = (d + 2) |v|^2, at any d:

    E R(nu + 1) = a E R(nu) + c,    a = 1 - 2 gamma/d + gamma^2 (d + 2)/d^2,    c = gamma^2 noise/(2 d)
    E m(nu + 1) = E m(nu) + (gamma/d) (1 - E m(nu))
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from sgdsim.checks import check_fields
from sgdsim.contracts import Curve, Kernel, Problem, Simulator, Start, Theory, Variable
from sgdsim.cost import StepCost
from sgdsim.ensemble.loops import steps_loop
from sgdsim.ensemble.plain import plain_system
from sgdsim.ensemble.random import block_normals, fold
from sgdsim.parameters import Parameter


class LeastSquares(Problem):
    system: ClassVar[str] = "least_squares"
    order_parameters: ClassVar[tuple[str, ...]] = ("excess_risk", "m")
    samples_per_step: ClassVar[float] = 1.0
    d: Annotated[int, Parameter("d", "dimension", least=1, example=100)] = eqx.field(static=True)
    gamma: Annotated[float, Parameter(r"\gamma", "step size, times d", above=0, example=0.5)]
    noise: Annotated[float, Parameter(r"\Delta", "variance of the label noise", least=0)] = 0.0

    __post_init__ = check_fields
    dt = property(lambda self: self.gamma / self.d)


@dataclass(frozen=True)
class Aligned(Start):  # w(0) = overlap w*
    overlap: Annotated[float, Parameter("m_0", "overlap with the teacher at t = 0")] = 0.0

    def draw(self, problem, rng, size):
        return np.full(size, self.overlap)


class Weights(Kernel):
    problem: LeastSquares
    lanes: int = eqx.field(static=True, default=16)
    segment: int = eqx.field(static=True, default=1)

    def init(self, initial, keys):
        w = jnp.broadcast_to(initial * self.problem.d**-0.5, (self.problem.d, self.lanes))
        return w, keys, jnp.zeros((), jnp.int64)

    def advance(self, state, n_steps):
        (w, keys, done), d, noise = state, self.problem.d, self.problem.noise

        def step(i, w):  # a key for every replica and step: x, (d, lanes), and xi below it
            normals = block_normals(fold((keys[0], keys[1]), done + i), d + 1, jnp.float64).T
            error = ((w - d**-0.5) * normals[:d]).sum(0) - noise**0.5 * normals[d]
            return w - self.problem.dt * error[None] * normals[:d]

        return steps_loop(0, n_steps, step, w), keys, done + n_steps

    def observe(self, state):
        w, star = state[0], self.problem.d**-0.5
        return {"excess_risk": ((w - star) ** 2).sum(0) / 2, "m": w.sum(0) * star}


@dataclass(frozen=True)
class OnePass(Simulator):
    name: ClassVar[str] = "one_pass"

    def bind(self, problem, replicas, final):
        return Weights(problem)

    def step_cost(self, problem):
        return StepCost(operations=40.0 * problem.d, loops=3.0, launches=4.0)


class Means(Curve):
    problem: LeastSquares

    def __call__(self, m0, times):
        d, gamma, noise = self.problem.d, self.problem.gamma, self.problem.noise
        a, c, nu = 1 - 2 * gamma / d + gamma**2 * (d + 2) / d**2, gamma**2 * noise / (2 * d), times * d / gamma
        grown = jnp.where(a == 1, nu, (1 - a**nu) / jnp.where(a == 1, 1, 1 - a))  # 1 + a + ... + a^(nu - 1)
        return {"excess_risk": (1 - m0) ** 2 / 2 * a**nu + c * grown, "m": 1 - (1 - m0) * (1 - gamma / d) ** nu}


@dataclass(frozen=True)
class Recursion(Theory):
    name: ClassVar[str] = "recursion"

    def bind(self, problem):
        return Means(problem)


VARIABLES = {"excess_risk": Variable("excess risk", "R"), "m": Variable("overlap with the teacher", "m")}
SYSTEM = plain_system(LeastSquares, Aligned, OnePass, Recursion, variables=VARIABLES, risk="excess_risk")
