"""The second layer of student and teacher: fixed or trained, of any values."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float

from sgdsim.checks import check_fields, row
from sgdsim.ensemble.section import OneOrMore
from sgdsim.errors import ArgumentError
from sgdsim.parameters import Parameter

LAYERS = ("a0", "a_star")
MAX_RATE = 1e12
"""The largest learning rate in experiment files."""
GAMMA_A0 = Parameter(r"\gamma_{a0}", "prefactor of the second layer's learning rate", least=0, limit=MAX_RATE)


@dataclass(frozen=True)
class SecondLayer:
    """f = (1/p) sum_i a_i sigma(lambda_i), y = (1/k) sum_r a*_r sigma*(lambda*_r) + sqrt(noise) zeta.

    The student's second layer begins at `a0` and, where gamma_a > 0, is trained beside the first:

        w_i <- w_i + (gamma/(p sqrt(d))) a_i sigma'(lambda_i) (y - f) x
        a_i <- a_i + (gamma_a/(p d)) sigma(lambda_i) (y - f)

    With `soft` outputs are sums over units, not means: the soft committee of Saad & Solla (1995), and with two layers
    Goldt et al. (2019), whose eta is gamma and whose eta_v is gamma_a:

        f = sum_i a_i sigma(lambda_i),    y = sum_r a*_r sigma*(lambda*_r) + sqrt(noise) zeta
        w_i <- w_i + (gamma/sqrt(d)) a_i sigma'(lambda_i) (y - f) x,    a_i <- a_i + (gamma_a/d) sigma(lambda_i) (y - f)

    - `a0`: p numbers, or one for all units. - `a_star`: k numbers, or one.

    **Raises:** ArgumentError where a value is out of range.
    """

    a0: Annotated[Any, Parameter("a_0", "second layer at t = 0, one number or p of them", written=OneOrMore)] = 1.0
    gamma_a: Annotated[
        float, Parameter(r"\gamma_a", "learning rate of the second layer, 0: fixed", least=0, limit=MAX_RATE)
    ] = 0.0
    a_star: Annotated[
        Any, Parameter("a^*", "second layer of the teacher, one number or k of them", written=OneOrMore)
    ] = 1.0
    soft: Annotated[bool, Parameter("", "whether outputs are sums over units, not means", in_results=False)] = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in LAYERS:
            values = row(name, np.atleast_1d(getattr(self, name)))
            if not np.isfinite(values).all() or not len(values):
                raise ArgumentError(name, "be finite", getattr(self, name))
            object.__setattr__(self, name, tuple(values.tolist()))

    def student(self, p: int) -> Float[np.ndarray, " p"]:
        """a of every unit at t = 0, of a mean over p. **Raises:** ArgumentError where there are not p."""
        return _spread("a0", self.a0, p, "p") * self.unit(p)

    def teacher(self, k: int) -> Float[np.ndarray, " k"]:
        """a* of every unit of the teacher, of a mean over k. **Raises:** ArgumentError where there are not k."""
        return _spread("a_star", self.a_star, k, "k") * self.unit(k)

    def unit(self, width: int) -> float:
        """What a number of the layer is in a mean over so many units: with `soft`, sum a = (1/p) sum (p a)."""
        return float(width) if self.soft else 1.0

    def step(self, p: int, d: int) -> float:
        """gamma_a/(p d), of a mean over p; p gamma_a/d with `soft`."""
        return self.gamma_a * self.unit(p) ** 2 / (p * d)

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers worth a column in a table of results: of a layer only where all units have the same."""
        alike = {name: values[0] for name in LAYERS if len(values := getattr(self, name)) == 1}
        return {"gamma_a": self.gamma_a} | alike

    def extras(self, p: int, k: int) -> tuple[str, ...]:
        """What makes the network another than the plain one, a mean of units with a = 1: its keys, perhaps none."""
        trained = ("gamma_a",) * (self.gamma_a > 0)
        layers = zip(LAYERS, (self.student(p), self.teacher(k)), strict=True)
        changed = tuple(name for name, values in layers if not (values == 1.0).all())
        return trained + (("soft",) if self.soft and changed else changed)


def _spread(name: str, values: tuple[float, ...], count: int, letter: str) -> Float[np.ndarray, " units"]:
    if len(values) not in (1, count):
        raise ArgumentError(name, f"be one number, or {letter} = {count} of them", f"{len(values)} numbers")
    return np.broadcast_to(np.asarray(values, np.float64), (count,))
