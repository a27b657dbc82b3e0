"""Two Gaussians told apart by the norm of x: the law of r = |w| for dimension d -> infinity.

    r' = -psi'(r),   psi = -q+(r) (1 - Q+) + q-(r) (1 + Q-),   q+-(r) = E s((1 +- 0.8) r G),   Q+- = E q+-(r)
    risk = (1 - Q+)^2/2 + (1 + Q-)^2/2

Source: Mei, Montanari & Nguyen 2018, section 3. At t = 0 the problem's own d gives the spread of r: d r^2/0.64 has a
chi-square law of d degrees of freedom; for d -> infinity it is the point r = 0.8. Of the motion the terms in 1/d are
left out.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float

from sgdsim.meanfield.data import TwoGaussians
from sgdsim.meanfield.features import HIGH, LOW, radial_step
from sgdsim.meanfield.limits.characteristics import rk4
from sgdsim.meanfield.model import GaussianLaw, Model, radius
from sgdsim.meanfield.observables import Positions

SPREADS = (1.8, 0.2)
"""Standard deviations of x in the two classes."""
NODES = 2000
"""Cells of the law of r at t = 0."""
_FIRST, _LAST = 0.5, 1.5
"""Where the feature's ramp begins and ends."""


def is_radial(model: Model) -> bool:
    """Whether a model is this one: feature, data, coordinate, and a law that is the same in all directions."""
    law = model.law
    if not isinstance(model.data, TwoGaussians) or not isinstance(law, GaussianLaw) or model.feature is not radial_step:
        return False
    # Exactly equal numbers: a law that is nearly the same in all directions is another law.
    return bool(np.all(law.mean == 0) and np.all(law.std == law.std[0])) and model.coordinate is radius


def outputs(r: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """q+ and q-, by E (sigma G - a)^+ = sigma phi(a/sigma) - a Phi(-a/sigma); r > 0."""

    def above(a: float, sigma: Array) -> Array:
        return sigma * jax.scipy.stats.norm.pdf(a / sigma) - a * jax.scipy.stats.norm.cdf(-a / sigma)

    def q(sigma: Array) -> Array:
        return LOW + (HIGH - LOW) * (above(_FIRST, sigma) - above(_LAST, sigma)) / (_LAST - _FIRST)

    return q(SPREADS[0] * r), q(SPREADS[1] * r)


def slopes(r: Float[Array, "*batch"]) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """q+' and q-', by d/dsigma E (sigma G - a)^+ = phi(a/sigma); r > 0."""

    def slope(spread: float) -> Array:
        first, last = (jax.scipy.stats.norm.pdf(a / (spread * r)) for a in (_FIRST, _LAST))
        return spread * (HIGH - LOW) / (_LAST - _FIRST) * (first - last)

    return slope(SPREADS[0]), slope(SPREADS[1])


def velocity(r: Positions, Q: Float[Array, " 2"]) -> Positions:
    """dr/dt = -psi'(r) of every radius."""
    plus, minus = slopes(r[0])
    return (plus * (1 - Q[0]) - minus * (1 + Q[1]),)


def risk(Q: Float[Array, "*batch 2"]) -> Float[Array, "*batch"]:
    """(1 - Q+)^2/2 + (1 + Q-)^2/2."""
    return (1 - Q[..., 0]) ** 2 / 2 + (1 + Q[..., 1]) ** 2 / 2


def order_parameters(r: Positions, weights: Float[Array, "n 1"]) -> Float[Array, " 2"]:
    """The order parameters Q+ and Q-: mean outputs in the two classes."""
    return jnp.stack([jnp.sum(q * weights) for q in outputs(r[0])])


def start_nodes(model: Model, count: int = NODES) -> tuple[Positions, Float[Array, "count 1"]]:
    """Radii of the law at t = 0 in the middle of equal cells, and the cells' weights.

    A Gauss quadrature would be worse: radii part at a point from which some grow and others shrink, and the integrand
    becomes steep there.
    """
    (edges,), below = start_quantiles(model, count + 1)
    weights = np.diff(below)
    return ((edges[1:] + edges[:-1]) / 2,), jnp.asarray(weights / weights.sum())[:, None]


def start_quantiles(model: Model, count: int = 4001) -> tuple[Positions, Float[np.ndarray, " count"]]:
    """Radii on a grid that holds all but 1e-12 of the law, and the chance to be below them."""
    # isf, not 1 - ppf: near 1 a probability has no digits left to tell 1e-12 from.
    ends = scipy.stats.chi2.ppf(1e-12, model.dim), scipy.stats.chi2.isf(1e-12, model.dim)
    grid = np.linspace(ends[0] ** 0.5, ends[1] ** 0.5, count)
    return (jnp.asarray(_width(model) * grid)[:, None],), scipy.stats.chi2.cdf(grid**2, model.dim)


def _width(model: Model) -> float:
    """Standard deviation of a weight at t = 0."""
    assert isinstance(model.law, GaussianLaw)
    return float(model.law.std[0])


@partial(jax.jit, static_argnames="steps")
def evolve(
    r: Positions, weights: Float[Array, "n 1"], dt: Float[Array, ""] | float, steps: int
) -> tuple[Float[Array, "grid 2"], Float[Array, " grid"]]:
    """(Q+, Q-) and E r^2 at the times 0, dt, ..., steps dt, by one step of RK4 each."""

    def seen(r: Positions) -> tuple[Array, Array]:
        return order_parameters(r, weights), jnp.sum(weights * r[0] ** 2)

    def step(r: Positions, _: None) -> tuple[Positions, tuple[Array, Array]]:
        ahead = rk4(
            lambda s, t: tuple(velocity(s, order_parameters(s, weights))), tuple(r), jnp.zeros(()), jnp.asarray(dt)
        )
        return ahead, seen(ahead)

    _, later = jax.lax.scan(step, r, None, length=steps)
    return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), seen(r), later)
