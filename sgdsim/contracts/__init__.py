"""The contracts between a system (problem, start, simulator, theory) and everything that is common to all systems.

A system is one problem, one or more simulators of it, and its theory. The ensemble, the run, the analysis and the
report know these classes only, so a new system moves in without a change to any of them.
"""

import sgdsim.contracts.pickling as _pickling  # noqa: F401  (it tells pickle of functions of JAX)
from sgdsim.contracts.problem import Initial, Observables, Problem, Scalar, Start, Variable
from sgdsim.contracts.simulator import Kernel, Simulator
from sgdsim.contracts.system import System
from sgdsim.contracts.theory import Curve, Prediction, Spread, Theory

__all__ = [
    "Curve",
    "Initial",
    "Kernel",
    "Observables",
    "Prediction",
    "Problem",
    "Scalar",
    "Simulator",
    "Spread",
    "Start",
    "System",
    "Theory",
    "Variable",
]
