"""How weights follow their gradients: the plain step, or one with decay, momentum, a sphere, batches used again."""

from dataclasses import dataclass
from typing import Annotated

from sgdsim.checks import check_fields
from sgdsim.parameters import Parameter
from sgdsim.rules.rule import Rule
from sgdsim.rules.wrapped import Decay, Momentum, Reused, Spherical


@dataclass(frozen=True)
class Update:
    """The step of the first layer, w_i <- w_i + g_i with g_i = (gamma/(p sqrt(d))) a_i sigma'(lambda_i) (y - f) x.

        decay       w_i <- (1 - gamma decay/(p d)) w_i + g_i
        momentum    u_i <- momentum u_i + g_i,    w_i <- w_i + u_i,    u_i = 0 at t = 0
        spherical   w_i <- sqrt(d) (w_i + g_i)/|w_i + g_i|
        reuse       every batch makes so many steps, one after the other (Dandi et al. 2024)

    **Raises:** ArgumentError where a value is out of range.
    """

    decay: Annotated[float, Parameter("w", "weight decay", least=0)] = 0.0
    momentum: Annotated[float, Parameter(r"\mu", "momentum", least=0, below=1)] = 0.0
    spherical: Annotated[bool, Parameter("", "whether every unit keeps the length |w|^2 = d")] = False
    reuse: Annotated[int, Parameter("", "steps that every batch makes", least=1, most=16)] = 1

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def plain(self) -> bool:
        """Whether it is the plain step."""
        return self == Update()

    def around(self, rule: Rule) -> Rule:
        """The rule with this update in place of the plain one; `rule.rate` is gamma/(p d)."""
        if self.decay:
            rule = Decay(rule, self.decay * rule.rate)
        if self.momentum:
            rule = Momentum(rule, self.momentum)
        if self.spherical:
            rule = Spherical(rule)
        return rule if self.reuse == 1 else Reused(rule, self.reuse)
