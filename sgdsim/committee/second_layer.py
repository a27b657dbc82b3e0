"""The second layer of student and teacher: fixed or trained, of any values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float

from sgdsim.checks import check_fields, row
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter

Weights = float | Sequence[float]


@dataclass(frozen=True)
class SecondLayer:
    """f = (1/p) sum_i a_i sigma(lambda_i), y = (1/k) sum_r a*_r sigma(lambda*_r) + sqrt(noise) zeta.

    The student's second layer begins at `a` and, where gamma_a > 0, is trained beside the first:

        a_i <- a_i + (gamma_a/(p d)) sigma(lambda_i) (y - f)

    With `soft` both a and a* are multiplied by the widths, a_i = p a, a*_r = k a*: the soft committee of Saad & Solla
    (1995) and Goldt et al. (2019), f = sum_i a_i sigma(lambda_i), with eta = gamma and eta_v = gamma_a/p^2.

    - `a`: p numbers, or one for all units. - `a_star`: k numbers, or one.

    **Raises:** ArgumentError where a value is out of range.
    """

    a: Annotated[Any, Parameter("a", "second layer at t = 0, one number or p", written=Weights)] = 1.0
    gamma_a: Annotated[float, Parameter(r"\gamma_a", "learning rate of the second layer, 0: fixed", least=0)] = 0.0
    a_star: Annotated[Any, Parameter("a^*", "second layer of the teacher, one number or k", written=Weights)] = 1.0
    soft: Annotated[bool, Parameter("", "whether outputs are sums over units, not means")] = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("a", "a_star"):
            values = row(name, np.atleast_1d(getattr(self, name)))
            if not np.isfinite(values).all() or not len(values):
                raise ArgumentError(name, "be finite", getattr(self, name))
            object.__setattr__(self, name, tuple(values.tolist()))

    def student(self, p: int) -> Float[np.ndarray, " p"]:
        """a of every unit of the student, at t = 0. **Raises:** ArgumentError where there are not p."""
        return _spread("a", self.a, p, "p") * (p if self.soft else 1.0)

    def teacher(self, k: int) -> Float[np.ndarray, " k"]:
        """a* of every unit of the teacher. **Raises:** ArgumentError where there are not k."""
        return _spread("a_star", self.a_star, k, "k") * (k if self.soft else 1.0)


def _spread(name: str, values: tuple[float, ...], count: int, letter: str) -> Float[np.ndarray, " units"]:
    if len(values) not in (1, count):
        raise ArgumentError(name, f"be one number or {letter} = {count}", len(values))
    return np.broadcast_to(np.asarray(values, np.float64), (count,))
