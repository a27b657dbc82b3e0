"""The noise of SGD on equal units: covariance of what one step adds to the order parameters, at no cost in p.

The covariance of the increments of (M, Q) is the same for all units and pairs of units, so it follows from those of
four units. All but these enter through their mean output alone. With P = L L^T and m' = L^-1 m the units are

    l_i = m'.z + u_i,    Cov[u_i, u_j] = v delta_ij + a,    v = q - c,    a = c - |m'|^2

and given z and the four, with S the sum of their u, the others are

    l_o = x + sqrt(a') g + sqrt(v) eps_o,    x = m'.z + a S/(v + 4a),    a' = a v/(v + 4a)

with independent standard normals g and eps_o. Given g too, the error y - f is a constant plus independent terms: its
moments follow from the first four cumulants of sigma(l_o), which are averages in one variable, eps_o.

a is negative where units repel one another (a >= -v/p). What is averaged over g is smooth in x, so that the rule for g
is one that gives the moments of a variance a' of either sign: 1, a', 3 a'^2.

The squared length |x|^2 of a sample is averaged exactly: for F a function of the fields l and d the dimension,

    E[F |x|^2] = (d + D) E[F],    E[F |x|^4] = (d + 2 + D) (d + D) E[F],    D = s d/ds E[F(s l)] at s = 1

(s^-d exp(-|x|^2/2s^2) is the density of s x: each derivative in log s brings |x|^2/s^2 - d down.)
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages.activations import Activation
from sgdsim.committee.averages.hermite import normal_rule
from sgdsim.committee.problem import Committee
from sgdsim.ensemble.sobol import sobol_normals

POINTS_LOG2 = 14
"""2^14 points of z and the four units leave an error of 0.4 % in the variances (p = 8, k = 2)."""

_NODES, _WEIGHTS, _ = normal_rule(20, 0.6, 2)
"""Of the average over eps of one of the others."""

_PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
"""Of the four units."""

_POSITIVE = (
    np.array([0.0, 1.3556261799742659, -1.3556261799742659, 2.8569700138728056, -2.8569700138728056]),
    np.array([8 / 15, 0.22207592200561266, 0.22207592200561266, 0.011257411327720693, 0.011257411327720693]),
)
_NEGATIVE = np.array([0.0, 1.0, -1.0, 2.0, -2.0]), np.array([3.0, -7 / 6, -7 / 6, 1 / 6, 1 / 6])
"""Nodes and weights of the average over g, in units of sqrt|a'|: of Gauss and Hermite, and for negative variance."""


