"""How large a learning rate may be: where SGD leaves its ODE, and where it stops learning at all."""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np

from sgdsim.committee.averages.activations import Activation

LARGEST_STEP = 1.3
"""A dt up to which the exact ODE of a batch has its terms of order dt, see `batch_pulls`.

Of erf units at gamma/batch = 1, p = k = 2, d = 50 the risk of the chain is followed within 2 % at A dt = 0.16 to 1.28
(without them it is 4 to 24 % off); at 5 the flow leaves all overlaps.
"""
LARGE = 0.1
"""A dt or B dt from which on a user is told: the relative size of one step's drift, and of its noise.

Measured for p = k = 2, d = 8 to 100, against the exact ODE. Of linear units the mean risk is 10 % off from A dt = 0.05
or B dt = 0.02 on, 20 % at A dt = 0.1 and 40 % at B dt = 0.1. Of erf units it is within 3 % at 0.1, and 10 % off at A
dt = 0.6 or so, but a single replica strays from the ODE by 0.2 to 0.3 in M and Q already at B dt = 0.1.
"""
_NODES = 64
"""Of the quadrature; an even number has no node at 0, where relu has its kink."""


@lru_cache(maxsize=64)
def largest_ratio(activation: Activation) -> float:
    """2 E[sigma'^2] / E[sigma'^4] over N(0, 1): the largest B/A for which a unit that has nearly learned goes on to.

    Near w = w*, with e = sigma'(l) delta.x/sqrt(d), the part of delta across w obeys

        d|delta|^2/dt = (-2 A E[sigma'^2] + B E[sigma'^4]) |delta|^2        (p = k = 1, no noise)

    which gives 2 for linear and relu, 4.06 for erf and 1/6 for quadratic. For several units the bound depends on p
    little (linear) or is up to 3 times as high (quadratic); of two quadratic units, where this says 1/6, the ODE is
    seen to grow without bound from 1/4 on.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    squares = np.asarray(activation.derivative(jnp.asarray(nodes)), np.float64) ** 2
    return float(2 * (weights @ squares) / (weights @ squares**2))
