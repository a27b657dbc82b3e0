# %% [markdown]
# # A fifth system: regression by signs
#
# A linear student learns from the *sign* of its error alone, which outliers cannot mislead:
#
#     w <- w + (eta/sqrt(d)) sgn(e) x,    e = w*.x/sqrt(d) - w.x/sqrt(d) + sqrt(noise) xi
#
# e is Gaussian of the variance s^2 = V + noise, V = P - 2 M + Q, so that E[sgn(e) f] = sqrt(2/pi) E[e f]/s for a
# field f. In t = nu/d
#
#     dM/dt = eta sqrt(2/pi) (P - M)/s,    dQ/dt = 2 eta sqrt(2/pi) (M - Q)/s + eta^2
#
# and V settles where V/s = eta sqrt(pi/8). A rule says what one sample does; the chain, the simulation on full
# vectors, the ODE and the fluctuations follow.

# %%
from typing import Annotated, Any, ClassVar

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim.contracts import Variable
from sgdsim.parameters import Parameter
from sgdsim.rules import ExplicitRuleStart, KickMoments, Move, Rule, RuleODE, RuleProblem, Sizes, rule_system
from sgdsim.testing import check_rule


class SignRule(Rule):
    step_size: Any
    noise: Any
    sizes: ClassVar[Sizes] = Sizes(fixed=1, moving=1, normals=1)
    rate = property(lambda self: self.step_size)

    def step(self, at):
        error = at.fixed[0] - at.moving[0] + jnp.sqrt(self.noise) * at.normals[0]
        return Move(error=jnp.sign(error), slopes=at.moving.map(jnp.ones_like))

    def observe(self, P, M, Q, numbers):
        return {"M": M, "Q": Q, "distance": (P - 2 * M + Q)[0, 0]}

    def moments(self, P, M, Q, numbers, time):
        share = jnp.sqrt(2 / jnp.pi) / jnp.sqrt(P - 2 * M + Q + self.noise)
        return KickMoments(share * (P - M), share * (M - Q), squares=jnp.ones_like(Q), numbers=numbers)


class SignRegression(RuleProblem):
    system: ClassVar[str] = "sign_regression"
    eta: Annotated[float, Parameter(r"\eta", "learning rate", above=0, example=0.5)]
    noise: Annotated[float, Parameter(r"\Delta", "variance of the label noise", least=0)] = 0.0

    @property
    def rule(self):
        return SignRule(self.eta / self.d, self.noise)


SYSTEM = rule_system(SignRegression, {"distance": Variable("squared distance from the teacher", "V")}, risk="distance")

# %% [markdown]
# ## Is it right?
#
# `check_rule` holds chain, full vectors, the mean of one step and the closed moments against one another. It raises
# where they differ.

# %%
problem = SignRegression(d=1000, eta=0.5, noise=0.1)
start = ExplicitRuleStart(P=[[1.0]], M0=[[0.2]], Q0=[[0.8]])
check_rule(problem.rule, 20, start.draw(problem, np.random.default_rng(0), 1))

# %% [markdown]
# ## Simulation over theory
#
# No line of sgdsim was changed, and all of it works: error bars, the ODE, the predicted spread.

# %%
times = sgdsim.linear_times(6.0, 12)
run = sgdsim.simulate(problem, start, times, replicas=1024, theory=RuleODE(fluctuations=True))
figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
axes.plot(run.time, run.distance_theory, label="ODE")
axes.errorbar(run.time, run.distance, run.distance_std, fmt=".", label="SGD, with the spread of a run")
axes.set(xlabel="t", ylabel="V")
axes.legend()
plt.show()

# %%
V = np.linspace(0.0, 1.0, 100_001)
settled = V[np.argmin(np.abs(V / np.sqrt(V + problem.noise) - problem.eta * np.sqrt(np.pi / 8)))]
last = float(run.distance[-1])
ratio = float(run.distance_std[-1] / run.distance_predicted_std[-1])
print(f"V at t = 6: {last:.4f}, where it settles: {settled:.4f}; spread measured over predicted {ratio:.3f}")
