"""Linear-noise theory of the plain network: how far a replica strays from the ODE, for any activation.

The theory is that of `rules.linear_noise`. J is the derivative of the averages as they are computed. For relu these
are smooth, and the spreads of risk, M and Q agree with simulations to 1.5 % (p = k = 2, gamma/p = 1, d = 300 and 3000).
For quadratic the points leave up to 4 %, since increments have heavy tails.
"""

from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.problem import Committee
from sgdsim.committee.theory.step_covariance import StepCovariance
from sgdsim.contracts import Spread
from sgdsim.errors import ArgumentError
from sgdsim.rules.entries import full, independent
from sgdsim.rules.linear_noise import MAX_ENTRIES, Deviations, law, path
from sgdsim.rules.overlaps import Overlaps


@runtime_checkable
class Flow(Protocol):
    """What is needed of a theory: its path, the right-hand side of its ODE, and the excess risk at a point."""

    def solve(self, initial: Overlaps, times: Float[np.ndarray, " times"]) -> dict[str, np.ndarray]:
        """M, Q and excess_risk at `times`, on the host."""
        ...

    def velocity(
        self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]
    ) -> tuple[Float[Array, "p k"], Float[Array, "p p"]]:
        """The drift (dM/dt, dQ/dt) of the order parameters."""
        ...

    def risk(self, P: Float[Array, "k k"], M: Float[Array, "p k"], Q: Float[Array, "p p"]) -> Float[Array, ""]:
        """The excess risk as a function of the order parameters."""
        ...


def check_size(problem: Committee) -> None:
    """Raises ArgumentError where the covariance of all order parameters is too large."""
    p, k = problem.p, problem.k
    entries = p * k + p * (p + 1) // 2
    if entries > MAX_ENTRIES:
        raise ArgumentError(
            "fluctuations",
            f"be false where M and Q have more than {MAX_ENTRIES} independent entries (here {entries}, p = {p})",
            True,
            "Start from equal units, of which any number will do, ask for the theory alone, or take fewer units.",
        )


def check_room(problem: Committee) -> None:
    """Raises ArgumentError where d leaves no room for the fields."""
    p, k = problem.p, problem.k
    if problem.d < k + p:
        raise ArgumentError(
            "fluctuations", f"be false for d < k + p = {k + p}", True, "Ask for the theory alone, or raise d."
        )


def predict_spread(
    problem: Committee, flow: Flow, theory: Flow, initial: Overlaps, times: Float[np.ndarray, " times"]
) -> Spread:
    """Standard deviations about the path of `flow`, the ODE at the actual d, and mean distances from that of `theory`.

    - `initial`: one start, without a replica axis; `times`: >= 0, not decreasing.

    **Raises:** ArgumentError where the path does not reach the last time.
    """
    at_times = flow.solve(initial, times)
    states = independent(at_times["M"], at_times["Q"])
    wanted = at_times if theory is flow else theory.solve(initial, times)
    shift = states - independent(wanted["M"], wanted["Q"])
    if not np.isfinite(shift).all():
        raise ArgumentError("times", "end where the ODE still has a solution", float(times[-1]))
    law = deviations(problem, flow, initial, times)
    sigma = law.covariances
    std_M, std_Q = full(np.sqrt(np.maximum(np.diagonal(sigma, axis1=1, axis2=2), 0.0)), problem.p, problem.k)
    gradient = np.asarray(_risk_gradients(flow, initial.P, states, problem.p))
    risk = np.sqrt(np.maximum(np.einsum("ta,tab,tb->t", gradient, sigma, gradient), 0.0))
    return Spread({"M": std_M, "Q": std_Q, "excess_risk": risk}, *law.mean_sizes(shift))


def deviations(
    problem: Committee, flow: Flow, initial: Overlaps, times: Float[np.ndarray, " times"], fineness: float = 1.0
) -> Deviations:
    """The law of the deviations at `times`; `fineness` > 1 takes that many times more points along the path."""

    def solve(
        probes: Float[np.ndarray, " probes"],
    ) -> tuple[Float[np.ndarray, "probes n"], Float[np.ndarray, " probes"]]:
        solved = flow.solve(initial, probes)
        return independent(solved["M"], solved["Q"]), solved["excess_risk"]

    nodes, states = path(solve, float(times[-1]), fineness)
    noise = StepCovariance.of(problem)
    # Point by point: the number of points differs from problem to problem, and one compilation serves them all.
    rates = [_rates(flow, noise, initial.P, state, problem.p) for state in states]
    jacobians, noises = (np.stack(rate) for rate in zip(*rates, strict=True))
    return law(times, nodes, jacobians, noises)


@eqx.filter_jit
def _rates(
    flow: Flow,
    noise: StepCovariance,
    P: Float[Array | np.ndarray, "k k"],
    state: Float[Array | np.ndarray, " n"],
    p: int,
) -> tuple[Float[Array, "n n"], Float[Array, "n n"]]:
    """J and dt D at one point."""
    P, state, k = jnp.asarray(P), jnp.asarray(state), len(P)

    def drift(entries: Float[Array, " n"]) -> Float[Array, " n"]:
        return independent(*flow.velocity(P, *full(entries, p, k)))

    return jax.jacfwd(drift)(state), noise(P, *full(state, p, k))


@eqx.filter_jit
def _risk_gradients(
    flow: Flow, P: Float[Array | np.ndarray, "k k"], states: Float[Array | np.ndarray, "times n"], p: int
) -> Float[Array, "times n"]:
    P, states, k = jnp.asarray(P), jnp.asarray(states), len(P)
    return jax.vmap(jax.grad(lambda entries: flow.risk(P, *full(entries, p, k))))(states)
