# %% [markdown]
# # One-pass SGD beside its ODE
#
# A committee of two units learns from a teacher of two. We look at single learning curves, at how far trajectories
# stray from the ODE, and at the law by which that distance falls with d. Sizes are small, so that all of this takes
# seconds.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim import committee

REPLICAS = 256  # 4096 for a paper
TIMES = sgdsim.linear_times(5.0, 20)


def problem(d, noise=1e-2):
    return committee.Committee(d=d, p=2, k=2, gamma=2.0, noise=noise)


start = committee.OverlapStart(0.5, seed=1)

# %% [markdown]
# ## Learning curves
#
# `simulate` runs SGD as the exact chain of its order parameters and solves the ODE at the same times. The result is
# an xarray Dataset.

# %%
run = sgdsim.simulate(problem(1000), start, TIMES, replicas=REPLICAS)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
sgdsim.plot.risk(run, ax=left)
sgdsim.plot.trajectories(run, "M", ax=right)
plt.show()

# %% [markdown]
# ## How far do trajectories stray?
#
# `ExactODE(fluctuations=True)` predicts it: linear noise about the ODE, at the actual d.

# %%
theory = committee.ExactODE(fluctuations=True)
dims = [100, 1000, 10_000]
runs = [
    sgdsim.simulate(problem(d), start, TIMES, replicas=REPLICAS, seed=seed, theory=theory)
    for seed, d in enumerate(dims)  # with one seed the errors of all d would be alike
]
measured = np.array([float(run.max_deviation) for run in runs])
errors = np.array([float(run.max_deviation_sem) for run in runs])
predicted = np.array([float(run.max_deviation_predicted) for run in runs])
for d, *row in zip(dims, measured, errors, predicted, strict=True):
    print(f"d = {d:6d}  measured {row[0]:.5f}  error {row[1]:.5f}  predicted {row[2]:.5f}")

# %% [markdown]
# ## The law
#
# The distance falls as the root of dt = 1/d.

# %%
slope = np.polyfit(np.log(dims), np.log(measured), 1)[0]
figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
axes.errorbar(dims, measured, errors, fmt="o", label="measured")
axes.plot(dims, predicted, "--", label="predicted")
axes.set(xscale="log", yscale="log", xlabel="d", ylabel="max deviation", title=f"slope {slope:.2f} in d")
axes.legend()
plt.show()
