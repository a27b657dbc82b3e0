"""The mean-field limit of a teacher's Gaussian data, N -> infinity at fixed d, from Sobol points in k + 1 coordinates.

The start draws the k weights in the teacher's span, and the length of the rest by its chi law: k + 1 numbers in place
of d, see `teacher_flow`. An error of the limit is that of the Sobol points.
"""

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.ensemble.histograms import bin_fractions
from sgdsim.ensemble.sobol import sobol_points
from sgdsim.meanfield.limits.characteristics import State
from sgdsim.meanfield.limits.solution import Solution, refined
from sgdsim.meanfield.limits.teacher_flow import cosines, evolve, grid
from sgdsim.meanfield.losses import Squared
from sgdsim.meanfield.model import GaussianLaw, Model, first_weight, radius
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.teacher import GaussianTeacher

LOG2 = 9
"""2^9 particles: up to t = 5 the risk is within 1e-3 of that of 2^11, at t = 10 within 4e-3 (d = 8, overlap 1/2)."""
COSINES = 6
LONGEST = 0.25
"""Longest step of RK4."""


def follows_teacher(model: Model) -> bool:
    """Whether the data are a teacher's, and law and coordinate the same in all directions that it does not have."""
    law = model.law
    if not isinstance(model.data, GaussianTeacher) or not isinstance(law, GaussianLaw):
        return False
    mean, std = np.asarray(law.mean)[model.data.k :], np.asarray(law.std)[model.data.k :]
    # Exactly equal numbers: a law that is nearly the same in all directions is another law.
    return bool(np.all(mean == 0) and np.all(std == std[0])) and model.coordinate in (first_weight, radius)


def teacher_of(model: Model) -> GaussianTeacher:
    """The model's teacher."""
    assert isinstance(model.data, GaussianTeacher)
    return model.data


def speed(model: Model) -> float:
    """The scale of the loss, by which time runs faster."""
    assert isinstance(model.loss, Squared)
    return model.loss.scale


def sobol_rows(model: Model, log2: int) -> State:
    """Particles m (2^log2, k) and r (2^log2,) of the law at t = 0."""
    law, k = model.law, teacher_of(model).k
    assert isinstance(law, GaussianLaw)
    points = np.clip(sobol_points(k + 1, log2), 1e-12, 1 - 1e-12)
    mean, std = np.asarray(law.mean), np.asarray(law.std)
    m = mean[:k] + std[:k] * scipy.special.ndtri(points[:, :k])
    length = np.sqrt(2 * scipy.special.gammaincinv((model.dim - k) / 2, points[:, k]))
    return jnp.asarray(m), jnp.asarray(std[k] * length)


class TeacherSolution(Solution):
    """Teacher and student on Gaussian data, beta < 1: m = (E f sigma(v_r.x), E f^2)."""

    compiling, seconds = 3.0, 0.5

    def __init__(self, problem: MeanField, final: float) -> None:
        self.model, teacher = problem.model, teacher_of(problem.model)
        start = sobol_rows(self.model, LOG2)
        self.weights = jnp.full(len(start[1]), 1 / len(start[1]))
        self.dt, steps = grid(final, LONGEST / speed(self.model))
        pairs = cosines(teacher.d - teacher.k, COSINES)
        self.path, m = evolve(teacher, start, self.weights, pairs, speed(self.model) * self.dt, steps)
        self.limit = refined(self.dt, (m, *self._moments(teacher.d - teacher.k)))

    def _moments(self, rest: int) -> tuple[Float[Array, "grid dim"], Float[Array, "grid dim"]]:
        """Mean and variance of every weight: those beyond the span share E r^2, with mean 0."""
        span, r = self.path
        mean, variance = jnp.mean(span, axis=1), jnp.var(span, axis=1)
        each = jnp.broadcast_to(jnp.mean(r**2, axis=1)[:, None] / rest, (len(r), rest))
        return jnp.concatenate([mean, jnp.zeros_like(each)], axis=1), jnp.concatenate([variance, each], axis=1)

    def histogram(
        self, times: Float[np.ndarray, " times"], edges: Float[np.ndarray, " edges"]
    ) -> Float[np.ndarray, "times bins"]:
        """By counting the particles, whose coordinate is that of (m, r, 0, ..., 0)."""
        knots = self.dt * np.arange(len(self.path[1]))
        span, r = (scipy.interpolate.CubicSpline(knots, np.asarray(values))(times) for values in self.path)
        W = (*np.moveaxis(span, 2, 0), r, *[np.zeros_like(r)] * (self.model.dim - span.shape[2] - 1))
        values = jax.vmap(self.model.coordinate)(tuple(jnp.asarray(w)[..., None] for w in W))
        return np.asarray(jax.vmap(lambda one: bin_fractions(one, jnp.asarray(edges))[:, 0])(values))
