"""The theory's curve for one start, and what it predicts of fluctuations."""

from contextlib import AbstractContextManager, nullcontext

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sgdsim.contracts import Observables, Problem, Spread, Start, Theory
from sgdsim.ensemble.backend import beside
from sgdsim.ensemble.doors import check_drawn, check_solved
from sgdsim.ensemble.parts import check_parts
from sgdsim.ensemble.programs import make_room
from sgdsim.ensemble.times import as_times
from sgdsim.errors import ArgumentError


def solve_theory(
    problem: Problem, start: Start, times: Float[np.ndarray, " times"], theory: Theory
) -> dict[str, np.ndarray]:
    """Observables of the theory of a shared start at `times` (>= 0, not decreasing), float64, time axis first.

    **Raises:** ArgumentError where problem, start or times do not fit, or the solver does not reach the last time.
    """
    solved = solve_unchecked(problem, start, times, theory)
    reached = np.all([np.isfinite(value.reshape(len(times), -1)).all(axis=1) for value in solved.values()], axis=0)
    if not reached.all():
        last = np.asarray(times, np.float64)[reached].max(initial=0.0)
        raise theory.unreached(problem, float(last), float(times[-1]))
    return solved


def solve_unchecked(
    problem: Problem, start: Start, times: Float[np.ndarray, " times"], theory: Theory
) -> dict[str, np.ndarray]:
    """What `solve_theory` gives, but with values that are not finite where the solution grows without bound.

    **Raises:** ArgumentError where problem, start or times do not fit.
    """
    check_parts(problem, start, theory=theory)
    times = as_times(times)
    if times.ndim != 1 or not times.size or not np.isfinite(times).all() or (np.diff(times, prepend=0.0) < 0).any():
        raise ArgumentError("times", "be finite, >= 0 and increasing", times.tolist())
    if start.per_replica:
        raise ArgumentError("start", "be shared by all replicas, for one curve", start, "Set per_replica = False.")
    drawn = start.draw(problem, np.random.default_rng(0), 1)
    check_drawn(start, drawn)
    with _place(theory):
        solved = theory.bind(problem).solve(jax.tree.map(lambda part: part[0], drawn), times)
    check_solved(solved, theory, problem, len(times))
    return solved


def trace_theory(problem: Problem, start: Start, times: Float[np.ndarray, " times"], theory: Theory) -> Observables:
    """What `solve_theory` gives, where something of problem or start is traced: arrays of JAX, traced too.

    Values are not looked at: they are not finite from where the solver did not reach.
    """
    check_parts(problem, start, theory=theory)
    if start.per_replica:
        raise ArgumentError("start", "be shared by all replicas, for one curve", start, "Set per_replica = False.")
    drawn = start.draw(problem, np.random.default_rng(0), 1)
    solved = theory.bind(problem)(jax.tree.map(lambda part: part[0], drawn), jnp.asarray(times))
    check_solved(solved, theory, problem, len(times))
    return solved


def predicted_spread(
    problem: Problem, start: Start, times: Float[np.ndarray, " times"], theory: Theory | None
) -> Spread | None:
    """Fluctuations that a theory predicts, if any: see `Theory.spread`."""
    if theory is None:
        return None
    with _place(theory):
        return theory.spread(problem, start, times)


def _place(theory: Theory) -> AbstractContextManager[object]:
    """Where it is solved, with room for its programs."""
    make_room()
    return nullcontext() if theory.on_accelerator else beside()
