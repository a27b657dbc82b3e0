"""What a teacher's fields make the label of."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import hermite, integrals, teacher_points
from sgdsim.committee.averages.activations import Activation, Erf, check_activation
from sgdsim.committee.averages.teacher_points import TeacherPoints
from sgdsim.errors import ArgumentError
from sgdsim.rules.rule import in_arrays
from sgdsim.rules.units import UnitArray, Units

STEEP = 1e5
"""A sign is erf(STEEP lambda/sqrt(2)): its averages are then right to 1e-10."""


class Target(eqx.Module):
    """f*(lambda*): a function of the k fields of the teacher. The label is y = f*(lambda*) + sqrt(noise) zeta.

    Theory needs, beside its values, averages over the fields: of f*^2, of f* with the Hermite polynomials of a
    student's field, and of sigma' sigma' (f* - f)^2, None where that has no closed form and is taken over points.
    """

    smooth: ClassVar[bool] = True
    """Whether it has no kink that is known of: sums over regular points then converge fast."""

    @property
    def name(self) -> str:
        """As in a table of results."""
        return type(self).__name__.removesuffix("Target").lower()

    def check(self, k: int) -> None:
        """Raises ArgumentError where it is no function of k fields."""

    @abc.abstractmethod
    def value(self, fields: Units) -> Any:
        """f* of every sample, by elementwise functions of JAX."""

    @abc.abstractmethod
    def square(self, P: Float[Array, "k k"]) -> Float[Array, ""]:
        """E[f*^2]."""

    @abc.abstractmethod
    def projections(self, P: Float[Array, "k k"], rho: Float[Array, " k"]) -> Float[Array, " terms"]:
        """E[f* h_n(z)] for n = 0, 1, ..., z ~ N(0, 1) with E[z lambda*_r] = rho_r."""

    def errors(
        self, activation: Activation, C: Float[Array, "n n"], a: Float[Array, " p"]
    ) -> Float[Array, "p p"] | None:
        """E[sigma'(l_i) sigma'(l_j) (f* - f)^2], f = (1/p) sum_i a_i sigma(l_i), of fields with covariance C."""
        return None


def target_values(target: Target, fields: Float[Array, "*points k"]) -> Float[Array, "*points"]:
    """f* of arrays of fields, float64."""
    values = in_arrays(target, jnp.float64).value(UnitArray(fields[None]))
    return jnp.broadcast_to(values[0], fields.shape[:-1])


class UnitMean(Target):
    """The mean of units: f* = (1/k) sum_r a*_r sigma*(lambda*_r), whose activation may be another than the student's.

    With `Hermite(l)` it is the target of information exponent l.
    """

    activation: Activation
    outputs: Float[Array | np.ndarray, " k"] | Units

    def __post_init__(self) -> None:
        check_activation(self.activation)

    @property
    def name(self) -> str:
        """That of the activation."""
        return self.activation.name

    def check(self, k: int) -> None:
        """Raises ArgumentError unless there is an output for every unit."""
        if len(cast(Any, self.outputs)) != k:
            raise ArgumentError("outputs", f"be k = {k} numbers", len(cast(Any, self.outputs)))

    def value(self, fields: Units) -> Any:
        """The mean of a*_r sigma*(lambda*_r)."""
        return (fields.map(self.activation.value) * self.outputs).mean()

    def square(self, P: Float[Array, "k k"]) -> Float[Array, ""]:
        """sum_rs a*_r a*_s I2(r, s)/k^2."""
        variances, c = jnp.diagonal(P), self._weights
        return c @ self.activation.I2(P, variances[:, None], variances[None, :]) @ c

    def projections(self, P: Float[Array, "k k"], rho: Float[Array, " k"]) -> Float[Array, " terms"]:
        """sum_r a*_r sigma*_n (rho_r/sqrt(P_rr))^n/k."""
        variances = jnp.diagonal(P)
        return _of_single_fields(self._weights, self.activation.series(variances), rho / jnp.sqrt(variances))

    @property
    def _weights(self) -> Float[Array, " k"]:
        outputs = jnp.asarray(self.outputs, jnp.float64)
        return outputs / len(outputs)


class SignTarget(Target):
    """The mean of signs, f* = (1/k) sum_r sign(lambda*_r): of one unit, the labels +-1 of a perceptron."""

    smooth: ClassVar[bool] = False

    def value(self, fields: Units) -> Any:
        """The mean of sign(lambda*_r); 1 at 0."""
        return fields.map(lambda field: jnp.where(field < 0, -1.0, 1.0).astype(field.dtype)).mean()

    def square(self, P: Float[Array, "k k"]) -> Float[Array, ""]:
        """(2/pi) sum_rs asin(P_rs/sqrt(P_rr P_ss))/k^2."""
        root = jnp.sqrt(jnp.diagonal(P))
        cosine = jnp.clip(P / (root[:, None] * root[None, :]), -1.0, 1.0)
        return jnp.mean(2 / jnp.pi * integrals.arcsin(cosine))

    def projections(self, P: Float[Array, "k k"], rho: Float[Array, " k"]) -> Float[Array, " terms"]:
        """Of twice a step, less one."""
        series = 2 * hermite.kinked(1)
        series[0] = 0.0
        k = len(rho)
        every = jnp.broadcast_to(jnp.asarray(series), (k, len(series)))
        return _of_single_fields(jnp.full(k, 1 / k), every, rho / jnp.sqrt(jnp.diagonal(P)))

    def errors(
        self, activation: Activation, C: Float[Array, "n n"], a: Float[Array, " p"]
    ) -> Float[Array, "p p"] | None:
        """In closed form for a student of erf, as those of a very steep teacher."""
        if not isinstance(activation, Erf):
            return None
        k, p = len(C) - len(a), len(a)
        scale = jnp.concatenate([jnp.full(k, STEEP), jnp.ones(p)])
        s = jnp.concatenate([jnp.full(k, 1 / k), -a / p])
        return activation.I4_sums(C * scale[:, None] * scale[None, :], s, k)


class OverPoints(Target):
    """A target whose averages over its own fields are taken over points."""

    @abc.abstractmethod
    def points(self, k: int) -> TeacherPoints:
        """Those of k standard normals, and how many terms of a series they are good for."""

    def square(self, P: Float[Array, "k k"]) -> Float[Array, ""]:
        """E[f*^2], summed over the points."""
        points = self.points(len(P))
        return jnp.asarray(points.w) @ self._values(points, P) ** 2

    def projections(self, P: Float[Array, "k k"], rho: Float[Array, " k"]) -> Float[Array, " terms"]:
        """Over the points y, lambda* = L y with P = L L^T, given which E[h_n(z)] = |b|^n h_n(b.y/|b|), L b = rho."""
        points = self.points(len(P))
        b = jnp.linalg.solve(jnp.linalg.cholesky(P), rho)
        weighted = jnp.asarray(points.w) * self._values(points, P)
        return teacher_points.projected(weighted, jnp.asarray(points.z) @ b, b @ b, points.terms)

    def _values(self, points: TeacherPoints, P: Float[Array, "k k"]) -> Float[Array, " points"]:
        return target_values(self, jnp.asarray(points.z) @ jnp.linalg.cholesky(P).T)


class Products(OverPoints):
    """A sum of products of fields, f* = sum_t c_t prod_(r in t) lambda*_r: multi-index models, staircases.

    Products([[0], [0, 1], [0, 1, 2]]) is the staircase lambda*_1 (1 + lambda*_2 (1 + lambda*_3)).

    - `terms`: indices of the fields of each product; one that stands there twice is squared.
    - `weights`: c_t; 1 where left out.

    **Raises:** ArgumentError for terms that are no products of fields, or of more than 6.
    """

    MOST: ClassVar[int] = 6
    """Fields, and factors of a product: theory takes (degree + 1)^k points."""

    terms: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    weights: tuple[float, ...] = eqx.field(static=True)
    label: str = eqx.field(static=True)

    def __init__(
        self, terms: Sequence[Sequence[int]], weights: Sequence[float] | None = None, label: str = "products"
    ) -> None:
        try:
            self.terms = tuple(tuple(int(r) for r in term) for term in terms)
        except (TypeError, ValueError) as error:
            raise ArgumentError("terms", "be lists of the indices of fields, e.g. [[0], [0, 1]]", terms) from error
        if not self.terms or not all(term and min(term) >= 0 and len(term) <= self.MOST for term in self.terms):
            raise ArgumentError("terms", f"each have 1 to {self.MOST} indices >= 0", terms)
        self.weights = (1.0,) * len(self.terms) if weights is None else tuple(float(c) for c in weights)
        if len(self.weights) != len(self.terms):
            raise ArgumentError("weights", f"be one number for each of the {len(self.terms)} terms", weights)
        self.label = label

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    def check(self, k: int) -> None:
        """Raises ArgumentError where a field is not there, or there are too many for theory."""
        most = max(max(term) for term in self.terms)
        if most >= k:
            raise ArgumentError("k", f"be > {most}, the last field of the target", k)
        if k > self.MOST:
            raise ArgumentError("k", f"be <= {self.MOST} beside a target of products", k)

    def value(self, fields: Units) -> Any:
        """The sum of the products."""
        total: Any = 0.0
        for weight, term in zip(self.weights, self.terms, strict=True):
            product = fields[term[0]]
            for r in term[1:]:
                product = product * fields[r]
            total = total + (product if weight == 1.0 else weight * product)
        return total

    def points(self, k: int) -> TeacherPoints:
        """The points of a quadrature that is exact for this target."""
        return teacher_points.exact(k, max(len(term) for term in self.terms))

    def errors(
        self, activation: Activation, C: Float[Array, "n n"], a: Float[Array, " p"]
    ) -> Float[Array, "p p"] | None:
        """By conditioning on the two fields under sigma'; None beside a kink."""
        if not activation.smooth:
            return None
        points = self.points(len(C) - len(a))
        return teacher_points.errors(lambda fields: target_values(self, fields), points, activation, C, a)


