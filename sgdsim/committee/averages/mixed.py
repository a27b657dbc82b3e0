"""Gaussian averages where the teacher's units have another activation than the student's: by Hermite series."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from sgdsim.committee.averages import hermite, integrals
from sgdsim.committee.averages.activations import Activation, Relu
from sgdsim.committee.averages.integrals import Index


class Mixed(eqx.Module):
    """Averages of the fields l = (lambda*, lambda), the first k under sigma*, the others under sigma.

    Of smooth activations, to the accuracy of `Custom`: of erf and any of erf, linear and quadratic to 2e-7 where fields
    have variance 1, see `hermite.four_field_error`. The kink of relu has no series: see `known`.
    """

    teacher: Activation
    student: Activation
    k: int = eqx.field(static=True)

    @staticmethod
    def known(teacher: Activation, student: Activation) -> bool:
        """Whether the averages of such a pair are series: of any but relu."""
        return not isinstance(teacher, Relu) and not isinstance(student, Relu)

    @property
    def accuracy(self) -> float:
        """Relative error of the averages of four fields, estimated at variance 1."""
        pair = (self.teacher, self.student)
        return max(hermite.four_field_error(unit.value, unit.derivative, self._rule) for unit in pair)

    @property
    def _rule(self) -> hermite.Rule:
        """Of averages of four fields."""
        return hermite.WIDE if self.teacher.grows or self.student.grows else hermite.FOUR

    def pairs(self, C: Float[Array, "n n *batch"]) -> Float[Array, "n n *batch"]:
        """I2 of all fields, with any trailing axes."""
        C = jnp.moveaxis(C, (0, 1), (-2, -1))
        variances = jnp.diagonal(C, axis1=-2, axis2=-1)
        own = hermite.coefficients(self._value, variances)
        left, right = variances[..., :, None], variances[..., None, :]
        series = hermite.series(own[..., :, None, :], own[..., None, :, :], hermite.correlation(C, left, right))
        return jnp.moveaxis(series, (-2, -1), (0, 1))

    def I3(self, C: Float[Array, "n n"], i: Index) -> Float[Array, "n n"]:
        """E[sigma'(l_i) l_j s_a(l_a)] of a student i, for all j (first axis) and a (second), s_a being a's own."""
        return hermite.I3(self._value, self._derivative, C, i)

    def J2(self, C: Float[Array, "n n"], i: Index, j: Index) -> Float[Array, ""]:
        """E[sigma'(l_i) sigma'(l_j)] of students."""
        return self.student.J2(C, i, j)

    def I4_sums(self, C: Float[Array, "n n"], s: Float[Array, " n"], first: int) -> Float[Array, "p p"]:
        """sum_ab s_a s_b E[sigma'(l_i) sigma'(l_j) s_a(l_a) s_b(l_b)] of students i, j."""
        pair = hermite.make_I4_sum(self._value, self.student.derivative, C, s, self._rule)
        return integrals.over_pairs(pair, first, len(s), at_once=1)

    def _value(self, fields: Float[Array, "*rows n nodes"]) -> Float[Array, "*rows n nodes"]:
        teachers, students = fields[..., : self.k, :], fields[..., self.k :, :]
        return jnp.concatenate([self.teacher.value(teachers), self.student.value(students)], axis=-2)

    def _derivative(self, fields: Float[Array, "n nodes"]) -> Float[Array, "n nodes"]:
        teachers, students = fields[: self.k], fields[self.k :]
        return jnp.concatenate([self.teacher.derivative(teachers), self.student.derivative(students)])
