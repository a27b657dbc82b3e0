"""Linear-noise theory: how far a replica strays from the ODE, predicted along the ODE, for any activation.

To leading order in dt the deviation delta = Omega - Omega_bar is Gaussian and Markov. With J the Jacobian of the ODE's
right-hand side and D the covariance of one step's increment over dt^2,

    d delta = J delta dt + sqrt(dt D) dB,    d Sigma/dt = J Sigma + Sigma J^T + dt D,    Sigma = Cov[delta]

(van Kampen's expansion in the size of a step.) J and D are evaluated at points along the path that are close where it
moves, and interpolated; in between, the linear equation is solved by exponentials, so that long stretches in which
little changes cost nothing.

J is the derivative of the averages as they are computed. For relu these are smooth, and the spreads of risk, M and Q
agree with simulations to 1.5 % (p = k = 2, gamma/p = 1, d = 300 and 3000). For quadratic the points leave up to
4 %, since increments have heavy tails.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.problem import Committee
from sgdsim.committee.step_covariance import StepCovariance, full, independent
from sgdsim.contracts import Spread
from sgdsim.errors import ArgumentError
from sgdsim.rules.overlaps import Overlaps

MAX_ENTRIES = 400
"""Most independent entries of (M, Q): a Jacobian has their square, and its products cost their cube."""

MOVEMENT, DECAY = 0.02, 0.1
"""Between two points of the path the largest entry moves by this much, or log(risk) by that much."""

PROBES = 512
"""Times of either spacing, linear and logarithmic, at which the path is first looked at."""

NUMBERS, FEWEST = 2**19, 2**11
"""Of the Gaussian paths at one time: n entries each. 20000 paths at n = 26 (an error of 0.2 %), at least FEWEST."""

AT_ONCE = 2**8
"""Paths that are followed together: their entries stay in the cache, and BLAS takes products so small (n < 32) on one
thread. Threads that wait for one another in each of thousands of small products cost more time than they save."""

RIDGE = 1e-10
"""Added to correlations of increments, which may be singular: beyond their rounding, below that of sampled paths."""


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


@dataclass(frozen=True)
class Deviations:
    """The Gaussian law of delta at the save times, from delta = 0 at t = 0: delta_n = Phi_n delta_(n-1) + N(0, C_n).

    Entries are those of `independent`.
    """

    transitions: Float[np.ndarray, "times n n"]
    kicks: Float[np.ndarray, "times n n"]

    @property
    def covariances(self) -> Float[np.ndarray, "times n n"]:
        """Sigma at the save times."""
        sigma = np.zeros(self.kicks.shape[1:])
        return np.stack([sigma := _carry(Phi, sigma) + C for Phi, C in zip(self.transitions, self.kicks, strict=True)])

    def mean_sizes(self, shift: Float[np.ndarray, "times n"]) -> tuple[Float[np.ndarray, " times"], float]:
        """E |delta + shift|_inf at every save time, and E of its maximum over them, over sampled paths."""
        rng = np.random.default_rng(0)
        paths = max(FEWEST, NUMBERS // shift.shape[1])
        chunks = [self._sizes(rng, shift, min(AT_ONCE, paths - first)) for first in range(0, paths, AT_ONCE)]
        sizes = np.concatenate(chunks, axis=1).astype(np.float64)
        return sizes.mean(axis=1), float(sizes.max(axis=0).mean())

    @cached_property
    def _steps(self) -> list[tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n n"]]]:
        """Phi and a root of C of every save time, in the precision of sampled paths."""
        return list(zip(self.transitions.astype(np.float32), self._roots.astype(np.float32), strict=True))

    @property
    def _roots(self) -> Float[np.ndarray, "times n n"]:
        """R with R R^T = C, of correlations that are `RIDGE` apart from singular ones.

        Not by eigenvectors: for matrices of this size their threads wait for one another, for a second in all.
        """
        sigma = np.sqrt(np.maximum(np.diagonal(self.kicks, axis1=1, axis2=2), 0.0))
        inverse = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=sigma > 0)
        correlations = inverse[:, :, None] * self.kicks * inverse[:, None, :] + RIDGE * np.eye(sigma.shape[1])[None]
        return sigma[:, :, None] * np.linalg.cholesky(correlations)

    def _sizes(
        self, rng: np.random.Generator, shift: Float[np.ndarray, "times n"], paths: int
    ) -> Float[np.ndarray, "times paths"]:
        """|delta + shift|_inf of that many paths. Float32: its rounding is 10^-4 of the error of the sample."""
        delta = np.zeros((shift.shape[1], paths), np.float32)
        sizes = []
        for (Phi, root), offset in zip(self._steps, shift.astype(np.float32), strict=True):
            delta = Phi @ delta + root @ rng.standard_normal(delta.shape, np.float32)
            sizes.append(np.abs(delta + offset[:, None]).max(axis=0))
        return np.stack(sizes)


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


def law(
    times: Float[np.ndarray, " times"],
    nodes: Float[np.ndarray, " nodes"],
    jacobians: Float[np.ndarray, "nodes n n"],
    noises: Float[np.ndarray, "nodes n n"],
) -> Deviations:
    """The law at `times` from J and dt D at the `nodes` of the path."""
    transitions, kicks, last = [], [], 0.0
    for time in times:
        Phi, C = np.eye(jacobians.shape[1]), np.zeros(jacobians.shape[1:])
        cuts = np.concatenate([[last], nodes[(nodes > last) & (nodes < time)], [time]])
        for middle, length in zip((cuts[1:] + cuts[:-1]) / 2, np.diff(cuts), strict=True):
            step, kick = propagate(_at(middle, nodes, jacobians), _at(middle, nodes, noises), length)
            Phi, C = step @ Phi, _carry(step, C) + kick
        transitions.append(Phi)
        kicks.append(C)
        last = time
    return Deviations(np.stack(transitions), np.stack(kicks))


def propagate(
    J: Float[np.ndarray, "n n"], D: Float[np.ndarray, "n n"], length: float
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, "n n"]]:
    """exp(J h) and int_0^h exp(J s) D exp(J^T s) ds for h = `length`, by series for h/2^m and m doublings."""
    doublings = max(0, int(np.ceil(np.log2(max(2 * np.abs(J).sum(axis=0).max() * length, 1e-300)))))
    step = length / 2**doublings
    A = J * step
    Phi = term = np.eye(len(J))
    C = kick = D * step
    for order in range(1, 16):  # |A| <= 1/2: the rest is below 1e-16
        term = A @ term / order
        kick = A @ kick
        kick = (kick + kick.T) / (order + 1)
        Phi, C = Phi + term, C + kick
    for _ in range(doublings):
        Phi, C = Phi @ Phi, _carry(Phi, C) + C
    return Phi, C


def _carry(Phi: Float[np.ndarray, "n n"], sigma: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Phi Sigma Phi^T, symmetric to the last bit."""
    carried = Phi @ sigma @ Phi.T
    return (carried + carried.T) / 2


