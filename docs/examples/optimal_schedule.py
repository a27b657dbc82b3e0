"""The learning-rate schedule that ends at the least risk, by gradient descent through the ODE of one-pass SGD.

The rate is gamma s(t) with s constant over each of several equal intervals. The excess risk at the end is a function of
the logarithms of these factors, and `sgdsim.solve` may stand within `jax.grad`: each step of the descent solves the ODE
forward and once more backward. The schedule that is found is simulated at finite d at last, since it is the ODE's.

    python docs/examples/optimal_schedule.py
"""

import jax
import jax.numpy as jnp
import numpy as np

import sgdsim
from sgdsim.committee import Committee, OverlapStart
from sgdsim.rules.schedule import Piecewise

FINAL, INTERVALS = 20.0, 5
BREAKS = FINAL * np.arange(1, INTERVALS) / INTERVALS
TIMES = np.array([FINAL])
START = OverlapStart(0.3)


def problem(log_factors, d=1000):
    schedule = Piecewise(BREAKS, list(jnp.exp(log_factors)))
    return Committee(d=d, p=2, k=2, gamma=1.0, noise=0.3, schedule=schedule)


@jax.jit
def log_risk(log_factors):
    return jnp.log(sgdsim.solve(problem(log_factors), START, TIMES)["excess_risk"].data[-1])


CANDIDATES = np.linspace(-1.5, 1.5, 31)


def best_constant(candidates=CANDIDATES):
    """The logarithm of the best rate that does not change, of some."""
    risks = jax.vmap(lambda value: log_risk(jnp.full(INTERVALS, value)))(candidates)
    return float(candidates[int(jnp.nanargmin(risks))])


def descend(log_factors, steps, rate=0.5):
    """Gradient descent in the logarithms of the factors; the risks on its way, and where it ends."""
    slope = jax.jit(jax.value_and_grad(log_risk))
    path = []
    for _ in range(steps):
        value, gradient = slope(log_factors)
        path.append(float(jnp.exp(value)))
        log_factors = log_factors - rate * gradient
    return path, log_factors


def simulated(log_factors, replicas=256, d=1000):
    """The risk at the end at finite d: mean, its standard error, and the ODE's."""
    found = problem(np.asarray(log_factors), d)
    data = sgdsim.simulate(found, START, TIMES, replicas=replicas, progress=False)
    return tuple(float(data[f"excess_risk{ending}"][-1]) for ending in ("", "_sem", "_theory"))


def main(steps=60):
    constant = best_constant()
    path, found = descend(jnp.full(INTERVALS, constant), steps)
    print(f"best constant rate:  gamma = {np.exp(constant):.3f}, excess risk {path[0]:.5f}")
    print(f"after {steps} steps:      gamma s = {np.round(np.exp(found), 3).tolist()}, excess risk {path[-1]:.5f}")
    mean, error, theory = simulated(found)
    print(f"simulated at d = 1000: {mean:.5f} +- {error:.5f}, by the ODE {theory:.5f}")


if __name__ == "__main__":
    main()
