"""Solve the theory of a problem from Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sgdsim.analysis.dataset import theory_dataset
from sgdsim.api.introduction import introduced
from sgdsim.checks import Row
from sgdsim.contracts import Problem, Start, Theory
from sgdsim.ensemble.parts import check_problem
from sgdsim.ensemble.theory import predicted_spread, solve_theory, trace_theory
from sgdsim.ensemble.times import as_times
from sgdsim.errors import ArgumentError
from sgdsim.rules.solver import backward
from sgdsim.systems import system_of
from sgdsim.tracing import any_traced

if TYPE_CHECKING:
    import xarray as xr


def solve(problem: Problem, start: Start, times: Row, *, theory: Theory | None = None) -> xr.Dataset:
    """The deterministic theory of a problem at `times`, as a Dataset with every observable against `time`.

    Unlike in `simulate`, the times are taken as they are, not rounded to steps. From a theory that predicts
    fluctuations, e.g. `ExactODE(fluctuations=True)`, also the spread of a replica: V_predicted_std and mean deviations.

    It may stand within `jax.jit`, `jax.vmap` and `jax.grad`, as a function of what JAX traces of the problem and the
    start: of a committee gamma, noise, parameters of a schedule or what a function that is one has from around it, the
    matrices of an `ExplicitStart`, the overlap of an `OverlapStart`. The variables of the Dataset hold traced arrays
    then, to be taken out by `.data`:

        def risk(gamma):
            problem = Committee(d=1000, p=2, k=2, gamma=gamma)
            return sgdsim.solve(problem, start, times)["excess_risk"].data[-1]

        slope = jax.grad(risk)(2.0)

    Sizes, `dt` and times are not traced, values are not checked, nothing is predicted of fluctuations, and where the
    solver does not reach a time there is NaN in place of an error. JAX goes through it backward (`grad`, `vjp`), not
    forward (`jvp`, `jacfwd`).

    **Raises:** ArgumentError where there is no theory, the theory or the start does not fit, or the solver does not
    reach the last time.
    """
    check_problem(problem)
    times = as_times(times)
    system = system_of(problem)
    theory = system.default_theory if theory is None else theory
    if theory is None:
        raise ArgumentError("problem", "be of a system that has a theory", system.name)
    if any_traced(problem, start):
        if getattr(theory, "fluctuations", False):
            raise ArgumentError("fluctuations", "be false where JAX traces the problem", True)
        with backward():
            curve = trace_theory(problem, start, times, theory)
        return introduced(theory_dataset(system, {}, times, curve), {})
    curve = solve_theory(problem, start, times, theory)
    spread = predicted_spread(problem, start, times, theory)
    asked = {"problem": problem, "start": start, "theory": theory}
    return introduced(theory_dataset(system, problem.parameters(), times, curve, spread), asked)
