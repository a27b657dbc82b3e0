"""The effective noise of SGD, measured: what fresh batches do to the order parameters of given weights.

SGD is gradient descent on the population risk R plus a noise, the gradient of R less that on the batch B of a step,

    w_i <- w_i - eta (dR/dw_i - eps_i),    eps = grad R - grad R_B,    E[eps] = 0

Projected on the order parameters Omega = (M, Q), a step changes them by DeltaOmega, with mean and covariance

    drift = E[DeltaOmega]/dt,    noise_covariance = Cov[DeltaOmega]/dt = dt D

over batches at fixed weights: the right-hand side of the ODE, and `StepCovariance`. Entries are those of
`rules.entries.independent`. With `noise_trace` = tr(noise_covariance), drift moves Omega by |drift| tau over a time
tau, and noise by sqrt(noise_trace tau).
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.committee.problem import Committee
from sgdsim.committee.rule_of import rule_of
from sgdsim.contracts import Initial, Kernel, Observables
from sgdsim.cost import StepCost
from sgdsim.ensemble.random import Key, block_normals, fold, replica_keys
from sgdsim.errors import ArgumentError
from sgdsim.rules.entries import independent
from sgdsim.rules.recursion import sample_kicks
from sgdsim.rules.rule import Rule, in_arrays
from sgdsim.rules.weights import RuleWeights, WeightsState

STREAM = 2**41
"""What a replica's key is folded with for fresh batches; the number of a step, for its own."""
_AT_ONCE = 2**16
"""Inputs of fresh batches of one replica that are held at once."""


def noise_observables(drift: Float[Array, "n *lanes"], covariance: Float[Array, "n n *lanes"]) -> Observables:
    """The observables of known drift and covariance, lanes last."""
    return {"drift": drift, "noise_covariance": covariance, "noise_trace": jnp.trace(covariance)}


