# %% [markdown]
# # Figure 4 of Veiga et al. (2022), small
#
# The green region at kappa = 0, delta = 1/2: the noise term of the ODE vanishes as d grows, learning is perfect in
# the limit, and at finite d the excess risk settles on a floor ~ noise d^-delta. (a) the risk against time for
# several d, with the ODE at each d and its limit; (b) the floor against d for two noise levels. The paper has d up to
# 1000 and t up to 10^4: `sgdsim run committee/figure_4_green_half`.

# %%
import matplotlib.pyplot as plt
import numpy as np

import sgdsim
from sgdsim import committee

DIMS, NOISES, REPLICAS = [30, 100, 300], [1e-3, 1e-2], 128
times = sgdsim.log_times(300.0, 30, first=0.1)
start = committee.CombinationStart(seed=1)


def problem(d, noise):
    return committee.Committee.from_scaling(d=d, k=2, p0=2, kappa=0.0, delta=0.5, noise=noise)


runs = {
    (d, noise): sgdsim.simulate(problem(d, noise), start, times, replicas=REPLICAS) for d in DIMS for noise in NOISES
}
limit = sgdsim.solve(problem(DIMS[0], NOISES[0]), start, times, theory=committee.LimitODE())["excess_risk"]

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for color, d in enumerate(DIMS):
    run = runs[d, NOISES[0]]
    left.loglog(run.time, run.excess_risk, ".", color=f"C{color}", label=f"d = {d}")
    left.loglog(run.time, run.excess_risk_theory, color=f"C{color}")
left.loglog(times, limit, "k--", label="d → infinity")
left.set(xlabel="t", ylabel="excess risk", title="(a) noise = 0.001")
left.legend()

slopes = {}
for noise in NOISES:
    floors = {name: [float(runs[d, noise][name][-1]) for d in DIMS] for name in ("excess_risk", "excess_risk_theory")}
    slopes[noise] = [np.polyfit(np.log(DIMS), np.log(floor), 1)[0] for floor in floors.values()]
    (line,) = right.loglog(DIMS, floors["excess_risk"], "o", label=f"noise = {noise:g}")
    right.loglog(DIMS, floors["excess_risk_theory"], color=line.get_color())
    print(f"noise = {noise:g}: slope {slopes[noise][0]:.3f}, of the ODE at these d {slopes[noise][1]:.3f}")
right.set(xlabel="d", ylabel="excess risk at the last time", title="(b) slope -1/2 as d grows")
right.set_xticks(DIMS, [str(d) for d in DIMS])
right.minorticks_off()
right.legend()
plt.show()

# %% [markdown]
# The slope is -delta as d grows, where the curves have settled. The ODE at these small d, the lines, is at -0.51; 128
# replicas know the slope to 0.01.
