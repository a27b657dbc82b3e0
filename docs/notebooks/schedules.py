# %% [markdown]
# # The best schedule of its kind, by gradients through the ODE
#
# `sgdsim.solve` may stand within `jax.jit`, `vmap` and `grad`. So the excess risk at the end is a function of the
# learning rate and its schedule like any other, and gradient descent finds the best: here gamma (1 + t/t0)^-x with
# three numbers, gamma, t0 and x, for noisy labels, where a constant rate ends on a floor.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim.committee import Committee, OverlapStart
from sgdsim.rules.schedule import PowerSchedule

FINAL, STEPS = 60.0, 12
start = OverlapStart(0.3)


def problem(gamma, t0, x):
    return Committee(d=1000, p=2, k=2, gamma=gamma, noise=0.3, schedule=PowerSchedule(t0, x))


@jax.jit
def log_risk(logs):
    """Of the logarithms of gamma, t0 and x, so that none of them becomes negative."""
    solved = sgdsim.solve(problem(*jnp.exp(logs)), start, np.array([FINAL]))
    return jnp.log(solved["excess_risk"].data[-1])


# %% [markdown]
# ## Descent
#
# Each step solves the ODE once forward and once backward.

# %%
slope = jax.jit(jax.value_and_grad(log_risk))
logs, path = jnp.log(jnp.array([1.0, 5.0, 0.2])), []
for _ in range(STEPS):
    value, gradient = slope(logs)
    path.append(float(jnp.exp(value)))
    logs = logs - 0.3 * gradient
best = [float(number) for number in jnp.exp(logs)]
print("risk at the end:", " ".join(f"{risk:.4f}" for risk in path[:: STEPS // 4]))
print(f"gamma = {best[0]:.2f}, t0 = {best[1]:.2f}, x = {best[2]:.2f}")

# %% [markdown]
# ## Does SGD agree?
#
# The schedule is the ODE's. A simulation at d = 1000 says what it is worth to SGD.

# %%
times = sgdsim.linear_times(FINAL, 20)
runs = {"constant": problem(1.0, 5.0, 0.0), "found": problem(*best)}
runs = {name: sgdsim.simulate(one, start, times, replicas=256) for name, one in runs.items()}
figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
for name, run in runs.items():
    (line, *_) = axes.errorbar(run.time, run.excess_risk, run.excess_risk_sem, fmt=".", label=name)
    axes.plot(run.time, run.excess_risk_theory, color=line.get_color())
axes.set(yscale="log", xlabel="t", ylabel="excess risk")
axes.legend()
plt.show()
ends = {name: float(run.excess_risk[-1]) for name, run in runs.items()}
print({name: round(end, 4) for name, end in ends.items()})
