"""What is observed of the particles of a tile, in float64."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.contracts import Observables, Variable
from sgdsim.ensemble.histograms import bin_fractions
from sgdsim.meanfield.model import Model

VARIABLES = {
    "excess_risk": Variable("excess risk, above the best function of the input", r"R - R_{\min}"),
    "narrow_risk": Variable("excess risk of N particles as d -> infinity", r"R_{d \to \infty}"),
    "m": Variable("prediction at each input", "m", ("input",)),
    "mean": Variable("mean of the particles", r"\bar{W}", ("weight",)),
    "variance": Variable("variance of the particles of one run", r"v", ("weight",)),
    "histogram": Variable("fraction of the particles in each bin", r"\nu", ("bin",)),
    "distance": Variable("mean squared distance from the limit", r"|W^N - W^*|^2"),
    "coupling": Variable("mean over particles of the largest squared distance so far", r"\sup |W^N - W^*|^2"),
    "pair_covariance": Variable("mean product of the deviations of two particles from their limits", r"D^1 \cdot D^2"),
    "covariance": Variable("covariance of two particles of a run", r"\mathrm{Cov}(W^1, W^2)"),
    "covariance_given_data": Variable("covariance of two particles, given the data", r"\mathrm{Cov}(W^1, W^2 | D)"),
    "dependence": Variable("squared distance covariance of two particles", r"\mathrm{dCov}^2(W^1, W^2)"),
    "dependence_given_data": Variable(
        "squared distance covariance of two particles, given the data", r"\mathrm{dCov}^2(W^1, W^2 | D)"
    ),
    "apart": Variable("mean squared distance of SGD and SDE, noise apart", r"|W_{sde} - W_{sgd}|^2"),
    "assigned": Variable("squared distance of SGD and SDE, optimal assignment", r"W_2^2(W_{sde}, W_{sgd} | W_0)"),
    "assigned_raw": Variable("the same of as many runs as there are", r"\hat W_2^2(W_{sde}, W_{sgd} | W_0)"),
    "assigned_floor": Variable("the same of two samples of one law", r"\hat W_2^2(W, W' | W_0)"),
    "laws": Variable("squared distance of the laws of SGD and SDE", r"W_2^2(\nu_{sde}, \nu_{sgd})"),
    "laws_raw": Variable("the same of as many runs as there are", r"\hat W_2^2(\nu_{sde}, \nu_{sgd})"),
    "laws_floor": Variable("the same of two samples of one law", r"\hat W_2^2(\nu, \nu')"),
    "second_moment": Variable("second moment of a particle, SGD less SDE", r"\Delta E W^2"),
    "fourth_moment": Variable("fourth moment of a particle, SGD less SDE", r"\Delta E W^4"),
    "m_linear": Variable("prediction of the linearised network at each input", r"m^{\rm lin}", ("input",)),
    "gap": Variable("largest distance over the inputs from the linearised network", r"|m - m^{\rm lin}|_\infty"),
    "tangent_risk": Variable("least risk of the neural tangent model", r"R_{\rm NT}"),
    "features_risk": Variable("least risk of random features", r"R_{\rm RF}"),
    "network_risk": Variable("least risk of a network of N units", r"R_{\rm NN}"),
    "entropy": Variable("entropy of the law of a particle", "S"),
    "temperature": Variable("mean strength of the noise, half of it", "T"),
    "energy": Variable("excess risk and weight decay", "U"),
    "free_energy": Variable("free energy, U - T S", "F"),
    "entropy_production": Variable("production of entropy", "P"),
    "stationary_risk": Variable("excess risk of the stationary law", r"R_\infty"),
    "stationary_entropy": Variable("entropy of the stationary law", r"S_\infty"),
    "stationary_temperature": Variable("half the strength of the noise under the stationary law", r"T_\infty"),
    "stationary_energy": Variable("excess risk and weight decay under the stationary law", r"U_\infty"),
    "stationary_free_energy": Variable("free energy of the stationary law", r"F_\infty"),
    "stationary_histogram": Variable("fraction of the stationary law in each bin", r"\nu_\infty", ("bin",)),
    "excess_risk_average": Variable("excess risk of the averaged network", r"\bar{R} - R_{\min}"),
    "m_average": Variable("prediction of the averaged network at each input", r"\bar{m}", ("input",)),
    "variance_average": Variable("variance of the averaged particles of one run", r"\bar{v}", ("weight",)),
    "displacement": Variable("mean squared displacement of a particle", r"|W - W_0|^2"),
}

AVERAGED = ("excess_risk_average", "m_average", "variance_average")
"""What is observed of the network whose weights are averages over the steps."""

Positions = tuple[Float[Array, "N lanes"], ...] | Float[Array, "dim N lanes"]
"""The particles of a tile, one array for each of their weights, what the compiler fuses best; on data that are `joined`
one array of all weights, where a step has no loop for each of them."""
Weights = Float[Array, "N 1"] | Float[Array, ""] | float
"""What particles count in averages: N^(-a) each, or the weights of a quadrature's nodes."""
UNROLLED = 16
"""Sums over so many terms are written out, so that the compiler fuses them; longer ones are loops."""