class FunctionTarget(OverPoints):
    """Any function of the fields, e.g. FunctionTarget(lambda z: jnp.tanh(z[0]) * z[1]).

    `function` takes the list of the k fields, arrays of one shape, and returns an array of that, by elementwise
    operations of JAX. Its averages are taken over points: the risk and the drift of a smooth function of one or two
    fields are right to 1e-6, and to 1e-3 or so with kinks or of more fields.
    """

    function: Any = eqx.field(static=True)
    label: str | None = eqx.field(static=True, default=None)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ArgumentError("function", "be a function of a list of fields", self.function)

    @property
    def name(self) -> str:
        """The label, or else the function's own name."""
        return self.label or getattr(self.function, "__name__", "function")

    def check(self, k: int) -> None:
        """Raises ArgumentError where it does not map k fields to an array of their shape."""
        fields = [jax.ShapeDtypeStruct((3, 2), np.float32)] * k
        try:
            made = jax.eval_shape(self.function, fields)
        except (TypeError, ValueError, IndexError) as error:
            remedy = "Write it with jax.numpy, e.g. FunctionTarget(lambda z: z[0] * jnp.tanh(z[1])) for k = 2."
            raise ArgumentError(
                "target", f"be a function of {k} fields by JAX operations", self.name, remedy
            ) from error
        if getattr(made, "shape", None) != (3, 2) or made.dtype != np.float32:
            raise ArgumentError("target", f"map {k} fields, float32 (3, 2), to float32 (3, 2), elementwise", made)

    def value(self, fields: Units) -> Any:
        """function of the list of fields."""
        return self.function([fields[r] for r in range(len(fields))])

    def points(self, k: int) -> TeacherPoints:
        """A product of trapezoidal rules for one or two fields, else Sobol points."""
        return teacher_points.dense(k)


def staircase(k: int) -> Products:
    """lambda*_1 + lambda*_1 lambda*_2 + ... + lambda*_1 ... lambda*_k."""
    return Products([range(r + 1) for r in range(k)], label="staircase")


def product(k: int) -> Products:
    """lambda*_1 ... lambda*_k."""
    return Products([range(k)], label="product")


def _of_single_fields(
    weights: Float[Array, " k"], series: Float[Array, "k terms"], rho: Float[Array, " k"]
) -> Float[Array, " terms"]:
    """sum_r weights_r series_rn rho_r^n."""
    return weights @ (series * hermite.powers(rho, series.shape[1]))
