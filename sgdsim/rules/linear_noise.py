"""Linear-noise theory: how far a replica strays from an ODE, from its Jacobian and the noise of a step along the path.

To leading order in dt the deviation delta = Omega - Omega_bar is Gaussian and Markov. With J the Jacobian of the ODE's
right-hand side and D the covariance of one step's increment over dt^2,

    d delta = J delta dt + sqrt(dt D) dB,    d Sigma/dt = J Sigma + Sigma J^T + dt D,    Sigma = Cov[delta]

(van Kampen's expansion in the size of a step.) J and D are evaluated at points along the path that are close where it
moves, and interpolated; in between, the linear equation is solved by exponentials, so that long stretches in which
little changes cost nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float

MAX_ENTRIES = 400
"""Most independent entries of the state: a Jacobian has their square, and its products cost their cube."""

MOVEMENT, DECAY = 0.02, 0.1
"""Between two points of the path the largest entry moves by this much, or log(risk) by that much."""

PROBES = 512
"""Times of either spacing, linear and logarithmic, at which the path is first looked at."""

NUMBERS, FEWEST = 2**19, 2**11
"""Of the Gaussian paths at one time: n entries each. 20000 paths at n = 26 (an error of 0.2 %), at least FEWEST."""

AT_ONCE = 2**8
"""Paths that are followed together: their entries stay in the cache, and BLAS takes products so small (n < 32) on one
thread. Threads that wait for one another in each of thousands of small products cost more time than they save."""

KEPT = 2**27
"""Bytes of normals at most that are kept for the next law: to draw them takes three times as long as all the rest."""

RIDGE = 1e-10
"""Added to correlations of increments, which may be singular: beyond their rounding, below that of sampled paths."""


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

    def mean_sizes(
        self, shift: Float[np.ndarray, "times seen"], seen: Float[np.ndarray, "times seen n"] | None = None
    ) -> tuple[Float[np.ndarray, " times"], float]:
        """E |S delta + shift|_inf at every save time, and E of its maximum over them, over sampled paths.

        - `seen`: S; None for all entries.
        """
        times, entries = self.kicks.shape[:2]
        chunks = [self._sizes(normals, shift, seen) for normals in _normals(times, entries)]
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
        self,
        normals: Float[np.ndarray, "times n paths"],
        shift: Float[np.ndarray, "times seen"],
        seen: Float[np.ndarray, "times seen n"] | None,
    ) -> Float[np.ndarray, "times paths"]:
        """|S delta + shift|_inf of the paths that these normals make.

        Float32: its rounding is 10^-4 of the error of the sample.
        """
        delta = np.zeros(normals.shape[1:], np.float32)
        sizes = []
        for place, ((Phi, root), offset) in enumerate(zip(self._steps, shift.astype(np.float32), strict=True)):
            delta = Phi @ delta + root @ normals[place]
            shown = delta if seen is None else seen[place].astype(np.float32) @ delta
            sizes.append(np.abs(shown + offset[:, None]).max(axis=0))
        return np.stack(sizes)


def _normals(times: int, entries: int) -> Iterator[Float[np.ndarray, "times entries paths"]]:
    """What all sampled paths of a law are made of, AT_ONCE of them at one time: the same for every law of that size."""
    paths = max(FEWEST, NUMBERS // entries)
    if 4 * paths * times * entries <= KEPT:
        return iter(_kept(times, entries, paths))
    return _drawn(times, entries, paths)


@lru_cache(maxsize=1)
def _kept(times: int, entries: int, paths: int) -> list[Float[np.ndarray, "times entries paths"]]:
    """Those of the cells of a grid, which differ in d, say, are drawn once."""
    return list(_drawn(times, entries, paths))


def _drawn(times: int, entries: int, paths: int) -> Iterator[Float[np.ndarray, "times entries paths"]]:
    rng = np.random.default_rng(0)
    for first in range(0, paths, AT_ONCE):
        yield rng.standard_normal((times, entries, min(AT_ONCE, paths - first)), np.float32)


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
