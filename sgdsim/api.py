"""Simulate an ensemble and solve its theory from Python: one problem in, one xarray Dataset out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from sgdsim.analysis.dataset import theory_dataset, to_dataset
from sgdsim.analysis.moments import merge
from sgdsim.checks import Integer, Row, choice, integer
from sgdsim.contracts import Problem, Simulator, Start, System, Theory
from sgdsim.ensemble.parts import check_problem
from sgdsim.ensemble.replicas import Ensemble, Progress, silent
from sgdsim.ensemble.statistics import divergence_bound
from sgdsim.ensemble.theory import predicted_spread, solve_theory
from sgdsim.ensemble.times import as_times
from sgdsim.errors import ArgumentError, CautionWarning
from sgdsim.systems import system_of

if TYPE_CHECKING:
    import xarray as xr


def simulate(
    problem: Problem,
    start: Start,
    times: Row,
    *,
    replicas: Integer,
    seed: Integer = 0,
    simulator: Simulator | None = None,
    theory: Theory | None = None,
    compare: bool = True,
    batch: Integer | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Runs `replicas` trajectories of SGD and compares them with theory.

    **Arguments:**

    - `problem`: e.g. `sgdsim.committee.Committee`.
    - `start`: the law of the state at t = 0, e.g. `sgdsim.committee.OverlapStart`.
    - `times`: save times, an array or a list, increasing, >= 0; realised as nu dt, nu = round(t/dt). At t = 0 the
      start itself is saved.
    - `replicas`: independent trajectories.
    - `seed`: of the random numbers, >= 0; the same seed gives the same numbers, whatever `batch` and the devices.
    - `simulator`, `theory`: by default the system's (`committee`: the exact chain in float32, and the exact ODE;
      `recovery`: descent in float32, and mean-field theory; `classification`: networks in float32, and no theory). A
      theory that predicts the scatter of the replicas too is asked to, e.g. `ExactODE(fluctuations=True)`.
    - `compare`: False for a simulation without theory.
    - `batch`: replicas simulated at once; by default what the memory holds.
    - `progress`: called with the number of replica-steps just done.

    **Returns:** a Dataset: for every observable V, V (mean), V_sem, V_std and V_theory against `time`; `deviation`,
    the mean of |Omega - Omega_bar|_inf, with _sem and _std, against `time`, and its largest value `max_deviation`, of
    which the theorem of Veiga et al. (2022) speaks; `sup_deviation` and `final_deviation` of every replica, that
    distance at its own largest and at the end; counts. For observables that the simulator keeps also V_final, of every
    replica at the last time; with predicted fluctuations also V_predicted_std, and all four deviations with _predicted.
    Replicas of which an order parameter grew beyond `divergence_bound` are counted in `n_diverged` and left out.

    **Raises:** ArgumentError where something does not fit.

    **Warns:** CautionWarning for what should be known of the problem, e.g. a step size beyond a safe rule, and where
    the default theory does not exist for it, so that the results have no theory beside them.
    """
    check_problem(problem)
    choice("compare", compare, (True, False))
    if not isinstance(progress, Callable):
        raise ArgumentError("progress", "be a function of the number of replica-steps done", progress)
    times = as_times(times)
    system = system_of(problem)
    if compare:
        theory = _default_theory(system, problem) if theory is None else theory
    elif theory is not None:
        raise ArgumentError("compare", "be True where a theory is given", compare)
    simulator = system.default_simulator if simulator is None else simulator
    replicas, seed = integer("replicas", replicas, 1), integer("seed", seed, 0)
    batch = None if batch is None else integer("batch", batch, 1)
    ensemble = Ensemble(problem, start, simulator, theory, times, replicas, seed, batch=batch)
    for text in problem.cautions():
        warnings.warn(text, CautionWarning, stacklevel=2)
    tiles = ensemble.run(progress=progress)
    spread = predicted_spread(problem, start, ensemble.realised_times, theory)
    bound = divergence_bound(problem, start, ensemble.total_steps)
    return to_dataset(system, problem, times, ensemble.steps, merge(tiles), tiles, spread, bound)


def _default_theory(system: System, problem: Problem) -> Theory | None:
    """The system's theory, where there is one of this problem; a problem without one is simulated on its own.

    **Warns:** CautionWarning where there is none.
    """
    theory = system.default_theory
    if theory is None or theory.exists(problem):
        return theory
    text = f"There is no theory {theory.name!r} of this problem: it is simulated without one."
    warnings.warn(text, CautionWarning, stacklevel=3)
    return None


def solve(problem: Problem, start: Start, times: Row, *, theory: Theory | None = None) -> xr.Dataset:
    """The deterministic theory of a problem at `times`, as a Dataset with every observable against `time`.

    Unlike in `simulate`, the times are taken as they are, not rounded to steps. From a theory that predicts
    fluctuations, e.g. `ExactODE(fluctuations=True)`, also the spread of a replica: V_predicted_std and mean deviations.

    **Raises:** ArgumentError where there is no theory, the theory or the start does not fit, or the solver does not
    reach the last time.
    """
    check_problem(problem)
    times = as_times(times)
    system = system_of(problem)
    theory = system.default_theory if theory is None else theory
    if theory is None:
        raise ArgumentError("problem", "be of a system that has a theory", system.name)
    curve = solve_theory(problem, start, times, theory)
    spread = predicted_spread(problem, start, times, theory)
    return theory_dataset(system, problem, times, curve, spread)
