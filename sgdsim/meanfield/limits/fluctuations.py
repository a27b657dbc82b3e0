"""The central limit theorem of predictions and mean weights for beta < 1: their covariance between any two times.

Particles W follow the limit, Phi(t, s) its linearisation along their way, and mu is what predictions are off by. With
G_j = grad F_j, the weights themselves among the features (of them no loss knows), and r_j = dc_j/dm_j,

    mu_i(t) = f_i(t) - int_0^t sum_j K_ij(t, s) r_j(s) mu_j(s) ds,    K_ij(t, s) = E G_i(W_t) Phi(t, s) G_j(W_s)

    f from the starts:      N^(-1/2) (F_i(W_t) - E F_i(W_t)) of a particle
    f from common noise:    -eps^(1/2) int_0^t sum_j K_ij(t, s) dzeta_j(s),    Cov(dzeta) = (diag(s) - c c^T) dt
    f from own noise:       -(eps/N)^(1/2) int_0^t sum_j G_i(W_t) Phi(t, s) G_j(W_s) dzeta_j(s) of a particle

a linear equation for as many functions as there are atoms, whatever the weights of a particle. The starts' law is
carried by nodes, integrals in time are those of trapezoids.

Source: Sirignano & Spiliopoulos 2020 (central limit theorem of a network of one hidden layer).
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.ensemble.sobol import sobol_normals
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.characteristics import hermite_nodes, mean_output, rk4
from sgdsim.meanfield.limits.drives import atoms_of, sum_pulls
from sgdsim.meanfield.limits.solution import identity, rounded_up
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions

LONGEST = 0.125
"""Longest step in time."""
POINTS_LOG2 = 13
"""Sobol points, as a power of 2, that carry a law of several weights."""
MOST_DIM = 8
"""Weights of a particle at most: the linearisation has as many rows and columns, for each of the points."""

TwoTimes = Float[np.ndarray, "times V times V"]
"""A covariance of all V = J + dim functions at a time with all of them at another."""


@dataclass(frozen=True)
class Fluctuations:
    """Coefficients of the covariance of (m_1, ..., m_J, mean weights) between any two of `times`.

    - `common`, `start`, `own`: of eps, 1/N and eps/N. With batches eps is eps/batch.
    - `variance`: of the law of a particle, weight by weight.
    """

    times: Float[np.ndarray, " times"]
    common: TwoTimes
    start: TwoTimes
    own: TwoTimes
    variance: Float[np.ndarray, "times dim"]

    def covariance(self, eps: float, N: int, common: bool) -> TwoTimes:
        """Over runs of N particles, with noise of strength eps that is common to them or their own."""
        return self.start / N + (self.common * eps if common else self.own * (eps / N))

    def of_two_particles(self, eps: float, N: int, common: bool) -> Float[np.ndarray, "times dim"]:
        """Cov(W^1, W^2) of two particles of a run, over runs, weight by weight: Var(mean) - variance/N.

        Only noise that is common to both counts: that of their own is in the variance of either too.
        """
        mean = self.start / N + (self.common * eps if common else 0.0)
        return np.einsum("tvtv->tv", mean)[:, -self.variance.shape[1] :] - self.variance / N

    def at(self, times: Float[np.ndarray, " at"]) -> "Fluctuations":
        """At other times >= 0, by cubic splines."""
        # scipy.interpolate takes long to import: by this name it is imported when it is used.
        spline = scipy.interpolate.CubicSpline

        def between(covariance: TwoTimes) -> Float[np.ndarray, "at V at V"]:
            shares = spline(self.times, np.eye(len(self.times)))(times)
            found = np.einsum("ti,ivjw,uj->tvuw", shares, covariance, shares, optimize=True)
            # Noise has a kink where both times are one, which no spline of two times has: there it is one of one time.
            same = spline(self.times, np.einsum("iviw->ivw", covariance))(times)
            for i, block in enumerate(same):
                found[i, :, i] = block
            return found

        several = (between(one) for one in (self.common, self.start, self.own))
        return Fluctuations(np.asarray(times), *several, variance=spline(self.times, self.variance)(times))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class _Path:
    """What a limit is linearised with, at every time of a grid.

    - `F`: features and weights at the nodes (V, n); `G`, `back`: G Phi(t, 0), and Phi(t, 0)^-1 G of the features.
    - `rate`, `S`: dc_j/dm_j, and the covariance of the slopes of the loss.
    """

    F: Float[Any, "*grid V n"]
    G: Float[Any, "*grid V dim n"]
    back: Float[Any, "*grid J dim n"]
    rate: Float[Any, "*grid J"]
    S: Float[Any, "*grid J J"]


def fluctuations(model: Model, final: float) -> Fluctuations:
    """The coefficients up to a time >= `final` > 0, kept: they do not depend on N, nor on the noise.

    **Raises:** ArgumentError for particles of more than `MOST_DIM` weights, and for data from a sampler.
    """
    if model.dim > MOST_DIM or model.atoms is None:
        raise ArgumentError("model", f"have particles of <= {MOST_DIM} weights and finitely many atoms", model.name)
    # Last times of SGD differ by a step with N: a little later, they share a solution.
    key = identity(model), rounded_up(1.02 * final)
    if key not in _kept:
        # Splines without knots next to their ends take five points to be more than one cubic.
        steps = max(4, math.ceil(key[1] / LONGEST))
        _kept[key] = _solve(model, np.linspace(0.0, key[1], steps + 1))
    return _kept[key]


_kept: dict[Hashable, Fluctuations] = {}


def _solve(model: Model, times: Float[np.ndarray, " times"]) -> Fluctuations:
    start, p = _nodes(model)
    path = jax.tree.map(np.asarray, _path(model, start, p, jnp.asarray(np.diff(times, prepend=0.0))))
    mass = np.asarray(p)[:, 0]
    weights = path.F[:, -model.dim :]
    variance = (weights - (weights @ mass)[..., None]) ** 2 @ mass
    return Fluctuations(times, *_covariances(path, mass, np.diff(times)), variance=variance)


def _nodes(model: Model) -> tuple[Positions, Float[Array, "n 1"]]:
    """Particles (n, 1) that carry the law, and their weights."""
    if model.dim == 1:
        return hermite_nodes(model)
    normals = sobol_normals(model.dim, POINTS_LOG2).T
    count = normals.shape[1]
    return tuple(model.law(jnp.asarray(normals)[..., None])), jnp.full((count, 1), 1 / count)


@jax.jit
def _path(model: Model, start: Positions, p: Float[Array, "n 1"], gaps: Float[Array, " grid"]) -> _Path:
    """By one step of RK4 of particles, Phi and its inverse from every time of the grid to the next."""
    dim, n = len(start), len(p)
    unit = jnp.broadcast_to(jnp.eye(dim)[:, :, None], (dim, dim, n))

    def velocity(state: tuple[Array, ...], t: Array) -> tuple[Array, ...]:
        w, Phi, inverse = state
        c, _ = atoms_of(model).coefficients(model.loss, _outputs(model, w, p))
        damping = _damping(model, w, c)
        moved = sum_pulls(model, tuple(w[:, :, None]), -c)
        return jnp.stack(moved)[..., 0], -_times(damping, Phi), _times(inverse, damping)

    def step(state: tuple[Array, ...], dt: Array) -> tuple[tuple[Array, ...], _Path]:
        state = rk4(velocity, state, jnp.zeros(()), dt)
        w, Phi, inverse = state
        return state, _at(model, w, Phi, inverse, p)

    return jax.lax.scan(step, (jnp.stack(start)[..., 0], unit, unit), gaps)[1]


def _outputs(model: Model, w: Float[Array, "dim n"], p: Float[Array, "n 1"]) -> Float[Array, "J 1"]:
    return mean_output(model, tuple(w[:, :, None]), p)


def _features(model: Model, v: Float[Array, " dim"]) -> Float[Array, " J"]:
    """F(v, x_j) of one particle."""
    return model.feature(tuple(one[None] for one in v), tuple(atoms_of(model).points.T))


def _damping(model: Model, w: Float[Array, "dim n"], c: Float[Array, "J 1"]) -> Float[Array, "dim dim n"]:
    """sum_j c_j F_j'' at every node."""
    return jax.vmap(jax.hessian(lambda v: c[:, 0] @ _features(model, v)), 1, 2)(w)


def _times(a: Float[Array, "rows dim n"], b: Float[Array, "dim columns n"]) -> Float[Array, "rows columns n"]:
    """The products of the matrices of every node, written out: as a product of many small ones it takes long."""
    return sum((a[:, k, None] * b[None, k] for k in range(1, len(b))), a[:, 0, None] * b[None, 0])


def _at(model: Model, w: Float[Array, "dim n"], Phi: Array, inverse: Array, p: Float[Array, "n 1"]) -> _Path:
    """What the linearisation takes at one time."""
    atoms, m = atoms_of(model), _outputs(model, w, p)
    c, s = atoms.coefficients(model.loss, m)
    rate = jax.jvp(lambda m: atoms.coefficients(model.loss, m)[0], (m,), (jnp.ones_like(m),))[1]
    features, G = (jax.vmap(f, 1, -1)(w) for f in (partial(_features, model), jax.jacfwd(partial(_features, model))))
    # The weights are features too, of gradient 1: their mean is off as predictions are, and pushes nobody.
    return _Path(
        F=jnp.concatenate([features, w]),
        G=_times(jnp.concatenate([G, jnp.broadcast_to(jnp.eye(len(w))[:, :, None], Phi.shape)]), Phi),
        back=jnp.swapaxes(_times(inverse, jnp.swapaxes(G, 0, 1)), 0, 1),
        rate=rate[:, 0],
        S=jnp.diag(s[:, 0]) - c @ c.T,
    )


def _covariances(
    path: _Path, p: Float[np.ndarray, " n"], gaps: Float[np.ndarray, " gaps"]
) -> tuple[TwoTimes, TwoTimes, TwoTimes]:
    """`common`, `start` and `own` between all times of the grid."""
    grid, V = path.G.shape[:2]
    kernel = _causal(_product(path.G * p, path.back))
    # Trapezoids from 0 to t_i: row i has weights of its own, half as large at both of its ends.
    whole = (np.append(0.0, gaps) + np.append(gaps, 0.0)) / 2
    weights = np.tril(np.broadcast_to(whole, (grid, grid))).copy()
    np.fill_diagonal(weights, np.append(0.0, gaps) / 2)
    J = path.rate.shape[1]
    pushed = np.zeros((grid, V, grid, V))
    pushed[..., :J] = kernel * weights[:, None, :, None] * path.rate[None, None]
    resolvent = np.linalg.inv(np.eye(grid * V) + pushed.reshape(grid * V, -1))

    def answered(cause: TwoTimes) -> TwoTimes:
        """The covariance of mu, given that of f."""
        return (resolvent @ cause.reshape(grid * V, -1) @ resolvent.T).reshape(cause.shape)

    centred = path.F - (path.F @ p)[..., None]
    start = np.einsum("ivn,jwn->ivjw", centred * p, centred, optimize=True)
    return answered(_noise(kernel, _root(path.S), gaps)), answered(start), answered(_own(path, p, gaps))


def _product(a: Float[np.ndarray, "grid A dim n"], b: Float[np.ndarray, "grid B dim n"]) -> np.ndarray:
    """The sum over nodes and weights of all pairs of times, (grid, A, grid, B)."""
    shape = (*a.shape[:2], *b.shape[:2])
    return (a.reshape(shape[0] * shape[1], -1) @ b.reshape(shape[2] * shape[3], -1).T).reshape(shape)


def _causal(kernel: np.ndarray) -> np.ndarray:
    """0 for a cause after its effect."""
    return kernel * np.tri(len(kernel))[:, None, :, None]


def _root(S: Float[np.ndarray, "grid J J"]) -> Float[np.ndarray, "grid J J"]:
    """The symmetric roots."""
    values, vectors = np.linalg.eigh(S)
    return (vectors * np.sqrt(np.maximum(values, 0))[:, None]) @ np.swapaxes(vectors, 1, 2)


def _noise(kernel: np.ndarray, root: Float[np.ndarray, "grid J J"], gaps: Float[np.ndarray, " gaps"]) -> TwoTimes:
    """The covariance of f by common noise: a kick for each gap, of the mean strength at its ends."""
    felt = np.einsum("ivjk,jkl->ivjl", kernel, root)
    kicks = (felt[:, :, :-1] + felt[:, :, 1:]) / 2 * np.sqrt(gaps)[:, None]
    # A gap that begins at t_i is after it.
    kicks *= np.tri(len(kernel), len(gaps), -1)[:, None, :, None]
    flat = kicks.reshape(kernel.shape[0] * kernel.shape[1], -1)
    return (flat @ flat.T).reshape(*kernel.shape[:2], *kernel.shape[:2])


def _own(path: _Path, p: Float[np.ndarray, " n"], gaps: Float[np.ndarray, " gaps"]) -> TwoTimes:
    """The covariance of f by noise of their own: that of a particle up to the earlier of both times."""
    strength = np.einsum("tjan,tjk,tkbn->tabn", path.back, path.S, path.back, optimize=True)
    steps = (strength[1:] + strength[:-1]) / 2 * gaps[:, None, None, None]
    gathered = np.concatenate([np.zeros_like(strength[:1]), np.cumsum(steps, axis=0)])
    earlier = np.einsum("tvan,tabn->tvbn", path.G, gathered, optimize=True)
    # Rows at the later time: each pair of times once, then the other way round.
    later = _causal(_product(path.G * p, earlier))
    same = np.einsum("tvtw->tvw", later)
    both = later + np.transpose(later, (2, 3, 0, 1))
    for i, block in enumerate(same):
        both[i, :, i] = block
    return both