def step_changes(
    rule: Rule,
    W: Float[Array, "lanes p d"],
    teacher: Float[Array, "lanes k d"],
    key: Key,
    batch: int,
    draws: int,
) -> Float[Array, "draws lanes n"]:
    """What a step on each of so many fresh batches adds to the independent entries of (M, Q), float64.

    With a kick K_i = sigma'(l_i) (y - f) of every sample, dw_i = (rate sqrt(d)/batch) sum_s K_i^s x^s, and without
    differences of large numbers dM = dw W*^T/d, dQ = (dw W^T + W dw^T + dw dw^T)/d. Counter words of a batch:
    (pair of normals, 0) under the key of its number.
    """
    lanes, _, d = W.shape
    normals = rule.sizes.normals
    W, teacher, rule = W.astype(jnp.float64), teacher.astype(jnp.float64), in_arrays(rule, jnp.dtype(jnp.float64))
    theta = jnp.zeros((lanes, 1, 0))

    def one(draw: Int[Array, ""]) -> Float[Array, "lanes n"]:
        drawn = block_normals(fold(key, draw), batch * (d + normals), jnp.float64)
        x = drawn[:, : batch * d].reshape(lanes, batch, d)
        own = drawn[:, batch * d :].reshape(lanes, batch, normals)
        fixed, moving = (jnp.einsum("lsd,lad->lsa", x, part) / d**0.5 for part in (teacher, W))
        kicks, _ = sample_kicks(rule, fixed, moving, own, theta, 0.0)
        moved = rule.rate * d**0.5 / batch * jnp.einsum("lsa,lsd->lad", kicks, x)
        dM, along, square = (jnp.einsum("lad,lbd->lab", moved, part) / d for part in (teacher, W, moved))
        return independent(dM, along + jnp.swapaxes(along, 1, 2) + square)

    # Independent of the lanes, so that a replica's sums are the same in any tile.
    return jax.lax.map(one, jnp.arange(draws), batch_size=max(1, _AT_ONCE // (batch * d)))


def _moments(changes: Float[Array, "draws lanes n"], dt: Any) -> tuple[Array, Array]:
    """Mean over dt (n, lanes), and covariance over dt (n, n, lanes), without bias."""
    mean = jnp.mean(changes, axis=0)
    apart = changes - mean[None]
    covariance = jnp.einsum("bla,blc->acl", apart, apart) / (len(changes) - 1)
    return mean.T / dt, covariance / dt


class NoiseKernel(Kernel):
    """A kernel of full weights that observes drift and noise too, by fresh batches that its trajectory never sees."""

    inner: RuleWeights
    dt: float
    draws: int = eqx.field(static=True)

    @property
    def lanes(self) -> int:  # type: ignore[override]
        """Those of the inner kernel."""
        return self.inner.lanes

    @property
    def segment(self) -> int:  # type: ignore[override]
        """That of the inner kernel."""
        return self.inner.segment

    def init(self, initial: Initial, keys: UInt32[Array, "2 lanes"]) -> WeightsState:
        """As the inner kernel."""
        return self.inner.init(initial, keys)

    def advance(self, state: WeightsState, n_steps: Int[Array, ""]) -> WeightsState:
        """As the inner kernel."""
        return self.inner.advance(state, n_steps)

    def observe(self, state: WeightsState) -> Observables:
        """What the inner kernel observes, and drift and noise."""
        key = fold(fold((state.keys[0], state.keys[1]), STREAM), state.step)
        inner = self.inner
        changes = step_changes(inner.rule, state.W, state.teacher, key, inner.batch, self.draws)
        return inner.observe(state) | noise_observables(*_moments(changes, self.dt))


def measuring_cost(problem: Committee) -> StepCost:
    """What the fresh batches of one save time take: inputs, fields, kicks and their products, draw after draw."""
    draws = problem.noise_draws or 0
    inputs = draws * problem.batch * problem.d
    return StepCost(60.0 * inputs, inputs * (4.0 * problem.p + 2 * problem.k), loops=20.0 * draws)


@dataclass(frozen=True)
class MeasuredNoise:
    """Drift and noise of a step at given weights, over dt, each with its standard error over batches.

    Entries are those of M by rows, then of the upper triangle of Q by rows.
    """

    drift: Float[np.ndarray, " n"]
    drift_sem: Float[np.ndarray, " n"]
    covariance: Float[np.ndarray, "n n"]
    covariance_sem: Float[np.ndarray, "n n"]


def measure_noise(
    problem: Committee, W: Float[np.ndarray, "p d"], teacher: Float[np.ndarray, "k d"], draws: int, seed: int = 0
) -> MeasuredNoise:
    """Drift and noise of a step of this problem at the weights W and W*, by so many fresh batches.

    **Raises:** ArgumentError where the problem has more than the plain network, weights do not have its shape, or there
    are fewer than two batches.
    """
    if not problem.plain:
        raise ArgumentError("problem", "have the plain network alone", ", ".join(problem.extras))
    if draws < 2:
        raise ArgumentError("draws", "be at least 2", draws)
    for name, part, rows in (("W", W, problem.p), ("teacher", teacher, problem.k)):
        if np.shape(part) != (rows, problem.d):
            raise ArgumentError(name, f"have the shape {(rows, problem.d)}", np.shape(part))
    keys = replica_keys(seed, 0, 0, 1)
    changes = np.asarray(_changes(rule_of(problem), W, teacher, keys, problem.batch, draws))[:, 0]
    mean, apart = changes.mean(axis=0), changes - changes.mean(axis=0)
    covariance, squares = np.cov(changes.T), apart**2
    fourth = np.einsum("ba,bc->ac", squares, squares) / draws
    sem = np.sqrt(np.maximum(fourth - covariance**2, 0) / draws)
    error = np.sqrt(np.diag(covariance) / draws)
    return MeasuredNoise(*(part / problem.dt for part in (mean, error, covariance, sem)))


@eqx.filter_jit
def _changes(rule: Rule, W: Any, teacher: Any, keys: Any, batch: int, draws: int) -> Float[Array, "draws 1 n"]:
    key = fold((keys[0], keys[1]), STREAM)
    return step_changes(rule, jnp.asarray(W)[None], jnp.asarray(teacher)[None], key, batch, draws)