class EqualStep(eqx.Module):
    """dt D of one step in modes, at given (m, q, c); see `StepCovariance` for the increments and `modes` for these."""

    points: Float[Array, "points normals"]
    p: Float[Array, ""]
    d: Float[Array, ""]
    step_size: Float[Array, ""]
    noise: Float[Array, ""]
    dt: Float[Array, ""]
    batch: Float[Array, ""]
    activation: Activation

    @classmethod
    def of(cls, problem: Committee, points_log2: int = POINTS_LOG2) -> "EqualStep":
        """The covariance of a problem, by 2^points_log2 points of a scrambled Sobol sequence."""
        constants = (problem.p, problem.d, problem.step_size, problem.noise, problem.dt, problem.batch)
        return cls(
            jax.device_put(sobol_normals(problem.k + 4, points_log2)),
            *(jax.device_put(np.float64(constant)) for constant in constants),
            activation=problem.activation,
        )

    def __call__(self, P: Float[Array, "k k"], state: Float[Array, " modes"]) -> Float[Array, "all all"]:
        """dt D: diagonal blocks of the modes of all units together, of single units, and of pairs."""
        k = len(P)
        L = jnp.linalg.cholesky(P)
        m = jax.scipy.linalg.solve_triangular(L, state[:k], lower=True)
        v = jnp.maximum(state[k] - state[k + 1], 0.0)
        return self._modes(self._covariance(L, m, state[k + 1] - m @ m, v))

    def _covariance(
        self, L: Float[Array, "k k"], m: Float[Array, " k"], a: Float[Array, ""], v: Float[Array, ""]
    ) -> Float[Array, "steps steps"]:
        """Covariance over dt of a step of (M_ir, Q_ii) of each of four units, and of their six Q_ij."""

        def averages(log_scale: Float[Array, ""]) -> tuple[Array, ...]:
            return self._averages(jnp.exp(log_scale), L, m, a, v)

        def with_slopes(log_scale: Float[Array, ""]) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
            return jax.jvp(averages, (log_scale,), (jnp.ones(()),))

        (at, D), (_, DD) = jax.jvp(with_slopes, (jnp.zeros(()),), (jnp.ones(()),))
        d, kick = self.d, self.step_size**2 / self.batch
        mean = at[0] + kick * (d * at[1] + D[1])
        crossed = d * at[3] + D[3]
        lengths = d * (d + 2) * at[4] + 2 * (d + 1) * D[4] + DD[4]
        second = at[2] + kick * (crossed + crossed.T) + kick**2 * lengths
        return (second - mean[:, None] * mean[None, :]) / (self.batch * self.dt)

    def _averages(
        self,
        scale: Float[Array, ""],
        L: Float[Array, "k k"],
        m: Float[Array, " k"],
        a: Float[Array, ""],
        v: Float[Array, ""],
    ) -> tuple[Array, ...]:
        """E[e f], E[e^2 h], E[e^2 f f^T], E[e^3 f h^T] and E[e^4 h h^T] of a step e f + e^2 |x|^2 h, fields scaled.

        The factor kick is left out of h.
        """
        k = len(L)
        z, eps = self.points[:, :k], self.points[:, k:]
        mean, total = jnp.mean(eps, axis=1), jnp.maximum(v + 4 * a, 0.0)
        u = jnp.sqrt(v) * (eps - mean[:, None]) + jnp.sqrt(total) * mean[:, None]
        share = jnp.where(total > 0, a / jnp.where(total > 0, total, 1.0), 0.0)
        inside = z @ m
        teacher, student = scale * (z @ L.T), scale * (inside[:, None] + u)
        f, h = self._factors(teacher, student)
        x = inside + 4 * share * jnp.sqrt(total) * mean
        e = self._error_moments(teacher, student, scale * x, scale**2 * share * v, scale * jnp.sqrt(v))
        n = len(z)
        return (
            e[0] @ f / n,
            e[1] @ h / n,
            (f * e[1][:, None]).T @ f / n,
            (f * e[2][:, None]).T @ h / n,
            (h * e[3][:, None]).T @ h / n,
        )

    def _factors(
        self, teacher: Float[Array, "points k"], student: Float[Array, "points 4"]
    ) -> tuple[Float[Array, "points steps"], Float[Array, "points steps"]]:
        """f and h of every step that is looked at; see `_averages`."""
        slope = self.activation.derivative(student)
        row, column = np.array(_PAIRS).T
        none = jnp.zeros_like(teacher)
        f, h = [], []
        for i in range(4):
            f += [slope[:, i, None] * teacher, 2 * slope[:, i, None] * student[:, i, None]]
            h += [none, slope[:, i, None] ** 2]
        f.append(slope[:, row] * student[:, column] + slope[:, column] * student[:, row])
        h.append(slope[:, row] * slope[:, column])
        return self.step_size * jnp.concatenate(f, axis=1), jnp.concatenate(h, axis=1)

    def _error_moments(
        self,
        teacher: Float[Array, "points k"],
        student: Float[Array, "points 4"],
        x: Float[Array, " points"],
        variance: Float[Array, ""],
        spread: Float[Array, ""],
    ) -> Float[Array, "4 points"]:
        """E[e^n | teachers and the four], n = 1 ... 4, with the others at x + sqrt(variance) g + spread eps_o."""
        known = (
            jnp.mean(self.activation.value(teacher), axis=1) - jnp.sum(self.activation.value(student), axis=1) / self.p
        )
        positive = variance >= 0
        nodes, weights = (
            jnp.where(positive, *map(jnp.asarray, pair)) for pair in zip(_POSITIVE, _NEGATIVE, strict=True)
        )
        size = jnp.where(positive, variance, -variance)
        root = jnp.where(size > 0, jnp.sqrt(jnp.where(size > 0, size, 1.0)), 0.0)
        given = jax.vmap(lambda node: self._given_all(known, x + node * root, spread))(nodes)
        return jnp.tensordot(weights, given, 1)

    def _given_all(
        self, known: Float[Array, " points"], x: Float[Array, " points"], spread: Float[Array, ""]
    ) -> Float[Array, "4 points"]:
        """E[e^n] given g too, from the cumulants of e = known + noise - (1/p) sum_o sigma(x + spread eps_o)."""
        weights, others, p = jnp.asarray(_WEIGHTS), self.p - 4, self.p
        outputs = self.activation.value(x[:, None] + spread * jnp.asarray(_NODES)[None, :])
        mean = outputs @ weights
        apart = outputs - mean[:, None]
        squared = apart * apart
        second, third, fourth = squared @ weights, (squared * apart) @ weights, (squared * squared) @ weights
        K1 = known - others * mean / p
        K2 = others * second / p**2 + self.noise
        K3 = -others * third / p**3
        K4 = others * (fourth - 3 * second**2) / p**4
        square, cube = K1**2 + K2, K1**3 + 3 * K1 * K2 + K3
        return jnp.stack([K1, square, cube, K1**4 + 6 * K1**2 * K2 + 4 * K1 * K3 + 3 * K2**2 + K4])

    def _modes(self, S: Float[Array, "steps steps"]) -> Float[Array, "all all"]:
        """The covariance of the modes from that of single steps, averaged over what is alike; see `modes`."""
        p, n, unit = self.p, (len(S) - 6) // 4, np.eye(len(S))
        v = [unit[i * n : (i + 1) * n] for i in range(4)]
        Q = {
            pair: row
            for pairs in (_PAIRS, [(j, i) for i, j in _PAIRS])
            for pair, row in zip(pairs, unit[4 * n :], strict=True)
        }
        between, v2 = jnp.zeros((n + 2, n + 2)), jnp.zeros((n, n))
        for i, j in _PAIRS:
            others = [Q[i, o] - Q[j, o] for o in range(4) if o not in (i, j)]
            contrast = jnp.asarray(np.concatenate([v[i] - v[j], others]))
            between += contrast @ S @ contrast.T / 12
            v2 += (v[i] @ S @ v[j].T + v[j] @ S @ v[i].T) / 12
        vv, vu = between[:n, :n], (between[:n, n] + between[:n, n + 1]) / 2
        same, other = (between[n, n] + between[n + 1, n + 1]) / 2, between[n, n + 1]
        uu = (same + (p - 3) * other) / (p - 2)
        apart = sum(v[i] @ S @ Q[pair] / 12 for i in range(4) for pair in _PAIRS if i not in pair)
        matchings = [Q[0, 1] + Q[2, 3], Q[0, 2] + Q[1, 3], Q[0, 3] + Q[1, 2]]
        squares = jnp.asarray(np.stack([matchings[m] - matchings[m - 1] for m in range(3)]))
        disjoint = (Q[0, 1] @ S @ Q[2, 3] + Q[0, 2] @ S @ Q[1, 3] + Q[0, 3] @ S @ Q[1, 2]) / 3
        cc = disjoint + 2 * (same + (2 * p - 3) * other) / (p * (p - 1))
        return jax.scipy.linalg.block_diag(
            _bordered(v2 + vv / p, apart + 2 * vu / p, cc),
            _bordered(vv, vu, uu),
            jnp.trace(squares @ S @ squares.T)[None, None] / 12,
        )


def _bordered(
    corner: Float[Array, "n n"], side: Float[Array, " n"], last: Float[Array, ""]
) -> Float[Array, "modes modes"]:
    """The symmetric matrix [[corner, side], [side^T, last]]."""
    return jnp.block([[corner, side[:, None]], [side[None, :], last[None, None]]])
