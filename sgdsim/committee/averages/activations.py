"""Activation functions of teacher and student, with the Gaussian averages that the theory needs of them."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.committee.averages import arc_cosine, arc_cosine_pairs, hermite, integrals
from sgdsim.committee.averages.integrals import Index
from sgdsim.errors import ArgumentError

RELU_BLOCK = 2**12
"""Fields a, b and pairs i, j at a time: some ten arrays of half a megabyte. One by one takes 1.6 times as long."""


class Activation(eqx.Module):
    """sigma, its derivative, and its averages over centred Gaussian fields l with covariance C.

    value and derivative work elementwise on any array, in the array's own precision. Averages are float64:

        I2 = E[sigma(l_1) sigma(l_2)]
        I3(i, j, a) = E[sigma'(l_i) l_j sigma(l_a)]
        I4(i, j, a, b) = E[sigma'(l_i) sigma'(l_j) sigma(l_a) sigma(l_b)], only ever summed over a and b
        J2(i, j) = E[sigma'(l_i) sigma'(l_j)]
    """

    smooth: ClassVar[bool] = True
    """Whether it has no kink: sums over regular points then converge fast."""
    grows: ClassVar[bool] = False
    """Whether it grows faster than linearly: such sums have to go further then."""

    @property
    def name(self) -> str:
        """As in an experiment file."""
        return type(self).__name__.lower()

    @property
    def accuracy(self) -> float:
        """Relative error of the averages, 0 for rounding: the ODE is solved to a tenth of it, or to the tolerances."""
        return 0.0

    @abc.abstractmethod
    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sigma(lambda)."""

    @abc.abstractmethod
    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sigma'(lambda)."""

    @abc.abstractmethod
    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """I2, elementwise in the broadcast covariances."""

    def series(self, variance: Float[Array, "..."]) -> Float[Array, "... terms"]:
        """E[sigma(l) h_n(z)] of a field l = sqrt(variance) z, n = 0, 1, ..., h_n = He_n/sqrt(n!)."""
        return hermite.coefficients(self.value, variance)

    @abc.abstractmethod
    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """The averages I3 of field i, for all j (first axis) and a (second)."""

    @abc.abstractmethod
    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """The average J2 of fields i and j."""

    @abc.abstractmethod
    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """sum_ab s_a s_b I4(i, j, a, b) for all i, j >= first."""


class Erf(Activation):
    """sigma(x) = erf(x / sqrt(2)), sigma'(x) = sqrt(2/pi) exp(-x^2/2). All averages have closed forms."""

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """erf(lambda / sqrt(2))."""
        return jax.lax.erf(field * (0.5**0.5))

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sqrt(2/pi) exp(-lambda^2/2)."""
        return jnp.exp(-0.5 * field * field) * ((2.0 / jnp.pi) ** 0.5)

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma(l_1) sigma(l_2)], in closed form."""
        return integrals.I2(c12, c11, c22)

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """E[sigma'(l_i) l_j sigma(l_a)], in closed form."""
        return integrals.I3(C, i)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """E[sigma'(l_i) sigma'(l_j)], in closed form."""
        return integrals.J2(C, i, j)

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """p (p+1)/2 symmetric matrices of arcsines."""
        return integrals.over_pairs(lambda i, j: integrals.I4_sum(C, s, i, j), first, len(s))


class Linear(Activation):
    """sigma(x) = x. The averages follow from Wick's theorem."""

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """lambda."""
        return field

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """1."""
        return jnp.ones_like(field)

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """C_12."""
        return c12

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """C_ja."""
        return C

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """1."""
        return jnp.ones(())

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """s^T C s for every pair."""
        p = len(s) - first
        return jnp.full((p, p), s @ C @ s)


class Quadratic(Activation):
    """sigma(x) = x^2, as in phase retrieval: not centred and not halved. The averages follow from Wick's theorem."""

    grows: ClassVar[bool] = True

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """lambda^2."""
        return field * field

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """2 lambda."""
        return 2 * field

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """C_11 C_22 + 2 C_12^2."""
        return c11 * c22 + 2 * c12 * c12

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """2 (C_ij C_aa + 2 C_ia C_ja)."""
        return 2 * (C[i][:, None] * jnp.diagonal(C)[None, :] + 2 * C[i][None, :] * C)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """4 C_ij."""
        return 4 * C[i, j]

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """With S = diag(s), c = tr(SC), D = C S C: 4 [C (c^2 + 2 tr(SCSC)) + 4 c D + 8 D S C].

        The 15 pairings of l_i l_j l_a l_a l_b l_b: i with j, and a, b among themselves; or i and j both with a, or both
        with b; or one of them with a and the other with b.
        """
        total, D = s @ jnp.diagonal(C), (C * s[None, :]) @ C
        squares = s @ (C * C) @ s
        sums = 4 * (C * (total * total + 2 * squares) + 4 * total * D + 8 * (D * s[None, :]) @ C)
        return sums[first:, first:]


class Relu(Activation):
    """sigma(x) = max(x, 0), sigma'(x) = 1 for x > 0. Averages of two and three fields have closed forms.

    Those of four are integrals over one variable, see `arc_cosine_pairs`: right to 1e-8, whatever fields coincide. Near
    perfect learning their sums vanish like the risk: right to 2e-5 of themselves where the excess risk is 1e-7, and to
    3e-4 where it is 1e-9, from the rounding of the overlaps.
    """

    smooth: ClassVar[bool] = False

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """max(lambda, 0)."""
        return jnp.maximum(field, 0)

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """1 where lambda > 0, else 0."""
        return (field > 0).astype(field.dtype)

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma(l_1) sigma(l_2)], by arc-cosines."""
        return arc_cosine.I2(c12, c11, c22)

    def series(self, variance: Float[Array, "..."]) -> Float[Array, "... terms"]:
        """See `Activation`: sqrt(variance) times E[max(z, 0) h_n(z)]."""
        return jnp.sqrt(variance)[..., None] * jnp.asarray(hermite.kinked(2)).reshape(*[1] * variance.ndim, -1)

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """E[sigma'(l_i) l_j sigma(l_a)], by arc-cosines."""
        return arc_cosine.I3(C, i)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """E[sigma'(l_i) sigma'(l_j)], by arc-cosines."""
        return arc_cosine.steps(C[i, j], C[i, i], C[j, j])

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """p (p+1)/2 integrals over one variable, of n^2 arc-cosines each; as many pairs at a time as fit a cache."""
        n = len(s)
        pairs = (n - first) * (n - first + 1) // 2
        at_once = max(m for m in range(1, pairs + 1) if pairs % m == 0 and (m == 1 or m * n * n <= RELU_BLOCK))
        return integrals.over_pairs(arc_cosine_pairs.make_I4_sum(C, s), first, n, at_once)


class Custom(Activation):
    """Any smooth function: `function` takes an array and returns one of the same shape, elementwise, by JAX operations.

    Its derivative is JAX's, in forward mode. Its averages are Hermite series and quadratures, see `hermite`. They
    converge fast for analytic functions: at fields of variance 1 those of two and three fields are right to 1e-7, those
    of four to 2e-7 for a smooth function such as erf and to 5e-5 for tanh. The larger the variance and the sharper the
    function, the slower; at kinks they are good to a few percent only, while the simulation is as right as ever.
    Their error is smooth in the overlaps for a smooth function; at a kink it is not, and a solver that follows it takes
    897 steps where 22 do (max(x, 0), p = k = 2, T = 5, measured). So the ODE is solved to a tenth of `accuracy`, an
    estimate at equal fields, which errs on the large side: 9e-4 for tanh, 3e-7 for erf.

    **Raises:** ArgumentError where it is no function of JAX operations, or does not keep shape or type.
    """

    function: Callable[[Any], Any] = eqx.field(static=True)
    label: str | None = eqx.field(static=True)

    def __init__(self, function: Callable[[Any], Any], label: str | None = None) -> None:
        if not callable(function) or isinstance(function, type | Activation):
            raise ArgumentError("function", "be a function, e.g. jnp.tanh", function)
        if not isinstance(label, str | None):
            raise ArgumentError("label", "be a string", label)
        given = jax.ShapeDtypeStruct((3, 2), np.float32)
        try:
            made = jax.eval_shape(function, given)
        except (
            TypeError,
            ValueError,
        ) as error:  # what JAX and Python raise where a traced array's values are asked for
            remedy = "Write it with jax.numpy, e.g. Custom(jnp.tanh) for np.tanh and jnp.where for `if`."
            raise ArgumentError("function", "be made of JAX operations, elementwise", function, remedy) from error
        if getattr(made, "shape", None) != (3, 2) or made.dtype != np.float32:
            raise ArgumentError("function", "map float32 (3, 2) to float32 (3, 2), elementwise", made)
        self.function, self.label = function, label

    @property
    def name(self) -> str:
        """The label, or else the function's own name."""
        return self.label or getattr(self.function, "__name__", "custom")

    @property
    def accuracy(self) -> float:
        """Relative error of the averages of four fields, estimated at variance 1; see `hermite.four_field_error`."""
        return hermite.four_field_error(self.value, self.derivative)

    def value(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """function(lambda)."""
        return self.function(field)

    def derivative(self, field: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The derivative, by forward mode."""
        return jax.jvp(self.function, (field,), (jnp.ones_like(field),))[1]

    def I2(self, c12: Float[Array, "..."], c11: Float[Array, "..."], c22: Float[Array, "..."]) -> Float[Array, "..."]:
        """E[sigma(l_1) sigma(l_2)], from the Hermite series of sigma."""
        return hermite.I2(self.value, c12, c11, c22)

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """E[sigma'(l_i) l_j sigma(l_a)], from the Hermite series of sigma."""
        return hermite.I3(self.value, self.derivative, C, i)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """E[sigma'(l_i) sigma'(l_j)], from the Hermite series of sigma."""
        return hermite.I2(self.derivative, C[i, j], C[i, i], C[j, j])

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """p (p+1)/2 quadratures over (l_i, l_j), in each of which the other fields are averaged by series."""
        pair = hermite.make_I4_sum(self.value, self.derivative, C, s)
        return integrals.over_pairs(pair, first, len(s), at_once=1)


def check_activation(activation: Any, argument: str = "activation") -> None:
    """**Raises:** ArgumentError, with what to write instead, unless this is an activation."""
    if isinstance(activation, Activation):
        return
    ready = {kind.__name__.lower(): kind.__name__ for kind in (Erf, Relu, Linear, Quadratic)}
    name = activation if isinstance(activation, str) else getattr(activation, "__name__", "function")
    if isinstance(activation, str | type) and name.lower() in ready:
        remedy = f"Write {ready[name.lower()]}()."
    elif callable(activation) and not isinstance(activation, type):
        remedy = f"Write Custom({'jnp.' * hasattr(jnp, name)}{name})."
    else:
        smooth = "for any smooth function Custom(function), e.g. Custom(jnp.tanh)"
        remedy = f"There are {', '.join(f'{kind}()' for kind in ready.values())}, and {smooth}."
    raise ArgumentError(argument, "be an activation of sgdsim.committee", activation, remedy)
