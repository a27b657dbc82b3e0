# %% [markdown]
# # GD and SGD look for a signal
#
# Quadratic measurements of a hidden vector: below a threshold GD stays in the glass. SGD with the batch fraction b
# has a lower one. The theory of N → infinity is integrated in seconds; simulations at N = 60 stand beside it.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim import recovery

# %% [markdown]
# ## Theory: where noise is needed
#
# t = eta times steps. At alpha = 2 from the overlap m0 = 0.01 neither GD nor SGD with b = 1/2 finds the signal within
# t = 60, b = 0.2 does.

# %%
times = sgdsim.linear_times(60.0, 150)
distances = {}
for b in (1.0, 0.5, 0.2):
    problem = recovery.Recovery(alpha=2.0, eta=0.2, b=b, m0=0.01, N=1000)
    distances[b] = sgdsim.solve(problem, recovery.ExactStart(), times)["distance"]
    print(f"b = {b}: distance {float(distances[b][-1]):.3g} at t = 60")

figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
for b, distance in distances.items():
    axes.plot(times, distance, label=f"b = {b}")
axes.set(xlabel="t", ylabel="distance from the signal")
axes.legend()
plt.show()

# %% [markdown]
# ## A simulation beside it
#
# At alpha = 2.5 and a larger start the signal is found soon. The mean over replicas is biased by O(1/N): the crosses
# of N = 60 need not lie on the line within their error.

# %%
problem = recovery.Recovery(alpha=2.5, eta=0.1, b=0.2, m0=0.3, N=60)
short = sgdsim.linear_times(3.0, 6)
run = sgdsim.simulate(problem, recovery.ExactStart(), short, replicas=64)
figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
axes.plot(run.time, run.m_theory, label="theory, N → infinity")
axes.errorbar(run.time, run.m, run.m_sem, fmt="x", label="N = 60")
axes.set(xlabel="t", ylabel="overlap m")
axes.legend()
plt.show()
off = np.abs(run.m - run.m_theory).max()
print(f"largest difference in m: {float(off):.3f}")
