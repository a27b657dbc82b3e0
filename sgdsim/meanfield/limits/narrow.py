"""The limit on the other side: d -> infinity at a fixed number N of particles, for a teacher's Gaussian data.

At eps << 1/d, so that the noise of SGD vanishes, the order parameters follow an ODE: the drift of Saad & Solla, the
leading term of the green region (Veiga et al. 2022). It knows of d by its start alone. As d -> infinity, with the k
weights of the span as they are, the rest of every particle has the length (E r^2)^(1/2), and rests are orthogonal to
one another: N orthonormal vectors in place of R^(d - k). Then N particles in R^(k + N) follow `teacher_flow.velocity`,
and the risk is a mean over starts, drawn from a fixed seed.
"""

from collections.abc import Hashable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.cost import PRODUCT
from sgdsim.meanfield.limits.solution import rounded_up
from sgdsim.meanfield.limits.teacher_flow import NO_REST, evolve, grid
from sgdsim.meanfield.limits.teacher_limit import LONGEST, speed, teacher_of
from sgdsim.meanfield.model import GaussianLaw, Model
from sgdsim.meanfield.problem import MeanField
from sgdsim.meanfield.teacher import GaussianTeacher

DRAWS, LEAST_STARTS = 2**15, 64
"""Particles in all starts together, and the least number of starts, whose mean has the error of as many runs."""
AT_ONCE = 8
"""Starts that are followed side by side."""
_SEED = 1995


def narrow_starts(model: Model, N: int, count: int) -> Float[np.ndarray, "count N columns"]:
    """N particles in R^(k + N): k weights of the law, and a rest along an axis of its own."""
    mean, std, rest = _law(model)
    span = mean + std * np.random.default_rng(_SEED).standard_normal((count, N, len(mean)))
    return np.concatenate([span, np.broadcast_to(rest * np.eye(N), (count, N, N))], axis=2)


def narrow_risk(problem: MeanField, times: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """The mean excess risk at `times` of N particles as d -> infinity; solved once for all d that share it."""
    model, N, until = problem.model, problem.N, rounded_up(max(float(times[-1]), problem.dt))
    teacher, rate = teacher_of(model), speed(model)
    dt, steps = grid(until, LONGEST / rate)
    mean, std, rest = _law(model)
    key = (np.asarray(teacher.root).tobytes(), mean.tobytes(), std.tobytes(), rest, rate, N, until)
    if key not in _solved:
        starts = jnp.asarray(narrow_starts(model, N, max(LEAST_STARTS, DRAWS // N)))
        _solved[key] = np.asarray(_orders(teacher, starts, jnp.asarray(rate * dt), steps))
    risk = np.asarray(teacher.risk(model.loss, jnp.asarray(_solved[key]))) - model.least_risk
    return scipy.interpolate.CubicSpline(dt * np.arange(steps + 1), risk)(times)


def _law(model: Model) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], float]:
    """Mean and standard deviation of the weights in the span, and the length of the rest."""
    law, k = model.law, teacher_of(model).k
    assert isinstance(law, GaussianLaw)
    # Rounded: of laws that differ in d alone the length is the same but for rounding.
    length = round(float(law.std[k]) * (model.dim - k) ** 0.5, 12)
    return np.asarray(law.mean)[:k], np.asarray(law.std)[:k], length


_solved: dict[Hashable, Float[np.ndarray, "m grid"]] = {}
"""A few numbers for each N of a grid."""


@partial(jax.jit, static_argnames="steps")
def _orders(
    teacher: GaussianTeacher, starts: Float[Array, "starts N columns"], dt: Float[Array, ""], steps: int
) -> Float[Array, "m grid"]:
    """Means over the starts of the order parameters, in which the risk is linear."""
    N = starts.shape[1]
    weights, rest = jnp.full(N, 1 / N), jnp.zeros(N)

    def of_start(m: Float[Array, "N columns"]) -> Float[Array, "grid m"]:
        return evolve(teacher, (m, rest), weights, NO_REST, dt, steps)[1]

    return jnp.mean(jax.lax.map(of_start, starts, batch_size=AT_ONCE), axis=0).T


def narrow_cost(problem: MeanField, final: float) -> float:
    """Seconds that `narrow_risk` takes: starts times steps times the N^2 (N + k) of a product of matrices."""
    starts, steps = max(LEAST_STARTS, DRAWS // problem.N), grid(final, LONGEST / speed(problem.model))[1]
    return 1.0 + starts * steps * (4 * PRODUCT * 2 * problem.N**2 * (problem.N + 40))
