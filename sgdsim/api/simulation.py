"""Simulate an ensemble from Python."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from sgdsim.analysis.dataset import final_means, to_dataset
from sgdsim.analysis.moments import merge
from sgdsim.api.bar import check_progress, shown
from sgdsim.api.introduction import introduced
from sgdsim.api.observing import ObservingSimulator, ObservingTheory, Own, own_observables
from sgdsim.api.trajectories import add_trajectories, check_replicas, check_room, followed
from sgdsim.checks import Integer, Row, choice, integer
from sgdsim.contracts import Problem, Simulator, Start, System, Theory, Variable
from sgdsim.ensemble.parts import check_parts, check_problem
from sgdsim.ensemble.replicas import Ensemble, Progress
from sgdsim.ensemble.statistics import divergence_bound
from sgdsim.ensemble.theory import predicted_spread
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
    observables: Mapping[str, Callable[..., Any]] | None = None,
    keep: Literal["trajectories"] | Sequence[Integer] | None = None,
    batch: Integer | None = None,
    progress: bool | Progress | None = None,
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
    - `observables`: functions by name, in JAX, each of built-in observables by the names of its arguments: of one
      replica at one time, e.g. {"cosine": lambda M, Q: M[:, 0] / jnp.sqrt(jnp.diagonal(Q))}. Theory is the same
      function of its own curve. A function with an argument `state` is given the state of a tile as the simulator has
      it, and what it takes besides with the tile's replicas as the last axis, and returns such an array; of it there is
      no theory. A function is compiled once for each object: define it once. Where it is not finite, a replica counts
      as diverged.
    - `keep`: "trajectories" for the order parameters of every replica at all save times, or of those replicas whose
      numbers are given, e.g. range(10). Each number takes 8 bytes.
    - `batch`: replicas simulated at once; by default what the memory holds.
    - `progress`: True for a bar with rate and time left, in a terminal or a notebook; None for one where a person
      looks; or a function that is called with the number of replica-steps just done.

    **Returns:** a Dataset: for every observable V, V (mean), V_sem, V_std and V_theory against `time`; `deviation`,
    the mean of |Omega - Omega_bar|_inf, with _sem and _std, against `time`, and its largest value `max_deviation`, of
    which the theorem of Veiga et al. (2022) speaks; `sup_deviation` and `final_deviation` of every replica, that
    distance at its own largest and at the end; counts. For observables that the simulator keeps also V_final, of every
    replica at the last time; with predicted fluctuations also V_predicted_std, and all four deviations with _predicted;
    with `keep` also V_trajectory, (trajectory, time, *dims of V), where `trajectory` names the replica.
    Replicas of which an order parameter grew beyond `divergence_bound` are counted in `n_diverged` and left out. The
    attributes say what was simulated, by which version, and how long that took.

    **Raises:** ArgumentError where something does not fit, or results do not fit into memory.

    **Warns:** CautionWarning for what should be known of the problem, e.g. a step size beyond a safe rule, or of what
    came out, and where the default theory does not exist for it, so that the results have no theory beside them.
    """
    began = time.perf_counter()
    check_problem(problem)
    choice("compare", compare, (True, False))
    check_progress(progress)
    times = as_times(times)
    system = system_of(problem)
    if compare:
        theory = _default_theory(system, problem) if theory is None else theory
    elif theory is not None:
        raise ArgumentError("compare", "be True where a theory is given", compare)
    simulator = system.default_simulator if simulator is None else simulator
    replicas, seed = integer("replicas", replicas, 1), integer("seed", seed, 0)
    check_replicas(replicas)
    batch = None if batch is None else integer("batch", batch, 1)
    # Here, where a wrong part is still told as what it is; what observes is wrapped around the parts.
    check_parts(problem, start, simulator, theory)
    own = own_observables(observables or {}, system)
    parts = (
        (ObservingSimulator(simulator, own), theory and ObservingTheory(theory, own)) if own else (simulator, theory)
    )
    whom = followed(keep, replicas)
    ensemble = Ensemble(problem, start, *parts, times, replicas, seed, batch=batch, followed=whom)
    for text in problem.cautions():
        warnings.warn(text, CautionWarning, stacklevel=2)
    with shown(progress, ensemble.replica_steps(range(ensemble.n_tiles))) as told:
        check_room(ensemble)
        system = _with_own(system, own, ensemble)
        tiles = ensemble.run(progress=told)
    spread = predicted_spread(problem, start, ensemble.realised_times, theory)
    bound = divergence_bound(problem, start, ensemble.total_steps)
    data = to_dataset(system, problem, times, ensemble.steps, merge(tiles), tiles, spread, bound)
    for text in problem.doubts(final_means(data, system.scalars)):
        warnings.warn(text, CautionWarning, stacklevel=2)
    data = add_trajectories(data, system, whom, tiles.paths)
    asked = {"problem": problem, "start": start, "simulator": simulator, "theory": theory, "seed": seed}
    return introduced(data, asked, time.perf_counter() - began)


def _with_own(system: System, own: tuple[Own, ...], ensemble: Ensemble) -> System:
    """The system with the caller's observables among its variables, whose axes are numbered."""
    shapes = {one.name: ensemble.observed[one.name].shape[:-1] for one in own}
    added = {
        name: Variable(name.replace("_", " "), name, tuple(f"{name}_{axis}" for axis in range(len(shape))))
        for name, shape in shapes.items()
    }
    return replace(system, variables={**system.variables, **added}) if own else system


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
