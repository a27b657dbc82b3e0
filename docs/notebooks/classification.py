# %% [markdown]
# # Digits: do seeds end with one histogram?
#
# Relu networks on scikit-learn's digits, at the learning rate gamma N^beta. Below beta = 1 the histogram of the first
# layer's weights is the same for all seeds as N grows; at beta = 1 it is not. Here N is small.

# %%
import matplotlib.pyplot as plt

import sgdsim
from sgdsim import classification

times = sgdsim.linear_times(10.0, 2)
figure, panels = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
accuracy = {}
for beta, axes in zip((0.5, 1.0), panels, strict=True):
    problem = classification.Classification(N=100, gamma=0.3, beta=beta, bins=40, window=(-1.0, 1.0))
    run = sgdsim.simulate(problem, classification.RandomStart(), times, replicas=4)
    for seed in run["active_histogram_final"].values:
        axes.plot(seed)
    accuracy[beta] = float(run["test_accuracy"][-1])
    axes.set(title=f"beta = {beta}: test accuracy {accuracy[beta]:.2f}", xlabel="bin", ylabel="share of the weights")
plt.show()