def square_root(C: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """R with R R^T = C, by eigenvectors; C may be singular."""
    values, vectors = np.linalg.eigh(C)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _at(
    time: float, nodes: Float[np.ndarray, " nodes"], values: Float[np.ndarray, "nodes n n"]
) -> Float[np.ndarray, "n n"]:
    """Linear interpolation in time."""
    after = int(np.clip(np.searchsorted(nodes, time), 1, len(nodes) - 1))
    weight = (time - nodes[after - 1]) / (nodes[after] - nodes[after - 1])
    return (1 - weight) * values[after - 1] + weight * values[after]


def path(
    solve: Callable[[Float[np.ndarray, " probes"]], tuple[Float[np.ndarray, "probes n"], Float[np.ndarray, " probes"]]],
    final: float,
    fineness: float = 1.0,
) -> tuple[Float[np.ndarray, " nodes"], Float[np.ndarray, "nodes n"]]:
    """Times from 0 to `final`, and the state there, between which little changes; `solve` gives state and risk."""
    looks = int(PROBES * fineness)
    probes = np.union1d(np.linspace(0.0, final, looks + 1), np.geomspace(1e-8 * final, final, looks))
    states, risk = solve(probes)
    size = np.maximum(1.0, np.abs(states).max(axis=1))
    moved = np.abs(np.diff(states, axis=0)).max(axis=1) / size[1:] / MOVEMENT
    decayed = np.abs(np.diff(np.log(np.maximum(risk, 1e-10 * risk.max() + 1e-300)))) / DECAY
    progress = np.concatenate([[0.0], np.cumsum(np.maximum(moved, decayed))]) * fineness
    wanted = np.linspace(0.0, progress[-1], int(np.ceil(progress[-1])) + 2)
    chosen = np.unique(np.concatenate([np.searchsorted(progress, wanted[:-1]), [len(probes) - 1]]))
    return probes[chosen], states[chosen]


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
