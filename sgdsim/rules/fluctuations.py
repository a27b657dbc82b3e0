"""Linear-noise theory of any rule: how far a replica strays from the ODE of its mean step.

The theory is that of `linear_noise`, for the overlaps of all moving vectors and the numbers; what is observed follows
by its derivative. Where averages are taken over points, J is the derivative along every point: it misses what a jump of
a step in its fields would add, and so is refused there.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jaxtyping import Array, Float

from sgdsim.contracts import Spread
from sgdsim.errors import ArgumentError
from sgdsim.rules.linear_noise import MAX_ENTRIES, Deviations, law, path
from sgdsim.rules.mean_step import MeanStep, Point, is_closed
from sgdsim.rules.overlaps import Overlaps
from sgdsim.rules.rule import Rule, Sample, in_arrays
from sgdsim.rules.solver import MOST_TIMES
from sgdsim.rules.step_noise import StepNoise, entries_of, point_of
from sgdsim.rules.units import UnitArray, values_of

AT_ONCE = 16
"""Columns of a Jacobian that are made together: each takes the memory of all points."""
JUMPS = ("lt", "le", "gt", "ge", "eq", "sign", "floor", "ceil", "round")
"""Operations that jump."""


def check_fluctuations(rule: Rule, d: int) -> None:
    """Raises ArgumentError where the fluctuations of a rule in dimension d cannot be predicted."""
    sizes = rule.sizes
    n, k = sizes.moving, sizes.fixed
    entries = n * k + n * (n + 1) // 2 + sizes.numbers
    alone = "Ask for the theory alone"
    if entries > MAX_ENTRIES:
        must = f"be false where overlaps and numbers have more than {MAX_ENTRIES} independent entries (here {entries})"
        raise ArgumentError("fluctuations", must, True, f"{alone}, or take fewer units.")
    if d < k + n:
        must = f"be false for d < {k + n}, the number of fixed and moving vectors"
        raise ArgumentError("fluctuations", must, True, f"{alone}, or raise d.")
    jump = None if is_closed(rule) else _jump(rule)
    if jump is not None:
        must = f"be false where a step jumps in its fields (by `{jump}`) and its averages are taken over points"
        raise ArgumentError("fluctuations", must, True, f"{alone}, or give the rule `moments` in closed form.")


def predict_spread(
    curve: MeanStep, order_parameters: Sequence[str], initial: Overlaps, times: Float[np.ndarray, " times"]
) -> Spread:
    """Standard deviations of all that the rule observes, and mean distances of its order parameters from the curve.

    - `initial`: one start, without a replica axis; `times`: >= 0, not decreasing.

    **Raises:** ArgumentError where the path does not reach the last time.
    """
    P, states = _states(curve, initial, times)
    if not np.isfinite(states).all():
        raise ArgumentError("times", "end where the ODE still has a solution", float(times[-1]))
    law = deviations(curve, initial, times)
    stds, seen = [], []
    for state, sigma in zip(states, law.covariances, strict=True):
        shown = jax.device_get(_derivatives(curve, P, state))
        variances = {name: np.einsum("...a,ab,...b->...", rows, sigma, rows) for name, rows in shown.items()}
        stds.append({name: np.sqrt(np.maximum(variance, 0.0)) for name, variance in variances.items()})
        seen.append(np.concatenate([shown[name].reshape(-1, len(state)) for name in order_parameters]))
    std = {name: np.stack([one[name] for one in stds]) for name in stds[0]}
    rows = np.stack(seen)
    return Spread(std, *law.mean_sizes(np.zeros(rows.shape[:2]), rows))


def deviations(
    curve: MeanStep, initial: Overlaps, times: Float[np.ndarray, " times"], fineness: float = 1.0
) -> Deviations:
    """The law of the deviations at `times`; `fineness` > 1 takes that many times more points along the path."""
    P = _states(curve, initial, times[-1:])[0]

    def solve(
        probes: Float[np.ndarray, " probes"],
    ) -> tuple[Float[np.ndarray, "probes entries"], Float[np.ndarray, " probes"]]:
        states = _states(curve, initial, probes)[1]
        return states, np.asarray(_first_scalar(curve, P, states))

    nodes, states = path(solve, float(times[-1]), fineness)
    noise = StepNoise.of(curve)
    # Point by point: the number of points differs from problem to problem, and one compilation serves them all.
    rates = [_rates(noise, P, state, time) for state, time in zip(states, nodes, strict=True)]
    jacobians, noises = (np.stack(rate) for rate in zip(*rates, strict=True))
    return law(times, nodes, jacobians, noises)


def _states(
    curve: MeanStep, initial: Overlaps, times: Float[np.ndarray, " times"]
) -> tuple[Float[Array, "k k"], Float[np.ndarray, "times entries"]]:
    """P, and the entries at `times`, on the host; one program for almost any number of times."""
    room = max(MOST_TIMES, 1 << (len(times) - 1).bit_length())
    P, states = _solved(curve, initial, np.pad(np.asarray(times, np.float64), (0, room - len(times)), mode="edge"))
    return P, np.asarray(states)[: len(times)]


@eqx.filter_jit
def _solved(
    curve: MeanStep, initial: Overlaps, times: Float[Array | np.ndarray, " times"]
) -> tuple[Float[Array, "k k"], Float[Array, "times entries"]]:
    P, points = curve.path(initial, times)
    return P, entries_of(points)


@eqx.filter_jit
def _rates(
    noise: StepNoise, P: Float[Array, "k k"], state: Float[Array | np.ndarray, " entries"], time: Any
) -> tuple[Float[Array, "entries entries"], Float[Array, "entries entries"]]:
    """J and dt D at one point."""
    curve, state, time = noise.curve, jnp.asarray(state), jnp.asarray(time)

    def velocity(entries: Float[Array, " entries"]) -> Float[Array, " entries"]:
        return entries_of(curve.velocity(P, _point(curve, entries, time)))

    def column(direction: Float[Array, " entries"]) -> Float[Array, " entries"]:
        return jax.jvp(velocity, (state,), (direction,))[1]

    columns = jax.lax.map(column, jnp.eye(len(state)), batch_size=AT_ONCE)
    return columns.T, noise(P, _point(curve, state, time))


@eqx.filter_jit
def _derivatives(
    curve: MeanStep, P: Float[Array, "k k"], state: Float[Array | np.ndarray, " entries"]
) -> dict[str, Float[Array, "... entries"]]:
    """Of all that is observed, by the entries."""
    return jax.jacfwd(lambda entries: _observed(curve, P, entries))(jnp.asarray(state))


@eqx.filter_jit
def _first_scalar(
    curve: MeanStep, P: Float[Array, "k k"], states: Float[Array | np.ndarray, "probes entries"]
) -> Float[Array, " probes"]:
    """The first observable that is one number, e.g. the risk; ones where there is none."""
    seen = jax.vmap(lambda entries: _observed(curve, P, entries))(jnp.asarray(states))
    return next((value for value in seen.values() if value.ndim == 1), jnp.ones(len(states)))


def _observed(curve: MeanStep, P: Float[Array, "k k"], entries: Float[Array, " entries"]) -> dict[str, Any]:
    point = _point(curve, entries, jnp.zeros(()))
    return curve.rule.observe(P, point.M, point.Q, point.numbers)


def _point(curve: MeanStep, entries: Float[Array, " entries"], time: Float[Array, ""]) -> Point:
    sizes = curve.rule.sizes
    return point_of(entries, sizes.moving, sizes.fixed, time)


def _jump(rule: Rule) -> str | None:
    """An operation of a step that jumps as the means move; fixed fields do not follow them, so that they may jump."""
    sizes = rule.sizes

    def step(*parts: Array) -> Any:
        moving, numbers, fixed, normals, time = parts
        at = Sample(UnitArray(fixed), UnitArray(moving), UnitArray(normals), UnitArray(numbers), time[..., 0])
        move = in_arrays(rule, jnp.float64).step(at)
        return move.error, values_of(move.slopes * move.error)

    widths = (sizes.moving, sizes.numbers, sizes.fixed, sizes.normals, 1)
    shapes = [jax.ShapeDtypeStruct((1, 1, width), jnp.float64) for width in widths]
    return next(
        (name for name in _operations(jax.make_jaxpr(step)(*shapes).jaxpr, [True, True]) if name in JUMPS), None
    )


def _operations(jaxpr: Jaxpr, follow: Sequence[bool]) -> Iterator[str]:
    """The names of all operations on what follows the arguments marked so, the first ones, in functions within too."""
    marked = {var for var, marked in zip(jaxpr.invars, follow, strict=False) if marked}
    for equation in jaxpr.eqns:
        places = [not isinstance(atom, Literal) and atom in marked for atom in equation.invars]
        if not any(places):
            continue
        yield equation.primitive.name
        marked.update(equation.outvars)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(inner):
                body = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
                # A function that takes other arguments than its call, as a loop's does, is taken to see them all.
                alike = len(body.invars) == len(places)
                yield from _operations(body, places if alike else [True] * len(body.invars))


def _is_jaxpr(value: Any) -> bool:
    return isinstance(value, ClosedJaxpr | Jaxpr)
