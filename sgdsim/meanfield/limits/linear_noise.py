"""Fluctuations of N particles about their limit to first order, for beta < 1 and particles of one weight.

With delta^k = W^k - W^{*,k}, and mu_j the deviation of m_j,

    d delta = -(h'(W^*) delta + sum_j F_j'(W^*) (dc_j/dm_j) mu_j) dt - eps^(1/2) sum_j F_j'(W^*) dzeta_j
    mu_j = N^(-1/2) xi_j + (1/N) sum_k F_j'(W^{*,k}) delta^k,   Cov(dzeta) = (diag(s) - c c^T) dt

xi is the fluctuation of the empirical measure of the starts. A deviation is a field over the starts; on Gauss-Hermite
nodes the equations are linear ones between matrices, and second moments follow without sampling:

    E |W - W^*|^2 = c eps + b/N
    Cov(delta^1, delta^2) = common_covariance eps + deviation_covariance/N   (common noise)

The covariance of the particles themselves has start_covariance/N instead: the start of one also moves the other.
Where steps fall with a schedule s(t), drift and noise of d delta are multiplied by s, so that its variance gains s^2.

Source: Sirignano & Spiliopoulos 2020 (central limit theorem of a network of one hidden layer).
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.checks import positive
from sgdsim.errors import ArgumentError
from sgdsim.meanfield.limits.characteristics import Weights, drift, hermite_nodes, mean_output, rk4
from sgdsim.meanfield.limits.drives import atoms_of
from sgdsim.meanfield.model import Model
from sgdsim.meanfield.observables import Positions
from sgdsim.rules.schedule import Constant, PowerSchedule

_LONGEST = 0.05
"""Longest step of RK4."""
_NODES = 200
"""Gauss-Hermite nodes."""


@dataclass(frozen=True)
class LinearNoise:
    """Coefficients at one time. With batches eps is eps/batch.

    - `independent`, `common`: c, of eps in E |W - W^*|^2, for noise of either kind.
    - `start`: b, of 1/N in it, from the random starts.
    - `common_covariance`, `deviation_covariance`: of eps and of 1/N in the covariance of W - W^* of two particles of a
      run with common noise; with independent noise the term in eps is absent.
    - `start_covariance`: of 1/N in the covariance of W itself.
    """

    independent: float
    common: float
    start: float
    common_covariance: float
    deviation_covariance: float
    start_covariance: float


def linear_noise(model: Model, t: float, schedule: PowerSchedule | None = None) -> LinearNoise:
    """The coefficients at time t, of steps that are constant or fall with a schedule.

    **Raises:** ArgumentError for particles of more than one weight, for data from a sampler, and unless t > 0.
    """
    if model.dim != 1 or model.atoms is None:
        raise ArgumentError("model", "have particles of one weight and finitely many atoms", model.name)
    t = positive("t", t)
    W, weights = hermite_nodes(model, _NODES)
    steps = max(1, round(t / _LONGEST))
    final = _evolve(model, W, weights, t / steps, steps, schedule)
    return LinearNoise(**{name: float(value) for name, value in _coefficients(final, weights[:, 0]).items()})


State = tuple[Array, Array, Array, Array]
"""w (n, 1) at the nodes; variance (n, 1) by own noise; covariance (n, n) of the field by common noise; response (n, n)
of the field at one node to the fluctuation of the starts at another, times N^(1/2)."""


def _velocity(model: Model, weights: Weights, state: State, factor: Array) -> State:
    """The factor s(t) of drift and noise times all of it but the noise, which has it once more."""
    w, own, common, response = state
    atoms = atoms_of(model)
    m = mean_output(model, (w,), weights)
    c, s = atoms.coefficients(model.loss, m)
    rate = jax.jvp(lambda m: atoms.coefficients(model.loss, m)[0], (m,), (jnp.ones_like(m),))[1]  # dc_j/dm_j

    def feature(v: Array) -> Array:
        """Features F of n particles, (n, J)."""
        return model.feature((v,), tuple(column[None, :] for column in atoms.points.T))

    def slope(v: Array) -> Array:
        return jax.jvp(feature, (v,), (jnp.ones_like(v),))[1]

    F = feature(w)
    G, curvature = jax.jvp(slope, (w,), (jnp.ones_like(w),))
    h, damping = G @ c, curvature @ c
    through = G * rate[:, 0][None, :]  # the field moves by -through mu
    matrix = -jnp.diag(damping[:, 0]) - through @ (weights * G).T
    S = jnp.diag(s[:, 0]) - c @ c.T
    (moved,) = drift(model, (w,), m)
    velocities = (
        moved,
        -2 * damping * own + factor * (G**2 @ s - h**2),
        matrix @ common + common @ matrix.T + factor * (G @ S @ G.T),
        matrix @ response - through @ F.T,
    )
    first, second, third, fourth = (factor * one for one in velocities)
    return first, second, third, fourth


@partial(jax.jit, static_argnames="steps")
def _evolve(
    model: Model,
    W: Positions,
    weights: Weights,
    dt: Float[Array, ""] | float,
    steps: int,
    schedule: PowerSchedule | None,
) -> State:
    n = len(W[0])
    state = (W[0], jnp.zeros((n, 1)), jnp.zeros((n, n)), jnp.zeros((n, n)))

    falling = Constant() if schedule is None else schedule

    def velocity(s: tuple[Array, ...], t: Array) -> tuple[Array, ...]:
        return _velocity(model, weights, (s[0], s[1], s[2], s[3]), falling.value(t))

    def step(number: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        return rk4(velocity, state, number * jnp.asarray(dt), jnp.asarray(dt))

    w, own, common, response = jax.lax.fori_loop(0, steps, step, state)
    return w, own, common, response


@jax.jit
def _coefficients(state: State, p: Float[Array, " n"]) -> dict[str, Array]:
    """Averages over the nodes; the starts' fluctuation has covariance diag(p) - p p^T."""
    w, own, common, response = state
    # The starts' fluctuation has no component along a constant: masses sum to 1.
    centred = response - (response @ p)[:, None]
    pooled = p @ centred  # of the mean deviation, to the fluctuation at each node
    return {
        "independent": p @ own[:, 0],
        "common": p @ jnp.diag(common),
        "start": p @ (centred**2 @ p),
        "common_covariance": p @ common @ p,
        "deviation_covariance": p @ pooled**2,
        # Var(w + pooled) - Var(w): a particle's start also moves all others.
        "start_covariance": p @ pooled**2 + 2 * p @ (pooled * w[:, 0]),
    }
