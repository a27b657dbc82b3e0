"""Inputs whose components depend on one another: Gaussian ones with a covariance, and the hidden manifold."""

from functools import lru_cache
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from sgdsim.checks import check_fields, lenient
from sgdsim.ensemble.random import Key
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter
from sgdsim.training.inputs import NORMAL, InputLaw, NormalInputs

TRACE = 1e-6
"""How far the trace of a covariance may be from d, relative to it."""
RELU_MEAN, RELU_STD = (2 * np.pi) ** -0.5, (0.5 - 0.5 / np.pi) ** 0.5
"""Of relu(g), g ~ N(0, 1)."""


@lenient
class PowerCovariance(InputLaw):
    """x_j = sqrt(s_j) z_j with z ~ N(0, I_d) and s_j ~ j^-spectrum, j = 1 ... d, of mean 1: without blocks.

    **Raises:** ArgumentError where the exponent is out of range.
    """

    name: ClassVar[str] = "covariance"
    spectrum: Annotated[
        float, Parameter(r"\alpha", "exponent of the inputs' eigenvalues j^-spectrum", least=0, limit=8)
    ] = eqx.field(static=True, default=1.0)

    def __post_init__(self) -> None:
        check_fields(self)

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """See `InputLaw`."""
        eigenvalues = np.arange(1, d + 1, dtype=np.float64) ** -self.spectrum
        scales = jnp.asarray(np.sqrt(eigenvalues / eigenvalues.mean()), dtype)
        return NormalInputs().draw(key, rows, d, dtype) * scales[None, None, :]

    def check(self, problem: Any) -> None:
        """Any problem will do."""


class Covariance(InputLaw):
    """x = C^(1/2) z with z ~ N(0, I_d): x ~ N(0, C), of a given covariance with trace d.

    **Raises:** ArgumentError unless C is a finite, symmetric, positive semidefinite matrix of trace d.
    """

    name: ClassVar[str] = "covariance"
    root: Float[Array | np.ndarray, "d d"]

    def __init__(self, C: Any) -> None:
        C = np.asarray(C, np.float64)
        if C.ndim != 2 or C.shape[0] != C.shape[1] or not np.isfinite(C).all():
            raise ArgumentError("C", "be a square matrix of finite numbers", C.shape)
        if not np.allclose(C, C.T, rtol=0, atol=1e-10 * np.abs(C).max()):
            raise ArgumentError("C", "be symmetric", C.tolist() if len(C) <= 4 else C.shape)
        values, vectors = np.linalg.eigh(C)
        if values[0] < -1e-10 * values[-1]:
            raise ArgumentError("C", "be positive semidefinite", float(values[0]), "That is its least eigenvalue.")
        if abs(np.trace(C) / len(C) - 1) > TRACE:
            remedy = "Divide it by its trace and multiply by d, so that E|x|^2 = d."
            raise ArgumentError("C", f"have the trace d = {len(C)}", float(np.trace(C)), remedy)
        self.root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """See `InputLaw`."""
        return products(NormalInputs().draw(key, rows, d, dtype), jnp.asarray(self.root, dtype))

    def check(self, problem: Any) -> None:
        """Raises ArgumentError unless it is a covariance in d dimensions."""
        check_dimension(problem, self.root.shape[0], "the size of the covariance C")

    def cost(self, d: int) -> tuple[float, float]:
        """Normals, and their product with the root."""
        return NORMAL * d, 2.0 * d * d


@lenient
class HiddenManifold(InputLaw):
    """x = (relu(F z/sqrt(D)) - mean)/std by component: the hidden manifold of Goldt et al. (2020), z ~ N(0, I_D).

    F is d x D with D = round(latent d), its entries the first normals of numpy.random.default_rng(manifold_seed). With
    the rows of F divided by their lengths, u = F z is standard normal by component, and relu(u) has mean 1/sqrt(2 pi)
    and variance 1/2 - 1/(2 pi), whatever those lengths were. `Manifold` has a given F.

    **Raises:** ArgumentError where a value is out of range.
    """

    name: ClassVar[str] = "hidden_manifold"
    latent: Annotated[
        float, Parameter("D/d", "latent dimensions by input of the law hidden_manifold", above=0, limit=100)
    ] = eqx.field(static=True, default=0.5)
    manifold_seed: Annotated[int, Parameter("", "seed of the features F of hidden_manifold", least=0)] = eqx.field(
        static=True, default=0
    )

    def __post_init__(self) -> None:
        check_fields(self)

    def at(self, d: int) -> "Manifold":
        """With its F."""
        return Manifold(_features(self.manifold_seed, d, self._latent(d)))

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """See `InputLaw`."""
        return self.at(d).draw(key, rows, d, dtype)

    def check(self, problem: Any) -> None:
        """Any problem will do."""

    def cost(self, d: int) -> tuple[float, float]:
        """Those of D normals, and the product with F."""
        return NORMAL * self._latent(d), 2.0 * d * self._latent(d)

    def _latent(self, d: int) -> int:
        return max(1, round(self.latent * d))


class Manifold(InputLaw):
    """x = (relu(F z/sqrt(D)) - mean)/std by component, of a given F (d, D); see `HiddenManifold`.

    **Raises:** ArgumentError unless F is a finite matrix without a row of zeros.
    """

    name: ClassVar[str] = "hidden_manifold"
    directions: Float[Array | np.ndarray, "d D"]
    """The rows of F, of length 1."""

    def __init__(self, F: Any) -> None:
        F = np.asarray(F, np.float64)
        if F.ndim != 2 or not F.size or not np.isfinite(F).all() or not (F != 0).any(axis=1).all():
            raise ArgumentError("F", "be a finite matrix (d, D) without a row of zeros", F.shape)
        self.directions = F / np.linalg.norm(F, axis=1, keepdims=True)

    def draw(self, key: Key, rows: UInt32[Array, " rows"], d: int, dtype: Any) -> Float[Array, "lanes rows d"]:
        """See `InputLaw`."""
        z = NormalInputs().draw(key, rows, self.directions.shape[1], dtype)
        relu = jnp.maximum(products(z, jnp.asarray(self.directions, dtype)), 0)
        return (relu - jnp.asarray(RELU_MEAN, dtype)) * jnp.asarray(1 / RELU_STD, dtype)

    def check(self, problem: Any) -> None:
        """Raises ArgumentError unless F has a row for each input."""
        check_dimension(problem, self.directions.shape[0], "the rows of F")

    def cost(self, d: int) -> tuple[float, float]:
        """Normals, and their product with F."""
        latent = self.directions.shape[1]
        return NORMAL * latent, 2.0 * d * latent


def products(z: Float[Array, "lanes rows D"], matrix: Float[Array, "d D"]) -> Float[Array, "lanes rows d"]:
    """z matrix^T, lane by lane: one product over all lanes would round by how many of them there are."""
    return jax.lax.map(lambda one: one @ matrix.T, z)


def check_dimension(problem: Any, d: int, what: str) -> None:
    """Raises ArgumentError unless the problem has d inputs; `what` they are here."""
    if problem.d != d:
        raise ArgumentError("d", f"be {d}, {what}", problem.d)


@lru_cache(maxsize=8)
def _features(seed: int, d: int, latent: int) -> Float[np.ndarray, "d D"]:
    return np.random.default_rng(seed).normal(size=(d, latent))
