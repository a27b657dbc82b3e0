"""Laws of label noise that are not Gaussian, of mean 0 and variance 1, as functions of standard normals."""

from typing import Annotated, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sgdsim.checks import check_fields, lenient
from sgdsim.parameters import Parameter
from sgdsim.training.inputs import LabelLaw


class RademacherNoise(LabelLaw):
    """zeta = 1 or -1, each with probability 1/2: the sign of a normal."""

    name: ClassVar[str] = "rademacher"

    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sign(z)."""
        return signs(normals[0])

    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sign(shift) where |shift| > 1, else 0."""
        return (signs(shift + 1) + signs(shift - 1)) / 2


class UniformNoise(LabelLaw):
    """zeta uniform on (-sqrt(3), sqrt(3))."""

    name: ClassVar[str] = "uniform"

    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sqrt(3) erf(z/sqrt(2)), whose argument is the distribution function of a normal, less 1/2, doubled."""
        return _times(jax.lax.erf(_times(normals[0], 0.5**0.5)), 3**0.5)

    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """shift/sqrt(3), up to +-1."""
        return jnp.clip(shift / 3**0.5, -1.0, 1.0)


class LaplaceNoise(LabelLaw):
    """zeta of density exp(-sqrt(2)|zeta|)/sqrt(2)."""

    name: ClassVar[str] = "laplace"

    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """-sign(z) ln(erfc(|z|/sqrt(2)))/sqrt(2): the probability of a larger |z| is that of a larger |zeta|."""
        size = _times(jnp.log(jax.lax.erfc(_times(jnp.abs(normals[0]), 0.5**0.5))), -(0.5**0.5))
        return size * signs(normals[0])

    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sign(shift) (1 - exp(-sqrt(2)|shift|))."""
        return -signs(shift) * jnp.expm1(-(2**0.5) * jnp.abs(shift))


@lenient
class StudentTNoise(LabelLaw):
    """zeta of Student's t with nu degrees of freedom, divided by its standard deviation sqrt(nu/(nu - 2)).

    Bailey's polar method (see `StudentT`) with u and v of Box and Muller: of two normals with r^2 = z_1^2 + z_2^2 =
    -2 ln(u), t = z_1 sqrt(nu expm1(r^2/nu))/r.

    **Raises:** ArgumentError unless nu is finite and >= 3: below, the tails that normals of 32 bits reach would not
    have the variance 1.
    """

    name: ClassVar[str] = "student_t"
    normals: ClassVar[int] = 2
    noise_degrees_of_freedom: Annotated[
        float, Parameter(r"\nu_\zeta", "degrees of freedom of the label noise student_t", least=3, limit=1e6)
    ] = eqx.field(static=True, default=5.0)

    def __post_init__(self) -> None:
        check_fields(self)

    def of_normals(self, *normals: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """t/std(t) of two normals."""
        z, nu = normals[0], self.noise_degrees_of_freedom
        square = z * z + normals[1] * normals[1]
        # At r = 0 the ratio is 0/0: a normal of 32 bits has an r of 1e-5 at least, which is far above the 1e-20 here.
        ratio = jnp.expm1(_times(square, 1 / nu)) / (square + np.asarray(1e-20, square.dtype))
        return z * jnp.sqrt(_times(ratio, nu - 2))

    def mean_sign(self, shift: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """sign(shift) (1 - I_x(nu/2, 1/2)) with x = nu/(nu + t^2) at t = shift std(t)."""
        nu = self.noise_degrees_of_freedom
        square = shift * shift * (nu / (nu - 2))
        return signs(shift) * (1 - jax.scipy.special.betainc(nu / 2, 0.5, nu / (nu + square)))


def signs(values: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """1 where a value is >= 0, else -1."""
    return jnp.where(values < 0, -1.0, 1.0).astype(values.dtype)


def _times(values: Float[Array, "*shape"], factor: float) -> Float[Array, "*shape"]:
    """In the precision of the values."""
    return values * np.asarray(factor, values.dtype)
