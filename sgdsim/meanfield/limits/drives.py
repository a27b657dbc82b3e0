"""What moves the particles in one step: a drive draws what is random once, and applies it to whoever follows.

A system of particles and its limit are coupled by following the same draw, each with outputs of its own law.
"""

import abc
from collections.abc import Callable
from functools import reduce
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt32

from sgdsim.ensemble.pin import Pinning
from sgdsim.ensemble.random import Key, fold, lane_normals, normal_pair
from sgdsim.meanfield.data import Atoms
from sgdsim.meanfield.features import Components
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import UNROLLED, Positions, Weights, average, predictions
from sgdsim.rules.schedule import PowerSchedule

Step = Int[Array, ""]
"""The number of a step, of which 64 bits count."""


class Drive(eqx.Module):
    """One step of one kind of dynamics.

    - `dt`: time of the step; `noise`: eps/batch, the factor of Sigma; `scale`: N^(a - 1), the factor of all increments.
    - `decay`: w, by which a particle is pulled to 0, in time w W.
    - `schedule`: s(t), another factor of them, at the time of the step; `at` takes it in.
    """

    dt: float
    noise: float
    scale: float
    batch: int = eqx.field(static=True)
    schedule: PowerSchedule | None = None
    decay: float | None = None

    def at(self, step: Step, pin: Pinning) -> "Drive":
        """The drive of one step, which begins at t = step dt: of a constant rate it is the same for all of them."""
        if self.schedule is None:
            return self
        # Pinned: within a loop over the particles a compiler would take another exponential, by a last bit.
        factor = pin(self.schedule.value(jnp.asarray(step * self.dt, jnp.float64)))
        return eqx.tree_at(lambda drive: drive.scale, self, self.scale * factor)

    def draw(self, model: Model, key: Key, step: Step, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """What is random in this step, for N particles.

        The key of the step is pinned: a compiler would fold it anew for every particle.
        """
        return self.draw_under(model, pin(fold(key, step)), N, dtype, pin)

    @abc.abstractmethod
    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """What `draw` gives, under the key of the step: counters tell apart only what is drawn in one step."""

    def outputs(self, model: Model, W: Positions, weights: Weights, drawn: Any) -> Float[Array, "J #lanes"]:
        """What the step needs to know of the law of the particles: m_j, or the predictions at the data drawn."""
        return predictions(model, W, weights, atoms_of(model).points)

    def step(self, model: Model, W: Positions, outputs: Float[Array, "J #lanes"], drawn: Any) -> Positions:
        """What `move` gives, after weight decay."""
        moved = self.move(model, W, outputs, drawn)
        if self.decay is None:
            return moved
        share = jnp.asarray(self.dt * self.scale * self.decay, W[0].dtype)
        return minus(moved, jax.tree.map(lambda w: share * w, W))

    @abc.abstractmethod
    def move(self, model: Model, W: Positions, outputs: Float[Array, "J #lanes"], drawn: Any) -> Positions:
        """The particles after the step, given the outputs of a law: their own, or their limit's."""


class SharedSgd(Drive):
    """SGD: all particles of a run see the same `batch` data points."""

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """`batch` pairs of x, every component of it (1, lanes), and y, (1, lanes)."""
        # Pinned: a compiler would draw a datum anew for every particle that sees it.
        data = [pin(model.data.draw(key, jnp.uint32(i), dtype)) for i in range(self.batch)]
        return [(x[:, None] if model.joined else tuple(part[None] for part in x), y[None]) for x, y in data]

    def draw_atoms(self, model: Model, key: Key, step: Step) -> list[Int[Array, " lanes"]]:
        """The indices of the atoms that `draw` draws."""
        key = fold(key, step)
        return [atoms_of(model).draw_atom(key, jnp.uint32(i)) for i in range(self.batch)]

    def outputs(self, model: Model, W: Positions, weights: Weights, drawn: Any) -> Array:
        """The predictions at the data points, (batch, lanes)."""
        return jnp.stack([average(model.feature(W, x), weights) for x, _ in drawn])

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - eps mean_i l'(prediction_i, y_i) grad F(W, x_i)."""
        factor = jnp.asarray(self.dt * self.scale / self.batch, W[0].dtype)
        weights = [factor * model.loss.slope(output[None], y) for (_, y), output in zip(drawn, outputs, strict=True)]
        return minus(W, add_up(self.batch, lambda i: pull(model, W, drawn[i][0], weights[i])))


class OwnSgd(Drive):
    """The twin in which every particle draws `batch` data points of its own."""

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """Indices of atoms, (batch, N, lanes)."""
        own, particle = wide(key, N), particles_of(key, N)
        return [atoms_of(model).draw_atom(own, jnp.uint32(i), particle) for i in range(self.batch)]

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - eps mean_i l'(m_i, y_i) grad F(W, x_i), with the particle's own atoms i."""
        atoms, dtype = atoms_of(model), W[0].dtype
        factor = jnp.asarray(self.dt * self.scale / self.batch, dtype)
        outputs = jnp.broadcast_to(outputs, (len(outputs), W[0].shape[1]))

        def term(i: int) -> Positions:
            x, y = atoms.atom(drawn[i], dtype)
            # Atoms are in the order (j, k): labels of one input share its output.
            output = jnp.take_along_axis(outputs, drawn[i] // atoms.labels.shape[1], axis=0)
            return pull(model, W, x, factor * model.loss.slope(output, y))

        return minus(W, add_up(self.batch, term))


class DriftAlone(Drive):
    """The drift alone, dW = -h dt: the limit for beta < 1."""

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> None:
        """Draws nothing: this drive is deterministic."""

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - h(W, m) dt."""
        c, _ = atoms_of(model).coefficients(model.loss, outputs)
        return minus(W, sum_pulls(model, W, jnp.asarray(self.dt * self.scale, c.dtype) * c))


class CommonSde(Drive):
    """Euler and Maruyama's step with one Brownian motion per datum, common to all particles of a run.

    The increment is -sum_j (c_j dt + sqrt(eps) zeta_j) grad F_j with zeta = S^(1/2) z, S = diag(s) - c c^T.
    """

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """One normal for each of the J data points and every lane, (J, lanes)."""
        return jnp.stack(lane_normals(key, jnp.zeros((), jnp.uint32), len(atoms_of(model).points), dtype, pin))

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - h dt - sqrt(eps) sum_j zeta_j grad F_j."""
        return minus(W, sum_pulls(model, W, self.pushes(model, outputs, drawn)))

    def pushes(self, model: Model, outputs: Array, drawn: Array) -> Float[Array, "J #lanes"]:
        """c_j dt + sqrt(eps) zeta_j, with the root of S in closed form: a rank-one change of a diagonal matrix."""
        c, s = atoms_of(model).coefficients(model.loss, outputs)
        # The root of S needs no decomposition: LAPACK in batches would stop a GPU at every step.
        root = jnp.sqrt(s)
        u = _direction(c, root)
        zeta = root * (drawn - u * (shrink(u) * jnp.sum(u * drawn, axis=0))[None])
        drift, diffusion = (jnp.asarray(value, c.dtype) for value in self.factors)
        return drift * c + diffusion * zeta

    @property
    def factors(self) -> tuple[Array, Array]:
        """What drift and noise are multiplied with in one step."""
        return jnp.asarray(self.dt * self.scale), jnp.sqrt(jnp.asarray(self.noise * self.dt)) * self.scale


class OwnSde(CommonSde):
    """The SDE with Brownian motions of its own for every particle.

    With root = sqrt(s) and u = c/root, zeta_j = root_j (z_j - u_j shrink (u.z)), so that the noise of a particle is
    sum_j root_j z_j grad F_j - shrink (u.z) h: one pass over the atoms, a pair of them at a time.
    """

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """The function of a pair of atoms that gives their normals, each (N, lanes)."""
        keys, particle = wide(key, N), particles_of(key, N)

        def normals(pair: Any) -> tuple[Array, Array]:
            number = jnp.full(particle.shape, pair, jnp.uint32)
            return jax.lax.optimization_barrier(normal_pair(keys, (number, particle), dtype, pin))

        return normals

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - h dt - sqrt(eps) sum_j zeta_j grad F_j."""
        c, s = (_even(value) for value in atoms_of(model).coefficients(model.loss, outputs))
        points, root = _even(atoms_of(model).points.astype(c.dtype)), jnp.sqrt(s)
        u = _direction(c, root)

        def of_atom(j: Any, z: Array) -> tuple[Positions, Positions, Array]:
            gradient = pull(model, W, tuple(points[j]), jnp.ones((), c.dtype))
            drift, noise = (tuple(weight * g for g in gradient) for weight in (c[j][None], root[j][None] * z))
            return drift, noise, u[j][None] * z

        def of_pair(pair: Any) -> Any:
            first, second = drawn(pair)
            return jax.tree.map(jnp.add, of_atom(2 * pair, first), of_atom(2 * pair + 1, second))

        h, noise, along = add_up(len(c) // 2, of_pair)
        drift, diffusion = (jnp.asarray(value, c.dtype) for value in self.factors)
        along = shrink(u)[None] * along
        return tuple(w - drift * a - diffusion * (b - along * a) for w, a, b in zip(W, h, noise, strict=True))


class OwnScalarSde(CommonSde):
    """`OwnSde` for particles of one weight, whose Sigma is a number: one normal for a particle and step."""

    def draw_under(self, model: Model, key: Key, N: int, dtype: np.dtype, pin: Pinning) -> Any:
        """Normals (N, lanes).

        One of each pair is left: halves of the particles, put together again, would not be vectorised by a compiler.
        """
        particle = particles_of(key, N)
        return normal_pair(wide(key, N), (jnp.zeros_like(particle), particle), dtype, pin)[0]

    def move(self, model: Model, W: Positions, outputs: Array, drawn: Any) -> Positions:
        """W - h dt - sqrt(eps Sigma) dB with Sigma = sum_j s_j F_j'^2 - h^2."""
        h, Sigma = drift_and_covariance(model, W[0], outputs)
        drift, diffusion = (jnp.asarray(value, h.dtype) for value in self.factors)
        return (W[0] - drift * h - diffusion * jnp.sqrt(jnp.maximum(Sigma, 0)) * drawn,)


def drift_and_covariance(
    model: Model, w: Float[Array, "N lanes"], outputs: Float[Array, "J #lanes"]
) -> tuple[Float[Array, "N lanes"], Float[Array, "N lanes"]]:
    """h = sum_j c_j F_j' and Sigma = sum_j s_j F_j'^2 - h^2 of particles of one weight."""
    c, s = atoms_of(model).coefficients(model.loss, outputs)
    points = atoms_of(model).points.astype(c.dtype)

    def term(j: Any) -> tuple[Array, Array]:
        (gradient,) = pull(model, (w,), tuple(points[j]), jnp.ones((), c.dtype))
        return c[j][None] * gradient, s[j][None] * gradient**2

    h, second = add_up(len(c), term)
    return h, second - h * h


def particles_of(key: Key, N: int) -> UInt32[Array, "N lanes"]:
    """The number of every particle, in all lanes of the key."""
    return jax.lax.broadcasted_iota(jnp.uint32, (N, key[0].shape[0]), 0)


def wide(key: Key, N: int) -> Key:
    """The key of every lane, for each of its N particles: words (N, lanes)."""
    return jnp.broadcast_to(key[0][None], (N, *key[0].shape)), jnp.broadcast_to(key[1][None], (N, *key[1].shape))


def pull(model: Model, W: Positions, x: Components, weight: Array) -> Positions:
    """weight grad_w F(w, x) for every particle; the weight broadcasts over particles or lanes."""
    values, back = jax.vjp(lambda w: model.feature(w, x), W)
    return back(jnp.broadcast_to(weight, values.shape))[0]


def sum_pulls(model: Model, W: Positions, weights: Float[Array, "J #lanes"]) -> Positions:
    """sum_j weights_j grad_w F(w, x_j)."""
    points = atoms_of(model).points.astype(weights.dtype)
    return add_up(len(weights), lambda j: pull(model, W, tuple(points[j]), weights[j][None]))


def minus(W: Positions, step: Positions) -> Positions:
    """W - step, weight by weight."""
    return jax.tree.map(jnp.subtract, W, step)


def add_up(count: int, term: Callable[[Any], Any]) -> Any:
    """The sum of term(0), ..., term(count - 1), trees of arrays: written out where short, a loop where long."""

    def add(total: Any, more: Any) -> Any:
        return jax.tree.map(jnp.add, total, more)

    first = term(0)
    # Short sums are fused into one pass over the particles; long ones would be as long a program.
    if count <= UNROLLED:
        return reduce(add, (term(j) for j in range(1, count)), first)
    return jax.lax.fori_loop(1, count, lambda j, total: add(total, term(j)), first)


def shrink(u: Float[Array, "J lanes"]) -> Float[Array, " lanes"]:
    """(1 - sqrt(1 - |u|^2)) / |u|^2, by which (I - u u^T)^(1/2) = I - shrink u u^T; 1/2 for u = 0."""
    return 1 / (1 + jnp.sqrt(jnp.maximum(1 - jnp.sum(u * u, axis=0), 0)))


def _direction(c: Float[Array, "J #lanes"], root: Float[Array, "J #lanes"]) -> Float[Array, "J #lanes"]:
    """c / root; 0 where an atom's slopes vanish."""
    return jnp.where(root > 0, c / jnp.where(root > 0, root, 1), 0)


def _even(values: Float[Array, "J *rest"]) -> Float[Array, "even *rest"]:
    """The rows, and a last one of zeros where their number is odd."""
    # One evaluation of the generator gives normals for two atoms: an atom without slopes fills the last pair.
    odd = len(values) % 2
    return jnp.concatenate([values, jnp.zeros_like(values[:odd])]) if odd else values


def atoms_of(model: Model) -> Atoms:
    """The model's atoms; a problem with a sampler takes no dynamics that ask for them."""
    assert isinstance(model.data, Atoms)
    return model.data