def average(values: Float[Array, "N lanes"], weights: Weights) -> Float[Array, " lanes"]:
    """sum_k weights_k values_k; a number as weights is a factor of the sum."""
    weights = jnp.asarray(weights, values.dtype)
    return jnp.sum(values * weights, axis=0) if weights.ndim else jnp.sum(values, axis=0) * weights


def predictions(
    model: Model, W: Positions, weights: Weights, points: Float[Array, "J inputs"]
) -> Float[Array, "J lanes"]:
    """sum_k weights_k F(W^k, x_j) at every point, one point at a time: no array of points times particles."""

    def values(x: Float[Array, " inputs"]) -> Float[Array, "N lanes"]:
        x = x.astype(W[0].dtype)
        return model.feature(W, tuple(x) if isinstance(W, tuple) else x[:, None, None])

    # A loop over points compiles once; written out, 2048 of them would be as many loops over the particles to compile.
    if len(points) > UNROLLED:
        return jax.lax.map(lambda x: average(values(x), weights), points)
    if jnp.ndim(weights):
        return jnp.stack([average(values(x), weights) for x in points])
    sums = jax.lax.platform_dependent(*map(values, points), cpu=_sums, default=_sums_at_once)
    return jnp.stack(sums) * jnp.asarray(weights, W[0].dtype)


def _sums(*values: Float[Array, "N lanes"]) -> tuple[Float[Array, " lanes"], ...]:
    """Sums over the particles, each by itself: what a CPU vectorises."""
    return tuple(jnp.sum(value, axis=0) for value in values)


def _sums_at_once(*values: Float[Array, "N lanes"]) -> tuple[Float[Array, " lanes"], ...]:
    """What `_sums` gives, by one reduction of many operands: a GPU launches one kernel, not one for each."""
    zeros = tuple(jnp.zeros((), value.dtype) for value in values)
    return jax.lax.reduce(values, zeros, lambda a, b: tuple(map(jnp.add, a, b)), (0,))


def observe_particles(
    model: Model, W: Positions, scale: Float[Array, ""] | float, edges: Float[Array, " edges"]
) -> Observables:
    """Excess risk, m, mean, variance, and the histogram where there are bins. `scale` is N^(-a)."""
    # A sum of N numbers in float32 is off by about sqrt(N) 6e-8 of them, which the errors of many replicas would
    # show.
    W = jax.tree.map(lambda w: w.astype(jnp.float64), W)
    m, risk = model.data.observed(model.loss, W, scale, lambda points: predictions(model, W, scale, points))
    means = [jnp.mean(w, axis=0) for w in W]
    seen: dict[str, Any] = {
        "excess_risk": risk - model.least_risk,
        "m": m,
        "mean": jnp.stack(means),
        "variance": jnp.stack([jnp.mean((w - mean[None]) ** 2, axis=0) for w, mean in zip(W, means, strict=True)]),
    }
    if len(edges) > 1:
        seen["histogram"] = bin_fractions(model.coordinate(W), edges)
    return seen
