# %% [markdown]
# # Units of a wide network, and their limits
#
# N hidden units at the learning rate gamma N^beta. `Pair` runs every unit beside its limit, with the same start and
# the same noise; `coupling` is the mean of the largest squared distance so far.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim import meanfield

REPLICAS = 40
WIDTHS = [64, 256, 1024]
times = sgdsim.linear_times(5.0, 5)


def problem(N, beta, noise="independent"):
    dynamics = meanfield.Sde(noise, dt=0.05)
    return meanfield.MeanField(model=meanfield.tanh_model(), N=N, gamma=0.1, beta=beta, dynamics=dynamics)


# %% [markdown]
# ## Rates
#
# Theorems: N^-(1 - beta) below beta = 1, and N^-1 at beta = 1 for noise of the units' own.

# %%
slopes = {}
figure, axes = plt.subplots(figsize=(4.5, 3), layout="constrained")
for beta in (0.5, 1.0):
    pairs = [
        sgdsim.simulate(problem(N, beta), meanfield.LawStart(), times, replicas=REPLICAS, simulator=meanfield.Pair())
        for N in WIDTHS
    ]
    coupling = [float(pair["coupling"][-1]) for pair in pairs]
    slopes[beta] = np.polyfit(np.log(WIDTHS), np.log(coupling), 1)[0]
    axes.loglog(WIDTHS, coupling, "o-", label=f"beta = {beta}: slope {slopes[beta]:.2f}")
axes.set(xlabel="N", ylabel="coupling")
axes.legend()
plt.show()

# %% [markdown]
# ## Which noise?
#
# SGD has noise that all units share. At beta = 1 its limit is random then: predictions differ from run to run,
# however large N is.

# %%
warnings.simplefilter("ignore", sgdsim.CautionWarning)  # which says the same
spread = {}
for noise in ("common", "independent"):
    run = sgdsim.simulate(problem(1024, 1.0, noise), meanfield.LawStart(), times, replicas=REPLICAS, compare=False)
    spread[noise] = float(run["m_std"][-1, 3])
    print(f"{noise} noise: prediction at x = 1 has the standard deviation {spread[noise]:.4f} between runs")
